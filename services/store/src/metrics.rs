//! Counters of the store, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moment's copy of the store's counters. All but `queued` only grow.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Groups that reached the disk.
    pub commits: u64,
    /// Write closures that committed.
    pub writes: u64,
    /// Write closures that were undone: their own error, a panic, or a failed commit.
    pub undone: u64,
    /// Write closures waiting now.
    pub queued: u64,
    /// Read closures that ran.
    pub reads: u64,
    /// Checkpoints that moved pages from the log into the database.
    pub checkpoints: u64,
    /// Bytes of the write-ahead log's file.
    pub wal_bytes: u64,
    /// Closures per group.
    pub batch_size: Histogram,
    /// Seconds per commit, nearly all of it the flush.
    pub commit_seconds: Histogram,
    /// Seconds per read closure.
    pub read_seconds: Histogram,
}

/// Observations counted by upper bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// (inclusive upper bound, observations at or below it and above the bound before), ascending.
    pub buckets: Vec<(f64, u64)>,
    /// Observations above the last bound.
    pub above: u64,
    /// The sum of all observations.
    pub sum: f64,
    /// The number of all observations.
    pub count: u64,
}

const SIZES: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
const MICROS: [u64; 12] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, 10_000_000,
];

/// Counts observations in whole units against fixed bounds.
#[derive(Debug)]
pub(crate) struct Observed<const N: usize> {
    bounds: [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Observed<N> {
    fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            above: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts
            .get(bucket)
            .unwrap_or(&self.above)
            .fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counters for people, exact to 2^53"
    )]
    fn snapshot(&self, unit: f64) -> Histogram {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let above = load(&self.above);
        let buckets: Vec<(f64, u64)> = self
            .bounds
            .iter()
            .zip(&self.counts)
            .map(|(bound, count)| (*bound as f64 * unit, load(count)))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum::<u64>() + above;
        Histogram {
            buckets,
            above,
            sum: load(&self.sum) as f64 * unit,
            count,
        }
    }
}

/// The live counters.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) undone: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    batch_size: Observed<7>,
    commit_micros: Observed<12>,
    read_micros: Observed<12>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            commits: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            undone: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            batch_size: Observed::new(SIZES),
            commit_micros: Observed::new(MICROS),
            read_micros: Observed::new(MICROS),
        }
    }

    pub(crate) fn committed(&self, writes: u64, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes, Ordering::Relaxed);
        self.batch_size.add(writes);
        self.commit_micros.add(micros(took));
    }

    pub(crate) fn read(&self, took: Duration) {
        self.read_micros.add(micros(took));
    }

    /// A copy; the caller fills in what is measured elsewhere (`queued`, `wal_bytes`).
    pub(crate) fn snapshot(&self) -> Metrics {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let read_seconds = self.read_micros.snapshot(1e-6);
        Metrics {
            commits: load(&self.commits),
            writes: load(&self.writes),
            undone: load(&self.undone),
            queued: 0,
            reads: read_seconds.count,
            checkpoints: load(&self.checkpoints),
            wal_bytes: 0,
            batch_size: self.batch_size.snapshot(1.0),
            commit_seconds: self.commit_micros.snapshot(1e-6),
            read_seconds,
        }
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_into_the_first_bucket_that_holds_it() {
        let observed = Observed::new(SIZES);
        for value in [1, 2, 3, 64, 65] {
            observed.add(value);
        }
        let histogram = observed.snapshot(1.0);
        let counts: Vec<u64> = histogram.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 1, 1, 0, 0, 0, 1]);
        assert_eq!((histogram.above, histogram.count), (1, 5));
        assert!((histogram.sum - 135.0).abs() < f64::EPSILON);
    }
}
