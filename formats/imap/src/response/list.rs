//! LIST and LSUB (RFC 9051 §7.3.1, RFC 3501 §7.2.3, RFC 5258, RFC 6154).

use super::Encode;
use crate::mailbox::{DELIMITER, MailboxName, SpecialUse};
use crate::writer::Writer;

/// Which command is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// `LIST`
    List,
    /// `LSUB`
    Lsub,
}

impl ListKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::List => "LIST",
            Self::Lsub => "LSUB",
        }
    }
}

/// What is said of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailboxAttribute {
    /// `\NonExistent`: a name only, which implies `\Noselect`.
    NonExistent,
    /// `\Noinferiors`
    NoInferiors,
    /// `\Noselect`
    NoSelect,
    /// `\HasChildren`
    HasChildren,
    /// `\HasNoChildren`
    HasNoChildren,
    /// `\Marked`
    Marked,
    /// `\Unmarked`
    Unmarked,
    /// `\Subscribed`
    Subscribed,
    /// `\Remote`
    Remote,
    /// What the mailbox is for.
    SpecialUse(SpecialUse),
}

impl MailboxAttribute {
    /// The attribute with its backslash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonExistent => "\\NonExistent",
            Self::NoInferiors => "\\Noinferiors",
            Self::NoSelect => "\\Noselect",
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::Marked => "\\Marked",
            Self::Unmarked => "\\Unmarked",
            Self::Subscribed => "\\Subscribed",
            Self::Remote => "\\Remote",
            Self::SpecialUse(special) => special.as_str(),
        }
    }
}

/// One mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListData<'a> {
    /// Which command is answered.
    pub kind: ListKind,
    /// What is said of it.
    pub attributes: &'a [MailboxAttribute],
    /// Its name.
    pub mailbox: &'a MailboxName,
    /// RFC 9051 §6.3.9.6: after RECURSIVEMATCH with SUBSCRIBED, that a mailbox below matches.
    pub child_subscribed: bool,
    /// RFC 9051 §6.3.9.7: the name that the client used, when the server has another.
    pub old_name: Option<&'a MailboxName>,
}

impl Encode for ListData<'_> {
    /// `mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
    /// [SP mbox-list-extended]`
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"* ").text(self.kind.as_str()).sp();
        writer.parenthesized(self.attributes, |writer, attribute| {
            writer.text(attribute.as_str());
        });
        writer.sp().delimiter().sp().mailbox(self.mailbox);
        // mbox-list-extended = "(" [mbox-list-extended-item *(SP …)] ")"
        if self.child_subscribed || self.old_name.is_some() {
            writer.bytes(b" (");
            if self.child_subscribed {
                writer.bytes(b"\"CHILDINFO\" (\"SUBSCRIBED\")");
            }
            if let Some(old_name) = self.old_name {
                writer.bytes(if self.child_subscribed { b" " } else { b"" });
                writer.bytes(b"\"OLDNAME\" (").mailbox(old_name).bytes(b")");
            }
            writer.bytes(b")");
        }
        writer.crlf();
    }
}

/// The answer to an empty pattern: the delimiter and the root's name, which is empty
/// (RFC 9051 §6.3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListDelimiter(pub ListKind);

impl Encode for ListDelimiter {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .bytes(b"* ")
            .text(self.0.as_str())
            .bytes(b" (\\Noselect) ");
        writer.delimiter().bytes(b" \"\"\r\n");
    }
}

impl Writer<'_> {
    /// The hierarchy delimiter in quotes.
    pub(super) fn delimiter(&mut self) -> &mut Self {
        let mut buffer = [0; 4];
        self.bytes(b"\"")
            .text(DELIMITER.encode_utf8(&mut buffer))
            .bytes(b"\"")
    }
}
