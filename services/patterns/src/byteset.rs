//! A set of byte values: what one position of a pattern accepts.

use std::fmt;
use std::ops::RangeInclusive;

/// A set of byte values, 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub(crate) const EMPTY: Self = Self([0; 4]);
    /// Every byte.
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    /// The set whose byte `b` is bit `b % 64` of word `b / 64`.
    #[must_use]
    pub(crate) const fn from_words(words: [u64; 4]) -> Self {
        Self(words)
    }

    /// The bits, see [`from_words`](Self::from_words).
    #[must_use]
    pub(crate) const fn words(&self) -> [u64; 4] {
        self.0
    }

    /// One byte.
    #[must_use]
    pub(crate) fn of(byte: u8) -> Self {
        Self::EMPTY.with(byte)
    }

    /// All bytes of a range.
    #[must_use]
    pub(crate) fn range(range: RangeInclusive<u8>) -> Self {
        range.fold(Self::EMPTY, Self::with)
    }

    /// The set with one byte more.
    #[must_use]
    pub(crate) fn with(mut self, byte: u8) -> Self {
        self.insert(byte);
        self
    }

    /// Adds a byte.
    #[inline]
    pub(crate) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    /// Whether the byte is in the set.
    #[inline]
    #[must_use]
    pub(crate) fn contains(&self, byte: u8) -> bool {
        // The index is below four.
        self.0
            .get(usize::from(byte >> 6))
            .is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    /// Bytes of either.
    #[must_use]
    pub(crate) fn union(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// Bytes of both.
    #[must_use]
    pub(crate) fn intersection(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Bytes of this one that the other lacks.
    #[must_use]
    pub(crate) fn difference(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// All other bytes.
    #[must_use]
    pub(crate) fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// How many bytes it has, 0 to 256.
    #[must_use]
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Whether no byte is in both.
    #[must_use]
    pub(crate) fn is_disjoint(self, other: Self) -> bool {
        self.intersection(other).is_empty()
    }

    /// The only byte of a set of one.
    #[must_use]
    pub(crate) fn single(&self) -> Option<u8> {
        (self.len() == 1).then(|| self.iter().next()).flatten()
    }

    /// Its bytes, lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        (0_u8..4).zip(self.0).flat_map(|(number, mut word)| {
            std::iter::from_fn(move || {
                // Below 64; no bit set gives 64 and ends it.
                let bit = u8::try_from(word.trailing_zeros())
                    .ok()
                    .filter(|&bit| bit < 64)?;
                word &= word - 1;
                Some(number << 6 | bit)
            })
        })
    }

    /// The set with both cases of every ASCII letter it has.
    #[must_use]
    pub(crate) fn fold_case(self) -> Self {
        self.iter().fold(self, |set, byte| {
            set.with(byte.to_ascii_lowercase())
                .with(byte.to_ascii_uppercase())
        })
    }

    fn zip(self, other: Self, operation: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = operation(*word, other);
        }
        Self(words)
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        bytes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        let mut next = 0_u16;
        while next < 256 {
            let start = next;
            while next < 256 && u8::try_from(next).is_ok_and(|byte| self.contains(byte)) {
                next += 1;
            }
            if next > start {
                let show = |byte: u16| {
                    u8::try_from(byte).map_or_else(
                        |_| String::new(),
                        |byte| std::ascii::escape_default(byte).to_string(),
                    )
                };
                match next - start {
                    1 => f.write_str(&show(start))?,
                    _ => write!(f, "{}-{}", show(start), show(next - 1))?,
                }
            } else {
                next += 1;
            }
        }
        f.write_str("]")
    }
}
