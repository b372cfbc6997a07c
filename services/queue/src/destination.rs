//! What is known of each destination right now: how many deliveries run, and whether it is down.
//!
//! Kept in memory only: after a restart it is learnt again. A destination none of whose hosts could
//! be reached is left alone for a while; mail for it fails at once in the meantime, with the reason
//! found before, and so keeps its own schedule without costing a connection. Five thousand dead
//! domains then cost five thousand connection attempts in a while and not one for each message.
//!
//! Start at [`Destinations::try_acquire`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ambient::Timestamp;
use tokio::sync::Notify;

use crate::failure::Failure;

/// Seconds a destination is left alone after its first outage; doubles up to [`LONGEST_OUTAGE`].
const FIRST_OUTAGE: i64 = 60;
const LONGEST_OUTAGE: i64 = 1_800;
/// Destinations remembered before old outages are forgotten.
const PRUNE_AT: usize = 16_384;

/// All destinations with something to remember.
pub(crate) struct Destinations {
    states: Mutex<HashMap<Arc<str>, State>>,
    limit: usize,
    freed: Notify,
}

#[derive(Default)]
struct State {
    active: usize,
    outage: Option<Outage>,
}

struct Outage {
    until: Timestamp,
    length: i64,
    failure: Failure,
}

/// The right to one delivery to a destination; given back when dropped.
pub(crate) struct Permit {
    destinations: Arc<Destinations>,
    destination: Arc<str>,
}

impl Permit {
    pub(crate) fn destination(&self) -> &Arc<str> {
        &self.destination
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut states = self.destinations.lock();
        if let Some(state) = states.get_mut(&self.destination) {
            state.active = state.active.saturating_sub(1);
            if state.active == 0 && state.outage.is_none() {
                states.remove(&self.destination);
            }
        }
        drop(states);
        self.destinations.freed.notify_one();
    }
}

impl Destinations {
    /// At most `limit` deliveries to one destination at a time, at least one.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            states: Mutex::default(),
            limit: limit.max(1),
            freed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit if `destination` has one left.
    pub(crate) fn try_acquire(self: &Arc<Self>, destination: &Arc<str>) -> Option<Permit> {
        let mut states = self.lock();
        let state = states.entry(Arc::clone(destination)).or_default();
        if state.active >= self.limit {
            return None;
        }
        state.active += 1;
        Some(Permit {
            destinations: Arc::clone(self),
            destination: Arc::clone(destination),
        })
    }

    /// Completes when a permit has come back since the last time.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Why `destination` is not to be tried at `now`, if it is not.
    pub(crate) fn outage(&self, destination: &str, now: Timestamp) -> Option<Failure> {
        let states = self.lock();
        let outage = states.get(destination)?.outage.as_ref()?;
        // A clock that went back must not make an outage longer than it was meant to be.
        let left = outage.until.since(now);
        (0 < left && left <= outage.length).then(|| outage.failure.clone())
    }

    /// No host of `destination` could be reached at `now`.
    pub(crate) fn unreachable(&self, destination: &Arc<str>, now: Timestamp, failure: &Failure) {
        let mut states = self.lock();
        if states.len() >= PRUNE_AT {
            states.retain(|_, state| {
                state.active > 0
                    || state
                        .outage
                        .as_ref()
                        .is_some_and(|outage| outage.until > now)
            });
        }
        let state = states.entry(Arc::clone(destination)).or_default();
        let length = match &state.outage {
            // Deliveries that ran side by side found the same outage.
            Some(outage) if outage.until > now => return,
            Some(outage) => outage.length.saturating_mul(2).min(LONGEST_OUTAGE),
            None => FIRST_OUTAGE,
        };
        let outage = Outage {
            until: now.plus(length),
            length,
            failure: failure.clone(),
        };
        state.outage = Some(outage);
    }

    /// A host of `destination` talks, or an administrator wants it tried.
    pub(crate) fn reachable(&self, destination: &str) {
        let mut states = self.lock();
        if let Some(state) = states.get_mut(destination) {
            state.outage = None;
            if state.active == 0 {
                states.remove(destination);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_limited_per_destination_and_come_back() {
        let destinations = Arc::new(Destinations::new(2));
        let (a, b): (Arc<str>, Arc<str>) = ("a.test".into(), "b.test".into());
        let first = destinations.try_acquire(&a).unwrap();
        let _second = destinations.try_acquire(&a).unwrap();
        assert!(destinations.try_acquire(&a).is_none());
        assert!(destinations.try_acquire(&b).is_some());
        drop(first);
        assert!(destinations.try_acquire(&a).is_some());
    }

    #[test]
    fn outages_double_end_and_are_forgotten_on_success() {
        let destinations = Arc::new(Destinations::new(1));
        let name: Arc<str> = "a.test".into();
        let failure = Failure::temporary(4, 1, "refused");
        let mut now = Timestamp(1_000_000);
        for length in [60, 120, 240, 480, 960, 1_800, 1_800] {
            destinations.unreachable(&name, now, &failure);
            destinations.unreachable(&name, now, &failure);
            assert!(
                destinations
                    .outage("a.test", now.plus(length - 1))
                    .is_some(),
                "{length}"
            );
            assert!(
                destinations.outage("a.test", now.plus(length)).is_none(),
                "{length}"
            );
            assert!(
                destinations.outage("a.test", now.plus(-86_400)).is_none(),
                "clock went back"
            );
            now = now.plus(length);
        }
        destinations.reachable("a.test");
        destinations.unreachable(&name, now, &failure);
        assert!(destinations.outage("a.test", now.plus(60)).is_none());
        destinations.reachable("a.test");
        assert!(destinations.lock().is_empty());
    }
}
