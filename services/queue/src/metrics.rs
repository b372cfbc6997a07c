//! Counters since the start of the process. Start at [`Metrics`].

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of the queue's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Metrics {
    /// Messages accepted, reports included.
    pub messages_accepted_total: u64,
    /// Copies put into local mailboxes.
    pub local_deliveries_total: u64,
    /// Recipients whose remote server took the message.
    pub remote_deliveries_total: u64,
    /// Attempts for one recipient that will be repeated.
    pub deferrals_total: u64,
    /// Recipients given up.
    pub failures_total: u64,
    /// Reports of failure or delay made.
    pub reports_total: u64,
    /// Connections opened to remote hosts, encrypted or not.
    pub connections_total: u64,
    /// Of these, the ones in clear.
    pub connections_clear_total: u64,
    /// Sessions used for a further message.
    pub connections_reused_total: u64,
    /// Messages being delivered now.
    pub deliveries_in_flight: u64,
}

/// The live counters.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: Counter,
    pub(crate) local: Counter,
    pub(crate) remote: Counter,
    pub(crate) deferred: Counter,
    pub(crate) failed: Counter,
    pub(crate) reports: Counter,
    pub(crate) connections: Counter,
    pub(crate) clear: Counter,
    pub(crate) reused: Counter,
    pub(crate) in_flight: Counter,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0
            .fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: usize) {
        self.0
            .store(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Metrics {
        Metrics {
            messages_accepted_total: self.accepted.get(),
            local_deliveries_total: self.local.get(),
            remote_deliveries_total: self.remote.get(),
            deferrals_total: self.deferred.get(),
            failures_total: self.failed.get(),
            reports_total: self.reports.get(),
            connections_total: self.connections.get(),
            connections_clear_total: self.clear.get(),
            connections_reused_total: self.reused.get(),
            deliveries_in_flight: self.in_flight.get(),
        }
    }
}
