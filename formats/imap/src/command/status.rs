//! STATUS (RFC 9051 §6.3.11, RFC 8438, RFC 7162, RFC 7889).

use crate::error::Error;
use crate::mailbox::MailboxName;
use crate::reader::Reader;
use crate::writer::Writer;

/// Items in one command.
const MAX_ITEMS: usize = 32;

/// What is wanted of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT` (RFC 3501)
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
    /// `DELETED` (RFC 9051)
    Deleted,
    /// `SIZE` (RFC 8438)
    Size,
    /// `HIGHESTMODSEQ` (RFC 7162): enables CONDSTORE.
    HighestModSeq,
    /// `APPENDLIMIT` (RFC 7889)
    AppendLimit,
}

impl StatusItem {
    const ALL: [Self; 9] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
        Self::AppendLimit,
    ];

    /// The item's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::AppendLimit => "APPENDLIMIT",
        }
    }
}

/// Ask about a mailbox without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCommand {
    /// Which.
    pub mailbox: MailboxName,
    /// At least one, without repetitions.
    pub items: Vec<StatusItem>,
}

impl StatusCommand {
    /// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let mailbox = reader.mailbox()?;
        reader.sp()?;
        let items = reader.status_items()?;
        Ok(Self { mailbox, items })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .bytes(b"STATUS ")
            .mailbox(&self.mailbox)
            .sp()
            .status_items(&self.items);
    }
}

impl Reader<'_> {
    /// `"(" status-att *(SP status-att) ")"`
    ///
    /// `status-att = "MESSAGES" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN" / "DELETED" / "SIZE"`
    pub(super) fn status_items(&mut self) -> Result<Vec<StatusItem>, Error> {
        self.open()?;
        let named = self.list_items(MAX_ITEMS, |reader| {
            let name = reader.atom_text()?;
            StatusItem::ALL
                .into_iter()
                .find(|item| item.as_str().eq_ignore_ascii_case(name))
                .ok_or(Error::Unknown("status item"))
        })?;
        let mut items: Vec<StatusItem> = Vec::with_capacity(named.len());
        for item in named {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        if items.is_empty() {
            Err(Error::Expected("a status item"))
        } else {
            Ok(items)
        }
    }
}

impl Writer<'_> {
    pub(super) fn status_items(&mut self, items: &[StatusItem]) -> &mut Self {
        self.parenthesized(items, |writer, item| {
            writer.text(item.as_str());
        })
    }
}
