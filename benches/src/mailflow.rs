//! `mailflow`: from a client's SMTP connection to a message that IMAP can see.
//!
//! The peer is Postfix, which hands over to Dovecot by LMTP. Rounds alternate between the sides;
//! after each one the mailboxes are counted by STATUS until they hold what was sent. Start at
//! [`run`].

mod latency;
mod load;

use std::time::Duration;

use crate::certificate::Certificate;
use crate::client::imap::Imap;
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::process::memory_mib;
use crate::report::{Better, Pair, Report, Samples, Side, progress};
use crate::servers::{Server, address};
use crate::stage::pause;

use load::Load;

/// As many mailboxes as sessions, so that sessions do not wait for one mailbox's lock.
const ACCOUNTS: usize = 20;
const SESSIONS: usize = 20;
/// How long a server may settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// The least that a latency is taken for, in milliseconds: what the clocks here can tell.
const LEAST_MS: f64 = 0.01;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    rounds: usize,
    messages: u64,
    single_rounds: usize,
    single_messages: u64,
    latencies: usize,
}

impl Plan {
    /// About five minutes.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        messages: 5_000,
        single_rounds: 3,
        single_messages: 1_000,
        latencies: 50,
    };
    /// About two minutes.
    pub(crate) const QUICK: Self = Self {
        rounds: 3,
        messages: 2_000,
        single_rounds: 3,
        single_messages: 400,
        latencies: 50,
    };
}

/// The accounts that receive.
pub(crate) fn accounts() -> Vec<String> {
    (0..ACCOUNTS)
        .map(|number| format!("user{number}"))
        .collect()
}

/// Everything a measurement needs.
#[derive(Debug)]
struct Bench<'a> {
    servers: &'a Pair<Server>,
    certificate: &'a Certificate,
    corpus: Corpus,
    accounts: Vec<String>,
    plan: Plan,
    /// Messages that each side was given so far, for each account.
    given: Pair<Vec<u64>>,
    /// Messages made so far: each is new.
    made: u64,
}

/// Measures both servers.
pub(crate) fn run(
    servers: &Pair<Server>,
    certificate: &Certificate,
    plan: Plan,
    run: u64,
) -> Result<Report> {
    let accounts = accounts();
    let given = Pair {
        ours: vec![0; accounts.len()],
        peer: vec![0; accounts.len()],
    };
    let corpus = Corpus::new(run);
    let mut bench = Bench {
        servers,
        certificate,
        corpus,
        accounts,
        plan,
        given,
        made: 0,
    };
    let mut report = Report::default();
    bench.memory("idle_memory", &mut report);
    bench.memory_under_load(&mut report)?;
    bench.throughput(&mut report)?;
    bench.one_session(&mut report)?;
    bench.latency(&mut report)?;
    bench.memory("memory_after_load", &mut report);
    Ok(report)
}

