//! Sets of code points, and the bytes that encode them.

use std::ops::RangeInclusive;

use regex_syntax::utf8::{Utf8Range, Utf8Sequence, Utf8Sequences};

use super::Node;
use crate::byteset::ByteSet;

/// The last code point there is.
pub(super) const LAST_CODE_POINT: u32 = 0x10_FFFF;
/// The last one in byte mode.
pub(super) const LAST_BYTE: u32 = 0xFF;

/// A set of code points: sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CodePoints(Vec<(u32, u32)>);

impl CodePoints {
    /// The union of ranges in any order; both ends belong to a range.
    pub(super) fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match joined.last_mut() {
                Some((_, last)) if start <= last.saturating_add(1) => *last = end.max(*last),
                _ => joined.push((start, end)),
            }
        }
        Self(joined)
    }

    /// One code point.
    pub(super) fn of(point: u32) -> Self {
        Self(vec![(point, point)])
    }

    /// The code points of which a predicate holds for the ASCII character.
    pub(super) fn ascii(predicate: impl Fn(u8) -> bool) -> Self {
        let bytes = (0..=0x7F_u8).filter(|&byte| predicate(byte));
        Self::new(bytes.map(|byte| (byte.into(), byte.into())).collect())
    }

    /// The ranges, in order.
    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let lengths = self.0.iter().map(|(start, end)| end - start + 1);
        usize::try_from(lengths.sum::<u32>()).unwrap_or(usize::MAX)
    }

    /// Those of either.
    pub(super) fn union(&self, other: &Self) -> Self {
        Self::new([self.ranges(), other.ranges()].concat())
    }

    /// Those of both.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let mut common = Vec::new();
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(start, end)), Some(&&(from, to))) = (ours.peek(), theirs.peek()) {
            if start.max(from) <= end.min(to) {
                common.push((start.max(from), end.min(to)));
            }
            if end < to {
                ours.next();
            } else {
                theirs.next();
            }
        }
        Self(common)
    }

    /// All others up to `last`.
    pub(super) fn complement(&self, last: u32) -> Self {
        let mut others = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for &(start, end) in &self.0 {
            if start > next {
                others.push((next, start - 1));
            }
            next = end.saturating_add(1);
        }
        if next <= last {
            others.push((next, last));
        }
        Self(others)
    }

    /// Those with the other case of every ASCII letter.
    pub(super) fn fold_ascii(&self) -> Self {
        const APART: u32 = 0x20;
        let part = |letters: RangeInclusive<u8>, shift: fn(u32) -> u32| {
            let (first, last) = (u32::from(*letters.start()), u32::from(*letters.end()));
            self.0
                .iter()
                .map(move |&(start, end)| (start.max(first), end.min(last)))
                .filter(|(start, end)| start <= end)
                .map(move |(start, end)| (shift(start), shift(end)))
        };
        let lower = part(b'A'..=b'Z', |upper| upper + APART);
        let upper = part(b'a'..=b'z', |lower| lower - APART);
        Self::new(self.0.iter().copied().chain(lower).chain(upper).collect())
    }

    /// The bytes of their values; those above 255 are left out.
    pub(super) fn to_bytes(&self) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        for &(start, end) in &self.0 {
            for byte in (start..=end.min(LAST_BYTE)).filter_map(|point| u8::try_from(point).ok()) {
                set.insert(byte);
            }
        }
        set
    }

    /// What matches the UTF-8 encoding of one of them.
    pub(super) fn to_utf8(&self) -> Node {
        let sequences: Vec<Utf8Sequence> = self
            .characters()
            .flat_map(|(start, end)| Utf8Sequences::new(start, end))
            .collect();
        let sequences: Vec<&[Utf8Range]> = sequences.iter().map(Utf8Sequence::as_slice).collect();
        encoding(&sequences)
    }

    /// The ranges without surrogates, which are no characters.
    pub(super) fn characters(&self) -> impl Iterator<Item = (char, char)> + use<'_> {
        const PARTS: [(u32, u32); 2] = [(0, 0xD7FF), (0xE000, LAST_CODE_POINT)];
        self.0.iter().flat_map(|&(start, end)| {
            PARTS.into_iter().filter_map(move |(from, to)| {
                let (start, end) = (start.max(from), end.min(to));
                (start <= end)
                    .then(|| char::from_u32(start).zip(char::from_u32(end)))
                    .flatten()
            })
        })
    }
}

/// The tree of byte sequences, given in order: sequences with the same first byte share it, and
/// first bytes with the same rest are one set. First bytes of two sequences are the same or have
/// none in common, because a range of several covers all that can follow.
fn encoding(sequences: &[&[Utf8Range]]) -> Node {
    let mut branches: Vec<(ByteSet, Node)> = Vec::new();
    for group in sequences.chunk_by(|one, other| one.first() == other.first()) {
        let Some(first) = group.first().and_then(|sequence| sequence.first()) else {
            continue;
        };
        let rests: Vec<&[Utf8Range]> = group
            .iter()
            .filter_map(|sequence| sequence.get(1..))
            .filter(|rest| !rest.is_empty())
            .collect();
        let first = ByteSet::range(first.start..=first.end);
        let rest = if rests.is_empty() {
            Node::Empty
        } else {
            encoding(&rests)
        };
        match branches.iter_mut().find(|(_, other)| *other == rest) {
            Some((set, _)) => *set = set.union(first),
            None => branches.push((first, rest)),
        }
    }
    let branches = branches
        .into_iter()
        .map(|(set, rest)| Node::concat(vec![Node::Set(set), rest]));
    Node::alternation(branches.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined_cut_and_turned_round() {
        let points = CodePoints::new(vec![(9, 12), (1, 3), (4, 5), (11, 20)]);
        assert_eq!(points.ranges(), [(1, 5), (9, 20)]);
        assert_eq!(points.complement(25).ranges(), [(0, 0), (6, 8), (21, 25)]);
        assert_eq!(points.complement(25).complement(25), points);
        let other = CodePoints::new(vec![(0, 1), (3, 10), (20, 30)]);
        assert_eq!(
            points.intersection(&other).ranges(),
            [(1, 1), (3, 5), (9, 10), (20, 20)]
        );
        assert_eq!(
            CodePoints::new(vec![(0x40, 0x42), (0x78, 0x7B)])
                .fold_ascii()
                .ranges(),
            [(0x40, 0x42), (0x58, 0x5A), (0x61, 0x62), (0x78, 0x7B)]
        );
        assert_eq!(CodePoints::default().complement(7).ranges(), [(0, 7)]);
    }

    #[test]
    fn utf8_trees_share_first_bytes() {
        let all = CodePoints::default().complement(LAST_CODE_POINT).to_utf8();
        let Node::Alternation(branches) = &all else {
            panic!("{all:?}")
        };
        // One byte; two; E0, ED and the other three; F0, F4 and the other four.
        assert_eq!(branches.len(), 8);
        let umlauts = CodePoints::new(vec![(0xE4, 0xE4), (0xF6, 0xF6), (0x61, 0x61)]).to_utf8();
        assert_eq!(
            umlauts,
            Node::Alternation(vec![
                Node::Set(ByteSet::of(b'a')),
                Node::Concat(vec![
                    Node::Set(ByteSet::of(0xC3)),
                    Node::Set(ByteSet::of(0xA4).with(0xB6)),
                ]),
            ])
        );
        assert_eq!(
            CodePoints::new(vec![(0xD800, 0xDFFF)]).to_utf8(),
            Node::Set(ByteSet::EMPTY)
        );
    }
}
