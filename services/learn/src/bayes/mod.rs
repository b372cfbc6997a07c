//! The classifier: which words spam has and which ham has, for everybody and for each account.
//!
//! Counts live in memory ([`Model`], ten bytes a word and some room), loaded on first use; beyond
//! [`Options::cache_bytes`] those used longest ago are dropped. On disk they are pages plus a
//! journal: learning a message appends some kilobytes, and once the journal is about half as large
//! as the pages, it is folded into them. What was answered is on disk; loading gives exactly the
//! counts that were in memory.
//!
//! A message, named by a digest of its content, counts once per owner. It is remembered for
//! [`LEARNED_LIFETIME`]; learning it again after that counts it again.
//!
//! Start at [`Bayes`]; [`Tokens`] is what it reads of a message, [`Model`] how it judges.

mod cache;
mod model;
mod storage;
mod table;
mod token;

use std::sync::Arc;

use ambient::Timestamp;
use store::{AccountId, Db};

use crate::Error;
use crate::bounded::{Bounded, bounded};
use cache::{Cache, Cell};

pub use model::{Model, Score};
#[cfg(test)]
pub(crate) use storage::STATEMENTS;
pub use token::{MAX_MARK_TOKENS, MAX_TOKENS, MAX_WORD, MAX_WORD_TOKENS, Tokenizer, Tokens, Word};

/// Seconds for which a learned message is remembered, so that it counts once.
pub const LEARNED_LIFETIME: i64 = 180 * 86_400;

/// The most learned messages that are remembered, of all owners together.
pub const MAX_LEARNED: i64 = 1_000_000;

pub(crate) const LEARNED: Bounded = bounded!(
    "bayes_learned",
    "owner, digest",
    "learned_at",
    MAX_LEARNED,
    LEARNED_LIFETIME
);

/// How much the classifier remembers, and when it is believed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Messages of each class an owner must have learned before its opinion counts; 200.
    pub min_learns: u64,
    /// The most words of an account; 1,000,000.
    pub max_words: usize,
    /// The most words of everybody's; 2,000,000.
    pub max_global_words: usize,
    /// Memory for counts in bytes; 64 MiB. Those in use stay even beyond it.
    pub cache_bytes: usize,
    /// What an account learns, everybody learns too; true.
    pub also_global: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_learns: 200,
            max_words: 1_000_000,
            max_global_words: 2_000_000,
            cache_bytes: 64 * 1024 * 1024,
            also_global: true,
        }
    }
}

/// Whose counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Everybody's.
    Global,
    /// An account's own.
    Account(AccountId),
}

impl Owner {
    /// The key of its rows.
    fn key(self) -> i64 {
        match self {
            Self::Global => 0,
            Self::Account(account) => account.0,
        }
    }
}

/// What a person said a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wanted.
    Ham,
    /// Not wanted.
    Spam,
}

/// What happens to the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add(Class),
    Take(Class),
}

/// What learning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// The message is counted now.
    New,
    /// It was counted as the other class before; that was taken back.
    Changed,
    /// It was counted as this class before. Nothing changed.
    Already,
}

/// Whose counts gave the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The account's own.
    Account,
    /// Everybody's.
    Global,
    /// Nobody has learned enough.
    Nobody,
}

/// What the classifier makes of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classification {
    /// That it is spam, 0 to 1. `None` if nobody has learned enough or too few words are known.
    pub probability: Option<f64>,
    /// Whose counts said so.
    pub from: Source,
    /// How many of the message's tokens are known.
    pub known: u32,
    /// Spam messages those counts have learned.
    pub learned_spam: u64,
    /// Ham messages those counts have learned.
    pub learned_ham: u64,
}

impl Classification {
    /// The probability as the logarithm of its odds, -20 to 20: 0 is the middle, 2 is 88 % and 6 is
    /// 99.8 %. Where probabilities crowd near their ends, this still tells sure from surer.
    #[must_use]
    pub fn log_odds(&self) -> Option<f64> {
        // Never of 0 or 1: evidence is bounded. See `model.rs`.
        let odds = |probability: f64| libm::log(probability / (1.0 - probability));
        self.probability.map(odds)
    }
}

/// What an owner has learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Ham messages that count.
    pub learned_ham: u64,
    /// Spam messages that count.
    pub learned_spam: u64,
    /// Bytes of pages and journal on disk.
    pub bytes: u64,
    /// When it last learned something.
    pub changed_at: Option<Timestamp>,
}

/// The classifier. A clone is another handle of the same.
#[derive(Debug, Clone)]
pub struct Bayes {
    db: Db,
    cache: Arc<Cache>,
    options: Arc<Options>,
}

impl Bayes {
    pub(crate) fn new(db: Db, options: Options) -> Self {
        Self {
            db,
            cache: Arc::new(Cache::new(options.cache_bytes)),
            options: Arc::new(options),
        }
    }

