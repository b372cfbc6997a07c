//! Stored password hashes: PHC strings, crypt(3) strings and Dovecot's `{SCHEME}` notation.
//!
//! [`Stored::parse`] reads a hash once and refuses what we cannot or will not verify;
//! [`Stored::verify`] compares in constant time. Every imported cost parameter is capped by a
//! constant of this module, so no imported hash makes a sign-in take minutes or gigabytes.
//!
//! Not here: DES-crypt, `$2x$` (bcrypt with a sign bug), NTLM, OTP, CRAM and SCRAM schemes.

use argon2::password_hash::{PasswordHash, PasswordVerifier};
use argon2::{Argon2, Params};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, pbkdf2};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest as _, Md5};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

use super::md5crypt;
use crate::Error;

/// Octets of a hash we look at.
pub(crate) const MAX_HASH: usize = 1_024;
/// Memory of an imported argon2 hash in KiB.
pub(crate) const MAX_ARGON2_MEMORY: u32 = 256 * 1_024;
/// Memory times passes of an imported argon2 hash: about two seconds.
pub(crate) const MAX_ARGON2_WORK: u64 = 2 * 1_024 * 1_024;
/// Lanes of an imported argon2 hash; they run one after the other.
pub(crate) const MAX_ARGON2_LANES: u32 = 16;
/// Cost of an imported bcrypt hash: about two seconds.
pub(crate) const MAX_BCRYPT_COST: u32 = 15;
/// Rounds of an imported SHA-crypt hash.
pub(crate) const MAX_SHA_CRYPT_ROUNDS: u32 = 1_000_000;
/// Rounds of an imported PBKDF2 hash.
pub(crate) const MAX_PBKDF2_ROUNDS: u32 = 1_000_000;

/// Padding is optional and stray bits at the end are ignored, as in Dovecot.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A hash that was understood and is within the caps.
pub(crate) enum Stored {
    /// A PHC string of argon2i or argon2id, and its parameters.
    Argon2 {
        phc: String,
        params: Params,
        id: bool,
    },
    /// `$2a$`, `$2b$` or `$2y$`.
    Bcrypt { hash: String, cost: u32 },
    /// `$5$` or `$6$`.
    ShaCrypt(String),
    /// `$1$salt$hash`.
    Md5Crypt { salt: String, hash: String },
    /// A digest of the password followed by the salt, which may be empty.
    Digest {
        algorithm: Algorithm,
        digest: Vec<u8>,
        salt: Vec<u8>,
    },
    /// Dovecot's `$1$salt$rounds$hex`, with HMAC-SHA-1.
    Pbkdf2 {
        salt: String,
        rounds: NonZeroU32,
        key: Vec<u8>,
    },
    /// The password itself.
    Clear(Zeroizing<Vec<u8>>),
}

/// The digest of a plain or salted scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn of(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Md5 => {
                return Md5::new()
                    .chain_update(password)
                    .chain_update(salt)
                    .finalize()
                    .to_vec();
            }
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        context.update(password);
        context.update(salt);
        context.finish().as_ref().to_vec()
    }
}

/// How the octets behind `{SCHEME}` are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// As they are.
    Text,
    Hex,
    Base64,
}

