//! From the parsed tree to the one that confirms: what is not regular is relaxed to something that
//! accepts at least as much, and said so.
//!
//! Possessive repeats and atomic groups become plain ones. Often that changes nothing: when what
//! follows cannot begin where something could be given back, or when nothing follows that could
//! fail. Otherwise the pattern keeps its exact form beside the relaxed one.

use std::collections::BTreeMap;

use crate::byteset::ByteSet;
use crate::syntax::{Direction, Greed, Look, Node, Repeat, Sense};

/// A relaxed pattern.
#[derive(Debug)]
pub(super) struct Simplified {
    /// Accepts at least what the pattern does, with the same priorities where it accepts just that.
    pub(super) node: Node,
    /// Whether it accepts more than the pattern.
    pub(super) relaxed: bool,
    /// Whether it reports another start than the pattern: `\K` is gone.
    pub(super) moved: bool,
}

/// Alternatives with this many leading bytes in common share them.
const SHORTEST_PREFIX: usize = 3;
/// Shorter ones do when the alternatives are no longer than this, as spellings of a letter are.
const LONGEST_CHARACTER: u64 = 4;
/// How deeply prefixes are shared: every level deepens the tree by two.
const DEEPEST_PREFIX: u32 = 8;
/// A back reference is relaxed to its group if that has no more parts than this.
const LARGEST_ECHO: usize = 64;
/// Beyond this depth of repeats inside repeats a possessive repeat is not looked into.
const DEEPEST_FOLLOW: u32 = 8;

/// Relaxes a pattern.
pub(super) fn simplify(node: &Node) -> Simplified {
    let mut simplifier = Simplifier {
        groups: BTreeMap::new(),
        final_parts: false,
        relaxed: false,
        moved: false,
        repeats: 0,
        behind: false,
    };
    simplifier.survey(node);
    let node = simplifier.relax(node, Follow::END);
    Simplified {
        node,
        relaxed: simplifier.relaxed,
        moved: simplifier.moved,
    }
}

/// What may come after a part of a pattern, up to the pattern's end.
#[derive(Clone, Copy)]
struct Follow {
    /// The first bytes of what consumes some.
    first: ByteSet,
    /// Whether there is a way to the end without a byte.
    end: bool,
    /// Whether such a way may have conditions.
    condition: bool,
}

impl Follow {
    /// Nothing comes after.
    const END: Self = Self {
        first: ByteSet::EMPTY,
        end: true,
        condition: false,
    };
    /// Anything may.
    const UNKNOWN: Self = Self {
        first: ByteSet::ALL,
        end: true,
        condition: true,
    };

    /// Whether what comes after always succeeds.
    fn succeeds(self) -> bool {
        self.end && !self.condition
    }

    fn or(self, other: Self) -> Self {
        Self {
            first: self.first.union(other.first),
            end: self.end || other.end,
            condition: self.condition || other.condition,
        }
    }

    /// `self`, then what follows it.
    fn then(self, next: Self) -> Self {
        if self.end {
            Self {
                first: self.first.union(next.first),
                end: next.end,
                condition: self.condition || next.condition,
            }
        } else {
            self
        }
    }
}

/// How a part of a pattern begins; `end` is whether it may match the empty string.
fn begin(node: &Node) -> Follow {
    match node {
        Node::Empty | Node::Mark(_) | Node::Keep => Follow::END,
        Node::Set(set) => Follow {
            first: *set,
            end: false,
            condition: false,
        },
        Node::Concat(nodes) => {
            let mut whole = Follow::END;
            for node in nodes {
                whole = whole.then(begin(node));
                if !whole.end {
                    break;
                }
            }
            whole
        }
        Node::Alternation(nodes) => nodes
            .iter()
            .map(begin)
            .reduce(Follow::or)
            .unwrap_or(Follow::UNKNOWN),
        Node::Repeat(repeat) => {
            let body = begin(&repeat.node);
            match (repeat.min, repeat.max) {
                (_, Some(0)) => Follow::END,
                (0, _) => body.or(Follow::END),
                _ => body,
            }
        }
        Node::Capture { node, .. } | Node::Atomic(node) => begin(node),
        Node::Assert(_) | Node::Look(_) => Follow {
            first: ByteSet::EMPTY,
            end: true,
            condition: true,
        },
        Node::Backreference { .. } => Follow::UNKNOWN,
    }
}

