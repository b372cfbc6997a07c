//! SIGTERM and start, again and again, under load.

use std::time::{Duration, Instant};

use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger::{self, Findings, Known, Ledger, Load};
use crate::operator::drain;
use crate::outbound::Relayed;
use crate::sink::{LOOPBACK, Manners, Sink};

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let restarts = context.depth(8_u64, 100);
    let sink = Sink::listen(context, LOOPBACK, Manners::Takes)?;
    let site = context.site();
    sink.serve(&site);
    let mut process = context.start(&site);
    ledger::populate(&site);
    let ledger = Ledger::of(context);
    let mut known = Known::default();
    let mut total = Findings::default();
    let (mut bad_exits, mut no_goodbye) = (0, 0);
    let (mut slowest_stop, mut longest_gap) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..restarts {
        let load =
            Load::start(context, &site, &ledger, 8).with_submissions(context, &site, &ledger);
        let mut idle = context.block_on(ledger::sign_in(site.imaps()))?;
        context.block_on(idle.command("EXAMINE INBOX"))?;
        context.block_on(idle.client.send("i IDLE"))?;
        std::thread::sleep(Duration::from_millis(300));
        let stopping = Instant::now();
        bad_exits += usize::from(process.terminate() != Some(0));
        slowest_stop = slowest_stop.max(stopping.elapsed());
        let stopped = Instant::now();
        let goodbye = context.block_on(async {
            while let Ok(Some(line)) = idle.client.line().await {
                if line.starts_with("* BYE") {
                    return true;
                }
            }
            false
        });
        no_goodbye += usize::from(!goodbye);
        process = context.start(&site);
        longest_gap = longest_gap.max(stopped.elapsed());
        context.block_on(load.stop());
        total.add(context.block_on(ledger::verify(
            site.imaps(),
            &ledger.snapshot(),
            &mut known,
        ))?);
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
    figures.count("restarts", restarts as usize, Target::Shown);
    figures.count(
        "operations acknowledged",
        ledger.acknowledged(),
        Target::AtLeast(restarts as f64),
    );
    figures.count("stops that were not clean", bad_exits, Target::Exactly(0.0));
    figures.count(
        "waiting clients without a goodbye",
        no_goodbye,
        Target::Exactly(0.0),
    );
    figures.measure(
        "stop, slowest",
        slowest_stop.as_secs_f64(),
        "s",
        Target::AtMost(10.0),
    );
    figures.measure(
        "from stop to answers, longest",
        longest_gap.as_secs_f64(),
        "s",
        Target::AtMost(1.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}
