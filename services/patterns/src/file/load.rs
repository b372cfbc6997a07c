//! Checks a file before anything is scanned with it.
//!
//! First the header, the length and every checksum: they tell a file that was damaged. Then the
//! content: every offset, number and program is valid, so that the scan stays within its bytes and
//! ends, even if somebody forged the checksums. Since a database has one valid form only, most of
//! this compares what is there with what must be there: sections follow each other without gaps,
//! and an arm's record is the one its unit gives.

use std::ops::Range;

use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

use super::layout::{
    ALIGNMENT, ArmRecord, ENGINE, FORMAT, GLOBAL, HEADER, Header, IndexRecord, Kind, MAGIC,
    PER_SCOPE, PatternRecord, RefusedRecord, ScopeRecord, SectionRecord, UNIT_ALIGNMENT, align,
    checksum,
};
use crate::damage::Damage;
use crate::error::{LoadError, Version};
use crate::set::{Digest, LONGEST_EXPRESSION, LONGEST_NAME, MOST_PATTERNS, MOST_SCOPES};
use crate::table::{lane, literal};
use crate::unit::Unit;
use crate::{Flags, Text, anchored, parallel};

/// How many units a thread checks at a time.
const UNITS_PER_JOB: usize = 16;
/// Fewer jobs than that are not worth a thread.
const JOBS_PER_THREAD: usize = 8;

/// Where everything is, in a file that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) digest: Digest,
    pub(crate) index: Range<usize>,
    pub(crate) units: Range<usize>,
    pub(crate) texts: Range<usize>,
    pub(crate) refused: Range<usize>,
    /// By name.
    pub(crate) scopes: Box<[ScopePlaces]>,
    /// Every section in the order of the file, with its scope.
    pub(crate) sections: Box<[Section]>,
}

/// Where the parts of a scope are.
#[derive(Clone, Debug)]
pub(crate) struct ScopePlaces {
    pub(crate) name: Box<str>,
    pub(crate) text: Text,
    pub(crate) patterns: Range<usize>,
    pub(crate) arms: Range<usize>,
    pub(crate) literals: Range<usize>,
    pub(crate) lanes: Range<usize>,
    pub(crate) anchored: Range<usize>,
    pub(crate) whole: Range<usize>,
}

/// Checks everything.
pub(crate) fn check(bytes: &[u8]) -> Result<Places, LoadError> {
    let sections = sections(bytes)?;
    for ((kind, _, range), record) in sections.iter().zip(table(bytes)?) {
        if checksum(part(bytes, range)) != record.checksum.get() {
            return Err(LoadError::Checksum {
                section: kind.name(),
            });
        }
    }
    let places = collect(bytes, sections)?;
    Verifier::new(bytes, &places).run()?;
    Ok(places)
}

/// Finds the parts of a database that this program has just assembled.
pub(crate) fn locate(bytes: &[u8]) -> Result<Places, LoadError> {
    collect(bytes, sections(bytes)?)
}

/// What is where: the kind of a section, its scope, its bytes.
pub(crate) type Section = (Kind, Option<usize>, Range<usize>);

/// The sections, which are those that must be, where they must be.
fn sections(bytes: &[u8]) -> Result<Vec<Section>, LoadError> {
    let header = header(bytes)?;
    let scope_count = header.scopes.get() as usize;
    let table = table(bytes)?;
    let end_of_table = HEADER + size_of_val(table);
    let mut end = align(end_of_table, ALIGNMENT).unwrap_or(end_of_table);
    check_padding(bytes, end_of_table..end)?;

    let globals = GLOBAL.into_iter().map(|kind| (kind, None));
    let scoped = (0..scope_count)
        .flat_map(|scope| PER_SCOPE.into_iter().map(move |kind| (kind, Some(scope))));
    let mut sections = Vec::with_capacity(table.len());
    for ((kind, scope), record) in globals.chain(scoped).zip(table) {
        let range = place(bytes, record, end, kind, scope)?;
        end = align(range.end, ALIGNMENT).ok_or(damaged("sections", "one is too long"))?;
        check_padding(bytes, range.end..end)?;
        sections.push((kind, scope, range));
    }
    if end != bytes.len() {
        return Err(damaged("sections", "bytes follow the last one"));
    }
    Ok(sections)
}

fn damaged(section: &'static str, reason: &'static str) -> LoadError {
    LoadError::Damaged { section, reason }
}

