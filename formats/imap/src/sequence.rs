//! Sequence sets as clients write them, and sets of UIDs as the server answers them.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use crate::error::Error;
use crate::number::{SeqNum, Uid};
use crate::reader::Reader;
use crate::writer::Writer;

/// Elements in one set; more never fit a command line.
pub(crate) const MAX_RANGES: usize = 32_768;

/// Whether a command speaks of sequence numbers or, after `UID`, of unique identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Sequence numbers.
    Seq,
    /// Unique identifiers.
    Uid,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetNumber {
    /// A number.
    Number(NonZeroU32),
    /// `*`: the largest number in the mailbox.
    Last,
}

impl SetNumber {
    fn resolve(self, max: u32) -> u32 {
        match self {
            Self::Number(number) => number.get(),
            Self::Last => max,
        }
    }
}

/// One element of a set; a single number is a range from itself to itself. The ends may come in
/// either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetRange {
    /// As written first.
    pub start: SetNumber,
    /// As written last.
    pub end: SetNumber,
}

/// The messages that a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceSet {
    /// `$`: the saved result of the last search (RFC 9051 §6.4.4.1).
    Saved,
    /// Ranges in the order written: never empty when it comes from a client.
    Ranges(Vec<SetRange>),
}

impl SequenceSet {
    /// The set's numbers in a mailbox whose largest is `max`: ranges in ascending order that
    /// neither overlap nor touch. `*` is `max`, and nothing when `max` is 0. Empty for
    /// [`Self::Saved`], which only the session can resolve.
    ///
    /// Numbers beyond `max` that the client wrote are kept, as far as no `*` is involved: for
    /// sequence numbers they are an error (RFC 9051 §9, "seq-number"), for UIDs they match nothing.
    #[must_use]
    pub fn resolve(&self, max: u32) -> Vec<RangeInclusive<u32>> {
        let Self::Ranges(ranges) = self else {
            return Vec::new();
        };
        let mut resolved: Vec<(u32, u32)> = ranges
            .iter()
            .filter_map(|range| {
                let (a, b) = (range.start.resolve(max), range.end.resolve(max));
                let (low, high) = (a.min(b), a.max(b));
                // Zero stands for the `*` of an empty mailbox.
                (low > 0).then_some((low, high))
            })
            .collect();
        resolved.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(resolved.len());
        for (low, high) in resolved {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        merged.into_iter().map(|(low, high)| low..=high).collect()
    }

    /// Whether `number` belongs to the set in a mailbox whose largest number is `max`. For many
    /// numbers, [`Self::resolve`] once.
    #[must_use]
    pub fn contains(&self, number: u32, max: u32) -> bool {
        let Self::Ranges(ranges) = self else {
            return false;
        };
        ranges.iter().any(|range| {
            let (a, b) = (range.start.resolve(max), range.end.resolve(max));
            number > 0 && (a.min(b)..=a.max(b)).contains(&number) && a.min(b) > 0
        })
    }

    /// The largest number that the client wrote itself, `*` aside.
    #[must_use]
    pub fn largest_number(&self) -> Option<NonZeroU32> {
        let Self::Ranges(ranges) = self else {
            return None;
        };
        ranges
            .iter()
            .flat_map(|range| [range.start, range.end])
            .filter_map(|end| match end {
                SetNumber::Number(number) => Some(number),
                SetNumber::Last => None,
            })
            .max()
    }
}

impl From<SeqNum> for SequenceSet {
    fn from(number: SeqNum) -> Self {
        let end = SetNumber::Number(number.into());
        Self::Ranges(vec![SetRange { start: end, end }])
    }
}

impl From<Uid> for SequenceSet {
    fn from(uid: Uid) -> Self {
        let end = SetNumber::Number(uid.into());
        Self::Ranges(vec![SetRange { start: end, end }])
    }
}

impl From<&UidSet> for SequenceSet {
    fn from(set: &UidSet) -> Self {
        let end = |value| NonZeroU32::new(value).map_or(SetNumber::Last, SetNumber::Number);
        Self::Ranges(
            set.ranges()
                .map(|range| SetRange {
                    start: end(*range.start()),
                    end: end(*range.end()),
                })
                .collect(),
        )
    }
}

impl Reader<'_> {
    /// `seq-number = nz-number / "*"`
    fn seq_number(&mut self) -> Result<SetNumber, Error> {
        if self.eat(b'*') {
            return Ok(SetNumber::Last);
        }
        self.nz_number().map(SetNumber::Number)
    }

