//! \[MS-ONESTORE\] 2.6.13: files embedded in a OneNote section.

use memchr::memmem;

use crate::bytes::{clamped, head, le64, wider};
use crate::walk::{Item, PEEK, Walk, Worth};

/// The mark before an embedded file.
const FILE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
/// Octets from the mark to the file.
const PREFIX: usize = 36;

/// Tells of the embedded files by what they are; their names lie elsewhere and are not read.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    for at in memmem::find_iter(&item.bytes, FILE) {
        if !walk.another() {
            return;
        }
        let Some(length) = le64(&item.bytes, at.saturating_add(FILE.len())) else {
            walk.report.damaged = true;
            return;
        };
        let data = clamped(&item.bytes, at.saturating_add(PREFIX), wider(length));
        // Pictures on the page are embedded files too.
        let start = head(data, PEEK);
        if crate::magic::identify(start).class.is_media() {
            continue;
        }
        if walk.embedded("", start, item.depth) == Worth::Look {
            let copied = walk.copy(data);
            walk.enqueue("", copied, item.depth);
        }
    }
}
