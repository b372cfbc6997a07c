//! More connections than the server may have open files.

use std::time::{Duration, Instant};

use crate::context::{Context, Result};
use crate::crowd::{self, Polite};
use crate::figure::{Figures, Target};
use crate::ledger;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let connections = context.depth(1_000_usize, 5_000);
    crowd::allow(connections as u64)?;
    let site = context.site().under(&["prlimit", "--nofile=256"]);
    let process = context.start(&site);
    let pid = process.id();
    ledger::populate(&site);
    let mut session = context.block_on(ledger::sign_in(site.imaps()))?;
    let mx = site.mx();
    let crowd = context.block_on(async {
        let mut crowd = Vec::new();
        for number in 0..connections {
            // The system completes connections that nobody has accepted yet, up to its backlog.
            let connected =
                tokio::time::timeout(Duration::from_millis(20), crowd::connect(number, mx));
            if let Ok(Ok(stream)) = connected.await {
                crowd.push(stream);
            }
        }
        crowd
    });
    let held = crowd.len();
    let before = crowd::cpu_seconds(pid);
    let watched = Instant::now();
    let mut existing = Polite::default();
    while watched.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        if context.block_on(session.command("NOOP"))?.is_ok() {
            existing
                .milliseconds
                .push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let share = (crowd::cpu_seconds(pid) - before) / watched.elapsed().as_secs_f64() * 100.0;
    drop(crowd);
    let gone = Instant::now();
    let mut after = Polite::default();
    while after.milliseconds.is_empty() && gone.elapsed() < Duration::from_secs(10) {
        context.block_on(after.visit(mx, Instant::now() + Duration::from_millis(20)));
    }
    let recovery = gone.elapsed().as_secs_f64();
    let mut figures = Figures::default();
    figures.checked(existing.milliseconds.len() as u64);
    figures.count("connections held", held, Target::AtLeast(256.0));
    figures.measure(
        "processor while no file can be opened",
        share,
        "%",
        Target::AtMost(5.0),
    );
    figures.percentile(
        "a session that was there",
        existing.milliseconds,
        "ms",
        Target::AtMost(200.0),
    );
    figures.measure(
        "from the crowd's end to a greeting",
        recovery,
        "s",
        Target::AtMost(2.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}
