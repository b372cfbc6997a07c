//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9).

use crate::error::Error;
use crate::reader::Reader;
use crate::sequence::{By, SequenceSet};
use crate::writer::Writer;

/// Which messages marked `\Deleted` to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunge {
    /// Only those among these UIDs; all without.
    pub uids: Option<SequenceSet>,
}

impl Expunge {
    /// `expunge = "EXPUNGE"`, `uid-expunge = "EXPUNGE" SP sequence-set`
    pub(super) fn parse(reader: &mut Reader<'_>, by: By) -> Result<Self, Error> {
        let uids = match by {
            By::Seq => None,
            By::Uid => {
                reader.sp()?;
                Some(reader.sequence_set()?)
            }
        };
        Ok(Self { uids })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        match &self.uids {
            None => writer.bytes(b"EXPUNGE"),
            Some(uids) => writer.bytes(b"UID EXPUNGE ").sequence_set(uids),
        };
    }
}
