//! The rustls configurations of listeners and of outbound connections.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::error::Error;
use crate::identity::Identity;

/// The identity that listeners show, replaceable while they run: connections under way keep what
/// they began with, the next handshake sees the new one.
#[derive(Debug)]
pub struct Certificates {
    current: RwLock<Identity>,
}

impl Certificates {
    /// Shows `identity` until it is replaced.
    #[must_use]
    pub fn new(identity: Identity) -> Arc<Self> {
        Arc::new(Self {
            current: RwLock::new(identity),
        })
    }

    /// Shows `identity` from the next handshake on.
    pub fn replace(&self, identity: Identity) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// What is shown now.
    #[must_use]
    pub fn current(&self) -> Identity {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The configuration of listeners that show this.
    ///
    /// # Errors
    /// When the system has no randomness for ticket keys.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(crate::provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(Error::Configuration)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        // Ticket keys live in memory only and rotate; early data stays off, replay being what it
        // is for mail.
        config.ticketer = Ticketer::new().map_err(Error::Configuration)?;
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    /// The one identity, whatever name the client asked for: a mail client that uses an old name
    /// gets a certificate it can judge rather than an alert.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().certified())
    }
}

/// The configuration of a listener that shows `identity` for good: TLS 1.3 and 1.2, session
/// tickets, no client certificates. For one that can be reloaded see [`Certificates`].
///
/// # Errors
/// When the system has no randomness for ticket keys.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, Error> {
    Certificates::new(identity.clone()).server_config()
}

/// Whose certificates an outbound connection believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Anyone's. RFC 7435 §3: encryption without authentication still defeats the passive
    /// listener; mail between servers has no better default without DANE or MTA-STS.
    Opportunistic,
    /// Those that the host's trusted roots vouch for, under the name asked for.
    WebPki,
    /// Those that this authority vouches for, under the name asked for.
    Authority(CertificateDer<'static>),
}

/// The configuration of outbound connections. Reads the host's roots for
/// [`Verification::WebPki`]: blocks on file I/O.
///
/// # Errors
/// [`Error::NoRoots`] when the host has none; [`Error::Configuration`] when the authority's
/// certificate is unusable.
pub fn outbound_config(verification: Verification) -> Result<Arc<ClientConfig>, Error> {
    let provider = crate::provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(Error::Configuration)?;
    let config = match verification {
        Verification::Opportunistic => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone::new(&provider)))
            .with_no_client_auth(),
        Verification::WebPki => builder
            .with_root_certificates(host_roots()?)
            .with_no_client_auth(),
        Verification::Authority(certificate) => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate).map_err(Error::Configuration)?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

fn host_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a trusted root certificate cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "trusted root certificates loaded");
    if added == 0 {
        Err(Error::NoRoots)
    } else {
        Ok(roots)
    }
}

/// Believes any certificate. The handshake's signatures are still checked where the certificate
/// can be parsed for it.
#[derive(Debug)]
struct Anyone {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Anyone {
    fn new(provider: &CryptoProvider) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

/// A certificate that webpki cannot read (version 1, odd extensions) proves nothing, and nothing
/// is asked of it here: refusing it would only send the mail in clear text instead.
fn tolerate_unreadable(
    checked: Result<HandshakeSignatureValid, rustls::Error>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    match checked {
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::BadEncoding | rustls::CertificateError::Other(_),
        )) => Ok(HandshakeSignatureValid::assertion()),
        other => other,
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        tolerate_unreadable(rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.algorithms,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        tolerate_unreadable(rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.algorithms,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
