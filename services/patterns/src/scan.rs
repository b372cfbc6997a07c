//! The scan: arms fire, confirmations and searches decide, matches are reported.
//!
//! For each haystack: the anchored arms its first byte admits, the literal table, the lane table,
//! the patterns that are searched for. The order of reports follows from the database and the
//! haystack alone.

use std::ops::ControlFlow;

use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

use crate::anchored;
use crate::file::layout::{ArmRecord, IndexRecord, PatternRecord};
use crate::program::{Answer, Program};
use crate::scratch::{Matched, Scratch};
use crate::table::lane::{self, Lane};
use crate::table::literal;
use crate::unit::Unit;

/// Steps of one confirmation.
const CONFIRMATION_FUEL: u32 = 4_096;
/// Steps of all confirmations of a pattern in a haystack, for the haystack's sake.
const FIXED_FUEL: u32 = 1 << 14;
/// And for each of its bytes. Beyond that one search is cheaper.
const FUEL_PER_BYTE: u32 = 16;
/// Steps for each byte of the haystack, beside the scratch's fuel, to find all matches of a
/// pattern.
const FIND_FUEL_PER_BYTE: u64 = 64;

/// How a scan went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The callback stopped it: what was reported may not be all.
    pub stopped: bool,
    /// How many patterns ran out of fuel; [`Scratch::exhausted`] names them.
    pub exhausted: usize,
}

/// One match of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The pattern.
    pub id: u32,
    /// Where the match begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// The parts of a scope, ready to scan with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) patterns: &'a [PatternRecord],
    pub(crate) arms: &'a [ArmRecord],
    pub(crate) literals: literal::Table<'a>,
    pub(crate) lanes: lane::Table<'a>,
    pub(crate) anchored: anchored::Table<'a>,
    pub(crate) whole: &'a [U32],
    pub(crate) index: &'a [IndexRecord],
    pub(crate) units: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The id of a pattern of the scope.
    fn id(&self, pattern: u32) -> u32 {
        self.patterns
            .get(pattern as usize)
            .map_or(u32::MAX, |record| record.id.get())
    }

    #[inline]
    fn arm(&self, arm: u32) -> Option<&'a ArmRecord> {
        self.arms.get(arm as usize)
    }

    /// The program an arm enters.
    #[inline]
    fn program(&self, arm: &ArmRecord) -> Option<Program<'a>> {
        let start = usize::try_from(arm.program.get()).ok()?;
        let end = start.checked_add(arm.program_length.get() as usize)?;
        Program::trusted(self.units.get(start..end)?)
    }

    /// The unit of a pattern of the scope.
    pub(crate) fn unit(&self, pattern: u32) -> Option<Unit<'a>> {
        let record = self.patterns.get(pattern as usize)?;
        let place = self.index.get(record.unit.get() as usize)?;
        let start = usize::try_from(place.offset.get()).ok()?;
        let end = start.checked_add(usize::try_from(place.length.get()).ok()?)?;
        Unit::trusted(self.units.get(start..end)?)
    }
}

/// A view of the records of a section.
pub(crate) fn records<
    T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned,
>(
    bytes: &[u8],
) -> Option<&[T]> {
    <[T]>::ref_from_bytes(bytes).ok()
}

/// Why a scan ends before its haystacks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The callback wants no more.
    Stopped,
    /// Every pattern has matched.
    Complete,
}

/// Reports the id of each pattern that matches one of the haystacks, once.
pub(crate) fn exist<'h>(
    parts: &Parts<'_>,
    scratch: &mut Scratch,
    haystacks: impl IntoIterator<Item = &'h [u8]>,
    mut on_match: impl FnMut(u32) -> ControlFlow<()>,
) -> Outcome {
    let end = run(parts, scratch, haystacks, |pattern| {
        on_match(parts.id(pattern))
    });
    Outcome {
        stopped: end == ControlFlow::Break(End::Stopped),
        exhausted: scratch.end_scan(Matched::Forgotten, |pattern| parts.id(pattern)),
    }
}

/// Reports every match: patterns by id, the matches of each from left to right, none overlapping
/// another.
pub(crate) fn matches(
    parts: &Parts<'_>,
    scratch: &mut Scratch,
    haystack: &[u8],
    mut on_match: impl FnMut(Match) -> ControlFlow<()>,
) -> Outcome {
    // Taken out so that both can be written to; it keeps its capacity.
    let mut matched = std::mem::take(&mut scratch.matched);
    matched.clear();
    // The callback never stops it.
    let _ = run(parts, scratch, [haystack], |pattern| {
        matched.push(pattern);
        ControlFlow::Continue(())
    });
    matched.sort_unstable();
    let end = matched
        .iter()
        .try_for_each(|&pattern| find_all(parts, scratch, haystack, pattern, &mut on_match));
    scratch.matched = matched;
    Outcome {
        stopped: end.is_break(),
        exhausted: scratch.end_scan(Matched::Reported, |pattern| parts.id(pattern)),
    }
}

