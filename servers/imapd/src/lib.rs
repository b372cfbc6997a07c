//! IMAP sessions: IMAP4rev1 and IMAP4rev2 on one port.
//!
//! A session reads commands ([`imap`] frames and parses them), asks [`mail`] and answers. It keeps
//! no mail of its own but the view of the selected mailbox, 24 octets a message, shared between
//! sessions. What changes mail is answered after its commit; what reads mail is written into
//! memory first and sent when no transaction is open.
//!
//! The three states of RFC 9051 §3 are types: a session that has signed in owns a
//! `user::User`, one with a mailbox also a `selected::Selected`, and the commands of a state are
//! methods that need its type.
//!
//! | file | commands |
//! |---|---|
//! | `session.rs` | greeting, order of commands, limits, LOGOUT |
//! | `basic.rs` | CAPABILITY, ID, ENABLE, NAMESPACE |
//! | `auth.rs` | LOGIN, AUTHENTICATE |
//! | `select.rs` | SELECT, EXAMINE, CLOSE, UNSELECT |
//! | `mailbox.rs`, `list.rs` | CREATE, DELETE, RENAME, SUBSCRIBE, STATUS; LIST, LSUB |
//! | `append.rs` | APPEND |
//! | `fetch/` | FETCH |
//! | `store_flags.rs`, `copy.rs`, `expunge.rs`, `search.rs`, `idle.rs` | as they are called |
//! | `updates.rs` | what the client is told without asking, and when |
//! | `refusal.rs` | errors as replies, the only place |
//!
//! RFC 9051, RFC 3501; the extensions are those of `basic.rs`'s list.
//! Not here: QRESYNC, NOTIFY, ACL, METADATA, SORT, THREAD (neither announced nor accepted). Start
//! at [`Imapd`].
#![deny(missing_docs)]

mod append;
mod auth;
mod basic;
mod client;
mod copy;
mod expunge;
mod fetch;
mod idle;
mod io;
mod limits;
mod list;
mod mailbox;
mod metrics;
mod refusal;
mod search;
mod select;
mod selected;
mod session;
mod store_flags;
#[cfg(test)]
mod tests;
mod updates;
mod user;

use std::net::SocketAddr;
use std::sync::Arc;

use ambient::{Clock, Random};
use directory::Directory;
use lobby::Lobby;
use mail::Mail;
use rustls::ServerConfig;
use smtp::Domain;
use store::Db;
use tls::AnyStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use limits::Limits;
pub use metrics::Metrics;

/// What the sessions work with.
#[derive(Debug)]
pub struct Options {
    /// Our name in the greeting.
    pub hostname: Domain,
    /// Who may sign in.
    pub directory: Directory,
    /// Their mail.
    pub mail: Mail,
    /// The store behind it.
    pub db: Db,
    /// For STARTTLS; not announced without.
    pub tls: Option<Arc<ServerConfig>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for session names and nonces.
    pub random: Arc<dyn Random>,
    /// Limits of all sessions.
    pub limits: Limits,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The IMAP server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Imapd {
    server: Arc<Server>,
}

/// The options and what all sessions share.
#[derive(Debug)]
pub(crate) struct Server {
    options: Options,
    /// Octets of messages and strings that may be in memory at a time, on their way in or out.
    pub(crate) budget: Arc<Semaphore>,
    /// Who has not signed in yet.
    pub(crate) lobby: Arc<Lobby>,
    /// Who has.
    pub(crate) users: Arc<user::Users>,
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
}

impl Imapd {
    /// A server with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let budget = usize::try_from(options.limits.bytes_in_flight).unwrap_or(usize::MAX);
        let budget = Arc::new(Semaphore::new(budget.min(Semaphore::MAX_PERMITS)));
        let lobby = Arc::new(Lobby::new(options.limits.unauthenticated_sessions));
        let users = Arc::new(user::Users::new(options.limits.sessions_per_user));
        Self {
            server: Arc::new(Server {
                options,
                budget,
                lobby,
                users,
            }),
        }
    }

    /// Serves a connection until its end, or until `shutdown`, when it says BYE.
    pub async fn session(&self, connection: Connection, shutdown: CancellationToken) {
        let server = &self.server;
        server.metrics.connections.inc();
        let _in_progress = metrics::Held::new(&server.metrics.sessions);
        session::Session::new(Arc::clone(server), connection, shutdown)
            .run()
            .await;
    }
}
