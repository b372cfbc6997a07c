//! `muskox quarantine …`

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Asker, Failed, Output};
use crate::control::{QuarantineRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// What is kept back, the latest first
    List {
        /// Only that of this account
        #[arg(long)]
        account: Option<String>,
        /// Only what came before this one
        #[arg(long)]
        before: Option<i64>,
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// One message, as it would be delivered
    Show {
        /// The message
        id: i64,
    },
    /// Deliver a message after all
    Release(Decision),
    /// Delete a message
    Delete(Decision),
}

#[derive(Debug, Args)]
pub(super) struct Decision {
    /// The message
    id: i64,
    /// Teach the classifier what it is: good mail when released, spam when deleted
    #[arg(long)]
    learn: bool,
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let ask = |request| asker.ask(&Request::Quarantine(request));
    match verb {
        Verb::List {
            account,
            before,
            limit,
        } => {
            let data = ask(QuarantineRequest::List {
                account: account.clone(),
                before: *before,
                limit: *limit,
            })?;
            output.data("muskox.quarantine.list/1", &data, |output, data| {
                let columns = [
                    ("ID", "id"),
                    ("AT", "at"),
                    ("SCORE", "score"),
                    ("RECIPIENT", "recipient"),
                    ("SENDER", "sender"),
                    ("SUBJECT", "subject"),
                    ("VERDICT", "verdict"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Show { id } => {
            let data = ask(QuarantineRequest::Show { id: *id })?;
            output.data("muskox.quarantine.show/1", &data, |output, data| {
                let message = data.get("message").and_then(Value::as_str);
                output.bytes(message.unwrap_or_default().as_bytes());
            });
        }
        Verb::Release(Decision { id, learn }) => {
            ask(QuarantineRequest::Release {
                id: *id,
                learn: *learn,
            })?;
            output.note(format_args!("{id} is delivered"));
        }
        Verb::Delete(Decision { id, learn }) => {
            ask(QuarantineRequest::Delete {
                id: *id,
                learn: *learn,
            })?;
            output.note(format_args!("{id} is deleted"));
        }
    }
    Ok(())
}
