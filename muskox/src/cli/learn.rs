//! `muskox learn …`: teaching the classifier.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Asker, Failed, Output, files};
use crate::control::{LearnClass, LearnRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// These messages are good mail
    Ham(Messages),
    /// These messages are spam
    Spam(Messages),
    /// How much was learned
    Status {
        /// For this account; for everybody when left out
        #[arg(long)]
        account: Option<String>,
    },
    /// Forget everything that was learned
    Forget {
        /// For this account; what was learned for everybody when left out
        #[arg(long)]
        account: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Messages {
    /// Files of one message each, directories of such files, `-` for standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// For this account; for everybody when left out
    #[arg(long)]
    account: Option<String>,
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Ham(messages) => teach(messages, LearnClass::Ham, asker, output),
        Verb::Spam(messages) => teach(messages, LearnClass::Spam, asker, output),
        Verb::Status { account } => {
            let request = LearnRequest::Status {
                account: account.clone(),
            };
            let data = asker.ask(&Request::Learn(request))?;
            output.data("muskox.learn.status/1", &data, |output, data| {
                for key in ["owner", "ham", "spam", "words", "ready"] {
                    if let Some(value) = data.get(key) {
                        let value = value.to_string();
                        output.line(format_args!("{key:<6} {}", value.trim_matches('"')));
                    }
                }
            });
            Ok(())
        }
        Verb::Forget { account } => {
            let request = LearnRequest::Forget {
                account: account.clone(),
            };
            asker.ask(&Request::Learn(request))?;
            output.note("forgotten");
            Ok(())
        }
    }
}

fn teach(
    messages: &Messages,
    class: LearnClass,
    asker: &Asker,
    output: &Output,
) -> Result<(), Failed> {
    let files = files::list(&messages.paths)?;
    let progress = output.progress("messages");
    progress.expect(files.len());
    let mut connection = asker.connect()?;
    let (mut learned, mut known) = (0, 0);
    for file in &files {
        let request = LearnRequest::Message {
            class,
            message: STANDARD.encode(files::read(file)?),
            account: messages.account.clone(),
        };
        let data = connection.ask(&Request::Learn(request))?;
        match data.get("outcome").and_then(Value::as_str) {
            Some("already") => known += 1,
            _ => learned += 1,
        }
        progress.step();
    }
    progress.end();
    let data = json!({ "learned": learned, "known": known });
    output.data("muskox.learn/1", &data, |output, _| {
        output.line(format_args!("{learned} learned, {known} known already"));
    });
    Ok(())
}
