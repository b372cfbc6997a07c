//! Emission of one section: from a tree to instructions.
//!
//! Code is written from its end to its start, so that what follows a part is known when the part
//! is emitted: its label, which bytes can be next there, and whether it is the end of the match.

use std::collections::HashMap;

use super::EmitError;
use super::first::{
    Follow, OTHER, WORD, Way, after_look, first, has_mark, irregular, single, skippable,
};
use super::instruction::{
    LOOK_AHEAD, LOOK_NEGATIVE, NEXT_EDGE, PEEK_AHEAD, Word, assertion, has_target, op, width,
};
use crate::byteset::ByteSet;
use crate::syntax::{Assertion, Direction, Look, Node, Sense};

/// The most words a section may have.
pub(super) const LONGEST_SECTION: usize = 1 << 18;
/// The most sets a program may have, tables of switches included.
const MOST_SETS: usize = 1 << 15;
/// The most registers a program may have.
pub(super) const MOST_REGISTERS: u32 = 1 << 12;
/// Bytes a masked comparison tests at once.
const LONGEST_MASKED: usize = 8;
/// A label that has no place yet.
const UNBOUND: u32 = u32::MAX;

/// What code must preserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Whether there is a match.
    Existence,
    /// Which match Perl finds first.
    Ordered,
}

/// The sets of a program, each once.
#[derive(Debug, Default)]
pub(super) struct Pool {
    sets: Vec<[u8; 32]>,
    known: HashMap<[u8; 32], u16>,
    tables: HashMap<[[u8; 32]; 8], u32>,
}

impl Pool {
    /// The number of a set.
    pub(super) fn set(&mut self, set: ByteSet) -> Result<u16, EmitError> {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(set.words()) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        if let Some(&number) = self.known.get(&bytes) {
            return Ok(number);
        }
        if self.sets.len() >= MOST_SETS {
            return Err(EmitError::TooLarge);
        }
        let number = u16::try_from(self.sets.len()).map_err(|_| EmitError::TooLarge)?;
        self.sets.push(bytes);
        self.known.insert(bytes, number);
        Ok(number)
    }

    /// The number of the first set of a switch's table.
    pub(super) fn table(&mut self, table: [[u8; 32]; 8]) -> Result<u32, EmitError> {
        if let Some(&number) = self.tables.get(&table) {
            return Ok(number);
        }
        if self.sets.len() + table.len() > MOST_SETS {
            return Err(EmitError::TooLarge);
        }
        let number = u32::try_from(self.sets.len()).map_err(|_| EmitError::TooLarge)?;
        self.sets.extend(table);
        self.tables.insert(table, number);
        Ok(number)
    }

    /// All sets.
    pub(super) fn sets(&self) -> &[[u8; 32]] {
        &self.sets
    }
}

/// A place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// What follows the part that is emitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// What can be next.
    pub(super) first: Follow,
    /// Whether nothing follows but the end of the match.
    pub(super) accepting: bool,
}

impl Next {
    /// The end of a match.
    pub(super) const END: Self = Self {
        first: Follow::ANY,
        accepting: true,
    };

    /// Code that starts like this.
    pub(super) fn code(first: Follow) -> Self {
        Self {
            first,
            accepting: false,
        }
    }
}

/// A part of a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element<'n> {
    /// Consumes one byte.
    Set(ByteSet),
    /// Anything else.
    Node(&'n Node),
}

/// The parts of a node in the order in which code of this way runs through them.
pub(super) fn elements(node: &Node, way: Way) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    push_elements(node, &mut found);
    if way == Way::Backward {
        found.reverse();
    }
    found
}

fn push_elements<'n>(node: &'n Node, found: &mut Vec<Element<'n>>) {
    match node {
        Node::Empty => {}
        Node::Concat(nodes) => {
            for node in nodes {
                push_elements(node, found);
            }
        }
        Node::Repeat(repeat) if (repeat.min, repeat.max) == (1, Some(1)) => {
            match repeat.greed {
                // A possessive single iteration is atomic.
                crate::syntax::Greed::Possessive => found.push(Element::Node(node)),
                _ => push_elements(&repeat.node, found),
            }
        }
        _ => found.push(single(node).map_or(Element::Node(node), Element::Set)),
    }
}

/// A finished section; targets and places are relative to its start.
#[derive(Debug)]
pub(super) struct Section {
    /// The code.
    pub(super) words: Vec<Word>,
    /// Where matching starts.
    pub(super) start: u32,
    /// Where a search starts: like `start`, but a leading run has no maximum.
    pub(super) search: u32,
    /// What can be next at the start.
    pub(super) first: Follow,
    /// Per mark: where its continuation starts, and what can be next there.
    pub(super) marks: Vec<(u32, Follow)>,
}

