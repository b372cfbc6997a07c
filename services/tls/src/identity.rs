//! A certificate chain with its private key.
//!
//! An [`Identity`] is checked when it is made: the chain parses and the key belongs to it, so that
//! a wrong file is an error at start or reload and never a failing handshake later.
#![expect(
    clippy::disallowed_methods,
    reason = "reads certificate and key files; callers are outside the reactor (start, reload)"
)]

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ambient::Timestamp;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::{Authority, Validity};
use crate::error::Error;

/// Certificates read from one chain.
const CHAIN_MAX: usize = 16;
/// Largest certificate or key file read.
const FILE_MAX: u64 = 1024 * 1024;

/// A certificate chain, leaf first, with the leaf's private key. Cheap to clone; the key never
/// shows in `Debug`.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    key: Arc<PrivateKeyDer<'static>>,
    names: Arc<[String]>,
    not_after: Timestamp,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// When the leaf does not parse, the key is of no supported kind, or the two do not belong
    /// together.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        let leaf = chain.first().ok_or(Error::NoCertificate)?;
        let (names, not_after) = describe(leaf)?;
        let signing = crate::provider()
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|error| Error::PrivateKey(error.to_string()))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(Error::KeyMismatch),
            Err(error) => return Err(Error::Certificate(error.to_string())),
        }
        Ok(Self {
            certified: Arc::new(certified),
            key: Arc::new(key),
            names: names.into(),
            not_after,
        })
    }

    /// From PEM text: one or more CERTIFICATE blocks, leaf first, and one private key block
    /// (PKCS #8, SEC 1 or PKCS #1). Both may be the same text.
    ///
    /// # Errors
    /// As [`Identity::new`], and when a block is missing or damaged.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        Self::new(chain_from_pem(chain)?, key_from_pem(key)?)
    }

    /// A new key and a certificate for `names` (host names or addresses) signed with that key.
    ///
    /// # Errors
    /// When a name is none.
    pub fn self_signed(names: &[&str]) -> Result<Self, Error> {
        Authority::self_signed(names, Validity::default())
    }

    /// The chain as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.certified
            .cert
            .iter()
            .map(|der| pem("CERTIFICATE", der))
            .collect()
    }

    /// The private key as PEM. A secret: for files of mode 0600 only.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        let label = match &*self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        pem(label, self.key.secret_der())
    }

    /// The leaf certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }

    /// The host names and addresses the leaf is for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// When the leaf expires.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

/// Reads an identity from two PEM files, which may be the same one. Blocks on file I/O.
///
/// # Errors
/// Always names the file that is at fault.
pub fn load_identity(certificate: &Path, key: &Path) -> Result<Identity, Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source: Error| Error::File {
            path,
            source: Box::new(source),
        }
    };
    let chain = chain_from_pem(&read(certificate)?).map_err(at(certificate))?;
    let private = key_from_pem(&read(key)?).map_err(at(key))?;
    Identity::new(chain, private).map_err(|error| match error {
        Error::Certificate(_) => at(certificate)(error),
        other => at(key)(other),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

fn chain_from_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(text)
        .take(CHAIN_MAX)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Pem(error.to_string()))?;
    if chain.is_empty() {
        Err(Error::NoCertificate)
    } else {
        Ok(chain)
    }
}

fn key_from_pem(text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => Error::NoPrivateKey,
        other => Error::Pem(other.to_string()),
    })
}

/// RFC 6125 §6.4.4: the subject alternative names count; the common name no longer does.
fn describe(leaf: &CertificateDer<'_>) -> Result<(Vec<String>, Timestamp), Error> {
    let malformed = |error: String| Error::Certificate(error);
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|e| malformed(e.to_string()))?;
    let alternatives = parsed
        .subject_alternative_name()
        .map_err(|error| malformed(error.to_string()))?;
    let mut names = Vec::new();
    if let Some(alternatives) = alternatives {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_ascii_lowercase()),
                GeneralName::IPAddress(octets) => names.extend(address(octets)),
                _ => {}
            }
        }
    }
    Ok((names, Timestamp(parsed.validity().not_after.timestamp())))
}

fn address(octets: &[u8]) -> Option<String> {
    let address = match <[u8; 4]>::try_from(octets) {
        Ok(v4) => std::net::IpAddr::from(v4),
        Err(_) => std::net::IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
    };
    Some(address.to_string())
}

/// RFC 7468 §2: base64 in lines of 64 between a begin and an end line.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let octet = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
            let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
            for place in 0..4_usize {
                if place > group.len() {
                    text.push('=');
                } else {
                    let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
                    text.push(ALPHABET.get(digit).map_or('=', |&octet| char::from(octet)));
                }
            }
        }
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_survives_its_own_reader() {
        let identity = Identity::self_signed(&["mail.example.test", "127.0.0.1"]).unwrap();
        let again = Identity::from_pem(
            identity.certificate_pem().as_bytes(),
            identity.private_key_pem().as_bytes(),
        )
        .unwrap();
        assert_eq!(again.certificate(), identity.certificate());
        assert_eq!(again.names(), ["mail.example.test", "127.0.0.1"]);
        for length in 0..100_u8 {
            let der: Vec<u8> = (0..length).collect();
            let text = pem("CERTIFICATE", &der);
            if length > 0 {
                assert_eq!(
                    CertificateDer::from_pem_slice(text.as_bytes()).unwrap(),
                    der.into()
                );
            }
        }
    }

    #[test]
    fn every_wrong_pair_is_refused_with_its_reason() {
        let one = Identity::self_signed(&["one.test"]).unwrap();
        let two = Identity::self_signed(&["two.test"]).unwrap();
        let certificate = one.certificate_pem();
        let key = one.private_key_pem();
        type Case<'a> = (&'a str, &'a str, fn(&Error) -> bool);
        let cases: [Case<'_>; 5] = [
            ("", &key, |e| matches!(e, Error::NoCertificate)),
            (&certificate, "", |e| matches!(e, Error::NoPrivateKey)),
            (&certificate, &certificate, |e| {
                matches!(e, Error::NoPrivateKey)
            }),
            (&certificate, &two.private_key_pem(), |e| {
                matches!(e, Error::KeyMismatch)
            }),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key,
                |e| matches!(e, Error::Certificate(_)),
            ),
        ];
        for (index, (certificate, key, expected)) in cases.into_iter().enumerate() {
            let error = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err();
            assert!(expected(&error), "case {index}: {error}");
        }
    }

    #[test]
    fn the_key_is_not_in_debug() {
        let identity = Identity::self_signed(&["one.test"]).unwrap();
        let shown = format!("{identity:?}");
        assert!(shown.contains("one.test") && shown.len() < 200, "{shown}");
    }
}
