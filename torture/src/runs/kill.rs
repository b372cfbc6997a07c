//! `kill -9` under load, again and again.

use std::time::{Duration, Instant};

use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load};
use crate::operator::drain;
use crate::outbound::Relayed;
use crate::sink::{LOOPBACK, Manners, Sink};

/// Sessions that deliver.
const SESSIONS: usize = 8;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let kills = context.depth(25, 500);
    let sink = Sink::listen(context, LOOPBACK, Manners::Takes)?;
    let site = context.site();
    sink.serve(&site);
    let mut process = context.start(&site);
    ledger::populate(&site);
    let ledger = Ledger::of(context);
    let mut known = Known::default();
    let mut total = Findings::default();
    let mut restarts = Vec::new();
    for round in 0..kills {
        let load = Load::start(context, &site, &ledger, SESSIONS)
            .with_submissions(context, &site, &ledger);
        // The moment differs from round to round, from the first messages to full swing.
        std::thread::sleep(Duration::from_millis(
            60 + (round * 37) % context.depth(250, 2_000),
        ));
        process.kill();
        context.block_on(load.stop());
        let started = Instant::now();
        process = context.start(&site);
        restarts.push(started.elapsed().as_secs_f64() * 1_000.0);
        // All is looked at now and then, since it becomes more and more.
        if round % context.depth(5, 25) == 0 || round + 1 == kills {
            let snapshot = ledger.snapshot();
            total.add(context.block_on(ledger::verify(site.imaps(), &snapshot, &mut known))?);
        }
    }
    let waiting = drain(&site, Duration::from_secs(30))?;
    let relayed = Relayed::of(ledger.snapshot().submitted(), &[sink.account()]);
    let mut figures = Figures::default();
    total.tell(&mut figures);
    relayed.tell(ledger.acknowledged(), &mut figures);
    figures.count(
        "messages still queued",
        waiting as usize,
        Target::Exactly(0.0),
    );
    figures.count("kills", kills as usize, Target::Shown);
    figures.count(
        "operations acknowledged",
        ledger.acknowledged(),
        Target::AtLeast(kills as f64),
    );
    context.check(&site, &mut figures);
    figures.percentile(
        "start to first answer",
        restarts,
        "ms",
        Target::AtMost(2_000.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}
