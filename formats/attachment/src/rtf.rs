//! Rich text: embedded objects, links that load by themselves, templates and DDE fields.
//!
//! Writers of malicious files break the syntax where Word forgives it, so that control words are
//! looked for wherever a backslash stands, and hexadecimal data is read past whatever is not hex.

use memchr::memchr_iter;

use crate::bytes::{clamped, from, head, starts_ignoring_case};
use crate::walk::{Item, Walk};
use crate::{ole, ooxml};

/// Objects that are read.
const MAX_OBJECTS: usize = 64;
/// Templates and fields that are read.
const MAX_DESTINATIONS: usize = 10_000;
/// Octets of a control word with its parameter.
const MAX_WORD: usize = 48;
/// Octets of a destination that are looked at.
const MAX_TEXT: usize = 512;

/// Looks through rich text.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    let bytes = item.bytes.as_ref();
    let (mut objects, mut destinations) = (0, 0);
    for at in memchr_iter(b'\\', bytes) {
        let rest = from(bytes, at.saturating_add(1));
        let window = head(rest, MAX_WORD);
        let length = window
            .iter()
            .take_while(|octet| octet.is_ascii_alphabetic())
            .count();
        let word = head(window, length);
        let follows = from(rest, length);
        match word {
            b"objdata" if objects < MAX_OBJECTS => {
                objects += 1;
                let window = head(follows, walk.room().saturating_mul(3));
                let (data, read) = hexadecimal(window);
                walk.charge(read / 3);
                ole::object_1(walk, item, &data);
            }
            b"objdata" => walk.report.truncated = true,
            b"objupdate" => walk.word("objupdate"),
            b"objautlink" | b"objlink" => walk.report.remote = true,
            b"template" | b"fldinst" if destinations < MAX_DESTINATIONS => {
                destinations += 1;
                walk.report.remote |= if word == b"template" {
                    is_elsewhere(follows)
                } else {
                    is_dde(follows)
                };
            }
            b"ddeauto" => walk.report.remote = true,
            _ => {}
        }
    }
}

/// Octets written in hexadecimal up to the end of the group; nested groups and control words are
/// skipped, and so is everything else. Answers the octets, and how much text was read.
fn hexadecimal(text: &[u8]) -> (Vec<u8>, usize) {
    let mut octets = Vec::new();
    let mut high: Option<u8> = None;
    let mut depth = 0_u32;
    let mut word = false;
    for (at, &octet) in text.iter().enumerate() {
        match octet {
            b'{' => depth = depth.saturating_add(1),
            b'}' if depth == 0 => return (octets, at),
            b'}' => depth -= 1,
            b'\\' => {
                word = true;
                continue;
            }
            _ if depth > 0 => {}
            _ if word && octet.is_ascii_alphanumeric() => continue,
            _ => {
                if let Some(digit) = char::from(octet).to_digit(16) {
                    let digit = u8::try_from(digit).unwrap_or(0);
                    if let Some(first) = high.take() {
                        octets.push(first << 4 | digit);
                    } else {
                        high = Some(digit);
                    }
                }
            }
        }
        word = false;
    }
    (octets, text.len())
}

/// Whether a template is loaded from another machine.
fn is_elsewhere(text: &[u8]) -> bool {
    let mut text = clamped(text, 0, MAX_TEXT).trim_ascii_start();
    while let Some(rest) = text.strip_prefix(b"{") {
        text = rest.trim_ascii_start();
    }
    [
        &b"http"[..],
        b"ftp:",
        b"\\\\\\\\",
        b"\\'",
        b"\\u",
        b"file:////",
    ]
    .iter()
    .any(|start| starts_ignoring_case(text, start))
}

/// Whether a field's instruction, groups and control words aside, is DDE.
fn is_dde(text: &[u8]) -> bool {
    let window = clamped(text, 0, MAX_TEXT);
    let mut plain = Vec::new();
    let mut word = false;
    for &octet in window {
        match octet {
            b'\\' => word = true,
            b'{' | b'}' | b'\r' | b'\n' => word = false,
            b' ' if word => word = false,
            _ if word => {}
            _ => plain.push(octet),
        }
    }
    ooxml::is_dde(plain.trim_ascii_start())
}
