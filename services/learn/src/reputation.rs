//! What came before from the same address, network, domain, sender or AS.
//!
//! Each key has a sum of spam and one of ham that halve every [`HALF_LIFE`]. Verdicts are collected
//! in memory and written together: by [`Reputations::flush`], and as soon as [`MOST_PENDING`] keys
//! wait. Those not yet written are lost when the process is killed; that is accepted, because no
//! single verdict matters.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ambient::{Clock, Timestamp};
use store::{Db, Reader, Tx};

use crate::Error;
use crate::bayes::Class;
use crate::bounded::{Bounded, bounded};
use crate::hash::{fold, key, network};

/// Seconds until a message counts half.
pub const HALF_LIFE: i64 = 30 * 86_400;

/// The most keys that are remembered.
pub const MAX_KEYS: i64 = 500_000;

/// Keys that wait to be written until they are.
pub const MOST_PENDING: usize = 1_000;

/// Keys kept in memory after reading.
const MOST_CACHED: usize = 20_000;

/// Six half-lives: 64 messages count as one.
const LIFETIME: i64 = 6 * HALF_LIFE;

/// Neutral messages every key starts with, so that one message does not make a reputation.
const NEUTRAL: f64 = 5.0;

/// Sums are stored in this unit.
const UNIT: f64 = 1_000.0;

/// No sum grows beyond this many messages.
const MOST: f64 = 1_000_000.0;

pub(crate) const BOUND: Bounded = bounded!(
    "reputation",
    "kind, subject",
    "changed_at",
    MAX_KEYS,
    LIFETIME
);

const FIND: &str = "SELECT ham, spam, changed_at FROM reputation WHERE kind = ?1 AND subject = ?2";
const SET: &str = "INSERT INTO reputation (kind, subject, ham, spam, changed_at)
     VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (kind, subject) DO UPDATE SET ham = ?3, spam = ?4, changed_at = ?5";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[FIND, SET];

/// What a reputation is about. Domains and senders are only worth remembering when they are
/// verified (DKIM, SPF): others can be forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The address of a client.
    Address(IpAddr),
    /// Its /24 or /64.
    Network(IpAddr),
    /// The author's domain.
    Domain(&'a str),
    /// The author's address.
    Sender(&'a str),
    /// The autonomous system that announces the client's address, as text.
    System(&'a str),
}

type Key = (u8, i64);

impl Subject<'_> {
    fn key(&self) -> Key {
        match self {
            Self::Address(address) => {
                let text = address.to_canonical().to_string();
                (0, key("reputation", &[text.as_bytes()]))
            }
            Self::Network(address) => (1, key("reputation", &[&network(*address)])),
            Self::Domain(text) => (2, key("reputation", &[fold(text).as_bytes()])),
            Self::Sender(text) => (3, key("reputation", &[fold(text).as_bytes()])),
            Self::System(text) => (4, key("reputation", &[fold(text).as_bytes()])),
        }
    }
}

/// What is known of a subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reputation {
    /// From -1 (only ham) to 1 (only spam); 0 is unknown or mixed. Few messages stay near 0.
    pub spaminess: f64,
    /// How many messages it rests on, the old ones counted less.
    pub weight: f64,
}

/// Sums as of a time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    ham: f64,
    spam: f64,
    at: Timestamp,
}

impl Sums {
    /// The same at another time. A clock that was set back does not make sums grow.
    fn at(self, now: Timestamp) -> Self {
        let elapsed = now.since(self.at).clamp(0, 64 * HALF_LIFE);
        let factor = half_lives(elapsed);
        Self {
            ham: self.ham * factor,
            spam: self.spam * factor,
            at: self.at.max(now),
        }
    }

    fn plus(self, other: Self) -> Self {
        let at = self.at.max(other.at);
        let (one, two) = (self.at(at), other.at(at));
        Self {
            ham: (one.ham + two.ham).min(MOST),
            spam: (one.spam + two.spam).min(MOST),
            at,
        }
    }

    fn reputation(self) -> Reputation {
        let weight = self.ham + self.spam;
        Reputation {
            spaminess: (self.spam - self.ham) / (weight + NEUTRAL),
            weight,
        }
    }
}

