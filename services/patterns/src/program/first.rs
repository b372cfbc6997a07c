//! Which bytes can stand next to a place of a pattern.

use super::Side;
use crate::byteset::ByteSet;
use crate::syntax::{Assertion, Direction, Greed, Look, Node, Repeat, Sense};

/// The order in which code consumes the haystack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Towards the end.
    Forward,
    /// Towards the start.
    Backward,
}

impl Way {
    /// The way a look-around goes.
    pub(super) fn of(direction: Direction) -> Self {
        match direction {
            Direction::Ahead => Self::Forward,
            Direction::Behind => Self::Backward,
        }
    }
}

impl Side {
    /// Any byte, or none.
    pub(super) const ANY: Self = Self {
        bytes: ByteSet::ALL,
        edge: true,
    };
    /// Nothing: the place cannot be passed.
    const NEVER: Self = Self {
        bytes: ByteSet::EMPTY,
        edge: false,
    };

    /// What either allows.
    pub(super) fn union(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.union(other.bytes),
            edge: self.edge || other.edge,
        }
    }

    /// What both allow.
    fn intersection(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.intersection(other.bytes),
            edge: self.edge && other.edge,
        }
    }

    /// Whether a word byte is possible.
    fn may_be_word(self) -> bool {
        !self.bytes.is_disjoint(WORD.bytes)
    }

    /// Whether another byte or the edge is possible.
    fn may_be_other(self) -> bool {
        self.edge || !self.bytes.difference(WORD.bytes).is_empty()
    }
}

/// Word bytes: `[0-9A-Za-z_]`.
pub(super) const WORD: Side = Side {
    bytes: ByteSet::from_words([0x03ff_0000_0000_0000, 0x07ff_fffe_87ff_fffe, 0, 0]),
    edge: false,
};

/// All other bytes, and the edge.
pub(super) const OTHER: Side = Side {
    bytes: ByteSet::from_words([
        !0x03ff_0000_0000_0000,
        !0x07ff_fffe_87ff_fffe,
        u64::MAX,
        u64::MAX,
    ]),
    edge: true,
};

/// What can be next, given what stands on the other side of the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follow {
    /// If that is a word byte.
    after_word: Side,
    /// If it is another byte or the edge.
    after_other: Side,
}

impl Follow {
    /// No condition.
    pub(super) const ANY: Self = Self {
        after_word: Side::ANY,
        after_other: Side::ANY,
    };

    /// A byte of a set.
    pub(super) fn of(set: ByteSet) -> Self {
        Self::ANY.narrow(Side {
            bytes: set,
            edge: false,
        })
    }

    /// What either allows.
    pub(super) fn union(self, other: Self) -> Self {
        Self {
            after_word: self.after_word.union(other.after_word),
            after_other: self.after_other.union(other.after_other),
        }
    }

    /// What also passes a condition on the next byte.
    fn narrow(self, side: Side) -> Self {
        Self {
            after_word: self.after_word.intersection(side),
            after_other: self.after_other.intersection(side),
        }
    }

    /// What can be next, whatever stands on the other side.
    pub(super) fn side(self) -> Side {
        self.after_word.union(self.after_other)
    }

    /// Whether only word bytes can be next.
    pub(super) fn only_word(self) -> bool {
        !self.side().may_be_other()
    }

    /// Whether no word byte can be next.
    pub(super) fn only_other(self) -> bool {
        !self.side().may_be_word()
    }

    /// What can be next, given what can stand on the other side.
    fn given(self, opposite: Side) -> Side {
        let mut side = Side::NEVER;
        if opposite.may_be_word() {
            side = side.union(self.after_word);
        }
        if opposite.may_be_other() {
            side = side.union(self.after_other);
        }
        side
    }
}

/// The two sides of a place whose continuations are known.
pub(super) fn sides(forward: Follow, backward: Follow) -> (Side, Side) {
    let after = forward.given(backward.side());
    let before = backward.given(after);
    (before, forward.given(before))
}

