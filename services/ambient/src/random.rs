//! Random bytes behind a trait.

use std::fmt;
use std::sync::Mutex;

use aws_lc_rs::rand::{SecureRandom, SystemRandom as AwsRandom};

/// A source of random bytes.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `buffer` with bytes nobody can predict (except from [`SeededRandom`]).
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Random {
    /// Sixteen random bytes: 128 bits, never repeated in practice.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.fill(&mut id);
        id
    }

    /// A number in `0..bound`, close enough to uniform for choices and jitter; 0 for a bound of 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
    }

    /// `length` characters of `a-z2-7`, five random bits each: for tokens, ids and passwords.
    #[must_use]
    pub fn token(&self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
            .map(|&letter| char::from(letter))
            .collect()
    }
}

/// The operating system's source, through aws-lc-rs.
#[derive(Debug, Default)]
pub struct SystemRandom(AwsRandom);

impl SystemRandom {
    /// A handle to the source; cheap.
    #[must_use]
    pub fn new() -> Self {
        Self(AwsRandom::new())
    }
}

impl Random for SystemRandom {
    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret is safe: stop at once"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        self.0
            .fill(buffer)
            .expect("the system's random source failed");
    }
}

/// A repeatable sequence for tests (SplitMix64). Not secret.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            for (byte, random) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_another_seed_gives_another() {
        let (one, again, other): (&dyn Random, &dyn Random, &dyn Random) = (
            &SeededRandom::new(1),
            &SeededRandom::new(1),
            &SeededRandom::new(2),
        );
        let first = one.id();
        assert_eq!(first, again.id());
        assert_ne!(first, other.id());
        assert_ne!(first, one.id());
    }

    #[test]
    fn tokens_have_the_length_and_alphabet_they_promise() {
        let random: &dyn Random = &SystemRandom::new();
        let token = random.token(40);
        assert_eq!(token.len(), 40);
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte))
        );
    }
}
