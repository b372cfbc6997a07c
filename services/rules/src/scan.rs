//! Looking at a message: patterns in one pass over each scope, then lists, numbers and flags.

use std::collections::HashSet;
use std::fmt;
use std::ops::{ControlFlow, Range};

use patterns::{Database, Scratch};

use crate::book::{Atom, Book, ScopePlan};
use crate::list::fold;
use crate::vocabulary::{Flag, Number, Scope};

/// Characters of an option.
const MAX_OPTION: usize = 64;

/// What a message offers to rules.
pub trait Subject {
    /// Appends the haystacks of the scope. It is asked once for each scope that matters.
    fn haystacks<'s>(&'s self, scope: &Scope, into: &mut Vec<&'s [u8]>);

    /// The number; finite. It is asked at most once for each that matters.
    fn number(&self, number: Number) -> f64;

    /// Whether the fact holds. It is asked at most once for each that matters.
    fn holds(&self, flag: Flag) -> bool;
}

/// The memory of scans, for one thread: made once, used for one message after the other.
pub struct Workspace {
    scratch: Scratch,
    /// Empty between scans; what is kept is the room.
    haystacks: Vec<&'static [u8]>,
    /// By number of the scope: its haystacks.
    ranges: Vec<Range<usize>>,
    /// Ids of patterns that matched in a scope.
    matched: Vec<u32>,
    /// By number of the atom: the place of the first of its patterns that matched.
    first: Vec<u32>,
    /// By number of the [`Number`].
    numbers: Vec<Option<f64>>,
    buffer: Vec<u8>,
}

impl Workspace {
    /// The memory for scans with this database; others may be used in turns.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self {
            scratch: Scratch::new(database),
            haystacks: Vec::new(),
            ranges: Vec::new(),
            matched: Vec::new(),
            first: Vec::new(),
            numbers: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// The pattern engine's memory: its fuel and its counters.
    pub fn scratch(&mut self) -> &mut Scratch {
        &mut self.scratch
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("scratch", &self.scratch)
            .finish_non_exhaustive()
    }
}

/// What was found out about a message, to draw conclusions from with [`Book::conclude`] of the same
/// book. The default is that of a message nothing is known of.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// By number of the atom: how often it holds.
    counts: Vec<u32>,
    /// By number of the atom, in order: what is to be told about it.
    options: Vec<(u32, String)>,
    /// Numbers of atoms that do not hold, though they might.
    undecided: Vec<u32>,
}

impl Scan {
    pub(crate) fn count(&self, atom: u32) -> u32 {
        self.counts.get(atom as usize).copied().unwrap_or_default()
    }

    pub(crate) fn option(&self, atom: u32) -> Option<&str> {
        let at = self.options.binary_search_by_key(&atom, |(atom, _)| *atom);
        Some(self.options.get(at.ok()?)?.1.as_str())
    }

    pub(crate) fn has_undecided(&self) -> bool {
        !self.undecided.is_empty()
    }

    pub(crate) fn is_undecided(&self, atom: u32) -> bool {
        self.undecided.contains(&atom)
    }
}

impl Book {
    /// Looks at a message: each scope is asked for once, if a pattern, a list or a condition is
    /// about it, and scanned once.
    ///
    /// The database has to be compiled from [`patterns`](Self::patterns) of this book: its digest is
    /// that of the set. Patterns that the compiler refused never match.
    pub fn scan(
        &self,
        database: &Database,
        workspace: &mut Workspace,
        subject: &dyn Subject,
    ) -> Scan {
        let mut haystacks = shorten(std::mem::take(&mut workspace.haystacks));
        workspace.ranges.clear();
        for plan in &self.scopes {
            let start = haystacks.len();
            subject.haystacks(&plan.scope, &mut haystacks);
            workspace.ranges.push(start..haystacks.len());
        }
        workspace.first.clear();
        workspace.first.resize(self.atoms.len(), u32::MAX);
        workspace.numbers.clear();
        workspace.numbers.resize(Number::ALL.len(), None);
        let mut scanner = Scanner {
            book: self,
            subject,
            haystacks: &haystacks,
            scan: Scan {
                counts: vec![0; self.atoms.len()],
                options: Vec::new(),
                undecided: Vec::new(),
            },
            workspace,
        };
        for (number, plan) in (0_u32..).zip(&self.scopes) {
            scanner.patterns(database, number, plan);
        }
        for (number, atom) in (0_u32..).zip(&self.atoms) {
            scanner.atom(number, atom);
        }
        let mut scan = scanner.scan;
        scan.undecided.retain(|&atom| {
            scan.counts
                .get(atom as usize)
                .is_some_and(|&count| count == 0)
        });
        workspace.haystacks = shorten(haystacks);
        scan
    }
}

/// The room of a vector whose content is dropped, for slices of another lifetime.
fn shorten<'to>(mut slices: Vec<&[u8]>) -> Vec<&'to [u8]> {
    slices.clear();
    slices.into_iter().map(|_| -> &'to [u8] { &[] }).collect()
}

/// One scan.
struct Scanner<'b, 's> {
    book: &'b Book,
    subject: &'s dyn Subject,
    haystacks: &'s [&'s [u8]],
    workspace: &'s mut Workspace,
    scan: Scan,
}

