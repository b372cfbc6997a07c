//! RENAME (RFC 9051 §6.3.6).

use crate::error::Error;
use crate::mailbox::MailboxName;
use crate::reader::Reader;
use crate::writer::Writer;

/// A mailbox's new name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// As it is called now.
    pub from: MailboxName,
    /// As it shall be called, without a trailing delimiter.
    pub to: MailboxName,
}

impl Rename {
    /// `rename = "RENAME" SP mailbox SP mailbox`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let from = reader.mailbox()?;
        reader.sp()?;
        let to = reader.new_mailbox()?;
        Ok(Self { from, to })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .bytes(b"RENAME ")
            .mailbox(&self.from)
            .sp()
            .mailbox(&self.to);
    }
}
