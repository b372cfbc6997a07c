//! Execution by backtracking.
//!
//! The machine never panics, whatever the code: every access is checked, every step costs fuel,
//! stacks have a fixed size. Code that breaks the rules ends like one that runs out of fuel.

use memchr::{memchr, memrchr};

use super::instruction::{
    LOOK_AHEAD, LOOK_NEGATIVE, NEXT_EDGE, NONE, PEEK_AHEAD, TARGET_EDGE, TARGET_FIRST, Word,
    assertion, index, op, scan,
};
use super::simulate::Simulation;

/// The most choices that can be open at once.
const DEEPEST_STACK: usize = 1 << 16;
/// How deep look-arounds and atomic groups nest; the parser's limit and some.
const DEEPEST_NESTING: u32 = 300;
/// Bytes of a run that cost as much as one step.
const BYTES_PER_FUEL: usize = 16;

/// An open choice or a value to restore: kind, instruction or register, and two operands.
type Frame = [u32; 4];

/// Kinds of frames.
mod kind {
    /// Go on at instruction `1` and position `2`.
    pub(super) const CHOICE: u32 = 0;
    /// Register `1` was `2`.
    pub(super) const RESTORE: u32 = 1;
    /// The lazy span at instruction `1` may grow from position `2` by up to `3` bytes.
    pub(super) const LAZY: u32 = 2;
    /// The greedy span at instruction `1` may give back down to position `2`, from `3`.
    pub(super) const GREEDY: u32 = 3;
}

/// Everything a running program needs to remember. Made once per thread; running allocates
/// nothing.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Steps that may still be taken; set by the caller, used up by running.
    pub(crate) fuel: u64,
    stack: Box<[Frame]>,
    registers: Box<[u32]>,
    /// For searches in linear time.
    pub(super) simulation: Simulation,
}

impl Machine {
    /// A machine without fuel. Its memory is touched only as far as it is used.
    pub(crate) fn new() -> Self {
        Self {
            fuel: 0,
            stack: vec![[0; 4]; DEEPEST_STACK].into_boxed_slice(),
            registers: vec![0; index(super::emitter::MOST_REGISTERS)].into_boxed_slice(),
            simulation: Simulation::new(),
        }
    }

    /// Readies the machine for one haystack, and separates it from the simulation's memory.
    pub(super) fn load<'r>(
        &'r mut self,
        code: &'r [[u8; 8]],
        sets: &'r [[u8; 32]],
        haystack: &'r [u8],
        registers: u32,
    ) -> (Run<'r>, &'r mut Simulation) {
        let registers = index(registers).min(self.registers.len());
        let run = Run {
            code,
            sets,
            haystack,
            stack: &mut self.stack,
            top: 0,
            registers: self.registers.get_mut(..registers).unwrap_or_default(),
            barred: usize::MAX,
            fuel: self.fuel,
        };
        (run, &mut self.simulation)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// At this position, with a match.
    Match(usize),
    /// Without.
    Fail,
    /// Out of fuel, stack or valid code.
    Exhausted,
}

/// What an instruction leads to.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// On at an instruction and a position.
    Go(usize, usize),
    /// The last open choice.
    Fail,
    /// The end.
    Stop(Ended),
}

/// A program on a haystack.
#[derive(Debug)]
pub(super) struct Run<'r> {
    pub(super) code: &'r [[u8; 8]],
    pub(super) sets: &'r [[u8; 32]],
    pub(super) haystack: &'r [u8],
    stack: &'r mut [Frame],
    top: usize,
    pub(super) registers: &'r mut [u32],
    /// Where no match may end.
    pub(super) barred: usize,
    /// Steps left.
    pub(super) fuel: u64,
}

