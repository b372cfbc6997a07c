//! Files that are not what they were: one fault at a time, in a copy of a good site.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use testkit::process::Site;

use crate::context::{Context, Result, run as program};
use crate::figure::{Figures, Target};
use crate::ledger;
use crate::messages::Dice;
use crate::runs::portability::warnings;

/// How many messages the site has; every seventh is a file.
const MESSAGES: u64 = 28;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Flip,
    Zero,
    Truncate,
    Empty,
    Delete,
    Garbage,
}

const FAULTS: [Fault; 6] = [
    Fault::Flip,
    Fault::Zero,
    Fault::Truncate,
    Fault::Empty,
    Fault::Delete,
    Fault::Garbage,
];

/// One fault.
#[derive(Debug, Clone, Copy)]
struct Round {
    kind: Kind,
    fault: Fault,
    number: usize,
}

/// What is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cache,
    Blob,
    Database,
    Log,
}

const KINDS: [Kind; 4] = [Kind::Cache, Kind::Blob, Kind::Database, Kind::Log];

#[derive(Debug, Default)]
struct Tally {
    checked: usize,
    wrong: usize,
    crashed: usize,
    unexplained: usize,
    cache_trouble: usize,
    neighbours: usize,
    unnoticed: usize,
    refused: usize,
}

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let rounds = context.depth(24_usize, 1_000);
    let good = context.directory().join("good");
    fs::create_dir(&good)?;
    make(context, &good)?;
    let mut tally = Tally::default();
    for number in 0..rounds {
        let round = Round {
            kind: KINDS[number / FAULTS.len() % KINDS.len()],
            fault: FAULTS[number % FAULTS.len()],
            number,
        };
        let bad = context.directory().join("bad");
        let paths = [&good, &bad].map(|path| path.display().to_string());
        program("cp", &["-a", &paths[0], &paths[1]])?;
        one(context, &bad, round, &mut tally)?;
        fs::remove_dir_all(&bad)?;
    }
    let mut figures = Figures::default();
    figures.checked(tally.checked as u64);
    figures.count("faults", rounds, Target::Shown);
    figures.count(
        "messages read",
        tally.checked,
        Target::AtLeast(rounds as f64),
    );
    figures.count(
        "messages with wrong octets",
        tally.wrong,
        Target::Exactly(0.0),
    );
    figures.count("crashes and hangs", tally.crashed, Target::Exactly(0.0));
    figures.count(
        "servers that refused to start, with a reason",
        tally.refused,
        Target::Shown,
    );
    figures.count(
        "servers that refused to start without one",
        tally.unexplained,
        Target::Exactly(0.0),
    );
    figures.count(
        "damaged caches that disturbed somebody",
        tally.cache_trouble,
        Target::Exactly(0.0),
    );
    figures.count(
        "good messages that went with a damaged file",
        tally.neighbours,
        Target::Exactly(0.0),
    );
    figures.count(
        "damaged files that `db check` does not name",
        tally.unnoticed,
        Target::Exactly(0.0),
    );
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}

