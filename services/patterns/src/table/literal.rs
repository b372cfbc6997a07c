//! Many strings at once, ASCII case ignored.
//!
//! Each string has a *key*: four bytes at a fixed offset inside it. A first stage
//! ([`super::prefilter`]) passes over the positions of the haystack and leaves those that may begin
//! a key; the second looks the window up, compares whole strings, and reports the arms of each
//! string that is there.
//!
//! With a stride of 2 or 4 only every second or fourth position is looked at, and each string has
//! as many keys, at offsets of all remainders: exactly one of them lies at such a position wherever
//! the string begins.
//!
//! **Order.** Hits come by the position of the key (not the start of the string), then by the
//! string, in byte order, then by the offset of the key in it, then by arm. The keys and the
//! stride are stored in the table, so this is the same on every processor. Every occurrence of a
//! string, overlapping or not, is reported once per arm.
//!
//! **Bytes.** Little-endian, sections of whole cache lines: a header of 16 numbers (method, sets or
//! stride, words of the hash table, bits of the directory, slots, strings, arms; the rest zero);
//! bucket masks; the hash table; the directory (where the slots of a hash begin); slots (key, then
//! string × 16 + offset); strings (see [`RECORD`]); where the arms of a string begin; arms.

use std::ops::ControlFlow;

use super::prefilter::{
    BLOCK, Bits, FILTER_WORDS, Masks, Path, SETS, STRIDES, WINDOW, WORD, fill_hashed, fill_masks,
    filter_word, fold, hash,
};
use super::{ArmLists, Sections, index, number};
use crate::damage::Damage;
use crate::plan::{LONGEST_LITERAL, SHORTEST_LITERAL};

pub(crate) use super::literal_build::build;

/// Bytes of the header.
pub(super) const HEADER: usize = 64;
/// Bytes of a string's record: the folded string, zeros after it; then a mask with 0xDF for
/// letters, whose case is ignored, 0xFF for other bytes, 0 after the end; then the length.
pub(super) const RECORD: usize = 48;
/// The method's number in the header: no strings.
pub(super) const METHOD_NONE: u32 = 0;
/// Bucket masks.
pub(super) const METHOD_MASKS: u32 = 1;
/// A hash table.
pub(super) const METHOD_HASHED: u32 = 2;
/// The directory has two to the power of these many entries, and one.
pub(super) const DIRECTORY_BITS: std::ops::RangeInclusive<u32> = 6..=22;

// A slot's offset has four bits, a record 16 bytes for the string.
const _: () = assert!(LONGEST_LITERAL == 16 && SHORTEST_LITERAL == WINDOW);

/// How the first stage works.
#[derive(Clone, Copy, Debug)]
enum Method<'a> {
    /// Bucket masks; the hash table where there are no byte shuffles.
    Masks(&'a [Masks]),
    /// The hash table, every so many positions.
    Hashed(usize),
}

/// A view of a table's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    method: Method<'a>,
    filter: &'a [[u8; 4]],
    directory: &'a [[u8; 4]],
    /// A hash shifted right by this is its entry in the directory.
    shift: u32,
    slots: &'a [[u8; 8]],
    strings: &'a [[u8; RECORD]],
    arms: ArmLists<'a>,
}

impl<'a> Table<'a> {
    /// Checks every length, offset and number of the bytes, that keys and strings agree, and that
    /// each arm is below `arms`.
    ///
    /// # Errors
    ///
    /// When the bytes are not what [`build`] makes; it does not find out every difference that only
    /// costs time or a hit.
    pub(crate) fn verify(bytes: &'a [u8], arms: u32) -> Result<Self, Damage> {
        let table = Self::read(bytes, Sections::is_done)?;
        if table.strings.is_empty() {
            return Ok(table);
        }
        if !table.strings.iter().all(is_sound) {
            return Err(Damage("a string of the literal table is malformed"));
        }
        if !table.arms.is_sound(arms) {
            return Err(Damage("the literal table's lists of arms are inconsistent"));
        }
        table.verify_slots()?;
        Ok(table)
    }

