//! SMTP sessions: MX, submission and LMTP.
//!
//! A session reads commands ([`smtp`] frames and parses them), asks the services what they mean and
//! answers. It holds no mail of its own: the reply to the end of a message leaves after
//! [`queue::Queue::accept`] has it on disk. What is refused is refused here, while the sender is
//! connected, never by a later report.
//!
//! | file | step |
//! |---|---|
//! | `session.rs` | greeting, EHLO, STARTTLS, order of commands, limits |
//! | `auth.rs` | AUTH |
//! | `transaction.rs` | MAIL and RCPT: who may send to whom |
//! | `message.rs` | DATA: reception, verification, filter, acceptance |
//! | `copies.rs` | which copy goes where: mailbox, tag's folder, quarantine; the subject |
//! | `rate.rs` | how fast users may send |
//! | `refusal.rs` | errors as replies, the only place |
//!
//! RFC 5321, 6409 (submission), 2033 (LMTP), 1870, 2034, 2920, 3207, 4954, 6152, 6531, 8314.
//! Not here: CHUNKING, DSN, FUTURERELEASE (neither announced nor accepted). Start at [`Smtpd`].
#![deny(missing_docs)]

mod auth;
mod copies;
mod io;
mod limits;
mod message;
mod metrics;
mod rate;
mod refusal;
mod session;
mod submission;
mod transaction;

use std::net::SocketAddr;
use std::sync::Arc;

use ambient::{Clock, Random};
use directory::Directory;
use filter::Filter;
use lobby::Lobby;
use mailauth::Authenticator;
use policy::Policy;
use queue::Queue;
use rustls::ServerConfig;
use smtp::Domain;
use store::Db;
use tls::AnyStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use copies::with_prefix;
pub use limits::Limits;
pub use metrics::Metrics;

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Mail from other servers: unauthenticated, verified and filtered, for local recipients only.
    Mx,
    /// Mail from users: only after AUTH, which is only offered under TLS.
    Submission,
    /// RFC 2033: mail from a trusted server in front, for local recipients only.
    Lmtp,
}

/// What the sessions work with.
#[derive(Debug)]
pub struct Options {
    /// Our name in greetings and trace fields.
    pub hostname: Domain,
    /// Who receives and who may send.
    pub directory: Directory,
    /// Where accepted mail goes.
    pub queue: Queue,
    /// SPF, DKIM, DMARC and ARC.
    pub authenticator: Authenticator,
    /// What is junk, and what is refused.
    pub filter: Filter,
    /// What users and administrators say about senders, recipients and limits.
    pub policy: Policy,
    /// Where blobs are staged.
    pub db: Db,
    /// For STARTTLS; not announced without.
    pub tls: Option<Arc<ServerConfig>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and nonces.
    pub random: Arc<dyn Random>,
    /// Limits of all sessions.
    pub limits: Limits,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The SMTP server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Smtpd {
    server: Arc<Server>,
}

/// The options and what all sessions share.
#[derive(Debug)]
pub(crate) struct Server {
    options: Options,
    /// Octets of messages that may still be received at a time.
    budget: Arc<Semaphore>,
    /// Who has neither signed in nor sent mail.
    lobby: Arc<Lobby>,
    signing: submission::Signing,
    rates: rate::Rates,
}

impl std::ops::Deref for Server {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

/// A client's connection. Implicit TLS has been negotiated already.
#[derive(Debug)]
pub struct Connection {
    /// The transport.
    pub stream: AnyStream,
    /// Who connected.
    pub peer: SocketAddr,
    /// What the listener is for.
    pub role: Role,
}

impl Smtpd {
    /// A server with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let in_flight = usize::try_from(options.limits.messages_in_flight_bytes)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let budget = Arc::new(Semaphore::new(in_flight));
        let lobby = Arc::new(Lobby::new(options.limits.unproven_sessions));
        Self {
            server: Arc::new(Server {
                options,
                budget,
                lobby,
                signing: submission::Signing::default(),
                rates: rate::Rates::default(),
            }),
        }
    }

    /// Serves a connection until its end, or until `shutdown`, when it says 421.
    pub async fn session(&self, connection: Connection, shutdown: CancellationToken) {
        let metrics = &self.server.metrics;
        let listener = metrics::ByListener {
            listener: connection.role.into(),
        };
        metrics.connections.get_or_create(&listener).inc();
        metrics.sessions.inc();
        session::Session::new(Arc::clone(&self.server), connection, shutdown)
            .run()
            .await;
        metrics.sessions.dec();
    }
}
