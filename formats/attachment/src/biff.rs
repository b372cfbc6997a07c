//! \[MS-XLS\]: records of the Workbook stream: Excel 4 macro sheets, encryption, DDE links.

use crate::bytes::{from, le16, span};
use crate::walk::Walk;

const BOF: u16 = 0x0809;
const BOF_4: u16 = 0x0409;
const FILE_PASS: u16 = 0x002f;
const BOUND_SHEET: u16 = 0x0085;
const LABEL: u16 = 0x0018;
const SUP_BOOK: u16 = 0x01ae;
/// The type of a macro sheet in a BOF record.
const MACRO_SHEET: u16 = 0x0040;

/// Reads a Workbook or Book stream.
pub(crate) fn open(walk: &mut Walk<'_>, stream: &[u8]) {
    let mut rest = stream;
    let (mut sheet, mut automatic) = (false, false);
    let mut version = 0;
    while let Some((kind, length)) = le16(rest, 0).zip(le16(rest, 2)) {
        let length = usize::from(length);
        let Some(data) = span(rest, 4, length) else {
            break;
        };
        match kind {
            BOF | BOF_4 => {
                version = le16(data, 0).unwrap_or(0);
                sheet |= le16(data, 2) == Some(MACRO_SHEET);
            }
            FILE_PASS => walk.report.encrypted = true,
            BOUND_SHEET => sheet |= data.get(5) == Some(&1),
            LABEL => automatic |= is_automatic(data, version),
            // §2.4.271: the path of a DDE or OLE link has this octet between program and topic.
            SUP_BOOK => walk.report.remote |= is_link(data),
            _ => {}
        }
        rest = from(rest, length.saturating_add(4));
    }
    walk.report.macros |= sheet;
    walk.report.auto_macro |= sheet && automatic;
    if sheet {
        walk.word("Excel 4 macro sheet");
    }
}

/// §2.4.150: a defined name that is the built-in Auto_Open (1) or Auto_Close (2), or spelt out.
fn is_automatic(data: &[u8], version: u16) -> bool {
    let Some(flags) = le16(data, 0) else {
        return false;
    };
    // BIFF8 has an octet of flags before the characters, BIFF5 has not.
    if flags & 0x20 != 0 {
        let at = if version == 0x0600 { 15 } else { 14 };
        return matches!(data.get(at), Some(1 | 2));
    }
    let name: Vec<u8> = crate::bytes::clamped(data, 14, 48)
        .iter()
        .filter(|&&octet| octet != 0)
        .map(u8::to_ascii_lowercase)
        .collect();
    crate::bytes::contains(&name, b"auto_open") || crate::bytes::contains(&name, b"auto_close")
}

/// Whether a reference to another book is a link to another program's data: program, 3, topic.
fn is_link(data: &[u8]) -> bool {
    let length = le16(data, 2).unwrap_or(0);
    // 0x0401 and 0x3a01 in its place mean this book and add-ins.
    if matches!(length, 0x0401 | 0x3a01) {
        return false;
    }
    let path = crate::bytes::clamped(data, 5, usize::from(length).saturating_mul(2));
    let program: Vec<u8> = path.iter().copied().filter(|&octet| octet != 0).collect();
    // Paths of books are encoded with octets below 9 behind a leading 1.
    program.first().is_some_and(|&first| first > 32) && memchr::memchr(3, &program).is_some()
}
