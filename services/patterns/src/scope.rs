//! The patterns of a database that are applied to one kind of haystack.

use std::fmt;
use std::ops::ControlFlow;

use crate::file::layout::PatternRecord;
use crate::file::load::{ScopePlaces, flags, part};
use crate::scan::{self, Match, Outcome, Parts, records};
use crate::scratch::Scratch;
use crate::table::{lane, literal};
use crate::unit::{Trigger, Unit};
use crate::{Database, Flags, Text, anchored};

/// How many strings of an arm an explanation shows.
const MOST_STRINGS: usize = 24;

/// A scope of a database.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    database: &'a Database,
    places: &'a ScopePlaces,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(database: &'a Database, places: &'a ScopePlaces) -> Self {
        Self { database, places }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.places.name
    }

    /// What kind of text its haystacks are.
    #[must_use]
    pub fn text(&self) -> Text {
        self.places.text
    }

    /// How many patterns it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether it has none: they were all refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reports the id of each pattern that matches the haystack, once, in an order that depends on
    /// the database and the haystack only. `^` is the haystack's start.
    pub fn scan(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        on_match: impl FnMut(u32) -> ControlFlow<()>,
    ) -> Outcome {
        self.scan_all(scratch, [haystack], on_match)
    }

    /// Reports the id of each pattern that matches at least one of the haystacks, once, in the
    /// haystack it is found in first: fields of one name, parts of a message, its URIs. No match
    /// reaches from one into another; `^` is the start of each.
    pub fn scan_all<'h>(
        &self,
        scratch: &mut Scratch,
        haystacks: impl IntoIterator<Item = &'h [u8]>,
        on_match: impl FnMut(u32) -> ControlFlow<()>,
    ) -> Outcome {
        // The parts of a database that was checked are all there.
        self.parts().map_or_else(Outcome::default, |parts| {
            scan::exist(&parts, scratch, haystacks, on_match)
        })
    }

    /// Reports every match of every pattern, as Perl's `m//g` finds them: the patterns by id, the
    /// matches of each from left to right, none overlapping the one before it. Costs a search for
    /// each pattern that matches.
    pub fn matches(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        on_match: impl FnMut(Match) -> ControlFlow<()>,
    ) -> Outcome {
        self.parts().map_or_else(Outcome::default, |parts| {
            scan::matches(&parts, scratch, haystack, on_match)
        })
    }

    /// How often one pattern matches in the haystacks taken together, up to `at_most`: as many
    /// matches as [`matches`](Self::matches) reports of it, 0 if there is no such pattern. Costs a
    /// search, so it is for patterns that a scan has found. If it runs out of fuel in a haystack,
    /// the matches before that count, and [`Scratch::exhausted`] names it.
    pub fn count<'h>(
        &self,
        scratch: &mut Scratch,
        id: u32,
        haystacks: impl IntoIterator<Item = &'h [u8]>,
        at_most: u32,
    ) -> u32 {
        let number = (self.records()).binary_search_by_key(&id, |record| record.id.get());
        let number = number.ok().and_then(|number| u32::try_from(number).ok());
        match (number, self.parts()) {
            (Some(number), Some(parts)) => scan::count(&parts, scratch, number, haystacks, at_most),
            _ => 0,
        }
    }

    /// Its patterns by id.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = PatternInfo<'a>> + use<'a> {
        let scope = *self;
        scope.records().iter().map(move |record| scope.info(record))
    }

    /// What is known about a pattern, in many words.
    #[must_use]
    pub fn explain(&self, id: u32) -> Option<Explanation<'a>> {
        let records = self.records();
        let number = records
            .binary_search_by_key(&id, |record| record.id.get())
            .ok()?;
        let record = records.get(number)?;
        Some(Explanation {
            scope: self.name(),
            info: self.info(record),
            unit: self.database.unit_of(record)?,
        })
    }

    fn records(&self) -> &'a [PatternRecord] {
        self.section(&self.places.patterns)
            .and_then(records)
            .unwrap_or_default()
    }

    fn section(&self, range: &std::ops::Range<usize>) -> Option<&'a [u8]> {
        Some(part(self.database.as_bytes(), range))
    }

    fn parts(&self) -> Option<Parts<'a>> {
        let places = self.places;
        let bytes = self.database.as_bytes();
        Some(Parts {
            patterns: records(part(bytes, &places.patterns))?,
            arms: records(part(bytes, &places.arms))?,
            literals: literal::Table::trusted(part(bytes, &places.literals))?,
            lanes: lane::Table::trusted(part(bytes, &places.lanes))?,
            anchored: anchored::Table::trusted(part(bytes, &places.anchored))?,
            whole: records(part(bytes, &places.whole))?,
            index: self.database.index(),
            units: self.database.units(),
        })
    }

    fn info(&self, record: &PatternRecord) -> PatternInfo<'a> {
        let (name, expression) = self.database.texts_of(record).unwrap_or_default();
        let unit = self.database.unit_of(record);
        let (candidates, microseconds) = unit.map(|unit| unit.estimate()).unwrap_or_default();
        let mut plan = Plan::default();
        for trigger in unit.iter().flat_map(Unit::triggers) {
            match trigger {
                Trigger::Literal(strings) => plan.literals += strings.len(),
                Trigger::Lane(_) => plan.lanes += 1,
                Trigger::Anchored { .. } => plan.anchored = true,
                Trigger::Whole => plan.whole = true,
            }
        }
        PatternInfo {
            id: record.id.get(),
            name,
            expression,
            flags: flags(record.flags).unwrap_or_default(),
            plan,
            cost: Cost {
                candidates,
                microseconds,
            },
            code: unit.map_or(0, |unit| unit.program.len()),
        }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("name", &self.name())
            .field("text", &self.text())
            .field("patterns", &self.len())
            .finish_non_exhaustive()
    }
}

