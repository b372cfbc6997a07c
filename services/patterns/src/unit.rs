//! One compiled pattern: its arms and its program, in bytes that mean the same wherever they are.
//!
//! A unit depends on nothing but the engine, the statistics of the text, the flags and the
//! expression; the digest of these names it. So it is compiled once and copied from database to
//! database for as long as the pattern stays what it is.
//!
//! ```text
//! header      48 bytes
//! sets        32 bytes each: what arms and positions refer to
//! arms        32 bytes each
//! positions    8 bytes each: the lanes'
//! strings     20 bytes each: the literals'
//! zeros       up to a multiple of 8
//! program
//! ```

use std::collections::HashMap;

use zerocopy::byteorder::little_endian::{F32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::byteset::ByteSet;
use crate::damage::Damage;
use crate::file::layout::{
    self, ANCHORED, ArmRecord, EDGE_AFTER, EDGE_BEFORE, LANE, LITERAL, WHOLE, align, loaded, stored,
};
use crate::plan::{Arm, LONGEST_LANE, LONGEST_LITERAL, Planned, Position, SHORTEST_LITERAL};
use crate::program::{Code, Entry, Program};
use crate::set::Digest;
use crate::{Flags, Text};

mod first;

/// What the digest of a unit begins with.
const DIGEST_CONTEXT: &[u8] = b"muskox pattern unit 1\n";
/// Programs begin at multiples of this within their unit.
const PROGRAM_ALIGNMENT: usize = 8;
/// [`Header::attributes`]: the program has exact code.
const EXACT: u32 = 1;
/// [`Header::attributes`]: the program has ordered code.
const ORDERED: u32 = 2;

/// The name of a unit: a digest of everything it depends on.
pub(crate) fn digest(statistics: &Digest, text: Text, flags: Flags, expression: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DIGEST_CONTEXT);
    hasher.update(&layout::ENGINE.to_le_bytes());
    hasher.update(&statistics.0);
    hasher.update(&[text.code(), flags.bits()]);
    hasher.update(expression);
    Digest(*hasher.finalize().as_bytes())
}

/// The start of a unit.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    /// How many sets.
    sets: U32,
    /// How many arms.
    arms: U32,
    /// How many positions.
    positions: U32,
    /// How many strings.
    strings: U32,
    /// The length of the program.
    program: U32,
    /// [`EXACT`] and [`ORDERED`].
    attributes: U32,
    /// The planner's expectation: candidates for a megabyte.
    candidates: F32,
    /// And microseconds for a megabyte.
    microseconds: F32,
    /// Zero.
    reserved: [u8; 16],
}

/// One arm.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StoredArm {
    kind: u8,
    edges: u8,
    reserved: [u8; 2],
    distance: U32,
    forward: U32,
    reverse: U32,
    /// The number of the set of bytes before the mark; an anchored arm's is every byte.
    before: U32,
    /// The number of the set of bytes after the mark; for an anchored arm those a match may begin
    /// with.
    after: U32,
    /// The first of its strings or positions.
    first: U32,
    /// How many.
    count: U32,
}

/// One position of a lane: the numbers of its sets.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StoredPosition {
    enter: U32,
    stay: U32,
}

/// One literal.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StoredString {
    length: u8,
    reserved: [u8; 3],
    bytes: [u8; LONGEST_LITERAL],
}

