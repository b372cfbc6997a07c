//! Where a search tries a program, and the searches themselves.

use std::ops::Range;

use memchr::{memchr, memchr2, memchr3};

use super::instruction::{NONE, Word, index, op};
use super::machine::{Ended, Machine, Run, contains, narrow};
use super::{Answer, Exhausted, Program};
use crate::byteset::ByteSet;

/// Steps per byte of haystack that backtracking may take before the simulation takes over.
const STEPS_PER_BYTE: u64 = 16;
/// Steps it may take in any haystack.
const STEPS_AT_LEAST: u64 = 4096;
/// Steps per byte of haystack that a simulation may take beyond the machine's fuel.
const SIMULATED_STEPS_PER_BYTE: u64 = 2048;
/// Steps per byte of haystack that look-arounds inside a simulation may take.
const LOOK_STEPS_PER_BYTE: u64 = 256;
/// A count in a start's description: its bytes are those of the set.
const SEE_SET: u8 = 0;
/// A count: any byte.
const ANY_BYTE: u8 = u8::MAX;

/// Where matches can start, as described in a program's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Starts {
    /// The set of first bytes.
    pub(super) set: u16,
    /// See [`EDGE`](Self::EDGE) and so on.
    pub(super) flags: u16,
    /// How many first bytes there are (at most three), and these; or [`SEE_SET`] or [`ANY_BYTE`].
    bytes: [u8; 4],
}

impl Starts {
    /// Matches can start at the end of the haystack.
    pub(super) const EDGE: u16 = 1;
    /// Matches start at the start of the haystack only.
    pub(super) const ANCHORED: u16 = 2;
    /// Matches start at the start of the haystack and after line feeds only.
    pub(super) const LINES: u16 = 4;

    /// Describes a set, which has the number `set`.
    pub(super) fn new(set: u16, bytes: ByteSet, flags: u16) -> Self {
        let mut list = bytes.iter();
        let bytes = match bytes.len() {
            256 => [ANY_BYTE, 0, 0, 0],
            count @ 1..=3 => {
                let mut next = || list.next().unwrap_or(0);
                let count = u8::try_from(count).unwrap_or(SEE_SET);
                [count, next(), next(), next()]
            }
            _ => [SEE_SET, 0, 0, 0],
        };
        Self { set, flags, bytes }
    }

    /// As eight bytes of the header.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        let [s0, s1] = self.set.to_le_bytes();
        let [f0, f1] = self.flags.to_le_bytes();
        let [b0, b1, b2, b3] = self.bytes;
        [s0, s1, f0, f1, b0, b1, b2, b3]
    }

    /// From eight bytes of the header.
    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        let [s0, s1, f0, f1, b0, b1, b2, b3] = bytes;
        Self {
            set: u16::from_le_bytes([s0, s1]),
            flags: u16::from_le_bytes([f0, f1]),
            bytes: [b0, b1, b2, b3],
        }
    }

    /// Whether the list of bytes says the same as the set.
    pub(super) fn is_consistent(self, set: &[u8; 32]) -> bool {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(set.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let set = ByteSet::from_words(words);
        Self::new(self.set, set, self.flags) == self
            && self.flags <= Self::EDGE | Self::ANCHORED | Self::LINES
    }

    /// The first position from `from` on where a match can start.
    pub(super) fn seek(self, sets: &[[u8; 32]], haystack: &[u8], from: usize) -> Option<usize> {
        if self.flags & Self::ANCHORED != 0 {
            return (from == 0).then_some(0);
        }
        if self.flags & Self::LINES != 0 {
            let Some(last) = from.checked_sub(1) else {
                return Some(0);
            };
            let found = memchr(b'\n', haystack.get(last..)?)?;
            return Some(from + found);
        }
        let edge = (self.flags & Self::EDGE != 0).then_some(haystack.len());
        let window = haystack.get(from..)?;
        let found = match self.bytes {
            [ANY_BYTE, ..] => (!window.is_empty()).then_some(0),
            [1, a, ..] => memchr(a, window),
            [2, a, b, _] => memchr2(a, b, window),
            [3, a, b, c] => memchr3(a, b, c, window),
            _ => {
                let set = sets.get(usize::from(self.set))?;
                window.iter().position(|&byte| contains(set, byte))
            }
        };
        found.map(|found| from + found).or(edge)
    }

    /// Whether a match can start at `at`, as far as the next byte tells.
    pub(super) fn may_start(self, sets: &[[u8; 32]], haystack: &[u8], at: usize) -> bool {
        if self.flags & Self::ANCHORED != 0 {
            return at == 0;
        }
        match haystack.get(at) {
            Some(&byte) => sets
                .get(usize::from(self.set))
                .is_some_and(|set| contains(set, byte)),
            None => self.flags & (Self::EDGE | Self::LINES) != 0,
        }
    }
}

