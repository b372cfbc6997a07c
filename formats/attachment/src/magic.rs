//! The type of content by its octets.
//!
//! A table of fixed octets at fixed places comes first, then what needs a closer look: tar by its
//! checksum, Mach-O against Java by its version, markup and text by their beginning.

use memchr::memmem;

use crate::bytes::{self, contains, head, le16, le32, span, starts_ignoring_case};
use crate::content::{Class, Content, Reader};

/// Octets at the beginning in which markup is looked for.
const MARKUP_HEAD: usize = 4 << 10;
/// Octets at the end in which the end of an archive is looked for.
const ZIP_TAIL: usize = 1024;
/// Octets at the beginning that decide whether the rest is text.
const TEXT_HEAD: usize = 4 << 10;

struct Magic {
    at: usize,
    octets: &'static [u8],
    content: Content,
}

const fn plain(at: usize, octets: &'static [u8], kind: &'static str, class: Class) -> Magic {
    Magic {
        at,
        octets,
        content: Content::plain(kind, class),
    }
}

const fn opened(octets: &'static [u8], kind: &'static str, class: Class, reader: Reader) -> Magic {
    Magic {
        at: 0,
        octets,
        content: Content::opened(kind, class, reader),
    }
}

const fn packed(at: usize, octets: &'static [u8], kind: &'static str, class: Class) -> Magic {
    Magic {
        at,
        octets,
        content: Content::opened(kind, class, Reader::Opaque),
    }
}

use Class::{
    Archive, Audio, DiskImage, Encrypted, Executable, Font, Image, Script, Shortcut, Video,
};

/// Containers that a reader of this crate opens.
const CONTAINERS: &[Magic] = &[
    opened(b"PK\x03\x04", "application/zip", Archive, Reader::Zip),
    opened(b"PK\x05\x06", "application/zip", Archive, Reader::Zip),
    opened(
        b"PK\x07\x08PK\x03\x04",
        "application/zip",
        Archive,
        Reader::Zip,
    ),
    opened(b"\x1f\x8b\x08", "application/gzip", Archive, Reader::Gzip),
    opened(
        b"Rar!\x1a\x07\x00",
        "application/vnd.rar",
        Archive,
        Reader::Rar,
    ),
    opened(
        b"Rar!\x1a\x07\x01\x00",
        "application/vnd.rar",
        Archive,
        Reader::Rar,
    ),
    opened(
        b"7z\xbc\xaf\x27\x1c",
        "application/x-7z-compressed",
        Archive,
        Reader::SevenZip,
    ),
    opened(
        b"MSCF\0\0\0\0",
        "application/vnd.ms-cab-compressed",
        Archive,
        Reader::Cab,
    ),
    opened(
        b"\x78\x9f\x3e\x22",
        "application/vnd.ms-tnef",
        Archive,
        Reader::Tnef,
    ),
    opened(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
        Class::OfficeLegacy,
        Reader::Compound,
    ),
    opened(b"{\\rt", "text/rtf", Class::Rtf, Reader::Rtf),
    opened(
        b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3",
        "application/onenote",
        Class::Notebook,
        Reader::OneNote,
    ),
];

/// Programs, shortcuts and encoded scripts.
const PROGRAMS: &[Magic] = &[
    plain(0, b"\x7fELF", "application/x-elf", Executable),
    plain(
        0,
        b"\xfe\xed\xfa\xce",
        "application/x-mach-binary",
        Executable,
    ),
    plain(
        0,
        b"\xfe\xed\xfa\xcf",
        "application/x-mach-binary",
        Executable,
    ),
    plain(
        0,
        b"\xce\xfa\xed\xfe",
        "application/x-mach-binary",
        Executable,
    ),
    plain(
        0,
        b"\xcf\xfa\xed\xfe",
        "application/x-mach-binary",
        Executable,
    ),
    plain(0, b"dex\n03", "application/x-dex", Executable),
    plain(0, b"\0asm\x01\0\0\0", "application/wasm", Executable),
    plain(
        0,
        b"ITSF\x03\0\0\0",
        "application/vnd.ms-htmlhelp",
        Executable,
    ),
    plain(
        0,
        b"!<arch>\ndebian-binary",
        "application/vnd.debian.binary-package",
        Executable,
    ),
    plain(0, b"\xed\xab\xee\xdb", "application/x-rpm", Executable),
    plain(0, b"xar!\0\x1c", "application/x-xar", Executable),
    plain(
        0,
        b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46",
        "application/x-ms-shortcut",
        Shortcut,
    ),
    plain(0, b"#@~^", "text/x-encoded-script", Script),
    plain(0, b"#!/", "text/x-script", Script),
    plain(0, b"#! /", "text/x-script", Script),
];