/// A site with mail, killed so that its log has something.
fn make(context: &Context, directory: &Path) -> Result<()> {
    let site = Site::at(directory, context.binary());
    let process = context.start(&site);
    ledger::populate(&site);
    context.block_on(async {
        let mut imap = ledger::sign_in(site.imaps()).await?;
        for number in 0..MESSAGES {
            imap.append("INBOX", &ledger::message(number)).await?;
        }
        Ok::<_, std::io::Error>(())
    })?;
    for _ in 0..200 {
        if files(directory, Kind::Cache).len() >= 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    process.kill();
    Ok(())
}

fn one(context: &Context, directory: &Path, round: Round, tally: &mut Tally) -> Result<()> {
    let Round {
        kind,
        fault,
        number,
    } = round;
    let mut dice = Dice::new(number as u64);
    let victims = files(directory, kind);
    let Some(victim) = victims.get(dice.below(victims.len().max(1))) else {
        return Ok(());
    };
    damage(victim, fault, &mut dice)?;
    let site = Site::at(directory, context.binary());
    let log = directory.join("log");
    let started = catch_unwind(AssertUnwindSafe(|| site.start_logging(&log)));
    let Ok(process) = started else {
        let text = fs::read_to_string(&log).unwrap_or_default();
        tally.refused += 1;
        // A damaged database may be refused, in a line that says where it is. Nothing else may.
        let explained =
            matches!(kind, Kind::Database | Kind::Log) && text.contains("data directory");
        if !explained || text.contains("panicked") {
            eprintln!("   {kind:?} {fault:?}: {text}");
            tally.unexplained += 1;
        }
        return Ok(());
    };
    let (right, wrong) = context.block_on(read(&site));
    tally.checked += right + wrong;
    tally.wrong += wrong;
    let missing = MESSAGES as usize - right.min(MESSAGES as usize);
    let (clean, _) = site.command(&["db", "check"]);
    if process
        .terminate_within(std::time::Duration::from_secs(20))
        .is_none()
    {
        eprintln!("   {kind:?} {fault:?}: it does not stop");
        tally.crashed += 1;
    }
    let text = fs::read_to_string(&log)?;
    if text.contains("panicked") {
        eprintln!(
            "   {kind:?} {fault:?}: {}",
            text.lines()
                .find(|line| line.contains("panicked"))
                .unwrap_or_default()
        );
        tally.crashed += 1;
    }
    match kind {
        Kind::Cache => {
            let noise = warnings(&text).count();
            if noise > 0 || missing > 0 || !clean {
                eprintln!("   {kind:?} {fault:?}: {text}");
                tally.cache_trouble += 1;
            }
        }
        Kind::Blob => {
            tally.neighbours += missing.saturating_sub(1);
            tally.unnoticed += usize::from(clean);
            if clean || missing > 1 {
                eprintln!(
                    "   {kind:?} {fault:?} {}: check {clean}, {missing} missing",
                    victim.display()
                );
            }
        }
        Kind::Database | Kind::Log => {}
    }
    Ok(())
}

/// How many messages are right, and how many have other octets. One that cannot be read is neither.
async fn read(site: &Site) -> (usize, usize) {
    let (mut right, mut wrong) = (0, 0);
    let Ok(mut imap) = ledger::sign_in(site.imaps()).await else {
        return (0, 0);
    };
    if !imap
        .command("EXAMINE INBOX")
        .await
        .is_ok_and(|answer| answer.is_ok())
    {
        return (0, 0);
    }
    for number in 0..MESSAGES {
        let Ok(answer) = imap
            .command(&format!("FETCH {} (BODY.PEEK[])", number + 1))
            .await
        else {
            // The session ended with the message; the next one needs another.
            let Ok(again) = ledger::sign_in(site.imaps()).await else {
                return (right, wrong);
            };
            imap = again;
            let _ = imap.command("EXAMINE INBOX").await;
            continue;
        };
        match answer.literals().as_slice() {
            [octets] if answer.is_ok() && octets.ends_with(&ledger::message(number)) => right += 1,
            [octets] if answer.is_ok() && !octets.is_empty() => wrong += 1,
            _ => {}
        }
    }
    (right, wrong)
}

/// The files of a kind, sorted.
fn files(directory: &Path, kind: Kind) -> Vec<PathBuf> {
    let data = directory.join("data");
    let mut found = match kind {
        Kind::Cache => below(&data.join("cache")),
        Kind::Blob => below(&data.join("blobs")),
        Kind::Database => vec![data.join("mail.db")],
        Kind::Log => vec![data.join("mail.db-wal")],
    };
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn damage(path: &Path, fault: Fault, dice: &mut Dice) -> Result<()> {
    let length = fs::metadata(path)?.len();
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let at = dice.below(usize::try_from(length).unwrap_or(usize::MAX).max(1)) as u64;
    match fault {
        Fault::Flip => {
            let mut octet = [0];
            file.read_at(&mut octet, at)?;
            octet[0] ^= 1 << dice.below(8);
            file.write_at(&octet, at)?;
        }
        Fault::Zero => {
            let page = at / 4_096 * 4_096;
            let zeros = vec![0; usize::try_from((length - page).min(4_096)).unwrap_or(0)];
            file.write_at(&zeros, page)?;
        }
        Fault::Truncate => file.set_len(at)?,
        Fault::Empty => file.set_len(0)?,
        Fault::Delete => fs::remove_file(path)?,
        Fault::Garbage => {
            let garbage: Vec<u8> = (0..256).map(|_| dice.below(256) as u8).collect();
            file.write_at(&garbage, at)?;
        }
    }
    Ok(())
}
