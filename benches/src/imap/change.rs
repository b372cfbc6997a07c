//! Operations that must be on disk when they are answered.

use super::{BIG, Bench, Cost, Costs};
use crate::client::imap::Imap;
use crate::error::Result;
use crate::report::{Better, Pair, Samples, Side, progress};

/// Where copies and appended messages go; made and deleted in each round.
const OTHER: &str = "Other";

impl Bench<'_> {
    pub(super) fn change(&mut self) -> Result<()> {
        let mut sessions = self.selected()?;
        self.store_flags(&mut sessions)?;
        self.copy_and_expunge(&mut sessions)?;
        self.append(&mut sessions)?;
        for side in Side::BOTH {
            let found = sessions.of_mut(side).messages(BIG)?;
            self.check(side, "STATUS at the end", found, self.plan.messages)?;
        }
        Ok(())
    }

    /// One flag for all messages; taking it away again is not measured.
    fn store_flags(&mut self, sessions: &mut Pair<Imap>) -> Result<()> {
        progress("store_flags");
        let mut costs = Costs::default();
        for round in 0..=self.plan.rounds {
            for side in Side::BOTH {
                let session = sessions.of_mut(side);
                let cost = self.cost(side, || {
                    session
                        .command("STORE 1:* +FLAGS.SILENT (\\Flagged)")
                        .map(drop)
                })?;
                let flagged = session.command("UID SEARCH FLAGGED")?.hits;
                self.check(side, "flagged messages", flagged, self.plan.messages)?;
                session.command("STORE 1:* -FLAGS.SILENT (\\Flagged)")?;
                if round > 0 {
                    costs.push(side, cost);
                }
            }
        }
        self.add("store_flags", &costs);
        Ok(())
    }

    fn copy_and_expunge(&mut self, sessions: &mut Pair<Imap>) -> Result<()> {
        progress("copy and expunge");
        let (mut copies, mut expunges) = <(Costs, Costs)>::default();
        for round in 0..=self.plan.rounds {
            for side in Side::BOTH {
                let (copy, expunge) = self.copied_and_expunged(side, sessions.of_mut(side))?;
                if round > 0 {
                    copies.push(side, copy);
                    expunges.push(side, expunge);
                }
            }
        }
        self.add("copy", &copies);
        self.add("expunge", &expunges);
        Ok(())
    }

    fn copied_and_expunged(&self, side: Side, session: &mut Imap) -> Result<(Cost, Cost)> {
        let part = self.plan.part;
        renew(session)?;
        let copy = self.cost(side, || {
            session.command(&format!("COPY 1:{part} {OTHER}")).map(drop)
        })?;
        self.check(side, "STATUS after COPY", session.messages(OTHER)?, part)?;
        session.command(&format!("SELECT {OTHER}"))?;
        session.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
        let mut expunged = 0;
        let expunge = self.cost(side, || {
            expunged = session.command("EXPUNGE")?.expunged;
            Ok(())
        })?;
        self.check(side, "expunged messages", expunged, part)?;
        session.command(&format!("SELECT {BIG}"))?;
        self.check(side, "STATUS after EXPUNGE", session.messages(OTHER)?, 0)?;
        Ok((copy, expunge))
    }

    /// One connection, one message at a time, each answer awaited.
    fn append(&mut self, sessions: &mut Pair<Imap>) -> Result<()> {
        progress("append");
        let count = self.plan.appends;
        let messages: Vec<Vec<u8>> = (0..count)
            .map(|number| self.corpus.message(number))
            .collect();
        let (mut rate, mut cpu) = <(Samples, Samples)>::default();
        for round in 0..=self.plan.rounds {
            for side in Side::BOTH {
                let session = sessions.of_mut(side);
                renew(session)?;
                let cost = self.cost(side, || {
                    messages
                        .iter()
                        .try_for_each(|message| session.append(OTHER, message))
                })?;
                self.check(side, "STATUS after APPEND", session.messages(OTHER)?, count)?;
                if round > 0 {
                    rate.of_mut(side).push(count as f64 / cost.wall);
                    cpu.of_mut(side).push(1_000.0 * cost.cpu / count as f64);
                }
            }
        }
        self.report.add("append", "1/s", Better::More, &rate);
        self.report.add("append_cpu", "ms", Better::Less, &cpu);
        Ok(())
    }
}

/// Makes [`OTHER`] new and empty.
fn renew(session: &mut Imap) -> Result<()> {
    session.try_command(&format!("DELETE {OTHER}"))?;
    session.command(&format!("CREATE {OTHER}")).map(drop)
}
