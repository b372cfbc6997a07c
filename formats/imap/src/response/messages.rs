//! EXISTS, RECENT and EXPUNGE (RFC 9051 §7.4.1, §7.5.1; RFC 3501 §7.3.2).

use super::Encode;
use crate::number::SeqNum;
use crate::writer::Writer;

/// How many messages the mailbox has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exists(pub u32);

impl Encode for Exists {
    /// `number SP "EXISTS"`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* ").number(self.0).bytes(b" EXISTS\r\n");
    }
}

/// How many messages are recent: rev1 sessions only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent(pub u32);

impl Encode for Recent {
    /// `number SP "RECENT"`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* ").number(self.0).bytes(b" RECENT\r\n");
    }
}

/// The message with this number is gone, and all after it count one less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expunged(pub SeqNum);

impl Encode for Expunged {
    /// `nz-number SP "EXPUNGE"`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* ").number(self.0).bytes(b" EXPUNGE\r\n");
    }
}
