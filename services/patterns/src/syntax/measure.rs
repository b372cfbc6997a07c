//! Questions about a tree.

use super::{Greed, Node};

impl Node {
    /// The fewest bytes a match takes. For what never matches: of no meaning.
    pub(crate) fn min_len(&self) -> u64 {
        match self {
            Self::Set(_) => 1,
            Self::Concat(nodes) => nodes
                .iter()
                .fold(0, |sum, node| sum.saturating_add(node.min_len())),
            Self::Alternation(nodes) => nodes.iter().map(Self::min_len).min().unwrap_or(0),
            Self::Repeat(repeat) => repeat.node.min_len().saturating_mul(repeat.min.into()),
            Self::Capture { node, .. } | Self::Atomic(node) => node.min_len(),
            Self::Empty
            | Self::Assert(_)
            | Self::Look(_)
            | Self::Backreference { .. }
            | Self::Keep
            | Self::Mark(_) => 0,
        }
    }

    /// The most bytes a match takes; none when there is no limit (always for a back reference).
    pub(crate) fn max_len(&self) -> Option<u64> {
        match self {
            Self::Set(_) => Some(1),
            Self::Concat(nodes) => nodes
                .iter()
                .try_fold(0_u64, |sum, node| sum.checked_add(node.max_len()?)),
            Self::Alternation(nodes) => nodes
                .iter()
                .try_fold(0, |most, node| Some(node.max_len()?.max(most))),
            Self::Repeat(repeat) => match (repeat.node.max_len(), repeat.max) {
                (Some(0), _) => Some(0),
                (Some(length), Some(max)) => length.checked_mul(max.into()),
                _ => None,
            },
            Self::Capture { node, .. } | Self::Atomic(node) => node.max_len(),
            Self::Backreference { .. } => None,
            Self::Empty | Self::Assert(_) | Self::Look(_) | Self::Keep | Self::Mark(_) => Some(0),
        }
    }

    /// Whether it takes no byte and leaves nothing behind: it holds at a place or it does not.
    pub(crate) fn is_condition(&self) -> bool {
        match self {
            Self::Empty | Self::Assert(_) => true,
            Self::Look(look) => !look.node.has_capture(),
            Self::Concat(nodes) | Self::Alternation(nodes) => nodes.iter().all(Self::is_condition),
            Self::Repeat(repeat) => repeat.node.is_condition(),
            Self::Atomic(node) => node.is_condition(),
            Self::Set(_)
            | Self::Capture { .. }
            | Self::Backreference { .. }
            | Self::Keep
            | Self::Mark(_) => false,
        }
    }

    /// Whether it may match in more than one way at one place, as far as is seen at once.
    pub(crate) fn has_choice(&self) -> bool {
        match self {
            Self::Alternation(_) => true,
            Self::Concat(nodes) => nodes.iter().any(Self::has_choice),
            Self::Repeat(repeat) => {
                repeat.greed != Greed::Possessive
                    && (repeat.max != Some(repeat.min) || repeat.node.has_choice())
            }
            Self::Capture { node, .. } => node.has_choice(),
            Self::Empty
            | Self::Set(_)
            | Self::Assert(_)
            | Self::Look(_)
            | Self::Atomic(_)
            | Self::Backreference { .. }
            | Self::Keep
            | Self::Mark(_) => false,
        }
    }

    /// Whether there is a group that is remembered.
    pub(crate) fn has_capture(&self) -> bool {
        self.any(&mut |node| matches!(node, Self::Capture { .. }))
    }

    /// How many nodes it is made of.
    pub(crate) fn count(&self) -> usize {
        let mut count = 0;
        self.any(&mut |_| {
            count += 1;
            false
        });
        count
    }

    /// Whether a predicate holds for a node of the tree; asked from the root down, left to right.
    pub(crate) fn any(&self, predicate: &mut impl FnMut(&Self) -> bool) -> bool {
        predicate(self)
            || match self {
                Self::Concat(nodes) | Self::Alternation(nodes) => {
                    nodes.iter().any(|node| node.any(predicate))
                }
                Self::Repeat(repeat) => repeat.node.any(predicate),
                Self::Look(look) => look.node.any(predicate),
                Self::Capture { node, .. } | Self::Atomic(node) => node.any(predicate),
                Self::Empty
                | Self::Set(_)
                | Self::Assert(_)
                | Self::Backreference { .. }
                | Self::Keep
                | Self::Mark(_) => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use crate::syntax::{Flags, parse};

    #[test]
    fn lengths() {
        for (pattern, min, max) in [
            ("", 0, Some(0)),
            ("abc|d", 1, Some(3)),
            ("(?=abc)a{2,5}", 2, Some(5)),
            ("(ab)+\\1", 2, None),
            ("(?:ab?){65535}", 65_535, Some(131_070)),
            ("^$\\b\\K", 0, Some(0)),
            (
                "(?:(?:(?:(?:a{65535}){65535}){65535}){65535}){65535}",
                u64::MAX,
                None,
            ),
        ] {
            let node = parse(pattern.as_bytes(), Flags::default()).unwrap().node;
            assert_eq!((node.min_len(), node.max_len()), (min, max), "{pattern}");
        }
    }
}
