//! APPEND (RFC 9051 §6.3.12).

use crate::date::DateTime;
use crate::error::Error;
use crate::flag::Flag;
use crate::framing::{Literal, LiteralKind};
use crate::mailbox::MailboxName;
use crate::reader::Reader;
use crate::writer::Writer;

/// A message to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub mailbox: MailboxName,
    /// Its flags, without repetitions.
    pub flags: Vec<Flag>,
    /// Its internal date; now when there is none.
    pub date: Option<DateTime>,
    /// The message as it came. The grammar allows NUL only in a binary literal; whether to keep a
    /// message that has it otherwise is for the session to say.
    pub message: Literal,
}

impl Append {
    /// `append = "APPEND" SP mailbox SP [flag-list SP] [date-time SP] literal`
    ///
    /// `append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"` (RFC 6855 §4)
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mailbox = reader.mailbox()?;
        reader.sp()?;
        let mut flags = Vec::new();
        if reader.peek() == Some(b'(') {
            flags = reader.flag_list()?;
            reader.sp()?;
        }
        let mut date = None;
        if reader.peek() == Some(b'"') {
            date = Some(reader.date_time()?);
            reader.sp()?;
        }
        let message = if reader.eat_word("UTF8") {
            reader.sp()?;
            reader.open()?;
            let message = reader.literal()?;
            reader.close()?;
            if message.kind != LiteralKind::Binary {
                return Err(Error::Expected("a literal with \"~\""));
            }
            message
        } else {
            reader.literal()?
        };
        Ok(Self {
            mailbox,
            flags,
            date,
            message,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"APPEND ").mailbox(&self.mailbox).sp();
        if !self.flags.is_empty() {
            writer.flags(&self.flags).sp();
        }
        if let Some(date) = self.date {
            writer.date_time(date).sp();
        }
        if self.message.kind == LiteralKind::Binary {
            writer.bytes(b"~");
        }
        writer.literal(&self.message.bytes);
    }
}
