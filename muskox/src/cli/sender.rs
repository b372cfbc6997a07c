//! `muskox sender …`: allow and deny lists.

use clap::{Args, Subcommand};

use super::rules::live;
use super::{Asker, Failed, Output};
use crate::control::{Request, SenderRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Mail of these senders is welcome
    Allow(Add),
    /// Mail of these senders is not wanted
    Deny(Add),
    /// The entries
    List {
        /// Of this account (an address) or domain; everybody's when left out
        #[arg(long = "for", value_name = "OWNER")]
        owner: Option<String>,
    },
    /// Replace the address book of an account: who is in it is welcome there
    Contacts {
        /// The account
        account: String,
        /// The addresses; none empties it
        addresses: Vec<String>,
    },
    /// Take entries off
    Remove {
        /// Their numbers, as `list` shows them
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Of this account (an address) or domain; everybody's when left out
        #[arg(long = "for", value_name = "OWNER")]
        owner: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Addresses, domains, wildcards such as news-*@example.org, networks
    #[arg(required = true)]
    patterns: Vec<String>,
    /// For this account (an address) or domain; for everybody when left out
    #[arg(long = "for", value_name = "OWNER")]
    owner: Option<String>,
    /// Why
    #[arg(long, default_value = "")]
    comment: String,
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let ask = |request| asker.ask(&Request::Sender(request));
    match verb {
        Verb::Allow(add) | Verb::Deny(add) => {
            let allowed = matches!(verb, Verb::Allow(_));
            let data = ask(SenderRequest::Add {
                owner: add.owner.clone(),
                verdict: if allowed { "allow" } else { "deny" }.to_owned(),
                patterns: add.patterns.clone(),
                comment: add.comment.clone(),
            })?;
            live(output, &add.patterns.join(", "), &data);
        }
        Verb::List { owner } => {
            let data = ask(SenderRequest::List {
                owner: owner.clone(),
            })?;
            output.data("muskox.sender.list/1", &data, |output, data| {
                let columns = [
                    ("ID", "id"),
                    ("SENDER", "value"),
                    ("VERDICT", "verdict"),
                    ("COMMENT", "comment"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Contacts { account, addresses } => {
            let data = ask(SenderRequest::Contacts {
                account: account.clone(),
                addresses: addresses.clone(),
            })?;
            live(output, account, &data);
        }
        Verb::Remove { ids, owner } => {
            let data = ask(SenderRequest::Remove {
                owner: owner.clone(),
                ids: ids.clone(),
            })?;
            live(output, "the list", &data);
        }
    }
    Ok(())
}
