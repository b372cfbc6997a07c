//! `muskox filter …`: judging mail that lies in files, and the block lists.

use std::path::PathBuf;

use ambient::{SystemClock, SystemRandom, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use filter::{Filter, Input, Record};
use parsebox::Parsebox;
use policy::NewRuleSet;
use serde_json::{Value, json};
use std::sync::Arc;
use store::{Db, StoreOptions};

use super::output::{Progress, printable};
use super::{Asker, Failed, Output, files, message, runtime};
use crate::config::Config;
use crate::control::{FilterRequest, Request};
use crate::server::filtering::{Filtering, Surroundings};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Judge messages in files, by the built-in rules or those of the running server
    Scan(Scan),
    /// The block lists, and which of them the running server asks
    Lists,
}

#[derive(Debug, Args)]
pub(super) struct Scan {
    /// Files of one message each, directories of such files, `-` for standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Ask the running server: its rules, its maps, what it has learned
    #[arg(long)]
    live: bool,
    /// As the recipient of this address sees it; with --live
    #[arg(long, requires = "live")]
    recipient: Option<String>,
    /// Add the rules of this file; may be given several times
    #[arg(long, conflicts_with = "live")]
    rules: Vec<PathBuf>,
    /// Keep compiled patterns in this directory for the next time
    #[arg(long, conflicts_with = "live")]
    cache: Option<PathBuf>,
    /// One line of JSON for each message
    #[arg(long)]
    lines: bool,
    /// Say everything that was noticed
    #[arg(long)]
    why: bool,
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Scan(options) if options.live => live(options, asker, output),
        Verb::Scan(options) => alone(options, output),
        Verb::Lists => {
            let data = asker.ask(&Request::Filter(FilterRequest::Lists))?;
            output.data("muskox.filter.lists/1", &data, |output, data| {
                let columns = [
                    ("NAME", "name"),
                    ("ZONE", "zone"),
                    ("ASKED", "asked"),
                    ("NOTE", "note"),
                ];
                output.table(data, &columns);
            });
            Ok(())
        }
    }
}

/// What is said of the messages.
struct Report<'a> {
    options: &'a Scan,
    output: &'a Output,
    progress: Progress,
    records: Vec<Value>,
    spam: usize,
    count: usize,
}

impl<'a> Report<'a> {
    fn new(options: &'a Scan, output: &'a Output, files: usize) -> Self {
        let progress = output.progress("messages");
        progress.expect(files);
        Self {
            options,
            output,
            progress,
            records: Vec::new(),
            spam: 0,
            count: 0,
        }
    }

    fn add(&mut self, file: &str, mut record: Value) {
        self.count += 1;
        let action = record.get("action").and_then(Value::as_str).unwrap_or("");
        self.spam += usize::from(!matches!(action, "accept" | "greylist"));
        if let Some(object) = record.as_object_mut() {
            object.insert("file".into(), file.into());
            object.remove("id");
        }
        if self.options.lines {
            self.progress.above(|| self.output.line(&record));
        } else if self.output.is_json() {
            self.records.push(record);
        } else {
            self.progress.above(|| self.people(file, &record));
        }
        self.progress.step();
    }

    fn people(&self, file: &str, record: &Value) {
        if self.options.why {
            self.output
                .line(format_args!("{:<11} {}", "file", printable(file)));
            message::show(self.output, record);
            return;
        }
        let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or("");
        let score = record.get("score").and_then(Value::as_f64).unwrap_or(0.0);
        let signals = record.get("signals").and_then(Value::as_array);
        let mut weighty: Vec<(&str, f64)> = signals
            .into_iter()
            .flatten()
            .filter_map(|signal| {
                let score = signal.get("score")?.as_f64()?;
                let symbol = signal.get("symbol")?.as_str()?;
                (score != 0.0).then_some((symbol, score))
            })
            .collect();
        weighty.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
        let symbols: Vec<String> = weighty
            .iter()
            .take(6)
            .map(|(symbol, score)| format!("{symbol} {score:+.1}"))
            .collect();
        self.output.line(format_args!(
            "{score:7.2}  {:<10}  {}  {}",
            text("action"),
            printable(file),
            printable(&symbols.join(", ")),
        ));
    }

    fn finish(self) {
        self.progress.end();
        let (spam, count) = (self.spam, self.count);
        if self.options.lines {
            return;
        }
        let data = json!({ "messages": self.records, "count": count, "spam": spam });
        self.output
            .data("muskox.filter.scan/1", &data, |output, _| {
                if count > 1 {
                    output.line(format_args!("{spam} of {count} messages are spam"));
                }
            });
    }
}

fn live(options: &Scan, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let paths = files::list(&options.paths)?;
    let mut connection = asker.connect()?;
    let mut report = Report::new(options, output, paths.len());
    for path in &paths {
        let request = FilterRequest::Judge {
            message: STANDARD.encode(files::read(path)?),
            recipient: options.recipient.clone(),
        };
        let record = connection.ask(&Request::Filter(request))?;
        report.add(&path.display().to_string(), record);
    }
    report.finish();
    Ok(())
}

/// Judges without a server: a filter on a database of its own that is thrown away.
fn alone(options: &Scan, output: &Output) -> Result<(), Failed> {
    let paths = files::list(&options.paths)?;
    let directory = tempfile::TempDir::with_prefix("muskox-scan-")?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let (db, filter) = temporary(options, directory.path().to_owned()).await?;
        let mut report = Report::new(options, output, paths.len());
        for path in &paths {
            let input = Input::stored(files::read(path)?.into());
            let judged = filter.judge(&input).await;
            let record = Record::new("", Timestamp(0), &input, &judged.verdict);
            report.add(&path.display().to_string(), json!(record));
        }
        report.finish();
        db.close().await;
        Ok(())
    })
}

async fn temporary(options: &Scan, directory: PathBuf) -> Result<(Db, Filter), Failed> {
    let clock = Arc::new(SystemClock);
    let random = Arc::new(SystemRandom::new());
    let store = StoreOptions::new(&directory, clock.clone(), random);
    let db = tokio::task::spawn_blocking(move || Db::open(store))
        .await
        .map_err(std::io::Error::other)?
        .map_err(|error| Failed::Negative(error.to_string()))?;
    let name =
        smtp::Domain::parse("localhost").map_err(|error| Failed::Negative(error.to_string()))?;
    let config = Config::new(name);
    let surroundings = Surroundings {
        db: db.clone(),
        clock,
        resolver: None,
        // The operator's own process, which ends with its command.
        parsers: Parsebox::in_process(),
        cache: options.cache.clone(),
    };
    let filtering = Filtering::open(&config, surroundings).await?;
    for (position, file) in (0..).zip(&options.rules) {
        let new = NewRuleSet {
            name: file.display().to_string(),
            toml: files::read_text(file)?,
            position,
            enabled: true,
            source: String::new(),
        };
        filtering
            .policy
            .put_rule_set(new)
            .await
            .map_err(|error| Failed::Negative(format!("{}: {error}", file.display())))?;
    }
    filtering
        .filter
        .refresh()
        .await
        .map_err(|error| Failed::Negative(error.to_string()))?;
    Ok((db, filtering.filter))
}
