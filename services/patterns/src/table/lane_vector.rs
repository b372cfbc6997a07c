//! The step of the lanes, and passes over a haystack in the processor's vector registers.
//!
//! The source of the pass is the same for all; [`Vector`] says what 256 bits are: one register
//! (AVX2, AVX-512VL), two (NEON), or four words.

#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(
        unsafe_code,
        reason = "vector instructions that need a feature the caller has detected"
    )
)]

#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::{
    uint64x2_t, vaddq_u64, vandq_u64, vdupq_n_u64, vld1q_u8, vmaxvq_u32, vorrq_u64,
    vreinterpretq_u32_u64, vreinterpretq_u64_u8, vst1q_u64,
};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_setzero_si256, _mm256_storeu_si256, _mm256_testz_si256,
};

use super::lane::{Group, Words, and, words};

/// Bytes between two looks for hits.
pub(super) const STEPS: usize = 8;

/// What passes are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// What every processor of the architecture has; on ARM64 that is NEON.
    Portable,
    /// x86-64 with 256-bit integers.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512's three-operand logic on 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// The best one here. The processor is asked once; later calls read what it said.
    #[inline]
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected;
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// All that this processor has.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        match Self::best() {
            Self::Portable => vec![Self::Portable],
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => vec![Self::Portable, Self::Avx2],
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => vec![Self::Portable, Self::Avx2, Self::Avx512],
        }
    }
}

/// Follows the groups over whole blocks of [`STEPS`] bytes up to the first block with a hit among
/// `last`. Returns how many bytes that were; `state` is that after them.
pub(super) fn pass<const N: usize>(
    path: Path,
    groups: &[Group<'_>; N],
    last: &[Words; N],
    state: &mut [Words; N],
    haystack: &[u8],
) -> usize {
    match path {
        #[cfg(not(target_arch = "aarch64"))]
        Path::Portable => follow::<N, Words>(groups, last, state, haystack),
        #[cfg(target_arch = "aarch64")]
        Path::Portable => follow::<N, Pair>(groups, last, state, haystack),
        // SAFETY: `Path::best` makes this value only where AVX2 was detected.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { follow_avx2(groups, last, state, haystack) },
        // SAFETY: and this one only where AVX-512F and AVX-512VL were, which include AVX2.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { follow_avx512(groups, last, state, haystack) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn follow_avx2<const N: usize>(
    groups: &[Group<'_>; N],
    last: &[Words; N],
    state: &mut [Words; N],
    haystack: &[u8],
) -> usize {
    follow::<N, Single>(groups, last, state, haystack)
}

/// The same, with three-operand logic.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn follow_avx512<const N: usize>(
    groups: &[Group<'_>; N],
    last: &[Words; N],
    state: &mut [Words; N],
    haystack: &[u8],
) -> usize {
    follow::<N, Single>(groups, last, state, haystack)
}

#[inline(always)]
fn follow<const N: usize, V: Vector>(
    groups: &[Group<'_>; N],
    last: &[Words; N],
    state: &mut [Words; N],
    haystack: &[u8],
) -> usize {
    if groups.iter().any(|group| group.stays) {
        follow_blocks::<N, true, V>(groups, last, state, haystack)
    } else {
        follow_blocks::<N, false, V>(groups, last, state, haystack)
    }
}

#[inline(always)]
fn follow_blocks<const N: usize, const STAYS: bool, V: Vector>(
    groups: &[Group<'_>; N],
    last: &[Words; N],
    state: &mut [Words; N],
    haystack: &[u8],
) -> usize {
    let mut first = [V::zero(); N];
    let mut checked = first;
    let mut before = first;
    for (((group, words), (first, checked)), (state, before)) in groups
        .iter()
        .zip(last)
        .zip(first.iter_mut().zip(&mut checked))
        .zip(state.iter().zip(&mut before))
    {
        *first = V::new(group.first);
        *checked = V::new(*words);
        *before = V::new(*state);
    }
    let mut done = 0;
    for block in haystack.as_chunks::<STEPS>().0 {
        let mut now = before;
        let mut seen = [V::zero(); N];
        for &byte in block {
            let vectors = now.iter_mut().zip(&mut seen);
            for ((group, first), (now, seen)) in groups.iter().zip(first).zip(vectors) {
                let [enter, stay] = masks(group, byte);
                let next = now.doubled().or(first).and(V::load(enter));
                *now = if STAYS {
                    next.or(now.and(V::load(stay)))
                } else {
                    next
                };
                *seen = seen.or(*now);
            }
        }
        let mut hits = V::zero();
        for (seen, checked) in seen.into_iter().zip(checked) {
            hits = hits.or(seen.and(checked));
        }
        if hits.any() {
            break;
        }
        before = now;
        done += STEPS;
    }
    for (state, before) in state.iter_mut().zip(before) {
        *state = before.words();
    }
    done
}

/// What the byte lets in and what it keeps, 32 bytes each.
#[inline(always)]
fn masks<'a>(group: &Group<'a>, byte: u8) -> &'a [[u8; 32]; 2] {
    const NONE: [[u8; 32]; 2] = [[0; 32]; 2];
    // Both indices are bytes and both arrays have 256 elements: neither look-up is checked.
    let class = group.map.get(usize::from(byte)).copied().unwrap_or(0);
    let block = group.classes.get(usize::from(class));
    block
        .and_then(|block| block.as_chunks().0.first_chunk())
        .unwrap_or(&NONE)
}

/// The bits of a group after one byte more.
#[inline]
pub(super) fn step(group: &Group<'_>, state: Words, byte: u8) -> Words {
    let [enter, stay] = masks(group, byte);
    let next = state.doubled().or(group.first).and(Words::load(enter));
    next.or(state.and(Words::load(stay)))
}

/// 256 bits as four words of 64.
trait Vector: Copy {
    fn new(words: Words) -> Self;
    fn words(self) -> Words;
    fn load(bytes: &[u8; 32]) -> Self;
    fn zero() -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    /// Each word shifted left by one.
    fn doubled(self) -> Self;
    /// Whether a bit is set.
    fn any(self) -> bool;
}

impl Vector for Words {
    #[inline(always)]
    fn new(words: Words) -> Self {
        words
    }

    #[inline(always)]
    fn words(self) -> Words {
        self
    }

    #[inline(always)]
    fn load(bytes: &[u8; 32]) -> Self {
        words(bytes, 0)
    }

    #[inline(always)]
    fn zero() -> Self {
        [0; 4]
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        and(self, other)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        let [a, b, c, d] = self;
        let [e, f, g, h] = other;
        [a | e, b | f, c | g, d | h]
    }

    #[inline(always)]
    fn doubled(self) -> Self {
        self.map(|word| word << 1)
    }

    #[inline(always)]
    fn any(self) -> bool {
        self != [0; 4]
    }
}

/// One AVX2 register. Made and used only below `follow_avx2` and `follow_avx512`, whose callers
/// have detected AVX2: what every `SAFETY` comment of the implementation refers to. (The functions
/// of a trait cannot demand a feature themselves.)
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Single(__m256i);

#[cfg(target_arch = "x86_64")]
impl Vector for Single {
    #[inline(always)]
    fn new(words: Words) -> Self {
        // SAFETY: AVX2 is there; the reference is to 32 readable bytes.
        Self(unsafe { _mm256_loadu_si256((&raw const words).cast()) })
    }

    #[inline(always)]
    fn words(self) -> Words {
        let mut words = [0; 4];
        // SAFETY: AVX2 is there; the reference is to 32 writable bytes.
        unsafe { _mm256_storeu_si256((&raw mut words).cast(), self.0) };
        words
    }

    #[inline(always)]
    fn load(bytes: &[u8; 32]) -> Self {
        // SAFETY: AVX2 is there; the reference is to 32 readable bytes.
        Self(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
    }

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_setzero_si256() })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_and_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_or_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn doubled(self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_add_epi64(self.0, self.0) })
    }

    #[inline(always)]
    fn any(self) -> bool {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_testz_si256(self.0, self.0) == 0 }
    }
}