impl StoredString {
    fn bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

/// Sets by their numbers, each once.
#[derive(Default)]
struct Sets {
    list: Vec<[U64; 4]>,
    numbers: HashMap<ByteSet, U32>,
}

impl Sets {
    fn number(&mut self, set: ByteSet) -> U32 {
        let next = U32::new(number(self.list.len()));
        *self.numbers.entry(set).or_insert_with(|| {
            self.list.push(stored(set));
            next
        })
    }
}

/// A count of things that the planner and the emitter limit far below 2³².
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The parts of a unit while it is put together.
#[derive(Default)]
struct Encoder {
    sets: Sets,
    arms: Vec<StoredArm>,
    positions: Vec<StoredPosition>,
    strings: Vec<StoredString>,
}

impl Encoder {
    fn arm(&mut self, arm: &Arm, planned: &Planned, code: &Code) -> Result<(), Damage> {
        let mut stored = StoredArm {
            kind: WHOLE,
            edges: EDGE_BEFORE | EDGE_AFTER,
            reserved: [0; 2],
            distance: U32::ZERO,
            forward: U32::ZERO,
            reverse: U32::ZERO,
            before: self.sets.number(ByteSet::ALL),
            after: self.sets.number(ByteSet::ALL),
            first: U32::ZERO,
            count: U32::ZERO,
        };
        match arm {
            Arm::Literal {
                strings,
                mark,
                distance,
            } => {
                self.enter(&mut stored, LITERAL, entry(code, *mark)?, *distance);
                stored.first = U32::new(number(self.strings.len()));
                stored.count = U32::new(number(strings.len()));
                for string in strings {
                    self.strings.push(store_string(string)?);
                }
            }
            Arm::Lane {
                positions,
                mark,
                distance,
            } => {
                self.enter(&mut stored, LANE, entry(code, *mark)?, *distance);
                stored.first = U32::new(number(self.positions.len()));
                stored.count = U32::new(number(positions.len()));
                for position in positions {
                    let enter = self.sets.number(position.enter);
                    let stay = self.sets.number(position.stay);
                    self.positions.push(StoredPosition { enter, stay });
                }
            }
            Arm::Anchored => {
                let first = first::of(&planned.confirm);
                stored.kind = ANCHORED;
                stored.after = self.sets.number(first.bytes);
                if !first.empty {
                    stored.edges = EDGE_BEFORE;
                }
            }
            Arm::Whole => {}
        }
        self.arms.push(stored);
        Ok(())
    }

    fn enter(&mut self, stored: &mut StoredArm, kind: u8, entry: &Entry, distance: u32) {
        stored.kind = kind;
        stored.distance = U32::new(distance);
        stored.forward = U32::new(entry.forward);
        stored.reverse = U32::new(entry.reverse);
        stored.before = self.sets.number(entry.before.bytes);
        stored.after = self.sets.number(entry.after.bytes);
        let edge = |edge: bool, bit: u8| if edge { bit } else { 0 };
        stored.edges = edge(entry.before.edge, EDGE_BEFORE) | edge(entry.after.edge, EDGE_AFTER);
    }
}

fn entry(code: &Code, mark: u32) -> Result<&Entry, Damage> {
    usize::try_from(mark)
        .ok()
        .and_then(|mark| code.entries.get(mark))
        .ok_or(Damage("an arm enters at a mark that does not exist"))
}

fn store_string(string: &[u8]) -> Result<StoredString, Damage> {
    let mut bytes = [0; LONGEST_LITERAL];
    bytes
        .get_mut(..string.len())
        .ok_or(Damage("a literal is too long"))?
        .copy_from_slice(string);
    Ok(StoredString {
        length: u8::try_from(string.len()).unwrap_or(u8::MAX),
        reserved: [0; 3],
        bytes,
    })
}

/// The unit of a planned pattern and its code.
///
/// # Errors
///
/// When plan and code contradict each other or their limits: a defect of the engine, found here
/// rather than while scanning.
pub(crate) fn encode(planned: &Planned, code: &Code) -> Result<Vec<u8>, Damage> {
    let mut parts = Encoder::default();
    for arm in &planned.arms {
        parts.arm(arm, planned, code)?;
    }
    let attribute = |there: bool, bit: u32| if there { bit } else { 0 };
    let header = Header {
        sets: U32::new(number(parts.sets.list.len())),
        arms: U32::new(number(parts.arms.len())),
        positions: U32::new(number(parts.positions.len())),
        strings: U32::new(number(parts.strings.len())),
        program: U32::new(number(code.bytes.len())),
        attributes: U32::new(
            attribute(planned.exact.is_some(), EXACT)
                | attribute(planned.ordered.is_some(), ORDERED),
        ),
        candidates: F32::new(planned.estimate.candidates),
        microseconds: F32::new(planned.estimate.microseconds),
        reserved: [0; 16],
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(parts.sets.list.as_bytes());
    bytes.extend_from_slice(parts.arms.as_bytes());
    bytes.extend_from_slice(parts.positions.as_bytes());
    bytes.extend_from_slice(parts.strings.as_bytes());
    let aligned = align(bytes.len(), PROGRAM_ALIGNMENT).unwrap_or(bytes.len());
    bytes.resize(aligned, 0);
    bytes.extend_from_slice(&code.bytes);
    Unit::verify(&bytes)?;
    Ok(bytes)
}

/// A view of a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit<'a> {
    header: &'a Header,
    sets: &'a [[U64; 4]],
    arms: &'a [StoredArm],
    positions: &'a [StoredPosition],
    strings: &'a [StoredString],
    padding: &'a [u8],
    /// The program's bytes.
    pub(crate) program: &'a [u8],
    /// Where they begin within the unit.
    pub(crate) program_offset: usize,
}

/// What makes an arm fire.
#[derive(Clone, Debug)]
pub(crate) enum Trigger<'a> {
    /// One of these strings.
    Literal(Vec<&'a [u8]>),
    /// These positions.
    Lane(Vec<Position>),
    /// The start of a haystack, with these bytes or empty.
    Anchored {
        /// The bytes a match may begin with.
        first: ByteSet,
        /// Whether the haystack may be empty.
        empty: bool,
    },
    /// Every haystack.
    Whole,
}

impl<'a> Unit<'a> {
    /// A view of bytes whose lengths fit together; what they say is not looked at.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = Header::ref_from_prefix(bytes).ok()?;
        let (sets, rest) = take::<[U64; 4]>(rest, header.sets)?;
        let (arms, rest) = take::<StoredArm>(rest, header.arms)?;
        let (positions, rest) = take::<StoredPosition>(rest, header.positions)?;
        let (strings, rest) = take::<StoredString>(rest, header.strings)?;
        let end = bytes.len() - rest.len();
        let program_offset = align(end, PROGRAM_ALIGNMENT)?;
        let (padding, program) = rest.split_at_checked(program_offset - end)?;
        (u32::try_from(program.len()) == Ok(header.program.get())).then_some(Self {
            header,
            sets,
            arms,
            positions,
            strings,
            padding,
            program,
            program_offset,
        })
    }

