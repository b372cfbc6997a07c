//! Builds the literal table: which keys, which first stage, and the bytes.
//!
//! Choices follow the built-in statistics ([`super::rarity`]) and a count of instructions, the same
//! whatever processor builds or scans.

use std::collections::{BTreeMap, HashMap};

use super::literal::{DIRECTORY_BITS, HEADER, METHOD_HASHED, METHOD_MASKS, METHOD_NONE, record};
use super::prefilter::{FILTER_WORDS, Masks, SETS, STRIDES, WINDOW, filter_word, fold, hash};
use super::rarity::{self, SCALE_BITS};
use super::{ArmLists, index, pad, stored};

/// Instructions for the masks of one, two or four sets, in sixteenths per position: between what
/// AVX2 and NEON take.
const MASKS_COST: [u64; SETS.len()] = [26, 40, 66];
/// Instructions for one position of the hashed method, in sixteenths.
const HASHED_COST: u64 = 8 * 16;
/// Instructions for a position that passed the first stage.
const PASSED_COST: u64 = 14;
/// More instructions when a key is there.
const KEY_COST: u64 = 16;
/// Instructions to compare a string.
const STRING_COST: u64 = 20;
/// Bytes of real text are not independent: so many times more positions pass the masks.
const CORRELATION: u64 = 3;
/// Keys of more strings than this are not dealt into buckets: the masks would let too much pass.
const MOST_MASK_STRINGS: usize = 768;
/// The hash table is made so large that at most one of these many bits is set, sizes permitting.
const SPARSENESS: usize = 64;
/// Rounds of moving keys to better buckets.
const ROUNDS: usize = 2;
/// Probabilities of bytes count in this many bits, so that a product of four fits in 64.
const PROBABILITY_BITS: u32 = 15;

/// Builds a table of strings and the arms they start. Strings are 4 to 16 bytes without capital
/// ASCII letters; others are left out. The order of the argument does not matter.
pub(crate) fn build(literals: &[(&[u8], u32)]) -> Vec<u8> {
    let lists = collect(literals);
    let choices = choices(&lists);
    choices.iter().min_by_key(|choice| choice.cost).map_or_else(
        || header(METHOD_NONE, [0; 6]),
        |choice| write(&lists, choice),
    )
}

/// The tables of every method that suits the strings.
#[cfg(test)]
pub(super) fn build_all(literals: &[(&[u8], u32)]) -> Vec<Vec<u8>> {
    let lists = collect(literals);
    choices(&lists)
        .iter()
        .map(|choice| write(&lists, choice))
        .collect()
}

/// A string and its arms, ascending.
type List<'a> = (&'a [u8], Vec<u32>);

/// The different strings in byte order.
fn collect<'a>(literals: &[(&'a [u8], u32)]) -> Vec<List<'a>> {
    let mut lists = BTreeMap::<&[u8], Vec<u32>>::new();
    for &(string, arm) in literals {
        let allowed = crate::plan::SHORTEST_LITERAL..=crate::plan::LONGEST_LITERAL;
        if allowed.contains(&string.len()) && !string.iter().any(u8::is_ascii_uppercase) {
            lists.entry(string).or_default().push(arm);
        }
    }
    for arms in lists.values_mut() {
        arms.sort_unstable();
        arms.dedup();
    }
    lists.into_iter().collect()
}

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    hash: u32,
    key: u32,
    /// The string's number × 16 + the offset.
    place: u32,
}

/// What was decided.
struct Choice {
    method: u32,
    /// Sets of masks, or the stride.
    width: usize,
    masks: Vec<Masks>,
    slots: Vec<Slot>,
    /// Instructions for 2⁴⁰ bytes.
    cost: u64,
}

