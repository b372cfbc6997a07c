//! Many short runs of byte classes at once: bit-parallel automata.
//!
//! A lane is a sequence of [`Position`](crate::plan::Position)s, each one bit; lanes lie side by
//! side in words of 64 bits and never cross a word. Four words, 256 bits, are a *group*, whatever
//! the processor. With each byte of the haystack a group's bits become
//!
//! ```text
//! D = (((D << 1) | FIRST) & ENTER[c]) | (D & STAY[c])
//! ```
//!
//! where `c` is the byte's class in that group; bits of `LAST` that are then set are hits: the byte
//! entered the last position of a lane. (The last position has no `STAY`, so it is set only then.)
//! Up to four groups, a *bundle*, are followed in one pass over the haystack, which hides the
//! latency of the step.
//!
//! **Order.** Hits come by bundle, then by the position of the byte, then by group, word and bit,
//! then by arm. Bundles are a matter of the number of groups only (fours, then a two, then a one),
//! so this is the same on every processor.
//!
//! **Bytes.** Little-endian, sections of whole cache lines: a header of 16 numbers (groups, class
//! blocks, lanes, arms; the rest zero); groups (see [`GROUP`]); class blocks (`ENTER` of 4 words,
//! `STAY` of 4 words), followed by so many zero ones that 256 can be read from the first of each
//! group, so that the step needs no check; where the arms of a lane begin; arms.

use std::ops::ControlFlow;

use super::lane_vector::{self, Path, STEPS};
use super::{ArmLists, Sections, index, number};
use crate::damage::Damage;

pub(crate) use super::lane_build::build;

/// Bytes of the header.
pub(super) const HEADER: usize = 64;
/// Bytes of a group's record: `FIRST` and `LAST`, 4 words each; its first class block, how many it
/// has, whether one has a `STAY` bit, and the number of the first lane of each word, as 32-bit
/// numbers, zeros; the class of each byte.
pub(super) const GROUP: usize = 384;
/// Where the numbers of a group's record begin.
const NUMBERS: usize = 64;
/// Where the classes of bytes begin.
const MAP: usize = 128;
/// Bytes of a class block.
pub(super) const CLASS: usize = 64;

/// The bits of a group.
pub(super) type Words = [u64; 4];

/// What becomes of a lane after a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It goes on.
    Keep,
    /// It need not report again in this scan. A lane of several arms goes on until all of them say
    /// so for the same byte; an arm that has said so may hear of it again until then.
    Silence,
}

/// A group, ready for a scan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    /// The class of each byte.
    pub(super) map: &'a [u8; 256],
    /// What each class lets in and keeps; blocks after its own classes are other groups' or zero.
    pub(super) classes: &'a [[u8; CLASS]; 256],
    /// The first positions.
    pub(super) first: Words,
    /// The last positions.
    last: Words,
    /// Whether some class keeps a position.
    pub(super) stays: bool,
    /// The number of the first lane of each word.
    lanes: [u32; 4],
}

/// A view of a table's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    groups: &'a [[u8; GROUP]],
    classes: &'a [[u8; CLASS]],
    arms: ArmLists<'a>,
}

impl<'a> Table<'a> {
    /// Checks every length, offset and number of the bytes, and that each arm is below `arms`.
    ///
    /// # Errors
    ///
    /// When the bytes are not what [`build`] makes; it does not find out which classes are right.
    pub(crate) fn verify(bytes: &'a [u8], arms: u32) -> Result<Self, Damage> {
        let table = Self::read(bytes, Sections::is_done)?;
        let mut classes = 0;
        let mut lanes = 0;
        for record in table.groups {
            let group = table.group(record);
            let count = index(number(record, NUMBERS + 4));
            if index(number(record, NUMBERS)) != classes || !(1..=256).contains(&count) {
                return Err(Damage("the classes of a lane group are out of place"));
            }
            classes += count;
            if group.map.iter().any(|class| usize::from(*class) >= count) {
                return Err(Damage("a lane group has a byte without a class"));
            }
            if group.classes.iter().take(count).any(|class| {
                let stay = words(class, 32);
                and(stay, group.last) != [0; 4] || (!group.stays && stay != [0; 4])
            }) {
                return Err(Damage("a lane group keeps positions that it must not"));
            }
            // The window of the last group ends with the section.
            if table.classes.len() < classes - count + 256 {
                return Err(Damage("the lane table lacks the blocks after its classes"));
            }
            for ((first, last), lane) in group.first.iter().zip(group.last).zip(group.lanes) {
                if index(lane) != lanes || first.count_ones() != last.count_ones() {
                    return Err(Damage("the lanes of a group are miscounted"));
                }
                lanes += index(last.count_ones());
            }
        }
        if lanes + 1 != table.arms.starts.len() {
            return Err(Damage("the lane table's groups do not cover its lanes"));
        }
        if !table.arms.is_sound(arms) {
            return Err(Damage("the lane table's lists of arms are inconsistent"));
        }
        Ok(table)
    }

