//! Bucket masks on 64-bit ARM: NEON table look-ups of 16 positions. Every such processor has NEON.

#![expect(
    unsafe_code,
    reason = "vector loads, and calls of functions that need NEON"
)]

use core::arch::aarch64::{
    uint8x16_t, vandq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8, vorrq_u8, vpaddq_u8, vqtbl1q_u8,
    vreinterpretq_u64_u8, vshrq_n_u8, vtstq_u8,
};

use super::prefilter::{Bits, CHUNK, Masks, WINDOW, mask, next_word};

/// Vectors of a word of positions.
const QUARTERS: usize = 4;

/// See [`super::prefilter::fill_masks`].
pub(super) fn fill(sets: &[Masks], block: &[u8], bits: &mut Bits) -> bool {
    // SAFETY (of all three): NEON is a part of the architecture, Rust's targets included.
    match sets {
        [a] => unsafe { fill_sets([a], block, bits) },
        [a, b] => unsafe { fill_sets([a, b], block, bits) },
        [a, b, c, d] => unsafe { fill_sets([a, b, c, d], block, bits) },
        _ => return false,
    }
    true
}

/// The 16 bytes at a place of an array that has them.
#[inline]
#[target_feature(enable = "neon")]
fn load<const N: usize>(bytes: &[u8; N], at: usize) -> uint8x16_t {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        // SAFETY: the reference is to 16 readable bytes; the load needs no alignment.
        Some(bytes) => unsafe { vld1q_u8(bytes.as_ptr()) },
        None => vdupq_n_u8(0),
    }
}

#[target_feature(enable = "neon")]
fn fill_sets<const SETS: usize>(sets: [&Masks; SETS], block: &[u8], bits: &mut Bits) {
    let mut rest = block;
    for bits in bits {
        let mut padded = [0; CHUNK];
        let Some((chunk, positions)) = next_word(&mut rest, &mut padded) else {
            return;
        };
        *bits = word(sets, chunk) & mask(positions);
    }
}

/// The bits of 64 positions. All four quarters advance together, so that each mask is loaded once.
#[inline]
#[target_feature(enable = "neon")]
fn word<const SETS: usize>(sets: [&Masks; SETS], chunk: &[u8; CHUNK]) -> u64 {
    let low = vdupq_n_u8(15);
    let mut buckets = [[vdupq_n_u8(u8::MAX); SETS]; QUARTERS];
    for i in 0..WINDOW {
        let mut lower = [low; QUARTERS];
        let mut upper = [low; QUARTERS];
        for (quarter, (lower, upper)) in lower.iter_mut().zip(&mut upper).enumerate() {
            let bytes = load(chunk, quarter * 16 + i);
            *lower = vandq_u8(bytes, low);
            *upper = vshrq_n_u8::<4>(bytes);
        }
        for (set, masks) in sets.into_iter().enumerate() {
            let by_lower = load(masks, i * 32);
            let by_upper = load(masks, i * 32 + 16);
            let halves = lower.into_iter().zip(upper);
            for (buckets, (lower, upper)) in buckets.iter_mut().zip(halves) {
                if let Some(buckets) = buckets.get_mut(set) {
                    let both = vandq_u8(vqtbl1q_u8(by_lower, lower), vqtbl1q_u8(by_upper, upper));
                    *buckets = vandq_u8(*buckets, both);
                }
            }
        }
    }
    let weights = load(
        &[1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128],
        0,
    );
    let mut weighed = [low; QUARTERS];
    for (weighed, buckets) in weighed.iter_mut().zip(buckets) {
        let any = buckets
            .into_iter()
            .fold(vdupq_n_u8(0), |any, set| vorrq_u8(any, set));
        *weighed = vandq_u8(vtstq_u8(any, any), weights);
    }
    // Three rounds of adding neighbours leave the 64 bits in order in the lower half.
    let [a, b, c, d] = weighed;
    let sum = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)))
}
