//! How often strings and sequences of byte classes occur in a scope's text.
//!
//! Bytes are reduced to an alphabet of [`SYMBOLS`] symbols (letters without case, three groups of
//! digits, space, line break, the common punctuation, UTF-8 lead and continuation bytes). The table
//! holds how often every three symbols follow each other, which share of its symbol every byte has,
//! and how many letters are capitals, each in one byte: `k` means 2^(−k/8). It holds frequencies only, no text.
//!
//! [`Statistics::builtin`] is learnt from public mail; [`Statistics::learn`] makes a table from the
//! administrator's own. Only `+ - * /` and comparisons touch floating point numbers, so every CPU
//! computes the same plan.

use std::sync::OnceLock;

use super::learn::Counts;
use crate::byteset::ByteSet;

/// The kind of text a scope holds: picks the built-in statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Text {
    /// Running text: decoded bodies, subjects.
    Prose,
    /// Text with its HTML.
    Markup,
    /// URIs, mail addresses, host names.
    Address,
    /// Header fields.
    Header,
}

impl Text {
    /// All kinds, in the order of the built-in table.
    pub const ALL: [Self; 4] = [Self::Prose, Self::Markup, Self::Address, Self::Header];

    /// Haystacks per megabyte, as scanned.
    const fn records(self) -> u32 {
        match self {
            Self::Prose => 1_000,
            Self::Markup => 300,
            Self::Address => 25_000,
            Self::Header => 15_000,
        }
    }
}

/// How many symbols bytes are reduced to.
pub(super) const SYMBOLS: usize = 40;
/// Stands for a symbol that is not known, as what came before.
pub(super) const ANY: u8 = 40;
/// Symbols and [`ANY`].
pub(super) const CONTEXTS: usize = SYMBOLS + 1;
pub(super) const TRIGRAMS: usize = SYMBOLS * SYMBOLS * SYMBOLS;
/// Bytes of text that rates refer to.
pub(super) const MEGABYTE: f32 = 1_000_000.0;
/// The most bytes of text the learner takes.
const LONGEST_TEXT: usize = 1 << 30;

const SYMBOL_OF: [u8; 256] = {
    let mut symbols = [0; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(
            clippy::indexing_slicing,
            reason = "a byte indexes a table of 256, when the program is built"
        )]
        {
            symbols[byte as usize] = symbol_of(byte);
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    symbols
};

const fn symbol_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => byte - b'a',
        b'A'..=b'Z' => byte - b'A',
        b'0' => 26,
        b'1' => 27,
        b'2'..=b'9' => 28,
        b' ' | b'\t' => 29,
        b'\n' | b'\r' => 30,
        b'.' => 31,
        b',' => 32,
        b'-' | b'_' => 33,
        b'/' => 34,
        b':' | b';' => 35,
        b'<' | b'>' | b'=' | b'"' => 36,
        0x80..=0xBF => 38,
        0xC0..=0xFF => 39,
        _ => 37,
    }
}

pub(super) fn symbol(byte: u8) -> u8 {
    SYMBOL_OF.get(usize::from(byte)).copied().unwrap_or(0)
}

pub(super) const LINE_BREAK: u8 = symbol_of(b'\n');

/// 2^(−k/8) for k = 0 to 7.
pub(super) const EIGHTHS: [f64; 8] = [
    1.0,
    0.917_004_043_204_671_2,
    0.840_896_415_253_714_5,
    0.771_105_412_703_970_4,
    std::f64::consts::FRAC_1_SQRT_2,
    0.648_419_777_325_504_8,
    0.594_603_557_501_360_5,
    0.545_253_866_332_628_8,
];
pub(super) fn probability(level: u8) -> f64 {
    let fraction = EIGHTHS
        .get(usize::from(level % 8))
        .copied()
        .unwrap_or_default();
    (0..level / 8).fold(fraction, |value, _| value * 0.5)
}

fn narrow(value: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding a probability is IEEE-exact everywhere"
    )]
    {
        value as f32
    }
}

/// How often strings occur in one kind of text.
#[derive(Clone, Debug)]
pub struct Statistics {
    records: u32,
    /// The quantised form: shares of bytes, shares of capitals, trigrams.
    stored: Vec<u8>,
    /// Probability of a symbol after two: `(a * CONTEXTS + b) * SYMBOLS + c`.
    after: Vec<f32>,
    /// A byte's share of its symbol.
    shares: Vec<f32>,
    /// How probably a letter after something of a [`Case`] is a capital.
    capitals: [f32; CASES],
}

impl Statistics {
    /// Length of [`to_bytes`](Self::to_bytes).
    pub const SERIALIZED_LENGTH: usize = 4 + 256 + CASES + TRIGRAMS;