/// Whether marks get entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// There are this many, and each has one.
    Entered(u32),
    /// They are passed over.
    Ignored,
}

/// Writes one section.
#[derive(Debug)]
pub(super) struct Emitter<'p> {
    pub(super) way: Way,
    pub(super) meaning: Meaning,
    pub(super) pool: &'p mut Pool,
    /// Last word first.
    words: Vec<Word>,
    /// Per label: the number of words from its place to the end.
    labels: Vec<u32>,
    /// Registers in use.
    pub(super) registers: u32,
    marks: Vec<Option<(Label, Follow)>>,
    /// How many look-arounds, atomic groups and counted loops are open.
    pub(super) enclosed: u32,
    treatment: Marks,
}

impl<'p> Emitter<'p> {
    /// Emits `node` as a section. Registers below `registers` are taken; that is the first
    /// register's number for loops.
    pub(super) fn emit(
        node: &Node,
        way: Way,
        meaning: Meaning,
        treatment: Marks,
        pool: &'p mut Pool,
    ) -> Result<(Section, u32), EmitError> {
        let count = match treatment {
            Marks::Entered(count) => count,
            Marks::Ignored => 0,
        };
        let count = usize::try_from(count).map_err(|_| EmitError::TooLarge)?;
        if count > LONGEST_SECTION {
            return Err(EmitError::TooLarge);
        }
        let mut emitter = Self {
            way,
            meaning,
            pool,
            words: Vec::new(),
            labels: Vec::new(),
            registers: match meaning {
                Meaning::Existence => 0,
                Meaning::Ordered => 1 + 3 * groups(node),
            },
            marks: vec![None; count],
            enclosed: 0,
            treatment,
        };
        emitter.push(Word {
            op: op::MATCH,
            ..Word::default()
        })?;
        let (start, search, next) = emitter.body(node)?;
        let registers = emitter.registers;
        Ok((emitter.finish(start, search, next.first)?, registers))
    }

    /// Emits everything, and a second start for searches if that helps.
    fn body(&mut self, node: &Node) -> Result<(Label, Label, Next), EmitError> {
        let elements = elements(node, self.way);
        let lead = elements
            .iter()
            .position(|element| !matches!(element, Element::Node(Node::Mark(_))))
            .unwrap_or(0);
        let bounded = match elements.get(lead) {
            Some(Element::Node(Node::Repeat(repeat)))
                if self.meaning == Meaning::Existence
                    && self.way == Way::Forward
                    && repeat.max.is_some()
                    && repeat.max != Some(0) =>
            {
                single(&repeat.node).map(|set| (repeat.min, set))
            }
            _ => None,
        };
        let Some((min, set)) = bounded else {
            let next = self.sequence(&elements, Next::END)?;
            let start = self.here();
            return Ok((start, start, next));
        };
        let (front, rest) = elements.split_at_checked(lead + 1).unwrap_or_default();
        let behind = self.sequence(rest, Next::END)?;
        let join = self.here();
        let next = self.sequence(front, behind)?;
        let start = self.here();
        // A match whose leading run is cut short by its maximum is also one of a longer run.
        self.jump(join)?;
        self.span(set, min, None, behind)?;
        Ok((start, self.here(), next))
    }

    /// A label for the place before everything emitted so far.
    pub(super) fn here(&mut self) -> Label {
        let label = self.fresh();
        self.bind(label);
        label
    }

