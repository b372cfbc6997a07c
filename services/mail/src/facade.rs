//! [`Mail`]: the store with the cache of snapshots.

use std::sync::Arc;

use store::Db;

use crate::cache::Cache;

/// Mailboxes and messages of all accounts. Cheap to clone; every clone is the same service.
///
/// Its methods are in the modules of what they do: `mailbox`, `append`, `set_flags`, `transfer`,
/// `expunge`, `view`, `fetch`, `search`. Each runs in one read or write transaction, bulk changes
/// in several; what a method has answered is on disk. All are cancel-safe: a dropped write either
/// happens whole or not at all.
#[derive(Debug, Clone)]
pub struct Mail {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    cache: Cache,
}

impl Mail {
    /// The mail in a store. Time is the store's own.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            inner: Arc::new(Inner {
                db,
                cache: Cache::default(),
            }),
        }
    }

    /// The store behind it.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.inner.cache
    }
}
