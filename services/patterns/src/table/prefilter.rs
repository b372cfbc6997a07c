//! The literal table's first stage: which positions of a haystack may begin a key.
//!
//! Positions are reported as bits, [`BLOCK`] at a time, so that every implementation can be
//! compared bit by bit. There are two methods; the table says which one:
//!
//! - *masks*, for few keys: keys are dealt into 8, 16 or 32 buckets. For each of the four bytes of a
//!   window, two tables of 16 bytes (by low and by high half of the byte) tell in which buckets a
//!   key has such a byte. A position passes when some bucket is left after all eight look-ups,
//!   which byte shuffles do for 16 or 32 positions at once (the idea is Hyperscan's Teddy). The
//!   tables are the same for every vector width.
//! - *hashed*, for many: a hash of the window, letters folded, selects one bit of a table. Portable.
//!
//! Without byte shuffles ([`Path::Portable`]) tables made for masks use their hash table, which
//! they have too. So the positions of two paths may differ; that the second stage looks up each
//! position exactly makes the result the same.

/// Bytes of a key.
pub(super) const WINDOW: usize = 4;
/// Positions looked at in one call.
pub(super) const BLOCK: usize = 512;
/// Positions per word of [`Bits`].
pub(super) const WORD: usize = 64;
/// Bytes that decide a word of positions.
pub(super) const CHUNK: usize = WORD + WINDOW - 1;

/// One bit per position of a block: position `p` is bit `p % 64` of word `p / 64`.
pub(super) type Bits = [u64; BLOCK / WORD];

/// The bucket masks of eight buckets: for each byte of a window, 16 masks by its low half, then 16
/// by its high half.
pub(super) type Masks = [u8; WINDOW * 32];

/// How many sets of eight buckets there may be.
pub(super) const SETS: [usize; 3] = [1, 2, 4];

/// How many words of 32 bits the hash table may have.
pub(super) const FILTER_WORDS: [usize; 6] = [0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x2_0000];

/// How many positions may be stepped over at once by the hashed method.
pub(super) const STRIDES: [usize; 3] = [1, 2, 4];

/// A window as the hash sees it: letters folded, and a few other bytes with them.
#[inline]
pub(super) const fn fold(window: [u8; WINDOW]) -> u32 {
    u32::from_le_bytes(window) | 0x2020_2020
}

/// Mixes a folded window; the upper bits are the good ones. The lowest five depend on the first
/// byte only, which serves to choose a bit in the word that the upper ones choose.
#[inline]
pub(super) const fn hash(window: u32) -> u32 {
    window.wrapping_mul(0x9E37_79B1)
}

/// Which word of a hash table of `words` words a hash falls in.
#[inline]
pub(super) const fn filter_word(hash: u32, words: usize) -> u32 {
    // Sizes are powers of two above one.
    hash >> (32 - words.trailing_zeros())
}

/// How the masks are evaluated: what the processor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Not at all: the hash table is used.
    Portable,
    /// 16 positions at once, x86-64.
    #[cfg(target_arch = "x86_64")]
    Ssse3,
    /// 32 positions at once, x86-64; with BMI1 and BMI2, which all those have.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 16 positions at once, every 64-bit ARM.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Path {
    /// The best one here. The processor is asked once; later calls read what it said.
    #[inline]
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected;
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
            {
                return Self::Avx2;
            }
            if is_x86_feature_detected!("ssse3") {
                return Self::Ssse3;
            }
            Self::Portable
        }
        #[cfg(target_arch = "aarch64")]
        {
            Self::Neon
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            Self::Portable
        }
    }

    /// All that this processor has.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        match Self::best() {
            Self::Portable => vec![Self::Portable],
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => vec![Self::Portable, Self::Ssse3],
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => vec![Self::Portable, Self::Ssse3, Self::Avx2],
            #[cfg(target_arch = "aarch64")]
            Self::Neon => vec![Self::Portable, Self::Neon],
        }
    }
}

