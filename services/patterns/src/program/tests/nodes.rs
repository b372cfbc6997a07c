//! Trees made at random, and what they mean.

use std::collections::BTreeSet;

use crate::byteset::ByteSet;
use crate::syntax::sample::Random;
use crate::syntax::{Assertion, Direction, Greed, Look, Node, Repeat, Sense};

/// What trees may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No captures, atomic groups, possessive repetitions, back references.
    Regular,
    /// These, too.
    Irregular,
}

const BYTES: &[u8] = b"abAB_ -\n";
const ASSERTIONS: &[Assertion] = &[
    Assertion::Start,
    Assertion::LineStart,
    Assertion::End,
    Assertion::EndOrNewline,
    Assertion::LineEnd,
    Assertion::WordBoundary,
    Assertion::NotWordBoundary,
];

/// A short text of the bytes trees like.
pub(super) fn text(random: &mut Random, longest: usize) -> Vec<u8> {
    let length = random.below(longest + 1);
    (0..length).map(|_| *random.pick(BYTES)).collect()
}

pub(super) struct Generator<'r> {
    pub(super) random: &'r mut Random,
    pub(super) kind: Kind,
    pub(super) groups: u32,
}

impl Generator<'_> {
    pub(super) fn set(&mut self) -> ByteSet {
        match self.random.below(6) {
            0 => ByteSet::of(b'a').with(b'A'),
            1 => ByteSet::of(b'\n').complement(),
            2 => (0..=u8::MAX)
                .filter(|&byte| crate::syntax::is_word(byte))
                .collect(),
            3 => ByteSet::of(*self.random.pick(BYTES)).with(*self.random.pick(BYTES)),
            _ => ByteSet::of(*self.random.pick(BYTES)),
        }
    }

    pub(super) fn node(&mut self, depth: u32) -> Node {
        let leaf = depth == 0;
        let irregular = self.kind == Kind::Irregular;
        match self.random.below(if leaf { 8 } else { 20 }) {
            0..=5 => Node::Set(self.set()),
            6 => Node::Assert(*self.random.pick(ASSERTIONS)),
            7 => Node::Empty,
            8..=11 => {
                let count = 1 + self.random.below(5);
                Node::Concat((0..count).map(|_| self.node(depth - 1)).collect())
            }
            12 | 13 => {
                let count = 1 + self.random.below(5);
                Node::Alternation((0..count).map(|_| self.node(depth - 1)).collect())
            }
            14..=16 => self.repeat(depth),
            17 => self.look(depth),
            18 if irregular => {
                if self.groups > 0 && self.random.one_in(2) {
                    return Node::Backreference {
                        group: 1 + u32::try_from(self.random.below(self.groups as usize)).unwrap(),
                        caseless: self.random.one_in(2),
                    };
                }
                self.groups += 1;
                let group = self.groups;
                Node::Capture {
                    group,
                    node: Box::new(self.node(depth - 1)),
                }
            }
            19 if irregular => Node::Atomic(Box::new(self.node(depth - 1))),
            _ => Node::Set(self.set()),
        }
    }

    fn repeat(&mut self, depth: u32) -> Node {
        let node = if self.random.one_in(2) {
            Node::Set(self.set())
        } else {
            self.node(depth - 1)
        };
        let min = *self.random.pick(&[0, 0, 0, 1, 1, 2, 3, 9]);
        let more = *self.random.pick(&[0, 1, 1, 2, 5, 12]);
        Node::Repeat(Box::new(Repeat {
            node,
            min,
            max: (!self.random.one_in(2)).then_some(min + more),
            greed: match self.random.below(5) {
                0 | 1 => Greed::Lazy,
                2 if self.kind == Kind::Irregular => Greed::Possessive,
                _ => Greed::Greedy,
            },
        }))
    }

    fn look(&mut self, depth: u32) -> Node {
        Node::Look(Box::new(Look {
            direction: *self.random.pick(&[Direction::Ahead, Direction::Behind]),
            sense: *self.random.pick(&[Sense::Positive, Sense::Negative]),
            node: self.node(depth - 1),
        }))
    }
}

/// Puts marks into a regular tree, at places where they may be.
pub(super) fn mark(node: &Node, random: &mut Random, marks: &mut u32) -> Node {
    let inner = match node {
        Node::Concat(nodes) => {
            Node::Concat(nodes.iter().map(|node| mark(node, random, marks)).collect())
        }
        Node::Alternation(nodes) => {
            Node::Alternation(nodes.iter().map(|node| mark(node, random, marks)).collect())
        }
        Node::Repeat(repeat) if repeat.min <= 1 && repeat.max.is_none_or(|max| max == 1) => {
            Node::Repeat(Box::new(Repeat {
                node: mark(&repeat.node, random, marks),
                ..(**repeat).clone()
            }))
        }
        node => node.clone(),
    };
    if !random.one_in(3) {
        return inner;
    }
    *marks += 1;
    let place = Node::Mark(*marks - 1);
    if random.one_in(2) {
        Node::Concat(vec![place, inner])
    } else {
        Node::Concat(vec![inner, place])
    }
}

/// Where matching is, and whether it has passed the mark that is looked for.
type Place = (usize, bool);

/// The mark that is looked for, and where.
pub(super) type Wanted = Option<(u32, usize)>;

/// Where a regular tree can end that starts at these places. All ways at once: no order.
pub(super) fn ends(
    node: &Node,
    text: &[u8],
    from: &BTreeSet<Place>,
    wanted: Wanted,
) -> BTreeSet<Place> {
    match node {
        Node::Empty | Node::Keep => from.clone(),
        Node::Set(set) => from
            .iter()
            .filter(|(at, _)| text.get(*at).is_some_and(|byte| set.contains(*byte)))
            .map(|(at, passed)| (at + 1, *passed))
            .collect(),
        Node::Concat(nodes) => nodes
            .iter()
            .fold(from.clone(), |from, node| ends(node, text, &from, wanted)),
        Node::Alternation(nodes) => nodes
            .iter()
            .flat_map(|node| ends(node, text, from, wanted))
            .collect(),
        Node::Repeat(repeat) => {
            let mut found = BTreeSet::new();
            let mut now = from.clone();
            let mut count = 0;
            loop {
                if count >= repeat.min {
                    let before = found.len();
                    found.extend(now.iter().copied());
                    if found.len() == before {
                        return found;
                    }
                }
                if repeat.max == Some(count) || now.is_empty() {
                    return found;
                }
                now = ends(&repeat.node, text, &now, wanted);
                count += 1;
            }
        }
        Node::Assert(assertion) => from
            .iter()
            .filter(|(at, _)| assertion.holds(text, *at))
            .copied()
            .collect(),
        Node::Look(look) => from
            .iter()
            .filter(|(at, _)| looks(look, text, *at) == (look.sense == Sense::Positive))
            .copied()
            .collect(),
        Node::Mark(mark) => from
            .iter()
            .map(|&(at, passed)| (at, passed || wanted == Some((*mark, at))))
            .collect(),
        Node::Capture { .. } | Node::Atomic(_) | Node::Backreference { .. } => {
            unreachable!("not regular")
        }
    }
}

fn looks(look: &Look, text: &[u8], at: usize) -> bool {
    let mut starts = match look.direction {
        Direction::Ahead => at..=at,
        Direction::Behind => 0..=at,
    };
    starts.any(|start| {
        let found = ends(&look.node, text, &BTreeSet::from([(start, false)]), None);
        match look.direction {
            Direction::Ahead => !found.is_empty(),
            Direction::Behind => found.contains(&(at, false)),
        }
    })
}
