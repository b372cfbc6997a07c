//! One stream type for sessions, before and after STARTTLS.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::{ClientConfig, CommonState, ProtocolVersion, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::error::Error;

/// Longest time a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream that may be under TLS.
///
/// Upgrading takes the stream alone: octets a session has read ahead stay with the session, which
/// must throw them away (RFC 3207 §4.2: commands injected before the handshake are not obeyed).
pub enum MaybeTls<S = TcpStream> {
    /// Clear text.
    Plain(S),
    /// Under TLS, we being the server.
    Server(Box<server::TlsStream<S>>),
    /// Under TLS, we being the client.
    Client(Box<client::TlsStream<S>>),
}

/// What carries the octets of a connection: a socket, or a pipe in memory.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Transport for T {}

/// A stream over whatever carries it: what protocol sessions are written for.
pub type AnyStream = MaybeTls<Box<dyn Transport>>;

impl AnyStream {
    /// A stream in clear text over `transport`.
    #[must_use]
    pub fn over(transport: impl Transport + 'static) -> Self {
        Self::Plain(Box::new(transport))
    }
}

/// What a handshake agreed on, for trace fields and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `TLSv1.3` or `TLSv1.2`.
    pub protocol: &'static str,
    /// The cipher suite's registered name.
    pub cipher: &'static str,
    /// The name that the client asked for; present only on the server's side.
    pub server_name: Option<String>,
}

impl<S> fmt::Debug for MaybeTls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "MaybeTls::Plain",
            Self::Server(_) => "MaybeTls::Server",
            Self::Client(_) => "MaybeTls::Client",
        })
    }
}

impl<S> From<S> for MaybeTls<S> {
    fn from(stream: S) -> Self {
        Self::Plain(stream)
    }
}

impl<S> MaybeTls<S> {
    /// Whether the stream is under TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// The stream underneath, for its addresses.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            Self::Server(stream) => stream.get_ref().0,
            Self::Client(stream) => stream.get_ref().0,
        }
    }

    /// What was agreed on; `None` in clear text.
    #[must_use]
    pub fn session(&self) -> Option<Session> {
        match self {
            Self::Plain(_) => None,
            Self::Server(stream) => {
                let connection = stream.get_ref().1;
                Some(describe(
                    connection,
                    connection.server_name().map(str::to_owned),
                ))
            }
            Self::Client(stream) => Some(describe(stream.get_ref().1, None)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MaybeTls<S> {
    /// Handshakes as the server, within [`HANDSHAKE_TIMEOUT`].
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`] or [`Error::AlreadyEncrypted`]; the stream is gone.
    pub async fn accept(self, config: Arc<ServerConfig>) -> Result<Self, Error> {
        let Self::Plain(stream) = self else {
            return Err(Error::AlreadyEncrypted);
        };
        let handshake = TlsAcceptor::from(config).accept(stream);
        let stream = within(handshake).await?;
        Ok(Self::Server(Box::new(stream)))
    }

    /// Handshakes as the client of the server `name`, within [`HANDSHAKE_TIMEOUT`].
    ///
    /// # Errors
    /// [`Error::Handshake`], [`Error::Timeout`], [`Error::InvalidServerName`] or
    /// [`Error::AlreadyEncrypted`]; the stream is gone.
    pub async fn connect(self, config: Arc<ClientConfig>, name: &str) -> Result<Self, Error> {
        let Self::Plain(stream) = self else {
            return Err(Error::AlreadyEncrypted);
        };
        let name = ServerName::try_from(name.to_owned()).map_err(|_| Error::InvalidServerName)?;
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = within(handshake).await?;
        Ok(Self::Client(Box::new(stream)))
    }
}

async fn within<T>(handshake: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(done) => done.map_err(Error::Handshake),
        Err(_elapsed) => Err(Error::Timeout),
    }
}

fn describe(connection: &CommonState, server_name: Option<String>) -> Session {
    let protocol = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let suite = connection.negotiated_cipher_suite();
    let cipher = suite
        .and_then(|suite| suite.suite().as_str())
        .unwrap_or("unknown");
    Session {
        protocol,
        cipher,
        server_name,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MaybeTls<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Server(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Client(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MaybeTls<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Server(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Client(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Server(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Client(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Server(stream) => stream.is_write_vectored(),
            Self::Client(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Server(stream) => Pin::new(stream).poll_flush(context),
            Self::Client(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Server(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Client(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
