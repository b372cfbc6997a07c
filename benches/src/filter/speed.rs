//! How fast filters are, and how much they take: [`Contest::run`], step by step.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::client::{Protocol, Request, answers, check, drive, learn, spamc};
use super::corpus::{Half, Message};
use super::maps;
use super::servers::{Muskox, Rspamd, spamd};
use crate::error::{Error, Result};
use crate::process::{cpu_seconds, memory_mib};
use crate::report::{Better, Pair, Report, Samples, Side, progress};
use crate::resolver::{self, World};
use crate::stage::{Stage, pause};

/// How often what is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) rounds: usize,
    /// Of so many messages of the half that is asked, one is taken.
    pub(super) step: usize,
    /// Messages for spamd.
    pub(super) spamd: usize,
    pub(super) cold: usize,
    pub(super) warm: usize,
    pub(super) edits: u32,
}

impl Plan {
    pub(super) const FULL: Self = Self {
        rounds: 5,
        step: 1,
        spamd: 300,
        cold: 3,
        warm: 7,
        edits: 20,
    };
    pub(super) const QUICK: Self = Self {
        rounds: 3,
        step: 3,
        spamd: 60,
        cold: 1,
        warm: 3,
        edits: 10,
    };
}

/// How long compilers in the background may take, and the time in which they are looked for.
const SETTLING: Duration = Duration::from_secs(180);
const GLANCE: Duration = Duration::from_secs(3);
/// Less CPU time than this in a glance is rest.
const REST: f64 = 0.05;
/// How long a server may take to its first verdict.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything that is measured with.
pub(super) struct Contest<'a> {
    stage: &'a Stage,
    plan: Plan,
    muskox: Muskox<'a>,
    rspamd: Rspamd<'a>,
    lessons: Vec<Request>,
    questions: Vec<Request>,
    spamc: Vec<Request>,
    /// Those of `questions` that `spamc` asks.
    same: Vec<Request>,
    report: Report,
}

impl<'a> Contest<'a> {
    /// Prepares requests and servers: one half of the corpus is taught, the other asked.
    pub(super) fn new(
        stage: &'a Stage,
        binary: &'a Path,
        messages: &[Message],
        plan: Plan,
    ) -> Result<Self> {
        let nameserver = resolver::start(World::Nothing)?;
        let half = |half| messages.iter().filter(move |message| message.half == half);
        let asked: Vec<&Message> = half(Half::Odd).step_by(plan.step).collect();
        let few: Vec<&Message> = asked
            .iter()
            .step_by((asked.len() / plan.spamd).max(1))
            .copied()
            .collect();
        Ok(Self {
            stage,
            plan,
            muskox: Muskox::new(stage, binary, nameserver)?,
            rspamd: Rspamd::new(stage, nameserver)?,
            lessons: half(Half::Even).map(learn).collect(),
            questions: asked.iter().copied().map(check).collect(),
            spamc: few.iter().copied().map(spamc).collect(),
            same: few.iter().copied().map(check).collect(),
            report: Report::default(),
        })
    }

    /// What has been measured so far.
    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    /// Measures everything.
    pub(super) fn run(&mut self) -> Result<()> {
        self.starts()?;
        // The last one started is the first to be stopped.
        let ours = self.muskox.start()?;
        let theirs = self.rspamd.start()?;
        self.muskox.wait()?;
        self.rspamd.wait()?;
        let mut masters = Pair {
            ours: vec![ours],
            peer: vec![theirs, self.rspamd.redis],
        };
        self.teach()?;
        let asked = std::mem::take(&mut self.questions);
        self.scan("", &masters, &asked)?;
        self.memory(&masters);
        progress("SpamAssassin's rules");
        self.muskox.import()?;
        self.stage.stop_last();
        self.rspamd.import()?;
        masters.peer = vec![self.rspamd.start()?, self.rspamd.redis];
        self.rspamd.wait()?;
        self.scan("_spamassassin_rules", &masters, &asked)?;
        self.stage.stop_last();
        self.beside_spamd(ours)?;
        let (stage, edits) = (self.stage, self.plan.edits);
        let restart = || {
            stage.stop_last();
            let pid = self.muskox.start()?;
            self.muskox.wait().map(|()| pid)
        };
        maps::measure(
            &self.muskox.socket(),
            ours,
            edits,
            restart,
            &mut self.report,
        )
    }

    /// From the start of the process to the first verdict.
    fn starts(&mut self) -> Result<()> {
        let kinds = [
            ("start_cold", self.plan.cold),
            ("start_warm", self.plan.warm),
        ];
        for (metric, count) in kinds {
            progress(metric);
            let mut samples = Samples::default();
            for _ in 0..count {
                for side in Side::BOTH {
                    if metric == "start_cold" {
                        match side {
                            Side::Ours => self.muskox.chill()?,
                            Side::Peer => self.rspamd.chill()?,
                        }
                    }
                    samples.of_mut(side).push(self.start(side)?);
                }
            }
            self.report.add(metric, "s", Better::Less, &samples);
        }
        Ok(())
    }

