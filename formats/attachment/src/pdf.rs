//! PDF: scripts, launches, addresses opened by themselves, embedded files, encryption.
//!
//! The file is not parsed: names are looked for everywhere, in the file and in the objects that it
//! keeps deflated. Names may be written with escapes. An action that runs on opening is followed to
//! its object, because most of them only choose the page that is shown first.

use memchr::{memchr_iter, memmem};

use crate::bytes::{clamped, from, head};
use crate::inflate::Wrapper;
use crate::pdf_stream::{self, Kind, unescape};
use crate::walk::{Item, PEEK, Walk, Worth};

/// Streams that are unpacked.
const MAX_STREAMS: usize = 512;
/// Octets of objects that are unpacked.
const MAX_OBJECTS: usize = 8 << 20;
/// Actions that are followed.
const MAX_ACTIONS: usize = 8;
/// Octets of an action that are looked at.
const MAX_ACTION: usize = 512;
/// Octets of the table of a stream of objects.
const MAX_TABLE: usize = 8 << 10;
/// Octets of a name, escapes included.
const MAX_NAME: usize = 64;

/// What the names of a file say.
#[derive(Debug, Default)]
struct Names {
    script: bool,
    launch: bool,
    encrypted: bool,
    files: bool,
    rich: bool,
    /// What stands behind the names of actions that run by themselves.
    actions: Vec<Vec<u8>>,
}

/// Looks through a PDF.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    let file = item.bytes.as_ref();
    let mut names = Names::default();
    scan(file, &mut names);
    let objects = streams(walk, item);
    for stream in &objects {
        scan(stream, &mut names);
    }
    let opens = names
        .actions
        .iter()
        .any(|action| leads_out(file, &objects, action));
    walk.report.encrypted |= names.encrypted;
    walk.report.embedded |= names.files;
    walk.report.active_pdf |= names.script || names.launch || names.rich || opens;
    for (told, word) in [
        (names.script, "PDF JavaScript"),
        (names.launch, "PDF Launch"),
        (names.rich, "PDF RichMedia"),
        (opens, "PDF OpenAction"),
    ] {
        if told {
            walk.word(word);
        }
    }
}

/// Looks for names; every name is looked at once.
fn scan(text: &[u8], names: &mut Names) {
    for at in memchr_iter(b'/', text) {
        let rest = clamped(text, at.saturating_add(1), MAX_NAME);
        // Most names begin with none of these letters.
        if !matches!(
            rest.first(),
            Some(b'J' | b'L' | b'E' | b'O' | b'A' | b'R' | b'#')
        ) {
            continue;
        }
        let end = rest
            .iter()
            .position(|octet| octet.is_ascii_whitespace() || b"/<>[](){}%\0".contains(octet))
            .unwrap_or(rest.len());
        let written = head(rest, end);
        let unescaped;
        let name = if written.contains(&b'#') {
            unescaped = unescape(written);
            unescaped.as_slice()
        } else {
            written
        };
        match name {
            b"JavaScript" | b"JS" => names.script = true,
            b"Launch" => names.launch = true,
            b"Encrypt" => names.encrypted = true,
            b"EmbeddedFile" | b"EmbeddedFiles" => names.files = true,
            b"RichMedia" => names.rich = true,
            b"OpenAction" | b"AA" if names.actions.len() < MAX_ACTIONS => {
                let action = clamped(text, at.saturating_add(1 + end), MAX_ACTION);
                names.actions.push(action.to_vec());
            }
            _ => {}
        }
    }
}

/// Unpacks the streams of objects, and enqueues embedded files.
fn streams(walk: &mut Walk<'_>, item: &Item<'_>) -> Vec<Vec<u8>> {
    let mut objects = Vec::new();
    let mut left = MAX_OBJECTS;
    for (number, stream) in pdf_stream::streams(&item.bytes).enumerate() {
        if number >= MAX_STREAMS || left == 0 || walk.room() == 0 {
            walk.report.truncated = true;
            break;
        }
        let content = if stream.deflated {
            walk.inflate(Wrapper::Zlib, stream.data).bytes
        } else if stream.plain {
            let stored = stream.stored(walk.room());
            walk.copy(stored)
        } else {
            continue;
        };
        if stream.kind == Kind::Objects {
            left = left.saturating_sub(content.len());
            objects.push(content);
        } else if walk.embedded("", head(&content, PEEK), item.depth) == Worth::Look {
            walk.enqueue("", content, item.depth);
        }
    }
    objects
}

/// Whether an action, given by what stands behind its name, leaves the document.
fn leads_out(file: &[u8], objects: &[Vec<u8>], action: &[u8]) -> bool {
    let action = action.trim_ascii_start();
    if action.starts_with(b"<<") {
        let end = memmem::find(action, b"endobj").unwrap_or(action.len());
        return is_outward(head(action, end));
    }
    let Some(number) = reference(action) else {
        return false;
    };
    let found = find(file, number).or_else(|| objects.iter().find_map(|list| listed(list, number)));
    found.is_some_and(|object| {
        let end = memmem::find(object, b"endobj").unwrap_or(object.len());
        is_outward(head(object, end))
    })
}

/// The number of `12 0 R`.
fn reference(text: &[u8]) -> Option<u64> {
    let mut words = text
        .split(|octet| octet.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    let number = words.next()?;
    let _generation = words.next()?;
    words.next()?.starts_with(b"R").then_some(())?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The beginning of an object that stands in the file.
fn find(file: &[u8], number: u64) -> Option<&[u8]> {
    let needle = format!("{number} 0 obj");
    memmem::find_iter(file, needle.as_bytes())
        .find(|at| {
            let before = at.checked_sub(1).and_then(|before| file.get(before));
            !before.is_some_and(u8::is_ascii_digit)
        })
        .map(|at| clamped(file, at, MAX_ACTION))
}

/// §7.5.7: the beginning of an object in a stream of objects, which starts with pairs of number and
/// offset; the first object follows them.
fn listed(stream: &[u8], number: u64) -> Option<&[u8]> {
    let table_end = memchr::memchr3(b'<', b'[', b'(', head(stream, MAX_TABLE))?;
    let mut numbers = head(stream, table_end)
        .split(|octet| octet.is_ascii_whitespace())
        .filter_map(|word| std::str::from_utf8(word).ok()?.parse::<u64>().ok());
    loop {
        let (object, offset) = (numbers.next()?, numbers.next()?);
        if object == number {
            let at = table_end.checked_add(crate::bytes::wider(offset))?;
            return Some(head(from(stream, at), MAX_ACTION));
        }
    }
}

/// §12.6.4: actions that open an address, send a form or go to another document.
fn is_outward(action: &[u8]) -> bool {
    let plain = unescape(action);
    [
        &b"/URI"[..],
        b"/SubmitForm",
        b"/GoToR",
        b"/GoToE",
        b"/ImportData",
        b"/Launch",
    ]
    .iter()
    .any(|name| memmem::find(&plain, name).is_some())
}
