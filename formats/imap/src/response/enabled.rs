//! ENABLED (RFC 9051 §7.2.1).

use super::Encode;
use crate::capability::Capability;
use crate::writer::Writer;

/// `enable-data = "ENABLED" *(SP capability)`: what one ENABLE newly enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enabled<'a>(pub &'a [Capability]);

impl Encode for Enabled<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* ENABLED").capabilities(self.0).crlf();
    }
}