/// Sets the bits of the positions of `block` whose window some bucket accepts. `block` has at most
/// `BLOCK + 3` bytes; its last three begin no window. False when `path` has no byte shuffles or
/// there is not one of [`SETS`] sets, and then `bits` is unchanged.
#[inline]
pub(super) fn fill_masks(path: Path, sets: &[Masks], block: &[u8], bits: &mut Bits) -> bool {
    match path {
        Path::Portable => false,
        #[cfg(target_arch = "x86_64")]
        Path::Ssse3 | Path::Avx2 => super::prefilter_x86::fill(path, sets, block, bits),
        #[cfg(target_arch = "aarch64")]
        Path::Neon => super::prefilter_arm::fill(sets, block, bits),
    }
}

/// Takes the next word of positions off `rest`: the bytes that decide it, the last ones of a block
/// padded, and how many positions there are, 1 to 64. None after the last one.
///
/// (Not a function that takes the step as a closure: one that is not inlined would be compiled
/// without the caller's processor features.)
#[inline(always)]
pub(super) fn next_word<'a: 'p, 'p>(
    rest: &mut &'a [u8],
    padded: &'p mut [u8; CHUNK],
) -> Option<(&'p [u8; CHUNK], usize)> {
    if let Some(chunk) = rest.first_chunk() {
        *rest = rest.get(WORD..).unwrap_or_default();
        return Some((chunk, WORD));
    }
    let positions = rest.len().saturating_sub(WINDOW - 1);
    if positions == 0 {
        return None;
    }
    for (to, from) in padded.iter_mut().zip(*rest) {
        *to = *from;
    }
    *rest = &[];
    Some((padded, positions))
}

/// The bits of a word that are positions.
#[inline(always)]
pub(super) fn mask(positions: usize) -> u64 {
    u64::MAX >> (WORD - positions.clamp(1, WORD))
}

/// Sets the bits of those positions of `block`, each multiple of `stride`, whose window's hash is
/// in the table. Lengths as in [`fill_masks`]. Nothing is set when the table has none of the
/// lengths [`FILTER_WORDS`] or `stride` is none of [`STRIDES`].
#[inline]
pub(super) fn fill_hashed(
    path: Path,
    filter: &[[u8; 4]],
    stride: usize,
    block: &[u8],
    bits: &mut Bits,
) {
    #[cfg(target_arch = "x86_64")]
    super::prefilter_x86::fill_hashed(path, filter, stride, block, bits);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = path;
        fill_stride(filter, stride, block, bits);
    }
}

/// [`fill_hashed`] for the processor that the caller is compiled for.
#[inline(always)]
pub(super) fn fill_stride(filter: &[[u8; 4]], stride: usize, block: &[u8], bits: &mut Bits) {
    match stride {
        1 => fill_size::<1>(filter, block, bits),
        2 => fill_size::<2>(filter, block, bits),
        4 => fill_size::<4>(filter, block, bits),
        _ => {}
    }
}

#[inline(always)]
fn fill_size<const STRIDE: usize>(filter: &[[u8; 4]], block: &[u8], bits: &mut Bits) {
    // Sizes are constants to the compiler so that look-ups need neither checks nor shifts by
    // variables.
    match filter.len() {
        0x400 => fill_words::<STRIDE, 0x400>(filter, block, bits),
        0x800 => fill_words::<STRIDE, 0x800>(filter, block, bits),
        0x1000 => fill_words::<STRIDE, 0x1000>(filter, block, bits),
        0x2000 => fill_words::<STRIDE, 0x2000>(filter, block, bits),
        0x4000 => fill_words::<STRIDE, 0x4000>(filter, block, bits),
        0x2_0000 => fill_words::<STRIDE, 0x2_0000>(filter, block, bits),
        _ => {}
    }
}

/// Positions whose windows are in 16 bytes.
const GROUP: usize = 8;

#[inline(always)]
fn fill_words<const STRIDE: usize, const WORDS: usize>(
    filter: &[[u8; 4]],
    block: &[u8],
    bits: &mut Bits,
) {
    let Ok(filter) = <&[[u8; 4]; WORDS]>::try_from(filter) else {
        return;
    };
    let mut rest = block;
    for word in bits {
        let mut padded = [0; CHUNK];
        let Some((chunk, positions)) = next_word(&mut rest, &mut padded) else {
            return;
        };
        let mut folded = [0; CHUNK.next_multiple_of(GROUP)];
        for (to, from) in folded.iter_mut().zip(chunk) {
            *to = *from | 0x20;
        }
        let mut found = 0;
        for group in (0..positions).step_by(GROUP) {
            let Some(bytes) = folded.get(group..).and_then(|rest| rest.first_chunk()) else {
                break;
            };
            found |= u64::from(fill_group::<STRIDE, WORDS>(filter, bytes)) << group;
        }
        *word = found & mask(positions);
    }
}

