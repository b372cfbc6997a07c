//! LSUB (RFC 3501 §6.3.9), gone from rev2.

use crate::error::Error;
use crate::mailbox::ListPattern;
use crate::reader::Reader;
use crate::writer::Writer;

/// Which subscriptions to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lsub {
    /// What comes before the pattern.
    pub reference: ListPattern,
    /// What to look for.
    pub pattern: ListPattern,
}

impl Lsub {
    /// `lsub = "LSUB" SP mailbox SP list-mailbox`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let reference = reader.list_reference()?;
        reader.sp()?;
        let pattern = reader.list_mailbox()?;
        Ok(Self { reference, pattern })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .bytes(b"LSUB ")
            .list_pattern(&self.reference)
            .sp()
            .list_pattern(&self.pattern);
    }
}
