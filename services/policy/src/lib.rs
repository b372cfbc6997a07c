//! What administrators and users say about filtering: maps, lists of senders, thresholds, networks,
//! addresses with a role, rule sets.
//!
//! All of it lies in the database and, as a [`Snapshot`], in memory. A change is live at the next
//! message: every method of [`Policy`] that changes something returns when the change is on disk
//! *and* in the snapshot, and answers the revision. Nothing that is asked for a message scans a
//! list: addresses are found by hash, domains and wildcards by suffix, networks by prefix length.
//! A snapshot that cannot be loaded leaves the one before in use.
//!
//! Not here: what messages hold against it (`filter`), compiled patterns (`rules` and `patterns`),
//! who may change what, and following aliases (`directory`).
//!
//! Start at [`Policy`], then [`Snapshot`]; maps are in `map`, the lists in `sender`.

#![deny(missing_docs)]

mod addresses;
mod error;
pub mod mailcow;
mod map;
mod network;
mod networks;
mod owner;
mod revision;
mod rule_sets;
mod sender;
mod setting;
mod snapshot;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use store::{Db, Tx};
use tokio::sync::Mutex as AsyncMutex;

pub use addresses::{MOST_CONTACTS, MOST_ROLES, Role, RoleRecord, contact_key};
pub use error::Error;
pub use map::{
    CHAT, COMPOSITE, Effect, Entry, Kind, LONGEST_LINE, LONGEST_MAP, Line, LineError,
    MOST_LINE_ERRORS, MOST_LINES, MOST_PATTERNS, MapChange, MapRecord, NewMap, SYSTEM_SCOPE,
    compile_check, rule_set,
};
pub use network::{Network, NetworkError};
pub use networks::{Forwarding, MOST_NETWORKS, NetworkRecord, NewNetwork, Purpose};
pub use owner::{LARGEST_SCORE, Owner};
pub use rule_sets::{MOST_RULE_SETS, NewRuleSet, RuleSetChange, RuleSetRecord};
pub use sender::{
    EntryPage, EntryRecord, MOST_ACCOUNT_ENTRIES, MOST_ENTRIES, Met, NewEntry, Part, Sender,
    SenderKind, SenderPattern, Verdict,
};
pub use setting::{
    LONGEST_PREFIX, RateLimit, RateLimitError, Settings, SpamPlace, Tagged, Thresholds,
};
pub use snapshot::{
    ALLOWED_SCORE, ALLOWED_SENDER, CONTACT, CONTACT_SCORE, DENIED_SCORE, DENIED_SENDER,
    RecipientFacts, Signal, Snapshot,
};

/// How long [`Policy::follow`] waits before it tries again to load what could not be loaded; twice
/// as long each time, up to a minute.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The policy of this server. Cheap to clone; clones share the snapshot.
#[derive(Debug, Clone)]
pub struct Policy {
    db: Db,
    live: Arc<Live>,
}

#[derive(Debug)]
struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is loaded, so that none replaces a newer one.
    loading: AsyncMutex<()>,
    /// Why the newest load failed.
    trouble: Mutex<Option<String>>,
}

/// How much is loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Sections with a new revision.
    Changed,
    /// The same, unless this revision is in use already.
    Until(u64),
    /// Everything: accounts or domains may be gone, and what belonged to them.
    Everything,
}

impl Policy {
    /// Loads the first snapshot. Somebody should run [`Policy::follow`].
    ///
    /// # Errors
    /// The store's; [`Error::Unknown`].
    pub async fn open(db: Db) -> Result<Self, Error> {
        let snapshot = db.read(|rx| Snapshot::load(rx, None)).await?;
        report_unusable(&snapshot);
        let live = Live {
            snapshot: ArcSwap::from_pointee(snapshot),
            loading: AsyncMutex::new(()),
            trouble: Mutex::new(None),
        };
        Ok(Self {
            db,
            live: Arc::new(live),
        })
    }

    /// What counts now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.snapshot.load_full()
    }

    /// Why the newest change could not be loaded; `None` when everything is live.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.live.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads what others have changed: accounts and domains that are gone, changes whose caller
    /// went away, what could not be loaded before. Runs until it is dropped.
    pub async fn follow(self) -> Infallible {
        let mut policy = self.db.hub().policy();
        let mut directory = self.db.hub().directory();
        let mut wait = FIRST_WAIT;
        let mut extent = Extent::Everything;
        loop {
            if self.refresh(extent).await.is_ok() {
                wait = FIRST_WAIT;
                extent = tokio::select! {
                    Ok(()) = directory.changed() => Extent::Everything,
                    Ok(()) = policy.changed() => Extent::Changed,
                    // The store is closed.
                    else => std::future::pending().await,
                };
            } else {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
                if directory.has_changed().unwrap_or(false) {
                    directory.mark_unchanged();
                    extent = Extent::Everything;
                }
            }
        }
    }

    /// Commits a change that answers its revision, and makes it live.
    async fn write<F>(&self, change: F) -> Result<u64, Error>
    where
        F: FnMut(&mut dyn Tx) -> Result<u64, Error> + Send + 'static,
    {
        let revision = self.db.write(change).await?;
        if self.snapshot().revision() < revision {
            let not_live = |error| Error::NotLive {
                revision,
                source: Box::new(error),
            };
            self.refresh(Extent::Until(revision))
                .await
                .map_err(not_live)?;
        }
        Ok(revision)
    }

    /// Puts what is in the database into use. The indexes are built on the store's reader thread.
    async fn refresh(&self, extent: Extent) -> Result<(), Error> {
        let _loading = self.live.loading.lock().await;
        let old = self.snapshot();
        if matches!(extent, Extent::Until(revision) if revision <= old.revision()) {
            return Ok(());
        }
        let load = move |rx: &mut dyn store::Reader| {
            Snapshot::load(rx, (extent != Extent::Everything).then_some(&*old))
        };
        let loaded = self.db.read(load).await;
        let mut trouble = self
            .live
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(snapshot) => {
                if snapshot.rules_revision() != self.snapshot().rules_revision() {
                    report_unusable(&snapshot);
                }
                self.live.snapshot.store(Arc::new(snapshot));
                *trouble = None;
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the policy could not be loaded, the one before stays in use");
                *trouble = Some(error.to_string());
                Err(error)
            }
        }
    }
}

fn report_unusable(snapshot: &Snapshot) {
    for what in snapshot.unusable() {
        tracing::warn!(what, "a stored map or rule set cannot be used");
    }
}
