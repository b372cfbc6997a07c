//! What the bytes of a database mean.
//!
//! ```text
//! header            128 bytes
//! section table      32 bytes for each section
//! sections           in the order of the table, each at a multiple of 64, zeros between them
//! ```
//!
//! Every number is little-endian, every offset counts from the start of the section it points
//! into. Which sections there are, and where, follows from the number of scopes and the lengths:
//! [`GLOBAL`], then [`PER_SCOPE`] for each scope by name. So a file has one valid form only.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::byteset::ByteSet;

/// What every database begins with. The bytes that are not ASCII show a transfer as text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89MXPAT\r\n";
/// The version of everything this module describes.
pub(crate) const FORMAT: u32 = 1;
/// The version of how patterns are planned, and of what units, programs and tables mean: whoever
/// changes one of these increments it. Files of another revision are refused and their units not
/// reused.
pub(crate) const ENGINE: u32 = 1;

/// Sections begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 64;
/// Units begin at multiples of this within their section.
pub(crate) const UNIT_ALIGNMENT: usize = 16;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A [`ScopeRecord`] for each scope, then their names.
    Scopes = 1,
    /// An [`IndexRecord`] for each unit, by digest.
    Index = 2,
    /// The units, see [`crate::unit`], in the order of the index.
    Units = 3,
    /// For each pattern of each scope its name and its expression, in this order.
    Texts = 4,
    /// A [`RefusedRecord`] for each refused pattern, then their names and reasons.
    Refused = 5,
    /// A [`PatternRecord`] for each pattern of the scope, by id.
    Patterns = 6,
    /// An [`ArmRecord`] for each arm of each of these patterns.
    Arms = 7,
    /// The literal table over these arms.
    Literals = 8,
    /// The lane table over these arms.
    Lanes = 9,
    /// The anchored arms by the first byte of the haystack, see [`crate::anchored`].
    Anchored = 10,
    /// A number for each arm that searches whole haystacks.
    Whole = 11,
}

/// The sections every file has.
pub(crate) const GLOBAL: [Kind; 5] = [
    Kind::Scopes,
    Kind::Index,
    Kind::Units,
    Kind::Texts,
    Kind::Refused,
];
/// The sections every scope has.
pub(crate) const PER_SCOPE: [Kind; 6] = [
    Kind::Patterns,
    Kind::Arms,
    Kind::Literals,
    Kind::Lanes,
    Kind::Anchored,
    Kind::Whole,
];

impl Kind {
    /// The number in the section table.
    pub(crate) fn code(self) -> u32 {
        self as u32
    }

    /// What error messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Index => "index of units",
            Self::Units => "units",
            Self::Texts => "expressions",
            Self::Refused => "refused patterns",
            Self::Patterns => "patterns",
            Self::Arms => "arms",
            Self::Literals => "literals",
            Self::Lanes => "lanes",
            Self::Anchored => "anchored arms",
            Self::Whole => "whole arms",
        }
    }
}

/// The start of the file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    /// [`MAGIC`].
    pub(crate) magic: [u8; 8],
    /// [`FORMAT`].
    pub(crate) format: U32,
    /// [`ENGINE`].
    pub(crate) engine: U32,
    /// Zero.
    pub(crate) flags: U32,
    /// How many scopes.
    pub(crate) scopes: U32,
    /// How many sections; follows from the scopes.
    pub(crate) sections: U32,
    /// Zero.
    pub(crate) reserved: U32,
    /// The length of the whole file.
    pub(crate) length: U64,
    /// XXH3-64 of the section table.
    pub(crate) table_checksum: U64,
    /// The digest of the set it was compiled from.
    pub(crate) digest: [u8; 32],
    /// Zero.
    pub(crate) reserved_more: [u8; 40],
    /// XXH3-64 of the header before this field.
    pub(crate) checksum: U64,
}

/// The length of the header.
pub(crate) const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == 128);

/// One line of the section table.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct SectionRecord {
    /// The code of its [`Kind`].
    pub(crate) kind: U32,
    /// The scope's number, zero for the global ones.
    pub(crate) scope: U32,
    /// Where it begins in the file.
    pub(crate) offset: U64,
    /// Its length without padding.
    pub(crate) length: U64,
    /// XXH3-64 of its bytes.
    pub(crate) checksum: U64,
}

/// One scope.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct ScopeRecord {
    /// The length of its name; the names follow each other.
    pub(crate) name: U32,
    /// The code of its [`Text`](crate::Text).
    pub(crate) text: u8,
    /// Zero.
    pub(crate) reserved: [u8; 3],
}

/// Where the unit of a digest is.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct IndexRecord {
    /// The digest of what the unit was compiled from.
    pub(crate) digest: [u8; 32],
    /// Where it begins among the units.
    pub(crate) offset: U64,
    /// Its length.
    pub(crate) length: U64,
}

