//! What a session is in every state: a connection, a name in the log, a dialect.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use imap::response::{Encode, Status, StatusResponse};
use imap::{Utf8Mode, Writer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::Server;
use crate::io::{Ended, Io};

/// What the client has enabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// How names and quoted strings travel.
    pub(crate) mode: Utf8Mode,
    /// `ENABLE IMAP4rev2`.
    pub(crate) rev2: bool,
    /// RFC 7162 §3.1: some command has shown that the client wants mod-sequences.
    pub(crate) condstore: bool,
}

/// The client of a session.
pub(crate) struct Client {
    pub(crate) server: Arc<Server>,
    pub(crate) io: Io,
    pub(crate) dialect: Dialect,
    /// The session's name in the log.
    pub(crate) id: String,
    pub(crate) peer: SocketAddr,
}

/// How a command went: the tagged answer, not yet tagged.
pub(crate) type Answer = Result<StatusResponse, Failure>;

/// Why a command has no answer of its own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The session ends.
    Ended(Ended),
    /// To be turned into an answer by `refusal`.
    Mail(mail::Error),
    /// An answer all the same.
    Refused(StatusResponse),
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<mail::Error> for Failure {
    fn from(error: mail::Error) -> Self {
        Self::Mail(error)
    }
}

impl From<StatusResponse> for Failure {
    fn from(response: StatusResponse) -> Self {
        Self::Refused(response)
    }
}

/// The answer to a command that did what it was asked for.
pub(crate) fn done(command: &str) -> StatusResponse {
    StatusResponse::new(Status::Ok, format!("{command} completed"))
}

impl Client {
    /// Writes a response, to be sent with those before it.
    pub(crate) fn say(&mut self, response: &impl Encode) {
        response.encode_to(&mut self.io.output, self.dialect.mode);
    }

    /// Where responses are written piece by piece.
    pub(crate) fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.io.output, self.dialect.mode)
    }

    /// A share of the memory for messages on their way; `None` when none becomes free in time.
    /// Until then everything written is sent, so that nobody waits for what he could have.
    pub(crate) async fn share(
        &mut self,
        octets: u64,
    ) -> Result<Option<OwnedSemaphorePermit>, Ended> {
        self.io.flush().await?;
        Ok(share(&self.server, octets, self.server.limits.budget_timeout).await)
    }
}

/// As [`Client::share`], without a client.
pub(crate) async fn share(
    server: &Server,
    octets: u64,
    patience: Duration,
) -> Option<OwnedSemaphorePermit> {
    // What is larger than the whole budget waits until nothing else is in memory.
    let octets = u32::try_from(octets)
        .unwrap_or(u32::MAX)
        .min(server.limits.bytes_in_flight);
    let acquired = Arc::clone(&server.budget).acquire_many_owned(octets);
    timeout(patience, acquired).await.ok()?.ok()
}
