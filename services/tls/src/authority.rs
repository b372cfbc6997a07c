//! A certificate authority of our own, for the demo, for tests and for private networks.
//!
//! ECDSA P-256 throughout. Without a clock, [`Validity::default`] is a fixed wide span; give one
//! from [`Validity::days`] where clients insist on short lives.

use std::fmt;
use std::time::Duration;

use ambient::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::Error;
use crate::identity::Identity;

/// How an authority signs itself.
const AUTHORITY_NAME: &str = "Muskox local authority";

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

impl Default for Validity {
    /// 2024-01-01 to 2124-01-01: needs no clock.
    fn default() -> Self {
        Self {
            not_before: Timestamp(1_704_067_200),
            not_after: Timestamp(4_859_740_800),
        }
    }
}

impl Validity {
    /// From an hour before `now` (clocks differ) for `days`.
    #[must_use]
    pub fn days(now: Timestamp, days: u32) -> Self {
        Self {
            not_before: now.plus(-3_600),
            not_after: now.plus(i64::from(days) * 86_400),
        }
    }
}

/// A self-signed authority that issues identities. The key never shows in `Debug`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority with a new key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        let key = new_key()?;
        let certificate = authority_params()?.self_signed(&key).map_err(issue)?;
        Self::assemble(certificate.der().clone(), key.serialize_der())
    }

    /// An authority from its certificate and key as [`Authority::certificate_pem`] and
    /// [`Authority::private_key_pem`] wrote them.
    ///
    /// # Errors
    /// When either is damaged, they do not belong together, or the certificate is not one that
    /// [`Authority::generate`] made.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Error> {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|error| Error::Pem(error.to_string()))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes())
            .map_err(|error| Error::Pem(error.to_string()))?;
        // The pair is checked as any identity is.
        let whole = PrivateKeyDer::Pkcs8(key.clone_key());
        Identity::new(vec![certificate.clone()], whole)?;
        Self::assemble(certificate, key.secret_pkcs8_der().to_vec())
    }

    fn assemble(certificate: CertificateDer<'static>, key: Vec<u8>) -> Result<Self, Error> {
        // What is issued names its issuer, so the subject must be the one that we sign as.
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|error| Error::Certificate(error.to_string()))?;
        let named = parsed.subject().iter_common_name().next();
        if named.and_then(|name| name.as_str().ok()) != Some(AUTHORITY_NAME) || !parsed.is_ca() {
            return Err(Error::Certificate("not an authority made here".to_owned()));
        }
        let pair = KeyPair::try_from(key.as_slice()).map_err(issue)?;
        let issuer = Issuer::new(authority_params()?, pair);
        Ok(Self {
            issuer,
            certificate,
            key,
        })
    }

    /// A new key and a certificate for `names` (host names or addresses), good for the default
    /// span. The chain is the leaf alone: whoever trusts the authority has its certificate.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue(&self, names: &[&str]) -> Result<Identity, Error> {
        self.issue_for(names, Validity::default())
    }

    /// As [`Authority::issue`], good for `validity`.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue_for(&self, names: &[&str], validity: Validity) -> Result<Identity, Error> {
        let key = new_key()?;
        let leaf = leaf_params(names, validity)?
            .signed_by(&key, &self.issuer)
            .map_err(issue)?;
        identity(leaf.der().clone(), &key)
    }

    /// A certificate that its own key signed.
    pub(crate) fn self_signed(names: &[&str], validity: Validity) -> Result<Identity, Error> {
        let key = new_key()?;
        let leaf = leaf_params(names, validity)?
            .self_signed(&key)
            .map_err(issue)?;
        identity(leaf.der().clone(), &key)
    }

    /// The authority's own certificate, to be trusted by clients.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The authority's own certificate as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        crate::identity::pem("CERTIFICATE", &self.certificate)
    }

    /// The private key as PEM. A secret: for files of mode 0600 only.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        crate::identity::pem("PRIVATE KEY", &self.key)
    }
}

fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(issue)
}

fn identity(leaf: CertificateDer<'static>, key: &KeyPair) -> Result<Identity, Error> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Identity::new(vec![leaf], PrivateKeyDer::Pkcs8(key))
}

fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = params(&[], Validity::default())?;
    params
        .distinguished_name
        .push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(params)
}

fn leaf_params(names: &[&str], validity: Validity) -> Result<CertificateParams, Error> {
    if names.is_empty() {
        return Err(Error::Issue("no name given".to_owned()));
    }
    let mut params = params(names, validity)?;
    if let Some(first) = names.first() {
        params.distinguished_name.push(DnType::CommonName, *first);
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn params(names: &[&str], validity: Validity) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(issue)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let epoch = date_time_ymd(1970, 1, 1);
    let since = |at: Timestamp| Duration::from_secs(u64::try_from(at.0).unwrap_or(0));
    params.not_before = epoch + since(validity.not_before);
    params.not_after = epoch + since(validity.not_after);
    Ok(params)
}

fn issue(error: rcgen::Error) -> Error {
    Error::Issue(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_survives_its_pem_and_still_issues() {
        let authority = Authority::generate().unwrap();
        let again = Authority::from_pem(&authority.certificate_pem(), &authority.private_key_pem())
            .unwrap();
        assert_eq!(again.certificate(), authority.certificate());
        let identity = again.issue(&["mail.example.test", "::1"]).unwrap();
        assert_eq!(identity.names(), ["mail.example.test", "::1"]);
    }

    #[test]
    fn the_span_is_what_was_asked_for() {
        let authority = Authority::generate().unwrap();
        let now = Timestamp(1_800_000_000);
        let identity = authority
            .issue_for(&["a.test"], Validity::days(now, 90))
            .unwrap();
        assert_eq!(identity.not_after(), now.plus(90 * 86_400));
        let wide = authority.issue(&["a.test"]).unwrap();
        assert_eq!(wide.not_after(), Validity::default().not_after);
    }

    #[test]
    fn another_authoritys_key_is_refused() {
        let one = Authority::generate().unwrap();
        let two = Authority::generate().unwrap();
        let mixed = Authority::from_pem(&one.certificate_pem(), &two.private_key_pem());
        assert!(matches!(mixed, Err(Error::KeyMismatch)));
        let leaf = one.issue(&["a.test"]).unwrap();
        let leaf = Authority::from_pem(&leaf.certificate_pem(), &leaf.private_key_pem());
        assert!(matches!(leaf, Err(Error::Certificate(_))));
        assert!(matches!(one.issue(&[]), Err(Error::Issue(_))));
    }
}
