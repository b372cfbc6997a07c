//! Conversations with clamd.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::address::Address;
use crate::options::{OnFailure, Options};
use crate::reply::{self, Scanned};

/// Octets of a chunk; a message goes out in chunks of this size.
const CHUNK: usize = 64 << 10;
/// Octets of an answer.
const MAX_REPLY: u64 = 4096;

/// Why there is no opinion. Texts are for the operator, not for peers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The daemon cannot be reached.
    #[error("clamd at {address} cannot be reached")]
    Unreachable {
        /// Where it should be.
        address: Address,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There was no answer in time.
    #[error("clamd did not answer in time")]
    TimedOut,
    /// The message is longer than [`Options::max_bytes`] or than the daemon accepts.
    #[error("the message is too large to be scanned")]
    TooLarge,
    /// The daemon said something else than it should, or hung up.
    #[error("clamd said {0:?}")]
    Protocol(String),
}

/// A client of one daemon. Cheap to share behind an `Arc`; it holds no connection open.
#[derive(Debug)]
pub struct Antivirus {
    options: Options,
    connections: Semaphore,
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Antivirus {
    /// A client; does not speak to the daemon yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let connections = options.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            options,
            connections: Semaphore::new(connections),
        }
    }

    /// What becomes of messages for which [`Antivirus::scan`] gives an error.
    #[must_use]
    pub const fn on_failure(&self) -> OnFailure {
        self.options.on_failure
    }

    /// Has a message scanned.
    ///
    /// # Errors
    ///
    /// No opinion: see [`Error`]. The message may be fine and may be not.
    pub async fn scan(&self, bytes: &[u8]) -> Result<Scanned, Error> {
        if bytes.len() > self.options.max_bytes {
            return Err(Error::TooLarge);
        }
        let reply = self.converse(b"zINSTREAM\0", Some(bytes)).await?;
        if let Some(scanned) = Scanned::parse(&reply) {
            return Ok(scanned);
        }
        if reply.starts_with(b"INSTREAM size limit exceeded") {
            return Err(Error::TooLarge);
        }
        Err(Error::Protocol(reply::excerpt(&reply)))
    }

    /// Whether the daemon is there.
    ///
    /// # Errors
    ///
    /// It is not, or does not behave like clamd.
    pub async fn ping(&self) -> Result<(), Error> {
        let reply = self.converse(b"zPING\0", None).await?;
        if reply == b"PONG" {
            Ok(())
        } else {
            Err(Error::Protocol(reply::excerpt(&reply)))
        }
    }

    /// The daemon's version and that of its database, as it says them, at most 100 characters.
    ///
    /// # Errors
    ///
    /// It cannot be asked, or does not behave like clamd.
    pub async fn version(&self) -> Result<String, Error> {
        let reply = self.converse(b"zVERSION\0", None).await?;
        let version = reply::excerpt(&reply);
        if version.starts_with("ClamAV ") {
            Ok(version)
        } else {
            Err(Error::Protocol(version))
        }
    }

    /// One command and its answer within one deadline.
    async fn converse(&self, command: &[u8], message: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let conversation = async {
            let Ok(_permit) = self.connections.acquire().await else {
                // The semaphore is never closed.
                return Err(Error::TimedOut);
            };
            let mut stream = self.connect().await?;
            let sent = send(stream.as_mut(), command, message).await;
            // A daemon that has seen enough answers and hangs up before everything is sent: its
            // answer counts more than our broken pipe.
            let mut reply = Vec::new();
            let received = stream.take(MAX_REPLY).read_to_end(&mut reply).await;
            answer(reply, sent.and(received.map(drop)))
        };
        timeout(self.options.timeout(), conversation)
            .await
            .unwrap_or(Err(Error::TimedOut))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Error> {
        let connected: io::Result<Box<dyn Stream>> = match &self.options.address {
            Address::Unix(path) => UnixStream::connect(path)
                .await
                .map(|stream| Box::new(stream) as Box<dyn Stream>),
            Address::Tcp(place) => TcpStream::connect(place.as_str())
                .await
                .map(|stream| Box::new(stream) as Box<dyn Stream>),
        };
        connected.map_err(|source| Error::Unreachable {
            address: self.options.address.clone(),
            source,
        })
    }
}

/// Sends a command, and the message in chunks of a length and as many octets, a length of 0 last.
async fn send(stream: &mut dyn Stream, command: &[u8], message: Option<&[u8]>) -> io::Result<()> {
    stream.write_all(command).await?;
    if let Some(message) = message {
        for chunk in message.chunks(CHUNK) {
            let length = u32::try_from(chunk.len()).map_err(io::Error::other)?;
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(chunk).await?;
        }
        stream.write_all(&0_u32.to_be_bytes()).await?;
    }
    stream.flush().await
}

/// The answer without the NUL that ends it. An answer that does not end in NUL is cut off.
fn answer(mut reply: Vec<u8>, transfer: io::Result<()>) -> Result<Vec<u8>, Error> {
    if reply.pop() == Some(0) {
        return Ok(reply);
    }
    if let Err(error) = transfer {
        tracing::debug!(%error, "connection to clamd broke");
    }
    Err(Error::Protocol(format!(
        "{} (cut off)",
        reply::excerpt(&reply)
    )))
}

#[cfg(test)]
mod tests;
