//! What can be asked for.

use std::ops::RangeInclusive;

use imap::Keyword;

use crate::Flags;

/// One condition of a [`SearchQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Every message.
    All,
    /// Messages with every one of these flags.
    Flags(Flags),
    /// Messages with a keyword that is not a bit of [`Flags`].
    Keyword(Keyword),
    /// Messages whose sequence number is in one of these ranges: ascending, none touching another.
    Numbers(Vec<RangeInclusive<u32>>),
    /// Messages whose UID is in one of these ranges: ascending, none touching another.
    Uids(Vec<RangeInclusive<u32>>),
    /// Messages with this mod-sequence or a greater one (RFC 7162 §3.1.5).
    ModSeq(u64),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// INTERNALDATE before this second: BEFORE with the day's first second, OLDER (RFC 5032).
    ReceivedBefore(i64),
    /// INTERNALDATE at or after this second: SINCE, YOUNGER. ON is both.
    ReceivedSince(i64),
    /// The Date field's day, as its sender wrote it, before this one, in days since 1970.
    SentBefore(i64),
    /// The Date field's day, as its sender wrote it, this one or later.
    SentSince(i64),
    /// A header field that contains a text; the empty text asks whether the field is there.
    Header {
        /// Which field.
        field: Field,
        /// What it contains.
        text: String,
    },
    /// The text is in the body.
    Body(String),
    /// The text is in the header or the body.
    Text(String),
    /// Messages that match none of the condition.
    Not(NodeId),
    /// Messages that match at least one of two.
    Or(NodeId, NodeId),
    /// Messages that match all.
    And(Vec<NodeId>),
}

/// A header field to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `From`
    From,
    /// `To`
    To,
    /// `Cc`
    Cc,
    /// `Bcc`
    Bcc,
    /// `Subject`
    Subject,
    /// Any other field, by its name in any case.
    Named(String),
}

impl Field {
    /// The field called `name` (RFC 9051 §6.4.4 HEADER).
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::Named(name.to_ascii_lowercase())
    }

    /// The name in lower case.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::From => "from",
            Self::To => "to",
            Self::Cc => "cc",
            Self::Bcc => "bcc",
            Self::Subject => "subject",
            Self::Named(name) => name,
        }
    }
}

/// A condition in its query. Only [`SearchQuery::push`] makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(pub(super) usize);

/// Conditions, each after those it is made of; the last one pushed is the whole query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchQuery {
    pub(super) nodes: Vec<Key>,
}

impl SearchQuery {
    /// A query without a condition, which every message matches.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Adds a condition. The nodes it refers to must come from earlier calls on this query; a
    /// reference to anything else matches nothing.
    pub fn push(&mut self, key: Key) -> NodeId {
        self.nodes.push(key);
        NodeId(self.nodes.len() - 1)
    }
}

impl From<Key> for SearchQuery {
    fn from(key: Key) -> Self {
        Self { nodes: vec![key] }
    }
}