/// Whether there is at most one way to match from a given place.
fn unambiguous(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Look(_) | Node::Mark(_) => true,
        Node::Concat(nodes) => nodes.iter().all(unambiguous),
        Node::Alternation(nodes) => {
            let mut seen = ByteSet::EMPTY;
            nodes.iter().all(|node| {
                let begin = begin(node);
                let new = !begin.end && begin.first.is_disjoint(seen);
                seen = seen.union(begin.first);
                new && unambiguous(node)
            })
        }
        Node::Repeat(repeat) => repeat.max == Some(repeat.min) && unambiguous(&repeat.node),
        Node::Atomic(_) | Node::Capture { .. } | Node::Backreference { .. } | Node::Keep => false,
    }
}

struct Simplifier<'a> {
    /// The groups that back references name; after a branch reset several have one number.
    groups: BTreeMap<u32, Vec<&'a Node>>,
    /// Whether there is an atomic group or a possessive repeat at all.
    final_parts: bool,
    relaxed: bool,
    moved: bool,
    /// Repeats around the current part.
    repeats: u32,
    /// Whether the current part is what a look-behind looks for.
    behind: bool,
}

impl<'a> Simplifier<'a> {
    fn survey(&mut self, node: &'a Node) {
        match node {
            Node::Concat(nodes) | Node::Alternation(nodes) => {
                nodes.iter().for_each(|node| self.survey(node));
            }
            Node::Repeat(repeat) => {
                self.final_parts |= repeat.greed == Greed::Possessive;
                self.survey(&repeat.node);
            }
            Node::Capture { group, node } => {
                self.groups.entry(*group).or_default().push(node);
                self.survey(node);
            }
            Node::Atomic(node) => {
                self.final_parts = true;
                self.survey(node);
            }
            Node::Look(look) => self.survey(&look.node),
            _ => {}
        }
    }

    /// `follow` is what may come after the part.
    fn relax(&mut self, node: &Node, follow: Follow) -> Node {
        match node {
            Node::Empty | Node::Set(_) | Node::Assert(_) => node.clone(),
            Node::Mark(_) => Node::Empty,
            Node::Keep => {
                self.moved = true;
                Node::Empty
            }
            Node::Concat(nodes) => self.relax_concat(nodes, follow),
            Node::Alternation(nodes) => {
                let branches = nodes.iter().map(|node| self.relax(node, follow)).collect();
                // Looking back, every alternative keeps its own length.
                let depth = if self.behind { DEEPEST_PREFIX } else { 0 };
                alternation(branches, depth)
            }
            Node::Repeat(repeat) => self.relax_repeat(repeat, follow),
            Node::Capture { node, .. } => self.relax(node, follow),
            Node::Look(look) => self.relax_look(look),
            Node::Atomic(inner) => self.relax_atomic(inner, follow),
            Node::Backreference { group, caseless } => {
                self.relaxed = true;
                self.relax_reference(*group, *caseless)
            }
        }
    }

    /// What a group may have matched, or as many bytes.
    fn relax_reference(&self, group: u32, caseless: bool) -> Node {
        let groups = self.groups.get(&group).map_or(&[][..], Vec::as_slice);
        let mut room = LARGEST_ECHO;
        let echoes = groups.iter().map(|node| echo(node, caseless, &mut room));
        if let Some(branches) = echoes.collect::<Option<Vec<Node>>>()
            && !branches.is_empty()
        {
            return alternation(branches, DEEPEST_PREFIX);
        }
        let min = groups.iter().map(|node| node.min_len()).min().unwrap_or(0);
        let max = groups
            .iter()
            .try_fold(0, |most, node| Some(node.max_len()?.max(most)));
        repeat(
            Node::Set(ByteSet::ALL),
            u32::try_from(min).unwrap_or(0),
            max.and_then(|max| u32::try_from(max).ok()),
            Greed::Greedy,
        )
    }

    fn relax_concat(&mut self, nodes: &[Node], follow: Follow) -> Node {
        let mut parts = Vec::with_capacity(nodes.len());
        let mut follow = follow;
        for node in nodes.iter().rev() {
            parts.push(self.relax(node, follow));
            if self.final_parts {
                follow = begin(node).then(follow);
            }
        }
        parts.reverse();
        concat(parts)
    }

    fn relax_repeat(&mut self, node: &Repeat, follow: Follow) -> Node {
        if node.greed == Greed::Possessive {
            self.relaxed |= !same_when_plain(node, follow);
        }
        let inner = if !self.final_parts || self.repeats >= DEEPEST_FOLLOW {
            Follow::UNKNOWN
        } else {
            self.after_iteration(node, follow)
        };
        self.repeats += 1;
        let body = self.relax(&node.node, inner);
        self.repeats -= 1;
        let greed = match node.greed {
            Greed::Possessive => Greed::Greedy,
            greed => greed,
        };
        repeat(body, node.min, node.max, greed)
    }

