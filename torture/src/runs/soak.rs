//! Everything at once for a long time: what grows that should not.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::process::Site;
use tokio::task::JoinHandle;

use crate::context::{Context, Result, Stopped};
use crate::figure::{Figures, Target};
use crate::ledger::{self, Ledger};
use crate::operator::{drain, must};
use crate::outbound::{self, Relayed};
use crate::sink::{LOOPBACK, Manners, Sink};
use crate::traffic::Traffic;
use crate::trend::Trend;

/// How often what a server uses is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often what was deferred is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How long a server takes to put its disk in order.
const SETTLE: Duration = Duration::from_secs(20);
/// Between two messages of a session that submits.
const PACE: Duration = Duration::from_millis(40);

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let time = match context.options().minutes {
        Some(minutes) => Duration::from_secs(minutes * 60),
        None => Duration::from_secs(context.depth(30, 3_600)),
    };
    let names = context.names()?;
    let sink = Sink::listen(context, LOOPBACK, Manners::DefersOneOf(20))?;
    let site = Arc::new(context.site());
    site.resolve_at(names.local_addr());
    sink.serve(&site);
    // What comes in looks like spam, and is to be judged but not refused.
    site.add_configuration("[filter]\nreject_score = 1000.0\n");
    let process = context.start(&site);
    ledger::populate(&site);
    let ledger = Ledger::of(context);
    let traffic = Traffic::new(&site, &ledger);
    let people = people(context, &site, &ledger, &traffic);
    let mut trend = Trend::of(process.id());
    let (end, mut retry) = (Instant::now() + time, Instant::now());
    while Instant::now() < end {
        std::thread::sleep(LOOK);
        trend.look();
        if retry.elapsed() > RETRY {
            must(&site, &["queue", "retry"])?;
            retry = Instant::now();
        }
    }
    traffic.stop();
    for person in people {
        let ended = context.block_on(person);
        ended.map_err(|error| Stopped::Failed(error.to_string()))?;
    }
    let waiting = drain(&site, Duration::from_secs(60))?;
    let mut figures = Figures::default();
    traffic_figures(&traffic, &mut figures);
    let (present, octets) = context.block_on(stored(&site))?;
    let unaccounted = present.abs_diff(traffic.present());
    figures.count(
        "messages unaccounted for",
        unaccounted as usize,
        Target::Exactly(0.0),
    );
    figures.count(
        "messages still queued",
        waiting as usize,
        Target::Exactly(0.0),
    );
    let deferred = sink.deferred() as usize;
    figures.count(
        "messages deferred by the other host",
        deferred,
        Target::AtLeast(1.0),
    );
    let relayed = Relayed::of(ledger.snapshot().submitted(), &[sink.account()]);
    relayed.tell(ledger.acknowledged(), &mut figures);
    trend.tell(context.depth(false, true), &mut figures);
    // The log is emptied when nothing happens any more.
    std::thread::sleep(context.depth(Duration::ZERO, SETTLE));
    let disk = on_disk(&site.path().join("data"), &site.cache())? as f64;
    // What is deleted stays on disk for a day: whatever was put in counts, when it was not for longer.
    let [_, put_in, ..] = traffic.totals();
    let target = context.depth(Target::Shown, Target::AtMost(2.0));
    figures.measure(
        "octets on disk for each put in",
        disk / put_in as f64,
        "",
        target,
    );
    let times = disk / octets as f64;
    figures.measure(
        "octets on disk for each still there",
        times,
        "",
        Target::Shown,
    );
    context.check(&site, &mut figures);
    context.end(process, &mut figures);
    Ok(figures)
}

/// Starts everybody.
fn people(
    context: &Context,
    site: &Site,
    ledger: &Arc<Ledger>,
    traffic: &Arc<Traffic>,
) -> Vec<JoinHandle<()>> {
    let all = || Arc::clone(traffic);
    let (ledger, submission, submitting) = (Arc::clone(ledger), site.submission(), all());
    vec![
        context.spawn(all().repeat("deliver", Traffic::deliver)),
        context.spawn(all().repeat("deliver", Traffic::deliver)),
        context.spawn(all().repeat("work", |traffic| traffic.work("Work"))),
        context.spawn(all().repeat("work", |traffic| traffic.work("Desk"))),
        context.spawn(all().repeat("tidy", |traffic| traffic.tidy("INBOX"))),
        context.spawn(all().repeat("tidy", |traffic| traffic.tidy("Junk"))),
        context.spawn(all().repeat("wait", Traffic::wait)),
        context.spawn(all().repeat("wait", Traffic::wait)),
        context.spawn(submitting.repeat("submit", move |traffic| {
            let ledger = Arc::clone(&ledger);
            async move { outbound::submit(submission, PACE, &ledger, traffic.stopped()).await }
        })),
    ]
}

fn traffic_figures(traffic: &Traffic, figures: &mut Figures) {
    let refusals = traffic.refusals();
    for refusal in refusals.iter().take(10) {
        eprintln!("   {refusal}");
    }
    let [stored, octets, told, done] = traffic.totals();
    figures.checked(done);
    figures.count("messages stored", stored as usize, Target::AtLeast(1.0));
    figures.measure("of", octets as f64 / 1e6, "MB", Target::Shown);
    figures.count(
        "commands that did their work",
        done as usize,
        Target::AtLeast(1.0),
    );
    figures.count(
        "refusals that nothing explains",
        refusals.len(),
        Target::Exactly(0.0),
    );
    figures.count(
        "waiting clients told of mail",
        told as usize,
        Target::AtLeast(1.0),
    );
}

/// Messages and octets in all mailboxes, as the server says.
async fn stored(site: &Site) -> Result<(u64, u64)> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    let listed = imap
        .command("LIST \"\" * RETURN (STATUS (MESSAGES SIZE))")
        .await?;
    let mut sums = (0, 0);
    for line in listed
        .text()
        .iter()
        .filter(|line| line.starts_with("* STATUS"))
    {
        sums.0 += item(line, "MESSAGES").unwrap_or(0);
        sums.1 += item(line, "SIZE").unwrap_or(0);
    }
    Ok(sums)
}

/// The number after a word of a STATUS response.
fn item(line: &str, word: &str) -> Option<u64> {
    let mut words = line
        .split([' ', '(', ')'])
        .skip_while(|other| *other != word);
    words.nth(1)?.parse().ok()
}

/// Octets that files below a directory occupy; what can be made again is left out.
fn on_disk(directory: &Path, cache: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        sum += if !metadata.is_dir() {
            metadata.blocks() * 512
        } else if path == cache {
            0
        } else {
            on_disk(&path, cache)?
        };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_a_status() {
        let line = "* STATUS \"a SIZE\" (MESSAGES 12 SIZE 3400)";
        assert_eq!(
            (item(line, "MESSAGES"), item(line, "SIZE")),
            (Some(12), Some(3_400))
        );
        assert_eq!(item("* STATUS x (SIZE 3400)", "SIZE"), Some(3_400));
    }
}