    fn start(&self, side: Side) -> Result<f64> {
        let first = self.questions.first().cloned();
        let first = first.ok_or_else(|| Error::Missing("no messages to ask about".to_owned()))?;
        let started = Instant::now();
        let (pid, address) = match side {
            Side::Ours => (self.muskox.start()?, self.muskox.filter),
            Side::Peer => (self.rspamd.start()?, self.rspamd.filter),
        };
        while !answers(address, &first) {
            if started.elapsed() > PATIENCE {
                return Err(Error::Silent(name(side), String::new()));
            }
            pause(Duration::from_millis(1));
        }
        let took = started.elapsed().as_secs_f64();
        // What compiles in the background is there the next time.
        settle(&[pid]);
        self.stage.stop_last();
        Ok(took)
    }

    fn teach(&mut self) -> Result<()> {
        progress(&format!("teaching {} messages", self.lessons.len()));
        for (side, address) in [
            (Side::Ours, self.muskox.filter),
            (Side::Peer, self.rspamd.controller),
        ] {
            let refused = drive(address, Protocol::Http, &self.lessons)?;
            // Rspamd takes no message of a few words, nor one that it has already.
            if refused > self.lessons.len() / 10 {
                return Err(Error::Answer {
                    server: name(side).to_owned(),
                    said: format!("{refused} of {} lessons refused", self.lessons.len()),
                });
            }
            progress(&format!("{}: {refused} lessons refused", name(side)));
        }
        Ok(())
    }

    fn scan(&mut self, suffix: &str, masters: &Pair<Vec<u32>>, requests: &[Request]) -> Result<()> {
        progress(&format!("scanning {} messages{suffix}", requests.len()));
        let (mut by_cpu, mut by_wall) = (Samples::default(), Samples::default());
        for round in 0..=self.plan.rounds {
            for side in Side::BOTH {
                let address = match side {
                    Side::Ours => self.muskox.filter,
                    Side::Peer => self.rspamd.filter,
                };
                let masters = masters.of(side);
                let rates = rates(name(side), address, Protocol::Http, masters, requests)?;
                if round == 0 {
                    // The first is for caches, and for compilers in the background.
                    settle(masters);
                    continue;
                }
                by_cpu.of_mut(side).push(rates.by_cpu);
                by_wall.of_mut(side).push(rates.by_wall);
            }
        }
        let metric = format!("messages_per_cpu_second{suffix}");
        self.report.add(&metric, "1/s", Better::More, &by_cpu);
        let metric = format!("messages_per_second{suffix}");
        self.report.add(&metric, "1/s", Better::More, &by_wall);
        Ok(())
    }

    fn memory(&mut self, masters: &Pair<Vec<u32>>) {
        let samples = Samples {
            ours: vec![memory_mib(&masters.ours)],
            peer: vec![memory_mib(&masters.peer)],
        };
        let better = Better::Less;
        self.report
            .add("memory_after_scan", "MiB", better, &samples);
    }

    fn beside_spamd(&mut self, ours: u32) -> Result<()> {
        progress(&format!("{} messages for spamd", self.spamc.len()));
        let (address, pid) = spamd(self.stage)?;
        let mut samples = Samples::default();
        for round in 0..=self.plan.rounds.min(3) {
            let filter = self.muskox.filter;
            let own = rates("muskox", filter, Protocol::Http, &[ours], &self.same)?;
            let peer = rates("spamd", address, Protocol::Spamc, &[pid], &self.spamc)?;
            if round > 0 {
                samples.ours.push(own.by_cpu);
                samples.peer.push(peer.by_cpu);
            }
        }
        let metric = "messages_per_cpu_second_spamd";
        self.report.add(metric, "1/s", Better::More, &samples);
        self.stage.stop_last();
        Ok(())
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Ours => "muskox",
        Side::Peer => "rspamd",
    }
}

struct Rates {
    by_cpu: f64,
    by_wall: f64,
}

/// Messages by seconds of all requests; one that is not answered fails the run.
fn rates(
    server: &'static str,
    address: SocketAddr,
    protocol: Protocol,
    masters: &[u32],
    requests: &[Request],
) -> Result<Rates> {
    let (before, started) = (cpu_seconds(masters), Instant::now());
    let refused = drive(address, protocol, requests)?;
    let wall = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds(masters) - before;
    if refused > 0 {
        return Err(Error::Mismatch {
            server,
            what: "the number of requests without a verdict".to_owned(),
            found: u64::try_from(refused).unwrap_or(u64::MAX),
            expected: 0,
        });
    }
    let count = requests.len() as f64;
    Ok(Rates {
        by_cpu: count / cpu.max(0.01),
        by_wall: count / wall,
    })
}

/// Waits until the processes have nothing to do.
fn settle(masters: &[u32]) {
    let deadline = Instant::now() + SETTLING;
    while Instant::now() < deadline {
        let before = cpu_seconds(masters);
        pause(GLANCE);
        if cpu_seconds(masters) - before < REST {
            return;
        }
    }
}
