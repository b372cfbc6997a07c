//! Execution of forward code breadth first: all ways at once, in time linear in the haystack.
//!
//! A state is an instruction with the counts of the counted loops around it (its context, the
//! innermost loop's count varying fastest) and, inside a masked comparison, an offset. Each state
//! is visited at most once per position. A span is one state whatever its counts: it keeps the
//! positions where it was entered and has not yet consumed its minimum, and of the others only the
//! latest, whose count is the lowest and can go on longest.

use super::emitter::LONGEST_SECTION;
use super::instruction::{NEXT_EDGE, NONE, TARGET_EDGE, Word, index, op, width};
use super::machine::{Ended, Run, narrow};
use super::search::Searched;

/// The most states a program may have to be simulated.
pub(super) const MOST_STATES: usize = 1 << 16;
/// The most entries its spans may have to keep.
const MOST_ENTRIES: usize = 1 << 17;
/// The deepest nesting of counted loops.
const DEEPEST_LOOPS: usize = 256;

/// Where the states of each instruction are.
#[derive(Debug)]
pub(super) struct Layout {
    /// Per instruction: the number of its first state.
    states: Box<[u32]>,
    /// Per span: where its entries are kept.
    entries: Box<[u32]>,
    loops: Vec<(usize, u32)>,
}

impl Layout {
    /// For sections of up to this many words.
    pub(super) fn new(words: usize) -> Self {
        Self {
            states: vec![0; words].into_boxed_slice(),
            entries: vec![0; words].into_boxed_slice(),
            loops: Vec::new(),
        }
    }

    /// Numbers the states of a section. None if it cannot be simulated.
    pub(super) fn lay_out(&mut self, section: &[[u8; 8]]) -> Option<()> {
        let word = |pc: usize| section.get(pc).copied().map(Word::from_bytes);
        self.loops.clear();
        let (mut states, mut entries, mut pc) = (0_u32, 0_u32, 0_usize);
        while let Some(instruction) = word(pc) {
            while self.loops.last().is_some_and(|&(end, _)| end <= pc) {
                self.loops.pop();
            }
            let contexts = self.loops.last().map_or(1, |&(_, contexts)| contexts);
            *self.states.get_mut(pc)? = states;
            *self.entries.get_mut(pc)? = entries;
            let mut each = 1;
            let mut following = pc + width(instruction.op);
            match instruction.op {
                op::MASKED => each = u32::from(instruction.a),
                op::RUN | op::LAZY | op::GREEDY => {
                    entries = contexts
                        .checked_mul(instruction.c)
                        .and_then(|more| more.checked_add(entries))
                        .filter(|&all| index(all) <= MOST_ENTRIES)?;
                }
                op::ENTER => {
                    let radix = radix(word(pc + 2)?, word(pc + 3)?)?;
                    if self.loops.len() >= DEEPEST_LOOPS {
                        return None;
                    }
                    let inside = contexts.checked_mul(radix)?;
                    self.loops.push((index(instruction.c), inside));
                }
                op::LOOK => following = index(instruction.c).max(following),
                op::ATOMIC | op::OPEN | op::CLOSE | op::BACKREFERENCE | op::KEEP => return None,
                _ => {}
            }
            states = contexts
                .checked_mul(each)
                .and_then(|more| more.checked_add(states))
                .filter(|&all| index(all) <= MOST_STATES)?;
            pc = following;
        }
        Some(())
    }
}

/// How many counts a loop tells apart: its operands are the last two words of [`op::COUNT`].
fn radix(more: Word, leave: Word) -> Option<u32> {
    match leave.c {
        NONE => more.c.checked_add(1),
        max => max.checked_add(1),
    }
}

/// A state that accepts the byte at the position.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    pc: u32,
    context: u32,
    offset: u32,
}

/// Memory of simulations.
#[derive(Debug)]
pub(super) struct Simulation {
    /// Steps that may still be taken.
    pub(super) steps: u64,
    layout: Layout,
    /// Per state: the round in which it was visited last.
    visited: Box<[u32]>,
    /// Per state of a span: the latest entry that has reached the minimum.
    ready: Box<[u32]>,
    /// Per state of a span: the oldest of the other entries, and how many there are.
    pending: Box<[[u32; 2]]>,
    entries: Box<[u32]>,
    current: Vec<State>,
    following: Vec<State>,
    /// Instructions and contexts still to be followed at the position.
    open: Vec<(u32, u32)>,
    round: u32,
}

