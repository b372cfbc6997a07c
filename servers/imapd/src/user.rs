//! Who has signed in, and how many sessions of one account one address may have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use directory::Identity;
use store::AccountId;

type Key = (AccountId, IpAddr);

/// The sessions that have signed in.
#[derive(Debug)]
pub(crate) struct Users {
    limit: usize,
    sessions: Mutex<HashMap<Key, usize>>,
}

impl Users {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            sessions: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of `identity`; `None` when there are too many already.
    pub(crate) fn enter(self: &Arc<Self>, identity: Identity, peer: IpAddr) -> Option<User> {
        let key = (identity.account, peer);
        let mut sessions = self.lock();
        let count = sessions.get(&key).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        sessions.insert(key, count + 1);
        Some(User {
            identity,
            seat: Seat {
                users: Arc::clone(self),
                key,
            },
        })
    }
}

/// The owner of a session that has signed in.
#[derive(Debug)]
pub(crate) struct User {
    identity: Identity,
    #[expect(dead_code, reason = "counts until it is dropped")]
    seat: Seat,
}

impl User {
    pub(crate) fn account(&self) -> AccountId {
        self.identity.account
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }
}

#[derive(Debug)]
struct Seat {
    users: Arc<Users>,
    key: Key,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.users.lock().entry(self.key) {
            match entry.get().checked_sub(1).filter(|left| *left > 0) {
                Some(left) => *entry.get_mut() = left,
                None => drop(entry.remove()),
            }
        }
    }
}
