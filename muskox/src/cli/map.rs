//! `muskox map …`: lists and patterns of the administrator.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::printable;
use super::rules::live;
use super::{Asker, Failed, Output, files};
use crate::control::{MapRequest, NewMap, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// All maps
    List,
    /// The lines of a map
    Show {
        /// Its name
        name: String,
    },
    /// Replace the lines of a map by those of a file; `-` is standard input
    Set {
        /// Its name
        name: String,
        /// The file
        file: PathBuf,
    },
    /// Make a map
    Add(Add),
    /// Change what a map scores
    Score {
        /// Its name
        name: String,
        /// By how much it makes a message worse
        #[arg(allow_negative_numbers = true)]
        score: f32,
    },
    /// Switch a map on
    Enable {
        /// Its name
        name: String,
    },
    /// Switch a map off
    Disable {
        /// Its name
        name: String,
    },
    /// Remove a map; a built-in one has its first lines again
    Remove {
        /// Its name
        name: String,
    },
    /// Take over map files of mailcow, as they lie in its folder
    Import {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Which of the latest stored messages a map would apply to
    Try {
        /// Its name
        name: String,
        /// With the lines of this file instead of its own
        #[arg(long)]
        file: Option<PathBuf>,
        /// How many of the latest messages
        #[arg(long, default_value_t = 1_000)]
        messages: u32,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What it is called, such as bad_invoices.map
    name: String,
    /// Its lines; `-` is standard input
    file: PathBuf,
    /// What its lines are: pattern, address, domain, network, word or asn
    #[arg(long, default_value = "pattern")]
    kind: String,
    /// The symbol of its rule, such as BAD_INVOICES
    #[arg(long)]
    symbol: String,
    /// What it is compared with: a scope, see `muskox rules vocabulary`
    #[arg(long, default_value = "body")]
    scope: String,
    /// By how much it makes a message worse
    #[arg(long, allow_negative_numbers = true)]
    score: f32,
    /// What happens when a line applies: score, score_unkept, accept, reject, no_log
    #[arg(long, default_value = "score")]
    effect: String,
    /// What it is for
    #[arg(long, default_value = "")]
    description: String,
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let ask = |request| asker.ask(&Request::Map(request));
    let change = |name: &str, score, active| {
        let request = MapRequest::Change {
            name: name.to_owned(),
            score,
            active,
        };
        ask(request).map(|data| live(output, name, &data))
    };
    match verb {
        Verb::List => list(output, &ask(MapRequest::List)?),
        Verb::Show { name } => {
            let data = ask(MapRequest::Show { name: name.clone() })?;
            output.data("muskox.map.show/1", &data, |output, data| {
                let text = data.get("text").and_then(Value::as_str);
                output.bytes(text.unwrap_or_default().as_bytes());
            });
        }
        Verb::Set { name, file } => {
            let data = ask(MapRequest::Set {
                name: name.clone(),
                text: files::read_text(file)?,
            })?;
            live(output, name, &data);
        }
        Verb::Add(add) => {
            let data = ask(MapRequest::Add(NewMap {
                name: add.name.clone(),
                kind: add.kind.clone(),
                symbol: add.symbol.clone(),
                scope: add.scope.clone(),
                score: add.score,
                effect: add.effect.clone(),
                description: add.description.clone(),
                text: files::read_text(&add.file)?,
            }))?;
            live(output, &add.name, &data);
        }
        Verb::Score { name, score } => change(name, Some(*score), None)?,
        Verb::Enable { name } => change(name, None, Some(true))?,
        Verb::Disable { name } => change(name, None, Some(false))?,
        Verb::Remove { name } => {
            let data = ask(MapRequest::Remove { name: name.clone() })?;
            live(output, name, &data);
        }
        Verb::Import { files } => {
            for file in files {
                let data = ask(MapRequest::Import {
                    file: file.display().to_string(),
                    content: STANDARD.encode(files::read(file)?),
                })?;
                live(output, &file.display().to_string(), &data);
            }
        }
        Verb::Try {
            name,
            file,
            messages,
        } => {
            let text = file.as_deref().map(files::read_text).transpose()?;
            let data = ask(MapRequest::Try {
                name: name.clone(),
                text,
                messages: *messages,
            })?;
            output.data("muskox.map.try/1", &data, tried);
        }
    }
    Ok(())
}

fn list(output: &Output, data: &Value) {
    output.data("muskox.map.list/1", data, |output, data| {
        let columns = [
            ("NAME", "name"),
            ("KIND", "kind"),
            ("SCOPE", "scope"),
            ("SYMBOL", "symbol"),
            ("SCORE", "score"),
            ("EFFECT", "effect"),
            ("LINES", "lines"),
            ("ACTIVE", "active"),
            ("EDITED", "edited"),
        ];
        output.table(data, &columns);
    });
}

fn tried(output: &Output, data: &Value) {
    let number = |key: &str| data.get(key).and_then(Value::as_u64).unwrap_or_default();
    output.line(format_args!(
        "{} of {} messages",
        number("matched"),
        number("messages")
    ));
    let columns = [
        ("MESSAGE", "message"),
        ("SENDER", "sender"),
        ("SUBJECT", "subject"),
        ("LINE", "line"),
    ];
    let matches = data.get("matches").unwrap_or(&Value::Null);
    if matches
        .as_array()
        .is_some_and(|matches| !matches.is_empty())
    {
        output.table(matches, &columns);
    }
    if let Some(more) = data.get("note").and_then(Value::as_str) {
        output.note(printable(more));
    }
}
