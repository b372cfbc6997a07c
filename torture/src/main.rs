//! What the server promises, proven by anybody with one command: `torture NAME`, `torture all`.
//!
//! A run starts the real binary in a directory of its own on loopback, does something bad to it, and
//! counts what is left of the promise. Its figures are printed, and written as lines of JSON with
//! `--json`; a figure beyond its target makes the run red, and so does a run that checked nothing.
//! `torture report` makes docs/RELIABILITY.md of such lines.
//!
//! | module | what |
//! |---|---|
//! | `runs` | the list of runs, and each in a file of its own |
//! | `context` | what a run gets: the binary, how thorough to be, a directory |
//! | `figure` | what a run says |
//! | `suite` | runs one after another, each a process group with a time limit |
//! | `report` | the page |
//! | `crowd` | many clients at once, and what a process uses |
//! | `disk` | file systems in a file, for power cuts and full disks |
//! | `fill` | mailboxes made fast |
//! | `ledger` | load, and what was acknowledged of it |
//! | `messages` | mail of every shape, the same on every machine |
//! | `netns` | clients that come from another address |
//! | `operator` | what an administrator does to a site |
//! | `outbound` | mail for a host elsewhere, and what came there of it |
//! | `peer` | Postfix and Dovecot, for comparison |
//! | `sink` | a host that takes mail, and what came there |
//! | `traffic` | what people and other servers do all day |
//! | `trend` | what a process uses over time |

mod context;
mod crowd;
mod disk;
mod figure;
mod fill;
mod ledger;
mod messages;
mod netns;
mod operator;
mod outbound;
mod peer;
mod report;
mod runs;
mod sink;
mod suite;
mod traffic;
mod trend;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::Context;

/// Proves what Muskox promises. Everything happens on loopback, below a temporary directory.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    what: What,
}

/// Options of every run.
#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// Minutes instead of seconds: the figures that the targets are meant for
    #[arg(long, global = true, conflicts_with = "quick")]
    full: bool,
    /// Seconds: what CI does, and the default
    #[arg(long, global = true)]
    quick: bool,
    /// Append the figures to this file, a line of JSON each
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server's binary [default: target/release/muskox, built first]
    #[arg(long, global = true, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The same for ARM64 [default: target/arm64/…/emulated/muskox, built first by .ci/arm64]
    #[arg(long, global = true, value_name = "FILE")]
    arm64: Option<PathBuf>,
    /// More messages, a file each, for runs that compare machines
    #[arg(long, global = true, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// How long `fuzz` (all targets together) and `soak` run [default: 1 and half of one, or 60 with
    /// --full]
    #[arg(long, global = true, value_name = "N")]
    minutes: Option<u64>,
    /// Where a run may write [default: a new directory below the system's temporary one]
    #[arg(long, global = true, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// What follows the name of a run.
#[derive(Debug, Parser)]
struct After {
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All runs that need nothing special, or those named
    All {
        /// Names of runs
        names: Vec<String>,
    },
    /// The runs and their promises
    List,
    /// Writes the page of figures that `--json` has collected
    Report {
        /// Files of lines of JSON
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The page
        #[arg(long, default_value = "docs/RELIABILITY.md")]
        page: PathBuf,
    },
    /// In a process of its own, of the run `sandbox`: what an attacker would try
    #[command(hide = true)]
    Attempts {
        /// The server's configuration; in place of a parse worker without
        file: Option<PathBuf>,
    },
    /// As in the server, whose place `attempts` takes
    #[command(name = parsebox::KEEPER, hide = true)]
    ParseKeeper,
    /// One run
    #[command(external_subcommand)]
    One(Vec<String>),
}

fn main() -> ExitCode {
    // What went wrong is said in one line; a backtrace of the harness helps nobody.
    std::panic::set_hook(Box::new(|_| {}));
    let Arguments { options, what } = Arguments::parse();
    match what {
        What::List => {
            for run in runs::ALL {
                println!("{:<12} {:<12} {}", run.name, run.row, run.promise);
            }
            ExitCode::SUCCESS
        }
        What::Report { files, page } => ended(report::write(&files, &page)),
        What::Attempts { file } => ended(runs::attempt(file.as_deref())),
        What::ParseKeeper => parsebox::keep(),
        What::All { names } => suite::all(&options, &names),
        What::One(words) => {
            let Some(run) = words.first().and_then(|name| runs::find(name)) else {
                eprintln!("torture: there is no such run; `torture list` shows them");
                return ExitCode::from(2);
            };
            // Options may stand on either side of the name.
            let options = match words.as_slice() {
                [_] => options,
                words => After::parse_from(words).options,
            };
            suite::one(run, &Context::new(options))
        }
    }
}

fn ended<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::FAILURE
        }
    }
}
