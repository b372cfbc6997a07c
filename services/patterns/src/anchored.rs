//! The anchored arms of a scope, by the first byte of the haystack: a haystack's own few are found
//! without a look at the others.
//!
//! 258 lists: one for each byte, one for the empty haystack, and one for the arms that accept so
//! many bytes that repeating them in the others would not pay. As stored: the ends of the lists in
//! this order, counted in arms, then the arms. No arms at all are stored as nothing.

use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

use crate::byteset::ByteSet;
use crate::damage::Damage;

/// The list of the empty haystack.
const EMPTY: usize = 256;
/// The list of arms that are tried on every haystack.
const COMMON: usize = 257;
/// How many lists.
const LISTS: usize = 258;
/// An arm with more first bytes than this is tried on every haystack.
const MOST_BYTES: u32 = 64;

/// An anchored arm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchored {
    /// Its number.
    pub(crate) arm: u32,
    /// The bytes a match may begin with.
    pub(crate) first: ByteSet,
    /// Whether it may match the empty haystack.
    pub(crate) empty: bool,
}

/// The stored form of these arms.
pub(crate) fn build(arms: &[Anchored]) -> Vec<u8> {
    if arms.is_empty() {
        return Vec::new();
    }
    let mut lists = vec![Vec::new(); LISTS];
    for arm in arms {
        let mut add = |list: usize| {
            if let Some(list) = lists.get_mut(list) {
                list.push(U32::new(arm.arm));
            }
        };
        if arm.first.len() > MOST_BYTES {
            add(COMMON);
        } else {
            arm.first.iter().for_each(|byte| add(usize::from(byte)));
            if arm.empty {
                add(EMPTY);
            }
        }
    }
    let mut end = 0;
    let mut bytes = Vec::new();
    for list in &lists {
        end += u32::try_from(list.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(U32::new(end).as_bytes());
    }
    for list in &lists {
        bytes.extend_from_slice(list.as_bytes());
    }
    bytes
}

/// A view of the stored lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    ends: &'a [U32],
    arms: &'a [U32],
}

impl<'a> Table<'a> {
    /// Checks every list.
    pub(crate) fn verify(bytes: &'a [u8], arms: u32) -> Result<Self, Damage> {
        let table = Self::trusted(bytes).ok_or(Damage("the lists are cut off"))?;
        let mut start = 0;
        for end in table.ends {
            if end.get() < start {
                return Err(Damage("a list ends before it starts"));
            }
            start = end.get();
        }
        if u32::try_from(table.arms.len()) != Ok(start) {
            return Err(Damage("the lists have another length"));
        }
        if table.arms.iter().any(|arm| arm.get() >= arms) {
            return Err(Damage("a list names an arm that does not exist"));
        }
        Ok(table)
    }

    /// A view of bytes that [`verify`](Self::verify) has accepted once.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Option<Self> {
        let lists = if bytes.is_empty() { 0 } else { LISTS };
        let (ends, rest) = <[U32]>::ref_from_prefix_with_elems(bytes, lists).ok()?;
        let arms = <[U32]>::ref_from_bytes(rest).ok()?;
        Some(Self { ends, arms })
    }

    /// The arms to try on a haystack, in order.
    #[inline]
    pub(crate) fn of(&self, haystack: &[u8]) -> impl Iterator<Item = u32> + use<'a> {
        let own = haystack.first().map_or(EMPTY, |&byte| usize::from(byte));
        self.list(COMMON)
            .iter()
            .chain(self.list(own))
            .map(|arm| arm.get())
    }

    #[inline]
    fn list(&self, list: usize) -> &'a [U32] {
        let end = |list: usize| self.ends.get(list).map(|end| end.get() as usize);
        let start = list.checked_sub(1).map_or(Some(0), end);
        start
            .zip(end(list))
            .and_then(|(start, end)| self.arms.get(start..end))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_found_by_the_first_byte() {
        let arm = |arm, first, empty| Anchored { arm, first, empty };
        let bytes = build(&[
            arm(0, ByteSet::of(b'a').with(b'b'), false),
            arm(1, ByteSet::ALL, true),
            arm(2, ByteSet::of(b'a'), true),
            arm(3, ByteSet::of(0xff), false),
        ]);
        let table = Table::verify(&bytes, 4).unwrap();
        let of = |haystack: &[u8]| table.of(haystack).collect::<Vec<_>>();
        assert_eq!(of(b"ab"), [1, 0, 2]);
        assert_eq!(of(b"b"), [1, 0]);
        assert_eq!(of(b"c"), [1]);
        assert_eq!(of(b"\xff"), [1, 3]);
        assert_eq!(of(b""), [1, 2]);
        assert!(Table::verify(&bytes, 3).is_err());
        assert!(Table::verify(&bytes[..bytes.len() - 4], 4).is_err());
        assert!(Table::verify(&bytes[..100], 4).is_err());

        assert!(build(&[]).is_empty());
        let none = Table::verify(&[], 0).unwrap();
        assert_eq!(none.of(b"a").count(), 0);
    }
}
