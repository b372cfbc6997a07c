//! The tree that is searched for places to start from.
//!
//! Every part has a number, [`Place`], at which a mark can be put; the first copies of a repeat are
//! parts of their own, so that a mark can stand between them, and are joined again where none does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::arm::{LONGEST_LANE, Position};
use super::simplify::{concat, repeat};
use crate::byteset::ByteSet;
use crate::syntax::{Assertion, Greed, Node, Repeat};

/// The number of a part: parents come before their children, neighbours in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

/// The most parts of a pattern's tree.
const MOST_PARTS: usize = 20_000;
/// A tree may always grow to this many parts, and otherwise to [`GROWTH`] times its size.
const FREE_PARTS: usize = 512;
const GROWTH: usize = 4;
/// How many copies of one byte of a set are parts of their own.
const SET_COPIES: u32 = 24;
/// How many copies of anything else.
const COPIES: u32 = 4;
/// Repeats deeper inside repeats are not copied.
const DEEPEST_COPY: u32 = 3;

/// A part of the tree.
#[derive(Debug)]
struct Element {
    kind: Kind,
    /// The number behind the last part of this one.
    end: u32,
    /// How it looks to a lane.
    columns: Columns,
    /// The most bytes it takes.
    longest: Option<u64>,
}

#[derive(Debug)]
enum Kind {
    /// One byte.
    Set(ByteSet),
    /// No byte: a condition or nothing.
    Condition(Node),
    Concat(Vec<Place>),
    Alternation(Vec<Place>),
    Repeat(Repeated),
}

/// `{min,max}` of a body whose first copies are parts of their own.
#[derive(Debug)]
struct Repeated {
    /// What is repeated: the first copy, or a part that no mark can be put in.
    body: Place,
    copies: Vec<Place>,
    /// What is left after the copies.
    min: u32,
    max: Option<u32>,
    greed: Greed,
}

/// Something that a match takes bytes for, as lanes see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// What may come before the first position.
    pub(super) lead: ByteSet,
    pub(super) positions: Vec<Position>,
}

impl Columns {
    fn byte(set: ByteSet) -> Self {
        Self {
            lead: ByteSet::EMPTY,
            positions: vec![Position {
                enter: set,
                stay: ByteSet::EMPTY,
            }],
        }
    }

    /// Every byte that may occur.
    fn bytes(&self) -> ByteSet {
        self.positions.iter().fold(self.lead, |bytes, position| {
            bytes.union(position.enter).union(position.stay)
        })
    }

    /// These bytes may follow.
    fn gap(&mut self, bytes: ByteSet) {
        let last = self.positions.last_mut();
        let place = last.map_or(&mut self.lead, |position| &mut position.stay);
        *place = place.union(bytes);
    }

    /// `next` follows. Beyond the longest lane everything is a gap.
    fn then(&mut self, next: &Self) {
        self.gap(next.lead);
        let room = LONGEST_LANE.saturating_sub(self.positions.len());
        self.positions.extend(next.positions.iter().take(room));
        for position in next.positions.iter().skip(room) {
            self.gap(position.enter.union(position.stay));
        }
    }

    /// Either of two: as many positions as the shorter one has, its last one covering the rest of
    /// the longer.
    fn or(&mut self, other: &Self) {
        let common = self.positions.len().min(other.positions.len());
        let mut rest = ByteSet::EMPTY;
        for position in self.positions.drain(common..) {
            rest = rest.union(position.enter).union(position.stay);
        }
        for position in other.positions.iter().skip(common) {
            rest = rest.union(position.enter).union(position.stay);
        }
        self.lead = self.lead.union(other.lead);
        for (position, other) in self.positions.iter_mut().zip(&other.positions) {
            position.enter = position.enter.union(other.enter);
            position.stay = position.stay.union(other.stay);
        }
        self.gap(rest);
    }
}

/// One of a sequence of parts, each following the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A part; a mark can be put before it.
    Part(Place),
    /// What is left of a repeat after its copies.
    Rest(Place),
    /// One more of a repeat's body.
    Copy(Place),
}

/// The tree of a pattern.
#[derive(Debug)]
pub(super) struct Tree {
    elements: Vec<Element>,
}

