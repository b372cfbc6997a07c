//! Mail for a host elsewhere: submitted, relayed, and found at a sink.
//!
//! A message may come twice for one reason only: the server was gone between the other host's reply
//! and its own note of it. The sink knows which replies those may have been.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::client::Smtp;

use crate::figure::{Figures, Target};
use crate::ledger::{self, Ledger};
use crate::sink::{Account, digest};

/// Somebody elsewhere.
const AWAY: &str = "somebody@away.test";

/// A session of the load's account at a port for submission.
pub(crate) async fn session(address: SocketAddr) -> io::Result<Smtp> {
    let config = tls::outbound_config(tls::Verification::Opportunistic);
    let smtp = Smtp::connect(address).await?;
    let mut smtp = smtp
        .start_tls(config.map_err(io::Error::other)?, "localhost")
        .await?;
    smtp.authenticate(ledger::ACCOUNT, ledger::PASSWORD).await?;
    Ok(smtp)
}

/// Submits messages with a pause between them until told to stop, and enters into the ledger what was accepted.
pub(crate) async fn submit(
    address: SocketAddr,
    pause: Duration,
    ledger: &Ledger,
    stop: &AtomicBool,
) -> io::Result<()> {
    while !stop.load(Ordering::SeqCst) {
        let mut smtp = session(address).await?;
        while !stop.load(Ordering::SeqCst) {
            let number = ledger.take();
            let message = ledger::submission_of(number);
            match smtp.deliver(ledger::ACCOUNT, &[AWAY], &message).await? {
                (250, _) => {
                    ledger.submitted(number);
                    tokio::time::sleep(pause).await;
                }
                (400..500, _) => {
                    ledger.refused();
                    tokio::time::sleep(ledger::PAUSE).await;
                    break;
                }
                reply => panic!("refused: {reply:?}\n{}", smtp.client.log()),
            }
        }
    }
    Ok(())
}

/// What became of mail that was submitted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relayed {
    /// Messages that were looked for.
    checked: usize,
    /// Messages that did not come.
    lost: usize,
    /// Messages that came with other octets.
    damaged: usize,
    /// Copies beyond the first.
    twice: usize,
    /// Of those, copies that no reply in flight accounts for.
    unexplained: usize,
}

impl Relayed {
    /// Compares what was acknowledged with what came to all hosts together.
    pub(crate) fn of(submitted: &BTreeSet<u64>, accounts: &[Account]) -> Self {
        let mut came: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut unread: BTreeMap<u64, usize> = BTreeMap::new();
        for account in accounts {
            for arrival in &account.arrivals {
                if let Ok(number) = arrival.subject.parse() {
                    came.entry(number).or_default().push(arrival.digest);
                }
            }
            for number in account.unread.iter().filter_map(|one| one.parse().ok()) {
                *unread.entry(number).or_default() += 1;
            }
        }
        let mut relayed = Self {
            checked: submitted.len(),
            lost: submitted
                .iter()
                .filter(|one| !came.contains_key(one))
                .count(),
            ..Self::default()
        };
        for (number, copies) in came {
            let wanted = digest(&ledger::submission_of(number));
            relayed.damaged += copies.iter().filter(|one| **one != wanted).count();
            let more = copies.len() - 1;
            relayed.twice += more;
            relayed.unexplained += more.saturating_sub(unread.get(&number).copied().unwrap_or(0));
        }
        relayed
    }

    /// Adds what another look found.
    pub(crate) fn add(&mut self, other: &Self) {
        self.checked += other.checked;
        self.lost += other.lost;
        self.damaged += other.damaged;
        self.twice += other.twice;
        self.unexplained += other.unexplained;
    }

    /// Says what became of it, with as many operations acknowledged in all.
    pub(crate) fn tell(&self, acknowledged: usize, figures: &mut Figures) {
        figures.checked(self.checked);
        figures.count(
            "submitted messages looked for",
            self.checked,
            Target::AtLeast(1.0),
        );
        for (what, count) in [
            ("submitted messages lost", self.lost),
            ("submitted messages damaged", self.damaged),
            ("relayed twice without a reply in flight", self.unexplained),
        ] {
            figures.count(what, count, Target::Exactly(0.0));
        }
        figures.count(
            "relayed twice, a reply in flight",
            self.twice,
            Target::Shown,
        );
        let share = self.twice as f64 / acknowledged.max(1) as f64 * 100.0;
        let what = "relayed twice, of all acknowledged";
        figures.measure(what, share, "%", Target::AtMost(0.05));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::sink::Arrival;

    fn arrival(number: u64) -> Arrival {
        Arrival {
            subject: number.to_string(),
            at: Instant::now(),
            recipients: 1,
            digest: digest(&ledger::submission_of(number)),
        }
    }

    #[test]
    fn a_copy_is_explained_by_a_reply_that_may_not_have_been_read() {
        let first = Account {
            arrivals: [1, 2, 3, 9].map(arrival).into(),
            unread: vec!["2".to_owned()],
        };
        let second = Account {
            arrivals: [2, 3].map(arrival).into(),
            unread: vec!["3".to_owned()],
        };
        let relayed = Relayed::of(&[1, 2, 3, 4].into(), &[first.clone(), second]);
        let wanted = Relayed {
            checked: 4,
            lost: 1,
            damaged: 0,
            twice: 2,
            unexplained: 0,
        };
        assert_eq!(relayed, wanted);
        let twice = Relayed::of(&[1].into(), &[first.clone(), first]);
        assert_eq!((twice.twice, twice.unexplained), (4, 3));
        let mut other = arrival(5);
        other.digest += 1;
        let damaged = Account {
            arrivals: vec![other],
            unread: Vec::new(),
        };
        assert_eq!(Relayed::of(&[5].into(), &[damaged]).damaged, 1);
    }
}
