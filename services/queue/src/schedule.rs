//! When to try again, when to tell the sender, when to give up. Pure.
//!
//! RFC 5321 §4.5.4.1: retries back off, the first ones within minutes, and go on for days. Times
//! are the wall clock's; a jump of the clock can neither lose a message nor return it early, because
//! giving up asks for a number of attempts as well as for the age ([`Schedule::after_failure`]).
//!
//! Start at [`Schedule::after_failure`].

use ambient::{Random, Timestamp};

/// The due time of recipients that an administrator holds: the last second of the year 9999.
pub(crate) const HELD: Timestamp = Timestamp(253_402_300_799);

/// Seconds between the attempts for one recipient, and the life of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Seconds to wait after the first failed attempt, after the second, and so on; the last one
    /// repeats. Empty means an hour.
    pub delays: Vec<i64>,
    /// Seconds after acceptance from which a failed attempt is the last one.
    pub lifetime: i64,
    /// Seconds after acceptance from which the sender is told that the message still waits.
    pub delay_notice: i64,
}

impl Default for Schedule {
    /// 5, 15 and 30 minutes, 1, 2, then every 4 hours; notice after 4 hours; 5 days in all.
    fn default() -> Self {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        Self {
            delays: vec![
                5 * MINUTE,
                15 * MINUTE,
                30 * MINUTE,
                HOUR,
                2 * HOUR,
                4 * HOUR,
            ],
            lifetime: 5 * 24 * HOUR,
            delay_notice: 4 * HOUR,
        }
    }
}

/// What follows a temporary failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again at this time.
    Retry(Timestamp),
    /// The message is too old: the failure is final.
    Expired,
}

const FALLBACK_DELAY: i64 = 3_600;

impl Schedule {
    /// When a message accepted at `created` expires.
    #[must_use]
    pub fn expires_at(&self, created: Timestamp) -> Timestamp {
        created.plus(self.lifetime)
    }

    /// When the sender of a message accepted at `created` hears that it is late.
    #[must_use]
    pub fn delay_notice_at(&self, created: Timestamp) -> Timestamp {
        created.plus(self.delay_notice)
    }

    /// What to do at `now` after the attempt number `attempts` (the first is 1) failed for the
    /// time being. The wait grows by up to an eighth at random, so that what failed together does
    /// not come back together.
    ///
    /// A message expires only after one attempt more than there are delays: a clock that jumps
    /// ahead, or a server that was off for a week, does not return mail that was hardly tried.
    #[must_use]
    pub fn after_failure(
        &self,
        attempts: u32,
        now: Timestamp,
        expires_at: Timestamp,
        random: &(dyn Random + 'static),
    ) -> Next {
        let attempts = usize::try_from(attempts).unwrap_or(usize::MAX);
        if now >= expires_at && attempts > self.delays.len() {
            return Next::Expired;
        }
        let index = attempts
            .saturating_sub(1)
            .min(self.delays.len().saturating_sub(1));
        let delay = self
            .delays
            .get(index)
            .copied()
            .unwrap_or(FALLBACK_DELAY)
            .max(1);
        let spread = u64::try_from(delay / 8).unwrap_or(0).saturating_add(1);
        let jitter = i64::try_from(random.below(spread)).unwrap_or(0);
        Next::Retry(now.plus(delay).plus(jitter))
    }

    /// The longest wait [`Self::after_failure`] can ask for. A due time further ahead comes from a
    /// clock that was wrong.
    #[must_use]
    pub fn longest_wait(&self) -> i64 {
        let delay = self
            .delays
            .iter()
            .copied()
            .max()
            .unwrap_or(FALLBACK_DELAY)
            .max(1);
        delay.saturating_add(delay / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambient::SeededRandom;
    use proptest::prelude::*;

    fn wait(attempts: u32, age: i64) -> Option<i64> {
        let schedule = Schedule::default();
        let created = Timestamp(1_000_000);
        let (now, expires) = (created.plus(age), schedule.expires_at(created));
        match schedule.after_failure(attempts, now, expires, &SeededRandom::new(7)) {
            Next::Retry(at) => Some(at.since(now)),
            Next::Expired => None,
        }
    }

    #[test]
    fn waits_grow_along_the_table_with_at_most_an_eighth_of_jitter() {
        for (attempts, minutes) in [
            (1, 5),
            (2, 15),
            (3, 30),
            (4, 60),
            (5, 120),
            (6, 240),
            (99, 240),
        ] {
            let delay = minutes * 60;
            let wait = wait(attempts, 0).unwrap();
            assert!(
                (delay..=delay + delay / 8).contains(&wait),
                "attempt {attempts}: {wait}"
            );
        }
    }

    #[test]
    fn a_message_expires_by_age_but_never_before_it_was_tried_often_enough() {
        const DAY: i64 = 86_400;
        assert!(wait(30, 5 * DAY - 1).is_some());
        assert_eq!(wait(30, 5 * DAY), None);
        assert_eq!(wait(7, 5 * DAY), None);
        assert!(wait(6, 5 * DAY).is_some());
        assert!(wait(1, 3_650 * DAY).is_some(), "the clock jumped ten years");
    }

    #[test]
    fn an_empty_table_still_waits() {
        let schedule = Schedule {
            delays: Vec::new(),
            ..Schedule::default()
        };
        let next = schedule.after_failure(1, Timestamp(0), Timestamp(10), &SeededRandom::new(1));
        assert!(matches!(next, Next::Retry(at) if at.0 >= FALLBACK_DELAY));
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_its_delay_or_longer_than_the_longest(
            delays in proptest::collection::vec(1_i64..100_000, 0..8),
            attempts in 1_u32..40,
            seed: u64,
        ) {
            let schedule = Schedule { delays, ..Schedule::default() };
            let next = schedule.after_failure(
                attempts, Timestamp(0), Timestamp(i64::MAX), &SeededRandom::new(seed));
            let Next::Retry(at) = next else { panic!("nothing expires at the end of time") };
            prop_assert!(at.0 >= schedule.delays.iter().copied().min().unwrap_or(FALLBACK_DELAY));
            prop_assert!(at.0 <= schedule.longest_wait());
        }
    }
}
