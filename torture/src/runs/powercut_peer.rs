//! The plug pulled from Debian's Postfix and Dovecot, by the same rig: what the most trusted servers
//! promise together.
//!
//! Postfix hands every message to Dovecot's LMTP, which keeps a Maildir. After a cut both start on the
//! copied disk, Postfix delivers what its queue holds, and Dovecot's IMAP says what is there.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::client::Imap;

use crate::context::{Context, Result};
use crate::disk::Disk;
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load};
use crate::peer::{Peer, Start};

const SESSIONS: usize = 8;
/// How long anything may take after a start. Dovecot waits two minutes for a lock file that a cut
/// has left empty.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn run(context: &Context) -> Result<Figures> {
    Peer::possible()?;
    let cuts = context.depth(3_u64, 20);
    let disk = Disk::create(context.directory(), "disk", context.depth(512, 1_024))?;
    let peer = Peer::start(context, "before", disk.path(), Start::First)?;
    let ledger = Ledger::of(context);
    let mut total = Findings::default();
    let (mut waiting, mut closed) = (0, 0_usize);
    let (mut slowest, mut opening) = (Duration::ZERO, Duration::ZERO);
    for cut in 0..cuts {
        let load = Load::deliveries(context, (peer.smtp(), "EHLO"), &ledger, SESSIONS);
        std::thread::sleep(Duration::from_millis(
            100 + (cut * 73) % context.depth(500, 1_500),
        ));
        peer.signal(Signal::STOP)?;
        let snapshot = ledger.snapshot();
        let copy = disk.copy("cut")?;
        peer.signal(Signal::CONT)?;
        context.block_on(load.stop());
        let found = Disk::of_copy(copy)?;
        let started = Instant::now();
        let name = format!("after-{cut}");
        let after = Peer::start(context, &name, found.path(), Start::AfterCut)?;
        slowest = slowest.max(started.elapsed());
        let left = after.drain(PATIENCE)?;
        if let Some(imap) = context.block_on(opened(&after))? {
            opening = opening.max(started.elapsed());
            let known = &mut Known::default();
            let mut findings = context.block_on(ledger::verify_in(imap, &snapshot, known))?;
            // What still waits is not lost.
            let late = left.intersection(snapshot.numbers()).count();
            findings.lost -= late.min(findings.lost);
            waiting += late;
            total.add(findings);
        } else {
            eprintln!("   INBOX does not open: {}", after.last_words());
            closed += 1;
        }
        drop(after);
        found.remove()?;
    }
    drop(peer);
    let mut figures = Figures::default();
    figures.checked(total.checked as u64);
    figures.count("power cuts", cuts as usize, Target::Shown);
    figures.count(
        "messages acknowledged (250)",
        ledger.acknowledged(),
        Target::AtLeast(cuts as f64),
    );
    for (what, count) in [
        ("acknowledged messages lost", total.lost),
        ("messages damaged", total.damaged),
        ("messages twice", total.twice),
        ("messages still queued", waiting),
        ("times INBOX did not open within 180 s", closed),
    ] {
        figures.count(what, count, Target::Shown);
    }
    let opening = opening.as_secs_f64();
    let what = "start to queue empty and INBOX open, slowest";
    figures.measure(what, opening, "s", Target::Shown);
    let slowest = slowest.as_secs_f64();
    figures.measure(
        "start to first answers, slowest",
        slowest,
        "s",
        Target::Shown,
    );
    Ok(figures)
}

/// A session in which INBOX opens, if it does: as long as a lock is waited for, it is refused.
async fn opened(peer: &Peer) -> Result<Option<Imap>> {
    let deadline = Instant::now() + PATIENCE;
    let mut imap = peer.sign_in().await?;
    imap.client.set_patience(PATIENCE);
    while Instant::now() < deadline {
        if imap.command("EXAMINE INBOX").await?.is_ok() {
            return Ok(Some(imap));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(None)
}
