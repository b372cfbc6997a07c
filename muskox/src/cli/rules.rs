//! `muskox rules …`: the rule sets of the filter.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rules::RuleSet;
use rules::spamassassin::{self, Outcome, Report, Tally};
use serde_json::{Value, json};

use super::output::{printable, size};
use super::{Asker, Failed, Output, files};
use crate::control::{Request, RulesRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// What is in force: revision, patterns, where they came from, how long it took
    Status,
    /// The rule sets beside the built-in ones
    List,
    /// Check a rule file without storing it
    Check {
        /// The TOML file
        file: PathBuf,
    },
    /// Store a rule file and put it in force
    Add(Add),
    /// The text of a rule set
    Show {
        /// Its name
        name: String,
    },
    /// Switch a rule set on
    Enable {
        /// Its name
        name: String,
    },
    /// Switch a rule set off
    Disable {
        /// Its name
        name: String,
    },
    /// Remove a rule set
    Remove {
        /// Its name
        name: String,
    },
    /// Take over rules of another filter
    #[command(subcommand)]
    Import(Import),
    /// Everything that rules may ask about, as a table
    Vocabulary,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The TOML file
    file: PathBuf,
    /// Its name here [default: the name in the file, or else the file's]
    #[arg(long)]
    name: Option<String>,
    /// Where it stands among the rule sets: later ones override earlier ones
    #[arg(long, default_value_t = 100)]
    position: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// The .cf files of SpamAssassin
    Spamassassin(Spamassassin),
}

