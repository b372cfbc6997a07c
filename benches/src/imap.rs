//! `imap`: what a client does with a large mailbox, beside Dovecot.
//!
//! Both sides are filled with the same octets by the same client. Each operation runs once to warm
//! caches, then in alternating rounds; every answer is checked for the work it claims. Start at
//! [`run`].

mod change;
mod read;

use std::time::Instant;

use crate::certificate::Certificate;
use crate::client::imap::Imap;
use crate::corpus::{Corpus, Expected, internal_date};
use crate::error::{Error, Result};
use crate::process::cpu_seconds;
use crate::report::{Better, Pair, Report, Samples, Side, progress};
use crate::servers::Server;

/// The mailbox that everything is measured on.
const BIG: &str = "Big";
/// Messages of one flight while loading.
const BATCH: u64 = 100;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    messages: u64,
    /// Messages whose bodies are fetched, which are copied and expunged.
    part: u64,
    appends: u64,
    rounds: usize,
}

impl Plan {
    /// About four minutes.
    pub(crate) const FULL: Self = Self {
        messages: 50_000,
        part: 10_000,
        appends: 1_000,
        rounds: 3,
    };
    /// About one minute.
    pub(crate) const QUICK: Self = Self {
        messages: 5_000,
        part: 5_000,
        appends: 500,
        rounds: 3,
    };
}

/// The one account.
pub(crate) const ACCOUNT: &str = "reader";

/// Everything a measurement needs.
#[derive(Debug)]
struct Bench<'a> {
    servers: &'a Pair<Server>,
    certificate: &'a Certificate,
    corpus: Corpus,
    plan: Plan,
    expected: Expected,
    /// Octets of the first `plan.part` messages.
    part_octets: u64,
    report: Report,
}

/// Measures both servers.
pub(crate) fn run(
    servers: &Pair<Server>,
    certificate: &Certificate,
    plan: Plan,
    run: u64,
) -> Result<Report> {
    let corpus = Corpus::new(run);
    let expected = Expected::of(plan.messages);
    let part_octets = (0..plan.part)
        .map(|number| corpus.message(number).len() as u64)
        .sum();
    let report = Report::default();
    let mut bench = Bench {
        servers,
        certificate,
        corpus,
        plan,
        expected,
        part_octets,
        report,
    };
    bench.fill()?;
    bench.read()?;
    bench.change()?;
    Ok(bench.report)
}

/// What one operation took, in seconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

/// Samples of one operation's wall time and CPU time, in milliseconds.
#[derive(Debug, Default)]
struct Costs {
    wall: Samples,
    cpu: Samples,
}

impl Costs {
    fn push(&mut self, side: Side, cost: Cost) {
        self.wall.of_mut(side).push(cost.wall * 1_000.0);
        self.cpu.of_mut(side).push(cost.cpu * 1_000.0);
    }
}

impl Bench<'_> {
    /// A session of `side`.
    fn connect(&self, side: Side) -> Result<Imap> {
        Imap::connect(self.servers.of(side), self.certificate, ACCOUNT)
    }

    /// A session of each side with `BIG` selected.
    fn selected(&self) -> Result<Pair<Imap>> {
        let mut sessions = Pair {
            ours: self.connect(Side::Ours)?,
            peer: self.connect(Side::Peer)?,
        };
        for side in Side::BOTH {
            sessions.of_mut(side).command(&format!("SELECT {BIG}"))?;
        }
        Ok(sessions)
    }

    /// Runs `work` and says what it took of the wall clock and of the server's CPU time.
    fn cost(&self, side: Side, work: impl FnOnce() -> Result<()>) -> Result<Cost> {
        let masters = &self.servers.of(side).masters;
        let before = cpu_seconds(masters);
        let started = Instant::now();
        work()?;
        let wall = started.elapsed().as_secs_f64();
        Ok(Cost {
            wall,
            cpu: cpu_seconds(masters) - before,
        })
    }

    fn add(&mut self, metric: &str, costs: &Costs) {
        self.report.add(metric, "ms", Better::Less, &costs.wall);
        self.report
            .add(&format!("{metric}_cpu"), "ms", Better::Less, &costs.cpu);
    }

    /// `found` must be `expected`, else the server did not do what was measured.
    fn check(&self, side: Side, what: &str, found: u64, expected: u64) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        let server = self.servers.of(side).name;
        Err(Error::Mismatch {
            server,
            what: what.to_owned(),
            found,
            expected,
        })
    }

    /// Fills both mailboxes with the same octets.
    fn fill(&mut self) -> Result<()> {
        let mut rate = Samples::default();
        for side in Side::BOTH {
            progress(&format!(
                "{} messages into {}",
                self.plan.messages,
                self.servers.of(side).name
            ));
            let mut imap = self.connect(side)?;
            imap.command(&format!("CREATE {BIG}"))?;
            let mut seconds = 0.0;
            for first in (0..self.plan.messages).step_by(100) {
                let numbers = first..(first + BATCH).min(self.plan.messages);
                let batch: Vec<_> = numbers
                    .map(|number| (internal_date(number), self.corpus.message(number)))
                    .collect();
                let started = Instant::now();
                imap.append_all(BIG, &batch)?;
                seconds += started.elapsed().as_secs_f64();
            }
            self.check(
                side,
                "STATUS after loading",
                imap.messages(BIG)?,
                self.plan.messages,
            )?;
            rate.of_mut(side).push(self.plan.messages as f64 / seconds);
        }
        self.report.add("load", "1/s", Better::More, &rate);
        Ok(())
    }
}
