//! `muskox message …`: why mail was treated as it was.

use clap::Subcommand;
use serde_json::Value;

use super::output::printable;
use super::{Asker, Failed, Output};
use crate::control::{MessageRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Everything that was noticed about a message, and what followed
    Why {
        /// The name in the reply and the Received field, or the Message-ID
        name: String,
    },
    /// The latest verdicts
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Why { name } => {
            let request = MessageRequest::Why { name: name.clone() };
            let data = asker.ask(&Request::Message(request))?;
            output.data("muskox.message.why/1", &data, |output, data| {
                for record in data.as_array().into_iter().flatten() {
                    show(output, record);
                }
            });
        }
        Verb::List { limit } => {
            let request = MessageRequest::List { limit: *limit };
            let data = asker.ask(&Request::Message(request))?;
            output.data("muskox.message.list/1", &data, |output, data| {
                let columns = [
                    ("ID", "id"),
                    ("AT", "at"),
                    ("SCORE", "score"),
                    ("ACTION", "action"),
                    ("SENDER", "sender"),
                    ("SUBJECT", "subject"),
                ];
                output.table(data, &columns);
            });
        }
    }
    Ok(())
}

/// One verdict, for people.
pub(super) fn show(output: &Output, record: &Value) {
    let text = |key: &str| {
        let value = record.get(key).unwrap_or(&Value::Null);
        printable(
            &value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    };
    for (label, key) in [
        ("message", "id"),
        ("at", "at"),
        ("Message-ID", "message_id"),
        ("subject", "subject"),
        ("sender", "sender"),
        ("client", "ip"),
        ("helo", "helo"),
    ] {
        if record.get(key).is_some_and(|value| *value != "") {
            output.line(format_args!("{label:<11} {}", text(key)));
        }
    }
    output.line(format_args!(
        "{:<11} {}, score {} of {}",
        "action",
        text("action"),
        text("score"),
        text("required")
    ));
    let timing = record.get("timing");
    let micros = |key: &str| {
        let value = timing.and_then(|timing| timing.get(key));
        value.and_then(Value::as_u64).unwrap_or_default()
    };
    output.line(format_args!(
        "{:<11} {} µs: reading {}, rules {}, waiting {}; rules revision {}",
        "took",
        micros("total"),
        micros("facts"),
        micros("rules"),
        micros("waiting"),
        text("revision"),
    ));
    output.line("");
    let columns = [
        ("SCORE", "score"),
        ("SYMBOL", "symbol"),
        ("WHAT", "description"),
        ("WHERE", "options"),
        ("FOR", "recipient"),
    ];
    let mut signals: Vec<Value> = record
        .get("signals")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let weight = |signal: &Value| {
        let score = signal.get("score").and_then(Value::as_f64);
        score.unwrap_or_default().abs()
    };
    signals.sort_by(|left, right| weight(right).total_cmp(&weight(left)));
    output.table(&Value::Array(signals), &columns);
    let shares = record.get("recipients").unwrap_or(&Value::Null);
    if shares.as_array().is_some_and(|shares| !shares.is_empty()) {
        output.line("");
        let columns = [
            ("RECIPIENT", "recipient"),
            ("SCORE", "score"),
            ("ACTION", "action"),
        ];
        output.table(shares, &columns);
    }
    output.line("");
}