/// What is left of 1 after `elapsed` seconds: 0.5 to the power of the half-lives.
fn half_lives(elapsed: i64) -> f64 {
    let seconds = u32::try_from(elapsed).unwrap_or(u32::MAX);
    let half_life = u32::try_from(HALF_LIFE).unwrap_or(u32::MAX);
    libm::exp2(-f64::from(seconds) / f64::from(half_life))
}

/// Verdicts not yet written, and what was read. Keys are in at most one of `waiting` and `writing`
/// per flush; a key's sums are those on disk plus both.
#[derive(Debug, Default)]
struct Memory {
    waiting: BTreeMap<Key, Sums>,
    writing: BTreeMap<Key, Sums>,
    /// What the database says, `Sums::default()` for no row.
    read: BTreeMap<Key, Sums>,
}

impl Memory {
    fn remember(&mut self, key: Key, sums: Sums) {
        if self.read.len() >= MOST_CACHED {
            // Keys are hashes: dropping every second one is as good as any other choice.
            let mut keep = false;
            self.read.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        self.read.insert(key, sums);
    }
}

/// Reputations. A clone is another handle of the same.
#[derive(Debug, Clone)]
pub struct Reputations {
    db: Db,
    clock: Arc<dyn Clock>,
    memory: Arc<Mutex<Memory>>,
    /// One flush at a time.
    flushing: Arc<tokio::sync::Mutex<()>>,
}

impl Reputations {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            clock,
            memory: Arc::default(),
            flushing: Arc::default(),
        }
    }

    /// Notes the verdict on one message for each of `subjects`. Writes if many wait.
    ///
    /// # Errors
    /// Those of the database; the verdict is noted all the same.
    pub async fn note(&self, subjects: &[Subject<'_>], class: Class) -> Result<(), Error> {
        let now = self.clock.now();
        let (ham, spam) = match class {
            Class::Ham => (1.0, 0.0),
            Class::Spam => (0.0, 1.0),
        };
        let one = Sums { ham, spam, at: now };
        let full = {
            let mut memory = self.memory();
            for subject in subjects {
                let sums = memory.waiting.entry(subject.key()).or_default();
                *sums = sums.plus(one);
            }
            memory.waiting.len() >= MOST_PENDING
        };
        if full { self.flush().await } else { Ok(()) }
    }

    /// What is known of each of `subjects` at this moment, in their order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn scores(&self, subjects: &[Subject<'_>]) -> Result<Vec<Reputation>, Error> {
        let keys: Vec<Key> = subjects.iter().map(Subject::key).collect();
        let missing: Vec<Key> = {
            let memory = self.memory();
            let unread = |key: &Key| !memory.read.contains_key(key);
            keys.iter().copied().filter(unread).collect()
        };
        if !missing.is_empty() {
            // No flush between reading and remembering: what was read would be outdated.
            let gate = self.flushing.lock().await;
            let found = self
                .db
                .read::<_, store::Error, _>(move |rx| {
                    let read = |key| Ok((key, find(rx, key)?.unwrap_or_default()));
                    missing.into_iter().map(read).collect::<Result<Vec<_>, _>>()
                })
                .await?;
            let mut memory = self.memory();
            for (key, sums) in found {
                memory.remember(key, sums);
            }
            drop(gate);
        }
        let now = self.clock.now();
        let memory = self.memory();
        let sums = |key: &Key| {
            [&memory.read, &memory.writing, &memory.waiting]
                .into_iter()
                .filter_map(|sums| sums.get(key))
                .fold(Sums::default(), |all, sums| all.plus(*sums))
        };
        Ok(keys
            .iter()
            .map(|key| sums(key).at(now).reputation())
            .collect())
    }

    /// What is known of one subject at this moment.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn score(&self, subject: Subject<'_>) -> Result<Reputation, Error> {
        let scores = self.scores(&[subject]).await?;
        Ok(scores
            .first()
            .copied()
            .unwrap_or(Sums::default().reputation()))
    }

    /// Writes what waits, in one transaction.
    ///
    /// # Errors
    /// Those of the database; what waits goes on waiting.
    pub async fn flush(&self) -> Result<(), Error> {
        let gate = self.flushing.lock().await;
        let batch = {
            let mut memory = self.memory();
            // A flush that was cut short may have been written or not: its verdicts are given up.
            memory.writing = std::mem::take(&mut memory.waiting);
            memory.writing.clone()
        };
        if batch.is_empty() {
            return Ok(());
        }
        let written = self
            .db
            .write::<_, store::Error, _>(move |tx| write(tx, &batch))
            .await;
        let mut memory = self.memory();
        let batch = std::mem::take(&mut memory.writing);
        match &written {
            Ok(written) => {
                for (key, sums) in written {
                    memory.remember(*key, *sums);
                }
            }
            Err(_) => {
                for (key, sums) in batch {
                    let waiting = memory.waiting.entry(key).or_default();
                    *waiting = waiting.plus(sums);
                }
            }
        }
        drop(memory);
        drop(gate);
        written.map(drop).map_err(Error::from)
    }

    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        self.flush().await?;
        let deleted = BOUND.purge(&self.db, now).await?;
        if deleted > 0 {
            self.memory().read.clear();
        }
        Ok(deleted)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(rx: &mut dyn Reader, (kind, subject): Key) -> Result<Option<Sums>, store::Error> {
    rx.query_one(FIND, &[kind.into(), subject.into()], |row| {
        Ok(Sums {
            ham: f64::from(row.u32(0)?) / UNIT,
            spam: f64::from(row.u32(1)?) / UNIT,
            at: row.time(2)?,
        })
    })
}

