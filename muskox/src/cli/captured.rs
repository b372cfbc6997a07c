//! `muskox captured …`: mail to the outside world that the demo kept.

use clap::Subcommand;
use serde_json::Value;

use super::{Asker, Failed, Output};
use crate::control::{CapturedRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// All captured messages
    List,
    /// One message as it left the server
    Show {
        /// Its number in the list
        number: usize,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match *verb {
        Verb::List => {
            let data = asker.ask(&Request::Captured(CapturedRequest::List))?;
            output.data("muskox.captured.list/1", &data, |output, data| {
                let columns = [
                    ("NUMBER", "number"),
                    ("FROM", "from"),
                    ("TO", "to"),
                    ("BYTES", "size"),
                    ("SUBJECT", "subject"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Show { number } => {
            let data = asker.ask(&Request::Captured(CapturedRequest::Show { number }))?;
            output.data("muskox.captured.show/1", &data, |output, data| {
                let text = data
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                output.bytes(text.as_bytes());
            });
        }
    }
    Ok(())
}
