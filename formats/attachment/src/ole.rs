//! Compound files: older Office documents, installers, Outlook messages, embedded packages.

use memchr::memmem;

use crate::bytes::{clamped, contains, from, head, le16, le32, offset32, text, until_nul, utf16};
use crate::compound::{Compound, Kind, Node};
use crate::content::{Class, Content};
use crate::walk::{Item, PEEK, Walk, Worth};
use crate::{biff, ooxml, vba};

/// The type of an OOXML document behind a password: \[MS-OFFCRYPTO\] 2.3.4.
pub(crate) const ENCRYPTED_OOXML: &str = "application/x-ooxml-protected";

/// Class identifiers of Windows Installer's packages, patches and transforms, all but their first
/// octet, which is 0x84, 0x86 or 0x82.
const INSTALLER: &[u8] = b"\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
/// The class of a URL moniker: an object that is loaded from an address.
const URL_MONIKER: &[u8] = b"\xe0\xc9\xea\x79\xf9\xba\xce\x11\x8c\x82\x00\xaa\x00\x4b\xa9\x0b";
/// The class of a composite or script moniker, which leads to one.
const SCRIPT_MONIKER: &[u8] = b"\xc7\xb0\xab\xec\x19\x4b\xd1\x11\xbe\x7a\x00\xc0\x4f\xb6\xe7\x73";
/// The class of Equation Editor 3, whose parser is exploited.
const EQUATION: &[u8] = b"\x02\xce\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";

/// Octets of a document's main stream.
const MAX_MAIN: usize = 8 << 20;

/// Looks through a compound file.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) -> Content {
    let unknown = Content::plain("application/x-ole-storage", Class::OfficeLegacy);
    let Some(file) = Compound::read(&item.bytes) else {
        walk.report.damaged = true;
        return unknown;
    };
    for _ in &file.nodes {
        if !walk.another() {
            return unknown;
        }
    }
    let found = flavour(&file).unwrap_or(unknown);
    vba::open(walk, &file);
    main_stream(walk, &file, found.kind);
    if found.class == Class::Executable {
        return found;
    }
    for node in &file.nodes {
        if node.class == EQUATION {
            walk.word("Equation Editor");
        }
        if node.kind == Kind::Stream {
            object(walk, item, &file, node);
        }
    }
    found
}

/// What kind of file it is, by its streams.
fn flavour(file: &Compound<'_>) -> Option<Content> {
    let legacy = |kind| Some(Content::plain(kind, Class::OfficeLegacy));
    let root = file.nodes.iter().find(|node| node.kind == Kind::Root);
    if root.is_some_and(|root| {
        matches!(root.class.first(), Some(0x82 | 0x84 | 0x86)) && root.class.ends_with(INSTALLER)
    }) {
        return Some(Content::plain("application/x-msi", Class::Executable));
    }
    let kinds = [
        ("EncryptedPackage", ENCRYPTED_OOXML),
        ("WordDocument", "application/msword"),
        ("Workbook", "application/vnd.ms-excel"),
        ("Book", "application/vnd.ms-excel"),
        ("PowerPoint Document", "application/vnd.ms-powerpoint"),
        ("VisioDocument", "application/vnd.visio"),
        ("__properties_version1.0", "application/vnd.ms-outlook"),
        ("Quill", "application/x-mspublisher"),
        ("_VBA_PROJECT", "application/vnd.ms-office.vbaproject"),
    ];
    kinds
        .iter()
        .find(|(stream, _)| file.has(stream))
        .and_then(|(_, kind)| legacy(kind))
}

/// What the main stream of a document says.
fn main_stream(walk: &mut Walk<'_>, file: &Compound<'_>, kind: &str) {
    let read = |walk: &mut Walk<'_>, name: &str| {
        let node = file.find(name)?;
        let stream = file.stream(node, walk.room().min(MAX_MAIN));
        walk.charge(stream.len());
        Some(stream)
    };
    match kind {
        ENCRYPTED_OOXML => walk.report.encrypted = true,
        "application/msword" => {
            if let Some(stream) = read(walk, "WordDocument") {
                // [MS-DOC] 2.5.2: fEncrypted.
                walk.report.encrypted |= le16(&stream, 10).is_some_and(|bits| bits & 0x100 != 0);
                walk.report.remote |= has_dde_field(&stream);
            }
        }
        "application/vnd.ms-excel" => {
            for name in ["Workbook", "Book"] {
                if let Some(stream) = read(walk, name) {
                    biff::open(walk, &stream);
                }
            }
        }
        "application/vnd.ms-powerpoint" => {
            // [MS-PPT] 2.3.2: the token of an encrypted document.
            let user = read(walk, "Current User").unwrap_or_default();
            walk.report.encrypted |= le32(&user, 12) == Some(0xf3d1_c4df);
        }
        _ => {}
    }
}