    /// Checks everything.
    pub(crate) fn verify(bytes: &'a [u8]) -> Result<Self, Damage> {
        let unit = Self::trusted(bytes).ok_or(Damage("a unit has a wrong length"))?;
        let zeros = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        if !zeros(unit.padding) || !zeros(&unit.header.reserved) {
            return Err(Damage("a unit's padding is not zero"));
        }
        if unit.header.attributes.get() & !(EXACT | ORDERED) != 0 {
            return Err(Damage("a unit has an unknown attribute"));
        }
        if unit.arms.is_empty() {
            return Err(Damage("a unit has no arm"));
        }
        let program = Program::verify(unit.program)?;
        let set = |number: U32| (number.get() as usize) < unit.sets.len();
        if !unit
            .positions
            .iter()
            .all(|position| set(position.enter) && set(position.stay))
        {
            return Err(Damage("a position's set does not exist"));
        }
        for arm in unit.arms {
            if !set(arm.before) || !set(arm.after) {
                return Err(Damage("an arm's set does not exist"));
            }
            unit.verify_arm(arm, &program)?;
        }
        unit.strings.iter().try_for_each(verify_string)?;
        Ok(unit)
    }

    fn verify_arm(&self, arm: &StoredArm, program: &Program<'_>) -> Result<(), Damage> {
        if arm.reserved != [0; 2] || arm.edges & !(EDGE_BEFORE | EDGE_AFTER) != 0 {
            return Err(Damage("an arm has unknown attributes"));
        }
        match arm.kind {
            LITERAL => {
                let strings = self
                    .strings_of(arm)
                    .ok_or(Damage("an arm has no strings"))?;
                let sorted = strings
                    .iter()
                    .zip(strings.iter().skip(1))
                    .all(|(string, next)| string.bytes() < next.bytes());
                if strings.is_empty() || !sorted {
                    return Err(Damage("an arm's strings are not a sorted set"));
                }
            }
            LANE => {
                let positions = self
                    .positions_of(arm)
                    .ok_or(Damage("an arm has no positions"))?;
                if positions.is_empty() || positions.len() > LONGEST_LANE {
                    return Err(Damage("an arm has too few or too many positions"));
                }
            }
            ANCHORED | WHOLE => return Ok(()),
            _ => return Err(Damage("an arm of an unknown kind")),
        }
        if program.accepts_entry(arm.forward.get(), arm.reverse.get()) {
            Ok(())
        } else {
            Err(Damage("an arm enters its program where it cannot"))
        }
    }

