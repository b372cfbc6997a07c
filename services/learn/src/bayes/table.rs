//! Counts per word: an open-addressing table of ten bytes a place, and its form on disk.

/// Fingerprint (48 bits, lowest first), then ham and spam. A fingerprint of 0 marks a free place;
/// one with both counts 0 is passed over and goes away at the next rebuild.
type Place = [u16; 5];

const FREE: Place = [0; 5];

/// The fewest places.
const SMALLEST: usize = 1_024;

/// Words in one page.
const PAGE_WORDS: usize = 16_384;

/// The most bytes a page has when unpacked: a difference of 48 bits takes up to seven, a count up
/// to three.
const PAGE_BYTES: usize = PAGE_WORDS * 13;

/// The compression level of pages.
const LEVEL: i32 = 3;

/// How often words were seen in ham and in spam.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    places: Vec<Place>,
    /// Places that are not free.
    used: usize,
    /// Words with a count.
    live: usize,
}

/// Which count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Ham,
    Spam,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self::with_room(0)
    }

    fn with_room(words: usize) -> Self {
        Self {
            places: vec![FREE; words.saturating_mul(2).max(SMALLEST)],
            used: 0,
            live: 0,
        }
    }

    /// Words with a count.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.places.len() * size_of::<Place>()
    }

    /// Ham and spam of a word.
    pub(crate) fn get(&self, fingerprint: u64) -> Option<(u16, u16)> {
        let key = split(fingerprint);
        let place = self.places.get(self.find(key)?)?;
        let [low, middle, high, ham, spam] = *place;
        ([low, middle, high] == key && (ham, spam) != (0, 0)).then_some((ham, spam))
    }

    /// Adds one.
    pub(crate) fn add(&mut self, fingerprint: u64, column: Column) {
        let (ham, spam) = match column {
            Column::Ham => (1, 0),
            Column::Spam => (0, 1),
        };
        self.put(fingerprint, ham, spam);
    }

    /// Takes one back; nothing below zero.
    pub(crate) fn take(&mut self, fingerprint: u64, column: Column) {
        let key = split(fingerprint);
        let Some(place) = self.find(key).and_then(|index| self.places.get_mut(index)) else {
            return;
        };
        let [low, middle, high, ham, spam] = *place;
        if [low, middle, high] != key || (ham, spam) == (0, 0) {
            return;
        }
        let (ham, spam) = match column {
            Column::Ham => (ham.saturating_sub(1), spam),
            Column::Spam => (ham, spam.saturating_sub(1)),
        };
        *place = [low, middle, high, ham, spam];
        if (ham, spam) == (0, 0) {
            self.live -= 1;
        }
    }

    /// Halves all counts and forgets words that have none left.
    pub(crate) fn age(&mut self) {
        self.rebuild(|count| count / 2);
    }

    fn put(&mut self, fingerprint: u64, more_ham: u16, more_spam: u16) {
        if (self.used + 1).saturating_mul(4) > self.places.len().saturating_mul(3) {
            self.rebuild(|count| count);
        }
        let key = split(fingerprint);
        let Some(place) = self.find(key).and_then(|index| self.places.get_mut(index)) else {
            return;
        };
        let [low, middle, high, ham, spam] = *place;
        if [low, middle, high] != key {
            self.used += 1;
        }
        if (ham, spam) == (0, 0) && (more_ham, more_spam) != (0, 0) {
            self.live += 1;
        }
        let [low, middle, high] = key;
        *place = [
            low,
            middle,
            high,
            ham.saturating_add(more_ham),
            spam.saturating_add(more_spam),
        ];
    }

    fn rebuild(&mut self, change: impl Fn(u16) -> u16) {
        let kept = self.live;
        let old = std::mem::replace(self, Self::with_room(kept + 1));
        for [low, middle, high, ham, spam] in old.places {
            let (ham, spam) = (change(ham), change(spam));
            if (ham, spam) != (0, 0) {
                self.put(join([low, middle, high]), ham, spam);
            }
        }
    }

    /// The place of `key`, or the free one where it would go. `None` only if the table were full.
    fn find(&self, key: [u16; 3]) -> Option<usize> {
        let start = home(join(key), self.places.len());
        let (before, after) = self.places.split_at_checked(start)?;
        let fits = |place: &Place| {
            let [low, middle, high, ..] = *place;
            [low, middle, high] == key || [low, middle, high] == [0; 3]
        };
        if let Some(index) = after.iter().position(fits) {
            return Some(start + index);
        }
        before.iter().position(fits)
    }

    /// All words with a count, in ascending order: fingerprint, ham, spam.
    pub(crate) fn words(&self) -> Vec<(u64, u16, u16)> {
        let mut words: Vec<_> = self
            .places
            .iter()
            .filter(|[.., ham, spam]| (*ham, *spam) != (0, 0))
            .map(|&[low, middle, high, ham, spam]| (join([low, middle, high]), ham, spam))
            .collect();
        words.sort_unstable();
        words
    }

    /// The table as pages for the disk.
    pub(crate) fn pages(&self) -> std::io::Result<Vec<Vec<u8>>> {
        self.words().chunks(PAGE_WORDS).map(page).collect()
    }

    /// The table that [`Table::pages`] were made of; `room` words are expected.
    pub(crate) fn from_pages<'a>(
        pages: impl Iterator<Item = &'a [u8]>,
        room: usize,
    ) -> Option<Self> {
        let mut table = Self::with_room(room);
        for page in pages {
            let plain = zstd::bulk::decompress(page, PAGE_BYTES).ok()?;
            let mut rest = plain.as_slice();
            let mut fingerprint = 0u64;
            while !rest.is_empty() {
                fingerprint = fingerprint.checked_add(read(&mut rest)?)?;
                let ham = u16::try_from(read(&mut rest)?).ok()?;
                let spam = u16::try_from(read(&mut rest)?).ok()?;
                if fingerprint == 0 || fingerprint >> 48 != 0 {
                    return None;
                }
                table.put(fingerprint, ham, spam);
            }
        }
        Some(table)
    }
}

