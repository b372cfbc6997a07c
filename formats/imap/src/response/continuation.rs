//! Continuation requests (RFC 9051 §7.6).

use super::Encode;
use crate::writer::Writer;

/// `continue-req = "+" SP (resp-text / base64) CRLF`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Continuation<'a> {
    /// Go on with the literal, or with IDLE.
    Ready,
    /// A SASL challenge, not yet in base64.
    Challenge(&'a [u8]),
}

impl Encode for Continuation<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Ready => writer.bytes(b"+ OK"),
            Self::Challenge(challenge) => {
                use base64::Engine as _;
                let encoded = base64::engine::general_purpose::STANDARD.encode(challenge);
                writer.bytes(b"+ ").text(&encoded)
            }
        };
        writer.crlf();
    }
}
