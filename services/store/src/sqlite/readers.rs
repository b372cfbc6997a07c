//! The reader threads: each owns a connection and runs one read transaction after another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::shared::Shared;
use crate::sqlite::session::Session;
use crate::{Error, Reader};

/// A read closure with its way to answer; it gets the transaction, or why there is none.
pub(crate) type Read = Box<dyn FnOnce(Result<&mut dyn Reader, Error>) + Send>;

/// What a reader thread receives.
pub(crate) enum Request {
    Read(Read),
    /// Run what is queued, then end all reader threads.
    Close,
}

/// The queue all reader threads take from; the one that waits holds the lock.
pub(crate) type Queue = Arc<Mutex<mpsc::Receiver<Request>>>;

/// The body of a reader thread.
pub(crate) fn run(connection: &Connection, queue: &Queue, shared: &Shared) {
    let mut session = Session::new(connection);
    loop {
        let request = {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            match queue.blocking_recv() {
                Some(Request::Close) => {
                    queue.close();
                    continue;
                }
                other => other,
            }
        };
        let Some(Request::Read(read)) = request else {
            return;
        };
        let started = Instant::now();
        one(&mut session, read);
        shared.counters.read(started.elapsed());
    }
}

/// Runs one closure in one snapshot.
fn one(session: &mut Session<'_>, read: Read) {
    if let Err(error) = session.control("BEGIN DEFERRED") {
        return read(Err(error.into()));
    }
    read(Ok(session));
    if session.in_transaction()
        && let Err(error) = session.control("ROLLBACK")
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a read transaction did not end"
        );
    }
}
