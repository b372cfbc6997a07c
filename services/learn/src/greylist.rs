//! Asking unknown senders to try again: most software that only sends spam does not.
//!
//! RFC 6647. A client's network, sender and recipient together are refused for a
//! while, let through when they come again in time, and known from then on. A network that has
//! passed several times is known as a whole.

use std::net::IpAddr;

use ambient::Timestamp;
use store::{Db, Reader, Tx};

use crate::Error;
use crate::bounded::{Bounded, bounded};
use crate::hash::{fold, key, network};

/// The most triplets that are remembered.
pub const MAX_TRIPLETS: i64 = 500_000;

/// The most networks that are remembered.
pub const MAX_NETWORKS: i64 = 200_000;

/// Seconds by which an expiry is at least moved: a known triplet writes once a day at most.
const REFRESH: i64 = 86_400;

pub(crate) const BOUNDS: [Bounded; 2] = [
    bounded!("greylist", "triplet", "expires_at", MAX_TRIPLETS, 0),
    bounded!("greylist_network", "network", "expires_at", MAX_NETWORKS, 0),
];

const FIND: &str = "SELECT first_at, passed, expires_at FROM greylist WHERE triplet = ?1";
const SET: &str = "INSERT INTO greylist (triplet, first_at, passed, expires_at)
     VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (triplet) DO UPDATE SET first_at = ?2, passed = ?3, expires_at = ?4";
const FIND_NETWORK: &str = "SELECT passes, expires_at FROM greylist_network WHERE network = ?1";
const SET_NETWORK: &str = "INSERT INTO greylist_network (network, passes, expires_at)
     VALUES (?1, ?2, ?3)
     ON CONFLICT (network) DO UPDATE SET passes = ?2, expires_at = ?3";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[FIND, SET, FIND_NETWORK, SET_NETWORK];

/// The times of greylisting, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a new triplet is refused; 5 minutes.
    pub delay: i64,
    /// Until when after its first try it must come again; 24 hours.
    pub window: i64,
    /// How long it is known after the last time it came; 35 days.
    pub lifetime: i64,
    /// Triplets of a network that must pass until the network is known as a whole; 5. 0 switches
    /// this off.
    pub network_passes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delay: 300,
            window: 86_400,
            lifetime: 35 * 86_400,
            network_passes: 5,
        }
    }
}

/// Who writes to whom from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triplet {
    triplet: i64,
    network: i64,
}

impl Triplet {
    /// Of the client's address, the envelope's sender ("" for the null reverse-path) and one
    /// recipient.
    #[must_use]
    pub fn new(client: IpAddr, sender: &str, recipient: &str) -> Self {
        let network = network(client);
        let (sender, recipient) = (fold(sender), fold(recipient));
        let parts = [network.as_slice(), sender.as_bytes(), recipient.as_bytes()];
        Self {
            triplet: key("greylist", &parts),
            network: key("greylist-network", &[&network]),
        }
    }
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never seen, or too long ago: refuse for now.
    New {
        /// Seconds until it would pass.
        wait: i64,
    },
    /// Came again too early: refuse for now.
    Early {
        /// Seconds until it would pass.
        wait: i64,
    },
    /// Came again in time: let through.
    Passed,
    /// Has passed before, or its network is known: let through.
    Known,
}

/// A row of `greylist`.
#[derive(Debug, Clone, Copy)]
struct Seen {
    first: Timestamp,
    passed: bool,
    expires: Timestamp,
}

/// A row of `greylist_network`.
#[derive(Debug, Clone, Copy)]
struct Network {
    passes: u32,
    expires: Timestamp,
}

/// The verdict and the rows that change with it.
#[derive(Debug, Clone, Copy)]
struct Step {
    verdict: Verdict,
    seen: Option<Seen>,
    network: Option<Network>,
}

/// The greylist. A clone is another handle of the same.
#[derive(Debug, Clone)]
pub struct Greylist {
    db: Db,
    options: Options,
}

