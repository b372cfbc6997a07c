//! The four messages of an exchange, as text.
//!
//! RFC 5802 §5.1 and §7. Attributes come in a fixed order; unknown ones at the end are ignored, the
//! mandatory `m` is refused.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KEY_LENGTH, Key};
use crate::Error;

/// Octets of a message.
const MAX_MESSAGE: usize = 8_192;
/// Octets of a nonce.
const MAX_NONCE: usize = 1_024;
/// Octets of a salt.
const MAX_SALT: usize = 1_024;

/// The client's first message, which borrows the text it was read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// The flag and the authorization identity with their commas, to be repeated in `c=`.
    pub(super) gs2_header: &'a str,
    /// Everything after it.
    pub(super) bare: &'a str,
    pub(super) authzid: Option<String>,
    pub(super) username: String,
    pub(super) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    /// RFC 5802 §7: `client-first-message = gs2-header client-first-message-bare`
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(Error::Malformed)?;
        let (identity, bare) = rest.split_once(',').ok_or(Error::Malformed)?;
        // RFC 5802 §6: "y" would mean a downgrade if we offered -PLUS, and "p" answers an offer.
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(Error::ChannelBinding),
            _ => return Err(Error::Malformed),
        }
        let authzid = match identity {
            "" => None,
            _ => Some(decode_name(
                identity.strip_prefix("a=").ok_or(Error::Malformed)?,
            )?),
        };
        let header_length = message.len() - bare.len();
        let gs2_header = message.get(..header_length).unwrap_or_default();
        let mut attributes = bare.split(',');
        let username = decode_name(attribute(attributes.next(), 'n')?)?;
        let nonce = check_nonce(attribute(attributes.next(), 'r')?)?;
        Ok(Self {
            gs2_header,
            bare,
            authzid,
            username,
            nonce,
        })
    }
}

/// The server's first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

impl<'a> ServerFirst<'a> {
    /// RFC 5802 §7: server-first-message = [reserved-mext ","] nonce "," salt ","
    /// iteration-count ["," extensions]
    pub(super) fn parse(message: &'a str) -> Result<Self, Error> {
        let mut attributes = message.split(',');
        let nonce = check_nonce(attribute(attributes.next(), 'r')?)?;
        let salt = attribute(attributes.next(), 's')?;
        if salt.is_empty() || salt.len() > MAX_SALT {
            return Err(Error::Malformed);
        }
        let salt = STANDARD.decode(salt).map_err(|_| Error::Malformed)?;
        let iterations = attribute(attributes.next(), 'i')?;
        if iterations.is_empty() || !iterations.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::Malformed);
        }
        let iterations = iterations.parse().map_err(|_| Error::Iterations)?;
        Ok(Self {
            nonce,
            salt,
            iterations,
        })
    }
}

/// The client's last message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// Everything but the proof, as it is signed.
    pub(super) without_proof: &'a str,
    /// The decoded gs2 header.
    pub(super) binding: Vec<u8>,
    pub(super) nonce: &'a str,
    pub(super) proof: Key,
}

impl<'a> ClientFinal<'a> {
    /// RFC 5802 §7: `client-final-message = channel-binding "," nonce ["," extensions] "," proof`
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Error::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(attributes.next(), 'c')?;
        let binding = STANDARD.decode(binding).map_err(|_| Error::Malformed)?;
        let nonce = attribute(attributes.next(), 'r')?;
        Ok(Self {
            without_proof,
            binding,
            nonce,
            proof: decode_key(proof)?,
        })
    }
}

/// A message as text, within its limit.
pub(super) fn text(message: &[u8]) -> Result<&str, Error> {
    if message.len() > MAX_MESSAGE {
        return Err(Error::TooLong);
    }
    let text = std::str::from_utf8(message).map_err(|_| Error::NotUtf8)?;
    if text.contains('\0') {
        return Err(Error::Malformed);
    }
    Ok(text)
}

/// The value of an attribute that must come next.
fn attribute(attribute: Option<&str>, name: char) -> Result<&str, Error> {
    let attribute = attribute.ok_or(Error::Malformed)?;
    // RFC 5802 §5.1: "m" in place of the expected attribute demands an extension.
    if attribute.starts_with("m=") && name != 'm' {
        return Err(Error::UnsupportedExtension);
    }
    attribute
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='))
        .ok_or(Error::Malformed)
}

/// RFC 5802 §7: `printable = %x21-2B / %x2D-7E`
fn check_nonce(nonce: &str) -> Result<&str, Error> {
    let valid = !nonce.is_empty() && nonce.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    match valid {
        true if nonce.len() > MAX_NONCE => Err(Error::TooLong),
        true => Ok(nonce),
        false => Err(Error::Malformed),
    }
}

/// Reads a base64 digest.
pub(super) fn decode_key(text: &str) -> Result<Key, Error> {
    let octets = STANDARD.decode(text).map_err(|_| Error::Malformed)?;
    <[u8; KEY_LENGTH]>::try_from(octets).map_err(|_| Error::Malformed)
}

/// RFC 5802 §5.1: "," and "=" in a name are sent as "=2C" and "=3D"; any other "=" is an error.
fn decode_name(name: &str) -> Result<String, Error> {
    let mut decoded = String::with_capacity(name.len());
    let mut pieces = name.split('=');
    decoded.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (c, rest) = match piece.split_at_checked(2) {
            Some(("2C", rest)) => (',', rest),
            Some(("3D", rest)) => ('=', rest),
            _ => return Err(Error::Malformed),
        };
        decoded.push(c);
        decoded.push_str(rest);
    }
    if decoded.is_empty() {
        return Err(Error::Malformed);
    }
    Ok(decoded)
}

/// The reverse of [`decode_name`].
pub(super) fn encode_name(name: &str) -> Cow<'_, str> {
    if name.contains(['=', ',']) {
        Cow::Owned(name.replace('=', "=3D").replace(',', "=2C"))
    } else {
        Cow::Borrowed(name)
    }
}
