//! Programs: what a pattern becomes for the machine that confirms candidates.
//!
//! A program is a blob of bytes, the same on every machine, read in place. Everything is
//! little-endian; nothing needs alignment.
//!
//! | offset | what |
//! |---|---|
//! | 0 | header: 16 words of four bytes, see below |
//! | 64 | entries: eight bytes each, forward and reverse instruction of a mark, sorted, each once |
//! | | code: eight bytes per word, see [`instruction`]; instructions are numbered by word |
//! | | sets: 32 bytes each, byte `b` is bit `b % 8` of byte `b / 8`; tables of switches are among them |
//!
//! | header word | what |
//! |---|---|
//! | 0, 1, 2 | number of words of code, of sets, of entries |
//! | 3 | number of registers |
//! | 4 | flags: 1 the forward section can be simulated; 2 register 0 is the kept start of a match |
//! | 5, 6, 7 | where the reverse, the exact and the ordered section start; the forward section starts at 0, the ordered one ends with the code |
//! | 8 | where the forward section is entered to match from a pattern's start |
//! | 9 | where it is entered to search: the same but for a leading run, which there has no maximum |
//! | 10–11, 12–13, 14–15 | where matches can start: of the forward, exact, ordered section; see [`search::Starts`] |
//!
//! The *forward* and the *reverse* section decide whether a match passes a mark: reverse code runs
//! from there towards the start of the haystack, forward code towards its end. Both care only
//! about existence: what is optional at their end is left out, loops prefer to leave. The *exact*
//! section, if there is one, has the pattern's full meaning with captures and atomic groups. The
//! *ordered* section finds the match that Perl finds; if it is empty the exact one does, and
//! without that the forward one, which then has the same instructions.
//!
//! Bytes come from files. [`Program::verify`] checks all of them; what it has accepted may be
//! opened by [`Program::trusted`]. Even bytes that were never verified neither panic nor run for
//! ever.

use thiserror::Error;

use crate::byteset::ByteSet;
use search::{Searched, Starts};

mod alternation;
mod emit;
mod emitter;
mod first;
mod instruction;
mod machine;
mod repeat;
mod search;
mod simulate;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use emit::emit;
pub(crate) use machine::Machine;

/// Bytes of the header.
const HEADER: usize = 64;
/// Header flag: the forward section can be simulated.
const SIMULATED: u32 = 1;
/// Header flag: register 0 is the kept start.
const KEEPS: u32 = 2;

/// Places of header words.
mod field {
    pub(super) const WORDS: usize = 0;
    pub(super) const SETS: usize = 1;
    pub(super) const ENTRIES: usize = 2;
    pub(super) const REGISTERS: usize = 3;
    pub(super) const FLAGS: usize = 4;
    pub(super) const REVERSE: usize = 5;
    pub(super) const EXACT: usize = 6;
    pub(super) const ORDERED: usize = 7;
    pub(super) const START: usize = 8;
    pub(super) const SEARCH: usize = 9;
    pub(super) const FORWARD_STARTS: usize = 10;
    pub(super) const EXACT_STARTS: usize = 12;
    pub(super) const ORDERED_STARTS: usize = 14;
}

/// An emitted program.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    /// The blob.
    pub(crate) bytes: Vec<u8>,
    /// One per mark.
    pub(crate) entries: Vec<Entry>,
}

/// Where a confirmation enters for one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The instruction from which the rest of the pattern is matched.
    pub(crate) forward: u32,
    /// The instruction from which what precedes is matched.
    pub(crate) reverse: u32,
    /// What may stand before the mark.
    pub(crate) before: Side,
    /// What may stand after it.
    pub(crate) after: Side,
}

/// What may stand next to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    /// These bytes.
    pub(crate) bytes: ByteSet,
    /// Whether the haystack may end there.
    pub(crate) edge: bool,
}

impl Side {
    /// Whether the byte, or its absence, is allowed.
    #[cfg(test)]
    pub(crate) fn allows(&self, byte: Option<u8>) -> bool {
        byte.map_or(self.edge, |byte| self.bytes.contains(byte))
    }
}

