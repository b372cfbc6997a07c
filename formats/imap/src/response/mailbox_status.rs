//! STATUS data (RFC 9051 §7.3.3).

use super::Encode;
use crate::command::StatusItem;
use crate::mailbox::MailboxName;
use crate::number::UidValidity;
use crate::writer::Writer;

/// One answered item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusValue {
    /// `MESSAGES`
    Messages(u32),
    /// `RECENT`
    Recent(u32),
    /// `UIDNEXT`
    UidNext(u32),
    /// `UIDVALIDITY`
    UidValidity(UidValidity),
    /// `UNSEEN`: how many.
    Unseen(u32),
    /// `DELETED`: how many are marked.
    Deleted(u32),
    /// `SIZE`: octets of all messages.
    Size(u64),
    /// `HIGHESTMODSEQ`: 0 would mean none.
    HighestModSeq(u64),
    /// `APPENDLIMIT`: `NIL` without a limit.
    AppendLimit(Option<u64>),
}

impl StatusValue {
    fn item(self) -> StatusItem {
        match self {
            Self::Messages(_) => StatusItem::Messages,
            Self::Recent(_) => StatusItem::Recent,
            Self::UidNext(_) => StatusItem::UidNext,
            Self::UidValidity(_) => StatusItem::UidValidity,
            Self::Unseen(_) => StatusItem::Unseen,
            Self::Deleted(_) => StatusItem::Deleted,
            Self::Size(_) => StatusItem::Size,
            Self::HighestModSeq(_) => StatusItem::HighestModSeq,
            Self::AppendLimit(_) => StatusItem::AppendLimit,
        }
    }
}

/// A mailbox and what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusData<'a> {
    /// Which.
    pub mailbox: &'a MailboxName,
    /// The answers.
    pub values: &'a [StatusValue],
}

impl Encode for StatusData<'_> {
    /// `"STATUS" SP mailbox SP "(" [status-att-list] ")"`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* STATUS ").mailbox(self.mailbox).sp();
        writer.parenthesized(self.values, |writer, value| {
            writer.text(value.item().as_str()).sp();
            match *value {
                StatusValue::Messages(n)
                | StatusValue::Recent(n)
                | StatusValue::UidNext(n)
                | StatusValue::Unseen(n)
                | StatusValue::Deleted(n) => writer.number(n),
                StatusValue::UidValidity(validity) => writer.number(validity),
                StatusValue::Size(n) | StatusValue::HighestModSeq(n) => writer.number(n),
                StatusValue::AppendLimit(Some(limit)) => writer.number(limit),
                StatusValue::AppendLimit(None) => writer.bytes(b"NIL"),
            };
        });
        writer.crlf();
    }
}