#[derive(Debug, Args)]
pub(super) struct Spamassassin {
    /// Directories of .cf and .pre files, or such files, in the order in which they count
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only report what would be taken
    #[arg(long)]
    dry_run: bool,
    /// Write the rule set to a file instead of storing it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say of every line that is not taken why
    #[arg(long)]
    all: bool,
    /// The name of the rule set
    #[arg(long, default_value = "spamassassin")]
    name: String,
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let ask = |request| asker.ask(&Request::Rules(request));
    match verb {
        Verb::Status => {
            let data = ask(RulesRequest::Status)?;
            output.data("muskox.rules.status/1", &data, status);
        }
        Verb::List => {
            let data = ask(RulesRequest::List)?;
            output.data("muskox.rules.list/1", &data, |output, data| {
                let columns = [
                    ("NAME", "name"),
                    ("POSITION", "position"),
                    ("ENABLED", "enabled"),
                    ("SIZE", "size"),
                    ("SOURCE", "source"),
                    ("UPDATED", "updated"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Check { file } => {
            let set = parse(file)?;
            output.note(format_args!("{} rules, all good", set.rules.len()));
        }
        Verb::Add(add) => {
            let set = parse(&add.file)?;
            let name = add.name.clone().unwrap_or_else(|| match set.name.as_str() {
                "" => stem(&add.file),
                name => name.to_owned(),
            });
            let data = ask(RulesRequest::Put {
                name: name.clone(),
                toml: files::read_text(&add.file)?,
                position: add.position,
                source: add.file.display().to_string(),
            })?;
            live(output, &format!("rule set {name}"), &data);
        }
        Verb::Show { name } => {
            let data = ask(RulesRequest::Show { name: name.clone() })?;
            output.data("muskox.rules.show/1", &data, |output, data| {
                let text = data.get("toml").and_then(Value::as_str).unwrap_or_default();
                output.bytes(text.as_bytes());
            });
        }
        Verb::Enable { name } | Verb::Disable { name } => {
            let enabled = matches!(verb, Verb::Enable { .. });
            let data = ask(RulesRequest::Enable {
                name: name.clone(),
                enabled,
            })?;
            live(output, &format!("rule set {name}"), &data);
        }
        Verb::Remove { name } => {
            let data = ask(RulesRequest::Remove { name: name.clone() })?;
            live(output, "the remaining rules", &data);
        }
        Verb::Import(Import::Spamassassin(options)) => import(options, asker, output)?,
        Verb::Vocabulary => output.line(rules::vocabulary_table()),
    }
    Ok(())
}

/// Says which revision is live.
pub(super) fn live(output: &Output, what: &str, data: &Value) {
    if output.is_json() {
        output.data("muskox.live/1", data, |_, _| {});
        return;
    }
    let revision = data
        .get("revision")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let milliseconds = data.get("milliseconds").and_then(Value::as_f64);
    let took = milliseconds.map_or_else(String::new, |ms| format!(" after {ms:.1} ms"));
    output.note(format_args!("{what}: live in revision {revision}{took}"));
}

fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(
        || "rules".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

fn parse(file: &Path) -> Result<RuleSet, Failed> {
    let text = files::read_text(file)?;
    RuleSet::parse(&text).map_err(|error| Failed::Negative(format!("{}: {error}", file.display())))
}

fn status(output: &Output, data: &Value) {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    if let Some(revision) = data.get("revision") {
        output.line(format_args!("revision {revision}"));
    }
    for layer in data
        .get("layers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let value = |key: &str| layer.get(key).map(text).unwrap_or_default();
        let bytes = layer
            .get("bytes")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        output.line(format_args!(
            "{:<6} {} in {} ms: {} rules, {} patterns ({} compiled, {} taken over), {}, {}",
            value("layer"),
            value("origin"),
            value("milliseconds"),
            value("rules"),
            value("patterns"),
            value("compiled"),
            value("reused"),
            size(bytes),
            value("digest").get(..16).unwrap_or_default(),
        ));
        for key in ["refused", "troubles"] {
            for line in layer
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                output.line(format_args!("       {key}: {}", printable(&text(line))));
            }
        }
    }
    let unresolved = data.get("unresolved").and_then(Value::as_array);
    if let Some(names) = unresolved.filter(|names| !names.is_empty()) {
        output.line(format_args!(
            "{} symbols that rules ask for and nobody gives",
            names.len()
        ));
    }
}

fn import(options: &Spamassassin, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let files: Vec<(String, Vec<u8>)> = sources(&options.paths)?
        .into_iter()
        .map(|path| Ok((path.display().to_string(), files::read(&path)?)))
        .collect::<Result<_, Failed>>()?;
    let borrowed: Vec<(String, &[u8])> = files
        .iter()
        .map(|(name, content)| (name.clone(), content.as_slice()))
        .collect();
    let mut imported = spamassassin::import(&borrowed);
    imported.set.name.clone_from(&options.name);
    report(&imported.report, options.all, output);
    if options.dry_run {
        return Ok(());
    }
    let toml = imported.set.to_toml();
    if let Some(file) = &options.output {
        return files::write(file, toml.as_bytes());
    }
    let data = asker.ask(&Request::Rules(RulesRequest::Put {
        name: options.name.clone(),
        toml,
        position: 50,
        source: options
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    }))?;
    live(output, &format!("rule set {}", options.name), &data);
    Ok(())
}

/// What became of the lines: counts by file and by kind, and what was refused, with the place.
fn report(report: &Report, all: bool, output: &Output) {
    let wanted = |outcome: Outcome| all || outcome == Outcome::Refused;
    let notes: Vec<Value> = report
        .files
        .iter()
        .flat_map(|file| file.notes.iter().map(move |note| (&file.name, note)))
        .filter(|(_, note)| wanted(note.outcome))
        .map(|(file, note)| {
            json!({
                "file": file,
                "line": note.line,
                "directive": note.directive,
                "symbol": note.symbol,
                "outcome": format!("{:?}", note.outcome).to_lowercase(),
                "reason": note.reason,
            })
        })
        .collect();
    let counts = |name: &str, tally: &Tally| {
        json!({
            "name": name,
            "rules": tally.taken,
            "understood": tally.translated,
            "refused": tally.refused,
        })
    };
    let files = report.files.iter().filter(|file| file.tally.taken > 0);
    let data = json!({
        "kinds": report.kinds.iter().map(|(kind, tally)| counts(kind.name(), tally)).collect::<Vec<_>>(),
        "files": files.map(|file| counts(&file.name, &file.tally)).collect::<Vec<_>>(),
        "notes": notes,
    });
    output.data("muskox.rules.import/1", &data, |output, data| {
        let columns = |first| {
            [
                (first, "name"),
                ("RULES", "rules"),
                ("UNDERSTOOD", "understood"),
                ("REFUSED", "refused"),
            ]
        };
        output.table(data.get("files").unwrap_or(&Value::Null), &columns("FILE"));
        output.line("");
        for note in &notes {
            let text = |key: &str| note.get(key).and_then(Value::as_str).unwrap_or_default();
            output.line(format_args!(
                "{}:{}: {} {} ({}): {}",
                printable(text("file")),
                note.get("line").unwrap_or(&Value::Null),
                printable(text("directive")),
                printable(text("symbol")),
                text("outcome"),
                printable(text("reason")),
            ));
        }
        if !notes.is_empty() {
            output.line("");
        }
        output.line(report.to_string().trim_end());
    });
}

/// The files of SpamAssassin's directories as it reads them: .pre first, then .cf, by name.
fn sources(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failed> {
    let mut sources = Vec::new();
    for path in paths {
        if !path.is_dir() {
            sources.push(path.clone());
            continue;
        }
        let all = files::list(std::slice::from_ref(path))?;
        for wanted in ["pre", "cf"] {
            let found = all
                .iter()
                .filter(|file| file.extension().is_some_and(|found| found == wanted));
            sources.extend(found.cloned());
        }
    }
    if sources.is_empty() {
        return Err(Failed::NotFound("no .cf or .pre files there".to_owned()));
    }
    Ok(sources)
}