/// Archives and disk images that are known but not opened.
const PACKED: &[Magic] = &[
    packed(0, b"BZh", "application/x-bzip2", Archive),
    packed(0, b"\xfd7zXZ\0", "application/x-xz", Archive),
    packed(0, b"\x28\xb5\x2f\xfd", "application/zstd", Archive),
    packed(0, b"\x04\x22\x4d\x18", "application/x-lz4", Archive),
    packed(0, b"LZIP\x01", "application/x-lzip", Archive),
    packed(0, b"\x1f\x9d", "application/x-compress", Archive),
    packed(0, b"\x1f\xa0", "application/x-compress", Archive),
    packed(7, b"**ACE**", "application/x-ace-compressed", Archive),
    packed(0, b"\x60\xea", "application/x-arj", Archive),
    packed(2, b"-lh", "application/x-lzh-compressed", Archive),
    packed(2, b"-lz", "application/x-lzh-compressed", Archive),
    packed(20, b"\xdc\xa7\xc4\xfd", "application/x-zoo", Archive),
    packed(0, b"07070", "application/x-cpio", Archive),
    packed(0, b"\xc7\x71", "application/x-cpio", Archive),
    packed(0, b"MSWIM\0\0\0", "application/x-ms-wim", Archive),
    packed(0, b"!<arch>\n", "application/x-archive", Archive),
    packed(0, b"EGGA", "application/x-egg", Archive),
    packed(0, b"ALZ\x01", "application/x-alz", Archive),
    packed(0, b"conectix", "application/x-vhd", DiskImage),
    packed(0, b"vhdxfile", "application/x-vhdx", DiskImage),
    packed(0, b"KDMV", "application/x-vmdk", DiskImage),
    packed(0, b"QFI\xfb", "application/x-qemu-disk", DiskImage),
];

/// Pictures, sound, film, fonts and other data.
const MEDIA: &[Magic] = &[
    plain(0, b"\xff\xd8\xff", "image/jpeg", Image),
    plain(0, b"\x89PNG\r\n\x1a\n", "image/png", Image),
    plain(0, b"GIF87a", "image/gif", Image),
    plain(0, b"GIF89a", "image/gif", Image),
    plain(0, b"II\x2a\0", "image/tiff", Image),
    plain(0, b"MM\0\x2a", "image/tiff", Image),
    plain(0, b"\0\0\x01\0", "image/vnd.microsoft.icon", Image),
    plain(0, b"8BPS\0\x01", "image/vnd.adobe.photoshop", Image),
    plain(0, b"\xd7\xcd\xc6\x9a", "image/wmf", Image),
    plain(40, b" EMF", "image/emf", Image),
    plain(0, b"\0\0\0\x0cjP  \r\n", "image/jp2", Image),
    plain(0, b"\xff\x0a", "image/jxl", Image),
    plain(0, b"%!PS", "application/postscript", Image),
    plain(0, b"ID3", "audio/mpeg", Audio),
    plain(0, b"OggS", "audio/ogg", Audio),
    plain(0, b"fLaC", "audio/flac", Audio),
    plain(0, b"MThd", "audio/midi", Audio),
    plain(0, b"#!AMR", "audio/amr", Audio),
    plain(0, b"\x1a\x45\xdf\xa3", "video/webm", Video),
    plain(0, b"FLV\x01", "video/x-flv", Video),
    plain(0, b"\0\0\x01\xba", "video/mpeg", Video),
    plain(0, b"\0\0\x01\xb3", "video/mpeg", Video),
    plain(
        0,
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        "video/x-ms-asf",
        Video,
    ),
    plain(0, b"wOFF", "font/woff", Font),
    plain(0, b"wOF2", "font/woff2", Font),
    plain(0, b"OTTO\0", "font/otf", Font),
    plain(0, b"\0\x01\0\0\0", "font/ttf", Font),
    plain(0, b"CWS", "application/x-shockwave-flash", Executable),
    plain(0, b"FWS", "application/x-shockwave-flash", Executable),
    plain(
        0,
        b"-----BEGIN PGP MESSAGE-----",
        "application/pgp-encrypted",
        Encrypted,
    ),
    plain(0, b"Salted__", "application/x-openssl-encrypted", Encrypted),
    plain(0, b"age-encryption.org/v1", "application/age", Encrypted),
    plain(
        0,
        b"SQLite format 3\0",
        "application/vnd.sqlite3",
        Class::Other,
    ),
    plain(0, b"!BDN", "application/vnd.ms-outlook-pst", Class::Other),
];

