//! Calls that fail: strace makes a flush or a write of the running server fail.

use std::sync::Arc;
use std::time::Duration;

use super::fsync::{attach, finish};
use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load};

/// Which call fails, how, and from which time on: one failure may be passing, more are a dead disk.
const FAULTS: [(&str, &str); 6] = [
    ("fdatasync,fsync", "error=EIO"),
    ("pwrite64", "error=EIO"),
    ("pwrite64", "error=ENOSPC"),
    ("fdatasync,fsync", "error=ENOSPC"),
    ("rename,renameat2,linkat", "error=EIO"),
    ("openat", "error=EMFILE"),
];

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let faults = context.depth(6_u64, 100);
    let site = context.site();
    let mut process = context.start(&site);
    ledger::populate(&site);
    let ledger = Arc::new(Ledger::default());
    let mut known = Known::default();
    let mut total = Findings::default();
    let (mut stopped, mut hung, mut unclean) = (0, 0, 0);
    for number in 0..faults {
        let (calls, error) = FAULTS[number as usize % FAULTS.len()];
        // The first calls, or later ones; once, or from then on.
        let when = 1 + (number * 7) % 23;
        // The other way round in the next round of faults.
        let turn = number as usize + number as usize / FAULTS.len();
        let lasting = if turn.is_multiple_of(2) { "+" } else { "" };
        let inject = format!("inject={calls}:{error}:when={when}{lasting}");
        let tracer = attach(
            process.id(),
            &[
                "-e",
                &format!("trace={calls}"),
                "-e",
                &inject,
                "-o",
                "/dev/null",
            ],
        )?;
        let load = Load::start(context, &site, &ledger, 4);
        std::thread::sleep(Duration::from_millis(700));
        context.block_on(load.stop());
        let ended = process.has_ended();
        stopped += usize::from(ended);
        if process.terminate_within(Duration::from_secs(20)).is_none() {
            eprintln!("   {inject}: it does not stop");
            hung += 1;
        }
        finish(tracer);
        process = context.start(&site);
        total.add(context.block_on(ledger::verify(
            site.imaps(),
            &ledger.snapshot(),
            &mut known,
        ))?);
        let (clean, text) = site.command(&["db", "check"]);
        if !clean {
            eprintln!("   {inject}: {text}");
            unclean += 1;
        }
    }
    process.terminate();
    let mut figures = Figures::default();
    total.tell(&mut figures);
    figures.count("faults", faults as usize, Target::Shown);
    figures.count(
        "operations acknowledged",
        ledger.acknowledged(),
        Target::AtLeast(faults as f64),
    );
    figures.count(
        "servers that ended because of one",
        stopped,
        Target::AtLeast(1.0),
    );
    figures.count("servers that hung", hung, Target::Exactly(0.0));
    figures.count(
        "stores with findings of `db check`",
        unclean,
        Target::Exactly(0.0),
    );
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}
