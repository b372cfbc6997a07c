//! `muskox patterns …`: compile rules into a database file, look into it, try it on files.
//!
//! These commands work on files alone and need neither a running server nor a configuration.
//!
//! | file | what |
//! |---|---|
//! | `patterns/compile.rs` | `compile`: tables of rules in, a database file out |
//! | `patterns/show.rs` | `inspect`, `explain`, `verify` |
//! | `patterns/scan.rs` | `scan`: which rules match which files |

mod compile;
mod scan;
mod show;

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use patterns::{Database, LoadError, Scope};

use super::output::printable;
use super::{Failed, Output};
use crate::config::nearest;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Compile tables of rules into a database file
    Compile(compile::Options),
    /// What is in a database file
    Inspect {
        /// The database file
        file: PathBuf,
    },
    /// Which rules match which files
    Scan(scan::Options),
    /// How a rule is looked for, and what it is expected to cost
    Explain(show::ExplainOptions),
    /// Check every byte of a database file
    Verify {
        /// The database file
        file: PathBuf,
    },
}

pub(super) fn run(verb: &Verb, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Compile(options) => compile::run(options, output),
        Verb::Inspect { file } => show::inspect(file, output),
        Verb::Scan(options) => scan::run(options, output),
        Verb::Explain(options) => show::explain(options, output),
        Verb::Verify { file } => show::verify(file, output),
    }
}

/// Opens a database file that a command cannot do without.
fn open(file: &Path) -> Result<Database, Failed> {
    Database::open(file).map_err(|error| match error {
        LoadError::Io(error) => Failed::Io(about(file, &error)),
        damage => Failed::Negative(format!(
            "{}: {damage}; compile it again with `muskox patterns compile`",
            file.display()
        )),
    })
}

/// A scope of the database by name.
fn scope<'a>(database: &'a Database, file: &Path, name: &str) -> Result<Scope<'a>, Failed> {
    database.scope(name).ok_or_else(|| {
        let names: Vec<&str> = database.scopes().map(|scope| scope.name()).collect();
        Failed::NotFound(format!(
            "{} has no scope `{name}`; it has {}",
            file.display(),
            names.join(", ")
        ))
    })
}

/// A rule's name, or its number when it has none.
fn name_of(name: &str, id: u32) -> String {
    if name.is_empty() {
        format!("#{id}")
    } else {
        printable(name)
    }
}

/// A path as people read it, whatever bytes it has.
fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// An I/O error that says which file it is about.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", shown(path)))
}

/// `; did you mean …?` when something has nearly the name.
fn suggestion<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(unknown, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
