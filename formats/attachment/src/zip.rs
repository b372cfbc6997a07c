//! ZIP: the central directory, what a ZIP file really is, and its entries.
//!
//! APPNOTE §4.3.6. The directory is looked for from the end, so that a comment or octets after it do
//! not hide it; octets before it move all offsets. Without a directory the local headers are read.

use memchr::memmem;

use crate::bytes::{
    clamped, contains, from, head, le16, le32, le64, offset32, span, text, wide, wider,
};
use crate::bytes::{count, ends_ignoring_case};
use crate::content::{Class, Content};
use crate::inflate::{End, Wrapper};
use crate::ooxml;
use crate::walk::{Item, PEEK, Walk, Worth};

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
/// Octets of a local header before its name.
const LOCAL_SIZE: usize = 30;
const CENTRAL_SIZE: usize = 46;
/// End records that are tried, from the end.
const MAX_ENDS: usize = 16;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A file of an archive.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) encrypted: bool,
    method: u16,
    packed: u64,
    size: u64,
    /// Where its local header lies.
    local: usize,
}

/// What an archive says it holds.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) entries: Vec<Entry>,
    damaged: bool,
    overlap: bool,
    /// Where the first local header should lie.
    base: usize,
}

/// Tells of the files of an archive, or of what else the ZIP file is.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) -> Content {
    let mut directory = read(walk, &item.bytes);
    if directory.base > 0 && item.bytes.starts_with(LOCAL) {
        // An archive in front of the one that the directory describes.
        directory.damaged = true;
        let hidden = locals(walk, head(&item.bytes, directory.base));
        directory.entries.extend(hidden);
    }
    walk.report.damaged |= directory.damaged;
    walk.report.bomb |= directory.overlap;
    let found = flavour(walk, &item.bytes, &directory);
    for entry in &directory.entries {
        walk.report.encrypted |= entry.encrypted;
        walk.ratio(entry.packed, entry.size);
    }
    if found.class == Class::Office {
        ooxml::open(walk, item, &directory);
    } else {
        list(walk, item, &directory);
    }
    found
}

/// Tells of every file and opens those that are worth it.
fn list(walk: &mut Walk<'_>, item: &Item<'_>, directory: &Directory) {
    for entry in &directory.entries {
        if entry.name.ends_with(['/', '\\']) && entry.size == 0 {
            continue;
        }
        let start = entry.start(walk, &item.bytes);
        if walk.entry(&entry.name, &start, item.depth) == Worth::Look {
            let content = entry.content(walk, &item.bytes);
            walk.enqueue(&entry.name, content, item.depth);
        }
    }
}

impl Entry {
    /// Where its data lies, as far as it is there.
    fn data<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let header = span(bytes, self.local, LOCAL_SIZE)?;
        if !header.starts_with(LOCAL) {
            return None;
        }
        let skip = usize::from(le16(header, 26)?) + usize::from(le16(header, 28)?);
        let start = self.local.checked_add(LOCAL_SIZE)?.checked_add(skip)?;
        Some(clamped(bytes, start, wider(self.packed)))
    }

    /// Its first octets; none when they cannot be had.
    pub(crate) fn start(&self, walk: &mut Walk<'_>, bytes: &[u8]) -> Vec<u8> {
        let Some(data) = self.data(bytes) else {
            walk.report.damaged = true;
            return Vec::new();
        };
        match self.method {
            _ if self.encrypted => Vec::new(),
            STORED => head(data, PEEK).to_vec(),
            DEFLATED => walk.peek(data),
            _ => Vec::new(),
        }
    }

    /// Its content, as far as there is room.
    pub(crate) fn content(&self, walk: &mut Walk<'_>, bytes: &[u8]) -> Vec<u8> {
        let data = self.data(bytes).unwrap_or_default();
        walk.report.damaged |= count(data.len()) < self.packed;
        match self.method {
            _ if self.encrypted => Vec::new(),
            STORED => walk.copy(data),
            DEFLATED => {
                let inflated = walk.inflate(Wrapper::Raw, data);
                walk.report.damaged |= inflated.end == End::Damaged;
                inflated.bytes
            }
            _ => Vec::new(),
        }
    }
}

