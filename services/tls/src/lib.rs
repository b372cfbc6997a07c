//! Certificates and TLS configurations for listeners and for outbound mail.
//!
//! An [`Identity`] is a certificate chain with its private key: loaded from files, issued by an
//! [`Authority`] of our own (demo, tests, private networks) or signed by itself. [`Certificates`]
//! holds the identity a listener shows and can replace it while connections go on.
//! [`server_config`] and [`outbound_config`] make the two rustls configurations, TLS 1.2 and 1.3
//! only, and [`MaybeTls`] is the stream a session reads and writes whether or not STARTTLS came.
//!
//! Not here: ACME, DANE and MTA-STS (who must be verified is decided by the queue; the verifiers
//! for it will join [`Verification`]), client certificates, early data (off).
//!
//! RFC 5246, RFC 8446, RFC 8314, RFC 7435 (opportunistic security). Start at [`Identity`].
#![deny(missing_docs)]

mod authority;
mod config;
mod error;
mod identity;
mod stream;

pub use authority::{Authority, Validity};
pub use config::{Certificates, Verification, outbound_config, server_config};
pub use error::Error;
pub use identity::{Identity, load_identity};
pub use stream::{AnyStream, HANDSHAKE_TIMEOUT, MaybeTls, Session, Transport};

/// The cryptography under every configuration.
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
