//! SEARCH (RFC 3501 §7.2.5, RFC 7162 §3.1.5), for sessions without rev2.

use super::Encode;
use crate::number::ModSeq;
use crate::writer::Writer;

/// The numbers that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchData<'a> {
    /// Sequence numbers or UIDs, as the command asked; may be empty.
    pub numbers: &'a [u32],
    /// After a search for MODSEQ: the highest found. Not written when nothing was found.
    pub mod_seq: Option<ModSeq>,
}

impl Encode for SearchData<'_> {
    /// `"SEARCH" *(SP nz-number) [SP search-sort-mod-seq]`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* SEARCH");
        for number in self.numbers {
            writer.sp().number(*number);
        }
        if let Some(mod_seq) = self.mod_seq.filter(|_| !self.numbers.is_empty()) {
            writer.bytes(b" (MODSEQ ").number(mod_seq).bytes(b")");
        }
        writer.crlf();
    }
}