    fn strings_of(&self, arm: &StoredArm) -> Option<&'a [StoredString]> {
        range(self.strings, arm)
    }

    fn positions_of(&self, arm: &StoredArm) -> Option<&'a [StoredPosition]> {
        range(self.positions, arm)
    }

    fn set(&self, number: U32) -> ByteSet {
        self.sets
            .get(number.get() as usize)
            .map_or(ByteSet::EMPTY, |set| loaded(*set))
    }

    /// What makes its arms fire.
    pub(crate) fn triggers(&self) -> impl Iterator<Item = Trigger<'a>> + use<'a> {
        let unit = *self;
        unit.arms.iter().map(move |arm| match arm.kind {
            LITERAL => Trigger::Literal(
                unit.strings_of(arm)
                    .unwrap_or_default()
                    .iter()
                    .map(StoredString::bytes)
                    .collect(),
            ),
            LANE => Trigger::Lane(
                unit.positions_of(arm)
                    .unwrap_or_default()
                    .iter()
                    .map(|position| Position {
                        enter: unit.set(position.enter),
                        stay: unit.set(position.stay),
                    })
                    .collect(),
            ),
            ANCHORED => Trigger::Anchored {
                first: unit.set(arm.after),
                empty: arm.edges & EDGE_AFTER != 0,
            },
            _ => Trigger::Whole,
        })
    }

    /// The records of its arms for a pattern of this number, if the unit begins at this place
    /// among the units.
    pub(crate) fn records(
        &self,
        pattern: u32,
        offset: u64,
    ) -> impl Iterator<Item = ArmRecord> + use<'a> {
        let unit = *self;
        let program = U64::new(offset.saturating_add(unit.program_offset as u64));
        let set = move |number: U32| {
            let set = unit.sets.get(number.get() as usize);
            set.copied().unwrap_or_default()
        };
        unit.arms.iter().map(move |arm| ArmRecord {
            pattern: U32::new(pattern),
            kind: arm.kind,
            edges: arm.edges,
            exact: u8::from(unit.is_exact()),
            reserved: 0,
            distance: arm.distance,
            forward: arm.forward,
            reverse: arm.reverse,
            program_length: unit.header.program,
            program,
            before: set(arm.before),
            after: set(arm.after),
        })
    }

    /// Whether a successful confirmation is decided by exact code.
    pub(crate) fn is_exact(&self) -> bool {
        self.header.attributes.get() & EXACT != 0
    }

    /// Whether offsets are found by code of their own.
    pub(crate) fn is_ordered(&self) -> bool {
        self.header.attributes.get() & ORDERED != 0
    }

    /// The planner's expectation: candidates and microseconds for a megabyte.
    pub(crate) fn estimate(&self) -> (f32, f32) {
        (self.header.candidates.get(), self.header.microseconds.get())
    }
}

fn verify_string(string: &StoredString) -> Result<(), Damage> {
    let length = usize::from(string.length);
    if !(SHORTEST_LITERAL..=LONGEST_LITERAL).contains(&length) {
        return Err(Damage("a literal is too short or too long"));
    }
    if string.bytes().iter().any(u8::is_ascii_uppercase) {
        return Err(Damage("a literal is not in lower case"));
    }
    let (_, rest) = string.bytes.split_at_checked(length).unwrap_or_default();
    if string.reserved != [0; 3] || rest.iter().any(|&byte| byte != 0) {
        return Err(Damage("a literal's padding is not zero"));
    }
    Ok(())
}

fn range<'a, T>(all: &'a [T], arm: &StoredArm) -> Option<&'a [T]> {
    let first = arm.first.get() as usize;
    all.get(first..first.checked_add(arm.count.get() as usize)?)
}

fn take<T: FromBytes + Immutable + KnownLayout + Unaligned>(
    bytes: &[u8],
    count: U32,
) -> Option<(&[T], &[u8])> {
    <[T]>::ref_from_prefix_with_elems(bytes, usize::try_from(count.get()).ok()?).ok()
}