    /// A label whose place comes later.
    pub(super) fn fresh(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() - 1)
    }

    /// Puts a label here.
    pub(super) fn bind(&mut self, label: Label) {
        let place = u32::try_from(self.words.len()).unwrap_or(UNBOUND);
        if let Some(slot) = self.labels.get_mut(label.0) {
            *slot = place;
        }
    }

    /// Whether the label is here.
    pub(super) fn is_here(&self, label: Label) -> bool {
        self.labels
            .get(label.0)
            .is_some_and(|&place| usize::try_from(place) == Ok(self.words.len()))
    }

    /// The target field for a label, until the section is finished.
    pub(super) fn target(label: Label) -> u32 {
        u32::try_from(label.0).unwrap_or(UNBOUND)
    }

    /// Puts a word before everything emitted so far.
    pub(super) fn push(&mut self, word: Word) -> Result<(), EmitError> {
        if self.words.len() >= LONGEST_SECTION || self.labels.len() >= 4 * LONGEST_SECTION {
            return Err(EmitError::TooLarge);
        }
        self.words.push(word);
        Ok(())
    }

    /// Puts an instruction with its operands before everything emitted so far.
    pub(super) fn push_all(&mut self, words: &[Word]) -> Result<(), EmitError> {
        words.iter().rev().try_for_each(|&word| self.push(word))
    }

    /// Goes to a label.
    pub(super) fn jump(&mut self, label: Label) -> Result<(), EmitError> {
        self.push(Word {
            op: op::JUMP,
            c: Self::target(label),
            ..Word::default()
        })
    }

    /// A new register.
    pub(super) fn register(&mut self) -> Result<u16, EmitError> {
        let register = self.registers;
        if register >= MOST_REGISTERS {
            return Err(EmitError::TooLarge);
        }
        self.registers += 1;
        u16::try_from(register).map_err(|_| EmitError::TooLarge)
    }

    /// Emits parts, given in the order in which they run.
    pub(super) fn sequence(
        &mut self,
        elements: &[Element<'_>],
        mut next: Next,
    ) -> Result<Next, EmitError> {
        let mut bytes = Vec::new();
        for element in elements.iter().rev() {
            match element {
                Element::Set(set) => bytes.push(*set),
                Element::Node(node) => {
                    next = self.bytes(&mut bytes, next)?;
                    next = self.node(node, next)?;
                }
            }
        }
        self.bytes(&mut bytes, next)
    }

    /// Emits and empties a run of single bytes, the last to be consumed first.
    pub(super) fn bytes(
        &mut self,
        reversed: &mut Vec<ByteSet>,
        next: Next,
    ) -> Result<Next, EmitError> {
        let Some(first) = reversed.last().copied() else {
            return Ok(next);
        };
        reversed.reverse();
        let mut pieces = Vec::new();
        let mut rest = reversed.as_slice();
        while !rest.is_empty() {
            let cubes = rest
                .iter()
                .take(LONGEST_MASKED)
                .take_while(|set| cube(set).is_some())
                .count();
            let (piece, behind) = rest.split_at_checked(cubes.max(1)).unwrap_or_default();
            pieces.push(piece);
            rest = behind;
        }
        for piece in pieces.iter().rev() {
            match piece {
                [set] => self.one(*set)?,
                _ => self.masked(piece)?,
            }
        }
        reversed.clear();
        Ok(Next::code(Follow::of(first)))
    }

    fn one(&mut self, set: ByteSet) -> Result<(), EmitError> {
        let word = match set.single() {
            Some(byte) => Word {
                op: op::BYTE,
                a: byte,
                ..Word::default()
            },
            None if set.is_empty() => Word::default(),
            None => Word {
                op: op::SET,
                b: self.pool.set(set)?,
                ..Word::default()
            },
        };
        self.push(word)
    }

    fn masked(&mut self, sets: &[ByteSet]) -> Result<(), EmitError> {
        let mut value = [0; LONGEST_MASKED];
        let mut mask = [0; LONGEST_MASKED];
        let place = |index: usize| match self.way {
            Way::Forward => index,
            Way::Backward => sets.len() - 1 - index,
        };
        for (index, set) in sets.iter().enumerate() {
            let (wanted, relevant) = cube(set).unwrap_or_default();
            if let (Some(value), Some(mask)) =
                (value.get_mut(place(index)), mask.get_mut(place(index)))
            {
                *value = wanted;
                *mask = relevant;
            }
        }
        self.push_all(&[
            Word {
                op: op::MASKED,
                a: u8::try_from(sets.len()).unwrap_or(0),
                ..Word::default()
            },
            Word::from_bytes(value),
            Word::from_bytes(mask),
        ])
    }

    /// Emits any node.
    pub(super) fn node(&mut self, node: &Node, next: Next) -> Result<Next, EmitError> {
        if self.meaning == Meaning::Existence && next.accepting && skippable(node) {
            return Ok(next);
        }
        match node {
            Node::Empty => Ok(next),
            Node::Set(set) => self.bytes(&mut vec![*set], next),
            Node::Concat(_) => self.sequence(&elements(node, self.way), next),
            Node::Alternation(nodes) => {
                let branches = nodes.iter().map(|node| elements(node, self.way)).collect();
                self.alternation(branches, next, 0)
            }
            Node::Repeat(repeat) => self.repeat(repeat, next),
            Node::Capture { group, node } => self.capture(*group, node, next),
            Node::Assert(assertion) => self.assertion(*assertion, next),
            Node::Look(look) => self.look(look, next),
            Node::Atomic(node) => self.atomic(node, next),
            Node::Backreference { group, caseless } => {
                self.ordered_only()?;
                self.push(Word {
                    op: op::BACKREFERENCE,
                    a: u8::from(*caseless),
                    b: self.group(*group)?,
                    c: 0,
                })?;
                Ok(Next::code(next.first.union(Follow::of(ByteSet::ALL))))
            }
            Node::Keep => self.keep(next),
            Node::Mark(mark) => self.mark(*mark, next),
        }
    }

    /// Refuses a part for which order matters where it does not.
    pub(super) fn ordered_only(&self) -> Result<(), EmitError> {
        if self.meaning == Meaning::Existence {
            return Err(EmitError::Irregular);
        }
        if self.way == Way::Backward {
            return Err(EmitError::IrregularLookBehind);
        }
        Ok(())
    }

    /// The first of a group's three registers. Register 0 is for the kept start.
    fn group(&self, group: u32) -> Result<u16, EmitError> {
        let register = group
            .checked_sub(1)
            .and_then(|group| group.checked_mul(3))
            .and_then(|register| register.checked_add(1))
            .filter(|register| *register < MOST_REGISTERS)
            .ok_or(EmitError::TooLarge)?;
        u16::try_from(register).map_err(|_| EmitError::TooLarge)
    }

    fn capture(&mut self, group: u32, node: &Node, next: Next) -> Result<Next, EmitError> {
        self.ordered_only()?;
        let register = self.group(group)?;
        self.push(Word {
            op: op::CLOSE,
            b: register,
            ..Word::default()
        })?;
        let next = self.node(node, Next::code(next.first))?;
        self.push(Word {
            op: op::OPEN,
            b: register,
            ..Word::default()
        })?;
        Ok(Next::code(next.first))
    }

    fn keep(&mut self, next: Next) -> Result<Next, EmitError> {
        if self.meaning == Meaning::Existence {
            return Ok(next);
        }
        self.ordered_only()?;
        self.push(Word {
            op: op::KEEP,
            ..Word::default()
        })?;
        Ok(Next::code(next.first))
    }

    fn mark(&mut self, mark: u32, next: Next) -> Result<Next, EmitError> {
        if self.treatment == Marks::Ignored {
            return Ok(next);
        }
        let label = self.here();
        let slot = usize::try_from(mark)
            .ok()
            .and_then(|mark| self.marks.get_mut(mark))
            .ok_or(EmitError::MisplacedMark)?;
        if self.enclosed > 0 || slot.is_some() {
            return Err(EmitError::MisplacedMark);
        }
        *slot = Some((label, next.first));
        Ok(next)
    }

    fn assertion(&mut self, assertion: Assertion, next: Next) -> Result<Next, EmitError> {
        let boundary = match assertion {
            Assertion::WordBoundary => Some((OTHER, WORD)),
            Assertion::NotWordBoundary => Some((WORD, OTHER)),
            _ => None,
        };
        let opposite = boundary.and_then(|(beside_word, beside_other)| {
            if next.first.only_word() {
                Some(beside_word)
            } else if next.first.only_other() {
                Some(beside_other)
            } else {
                None
            }
        });
        match opposite {
            Some(side) => {
                let direction = match self.way {
                    Way::Forward => Direction::Behind,
                    Way::Backward => Direction::Ahead,
                };
                self.peek(direction, side)?;
            }
            None => self.push(Word {
                op: op::ASSERT,
                a: assertion::encode(assertion),
                ..Word::default()
            })?,
        }
        let node = Node::Assert(assertion);
        Ok(Next::code(first(&node, self.way, next.first)))
    }

    fn peek(&mut self, direction: Direction, side: super::Side) -> Result<(), EmitError> {
        let word = Word {
            op: op::PEEK,
            a: match direction {
                Direction::Ahead => PEEK_AHEAD,
                Direction::Behind => 0,
            } | if side.edge { NEXT_EDGE } else { 0 },
            b: self.pool.set(side.bytes)?,
            c: 0,
        };
        self.push(word)
    }

    fn look(&mut self, look: &Look, next: Next) -> Result<Next, EmitError> {
        if let Some(set) = single(&look.node) {
            let side = match look.sense {
                Sense::Positive => super::Side {
                    bytes: set,
                    edge: false,
                },
                Sense::Negative => super::Side {
                    bytes: set.complement(),
                    edge: true,
                },
            };
            self.peek(look.direction, side)?;
        } else {
            self.inner_look(look)?;
        }
        Ok(Next::code(after_look(look, self.way, next.first)))
    }

    fn inner_look(&mut self, look: &Look) -> Result<(), EmitError> {
        if has_mark(&look.node) && self.treatment != Marks::Ignored {
            return Err(EmitError::MisplacedMark);
        }
        let behind = self.here();
        let (way, meaning) = (self.way, self.meaning);
        self.way = Way::of(look.direction);
        if !irregular(&look.node) {
            self.meaning = Meaning::Existence;
        }
        self.inner(&look.node)?;
        (self.way, self.meaning) = (way, meaning);
        let ahead = match look.direction {
            Direction::Ahead => LOOK_AHEAD,
            Direction::Behind => 0,
        };
        let negative = match look.sense {
            Sense::Negative => LOOK_NEGATIVE,
            Sense::Positive => 0,
        };
        self.push(Word {
            op: op::LOOK,
            a: ahead | negative,
            b: 0,
            c: Self::target(behind),
        })
    }

    /// Emits an atomic group.
    pub(super) fn atomic(&mut self, node: &Node, next: Next) -> Result<Next, EmitError> {
        self.ordered_only()?;
        let behind = self.here();
        self.inner(node)?;
        self.push(Word {
            op: op::ATOMIC,
            c: Self::target(behind),
            ..Word::default()
        })?;
        Ok(Next::code(first(node, self.way, next.first)))
    }

    /// Emits an inner program.
    fn inner(&mut self, node: &Node) -> Result<Next, EmitError> {
        self.enclosed += 1;
        self.push(Word {
            op: op::MATCH,
            ..Word::default()
        })?;
        let next = self.node(node, Next::END);
        self.enclosed -= 1;
        next
    }

    /// Turns the code round and labels into places.
    fn finish(mut self, start: Label, search: Label, first: Follow) -> Result<Section, EmitError> {
        self.words.reverse();
        let total = u32::try_from(self.words.len()).map_err(|_| EmitError::TooLarge)?;
        let labels = &self.labels;
        let place = |label: usize| {
            labels
                .get(label)
                .and_then(|&behind| total.checked_sub(behind))
                .ok_or(EmitError::TooLarge)
        };
        let mut rest = self.words.as_mut_slice();
        while let Some((word, behind)) = rest.split_first_mut() {
            if has_target(word.op) {
                word.c = place(super::instruction::index(word.c))?;
            }
            rest = behind.get_mut(width(word.op) - 1..).unwrap_or_default();
        }
        let marks = self
            .marks
            .iter()
            .map(|mark| {
                let (label, follow) = mark.ok_or(EmitError::MisplacedMark)?;
                Ok((place(label.0)?, follow))
            })
            .collect::<Result<_, EmitError>>()?;
        Ok(Section {
            start: place(start.0)?,
            search: place(search.0)?,
            first,
            marks,
            words: self.words,
        })
    }
}