    /// What comes after one iteration: another one or what follows the repeat.
    fn after_iteration(&self, node: &Repeat, follow: Follow) -> Follow {
        let body = begin(&node.node);
        let again = body.then(follow);
        let mut next = if node.max == Some(1) {
            follow
        } else {
            again.or(follow)
        };
        // Iterations that must come, and empty ones, which end a repeat, are conditions.
        next.condition |= node.min > 1 || body.end || node.greed == Greed::Possessive;
        next
    }

    fn relax_atomic(&mut self, inner: &Node, follow: Follow) -> Node {
        let same = follow.succeeds()
            || unambiguous(inner)
            || matches!(inner, Node::Repeat(repeat)
                if repeat.greed != Greed::Lazy && same_when_plain(repeat, follow));
        self.relaxed |= !same;
        // Inside, what follows cannot make it try again: as at the end of a pattern.
        let follow = if same { follow } else { Follow::END };
        self.relax(inner, follow)
    }

    fn relax_look(&mut self, look: &Look) -> Node {
        let before = (self.relaxed, self.moved);
        self.relaxed = false;
        let follow = match look.direction {
            Direction::Ahead => Follow::END,
            // The end must be the place looked from.
            Direction::Behind => Follow::UNKNOWN,
        };
        let behind = std::mem::replace(&mut self.behind, look.direction == Direction::Behind);
        let inner = self.relax(&look.node, follow);
        self.behind = behind;
        let irregular = self.relaxed;
        self.relaxed = before.0;
        self.moved = before.1;
        if irregular {
            self.relaxed = true;
            return Node::Empty;
        }
        match (&inner, look.sense) {
            (Node::Empty, Sense::Positive) => Node::Empty,
            _ => Node::Look(Box::new(Look {
                direction: look.direction,
                sense: look.sense,
                node: inner,
            })),
        }
    }
}

/// All texts that a group may have matched, as a pattern without conditions; none for what is too
/// large or refers to groups itself.
fn echo(node: &Node, caseless: bool, room: &mut usize) -> Option<Node> {
    *room = room.checked_sub(1)?;
    let mut all = |nodes: &[Node]| -> Option<Vec<Node>> {
        nodes
            .iter()
            .map(|node| echo(node, caseless, room))
            .collect()
    };
    Some(match node {
        Node::Set(set) if caseless => Node::Set(set.fold_case()),
        Node::Set(set) => Node::Set(*set),
        Node::Concat(nodes) => concat(all(nodes)?),
        Node::Alternation(nodes) => alternation(all(nodes)?, DEEPEST_PREFIX),
        Node::Repeat(part) => {
            let body = echo(&part.node, caseless, room)?;
            repeat(body, part.min, part.max, Greed::Greedy)
        }
        Node::Capture { node, .. } | Node::Atomic(node) => echo(node, caseless, room)?,
        Node::Empty | Node::Assert(_) | Node::Look(_) | Node::Keep | Node::Mark(_) => Node::Empty,
        Node::Backreference { .. } => return None,
    })
}

/// Whether a possessive repeat before `follow` matches what the greedy one does.
fn same_when_plain(repeat: &Repeat, follow: Follow) -> bool {
    if follow.succeeds() {
        return true;
    }
    let body = begin(&repeat.node);
    if body.end || !unambiguous(&repeat.node) {
        return false;
    }
    // After giving back, the next byte begins an iteration.
    repeat.max == Some(repeat.min) || (!follow.end && follow.first.is_disjoint(body.first))
}

/// One after the other, without needless nesting.
pub(super) fn concat(parts: Vec<Node>) -> Node {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Node::Empty => {}
            Node::Concat(inner) => flat.extend(inner),
            part => flat.push(part),
        }
    }
    match flat.len() {
        0 => Node::Empty,
        1 => flat.pop().unwrap_or(Node::Empty),
        _ => Node::Concat(flat),
    }
}

/// `node{min,max}`, without needless nesting.
pub(super) fn repeat(node: Node, min: u32, max: Option<u32>, greed: Greed) -> Node {
    match (&node, min, max) {
        (Node::Empty, ..) | (_, _, Some(0)) => Node::Empty,
        (_, 1, Some(1)) => node,
        _ => Node::Repeat(Box::new(Repeat {
            node,
            min,
            max,
            greed,
        })),
    }
}

