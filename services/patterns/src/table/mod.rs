//! The two tables that notice where a pattern may match: strings and byte-class runs.
//!
//! [`literal`] finds many strings at once, ASCII case ignored; [`lane`] follows many short runs of
//! byte classes at once. Both are built into bytes that are a part of the database file, the same
//! on every machine (little-endian, sections of whole cache lines, nothing depends on the width of
//! a vector register), and are read in place. Both report in an order that depends only on the
//! table and the haystack, never on the processor.
//!
//! `verify` checks bytes that come from a file; `trusted` is the cheap view of bytes that `verify`
//! has accepted or `build` has made. A scan stays memory-safe, ends, and does not panic whatever
//! the bytes are.
//!
//! What finds a match here is a candidate: what becomes of it is the driver's concern. Start
//! reading at [`literal::Table::scan`] and [`lane::Table::scan`].

pub(crate) mod lane;
mod lane_build;
mod lane_vector;
pub(crate) mod literal;
mod literal_build;
mod prefilter;
#[cfg(target_arch = "aarch64")]
mod prefilter_arm;
#[cfg(target_arch = "x86_64")]
mod prefilter_x86;
mod rarity;

/// Sections of a table begin at multiples of this many bytes: a cache line.
const ALIGNMENT: usize = 64;

/// Takes sections off the front of a table's bytes.
#[derive(Clone, Copy, Debug)]
struct Sections<'a> {
    rest: &'a [u8],
}

impl<'a> Sections<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next section, `count` records of `N` bytes; the padding after it is skipped. None when
    /// the bytes do not suffice.
    fn take<const N: usize>(&mut self, count: usize) -> Option<&'a [[u8; N]]> {
        let length = count.checked_mul(N)?;
        let section = self.rest.get(..length)?;
        self.rest = self
            .rest
            .get(length.checked_next_multiple_of(ALIGNMENT)?..)?;
        Some(section.as_chunks().0)
    }

    /// Whether every byte was taken.
    const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Fills the section that was just written up to the next one's place.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// The number at a place of a record; zero outside of it.
#[inline]
fn number(record: &[u8], at: usize) -> u32 {
    record
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// A 32-bit number as an index: the same on every machine this runs on.
#[inline]
fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A count or index that builders keep below 2³², as the file stores it.
fn stored(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Runs of arm numbers, one run per string or lane: run `i` is `arms[starts[i]..starts[i + 1]]`.
#[derive(Clone, Copy, Debug)]
struct ArmLists<'a> {
    starts: &'a [[u8; 4]],
    arms: &'a [[u8; 4]],
}

impl<'a> ArmLists<'a> {
    /// The arms of a run, ascending; none when it does not exist.
    #[inline]
    fn of(&self, run: usize) -> impl Iterator<Item = u32> + use<'a> {
        let start = self.starts.get(run).map_or(0, |s| u32::from_le_bytes(*s));
        let end = self
            .starts
            .get(run.saturating_add(1))
            .map_or(0, |s| u32::from_le_bytes(*s));
        self.arms
            .get(index(start)..index(end))
            .unwrap_or_default()
            .iter()
            .map(|arm| u32::from_le_bytes(*arm))
    }

    /// Whether the runs follow each other, cover all arms, none is empty, each is ascending, and
    /// every arm is below `limit`.
    fn is_sound(&self, limit: u32) -> bool {
        let starts = self.starts.iter().map(|start| u32::from_le_bytes(*start));
        let first = starts.clone().next();
        let last = starts.clone().next_back();
        first == Some(0)
            && last == Some(stored(self.arms.len()))
            && starts.clone().zip(starts.skip(1)).all(|(a, b)| a < b)
            && (0..self.starts.len().saturating_sub(1)).all(|run| {
                self.of(run).all(|arm| arm < limit)
                    && self.of(run).zip(self.of(run).skip(1)).all(|(a, b)| a < b)
            })
    }

    /// The two sections that [`ArmLists`] reads, for these runs.
    fn write<'r>(runs: impl Iterator<Item = &'r [u32]> + Clone, bytes: &mut Vec<u8>) {
        let mut start = 0_usize;
        bytes.extend(0_u32.to_le_bytes());
        for run in runs.clone() {
            start += run.len();
            bytes.extend(stored(start).to_le_bytes());
        }
        pad(bytes);
        for arm in runs.flatten() {
            bytes.extend(arm.to_le_bytes());
        }
        pad(bytes);
    }
}
