//! Which zones are left alone for a while, and what the operator was told today.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Questions in a row without an answer after which a zone is left alone.
const FAILURES_MAX: u32 = 8;
/// Milliseconds between two warnings about one list.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Why a zone is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    Silent,
    Refused,
}

#[derive(Debug, Default)]
struct Zone {
    failures: u32,
    pause: Option<(Pause, i64)>,
}

/// Grows with the configured zones and no further.
#[derive(Debug, Default)]
pub(crate) struct Health {
    zones: Mutex<HashMap<String, Zone>>,
    warned: Mutex<(i64, HashSet<String>)>,
}

impl Health {
    /// Whether `zone` is left alone at `now`.
    pub(crate) fn pause(&self, zone: &str, now: i64) -> Option<Pause> {
        let zones = lock(&self.zones);
        let (pause, until) = zones.get(zone)?.pause?;
        (now < until).then_some(pause)
    }

    /// `zone` answered.
    pub(crate) fn answered(&self, zone: &str) {
        if let Some(zone) = lock(&self.zones).get_mut(zone) {
            *zone = Zone::default();
        }
    }

    /// `zone` did not answer; after several times it is left alone until `until`.
    pub(crate) fn failed(&self, zone: &str, until: i64) {
        let mut zones = lock(&self.zones);
        let zone = zones.entry(zone.to_owned()).or_default();
        zone.failures = (zone.failures + 1).min(FAILURES_MAX);
        if zone.failures == FAILURES_MAX {
            zone.pause = Some((Pause::Silent, until));
        }
    }

    /// `zone` refuses to answer us and is left alone until `until`.
    pub(crate) fn refused(&self, zone: &str, until: i64) {
        let mut zones = lock(&self.zones);
        let zone = zones.entry(zone.to_owned()).or_default();
        zone.pause = Some((Pause::Refused, until));
    }

    /// Whether this is the first time within a day that there is something to say about `list`.
    pub(crate) fn first_today(&self, list: &str, now: i64) -> bool {
        let mut warned = lock(&self.warned);
        let (since, lists) = &mut *warned;
        if now.saturating_sub(*since) >= DAY || now < *since {
            *since = now;
            lists.clear();
        }
        lists.insert(list.to_owned())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_zone_is_left_alone_and_asked_again() {
        let health = Health::default();
        for _ in 1..FAILURES_MAX {
            health.failed("list.test", 100);
        }
        assert_eq!(health.pause("list.test", 50), None);
        health.answered("list.test");
        health.failed("list.test", 100);
        assert_eq!(health.pause("list.test", 50), None, "not in a row");
        for _ in 1..FAILURES_MAX {
            health.failed("list.test", 100);
        }
        assert_eq!(health.pause("list.test", 50), Some(Pause::Silent));
        assert_eq!(health.pause("list.test", 100), None);
        health.failed("list.test", 200);
        assert_eq!(health.pause("list.test", 150), Some(Pause::Silent));
        assert_eq!(health.pause("other.test", 50), None);
    }

    #[test]
    fn a_warning_comes_once_a_day() {
        let health = Health::default();
        let told: Vec<_> = [DAY, DAY + 1, 2 * DAY, 2 * DAY + 1]
            .iter()
            .map(|&now| health.first_today("a", now))
            .collect();
        assert_eq!(told, [true, false, true, false]);
        assert!(health.first_today("b", 2 * DAY + 1));
    }
}