impl<'s> Scanner<'_, 's> {
    fn haystacks(&self, scope: u32) -> &'s [&'s [u8]] {
        let range = self.workspace.ranges.get(scope as usize).cloned();
        range
            .and_then(|range| self.haystacks.get(range))
            .unwrap_or_default()
    }

    /// Looks for the patterns of a scope.
    fn patterns(&mut self, database: &Database, number: u32, plan: &ScopePlan) {
        let haystacks = self.haystacks(number);
        if plan.patterns.is_empty() || haystacks.is_empty() {
            return;
        }
        let Some(scope) = database.scope(&plan.name) else {
            return;
        };
        let Workspace {
            scratch, matched, ..
        } = &mut *self.workspace;
        matched.clear();
        scope.scan_all(scratch, haystacks.iter().copied(), |id| {
            matched.push(id);
            ControlFlow::Continue(())
        });
        // Counting goes on with the scratch.
        self.note_exhausted(plan);
        for index in 0..self.workspace.matched.len() {
            let id = self.workspace.matched.get(index).copied();
            let id = id.unwrap_or(u32::MAX);
            let Some(entry) = plan.patterns.get(id as usize) else {
                continue;
            };
            for &(atom, place) in &entry.users {
                self.note_first(atom, place);
                let most = match self.book.atom(atom) {
                    Some(Atom::Patterns { most, .. }) => *most,
                    _ => 1,
                };
                let room = most.saturating_sub(self.scan.count(atom));
                let found = match (most, room) {
                    (_, 0) => continue,
                    (1, _) => 1,
                    _ => scope
                        .count(
                            &mut self.workspace.scratch,
                            id,
                            haystacks.iter().copied(),
                            room,
                        )
                        // It matched, even if counting ran out of fuel.
                        .max(1),
                };
                if let Some(count) = self.scan.counts.get_mut(atom as usize) {
                    *count += found;
                }
            }
        }
    }

    fn note_first(&mut self, atom: u32, place: u32) {
        if let Some(first) = self.workspace.first.get_mut(atom as usize) {
            *first = place.min(*first);
        }
    }

    fn note_exhausted(&mut self, plan: &ScopePlan) {
        for &id in self.workspace.scratch.exhausted() {
            let entry = plan.patterns.get(id as usize);
            let users = entry.map(|entry| entry.users.as_slice());
            let atoms = users.unwrap_or_default().iter().map(|(atom, _)| *atom);
            self.scan.undecided.extend(atoms);
        }
    }

    /// Finds out about an atom; patterns have been looked for.
    fn atom(&mut self, number: u32, atom: &Atom) {
        let holds = match atom {
            Atom::Patterns { scope, ids, .. } => {
                if ids.len() > 1 && self.scan.count(number) > 0 {
                    self.tell_pattern(number, *scope, ids);
                }
                return;
            }
            Atom::Listed { scope, list } => self.listed(number, *scope, *list),
            Atom::Exists { scope } => !self.haystacks(*scope).is_empty(),
            Atom::Number {
                number,
                at_least,
                at_most,
            } => {
                let value = self.number(*number);
                value >= f64::from_bits(*at_least) && value <= f64::from_bits(*at_most)
            }
            Atom::Flag(flag) => self.subject.holds(*flag),
            Atom::Same { left, right } => {
                let (left, right) = (self.haystacks(*left), self.haystacks(*right));
                same(left, right, &mut self.workspace.buffer)
            }
        };
        if let Some(count) = self.scan.counts.get_mut(number as usize) {
            *count = u32::from(holds);
        }
    }

    fn tell_pattern(&mut self, number: u32, scope: u32, ids: &[u32]) {
        let place = self.workspace.first.get(number as usize);
        let id = place.and_then(|&place| ids.get(place as usize));
        let plan = self.book.scopes.get(scope as usize);
        let entry = plan
            .zip(id)
            .and_then(|(plan, &id)| plan.patterns.get(id as usize));
        if let Some(entry) = entry {
            let text = String::from_utf8_lossy(&entry.text.expression);
            self.tell(number, &text);
        }
    }

    fn tell(&mut self, number: u32, text: &str) {
        let option = text.chars().take(MAX_OPTION).collect();
        self.scan.options.push((number, option));
    }

    fn listed(&mut self, number: u32, scope: u32, list: u32) -> bool {
        let Some(list) = self.book.lists.get(list as usize) else {
            return false;
        };
        let buffer = &mut self.workspace.buffer;
        let range = self.workspace.ranges.get(scope as usize).cloned();
        let haystacks = range.and_then(|range| self.haystacks.get(range));
        let found =
            (haystacks.unwrap_or_default().iter()).find_map(|haystack| list.find(haystack, buffer));
        if let Some(item) = &found {
            self.tell(number, item);
        }
        found.is_some()
    }

    fn number(&mut self, number: Number) -> f64 {
        let index = Number::ALL.iter().position(|&known| known == number);
        let place = index.and_then(|index| self.workspace.numbers.get_mut(index));
        match place {
            Some(place) => *place.get_or_insert_with(|| self.subject.number(number)),
            None => self.subject.number(number),
        }
    }
}

/// Whether a value is in both, ignoring the case of letters. Empty values are none.
fn same(left: &[&[u8]], right: &[&[u8]], buffer: &mut Vec<u8>) -> bool {
    if left.is_empty() || right.is_empty() {
        return false;
    }
    let mut values = HashSet::with_capacity(left.len());
    for value in left.iter().filter(|value| !value.is_empty()) {
        fold(value, buffer);
        values.insert(buffer.clone());
    }
    right.iter().any(|value| {
        fold(value, buffer);
        values.contains(buffer.as_slice())
    })
}