impl Tree {
    /// Takes a simplified pattern.
    pub(super) fn new(node: &Node) -> Self {
        let size = size(node);
        let limit = (size * GROWTH).max(FREE_PARTS).min(MOST_PARTS.max(size));
        let mut builder = Builder {
            tree: Self {
                elements: Vec::with_capacity(size),
            },
            room: limit - size.min(limit),
        };
        builder.add(node, 0);
        builder.tree
    }

    /// The whole pattern.
    pub(super) fn root() -> Place {
        Place(0)
    }

    /// How many parts there are.
    pub(super) fn parts(&self) -> u32 {
        u32::try_from(self.elements.len()).unwrap_or(u32::MAX)
    }

    fn get(&self, place: Place) -> Option<&Element> {
        self.elements.get(usize::try_from(place.0).ok()?)
    }

    /// The items a part consists of, one after the other, each with whether it is in a copy that
    /// is not the first.
    pub(super) fn flatten(&self, place: Place, again: bool, items: &mut Vec<(Item, bool)>) {
        match self.get(place).map(|element| &element.kind) {
            Some(Kind::Concat(parts)) => {
                for &part in parts {
                    self.flatten(part, again, items);
                }
            }
            Some(Kind::Repeat(repeated)) if !repeated.copies.is_empty() => {
                for (number, &copy) in repeated.copies.iter().enumerate() {
                    self.flatten(copy, again || number > 0, items);
                }
                if repeated.max != Some(0) {
                    items.push((Item::Rest(place), again));
                }
            }
            _ => items.push((Item::Part(place), again)),
        }
    }

    /// The branches of an item that is an alternation.
    pub(super) fn branches(&self, item: Item) -> Option<&[Place]> {
        match (item, self.get(item.place()).map(|element| &element.kind)) {
            (Item::Part(_), Some(Kind::Alternation(branches))) => Some(branches),
            _ => None,
        }
    }

    /// The body of an item that is an optional repeat of one byte, and how many there may be.
    pub(super) fn gap(&self, item: Item) -> Option<(Item, u32)> {
        let Some(Kind::Repeat(repeated)) = self.get(item.place()).map(|element| &element.kind)
        else {
            return None;
        };
        let whole = matches!(item, Item::Rest(_)) || repeated.copies.is_empty();
        let body = self.get(repeated.body).map(|body| &body.kind);
        (whole && repeated.min == 0 && matches!(body, Some(Kind::Set(_))))
            .then_some((Item::Copy(repeated.body), repeated.max?))
    }

    /// The condition that an item is.
    fn condition(&self, item: Item) -> Option<&Node> {
        match self.get(item.place()).map(|element| &element.kind) {
            Some(Kind::Condition(node)) => Some(node),
            _ => None,
        }
    }

    /// Whether an item is the start of the haystack.
    pub(super) fn is_start(&self, item: Item) -> bool {
        matches!(self.condition(item), Some(Node::Assert(Assertion::Start)))
    }

    /// Whether an item takes no byte.
    pub(super) fn is_condition(&self, item: Item) -> bool {
        self.condition(item).is_some()
    }

    /// Whether an item is a word's edge, or none.
    pub(super) fn is_word_condition(&self, item: Item) -> bool {
        matches!(
            self.condition(item),
            Some(Node::Assert(
                Assertion::WordBoundary | Assertion::NotWordBoundary
            ))
        )
    }

    /// Whether the lane form of an item accepts just what the item does.
    pub(super) fn is_simple(&self, item: Item) -> bool {
        match self.get(item.place()).map(|element| &element.kind) {
            Some(Kind::Set(_)) => true,
            Some(Kind::Condition(node)) => matches!(node, Node::Empty | Node::Assert(_)),
            // A lane stays for any number of bytes.
            Some(Kind::Repeat(repeated)) => {
                let body = self.get(repeated.body).map(|body| &body.kind);
                matches!(body, Some(Kind::Set(_))) && matches!(repeated.max, None | Some(0))
            }
            _ => false,
        }
    }