    /// The table for a kind of text that comes with the engine.
    #[must_use]
    pub fn builtin(text: Text) -> &'static Self {
        static TABLES: [OnceLock<Statistics>; 4] = [const { OnceLock::new() }; 4];
        static BYTES: &[u8] = include_bytes!("statistics.bin");
        let place = match text {
            Text::Prose => 0,
            Text::Markup => 1,
            Text::Address => 2,
            Text::Header => 3,
        };
        let [first, ..] = &TABLES;
        TABLES.get(place).unwrap_or(first).get_or_init(|| {
            BYTES
                .chunks(Self::SERIALIZED_LENGTH)
                .nth(place)
                .and_then(Self::from_bytes)
                .map_or_else(
                    || Self::learn(std::iter::empty::<&[u8]>()),
                    |table| table.with_records(text.records()),
                )
        })
    }

    /// Learns from haystacks as they will be scanned.
    #[must_use]
    pub fn learn<'a>(samples: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut counts = Counts::new();
        for sample in samples {
            if counts.bytes + sample.len() > LONGEST_TEXT {
                break;
            }
            counts.add(sample);
        }
        Self::from_stored(counts.records_per_megabyte(), counts.quantised())
    }

    /// The same table for text in shorter or longer haystacks.
    #[must_use]
    pub fn with_records(mut self, per_megabyte: u32) -> Self {
        self.records = per_megabyte;
        self
    }

    /// The table in the form [`from_bytes`](Self::from_bytes) reads, the same on every machine.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.records.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.stored);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; none when the length is not
    /// [`SERIALIZED_LENGTH`](Self::SERIALIZED_LENGTH).
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (records, stored) = bytes
            .split_first_chunk::<4>()
            .filter(|_| bytes.len() == Self::SERIALIZED_LENGTH)?;
        let records = u32::from_le_bytes(*records);
        Some(Self::from_stored(records, stored.to_vec()))
    }

    /// Haystacks per megabyte.
    pub(super) fn records(&self) -> f32 {
        // Exact below 2^24; more would be haystacks of less than a byte.
        narrow(f64::from(self.records.min(1_000_000)))
    }

    fn from_stored(records: u32, stored: Vec<u8>) -> Self {
        let levels: Vec<f64> = (0..=u8::MAX).map(probability).collect();
        let level = |byte: &u8| levels.get(usize::from(*byte)).copied().unwrap_or_default();
        let shares = stored.iter().take(256).map(|byte| narrow(level(byte)));
        let mut capitals = [0.0; CASES];
        for (share, byte) in capitals.iter_mut().zip(stored.iter().skip(256)) {
            *share = narrow(level(byte));
        }
        let joint: Vec<f64> = stored.iter().skip(256 + CASES).map(level).collect();
        let mut pairs = Vec::with_capacity(SYMBOLS * SYMBOLS);
        let mut after = vec![0.0; CONTEXTS * CONTEXTS * SYMBOLS];
        // P(c | a, b)
        let mut rows = joint.chunks(SYMBOLS);
        for first in after.chunks_mut(CONTEXTS * SYMBOLS).take(SYMBOLS) {
            for row in first.chunks_mut(SYMBOLS).take(SYMBOLS) {
                pairs.push(fill(row, rows.next().unwrap_or_default()));
            }
        }
        // P(c | b), P(c)
        let mut singles = Vec::with_capacity(SYMBOLS);
        let mut short = after.chunks_mut(SYMBOLS).skip(SYMBOLS * CONTEXTS);
        for (row, counts) in short.by_ref().zip(pairs.chunks(SYMBOLS)) {
            singles.push(fill(row, counts));
            if singles.len() == SYMBOLS {
                break;
            }
        }
        if let Some(row) = short.next() {
            fill(row, &singles);
        }
        Self {
            records,
            shares: shares.collect(),
            stored,
            after,
            capitals,
        }
    }

    #[inline]
    pub(super) fn after(&self, first: u8, second: u8) -> &[f32] {
        let row = (usize::from(first) * CONTEXTS + usize::from(second)) * SYMBOLS;
        self.after.get(row..row + SYMBOLS).unwrap_or_default()
    }

    /// How often a string occurs in a megabyte, ASCII case ignored.
    #[must_use]
    pub fn rate(&self, string: &[u8]) -> f32 {
        let chain = string
            .iter()
            .fold(Chain::START, |chain, &byte| self.follow(chain, byte));
        chain.probability * MEGABYTE
    }

    /// Lengthens a string by one byte, ASCII case ignored.
    pub(super) fn follow(&self, chain: Chain, byte: u8) -> Chain {
        let next = symbol(byte);
        let step = self.after(chain.first, chain.second);
        let share = if byte.is_ascii_alphabetic() {
            1.0
        } else {
            self.share(byte)
        };
        Chain {
            first: chain.second,
            second: next,
            probability: chain.probability
                * share
                * step.get(usize::from(next)).copied().unwrap_or_default(),
        }
    }

    fn share(&self, byte: u8) -> f32 {
        self.shares
            .get(usize::from(byte))
            .copied()
            .unwrap_or_default()
    }

    /// What a set of bytes is in symbols.
    pub(super) fn class(&self, set: ByteSet) -> Class {
        let mut members = [const { None::<Member> }; SYMBOLS];
        let mut case = None;
        let mut mixed = false;
        for byte in set.iter() {
            let new = Case::of(byte);
            mixed |= case.is_some_and(|case| case != new);
            case = Some(new);
            let symbol = symbol(byte);
            if let Some(member) = members.get_mut(usize::from(symbol)) {
                let member = member.get_or_insert(Member {
                    symbol,
                    share: 0.0,
                    case: new,
                });
                member.share += self.share(byte);
                if member.case != new {
                    // Both cases of a letter: as if there were none.
                    member.case = Case::None;
                    member.share = 1.0;
                }
            }
        }
        Class {
            members: members.into_iter().flatten().collect(),
            case: case.filter(|_| !mixed),
        }
    }

    /// A member's share after a byte of the case, if that is known.
    pub(super) fn share_after(&self, member: &Member, before: Option<Case>) -> f32 {
        let Some(&capitals) = before.and_then(|before| self.capitals.get(before.place())) else {
            return member.share;
        };
        match member.case {
            Case::None => member.share,
            Case::Small => 1.0 - capitals,
            Case::Capital => capitals,
        }
    }
}

