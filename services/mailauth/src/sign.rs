//! DKIM signatures on outbound mail, and the keys that make them.
//!
//! [`generate`] makes a key pair with the text of its DNS record; [`sign`] writes one
//! DKIM-Signature field per key: RSA for everyone, Ed25519 beside it for those who can. Bodies and
//! headers are canonicalised `relaxed`, the whole body is signed, and every field that shapes how a
//! message is read is signed once more often than it occurs, so that none can be added.
//!
//! Both [`generate`] (RSA: tenths of a second) and [`sign`] (RSA: about a millisecond)
//! are plain computations: callers with a reactor to spare decide where they run.
//!
//! RFC 6376, RFC 8301 (SHA-256, 2,048 bits), RFC 8463 (Ed25519).

mod canonical;

use std::fmt;

use ambient::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp::address::Domain;

/// How long a signature is good: longer than any queue keeps mail, too short to seed replays.
const LIFETIME: i64 = 7 * 24 * 60 * 60;
/// RFC 8301 §3.2: what signers must at least use is 1,024 bits; what they should use is this.
const RSA_BYTES_MIN: usize = 256;
/// Occurrences of one field beyond which a message is not signed.
const OCCURRENCES_MAX: usize = 16;
/// RFC 5322 §2.1.1: length of a folded line.
const LINE: usize = 76;
/// Longest selector: leaves room for `._domainkey.` and a domain in the 253 octets of a name.
const SELECTOR_MAX: usize = 63;

/// The fields that are signed, present or not.
const SIGNED: [&str; 19] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "In-Reply-To",
    "References",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
];

/// Why a key or a signature cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The system has no randomness.
    #[error("cannot generate a key")]
    Generate,
    /// The octets are no private key, or an RSA key under 2,048 bits.
    #[error("unusable private key")]
    Key,
    /// The selector is no sequence of letters, digits, hyphens and dots.
    #[error("unusable selector")]
    Selector,
    /// RFC 6376 §5.4: what has no From field cannot be signed.
    #[error("the message has no author")]
    NoAuthor,
    /// A field that should occur once occurs absurdly often.
    #[error("a header field is repeated too often")]
    TooManyFields,
    /// The cryptographic library refused to sign.
    #[error("cannot sign")]
    Sign,
}

/// How signatures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `rsa-sha256` with 2,048 bits.
    Rsa2048,
    /// `ed25519-sha256`.
    Ed25519,
}

impl Algorithm {
    /// The `a=` tag.
    fn signature_name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }

    /// The `k=` tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// A new key pair. The private part never shows in `Debug`.
