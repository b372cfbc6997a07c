//! Puts a database together from units that are compiled already.

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U32, U64};

use super::layout::{
    ALIGNMENT, ENGINE, FORMAT, HEADER, Header, IndexRecord, Kind, MAGIC, PatternRecord,
    RefusedRecord, ScopeRecord, SectionRecord, UNIT_ALIGNMENT, align, checksum,
};
use super::{Memory, seal};
use crate::Text;
use crate::anchored::{self, Anchored};
use crate::parallel;
use crate::plan::Position;
use crate::set::{Digest, Entry};
use crate::table::{lane, literal};
use crate::unit::{Trigger, Unit};

/// What a database holds.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    /// The set's digest.
    pub(crate) digest: Digest,
    /// The units by digest, each once.
    pub(crate) units: Vec<(Digest, &'a [u8])>,
    /// The scopes by name.
    pub(crate) scopes: Vec<Scope<'a>>,
    /// What was refused, by scope and id.
    pub(crate) refused: Vec<Refusal<'a>>,
}

/// One scope.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: Text,
    /// By id: the pattern and the number of its unit.
    pub(crate) patterns: Vec<(&'a Entry, usize)>,
}

/// A pattern that was refused.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    /// The number of its scope.
    pub(crate) scope: usize,
    pub(crate) entry: &'a Entry,
    pub(crate) reason: &'a str,
}

/// A number that the limits of sets and units keep below 2³².
fn number(count: usize) -> U32 {
    U32::new(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The bytes of the database.
pub(crate) fn assemble(contents: &Contents<'_>) -> Memory {
    let (index, units) = lay_out_units(contents);
    let own = |kind: Kind, bytes: Vec<u8>| (kind, 0, Content::Own(bytes));
    let mut sections = vec![
        own(Kind::Scopes, scopes(contents)),
        own(Kind::Index, index.as_bytes().to_vec()),
        (Kind::Units, 0, units),
        own(Kind::Texts, texts(contents)),
        own(Kind::Refused, refused(contents)),
    ];
    let mut text_offset = 0;
    let mut parts = Vec::with_capacity(contents.scopes.len());
    for scope in &contents.scopes {
        let mut builder = ScopeBuilder {
            contents,
            index: &index,
            text_offset,
            parts: ScopeParts::default(),
        };
        for (entry, unit) in &scope.patterns {
            builder.add(entry, *unit);
        }
        text_offset = builder.text_offset;
        parts.push(builder.parts);
    }
    let mut tables = tables(&parts).into_iter();
    for (scope_number, parts) in parts.into_iter().enumerate() {
        let tables = (tables.next(), tables.next());
        let tables = (tables.0.unwrap_or_default(), tables.1.unwrap_or_default());
        sections.extend(
            parts
                .finish(tables)
                .map(|(kind, bytes)| (kind, scope_number, Content::Own(bytes))),
        );
    }
    join(contents, &sections)
}

/// For each scope the table of its literals, then that of its lanes: most of the work.
fn tables(scopes: &[ScopeParts<'_>]) -> Vec<Vec<u8>> {
    parallel::map(2 * scopes.len(), 1, |number| {
        let Some(parts) = scopes.get(number / 2) else {
            return Vec::new();
        };
        if number % 2 == 0 {
            return literal::build(&parts.literals);
        }
        let lanes = parts.lanes.iter();
        let lanes: Vec<_> = lanes.map(|(lane, arm)| (lane.as_slice(), *arm)).collect();
        lane::build(&lanes)
    })
}

/// What a section holds, until it is copied into the file.
#[derive(Debug)]
enum Content<'a> {
    /// Bytes made for it.
    Own(Vec<u8>),
    /// Units of other files and those made now, each padded; together so many bytes.
    Units(&'a [(Digest, &'a [u8])], usize),
}

impl Content<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Units(_, length) => *length,
        }
    }

    /// Fills a place of its length, which is zero so far.
    fn copy_into(&self, mut place: &mut [u8]) {
        let units = match self {
            Self::Own(bytes) => return place.copy_from_slice(bytes),
            Self::Units(units, _) => units,
        };
        for (_, unit) in *units {
            if let Some((unit_place, _)) = place.split_at_mut_checked(unit.len()) {
                unit_place.copy_from_slice(unit);
            }
            place = place.get_mut(padded(unit)..).unwrap_or_default();
        }
    }
}

/// How many bytes a unit takes.
fn padded(unit: &[u8]) -> usize {
    align(unit.len(), UNIT_ALIGNMENT).unwrap_or(unit.len())
}

/// Sections into one file.
fn join(contents: &Contents<'_>, sections: &[(Kind, usize, Content<'_>)]) -> Memory {
    let aligned = |length: usize| align(length, ALIGNMENT).unwrap_or(length);
    let start = aligned(HEADER + sections.len() * size_of::<SectionRecord>());
    let lengths = sections
        .iter()
        .map(|(_, _, content)| aligned(content.len()));
    let length = start + lengths.sum::<usize>();
    let mut memory = Memory::zeros(length);
    let (head, mut rest) = memory
        .bytes_mut()
        .split_at_mut_checked(start)
        .unwrap_or_default();
    let mut offset = start;
    let mut table = Vec::with_capacity(sections.len());
    for (kind, scope, content) in sections {
        let (place, after) = std::mem::take(&mut rest)
            .split_at_mut_checked(aligned(content.len()))
            .unwrap_or_default();
        let place = place.get_mut(..content.len()).unwrap_or_default();
        content.copy_into(place);
        table.push(SectionRecord {
            kind: U32::new(kind.code()),
            scope: number(*scope),
            offset: U64::new(offset as u64),
            length: U64::new(content.len() as u64),
            checksum: U64::new(checksum(place)),
        });
        offset += aligned(content.len());
        rest = after;
    }
    let mut header = Header {
        magic: MAGIC,
        format: U32::new(FORMAT),
        engine: U32::new(ENGINE),
        flags: U32::ZERO,
        scopes: number(contents.scopes.len()),
        sections: number(sections.len()),
        reserved: U32::ZERO,
        length: U64::new(length as u64),
        table_checksum: U64::new(checksum(table.as_bytes())),
        digest: contents.digest.0,
        reserved_more: [0; 40],
        checksum: U64::ZERO,
    };
    seal::finish(&mut header);
    for (place, byte) in head
        .iter_mut()
        .zip([header.as_bytes(), table.as_bytes()].concat())
    {
        *place = byte;
    }
    memory
}