impl Simulation {
    pub(super) fn new() -> Self {
        Self {
            steps: 0,
            layout: Layout {
                loops: Vec::with_capacity(DEEPEST_LOOPS),
                ..Layout::new(LONGEST_SECTION)
            },
            visited: vec![0; MOST_STATES].into_boxed_slice(),
            ready: vec![0; MOST_STATES].into_boxed_slice(),
            pending: vec![[0; 2]; MOST_STATES].into_boxed_slice(),
            entries: vec![0; MOST_ENTRIES].into_boxed_slice(),
            current: Vec::with_capacity(MOST_STATES),
            following: Vec::with_capacity(MOST_STATES),
            open: Vec::with_capacity(2 * MOST_STATES),
            round: 0,
        }
    }

    /// Whether the forward section, the first `length` words, matches from any position at `from`
    /// or later. The run's fuel is for look-arounds.
    pub(super) fn search(
        &mut self,
        run: &mut Run<'_>,
        length: u32,
        searched: Searched,
        from: usize,
    ) -> Ended {
        let code = run.code.get(..index(length)).unwrap_or_default();
        if self.layout.lay_out(code).is_none() {
            return Ended::Exhausted;
        }
        // Every position takes a round.
        if u32::MAX - self.round <= narrow(run.haystack.len()).saturating_add(1) {
            self.visited.fill(0);
            self.round = 0;
        }
        let mut walk = Walk {
            memory: self,
            run,
            searched,
        };
        walk.walk(from).err().unwrap_or(Ended::Fail)
    }
}

/// Goes on, or stops with the result.
type Flow = Result<(), Ended>;

/// One simulation.
struct Walk<'s, 'r, 'h> {
    memory: &'s mut Simulation,
    run: &'r mut Run<'h>,
    searched: Searched,
}

