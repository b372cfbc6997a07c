//! The walk through an attachment and what is inside it.
//!
//! A queue holds what is still to be looked at, the attachment first. Readers of containers get one
//! item, tell the walk of every entry ([`Walk::entry`]) and hand back the content of those that are
//! worth a look ([`Walk::enqueue`]). Everything that is unpacked or copied is charged to one
//! account, so that neither memory nor time depends on what an attacker's numbers say.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::bytes::{count, head};
use crate::content::{Class, Content, Reader};
use crate::inflate::{End, Inflated, Inflater, Wrapper};
use crate::report::{Limits, Report};
use crate::{
    cab, iso, magic, mismatch, name, ole, onenote, ooxml, pdf, rar, rtf, seven_zip, tar, tnef, zip,
};

/// Octets of an entry that decide whether it is worth a look.
pub(crate) const PEEK: usize = 1024;
/// Packed octets that are read for them.
const PEEK_INPUT: usize = 4 * PEEK;
/// What an unpacking costs at least.
const LEAST_CHARGE: usize = 256;

/// Something to be looked at.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    /// Its name, if it has one.
    pub(crate) name: String,
    pub(crate) bytes: Cow<'a, [u8]>,
    /// How many containers are around it.
    pub(crate) depth: u8,
    /// Whether the only container is a packed single file.
    unpacked: bool,
}

/// Whether the content of an entry is worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    Look,
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Walk<'l> {
    pub(crate) limits: &'l Limits,
    pub(crate) report: Report,
    queue: VecDeque<Item<'static>>,
    inflater: Inflater,
    spent: usize,
    entries: usize,
    /// Octets of macro source that may still be searched.
    pub(crate) macro_source: usize,
}

impl<'l> Walk<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            report: Report::default(),
            queue: VecDeque::new(),
            inflater: Inflater::new(),
            spent: 0,
            entries: 0,
            macro_source: limits.macro_source,
        }
    }

    /// Looks at the attachment, then at what is inside.
    pub(crate) fn run(mut self, name: &str, declared: &str, bytes: &[u8]) -> Report {
        let told = name::judge(name);
        self.report.dangerous_name = told.dangerous;
        self.report.double_extension = told.deceptive;
        let outer = Item {
            name: name.to_owned(),
            bytes: Cow::Borrowed(bytes),
            depth: 0,
            unpacked: false,
        };
        let found = self.open(&outer);
        self.report.kind = found.kind.into();
        self.report.class = found.class;
        self.report.executable = found.class.runs();
        self.report.mismatch =
            mismatch::contradicts(name::extension(name).as_deref(), declared, found);
        while let Some(item) = self.queue.pop_front() {
            let found = self.open(&item);
            self.report.executable_inside |= found.class.runs();
            self.report.nested |= found.class.holds_files() && !item.unpacked;
        }
        self.report.words.sort_unstable();
        self.report.words.dedup();
        self.report
    }

    /// Has an item read by its reader, which may know its type better.
    fn open(&mut self, item: &Item<'_>) -> Content {
        let found = magic::identify(&item.bytes);
        match found.reader {
            Reader::Nothing => {}
            Reader::Opaque => self.opaque(item, found),
            Reader::Zip => return zip::open(self, item),
            Reader::Gzip => zip_gzip(self, item),
            Reader::Tar => tar::open(self, item),
            Reader::Rar => rar::open(self, item),
            Reader::SevenZip => seven_zip::open(self, &item.bytes),
            Reader::Cab => cab::open(self, &item.bytes),
            Reader::Iso => iso::open(self, item),
            Reader::Tnef => tnef::open(self, item),
            Reader::Compound => return ole::open(self, item),
            Reader::Rtf => rtf::open(self, item),
            Reader::Pdf => pdf::open(self, item),
            Reader::OneNote => onenote::open(self, item),
            Reader::Markup => self.report.scripted |= ooxml::has_script(&item.bytes),
        }
        found
    }

    /// A packed file whose packing is not known here: its name tells what is inside.
    fn opaque(&mut self, item: &Item<'_>, found: Content) {
        self.report.unlisted = true;
        let single = matches!(
            found.kind,
            "application/x-bzip2"
                | "application/x-xz"
                | "application/zstd"
                | "application/x-lzip"
                | "application/x-compress"
                | "application/x-lz4"
        );
        if single && let Some((stem, _)) = item.name.rsplit_once('.') {
            let stem = stem.to_owned();
            if name::extension(&stem).is_some() {
                let _ = self.entry(&stem, &[], item.depth);
            }
        }
    }

    /// Counts an entry of a container; false when there were enough.
    pub(crate) fn another(&mut self) -> bool {
        if self.entries >= self.limits.entries {
            self.report.truncated = true;
            return false;
        }
        self.entries += 1;
        true
    }

    /// Notes a file of an archive at a depth: its name, and what its first octets say, if any are at
    /// hand. Answers whether the whole of it should be enqueued.
    pub(crate) fn entry(&mut self, name: &str, start: &[u8], depth: u8) -> Worth {
        self.list(name);
        let told = name::judge(name);
        self.report.executable_inside |= told.program;
        self.report.double_extension |= told.deceptive;
        if start.is_empty() {
            self.report.nested |= told.archive;
            return Worth::Nothing;
        }
        let found = magic::identify(start);
        self.report.executable_inside |= found.class.runs();
        // A disk image does not show itself at its beginning; a ZIP archive may be a document.
        let image = found.class == Class::Other && told.archive;
        let opens = !matches!(found.reader, Reader::Nothing);
        if !opens && !image {
            return Worth::Nothing;
        }
        if depth >= self.limits.depth {
            self.report.truncated = true;
            let document = found.reader == Reader::Zip && !told.archive;
            let archive = found.class.holds_files() && !document;
            self.report.bomb |= archive;
            self.report.nested |= archive;
            return Worth::Nothing;
        }
        Worth::Look
    }

    /// Lists a name.
    fn list(&mut self, name: &str) {
        if self.report.names.len() >= self.limits.names {
            self.report.truncated = true;
            return;
        }
        let name = name::presentable(name, self.limits.name_length);
        if !name.is_empty() {
            self.report.names.push(name);
        }
    }

    /// Notes the name of an object embedded in a document.
    pub(crate) fn embedded(&mut self, name: &str, start: &[u8], depth: u8) -> Worth {
        self.report.embedded = true;
        self.entry(name, start, depth)
    }

    /// Enqueues what is inside an item, `depth` being the container's.
    pub(crate) fn enqueue(&mut self, name: &str, bytes: Vec<u8>, depth: u8) {
        self.enqueue_item(name, bytes, depth, false);
    }

    fn enqueue_item(&mut self, name: &str, bytes: Vec<u8>, depth: u8, unpacked: bool) {
        if depth >= self.limits.depth {
            self.report.truncated = true;
            return;
        }
        if bytes.is_empty() {
            return;
        }
        self.queue.push_back(Item {
            name: name::presentable(name, self.limits.name_length),
            bytes: Cow::Owned(bytes),
            depth: depth.saturating_add(1),
            unpacked,
        });
    }

    /// Octets that may still be unpacked, for one entry.
    pub(crate) fn room(&self) -> usize {
        let left = self.limits.unpacked.saturating_sub(self.spent);
        left.min(self.limits.entry)
    }

    /// Charges work to the account.
    pub(crate) fn charge(&mut self, octets: usize) {
        self.spent = self.spent.saturating_add(octets.max(LEAST_CHARGE));
    }

    /// Copies an entry as far as there is room.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let copied = head(bytes, self.room());
        self.report.truncated |= copied.len() < bytes.len();
        self.charge(copied.len());
        self.report.unpacked += copied.len();
        copied.to_vec()
    }

    /// The beginning of a deflated entry.
    pub(crate) fn peek(&mut self, input: &[u8]) -> Vec<u8> {
        let cap = PEEK.min(self.room());
        if cap == 0 {
            self.report.truncated = true;
            return Vec::new();
        }
        let peeked = self
            .inflater
            .run(Wrapper::Raw, head(input, PEEK_INPUT), cap);
        self.charge(peeked.bytes.len());
        self.report.unpacked += peeked.bytes.len();
        peeked.bytes
    }

    /// Unpacks an entry as far as there is room, and notes a bomb.
    pub(crate) fn inflate(&mut self, wrapper: Wrapper, input: &[u8]) -> Inflated {
        let room = self.room();
        let inflated = self.inflater.run(wrapper, input, room);
        self.charge(inflated.bytes.len().max(inflated.consumed));
        self.report.unpacked += inflated.bytes.len();
        self.report.truncated |= inflated.end == End::Capped;
        self.ratio(count(inflated.consumed), count(inflated.bytes.len()));
        inflated
    }

    /// Notes a bomb when an entry grows out of proportion.
    pub(crate) fn ratio(&mut self, packed: u64, size: u64) {
        let grows = size / packed.max(1) >= self.limits.bomb_ratio;
        self.report.bomb |= grows && size >= self.limits.bomb_size;
    }

    /// Notes a word.
    pub(crate) fn word(&mut self, word: &'static str) {
        if !self.report.words.iter().any(|known| known == word) {
            self.report.words.push(word.into());
        }
    }
}