fn header(bytes: &[u8]) -> Result<&Header, LoadError> {
    if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(LoadError::NotADatabase);
    }
    let truncated = |expected: u64| LoadError::Truncated {
        found: bytes.len() as u64,
        expected,
    };
    let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| truncated(HEADER as u64))?;
    let version = |format: u32, engine: u32| Version { format, engine };
    let wrong_version = || LoadError::Version {
        found: version(header.format.get(), header.engine.get()),
        expected: version(FORMAT, ENGINE),
    };
    // Another format may keep its checksum elsewhere.
    if header.format.get() != FORMAT {
        return Err(wrong_version());
    }
    let mut expected = *header;
    super::seal::finish(&mut expected);
    if expected.checksum != header.checksum {
        return Err(LoadError::Checksum { section: "header" });
    }
    if header.engine.get() != ENGINE {
        return Err(wrong_version());
    }
    if header.length.get() != bytes.len() as u64 {
        return Err(truncated(header.length.get()));
    }
    if header.flags.get() != 0 || header.reserved.get() != 0 || header.reserved_more != [0; 40] {
        return Err(damaged("header fields", "one that is reserved is not zero"));
    }
    let scopes = header.scopes.get() as usize;
    if scopes > MOST_SCOPES
        || header.sections.get() as usize != GLOBAL.len() + scopes * PER_SCOPE.len()
    {
        return Err(damaged("header fields", "the number of sections is wrong"));
    }
    Ok(header)
}

fn table(bytes: &[u8]) -> Result<&[SectionRecord], LoadError> {
    let header = header(bytes)?;
    let (_, rest) = bytes.split_at_checked(HEADER).unwrap_or_default();
    let (table, _) =
        <[SectionRecord]>::ref_from_prefix_with_elems(rest, header.sections.get() as usize)
            .map_err(|_| damaged("sections", "the table of them is cut off"))?;
    if checksum(zerocopy::IntoBytes::as_bytes(table)) != header.table_checksum.get() {
        return Err(LoadError::Checksum {
            section: "section table",
        });
    }
    Ok(table)
}

/// Where a section is, which must be right after the one before it.
fn place(
    bytes: &[u8],
    record: &SectionRecord,
    start: usize,
    kind: Kind,
    scope: Option<usize>,
) -> Result<Range<usize>, LoadError> {
    let number = |value: u64| usize::try_from(value).ok();
    if record.kind.get() != kind.code() || record.scope.get() as usize != scope.unwrap_or(0) {
        return Err(damaged("sections", "they are not those a database has"));
    }
    if number(record.offset.get()) != Some(start) {
        return Err(damaged("sections", "they do not follow each other"));
    }
    number(record.length.get())
        .and_then(|length| start.checked_add(length))
        .filter(|&end| end <= bytes.len())
        .map(|end| start..end)
        .ok_or(damaged("sections", "one ends outside the file"))
}

fn check_padding(bytes: &[u8], range: Range<usize>) -> Result<(), LoadError> {
    let padding = bytes
        .get(range)
        .ok_or(damaged("sections", "one is cut off"))?;
    if padding.iter().all(|&byte| byte == 0) {
        Ok(())
    } else {
        Err(damaged("sections", "the padding is not zero"))
    }
}

/// The bytes of a place that was found to be within the file.
#[inline]
pub(crate) fn part<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

/// Checks units, on several threads if they are many. What is found is the damage of the first
/// damaged one.
fn verify_in_parallel<'a>(units: &[(&'a [u8], u64)]) -> Result<Vec<(Unit<'a>, u64)>, Damage> {
    let jobs: Vec<_> = units.chunks(UNITS_PER_JOB).collect();
    let verified = parallel::map(jobs.len(), JOBS_PER_THREAD, |number| {
        let units = jobs.get(number).copied().unwrap_or_default();
        let verified = units
            .iter()
            .map(|&(unit, offset)| Ok((Unit::verify(unit)?, offset)));
        verified.collect::<Result<Vec<_>, _>>()
    });
    let mut all = Vec::with_capacity(units.len());
    for units in verified {
        all.extend(units?);
    }
    Ok(all)
}

