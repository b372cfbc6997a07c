//! tar: blocks of 512 octets, a header before each file.

use crate::bytes::{clamped, count, from, head, text, until_nul, wider};
use crate::walk::{Item, PEEK, Walk, Worth};

const BLOCK: usize = 512;

/// A number in octal digits, or in base 256 when the first bit is set.
pub(crate) fn octal(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        return field.iter().skip(1).try_fold(0_u64, |sum, &octet| {
            sum.checked_mul(256)?.checked_add(octet.into())
        });
    }
    let mut digits = field
        .iter()
        .skip_while(|&&octet| octet == b' ')
        .take_while(|octet| (b'0'..=b'7').contains(octet))
        .peekable();
    digits.peek()?;
    digits.try_fold(0_u64, |sum, &octet| {
        sum.checked_mul(8)?
            .checked_add(u64::from(octet.saturating_sub(b'0')))
    })
}

/// Tells of the files of a tar archive.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    let bytes = item.bytes.as_ref();
    let mut at = 0_usize;
    let mut long_name: Option<String> = None;
    while let Some(header) = crate::bytes::span(bytes, at, BLOCK) {
        if header.iter().all(|&octet| octet == 0) {
            return;
        }
        let size = octal(header.get(124..136).unwrap_or_default());
        let (true, Some(size)) = (crate::magic::is_tar(header), size) else {
            walk.report.damaged = true;
            return;
        };
        if !walk.another() {
            return;
        }
        let start = at.saturating_add(BLOCK);
        let data = clamped(bytes, start, wider(size));
        walk.report.damaged |= count(data.len()) < size;
        match header.get(156) {
            Some(b'L') => long_name = Some(text(until_nul(head(data, 4096)))),
            Some(b'x') => long_name = pax_path(head(data, 64 << 10)).or(long_name),
            Some(b'g' | b'K' | b'5') => long_name = None,
            _ => {
                let name = long_name.take().unwrap_or_else(|| name_of(header));
                if walk.entry(&name, head(data, PEEK), item.depth) == Worth::Look {
                    let copied = walk.copy(data);
                    walk.enqueue(&name, copied, item.depth);
                }
            }
        }
        at = start.saturating_add(wider(size.div_ceil(512).saturating_mul(512)));
    }
    walk.report.damaged |= !from(bytes, at).is_empty();
}

fn name_of(header: &[u8]) -> String {
    let name = text(until_nul(header.get(..100).unwrap_or_default()));
    let prefix = until_nul(header.get(345..500).unwrap_or_default());
    let posix = header.get(257..263) == Some(b"ustar\0");
    if posix && !prefix.is_empty() {
        return format!("{}/{name}", text(prefix));
    }
    name
}

/// POSIX.1-2008 pax: records `LENGTH KEY=VALUE\n`.
fn pax_path(mut records: &[u8]) -> Option<String> {
    while let Some(blank) = memchr::memchr(b' ', records) {
        let length: usize = std::str::from_utf8(head(records, blank))
            .ok()?
            .parse()
            .ok()?;
        let record = records.get(blank.checked_add(1)?..length)?;
        if let Some(value) = record.strip_prefix(b"path=") {
            return Some(text(value.strip_suffix(b"\n").unwrap_or(value)));
        }
        records = records.get(length..)?;
    }
    None
}