/// One pattern.
#[derive(
    Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub(crate) struct PatternRecord {
    /// Its id.
    pub(crate) id: U32,
    /// The number of its unit in the index.
    pub(crate) unit: U32,
    /// Where its texts begin.
    pub(crate) texts: U64,
    /// The length of the name.
    pub(crate) name: U32,
    /// The length of the expression, which follows the name.
    pub(crate) expression: U32,
    /// The bits of its flags.
    pub(crate) flags: u8,
    /// Zero.
    pub(crate) reserved: [u8; 7],
}

/// A pattern that was refused.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RefusedRecord {
    /// The scope's number.
    pub(crate) scope: U32,
    /// The pattern's id.
    pub(crate) id: U32,
    /// The length of its name; names and reasons follow each other.
    pub(crate) name: U32,
    /// The length of the reason.
    pub(crate) reason: U32,
}

/// What the scan needs to know when an arm fires: a copy of what unit and program say, in one
/// place.
#[derive(
    Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub(crate) struct ArmRecord {
    /// The number of its pattern within the scope.
    pub(crate) pattern: U32,
    /// What kind of arm it is.
    pub(crate) kind: u8,
    /// [`EDGE_BEFORE`] and [`EDGE_AFTER`].
    pub(crate) edges: u8,
    /// 1 if the pattern's program has exact code, which then decides.
    pub(crate) exact: u8,
    /// Zero.
    pub(crate) reserved: u8,
    /// From the place where it fired to the mark: forwards from the start of a literal, backwards
    /// from the last byte of a lane.
    pub(crate) distance: U32,
    /// Where the confirmation enters the forward code.
    pub(crate) forward: U32,
    /// And the reverse code.
    pub(crate) reverse: U32,
    /// The program's length.
    pub(crate) program_length: U32,
    /// Where it begins among the units.
    pub(crate) program: U64,
    /// Bytes that may stand before the mark.
    pub(crate) before: [U64; 4],
    /// Bytes that may stand after the mark.
    pub(crate) after: [U64; 4],
}

const _: () = assert!(size_of::<ArmRecord>() == 96);

/// The mark may be at the start of the haystack.
pub(crate) const EDGE_BEFORE: u8 = 1;
/// The mark may be at the end of the haystack.
pub(crate) const EDGE_AFTER: u8 = 2;

/// [`ArmRecord::kind`]: fired by a literal.
pub(crate) const LITERAL: u8 = 0;
/// [`ArmRecord::kind`]: fired by a lane.
pub(crate) const LANE: u8 = 1;
/// [`ArmRecord::kind`]: tried at the start of the haystack.
pub(crate) const ANCHORED: u8 = 2;
/// [`ArmRecord::kind`]: searched for in the whole haystack.
pub(crate) const WHOLE: u8 = 3;

impl ArmRecord {
    /// Whether the bytes on both sides of the mark at `at`, which lies within the haystack, allow
    /// a match.
    #[inline]
    pub(crate) fn admits(&self, haystack: &[u8], at: usize) -> bool {
        let side = |byte: Option<&u8>, set: &[U64; 4], edge: u8| match byte {
            Some(&byte) => has(set, byte),
            None => self.edges & edge != 0,
        };
        let before = at.checked_sub(1).and_then(|at| haystack.get(at));
        side(before, &self.before, EDGE_BEFORE) && side(haystack.get(at), &self.after, EDGE_AFTER)
    }
}

/// Whether a stored set has the byte.
#[inline]
fn has(set: &[U64; 4], byte: u8) -> bool {
    set.get(usize::from(byte >> 6))
        .is_some_and(|word| word.get() >> (byte & 63) & 1 == 1)
}

/// A set as it is stored.
pub(crate) fn stored(set: ByteSet) -> [U64; 4] {
    set.words().map(U64::new)
}

/// A stored set.
pub(crate) fn loaded(set: [U64; 4]) -> ByteSet {
    ByteSet::from_words(set.map(U64::get))
}

/// The next multiple of `alignment`, a power of two; none beyond the address space.
pub(crate) fn align(length: usize, alignment: usize) -> Option<usize> {
    length.checked_next_multiple_of(alignment)
}

/// The checksum of files: XXH3 with 64 bits.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    #[test]
    fn the_sides_of_a_mark_are_tested() {
        let mut arm = ArmRecord::new_zeroed();
        arm.before = stored(ByteSet::of(b'a').with(0xe9));
        arm.after = stored(ByteSet::of(b'b'));
        assert!(arm.admits(b"ab", 1));
        assert!(arm.admits(b"\xe9b", 1));
        assert!(!arm.admits(b"bb", 1));
        assert!(!arm.admits(b"aa", 1));
        assert!(!arm.admits(b"a", 1));
        assert!(!arm.admits(b"b", 0));
        arm.edges = EDGE_AFTER;
        assert!(arm.admits(b"a", 1));
        assert!(!arm.admits(b"b", 0));
        arm.edges = EDGE_BEFORE;
        assert!(!arm.admits(b"a", 1));
        assert!(arm.admits(b"b", 0));
        assert_eq!(loaded(arm.before).len(), 2);
    }
}
