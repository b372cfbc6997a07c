//! The plug is pulled: what a disk image holds at a random moment is what a machine finds after it.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::process::Site;

use crate::context::{Context, Result};
use crate::disk::Disk;
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load, Snapshot};
use crate::operator::drain;
use crate::outbound::Relayed;
use crate::sink::{LOOPBACK, Manners, Sink};

const SESSIONS: usize = 8;
/// Cuts of one server. After each of them everything that it was ever given is read, which takes
/// longer and longer.
const CUTS_OF_A_SERVER: u64 = 25;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let cuts = context.depth(10, 200);
    let mut found = Found::default();
    let mut done = 0;
    while done < cuts {
        let until = cuts.min(done + CUTS_OF_A_SERVER);
        cut_a_server(context, done..until, &mut found)?;
        done = until;
    }
    Ok(found.tell(context, cuts))
}

/// What all cuts together came to.
#[derive(Debug, Default)]
struct Found {
    mail: Findings,
    relayed: Relayed,
    acknowledged: usize,
    closed: usize,
    unclean: usize,
    waiting: u64,
    slowest: Duration,
}

/// A server under load on a disk of its own, with these cuts.
fn cut_a_server(context: &Context, cuts: std::ops::Range<u64>, found: &mut Found) -> Result<()> {
    let name = format!("disk-{}", cuts.start);
    let disk = Disk::create(context.directory(), &name, context.depth(512, 1_024))?;
    let sink = Sink::listen(context, LOOPBACK, Manners::Takes)?;
    let site = Site::at(disk.path(), context.binary());
    sink.serve(&site);
    let process = context.start(&site);
    let pid = Pid::from_raw(process.id().cast_signed()).expect("a process id");
    ledger::populate(&site);
    let ledger = Ledger::of(context);
    let mut known = Known::default();
    for cut in cuts {
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
        let afterwards = Sink::listen(context, LOOPBACK, Manners::Takes)?;
        found.look(
            context,
            Disk::of_copy(copy)?,
            (&snapshot, &mut known),
            &afterwards,
        )?;
        let accounts = [before, afterwards.account()];
        found
            .relayed
            .add(&Relayed::of(snapshot.submitted(), &accounts));
    }
    process.terminate();
    found.acknowledged += ledger.acknowledged();
    disk.remove()
}

impl Found {
    /// Starts a server on what a cut has left, and looks for everything that was acknowledged.
    fn look(
        &mut self,
        context: &Context,
        disk: Disk,
        (snapshot, known): (&Snapshot, &mut Known),
        sink: &Sink,
    ) -> Result<()> {
        let site = Site::at(disk.path(), context.binary());
        sink.serve(&site);
        let started = Instant::now();
        let process = context.start(&site);
        self.slowest = self.slowest.max(started.elapsed());
        match context.block_on(ledger::verify(site.imaps(), snapshot, known)) {
            Ok(findings) => self.mail.add(findings),
            Err(error) => {
                eprintln!("   after a cut: {error}");
                self.closed += 1;
            }
        }
        let (clean, text) = site.command(&["db", "check"]);
        if !clean {
            eprintln!("   after a cut: {text}");
            self.unclean += 1;
        }
        self.waiting += drain(&site, Duration::from_secs(30))?;
        process.terminate();
        disk.remove()
    }

    fn tell(&self, context: &Context, cuts: u64) -> Figures {
        let mut figures = Figures::default();
        self.mail.tell(&mut figures);
        self.relayed.tell(self.acknowledged, &mut figures);
        figures.count("power cuts", cuts, Target::Shown);
        figures.count(
            "operations acknowledged",
            self.acknowledged,
            Target::AtLeast(cuts as f64),
        );
        for (what, count) in [
            ("messages still queued", self.waiting),
            ("stores that did not open", self.closed as u64),
            ("stores with findings of `db check`", self.unclean as u64),
            ("panics", context.panics() as u64),
        ] {
            figures.count(what, count, Target::Exactly(0.0));
        }
        figures.measure(
            "start to first answer, slowest",
            self.slowest.as_secs_f64(),
            "s",
            Target::AtMost(5.0),
        );
        figures
    }
}
