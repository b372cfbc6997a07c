//! Time and randomness as values that are passed in.
//!
//! Nothing else in the workspace reads the system clock or the system's random source: a service
//! receives an `Arc<dyn Clock>` and an `Arc<dyn Random>`, and a test moves time by hand with
//! [`FakeClock`] and repeats a run with [`SeededRandom`]. Monotonic deadlines of network I/O are
//! `tokio::time` and are not covered here. Start at [`Clock`].

mod clock;
mod random;

pub use clock::{Clock, FakeClock, SystemClock, Timestamp};
pub use random::{Random, SeededRandom, SystemRandom};