/// Two NEON registers, which every 64-bit ARM has: what every `SAFETY` comment of the
/// implementation refers to.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy)]
struct Pair(uint64x2_t, uint64x2_t);

#[cfg(target_arch = "aarch64")]
impl Vector for Pair {
    #[inline(always)]
    fn new(words: Words) -> Self {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        Self::load(&bytes)
    }

    #[inline(always)]
    fn words(self) -> Words {
        let [mut low, mut high] = [[0; 2]; 2];
        // SAFETY: NEON is there; each reference is to 16 writable bytes.
        unsafe {
            vst1q_u64(low.as_mut_ptr(), self.0);
            vst1q_u64(high.as_mut_ptr(), self.1);
        }
        let ([a, b], [c, d]) = (low, high);
        [a, b, c, d]
    }

    #[inline(always)]
    fn load(bytes: &[u8; 32]) -> Self {
        let (low, high) = bytes.split_at(16);
        // SAFETY: NEON is there; each half is 16 readable bytes.
        unsafe {
            Self(
                vreinterpretq_u64_u8(vld1q_u8(low.as_ptr())),
                vreinterpretq_u64_u8(vld1q_u8(high.as_ptr())),
            )
        }
    }

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: NEON is there.
        unsafe { Self(vdupq_n_u64(0), vdupq_n_u64(0)) }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        unsafe { Self(vandq_u64(self.0, other.0), vandq_u64(self.1, other.1)) }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        unsafe { Self(vorrq_u64(self.0, other.0), vorrq_u64(self.1, other.1)) }
    }

    #[inline(always)]
    fn doubled(self) -> Self {
        // SAFETY: NEON is there.
        unsafe { Self(vaddq_u64(self.0, self.0), vaddq_u64(self.1, self.1)) }
    }

    #[inline(always)]
    fn any(self) -> bool {
        // SAFETY: NEON is there.
        unsafe { vmaxvq_u32(vreinterpretq_u32_u64(vorrq_u64(self.0, self.1))) != 0 }
    }
}
