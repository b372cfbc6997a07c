//! The runs.

mod bigmail;
mod clock;
mod corrupt;
mod dependencies;
mod diskfull;
mod dns;
mod fds;
mod fsync;
mod fuzz;
mod idle;
mod ioerror;
mod kill;
mod loops;
mod malformed;
mod memory;
mod models;
mod portability;
mod powercut;
mod powercut_peer;
mod queue;
mod relay;
mod restart;
mod sandbox;
mod slowloris;
mod soak;

use std::time::Duration;

pub(crate) use sandbox::attempt;

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
#[rustfmt::skip]
pub(crate) const ALL: &[Run] = &[
    Run::new("kill", "R-01", "kill -9 loses nothing", kill::run),
    Run::new("powercut", "R-02", "a power cut loses nothing", powercut::run),
    Run::new("fsync", "R-03", "250 only after the flush", fsync::run),
    Run::new("ioerror", "R-04", "a failing disk costs no acknowledged message", ioerror::run),
    Run::new("diskfull", "R-05", "a full disk defers mail and loses none", diskfull::run),
    Run::new("fds", "R-06", "no free file descriptor hurts nobody who is there", fds::run),
    Run::new("memory", "R-07, R-13", "messages that are larger inside stay within bounds", memory::run),
    Run::new("soak", "R-08", "a day like any other: nothing is refused, nothing grows", soak::run),
    Run::new("clock", "R-09", "a clock that jumps loses nothing and gives up nothing", clock::run),
    Run::new("malformed", "R-12", "broken mail is kept as it is and harms nobody", malformed::run),
    Run::new("slowloris", "R-14", "slow connections keep nobody out", slowloris::run),
    Run::new("idle", "R-15", "waiting clients cost little and hear at once", idle::run),
    Run::new("bigmail", "R-16", "a million messages in a mailbox are no trouble", bigmail::run),
    Run::new("corrupt", "R-17", "damaged files: no crash, no wrong octet, caches made again", corrupt::run),
    Run::new("relay", "R-19", "nobody from elsewhere gets mail sent to elsewhere", relay::run),
    Run::new("sandbox", "R-30", "a server in somebody else's hands can do little", sandbox::run),
    Run::new("restart", "R-35", "a restart under load loses nothing and is short", restart::run),
    Run::new("dns", "R-36", "name servers in trouble cost time, never mail", dns::run),
    Run::new("dependencies", "R-37", "a scanner in trouble: mail goes its way by policy", dependencies::run),
    Run::new("queue", "R-39", "a queue for dead hosts keeps nobody waiting", queue::run),
    Run::new("loops", "R-38", "mail that goes in circles comes to an end, with one report", loops::run),
    Run {
        in_all: false,
        quick_limit: Duration::from_secs(3_600),
        ..Run::new("fuzz", "R-11", "no input ends a parser", fuzz::run)
    },
    Run {
        in_all: false,
        quick_limit: Duration::from_secs(1_800),
        ..Run::new("models", "R-42", "mailboxes, queue and commits do what plain models do", models::run)
    },
    Run {
        in_all: false,
        ..Run::new("powercut-peer", "R-02", "the same of Debian's Postfix and Dovecot, for comparison", powercut_peer::run)
    },
    Run {
        in_all: false,
        quick_limit: Duration::from_secs(1_800),
        ..Run::new("portability", "R-18", "the same data, the same answers on both architectures", portability::run)
    },
];

/// The run of this name.
pub(crate) fn find(name: &str) -> Option<&'static Run> {
    ALL.iter().find(|run| run.name == name)
}