/// A section as a search uses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Searched {
    /// Where it is entered.
    pub(super) pc: u32,
    /// Where matches can start.
    pub(super) starts: Starts,
}

/// How a search ended.
enum Search {
    /// A match starts and ends here.
    Found(usize, usize),
    /// None from where it began.
    None,
    /// Out of fuel; nothing starts before this position.
    Exhausted(usize),
}

/// Tries a section from every possible start.
fn search(run: &mut Run<'_>, searched: Searched, mut from: usize) -> Search {
    let pc = index(searched.pc);
    let lead = leading_run(run, pc);
    while let Some(at) = searched.starts.seek(run.sets, run.haystack, from) {
        match run.start::<true>(pc, at) {
            Ended::Match(end) => return Search::Found(at, end),
            Ended::Exhausted => return Search::Exhausted(at),
            Ended::Fail => {}
        }
        // What fails after a run without maximum fails after its every later part.
        let skipped = lead.map_or(1, |word| {
            run.run_length::<true>(at, word, run.word(pc + 1), NONE)
                .max(1)
        });
        from = at + skipped;
        if from > run.haystack.len() {
            break;
        }
    }
    Search::None
}

/// The first word of the span without maximum that a section starts with.
fn leading_run(run: &Run<'_>, pc: usize) -> Option<Word> {
    let word = run.word(pc);
    let span = matches!(word.op, op::RUN | op::LAZY | op::GREEDY);
    (span && run.word(pc + 1).c == NONE).then_some(word)
}

