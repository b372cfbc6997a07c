//! The way of a message from acceptance to its mailboxes and to other servers.
//!
//! [`Queue::accept`] takes a message in one transaction: local recipients have it in their
//! mailboxes when it returns, remote ones have a row in the queue. [`Queue::run`] delivers what is
//! due until it is told to stop: it claims recipients with a lease, finds the hosts, talks SMTP to
//! them, and settles each recipient as soon as the remote server has answered the final dot. What
//! fails for the time being is tried again on a [`Schedule`]; what fails for good, or takes too
//! long, is reported to the sender, once.
//!
//! Nothing that was accepted is ever lost: the database says what is left to do, a crashed
//! delivery's lease ends, and a report is written in the transaction that gives up the recipient.
//! After a crash a message may be delivered twice, if it happened between the remote server's
//! answer and ours to the disk; no protocol can avoid that (RFC 1047).
//!
//! Not here: accepting or refusing at SMTP time (the `smtpd` server), signing, filtering, DANE and
//! MTA-STS, sender rewriting for forwarded mail.
//!
//! What the filter keeps back lies in quarantine beside it (`quarantine.rs`): an administrator
//! releases it or it expires.
//!
//! RFC 5321 (sending, retrying, reporting), RFC 3464 (reports), RFC 7505 (null MX), and those of
//! the `remote` module. Start at [`Queue`], then `delivery` and `table`.
#![deny(missing_docs)]

mod admin;
mod attempt;
mod delivery;
mod destination;
mod error;
mod failure;
mod metrics;
mod quarantine;
mod remote;
mod report;
mod route;
mod schedule;
mod spool;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod worker;

use std::fmt;
use std::sync::Arc;

use ambient::{Clock, Random};
use directory::Directory;
use dns::Resolver;
use rustls::ClientConfig;
use smtp::Domain;
use store::Db;
use tokio::sync::Semaphore;

pub use admin::{QueueEntry, QueueRecipient, RecipientState};
pub use error::Error;
pub use metrics::Metrics;
pub use quarantine::Quarantined;
pub use remote::Timeouts;
pub use route::{Login, RelaySecurity, RemoteRoute};
pub use schedule::{Next, Schedule};
pub use spool::{Accepted, Companion, Held, Place, RoutedRecipient, Submission};
pub use table::QueueId;
pub use trace::{Client, MAX_HOPS, Origin, SenderStanding, Transport, hops};

use destination::Destinations;
use metrics::Counters;
use remote::Pool;

/// What a [`Queue`] works with.
#[derive(Clone)]
pub struct QueueOptions {
    /// Where everything is kept.
    pub db: Db,
    /// Who is local: reports find their way through it.
    pub directory: Directory,
    /// Finds the hosts of remote domains.
    pub resolver: Arc<dyn Resolver>,
    /// TLS towards hosts whose certificate nobody has to vouch for (RFC 7435).
    pub tls: Arc<ClientConfig>,
    /// The time of schedules and leases.
    pub clock: Arc<dyn Clock>,
    /// Jitter, the order of equal hosts, and names of reports.
    pub random: Arc<dyn Random>,
    /// Our name: in EHLO, Received and reports, and in the MX records that point at us.
    pub hostname: Domain,
    /// How remote mail leaves.
    pub route: RemoteRoute,
    /// When to try again.
    pub schedule: Schedule,
    /// How long to wait for remote hosts.
    pub timeouts: Timeouts,
    /// How much to do at a time.
    pub limits: Limits,
    /// This node's number among those that share the database; not 0.
    pub node: u32,
}

impl fmt::Debug for QueueOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueOptions")
            .field("hostname", &self.hostname)
            .field("route", &self.route)
            .field("limits", &self.limits)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// How much the queue does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages in delivery.
    pub deliveries: usize,
    /// Deliveries to one destination, each with a connection of its own.
    pub per_destination: usize,
    /// KiB of messages in memory for sending; larger messages wait for each other.
    pub content_kib: u32,
    /// Seconds a claim holds without being renewed: how long a crashed node's mail waits.
    pub lease: i64,
    /// Seconds that running deliveries get to finish when the queue stops.
    pub grace: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deliveries: 256,
            per_destination: 4,
            content_kib: 128 * 1_024,
            lease: 900,
            grace: 10,
        }
    }
}

/// The queue. Cheap to clone; all clones are the same queue.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.options.fmt(f)
    }
}

/// What all parts of the queue share.
struct Inner {
    options: QueueOptions,
    timeouts: Arc<Timeouts>,
    destinations: Arc<Destinations>,
    pool: Pool,
    /// One permit for each KiB of [`Limits::content_kib`].
    content: Arc<Semaphore>,
    counters: Counters,
}

impl Queue {
    /// A queue; nothing is sent before [`Queue::run`].
    #[must_use]
    pub fn new(options: QueueOptions) -> Self {
        let content = usize::try_from(options.limits.content_kib).unwrap_or(usize::MAX);
        Self(Arc::new(Inner {
            timeouts: Arc::new(options.timeouts.clone()),
            destinations: Arc::new(Destinations::new(options.limits.per_destination)),
            pool: Pool::default(),
            content: Arc::new(Semaphore::new(content.clamp(1, Semaphore::MAX_PERMITS))),
            counters: Counters::default(),
            options,
        }))
    }

    /// The counters since the process started.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.0.counters.snapshot()
    }
}
