//! One self-signed certificate for both sides, and a client that trusts exactly it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Result};
use crate::servers::DOMAIN;
use crate::stage::{Stage, write};

/// See the module.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// PEM file with the certificate.
    pub(crate) chain: PathBuf,
    /// PEM file with the private key, ECDSA on P-256.
    pub(crate) key: PathBuf,
    /// What connects to a server that has it.
    pub(crate) client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes the certificate and writes its files.
    pub(crate) fn new(stage: &Stage) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
        let made =
            rcgen::generate_simple_self_signed(vec![name()]).map_err(|error| failed(&error))?;
        let (chain, key) = (
            stage.root().join("certificate.pem"),
            stage.root().join("key.pem"),
        );
        write(&chain, &made.cert.pem())?;
        write(&key, &made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots
            .add(made.cert.der().clone())
            .map_err(|error| failed(&error))?;
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            chain,
            key,
            client: Arc::new(client),
        })
    }
}

/// The name in the certificate.
pub(crate) fn name() -> String {
    format!("mail.{DOMAIN}")
}
