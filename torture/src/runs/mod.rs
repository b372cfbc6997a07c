//! The runs.

mod diskfull;
mod fsync;
mod ioerror;
mod kill;
mod portability;
mod powercut;
mod restart;

use std::time::Duration;

use crate::context::{Context, Result};
use crate::figure::Figures;

/// One way to hurt a server.
#[derive(Debug)]
pub(crate) struct Run {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The rows of the table of promises that it proves.
    pub(crate) row: &'static str,
    /// What is promised.
    pub(crate) promise: &'static str,
    /// Does it.
    pub(crate) run: fn(&Context) -> Result<Figures>,
    /// Whether `torture all` does it: not when it needs another machine's build.
    pub(crate) in_all: bool,
    /// How long it may take.
    pub(crate) quick_limit: Duration,
    /// The same with `--full`.
    pub(crate) full_limit: Duration,
}

/// All of them, in the order of the table.
pub(crate) const ALL: &[Run] = &[
    Run::new("kill", "R-01", "kill -9 loses nothing", kill::run),
    Run::new(
        "powercut",
        "R-02",
        "a power cut loses nothing",
        powercut::run,
    ),
    Run::new("fsync", "R-03", "250 only after the flush", fsync::run),
    Run::new(
        "ioerror",
        "R-04",
        "a failing disk never costs an acknowledged message",
        ioerror::run,
    ),
    Run::new(
        "diskfull",
        "R-05",
        "a full disk defers mail and loses none",
        diskfull::run,
    ),
    Run::new(
        "restart",
        "R-35",
        "a restart under load loses nothing and is short",
        restart::run,
    ),
    Run {
        in_all: false,
        quick_limit: Duration::from_secs(1_800),
        ..Run::new(
            "portability",
            "R-18",
            "the same data and the same answers on x86-64 and ARM64",
            portability::run,
        )
    },
];

/// The run of this name.
pub(crate) fn find(name: &str) -> Option<&'static Run> {
    ALL.iter().find(|run| run.name == name)
}
