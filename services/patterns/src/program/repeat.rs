//! Emission of repetitions.

use super::emitter::{Emitter, LONGEST_SECTION, Label, Meaning, Next};
use super::first::{Follow, first, has_mark, nullable, single, skippable};
use super::instruction::{NEXT_EDGE, NONE, TARGET_EDGE, TARGET_FIRST, Word, op, scan};
use super::{EmitError, Side};
use crate::byteset::ByteSet;
use crate::syntax::{Greed, Node, Repeat};

/// A repetition is written out if that takes at most this many words.
const UNROLLED: usize = 48;

/// Which of two ways comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preference {
    /// The one that goes on.
    Next,
    /// The one that goes elsewhere.
    Target,
}

impl Emitter<'_> {
    /// Emits a repetition.
    pub(super) fn repeat(&mut self, repeat: &Repeat, next: Next) -> Result<Next, EmitError> {
        let (mut min, mut max) = (repeat.min, repeat.max);
        if max == Some(0) {
            return Ok(next);
        }
        if repeat.greed == Greed::Possessive {
            return self.possessive(repeat, next);
        }
        let marked = has_mark(&repeat.node);
        if self.meaning == Meaning::Existence {
            if skippable(&repeat.node) {
                min = 0;
            }
            if next.accepting && !marked {
                max = Some(min);
            }
        }
        if max == Some(0) {
            return Ok(next);
        }
        if let Some(set) = single(&repeat.node) {
            return self.spans(repeat, set, (min, max), next);
        }
        if marked && (min > 1 || max.is_some_and(|max| max > 1)) {
            return Err(EmitError::MisplacedMark);
        }
        let again = self.preference(repeat.greed);
        match (min, max) {
            (1, Some(1)) => self.node(&repeat.node, next),
            (0, Some(1)) => self.written_out(&repeat.node, (0, 1), again, next),
            (0, None) => self.star(&repeat.node, again, next),
            (1, None) => self.plus(&repeat.node, again, next),
            _ => self.many(&repeat.node, (min, max), again, next),
        }
    }

    /// What a loop's branch prefers whose way on is another iteration. If only existence counts,
    /// leaving first keeps the stack low.
    fn preference(&self, greed: Greed) -> Preference {
        match (self.meaning, greed) {
            (Meaning::Existence, _) | (_, Greed::Lazy) => Preference::Target,
            _ => Preference::Next,
        }
    }

    fn possessive(&mut self, repeat: &Repeat, next: Next) -> Result<Next, EmitError> {
        if repeat.max == Some(repeat.min) && single(&repeat.node).is_some() {
            // Nothing could be given back.
            let greedy = Repeat {
                greed: Greed::Greedy,
                ..repeat.clone()
            };
            return self.repeat(&greedy, next);
        }
        self.ordered_only()?;
        if let Some(set) = single(&repeat.node) {
            let max = repeat.max.unwrap_or(NONE);
            return self.span_word(op::RUN, set, (repeat.min, max), next);
        }
        let greedy = Node::Repeat(Box::new(Repeat {
            greed: Greed::Greedy,
            ..repeat.clone()
        }));
        self.atomic(&greedy, next)
    }

    fn spans(
        &mut self,
        repeat: &Repeat,
        set: ByteSet,
        (min, max): (u32, Option<u32>),
        next: Next,
    ) -> Result<Next, EmitError> {
        match (min, max, self.meaning, repeat.greed) {
            (1, Some(1), _, _) => self.bytes(&mut vec![set], next),
            (_, _, Meaning::Ordered, Greed::Greedy) if max != Some(min) => {
                let guard = next.first.side();
                let operation = if guard.bytes.is_disjoint(set) {
                    op::RUN
                } else {
                    op::GREEDY
                };
                self.span_word(operation, set, (min, max.unwrap_or(NONE)), next)
            }
            _ => self.span(set, min, max, next),
        }
    }

    /// Emits a repetition of a set, shortest first if there is a choice.
    pub(super) fn span(
        &mut self,
        set: ByteSet,
        min: u32,
        max: Option<u32>,
        next: Next,
    ) -> Result<Next, EmitError> {
        let guard = next.first.side();
        // With a lazy span before the end of a match nothing has to be disjoint.
        let operation = if max == Some(min) || guard.bytes.is_disjoint(set) {
            op::RUN
        } else {
            op::LAZY
        };
        self.span_word(operation, set, (min, max.unwrap_or(NONE)), next)
    }

    fn span_word(
        &mut self,
        operation: u8,
        set: ByteSet,
        (min, max): (u32, u32),
        next: Next,
    ) -> Result<Next, EmitError> {
        let guard = next.first.side();
        let (hint, byte) = match (set.complement().len(), set.complement().single()) {
            (0, _) => (scan::ALL, 0),
            (_, Some(byte)) => (scan::ALL_BUT_ONE, byte),
            _ => (scan::SET, 0),
        };
        let words = [
            Word {
                op: operation,
                a: if guard.edge { NEXT_EDGE } else { 0 },
                b: self.pool.set(set)?,
                c: min,
            },
            Word {
                op: byte,
                a: hint,
                b: self.pool.set(guard.bytes)?,
                c: max,
            },
        ];
        self.push_all(&words)?;
        let consumed = Follow::of(set);
        Ok(Next::code(if min == 0 {
            consumed.union(next.first)
        } else {
            consumed
        }))
    }

    /// Emits a choice between what follows and a label.
    pub(super) fn branch(
        &mut self,
        here: Follow,
        there: (Label, Follow),
        preference: Preference,
    ) -> Result<Next, EmitError> {
        let (on, off) = (here.side(), there.1.side());
        let flags = branch_flags(&on, &off, preference);
        let words = [
            Word {
                op: op::BRANCH,
                a: flags,
                b: self.pool.set(on.bytes)?,
                c: Self::target(there.0),
            },
            Word {
                c: u32::from(self.pool.set(off.bytes)?),
                ..Word::default()
            },
        ];
        self.push_all(&words)?;
        Ok(Next::code(here.union(there.1)))
    }

    fn star(&mut self, node: &Node, again: Preference, next: Next) -> Result<Next, EmitError> {
        let exit = self.here();
        let head = self.fresh();
        self.jump(head)?;
        let inside = Next::code(first(node, self.way, next.first).union(next.first));
        let body = self.guarded_body(node, exit, inside, (0, 0))?;
        let all = self.branch(body.first, (exit, next.first), again)?;
        self.bind(head);
        Ok(all)
    }

    fn plus(&mut self, node: &Node, again: Preference, next: Next) -> Result<Next, EmitError> {
        let exit = self.here();
        let body = self.fresh();
        let start = first(node, self.way, next.first);
        let preference = match again {
            Preference::Next => Preference::Target,
            Preference::Target => Preference::Next,
        };
        let inside = self.branch(next.first, (body, start), preference)?;
        let start = self.guarded_body(node, exit, inside, (0, 0))?;
        self.bind(body);
        Ok(Next::code(start.first))
    }

    /// Emits an iteration that leaves the loop if it was empty and the counter (register, minimum)
    /// allows it.
    fn guarded_body(
        &mut self,
        node: &Node,
        exit: Label,
        next: Next,
        (counter, min): (u16, u32),
    ) -> Result<Next, EmitError> {
        if !nullable(node) {
            return self.node(node, next);
        }
        let register = self.register()?;
        self.push_all(&[
            Word {
                op: op::ADVANCE,
                a: 0,
                b: register,
                c: Self::target(exit),
            },
            Word {
                b: counter,
                c: min,
                ..Word::default()
            },
        ])?;
        let body = self.node(node, next)?;
        self.push(Word {
            op: op::PLACE,
            b: register,
            ..Word::default()
        })?;
        Ok(Next::code(body.first))
    }

    fn many(
        &mut self,
        node: &Node,
        (min, max): (u32, Option<u32>),
        again: Preference,
        next: Next,
    ) -> Result<Next, EmitError> {
        let copies = usize::try_from(max.unwrap_or(min)).unwrap_or(usize::MAX);
        if size(node).saturating_mul(copies) > UNROLLED {
            return self.counted(node, (min, max), again, next);
        }
        match max {
            Some(max) => self.written_out(node, (min, max), again, next),
            None => {
                let next = self.plus(node, again, next)?;
                self.written_out(node, (min - 1, min - 1), again, next)
            }
        }
    }

    /// Whether a repetition with a maximum, too, may end at an empty iteration: if only existence
    /// counts and all iterations can be empty everywhere, and so none is needed.
    fn stops_when_empty(&self, node: &Node) -> bool {
        self.meaning == Meaning::Existence && skippable(node)
    }

    fn written_out(
        &mut self,
        node: &Node,
        (min, max): (u32, u32),
        again: Preference,
        mut next: Next,
    ) -> Result<Next, EmitError> {
        let exit = (self.here(), next.first);
        let stops = max > 1 && self.stops_when_empty(node);
        for _ in min..max {
            let body = if stops {
                self.guarded_body(node, exit.0, next, (0, 0))?
            } else {
                self.node(node, next)?
            };
            next = self.branch(body.first, exit, again)?;
        }
        for _ in 0..min {
            next = self.node(node, next)?;
        }
        Ok(next)
    }

    fn counted(
        &mut self,
        node: &Node,
        (min, max): (u32, Option<u32>),
        again: Preference,
        next: Next,
    ) -> Result<Next, EmitError> {
        let counter = self.register()?;
        let exit = self.here();
        let head = self.fresh();
        self.jump(head)?;
        self.enclosed += 1;
        let start = first(node, self.way, next.first);
        let inside = Next::code(start.union(next.first));
        let body = match max {
            Some(_) if !self.stops_when_empty(node) => self.node(node, inside)?,
            _ => self.guarded_body(node, exit, inside, (counter, min))?,
        };
        self.enclosed -= 1;
        self.push(Word {
            op: op::STEP,
            a: 0,
            b: counter,
            c: Self::target(head),
        })?;
        self.count((counter, exit), (min, max), again, (body.first, next.first))?;
        self.bind(head);
        self.push(Word {
            op: op::ENTER,
            a: 0,
            b: counter,
            c: Self::target(exit),
        })?;
        Ok(Next::code(if min == 0 {
            body.first.union(next.first)
        } else {
            body.first
        }))
    }

    fn count(
        &mut self,
        (counter, exit): (u16, Label),
        (min, max): (u32, Option<u32>),
        again: Preference,
        (on, off): (Follow, Follow),
    ) -> Result<(), EmitError> {
        let (on, off) = (on.side(), off.side());
        let flags = branch_flags(&on, &off, again);
        let words = [
            Word {
                op: op::COUNT,
                a: flags,
                b: counter,
                c: Self::target(exit),
            },
            Word {
                b: self.pool.set(on.bytes)?,
                c: min,
                ..Word::default()
            },
            Word {
                b: self.pool.set(off.bytes)?,
                c: max.unwrap_or(NONE),
                ..Word::default()
            },
        ];
        self.push_all(&words)
    }
}

