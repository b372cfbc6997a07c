//! What a pattern can begin with: which anchored arms are worth trying.

use crate::byteset::ByteSet;
use crate::syntax::Node;

/// The bytes a match can begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// The bytes; every byte if the match may be empty, since then any may follow.
    pub(super) bytes: ByteSet,
    /// Whether the match may be empty.
    pub(super) empty: bool,
}

/// What the pattern can begin with, or more.
pub(super) fn of(node: &Node) -> First {
    let first = begin(node);
    if first.empty { ANYTHING } else { first }
}

const ANYTHING: First = First {
    bytes: ByteSet::ALL,
    empty: true,
};
const NOTHING: First = First {
    bytes: ByteSet::EMPTY,
    empty: true,
};

/// As [`of`], but if the match may be empty, `bytes` has those of the other matches only.
fn begin(node: &Node) -> First {
    match node {
        Node::Empty | Node::Assert(_) | Node::Look(_) | Node::Keep | Node::Mark(_) => NOTHING,
        Node::Set(set) => First {
            bytes: *set,
            empty: false,
        },
        Node::Concat(nodes) => {
            let mut bytes = ByteSet::EMPTY;
            for node in nodes {
                let next = begin(node);
                bytes = bytes.union(next.bytes);
                if !next.empty {
                    return First {
                        bytes,
                        empty: false,
                    };
                }
            }
            First { bytes, empty: true }
        }
        Node::Alternation(nodes) => nodes.iter().map(begin).fold(
            First {
                bytes: ByteSet::EMPTY,
                empty: false,
            },
            |first, next| First {
                bytes: first.bytes.union(next.bytes),
                empty: first.empty || next.empty,
            },
        ),
        Node::Repeat(repeat) => {
            let first = begin(&repeat.node);
            First {
                bytes: first.bytes,
                empty: first.empty || repeat.min == 0,
            }
        }
        Node::Capture { node, .. } | Node::Atomic(node) => begin(node),
        Node::Backreference { .. } => ANYTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flags;

    fn first(expression: &str) -> First {
        of(
            &crate::syntax::parse(expression.as_bytes(), Flags::default())
                .unwrap()
                .node,
        )
    }

    #[test]
    fn bytes_a_match_can_begin_with() {
        let set = |bytes: &[u8], empty| First {
            bytes: bytes.iter().copied().collect(),
            empty,
        };
        assert_eq!(first("^abc"), set(b"a", false));
        assert_eq!(first("^a?bc"), set(b"ab", false));
        assert_eq!(first("^(?:a|bc|)d"), set(b"abd", false));
        assert_eq!(first("^(?=x)[yz]{2}"), set(b"yz", false));
        assert_eq!(first("^(a)?b\\1"), set(b"ab", false));
        assert_eq!(first("^(?:a|)*"), ANYTHING);
        assert_eq!(first("^a{0,3}"), ANYTHING);
        assert_eq!(
            first("^(a|)\\1c"),
            First {
                bytes: ByteSet::ALL,
                empty: false
            }
        );
    }
}
