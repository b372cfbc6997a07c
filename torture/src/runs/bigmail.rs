//! A mailbox of a million messages, a hundred thousand folders, and messages as large or to as many
//! as the server takes.
//!
//! The mailbox is filled with APPEND, as a client would that moves here. Times are those of a client
//! on the same machine, over TLS, until the last octet of the answer.

use std::time::{Duration, Instant};

use testkit::client::Imap;
use testkit::process::{Process, Site};

use crate::context::{Context, Result, Stopped};
use crate::figure::{Figures, Target};
use crate::operator::must;
use crate::sink::{LOOPBACK, Manners, Sink, digest};
use crate::{crowd, fill, ledger, outbound};

/// In one message, and no other.
const NEEDLE: &str = "haystackneedle";
/// How long a client waits for an answer here, however bad it is.
const PATIENCE: Duration = Duration::from_secs(900);
/// Octets of a large message: 50 MB.
const LARGE: usize = 50_000_000;
/// Targets of an alias; more need another one.
const TARGETS: usize = 1_000;
/// Sessions whose memory is measured beside that of the first.
const MORE_SESSIONS: usize = 8;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let count = context.depth(20_000_usize, 1_000_000);
    let names = context.names()?;
    let sink = Sink::listen(context, LOOPBACK, Manners::Takes)?;
    let site = context.site();
    site.resolve_at(names.local_addr());
    sink.serve(&site);
    let mut process = context.start(&site);
    ledger::populate(&site);
    let mut figures = Figures::default();
    figures.count("messages in the mailbox", count, Target::Shown);
    let started = Instant::now();
    fill::messages(context, site.imaps(), count)?;
    let each = count as f64 / started.elapsed().as_secs_f64();
    figures.measure("messages appended in a second", each, "", Target::Shown);
    context.block_on(needle(&site))?;
    process.terminate();
    let started = Instant::now();
    process = context.start(&site);
    let start = started.elapsed().as_secs_f64();
    figures.measure("start with that mailbox", start, "s", Target::AtMost(5.0));
    context.block_on(memory(&process, &site, &mut figures))?;
    context.block_on(mailbox(&site, count + 1, &mut figures))?;
    context.block_on(large(&site, &sink, &mut figures))?;
    folders(context, &site, &mut figures)?;
    list(context, &site, &sink, &mut figures)?;
    let used = crowd::memory_mib(process.id(), "VmHWM");
    figures.measure(
        "memory of the server at its highest",
        used,
        "MiB",
        Target::Shown,
    );
    context.end(process, &mut figures);
    Ok(figures)
}

/// Seconds until a command's answer is there whole, and the answer. The command must succeed.
async fn timed(imap: &mut Imap, command: &str) -> Result<(f64, Vec<u8>)> {
    let started = Instant::now();
    imap.client.send(&format!("big {command}")).await?;
    let answer = imap.client.octets_until("big").await?;
    let seconds = started.elapsed().as_secs_f64();
    let tagged = String::from_utf8_lossy(&answer);
    match tagged.lines().next_back() {
        Some(line) if line.starts_with("big OK") => Ok((seconds, answer)),
        line => Err(Stopped::Failed(format!("{command}: {line:?}"))),
    }
}

/// The middle one of five times, in milliseconds.
async fn milliseconds(imap: &mut Imap, command: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(timed(imap, command).await?.0 * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(2).copied().unwrap_or(f64::NAN))
}

/// Lines of an answer that begin in this way.
fn lines(answer: &[u8], start: &str) -> usize {
    let lines = answer.split(|octet| *octet == b'\n');
    lines
        .filter(|line| line.starts_with(start.as_bytes()))
        .count()
}

async fn sign_in(site: &Site) -> Result<Imap> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    imap.client.set_patience(PATIENCE);
    Ok(imap)
}

async fn needle(site: &Site) -> Result<()> {
    let mut imap = sign_in(site).await?;
    let message = format!("From: <a@b.test>\r\nSubject: x\r\n\r\nin the {NEEDLE} here\r\n");
    let appended = imap.append("INBOX", message.as_bytes()).await?;
    assert!(appended.is_ok(), "{}", appended.tagged);
    Ok(())
}