/// What a byte is, as far as the case of the letter behind it depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// No ASCII letter.
    None,
    Small,
    Capital,
}

/// How many [`Case`]s there are.
pub(super) const CASES: usize = 3;

impl Case {
    pub(super) fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' => Self::Small,
            b'A'..=b'Z' => Self::Capital,
            _ => Self::None,
        }
    }

    pub(super) fn place(self) -> usize {
        match self {
            Self::None => 0,
            Self::Small => 1,
            Self::Capital => 2,
        }
    }
}

/// Divides a row of frequencies by its sum, which it returns.
fn fill(row: &mut [f32], frequencies: &[f64]) -> f64 {
    let sum: f64 = frequencies.iter().sum();
    for (place, &frequency) in row.iter_mut().zip(frequencies) {
        *place = narrow(frequency / sum);
    }
    sum
}

/// A string so far, for [`Statistics::follow`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    first: u8,
    second: u8,
    /// That it stands at any given place of the text.
    pub(super) probability: f32,
}

impl Chain {
    /// The empty string.
    pub(super) const START: Self = Self {
        first: ANY,
        second: ANY,
        probability: 1.0,
    };
}

/// A set of bytes in symbols.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) members: Vec<Member>,
    /// What all its bytes are.
    pub(super) case: Option<Case>,
}

/// A symbol of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) symbol: u8,
    /// Which share of its bytes is in the set.
    share: f32,
    /// For a letter: the only case that is in the set.
    case: Case,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_are_rated_higher_than_rare_ones() {
        let prose = Statistics::builtin(Text::Prose);
        assert!(prose.rate(b"the ") > 100.0 * prose.rate(b"qxzj"));
        assert!(prose.rate(b"the ") > 1_000.0 && prose.rate(b"the ") < 30_000.0);
        assert_eq!(prose.rate(b"THE ").to_bits(), prose.rate(b"the ").to_bits());
        let markup = Statistics::builtin(Text::Markup);
        assert!(markup.rate(b"href=") > 3.0 * prose.rate(b"href="));
        assert!(Statistics::builtin(Text::Address).rate(b"http") > 1_000.0);
    }

    #[test]
    fn a_table_survives_the_way_through_bytes() {
        let samples: [&[u8]; 2] = [b"hello world", b"AAAA 1234\n"];
        let learnt = Statistics::learn(samples);
        let read = Statistics::from_bytes(&learnt.to_bytes()).unwrap();
        assert_eq!(learnt.to_bytes(), read.to_bytes());
        assert_eq!(learnt.after, read.after);
        assert!(Statistics::from_bytes(&[0; 12]).is_none());
        assert!(learnt.rate(b"hello") > 1_000.0 * learnt.rate(b"zzzzz"));
    }

    #[test]
    fn every_table_sums_to_one() {
        for text in Text::ALL {
            let table = Statistics::builtin(text);
            for first in 0..=ANY {
                for second in 0..=ANY {
                    if second == ANY && first != ANY {
                        continue;
                    }
                    let sum: f32 = table.after(first, second).iter().sum();
                    assert!((sum - 1.0).abs() < 1e-3, "{first} {second} {sum}");
                }
            }
        }
    }
}
