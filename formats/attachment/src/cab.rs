//! \[MS-CAB\] 2.4: the names in a cabinet.

use crate::bytes::{from, head, le16, offset32, text, until_nul};
use crate::walk::Walk;

/// Octets of a file's entry before its name.
const ENTRY: usize = 16;

/// Tells of the files of a cabinet.
pub(crate) fn open(walk: &mut Walk<'_>, bytes: &[u8]) {
    let Some((mut at, files)) = offset32(bytes, 16).zip(le16(bytes, 28)) else {
        walk.report.damaged = true;
        return;
    };
    for _ in 0..files {
        if !walk.another() {
            return;
        }
        let name = until_nul(head(from(bytes, at.saturating_add(ENTRY)), 1024));
        if name.is_empty() {
            walk.report.damaged = true;
            return;
        }
        let _ = walk.entry(&text(name), &[], 0);
        at = at.saturating_add(ENTRY + 1).saturating_add(name.len());
    }
}
