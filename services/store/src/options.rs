//! How to open a store.

use std::path::PathBuf;
use std::sync::Arc;

use ambient::{Clock, Random};

use crate::Faults;

/// Everything [`Db::open`](crate::Db::open) needs. Start from [`StoreOptions::new`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The data directory; made if missing (its parent must exist). Holds `mail.db`, `blobs/` and
    /// the lock file.
    pub dir: PathBuf,
    /// The version of the program, noted in the database; this crate's unless told.
    pub program: String,
    /// The time that transactions and sweeps see.
    pub clock: Arc<dyn Clock>,
    /// Where blob ids come from.
    pub random: Arc<dyn Random>,
    /// Reader threads, 1 to 64; 4 unless told.
    pub readers: usize,
    /// Page cache of all connections together, in bytes; 64 MiB unless told. Used as needed.
    pub cache_bytes: usize,
    /// Makes storage fail in tests; `None` in a server.
    pub faults: Option<Arc<dyn Faults>>,
}

impl StoreOptions {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            dir: dir.into(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            clock,
            random,
            readers: 4,
            cache_bytes: 64 * 1024 * 1024,
            faults: None,
        }
    }
}