pub struct GeneratedKey {
    /// For which signatures.
    pub algorithm: Algorithm,
    /// The private key, PKCS #8 in DER.
    pub private_key: Vec<u8>,
    /// The public key as it stands in the `p=` tag: base64.
    pub public_key: String,
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedKey")
            .field("algorithm", &self.algorithm)
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

impl GeneratedKey {
    /// The TXT record to publish, see [`dns_txt`].
    #[must_use]
    pub fn dns_txt(&self) -> String {
        dns_txt(self.algorithm, &self.public_key)
    }
}

/// The TXT record to publish for a public key in base64.
///
/// RFC 6376 §3.6.1: `v=DKIM1; k=…; p=…`. Over 255 octets it is published as several strings.
#[must_use]
pub fn dns_txt(algorithm: Algorithm, public: &str) -> String {
    format!("v=DKIM1; k={}; p={public}", algorithm.as_str())
}

/// Where the TXT record of a selector stands.
#[must_use]
pub fn dns_name(domain: &Domain, selector: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

enum Private {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key with the domain and the selector it signs for. Never shows in `Debug`.
pub struct SigningKey {
    domain: Domain,
    selector: String,
    private: Private,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A key from PKCS #8 in DER, as [`generate`] or OpenSSL writes it.
    ///
    /// # Errors
    /// [`Error::Key`] or [`Error::Selector`].
    pub fn from_der(domain: &Domain, selector: &str, private_key: &[u8]) -> Result<Self, Error> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let labels = selector.split('.').all(|label| !label.is_empty());
        if selector.len() > SELECTOR_MAX || !selector.bytes().all(known) || !labels {
            return Err(Error::Selector);
        }
        let private = match Ed25519KeyPair::from_pkcs8_maybe_unchecked(private_key) {
            Ok(pair) => Private::Ed25519(pair),
            Err(_) => {
                let pair = RsaKeyPair::from_pkcs8(private_key).map_err(|_| Error::Key)?;
                if pair.public_modulus_len() < RSA_BYTES_MIN {
                    return Err(Error::Key);
                }
                Private::Rsa(pair)
            }
        };
        Ok(Self {
            domain: domain.clone(),
            selector: selector.to_owned(),
            private,
        })
    }

    /// The domain it signs for.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The selector under which its public part is published.
    #[must_use]
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.private {
            Private::Rsa(_) => Algorithm::Rsa2048,
            Private::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The public key as it stands in the `p=` tag.
    ///
    /// # Errors
    /// [`Error::Key`] when the library cannot encode it.
    pub fn public(&self) -> Result<String, Error> {
        match &self.private {
            Private::Rsa(pair) => rsa_public(pair).map_err(|_| Error::Key),
            Private::Ed25519(pair) => Ok(STANDARD.encode(pair.public_key().as_ref())),
        }
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.private {
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    input,
                    &mut signature,
                )
                .map_err(|_| Error::Sign)?;
                Ok(signature)
            }
            // RFC 8463 §3: Ed25519 signs the SHA-256 of the input.
            Private::Ed25519(pair) => {
                let hash = digest(&SHA256, input);
                let signature = pair.try_sign(hash.as_ref()).map_err(|_| Error::Sign)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// Makes a key pair.
///
/// # Errors
/// [`Error::Generate`] when the system has no randomness.
pub fn generate(algorithm: Algorithm) -> Result<GeneratedKey, Error> {
    let (private_key, public_key) = match algorithm {
        Algorithm::Rsa2048 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::Generate)?;
            let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Error::Generate)?;
            (private.as_ref().to_vec(), rsa_public(&pair)?)
        }
        Algorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().map_err(|_| Error::Generate)?;
            let private = pair.to_pkcs8v1().map_err(|_| Error::Generate)?;
            (
                private.as_ref().to_vec(),
                STANDARD.encode(pair.public_key().as_ref()),
            )
        }
    };
    Ok(GeneratedKey {
        algorithm,
        private_key,
        public_key,
    })
}

/// RFC 6376 §3.6.1: `p=` holds the SubjectPublicKeyInfo of an RSA key.
fn rsa_public(pair: &RsaKeyPair) -> Result<String, Error> {
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| Error::Generate)?;
    Ok(STANDARD.encode(public.as_ref()))
}

/// The DKIM-Signature fields for `raw`, one per key in their order, folded and ended by CRLF, to be
/// put above the message. Nothing for no keys.
///
/// # Errors
/// [`Error::NoAuthor`] and [`Error::TooManyFields`] for messages that cannot be signed.
pub fn sign(raw: &[u8], keys: &[SigningKey], now: Timestamp) -> Result<Vec<u8>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let fields: Vec<_> = mime::header::fields(raw).collect();
    let mut names = Vec::new();
    let mut signed = Vec::new();
    for name in SIGNED {
        // RFC 6376 §5.4.2: occurrences are signed from the bottom up; one more than there are says
        // that there is no other.
        let mut count = 0;
        for field in fields.iter().rev().filter(|field| field.is(name)) {
            canonical::header(name, field.value, &mut signed);
            signed.extend_from_slice(b"\r\n");
            count += 1;
        }
        if name == "From" && count == 0 {
            return Err(Error::NoAuthor);
        }
        if count > OCCURRENCES_MAX {
            return Err(Error::TooManyFields);
        }
        names.extend(std::iter::repeat_n(name, count + 1));
    }
    let body = raw.get(mime::header::header_end(raw)..).unwrap_or_default();
    let body_hash = STANDARD.encode(canonical::body_hash(body));
    let mut out = Vec::new();
    for key in keys {
        let value = unsigned_value(key, &names, &body_hash, now);
        let mut input = signed.clone();
        canonical::header("DKIM-Signature", value.as_bytes(), &mut input);
        let signature = STANDARD.encode(key.sign(&input)?);
        out.extend_from_slice(b"DKIM-Signature:");
        out.extend_from_slice(value.as_bytes());
        fold_text(&signature, &mut out);
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// The field's value with an empty `b=` tag at its end.
fn unsigned_value(key: &SigningKey, names: &[&str], body_hash: &str, now: Timestamp) -> String {
    let mut value = format!(
        " v=1; a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={}; x={};\r\n\th=",
        key.algorithm().signature_name(),
        key.domain,
        key.selector,
        now,
        now.plus(LIFETIME),
    );
    let mut column = 10;
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            value.push(':');
            column += 1;
        }
        if column + name.len() >= LINE {
            value.push_str("\r\n\t ");
            column = 9;
        }
        value.push_str(name);
        column += name.len();
    }
    value.push_str(";\r\n\tbh=");
    value.push_str(body_hash);
    value.push_str(";\r\n\tb=");
    value
}