impl Stored {
    /// Reads a hash: `{SCHEME}…`, `{SCHEME.HEX}…`, `{SCHEME.B64}…`, or a bare string that starts
    /// with `$`. A bare text without `$` is never taken for a clear password.
    ///
    /// # Errors
    /// [`Error::HashUnsupported`] for an unknown scheme or a malformed hash,
    /// [`Error::HashTooExpensive`] beyond a cap.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_HASH {
            return Err(Error::HashUnsupported);
        }
        let Some((scheme, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        else {
            return crypt(text);
        };
        let scheme = scheme.to_ascii_uppercase();
        let (scheme, encoding) = match scheme.rsplit_once('.') {
            Some((scheme, "HEX")) => (scheme, Some(Encoding::Hex)),
            Some((scheme, "B64" | "BASE64")) => (scheme, Some(Encoding::Base64)),
            _ => (scheme.as_str(), None),
        };
        match digest_scheme(scheme, rest) {
            Some((algorithm, salt, default)) => {
                let encoding = encoding.unwrap_or(match default {
                    // As in Dovecot: an unsalted digest of the right length in hexadecimal digits.
                    _ if salt == Salt::None && rest.len() == algorithm.length() * 2 => {
                        Encoding::Hex
                    }
                    default => default,
                });
                digest_hash(algorithm, salt, &decode(rest, encoding)?)
            }
            None => {
                let octets = decode(rest, encoding.unwrap_or(Encoding::Text))?;
                if matches!(scheme, "PLAIN" | "CLEAR" | "CLEARTEXT") {
                    return Ok(Self::Clear(octets));
                }
                let text = std::str::from_utf8(&octets).map_err(|_| Error::HashUnsupported)?;
                named(scheme, text)
            }
        }
    }

    /// Whether `password` is the one that was hashed. Takes the same time for every password.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2 { phc, .. } => PasswordHash::new(phc)
                .and_then(|hash| Argon2::default().verify_password(password, &hash))
                .is_ok(),
            Self::Bcrypt { hash, .. } => bcrypt::verify(password, hash).unwrap_or(false),
            Self::ShaCrypt(hash) => {
                use sha_crypt::PasswordVerifier;
                sha_crypt::ShaCrypt::default()
                    .verify_password(password, hash.as_str())
                    .is_ok()
            }
            Self::Md5Crypt { salt, hash } => equal(
                md5crypt::hash(password, salt.as_bytes()).as_bytes(),
                hash.as_bytes(),
            ),
            Self::Digest {
                algorithm,
                digest,
                salt,
            } => equal(&algorithm.of(password, salt), digest),
            Self::Pbkdf2 { salt, rounds, key } => {
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA1;
                pbkdf2::verify(algorithm, *rounds, salt.as_bytes(), password, key).is_ok()
            }
            // Digests of both, so that the length of the password does not tell.
            Self::Clear(clear) => equal(
                &Algorithm::Sha256.of(password, &[]),
                &Algorithm::Sha256.of(clear, &[]),
            ),
        }
    }

    /// KiB of memory a verification takes.
    pub(crate) fn memory_kib(&self) -> u32 {
        match self {
            Self::Argon2 { params, .. } => params.m_cost(),
            _ => 0,
        }
    }

    /// Whether a verification is much faster than argon2 with `work` (KiB times passes), so that
    /// a failed one must be followed by a hash for nothing.
    pub(crate) fn is_faster_than(&self, work: u64) -> bool {
        match self {
            Self::Argon2 { params, .. } => argon2_work(params) < work,
            Self::Bcrypt { cost, .. } => *cost < 10,
            _ => true,
        }
    }
}

/// Whether a salt follows the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Salt {
    None,
    Appended,
}

/// The digest schemes with their default encoding.
fn digest_scheme(scheme: &str, rest: &str) -> Option<(Algorithm, Salt, Encoding)> {
    use Algorithm::{Md5, Sha1, Sha256, Sha512};
    Some(match scheme {
        "PLAIN-MD5" => (Md5, Salt::None, Encoding::Hex),
        "LDAP-MD5" => (Md5, Salt::None, Encoding::Base64),
        // {MD5} is MD5-crypt to some and LDAP's digest to others; the hash itself tells.
        "MD5" if !rest.starts_with("$1$") => (Md5, Salt::None, Encoding::Base64),
        "SMD5" => (Md5, Salt::Appended, Encoding::Base64),
        "SHA" | "SHA1" => (Sha1, Salt::None, Encoding::Base64),
        "SSHA" => (Sha1, Salt::Appended, Encoding::Base64),
        "SHA256" => (Sha256, Salt::None, Encoding::Base64),
        "SSHA256" => (Sha256, Salt::Appended, Encoding::Base64),
        "SHA512" => (Sha512, Salt::None, Encoding::Base64),
        "SSHA512" => (Sha512, Salt::Appended, Encoding::Base64),
        _ => return None,
    })
}

fn digest_hash(algorithm: Algorithm, salt: Salt, octets: &[u8]) -> Result<Stored, Error> {
    let (digest, rest) = octets
        .split_at_checked(algorithm.length())
        .ok_or(Error::HashUnsupported)?;
    if (salt == Salt::None) != rest.is_empty() {
        return Err(Error::HashUnsupported);
    }
    Ok(Stored::Digest {
        algorithm,
        digest: digest.to_vec(),
        salt: rest.to_vec(),
    })
}

/// A scheme whose hash is text.
fn named(scheme: &str, text: &str) -> Result<Stored, Error> {
    let prefixes: &[&str] = match scheme {
        "ARGON2ID" => &["$argon2id$"],
        "ARGON2I" => &["$argon2i$"],
        "BLF-CRYPT" | "BCRYPT" => &["$2a$", "$2b$", "$2y$"],
        "SHA512-CRYPT" => &["$6$"],
        "SHA256-CRYPT" => &["$5$"],
        "MD5-CRYPT" | "MD5" => &["$1$"],
        "CRYPT" => &["$"],
        "PBKDF2" => return dovecot_pbkdf2(text),
        _ => return Err(Error::HashUnsupported),
    };
    if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
        crypt(text)
    } else {
        Err(Error::HashUnsupported)
    }
}

