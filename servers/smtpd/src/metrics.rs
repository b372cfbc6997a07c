//! Counters of the SMTP server. Labels are closed sets, never an address or a domain.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::Role;

/// Which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Listener {
    Mx,
    Submission,
    Lmtp,
}

impl From<Role> for Listener {
    fn from(role: Role) -> Self {
        match role {
            Role::Mx => Self::Mx,
            Role::Submission => Self::Submission,
            Role::Lmtp => Self::Lmtp,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByListener {
    pub(crate) listener: Listener,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Fate {
    Accepted,
    Junk,
    Rejected,
    Deferred,
    Discarded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByFate {
    pub(crate) listener: Listener,
    pub(crate) verdict: Fate,
}

/// Whether somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum SignIn {
    Success,
    Failure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByResult {
    pub(crate) result: SignIn,
}

/// The SMTP server's metrics.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) connections: Family<ByListener, Counter>,
    pub(crate) sessions: Gauge,
    pub(crate) messages: Family<ByFate, Counter>,
    pub(crate) bytes: Counter,
    pub(crate) authentications: Family<ByResult, Counter>,
    pub(crate) acceptance: Histogram,
}

impl Metrics {
    /// Makes the metrics and shows them in `registry`.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            connections: Family::default(),
            sessions: Gauge::default(),
            messages: Family::default(),
            bytes: Counter::default(),
            authentications: Family::default(),
            acceptance: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
        };
        let entries = registry.sub_registry_with_prefix("muskox_smtp");
        entries.register("connections", "Connections", metrics.connections.clone());
        entries.register("sessions", "Sessions in progress", metrics.sessions.clone());
        entries.register(
            "messages_received",
            "Messages received, by what became of them",
            metrics.messages.clone(),
        );
        entries.register(
            "received_bytes",
            "Octets of messages accepted",
            metrics.bytes.clone(),
        );
        entries.register(
            "auth_attempts",
            "Authentications",
            metrics.authentications.clone(),
        );
        entries.register(
            "acceptance_duration_seconds",
            "From the end of a message to its reply",
            metrics.acceptance.clone(),
        );
        Arc::new(metrics)
    }
}
