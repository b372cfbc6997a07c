//! What an operator sets.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;

/// What becomes of a message that could not be scanned. This crate only keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It is judged without the daemon's opinion.
    #[default]
    Accept,
    /// The sender is asked to try again later.
    Defer,
}

/// How to reach the daemon, and how much is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where it listens: an absolute path or `host:port`.
    pub address: Address,
    /// Seconds for one scan, waiting for a free connection included; at least 1.
    pub timeout_seconds: u64,
    /// Octets of a message up to which it is scanned. clamd's `StreamMaxLength` should not be less.
    pub max_bytes: usize,
    /// Scans at a time; at least 1. clamd's `MaxThreads` should not be less.
    pub connections: usize,
    /// What becomes of a message that could not be scanned.
    pub on_failure: OnFailure,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Address::Unix(PathBuf::from("/run/clamav/clamd.ctl")),
            timeout_seconds: 30,
            max_bytes: 100 << 20,
            connections: 8,
            on_failure: OnFailure::Accept,
        }
    }
}

impl Options {
    /// The time for one scan.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }
}
