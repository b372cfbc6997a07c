//! ESEARCH (RFC 9051 §7.3.4, RFC 4731, RFC 7162 §3.1.10).

use super::Encode;
use crate::atom::Tag;
use crate::number::ModSeq;
use crate::sequence::{By, UidSet};
use crate::writer::Writer;

/// The result of a search in short form. Fields are those asked for and found: RFC 4731 §3.1
/// leaves MIN, MAX and ALL out when nothing matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ESearch<'a> {
    /// The command that it answers.
    pub tag: &'a Tag,
    /// What the numbers are.
    pub by: By,
    /// The smallest match.
    pub min: Option<u32>,
    /// The largest match.
    pub max: Option<u32>,
    /// All matches; not written when empty.
    pub all: Option<&'a UidSet>,
    /// How many match.
    pub count: Option<u32>,
    /// The highest mod-sequence of the messages returned.
    pub mod_seq: Option<ModSeq>,
}

impl Encode for ESearch<'_> {
    /// `esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .bytes(b"* ESEARCH (TAG ")
            .string(self.tag.as_str().as_bytes())
            .bytes(b")");
        if self.by == By::Uid {
            writer.bytes(b" UID");
        }
        if let Some(min) = self.min {
            writer.bytes(b" MIN ").number(min);
        }
        if let Some(max) = self.max {
            writer.bytes(b" MAX ").number(max);
        }
        if let Some(all) = self.all.filter(|all| !all.is_empty()) {
            writer.bytes(b" ALL ").number_set(all);
        }
        if let Some(count) = self.count {
            writer.bytes(b" COUNT ").number(count);
        }
        if let Some(mod_seq) = self.mod_seq {
            writer.bytes(b" MODSEQ ").number(mod_seq);
        }
        writer.crlf();
    }
}
