//! CREATE, with special uses (RFC 9051 §6.3.4, RFC 6154 §3).

use crate::error::Error;
use crate::mailbox::{MailboxName, SpecialUse};
use crate::reader::Reader;
use crate::writer::Writer;

/// A mailbox to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its name, without a trailing delimiter.
    pub mailbox: MailboxName,
    /// What it shall be for.
    pub special_use: Vec<SpecialUse>,
}

impl Create {
    /// `create = "CREATE" SP mailbox [create-params]`
    ///
    /// `create-param = "USE" SP "(" [use-attr *(SP use-attr)] ")"` (RFC 6154 §6)
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mailbox = reader.new_mailbox()?;
        let mut special_use = Vec::new();
        if reader.eat(b' ') {
            reader.open()?;
            if !reader.eat_word("USE") {
                return Err(Error::Unknown("parameter of CREATE"));
            }
            reader.sp()?;
            reader.open()?;
            special_use = reader.list_items(SpecialUse::ALL.len(), Reader::special_use)?;
            reader.close()?;
        }
        Ok(Self {
            mailbox,
            special_use,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"CREATE ").mailbox(&self.mailbox);
        if !self.special_use.is_empty() {
            writer.bytes(b" (USE ");
            writer.parenthesized(&self.special_use, |writer, special| {
                writer.text(special.as_str());
            });
            writer.bytes(b")");
        }
    }
}

impl Reader<'_> {
    /// `use-attr = "\All" / "\Archive" / "\Drafts" / "\Flagged" / "\Junk" / "\Sent" / "\Trash" /
    /// use-attr-ext`
    fn special_use(&mut self) -> Result<SpecialUse, Error> {
        self.expect(b'\\', "a special use")?;
        let name = self.atom_text()?;
        SpecialUse::parse(&format!("\\{name}")).ok_or(Error::Unknown("special use"))
    }
}
