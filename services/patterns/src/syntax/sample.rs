//! Texts that match a pattern, for tests that compare engines.
//!
//! Everything comes from a seed, so a failing test fails again.

use super::{Node, Parsed};
use crate::byteset::ByteSet;

/// A sample stops growing here; it may then not match.
const LONGEST: usize = 2000;

/// A small generator of numbers (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// True in one of `times` cases.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}

/// A text the pattern matches, as far as its look-arounds, assertions and atomic groups do not
/// forbid it: they are ignored. Repetitions are short.
pub(crate) fn sample(pattern: &Parsed, random: &mut Random) -> Vec<u8> {
    let mut sampler = Sampler {
        random,
        text: Vec::new(),
        captures: vec![0..0; pattern.groups as usize + 1],
    };
    sampler.write(&pattern.node);
    sampler.text
}

/// The text with a few changes of the kind that makes a match fail, move or grow.
pub(crate) fn mutate(text: &[u8], random: &mut Random) -> Vec<u8> {
    const BYTES: &[u8] = b"aAbBzZ09_ \n\r\t.-<>/\xC3\xA9\xE2\x00\xFF";
    let mut text = text.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(text.len() + 1);
        let byte = *random.pick(BYTES);
        match random.below(8) {
            0 => text.insert(at, byte),
            1 => text.truncate(at),
            2 => drop(text.drain(..at)),
            3 => text.extend_from_slice(&text.clone()[at..]),
            4 => text.push(byte),
            5 if at < text.len() => drop(text.remove(at)),
            6 if at < text.len() => text[at] = byte,
            7 if at < text.len() => text[at] ^= 0x20,
            _ => text.insert(0, byte),
        }
    }
    text.truncate(LONGEST);
    text
}

struct Sampler<'r> {
    random: &'r mut Random,
    text: Vec<u8>,
    captures: Vec<std::ops::Range<usize>>,
}

impl Sampler<'_> {
    fn write(&mut self, node: &Node) {
        if self.text.len() > LONGEST {
            return;
        }
        match node {
            Node::Set(set) => {
                let byte = self.byte(*set);
                self.text.extend(byte);
            }
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.write(node)),
            Node::Alternation(nodes) => {
                let node = self.random.pick(nodes);
                self.write(node);
            }
            Node::Repeat(repeat) => {
                let mut count = repeat.min;
                while !self.random.one_in(2) && repeat.max.is_none_or(|max| count < max) {
                    count += 1;
                }
                for _ in 0..count {
                    let before = self.text.len();
                    self.write(&repeat.node);
                    if self.text.len() == before || before > LONGEST {
                        break;
                    }
                }
            }
            Node::Capture { group, node } => {
                let start = self.text.len();
                self.write(node);
                self.captures[*group as usize] = start..self.text.len();
            }
            Node::Atomic(node) => self.write(node),
            Node::Backreference { group, .. } => {
                let text = self.captures[*group as usize].clone();
                self.text.extend_from_within(text);
            }
            Node::Empty | Node::Assert(_) | Node::Look(_) | Node::Keep | Node::Mark(_) => {}
        }
    }

    /// A byte of the set, mostly one that reads well.
    fn byte(&mut self, set: ByteSet) -> Option<u8> {
        let readable = ByteSet::range(b' '..=b'~').intersection(set);
        let set = if readable.is_empty() || self.random.one_in(8) {
            set
        } else {
            readable
        };
        let bytes: Vec<u8> = set.iter().collect();
        (!bytes.is_empty()).then(|| *self.random.pick(&bytes))
    }
}