/// What sessions with the mailbox selected cost a server that has just been started.
async fn memory(process: &Process, site: &Site, figures: &mut Figures) -> Result<()> {
    let used = || crowd::memory_mib(process.id(), "VmRSS");
    let mut sessions = Vec::new();
    let mut before = used();
    for (what, count) in [("a session", 1), ("each of more", MORE_SESSIONS)] {
        for _ in 0..count {
            let mut imap = sign_in(site).await?;
            timed(&mut imap, "SELECT INBOX").await?;
            timed(&mut imap, "UID FETCH 1:* (FLAGS)").await?;
            sessions.push(imap);
        }
        let each = (used() - before) / count as f64;
        let what = format!("memory that {what} adds");
        figures.measure(&what, each, "MiB", Target::AtMost(64.0));
        before = used();
    }
    Ok(())
}

/// What a client asks of the mailbox.
async fn mailbox(site: &Site, count: usize, figures: &mut Figures) -> Result<()> {
    let mut imap = sign_in(site).await?;
    let select = milliseconds(&mut imap, "SELECT INBOX").await?;
    figures.measure("SELECT", select, "ms", Target::AtMost(200.0));
    let status = milliseconds(&mut imap, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE)").await?;
    figures.measure("STATUS", status, "ms", Target::AtMost(200.0));
    let (seconds, answer) = timed(&mut imap, "UID FETCH 1:* (FLAGS)").await?;
    figures.measure("UID FETCH 1:* (FLAGS)", seconds, "s", Target::AtMost(3.0));
    let missing = count - lines(&answer, "* ");
    figures.count("messages missing in it", missing, Target::Exactly(0.0));
    figures.checked(count);
    let all = format!("SEARCH TEXT {NEEDLE}");
    let (seconds, answer) = timed(&mut imap, &all).await?;
    figures.measure(
        "SEARCH TEXT",
        seconds * 1_000.0,
        "ms",
        Target::AtMost(500.0),
    );
    let found = String::from_utf8_lossy(&answer).contains(&format!("SEARCH {count}\r\n"));
    figures.count(
        "messages it finds",
        usize::from(found),
        Target::Exactly(1.0),
    );
    let (_, capability) = timed(&mut imap, "CAPABILITY").await?;
    let capability = String::from_utf8_lossy(&capability).into_owned();
    for (name, command) in [
        ("SORT", "UID SORT (ARRIVAL) UTF-8 ALL"),
        ("THREAD=REFERENCES", "UID THREAD REFERENCES UTF-8 ALL"),
    ] {
        let offered = capability.split_ascii_whitespace().any(|word| word == name);
        let what = format!("{name} is offered (1) or not (0)");
        figures.count(&what, usize::from(offered), Target::Shown);
        if offered {
            let (seconds, _) = timed(&mut imap, command).await?;
            figures.measure(name, seconds, "s", Target::AtMost(2.0));
        }
    }
    Ok(())
}

/// A message of 50 MB: delivered and fetched, submitted and relayed.
async fn large(site: &Site, sink: &Sink, figures: &mut Figures) -> Result<()> {
    let mut message = format!(
        "From: <{}>\r\nTo: <x@away.test>\r\nSubject: large\r\nMessage-ID: <large@load.test>\r\n\r\n",
        ledger::ACCOUNT
    )
    .into_bytes();
    while message.len() < LARGE {
        let line = format!("{:076}\r\n", message.len());
        message.extend_from_slice(line.as_bytes());
    }
    let mut lmtp = ledger::lmtp(site).await?;
    lmtp.client.set_patience(PATIENCE);
    let started = Instant::now();
    let reply = lmtp
        .deliver(ledger::ACCOUNT, &[ledger::ACCOUNT], &message)
        .await?;
    figures.measure(
        "taking in 50 MB",
        started.elapsed().as_secs_f64(),
        "s",
        Target::Shown,
    );
    accepted(&reply)?;
    let mut imap = sign_in(site).await?;
    imap.command("EXAMINE INBOX").await?;
    let fetched = imap.command("FETCH * (BODY.PEEK[])").await?.literals();
    let intact = |octets: &Vec<u8>| octets.ends_with(&message);
    let same = fetched.first().is_some_and(intact);
    figures.count(
        "50 MB come back by IMAP as they were",
        usize::from(same),
        Target::Exactly(1.0),
    );
    let mut submission = outbound::session(site.submission()).await?;
    submission.client.set_patience(PATIENCE);
    accepted(
        &submission
            .deliver(ledger::ACCOUNT, &["x@away.test"], &message)
            .await?,
    )?;
    until(|| sink.arrived("large").is_some()).await;
    let arrivals = sink.account().arrivals;
    let same = arrivals
        .iter()
        .filter(|one| one.digest == digest(&message))
        .count();
    figures.count(
        "50 MB arrive elsewhere as they were",
        same,
        Target::Exactly(1.0),
    );
    figures.checked(2_u64);
    Ok(())
}