    /// The view of bytes that [`Table::verify`] has accepted; None when they cannot be those.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Option<Self> {
        Self::read(bytes, |_| true).ok()
    }

    /// How many different strings it has.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.strings.len()
    }

    fn read(bytes: &'a [u8], ends: impl FnOnce(&Sections<'a>) -> bool) -> Result<Self, Damage> {
        const SHORT: Damage = Damage("the literal table is shorter than its header says");
        let mut sections = Sections::new(bytes);
        let [header] = sections.take::<HEADER>(1).ok_or(SHORT)? else {
            return Err(SHORT);
        };
        let field = |at: usize| number(header, at * 4);
        let [method, width, words, directory_bits] = [0, 1, 2, 3].map(field);
        let [slots, strings, arms] = [4, 5, 6].map(|at| index(field(at)));
        let sets = if method == METHOD_MASKS {
            index(width)
        } else {
            0
        };
        let sound = match method {
            METHOD_NONE => [width, words, directory_bits] == [0; 3] && slots + strings + arms == 0,
            METHOD_MASKS => SETS.contains(&sets),
            METHOD_HASHED => STRIDES.contains(&index(width)),
            _ => false,
        };
        let sized = method == METHOD_NONE
            || (FILTER_WORDS.contains(&index(words)) && DIRECTORY_BITS.contains(&directory_bits));
        if !sound || !sized {
            return Err(Damage(
                "the literal table's header is not one of this version",
            ));
        }
        let entries = match method {
            METHOD_NONE => [0; 2],
            _ => [(1 << directory_bits) + 1, strings + 1],
        };
        let masks = sections.take(sets).ok_or(SHORT)?;
        let table = Self {
            method: match method {
                METHOD_MASKS => Method::Masks(masks),
                _ => Method::Hashed(index(width)),
            },
            filter: sections.take(index(words)).ok_or(SHORT)?,
            directory: sections.take(entries[0]).ok_or(SHORT)?,
            shift: 32 - directory_bits,
            slots: sections.take(slots).ok_or(SHORT)?,
            strings: sections.take(strings).ok_or(SHORT)?,
            arms: ArmLists {
                starts: sections.take(entries[1]).ok_or(SHORT)?,
                arms: sections.take(arms).ok_or(SHORT)?,
            },
        };
        if !ends(&sections) {
            return Err(Damage("the literal table is longer than its header says"));
        }
        Ok(table)
    }

    /// The directory covers the slots in order; each slot is filed under its key's hash, its key is
    /// what the string has there, and the first stage lets it pass.
    fn verify_slots(&self) -> Result<(), Damage> {
        let starts = self
            .directory
            .iter()
            .map(|start| u32::from_le_bytes(*start));
        let ordered = starts
            .clone()
            .zip(starts.clone().skip(1))
            .all(|(a, b)| a <= b);
        if !ordered
            || starts.clone().next() != Some(0)
            || starts.clone().next_back().map(index) != Some(self.slots.len())
        {
            return Err(Damage("the literal table's directory is not in order"));
        }
        for (bucket, (start, end)) in starts.clone().zip(starts.skip(1)).enumerate() {
            for slot in self.slots.get(index(start)..index(end)).unwrap_or_default() {
                let (key, place) = (number(slot, 0), number(slot, 4));
                let hash = hash(key);
                let string = self.strings.get(index(place >> 4));
                let window = string.and_then(|string| {
                    let offset = index(place & 15);
                    let length = index(number(string, 32));
                    let window = string.get(offset..offset + WINDOW)?.first_chunk()?;
                    (offset + WINDOW <= length).then_some(*window)
                });
                if index(hash >> self.shift) != bucket
                    || window.map(fold) != Some(key)
                    || !self.passes(hash)
                {
                    return Err(Damage(
                        "a slot of the literal table is not what its string needs",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the hash table has the hash.
    #[inline]
    fn passes(&self, hash: u32) -> bool {
        self.filter
            .get(index(filter_word(hash, self.filter.len())))
            .is_some_and(|word| u32::from_le_bytes(*word) >> (hash & 31) & 1 == 1)
    }

    /// Reports each occurrence of each string: its arms, and where it starts. The order is in the
    /// module's text.
    #[inline]
    pub(crate) fn scan<B>(
        &self,
        haystack: &[u8],
        on_hit: impl FnMut(u32, usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.scan_by(Path::best(), haystack, on_hit)
    }

    /// [`Table::scan`] with a choice of implementation.
    fn scan_by<B>(
        &self,
        path: Path,
        haystack: &[u8],
        mut on_hit: impl FnMut(u32, usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.strings.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut base = 0;
        while haystack.len() - base >= WINDOW {
            let end = haystack.len().min(base + BLOCK + WINDOW - 1);
            let block = haystack.get(base..end).unwrap_or_default();
            for (word, bits) in self.fill(path, block).into_iter().enumerate() {
                let mut bits = bits;
                while bits != 0 {
                    let at = base + word * WORD + index(bits.trailing_zeros());
                    bits &= bits - 1;
                    self.look_up(haystack, at, &mut on_hit)?;
                }
            }
            base = (base + BLOCK).min(haystack.len());
        }
        ControlFlow::Continue(())
    }

    /// The first stage for a block.
    #[inline]
    fn fill(&self, path: Path, block: &[u8]) -> Bits {
        let mut bits = [0; BLOCK / WORD];
        let stride = match self.method {
            Method::Masks(sets) if fill_masks(path, sets, block, &mut bits) => return bits,
            Method::Masks(_) => 1,
            Method::Hashed(stride) => stride,
        };
        fill_hashed(path, self.filter, stride, block, &mut bits);
        bits
    }

    /// The second stage: the strings whose key is at a position.
    #[inline]
    fn look_up<B>(
        &self,
        haystack: &[u8],
        at: usize,
        on_hit: &mut impl FnMut(u32, usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let Some(window) = haystack.get(at..).and_then(|rest| rest.first_chunk()) else {
            return ControlFlow::Continue(());
        };
        let key = fold(*window);
        let hash = hash(key);
        if matches!(self.method, Method::Masks(_)) && !self.passes(hash) {
            return ControlFlow::Continue(());
        }
        let bucket = index(hash >> self.shift);
        let Some([start, end]) = self
            .directory
            .get(bucket..)
            .and_then(|rest| rest.first_chunk())
        else {
            return ControlFlow::Continue(());
        };
        let range = index(u32::from_le_bytes(*start))..index(u32::from_le_bytes(*end));
        for slot in self.slots.get(range).unwrap_or_default() {
            if number(slot, 0) == key {
                self.compare(haystack, at, number(slot, 4), on_hit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Compares the string of a slot whose key is at `at`.
    #[inline]
    fn compare<B>(
        &self,
        haystack: &[u8],
        at: usize,
        place: u32,
        on_hit: &mut impl FnMut(u32, usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let string = index(place >> 4);
        let (Some(record), Some(start)) =
            (self.strings.get(string), at.checked_sub(index(place & 15)))
        else {
            return ControlFlow::Continue(());
        };
        let rest = haystack.get(start..).unwrap_or_default();
        let differs = match rest.first_chunk() {
            Some(bytes) => differs(record, bytes),
            None => differs_at_end(record, rest),
        };
        if differs {
            return ControlFlow::Continue(());
        }
        self.arms.of(string).try_for_each(|arm| on_hit(arm, start))
    }
}

/// Whether the string of a record is not at the start of these bytes.
#[inline]
fn differs(record: &[u8; RECORD], bytes: &[u8; 16]) -> bool {
    let part = |at: usize| {
        let chunk = record.get(at..).and_then(|rest| rest.first_chunk());
        chunk.map_or(0, |chunk| u128::from_le_bytes(*chunk))
    };
    (u128::from_le_bytes(*bytes) ^ part(0)) & part(16) != 0
}

/// The same for the last bytes of a haystack, fewer than 16.
#[cold]
fn differs_at_end(record: &[u8; RECORD], rest: &[u8]) -> bool {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = *from;
    }
    rest.len() < index(number(record, 32)) || differs(record, &bytes)
}

/// A string's record, see [`RECORD`].
pub(super) fn record(string: &[u8]) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let (bytes, rest) = record.split_at_mut(16);
    let (masks, length) = rest.split_at_mut(16);
    for ((byte, mask), &from) in bytes.iter_mut().zip(masks).zip(string) {
        *byte = from;
        *mask = if from.is_ascii_lowercase() {
            0xdf
        } else {
            0xff
        };
    }
    for (to, from) in length
        .iter_mut()
        .zip(super::stored(string.len()).to_le_bytes())
    {
        *to = from;
    }
    record
}

/// Whether the record is that of a string of allowed length without capital letters.
fn is_sound(bytes: &[u8; RECORD]) -> bool {
    let length = index(number(bytes, 32));
    (SHORTEST_LITERAL..=LONGEST_LITERAL).contains(&length)
        && bytes.get(..length).is_some_and(|string| {
            !string.iter().any(u8::is_ascii_uppercase) && record(string) == *bytes
        })
}

#[cfg(test)]
mod tests {
    use super::super::literal_build::build_all;
    use super::super::stored;
    use super::*;

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

    /// Strings of some kind, each with one to three arms; arms are shared.
    fn strings(random: &mut Random, count: usize, shortest: usize, kind: usize) -> Vec<Vec<u8>> {
        let alphabet: &[u8] = [
            b"ab".as_slice(),
            b"abcdefghijklmnopqrstuvwxyz",
            b"ez {[@`~^0\x10\x00\xff\xc3-\r\n.\x7f",
        ][kind];
        (0..count)
            .map(|_| {
                let length = shortest + random.below(17 - shortest);
                (0..length)
                    .map(|_| alphabet[random.below(alphabet.len())])
                    .collect()
            })
            .collect()
    }

    /// Bytes with strings planted in them, in any case, cut off, and with bits flipped.
    fn text(random: &mut Random, strings: &[Vec<u8>], length: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < length {
            let string = &strings[random.below(strings.len())];
            let cut = string.len() - if random.below(4) == 0 { 1 } else { 0 };
            for byte in &string[..cut] {
                let byte = if random.below(2) == 0 {
                    byte.to_ascii_uppercase()
                } else {
                    *byte
                };
                text.push(if random.below(60) == 0 {
                    byte ^ 0x20
                } else {
                    byte
                });
            }
            for _ in 0..random.below(3) * random.below(8) {
                text.push([b'a', b'b', b' ', b'@', b'`', 0, 255][random.below(7)]);
            }
        }
        text.truncate(length);
        text
    }

    /// Every (string number, start) by plain comparison.
    fn naive(strings: &[&[u8]], text: &[u8]) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        for start in 0..text.len() {
            for (number, string) in strings.iter().enumerate() {
                let end = start + string.len();
                if text
                    .get(start..end)
                    .is_some_and(|part| part.eq_ignore_ascii_case(string))
                {
                    hits.push((number, start));
                }
            }
        }
        hits
    }

    fn hits(table: &Table<'_>, path: Path, haystack: &[u8]) -> Vec<(u32, usize)> {
        let mut hits = Vec::new();
        let flow: ControlFlow<()> = table.scan_by(path, haystack, |arm, start| {
            hits.push((arm, start));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        hits
    }

    /// The hits that the definition of the order gives, from plain comparison.
    fn expected(
        table: &Table<'_>,
        found: &[(usize, usize)],
        arms: &[Vec<u32>],
    ) -> Vec<(u32, usize)> {
        let stride = match table.method {
            Method::Masks(_) => 1,
            Method::Hashed(stride) => stride,
        };
        let mut offsets = vec![Vec::new(); arms.len()];
        for slot in table.slots {
            let place = index(number(slot, 4));
            offsets[place >> 4].push(place & 15);
        }
        let mut hits: Vec<_> = found
            .iter()
            .map(|&(string, start)| {
                let keys: Vec<usize> = offsets[string]
                    .iter()
                    .copied()
                    .filter(|offset| (start + offset) % stride == 0)
                    .collect();
                assert_eq!(keys.len(), 1, "one key is at a position that is looked at");
                (start + keys[0], string, keys[0])
            })
            .collect();
        hits.sort_unstable();
        hits.into_iter()
            .flat_map(|(at, string, offset)| {
                arms[string].iter().map(move |arm| (*arm, at - offset))
            })
            .collect()
    }

    /// What a test scans with.
    struct Case {
        /// In table order.
        strings: Vec<Vec<u8>>,
        arms: Vec<Vec<u32>>,
        /// One of every method.
        tables: Vec<Vec<u8>>,
    }

    fn case(random: &mut Random, mut strings: Vec<Vec<u8>>) -> Case {
        strings.sort();
        strings.dedup();
        let arms: Vec<Vec<u32>> = strings
            .iter()
            .map(|_| {
                let mut arms: Vec<u32> = (0..=random.below(3))
                    .map(|_| stored(random.below(40)))
                    .collect();
                arms.sort_unstable();
                arms.dedup();
                arms
            })
            .collect();
        let mut literals: Vec<(&[u8], u32)> = strings
            .iter()
            .zip(&arms)
            .flat_map(|(string, arms)| arms.iter().map(|arm| (string.as_slice(), *arm)))
            .collect();
        let tables = build_all(&literals);
        assert!(tables.contains(&build(&literals)));
        literals.reverse();
        literals.extend_from_within(..literals.len() / 2);
        assert_eq!(
            tables,
            build_all(&literals),
            "order and repetition do not matter"
        );
        Case {
            strings,
            arms,
            tables,
        }
    }

    #[test]
    fn every_method_and_path_finds_what_plain_comparison_finds_in_the_defined_order() {
        let mut random = Random(1);
        let mut seen = Vec::new();
        for round in 0..24 {
            let count = [1, 3, 20, 80][round % 4];
            let shortest = [4, 5, 7][round / 4 % 3];
            let strings = strings(&mut random, count, shortest, round % 3);
            let Case {
                strings,
                arms,
                tables,
            } = case(&mut random, strings);
            let text = text(&mut random, &strings, 3000);
            let folded: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            let found = naive(&folded, &text);
            assert!(!found.is_empty());
            for bytes in &tables {
                let table = Table::verify(bytes, 40).unwrap();
                assert_eq!((bytes.len() % 64, table.len()), (0, strings.len()));
                let expected = expected(&table, &found, &arms);
                for path in Path::all() {
                    assert_eq!(
                        hits(&table, path, &text),
                        expected,
                        "{path:?}, round {round}"
                    );
                }
                seen.push((bytes[0], bytes[4]));
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 4)]);
    }

    #[test]
    fn every_length_and_alignment() {
        let mut random = Random(2);
        let strings = strings(&mut random, 30, 7, 0);
        let Case {
            strings,
            arms,
            tables,
        } = case(&mut random, strings);
        let text = text(&mut random, &strings, 300);
        let folded: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
        let found = naive(&folded, &text);
        let tables: Vec<_> = tables
            .iter()
            .map(|bytes| Table::verify(bytes, 40).unwrap())
            .collect();
        let mut sum = 0;
        for length in 0..=200 {
            for offset in 0..64 {
                let inside: Vec<(usize, usize)> = found
                    .iter()
                    .filter(|(string, start)| {
                        *start >= offset && start + strings[*string].len() <= offset + length
                    })
                    .map(|(string, start)| (*string, start - offset))
                    .collect();
                sum += inside.len();
                let table = &tables[(length + offset) % tables.len()];
                let expected = expected(table, &inside, &arms);
                for path in Path::all() {
                    let haystack = &text[offset..offset + length];
                    assert_eq!(
                        hits(table, path, haystack),
                        expected,
                        "{path:?} {length} {offset}"
                    );
                }
            }
        }
        assert!(sum > 10_000, "{sum}");
    }

    #[test]
    fn a_scan_ends_when_told() {
        let bytes = build(&[(b"word", 3), (b"word", 1), (b"words", 2)]);
        let table = Table::verify(&bytes, 4).unwrap();
        let mut seen = Vec::new();
        let flow = table.scan(b"a word, two WORDS", |arm, start| {
            seen.push((arm, start));
            if seen.len() == 3 {
                ControlFlow::Break("enough")
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(flow, ControlFlow::Break("enough"));
        assert_eq!(seen, [(1, 2), (3, 2), (1, 12)]);
    }

    #[test]
    fn no_strings_is_a_table_too() {
        let strings: [(&[u8], u32); 3] = [(b"abc", 0), (b"Abcd", 0), (b"abcdefghijklmnopq", 0)];
        let bytes = build(&strings);
        assert_eq!(bytes, build(&[]));
        let table = Table::verify(&bytes, 0).unwrap();
        assert_eq!(
            (table.len(), hits(&table, Path::best(), b"abc Abcd")),
            (0, vec![])
        );
    }

    #[test]
    fn an_arm_out_of_range_is_refused() {
        let bytes = build(&[(b"word", 3), (b"else", 7)]);
        assert!(Table::verify(&bytes, 8).is_ok());
        assert_eq!(
            Table::verify(&bytes, 7).err(),
            Some(Damage("the literal table's lists of arms are inconsistent"))
        );
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless() {
        let mut random = Random(3);
        let strings = strings(&mut random, 12, 7, 1);
        let Case {
            strings, tables, ..
        } = case(&mut random, strings);
        let text = text(&mut random, &strings, 700);
        let mut refused = 0;
        for bytes in &tables {
            for round in 0..1500 {
                let mut bytes = bytes.clone();
                // Mostly where the numbers are.
                let far = if round % 3 == 0 { bytes.len() } else { 64 };
                let from = if round % 3 == 2 {
                    bytes.len() - 1500
                } else {
                    0
                };
                for _ in 0..=random.below(2) {
                    let at = (from + random.below(far.max(1500))).min(bytes.len() - 1);
                    bytes[at] = [0, 1, 2, 4, 0x7f, 0xff, bytes[at] ^ 1][random.below(7)];
                }
                if random.below(8) == 0 {
                    bytes.truncate(random.below(bytes.len()));
                }
                let arms_are_right = Table::verify(&bytes, 40).is_ok();
                refused += usize::from(!arms_are_right);
                if let Some(table) = Table::trusted(&bytes) {
                    for path in Path::all() {
                        for (arm, start) in hits(&table, path, &text) {
                            assert!(start < text.len() && (arm < 40 || !arms_are_right));
                        }
                    }
                }
            }
        }
        assert!(refused > 1500, "{refused}");
    }
}
