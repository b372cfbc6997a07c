//! \[MS-CFB\]: compound files, the file system inside older Office documents.
//!
//! Chains of sectors end after as many sectors as the file has, whatever they say.

use crate::bytes::{clamped, head, le16, le32, le64, span, utf16, wide, wider};

/// Directory entries that are read.
const MAX_NODES: usize = 4096;
/// Octets of a directory entry.
const NODE: usize = 128;
/// Sector numbers from here on are marks.
const MARKS: u32 = 0xffff_fffa;
/// Sector numbers of the allocation table's own sectors in the header.
const IN_HEADER: usize = 109;

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Storage,
    Stream,
    Root,
}

/// A directory entry.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) class: [u8; 16],
    start: u32,
    pub(crate) size: u64,
}

/// A compound file.
#[derive(Debug)]
pub(crate) struct Compound<'a> {
    bytes: &'a [u8],
    sector: usize,
    cutoff: u64,
    table: Vec<u32>,
    small_table: Vec<u32>,
    small: Vec<u8>,
    pub(crate) nodes: Vec<Node>,
}

impl<'a> Compound<'a> {
    /// Reads tables and directory; none when the header makes no sense.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let sector = match le16(bytes, 30)? {
            9 => 512,
            12 => 4096,
            _ => return None,
        };
        let mut file = Self {
            bytes,
            sector,
            cutoff: u64::from(le32(bytes, 56)?).min(1 << 20),
            table: Vec::new(),
            small_table: Vec::new(),
            small: Vec::new(),
            nodes: Vec::new(),
        };
        file.table = file.allocation()?;
        let directory = file.chain(le32(bytes, 48)?, MAX_NODES * NODE);
        let version = le16(bytes, 26)?;
        file.nodes = directory
            .chunks_exact(NODE)
            .filter_map(|entry| node(entry, version))
            .collect();
        let small_table = file.chain(le32(bytes, 60)?, bytes.len());
        file.small_table = numbers(&small_table);
        let root = file.nodes.iter().find(|node| node.kind == Kind::Root)?;
        file.small = file.chain(root.start, wider(root.size).min(bytes.len()));
        Some(file)
    }

    /// §2.5: the allocation table, whose sectors are listed in the header and in a chain from it.
    fn allocation(&self) -> Option<Vec<u32>> {
        let sectors = self.bytes.len() / self.sector;
        let mut own = numbers(clamped(self.bytes, 76, IN_HEADER * 4));
        let mut next = le32(self.bytes, 68)?;
        let per_sector = self.sector / 4 - 1;
        for _ in 0..sectors {
            if next >= MARKS {
                break;
            }
            let Some(more) = self.at(next) else {
                break;
            };
            own.extend(numbers(head(more, per_sector * 4)));
            next = le32(more, per_sector * 4).unwrap_or(u32::MAX);
        }
        let mut table = Vec::new();
        for number in own.into_iter().filter(|&number| number < MARKS) {
            // A table that describes more sectors than there are ends.
            if table.len() > sectors.saturating_add(per_sector) {
                break;
            }
            table.extend(numbers(self.at(number).unwrap_or_default()));
        }
        Some(table)
    }

    /// The octets of a sector, as far as they are there.
    fn at(&self, number: u32) -> Option<&'a [u8]> {
        let start = wide(number).checked_add(1)?.checked_mul(self.sector)?;
        let octets = clamped(self.bytes, start, self.sector);
        (!octets.is_empty()).then_some(octets)
    }

    /// The octets of a chain of sectors, at most `length`.
    fn chain(&self, start: u32, length: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        let mut next = start;
        for _ in 0..=self.bytes.len() / self.sector {
            if next >= MARKS || octets.len() >= length {
                break;
            }
            let Some(sector) = self.at(next) else {
                break;
            };
            octets.extend_from_slice(head(sector, length.saturating_sub(octets.len())));
            next = self.table.get(wide(next)).copied().unwrap_or(u32::MAX);
        }
        octets
    }

    /// The content of a stream, at most `length` octets.
    pub(crate) fn stream(&self, node: &Node, length: usize) -> Vec<u8> {
        let length = wider(node.size).min(length);
        if node.size >= self.cutoff {
            return self.chain(node.start, length);
        }
        // §2.7: short streams lie in sectors of 64 octets within the root's stream.
        let mut octets = Vec::new();
        let mut next = node.start;
        for _ in 0..=self.small.len() / 64 {
            if next >= MARKS || octets.len() >= length {
                break;
            }
            let Some(start) = wide(next).checked_mul(64) else {
                break;
            };
            let sector = clamped(&self.small, start, 64);
            octets.extend_from_slice(head(sector, length.saturating_sub(octets.len())));
            next = self
                .small_table
                .get(wide(next))
                .copied()
                .unwrap_or(u32::MAX);
        }
        octets
    }

    /// The streams.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.kind == Kind::Stream)
    }

    /// Whether there is a stream or storage of a name, ASCII case aside.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.nodes
            .iter()
            .any(|node| node.name.eq_ignore_ascii_case(name))
    }

    /// The stream of a name, ASCII case aside.
    pub(crate) fn find(&self, name: &str) -> Option<&Node> {
        self.streams()
            .find(|node| node.name.eq_ignore_ascii_case(name))
    }
}

/// §2.6.1: a directory entry; none for an unused one.
fn node(entry: &[u8], version: u16) -> Option<Node> {
    let kind = match entry.get(66)? {
        1 => Kind::Storage,
        2 => Kind::Stream,
        5 => Kind::Root,
        _ => return None,
    };
    let length = usize::from(le16(entry, 64)?).min(64);
    let size = if version == 3 {
        u64::from(le32(entry, 120)?)
    } else {
        le64(entry, 120)?
    };
    Some(Node {
        name: utf16(head(entry, length)),
        kind,
        class: span(entry, 80, 16)?.try_into().ok()?,
        start: le32(entry, 116)?,
        size,
    })
}

fn numbers(octets: &[u8]) -> Vec<u32> {
    octets
        .chunks_exact(4)
        .filter_map(|number| le32(number, 0))
        .collect()
}
