//! Benchmarks of Muskox beside real peers, on the same machine in the same run.
//!
//! `benches mailflow` compares with Postfix and Dovecot, `benches imap` with Dovecot; the peers come
//! from Debian's packages and run on loopback with configurations of their own. `benches patterns`
//! compares the pattern engine with Hyperscan and Vectorscan. Exit codes: 0 all measured and all
//! checks passed, 1 something failed, a server lost or invented mail or an engine's answers were
//! wrong, 2 the machine lacks something. Start at [`measure`] for servers and at [`patterns`] for
//! engines; what the figures mean is in the README.

mod certificate;
mod client;
mod corpus;
mod error;
mod filter;
mod imap;
mod mailflow;
mod packages;
mod patterns;
mod process;
mod report;
mod resolver;
mod servers;
mod stage;
mod statistics;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use certificate::Certificate;
use error::{Context as _, Error, Result};
use report::progress;
use servers::{Format, Setting};
use stage::Stage;

/// Muskox beside real peers, measured in the same run.
#[derive(Debug, Parser)]
#[command(name = "benches")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// From SMTP to the mailbox, beside Postfix and Dovecot
    Mailflow(Options),
    /// A large mailbox over IMAP, beside Dovecot
    Imap(Options),
    /// The spam filter, beside Rspamd and SpamAssassin, or its accuracy
    Filter(filter::Options),
    /// The pattern engine on a spam filter's rules, beside Hyperscan and Vectorscan
    Patterns(patterns::Options),
    /// The same for lists of words, counted in instructions on x86-64 and ARM64
    PatternsInstructions(patterns::instructions::Options),
    /// One pattern database on every instruction set, with the same matches
    PatternsPortability(patterns::portability::Options),
}

/// What is measured with servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Servers {
    Mailflow,
    Imap,
}

#[derive(Debug, Clone, Args)]
struct Options {
    /// Less of everything: about two minutes
    #[arg(long)]
    quick: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// The server's binary [default: muskox beside this program]
    #[arg(long, value_name = "FILE")]
    muskox: Option<PathBuf>,
    /// Where the run's temporary directory is made; must be on a disk
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    directory: PathBuf,
    /// How Dovecot keeps mailboxes
    #[arg(long, value_enum, default_value = "maildir")]
    format: Format,
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("benches: {error}"));
            ExitCode::from(if matches!(error, Error::Missing(_)) {
                2
            } else {
                1
            })
        }
    }
}

fn dispatch(what: What) -> Result<()> {
    match what {
        What::Mailflow(options) => run(Servers::Mailflow, options),
        What::Imap(options) => run(Servers::Imap, options),
        What::Filter(options) => filter::run(options),
        What::Patterns(options) => patterns::run(&options),
        What::PatternsInstructions(options) => patterns::instructions::run(&options),
        What::PatternsPortability(options) => patterns::portability::run(&options),
    }
}

fn run(what: Servers, options: Options) -> Result<()> {
    let directory = options.directory.clone();
    staged(&directory, move |stage| measure(what, &options, stage))
}

/// Measures on a thread of its own, so that a signal still finds somebody to stop the servers.
fn staged(
    directory: &Path,
    measure: impl FnOnce(&Stage) -> Result<()> + Send + 'static,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let stage = Arc::new(Stage::new(directory)?);
    let (done, result) = tokio::sync::oneshot::channel();
    let measured = Arc::clone(&stage);
    std::thread::spawn(move || done.send(measure(&measured)));
    let result = runtime.context("the runtime")?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        tokio::select! {
            result = result => result.unwrap_or(Err(Error::Interrupted)),
            _ = interrupt.recv() => Err(Error::Interrupted),
            _ = terminate.recv() => Err(Error::Interrupted),
        }
    });
    stage.strike();
    result
}

fn measure(what: Servers, options: &Options, stage: &Stage) -> Result<()> {
    let muskox = muskox(options.muskox.as_deref())?;
    packages::ensure_root()?;
    let certificate = Certificate::new(stage)?;
    // Message-IDs of this run, unlike those of any other.
    let run = u64::from(std::process::id());
    let (format, certificate) = (options.format, &certificate);
    let setting = |accounts| Setting {
        stage,
        certificate,
        accounts,
        muskox: &muskox,
        format,
    };
    let (report, peer) = match what {
        Servers::Mailflow => {
            packages::ensure(packages::MAIL_FLOW)?;
            let servers = servers::mail_flow(&setting(&mailflow::accounts()))?;
            let plan = if options.quick {
                mailflow::Plan::QUICK
            } else {
                mailflow::Plan::FULL
            };
            (
                mailflow::run(&servers, certificate, plan, run)?,
                servers.peer.name,
            )
        }
        Servers::Imap => {
            packages::ensure(packages::MAILBOXES)?;
            let servers = servers::mailboxes(&setting(&[imap::ACCOUNT.to_owned()]))?;
            let plan = if options.quick {
                imap::Plan::QUICK
            } else {
                imap::Plan::FULL
            };
            (
                imap::run(&servers, certificate, plan, run)?,
                servers.peer.name,
            )
        }
    };
    if options.json {
        report.json()
    } else {
        report.table(peer)
    }
}

/// The binary under measurement.
fn muskox(named: Option<&Path>) -> Result<PathBuf> {
    let beside = || {
        std::env::current_exe()
            .ok()
            .map(|own| own.with_file_name("muskox"))
    };
    let path = named
        .map(Path::to_owned)
        .or_else(beside)
        .unwrap_or_default();
    if path.is_file() {
        return Ok(path);
    }
    let build = "build it with cargo build --release -p muskox, or name it with --muskox";
    Err(Error::Missing(format!(
        "no server at {}: {build}",
        path.display()
    )))
}
