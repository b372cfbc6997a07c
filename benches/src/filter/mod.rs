//! The spam filter beside Rspamd and SpamAssassin, and how well it tells spam from ham.
//!
//! [`speed`] drives the servers with the same messages; [`accuracy`] judges a sorted corpus in this
//! process. What the figures mean is in the README; start at [`speed::Contest`].

#![expect(clippy::disallowed_methods, reason = "writes the result to a file")]

mod accuracy;
mod alone;
mod client;
mod corpus;
mod maps;
mod roc;
mod servers;
mod speed;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use corpus::{Folds, Message};
use speed::{Contest, Plan};

use crate::error::{Context as _, Result};
use crate::packages::{self, FILTERS};
use crate::stage::Stage;

/// Of so many messages `--accuracy --quick` takes one.
const QUICK_STEP: usize = 5;

/// What to measure with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Sorted mail: a directory with ham/ and spam/, one message a file, or a packed one
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// Less of everything
    #[arg(long)]
    quick: bool,
    /// Write the result to this file as well, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How well spam is told from ham, instead of how fast
    #[arg(long)]
    accuracy: bool,
    /// With --accuracy: parts of the corpus; each is judged by a filter taught all others
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    folds: u16,
    /// With --accuracy: how messages are shuffled before they are dealt out to the folds
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The server's binary [default: muskox beside this program]
    #[arg(long, value_name = "FILE")]
    muskox: Option<PathBuf>,
    /// Where the run's temporary directory is made; must be on a disk
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    directory: PathBuf,
}

/// `benches filter`.
pub(crate) fn run(options: Options) -> Result<()> {
    if options.accuracy {
        let step = if options.quick { QUICK_STEP } else { 1 };
        return judge(&options, &corpus::read(&options.corpus, step)?);
    }
    let messages = corpus::read(&options.corpus, 1)?;
    let binary = crate::muskox(options.muskox.as_deref())?;
    packages::ensure_root()?;
    packages::ensure(FILTERS)?;
    let directory = options.directory.clone();
    crate::staged(&directory, move |stage| {
        compare(&options, stage, &binary, &messages)
    })
}

fn judge(options: &Options, messages: &[Message]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime")?;
    let folds = Folds::deal(messages, options.folds.into(), options.seed);
    let accuracy = runtime.block_on(accuracy::measure(messages, &folds))?;
    accuracy.print()?;
    let text = serde_json::to_vec(&accuracy).map_err(io::Error::from);
    keep(options, &text.context("the result")?)
}

fn compare(options: &Options, stage: &Stage, binary: &Path, messages: &[Message]) -> Result<()> {
    let plan = if options.quick {
        Plan::QUICK
    } else {
        Plan::FULL
    };
    let mut contest = Contest::new(stage, binary, messages, plan)?;
    let result = contest.run();
    // What was measured before something failed is right all the same.
    let report = contest.report();
    report.table("peer")?;
    let mut lines = Vec::new();
    report.write_json(&mut lines)?;
    keep(options, &lines)?;
    result
}

fn keep(options: &Options, text: &[u8]) -> Result<()> {
    match &options.json {
        Some(path) => fs::write(path, text).context(path.display().to_string()),
        None => Ok(()),
    }
}
