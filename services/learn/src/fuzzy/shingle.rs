//! A text as 32 numbers that resemble those of similar texts.
//!
//! Every three neighbouring words are a window. For each of 32 hash functions the smallest hash of
//! any window is kept (Broder, "On the resemblance and containment of documents", 1997): two texts
//! agree in as many of the 32 numbers as they share of their windows.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Numbers of a text.
pub const COUNT: usize = 32;

/// Neighbouring numbers that make a band. Texts that agree in half of their numbers share one of
/// the sixteen bands with a probability of 99 %.
const BAND: usize = 2;

/// Words of a window.
const WINDOW: usize = 3;

/// A text of fewer words has too few windows to be told from others.
pub const MIN_WORDS: usize = 16;

/// Words that are looked at.
pub const MAX_WORDS: usize = 20_000;

/// What is kept of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shingles([u32; COUNT]);

impl Shingles {
    /// Of folded words; `None` if they are fewer than [`MIN_WORDS`]. Of more than [`MAX_WORDS`] the
    /// first count.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut smallest = [u64::MAX; COUNT];
        let mut window = [0u64; WINDOW];
        let mut count = 0;
        for word in words
            .into_iter()
            .filter(|word| !word.is_empty())
            .take(MAX_WORDS)
        {
            let [_, second, third] = window;
            window = [
                second,
                third,
                xxh3_64_with_seed(word.as_bytes(), 0x7368_696e),
            ];
            count += 1;
            if count < WINDOW {
                continue;
            }
            let hash = together(window);
            for (number, smallest) in (1u64..).zip(&mut smallest) {
                *smallest = (*smallest).min(mix(hash ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            }
        }
        (count >= MIN_WORDS).then(|| Self(smallest.map(lower)))
    }

    /// How alike two texts are: the share of equal numbers, 0 to 1.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> f64 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        let part = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        part(equal) / part(COUNT)
    }

    /// The keys under which the text is found.
    pub(crate) fn bands(&self) -> Vec<i64> {
        (0u64..)
            .zip(self.0.chunks(BAND))
            .map(|(number, band)| {
                let bytes: Vec<u8> = band.iter().flat_map(|n| n.to_le_bytes()).collect();
                xxh3_64_with_seed(&bytes, number).cast_signed()
            })
            .collect()
    }

    /// As a row keeps them.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect()
    }

    /// The reverse of [`Shingles::to_bytes`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != COUNT * size_of::<u32>() {
            return None;
        }
        let mut numbers = [0; COUNT];
        for (number, chunk) in numbers.iter_mut().zip(bytes.chunks_exact(4)) {
            *number = u32::from_le_bytes(chunk.try_into().ok()?);
        }
        Some(Self(numbers))
    }

    /// A name for exactly these numbers.
    pub(crate) fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }
}

fn together(window: [u64; WINDOW]) -> u64 {
    window
        .into_iter()
        .fold(0, |all, word| mix(all.rotate_left(21) ^ word))
}

/// A bijection that leaves no bit where it was (the finaliser of SplitMix64).
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The lower half: the upper bits of a minimum are nearly always 0.
fn lower(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(from: usize, to: usize) -> Vec<String> {
        (from..to).map(|number| format!("word{number}")).collect()
    }

    fn shingles(words: &[String]) -> Shingles {
        Shingles::of(words.iter().map(String::as_str)).unwrap()
    }

    #[test]
    fn likeness_is_about_the_share_of_common_windows() {
        // (changed words of 200, least, most): each changed word changes three windows.
        for (changed, least, most) in [(0, 1.0, 1.0), (5, 0.7, 0.99), (40, 0.05, 0.5)] {
            let mut other = text(0, 200);
            for number in 0..changed {
                other[number * 200 / changed] = format!("new{number}");
            }
            let likeness = shingles(&text(0, 200)).likeness(&shingles(&other));
            assert!((least..=most).contains(&likeness), "{changed}: {likeness}");
        }
        let other = shingles(&text(1_000, 1_200));
        assert_eq!(shingles(&text(0, 200)).likeness(&other), 0.0);
    }

    #[test]
    fn similar_texts_share_a_band_and_different_ones_do_not() {
        let one = shingles(&text(0, 200));
        let similar = shingles(&text(30, 200));
        assert!(
            one.bands()
                .iter()
                .any(|band| similar.bands().contains(band))
        );
        let other = shingles(&text(500, 700));
        assert!(!one.bands().iter().any(|band| other.bands().contains(band)));
        assert_eq!(one.bands().len(), COUNT / BAND);
    }

    #[test]
    fn short_texts_have_no_shingles_and_rows_survive() {
        assert!(Shingles::of(text(0, MIN_WORDS - 1).iter().map(String::as_str)).is_none());
        let whole = shingles(&text(0, MIN_WORDS));
        assert_eq!(Shingles::from_bytes(&whole.to_bytes()), Some(whole));
        assert_eq!(Shingles::from_bytes(&[0; 127]), None);
    }
}