/// Why a pattern cannot become a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum EmitError {
    /// Its code would be too long, or need too many sets or registers.
    #[error("pattern too large")]
    TooLarge,
    /// A look-behind whose content has captures, back references, atomic groups or possessive
    /// repetitions.
    #[error("look-behind with captures, back references or atomic parts")]
    IrregularLookBehind,
    /// The tree for confirmations has a part that only exact code can have. The planner's mistake.
    #[error("confirmation tree with captures, back references or atomic parts")]
    Irregular,
    /// A mark in a look-around or in a repetition whose count matters, or one that is missing,
    /// unknown or there twice. The planner's mistake.
    #[error("misplaced mark")]
    MisplacedMark,
}

/// Whether there is a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is.
    Yes,
    /// There is none.
    No,
    /// Fuel or memory ran out before that was known.
    Exhausted,
}

/// Fuel or memory ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("pattern gave up")]
pub(crate) struct Exhausted;

/// A program in the bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    header: &'a [u8; HEADER],
    entries: &'a [[u8; 8]],
    code: &'a [[u8; 8]],
    sets: &'a [[u8; 32]],
}

impl<'a> Program<'a> {
    /// Opens bytes that [`verify`](Self::verify) has accepted before. None if they cannot even be
    /// divided into sections.
    #[inline]
    pub(crate) fn trusted(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let count = |place: usize| -> Option<usize> {
            let bytes = header.get(4 * place..)?.first_chunk::<4>()?;
            usize::try_from(u32::from_le_bytes(*bytes)).ok()
        };
        let (entries, rest) = rest.split_at_checked(count(field::ENTRIES)?.checked_mul(8)?)?;
        let (code, rest) = rest.split_at_checked(count(field::WORDS)?.checked_mul(8)?)?;
        let sets = rest.get(..count(field::SETS)?.checked_mul(32)?)?;
        Some(Self {
            header,
            entries: entries.as_chunks().0,
            code: code.as_chunks().0,
            sets: sets.as_chunks().0,
        })
    }

    /// Whether the program's own list of entries has this one.
    pub(crate) fn accepts_entry(&self, forward: u32, reverse: u32) -> bool {
        self.entries
            .binary_search_by_key(&(forward, reverse), |entry| decode_entry(*entry))
            .is_ok()
    }

    /// Whether the pattern's exact meaning needs code of its own: a successful confirmation is then
    /// to be followed by [`decide`](Self::decide).
    #[cfg(test)]
    pub(crate) fn has_exact(&self) -> bool {
        self.exact().is_some()
    }

    #[inline(always)]
    fn field(&self, place: usize) -> u32 {
        let bytes = self.header.get(4 * place..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn starts(&self, place: usize) -> Starts {
        let bytes = self.header.get(4 * place..).and_then(<[u8]>::first_chunk);
        bytes.map_or_else(Starts::default, |bytes| Starts::from_bytes(*bytes))
    }

    #[inline(always)]
    fn registers(&self) -> u32 {
        self.field(field::REGISTERS)
    }

    fn forward_start(&self) -> u32 {
        self.field(field::START)
    }

    fn reverse_start(&self) -> u32 {
        self.field(field::REVERSE)
    }

    fn keeps(&self) -> bool {
        self.field(field::FLAGS) & KEEPS != 0
    }

    /// The forward section for a search.
    fn searched(&self) -> Searched {
        Searched {
            pc: self.field(field::SEARCH),
            starts: self.starts(field::FORWARD_STARTS),
        }
    }

    fn exact(&self) -> Option<Searched> {
        let pc = self.field(field::EXACT);
        (pc < self.field(field::ORDERED)).then(|| Searched {
            pc,
            starts: self.starts(field::EXACT_STARTS),
        })
    }

    /// The section that finds the match Perl finds.
    fn ordered(&self) -> Searched {
        let pc = self.field(field::ORDERED);
        if pc < self.field(field::WORDS) {
            return Searched {
                pc,
                starts: self.starts(field::ORDERED_STARTS),
            };
        }
        self.exact().unwrap_or_else(|| Searched {
            pc: self.forward_start(),
            starts: self.starts(field::FORWARD_STARTS),
        })
    }
}

/// The forward and the reverse instruction of an entry.
fn decode_entry([f0, f1, f2, f3, r0, r1, r2, r3]: [u8; 8]) -> (u32, u32) {
    (
        u32::from_le_bytes([f0, f1, f2, f3]),
        u32::from_le_bytes([r0, r1, r2, r3]),
    )
}