/// RFC 1952 §2.3: a header with optional fields, deflated data.
fn zip_gzip(walk: &mut Walk<'_>, item: &Item<'_>) {
    let Some((stated, at)) = gzip_header(&item.bytes) else {
        walk.report.damaged = true;
        return;
    };
    let inflated = walk.inflate(Wrapper::Raw, crate::bytes::from(&item.bytes, at));
    walk.report.damaged |= inflated.end == End::Damaged;
    let name = if stated.is_empty() {
        gzip_name(&item.name)
    } else {
        stated
    };
    let tar = magic::is_tar(&inflated.bytes);
    // What is around a tar archive is not a container of its own to its readers.
    let worth = if tar {
        Worth::Look
    } else {
        walk.entry(&name, head(&inflated.bytes, PEEK), item.depth)
    };
    if worth == Worth::Look {
        walk.enqueue_item(&name, inflated.bytes, item.depth, tar);
    }
}

/// What a gzip file is called without its extension.
fn gzip_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => "unnamed".to_owned(),
    }
}

/// RFC 1952 §2.3.1: the name a gzip header states, and where the data begins.
fn gzip_header(bytes: &[u8]) -> Option<(String, usize)> {
    let flags = *bytes.get(3)?;
    let mut at = 10_usize;
    if flags & 4 != 0 {
        at = at
            .checked_add(2)?
            .checked_add(usize::from(crate::bytes::le16(bytes, at)?))?;
    }
    let mut name = String::new();
    if flags & 8 != 0 {
        let field = crate::bytes::until_nul(bytes.get(at..)?);
        name = crate::bytes::text(head(field, 1024));
        at = at.checked_add(field.len())?.checked_add(1)?;
    }
    if flags & 16 != 0 {
        let field = crate::bytes::until_nul(bytes.get(at..)?);
        at = at.checked_add(field.len())?.checked_add(1)?;
    }
    if flags & 2 != 0 {
        at = at.checked_add(2)?;
    }
    Some((name, at))
}