/// The bits of eight positions, from folded bytes.
#[inline(always)]
fn fill_group<const STRIDE: usize, const WORDS: usize>(
    filter: &[[u8; 4]; WORDS],
    bytes: &[u8; 2 * GROUP],
) -> u32 {
    let mut found = 0;
    for at in (0..GROUP).step_by(STRIDE).rev() {
        let window = bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0, |window| u32::from_le_bytes(*window));
        let hash = hash(window);
        let word = filter
            .get(super::index(filter_word(hash, WORDS)))
            .map_or(0, |word| u32::from_le_bytes(*word));
        found = (found << STRIDE) | (word >> (hash & 31) & 1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the masks say, straight from their definition.
    fn defined(sets: &[Masks], block: &[u8]) -> Bits {
        let mut bits = [0; BLOCK / WORD];
        for (at, window) in block.windows(WINDOW).take(BLOCK).enumerate() {
            let passes = sets.iter().any(|masks| {
                window.iter().enumerate().fold(u8::MAX, |buckets, (i, b)| {
                    buckets
                        & masks[i * 32 + usize::from(b & 15)]
                        & masks[i * 32 + 16 + usize::from(b >> 4)]
                }) != 0
            });
            bits[at / WORD] |= u64::from(passes) << (at % WORD);
        }
        bits
    }

    /// Repeatable bytes.
    fn noise(seed: u64, count: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn every_path_evaluates_masks_as_defined() {
        for count in SETS {
            for seed in 0..4 {
                // Two of three bits set, so that about every second position passes or fewer.
                let sets: Vec<Masks> = (0..count)
                    .map(|set| {
                        let a = noise(seed * 100 + set as u64, 128);
                        let b = noise(seed * 100 + set as u64 + 50, 128);
                        std::array::from_fn(|i| if seed % 2 == 0 { a[i] | b[i] } else { a[i] })
                    })
                    .collect();
                let text = noise(seed + 7, BLOCK + 80);
                for length in (0..200).chain(BLOCK - 70..=BLOCK + 3) {
                    let block = &text[length % 64..][..length];
                    let expected = defined(&sets, block);
                    for path in Path::all() {
                        let mut bits = [0; BLOCK / WORD];
                        if fill_masks(path, &sets, block, &mut bits) {
                            assert_eq!(bits, expected, "{path:?}, {count} sets, {length} bytes");
                        } else {
                            assert_eq!(path, Path::Portable);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn hash_tables_answer_as_defined() {
        for words in FILTER_WORDS {
            for stride in STRIDES {
                let bytes = noise(words as u64, words * 4);
                let filter = bytes.as_chunks::<4>().0;
                let text = noise(3, BLOCK + 3);
                for length in (0..200).chain(BLOCK - 70..=BLOCK + 3) {
                    let block = &text[..length];
                    let mut expected: Bits = [0; BLOCK / WORD];
                    for (at, window) in block.windows(WINDOW).enumerate().step_by(stride) {
                        let hash = hash(fold(window.try_into().unwrap()));
                        let word = filter[hash as usize >> (32 - words.ilog2())];
                        let bit = u32::from_le_bytes(word) >> (hash % 32) & 1;
                        expected[at / WORD] |= u64::from(bit) << (at % WORD);
                    }
                    for path in Path::all() {
                        let mut bits = [0; BLOCK / WORD];
                        fill_hashed(path, filter, stride, block, &mut bits);
                        assert_eq!(
                            bits, expected,
                            "{path:?}, {words} words, {stride}, {length}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_that_do_not_exist_find_nothing() {
        let mut bits = [0; BLOCK / WORD];
        for path in Path::all() {
            fill_hashed(path, &[[0xff; 4]; 1000], 1, b"some text", &mut bits);
            fill_hashed(path, &[[0xff; 4]; 1024], 3, b"some text", &mut bits);
            assert_eq!(bits, [0; BLOCK / WORD]);
            assert!(!fill_masks(
                path,
                &[[0xff; 128]; 3],
                b"some text",
                &mut bits
            ));
        }
    }
}