/// Sorts sections into their places and reads the scopes' names.
fn collect(bytes: &[u8], sections: Vec<Section>) -> Result<Places, LoadError> {
    let header = header(bytes)?;
    let wrong = |reason: &'static str| damaged(Kind::Scopes.name(), reason);
    let find = |kind: Kind, scope: Option<usize>| {
        let index = match scope {
            None => GLOBAL.iter().position(|&global| global == kind),
            Some(scope) => PER_SCOPE
                .iter()
                .position(|&own| own == kind)
                .map(|index| GLOBAL.len() + scope * PER_SCOPE.len() + index),
        };
        index
            .and_then(|index| sections.get(index))
            .map_or(0..0, |(_, _, range)| range.clone())
    };
    let (records, mut names) = <[ScopeRecord]>::ref_from_prefix_with_elems(
        part(bytes, &find(Kind::Scopes, None)),
        header.scopes.get() as usize,
    )
    .map_err(|_| wrong("they are cut off"))?;
    let mut scopes: Vec<ScopePlaces> = Vec::with_capacity(records.len());
    for (number, record) in records.iter().enumerate() {
        let name = take_text(&mut names, record.name, LONGEST_NAME)
            .ok_or(wrong("a name is cut off or not text"))?;
        if name.is_empty() || scopes.last().is_some_and(|last| *last.name >= *name) {
            return Err(wrong("the names are not in order"));
        }
        if record.reserved != [0; 3] {
            return Err(wrong("a reserved field is not zero"));
        }
        let own = |kind: Kind| find(kind, Some(number));
        scopes.push(ScopePlaces {
            name: name.into(),
            text: Text::from_code(record.text).ok_or(wrong("an unknown kind of text"))?,
            patterns: own(Kind::Patterns),
            arms: own(Kind::Arms),
            literals: own(Kind::Literals),
            lanes: own(Kind::Lanes),
            anchored: own(Kind::Anchored),
            whole: own(Kind::Whole),
        });
    }
    if !names.is_empty() {
        return Err(wrong("bytes follow the last name"));
    }
    Ok(Places {
        digest: Digest(header.digest),
        index: find(Kind::Index, None),
        units: find(Kind::Units, None),
        texts: find(Kind::Texts, None),
        refused: find(Kind::Refused, None),
        scopes: scopes.into(),
        sections: sections.into(),
    })
}

/// Takes so many bytes off the front, if they are that many, not above the limit, and UTF-8.
pub(crate) fn take_text<'a>(rest: &mut &'a [u8], length: U32, limit: usize) -> Option<&'a str> {
    let length = length.get() as usize;
    let (text, after) = rest.split_at_checked(length)?;
    let text = std::str::from_utf8(text).ok()?;
    (length <= limit).then(|| {
        *rest = after;
        text
    })
}

/// The records of the refused patterns, and their texts.
pub(crate) fn refused(bytes: &[u8]) -> Option<(&[RefusedRecord], &[u8])> {
    let (count, rest) = U32::ref_from_prefix(bytes).ok()?;
    <[RefusedRecord]>::ref_from_prefix_with_elems(rest, count.get() as usize).ok()
}

/// The flags with these bits.
pub(crate) fn flags(bits: u8) -> Option<Flags> {
    let flags = Flags {
        caseless: bits & 1 != 0,
        multi_line: bits & 2 != 0,
        dot_all: bits & 4 != 0,
        extended: bits & 8 != 0,
        unicode: bits & 16 != 0,
    };
    (flags.bits() == bits).then_some(flags)
}

/// Checks what the sections say.
struct Verifier<'a> {
    bytes: &'a [u8],
    places: &'a Places,
    /// The units that were found to be sound, with their offsets.
    units: Vec<(Unit<'a>, u64)>,
    /// Where the next pattern's texts must begin.
    text_offset: u64,
    patterns: usize,
}

/// An error of the section that is being checked.
type Checked = Result<(), Damage>;

impl<'a> Verifier<'a> {
    fn new(bytes: &'a [u8], places: &'a Places) -> Self {
        Self {
            bytes,
            places,
            units: Vec::new(),
            text_offset: 0,
            patterns: 0,
        }
    }

    fn run(mut self) -> Result<(), LoadError> {
        let in_section = |kind: Kind| {
            move |damage: Damage| LoadError::Damaged {
                section: kind.name(),
                reason: damage.0,
            }
        };
        self.verify_units().map_err(in_section(Kind::Units))?;
        self.verify_refused().map_err(in_section(Kind::Refused))?;
        for scope in &self.places.scopes {
            self.verify_patterns(scope)
                .map_err(in_section(Kind::Patterns))?;
            let arms = self.verify_arms(scope).map_err(in_section(Kind::Arms))?;
            literal::Table::verify(part(self.bytes, &scope.literals), arms)
                .map_err(in_section(Kind::Literals))?;
            lane::Table::verify(part(self.bytes, &scope.lanes), arms)
                .map_err(in_section(Kind::Lanes))?;
            anchored::Table::verify(part(self.bytes, &scope.anchored), arms)
                .map_err(in_section(Kind::Anchored))?;
            self.verify_whole(scope, arms)
                .map_err(in_section(Kind::Whole))?;
        }
        if self.text_offset != self.places.texts.len() as u64 {
            return Err(damaged(Kind::Texts.name(), "bytes follow the last one"));
        }
        Ok(())
    }

