//! What the server remembers of the mail it has seen, and what it concludes from it.
//!
//! | module | question | remembered for |
//! |---|---|---|
//! | [`bayes`] | do its words look like spam or like ham? | until counts are halved for lack of room |
//! | [`reputation`] | what came from this address, network, domain, sender, AS before? | half-life 30 days |
//! | [`correspondent`] | does the account write to this sender, is this an answer? | a year, 90 days |
//! | [`fuzzy`] | was nearly the same text or the same attachment reported? | 90 days |
//! | [`greylist`] | has this sender shown that it tries again? | 35 days |
//!
//! Addresses, networks and message identifiers are kept as hashes only. Every table has an upper
//! bound; [`Learn::purge`] is meant to run every hour and [`Learn::tick`] every few seconds.
//!
//! Not here: taking messages apart (words come folded), deciding what a finding is worth. Start at
//! [`Learn`].
#![deny(missing_docs)]

pub mod bayes;
mod bounded;
pub mod correspondent;
mod error;
pub mod fuzzy;
pub mod greylist;
mod hash;
#[cfg(test)]
mod plans;
pub mod reputation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ambient::{Clock, Timestamp};
use store::Db;

pub use bayes::{Bayes, Class, Classification, Learned, Owner, Source, Tokens};
pub use correspondent::Correspondents;
pub use error::Error;
pub use fuzzy::Fuzzy;
pub use greylist::Greylist;
pub use reputation::Reputations;

/// How much is remembered, and when it is believed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of the classifier.
    pub bayes: bayes::Options,
    /// Of greylisting.
    pub greylist: greylist::Options,
}

/// Everything this crate remembers in one database. A clone is another handle of the same.
#[derive(Debug, Clone)]
pub struct Learn {
    /// Words.
    pub bayes: Bayes,
    /// Where mail came from.
    pub reputation: Reputations,
    /// Whom accounts write to.
    pub correspondents: Correspondents,
    /// Reported texts and attachments.
    pub fuzzy: Fuzzy,
    /// Senders that were asked to try again.
    pub greylist: Greylist,
}

impl Learn {
    /// A handle on what `db` remembers. Nothing is read yet.
    #[must_use]
    pub fn new(db: &Db, clock: &Arc<dyn Clock>, options: &Options) -> Self {
        Self {
            bayes: Bayes::new(db.clone(), options.bayes.clone()),
            reputation: Reputations::new(db.clone(), clock.clone()),
            correspondents: Correspondents::new(db.clone()),
            fuzzy: Fuzzy::new(db.clone()),
            greylist: Greylist::new(db.clone(), options.greylist),
        }
    }

    /// Writes what only memory holds: reputations. Meant to run every few seconds and before the
    /// database is closed.
    ///
    /// # Errors
    /// Those of the database; nothing is lost by one.
    pub async fn tick(&self) -> Result<(), Error> {
        self.reputation.flush().await
    }

    /// Deletes what has expired and what is beyond the limits, in small transactions; answers how
    /// many rows. Meant to run every hour.
    ///
    /// # Errors
    /// Those of the database; what was deleted stays deleted.
    pub async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        let mut deleted = self.bayes.purge(now).await?;
        deleted += self.reputation.purge(now).await?;
        deleted += self.correspondents.purge(now).await?;
        deleted += self.fuzzy.purge(now).await?;
        deleted += self.greylist.purge(now).await?;
        Ok(deleted)
    }
}
