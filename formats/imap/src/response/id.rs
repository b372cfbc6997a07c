//! ID (RFC 2971 §3.2).

use super::Encode;
use crate::command::Id;
use crate::writer::Writer;

/// `id-response = "ID" SP id-params-list`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdData<'a>(pub &'a Id);

impl Encode for IdData<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* ID ").id_fields(self.0).crlf();
    }
}