    fn verify_units(&mut self) -> Checked {
        let index = <[IndexRecord]>::ref_from_bytes(part(self.bytes, &self.places.index))
            .map_err(|_| Damage("the index is cut off"))?;
        let mut rest = part(self.bytes, &self.places.units);
        let mut offset = 0;
        let mut last = None;
        let mut units = Vec::with_capacity(index.len());
        for record in index {
            if last.is_some_and(|last| last >= record.digest) {
                return Err(Damage("the index is not in order"));
            }
            last = Some(record.digest);
            if record.offset.get() != offset {
                return Err(Damage("they do not follow each other"));
            }
            let length = usize::try_from(record.length.get()).ok();
            let (bytes, padded) = length
                .and_then(|length| Some((rest.get(..length)?, align(length, UNIT_ALIGNMENT)?)))
                .ok_or(Damage("one is cut off"))?;
            let (unit, after) = rest
                .split_at_checked(padded)
                .ok_or(Damage("one is cut off"))?;
            if unit.iter().skip(bytes.len()).any(|&byte| byte != 0) {
                return Err(Damage("the padding is not zero"));
            }
            units.push((bytes, offset));
            offset += padded as u64;
            rest = after;
        }
        if !rest.is_empty() {
            return Err(Damage("bytes follow the last one"));
        }
        self.units = verify_in_parallel(&units)?;
        Ok(())
    }

    fn verify_refused(&self) -> Checked {
        let (records, mut texts) =
            refused(part(self.bytes, &self.places.refused)).ok_or(Damage("they are cut off"))?;
        for record in records {
            if record.scope.get() as usize >= self.places.scopes.len() {
                return Err(Damage("one is of a scope that does not exist"));
            }
            take_text(&mut texts, record.name, LONGEST_NAME)
                .and_then(|_| take_text(&mut texts, record.reason, usize::MAX))
                .ok_or(Damage("a name or reason is cut off or not text"))?;
        }
        if texts.is_empty() {
            Ok(())
        } else {
            Err(Damage("bytes follow the last one"))
        }
    }

    fn patterns_of(&self, scope: &ScopePlaces) -> Result<&'a [PatternRecord], Damage> {
        <[PatternRecord]>::ref_from_bytes(part(self.bytes, &scope.patterns))
            .map_err(|_| Damage("they are cut off"))
    }

    fn verify_patterns(&mut self, scope: &ScopePlaces) -> Checked {
        let records = self.patterns_of(scope)?;
        self.patterns += records.len();
        if self.patterns > MOST_PATTERNS {
            return Err(Damage("there are too many"));
        }
        let texts = part(self.bytes, &self.places.texts);
        let mut last = None;
        for record in records {
            if last.is_some_and(|last| last >= record.id.get()) {
                return Err(Damage("the ids are not in order"));
            }
            last = Some(record.id.get());
            if record.unit.get() as usize >= self.units.len() {
                return Err(Damage("one has no unit"));
            }
            if flags(record.flags).is_none() || record.reserved != [0; 7] {
                return Err(Damage("one has unknown flags"));
            }
            let (name, expression) = (record.name.get(), record.expression.get());
            if record.texts.get() != self.text_offset || expression as usize > LONGEST_EXPRESSION {
                return Err(Damage("an expression is not where it must be"));
            }
            let mut rest = usize::try_from(self.text_offset)
                .ok()
                .and_then(|offset| texts.get(offset..))
                .unwrap_or_default();
            take_text(&mut rest, record.name, LONGEST_NAME)
                .filter(|_| rest.len() >= expression as usize)
                .ok_or(Damage("a name or expression is cut off or not text"))?;
            self.text_offset += u64::from(name) + u64::from(expression);
        }
        Ok(())
    }

    /// Gives the number of arms.
    fn verify_arms(&self, scope: &ScopePlaces) -> Result<u32, Damage> {
        let records = <[ArmRecord]>::ref_from_bytes(part(self.bytes, &scope.arms))
            .map_err(|_| Damage("they are cut off"))?;
        let mut rest = records.iter();
        for (number, pattern) in (0..).zip(self.patterns_of(scope)?) {
            let Some((unit, offset)) = self.units.get(pattern.unit.get() as usize) else {
                return Err(Damage("a pattern has no unit"));
            };
            for expected in unit.records(number, *offset) {
                if rest.next() != Some(&expected) {
                    return Err(Damage("one is not that of its unit"));
                }
            }
        }
        if rest.next().is_some() {
            return Err(Damage("there are more than the units have"));
        }
        u32::try_from(records.len()).map_err(|_| Damage("there are too many"))
    }

    fn verify_whole(&self, scope: &ScopePlaces, arms: u32) -> Checked {
        let whole = <[U32]>::ref_from_bytes(part(self.bytes, &scope.whole))
            .map_err(|_| Damage("they are cut off"))?;
        if whole.iter().any(|arm| arm.get() >= arms) {
            return Err(Damage("one does not exist"));
        }
        // Each is worth a search of the haystack: none twice.
        if whole
            .iter()
            .zip(whole.iter().skip(1))
            .any(|(a, b)| a.get() >= b.get())
        {
            return Err(Damage("they are not in order"));
        }
        Ok(())
    }
}