impl Walk<'_, '_, '_> {
    fn walk(&mut self, from: usize) -> Flow {
        let mut at = from;
        self.memory.current.clear();
        loop {
            if self.memory.current.is_empty() {
                let next = self
                    .searched
                    .starts
                    .seek(self.run.sets, self.run.haystack, at);
                at = next.ok_or(Ended::Fail)?;
                self.begin_round();
                self.follow(self.searched.pc, 0, at)?;
                self.end_round();
            }
            if !self.memory.current.is_empty() {
                self.consume(at)?;
            }
            at += 1;
        }
    }

    fn spend(&mut self) -> Flow {
        let left = self.memory.steps.checked_sub(1);
        self.memory.steps = left.ok_or(Ended::Exhausted)?;
        Ok(())
    }

    fn begin_round(&mut self) {
        self.memory.round = self.memory.round.saturating_add(1);
        self.memory.following.clear();
    }

    fn end_round(&mut self) {
        let memory = &mut *self.memory;
        std::mem::swap(&mut memory.current, &mut memory.following);
    }

    /// Moves all states over the byte at `at`, which they accept.
    fn consume(&mut self, at: usize) -> Flow {
        self.begin_round();
        let after = at + 1;
        // Spans go first, so that entries at the new position join those they have.
        for place in 0..self.memory.current.len() {
            self.keep_span(self.current(place), after)?;
        }
        for place in 0..self.memory.current.len() {
            self.spend()?;
            self.move_on(self.current(place), after)?;
        }
        if self
            .searched
            .starts
            .may_start(self.run.sets, self.run.haystack, after)
        {
            self.follow(self.searched.pc, 0, after)?;
        }
        self.end_round();
        Ok(())
    }

    fn current(&self, place: usize) -> State {
        self.memory.current.get(place).copied().unwrap_or_default()
    }

    fn keep_span(&mut self, state: State, at: usize) -> Flow {
        let word = self.run.word(index(state.pc));
        if !is_span(word.op) {
            return Ok(());
        }
        let number = self.number(state, 1)?;
        self.visit(number);
        self.ripen(number, state, word.c, at);
        self.list_span(state, word, at)
    }

    /// Lists a span for the round if it accepts the byte at `at`.
    fn list_span(&mut self, state: State, word: Word, at: usize) -> Flow {
        let next = self.run.haystack.get(at).copied();
        if self.run.allows(u32::from(word.b), false, next) {
            self.list(state)
        } else {
            Ok(())
        }
    }

    /// Adds a state to the round's list.
    fn list(&mut self, state: State) -> Flow {
        if self.memory.following.len() >= MOST_STATES {
            return Err(Ended::Exhausted);
        }
        self.memory.following.push(state);
        Ok(())
    }

    /// The number of a state of an instruction that has `each` per context.
    fn number(&self, state: State, each: u32) -> Result<usize, Ended> {
        let first = self.memory.layout.states.get(index(state.pc)).copied();
        first
            .and_then(|first| {
                let number = state.context.checked_mul(each)?.checked_add(state.offset)?;
                first.checked_add(number)
            })
            .map(index)
            .filter(|&number| number < MOST_STATES)
            .ok_or(Ended::Exhausted)
    }

    /// Whether the state had not been visited in this round; it has now.
    fn visit(&mut self, number: usize) -> bool {
        let round = self.memory.round;
        self.memory
            .visited
            .get_mut(number)
            .is_some_and(|visited| std::mem::replace(visited, round) != round)
    }

    /// Where the span keeps its entries.
    fn entries_of(&self, state: State, min: u32) -> usize {
        let base = self.memory.layout.entries.get(index(state.pc)).copied();
        index(base.unwrap_or(NONE)).wrapping_add(index(state.context).wrapping_mul(index(min)))
    }

    /// Moves on the entries of a span that have reached the minimum.
    fn ripen(&mut self, number: usize, state: State, min: u32, at: usize) {
        let base = self.entries_of(state, min);
        let memory = &mut *self.memory;
        let (Some(ready), Some([first, count])) =
            (memory.ready.get_mut(number), memory.pending.get_mut(number))
        else {
            return;
        };
        while *count > 0 {
            let place = base.wrapping_add(index(*first));
            let entry = memory.entries.get(place).copied().unwrap_or(0);
            if entry.saturating_add(min) > narrow(at) {
                break;
            }
            *ready = entry;
            *first = if *first + 1 >= min { 0 } else { *first + 1 };
            *count -= 1;
        }
    }

    /// Enters a span. Its end is followed at once if it may be empty.
    fn enter_span(&mut self, state: State, word: Word, at: usize) -> Flow {
        let number = self.number(state, 1)?;
        let fresh = self.visit(number);
        let base = self.entries_of(state, word.c);
        let here = narrow(at);
        let memory = &mut *self.memory;
        let (Some(ready), Some([first, count])) =
            (memory.ready.get_mut(number), memory.pending.get_mut(number))
        else {
            return Err(Ended::Exhausted);
        };
        if fresh {
            (*ready, *first, *count) = (NONE, 0, 0);
        }
        if word.c == 0 {
            if *ready == here {
                return Ok(());
            }
            *ready = here;
        } else {
            let place = |nth: u32| base.wrapping_add(index((*first + nth) % word.c));
            let last = count.checked_sub(1).map(place);
            let last = last.and_then(|last| memory.entries.get(last).copied());
            if last == Some(here) || *count >= word.c {
                return Ok(());
            }
            match memory.entries.get_mut(place(*count)) {
                Some(slot) => *slot = here,
                None => return Err(Ended::Exhausted),
            }
            *count += 1;
        }
        if fresh {
            self.list_span(state, word, at)?;
        }
        if word.c == 0 {
            self.leave_span(state, word, at)?;
        }
        Ok(())
    }

    /// Leaves a span for what follows it, if it may end at `at`.
    fn leave_span(&mut self, state: State, word: Word, at: usize) -> Flow {
        let number = self.number(state, 1)?;
        let operand = self.run.word(index(state.pc) + 1);
        let ready = self.memory.ready.get(number).copied().unwrap_or(NONE);
        let length = narrow(at).wrapping_sub(ready);
        let next = self.run.haystack.get(at).copied();
        let guard = u32::from(operand.b);
        if ready != NONE
            && (operand.c == NONE || length <= operand.c)
            && self.run.allows(guard, word.a & NEXT_EDGE != 0, next)
        {
            self.open(state.pc + 2, state.context)?;
        }
        Ok(())
    }

    /// Goes on from a state that has consumed the byte before `at`.
    fn move_on(&mut self, state: State, at: usize) -> Flow {
        let word = self.run.word(index(state.pc));
        let length = u32::from(word.a);
        match word.op {
            op::MASKED if state.offset + 1 < length => {
                let state = State {
                    offset: state.offset + 1,
                    ..state
                };
                let number = self.number(state, length)?;
                if self.visit(number) {
                    self.list(state)?;
                }
                Ok(())
            }
            op::MASKED => self.follow(state.pc + 3, state.context, at),
            op::RUN | op::LAZY | op::GREEDY => {
                self.leave_span(state, word, at)?;
                self.follow_open(at)
            }
            _ => self.follow(state.pc + 1, state.context, at),
        }
    }

    /// Follows everything that consumes nothing, and lists the states that accept what is next.
    fn follow(&mut self, pc: u32, context: u32, at: usize) -> Flow {
        self.open(pc, context)?;
        self.follow_open(at)
    }

    fn open(&mut self, pc: u32, context: u32) -> Flow {
        if self.memory.open.len() >= 2 * MOST_STATES {
            return Err(Ended::Exhausted);
        }
        self.memory.open.push((pc, context));
        Ok(())
    }

    fn follow_open(&mut self, at: usize) -> Flow {
        while let Some((pc, context)) = self.memory.open.pop() {
            let state = State {
                pc,
                context,
                offset: 0,
            };
            if let Err(ended) = self.spend().and_then(|()| self.expand(state, at)) {
                self.memory.open.clear();
                return Err(ended);
            }
        }
        Ok(())
    }

    fn expand(&mut self, state: State, at: usize) -> Flow {
        let word = self.run.word(index(state.pc));
        if is_span(word.op) {
            return self.enter_span(state, word, at);
        }
        let each = match word.op {
            op::MASKED => u32::from(word.a),
            _ => 1,
        };
        let number = self.number(state, each)?;
        if !self.visit(number) {
            return Ok(());
        }
        let State { pc, context, .. } = state;
        let next = self.run.haystack.get(at).copied();
        match word.op {
            op::FAIL => Ok(()),
            op::MATCH => Err(Ended::Match(at)),
            op::BYTE if next == Some(word.a) => self.list(state),
            op::SET if self.run.allows(u32::from(word.b), false, next) => self.list(state),
            op::BYTE | op::SET => Ok(()),
            op::MASKED if self.run.masked_here(index(pc), at, word) => self.list(state),
            op::MASKED => Ok(()),
            op::JUMP => self.open(word.c, context),
            op::FORK => {
                self.open(pc + 1, context)?;
                self.open(word.c, context)
            }
            op::BRANCH => {
                let target = self.run.word(index(pc) + 1).c;
                if self
                    .run
                    .allows(u32::from(word.b), word.a & NEXT_EDGE != 0, next)
                {
                    self.open(pc + 2, context)?;
                }
                if self.run.allows(target, word.a & TARGET_EDGE != 0, next) {
                    self.open(word.c, context)?;
                }
                Ok(())
            }
            op::SWITCH => match self.run.switched(index(pc), word, next) {
                Some(target) => self.open(narrow(target), context),
                None => Ok(()),
            },
            op::ASSERT | op::PEEK => {
                if self.run.holds(word, at) {
                    self.open(pc + 1, context)?;
                }
                Ok(())
            }
            op::LOOK => match self.run.looks(index(pc), at, word) {
                Some(true) => self.open(word.c, context),
                Some(false) => Ok(()),
                None => Err(Ended::Exhausted),
            },
            op::PLACE => self.open(pc + 1, context),
            op::ADVANCE => self.open(pc + 2, context),
            op::ENTER | op::COUNT | op::STEP => self.expand_loop(state, word, next),
            _ => Err(Ended::Exhausted),
        }
    }

    fn expand_loop(&mut self, state: State, word: Word, next: Option<u8>) -> Flow {
        let State { pc, context, .. } = state;
        let head = match word.op {
            op::ENTER => pc + 1,
            op::STEP => word.c,
            _ => pc,
        };
        let more = self.run.word(index(head) + 1);
        let leave = self.run.word(index(head) + 2);
        let radix = radix(more, leave).ok_or(Ended::Exhausted)?;
        let count = context % radix.max(1);
        match word.op {
            op::ENTER => {
                let inside = context.checked_mul(radix).ok_or(Ended::Exhausted)?;
                self.open(pc + 1, inside)
            }
            op::STEP => {
                // Beyond an open loop's minimum the count does not matter.
                let stepped = if count + 1 < radix {
                    context + 1
                } else {
                    context
                };
                self.open(pc + 1, stepped)
            }
            _ => {
                let on = leave.c == NONE || count < leave.c;
                let (again, exit) = (u32::from(more.b), u32::from(leave.b));
                if on && self.run.allows(again, word.a & NEXT_EDGE != 0, next) {
                    self.open(pc + 3, context)?;
                }
                let off = count >= more.c;
                if off && self.run.allows(exit, word.a & TARGET_EDGE != 0, next) {
                    self.open(word.c, context / radix.max(1))?;
                }
                Ok(())
            }
        }
    }
}

fn is_span(operation: u8) -> bool {
    matches!(operation, op::RUN | op::LAZY | op::GREEDY)
}