/// The type of content of a whole file or of its beginning.
pub(crate) fn identify(content: &[u8]) -> Content {
    if content.is_empty() {
        return Content::plain("application/x-empty", Class::Empty);
    }
    if let Some(found) = program(content) {
        return found;
    }
    for table in [CONTAINERS, PROGRAMS, PACKED, MEDIA] {
        for magic in table {
            if span(content, magic.at, magic.octets.len()) == Some(magic.octets)
                && plausible(content, magic)
            {
                return magic.content;
            }
        }
    }
    if let Some(found) = families(content).or_else(|| disk(content)) {
        return found;
    }
    if is_pdf(content) {
        return Content::opened("application/pdf", Class::Pdf, Reader::Pdf);
    }
    if is_tar(content) {
        return Content::opened("application/x-tar", Archive, Reader::Tar);
    }
    let found = textual(content);
    // Most programs open an archive whatever stands before it.
    let hidden = matches!(found.class, Class::Other | Class::Text)
        && content.len() > ZIP_TAIL
        && contains(
            bytes::from(content, content.len() - ZIP_TAIL),
            b"PK\x05\x06",
        );
    if hidden {
        return Content::opened("application/zip", Archive, Reader::Zip);
    }
    found
}

/// Short magics need a second look, lest text begins with them.
fn plausible(content: &[u8], magic: &Magic) -> bool {
    match magic.content.kind {
        "application/x-bzip2" => span(content, 4, 6).is_some_and(|block| {
            block == b"\x31\x41\x59\x26\x53\x59" || block == b"\x17\x72\x45\x38\x50\x90"
        }),
        // The header's size, at most 2,600.
        "application/x-arj" => le16(content, 2).is_some_and(|size| (20..=2_600).contains(&size)),
        "application/x-lzh-compressed" => content.get(6) == Some(&b'-'),
        "application/x-cpio" if magic.octets == b"07070" => content
            .get(5)
            .is_some_and(|octet| matches!(octet, b'1' | b'2' | b'7')),
        "application/x-shockwave-flash" => content.get(3).is_some_and(|version| *version < 64),
        "audio/mpeg" => content.get(3).is_some_and(|version| *version < 16),
        _ => true,
    }
}

/// Programs that a table cannot tell.
fn program(content: &[u8]) -> Option<Content> {
    if content.starts_with(b"MZ") || content.starts_with(b"ZM") {
        return mz(content);
    }
    // Mach-O files for several processors have few of them; Java's major version is 45 or more.
    if content.starts_with(b"\xca\xfe\xba\xbe") {
        let number = u32::from_be_bytes(content.get(4..8)?.try_into().ok()?);
        return Some(if number & 0xffff >= 45 {
            Content::plain("application/java-vm", Executable)
        } else {
            Content::plain("application/x-mach-binary", Executable)
        });
    }
    None
}

/// `MZ` begins a DOS or Windows program, or a text about Mozart.
fn mz(content: &[u8]) -> Option<Content> {
    let windows =
        bytes::offset32(content, 0x3c).is_some_and(|at| span(content, at, 4) == Some(b"PE\0\0"));
    let kind = "application/vnd.microsoft.portable-executable";
    if windows {
        return Some(Content::plain(kind, Executable));
    }
    let binary = head(content, 64)
        .iter()
        .any(|octet| !(9..0x80).contains(octet));
    if !binary {
        return None;
    }
    // A PE header that lies behind the octets at hand is still one.
    let ahead =
        bytes::offset32(content, 0x3c).is_some_and(|at| at >= content.len() && at < 1 << 20);
    Some(Content::plain(
        if ahead { kind } else { "application/x-dosexec" },
        Executable,
    ))
}

