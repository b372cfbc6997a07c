//! Bucket masks on x86-64: byte shuffles of 16 (SSSE3) or 32 (AVX2) positions.
//!
//! AVX-512 is left to 32-byte vectors: the gain is small beside the second stage, and no machine of
//! ours could test it.

#![expect(
    unsafe_code,
    reason = "vector loads, and calls of functions that need a feature the caller has detected"
)]

use core::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8,
    _mm_or_si128, _mm_set1_epi8, _mm_setzero_si128, _mm_shuffle_epi8, _mm_srli_epi16,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use super::prefilter::{Bits, CHUNK, Masks, Path, WINDOW, fill_stride, mask, next_word};

/// See [`super::prefilter::fill_masks`].
pub(super) fn fill(path: Path, sets: &[Masks], block: &[u8], bits: &mut Bits) -> bool {
    match sets {
        [a] => fill_sets(path, [a], block, bits),
        [a, b] => fill_sets(path, [a, b], block, bits),
        [a, b, c, d] => fill_sets(path, [a, b, c, d], block, bits),
        _ => false,
    }
}

fn fill_sets<const SETS: usize>(
    path: Path,
    sets: [&Masks; SETS],
    block: &[u8],
    bits: &mut Bits,
) -> bool {
    match path {
        Path::Portable => return false,
        // SAFETY: `Path::best` and `Path::all` make this value only where SSSE3 was detected.
        Path::Ssse3 => unsafe { fill_ssse3(sets, block, bits) },
        // SAFETY: and this one only where AVX2 was detected.
        Path::Avx2 => unsafe { fill_avx2(sets, block, bits) },
    }
    true
}

/// See [`super::prefilter::fill_hashed`]. With AVX2 come BMI1 and BMI2, whose shifts help.
pub(super) fn fill_hashed(
    path: Path,
    filter: &[[u8; 4]],
    stride: usize,
    block: &[u8],
    bits: &mut Bits,
) {
    match path {
        Path::Portable | Path::Ssse3 => fill_stride(filter, stride, block, bits),
        // SAFETY: `Path::best` and `Path::all` make this value only where all three were detected.
        Path::Avx2 => unsafe { fill_hashed_bmi(filter, stride, block, bits) },
    }
}

// Not AVX2: vectors of gathered words are slower than general registers.
#[target_feature(enable = "bmi1,bmi2")]
fn fill_hashed_bmi(filter: &[[u8; 4]], stride: usize, block: &[u8], bits: &mut Bits) {
    fill_stride(filter, stride, block, bits);
}

/// The 16 bytes at a place of an array that has them.
#[inline]
#[target_feature(enable = "ssse3")]
fn load_16<const N: usize>(bytes: &[u8; N], at: usize) -> __m128i {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        // SAFETY: the reference is to 16 readable bytes; the load needs no alignment.
        Some(bytes) => unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) },
        None => _mm_setzero_si128(),
    }
}

/// The 32 bytes at a place of an array that has them.
#[inline]
#[target_feature(enable = "avx2")]
fn load_32<const N: usize>(bytes: &[u8; N], at: usize) -> __m256i {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        // SAFETY: the reference is to 32 readable bytes; the load needs no alignment.
        Some(bytes) => unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) },
        None => _mm256_setzero_si256(),
    }
}

#[target_feature(enable = "ssse3")]
fn fill_ssse3<const SETS: usize>(sets: [&Masks; SETS], block: &[u8], bits: &mut Bits) {
    let mut rest = block;
    for bits in bits {
        let mut padded = [0; CHUNK];
        let Some((chunk, positions)) = next_word(&mut rest, &mut padded) else {
            return;
        };
        let mut word = 0;
        for at in [0, 16, 32, 48] {
            word |= word_ssse3(sets, chunk, at) << at;
        }
        *bits = word & mask(positions);
    }
}

/// The bits of 16 positions of a word.
#[inline]
#[target_feature(enable = "ssse3")]
fn word_ssse3<const SETS: usize>(sets: [&Masks; SETS], chunk: &[u8; CHUNK], at: usize) -> u64 {
    let low = _mm_set1_epi8(15);
    let mut buckets = [_mm_set1_epi8(-1); SETS];
    for i in 0..WINDOW {
        let bytes = load_16(chunk, at + i);
        let lower = _mm_and_si128(bytes, low);
        let upper = _mm_and_si128(_mm_srli_epi16::<4>(bytes), low);
        for (buckets, masks) in buckets.iter_mut().zip(sets) {
            let by_lower = _mm_shuffle_epi8(load_16(masks, i * 32), lower);
            let by_upper = _mm_shuffle_epi8(load_16(masks, i * 32 + 16), upper);
            *buckets = _mm_and_si128(*buckets, _mm_and_si128(by_lower, by_upper));
        }
    }
    let zero = _mm_setzero_si128();
    let any = buckets
        .into_iter()
        .fold(zero, |any, set| _mm_or_si128(any, set));
    let none = _mm_movemask_epi8(_mm_cmpeq_epi8(any, zero));
    u64::from(!none.cast_unsigned() & 0xffff)
}

#[target_feature(enable = "avx2")]
fn fill_avx2<const SETS: usize>(sets: [&Masks; SETS], block: &[u8], bits: &mut Bits) {
    let mut rest = block;
    for bits in bits {
        let mut padded = [0; CHUNK];
        let Some((chunk, positions)) = next_word(&mut rest, &mut padded) else {
            return;
        };
        *bits = word_avx2(sets, chunk) & mask(positions);
    }
}

/// The bits of 64 positions, both halves at once, so that each mask is loaded once.
#[inline]
#[target_feature(enable = "avx2")]
fn word_avx2<const SETS: usize>(sets: [&Masks; SETS], chunk: &[u8; CHUNK]) -> u64 {
    let low = _mm256_set1_epi8(15);
    let mut first = [_mm256_set1_epi8(-1); SETS];
    let mut second = first;
    for i in 0..WINDOW {
        let bytes = [load_32(chunk, i), load_32(chunk, 32 + i)];
        let lower = bytes.map(|bytes| _mm256_and_si256(bytes, low));
        let upper = bytes.map(|bytes| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low));
        for ((first, second), masks) in first.iter_mut().zip(&mut second).zip(sets) {
            let by_lower = _mm256_broadcastsi128_si256(load_16(masks, i * 32));
            let by_upper = _mm256_broadcastsi128_si256(load_16(masks, i * 32 + 16));
            let buckets = |lower, upper| {
                _mm256_and_si256(
                    _mm256_shuffle_epi8(by_lower, lower),
                    _mm256_shuffle_epi8(by_upper, upper),
                )
            };
            *first = _mm256_and_si256(*first, buckets(lower[0], upper[0]));
            *second = _mm256_and_si256(*second, buckets(lower[1], upper[1]));
        }
    }
    let zero = _mm256_setzero_si256();
    let none = |sets: [__m256i; SETS]| {
        let any = sets
            .into_iter()
            .fold(zero, |any, set| _mm256_or_si256(any, set));
        u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(any, zero)).cast_unsigned())
    };
    !(none(first) | none(second) << 32)
}