/// Reads the directory.
fn read(walk: &mut Walk<'_>, bytes: &[u8]) -> Directory {
    for at in memmem::rfind_iter(bytes, END).take(MAX_ENDS) {
        if let Some(directory) = central(walk, bytes, at) {
            return directory;
        }
    }
    Directory {
        entries: locals(walk, bytes),
        damaged: true,
        ..Directory::default()
    }
}

/// APPNOTE §4.3.16 and §4.3.14: the end record and that of ZIP64 before it.
fn central(walk: &mut Walk<'_>, bytes: &[u8], end: usize) -> Option<Directory> {
    let mut number = u64::from(le16(bytes, end.checked_add(10)?)?);
    let mut size = u64::from(le32(bytes, end.checked_add(12)?)?);
    let mut stated = u64::from(le32(bytes, end.checked_add(16)?)?);
    let mut after = end;
    if number == 0xffff || size == 0xffff_ffff || stated == 0xffff_ffff {
        let window = end.saturating_sub(512);
        let found = bytes
            .get(window..end)
            .and_then(|before| memmem::rfind(before, END_64));
        if let Some(at) = found.and_then(|found| window.checked_add(found)) {
            number = le64(bytes, at.checked_add(32)?)?;
            size = le64(bytes, at.checked_add(40)?)?;
            stated = le64(bytes, at.checked_add(48)?)?;
            after = at;
        }
    }
    if number == 0 {
        return Some(Directory {
            damaged: size > 0,
            ..Directory::default()
        });
    }
    // The directory lies before its end record, wherever it says it does.
    let start = after.checked_sub(wider(size))?;
    let base = start.saturating_sub(wider(stated));
    let (start, base) = if span(bytes, start, 4) == Some(CENTRAL) {
        (start, base)
    } else if span(bytes, wider(stated), 4) == Some(CENTRAL) {
        (wider(stated), 0)
    } else {
        return None;
    };
    let mut directory = Directory {
        base,
        ..Directory::default()
    };
    let mut rest = bytes.get(start..after)?;
    while rest.starts_with(CENTRAL) {
        if !walk.another() {
            return Some(directory);
        }
        let Some((entry, length)) = record(rest, base) else {
            directory.damaged = true;
            break;
        };
        directory.entries.push(entry);
        rest = from(rest, length);
    }
    // More than 65,535 are counted modulo 65,536 by those who do not write ZIP64.
    let counted = count(directory.entries.len());
    directory.damaged |= counted != number && counted & 0xffff != number;
    directory.overlap = overlaps(&directory.entries);
    Some(directory)
}

/// APPNOTE §4.3.12: an entry of the directory, and its length.
fn record(rest: &[u8], base: usize) -> Option<(Entry, usize)> {
    let flags = le16(rest, 8)?;
    let (mut packed, mut size) = (u64::from(le32(rest, 20)?), u64::from(le32(rest, 24)?));
    let name = usize::from(le16(rest, 28)?);
    let extra = usize::from(le16(rest, 30)?);
    let comment = usize::from(le16(rest, 32)?);
    let mut local = u64::from(le32(rest, 42)?);
    let after_name = CENTRAL_SIZE.checked_add(name)?;
    let fields = span(rest, after_name, extra)?;
    zip64(fields, &mut [&mut size, &mut packed, &mut local]);
    let entry = Entry {
        name: text(span(rest, CENTRAL_SIZE, name)?),
        // Bit 0: encrypted; bit 13: the directory is.
        encrypted: flags & 0x2001 != 0,
        method: le16(rest, 10)?,
        packed,
        size,
        local: wider(local).saturating_add(base),
    };
    Some((entry, after_name.checked_add(extra)?.checked_add(comment)?))
}

/// APPNOTE §4.5.3: sizes that do not fit stand in an extra field, in this order.
fn zip64(mut fields: &[u8], values: &mut [&mut u64]) {
    while let Some((kind, length)) = le16(fields, 0).zip(le16(fields, 2)) {
        let length = usize::from(length);
        if kind == 1 {
            let mut at = 4;
            for value in values.iter_mut().filter(|value| ***value == 0xffff_ffff) {
                if let Some(long) = le64(clamped(fields, 0, length.saturating_add(4)), at) {
                    **value = long;
                }
                at += 8;
            }
            return;
        }
        fields = from(fields, length.saturating_add(4));
    }
}