/// Families whose members differ in a second place.
fn families(content: &[u8]) -> Option<Content> {
    if content.starts_with(b"RIFF") {
        return match span(content, 8, 4)? {
            b"WEBP" => Some(Content::plain("image/webp", Image)),
            b"WAVE" => Some(Content::plain("audio/wav", Audio)),
            b"AVI " => Some(Content::plain("video/x-msvideo", Video)),
            _ => None,
        };
    }
    if span(content, 4, 4) == Some(b"ftyp") {
        return Some(match span(content, 8, 3)? {
            b"hei" | b"hev" | b"mif" | b"msf" => Content::plain("image/heif", Image),
            b"avi" => Content::plain("image/avif", Image),
            b"M4A" => Content::plain("audio/mp4", Audio),
            b"qt " => Content::plain("video/quicktime", Video),
            _ => Content::plain("video/mp4", Video),
        });
    }
    if content.starts_with(b"BM") && le32(content, 6) == Some(0) && content.len() > 26 {
        return Some(Content::plain("image/bmp", Image));
    }
    if let [0xff, second, ..] = content
        && matches!(second, 0xfb | 0xf3 | 0xf2 | 0xfa | 0xf1 | 0xf9)
    {
        return Some(Content::plain("audio/mpeg", Audio));
    }
    cms(content)
}

/// RFC 5652 §4: cryptographic messages begin with a sequence whose first item is the type.
fn cms(content: &[u8]) -> Option<Content> {
    if content.first() != Some(&0x30) {
        return None;
    }
    let start = head(content, 24);
    let at = memmem::find(start, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07")?;
    match start.get(at.checked_add(10)?)? {
        2 => Some(Content::plain("application/pkcs7-signature", Class::Other)),
        3 => Some(Content::plain("application/pkcs7-mime", Encrypted)),
        _ => None,
    }
}

/// Disk images show what they are far from the beginning.
fn disk(content: &[u8]) -> Option<Content> {
    // ECMA-119 §7.1.2 and ECMA-167 part 2 §9: volume descriptors from sector 16 on.
    match span(content, 32_769, 5) {
        Some(b"CD001") => {
            return Some(Content::opened(
                "application/x-iso9660-image",
                DiskImage,
                Reader::Iso,
            ));
        }
        Some(b"BEA01" | b"NSR02" | b"NSR03") => {
            return Some(Content::opened(
                "application/x-udf-image",
                DiskImage,
                Reader::Opaque,
            ));
        }
        _ => {}
    }
    let tail = content.len().checked_sub(512);
    let trailer = tail.and_then(|at| content.get(at..)).unwrap_or_default();
    if trailer.starts_with(b"koly\0\0\0\x04") {
        return Some(Content::opened(
            "application/x-apple-diskimage",
            DiskImage,
            Reader::Opaque,
        ));
    }
    if trailer.starts_with(b"conectix") {
        return Some(Content::opened(
            "application/x-vhd",
            DiskImage,
            Reader::Opaque,
        ));
    }
    // A boot sector: a jump, the name of a file system, the mark at its end.
    let boots = span(content, 510, 2) == Some(b"\x55\xaa");
    let jumps = matches!(content.first(), Some(0xeb | 0xe9));
    let named = span(content, 54, 3) == Some(b"FAT")
        || span(content, 82, 3) == Some(b"FAT")
        || span(content, 3, 4) == Some(b"NTFS");
    if boots && jumps && named {
        return Some(Content::opened(
            "application/x-raw-disk-image",
            DiskImage,
            Reader::Opaque,
        ));
    }
    None
}

/// ISO 32000-1 §7.5.2 and its annex H: readers accept the header within the first 1,024 octets.
fn is_pdf(content: &[u8]) -> bool {
    contains(head(content, 1024), b"%PDF-")
}

/// A tar header's checksum is the sum of its octets, its own field counted as blanks.
pub(crate) fn is_tar(content: &[u8]) -> bool {
    let Some(block) = content.get(..512) else {
        return false;
    };
    if span(block, 257, 5) == Some(b"ustar") {
        return true;
    }
    let stated = crate::tar::octal(block.get(148..156).unwrap_or_default());
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, &octet)| {
            if (148..156).contains(&at) {
                32
            } else {
                u64::from(octet)
            }
        })
        .sum();
    block.first() != Some(&0) && stated == Some(sum)
}