    /// The most bytes an item takes.
    pub(super) fn longest(&self, item: Item) -> Option<u64> {
        self.get(item.place()).and_then(|element| element.longest)
    }

    /// How an item looks to a lane.
    pub(super) fn columns(&self, item: Item) -> Cow<'_, Columns> {
        match self.get(item.place()) {
            Some(element) => match (item, &element.kind) {
                (Item::Rest(_), Kind::Repeat(repeated)) => Cow::Owned(self.rest(repeated)),
                _ => Cow::Borrowed(&element.columns),
            },
            None => Cow::Owned(Columns::default()),
        }
    }

    /// What a repeat's copies leave.
    fn rest(&self, repeated: &Repeated) -> Columns {
        let mut columns = Columns::default();
        let Some(body) = self.get(repeated.body) else {
            return columns;
        };
        for _ in 0..repeated.min.min(SET_COPIES) {
            columns.then(&body.columns);
        }
        if repeated.max != Some(repeated.min) || repeated.min > SET_COPIES {
            columns.gap(body.columns.bytes());
        }
        columns
    }

    /// The set of an item of one byte.
    pub(super) fn view(&self, item: Item) -> View<'_> {
        match (item, self.get(item.place()).map(|element| &element.kind)) {
            (Item::Part(_) | Item::Copy(_), Some(Kind::Set(set))) => View::Byte(*set),
            (Item::Part(_), Some(Kind::Condition(_))) => View::Condition,
            (Item::Part(_), Some(Kind::Concat(parts))) => View::Concat(parts),
            (Item::Part(_), Some(Kind::Alternation(parts))) => View::Alternation(parts),
            (Item::Part(place), Some(Kind::Repeat(repeated))) => View::Repeat {
                copies: &repeated.copies,
                rest: Item::Rest(place),
            },
            (Item::Rest(_), Some(Kind::Repeat(repeated))) => View::Rest {
                body: repeated.body,
                min: repeated.min,
                max: repeated.max,
            },
            _ => View::Condition,
        }
    }

    /// The pattern with marks before some of its parts.
    pub(super) fn with_marks(&self, marks: &BTreeMap<Place, u32>) -> Node {
        self.lower(Self::root(), marks)
    }

    fn lower(&self, place: Place, marks: &BTreeMap<Place, u32>) -> Node {
        let Some(element) = self.get(place) else {
            return Node::Empty;
        };
        let node = match &element.kind {
            Kind::Set(set) => Node::Set(*set),
            Kind::Condition(node) => node.clone(),
            Kind::Concat(parts) => concat(self.lower_all(parts, marks)),
            Kind::Alternation(parts) => Node::Alternation(self.lower_all(parts, marks)),
            Kind::Repeat(repeated) => self.lower_repeat(repeated, marks),
        };
        match marks.get(&place) {
            Some(&mark) => concat(vec![Node::Mark(mark), node]),
            None => node,
        }
    }

    fn lower_all(&self, parts: &[Place], marks: &BTreeMap<Place, u32>) -> Vec<Node> {
        parts.iter().map(|&part| self.lower(part, marks)).collect()
    }

    fn lower_repeat(&self, repeated: &Repeated, marks: &BTreeMap<Place, u32>) -> Node {
        let body = self.lower(repeated.body, &BTreeMap::new());
        let mut parts = Vec::new();
        let mut unmarked = 0_u32;
        for &copy in &repeated.copies {
            let end = self.get(copy).map_or(copy, |element| Place(element.end));
            if marks.range(copy..end).next().is_none() {
                unmarked += 1;
                continue;
            }
            parts.push(repeat(
                body.clone(),
                unmarked,
                Some(unmarked),
                Greed::Greedy,
            ));
            unmarked = 0;
            parts.push(self.lower(copy, marks));
        }
        parts.push(repeat(
            body,
            repeated.min.saturating_add(unmarked),
            repeated.max.map(|max| max.saturating_add(unmarked)),
            repeated.greed,
        ));
        concat(parts)
    }
}

impl Item {
    /// The part, or the repeat whose rest it is.
    pub(super) fn place(self) -> Place {
        match self {
            Self::Part(place) | Self::Rest(place) | Self::Copy(place) => place,
        }
    }
}