    /// The view of bytes that [`Table::verify`] has accepted; None when they cannot be those.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Option<Self> {
        Self::read(bytes, |_| true).ok()
    }

    /// How many groups of 256 positions it has: what a scan costs is in proportion.
    #[cfg(test)]
    pub(crate) const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How many different lanes it has.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.arms.starts.len().saturating_sub(1)
    }

    fn read(bytes: &'a [u8], ends: impl FnOnce(&Sections<'a>) -> bool) -> Result<Self, Damage> {
        const SHORT: Damage = Damage("the lane table is shorter than its header says");
        let mut sections = Sections::new(bytes);
        let [header] = sections.take::<HEADER>(1).ok_or(SHORT)? else {
            return Err(SHORT);
        };
        let [groups, classes, lanes, arms] = [0, 4, 8, 12].map(|at| index(number(header, at)));
        let table = Self {
            groups: sections.take(groups).ok_or(SHORT)?,
            classes: sections.take(classes).ok_or(SHORT)?,
            arms: ArmLists {
                starts: sections.take(lanes + 1).ok_or(SHORT)?,
                arms: sections.take(arms).ok_or(SHORT)?,
            },
        };
        if !ends(&sections) {
            return Err(Damage("the lane table is longer than its header says"));
        }
        Ok(table)
    }

    /// The group of a record. Numbers that are out of range make it empty.
    fn group(&self, record: &'a [u8; GROUP]) -> Group<'a> {
        static NO_MAP: [u8; 256] = [0; 256];
        static NO_CLASSES: [[u8; CLASS]; 256] = [[0; CLASS]; 256];
        let field = |at: usize| number(record, NUMBERS + at * 4);
        let map = record.get(MAP..).and_then(|rest| rest.first_chunk());
        let classes = self.classes.get(index(field(0))..);
        Group {
            map: map.unwrap_or(&NO_MAP),
            classes: classes
                .and_then(|rest| rest.first_chunk())
                .unwrap_or(&NO_CLASSES),
            first: words(record, 0),
            last: words(record, 32),
            stays: field(2) != 0,
            lanes: [3, 4, 5, 6].map(field),
        }
    }

    /// Reports the arms of each lane whose last position was entered, and the index of the byte
    /// that did it. The order is in the module's text.
    #[inline]
    pub(crate) fn scan<B>(
        &self,
        haystack: &[u8],
        on_hit: impl FnMut(u32, usize) -> ControlFlow<B, Lane>,
    ) -> ControlFlow<B> {
        self.scan_by(Path::best(), haystack, on_hit)
    }

    /// [`Table::scan`] with a choice of implementation.
    fn scan_by<B>(
        &self,
        path: Path,
        haystack: &[u8],
        mut on_hit: impl FnMut(u32, usize) -> ControlFlow<B, Lane>,
    ) -> ControlFlow<B> {
        let (fours, rest) = self.groups.as_chunks::<4>();
        for records in fours {
            self.scan_bundle(path, records, haystack, &mut on_hit)?;
        }
        let (twos, ones) = rest.as_chunks::<2>();
        for records in twos {
            self.scan_bundle(path, records, haystack, &mut on_hit)?;
        }
        for record in ones {
            self.scan_bundle(path, std::array::from_ref(record), haystack, &mut on_hit)?;
        }
        ControlFlow::Continue(())
    }

    fn scan_bundle<B, const N: usize>(
        &self,
        path: Path,
        records: &'a [[u8; GROUP]; N],
        haystack: &[u8],
        on_hit: &mut impl FnMut(u32, usize) -> ControlFlow<B, Lane>,
    ) -> ControlFlow<B> {
        let groups = records.each_ref().map(|record| self.group(record));
        let mut state = [[0; 4]; N];
        let mut last = groups.each_ref().map(|group| group.last);
        let mut at = 0;
        loop {
            // Whole blocks without hits, then byte by byte the block with one, or the last bytes.
            let rest = haystack.get(at..).unwrap_or_default();
            at += lane_vector::pass(path, &groups, &last, &mut state, rest);
            let rest = haystack.get(at..).unwrap_or_default();
            for &byte in rest.iter().take(STEPS) {
                for ((group, state), last) in groups.iter().zip(&mut state).zip(&mut last) {
                    *state = lane_vector::step(group, *state, byte);
                    let hits = and(*state, *last);
                    if hits != [0; 4] {
                        self.report(group, hits, last, |arm| on_hit(arm, at))?;
                    }
                }
                at += 1;
            }
            if at >= haystack.len() || last == [[0; 4]; N] {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Reports the lanes of the bits of `hits`; those silenced leave `last`.
    fn report<B>(
        &self,
        group: &Group<'_>,
        hits: Words,
        last: &mut Words,
        mut on_hit: impl FnMut(u32) -> ControlFlow<B, Lane>,
    ) -> ControlFlow<B> {
        let words = hits.into_iter().zip(last).zip(group.last).zip(group.lanes);
        for (((mut hits, last), all), first_lane) in words {
            while hits != 0 {
                let bit = hits & hits.wrapping_neg();
                hits ^= bit;
                let lane = index(first_lane) + index((all & (bit - 1)).count_ones());
                let mut silent = true;
                for arm in self.arms.of(lane) {
                    match on_hit(arm) {
                        ControlFlow::Continue(answer) => silent &= answer == Lane::Silence,
                        ControlFlow::Break(value) => return ControlFlow::Break(value),
                    }
                }
                if silent {
                    *last ^= bit;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Four words at a place of a record.
#[inline]
pub(super) fn words(record: &[u8], at: usize) -> Words {
    let bytes = record.get(at..).and_then(|rest| rest.first_chunk::<32>());
    bytes.map_or([0; 4], |bytes| {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    })
}

/// The bits of both.
#[inline]
pub(super) fn and(a: Words, b: Words) -> Words {
    let ([a, b, c, d], [e, f, g, h]) = (a, b);
    [a & e, b & f, c & g, d & h]
}

#[cfg(test)]
mod tests {
    use super::super::stored;
    use super::*;
    use crate::byteset::ByteSet;
    use crate::plan::Position;

    /// A small generator: repeatable, and the same everywhere.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) as usize % limit
        }
    }

    fn set(random: &mut Random) -> ByteSet {
        match random.below(6) {
            0 => ByteSet::ALL.difference(ByteSet::of(b'a')),
            1 => ByteSet::range(b'b'..=b'd').with(0xff),
            _ => (0..=random.below(2))
                .map(|_| b"abcd"[random.below(4)])
                .collect(),
        }
    }

    fn lanes(random: &mut Random, count: usize, stays: bool) -> Vec<Vec<Position>> {
        (0..count)
            .map(|_| {
                let longest = [24, 8, 8][random.below(3)];
                let length = 1 + random.below(longest);
                let mut positions: Vec<Position> = (0..length)
                    .map(|_| Position {
                        enter: set(random),
                        stay: match random.below(4) {
                            0 if stays => set(random),
                            _ => ByteSet::EMPTY,
                        },
                    })
                    .collect();
                positions.last_mut().unwrap().stay = ByteSet::EMPTY;
                positions
            })
            .collect()
    }

    fn text(random: &mut Random, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| match random.below(30) {
                0 => 0xff,
                1 => b' ',
                _ => b"abcd"[random.below(4)],
            })
            .collect()
    }

    /// Where a lane fires, straight from what [`Position`] says.
    fn naive(positions: &[Position], haystack: &[u8]) -> Vec<usize> {
        let mut active = vec![false; positions.len()];
        let mut hits = Vec::new();
        for (at, &byte) in haystack.iter().enumerate() {
            let before = active.clone();
            for (i, position) in positions.iter().enumerate() {
                let led = i == 0 || before[i - 1];
                active[i] = led && position.enter.contains(byte)
                    || before[i] && position.stay.contains(byte);
            }
            if active[positions.len() - 1] {
                hits.push(at);
            }
        }
        hits
    }

    fn hits(table: &Table<'_>, path: Path, haystack: &[u8]) -> Vec<(u32, usize)> {
        let mut hits = Vec::new();
        let flow: ControlFlow<()> = table.scan_by(path, haystack, |arm, at| {
            hits.push((arm, at));
            ControlFlow::Continue(Lane::Keep)
        });
        assert!(flow.is_continue());
        hits
    }

    /// Lanes with arms 0, 1, 2, …
    fn numbered(lanes: &[Vec<Position>]) -> Vec<(&[Position], u32)> {
        lanes.iter().map(Vec::as_slice).zip(0..).collect()
    }

    /// The bundle and the number of each arm's lane.
    fn places(table: &Table<'_>, arms: usize) -> Vec<(usize, usize)> {
        let mut places = vec![(usize::MAX, 0); arms];
        let whole = table.groups() / 4 * 4;
        for (group, record) in table.groups.iter().enumerate() {
            let bundle = if group < whole {
                group / 4
            } else {
                whole + (group - whole) / 2
            };
            let view = table.group(record);
            let count = view.last.iter().map(|word| word.count_ones()).sum::<u32>();
            for lane in view.lanes[0]..view.lanes[0] + count {
                for arm in table.arms.of(index(lane)) {
                    places[index(arm)] = (bundle, index(lane));
                }
            }
        }
        places
    }

    fn expected(
        lanes: &[Vec<Position>],
        places: &[(usize, usize)],
        haystack: &[u8],
    ) -> Vec<(u32, usize)> {
        let mut hits = Vec::new();
        for (arm, positions) in (0..).zip(lanes) {
            let (bundle, lane) = places[index(arm)];
            let found = naive(positions, haystack);
            hits.extend(found.into_iter().map(|at| (bundle, at, lane, arm)));
        }
        hits.sort_unstable();
        hits.into_iter().map(|(_, at, _, arm)| (arm, at)).collect()
    }

    #[test]
    fn every_path_follows_lanes_as_defined_in_the_defined_order() {
        let mut random = Random(1);
        let mut sizes = Vec::new();
        let mut sum = 0;
        for round in 0..40 {
            let count = [1, 5, 30, 60, 100, 140, 170, 200, 230, 300][round % 10];
            let lanes = lanes(&mut random, count, round % 3 != 0);
            let bytes = build(&numbered(&lanes));
            let table = Table::verify(&bytes, stored(count)).unwrap();
            assert_eq!(bytes.len() % 64, 0);
            sizes.push(table.groups());
            let text = text(&mut random, 300);
            let expected = expected(&lanes, &places(&table, count), &text);
            sum += expected.len();
            for path in Path::all() {
                assert_eq!(
                    hits(&table, path, &text),
                    expected,
                    "{path:?}, round {round}"
                );
            }
        }
        assert!(sum > 10_000, "{sum}");
        sizes.sort_unstable();
        sizes.dedup();
        assert!(sizes.len() >= 7 && sizes[0] == 1, "{sizes:?}");
    }

    #[test]
    fn every_length_and_alignment() {
        let mut random = Random(2);
        let lanes = lanes(&mut random, 12, true);
        let bytes = build(&numbered(&lanes));
        let table = Table::verify(&bytes, 12).unwrap();
        let places = places(&table, 12);
        let text = text(&mut random, 264);
        for length in 0..=200 {
            for offset in (0..64).skip(length % 4).step_by(4) {
                let haystack = &text[offset..offset + length];
                let expected = expected(&lanes, &places, haystack);
                for path in Path::all() {
                    assert_eq!(hits(&table, path, haystack), expected, "{path:?} {length}");
                }
            }
        }
    }

    fn word(text: &str) -> Vec<Position> {
        let position = |byte| Position {
            enter: ByteSet::of(byte).fold_case(),
            stay: ByteSet::EMPTY,
        };
        text.bytes().map(position).collect()
    }

    #[test]
    fn a_lane_of_several_arms_reports_them_in_order_and_the_argument_order_does_not_matter() {
        let (one, other) = (word("abc"), word("c"));
        let bytes = build(&[(&one, 5), (&other, 1), (&one, 2), (&one, 5)]);
        assert_eq!(bytes, build(&[(&one, 2), (&one, 5), (&other, 1)]));
        let table = Table::verify(&bytes, 6).unwrap();
        assert_eq!((table.len(), table.groups()), (2, 1));
        let hits = hits(&table, Path::best(), b"abCab");
        assert_eq!(hits, [(2, 2), (5, 2), (1, 2)]);
    }

    #[test]
    fn a_silenced_lane_is_silent_for_the_rest_of_the_scan() {
        let any = [Position {
            enter: ByteSet::ALL,
            stay: ByteSet::EMPTY,
        }];
        let (one, other) = (word("xyz"), word("yz"));
        let bytes = build(&[(&any, 0), (&one, 1), (&other, 2), (&other, 3)]);
        let table = Table::verify(&bytes, 4).unwrap();
        for path in Path::all() {
            for _ in 0..2 {
                let mut hits = Vec::new();
                let flow: ControlFlow<()> = table.scan_by(path, &b"xyz ".repeat(9), |arm, at| {
                    hits.push((arm, at));
                    // Arm 3 shares a lane with arm 2, which goes on.
                    let silent = arm == 0 || arm == 3 || (arm == 1 && at > 10);
                    let answer = if silent { Lane::Silence } else { Lane::Keep };
                    ControlFlow::Continue(answer)
                });
                assert!(flow.is_continue());
                let times = |arm| hits.iter().filter(|hit| hit.0 == arm).count();
                assert_eq!([0, 1, 2, 3].map(times), [1, 4, 9, 9]);
            }
        }
        let flow = table.scan(b"abc", |arm, at| ControlFlow::<_, Lane>::Break((arm, at)));
        assert_eq!(flow, ControlFlow::Break((0, 0)));
    }

    #[test]
    fn lanes_that_stay_share_groups_so_that_others_need_not_look() {
        let mut random = Random(5);
        let mut all = lanes(&mut random, 60, false);
        let plain = all.clone();
        all.extend(lanes(&mut random, 20, true));
        let bytes = build(&numbered(&all));
        let table = Table::verify(&bytes, 80).unwrap();
        let stays: Vec<bool> = table
            .groups
            .iter()
            .map(|group| table.group(group).stays)
            .collect();
        assert!(
            stays.is_sorted() && stays.contains(&false) && stays.contains(&true),
            "{stays:?}"
        );
        let bytes = build(&numbered(&plain));
        let table = Table::verify(&bytes, 60).unwrap();
        assert!(table.groups.iter().all(|group| !table.group(group).stays));
    }

    #[test]
    fn what_is_not_a_lane_is_left_out() {
        let long = vec![word("a")[0]; 25];
        let bytes = build(&[(&[], 0), (&long, 1)]);
        assert_eq!(bytes, build(&[]));
        let table = Table::verify(&bytes, 0).unwrap();
        assert_eq!(hits(&table, Path::best(), &[b'a'; 40]), []);
    }

    #[test]
    fn an_arm_out_of_range_is_refused() {
        let bytes = build(&[(&word("a"), 3)]);
        assert!(Table::verify(&bytes, 4).is_ok());
        assert_eq!(
            Table::verify(&bytes, 3).err(),
            Some(Damage("the lane table's lists of arms are inconsistent"))
        );
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless() {
        let mut random = Random(3);
        let lanes = lanes(&mut random, 90, true);
        let sound = build(&numbered(&lanes));
        let text = text(&mut random, 100);
        let mut refused = 0;
        for round in 0..3000 {
            let mut bytes = sound.clone();
            let near = [64, 64 + 3 * GROUP, bytes.len()][round % 3];
            for _ in 0..=random.below(2) {
                let at = random.below(near);
                bytes[at] = [0, 1, 2, 4, 0x7f, 0xff, bytes[at] ^ 1][random.below(7)];
            }
            if random.below(8) == 0 {
                bytes.truncate(random.below(bytes.len()));
            }
            let verified = Table::verify(&bytes, 90).is_ok();
            refused += usize::from(!verified);
            if let Some(table) = Table::trusted(&bytes) {
                for path in Path::all() {
                    for (arm, at) in hits(&table, path, &text) {
                        assert!(at < text.len() && (arm < 90 || !verified));
                    }
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }
}
