//! Thousands of clients that wait for mail.

use std::time::{Duration, Instant};

use testkit::client::Imap;
use testkit::process::Site;

use crate::context::{Context, Result, Stopped};
use crate::crowd;
use crate::figure::{Figures, Target};
use crate::ledger;

/// One account may have so many sessions from one address: the crowd comes from six times as many.
const CROWDED: usize = 6;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let clients = context.depth(300_usize, 10_000);
    crowd::allow(clients as u64)?;
    let site = context.site();
    let text = std::fs::read_to_string(site.config())?;
    let more = "[imap]\nmax_sessions = 20000\nmax_sessions_per_address = 20000\n";
    std::fs::write(site.config(), text.replace("[imap]\n", more))?;
    let process = context.start(&site);
    let pid = process.id();
    ledger::populate(&site);
    let before = crowd::memory_mib(pid, "VmRSS");
    let started = Instant::now();
    let mut waiting = context.block_on(sign_in(&site, clients))?;
    let signing_in = started.elapsed().as_secs_f64();
    let after = crowd::memory_mib(pid, "VmRSS");
    let used = crowd::cpu_seconds(pid);
    std::thread::sleep(Duration::from_secs(3));
    let share = (crowd::cpu_seconds(pid) - used) / 3.0 * 100.0;
    let woken = context.block_on(wake(&site, &mut waiting))?;
    let mut figures = Figures::default();
    figures.checked(woken.len() as u64);
    figures.count("clients that wait over TLS", clients, Target::Shown);
    figures.measure("memory of the server", after, "MiB", Target::AtMost(400.0));
    let each = (after - before) * 1_024.0 / clients as f64;
    // Of some hundreds, what the server takes once, and keeps, is most of it.
    let target = context.depth(Target::Shown, Target::AtMost(40.0));
    figures.measure("memory of each of them", each, "KiB", target);
    figures.measure(
        "processor while nothing happens",
        share,
        "%",
        Target::AtMost(2.0),
    );
    figures.measure(
        "signing in, each",
        signing_in * 1_000.0 / clients as f64,
        "ms",
        Target::Shown,
    );
    figures.count(
        "clients that were told of new mail",
        woken.len(),
        Target::AtLeast(clients as f64),
    );
    let last = woken.iter().copied().fold(0.0, f64::max);
    figures.measure(
        "from the reply to the last of them",
        last,
        "s",
        Target::AtMost(1.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}

async fn sign_in(site: &Site, clients: usize) -> Result<Vec<Imap>> {
    let mut waiting = Vec::new();
    for number in 0..clients {
        let mut imap = crowd::sign_in(number * CROWDED, site.imaps()).await?;
        let examined = imap.command("EXAMINE INBOX").await?;
        if !examined.is_ok() {
            return Err(Stopped::Failed(examined.tagged));
        }
        imap.client.send("i IDLE").await?;
        imap.client.line().await?;
        waiting.push(imap);
    }
    Ok(waiting)
}

/// Delivers one message; seconds until each client hears of it.
async fn wake(site: &Site, waiting: &mut Vec<Imap>) -> Result<Vec<f64>> {
    let mut smtp = ledger::lmtp(site).await?;
    let listening: Vec<_> = waiting
        .drain(..)
        .map(|mut imap| {
            tokio::spawn(async move {
                while let Ok(Some(line)) = imap.client.line().await {
                    if line.contains("EXISTS") {
                        return Some(Instant::now());
                    }
                }
                None
            })
        })
        .collect();
    let reply = smtp
        .deliver("load@example.test", &[ledger::ACCOUNT], &ledger::message(1))
        .await?;
    let replied = Instant::now();
    if reply.0 != 250 {
        return Err(Stopped::Failed(format!("{reply:?}")));
    }
    let mut woken = Vec::new();
    for client in listening {
        if let Ok(Some(heard)) = client.await {
            woken.push(heard.saturating_duration_since(replied).as_secs_f64());
        }
    }
    Ok(woken)
}