/// One of the branches: neighbours of one byte become one set, neighbours that begin alike share
/// their beginning. Both keep the order in which matches are found.
fn alternation(branches: Vec<Node>, depth: u32) -> Node {
    let mut flat = Vec::with_capacity(branches.len());
    for branch in branches {
        match branch {
            Node::Alternation(inner) => inner.into_iter().for_each(|node| add(&mut flat, node)),
            branch => add(&mut flat, branch),
        }
    }
    if depth < DEEPEST_PREFIX && flat.len() > 1 {
        flat = share_prefixes(flat, depth);
    }
    if flat.len() == 1 {
        return flat.pop().unwrap_or(Node::Empty);
    }
    if flat.is_empty() {
        return Node::Set(ByteSet::EMPTY);
    }
    Node::Alternation(flat)
}

/// Adds a branch behind the others.
fn add(branches: &mut Vec<Node>, node: Node) {
    match (branches.last_mut(), node) {
        (_, Node::Set(ByteSet::EMPTY)) => {}
        (Some(Node::Set(last)), Node::Set(set)) => *last = last.union(set),
        (Some(last), node) if *last == node => {}
        (_, node) => branches.push(node),
    }
}

/// The parts a branch is made of.
fn parts(node: &Node) -> &[Node] {
    match node {
        Node::Concat(parts) => parts,
        node => std::slice::from_ref(node),
    }
}

fn share_prefixes(branches: Vec<Node>, depth: u32) -> Vec<Node> {
    let mut shared = Vec::with_capacity(branches.len());
    let mut branches = branches.into_iter().peekable();
    while let Some(branch) = branches.next() {
        let head = match parts(&branch).first() {
            Some(Node::Set(set)) => *set,
            _ => {
                shared.push(branch);
                continue;
            }
        };
        let alike =
            |node: &Node| matches!(parts(node).first(), Some(Node::Set(set)) if *set == head);
        let mut group = vec![branch];
        while let Some(next) = branches.next_if(|next| alike(next)) {
            group.push(next);
        }
        let length = common_prefix(&group);
        let character = |node: &Node| node.max_len().is_some_and(|most| most <= LONGEST_CHARACTER);
        if group.len() > 1 && (length >= SHORTEST_PREFIX || group.iter().all(character)) {
            shared.push(with_prefix(group, length, depth));
        } else {
            shared.append(&mut group);
        }
    }
    shared
}

/// How many leading sets all branches have in common.
fn common_prefix(group: &[Node]) -> usize {
    let Some((first, rest)) = group.split_first() else {
        return 0;
    };
    let same = |place: usize, part: &Node| {
        matches!(part, Node::Set(_))
            && rest
                .iter()
                .all(|branch| parts(branch).get(place) == Some(part))
    };
    parts(first)
        .iter()
        .enumerate()
        .take_while(|&(place, part)| same(place, part))
        .count()
}

fn with_prefix(group: Vec<Node>, length: usize, depth: u32) -> Node {
    let mut prefix = Vec::new();
    let mut rests = Vec::with_capacity(group.len());
    for branch in group {
        let mut all = match branch {
            Node::Concat(parts) => parts,
            node => vec![node],
        };
        rests.push(concat(all.split_off(length)));
        prefix = all;
    }
    prefix.push(alternation(rests, depth + 1));
    concat(prefix)
}

/// Whether a pattern matches every haystack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Always {
    /// It may match the empty string anywhere.
    Yes,
    /// Nobody knows.
    No,
}