/// \[MS-DOC\] 2.8.25: a field begins with the character 19; text has 8 or 16 bits.
fn has_dde_field(stream: &[u8]) -> bool {
    memchr::memchr_iter(19, stream).any(|at| {
        let window = clamped(stream, at.saturating_add(1), 32);
        let first = window
            .iter()
            .find(|octet| !matches!(octet, 0 | b' ' | b'"' | b'\t'));
        if !matches!(first, Some(b'd' | b'D')) {
            return false;
        }
        let follows: Vec<u8> = window.iter().copied().filter(|&octet| octet != 0).collect();
        ooxml::is_dde(follows.trim_ascii_start())
    })
}

/// A stream that may be an embedded object, a link or an attachment.
fn object(walk: &mut Walk<'_>, item: &Item<'_>, file: &Compound<'_>, node: &Node) {
    let name = node.name.to_ascii_lowercase();
    let wanted = matches!(
        name.as_str(),
        "\u{1}ole10native" | "\u{1}ole" | "equation native" | "package" | "contents" | "linkinfo"
    ) || name.starts_with("__substg1.0_37");
    if !wanted {
        return;
    }
    let stream = file.stream(node, walk.room());
    walk.charge(stream.len());
    match name.as_str() {
        "\u{1}ole10native" => package(walk, item, &stream),
        "\u{1}ole" | "linkinfo" => walk.report.remote |= is_moniker(&stream),
        "equation native" => {
            walk.report.embedded = true;
            walk.word("Equation Editor");
        }
        // [MS-OXMSG] 2.2.2: an attachment's long and short name, and its content.
        "__substg1.0_3707001f" => {
            let _ = walk.entry(&utf16(&stream), &[], item.depth);
        }
        "__substg1.0_3707001e" => {
            let _ = walk.entry(&text(&stream), &[], item.depth);
        }
        "package" | "contents" | "__substg1.0_37010102" => {
            let start = head(&stream, PEEK);
            let known = crate::magic::identify(start).class;
            if known != Class::Other && !known.is_media() {
                enqueue(walk, item, "", &stream);
            }
        }
        _ => {}
    }
}

/// Whether octets hold an object that is loaded from an address.
pub(crate) fn is_moniker(octets: &[u8]) -> bool {
    contains(octets, URL_MONIKER) || contains(octets, SCRIPT_MONIKER)
}

fn enqueue(walk: &mut Walk<'_>, item: &Item<'_>, name: &str, content: &[u8]) {
    if walk.embedded(name, head(content, PEEK), item.depth) == Worth::Look {
        let copied = walk.copy(content);
        walk.enqueue(name, copied, item.depth);
    }
}

/// A packaged file: size, flags, label, path, flags, temporary path, size, content.
pub(crate) fn package(walk: &mut Walk<'_>, item: &Item<'_>, stream: &[u8]) {
    walk.report.embedded = true;
    let Some((name, content)) = parse_package(stream) else {
        // Other programs' objects are stored as they like; a known beginning shows itself.
        enqueue(walk, item, "", from(stream, 4));
        return;
    };
    enqueue(walk, item, &name, content);
}

fn parse_package(stream: &[u8]) -> Option<(String, &[u8])> {
    if le16(stream, 4)? != 2 {
        return None;
    }
    let label = until_nul(head(from(stream, 6), 1024));
    let path_at = label.len().checked_add(7)?;
    let path = until_nul(head(from(stream, path_at), 1024));
    let flags_at = path_at.checked_add(path.len())?.checked_add(1)?;
    let temporary = offset32(stream, flags_at.checked_add(4)?)?;
    let size_at = flags_at.checked_add(8)?.checked_add(temporary)?;
    let size = offset32(stream, size_at)?;
    Some((text(label), clamped(stream, size_at.checked_add(4)?, size)))
}

/// An OLE 1.0 object as RTF embeds it: version, format, class name, and the native data.
pub(crate) fn object_1(walk: &mut Walk<'_>, item: &Item<'_>, octets: &[u8]) {
    walk.report.embedded = true;
    walk.report.remote |= is_moniker(octets);
    let class_size = offset32(octets, 8).unwrap_or(0).min(64);
    let class = until_nul(clamped(octets, 12, class_size)).to_ascii_lowercase();
    if class.starts_with(b"equation") || contains(octets, EQUATION) {
        walk.word("Equation Editor");
    }
    if class.starts_with(b"ole2link") {
        walk.word("OLE2Link");
    }
    let compound = memmem::find(octets, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    if let Some(at) = compound {
        enqueue(walk, item, "", from(octets, at));
        return;
    }
    if class.starts_with(b"package") {
        // Topic and item are empty; the size and the package follow.
        let at = class_size.saturating_add(12 + 8);
        package(walk, item, from(octets, at));
        return;
    }
    // A known file somewhere near the beginning of the data.
    let native = from(octets, class_size.saturating_add(12 + 12));
    enqueue(walk, item, "", native);
}
