//! Checkpoints: moving committed pages from the log into the database file.
//!
//! Usually a background thread does it without stopping anybody (PASSIVE), once a second while
//! there are commits, and empties the log when the store is idle (TRUNCATE). Under constant writes
//! that never catches up with the end of the log, so the writer itself finishes the work between
//! two groups when the log has grown past [`RESTART_AT`].

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ffi};

use crate::Error;
use crate::shared::Shared;
use crate::sqlite::session::is_unconfirmed_flush;

/// The pause between two background checkpoints.
const PAUSE: Duration = Duration::from_secs(1);
/// Without a commit for this long the log is emptied.
const IDLE: Duration = Duration::from_secs(10);
/// The size of the log at which the writer makes it start over.
pub(crate) const RESTART_AT: u64 = 64 * 1024 * 1024;
/// The size of the log at which something is wrong: a reader that never ends.
const WARN_AT: u64 = 512 * 1024 * 1024;

/// How much a checkpoint insists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What is possible without waiting.
    Passive,
    /// Everything; waits for readers, then the next write starts at the log's beginning.
    Restart,
    /// Like `Restart`, and cuts the log's file to nothing.
    Truncate,
}

/// Runs a checkpoint; `Ok(true)` if the whole log is now in the database file.
///
/// A flush that fails stops the store: the pages may be lost while the log is about to be reused.
pub(crate) fn checkpoint(
    connection: &Connection,
    mode: Mode,
    shared: &Shared,
) -> Result<bool, Error> {
    shared.check()?;
    let sql = match mode {
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Restart => "PRAGMA wal_checkpoint(RESTART)",
        Mode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let outcome = connection.query_row(sql, [], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
        ))
    });
    match outcome {
        Ok((busy, logged, moved)) => {
            shared.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
            Ok(busy == 0 && logged == moved)
        }
        Err(error) => {
            let busy = error
                .sqlite_error()
                .is_some_and(|failure| failure.extended_code & 0xff == ffi::SQLITE_BUSY);
            if busy {
                return Ok(false);
            }
            let error = Error::from(error);
            if is_unconfirmed_flush(&error) {
                shared.fail(&error);
            }
            Err(error)
        }
    }
}

/// The size of the write-ahead log's file; 0 if there is none.
pub(crate) fn wal_bytes(wal: &Path) -> u64 {
    wal.metadata().map_or(0, |metadata| metadata.len())
}

/// Where SQLite keeps the log of `database`.
pub(crate) fn wal_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}

/// What the checkpoint thread waits for.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    dirty: bool,
    closed: bool,
}

/// Why the checkpoint thread woke up.
enum Wake {
    Dirty,
    Idle,
    Closed,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There was a commit.
    pub(crate) fn mark(&self) {
        let mut state = self.lock();
        if !state.dirty {
            state.dirty = true;
            self.changed.notify_one();
        }
    }

    /// There will be no further commit; the thread ends.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Waits for a commit, then [`PAUSE`] for more of them.
    fn wait(&self, idle: Duration) -> Wake {
        let quiet = |state: &mut State| !state.dirty && !state.closed;
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), idle, quiet)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.dirty && !state.closed {
            return Wake::Idle;
        }
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, PAUSE, |state| !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.dirty = false;
        if state.closed {
            Wake::Closed
        } else {
            Wake::Dirty
        }
    }
}

/// The body of the checkpoint thread. The last checkpoint is the writer's.
pub(crate) fn run(connection: &Connection, wal: &Path, signal: &Signal, shared: &Shared) {
    let mut complete = true;
    loop {
        let mode = match signal.wait(if complete { IDLE } else { PAUSE }) {
            Wake::Closed => return,
            Wake::Idle if complete && wal_bytes(wal) == 0 => continue,
            Wake::Idle if complete => Mode::Truncate,
            Wake::Idle | Wake::Dirty => Mode::Passive,
        };
        match checkpoint(connection, mode, shared) {
            Ok(moved_all) => complete = moved_all,
            Err(Error::Failed) => return,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a checkpoint failed"
                );
                complete = false;
            }
        }
        let bytes = wal_bytes(wal);
        if bytes > WARN_AT {
            tracing::warn!(
                bytes,
                "the write-ahead log grows: a read transaction does not end"
            );
        }
    }
}