/// Where a word belongs: ascending with its fingerprint, so that a sorted message walks through
/// memory in one direction.
fn home(fingerprint: u64, places: usize) -> usize {
    let places = u64::try_from(places).unwrap_or(u64::MAX);
    usize::try_from((fingerprint >> 16).saturating_mul(places) >> 32).unwrap_or(0)
}

fn split(fingerprint: u64) -> [u16; 3] {
    let [a, b, c, d, e, f, ..] = fingerprint.to_le_bytes();
    [
        u16::from_le_bytes([a, b]),
        u16::from_le_bytes([c, d]),
        u16::from_le_bytes([e, f]),
    ]
}

fn join([low, middle, high]: [u16; 3]) -> u64 {
    u64::from(low) | u64::from(middle) << 16 | u64::from(high) << 32
}

/// Differences of fingerprints and both counts, seven bits a byte, compressed.
fn page(words: &[(u64, u16, u16)]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(words.len() * 6);
    let mut last = 0;
    for &(fingerprint, ham, spam) in words {
        write(&mut plain, fingerprint - last);
        write(&mut plain, u64::from(ham));
        write(&mut plain, u64::from(spam));
        last = fingerprint;
    }
    zstd::bulk::compress(&plain, LEVEL)
}

fn write(into: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// LEB128 of up to 63 bits.
fn read(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone)]
    enum Step {
        Add(u64, bool),
        Take(u64, bool),
        Age,
        Disk,
    }

    fn column(spam: bool) -> Column {
        if spam { Column::Spam } else { Column::Ham }
    }

    fn step() -> impl Strategy<Value = Step> {
        // Neighbours in the same places, and words all over the table.
        let word = prop_oneof![1u64..40, (0u64..60).prop_map(|n| (n << 42) + 1)];
        prop_oneof![
            20 => (word.clone(), any::<bool>()).prop_map(|(word, spam)| Step::Add(word, spam)),
            10 => (word, any::<bool>()).prop_map(|(word, spam)| Step::Take(word, spam)),
            1 => Just(Step::Age),
            1 => Just(Step::Disk),
        ]
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_map(steps in proptest::collection::vec(step(), 0..400)) {
            let mut table = Table::new();
            let mut model: BTreeMap<u64, (u16, u16)> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Add(word, spam) => {
                        table.add(word, column(spam));
                        let counts = model.entry(word).or_default();
                        if spam { counts.1 += 1 } else { counts.0 += 1 }
                    }
                    Step::Take(word, spam) => {
                        table.take(word, column(spam));
                        if let Some(counts) = model.get_mut(&word) {
                            let count = if spam { &mut counts.1 } else { &mut counts.0 };
                            *count = count.saturating_sub(1);
                        }
                    }
                    Step::Age => {
                        table.age();
                        for counts in model.values_mut() {
                            *counts = (counts.0 / 2, counts.1 / 2);
                        }
                    }
                    Step::Disk => {
                        let pages = table.pages().unwrap();
                        let pages = pages.iter().map(Vec::as_slice);
                        table = Table::from_pages(pages, 0).unwrap();
                    }
                }
                model.retain(|_, counts| *counts != (0, 0));
                prop_assert_eq!(table.live(), model.len());
            }
            let words: Vec<_> = model.iter().map(|(&word, &(ham, spam))| (word, ham, spam)).collect();
            prop_assert_eq!(table.words(), words);
            for (&word, &counts) in &model {
                prop_assert_eq!(table.get(word), Some(counts));
            }
            prop_assert_eq!(table.get(41), None);
        }
    }

    #[test]
    fn many_words_fill_several_pages_and_come_back() {
        let mut table = Table::new();
        for number in 1..=40_000u64 {
            let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
            table.add(word, column(number % 3 == 0));
        }
        let pages = table.pages().unwrap();
        assert_eq!(pages.len(), 3);
        let back = Table::from_pages(pages.iter().map(Vec::as_slice), table.live()).unwrap();
        assert_eq!(back.words(), table.words());
        assert!(back.bytes() < 40_000 * 21);
    }

    #[test]
    fn a_damaged_page_is_refused() {
        let whole = zstd::bulk::compress(&[5, 1], LEVEL).unwrap();
        assert!(Table::from_pages([whole.as_slice()].into_iter(), 0).is_none());
        assert!(Table::from_pages([b"not zstd".as_slice()].into_iter(), 0).is_none());
    }
}
