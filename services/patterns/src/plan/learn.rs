//! Counting text: how a table of statistics comes about.

use super::statistics::{CASES, Case, EIGHTHS, LINE_BREAK, SYMBOLS, Statistics, TRIGRAMS, symbol};

/// How many imagined observations of the next shorter context every context starts with.
const SMOOTHING: f64 = 3.0;
/// The share of capitals among letters is learnt from at least this many.
const FEWEST_LETTERS: u64 = 100;
/// 2^(−1/16): half a step.
const HALF_STEP: f64 = 0.957_603_280_698_573_6;

/// The `k` whose 2^(−k/8) is nearest.
fn quantise(probability: f64) -> u8 {
    let mut value = probability;
    let mut level = 0_u8;
    while value < 0.5 && level < 248 {
        value += value;
        level += 8;
    }
    for &eighth in &EIGHTHS {
        if value >= eighth * HALF_STEP || level == u8::MAX {
            break;
        }
        level += 1;
    }
    level
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts below 2^53 convert exactly"
)]
fn count(value: u64) -> f64 {
    value as f64
}

/// What the learner has seen.
pub(super) struct Counts {
    pub(super) bytes: usize,
    samples: u64,
    trigrams: Vec<u64>,
    octets: Vec<u64>,
    /// Letters after each [`Case`], and the capitals among them.
    letters: [(u64, u64); CASES],
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            bytes: 0,
            samples: 0,
            trigrams: vec![0; TRIGRAMS],
            octets: vec![0; 256],
            letters: [(0, 0); CASES],
        }
    }

    pub(super) fn add(&mut self, sample: &[u8]) {
        self.bytes += sample.len();
        self.samples += 1;
        let (mut first, mut second, mut before) = (LINE_BREAK, LINE_BREAK, Case::None);
        for &byte in sample {
            let third = symbol(byte);
            let place = (usize::from(first) * SYMBOLS + usize::from(second)) * SYMBOLS;
            if let Some(seen) = self.trigrams.get_mut(place + usize::from(third)) {
                *seen += 1;
            }
            if let Some(seen) = self.octets.get_mut(usize::from(byte)) {
                *seen += 1;
            }
            let case = Case::of(byte);
            if case != Case::None
                && let Some((letters, capitals)) = self.letters.get_mut(before.place())
            {
                *letters += 1;
                *capitals += u64::from(case == Case::Capital);
            }
            before = case;
            (first, second) = (second, third);
        }
    }

    pub(super) fn records_per_megabyte(&self) -> u32 {
        let bytes = u64::try_from(self.bytes).unwrap_or(u64::MAX).max(1);
        u32::try_from((self.samples * 1_000_000 / bytes).clamp(1, 1_000_000)).unwrap_or(1)
    }

    /// Shares of bytes, shares of capitals, trigrams.
    pub(super) fn quantised(&self) -> Vec<u8> {
        let mut symbols = [0_u64; SYMBOLS];
        let mut members = [0_u64; SYMBOLS];
        for (byte, &seen) in (0..=u8::MAX).zip(&self.octets) {
            let place = usize::from(symbol(byte));
            if let (Some(sum), Some(members)) = (symbols.get_mut(place), members.get_mut(place)) {
                *sum += seen;
                *members += 1;
            }
        }
        let mut stored = Vec::with_capacity(Statistics::SERIALIZED_LENGTH);
        for (byte, &seen) in (0..=u8::MAX).zip(&self.octets) {
            let place = usize::from(symbol(byte));
            let sum = symbols.get(place).copied().unwrap_or_default();
            let members = members.get(place).copied().unwrap_or_default();
            stored.push(quantise(
                (count(seen) + 0.5) / (count(sum) + 0.5 * count(members)),
            ));
        }
        for (letters, capitals) in self.letters {
            stored.push(if letters < FEWEST_LETTERS {
                quantise(0.5)
            } else {
                quantise((count(capitals) + 0.5) / (count(letters) + 1.0))
            });
        }
        stored.extend(self.joint().into_iter().map(quantise));
        stored
    }

    /// Smoothed probabilities of three symbols in a row.
    fn joint(&self) -> Vec<f64> {
        let total = count(self.trigrams.iter().sum());
        let mut pairs = vec![0_u64; SYMBOLS * SYMBOLS];
        let mut heads = vec![0_u64; SYMBOLS * SYMBOLS];
        let mut singles = [0_u64; SYMBOLS];
        for (row, (head, counts)) in heads
            .iter_mut()
            .zip(self.trigrams.chunks(SYMBOLS))
            .enumerate()
        {
            *head = counts.iter().sum();
            let last = (row % SYMBOLS) * SYMBOLS;
            for (third, &seen) in counts.iter().enumerate() {
                if let Some(pair) = pairs.get_mut(last + third) {
                    *pair += seen;
                }
                if let Some(single) = singles.get_mut(third) {
                    *single += seen;
                }
            }
        }
        let single: Vec<f64> = singles
            .iter()
            .map(|&seen| (count(seen) + 1.0) / (total + 40.0))
            .collect();
        // P(c | b)
        let mut follows = Vec::with_capacity(SYMBOLS * SYMBOLS);
        for row in pairs.chunks(SYMBOLS) {
            let sum = count(row.iter().sum()) + SMOOTHING;
            let smooth = |(&seen, p): (&u64, &f64)| (count(seen) + SMOOTHING * p) / sum;
            follows.extend(row.iter().zip(&single).map(smooth));
        }
        let mut joint = Vec::with_capacity(TRIGRAMS);
        for (row, (&head, counts)) in heads.iter().zip(self.trigrams.chunks(SYMBOLS)).enumerate() {
            let first = single.get(row / SYMBOLS).copied().unwrap_or_default();
            let follow = follows.get(row).copied().unwrap_or_default();
            let context = (count(head) + SMOOTHING * first * follow) / (total + SMOOTHING);
            let last = (row % SYMBOLS) * SYMBOLS;
            let shorter = follows.get(last..last + SYMBOLS).unwrap_or_default();
            for (&seen, p) in counts.iter().zip(shorter) {
                let third = (count(seen) + SMOOTHING * p) / (count(head) + SMOOTHING);
                joint.push(context * third);
            }
        }
        joint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::statistics::probability;

    #[test]
    fn quantising_keeps_powers_of_two_and_rounds_to_the_nearest_step() {
        assert_eq!(quantise(1.0), 0);
        assert_eq!(quantise(0.5), 8);
        assert_eq!(quantise(0.125), 24);
        assert_eq!(quantise(0.92), 1);
        assert_eq!(quantise(0.0), 255);
        for level in 0..=254 {
            assert_eq!(quantise(probability(level)), level);
        }
    }
}