/// Whether a simplified pattern matches every haystack.
pub(super) fn always_matches(node: &Node) -> Always {
    if begin(node).succeeds() {
        Always::Yes
    } else {
        Always::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Assertion;

    fn set(bytes: &[u8]) -> Node {
        Node::Set(bytes.iter().copied().collect())
    }

    fn word(word: &str) -> Node {
        concat(word.bytes().map(|byte| set(&[byte])).collect())
    }

    fn repeated(node: Node, min: u32, max: Option<u32>, greed: Greed) -> Node {
        Node::Repeat(Box::new(Repeat {
            node,
            min,
            max,
            greed,
        }))
    }

    fn possessive(node: Node) -> Node {
        repeated(node, 1, None, Greed::Possessive)
    }

    fn look(sense: Sense, node: Node) -> Node {
        Node::Look(Box::new(Look {
            direction: Direction::Ahead,
            sense,
            node,
        }))
    }

    fn relaxed(node: &Node) -> bool {
        simplify(node).relaxed
    }

    #[test]
    fn possessive_before_something_else_is_the_same_as_greedy() {
        let same = Node::Concat(vec![possessive(set(b"ab")), word("cd")]);
        let simplified = simplify(&same);
        assert!(!simplified.relaxed);
        assert_eq!(
            simplified.node,
            concat(vec![
                repeated(set(b"ab"), 1, None, Greed::Greedy),
                word("cd")
            ])
        );
        assert!(relaxed(&Node::Concat(vec![
            possessive(set(b"ab")),
            word("bd")
        ])));
        assert!(relaxed(&Node::Concat(vec![
            possessive(set(b"ab")),
            Node::Assert(Assertion::WordBoundary)
        ])));
        assert!(!relaxed(&possessive(set(b"ab"))));
        let optional = repeated(word("a"), 0, Some(1), Greed::Greedy);
        assert!(!relaxed(&Node::Concat(vec![
            possessive(set(b"ab")),
            optional
        ])));
    }

    #[test]
    fn possessive_inside_a_repeat_sees_the_next_iteration() {
        // (?:a++b?)*c may never give an a back; (?:a++b?){2} may have to.
        let body = || {
            concat(vec![
                possessive(word("a")),
                repeated(word("b"), 0, Some(1), Greed::Greedy),
            ])
        };
        let star = concat(vec![repeated(body(), 0, None, Greed::Greedy), word("c")]);
        // (?:a+b?)* could read aa as two iterations; both read the same text, but that is not proved.
        assert!(relaxed(&star));
        assert!(relaxed(&repeated(body(), 2, Some(2), Greed::Greedy)));
    }

    #[test]
    fn atomic_groups_that_can_match_in_one_way_are_plain() {
        let atomic = |node| Node::Atomic(Box::new(node));
        let disjoint = Node::Alternation(vec![word("foo"), word("bar")]);
        let nested = Node::Alternation(vec![word("a"), word("ab")]);
        assert!(!relaxed(&concat(vec![atomic(disjoint), word("x")])));
        assert!(relaxed(&concat(vec![atomic(nested.clone()), word("c")])));
        assert!(!relaxed(&concat(vec![word("x"), atomic(nested)])));
        let lazy = repeated(set(b"a"), 1, None, Greed::Lazy);
        assert!(relaxed(&concat(vec![atomic(lazy), word("b")])));
    }

    fn doubled(node: Node, caseless: bool) -> Node {
        Node::Concat(vec![
            Node::Capture {
                group: 1,
                node: Box::new(node),
            },
            Node::Backreference { group: 1, caseless },
        ])
    }

    #[test]
    fn back_references_become_what_their_group_may_match() {
        let body = || repeated(set(b"ab"), 2, Some(5), Greed::Greedy);
        let edge = Node::Assert(Assertion::WordBoundary);
        let group = concat(vec![edge.clone(), body()]);
        let simplified = simplify(&doubled(group, false));
        assert!(simplified.relaxed);
        assert_eq!(simplified.node, Node::Concat(vec![edge, body(), body()]));
        let simplified = simplify(&doubled(body(), true));
        let folded = repeated(set(b"aAbB"), 2, Some(5), Greed::Greedy);
        assert_eq!(simplified.node, Node::Concat(vec![body(), folded]));
    }

    #[test]
    fn back_references_to_large_groups_become_as_many_bytes() {
        let large = word(&"x".repeat(100));
        let simplified = simplify(&doubled(large.clone(), false));
        let any = repeated(Node::Set(ByteSet::ALL), 100, Some(100), Greed::Greedy);
        assert_eq!(simplified.node, concat(vec![large, any]));
    }

    #[test]
    fn looks_stay_when_their_content_is_regular() {
        let regular = concat(vec![look(Sense::Negative, word("foo")), word("f")]);
        let simplified = simplify(&regular);
        assert!(!simplified.relaxed);
        assert_eq!(simplified.node, regular);
        let reference = Node::Backreference {
            group: 1,
            caseless: true,
        };
        for sense in [Sense::Positive, Sense::Negative] {
            let irregular = concat(vec![look(sense, reference.clone()), word("f")]);
            let simplified = simplify(&irregular);
            assert!(simplified.relaxed);
            assert_eq!(simplified.node, word("f"));
        }
    }

    #[test]
    fn single_bytes_merge_and_long_prefixes_are_shared_in_order() {
        let node = Node::Alternation(vec![word("a"), word("b"), word("cd"), word("c")]);
        assert_eq!(
            simplify(&node).node,
            Node::Alternation(vec![
                set(b"ab"),
                concat(vec![
                    word("c"),
                    Node::Alternation(vec![word("d"), Node::Empty])
                ]),
            ])
        );
        let long = Node::Alternation(vec![word("xyz1"), word("xyz23"), word("q")]);
        assert_eq!(
            simplify(&long).node,
            Node::Alternation(vec![
                concat(vec![
                    word("xyz"),
                    Node::Alternation(vec![word("1"), word("23")])
                ]),
                word("q"),
            ])
        );
    }
}