/// Text and markup, or nothing known.
fn textual(content: &[u8]) -> Content {
    let start = head(content, TEXT_HEAD.max(MARKUP_HEAD));
    let wide = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    let narrowed: Vec<u8>;
    let start = if wide {
        narrowed = start
            .iter()
            .copied()
            .filter(|&octet| octet != 0)
            .skip(2)
            .collect();
        narrowed.as_slice()
    } else {
        start
    };
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    if !looks_like_text(start) {
        return Content::plain("application/octet-stream", Class::Other);
    }
    let lower = start.to_ascii_lowercase();
    let trimmed = lower.trim_ascii_start();
    markup(trimmed)
        .or_else(|| lines(trimmed))
        .unwrap_or(Content::plain("text/plain", Class::Text))
}

fn looks_like_text(start: &[u8]) -> bool {
    !start
        .iter()
        .any(|&octet| octet < 7 || (14..27).contains(&octet) || octet == 127)
}

/// HTML, SVG and their kin, in lower case without leading blanks.
fn markup(text: &[u8]) -> Option<Content> {
    if !text.starts_with(b"<") {
        return None;
    }
    if contains(text, b"<hta:application") {
        return Some(Content::plain("application/hta", Executable));
    }
    let svg = Content::opened("image/svg+xml", Image, Reader::Markup);
    let html = Content::opened("text/html", Class::Html, Reader::Markup);
    let html_at = [
        &b"<html"[..],
        b"<!doctype html",
        b"<body",
        b"<head",
        b"<script",
    ]
    .iter()
    .filter_map(|tag| memmem::find(text, tag))
    .min();
    let svg_at = memmem::find(text, b"<svg");
    match (html_at, svg_at) {
        (Some(html_at), Some(svg_at)) if svg_at < html_at => return Some(svg),
        (None, Some(_)) => return Some(svg),
        (Some(_), _) => return Some(html),
        (None, None) => {}
    }
    if text.starts_with(b"<?xml") {
        if contains(text, b"<job") || contains(text, b"<package") && contains(text, b"<script") {
            return Some(Content::plain("text/x-windows-script", Script));
        }
        return Some(Content::plain("application/xml", Class::Text));
    }
    let tags: [&[u8]; 12] = [
        b"<meta", b"<title", b"<table", b"<div", b"<iframe", b"<style", b"<form", b"<p>", b"<a ",
        b"<img", b"<center", b"<span",
    ];
    tags.iter().any(|tag| text.starts_with(tag)).then_some(html)
}

/// Formats of lines, in lower case.
fn lines(text: &[u8]) -> Option<Content> {
    let known: [(&[u8], &'static str, Class); 6] = [
        (b"begin:vcalendar", "text/calendar", Class::Calendar),
        (b"begin:vcard", "text/vcard", Class::Contact),
        (b"[internetshortcut]", "application/x-mswinurl", Shortcut),
        (b"@echo off", "text/x-msdos-batch", Script),
        (b"windows registry editor", "text/x-ms-regedit", Script),
        (b"regedit4", "text/x-ms-regedit", Script),
    ];
    if let Some((_, kind, class)) = known.iter().find(|(start, ..)| text.starts_with(start)) {
        return Some(Content::plain(kind, *class));
    }
    let fields: [&[u8]; 9] = [
        b"received:",
        b"return-path:",
        b"delivered-to:",
        b"mime-version:",
        b"message-id:",
        b"x-mozilla-status:",
        b"dkim-signature:",
        b"from: ",
        b"from - ",
    ];
    let follows = contains(text, b"\nfrom:")
        || contains(text, b"\nsubject:")
        || contains(text, b"\ncontent-type:")
        || contains(text, b"\ndate:");
    if follows && fields.iter().any(|field| starts_ignoring_case(text, field)) {
        return Some(Content::plain("message/rfc822", Class::Mail));
    }
    None
}
