//! The selected mailbox: the client's view of it, and the messages that a set names.

use std::ops::Range;

use imap::response::{ResponseCode, Status, StatusResponse};
use imap::{By, Keyword, SeqNum, SequenceSet, SetNumber, UidSet};
use mail::{Entry, View};

use crate::select::Access;

/// A mailbox under SELECT or EXAMINE.
pub(crate) struct Selected {
    pub(crate) view: View,
    pub(crate) access: Access,
    /// RFC 9051 §6.4.4.1: what `$` stands for.
    pub(crate) saved: UidSet,
    /// Keywords that FLAGS has announced, sorted.
    pub(crate) keywords: Vec<Keyword>,
}

/// Messages by their position in the view, counted from 0: ascending, none twice.
pub(crate) type Positions = Vec<Range<usize>>;

impl Selected {
    /// Fails for a mailbox under EXAMINE.
    pub(crate) fn writable(&self) -> Result<(), StatusResponse> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(StatusResponse::new(Status::No, "Mailbox is read-only")
                .with_code(ResponseCode::ReadOnly)),
        }
    }

    /// The messages of a set that the client knows.
    ///
    /// RFC 9051 §9 seq-number: a sequence number beyond the last is an error, an unknown UID is
    /// not.
    pub(crate) fn positions(&self, by: By, set: &SequenceSet) -> Result<Positions, StatusResponse> {
        match (by, set) {
            (_, SequenceSet::Saved) => Ok(self.positions_of(&self.saved)),
            (By::Uid, set) => {
                let entries = self.view.entries();
                let last = entries.last().map_or(0, |entry| entry.uid.get());
                Ok(merged(
                    set.resolve(last)
                        .iter()
                        .map(|uids| self.range(uids))
                        .collect(),
                ))
            }
            (By::Seq, SequenceSet::Ranges(ranges)) => {
                let length = self.view.entries().len();
                let mut positions = Vec::with_capacity(ranges.len());
                for range in ranges {
                    positions.push(numbers(range.start, range.end, length)?);
                }
                Ok(merged(positions))
            }
        }
    }

    /// The messages with these UIDs.
    pub(crate) fn positions_of(&self, uids: &UidSet) -> Positions {
        merged(uids.ranges().map(|uids| self.range(&uids)).collect())
    }

    fn range(&self, uids: &std::ops::RangeInclusive<u32>) -> Range<usize> {
        let entries = self.view.entries();
        let start = entries.partition_point(|entry| entry.uid.get() < *uids.start());
        let end = entries.partition_point(|entry| entry.uid.get() <= *uids.end());
        start..end
    }

    /// The entries at these positions.
    pub(crate) fn entries<'s>(
        &'s self,
        positions: &'s [Range<usize>],
    ) -> impl Iterator<Item = &'s Entry> {
        let entries = self.view.entries();
        positions
            .iter()
            .flat_map(|range| entries.get(range.clone()).unwrap_or_default())
    }

    /// Their UIDs.
    pub(crate) fn uids(&self, positions: &[Range<usize>]) -> UidSet {
        self.entries(positions).map(|entry| entry.uid).collect()
    }
}

/// The sequence number of a position.
pub(crate) fn number(position: usize) -> Option<SeqNum> {
    u32::try_from(position)
        .ok()?
        .checked_add(1)
        .and_then(SeqNum::new)
}

/// The positions between two sequence numbers in a mailbox of `length` messages.
fn numbers(a: SetNumber, b: SetNumber, length: usize) -> Result<Range<usize>, StatusResponse> {
    let resolve = |end| match end {
        SetNumber::Number(number) => usize::try_from(number.get()).unwrap_or(usize::MAX),
        SetNumber::Last => length,
    };
    let (low, high) = (resolve(a).min(resolve(b)), resolve(a).max(resolve(b)));
    // Quirk: clients ask for `n:*` without knowing whether there are n messages.
    if high > length && a != SetNumber::Last && b != SetNumber::Last {
        return Err(StatusResponse::new(
            Status::Bad,
            "No message has that sequence number",
        ));
    }
    Ok(low.saturating_sub(1)..high.min(length))
}

/// Ascending, without empty ranges and overlaps.
fn merged(mut ranges: Positions) -> Positions {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Positions = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn end(text: &str) -> SetNumber {
        match text {
            "*" => SetNumber::Last,
            digits => SetNumber::Number(NonZeroU32::new(digits.parse().unwrap()).unwrap()),
        }
    }

    #[test]
    fn sequence_numbers_become_positions() {
        for (a, b, length, expected) in [
            ("1", "1", 3, Some(0..1)),
            ("1", "*", 3, Some(0..3)),
            ("*", "1", 3, Some(0..3)),
            ("3", "2", 3, Some(1..3)),
            ("*", "*", 3, Some(2..3)),
            ("5", "*", 3, Some(2..3)),
            ("1", "4", 3, None),
            ("4", "4", 3, None),
            ("1", "*", 0, Some(0..0)),
            ("*", "*", 0, Some(0..0)),
            ("1", "1", 0, None),
            ("4294967295", "1", 3, None),
        ] {
            assert_eq!(
                numbers(end(a), end(b), length).ok(),
                expected,
                "{a}:{b} of {length}"
            );
        }
    }

    #[test]
    fn ranges_merge() {
        assert_eq!(
            merged(vec![5..7, 0..0, 0..2, 1..3, 3..4, 6..7]),
            [0..4, 5..7]
        );
        assert_eq!(merged(vec![]), Positions::new());
    }
}