    /// `sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command`
    ///
    /// `seq-range = seq-number ":" seq-number`, `seq-last-command = "$"`
    pub(crate) fn sequence_set(&mut self) -> Result<SequenceSet, Error> {
        if self.eat(b'$') {
            return Ok(SequenceSet::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            if ranges.len() >= MAX_RANGES {
                return Err(Error::Limit {
                    what: "ranges in a set",
                    limit: MAX_RANGES,
                });
            }
            let start = self.seq_number()?;
            let end = if self.eat(b':') {
                self.seq_number()?
            } else {
                start
            };
            ranges.push(SetRange { start, end });
            if !self.eat(b',') {
                return Ok(SequenceSet::Ranges(ranges));
            }
        }
    }
}

impl Writer<'_> {
    fn seq_number(&mut self, number: SetNumber) -> &mut Self {
        match number {
            SetNumber::Number(number) => self.number(number.get()),
            SetNumber::Last => self.bytes(b"*"),
        }
    }

    /// `sequence-set`
    pub fn sequence_set(&mut self, set: &SequenceSet) -> &mut Self {
        let SequenceSet::Ranges(ranges) = set else {
            return self.bytes(b"$");
        };
        for (index, range) in ranges.iter().enumerate() {
            if index > 0 {
                self.bytes(b",");
            }
            self.seq_number(range.start);
            if range.start != range.end {
                self.bytes(b":").seq_number(range.end);
            }
        }
        self
    }

    /// `uid-set`, of numbers that may also be sequence numbers. The set must not be empty.
    pub fn number_set(&mut self, set: &UidSet) -> &mut Self {
        for (index, (low, high)) in set.ranges.iter().enumerate() {
            if index > 0 {
                self.bytes(b",");
            }
            self.number(*low);
            if low != high {
                self.bytes(b":").number(*high);
            }
        }
        self
    }
}

/// A set of UIDs (or, in an ESEARCH without UID, of sequence numbers), kept as ascending ranges
/// that neither overlap nor touch. Adding in ascending order takes constant time.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds one identifier.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_number(uid.into());
    }

    /// Adds one number, of whichever kind the set holds.
    pub fn insert_number(&mut self, number: NonZeroU32) {
        let number = number.get();
        match self.ranges.last_mut() {
            Some(last) if (last.0..=last.1).contains(&number) => return,
            Some(last) if last.1.checked_add(1) == Some(number) => {
                last.1 = number;
                return;
            }
            Some(last) if number > last.1 => {}
            None => {}
            Some(_) => return self.insert_before(number),
        }
        self.ranges.push((number, number));
    }

    /// Inserts a number below the last range's start.
    fn insert_before(&mut self, number: u32) {
        // The first range that ends at or after the number's neighbour below.
        let at = self
            .ranges
            .partition_point(|range| range.1.saturating_add(1) < number);
        let joins_next = self
            .ranges
            .get(at + 1)
            .is_some_and(|next| number.checked_add(1) == Some(next.0));
        let Some(range) = self.ranges.get_mut(at) else {
            return self.ranges.push((number, number));
        };
        if number.checked_add(1) == Some(range.0) {
            range.0 = number;
        } else if range.1.checked_add(1) == Some(number) {
            range.1 = number;
            if joins_next {
                let next = self.ranges.remove(at + 1);
                if let Some(range) = self.ranges.get_mut(at) {
                    range.1 = next.1;
                }
            }
        } else if number < range.0 {
            self.ranges.insert(at, (number, number));
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(low, high)| u64::from(high - low) + 1)
            .sum()
    }

    /// Whether `number` is in it.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < number);
        self.ranges.get(at).is_some_and(|range| range.0 <= number)
    }

    /// The smallest number.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|range| range.0)
    }

    /// The largest number.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|range| range.1)
    }

    /// The ranges in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.ranges.iter().map(|(low, high)| *low..=*high)
    }

    /// All numbers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().flatten()
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::new();
        set.extend(uids);
        set
    }
}

