//! A database in a directory that goes with it.

use std::path::Path;
use std::sync::Arc;

use ambient::{Clock, FakeClock, Random, SeededRandom, Timestamp};
use store::{Db, StoreOptions};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600);

/// A database, a clock that stands still, and repeatable chance.
pub struct Store {
    pub runtime: Runtime,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub db: Db,
    directory: TempDir,
}

impl Store {
    /// An empty one.
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::new(START));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let options = StoreOptions::new(directory.path(), Arc::clone(&clock), Arc::clone(&random));
        Self {
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            db: Db::open(options).expect("a database"),
            clock,
            random,
            directory,
        }
    }

    /// Where its files lie.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}