    /// Judges a message by the account's own counts if it has learned enough, else by everybody's.
    ///
    /// # Errors
    /// Those of the database, and [`Error::Damaged`].
    pub async fn classify(&self, owner: Owner, tokens: &Tokens) -> Result<Classification, Error> {
        let candidates = [(owner, Source::Account), (Owner::Global, Source::Global)];
        let skip = usize::from(owner == Owner::Global);
        for (owner, from) in candidates.into_iter().skip(skip) {
            let cell = self.cache.cell(owner);
            let totals = cell.totals(&self.db).await?;
            if totals.learned_ham.min(totals.learned_spam) < self.options.min_learns {
                continue;
            }
            let score = self.score(owner, &cell, tokens).await?;
            return Ok(Classification {
                probability: score.probability,
                from,
                known: score.known,
                learned_spam: totals.learned_spam,
                learned_ham: totals.learned_ham,
            });
        }
        Ok(Classification {
            probability: None,
            from: Source::Nobody,
            known: 0,
            learned_spam: 0,
            learned_ham: 0,
        })
    }

    /// Loads the counts if need be.
    async fn score(&self, owner: Owner, cell: &Cell, tokens: &Tokens) -> Result<Score, Error> {
        let mut loaded = false;
        loop {
            // Others may have dropped what was just loaded, for lack of room.
            if let Some(score) = cell.score(tokens) {
                if loaded {
                    self.cache.trim();
                }
                return Ok(score);
            }
            let gate = cell.gate().await;
            cell.load(&self.db, self.limit(owner)).await?;
            drop(gate);
            loaded = true;
        }
    }

    /// Counts a message, named by `digest`, for an owner; with [`Options::also_global`] for
    /// everybody too. Taking back what was learned before relies on the same tokens being handed
    /// in. Answers after it is on disk, with what happened to the owner's own counts. Once begun
    /// it is completed, even if this future is dropped.
    ///
    /// # Errors
    /// [`Error::NoAccount`], those of the database, and [`Error::Damaged`].
    pub async fn learn(
        &self,
        owner: Owner,
        class: Class,
        digest: &[u8; 32],
        tokens: &Tokens,
    ) -> Result<Learned, Error> {
        self.change(owner, Some(class), digest, tokens).await
    }

    /// Takes a learned message back; says whether it was counted.
    ///
    /// # Errors
    /// As [`Bayes::learn`].
    pub async fn unlearn(
        &self,
        owner: Owner,
        digest: &[u8; 32],
        tokens: &Tokens,
    ) -> Result<bool, Error> {
        let learned = self.change(owner, None, digest, tokens).await?;
        Ok(learned == Learned::Changed)
    }

    async fn change(
        &self,
        owner: Owner,
        class: Option<Class>,
        digest: &[u8; 32],
        tokens: &Tokens,
    ) -> Result<Learned, Error> {
        let fingerprints: Arc<[u64]> = tokens.fingerprints().into();
        let learned = self
            .change_one(owner, class, *digest, fingerprints.clone())
            .await?;
        if self.options.also_global && owner != Owner::Global {
            self.change_one(Owner::Global, class, *digest, fingerprints)
                .await?;
        }
        Ok(learned)
    }

    /// Runs in a task of its own, so that memory follows the disk even if nobody waits any more.
    async fn change_one(
        &self,
        owner: Owner,
        class: Option<Class>,
        digest: [u8; 32],
        fingerprints: Arc<[u64]>,
    ) -> Result<Learned, Error> {
        let this = self.clone();
        let (reply, answer) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let cell = this.cache.cell(owner);
            let gate = cell.gate().await;
            let request = storage::Request {
                owner,
                class,
                digest,
                tokens: fingerprints,
            };
            let outcome = cell.change(&this.db, request).await;
            drop(gate);
            let due = outcome.as_ref().is_ok_and(|(_, due)| *due);
            // Whoever asked may have stopped waiting.
            drop(reply.send(outcome.map(|(learned, _)| learned)));
            if due && let Err(error) = this.compact(owner).await {
                tracing::warn!(%error, "counts of words could not be folded");
            }
        });
        answer.await.map_err(|_| Error::Cut)?
    }

    /// Folds the journal into the pages. Learning does it when it is due.
    ///
    /// # Errors
    /// Those of the database, and [`Error::Damaged`].
    pub async fn compact(&self, owner: Owner) -> Result<(), Error> {
        let cell = self.cache.cell(owner);
        let gate = cell.gate().await;
        cell.load(&self.db, self.limit(owner)).await?;
        cell.fold(&self.db, owner).await?;
        drop(gate);
        self.cache.trim();
        Ok(())
    }

    /// What an owner has learned.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn stats(&self, owner: Owner) -> Result<Stats, Error> {
        let key = owner.key();
        Ok(self.db.read(move |rx| storage::stats(rx, key)).await?)
    }

    /// Forgets everything an owner has learned. Deleting an account deletes its rows; this also
    /// clears memory and is called then.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget(&self, owner: Owner) -> Result<(), Error> {
        let cell = self.cache.cell(owner);
        let gate = cell.gate().await;
        let key = owner.key();
        self.db
            .write::<_, store::Error, _>(move |tx| storage::forget(tx, key))
            .await?;
        cell.clear();
        drop(gate);
        Ok(())
    }

    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        self.cache.trim();
        LEARNED.purge(&self.db, now).await
    }

    fn limit(&self, owner: Owner) -> usize {
        match owner {
            Owner::Global => self.options.max_global_words,
            Owner::Account(_) => self.options.max_words,
        }
    }

    #[cfg(test)]
    pub(crate) fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }
}
