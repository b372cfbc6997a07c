//! Idle sessions, kept for the next message to the same destination.
//!
//! A few seconds are enough: what pays is the run of messages that wait for one destination at the
//! same time. Nothing here is worth keeping over a restart. Start at [`Pool::take`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Session;

/// Idle sessions in all; beyond it a session is closed at once.
const MAX_IDLE: usize = 64;
/// Messages on one connection; receivers tend to limit them.
const MAX_TRANSACTIONS: u32 = 100;

/// Sessions between two messages, by destination.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<Arc<str>, Vec<Idle>>>,
}

struct Idle {
    session: Session,
    until: Instant,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session to `destination`, the one used last. It may have been closed by the other side:
    /// the caller asks it before it trusts it.
    pub(crate) fn take(&self, destination: &str) -> Option<Session> {
        let mut idle = self.lock();
        let sessions = idle.get_mut(destination)?;
        let session = sessions.pop().map(|idle| idle.session);
        if sessions.is_empty() {
            idle.remove(destination);
        }
        session
    }

    /// Keeps `session` for `time`; gives it back to be closed when it must not or cannot be kept.
    #[must_use]
    pub(crate) fn put(
        &self,
        destination: &Arc<str>,
        session: Session,
        time: Duration,
    ) -> Option<Session> {
        let mut idle = self.lock();
        let count: usize = idle.values().map(Vec::len).sum();
        let worn = !session.is_usable() || session.transactions() >= MAX_TRANSACTIONS;
        if worn || time.is_zero() || count >= MAX_IDLE {
            return Some(session);
        }
        let until = Instant::now() + time;
        idle.entry(Arc::clone(destination))
            .or_default()
            .push(Idle { session, until });
        None
    }

    /// When the next session is due to be closed.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.lock().values().flatten().map(|idle| idle.until).min()
    }

    /// The sessions that nobody took in time.
    pub(crate) fn expired(&self, now: Instant) -> Vec<Session> {
        let mut idle = self.lock();
        let mut expired = Vec::new();
        idle.retain(|_, sessions| {
            let due = sessions.extract_if(.., |idle| idle.until <= now);
            expired.extend(due.map(|idle| idle.session));
            !sessions.is_empty()
        });
        expired
    }

    /// All sessions: the queue stops.
    pub(crate) fn drain(&self) -> Vec<Session> {
        self.lock()
            .drain()
            .flat_map(|(_, sessions)| sessions)
            .map(|idle| idle.session)
            .collect()
    }
}
