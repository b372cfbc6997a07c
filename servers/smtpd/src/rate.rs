//! How fast a user or a domain may send: the generic cell rate algorithm (ITU-T I.371) on one
//! number each.
//!
//! The number is the time up to which what was sent is paid for. It lives in memory: after a restart
//! everybody starts afresh.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ambient::Timestamp;
use policy::{Owner, RateLimit};

/// Senders remembered; those with nothing left to pay are forgotten when a new one finds this many.
const MAX_SENDERS: usize = 100_000;
/// Parts of a second that are counted, so that fast limits are not rounded to nothing.
const TICKS: i64 = 1_000_000;

/// What senders have used of their limits.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    paid: Mutex<HashMap<Owner, i64>>,
}

impl Rates {
    /// Counts one message; false, and nothing counted, when that is more than the limit allows.
    pub(crate) fn take(&self, owner: Owner, limit: RateLimit, now: Timestamp) -> bool {
        let window = i64::from(limit.seconds.get()) * TICKS;
        let cost = window / i64::from(limit.messages.get());
        let now = now.0.saturating_mul(TICKS);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= MAX_SENDERS && !paid.contains_key(&owner) {
            paid.retain(|_, until| *until > now);
        }
        let until = paid.get(&owner).copied().unwrap_or(now).max(now);
        let next = until.saturating_add(cost);
        // A clock that was set back must not lock anybody out for longer than the window.
        if next.saturating_sub(now) > window {
            if until.saturating_sub(now) > window {
                paid.insert(owner, now.saturating_add(window));
            }
            return false;
        }
        paid.insert(owner, next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::AccountId;

    #[test]
    fn a_burst_up_to_the_limit_then_the_pace() {
        let rates = Rates::default();
        let limit: RateLimit = "3 / 1m".parse().unwrap();
        let owner = Owner::Account(AccountId(1));
        let at = |second: i64| rates.take(owner, limit, Timestamp(1_000 + second));
        assert!(at(0) && at(0) && at(0));
        assert!(!at(0) && !at(19));
        assert!(at(20) && !at(20));
        // Another sender has its own.
        assert!(rates.take(Owner::Account(AccountId(2)), limit, Timestamp(1_000)));
        // After the window all is free again, and a clock set back locks nobody out for good.
        assert!(at(200) && at(200) && at(200) && !at(200));
        assert!(!at(-10_000) && at(-10_000 + 61));
    }
}
