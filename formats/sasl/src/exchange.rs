//! What all mechanisms share: their names, and base64 on the wire.
//!
//! Implements RFC 4422 §3.1 (names) and the profile that SMTP (RFC 4954 §4), IMAP (RFC 9051 §6.2.2)
//! and ManageSieve have in common: base64 lines, `=` for an empty initial response, `*` to cancel.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Error;

/// Octets of a base64 response that are decoded: RFC 4954 §4's line of 12,288 without its CRLF.
pub const MAX_RESPONSE: usize = 12_286;

/// A mechanism we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 4616. The client sends the password: only over TLS.
    Plain,
    /// The old one some clients insist on. The client sends the password: only over TLS.
    Login,
    /// RFC 7677. Neither side shows the password.
    ScramSha256,
}

impl Mechanism {
    /// All mechanisms, best first, which is the order to announce them in.
    pub const ALL: [Self; 3] = [Self::ScramSha256, Self::Plain, Self::Login];

    /// Reads a name in any letter case. `SCRAM-SHA-256-PLUS` is not known.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.as_str().eq_ignore_ascii_case(name))
    }

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }

    /// Whether the password itself crosses the wire, so that the mechanism needs TLS.
    pub fn sends_password(self) -> bool {
        !matches!(self, Self::ScramSha256)
    }

    /// Whether the client speaks first, so that without an initial response the server starts with
    /// an empty challenge.
    pub fn is_client_first(self) -> bool {
        !matches!(self, Self::Login)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Decodes an initial response or a response line, without its CRLF: `=` and an empty line stand
/// for nothing, `*` cancels, everything else is base64 with its padding and not an octet more.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::TooLong`] or [`Error::Base64`].
pub fn decode_response(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    match line {
        b"*" => Err(Error::Cancelled),
        b"=" => Ok(Zeroizing::default()),
        _ if line.len() > MAX_RESPONSE => Err(Error::TooLong),
        _ => STANDARD
            .decode(line)
            .map(Zeroizing::new)
            .map_err(|_| Error::Base64),
    }
}

/// Encodes a challenge (or, in a client, a response), to stand after `334 ` or `+ `.
pub fn encode_challenge(message: &[u8]) -> String {
    STANDARD.encode(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_known_in_any_letter_case() {
        for mechanism in Mechanism::ALL {
            assert_eq!(
                Mechanism::parse(&mechanism.to_string().to_lowercase()),
                Some(mechanism)
            );
        }
        assert_eq!(Mechanism::parse("SCRAM-SHA-256-PLUS"), None);
        assert_eq!(Mechanism::parse(""), None);
    }

    #[test]
    fn responses_are_strict_base64() {
        for (line, decoded) in [
            (&b"="[..], Ok(&b""[..])),
            (b"", Ok(b"")),
            (b"*", Err(Error::Cancelled)),
            (b"YQ==", Ok(b"a")),
            (b"YQ=", Err(Error::Base64)),
            (b"YQ", Err(Error::Base64)),
            (b"YR==", Err(Error::Base64)),
            (b"YQ==YQ==", Err(Error::Base64)),
            (b"YQ== ", Err(Error::Base64)),
            (b" YQ==", Err(Error::Base64)),
            (b"YW\r\nI=", Err(Error::Base64)),
            (b"**", Err(Error::Base64)),
            (b"==", Err(Error::Base64)),
            (b"-_-_", Err(Error::Base64)),
            (b"\xff\xff\xff\xff", Err(Error::Base64)),
        ] {
            let result = decode_response(line);
            let result = result
                .as_ref()
                .map(|octets| octets.as_slice())
                .map_err(|e| *e);
            assert_eq!(result, decoded, "{}", line.escape_ascii());
        }
        assert_eq!(
            decode_response(&vec![b'A'; MAX_RESPONSE + 2]),
            Err(Error::TooLong)
        );
    }

    proptest! {
        #[test]
        fn challenges_come_back(message in prop::collection::vec(any::<u8>(), 0..60)) {
            let decoded = decode_response(encode_challenge(&message).as_bytes()).unwrap();
            prop_assert_eq!(decoded.as_slice(), &message[..]);
        }

        #[test]
        fn one_text_one_spelling(line in "[AQgwYW4=+/*]{0,9}") {
            if line != "=" && let Ok(decoded) = decode_response(line.as_bytes()) {
                prop_assert_eq!(encode_challenge(&decoded), line);
            }
        }
    }
}
