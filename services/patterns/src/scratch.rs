//! What a scan needs to remember, allocated once.

use std::fmt;

use crate::Database;
use crate::program::Machine;

/// Steps for one search of a pattern that is not regular, unless [`Scratch::set_fuel`] says
/// otherwise: some hundredths of a second.
pub const DEFAULT_FUEL: u64 = 4_000_000;

/// [`Stamp::spent`] of a pattern that is settled for the haystack.
const SETTLED: u32 = u32::MAX;

/// The memory of scans, for one thread. Made for a database (or for several that take turns, see
/// [`fit`](Self::fit)); a scan with it allocates nothing.
pub struct Scratch {
    /// By number of the pattern within its scope.
    stamps: Vec<Stamp>,
    /// The number of the scan, the first is 1.
    scan: u32,
    /// The number of the haystack, over all scans, the first is 1.
    haystack: u32,
    pub(crate) machine: Machine,
    pub(crate) fuel: u64,
    /// During a scan the numbers of patterns, afterwards their ids.
    exhausted: Vec<u32>,
    /// Numbers of patterns that matched, for [`Scope::matches`](crate::Scope::matches).
    pub(crate) matched: Vec<u32>,
    pub(crate) counters: Counters,
}

/// What is known about a pattern. Numbers of scans and haystacks stand in it instead of flags, so
/// that nothing has to be cleared between scans.
#[derive(Clone, Copy, Debug, Default)]
struct Stamp {
    /// The scan in which it matched.
    matched: u32,
    /// The scan in which it ran out of fuel.
    exhausted: u32,
    /// The haystack `spent` is about.
    haystack: u32,
    /// Steps its confirmations took in that haystack, or [`SETTLED`].
    spent: u32,
}

/// What scans have done, since the counters were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Haystacks.
    pub haystacks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Times a literal's arm fired.
    pub literal_hits: u64,
    /// Times a lane's arm fired.
    pub lane_hits: u64,
    /// Times an anchored arm was tried.
    pub anchored: u64,
    /// Confirmations: what was left of the hits when patterns that were known to match were passed
    /// over and the bytes beside the mark looked at.
    pub confirmations: u64,
    /// Searches of a whole haystack for one pattern.
    pub searches: u64,
    /// Steps of the machine that confirmations and searches took, as far as fuel was left to count
    /// them: the measure of work that no clock and no other program disturbs.
    pub steps: u64,
    /// Matches that were reported.
    pub matches: u64,
    /// Patterns that ran out of fuel, by haystack.
    pub exhausted: u64,
}

impl Scratch {
    /// The memory for scans of this database.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let mut scratch = Self {
            stamps: Vec::new(),
            scan: 0,
            haystack: 0,
            machine: Machine::new(),
            fuel: DEFAULT_FUEL,
            exhausted: Vec::new(),
            matched: Vec::new(),
            counters: Counters::default(),
        };
        scratch.fit(database);
        scratch
    }

    /// Makes it large enough for another database too.
    pub fn fit(&mut self, database: &Database) {
        let most = database.scopes().map(|scope| scope.len()).max();
        self.fit_patterns(most.unwrap_or(0));
    }

    /// Makes it large enough for a scope of so many patterns.
    pub(crate) fn fit_patterns(&mut self, patterns: usize) {
        if self.stamps.len() < patterns {
            self.stamps.resize(patterns, Stamp::default());
            self.exhausted
                .reserve_exact(patterns.saturating_sub(self.exhausted.len()));
            self.matched
                .reserve_exact(patterns.saturating_sub(self.matched.len()));
        }
    }

    /// How many steps a search may take for each pattern and haystack. Regular patterns, nearly
    /// all, never need that many; one with back references or look-arounds that does is counted as
    /// [exhausted](Self::exhausted).
    pub fn set_fuel(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    /// The ids of the patterns that ran out of fuel in the last scan, and did not match: whether
    /// they would have is not known.
    #[must_use]
    pub fn exhausted(&self) -> &[u32] {
        &self.exhausted
    }

    /// What scans have done since the last [`take_counters`](Self::take_counters).
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The same, and begins again with zeros.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    /// A new scan of a scope with so many patterns.
    pub(crate) fn begin_scan(&mut self, patterns: usize) {
        self.fit_patterns(patterns);
        self.exhausted.clear();
        if self.scan == u32::MAX {
            for stamp in &mut self.stamps {
                (stamp.matched, stamp.exhausted) = (0, 0);
            }
            self.scan = 0;
        }
        self.scan += 1;
    }

    /// Another haystack of the scan.
    pub(crate) fn begin_haystack(&mut self, haystack: &[u8]) {
        if self.haystack == u32::MAX {
            for stamp in &mut self.stamps {
                stamp.haystack = 0;
            }
            self.haystack = 0;
        }
        self.haystack += 1;
        self.counters.haystacks += 1;
        self.counters.bytes += haystack.len() as u64;
    }

    /// Steps that confirmations of the pattern have taken in this haystack. None if it is settled:
    /// it has matched in this scan or is known not to match this haystack.
    #[inline]
    pub(crate) fn spent(&self, pattern: u32) -> Option<u32> {
        let stamp = self.stamps.get(pattern as usize)?;
        let spent = if stamp.haystack == self.haystack {
            stamp.spent
        } else {
            0
        };
        (stamp.matched != self.scan && spent != SETTLED).then_some(spent)
    }

    /// Notes how many steps these are now.
    #[inline]
    pub(crate) fn spend(&mut self, pattern: u32, spent: u32) {
        let haystack = self.haystack;
        if let Some(stamp) = self.stamps.get_mut(pattern as usize) {
            stamp.haystack = haystack;
            stamp.spent = spent;
        }
    }

    /// Nothing more is to be found out about the pattern in this haystack.
    pub(crate) fn settle(&mut self, pattern: u32) {
        self.spend(pattern, SETTLED);
    }

    /// The pattern matched: nothing more is to be found out about it in this scan.
    pub(crate) fn note_match(&mut self, pattern: u32) {
        let scan = self.scan;
        if let Some(stamp) = self.stamps.get_mut(pattern as usize) {
            stamp.matched = scan;
        }
    }

    /// The pattern ran out of fuel.
    pub(crate) fn note_exhausted(&mut self, pattern: u32) {
        let scan = self.scan;
        self.counters.exhausted += 1;
        if let Some(stamp) = self.stamps.get_mut(pattern as usize)
            && stamp.exhausted != scan
        {
            stamp.exhausted = scan;
            self.exhausted.push(pattern);
        }
    }

    /// The scan is over: sorts out what ran out of fuel; gives how many.
    pub(crate) fn end_scan(&mut self, keep_matched: Matched, id: impl Fn(u32) -> u32) -> usize {
        let (stamps, scan) = (&self.stamps, self.scan);
        if keep_matched == Matched::Forgotten {
            self.exhausted.retain(|&pattern| {
                stamps
                    .get(pattern as usize)
                    .is_none_or(|stamp| stamp.matched != scan)
            });
        }
        self.exhausted.sort_unstable();
        for pattern in &mut self.exhausted {
            *pattern = id(*pattern);
        }
        self.exhausted.len()
    }
}