/// What an item is.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'a> {
    /// One byte.
    Byte(ByteSet),
    /// No byte.
    Condition,
    /// One after the other.
    Concat(&'a [Place]),
    /// One of them.
    Alternation(&'a [Place]),
    /// Copies, then the rest.
    Repeat {
        /// Each once.
        copies: &'a [Place],
        /// Then this.
        rest: Item,
    },
    /// `body{min,max}`.
    Rest {
        /// What is repeated.
        body: Place,
        /// At least.
        min: u32,
        /// At most.
        max: Option<u32>,
    },
}

/// How many parts a tree has without copies.
fn size(node: &Node) -> usize {
    match node {
        Node::Concat(nodes) | Node::Alternation(nodes) => 1 + nodes.iter().map(size).sum::<usize>(),
        Node::Repeat(repeat) => 1 + size(&repeat.node),
        _ => 1,
    }
}

struct Builder {
    tree: Tree,
    /// How many parts copies may still add.
    room: usize,
}

impl Builder {
    /// `depth` is how many copied repeats are around it.
    fn add(&mut self, node: &Node, depth: u32) -> Place {
        let number = self.tree.elements.len();
        let place = Place(u32::try_from(number).unwrap_or(u32::MAX));
        self.tree.elements.push(Element {
            kind: Kind::Condition(Node::Empty),
            end: place.0,
            columns: Columns::default(),
            longest: Some(0),
        });
        let (kind, columns, longest) = self.fill(node, depth);
        let end = u32::try_from(self.tree.elements.len()).unwrap_or(u32::MAX);
        if let Some(element) = self.tree.elements.get_mut(number) {
            *element = Element {
                kind,
                end,
                columns,
                longest,
            };
        }
        place
    }

    fn fill(&mut self, node: &Node, depth: u32) -> (Kind, Columns, Option<u64>) {
        match node {
            Node::Set(set) => (Kind::Set(*set), Columns::byte(*set), Some(1)),
            Node::Concat(nodes) => {
                let parts = self.add_all(nodes, depth);
                let mut columns = Columns::default();
                let mut longest = Some(0_u64);
                for part in parts.iter().filter_map(|&part| self.tree.get(part)) {
                    columns.then(&part.columns);
                    longest = longest
                        .zip(part.longest)
                        .map(|(sum, length)| sum.saturating_add(length));
                }
                (Kind::Concat(parts), columns, longest)
            }
            Node::Alternation(nodes) => {
                let parts = self.add_all(nodes, depth);
                let mut columns: Option<Columns> = None;
                let mut longest = Some(0_u64);
                for part in parts.iter().filter_map(|&part| self.tree.get(part)) {
                    match &mut columns {
                        Some(columns) => columns.or(&part.columns),
                        None => columns = Some(part.columns.clone()),
                    }
                    longest = longest.zip(part.longest).map(|(a, b)| a.max(b));
                }
                (
                    Kind::Alternation(parts),
                    columns.unwrap_or_default(),
                    longest,
                )
            }
            Node::Repeat(repeat) => self.fill_repeat(repeat, depth),
            node => (Kind::Condition(node.clone()), Columns::default(), Some(0)),
        }
    }

    fn add_all(&mut self, nodes: &[Node], depth: u32) -> Vec<Place> {
        nodes.iter().map(|node| self.add(node, depth)).collect()
    }

    fn fill_repeat(&mut self, repeat: &Repeat, depth: u32) -> (Kind, Columns, Option<u64>) {
        let most = match repeat.node {
            Node::Set(_) => SET_COPIES,
            _ => COPIES,
        };
        let mut copies = Vec::new();
        if depth < DEEPEST_COPY && repeat.min > 0 {
            let size = size(&repeat.node);
            copies.push(self.add(&repeat.node, depth + 1));
            while copies.len() < usize::try_from(repeat.min.min(most)).unwrap_or(0)
                && self.room >= size
            {
                self.room -= size;
                copies.push(self.add(&repeat.node, depth + 1));
            }
        }
        let body = match copies.first() {
            Some(&copy) => copy,
            None => self.add(&repeat.node, DEEPEST_COPY),
        };
        let done = u32::try_from(copies.len()).unwrap_or(u32::MAX);
        let repeated = Repeated {
            body,
            copies,
            min: repeat.min.saturating_sub(done),
            max: repeat.max.map(|max| max.saturating_sub(done)),
            greed: repeat.greed,
        };
        let mut columns = Columns::default();
        for copy in &repeated.copies {
            if let Some(copy) = self.tree.get(*copy) {
                columns.then(&copy.columns);
            }
        }
        columns.then(&self.tree.rest(&repeated));
        let longest = self
            .tree
            .get(body)
            .and_then(|body| match (body.longest, repeat.max) {
                (Some(0), _) => Some(0),
                (Some(length), Some(max)) => Some(length.saturating_mul(max.into())),
                _ => None,
            });
        (Kind::Repeat(repeated), columns, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bytes: &[u8]) -> Node {
        Node::Set(bytes.iter().copied().collect())
    }

    fn word(word: &str) -> Node {
        concat(word.bytes().map(|byte| set(&[byte])).collect())
    }

    fn times(node: Node, min: u32, max: Option<u32>) -> Node {
        Node::Repeat(Box::new(Repeat {
            node,
            min,
            max,
            greed: Greed::Greedy,
        }))
    }

    fn columns(node: &Node) -> Vec<(String, String)> {
        Tree::new(node)
            .columns(Item::Part(Tree::root()))
            .positions
            .iter()
            .map(|position| {
                (
                    format!("{:?}", position.enter),
                    format!("{:?}", position.stay),
                )
            })
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(enter, stay)| (format!("[{enter}]"), format!("[{stay}]")))
            .collect()
    }

    #[test]
    fn alternatives_share_the_positions_of_the_shortest() {
        let letter = Node::Alternation(vec![word("rn"), word("m"), word("|v|")]);
        assert_eq!(columns(&letter), pairs(&[("mr|", "nv|")]));
        let same = Node::Alternation(vec![word("ab"), word("cd")]);
        assert_eq!(columns(&same), pairs(&[("ac", ""), ("bd", "")]));
    }

    #[test]
    fn optional_parts_are_gaps() {
        let gappy = concat(vec![
            word("v"),
            times(set(b"_"), 0, Some(3)),
            word("i"),
            times(set(b"x"), 2, None),
        ]);
        assert_eq!(
            columns(&gappy),
            pairs(&[("v", "_"), ("i", ""), ("x", ""), ("x", "x")])
        );
    }

    #[test]
    fn beyond_the_longest_lane_everything_is_a_gap() {
        let long = concat(vec![times(set(b"a"), 24, Some(24)), word("bc")]);
        let columns = columns(&long);
        assert_eq!(columns.len(), LONGEST_LANE);
        assert_eq!(columns[23], pairs(&[("a", "b-c")])[0]);
    }

    #[test]
    fn marks_split_repeats_and_nothing_else() {
        let tree_of = |node: &Node| Tree::new(node);
        let node = concat(vec![word("x"), times(set(b"a"), 5, None), word("y")]);
        let tree = tree_of(&node);
        assert_eq!(tree.with_marks(&BTreeMap::new()), node);
        let mut items = Vec::new();
        tree.flatten(Tree::root(), false, &mut items);
        assert_eq!(items.len(), 8);
        let third = items[3].0.place();
        assert_eq!(
            tree.with_marks(&BTreeMap::from([(third, 0)])),
            Node::Concat(vec![
                set(b"x"),
                times(set(b"a"), 2, Some(2)),
                Node::Mark(0),
                set(b"a"),
                times(set(b"a"), 2, None),
                set(b"y"),
            ])
        );
    }

    #[test]
    fn nested_repeats_do_not_explode() {
        let mut node = set(b"a");
        for _ in 0..100 {
            node = concat(vec![times(node, 1_000, Some(1_000)), set(b"b")]);
        }
        let tree = Tree::new(&node);
        assert!(tree.elements.len() < 2_000, "{}", tree.elements.len());
        assert_eq!(tree.with_marks(&BTreeMap::new()), node);
    }
}
