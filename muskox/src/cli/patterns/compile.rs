//! `muskox patterns compile`.
#![expect(
    clippy::disallowed_methods,
    reason = "a command that runs alone and reads the tables it is given"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use patterns::{Compiled, Compiler, Database, LoadError, PatternSet};
use serde_json::{Value, json};

use super::super::output::size;
use super::super::{Failed, Output};
use super::{about, shown};

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Tables: lines of NAME, SCOPE, FLAGS, EXPRESSION with tabs between them; `#` begins a comment
    #[arg(required = true, value_name = "RULES.tsv")]
    rules: Vec<PathBuf>,
    /// Where the database goes; replaced in one step
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// A database whose rules are reused where they have not changed [default: the one to replace]
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Write nothing and fail when a rule is refused
    #[arg(long)]
    strict: bool,
}

/// The tables as one, and where its lines come from.
struct Rules {
    text: Vec<u8>,
    /// The number of the first line of each file in `text`, counted from 0.
    files: Vec<(usize, PathBuf)>,
}

pub(super) fn run(options: &Options, output: &Output) -> Result<(), Failed> {
    let previous = previous(options, output)?;
    let rules = Rules::read(&options.rules)?;
    let (set, names) = PatternSet::read_tsv(&rules.text).map_err(|error| {
        let (path, line) = rules.place(error.line.saturating_sub(1));
        Failed::Negative(format!("{}:{line}: {}", shown(path), error.reason))
    })?;
    let started = Instant::now();
    let mut compiled = {
        let _progress = output.activity(format!("compiling {} rules", set.len()));
        Compiler::new().compile(&set, previous.as_ref())
    };
    let seconds = started.elapsed().as_secs_f64();
    let refused = compiled.refused.len();
    // The compiler counts those it refused.
    compiled.compiled = compiled.compiled.saturating_sub(refused);
    let written = !(options.strict && refused > 0);
    if written {
        compiled
            .database
            .save(&options.output)
            .map_err(|error| about(&options.output, &error))?;
    }
    let data = report(
        &compiled,
        &rules,
        &names,
        written.then_some(&*options.output),
    );
    output.data("muskox.patterns.compile/1", &data, |output, data| {
        people(output, data, seconds);
    });
    if written {
        Ok(())
    } else {
        Err(Failed::Negative(format!(
            "{refused} rules are refused; nothing is written"
        )))
    }
}

/// The database to take unchanged rules from. One that was named but is of no use is told; a file in
/// the place of the output that is something else is not overwritten.
fn previous(options: &Options, output: &Output) -> Result<Option<Database>, Failed> {
    let replaced = match Database::open(&options.output) {
        Ok(database) => Some(database),
        Err(LoadError::NotADatabase) if !is_empty(&options.output) => {
            return Err(Failed::Usage(format!(
                "{} is not a pattern database; it is not overwritten",
                shown(&options.output)
            )));
        }
        // Missing, or damaged: replaced in any case.
        Err(_) => None,
    };
    let Some(path) = &options.previous else {
        return Ok(replaced);
    };
    match Database::open(path) {
        Ok(database) => Ok(Some(database)),
        Err(error) => {
            output.note(format_args!(
                "{}: {error}; every rule is compiled",
                shown(path)
            ));
            Ok(None)
        }
    }
}

/// Whether it is an empty file, as `mktemp` makes.
fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

impl Rules {
    fn read(paths: &[PathBuf]) -> Result<Self, Failed> {
        let mut rules = Self {
            text: Vec::new(),
            files: Vec::new(),
        };
        let mut lines = 0;
        for path in paths {
            let table = std::fs::read(path).map_err(|error| about(path, &error))?;
            rules.files.push((lines, path.clone()));
            rules.text.extend_from_slice(&table);
            if !table.ends_with(b"\n") {
                rules.text.push(b'\n');
            }
            lines = rules.text.iter().filter(|&&byte| byte == b'\n').count();
        }
        Ok(rules)
    }

    /// The file of a line and the line's number in it, counted from 1.
    fn place(&self, line: usize) -> (&Path, usize) {
        self.files
            .iter()
            .rev()
            .find(|(first, _)| *first <= line)
            .map_or((Path::new(""), line + 1), |(first, path)| {
                (path, line - first + 1)
            })
    }

    /// The lines that hold rules; the index of one is its rule's id.
    fn lines(&self) -> Vec<usize> {
        self.text
            .split(|&byte| byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
            .map(|(number, _)| number)
            .collect()
    }
}

fn report(compiled: &Compiled, rules: &Rules, names: &[String], written: Option<&Path>) -> Value {
    let database = &compiled.database;
    let mut refused_in = BTreeMap::<&str, usize>::new();
    for refused in &compiled.refused {
        *refused_in.entry(&refused.scope).or_default() += 1;
    }
    let mut scopes: BTreeMap<&str, usize> = refused_in.keys().map(|scope| (*scope, 0)).collect();
    scopes.extend(database.scopes().map(|scope| (scope.name(), scope.len())));
    let scopes: Vec<Value> = scopes
        .into_iter()
        .map(|(scope, count)| {
            let refused = refused_in.get(scope).copied().unwrap_or_default();
            json!({ "scope": scope, "rules": count, "refused": refused })
        })
        .collect();
    let lines = rules.lines();
    let refused: Vec<Value> = compiled
        .refused
        .iter()
        .map(|refused| {
            let id = usize::try_from(refused.id).unwrap_or(usize::MAX);
            let line = lines.get(id).copied().unwrap_or_default();
            let (path, line) = rules.place(line);
            json!({
                "name": names.get(id),
                "scope": refused.scope,
                "file": path.display().to_string(),
                "line": line,
                "place": format!("{}:{line}", path.display()),
                "reason": refused.reason.to_string(),
            })
        })
        .collect();
    json!({
        "file": written.map(|path| path.display().to_string()),
        "digest": database.digest().to_string(),
        "bytes": database.as_bytes().len(),
        "rules": database.len(),
        "compiled": compiled.compiled,
        "reused": compiled.reused,
        "scopes": scopes,
        "refused": refused,
    })
}

fn people(output: &Output, data: &Value, seconds: f64) {
    let part = |key| data.get(key).unwrap_or(&Value::Null);
    let number = |key| part(key).as_u64().unwrap_or_default();
    let columns = [
        ("SCOPE", "scope"),
        ("RULES", "rules"),
        ("REFUSED", "refused"),
    ];
    output.table(part("scopes"), &columns);
    if part("refused")
        .as_array()
        .is_some_and(|rows| !rows.is_empty())
    {
        output.line("");
        let columns = [
            ("REFUSED", "name"),
            ("SCOPE", "scope"),
            ("WHERE", "place"),
            ("REASON", "reason"),
        ];
        output.table(part("refused"), &columns);
    }
    output.line(format_args!(
        "\n{} rules, {}: {} compiled, {} reused, {seconds:.2} s",
        number("rules"),
        size(number("bytes")),
        number("compiled"),
        number("reused"),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_tables_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = [
            "# comment\nA\tbody\t\ta",
            "",
            "\nB\tbody\t\tb\nC\tbody\t\tc\n",
        ]
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let path = folder.path().join(at.to_string());
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
        let rules = Rules::read(&paths).unwrap();
        let (_, names) = PatternSet::read_tsv(&rules.text).unwrap();
        assert_eq!(names, ["A", "B", "C"]);
        let places: Vec<(&Path, usize)> = rules
            .lines()
            .into_iter()
            .map(|line| rules.place(line))
            .collect();
        assert_eq!(places, [(&*paths[0], 2), (&*paths[2], 2), (&*paths[2], 3)]);
    }
}