/// What can be next before `node`, when `follow` is what can be next after it.
pub(super) fn first(node: &Node, way: Way, follow: Follow) -> Follow {
    match node {
        Node::Empty | Node::Keep | Node::Mark(_) => follow,
        Node::Set(set) => Follow::of(*set),
        Node::Concat(nodes) => match way {
            Way::Forward => nodes
                .iter()
                .rev()
                .fold(follow, |follow, node| first(node, way, follow)),
            Way::Backward => nodes
                .iter()
                .fold(follow, |follow, node| first(node, way, follow)),
        },
        Node::Alternation(nodes) => nodes
            .iter()
            .map(|node| first(node, way, follow))
            .reduce(Follow::union)
            .unwrap_or(Follow {
                after_word: Side::NEVER,
                after_other: Side::NEVER,
            }),
        Node::Repeat(repeat) => first_of_repeat(repeat, way, follow),
        Node::Capture { node, .. } | Node::Atomic(node) => first(node, way, follow),
        Node::Assert(assertion) => after_assertion(*assertion, way, follow),
        Node::Look(look) => after_look(look, way, follow),
        Node::Backreference { .. } => follow.union(Follow::of(ByteSet::ALL)),
    }
}

fn first_of_repeat(repeat: &Repeat, way: Way, follow: Follow) -> Follow {
    if repeat.max == Some(0) {
        return follow;
    }
    // Another iteration after an empty one adds nothing.
    let body = first(&repeat.node, way, follow);
    if repeat.min == 0 {
        body.union(follow)
    } else {
        body
    }
}

fn after_assertion(assertion: Assertion, way: Way, follow: Follow) -> Follow {
    let newline = Side {
        bytes: ByteSet::of(b'\n'),
        edge: true,
    };
    let edge = Side {
        bytes: ByteSet::EMPTY,
        edge: true,
    };
    match (assertion, way) {
        (Assertion::Start, Way::Backward) | (Assertion::End, Way::Forward) => follow.narrow(edge),
        (Assertion::LineStart, Way::Backward)
        | (Assertion::EndOrNewline | Assertion::LineEnd, Way::Forward) => follow.narrow(newline),
        (Assertion::Start | Assertion::LineStart, Way::Forward)
        | (Assertion::End | Assertion::EndOrNewline | Assertion::LineEnd, Way::Backward) => follow,
        (Assertion::WordBoundary, _) => Follow {
            after_word: follow.after_word.intersection(OTHER),
            after_other: follow.after_other.intersection(WORD),
        },
        (Assertion::NotWordBoundary, _) => Follow {
            after_word: follow.after_word.intersection(WORD),
            after_other: follow.after_other.intersection(OTHER),
        },
    }
}

/// What a look-around leaves of what can be next.
pub(super) fn after_look(look: &Look, way: Way, follow: Follow) -> Follow {
    if Way::of(look.direction) != way {
        return follow;
    }
    match (look.sense, single(&look.node)) {
        (Sense::Negative, Some(set)) => follow.narrow(Side {
            bytes: set.complement(),
            edge: true,
        }),
        (Sense::Negative, None) => follow,
        (Sense::Positive, _) => follow.narrow(first(&look.node, way, Follow::ANY).side()),
    }
}

/// The set of a node that consumes one byte.
pub(super) fn single(node: &Node) -> Option<ByteSet> {
    match node {
        Node::Set(set) => Some(*set),
        Node::Concat(nodes) => match nodes.as_slice() {
            [node] => single(node),
            _ => None,
        },
        Node::Alternation(nodes) => nodes
            .iter()
            .try_fold(ByteSet::EMPTY, |set, node| Some(set.union(single(node)?))),
        _ => None,
    }
}

/// Whether the node can match the empty string, as far as can be seen.
pub(super) fn nullable(node: &Node) -> bool {
    match node {
        Node::Set(_) => false,
        Node::Concat(nodes) => nodes.iter().all(nullable),
        Node::Alternation(nodes) => nodes.iter().any(nullable),
        Node::Repeat(repeat) => repeat.min == 0 || nullable(&repeat.node),
        Node::Capture { node, .. } | Node::Atomic(node) => nullable(node),
        Node::Empty
        | Node::Keep
        | Node::Mark(_)
        | Node::Assert(_)
        | Node::Look(_)
        | Node::Backreference { .. } => true,
    }
}

