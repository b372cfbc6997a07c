//! The spam filter: how well it tells spam from ham.
//!
//! [`accuracy`] judges a sorted corpus in this process.

#![expect(clippy::disallowed_methods, reason = "writes the result to a file")]

mod accuracy;
mod alone;
mod corpus;
mod roc;

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::error::{Context as _, Result};

/// Of so many messages `--quick` takes one.
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
    /// Write the result to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How well spam is told from ham, instead of how fast
    #[arg(long)]
    accuracy: bool,
}

/// `benches filter`.
pub(crate) fn run(options: Options) -> Result<()> {
    let messages = corpus::read(&options.corpus, if options.quick { QUICK_STEP } else { 1 })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime")?;
    let accuracy = runtime.block_on(accuracy::measure(&messages))?;
    accuracy.print()?;
    write_json(&options, &accuracy)
}

fn write_json(options: &Options, result: &impl Serialize) -> Result<()> {
    let Some(path) = &options.json else {
        return Ok(());
    };
    let text = serde_json::to_vec(result).map_err(io::Error::from);
    let written = text.and_then(|text| fs::write(path, text));
    written.context(path.display().to_string())
}
