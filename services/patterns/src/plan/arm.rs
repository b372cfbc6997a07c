//! What the planner decides: the arms of a pattern.

use crate::byteset::ByteSet;
use crate::syntax::Node;

/// A pattern ready to be emitted: its tree with marks, and what starts a confirmation.
///
/// Soundness: whenever the pattern matches a haystack, at least one arm fires at a place where the
/// confirmation from its mark succeeds.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The tree that arms enter, with [`Node::Mark`]s. It has neither captures, back references,
    /// atomic groups nor possessive repeats, so the halves before and after a mark are independent
    /// and order does not matter: it matches a haystack wherever the pattern does, or, when `exact`
    /// is none, just there.
    pub(crate) confirm: Node,
    /// The pattern with Perl's exact meaning, when `confirm` accepts more than it: a successful
    /// confirmation is then decided by one search of this one. It has no marks.
    pub(crate) exact: Option<Node>,
    /// The pattern with Perl's priorities, for reporting offsets (captures that nothing refers to
    /// removed). None when `confirm`, whose order of alternatives and greed is the pattern's, serves.
    pub(crate) ordered: Option<Node>,
    /// How many marks `confirm` has: 0 to `marks - 1`.
    pub(crate) marks: u32,
    /// What fires; never empty.
    pub(crate) arms: Vec<Arm>,
    /// What it is expected to cost.
    pub(crate) estimate: Estimate,
}

/// One way to notice that a pattern may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// One of these strings occurs, ASCII case ignored. The mark is `distance` bytes after its start.
    Literal {
        /// Lower-case (no `A`–`Z`), [`SHORTEST_LITERAL`] to [`LONGEST_LITERAL`] bytes, distinct, sorted.
        strings: Vec<Vec<u8>>,
        /// Where the confirmation enters.
        mark: u32,
        /// Bytes from the start of the string to the mark.
        distance: u32,
    },
    /// A run of bytes passes these positions, see [`Position`]. The mark is `distance` bytes before
    /// the byte that entered the last position.
    Lane {
        /// One to [`LONGEST_LANE`] positions.
        positions: Vec<Position>,
        /// Where the confirmation enters.
        mark: u32,
        /// Bytes from the mark to the byte that entered the last position (0: the mark is just
        /// before that byte).
        distance: u32,
    },
    /// The pattern can only match at the start of the haystack: tried once, from the tree's start.
    Anchored,
    /// Searched for once in every haystack.
    Whole,
}

/// One position of a lane: entered by a byte of `enter` when the position before it is active (the
/// first: always), kept active by bytes of `stay`. A lane fires at each byte that enters its last
/// position, whose `stay` is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Bytes that lead here.
    pub(crate) enter: ByteSet,
    /// Bytes that change nothing here.
    pub(crate) stay: ByteSet,
}

/// The shortest literal an arm may have, in bytes.
pub(crate) const SHORTEST_LITERAL: usize = 4;
/// The longest.
pub(crate) const LONGEST_LITERAL: usize = 16;
/// The most positions of a lane.
pub(crate) const LONGEST_LANE: usize = 24;

/// The planner's expectation for a megabyte of the scope's text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Estimate {
    /// How often an arm fires.
    pub(crate) candidates: f32,
    /// Time for noticing and confirming, in microseconds of a 3 GHz core.
    pub(crate) microseconds: f32,
}
