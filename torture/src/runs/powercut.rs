//! The plug is pulled: what a disk image holds at a random moment is what a machine finds after it.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::process::Site;

use crate::context::{Context, Result};
use crate::disk::Disk;
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load};
use crate::operator::drain;
use crate::outbound::Relayed;
use crate::sink::{LOOPBACK, Manners, Sink};

const SESSIONS: usize = 8;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let cuts = context.depth(10_u64, 200);
    let disk = Disk::create(context.directory(), "disk", context.depth(512, 1_024))?;
    let sink = Sink::listen(context, LOOPBACK, Manners::Takes)?;
    let site = Site::at(disk.path(), context.binary());
    sink.serve(&site);
    let process = context.start(&site);
    let pid = Pid::from_raw(process.id().cast_signed()).expect("a process id");
    ledger::populate(&site);
    let ledger = Ledger::of(context);
    let mut known = Known::default();
    let mut total = Findings::default();
    let mut relayed = Relayed::default();
    let (mut refused, mut unclean, mut waiting) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    for cut in 0..cuts {
        let load = Load::start(context, &site, &ledger, SESSIONS)
            .with_submissions(context, &site, &ledger);
        std::thread::sleep(Duration::from_millis(
            100 + (cut * 73) % context.depth(500, 1_500),
        ));
        // Stopped, since a copy takes longer than a power cut: no disk ever held the beginning of
        // one moment and the end of another.
        kill_process(pid, Signal::STOP).map_err(std::io::Error::from)?;
        let snapshot = ledger.snapshot();
        let copy = disk.copy("cut")?;
        let before = sink.account();
        kill_process(pid, Signal::CONT).map_err(std::io::Error::from)?;
        context.block_on(load.stop());
        let found = Disk::of_copy(copy)?;
        let there = Site::at(found.path(), context.binary());
        let afterwards = Sink::listen(context, LOOPBACK, Manners::Takes)?;
        afterwards.serve(&there);
        let started = Instant::now();
        let after = context.start(&there);
        slowest = slowest.max(started.elapsed());
        match context.block_on(ledger::verify(there.imaps(), &snapshot, &mut known)) {
            Ok(findings) => total.add(findings),
            Err(error) => {
                eprintln!("   after cut {cut}: {error}");
                refused += 1;
            }
        }
        let (clean, text) = there.command(&["db", "check"]);
        if !clean {
            eprintln!("   after cut {cut}: {text}");
            unclean += 1;
        }
        waiting += drain(&there, Duration::from_secs(30))?;
        let accounts = [before, afterwards.account()];
        relayed.add(&Relayed::of(snapshot.submitted(), &accounts));
        after.terminate();
        found.remove()?;
    }
    process.terminate();
    let mut figures = Figures::default();
    total.tell(&mut figures);
    relayed.tell(ledger.acknowledged(), &mut figures);
    figures.count(
        "messages still queued",
        waiting as usize,
        Target::Exactly(0.0),
    );
    figures.count("power cuts", cuts as usize, Target::Shown);
    figures.count(
        "operations acknowledged",
        ledger.acknowledged(),
        Target::AtLeast(cuts as f64),
    );
    figures.count("stores that did not open", refused, Target::Exactly(0.0));
    figures.count(
        "stores with findings of `db check`",
        unclean,
        Target::Exactly(0.0),
    );
    let slowest = slowest.as_secs_f64();
    figures.measure(
        "start to first answer, slowest",
        slowest,
        "s",
        Target::AtMost(5.0),
    );
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}
