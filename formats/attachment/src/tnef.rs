//! \[MS-OXTNEF\]: the attachments of a `winmail.dat`.

use crate::bytes::{clamped, from, head, le32, offset32, span, text, until_nul, utf16};
use crate::walk::{Item, PEEK, Walk, Worth};

const ATTACH_TITLE: u32 = 0x0001_8010;
const ATTACH_DATA: u32 = 0x0006_800f;
const ATTACH_START: u32 = 0x0006_9002;
const ATTACH_PROPERTIES: u32 = 0x0006_9005;

/// PidTagAttachLongFilename as octets of a property: 8-bit and Unicode.
const LONG_NAME: &[u8] = b"\x1e\0\x07\x37";
const LONG_NAME_WIDE: &[u8] = b"\x1f\0\x07\x37";

/// An attachment as far as it was read.
#[derive(Default)]
struct Attachment<'a> {
    title: String,
    long_name: Option<String>,
    data: &'a [u8],
}

/// Tells of the attachments.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    let mut rest = from(&item.bytes, 6);
    let mut current: Option<Attachment<'_>> = None;
    while !rest.is_empty() {
        let Some((id, length)) = le32(rest, 1).zip(offset32(rest, 5)) else {
            walk.report.damaged = true;
            break;
        };
        if !walk.another() {
            return;
        }
        let data = clamped(rest, 9, length);
        walk.report.damaged |= data.len() < length;
        match (id, current.as_mut()) {
            (ATTACH_START, _) => {
                note(walk, item, current.take());
                current = Some(Attachment::default());
            }
            (ATTACH_TITLE, Some(attachment)) => attachment.title = text(until_nul(data)),
            (ATTACH_DATA, Some(attachment)) => attachment.data = data,
            (ATTACH_PROPERTIES, Some(attachment)) => attachment.long_name = long_name(data),
            _ => {}
        }
        // Level, number, length, data, checksum.
        rest = from(rest, length.saturating_add(11));
    }
    note(walk, item, current);
}

fn note(walk: &mut Walk<'_>, item: &Item<'_>, attachment: Option<Attachment<'_>>) {
    let Some(attachment) = attachment else {
        return;
    };
    let name = attachment.long_name.unwrap_or(attachment.title);
    if walk.entry(&name, head(attachment.data, PEEK), item.depth) == Worth::Look {
        let copied = walk.copy(attachment.data);
        walk.enqueue(&name, copied, item.depth);
    }
}

/// The long file name among the properties, found by its tag: count, length, text.
fn long_name(properties: &[u8]) -> Option<String> {
    let find = |tag: &[u8]| {
        let at = memchr::memmem::find(properties, tag)?;
        let length = offset32(properties, at.checked_add(8)?)?;
        span(properties, at.checked_add(12)?, length.min(2048))
    };
    let name = find(LONG_NAME_WIDE)
        .map(utf16)
        .or_else(|| find(LONG_NAME).map(|name| text(until_nul(name))))?;
    (!name.is_empty()).then_some(name)
}