/// What is known about a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatternInfo<'a> {
    /// Its id.
    pub id: u32,
    /// Its name, if it has one.
    pub name: &'a str,
    /// Its expression.
    pub expression: &'a [u8],
    /// Its flags.
    pub flags: Flags,
    /// How it is noticed.
    pub plan: Plan,
    /// What that is expected to cost.
    pub cost: Cost,
    /// The length of its program in bytes.
    pub code: usize,
}

/// How a pattern is noticed, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By one of so many strings.
    pub literals: usize,
    /// By one of so many lanes: runs of byte classes.
    pub lanes: usize,
    /// By a try at the start of every haystack whose first byte suits.
    pub anchored: bool,
    /// By a search of every haystack.
    pub whole: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut write = |there: bool, text: fmt::Arguments<'_>| {
            if there {
                write!(f, "{separator}{text}")?;
                separator = ", ";
            }
            Ok(())
        };
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (literals, lanes) = (self.literals, self.lanes);
        write(
            literals > 0,
            format_args!("{literals} literal{}", plural(literals)),
        )?;
        write(lanes > 0, format_args!("{lanes} lane{}", plural(lanes)))?;
        write(self.anchored, format_args!("anchored"))?;
        write(self.whole, format_args!("whole haystack"))
    }
}

/// What the planner expects for a megabyte of the scope's text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// How often something fires.
    pub candidates: f32,
    /// Microseconds of one core for noticing and confirming.
    pub microseconds: f32,
}

/// An expression as it was written, with escapes for what a terminal would not show.
struct Printable<'a>(&'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for part in self.0.utf8_chunks() {
            for character in part.valid().chars() {
                match character {
                    '\\' | '\'' | '"' => f.write_char(character)?,
                    _ => write!(f, "{}", character.escape_debug())?,
                }
            }
            for byte in part.invalid() {
                write!(f, "\\x{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// A pattern explained: one fact per line.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a> {
    scope: &'a str,
    info: PatternInfo<'a>,
    unit: Unit<'a>,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.info;
        write!(f, "pattern:    {}", info.id)?;
        if !info.name.is_empty() {
            write!(f, " {}", info.name)?;
        }
        writeln!(f, ", scope {}", self.scope)?;
        writeln!(
            f,
            "expression: /{}/{}",
            Printable(info.expression),
            info.flags
        )?;
        for trigger in self.unit.triggers() {
            write_trigger(f, &trigger)?;
        }
        writeln!(
            f,
            "decided by: {}",
            if self.unit.is_exact() {
                "one exact search after a confirmation that succeeds"
            } else {
                "the confirmation"
            }
        )?;
        writeln!(
            f,
            "offsets by: {}",
            match (self.unit.is_ordered(), self.unit.is_exact()) {
                (true, _) => "a program of its own",
                (false, true) => "the exact program",
                (false, false) => "the confirmation's program",
            }
        )?;
        writeln!(
            f,
            "expected:   {:.1} candidates and {:.1} µs for a megabyte",
            info.cost.candidates, info.cost.microseconds
        )?;
        write!(f, "program:    {} bytes", info.code)
    }
}

fn write_trigger(f: &mut fmt::Formatter<'_>, trigger: &Trigger<'_>) -> fmt::Result {
    match trigger {
        Trigger::Literal(strings) => {
            f.write_str("literal:   ")?;
            for string in strings.iter().take(MOST_STRINGS) {
                write!(f, " \"{}\"", string.escape_ascii())?;
            }
            if strings.len() > MOST_STRINGS {
                write!(f, " and {} more", strings.len() - MOST_STRINGS)?;
            }
            writeln!(f)
        }
        Trigger::Lane(positions) => {
            f.write_str("lane:      ")?;
            for position in positions {
                write!(f, " {:?}", position.enter)?;
                if !position.stay.is_empty() {
                    write!(f, "({:?}*)", position.stay)?;
                }
            }
            writeln!(f)
        }
        Trigger::Anchored { first, empty } => {
            f.write_str("anchored:   at the start")?;
            if !empty {
                write!(f, " of haystacks that begin with {first:?}")?;
            }
            writeln!(f)
        }
        Trigger::Whole => writeln!(f, "whole:      every haystack is searched"),
    }
}