/// Every first stage that suits the strings, with its keys; none when there are no strings.
fn choices(lists: &[List<'_>]) -> Vec<Choice> {
    let strings: Vec<&[u8]> = lists.iter().map(|(string, _)| *string).collect();
    let shortest = strings.iter().map(|string| string.len()).min().unwrap_or(0);
    let mut choices = masked(&strings);
    for stride in STRIDES {
        if shortest >= WINDOW + stride - 1 {
            choices.push(hashed(&strings, stride));
        }
    }
    choices
}

/// The hashed method with keys at all remainders of a stride.
fn hashed(strings: &[&[u8]], stride: usize) -> Choice {
    let (slots, found) = choose_keys(strings, stride);
    let set = slots.len();
    let bits = filter_words(set) * 32;
    // Positions that pass by chance.
    let passed = (1_u64 << SCALE_BITS) / u64::from(stored(bits)) * u64::from(stored(set));
    let all = (HASHED_COST << SCALE_BITS) / 16 + passed * PASSED_COST + found;
    Choice {
        method: METHOD_HASHED,
        width: stride,
        masks: Vec::new(),
        slots,
        cost: all / u64::from(stored(stride)),
    }
}

/// The slots of all strings in table order, and what the hits of their keys cost in 2⁴⁰ positions
/// that are looked at.
fn choose_keys(strings: &[&[u8]], stride: usize) -> (Vec<Slot>, u64) {
    // Only looked up, never walked: its order does not matter.
    let mut used = HashMap::<u32, u64>::new();
    let mut slots = Vec::with_capacity(strings.len() * stride);
    let mut cost = 0_u64;
    for (number, string) in strings.iter().enumerate() {
        for remainder in 0..stride {
            let windows = string.array_windows::<WINDOW>().enumerate();
            let best = windows
                .skip(remainder)
                .step_by(stride)
                .map(|(offset, window)| {
                    let key = fold(*window);
                    let count = used.get(&key).copied().unwrap_or(0);
                    let first = if count == 0 {
                        PASSED_COST + KEY_COST
                    } else {
                        0
                    };
                    // Crowds are avoided even where they are expected to be rare.
                    let crowd = STRING_COST + STRING_COST * count / 8;
                    (rarity::window(*window) * (first + crowd), offset, key)
                })
                .min();
            if let Some((price, offset, key)) = best {
                *used.entry(key).or_default() += 1;
                cost = cost.saturating_add(price);
                slots.push(Slot {
                    hash: hash(key),
                    key,
                    place: stored(number * 16 + offset),
                });
            }
        }
    }
    slots.sort_unstable();
    (slots, cost)
}

/// How many words the hash table needs for so many keys.
fn filter_words(keys: usize) -> usize {
    let [.., largest] = FILTER_WORDS;
    FILTER_WORDS
        .into_iter()
        .find(|words| words * 32 >= keys * SPARSENESS)
        .unwrap_or(largest)
}

/// The masks method with one, two and four sets, if there are few enough keys.
fn masked(strings: &[&[u8]]) -> Vec<Choice> {
    if strings.is_empty() || strings.len() > MOST_MASK_STRINGS {
        return Vec::new();
    }
    let (slots, found) = choose_keys(strings, 1);
    let mut keys: Vec<[u8; WINDOW]> = slots
        .iter()
        .filter_map(|slot| {
            let string = strings.get(index(slot.place >> 4))?;
            string.get(index(slot.place & 15)..)?.first_chunk().copied()
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let distribution = Distribution::new();
    SETS.into_iter()
        .zip(MASKS_COST)
        .map(|(sets, cost)| {
            let buckets = deal(&keys, sets * 8, &distribution);
            let passed: u64 = buckets
                .iter()
                .map(|bucket| bucket.rate(&distribution))
                .sum();
            let passed = passed >> (4 * PROBABILITY_BITS - SCALE_BITS);
            Choice {
                method: METHOD_MASKS,
                width: sets,
                masks: masks(&buckets),
                slots: slots.clone(),
                cost: (cost << SCALE_BITS) / 16 + passed * CORRELATION * PASSED_COST + found,
            }
        })
        .collect()
}

/// How probable bytes are: for each upper half, the sums of all sets of lower halves below 8, and
/// of all from 8.
struct Distribution(Box<[[[u64; 256]; 2]; 16]>);

impl Distribution {
    fn new() -> Self {
        let mut sums = Box::new([[[0; 256]; 2]; 16]);
        for (upper, sums) in (0_u8..).zip(sums.as_flattened_mut()) {
            // Pairs of (upper half, eight lower halves) are eight bytes in a row.
            for (set, sum) in (0_u8..=u8::MAX).zip(sums) {
                *sum = (0..8)
                    .filter(|bit| set >> bit & 1 == 1)
                    .map(|bit| rarity::byte(upper << 3 | bit) >> (SCALE_BITS - PROBABILITY_BITS))
                    .sum();
            }
        }
        Self(sums)
    }

    /// The probability of a byte with one of these upper and one of these lower halves.
    fn of(&self, upper: u16, lower: u16) -> u64 {
        let lower = lower.to_le_bytes();
        let mut sum = 0;
        let mut rest = upper;
        while rest != 0 {
            let row = self.0.get(index(rest.trailing_zeros()));
            for (sums, set) in row.into_iter().flatten().zip(lower) {
                sum += sums.get(usize::from(set)).copied().unwrap_or(0);
            }
            rest &= rest - 1;
        }
        sum.clamp(1, 1 << PROBABILITY_BITS)
    }
}

/// The keys of one bucket: which halves their bytes have.
#[derive(Clone, Copy, Default)]
struct Bucket {
    lower: [u16; WINDOW],
    upper: [u16; WINDOW],
    keys: usize,
}

impl Bucket {
    fn with(mut self, key: [u8; WINDOW]) -> Self {
        for ((lower, upper), byte) in self.lower.iter_mut().zip(&mut self.upper).zip(key) {
            for byte in [byte, byte.to_ascii_uppercase()] {
                *lower |= 1 << (byte & 15);
                *upper |= 1 << (byte >> 4);
            }
        }
        self.keys += 1;
        self
    }

    /// How often a position passes it, in parts of 2⁶⁰.
    fn rate(&self, distribution: &Distribution) -> u64 {
        if self.keys == 0 {
            return 0;
        }
        let positions = self.upper.iter().zip(self.lower);
        positions
            .map(|(&upper, lower)| distribution.of(upper, lower))
            .product()
    }
}

/// Deals keys into buckets so that few positions pass.
fn deal(keys: &[[u8; WINDOW]], count: usize, distribution: &Distribution) -> Vec<Bucket> {
    let mut buckets = vec![Bucket::default(); count];
    let mut members = vec![Vec::<[u8; WINDOW]>::new(); count];
    // Keys from all over the alphabet first, one per bucket, then their neighbours.
    let step = keys.len().div_ceil(count).max(1);
    let order = (0..step).flat_map(|first| keys.iter().skip(first).step_by(step));
    let mut homes: Vec<(usize, [u8; WINDOW])> = Vec::with_capacity(keys.len());
    for &key in order {
        let home = best_bucket(&buckets, key, distribution);
        settle(&mut buckets, &mut members, home, key);
        homes.push((home, key));
    }
    for _ in 0..ROUNDS {
        for (home, key) in &mut homes {
            let Some((bucket, others)) = buckets.get_mut(*home).zip(members.get_mut(*home)) else {
                continue;
            };
            others.retain(|other| other != key);
            *bucket = others.iter().copied().fold(Bucket::default(), Bucket::with);
            *home = best_bucket(&buckets, *key, distribution);
            settle(&mut buckets, &mut members, *home, *key);
        }
    }
    buckets
}

fn settle(
    buckets: &mut [Bucket],
    members: &mut [Vec<[u8; WINDOW]>],
    home: usize,
    key: [u8; WINDOW],
) {
    if let Some((bucket, members)) = buckets.get_mut(home).zip(members.get_mut(home)) {
        *bucket = bucket.with(key);
        members.push(key);
    }
}

/// The bucket that lets the fewest positions more pass with this key.
fn best_bucket(buckets: &[Bucket], key: [u8; WINDOW], distribution: &Distribution) -> usize {
    let more = |bucket: &Bucket| {
        bucket
            .with(key)
            .rate(distribution)
            .saturating_sub(bucket.rate(distribution))
    };
    (0..)
        .zip(buckets)
        .min_by_key(|(_, bucket)| more(bucket))
        .map_or(0, |(home, _)| home)
}

/// The masks of all buckets, eight per set.
fn masks(buckets: &[Bucket]) -> Vec<Masks> {
    let set = |buckets: &[Bucket]| {
        let mut masks: Masks = [0; WINDOW * 32];
        for (at, mask) in masks.iter_mut().enumerate() {
            let (position, half) = (at / 32, at % 32);
            for (bit, bucket) in buckets.iter().enumerate() {
                let halves = if half < 16 {
                    &bucket.lower
                } else {
                    &bucket.upper
                };
                let has = halves
                    .get(position)
                    .is_some_and(|bits| bits >> (half % 16) & 1 == 1);
                *mask |= u8::from(has) << bit;
            }
        }
        masks
    };
    buckets.chunks(8).map(set).collect()
}

fn header(method: u32, fields: [usize; 6]) -> Vec<u8> {
    let mut bytes = method.to_le_bytes().to_vec();
    for field in fields {
        bytes.extend(stored(field).to_le_bytes());
    }
    bytes.resize(HEADER, 0);
    bytes
}

fn write(lists: &[List<'_>], choice: &Choice) -> Vec<u8> {
    let slots = &choice.slots;
    let words = filter_words(slots.len());
    let mut filter = vec![0_u32; words];
    for slot in slots {
        if let Some(word) = filter.get_mut(index(filter_word(slot.hash, words))) {
            *word |= 1 << (slot.hash & 31);
        }
    }
    let directory_bits = ((slots.len() * 2).next_power_of_two().trailing_zeros())
        .clamp(*DIRECTORY_BITS.start(), *DIRECTORY_BITS.end());
    let mut bytes = header(
        choice.method,
        [
            choice.width,
            words,
            index(directory_bits),
            slots.len(),
            lists.len(),
            lists.iter().map(|(_, arms)| arms.len()).sum(),
        ],
    );
    bytes.extend(choice.masks.iter().flatten());
    pad(&mut bytes);
    bytes.extend(filter.into_iter().flat_map(u32::to_le_bytes));
    pad(&mut bytes);
    let mut start = 0;
    for bucket in 0..=(1_u32 << directory_bits) {
        let rest = slots.get(start..).unwrap_or_default();
        start += rest.partition_point(|slot| slot.hash >> (32 - directory_bits) < bucket);
        bytes.extend(stored(start).to_le_bytes());
    }
    pad(&mut bytes);
    for slot in slots {
        bytes.extend(slot.key.to_le_bytes());
        bytes.extend(slot.place.to_le_bytes());
    }
    pad(&mut bytes);
    bytes.extend(lists.iter().flat_map(|(string, _)| record(string)));
    pad(&mut bytes);
    ArmLists::write(lists.iter().map(|(_, arms)| arms.as_slice()), &mut bytes);
    bytes
}
