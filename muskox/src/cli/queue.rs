//! `muskox queue …`

use clap::Subcommand;
use serde_json::Value;

use super::output::printable;
use super::{Asker, Failed, Output};
use crate::control::{QueueRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// All messages that wait
    List,
    /// One message: recipients, attempts, the last replies, the header section
    Show {
        /// The message
        id: i64,
    },
    /// Try again now
    Retry {
        /// The message; all of them when left out
        id: Option<i64>,
    },
    /// Keep a message from being tried
    Hold {
        /// The message
        id: i64,
    },
    /// End a hold
    Release {
        /// The message
        id: i64,
    },
    /// Delete a message; nobody is told
    Delete {
        /// The message
        id: i64,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let act = |request: QueueRequest, done: String| -> Result<(), Failed> {
        asker.ask(&Request::Queue(request))?;
        output.note(done);
        Ok(())
    };
    match *verb {
        Verb::List => {
            let data = asker.ask(&Request::Queue(QueueRequest::List))?;
            output.data("muskox.queue.list/1", &data, list);
            Ok(())
        }
        Verb::Show { id } => {
            let data = asker.ask(&Request::Queue(QueueRequest::Show { id }))?;
            output.data("muskox.queue.show/1", &data, show);
            Ok(())
        }
        Verb::Retry { id } => act(QueueRequest::Retry { id }, "trying again now".to_owned()),
        Verb::Hold { id } => act(QueueRequest::Hold { id }, format!("{id} is held")),
        Verb::Release { id } => act(QueueRequest::Release { id }, format!("{id} is released")),
        Verb::Delete { id } => act(QueueRequest::Delete { id }, format!("{id} is deleted")),
    }
}

fn list(output: &Output, data: &Value) {
    if data.as_array().is_some_and(Vec::is_empty) {
        output.line("the queue is empty");
        return;
    }
    let columns = [
        ("ID", "id"),
        ("AGE", "age"),
        ("SIZE", "size"),
        ("SENDER", "sender"),
        ("RECIPIENTS", "recipients"),
        ("NEXT", "next"),
        ("ATTEMPTS", "attempts"),
        ("LAST", "status"),
    ];
    output.table(data, &columns);
}

fn show(output: &Output, data: &Value) {
    for key in ["id", "sender", "size", "created", "expires", "held"] {
        if let Some(value) = data.get(key) {
            output.line(format_args!(
                "{key:<9} {}",
                printable(value.to_string().trim_matches('"'))
            ));
        }
    }
    output.line("");
    let columns = [
        ("RECIPIENT", "address"),
        ("NEXT", "next"),
        ("ATTEMPTS", "attempts"),
        ("LAST", "status"),
    ];
    output.table(data.get("recipients").unwrap_or(&Value::Null), &columns);
    if let Some(header) = data.get("header").and_then(Value::as_str) {
        output.line("");
        for line in header.lines() {
            output.line(printable(line));
        }
    }
}