/// The highest group number in the node.
fn groups(node: &Node) -> u32 {
    match node {
        Node::Concat(nodes) | Node::Alternation(nodes) => {
            nodes.iter().map(groups).max().unwrap_or(0)
        }
        Node::Repeat(repeat) => groups(&repeat.node),
        Node::Capture { group, node } => (*group).min(MOST_REGISTERS).max(groups(node)),
        Node::Atomic(node) => groups(node),
        Node::Look(look) => groups(&look.node),
        Node::Backreference { group, .. } => (*group).min(MOST_REGISTERS),
        _ => 0,
    }
}

/// A value and a mask such that a byte is in the set if it equals the value where the mask has
/// ones.
fn cube(set: &ByteSet) -> Option<(u8, u8)> {
    if !set.len().is_power_of_two() {
        return None;
    }
    let (mut both, mut either) = (u8::MAX, 0);
    for (high, mut word) in [0_u8, 64, 128, 192].into_iter().zip(set.words()) {
        while word != 0 {
            let byte = high | u8::try_from(word.trailing_zeros()).ok()?;
            (both, either) = (both & byte, either | byte);
            word &= word - 1;
        }
    }
    let free = both ^ either;
    (set.len() == 1 << free.count_ones()).then_some((both, !free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_in_both_cases_is_a_value_and_a_mask() {
        let set = ByteSet::of(b'a').with(b'A');
        assert_eq!(cube(&set), Some((b'A', 0xdf)));
        assert_eq!(cube(&ByteSet::ALL), Some((0, 0)));
        assert_eq!(cube(&ByteSet::of(b'a').with(b'B')), None);
        assert_eq!(cube(&ByteSet::EMPTY), None);
        assert_eq!(cube(&ByteSet::of(0x7f).with(0xff)), Some((0x7f, 0x7f)));
    }
}
