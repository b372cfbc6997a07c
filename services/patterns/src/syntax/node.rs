//! The tree of one pattern: Perl's syntax reduced to a handful of forms over bytes.

use crate::byteset::ByteSet;

/// One pattern or a part of it.
///
/// Everything is bytes here: case folding, flags, escapes, classes and UTF-8 have been worked into
/// byte sets and sequences by the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Matches the empty string.
    Empty,
    /// One byte of a set. The empty set never matches.
    Set(ByteSet),
    /// One after the other.
    Concat(Vec<Node>),
    /// One of them, the first that leads to a match.
    Alternation(Vec<Node>),
    /// Again and again.
    Repeat(Box<Repeat>),
    /// A group whose text a back reference needs; numbered from 1.
    Capture {
        /// Its number.
        group: u32,
        /// What it matches.
        node: Box<Node>,
    },
    /// A condition on the place between two bytes.
    Assert(Assertion),
    /// A condition on what follows or precedes; consumes nothing.
    Look(Box<Look>),
    /// What it matches first is final: `(?>…)`.
    Atomic(Box<Node>),
    /// The text of a group again. A group that has not matched fails.
    Backreference {
        /// The group's number.
        group: u32,
        /// Whether ASCII case is ignored.
        caseless: bool,
    },
    /// `\K`: the reported start of the match moves here.
    Keep,
    /// A place the planner wants an entry at; numbered from 0 within the pattern. Matches the
    /// empty string. Never made by the parser.
    Mark(u32),
}

/// `node{min,max}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// What is repeated.
    pub(crate) node: Node,
    /// At least this often.
    pub(crate) min: u32,
    /// At most this often; none for no end. Never below `min`.
    pub(crate) max: Option<u32>,
    /// In which order lengths are tried.
    pub(crate) greed: Greed,
}

/// How a repetition chooses its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greed {
    /// Longest first.
    Greedy,
    /// Shortest first.
    Lazy,
    /// Longest only, never given back.
    Possessive,
}

/// Look-ahead or look-behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Which way.
    pub(crate) direction: Direction,
    /// Whether the text must match or must not.
    pub(crate) sense: Sense,
    /// What is looked for.
    pub(crate) node: Node,
}

/// Which way a [`Look`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From here on.
    Ahead,
    /// Up to here.
    Behind,
}

/// What a [`Look`] wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// A match.
    Positive,
    /// No match.
    Negative,
}

/// A condition on a place, as PCRE2 defines it without `PCRE2_UCP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Assertion {
    /// The start of the haystack: `\A`, `^` without flag m.
    Start,
    /// The start, or after a line feed that is not the last byte: `^` with flag m.
    LineStart,
    /// The end: `\z`.
    End,
    /// The end, or before a line feed that is the last byte: `\Z`, `$` without flag m.
    EndOrNewline,
    /// The end, or before a line feed: `$` with flag m.
    LineEnd,
    /// Between a byte of `[0-9A-Za-z_]` and none.
    WordBoundary,
    /// Anywhere else.
    NotWordBoundary,
}

impl Assertion {
    /// Whether it holds at `at` (0 to `haystack.len()`).
    #[inline]
    pub(crate) fn holds(self, haystack: &[u8], at: usize) -> bool {
        let before = || at.checked_sub(1).and_then(|at| haystack.get(at)).copied();
        let after = || haystack.get(at).copied();
        let word = |byte: Option<u8>| byte.is_some_and(is_word);
        match self {
            Self::Start => at == 0,
            Self::LineStart => at == 0 || (before() == Some(b'\n') && after().is_some()),
            Self::End => after().is_none(),
            Self::EndOrNewline => {
                after().is_none() || (after() == Some(b'\n') && at + 1 == haystack.len())
            }
            Self::LineEnd => matches!(after(), None | Some(b'\n')),
            Self::WordBoundary => word(before()) != word(after()),
            Self::NotWordBoundary => word(before()) == word(after()),
        }
    }
}

/// Whether `\w` accepts the byte.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