impl Program<'_> {
    /// Whether a match passes the mark with these entries at `at`.
    #[inline]
    pub(crate) fn confirm(
        &self,
        machine: &mut Machine,
        (forward, reverse): (u32, u32),
        haystack: &[u8],
        at: usize,
    ) -> Answer {
        if at > haystack.len() || narrow(haystack.len()) == u32::MAX {
            return Answer::Exhausted;
        }
        let (mut run, _) = machine.load(self.code, self.sets, haystack, self.registers());
        let (forward, reverse) = (index(forward), index(reverse));
        let answer = if run.word(reverse).op == op::LAZY {
            Answer::of(run.start::<true>(forward, at))
                .and_then(|| Answer::of(run.start::<false>(reverse, at)))
        } else {
            Answer::of(run.start::<false>(reverse, at))
                .and_then(|| Answer::of(run.start::<true>(forward, at)))
        };
        machine.fuel = run.fuel;
        answer
    }

    /// Whether the pattern matches at the start of the haystack.
    pub(crate) fn matches_at_start(&self, machine: &mut Machine, haystack: &[u8]) -> Answer {
        if narrow(haystack.len()) == u32::MAX {
            return Answer::Exhausted;
        }
        let (mut run, _) = machine.load(self.code, self.sets, haystack, self.registers());
        let mut answer = Answer::of(run.start::<true>(index(self.forward_start()), 0));
        if let Some(exact) = self.exact() {
            answer = answer.and_then(|| Answer::of(run.start::<true>(index(exact.pc), 0)));
        }
        machine.fuel = run.fuel;
        answer
    }

    /// Whether the pattern matches anywhere.
    ///
    /// A pattern with exact code is searched with the machine's fuel. Any other is decided in time
    /// linear in the haystack, whatever the fuel; only one with very many states, or whose
    /// look-arounds take too long, ends exhausted. Steps are counted against the fuel in any case.
    pub(crate) fn decide(&self, machine: &mut Machine, haystack: &[u8]) -> Answer {
        if narrow(haystack.len()) == u32::MAX {
            return Answer::Exhausted;
        }
        let fuel = machine.fuel;
        let (mut run, simulation) = machine.load(self.code, self.sets, haystack, self.registers());
        if let Some(exact) = self.exact() {
            let answer = match search(&mut run, exact, 0) {
                Search::Found(..) => Answer::Yes,
                Search::None => Answer::No,
                Search::Exhausted(_) => Answer::Exhausted,
            };
            machine.fuel = run.fuel;
            return answer;
        }
        let length = u64::try_from(haystack.len()).unwrap_or(u64::MAX);
        let budget = STEPS_PER_BYTE * length + STEPS_AT_LEAST;
        run.fuel = budget;
        let searched = self.searched();
        let result = search(&mut run, searched, 0);
        let mut used = budget - run.fuel;
        let answer = match result {
            Search::Found(..) => Answer::Yes,
            Search::None => Answer::No,
            Search::Exhausted(from) => {
                let look_budget = LOOK_STEPS_PER_BYTE * length + STEPS_AT_LEAST;
                run.fuel = look_budget;
                simulation.steps = fuel.saturating_add(SIMULATED_STEPS_PER_BYTE * length);
                let most = simulation.steps;
                let ended = simulation.search(&mut run, self.reverse_start(), searched, from);
                let steps = most - simulation.steps;
                used += steps + (look_budget - run.fuel);
                Answer::of(ended)
            }
        };
        machine.fuel = fuel.saturating_sub(used);
        answer
    }

    /// What [`decide`](Self::decide) says when the simulation does all the work.
    #[cfg(test)]
    pub(super) fn simulate(&self, machine: &mut Machine, haystack: &[u8]) -> Answer {
        let (mut run, simulation) = machine.load(self.code, self.sets, haystack, self.registers());
        let (length, searched) = (self.reverse_start(), self.searched());
        simulation.steps = u64::MAX;
        Answer::of(simulation.search(&mut run, length, searched, 0))
    }

    /// The leftmost match that starts at `from` or later, chosen as Perl does; `\K` moves its
    /// start.
    pub(crate) fn find(
        &self,
        machine: &mut Machine,
        haystack: &[u8],
        from: usize,
    ) -> Result<Option<Range<usize>>, Exhausted> {
        self.find_unless(machine, haystack, from, usize::MAX)
    }

    /// The match after one that was found, as Perl's `//g` goes on: it starts where the other ends
    /// or later, and, if the other is empty, does not end there.
    pub(crate) fn find_next(
        &self,
        machine: &mut Machine,
        haystack: &[u8],
        last: &Range<usize>,
    ) -> Result<Option<Range<usize>>, Exhausted> {
        let barred = if last.start < last.end {
            usize::MAX
        } else {
            last.end
        };
        self.find_unless(machine, haystack, last.end, barred)
    }

    /// The leftmost match from `from` on that does not end at `barred`.
    fn find_unless(
        &self,
        machine: &mut Machine,
        haystack: &[u8],
        from: usize,
        barred: usize,
    ) -> Result<Option<Range<usize>>, Exhausted> {
        if narrow(haystack.len()) == u32::MAX {
            return Err(Exhausted);
        }
        let (mut run, _) = machine.load(self.code, self.sets, haystack, self.registers());
        run.barred = barred;
        let found = search(&mut run, self.ordered(), from);
        let kept = match self.keeps() {
            true => run.register(0),
            false => NONE,
        };
        machine.fuel = run.fuel;
        match found {
            Search::Found(start, end) if kept == NONE => Ok(Some(start..end)),
            Search::Found(_, end) => Ok(Some(index(kept)..end)),
            Search::None => Ok(None),
            Search::Exhausted(_) => Err(Exhausted),
        }
    }
}

impl Answer {
    fn of(ended: Ended) -> Self {
        match ended {
            Ended::Match(_) => Self::Yes,
            Ended::Fail => Self::No,
            Ended::Exhausted => Self::Exhausted,
        }
    }

    /// The other's answer if this is yes.
    #[inline(always)]
    fn and_then(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Yes => other(),
            answer => answer,
        }
    }
}