impl Run<'_> {
    /// Runs from an instruction and a position, with nothing remembered.
    #[inline]
    pub(super) fn start<const FORWARD: bool>(&mut self, pc: usize, at: usize) -> Ended {
        self.clear();
        self.run::<FORWARD>(pc, at, 0)
    }

    /// Forgets everything.
    #[inline(always)]
    fn clear(&mut self) {
        self.top = 0;
        // Most programs have none, and even that call costs.
        if !self.registers.is_empty() {
            self.registers.fill(NONE);
        }
    }

    /// Runs until the inner program that starts at `pc` ends. After a match the open choices are
    /// still on the stack, after a failure everything is as before.
    fn run<const FORWARD: bool>(&mut self, mut pc: usize, mut at: usize, depth: u32) -> Ended {
        let base = self.top;
        loop {
            if self.fuel == 0 {
                return Ended::Exhausted;
            }
            self.fuel -= 1;
            let step = match self.step::<FORWARD>(pc, at, depth) {
                Step::Fail => self.backtrack::<FORWARD>(base),
                step => step,
            };
            match step {
                Step::Go(to, position) => (pc, at) = (to, position),
                Step::Fail => return Ended::Fail,
                Step::Stop(ended) => return ended,
            }
        }
    }

    /// The word at an instruction; [`op::FAIL`] outside the code, which no verified program
    /// reaches.
    #[inline(always)]
    pub(super) fn word(&self, pc: usize) -> Word {
        Word::from_bytes(self.code.get(pc).copied().unwrap_or_default())
    }

    /// The byte that is consumed next.
    #[inline(always)]
    fn next<const FORWARD: bool>(&self, at: usize) -> Option<u8> {
        let at = if FORWARD { at } else { at.wrapping_sub(1) };
        self.haystack.get(at).copied()
    }

    /// The position after it is consumed.
    #[inline(always)]
    fn after<const FORWARD: bool>(at: usize) -> usize {
        if FORWARD {
            at.wrapping_add(1)
        } else {
            at.wrapping_sub(1)
        }
    }

    /// Whether a set has a byte.
    #[inline(always)]
    pub(super) fn has(&self, set: u32, byte: u8) -> bool {
        self.sets
            .get(index(set))
            .is_some_and(|set| contains(set, byte))
    }

    /// Whether what is next is in a set, or is the edge and that is allowed.
    #[inline(always)]
    pub(super) fn allows(&self, set: u32, edge: bool, next: Option<u8>) -> bool {
        next.map_or(edge, |byte| self.has(set, byte))
    }

    #[inline(always)]
    fn step<const FORWARD: bool>(&mut self, pc: usize, at: usize, depth: u32) -> Step {
        let word = self.word(pc);
        match word.op {
            op::BYTE => match self.next::<FORWARD>(at) {
                Some(byte) if byte == word.a => Step::Go(pc + 1, Self::after::<FORWARD>(at)),
                _ => Step::Fail,
            },
            op::SET => match self.next::<FORWARD>(at) {
                Some(byte) if self.has(u32::from(word.b), byte) => {
                    Step::Go(pc + 1, Self::after::<FORWARD>(at))
                }
                _ => Step::Fail,
            },
            op::MASKED => self.masked::<FORWARD>(pc, at, word),
            op::RUN => self.whole_run::<FORWARD>(pc, at, word),
            op::LAZY => self.lazy::<FORWARD>(pc, at, word),
            op::GREEDY => self.greedy::<FORWARD>(pc, at, word),
            op::JUMP => Step::Go(index(word.c), at),
            op::FORK => match self.choice(pc + 1, at) {
                Some(()) => Step::Go(index(word.c), at),
                None => Step::Stop(Ended::Exhausted),
            },
            op::BRANCH => {
                let target = self.word(pc + 1).c;
                let next = self.next::<FORWARD>(at);
                let on = self.allows(u32::from(word.b), word.a & NEXT_EDGE != 0, next);
                let off = self.allows(target, word.a & TARGET_EDGE != 0, next);
                self.choose(word, (on, pc + 2), (off, index(word.c)), at)
            }
            op::SWITCH => match self.switched(pc, word, self.next::<FORWARD>(at)) {
                Some(target) => Step::Go(target, at),
                None => Step::Fail,
            },
            op::PEEK | op::ASSERT if self.holds(word, at) => Step::Go(pc + 1, at),
            op::PEEK | op::ASSERT => Step::Fail,
            op::MATCH if at == self.barred && depth == 0 => Step::Fail,
            op::MATCH => Step::Stop(Ended::Match(at)),
            op::FAIL => Step::Fail,
            _ => self.rare::<FORWARD>(pc, at, word, depth),
        }
    }

    /// Whether the condition of [`op::PEEK`] or [`op::ASSERT`] holds.
    #[inline(always)]
    pub(super) fn holds(&self, word: Word, at: usize) -> bool {
        if word.op == op::ASSERT {
            return assertion::decode(word.a).is_some_and(|it| it.holds(self.haystack, at));
        }
        let beside = if word.a & PEEK_AHEAD != 0 {
            self.next::<true>(at)
        } else {
            self.next::<false>(at)
        };
        self.allows(u32::from(word.b), word.a & NEXT_EDGE != 0, beside)
    }

    /// Instructions that are not worth a place in the inner loop.
    #[inline(never)]
    fn rare<const FORWARD: bool>(&mut self, pc: usize, at: usize, word: Word, depth: u32) -> Step {
        let exhausted = Step::Stop(Ended::Exhausted);
        match word.op {
            op::LOOK => self.look(pc, at, word, depth),
            op::ATOMIC => self.atomic::<FORWARD>(pc, at, word, depth),
            op::ENTER => match self.set_register(u32::from(word.b), 0) {
                Some(()) => Step::Go(pc + 1, at),
                None => exhausted,
            },
            op::COUNT => self.count::<FORWARD>(pc, at, word),
            op::STEP => {
                let count = self.register(u32::from(word.b)).saturating_add(1);
                match self.set_register(u32::from(word.b), count) {
                    Some(()) => Step::Go(pc + 1, at),
                    None => exhausted,
                }
            }
            op::PLACE | op::OPEN => match self.set_register(u32::from(word.b), narrow(at)) {
                Some(()) => Step::Go(pc + 1, at),
                None => exhausted,
            },
            op::KEEP => match self.set_register(0, narrow(at)) {
                Some(()) => Step::Go(pc + 1, at),
                None => exhausted,
            },
            op::ADVANCE => {
                let empty = self.register(u32::from(word.b)) == narrow(at);
                let counted = self.word(pc + 1);
                let enough = counted.c == 0 || self.register(u32::from(counted.b)) >= counted.c;
                if empty && enough {
                    Step::Go(index(word.c), at)
                } else {
                    Step::Go(pc + 2, at)
                }
            }
            op::CLOSE => match self.close(u32::from(word.b), at) {
                Some(()) => Step::Go(pc + 1, at),
                None => exhausted,
            },
            op::BACKREFERENCE => self.backreference(pc, at, word),
            _ => exhausted,
        }
    }

    #[inline(always)]
    fn masked<const FORWARD: bool>(&self, pc: usize, at: usize, word: Word) -> Step {
        let length = usize::from(word.a);
        let start = if FORWARD {
            Some(at)
        } else {
            at.checked_sub(length)
        };
        match start {
            Some(start) if self.masked_here(pc, start, word) => {
                Step::Go(pc + 3, if FORWARD { start + length } else { start })
            }
            _ => Step::Fail,
        }
    }

    /// Whether the comparison at `pc` holds for the bytes from `start`.
    #[inline(always)]
    pub(super) fn masked_here(&self, pc: usize, start: usize, word: Word) -> bool {
        let Some(window) = self.haystack.get(start..) else {
            return false;
        };
        let text = match window.first_chunk::<8>() {
            Some(text) => *text,
            None if window.len() < usize::from(word.a) => return false,
            None => padded(window),
        };
        let value = u64::from_le_bytes(self.code.get(pc + 1).copied().unwrap_or_default());
        let mask = u64::from_le_bytes(self.code.get(pc + 2).copied().unwrap_or_default());
        (u64::from_le_bytes(text) ^ value) & mask == 0
    }

    /// How many bytes of the span's set come next, at most `most`.
    #[inline(always)]
    pub(super) fn run_length<const FORWARD: bool>(
        &mut self,
        at: usize,
        word: Word,
        operand: Word,
        most: u32,
    ) -> usize {
        let most = index(most);
        let window = if FORWARD {
            let end = at.saturating_add(most).min(self.haystack.len());
            self.haystack.get(at..end)
        } else {
            self.haystack.get(at.saturating_sub(most)..at)
        }
        .unwrap_or_default();
        let length = match operand.a {
            scan::ALL => window.len(),
            scan::ALL_BUT_ONE if FORWARD => memchr(operand.op, window).unwrap_or(window.len()),
            scan::ALL_BUT_ONE => {
                memrchr(operand.op, window).map_or(window.len(), |found| window.len() - 1 - found)
            }
            _ => {
                let set = self.sets.get(usize::from(word.b)).unwrap_or(&[0; 32]);
                let outside = |byte: &u8| !contains(set, *byte);
                if FORWARD {
                    window.iter().position(outside)
                } else {
                    window.iter().rev().position(outside)
                }
                .unwrap_or(window.len())
            }
        };
        self.charge(length);
        length
    }

    /// Pays for looking at bytes.
    #[inline(always)]
    fn charge(&mut self, bytes: usize) {
        let cost = u64::try_from(bytes / BYTES_PER_FUEL).unwrap_or(u64::MAX);
        self.fuel = self.fuel.saturating_sub(cost);
    }

    /// The position `length` bytes on.
    #[inline(always)]
    fn advance<const FORWARD: bool>(at: usize, length: usize) -> usize {
        if FORWARD {
            at.wrapping_add(length)
        } else {
            at.wrapping_sub(length)
        }
    }

    #[inline(always)]
    fn whole_run<const FORWARD: bool>(&mut self, pc: usize, at: usize, word: Word) -> Step {
        let operand = self.word(pc + 1);
        let length = self.run_length::<FORWARD>(at, word, operand, operand.c);
        if length < index(word.c) {
            return Step::Fail;
        }
        let at = Self::advance::<FORWARD>(at, length);
        let next = self.next::<FORWARD>(at);
        if self.allows(u32::from(operand.b), word.a & NEXT_EDGE != 0, next) {
            Step::Go(pc + 2, at)
        } else {
            Step::Fail
        }
    }

    #[inline(always)]
    fn lazy<const FORWARD: bool>(&mut self, pc: usize, at: usize, word: Word) -> Step {
        let operand = self.word(pc + 1);
        let mut at = at;
        if word.c > 0 {
            let length = self.run_length::<FORWARD>(at, word, operand, word.c);
            if length < index(word.c) {
                return Step::Fail;
            }
            at = Self::advance::<FORWARD>(at, length);
        }
        let spare = match operand.c {
            NONE => NONE,
            max => max.saturating_sub(word.c),
        };
        self.grow::<FORWARD>(pc, at, spare)
    }

    /// The next length of a lazy span at `pc` that has reached `at` and may take `spare` more.
    #[inline]
    fn grow<const FORWARD: bool>(&mut self, pc: usize, mut at: usize, mut spare: u32) -> Step {
        let (word, operand) = (self.word(pc), self.word(pc + 1));
        let (Some(set), Some(guard)) = (
            self.sets.get(usize::from(word.b)),
            self.sets.get(usize::from(operand.b)),
        ) else {
            return Step::Stop(Ended::Exhausted);
        };
        let from = at;
        loop {
            let Some(byte) = self.next::<FORWARD>(at) else {
                self.charge(from.abs_diff(at));
                return if word.a & NEXT_EDGE != 0 {
                    Step::Go(pc + 2, at)
                } else {
                    Step::Fail
                };
            };
            let more = spare > 0 && contains(set, byte);
            if contains(guard, byte) {
                self.charge(from.abs_diff(at));
                if more
                    && self
                        .frame([kind::LAZY, narrow(pc), narrow(at), spare])
                        .is_none()
                {
                    return Step::Stop(Ended::Exhausted);
                }
                return Step::Go(pc + 2, at);
            }
            if !more {
                self.charge(from.abs_diff(at));
                return Step::Fail;
            }
            at = Self::after::<FORWARD>(at);
            spare -= 1;
        }
    }

    #[inline(never)]
    fn greedy<const FORWARD: bool>(&mut self, pc: usize, at: usize, word: Word) -> Step {
        let operand = self.word(pc + 1);
        let length = self.run_length::<FORWARD>(at, word, operand, operand.c);
        let least = index(word.c);
        if length < least {
            return Step::Fail;
        }
        let shortest = Self::advance::<FORWARD>(at, least);
        self.give_back::<FORWARD>(pc, shortest, Self::advance::<FORWARD>(at, length))
    }

    /// The next length of a greedy span at `pc`: ends at `at` or less far, at least at `shortest`.
    fn give_back<const FORWARD: bool>(
        &mut self,
        pc: usize,
        shortest: usize,
        mut at: usize,
    ) -> Step {
        let (word, operand) = (self.word(pc), self.word(pc + 1));
        let from = at;
        loop {
            let next = self.next::<FORWARD>(at);
            let back = if FORWARD {
                at.wrapping_sub(1)
            } else {
                at.wrapping_add(1)
            };
            if self.allows(u32::from(operand.b), word.a & NEXT_EDGE != 0, next) {
                self.charge(from.abs_diff(at));
                let frame = [kind::GREEDY, narrow(pc), narrow(shortest), narrow(back)];
                if at != shortest && self.frame(frame).is_none() {
                    return Step::Stop(Ended::Exhausted);
                }
                return Step::Go(pc + 2, at);
            }
            if at == shortest {
                self.charge(from.abs_diff(at));
                return Step::Fail;
            }
            at = back;
        }
    }

    /// Where the switch at `pc` leads.
    #[inline(always)]
    pub(super) fn switched(&self, pc: usize, word: Word, next: Option<u8>) -> Option<usize> {
        let jump = match next {
            Some(byte) => {
                let table = index(word.c).wrapping_add(usize::from(byte >> 5));
                let jump = self.sets.get(table)?.get(usize::from(byte & 31))?;
                u16::from(*jump)
            }
            None => word.b,
        };
        (jump < u16::from(word.a)).then(|| index(self.word(pc + 1 + usize::from(jump)).c))
    }

    /// Takes the possible way, or the preferred one with the other left open.
    #[inline(always)]
    fn choose(&mut self, word: Word, on: (bool, usize), off: (bool, usize), at: usize) -> Step {
        match (on.0, off.0) {
            (true, false) => Step::Go(on.1, at),
            (false, true) => Step::Go(off.1, at),
            (false, false) => Step::Fail,
            (true, true) => {
                let (first, second) = if word.a & TARGET_FIRST != 0 {
                    (off.1, on.1)
                } else {
                    (on.1, off.1)
                };
                match self.choice(second, at) {
                    Some(()) => Step::Go(first, at),
                    None => Step::Stop(Ended::Exhausted),
                }
            }
        }
    }

    fn count<const FORWARD: bool>(&mut self, pc: usize, at: usize, word: Word) -> Step {
        let (more, leave) = (self.word(pc + 1), self.word(pc + 2));
        let count = self.register(u32::from(word.b));
        let next = self.next::<FORWARD>(at);
        let on = count < leave.c || leave.c == NONE;
        let on = on && self.allows(u32::from(more.b), word.a & NEXT_EDGE != 0, next);
        let off = count >= more.c;
        let off = off && self.allows(u32::from(leave.b), word.a & TARGET_EDGE != 0, next);
        self.choose(word, (on, pc + 3), (off, index(word.c)), at)
    }

    fn look(&mut self, pc: usize, at: usize, word: Word, depth: u32) -> Step {
        let base = self.top;
        let ended = if depth >= DEEPEST_NESTING {
            Ended::Exhausted
        } else if word.a & LOOK_AHEAD != 0 {
            self.run::<true>(pc + 1, at, depth + 1)
        } else {
            self.run::<false>(pc + 1, at, depth + 1)
        };
        let negative = word.a & LOOK_NEGATIVE != 0;
        match ended {
            Ended::Exhausted => Step::Stop(Ended::Exhausted),
            Ended::Match(_) if negative => {
                self.undo(base);
                Step::Fail
            }
            Ended::Match(_) => {
                self.commit(base);
                Step::Go(index(word.c), at)
            }
            Ended::Fail if negative => Step::Go(index(word.c), at),
            Ended::Fail => Step::Fail,
        }
    }

    /// Whether the look-around at `pc` holds; none if that cannot be told.
    pub(super) fn looks(&mut self, pc: usize, at: usize, word: Word) -> Option<bool> {
        self.clear();
        match self.look(pc, at, word, 0) {
            Step::Go(..) => Some(true),
            Step::Fail => Some(false),
            Step::Stop(_) => None,
        }
    }

    fn atomic<const FORWARD: bool>(
        &mut self,
        pc: usize,
        at: usize,
        word: Word,
        depth: u32,
    ) -> Step {
        if depth >= DEEPEST_NESTING {
            return Step::Stop(Ended::Exhausted);
        }
        let base = self.top;
        match self.run::<FORWARD>(pc + 1, at, depth + 1) {
            Ended::Match(end) => {
                self.commit(base);
                Step::Go(index(word.c), end)
            }
            Ended::Fail => Step::Fail,
            Ended::Exhausted => Step::Stop(Ended::Exhausted),
        }
    }

    fn backreference(&mut self, pc: usize, at: usize, word: Word) -> Step {
        let register = u32::from(word.b);
        let (start, end) = (self.register(register + 1), self.register(register + 2));
        if start == NONE || end == NONE {
            return Step::Fail;
        }
        let text = self.haystack.get(index(start)..index(end));
        let here = self.haystack.get(at..).unwrap_or_default();
        let Some(text) = text else {
            return Step::Fail;
        };
        let Some(here) = here.get(..text.len()) else {
            return Step::Fail;
        };
        let same = if word.a == 0 {
            here == text
        } else {
            here.eq_ignore_ascii_case(text)
        };
        let length = text.len();
        self.charge(length);
        if same {
            Step::Go(pc + 1, at + length)
        } else {
            Step::Fail
        }
    }

    /// Goes back to the last open choice above `base`.
    #[inline]
    fn backtrack<const FORWARD: bool>(&mut self, base: usize) -> Step {
        while self.top > base {
            self.top -= 1;
            let [kind, number, at, spare] = self.stack.get(self.top).copied().unwrap_or_default();
            let step = match kind {
                kind::CHOICE => return Step::Go(index(number), index(at)),
                kind::LAZY => self.grow::<FORWARD>(
                    index(number),
                    Self::after::<FORWARD>(index(at)),
                    spare.saturating_sub(1),
                ),
                kind::GREEDY => self.give_back::<FORWARD>(index(number), index(at), index(spare)),
                _ => {
                    if let Some(register) = self.registers.get_mut(index(number)) {
                        *register = at;
                    }
                    Step::Fail
                }
            };
            if !matches!(step, Step::Fail) {
                return step;
            }
        }
        Step::Fail
    }

    /// Takes back what registers got since `base`, and forgets the choices.
    fn undo(&mut self, base: usize) {
        while self.top > base {
            self.top -= 1;
            let [kind, number, value, _] = self.stack.get(self.top).copied().unwrap_or_default();
            if kind == kind::RESTORE
                && let Some(register) = self.registers.get_mut(index(number))
            {
                *register = value;
            }
        }
    }

    /// Forgets the choices since `base`, but not what registers were.
    fn commit(&mut self, base: usize) {
        let mut kept = base;
        for place in base..self.top {
            let frame = self.stack.get(place).copied().unwrap_or_default();
            if let [kind::RESTORE, ..] = frame
                && let Some(slot) = self.stack.get_mut(kept)
            {
                *slot = frame;
                kept += 1;
            }
        }
        self.charge(self.top - base);
        self.top = kept;
    }

    #[inline(always)]
    fn frame(&mut self, frame: Frame) -> Option<()> {
        *self.stack.get_mut(self.top)? = frame;
        self.top += 1;
        Some(())
    }

    #[inline(always)]
    fn choice(&mut self, pc: usize, at: usize) -> Option<()> {
        self.frame([kind::CHOICE, narrow(pc), narrow(at), 0])
    }

    pub(super) fn register(&self, register: u32) -> u32 {
        self.registers.get(index(register)).copied().unwrap_or(NONE)
    }

    fn set_register(&mut self, register: u32, value: u32) -> Option<()> {
        let old = self.registers.get(index(register)).copied()?;
        self.frame([kind::RESTORE, register, old, 0])?;
        *self.registers.get_mut(index(register))? = value;
        Some(())
    }

    fn close(&mut self, register: u32, at: usize) -> Option<()> {
        let start = self.register(register);
        self.set_register(register + 1, start)?;
        self.set_register(register + 2, narrow(at))
    }
}

/// Whether a set of the file has a byte.
#[inline(always)]
pub(super) fn contains(set: &[u8; 32], byte: u8) -> bool {
    // The index is below 32.
    set.get(usize::from(byte >> 3))
        .is_some_and(|bits| bits >> (byte & 7) & 1 == 1)
}

/// A position or an instruction in a frame. Haystacks and code are shorter than that.
#[inline(always)]
pub(super) fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Fewer than eight bytes, as eight.
#[cold]
fn padded(window: &[u8]) -> [u8; 8] {
    let mut text = [0; 8];
    for (slot, byte) in text.iter_mut().zip(window) {
        *slot = *byte;
    }
    text
}
