//! What can go wrong with certificates and handshakes.

use std::io;
use std::path::PathBuf;

/// A failure in this crate. Messages are for the operator, never for a peer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The text holds no certificate.
    #[error("no certificate found; a PEM block CERTIFICATE is expected")]
    NoCertificate,
    /// The text holds no private key.
    #[error("no private key found; a PEM block PRIVATE KEY is expected")]
    NoPrivateKey,
    /// A PEM block is damaged.
    #[error("malformed PEM: {0}")]
    Pem(String),
    /// The first certificate cannot be parsed.
    #[error("malformed certificate: {0}")]
    Certificate(String),
    /// The private key is of no supported kind.
    #[error("unusable private key: {0}")]
    PrivateKey(String),
    /// The private key does not belong to the first certificate of the chain.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// A file holds something that cannot be used; the source says what.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<Error>,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Issue(String),
    /// The host offers no trusted root certificates.
    #[error("the host has no trusted root certificates")]
    NoRoots,
    /// rustls refuses the configuration.
    #[error("tls configuration")]
    Configuration(#[source] rustls::Error),
    /// The handshake failed.
    #[error("tls handshake failed")]
    Handshake(#[source] io::Error),
    /// The handshake did not end in time.
    #[error("tls handshake timed out")]
    Timeout,
    /// The stream is under TLS already.
    #[error("the stream is already under tls")]
    AlreadyEncrypted,
    /// The name cannot be that of a server.
    #[error("not a server name")]
    InvalidServerName,
}