/// Entries that share octets make much of little.
fn overlaps(entries: &[Entry]) -> bool {
    let mut spans: Vec<(usize, usize)> = entries
        .iter()
        .filter(|entry| entry.packed > 0)
        .map(|entry| (entry.local, entry.local.saturating_add(wider(entry.packed))))
        .collect();
    spans.sort_unstable();
    spans
        .windows(2)
        .any(|pair| matches!(pair, [(_, end), (start, _)] if start < end))
}

/// APPNOTE §4.3.7: entries by their local headers.
fn locals(walk: &mut Walk<'_>, bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut next = 0;
    for at in memmem::find_iter(bytes, LOCAL) {
        // What lies within the data of a stored entry is its own business.
        if at < next {
            continue;
        }
        let Some((entry, end)) = local_entry(bytes, at) else {
            continue;
        };
        if !walk.another() {
            break;
        }
        next = end;
        entries.push(entry);
    }
    entries
}

fn local_entry(bytes: &[u8], at: usize) -> Option<(Entry, usize)> {
    let header = from(bytes, at);
    let flags = le16(header, 6)?;
    let name = usize::from(le16(header, 26)?);
    let extra = usize::from(le16(header, 28)?);
    let start = at
        .checked_add(LOCAL_SIZE)?
        .checked_add(name)?
        .checked_add(extra)?;
    let stated = offset32(header, 18)?;
    // Bit 3: the sizes follow the data.
    let streamed = flags & 8 != 0 && stated == 0;
    let packed = if streamed {
        bytes.len().saturating_sub(start)
    } else {
        stated
    };
    let entry = Entry {
        name: text(span(header, LOCAL_SIZE, name)?),
        encrypted: flags & 1 != 0,
        method: le16(header, 8)?,
        packed: count(packed),
        size: le32(header, 22).map(wide).map_or(0, count),
        local: at,
    };
    let end = if streamed {
        start
    } else {
        start.saturating_add(packed)
    };
    Some((entry, end))
}

/// What kind of file the archive is, by the names in it.
fn flavour(walk: &mut Walk<'_>, bytes: &[u8], directory: &Directory) -> Content {
    let has = |name: &str| {
        directory
            .entries
            .iter()
            .any(|entry| entry.name.eq_ignore_ascii_case(name))
    };
    let below = |folder: &str| {
        directory.entries.iter().any(|entry| {
            crate::bytes::starts_ignoring_case(entry.name.as_bytes(), folder.as_bytes())
        })
    };
    let office = |kind| Content::plain(kind, Class::Office);
    let program = |kind| Content::plain(kind, Class::Executable);
    if has("[Content_Types].xml") || below("_rels/") {
        let known = [
            (
                "word/",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ),
            (
                "xl/",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ),
            (
                "ppt/",
                "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            ),
            ("visio/", "application/vnd.ms-visio.drawing.main+xml"),
        ];
        if let Some((_, kind)) = known.iter().find(|(folder, _)| below(folder)) {
            return office(kind);
        }
        if has("AppxManifest.xml") || has("AppxMetadata/AppxBundleManifest.xml") {
            return program("application/msix");
        }
    }
    if has("AndroidManifest.xml") {
        return program("application/vnd.android.package-archive");
    }
    let class_file = directory
        .entries
        .iter()
        .any(|entry| ends_ignoring_case(&entry.name, ".class"));
    if class_file || has("META-INF/MANIFEST.MF") {
        return program("application/java-archive");
    }
    if let Some(first) = directory
        .entries
        .first()
        .filter(|first| first.name == "mimetype")
    {
        let stated = first.start(walk, bytes);
        let known = [
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.spreadsheet",
            "application/vnd.oasis.opendocument.presentation",
            "application/vnd.oasis.opendocument.graphics",
            "application/epub+zip",
        ];
        let kind = known.iter().find(|kind| contains(&stated, kind.as_bytes()));
        if let Some(kind) = kind {
            return office(kind);
        }
    }
    Content::plain("application/zip", Class::Archive)
}