/// Counts the matches of one pattern in haystacks, up to `at_most`.
pub(crate) fn count<'h>(
    parts: &Parts<'_>,
    scratch: &mut Scratch,
    pattern: u32,
    haystacks: impl IntoIterator<Item = &'h [u8]>,
    at_most: u32,
) -> u32 {
    scratch.begin_scan(parts.patterns.len());
    let mut count = 0;
    if at_most > 0 {
        // Stopped when there are enough of them.
        let _ = haystacks.into_iter().try_for_each(|haystack| {
            find_all(parts, scratch, haystack, pattern, &mut |_| {
                count += 1;
                if count < at_most {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
    }
    scratch.end_scan(Matched::Reported, |pattern| parts.id(pattern));
    count
}

/// Reports every match of one pattern.
fn find_all(
    parts: &Parts<'_>,
    scratch: &mut Scratch,
    haystack: &[u8],
    pattern: u32,
    on_match: &mut impl FnMut(Match) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let record = parts.patterns.get(pattern as usize);
    let unit = parts.unit(pattern);
    let program = unit.and_then(|unit| Program::trusted(unit.program));
    let (Some(record), Some(program)) = (record, program) else {
        return ControlFlow::Continue(());
    };
    let length = haystack.len() as u64;
    scratch.machine.fuel = scratch
        .fuel
        .saturating_add(length.saturating_mul(FIND_FUEL_PER_BYTE));
    let mut found = program.find(&mut scratch.machine, haystack, 0);
    while let Ok(Some(range)) = found {
        on_match(Match {
            id: record.id.get(),
            start: range.start,
            end: range.end,
        })?;
        found = program.find_next(&mut scratch.machine, haystack, &range);
    }
    if found.is_err() {
        scratch.note_exhausted(pattern);
    }
    ControlFlow::Continue(())
}

/// Reports the number of each pattern that matches one of the haystacks, once.
fn run<'h>(
    parts: &Parts<'_>,
    scratch: &mut Scratch,
    haystacks: impl IntoIterator<Item = &'h [u8]>,
    report: impl FnMut(u32) -> ControlFlow<()>,
) -> ControlFlow<End> {
    scratch.begin_scan(parts.patterns.len());
    if parts.patterns.is_empty() {
        return ControlFlow::Continue(());
    }
    let mut scan = Scan {
        parts,
        scratch,
        haystack: &[],
        limit: 0,
        remaining: parts.patterns.len(),
        report,
    };
    haystacks
        .into_iter()
        .try_for_each(|haystack| scan.haystack(haystack))
}

/// What it means when an attempt succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The pattern matches.
    Final,
    /// It may match: exact code decides.
    Preliminary,
}

struct Scan<'s, 'a, 'h, F> {
    parts: &'s Parts<'a>,
    scratch: &'s mut Scratch,
    haystack: &'h [u8],
    /// Steps that confirmations of one pattern may take.
    limit: u32,
    /// How many patterns have not matched.
    remaining: usize,
    report: F,
}

impl<'h, F: FnMut(u32) -> ControlFlow<()>> Scan<'_, '_, 'h, F> {
    fn haystack(&mut self, haystack: &'h [u8]) -> ControlFlow<End> {
        let parts = self.parts;
        self.haystack = haystack;
        self.limit = u32::try_from(haystack.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(FUEL_PER_BYTE)
            .saturating_add(FIXED_FUEL)
            .min(u32::MAX - 1);
        self.scratch.begin_haystack(haystack);
        for arm in parts.anchored.of(haystack) {
            self.start(arm)?;
        }
        parts
            .literals
            .scan(haystack, |arm, start| self.literal(arm, start))?;
        parts
            .lanes
            .scan(haystack, |arm, last| self.lane(arm, last))?;
        for arm in parts.whole {
            self.whole(arm.get())?;
        }
        ControlFlow::Continue(())
    }

    /// An anchored arm.
    fn start(&mut self, arm: u32) -> ControlFlow<End> {
        let Some(arm) = self.parts.arm(arm) else {
            return ControlFlow::Continue(());
        };
        self.scratch.counters.anchored += 1;
        self.attempt(arm, Verdict::Final, |program, machine, haystack| {
            program.matches_at_start(machine, haystack)
        })
    }

    /// A literal that begins at `start`.
    #[inline]
    fn literal(&mut self, arm: u32, start: usize) -> ControlFlow<End> {
        self.scratch.counters.literal_hits += 1;
        let Some(arm) = self.parts.arm(arm) else {
            return ControlFlow::Continue(());
        };
        match start.checked_add(arm.distance.get() as usize) {
            Some(at) => self.confirm(arm, at),
            None => ControlFlow::Continue(()),
        }
    }

    /// A lane whose last position was entered by the byte at `last`.
    #[inline]
    fn lane(&mut self, arm: u32, last: usize) -> ControlFlow<End, Lane> {
        self.scratch.counters.lane_hits += 1;
        let Some(arm) = self.parts.arm(arm) else {
            return ControlFlow::Continue(Lane::Silence);
        };
        if let Some(at) = last.checked_sub(arm.distance.get() as usize) {
            self.confirm(arm, at)?;
        }
        ControlFlow::Continue(match self.scratch.spent(arm.pattern.get()) {
            Some(_) => Lane::Keep,
            None => Lane::Silence,
        })
    }

    /// An arm that searches every haystack.
    fn whole(&mut self, arm: u32) -> ControlFlow<End> {
        match self.parts.arm(arm) {
            Some(arm) if self.scratch.spent(arm.pattern.get()).is_some() => self.search(arm),
            _ => ControlFlow::Continue(()),
        }
    }

    /// A match may pass the arm's mark at `at`.
    #[inline]
    fn confirm(&mut self, arm: &ArmRecord, at: usize) -> ControlFlow<End> {
        if at > self.haystack.len() || !arm.admits(self.haystack, at) {
            return ControlFlow::Continue(());
        }
        let entries = (arm.forward.get(), arm.reverse.get());
        let verdict = match arm.exact {
            0 => Verdict::Final,
            _ => Verdict::Preliminary,
        };
        self.attempt(arm, verdict, |program, machine, haystack| {
            program.confirm(machine, entries, haystack, at)
        })
    }

    /// Runs a part of the arm's program, unless its pattern is settled, and draws the conclusions.
    #[inline]
    fn attempt(
        &mut self,
        arm: &ArmRecord,
        verdict: Verdict,
        run: impl FnOnce(&Program<'_>, &mut crate::program::Machine, &[u8]) -> Answer,
    ) -> ControlFlow<End> {
        let pattern = arm.pattern.get();
        let Some(spent) = self.scratch.spent(pattern) else {
            return ControlFlow::Continue(());
        };
        let Some(program) = self.parts.program(arm) else {
            return ControlFlow::Continue(());
        };
        self.scratch.counters.confirmations += 1;
        let allowed = u64::from(CONFIRMATION_FUEL.min(self.limit.saturating_sub(spent)));
        self.scratch.machine.fuel = allowed;
        match run(&program, &mut self.scratch.machine, self.haystack) {
            Answer::Yes if verdict == Verdict::Final => self.matched(pattern),
            Answer::Yes | Answer::Exhausted => self.search(arm),
            Answer::No => {
                let used = allowed.saturating_sub(self.scratch.machine.fuel);
                let spent = spent.saturating_add(u32::try_from(used).unwrap_or(u32::MAX));
                if spent >= self.limit {
                    return self.search(arm);
                }
                self.scratch.spend(pattern, spent);
                ControlFlow::Continue(())
            }
        }
    }

    /// Decides about the pattern and the haystack.
    #[cold]
    fn search(&mut self, arm: &ArmRecord) -> ControlFlow<End> {
        let pattern = arm.pattern.get();
        let Some(program) = self.parts.program(arm) else {
            return ControlFlow::Continue(());
        };
        self.scratch.counters.searches += 1;
        self.scratch.settle(pattern);
        self.scratch.machine.fuel = self.scratch.fuel;
        let answer = program.decide(&mut self.scratch.machine, self.haystack);
        let used = self.scratch.fuel.saturating_sub(self.scratch.machine.fuel);
        self.scratch.counters.steps += used;
        match answer {
            Answer::Yes => self.matched(pattern),
            Answer::No => ControlFlow::Continue(()),
            Answer::Exhausted => {
                self.scratch.note_exhausted(pattern);
                ControlFlow::Continue(())
            }
        }
    }

    fn matched(&mut self, pattern: u32) -> ControlFlow<End> {
        self.scratch.note_match(pattern);
        self.scratch.counters.matches += 1;
        self.remaining = self.remaining.saturating_sub(1);
        if (self.report)(pattern).is_break() {
            return ControlFlow::Break(End::Stopped);
        }
        if self.remaining == 0 {
            return ControlFlow::Break(End::Complete);
        }
        ControlFlow::Continue(())
    }
}
