//! CAPABILITY (RFC 9051 §7.2.2).

use super::Encode;
use crate::capability::Capability;
use crate::writer::Writer;

/// `capability-data = "CAPABILITY" *(SP capability) …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityData<'a>(pub &'a [Capability]);

impl Encode for CapabilityData<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* CAPABILITY").capabilities(self.0).crlf();
    }
}
