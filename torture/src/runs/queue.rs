//! A queue full of mail for hosts that do not answer, and live mail beside it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns::{Zone, ZoneServer};
use testkit::client::Smtp;
use testkit::process::Site;

use crate::context::{Context, Result, Stopped, need_root};
use crate::crowd;
use crate::figure::{Figures, Target};
use crate::ledger;
use crate::operator::{must, queued};
use crate::sink::{Manners, Sink};

/// Where live mail goes; nobody listens at port 25 of the other addresses.
const LIVE: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 7);
const DEAD: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 8);
/// Targets of one alias.
const TARGETS: usize = 100;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    need_root("listen at port 25")?;
    let domains = context.depth(500_usize, 5_000);
    let copies = context.depth(4_usize, 20);
    let zone = Zone::new();
    for number in 0..domains {
        zone.mx(
            &format!("dead{number}.test"),
            10,
            &format!("mx.dead{number}.test"),
        );
        zone.a(&format!("mx.dead{number}.test"), DEAD);
    }
    zone.mx("live.test", 10, "mx.live.test");
    zone.a("mx.live.test", LIVE);
    let names = context.block_on(ZoneServer::loopback(Arc::new(zone)))?;
    let sink = Sink::listen(context, (LIVE, 25), Manners::Takes)?;
    let site = context.site();
    site.resolve_at(names.local_addr());
    let mut process = context.start(&site);
    ledger::populate(&site);
    for first in (0..domains).step_by(TARGETS) {
        let alias = format!("dead{first}@demo.test");
        let targets: Vec<String> = (first..first + TARGETS)
            .map(|number| format!("x@dead{number}.test"))
            .collect();
        let mut arguments = vec!["alias", "add", alias.as_str()];
        arguments.extend(targets.iter().map(String::as_str));
        must(&site, &arguments)?;
    }
    must(&site, &["alias", "add", "live@demo.test", "x@live.test"])?;
    context.block_on(async {
        let mut smtp = ledger::lmtp(&site).await?;
        for copy in 0..copies {
            for first in (0..domains).step_by(TARGETS) {
                let to = format!("dead{first}@demo.test");
                send(&mut smtp, &to, &format!("copy {copy} of {first}")).await?;
            }
        }
        Ok::<_, Stopped>(())
    })?;
    let mut delays = context.block_on(live(&site, &sink, "before", context.depth(20, 200)))?;
    let memory = crowd::memory_mib(process.id(), "VmRSS");
    let queued = queued(&site)?;
    process.terminate();
    let started = Instant::now();
    process = context.start(&site);
    let start = started.elapsed().as_secs_f64();
    delays.extend(context.block_on(live(&site, &sink, "after", 10))?);
    let mut figures = Figures::default();
    figures.checked(delays.len() as u64);
    figures.count(
        "recipients queued for dead domains",
        domains * copies,
        Target::Shown,
    );
    let messages = domains / TARGETS * copies;
    figures.count(
        "messages that wait",
        queued as usize,
        Target::AtLeast(messages as f64),
    );
    figures.measure("memory", memory, "MiB", Target::AtMost(150.0));
    figures.percentile("live mail", delays, "s", Target::AtMost(5.0));
    figures.measure("start with that queue", start, "s", Target::AtMost(5.0));
    context.check(&site, &mut figures);
    context.end(process, &mut figures);
    Ok(figures)
}

async fn send(smtp: &mut Smtp, to: &str, subject: &str) -> Result<()> {
    let message = format!(
        "From: <{}>\r\nSubject: {subject}\r\n\r\nx\r\n",
        ledger::ACCOUNT
    );
    match smtp
        .deliver(ledger::ACCOUNT, &[to], message.as_bytes())
        .await?
    {
        (250, _) => Ok(()),
        reply => Err(Stopped::Failed(format!("{to}: {reply:?}"))),
    }
}

/// Sends live mail one by one; seconds from our reply to the other host's.
async fn live(site: &Site, sink: &Sink, name: &str, count: usize) -> Result<Vec<f64>> {
    let mut smtp = ledger::lmtp(site).await?;
    let mut delays = Vec::new();
    for number in 0..count {
        let subject = format!("live {name} {number}");
        send(&mut smtp, "live@demo.test", &subject).await?;
        let sent = Instant::now();
        while sink.arrived(&subject).is_none() && sent.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let when = sink.arrived(&subject).unwrap_or_else(Instant::now);
        delays.push(when.saturating_duration_since(sent).as_secs_f64());
    }
    Ok(delays)
}