/// Index and units.
fn lay_out_units<'a>(contents: &'a Contents<'_>) -> (Vec<IndexRecord>, Content<'a>) {
    let mut index = Vec::with_capacity(contents.units.len());
    let mut end = 0;
    for (digest, unit) in &contents.units {
        index.push(IndexRecord {
            digest: digest.0,
            offset: U64::new(end as u64),
            length: U64::new(unit.len() as u64),
        });
        end += padded(unit);
    }
    (index, Content::Units(&contents.units, end))
}

fn scopes(contents: &Contents<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for scope in &contents.scopes {
        let record = ScopeRecord {
            name: number(scope.name.len()),
            text: scope.text.code(),
            reserved: [0; 3],
        };
        bytes.extend_from_slice(record.as_bytes());
    }
    for scope in &contents.scopes {
        bytes.extend_from_slice(scope.name.as_bytes());
    }
    bytes
}

fn texts(contents: &Contents<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (entry, _) in contents.scopes.iter().flat_map(|scope| &scope.patterns) {
        bytes.extend_from_slice(entry.name.as_bytes());
        bytes.extend_from_slice(&entry.pattern.expression);
    }
    bytes
}

fn refused(contents: &Contents<'_>) -> Vec<u8> {
    let mut bytes = number(contents.refused.len()).as_bytes().to_vec();
    for refusal in &contents.refused {
        let record = RefusedRecord {
            scope: number(refusal.scope),
            id: U32::new(refusal.entry.pattern.id),
            name: number(refusal.entry.name.len()),
            reason: number(refusal.reason.len()),
        };
        bytes.extend_from_slice(record.as_bytes());
    }
    for refusal in &contents.refused {
        bytes.extend_from_slice(refusal.entry.name.as_bytes());
        bytes.extend_from_slice(refusal.reason.as_bytes());
    }
    bytes
}

/// The sections of one scope while its patterns are added.
struct ScopeBuilder<'a> {
    contents: &'a Contents<'a>,
    index: &'a [IndexRecord],
    /// Where the next pattern's texts begin.
    text_offset: u64,
    parts: ScopeParts<'a>,
}

#[derive(Default)]
struct ScopeParts<'a> {
    patterns: Vec<u8>,
    arms: Vec<u8>,
    /// How many arms so far.
    arm_count: u32,
    literals: Vec<(&'a [u8], u32)>,
    lanes: Vec<(Vec<Position>, u32)>,
    anchored: Vec<Anchored>,
    whole: Vec<U32>,
}

impl<'a> ScopeBuilder<'a> {
    fn add(&mut self, entry: &Entry, unit_number: usize) {
        let texts = self.text_offset;
        let pattern = &entry.pattern;
        self.text_offset += (entry.name.len() + pattern.expression.len()) as u64;
        let record = PatternRecord {
            id: U32::new(pattern.id),
            unit: number(unit_number),
            texts: U64::new(texts),
            name: number(entry.name.len()),
            expression: number(pattern.expression.len()),
            flags: pattern.flags.bits(),
            reserved: [0; 7],
        };
        let number = self.parts.patterns.len() / size_of::<PatternRecord>();
        self.parts.patterns.extend_from_slice(record.as_bytes());
        let unit = self.contents.units.get(unit_number);
        let place = self.index.get(unit_number);
        // A unit that is there was verified when it was encoded or loaded.
        if let (Some((_, bytes)), Some(place)) = (unit, place)
            && let Some(unit) = Unit::trusted(bytes)
        {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.parts.add(&unit, number, place.offset.get());
        }
    }
}

impl<'a> ScopeParts<'a> {
    fn add(&mut self, unit: &Unit<'a>, pattern: u32, offset: u64) {
        for (record, trigger) in unit.records(pattern, offset).zip(unit.triggers()) {
            let arm = self.arm_count;
            self.arm_count += 1;
            self.arms.extend_from_slice(record.as_bytes());
            match trigger {
                Trigger::Literal(strings) => self
                    .literals
                    .extend(strings.into_iter().map(|string| (string, arm))),
                Trigger::Lane(positions) => self.lanes.push((positions, arm)),
                Trigger::Anchored { first, empty } => {
                    self.anchored.push(Anchored { arm, first, empty });
                }
                Trigger::Whole => self.whole.push(U32::new(arm)),
            }
        }
    }

    /// The sections in the order of [`super::layout::PER_SCOPE`]; the tables are those of the
    /// literals and of the lanes.
    fn finish(self, (literals, lanes): (Vec<u8>, Vec<u8>)) -> [(Kind, Vec<u8>); 6] {
        [
            (Kind::Patterns, self.patterns),
            (Kind::Arms, self.arms),
            (Kind::Literals, literals),
            (Kind::Lanes, lanes),
            (Kind::Anchored, anchored::build(&self.anchored)),
            (Kind::Whole, self.whole.as_bytes().to_vec()),
        ]
    }
}