impl Extend<Uid> for UidSet {
    fn extend<I: IntoIterator<Item = Uid>>(&mut self, uids: I) {
        for uid in uids {
            self.insert(uid);
        }
    }
}

impl FromIterator<SeqNum> for UidSet {
    fn from_iter<I: IntoIterator<Item = SeqNum>>(numbers: I) -> Self {
        let mut set = Self::new();
        for number in numbers {
            set.insert_number(number.into());
        }
        set
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (low, high)) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if low == high {
                write!(f, "{low}")?
            } else {
                write!(f, "{low}:{high}")?
            }
        }
        Ok(())
    }
}

impl fmt::Debug for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UidSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(text: &str) -> Result<SequenceSet, Error> {
        let mut reader = Reader::of_text(text.as_bytes());
        let set = reader.sequence_set()?;
        reader.finish()?;
        Ok(set)
    }

    #[test]
    fn resolved_sets() {
        for (text, max, expected) in [
            ("1", 10, vec![1..=1]),
            ("2:4", 10, vec![2..=4]),
            ("4:2", 10, vec![2..=4]),
            ("*", 10, vec![10..=10]),
            ("*:4", 10, vec![4..=10]),
            ("12:*", 10, vec![10..=12]),
            ("*", 0, vec![]),
            ("1:*", 0, vec![]),
            ("1,3,2", 10, vec![1..=3]),
            ("5:7,1:2,6:9", 10, vec![1..=2, 5..=9]),
            ("4294967295,4294967294:*", 10, vec![10..=u32::MAX]),
            ("$", 10, vec![]),
        ] {
            assert_eq!(set(text).unwrap().resolve(max), expected, "{text}");
        }
        for bad in [
            "",
            "0",
            "1,",
            ",1",
            "1:",
            ":1",
            "1:2:3",
            "a",
            "1,,2",
            "4294967296",
            "$,1",
            "1 ",
        ] {
            assert!(set(bad).is_err(), "{bad}");
        }
        assert_eq!(
            set("3:*,7").unwrap().largest_number().map(NonZeroU32::get),
            Some(7)
        );
    }

    proptest! {
        #[test]
        fn contains_agrees_with_resolve(
            text in "(([1-9]|1[0-9]|\\*)(:([1-9]|1[0-9]|\\*))?,){0,5}[1-9]",
            max in 0_u32..25,
        ) {
            let set = set(&text).unwrap();
            let resolved = set.resolve(max);
            for number in 0..30 {
                let inside = resolved.iter().any(|range| range.contains(&number));
                prop_assert_eq!(set.contains(number, max), inside);
            }
            for pair in resolved.windows(2) {
                prop_assert!(pair[0].end() + 1 < *pair[1].start());
            }
            let mut out = Vec::new();
            Writer::new(&mut out, crate::Utf8Mode::Utf8).sequence_set(&set);
            prop_assert_eq!(Reader::of_text(&out).sequence_set(), Ok(set));
        }

        #[test]
        fn a_uid_set_is_a_set(numbers in prop::collection::vec(1_u32..60, 0..80)) {
            let model: BTreeSet<u32> = numbers.iter().copied().collect();
            let set: UidSet = numbers.iter().filter_map(|n| Uid::new(*n)).collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert!(set.ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert!((0..70).all(|n| set.contains(n) == model.contains(&n)));
            prop_assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
        }
    }

    #[test]
    fn the_largest_uid_fits() {
        let set: UidSet = [u32::MAX, 1, u32::MAX - 1]
            .into_iter()
            .filter_map(Uid::new)
            .collect();
        assert_eq!(set.to_string(), "1,4294967294:4294967295");
    }
}
