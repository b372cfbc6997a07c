//! SASL mechanisms PLAIN, LOGIN and SCRAM-SHA-256, without I/O.
//!
//! Each mechanism turns the client's messages into what the session needs: a name and a password to
//! check ([`Plain`]), or a name whose [`ScramCredential`] proves the rest. Nothing here looks a user
//! up, hashes a stored password, draws random numbers or limits attempts: that is the directory's.
//!
//! RFC 4422 (SASL), RFC 4616 (PLAIN), draft-murchison-sasl-login (LOGIN), RFC 5802 and RFC 7677
//! (SCRAM-SHA-256). Channel binding (`-PLUS`) is not offered.
//!
//! Start at [`Mechanism`] and [`decode_response`], then the mechanism's own module.

#![deny(missing_docs)]

pub mod exchange;
pub mod login;
pub mod plain;
pub mod scram;
mod secret;

pub use exchange::{Mechanism, decode_response, encode_challenge};
pub use login::{Login, LoginStep};
pub use plain::Plain;
pub use scram::{ScramClient, ScramCredential, ScramServer};
pub use secret::Secret;

use thiserror::Error;

/// Why an exchange fails. None of them tells a client more than that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The client sent `*`.
    #[error("the client cancelled the exchange")]
    Cancelled,
    /// Not base64 as RFC 4648 §4 has it.
    #[error("the response is not base64")]
    Base64,
    /// Longer than the mechanism allows.
    #[error("the message is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("the message is not UTF-8")]
    NotUtf8,
    /// Not the mechanism's syntax.
    #[error("the message is malformed")]
    Malformed,
    /// The peer asks for channel binding, which was not offered.
    #[error("channel binding is not offered")]
    ChannelBinding,
    /// The peer asks for a mandatory extension.
    #[error("the peer demands an unknown extension")]
    UnsupportedExtension,
    /// The nonce or the header of an earlier message does not come back as it was sent.
    #[error("the message belongs to another exchange")]
    WrongExchange,
    /// An iteration count outside [`scram::MIN_ITERATIONS`] to [`scram::MAX_ITERATIONS`].
    #[error("the iteration count is out of range")]
    Iterations,
    /// The client does not know the password, or the server does not know the credential.
    #[error("the proof is wrong")]
    WrongProof,
    /// A message at the wrong time: the caller's mistake, or an exchange continued after an error.
    #[error("the message came out of order")]
    OutOfOrder,
}
