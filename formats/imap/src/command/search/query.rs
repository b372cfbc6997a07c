//! The keys of a search: a tree in one vector, children before their parents, the root last. Depth
//! and size are bounded, and no walk over it recurses.

use crate::date::Date;
use crate::flag::Flag;
use crate::sequence::SequenceSet;

/// Levels of NOT, OR and parentheses.
pub const MAX_SEARCH_DEPTH: usize = 64;

/// Keys in one search, all levels together.
pub const MAX_SEARCH_KEYS: usize = 1_000;

/// A key's place in its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) usize);

/// One condition (RFC 9051 §6.4.4). Dates compare days: internal dates in their own zone, sent
/// dates as the header has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// `ALL`
    All,
    /// A set of sequence numbers.
    Set(SequenceSet),
    /// `UID`
    Uid(SequenceSet),
    /// `SEEN`, `KEYWORD x`, …
    Has(Flag),
    /// `UNSEEN`, `UNKEYWORD x`, …
    Lacks(Flag),
    /// `RECENT` (RFC 3501)
    Recent,
    /// `OLD` (RFC 3501): not recent.
    Old,
    /// `NEW` (RFC 3501): recent and unseen.
    New,
    /// `BEFORE`: internal date before the day.
    Before(Date),
    /// `ON`
    On(Date),
    /// `SINCE`: on or after the day.
    Since(Date),
    /// `SENTBEFORE`: Date header before the day.
    SentBefore(Date),
    /// `SENTON`
    SentOn(Date),
    /// `SENTSINCE`
    SentSince(Date),
    /// `LARGER`: more octets than this.
    Larger(u64),
    /// `SMALLER`: fewer octets than this.
    Smaller(u64),
    /// `MODSEQ` (RFC 7162 §3.1.5): this mod-sequence or a later one. It enables CONDSTORE, and the
    /// answer has the highest mod-sequence found.
    ModSeq(u64),
    /// `BCC`
    Bcc(String),
    /// `CC`
    Cc(String),
    /// `FROM`
    From(String),
    /// `SUBJECT`
    Subject(String),
    /// `TO`
    To(String),
    /// `BODY`
    Body(String),
    /// `TEXT`: header or body.
    Text(String),
    /// `HEADER`: the field exists and contains the value; an empty value is in every field.
    Header {
        /// The field's name as written.
        field: String,
        /// What it must contain.
        value: String,
    },
    /// `NOT`
    Not(KeyId),
    /// `OR`
    Or(KeyId, KeyId),
    /// Keys side by side: all of them; never fewer than two.
    And(Vec<KeyId>),
}

/// A search's keys. Iterate [`Self::keys`] to see children before parents, or walk from
/// [`Self::root`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    keys: Vec<SearchKey>,
}

impl SearchQuery {
    /// A query of one condition. `None` when `key` has children.
    #[must_use]
    pub fn of(key: SearchKey) -> Option<Self> {
        let is_leaf = !matches!(
            key,
            SearchKey::Not(_) | SearchKey::Or(..) | SearchKey::And(_)
        );
        is_leaf.then(|| Self { keys: vec![key] })
    }

    /// For the parser, which keeps the invariants: children come first, each key but the last has
    /// one parent.
    pub(super) fn from_keys(keys: Vec<SearchKey>) -> Self {
        Self { keys }
    }

    /// All keys, children before their parents.
    #[must_use]
    pub fn keys(&self) -> &[SearchKey] {
        &self.keys
    }

    /// The key that decides.
    #[must_use]
    pub fn root(&self) -> KeyId {
        KeyId(self.keys.len().saturating_sub(1))
    }

    /// The key with this id; `None` for an id of another query.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<&SearchKey> {
        self.keys.get(id.0)
    }

    /// Whether the query holds, given what its leaves say. A leaf is asked only when the answer
    /// depends on it, from left to right.
    ///
    /// # Errors
    /// The first error of a leaf.
    pub fn matches<E>(
        &self,
        mut leaf: impl FnMut(&SearchKey) -> Result<bool, E>,
    ) -> Result<bool, E> {
        // Parents whose children are being asked, with the number already answered.
        let mut parents: Vec<(&SearchKey, usize)> = Vec::new();
        let mut current = self.get(self.root());
        while let Some(key) = current {
            let mut answer = match key {
                SearchKey::Not(child) | SearchKey::Or(child, _) => {
                    parents.push((key, 0));
                    current = self.get(*child);
                    continue;
                }
                SearchKey::And(children) => {
                    parents.push((key, 0));
                    current = children.first().and_then(|child| self.get(*child));
                    continue;
                }
                key => leaf(key)?,
            };
            // Carry the answer up to the first parent that needs another child.
            current = None;
            while let Some((parent, answered)) = parents.pop() {
                let next = match parent {
                    SearchKey::Not(_) => {
                        answer = !answer;
                        None
                    }
                    SearchKey::Or(_, second) => (!answer && answered == 0).then_some(second),
                    SearchKey::And(children) if answer => children.get(answered + 1),
                    _ => None,
                };
                if let Some(next) = next {
                    parents.push((parent, answered + 1));
                    current = self.get(*next);
                    break;
                }
            }
            if current.is_none() {
                return Ok(answer);
            }
        }
        Ok(false)
    }
}
