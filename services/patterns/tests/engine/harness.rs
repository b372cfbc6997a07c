//! Short ways to compile and scan.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use patterns::{Compiled, Compiler, Database, Flags, Pattern, PatternSet, Scope, Scratch, Text};

/// A set of one scope, `all`; the ids are the indices.
pub(crate) fn set<'a, E: AsRef<[u8]> + ?Sized + 'a>(
    patterns: impl IntoIterator<Item = (&'a E, &'a str)>,
) -> PatternSet {
    let mut set = PatternSet::new();
    for (id, (expression, flags)) in (0..).zip(patterns) {
        let pattern = Pattern {
            id,
            expression: expression.as_ref().to_vec(),
            flags: Flags::parse(flags).unwrap(),
        };
        set.add("all", Text::Prose, pattern).unwrap();
    }
    set
}

/// Compiles a set; refused patterns are listed in the result.
pub(crate) fn compile(set: &PatternSet) -> Compiled {
    Compiler::new().compile(set, None)
}

/// A database of one scope, with what is needed to scan it.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) scratch: Scratch,
}

/// What a scan said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) matched: BTreeSet<u32>,
    pub(crate) exhausted: BTreeSet<u32>,
}

impl Engine {
    pub(crate) fn new(database: Database) -> Self {
        let scratch = Scratch::new(&database);
        Self { database, scratch }
    }

    /// One pattern alone; the reason if it is refused.
    pub(crate) fn of(expression: &[u8], flags: &str) -> Result<Self, String> {
        let compiled = compile(&set([(expression, flags)]));
        match compiled.refused.first() {
            Some(refused) => Err(refused.reason.to_string()),
            None => Ok(Self::new(compiled.database)),
        }
    }

    fn scope(&self) -> Scope<'_> {
        self.database.scopes().next().unwrap()
    }

    /// Scans one haystack. No pattern may be reported twice.
    pub(crate) fn scan(&mut self, haystack: &[u8]) -> Answer {
        let scope = self.database.scopes().next().unwrap();
        scan(scope, &mut self.scratch, haystack)
    }

    /// Whether the only pattern matches.
    pub(crate) fn is_match(&mut self, haystack: &[u8]) -> bool {
        let answer = self.scan(haystack);
        assert!(answer.exhausted.is_empty(), "out of fuel");
        !answer.matched.is_empty()
    }

    /// All matches of the only pattern; none if it ran out of fuel.
    pub(crate) fn matches(&mut self, haystack: &[u8]) -> Option<Vec<Range<usize>>> {
        let scope = self.database.scopes().next().unwrap();
        let mut found = Vec::new();
        let outcome = scope.matches(&mut self.scratch, haystack, |found_one| {
            found.push(found_one.start..found_one.end);
            ControlFlow::Continue(())
        });
        (outcome.exhausted == 0).then_some(found)
    }

    /// Existence over several haystacks.
    pub(crate) fn scan_all(&mut self, haystacks: &[Vec<u8>]) -> Answer {
        let scope = self.database.scopes().next().unwrap();
        let mut matched = BTreeSet::new();
        let outcome = scope.scan_all(
            &mut self.scratch,
            haystacks.iter().map(Vec::as_slice),
            |id| {
                assert!(matched.insert(id), "pattern {id} was reported twice");
                ControlFlow::Continue(())
            },
        );
        answer(matched, &self.scratch, outcome.exhausted)
    }

    /// How many patterns the only scope has.
    pub(crate) fn len(&self) -> usize {
        self.scope().len()
    }
}

/// Scans one haystack. No pattern may be reported twice.
pub(crate) fn scan(scope: Scope<'_>, scratch: &mut Scratch, haystack: &[u8]) -> Answer {
    let mut matched = BTreeSet::new();
    let outcome = scope.scan(scratch, haystack, |id| {
        assert!(matched.insert(id), "pattern {id} was reported twice");
        ControlFlow::Continue(())
    });
    assert!(!outcome.stopped);
    answer(matched, scratch, outcome.exhausted)
}

fn answer(matched: BTreeSet<u32>, scratch: &Scratch, exhausted: usize) -> Answer {
    let answer = Answer {
        matched,
        exhausted: scratch.exhausted().iter().copied().collect(),
    };
    assert_eq!(answer.exhausted.len(), exhausted);
    assert!(answer.matched.is_disjoint(&answer.exhausted));
    answer
}

/// `count` work items on as many threads as this machine has processors, results in order.
pub(crate) fn parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let take = || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    std::iter::repeat_with(take)
                        .take_while(|&index| index < count)
                        .map(|index| (index, work(index)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<(usize, T)>>| worker.join();
        workers
            .into_iter()
            .flat_map(|worker| join(worker).unwrap())
            .collect()
    });
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A short text of a haystack for messages.
pub(crate) fn show(haystack: &[u8]) -> String {
    let length = haystack.len();
    let cut = &haystack[..length.min(400)];
    format!("b\"{}\" ({length} bytes)", cut.escape_ascii())
}