fn accepted(reply: &(u16, String)) -> Result<()> {
    match reply {
        (250, _) => Ok(()),
        refusal => Err(Stopped::Failed(format!("{refusal:?}"))),
    }
}

/// Waits, but not forever; what is measured afterwards says what came of it.
async fn until(reached: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !reached() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn folders(context: &Context, site: &Site, figures: &mut Figures) -> Result<()> {
    // An account may have 100,000, with those above them and those it has from the beginning.
    let count = context.depth(2_000_usize, 99_000);
    let started = Instant::now();
    fill::commands(context, site.imaps(), count, |number| {
        format!("CREATE \"Folder {}/{number}\"", number / 100).into_bytes()
    })?;
    let each = count as f64 / started.elapsed().as_secs_f64();
    figures.measure("folders created in a second", each, "", Target::Shown);
    let (seconds, answer) = context.block_on(async {
        let mut imap = sign_in(site).await?;
        timed(&mut imap, "LIST \"\" *").await
    })?;
    figures.measure("LIST", seconds, "s", Target::AtMost(2.0));
    let listed = lines(&answer, "* LIST");
    figures.count("folders listed", listed, Target::Shown);
    let missing = count.saturating_sub(listed);
    figures.count("folders missing in it", missing, Target::Exactly(0.0));
    figures.checked(count);
    Ok(())
}

/// An alias that leads to very many.
fn list(context: &Context, site: &Site, sink: &Sink, figures: &mut Figures) -> Result<()> {
    let count = context.depth(500_usize, 10_000);
    let mut parts = Vec::new();
    for first in (0..count).step_by(TARGETS) {
        let part = format!("part{first}@demo.test");
        let targets: Vec<String> = (first..count.min(first + TARGETS))
            .map(|number| format!("reader{number}@away.test"))
            .collect();
        let mut arguments = vec!["alias", "add", part.as_str()];
        arguments.extend(targets.iter().map(String::as_str));
        must(site, &arguments)?;
        parts.push(part);
    }
    let mut arguments = vec!["alias", "add", "all@demo.test"];
    arguments.extend(parts.iter().map(String::as_str));
    must(site, &arguments)?;
    let before = sink.recipients();
    let started = Instant::now();
    let reply = context.block_on(async {
        let mut smtp = ledger::lmtp(site).await?;
        smtp.client.set_patience(PATIENCE);
        let message = b"From: <a@b.test>\r\nSubject: to all\r\n\r\nx\r\n";
        let reply = smtp
            .deliver("a@b.test", &["all@demo.test"], message)
            .await?;
        if reply.0 == 250 {
            until(|| sink.recipients() >= before + count).await;
        }
        Ok::<_, Stopped>(reply)
    })?;
    if reply.0 != 250 {
        eprintln!("   an alias of {count}: {reply:?}");
    }
    figures.count("recipients of one alias", count, Target::Shown);
    let reached = sink.recipients() - before;
    figures.count("of them reached", reached, Target::Exactly(count as f64));
    let seconds = started.elapsed().as_secs_f64();
    figures.measure("until the last of them", seconds, "s", Target::Shown);
    figures.checked(1_u64);
    Ok(())
}