impl Greylist {
    pub(crate) fn new(db: Db, options: Options) -> Self {
        Self { db, options }
    }

    /// Judges a message that came at `now` and remembers that it came. Writes only when something
    /// changes; what changed is on disk before the answer.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn check(&self, triplet: Triplet, now: Timestamp) -> Result<Verdict, Error> {
        let options = self.options;
        let step = self
            .db
            .read::<_, store::Error, _>(move |rx| options.step(rx, triplet, now))
            .await?;
        if step.seen.is_none() && step.network.is_none() {
            return Ok(step.verdict);
        }
        let verdict = self
            .db
            .write::<_, store::Error, _>(move |tx| {
                let step = options.step(tx, triplet, now)?;
                step.write(tx, triplet)?;
                Ok(step.verdict)
            })
            .await?;
        Ok(verdict)
    }

    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        let mut deleted = 0;
        for bound in BOUNDS {
            deleted += bound.purge(&self.db, now).await?;
        }
        Ok(deleted)
    }
}

impl Options {
    fn step(
        &self,
        rx: &mut dyn Reader,
        triplet: Triplet,
        now: Timestamp,
    ) -> Result<Step, store::Error> {
        let seen = rx.query_one(FIND, &[triplet.triplet.into()], |row| {
            Ok(Seen {
                first: row.time(0)?,
                passed: row.bool(1)?,
                expires: row.time(2)?,
            })
        })?;
        let network = rx.query_one(FIND_NETWORK, &[triplet.network.into()], |row| {
            Ok(Network {
                passes: row.u32(0)?,
                expires: row.time(1)?,
            })
        })?;
        let seen = seen.filter(|seen| seen.expires > now);
        let network = network.filter(|network| network.expires > now);
        Ok(self.judge(seen, network, now))
    }

    /// The rules. Rows that have expired are not handed in.
    fn judge(&self, seen: Option<Seen>, network: Option<Network>, now: Timestamp) -> Step {
        let expires = now.plus(self.lifetime);
        let due = |old: Timestamp| expires.since(old) >= REFRESH;
        let step = |verdict, seen, network| Step {
            verdict,
            seen,
            network,
        };
        if let Some(network) = network
            && self.network_passes > 0
            && network.passes >= self.network_passes
        {
            let refreshed = due(network.expires).then_some(Network { expires, ..network });
            return step(Verdict::Known, None, refreshed);
        }
        let Some(seen) = seen else {
            let new = Seen {
                first: now,
                passed: false,
                expires: now.plus(self.window),
            };
            return step(Verdict::New { wait: self.delay }, Some(new), None);
        };
        if seen.passed {
            let refreshed = due(seen.expires).then_some(Seen { expires, ..seen });
            return step(Verdict::Known, refreshed, None);
        }
        let wait = self.delay.saturating_sub(now.since(seen.first));
        if wait > 0 {
            let wait = wait.min(self.delay);
            return step(Verdict::Early { wait }, None, None);
        }
        let passed = Seen {
            first: seen.first,
            passed: true,
            expires,
        };
        let passes = network
            .map_or(0, |network| network.passes)
            .saturating_add(1);
        step(
            Verdict::Passed,
            Some(passed),
            Some(Network { passes, expires }),
        )
    }
}

impl Step {
    fn write(&self, tx: &mut dyn Tx, triplet: Triplet) -> Result<(), store::Error> {
        if let Some(seen) = self.seen {
            let row = [
                triplet.triplet.into(),
                seen.first.into(),
                seen.passed.into(),
                seen.expires.into(),
            ];
            tx.exec(SET, &row)?;
        }
        if let Some(network) = self.network {
            let row = [
                triplet.network.into(),
                network.passes.into(),
                network.expires.into(),
            ];
            tx.exec(SET_NETWORK, &row)?;
        }
        Ok(())
    }
}
