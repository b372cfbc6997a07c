//! Making nodes: the same pattern always becomes the same, smallest tree that can be had for free.

use super::{Assertion, Direction, Greed, Look, Node, Repeat, Sense};
use crate::byteset::ByteSet;

impl Node {
    /// Never matches.
    pub(crate) const FAIL: Self = Self::Set(ByteSet::EMPTY);

    /// One after the other: concatenations inside are dissolved, [`Empty`](Self::Empty) left out.
    pub(crate) fn concat(nodes: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Empty => {}
                Self::Concat(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Self::single(flat, Self::Concat).unwrap_or(Self::Empty)
    }

    /// One of them: alternations inside are dissolved, neighbouring sets joined, and what never
    /// matches is left out.
    pub(crate) fn alternation(nodes: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Alternation(inner) => {
                    inner.into_iter().for_each(|node| push(&mut flat, node));
                }
                other => push(&mut flat, other),
            }
        }
        Self::single(flat, Self::Alternation).unwrap_or(Self::FAIL)
    }

    /// `node{min,max}`, without a repetition where once or never says the same.
    pub(crate) fn repeat(node: Self, min: u32, max: Option<u32>, greed: Greed) -> Self {
        if max == Some(0) || node == Self::Empty {
            return Self::Empty;
        }
        if node.is_condition() {
            return if min == 0 { Self::Empty } else { node };
        }
        if (min, max) == (1, Some(1)) {
            return match greed {
                Greed::Possessive => Self::atomic(node),
                Greed::Greedy | Greed::Lazy => node,
            };
        }
        // PCRE2: a look-around that is repeated without end is repeated once more than it must be.
        let max = match (&node, max) {
            (Self::Look(_), None) => Some(min + 1),
            (_, max) => max,
        };
        // A repetition that has no choice is not given back either way.
        let greed = match greed {
            Greed::Possessive if max == Some(min) && !node.has_choice() => Greed::Greedy,
            Greed::Lazy if max == Some(min) => Greed::Greedy,
            greed => greed,
        };
        Self::Repeat(Box::new(Repeat {
            node,
            min,
            max,
            greed,
        }))
    }

    /// `(?>node)`, without the group where there is nothing to give back.
    pub(crate) fn atomic(node: Self) -> Self {
        if node.has_choice() {
            Self::Atomic(Box::new(node))
        } else {
            node
        }
    }

    /// A look-around; `(?!)` never matches, `(?=)` always.
    pub(crate) fn look(direction: Direction, sense: Sense, node: Self) -> Self {
        match (sense, node) {
            (Sense::Positive, Self::Empty) => Self::Empty,
            (Sense::Negative, Self::Empty) => Self::FAIL,
            (sense, node) => Self::Look(Box::new(Look {
                direction,
                sense,
                node,
            })),
        }
    }

    /// The bytes of a string, one after the other.
    pub(crate) fn string(bytes: &[u8]) -> Self {
        let sets = bytes.iter().map(|&byte| Self::Set(ByteSet::of(byte)));
        Self::concat(sets.collect())
    }

    /// `[[:<:]]` and `[[:>:]]`: a word boundary with a word on one side.
    pub(super) fn word_edge(side: Direction) -> Self {
        let word = super::is_word;
        let set = Self::Set((0..=u8::MAX).filter(|&byte| word(byte)).collect());
        Self::Concat(vec![
            Self::Assert(Assertion::WordBoundary),
            Self::look(side, Sense::Positive, set),
        ])
    }

    fn single(mut nodes: Vec<Self>, several: fn(Vec<Self>) -> Self) -> Option<Self> {
        if nodes.len() > 1 {
            Some(several(nodes))
        } else {
            nodes.pop()
        }
    }
}

fn push(alternatives: &mut Vec<Node>, node: Node) {
    match (alternatives.last_mut(), node) {
        (_, Node::Set(ByteSet::EMPTY)) => {}
        (Some(Node::Set(last)), Node::Set(set)) => *last = last.union(set),
        (_, node) => alternatives.push(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(byte: u8) -> Node {
        Node::Set(ByteSet::of(byte))
    }

    #[test]
    fn trees_are_flat() {
        assert_eq!(Node::concat(vec![]), Node::Empty);
        assert_eq!(
            Node::concat(vec![
                byte(b'a'),
                Node::Concat(vec![byte(b'b'), byte(b'c')]),
                Node::Empty,
            ]),
            Node::string(b"abc")
        );
        assert_eq!(
            Node::alternation(vec![
                byte(b'a'),
                Node::FAIL,
                byte(b'b'),
                Node::Empty,
                byte(b'c')
            ]),
            Node::Alternation(vec![
                Node::Set(ByteSet::of(b'a').with(b'b')),
                Node::Empty,
                byte(b'c')
            ])
        );
        assert_eq!(Node::alternation(vec![Node::FAIL]), Node::FAIL);
    }

    #[test]
    fn repetitions_that_say_nothing_go() {
        let end = Node::Assert(Assertion::End);
        let star = |node| Node::repeat(node, 0, None, Greed::Greedy);
        assert_eq!(star(end.clone()), Node::Empty);
        assert_eq!(Node::repeat(end.clone(), 3, None, Greed::Lazy), end);
        assert_eq!(Node::repeat(byte(1), 1, Some(1), Greed::Lazy), byte(1));
        assert_eq!(
            Node::repeat(byte(1), 1, Some(1), Greed::Possessive),
            byte(1)
        );
        assert!(matches!(
            Node::repeat(star(byte(1)), 1, Some(1), Greed::Possessive),
            Node::Atomic(_)
        ));
        let Node::Repeat(twice) = Node::repeat(byte(1), 2, Some(2), Greed::Possessive) else {
            panic!()
        };
        assert_eq!(twice.greed, Greed::Greedy);
    }
}
