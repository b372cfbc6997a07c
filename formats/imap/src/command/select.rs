//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; RFC 7162 §3.1.8).

use crate::error::Error;
use crate::mailbox::MailboxName;
use crate::reader::Reader;
use crate::writer::Writer;

/// Parameters in one command.
const MAX_PARAMETERS: usize = 8;

/// A mailbox to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Which.
    pub mailbox: MailboxName,
    /// `CONDSTORE`: enables it (RFC 7162 §3.1.8).
    pub condstore: bool,
}

impl Select {
    /// `select = "SELECT" SP mailbox [select-params]`
    ///
    /// `select-params = SP "(" select-param *(SP select-param) ")"` (RFC 4466),
    /// `select-param = "CONDSTORE"`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mailbox = reader.mailbox()?;
        let mut condstore = false;
        if reader.eat(b' ') {
            reader.open()?;
            // TODO RFC 7162 §3.2.5: the QRESYNC parameter.
            let parameters = reader.list_items(MAX_PARAMETERS, |reader| {
                if reader.eat_word("CONDSTORE") {
                    Ok(())
                } else {
                    Err(Error::Unknown("parameter of SELECT"))
                }
            })?;
            condstore = !parameters.is_empty();
        }
        Ok(Self { mailbox, condstore })
    }

    pub(super) fn encode(&self, name: &str, writer: &mut Writer<'_>) {
        writer.text(name).sp().mailbox(&self.mailbox);
        if self.condstore {
            writer.bytes(b" (CONDSTORE)");
        }
    }
}