/// Adds `batch` to what is there; answers the sums as they would be read now.
fn write(tx: &mut dyn Tx, batch: &BTreeMap<Key, Sums>) -> Result<Vec<(Key, Sums)>, store::Error> {
    let mut written = Vec::with_capacity(batch.len());
    for (&key, &more) in batch {
        let (ham, spam, at) = {
            let all = find(tx, key)?.unwrap_or_default().plus(more);
            (units(all.ham), units(all.spam), all.at)
        };
        let (kind, subject) = key;
        let row = [
            kind.into(),
            subject.into(),
            ham.into(),
            spam.into(),
            at.into(),
        ];
        tx.exec(SET, &row)?;
        let sums = Sums {
            ham: f64::from(ham) / UNIT,
            spam: f64::from(spam) / UNIT,
            at,
        };
        written.push((key, sums));
    }
    Ok(written)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sums are between 0 and MOST, and MOST * UNIT fits into 32 bits"
)]
fn units(sum: f64) -> u32 {
    (sum * UNIT + 0.5) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_halve_every_half_life_and_a_clock_set_back_changes_nothing() {
        let sums = Sums {
            ham: 8.0,
            spam: 4.0,
            at: Timestamp(1_000),
        };
        let later = sums.at(Timestamp(1_000).plus(3 * HALF_LIFE));
        assert_eq!((later.ham, later.spam), (1.0, 0.5));
        assert_eq!(sums.at(Timestamp(0)), sums);
        assert!(sums.at(Timestamp(i64::MAX)).ham < 1e-9);
    }

    #[test]
    fn a_few_messages_are_no_reputation_and_many_are() {
        let of = |ham, spam| {
            Sums {
                ham,
                spam,
                at: Timestamp(0),
            }
            .reputation()
            .spaminess
        };
        assert!(of(0.0, 1.0) < 0.2);
        assert!(of(0.0, 100.0) > 0.95);
        assert!(of(100.0, 0.0) < -0.95);
        assert_eq!(of(0.0, 0.0), 0.0);
    }

    #[test]
    fn kinds_do_not_share_keys_and_names_ignore_case() {
        assert_ne!(
            Subject::Domain("a.example").key(),
            Subject::Sender("a.example").key()
        );
        assert_eq!(
            Subject::Domain("A.Example").key(),
            Subject::Domain("a.example").key()
        );
        let mapped = Subject::Address("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(
            mapped.key(),
            Subject::Address("192.0.2.1".parse().unwrap()).key()
        );
        assert!(units(MOST) == 1_000_000_000);
    }
}
