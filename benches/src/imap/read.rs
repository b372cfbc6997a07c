//! Operations that change nothing.

use super::{BIG, Bench, Costs};
use crate::client::imap::{Imap, Tally};
use crate::corpus::{NEEDLE, TOPIC};
use crate::error::Result;
use crate::report::{Better, Pair, Samples, Side, progress};
use crate::statistics::repetitions;

/// Short operations are repeated until a sample has about this many seconds, because CPU time is
/// counted in hundredths.
const SAMPLE: f64 = 0.5;
const MOST_REPETITIONS: u32 = 200;
/// Sessions of a round that select.
const SELECTS: usize = 10;

/// A command and how its answer is checked.
struct Operation {
    metric: &'static str,
    command: String,
    /// The number in the answer that must be `expected`.
    counted: fn(&Tally) -> u64,
    expected: u64,
}

impl Bench<'_> {
    pub(super) fn read(&mut self) -> Result<()> {
        let mut sessions = self.selected()?;
        self.envelopes_first(&mut sessions)?;
        for operation in self.operations() {
            progress(operation.metric);
            let costs = self.measure(&mut sessions, &operation)?;
            self.add(operation.metric, &costs);
        }
        self.select()
    }

    /// In a new session each time, as clients do; too short for its CPU time to be seen.
    fn select(&mut self) -> Result<()> {
        progress("select");
        let mut times = Samples::default();
        for _ in 0..self.plan.rounds {
            for side in Side::BOTH {
                for _ in 0..SELECTS {
                    let mut session = self.connect(side)?;
                    let mut tally = Tally::default();
                    let cost = self.cost(side, || {
                        tally = session.command(&format!("SELECT {BIG}"))?;
                        Ok(())
                    })?;
                    self.check(
                        side,
                        "EXISTS after SELECT",
                        tally.exists,
                        self.plan.messages,
                    )?;
                    times.of_mut(side).push(cost.wall * 1_000.0);
                }
            }
        }
        self.report.add("select", "ms", Better::Less, &times);
        Ok(())
    }

    fn operations(&self) -> Vec<Operation> {
        let (count, part) = (self.expected.count, self.plan.part);
        let operation = |metric, command, counted, expected| Operation {
            metric,
            command,
            counted,
            expected,
        };
        vec![
            operation(
                "fetch_flags",
                "FETCH 1:* (FLAGS)".to_owned(),
                |tally| tally.fetches,
                count,
            ),
            envelope("fetch_envelope", count),
            operation(
                "search_subject",
                format!("UID SEARCH SUBJECT {TOPIC}"),
                |tally| tally.hits,
                self.expected.topics,
            ),
            operation(
                "search_text",
                format!("UID SEARCH TEXT {NEEDLE}"),
                |tally| tally.hits,
                self.expected.needles,
            ),
            operation(
                "fetch_bodies",
                format!("FETCH 1:{part} (BODY.PEEK[])"),
                |tally| tally.literal_octets,
                self.part_octets,
            ),
        ]
    }

    /// Before anything has asked for envelopes: a server that caches them has to read the messages.
    fn envelopes_first(&mut self, sessions: &mut Pair<Imap>) -> Result<()> {
        let operation = envelope("fetch_envelope_first", self.expected.count);
        progress(operation.metric);
        let mut costs = Costs::default();
        for side in Side::BOTH {
            let session = sessions.of_mut(side);
            costs.push(
                side,
                self.cost(side, || self.once(side, session, &operation))?,
            );
        }
        self.add(operation.metric, &costs);
        Ok(())
    }

    fn measure(&self, sessions: &mut Pair<Imap>, operation: &Operation) -> Result<Costs> {
        let mut times = Pair { ours: 1, peer: 1 };
        for side in Side::BOTH {
            let session = sessions.of_mut(side);
            let warm = self.cost(side, || self.once(side, session, operation))?;
            *times.of_mut(side) = repetitions(warm.wall, SAMPLE, MOST_REPETITIONS);
        }
        let mut costs = Costs::default();
        for _ in 0..self.plan.rounds {
            for side in Side::BOTH {
                let (session, times) = (sessions.of_mut(side), *times.of(side));
                let mut cost = self.cost(side, || {
                    (0..times).try_for_each(|_| self.once(side, session, operation))
                })?;
                cost.wall /= f64::from(times);
                cost.cpu /= f64::from(times);
                costs.push(side, cost);
            }
        }
        Ok(costs)
    }

    fn once(&self, side: Side, session: &mut Imap, operation: &Operation) -> Result<()> {
        let tally = session.command(&operation.command)?;
        self.check(
            side,
            operation.metric,
            (operation.counted)(&tally),
            operation.expected,
        )
    }
}

fn envelope(metric: &'static str, expected: u64) -> Operation {
    let command = "FETCH 1:* (ENVELOPE)".to_owned();
    Operation {
        metric,
        command,
        counted: |tally| tally.fetches,
        expected,
    }
}