/// A string that names its scheme between its first two `$`.
fn crypt(text: &str) -> Result<Stored, Error> {
    match text.split('$').nth(1) {
        Some("argon2id" | "argon2i") => argon2_phc(text),
        Some("2a" | "2b" | "2y") => bcrypt_hash(text),
        Some("5" | "6") => sha_crypt_hash(text),
        Some("1") => md5_crypt(text),
        _ => Err(Error::HashUnsupported),
    }
}

fn argon2_phc(text: &str) -> Result<Stored, Error> {
    let hash = PasswordHash::new(text).map_err(|_| Error::HashUnsupported)?;
    let params = Params::try_from(&hash).map_err(|_| Error::HashUnsupported)?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(Error::HashUnsupported);
    }
    if params.m_cost() > MAX_ARGON2_MEMORY
        || argon2_work(&params) > MAX_ARGON2_WORK
        || params.p_cost() > MAX_ARGON2_LANES
    {
        return Err(Error::HashTooExpensive);
    }
    let id = hash.algorithm.as_str() == "argon2id" && hash.version == Some(0x13);
    Ok(Stored::Argon2 {
        phc: text.to_owned(),
        params,
        id,
    })
}

fn argon2_work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

fn bcrypt_hash(text: &str) -> Result<Stored, Error> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| Error::HashUnsupported)?;
    match parts.get_cost() {
        cost @ 4..=MAX_BCRYPT_COST => Ok(Stored::Bcrypt {
            hash: text.to_owned(),
            cost,
        }),
        0..4 => Err(Error::HashUnsupported),
        _ => Err(Error::HashTooExpensive),
    }
}

/// `$5$[rounds=n$]salt$hash` and `$6$…`.
fn sha_crypt_hash(text: &str) -> Result<Stored, Error> {
    let fields: Vec<&str> = text.split('$').collect();
    let (rounds, rest) = match fields.as_slice() {
        ["", _, rounds, rest @ ..] if rounds.starts_with("rounds=") => (
            rounds
                .strip_prefix("rounds=")
                .and_then(|rounds| rounds.parse().ok()),
            rest,
        ),
        ["", _, rest @ ..] => (Some(sha_crypt::Params::RECOMMENDED_ROUNDS), rest),
        _ => return Err(Error::HashUnsupported),
    };
    let letters = if fields.get(1) == Some(&"5") { 43 } else { 86 };
    match (rounds, rest) {
        (Some(rounds), _) if rounds > MAX_SHA_CRYPT_ROUNDS => Err(Error::HashTooExpensive),
        (Some(sha_crypt::Params::ROUNDS_MIN..), [salt, hash])
            if !salt.is_empty() && hash.len() == letters =>
        {
            Ok(Stored::ShaCrypt(text.to_owned()))
        }
        _ => Err(Error::HashUnsupported),
    }
}

fn md5_crypt(text: &str) -> Result<Stored, Error> {
    match text.split('$').collect::<Vec<_>>().as_slice() {
        ["", "1", salt, hash] if hash.len() == 22 => Ok(Stored::Md5Crypt {
            salt: (*salt).to_owned(),
            hash: (*hash).to_owned(),
        }),
        _ => Err(Error::HashUnsupported),
    }
}

fn dovecot_pbkdf2(text: &str) -> Result<Stored, Error> {
    let fields: Vec<&str> = text.split('$').collect();
    let ["", "1", salt, rounds, key] = fields.as_slice() else {
        return Err(Error::HashUnsupported);
    };
    let rounds: NonZeroU32 = rounds.parse().map_err(|_| Error::HashUnsupported)?;
    let key = hex(key).ok_or(Error::HashUnsupported)?;
    if rounds.get() > MAX_PBKDF2_ROUNDS {
        return Err(Error::HashTooExpensive);
    }
    if salt.is_empty() || key.len() != Algorithm::Sha1.length() {
        return Err(Error::HashUnsupported);
    }
    Ok(Stored::Pbkdf2 {
        salt: (*salt).to_owned(),
        rounds,
        key,
    })
}

fn decode(text: &str, encoding: Encoding) -> Result<Zeroizing<Vec<u8>>, Error> {
    match encoding {
        Encoding::Text => Some(text.as_bytes().to_vec()),
        Encoding::Hex => hex(text),
        Encoding::Base64 => LENIENT.decode(text).ok(),
    }
    .map(Zeroizing::new)
    .ok_or(Error::HashUnsupported)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect()
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
#[path = "vectors.rs"]
mod tests;
