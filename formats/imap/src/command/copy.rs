//! COPY and MOVE, with and without UID (RFC 9051 §6.4.7, §6.4.8).

use crate::error::Error;
use crate::mailbox::MailboxName;
use crate::reader::Reader;
use crate::sequence::{By, SequenceSet};
use crate::writer::Writer;

/// Which messages go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// What `set` counts.
    pub by: By,
    /// The messages.
    pub set: SequenceSet,
    /// Where to.
    pub mailbox: MailboxName,
}

impl Copy {
    /// `copy = "COPY" SP sequence-set SP mailbox`, `move = "MOVE" SP sequence-set SP mailbox`
    pub(super) fn parse(reader: &mut Reader<'_>, by: By) -> Result<Self, Error> {
        reader.sp()?;
        let set = reader.sequence_set()?;
        reader.sp()?;
        let mailbox = reader.mailbox()?;
        Ok(Self { by, set, mailbox })
    }

    pub(super) fn encode(&self, name: &str, writer: &mut Writer<'_>) {
        writer.uid_prefix(self.by).text(name).sp();
        writer.sequence_set(&self.set).sp().mailbox(&self.mailbox);
    }
}

impl Writer<'_> {
    /// `UID ` before a command by unique identifiers.
    pub(super) fn uid_prefix(&mut self, by: By) -> &mut Self {
        match by {
            By::Uid => self.bytes(b"UID "),
            By::Seq => self,
        }
    }
}