/// About how many words a node takes.
fn size(node: &Node) -> usize {
    let sum = |nodes: &[Node]| nodes.iter().map(size).fold(0, usize::saturating_add);
    match node {
        Node::Empty | Node::Mark(_) => 0,
        Node::Set(_) | Node::Assert(_) | Node::Backreference { .. } | Node::Keep => 1,
        Node::Concat(nodes) => sum(nodes),
        Node::Alternation(nodes) => sum(nodes).saturating_add(2 * nodes.len()),
        Node::Repeat(repeat) if single(&repeat.node).is_some() => 2,
        Node::Repeat(repeat) => {
            let copies = repeat.max.unwrap_or(repeat.min).max(1);
            let one = size(&repeat.node).saturating_add(2);
            let all = one.saturating_mul(usize::try_from(copies).unwrap_or(usize::MAX));
            // Longer ones are counted.
            if all > UNROLLED {
                one.saturating_add(6)
            } else {
                all
            }
        }
        Node::Capture { node, .. } => size(node).saturating_add(2),
        Node::Atomic(node) => size(node).saturating_add(2),
        Node::Look(look) => size(&look.node).saturating_add(2),
    }
    .min(LONGEST_SECTION)
}

/// The flags of an instruction that goes on or to its target.
fn branch_flags(on: &Side, off: &Side, preference: Preference) -> u8 {
    let flag = |holds: bool, flag: u8| if holds { flag } else { 0 };
    flag(on.edge, NEXT_EDGE)
        | flag(off.edge, TARGET_EDGE)
        | flag(preference == Preference::Target, TARGET_FIRST)
}
