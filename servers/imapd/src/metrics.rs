//! Counters of the IMAP server. Labels are closed sets, never an address or a domain.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A command by its name, one of the codec's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByCommand {
    pub(crate) command: &'static str,
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

/// The IMAP server's metrics.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) connections: Counter,
    pub(crate) sessions: Gauge,
    pub(crate) idle: Gauge,
    pub(crate) commands: Family<ByCommand, Counter>,
    pub(crate) authentications: Family<ByResult, Counter>,
    pub(crate) appended: Counter,
    pub(crate) sent: Counter,
}

impl Metrics {
    /// Makes the metrics and shows them in `registry`.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            connections: Counter::default(),
            sessions: Gauge::default(),
            idle: Gauge::default(),
            commands: Family::default(),
            authentications: Family::default(),
            appended: Counter::default(),
            sent: Counter::default(),
        };
        let entries = registry.sub_registry_with_prefix("muskox_imap");
        entries.register("connections", "Connections", metrics.connections.clone());
        entries.register("sessions", "Sessions in progress", metrics.sessions.clone());
        entries.register("idle_sessions", "Sessions in IDLE", metrics.idle.clone());
        entries.register(
            "commands",
            "Commands understood, by name",
            metrics.commands.clone(),
        );
        entries.register(
            "auth_attempts",
            "Authentications",
            metrics.authentications.clone(),
        );
        entries.register(
            "appended_bytes",
            "Octets of messages appended",
            metrics.appended.clone(),
        );
        entries.register("sent_bytes", "Octets sent to clients", metrics.sent.clone());
        Arc::new(metrics)
    }
}

/// One more on a gauge for as long as it lives.
#[derive(Debug)]
pub(crate) struct Held(Gauge);

impl Held {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