/// RFC 6376 §3.2: white space inside base64 is ignored, so that it can be folded.
fn fold_text(text: &str, out: &mut Vec<u8>) {
    const FIRST: usize = LINE - 12;
    let (first, rest) = text.as_bytes().split_at(text.len().min(FIRST));
    out.extend_from_slice(first);
    for line in rest.chunks(LINE - 8) {
        out.extend_from_slice(b"\r\n\t ");
        out.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm) -> SigningKey {
        let generated = generate(algorithm).unwrap();
        let domain = Domain::parse("example.test").unwrap();
        let key = SigningKey::from_der(&domain, "s1", &generated.private_key).unwrap();
        assert_eq!(
            (key.algorithm(), key.public().unwrap()),
            (algorithm, generated.public_key)
        );
        key
    }

    const MESSAGE: &[u8] = b"From: a@example.test\r\nTo: b@c.test\r\nTo: d@e.test\r\n\r\nhi\r\n";

    #[test]
    fn fields_are_folded_and_oversigned() {
        let keys = [key(Algorithm::Rsa2048), key(Algorithm::Ed25519)];
        let text = String::from_utf8(sign(MESSAGE, &keys, Timestamp(1_000)).unwrap()).unwrap();
        assert_eq!(text.matches("DKIM-Signature: v=1; ").count(), 2);
        assert!(text.contains("a=rsa-sha256") && text.contains("a=ed25519-sha256"));
        assert!(text.contains("t=1000; x=605800;"), "{text}");
        assert!(
            text.contains("h=From:From:To:To:To:Cc:Subject:Date:"),
            "{text}"
        );
        assert!(!text.contains("l="));
        for line in text.split_terminator("\r\n") {
            assert!(line.len() <= 78 && !line.contains(['\r', '\n']), "{line:?}");
            assert!(
                line.starts_with("DKIM-Signature:") || line.starts_with('\t'),
                "{line:?}"
            );
        }
        assert!(text.ends_with("\r\n"));
    }

    #[test]
    fn what_cannot_be_signed_says_why() {
        let keys = [key(Algorithm::Ed25519)];
        let now = Timestamp(0);
        assert_eq!(
            sign(b"To: a@b.test\r\n\r\n", &keys, now),
            Err(Error::NoAuthor)
        );
        let many = [b"To: a@b.test\r\n".repeat(17), MESSAGE.to_vec()].concat();
        assert_eq!(sign(&many, &keys, now), Err(Error::TooManyFields));
        assert_eq!(sign(MESSAGE, &[], now), Ok(Vec::new()));
        let domain = Domain::parse("example.test").unwrap();
        let ed = generate(Algorithm::Ed25519).unwrap().private_key;
        for selector in ["", "a b", "a;b", "a..b", ".a", &"a".repeat(64)] {
            let made = SigningKey::from_der(&domain, selector, &ed);
            assert_eq!(made.unwrap_err(), Error::Selector, "{selector:?}");
        }
        for der in [&ed[1..], b"", b"\x30\x80"] {
            assert_eq!(
                SigningKey::from_der(&domain, "s", der).unwrap_err(),
                Error::Key
            );
        }
    }

    #[test]
    fn private_keys_do_not_show() {
        let generated = generate(Algorithm::Ed25519).unwrap();
        let shown = format!("{generated:?} {:?}", key(Algorithm::Ed25519));
        assert!(!shown.contains("private") && shown.len() < 250, "{shown}");
        let txt = format!("v=DKIM1; k=ed25519; p={}", generated.public_key);
        assert_eq!(generated.dns_txt(), txt);
    }
}