/// What becomes of patterns that ran out of fuel and matched nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    /// Existence was asked for: they have matched, in another haystack.
    Forgotten,
    /// Every match was asked for: some may be missing.
    Reported,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch")
            .field("patterns", &self.stamps.len())
            .field("scans", &self.scan)
            .field("fuel", &self.fuel)
            .field("exhausted", &self.exhausted)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> Scratch {
        Scratch::new(&crate::tests::database(&[
            ("body", "", "abcd"),
            ("body", "", "efgh"),
        ]))
    }

    #[test]
    fn a_match_is_remembered_for_the_scan_and_a_refusal_for_the_haystack() {
        let mut scratch = scratch();
        scratch.begin_scan(2);
        scratch.begin_haystack(b"");
        scratch.spend(0, 7);
        assert_eq!((scratch.spent(0), scratch.spent(1)), (Some(7), Some(0)));
        scratch.note_match(0);
        scratch.settle(1);
        assert_eq!((scratch.spent(0), scratch.spent(1)), (None, None));
        scratch.begin_haystack(b"");
        assert_eq!((scratch.spent(0), scratch.spent(1)), (None, Some(0)));
        scratch.begin_scan(2);
        scratch.begin_haystack(b"");
        assert_eq!((scratch.spent(0), scratch.spent(1)), (Some(0), Some(0)));
    }

    #[test]
    fn numbers_start_again_when_they_run_out() {
        let mut scratch = scratch();
        scratch.scan = u32::MAX - 1;
        scratch.haystack = u32::MAX - 1;
        for _ in 0..4 {
            scratch.begin_scan(2);
            scratch.begin_haystack(b"");
            assert_eq!((scratch.spent(0), scratch.spent(1)), (Some(0), Some(0)));
            scratch.note_match(0);
            scratch.settle(1);
            assert_eq!((scratch.spent(0), scratch.spent(1)), (None, None));
        }
    }

    #[test]
    fn a_pattern_that_ran_out_of_fuel_and_matched_later_has_matched() {
        let mut scratch = scratch();
        scratch.begin_scan(2);
        scratch.begin_haystack(b"");
        scratch.note_exhausted(1);
        scratch.note_exhausted(0);
        scratch.begin_haystack(b"");
        scratch.note_exhausted(0);
        assert_eq!(
            scratch.end_scan(Matched::Reported, |pattern| pattern + 10),
            2
        );
        assert_eq!(scratch.exhausted(), [10, 11]);

        scratch.begin_scan(2);
        scratch.begin_haystack(b"");
        scratch.note_exhausted(1);
        scratch.note_match(1);
        assert_eq!(scratch.end_scan(Matched::Forgotten, |pattern| pattern), 0);
        assert_eq!(scratch.counters().exhausted, 4);
    }
}