/// Whether the node matches the empty string at every place, and has no mark.
pub(super) fn skippable(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Keep => true,
        Node::Concat(nodes) => nodes.iter().all(skippable),
        Node::Alternation(nodes) => nodes.iter().any(skippable) && !has_mark(node),
        Node::Repeat(repeat) => {
            (repeat.min == 0 && !has_mark(&repeat.node)) || skippable(&repeat.node)
        }
        Node::Capture { node, .. } | Node::Atomic(node) => skippable(node),
        Node::Set(_)
        | Node::Mark(_)
        | Node::Assert(_)
        | Node::Look(_)
        | Node::Backreference { .. } => false,
    }
}

/// Whether there is a mark anywhere in the node.
pub(super) fn has_mark(node: &Node) -> bool {
    any(node, &|node| matches!(node, Node::Mark(_)))
}

/// Whether the node has a part for which order matters.
pub(super) fn irregular(node: &Node) -> bool {
    any(node, &|node| match node {
        Node::Capture { .. } | Node::Atomic(_) | Node::Backreference { .. } => true,
        Node::Repeat(repeat) => {
            let fixed = repeat.max == Some(repeat.min) && single(&repeat.node).is_some();
            repeat.greed == Greed::Possessive && !fixed
        }
        _ => false,
    })
}

fn any(node: &Node, test: &impl Fn(&Node) -> bool) -> bool {
    test(node)
        || match node {
            Node::Concat(nodes) | Node::Alternation(nodes) => {
                nodes.iter().any(|node| any(node, test))
            }
            Node::Repeat(repeat) => any(&repeat.node, test),
            Node::Capture { node, .. } | Node::Atomic(node) => any(node, test),
            Node::Look(look) => any(&look.node, test),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(byte: u8) -> Node {
        Node::Set(ByteSet::of(byte))
    }

    #[test]
    fn word_bytes_are_those_of_the_assertions() {
        for byte in 0..=u8::MAX {
            assert_eq!(WORD.bytes.contains(byte), crate::syntax::is_word(byte));
            assert_ne!(WORD.bytes.contains(byte), OTHER.bytes.contains(byte));
        }
    }

    #[test]
    fn a_boundary_tells_about_the_other_side() {
        // The place after `\b` in `\bf`.
        let forward = first(&byte(b'f'), Way::Forward, Follow::ANY);
        let backward = first(
            &Node::Assert(Assertion::WordBoundary),
            Way::Backward,
            Follow::ANY,
        );
        let (before, after) = sides(forward, backward);
        assert_eq!(after.bytes, ByteSet::of(b'f'));
        assert!(!after.edge && before.edge);
        assert!(!before.bytes.contains(b'a') && before.bytes.contains(b' '));
    }

    #[test]
    fn the_start_has_only_the_edge_before() {
        let backward = first(&Node::Assert(Assertion::Start), Way::Backward, Follow::ANY);
        let (before, _) = sides(Follow::ANY, backward);
        assert!(before.bytes.is_empty() && before.edge);
    }

    #[test]
    fn an_optional_part_adds_what_follows() {
        let node = Node::Concat(vec![
            Node::Repeat(Box::new(Repeat {
                node: byte(b'a'),
                min: 0,
                max: Some(1),
                greed: Greed::Greedy,
            })),
            byte(b'b'),
        ]);
        let ahead = first(&node, Way::Forward, Follow::ANY).side();
        assert_eq!(ahead.bytes, ByteSet::range(b'a'..=b'b'));
        assert!(!ahead.edge);
        let behind = first(&node, Way::Backward, Follow::ANY).side();
        assert_eq!(behind.bytes, ByteSet::of(b'b'));
    }
}
