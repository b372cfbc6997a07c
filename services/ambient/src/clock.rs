//! Wall-clock time behind a trait.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// A point in time: whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time moved by `seconds`, saturating at the ends of the range.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time; negative when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The wall clock.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970-01-01T00:00:00Z. May jump in either direction.
    fn now_millis(&self) -> i64;

    /// Completes once [`Clock::now`] is at or after `deadline`. Cancel-safe.
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'_, ()>;

    /// The present second.
    fn now(&self) -> Timestamp {
        Timestamp(self.now_millis().div_euclid(1000))
    }
}

/// The longest uninterrupted sleep: the wall clock may have jumped meanwhile.
const RECHECK: Duration = Duration::from_secs(30);

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system clock"
    )]
    fn now_millis(&self) -> i64 {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(elapsed) => i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        }
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = deadline
                    .0
                    .saturating_mul(1000)
                    .saturating_sub(self.now_millis());
                let Ok(left) = u64::try_from(left) else {
                    return;
                };
                if left == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(left).min(RECHECK)).await;
            }
        })
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct FakeClock {
    millis: AtomicI64,
    moved: watch::Sender<()>,
}

impl FakeClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            millis: AtomicI64::new(start.0.saturating_mul(1000)),
            moved: watch::Sender::new(()),
        }
    }

    /// Moves the clock forward and wakes every sleeper whose deadline has come.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
        self.moved.send_replace(());
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, to: Timestamp) {
        self.millis
            .store(to.0.saturating_mul(1000), Ordering::SeqCst);
        self.moved.send_replace(());
    }
}

impl Clock for FakeClock {
    fn now_millis(&self) -> i64 {
        self.millis.load(Ordering::SeqCst)
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut moved = self.moved.subscribe();
            while self.now() < deadline {
                if moved.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_reaches_its_deadline_and_not_before() {
        let clock = Arc::new(FakeClock::new(Timestamp(1_000)));
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep_until(Timestamp(1_060)).await }
        });
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }

    #[test]
    fn a_time_before_the_epoch_rounds_down() {
        let clock = FakeClock::new(Timestamp(0));
        clock.millis.store(-1, Ordering::SeqCst);
        assert_eq!(clock.now(), Timestamp(-1));
    }
}