impl Bench<'_> {
    /// Memory while nothing happens.
    fn memory(&self, metric: &str, report: &mut Report) {
        pause(SETTLE);
        let mut samples = Samples::default();
        for side in Side::BOTH {
            samples
                .of_mut(side)
                .push(memory_mib(&self.servers.of(side).masters));
        }
        report.add(metric, "MiB", Better::Less, &samples);
    }

    /// The first round warms up, and only it pays for reading memory maps.
    fn memory_under_load(&mut self, report: &mut Report) -> Result<()> {
        let mut samples = Samples::default();
        for side in Side::BOTH {
            let masters = self.servers.of(side).masters.clone();
            let load = self.load(side, SESSIONS, self.plan.messages);
            let most = load.memory(self.servers.of(side), &masters)?;
            samples.of_mut(side).push(most);
            self.count(side)?;
        }
        report.add("memory_under_load", "MiB", Better::Less, &samples);
        Ok(())
    }

    fn throughput(&mut self, report: &mut Report) -> Result<()> {
        let mut delivered = Samples::default();
        let mut accepted = Samples::default();
        let mut cpu = Samples::default();
        let messages = self.plan.messages as f64;
        for round in 1..=self.plan.rounds {
            progress(&format!(
                "{SESSIONS} sessions, round {round} of {}",
                self.plan.rounds
            ));
            for side in Side::BOTH {
                let flow = self.flow(side, SESSIONS, self.plan.messages)?;
                delivered.of_mut(side).push(messages / flow.delivered);
                accepted.of_mut(side).push(messages / flow.accepted);
                cpu.of_mut(side).push(1_000.0 * flow.cpu / messages);
            }
        }
        report.add("delivered_per_second", "1/s", Better::More, &delivered);
        report.add("accepted_per_second", "1/s", Better::More, &accepted);
        report.add("cpu_per_message", "ms", Better::Less, &cpu);
        Ok(())
    }

    fn one_session(&mut self, report: &mut Report) -> Result<()> {
        let mut delivered = Samples::default();
        for round in 1..=self.plan.single_rounds {
            progress(&format!(
                "1 session, round {round} of {}",
                self.plan.single_rounds
            ));
            for side in Side::BOTH {
                let flow = self.flow(side, 1, self.plan.single_messages)?;
                delivered
                    .of_mut(side)
                    .push(self.plan.single_messages as f64 / flow.delivered);
            }
        }
        report.add(
            "delivered_per_second_1_session",
            "1/s",
            Better::More,
            &delivered,
        );
        Ok(())
    }

    fn latency(&mut self, report: &mut Report) -> Result<()> {
        let (mut accept, mut push, mut both) = <(Samples, Samples, Samples)>::default();
        progress("latency of one message at a time");
        for side in Side::BOTH {
            let load = self.load(side, 1, self.plan.latencies as u64);
            for delay in latency::measure(self.servers.of(side), self.certificate, &load)? {
                accept.of_mut(side).push(delay.accept_ms);
                push.of_mut(side).push(delay.push_ms.max(LEAST_MS));
                both.of_mut(side).push(delay.accept_ms + delay.push_ms);
            }
            self.count(side)?;
        }
        report.add("latency_end_of_data_to_250_ms", "ms", Better::Less, &accept);
        report.add("latency_250_to_idle_ms", "ms", Better::Less, &push);
        report.add("latency_end_of_data_to_idle_ms", "ms", Better::Less, &both);
        Ok(())
    }

    /// Messages for `sessions`; they count as given from now on.
    fn load(&mut self, side: Side, sessions: usize, messages: u64) -> Load {
        let first = self.made;
        self.made += messages;
        let load = Load::new(
            &self.corpus,
            &self.accounts,
            sessions,
            first..first + messages,
        );
        for (given, more) in self.given.of_mut(side).iter_mut().zip(load.per_account()) {
            *given += more;
        }
        load
    }

    fn flow(&mut self, side: Side, sessions: usize, messages: u64) -> Result<load::Flow> {
        let load = self.load(side, sessions, messages);
        let server = self.servers.of(side);
        // Connected before the clock runs: a sign-in costs some servers more than messages do.
        let mut mailboxes = Vec::new();
        for (account, given) in self.accounts.iter().zip(self.given.of(side)) {
            let imap = Imap::connect(server, self.certificate, account)?;
            mailboxes.push(load::Mailbox {
                account: account.clone(),
                imap,
                given: *given,
            });
        }
        load.flow(server, &mut mailboxes)
    }

    /// Waits until every mailbox of `side` holds what it was given.
    fn count(&self, side: Side) -> Result<()> {
        let server = self.servers.of(side);
        for (account, given) in self.accounts.iter().zip(self.given.of(side)) {
            let imap = Imap::connect(server, self.certificate, account)?;
            load::Mailbox {
                account: account.clone(),
                imap,
                given: *given,
            }
            .wait(server)?;
        }
        Ok(())
    }
}

/// A mailbox has not what it was given.
fn mismatch(server: &Server, account: &str, found: u64, expected: u64) -> Error {
    let what = format!("the number of messages of {account}");
    Error::Mismatch {
        server: server.name,
        what,
        found,
        expected,
    }
}

/// An account's address by its position.
fn recipient(accounts: &[String], position: usize) -> String {
    accounts
        .get(position % accounts.len().max(1))
        .map_or_else(String::new, |name| address(name))
}
