//! The disk fills up: by mail, and by others.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::process::Site;

use crate::context::{Context, Result, Stopped, run as program};
use crate::disk::Disk;
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load};

/// How soon mail is taken again once there is room.
const RECOVERY: Duration = Duration::from_secs(10);

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let disk = Disk::create(context.directory(), "disk", 256)?;
    let site = Site::at(disk.path(), context.binary());
    let process = context.start(&site);
    ledger::populate(&site);
    let ledger = Arc::new(Ledger::default());
    let mut known = Known::default();
    let mut total = Findings::default();
    let mut figures = Figures::default();
    let (mut silent, mut unread, mut undeleted) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    let points = context.depth(6_u64, 100);
    let filler = disk.path().join("filler");
    for point in 0..points {
        // From a little above the reserve to nothing at all.
        let leave = [72, 65, 40, 12, 2, 0][point as usize % 6] << 20;
        context.block_on(append_waste(&site))?;
        let load = Load::start(context, &site, &ledger, 4);
        std::thread::sleep(Duration::from_millis(200));
        let before = ledger.deferred();
        fill(&disk, &filler, leave)?;
        let full = disk.free()? < 64 << 20;
        std::thread::sleep(Duration::from_millis(800));
        context.block_on(load.stop());
        if full && ledger.deferred() == before {
            silent += 1;
        }
        let mut looked =
            || context.block_on(ledger::verify(site.imaps(), &ledger.snapshot(), &mut known));
        match looked() {
            Ok(findings) => total.add(findings),
            Err(error) => {
                eprintln!("   with {leave} octets left: {error}");
                unread += 1;
            }
        }
        // What the server itself leaves free is for this.
        if leave >= 12 << 20 && !context.block_on(delete_waste(&site))? {
            eprintln!("   with {leave} octets left nothing can be deleted");
            undeleted += 1;
        }
        fs::remove_file(&filler)?;
        let (started, before) = (Instant::now(), ledger.acknowledged());
        let load = Load::start(context, &site, &ledger, 1);
        while ledger.acknowledged() == before && started.elapsed() < RECOVERY {
            std::thread::sleep(Duration::from_millis(10));
        }
        slowest = slowest.max(started.elapsed());
        context.block_on(load.stop());
    }
    total.tell(&mut figures);
    figures.count("times filled", points as usize, Target::Shown);
    figures.count(
        "deliveries deferred",
        usize::try_from(ledger.deferred()).unwrap_or(0),
        Target::AtLeast(points as f64 / 2.0),
    );
    figures.count(
        "times nothing was deferred though the disk was full",
        silent,
        Target::Exactly(0.0),
    );
    figures.count("times reading failed", unread, Target::Exactly(0.0));
    figures.count("times deleting failed", undeleted, Target::Exactly(0.0));
    figures.measure(
        "recovery, slowest",
        slowest.as_secs_f64(),
        "s",
        Target::AtMost(9.9),
    );
    context.check(&site, &mut figures);
    context.end(process, &mut figures);
    Ok(figures)
}

/// Leaves so many octets free.
fn fill(disk: &Disk, filler: &std::path::Path, leave: u64) -> Result<()> {
    let take = disk.free()?.saturating_sub(leave);
    let taken = program(
        "fallocate",
        &[
            "-l",
            &take.max(1).to_string(),
            &filler.display().to_string(),
        ],
    );
    match taken {
        Err(Stopped::Failed(_)) if leave == 0 => {
            // The server has taken some meanwhile: the rest, octet by octet.
            let _ = program(
                "dd",
                &[
                    "if=/dev/zero",
                    &format!("of={}", filler.display()),
                    "bs=64k",
                    "status=none",
                ],
            );
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Puts a message where it can be deleted from.
async fn append_waste(site: &Site) -> Result<()> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    imap.command("CREATE Waste").await?;
    let appended = imap.append("Waste", b"Subject: waste\r\n\r\n").await?;
    if appended.is_ok() {
        Ok(())
    } else {
        Err(Stopped::Failed(format!("APPEND: {}", appended.tagged)))
    }
}

async fn delete_waste(site: &Site) -> Result<bool> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    for command in [
        "SELECT Waste",
        "UID STORE 1:* +FLAGS.SILENT (\\Deleted)",
        "EXPUNGE",
    ] {
        if !imap.command(command).await?.is_ok() {
            return Ok(false);
        }
    }
    Ok(true)
}
