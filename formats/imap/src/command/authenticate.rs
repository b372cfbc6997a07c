//! AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959).

use std::fmt;

use crate::atom::Atom;
use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

/// The first answer of the client, in base64 as it came: the SASL codec decodes it.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse(String);

impl InitialResponse {
    /// `None` unless `text` is `=` (an empty answer) or made of base64's characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let valid = !text.is_empty() && text.bytes().all(is_base64_char);
        valid.then(|| Self(text.to_owned()))
    }

    /// `=` or base64.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InitialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold a password.
        f.write_str("InitialResponse(…)")
    }
}

fn is_base64_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The start of a SASL exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism's name in upper case.
    pub mechanism: Atom,
    /// With SASL-IR the first answer comes at once.
    pub initial: Option<InitialResponse>,
}

impl Authenticate {
    /// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)`
    ///
    /// `auth-type = atom`, `initial-resp = (base64 / "=")`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mechanism = reader.atom_text()?.to_ascii_uppercase();
        let mechanism = Atom::new(&mechanism).ok_or(Error::Expected("an atom"))?;
        let mut initial = None;
        if reader.eat(b' ') {
            let text = std::str::from_utf8(reader.take_while(is_base64_char)).unwrap_or_default();
            initial = Some(InitialResponse::new(text).ok_or(Error::Expected("base64 or \"=\""))?);
        }
        Ok(Self { mechanism, initial })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"AUTHENTICATE ").text(self.mechanism.as_str());
        if let Some(initial) = &self.initial {
            writer.sp().text(initial.as_str());
        }
    }
}
