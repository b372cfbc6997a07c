//! ECMA-119 (ISO 9660): the files of a disk image, by the primary and the Joliet directories.

use std::collections::BTreeSet;

use crate::bytes::{clamped, head, offset32, span, text};
use crate::walk::{Item, PEEK, Walk, Worth};

const SECTOR: usize = 2048;
/// Volume descriptors that are looked at.
const MAX_DESCRIPTORS: usize = 16;
/// Octets of a directory.
const MAX_DIRECTORY: usize = 1 << 20;

/// How a volume writes its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Primary,
    Joliet,
}

/// Tells of the files of an image. Joliet comes first: it is what Windows shows. Files that both
/// directories name are told once.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    let bytes = item.bytes.as_ref();
    let (mut joliet, mut primary) = (None, None);
    for sector in 16..16 + MAX_DESCRIPTORS {
        let descriptor = clamped(bytes, sector.saturating_mul(SECTOR), SECTOR);
        let root = descriptor.get(156..190);
        match (descriptor.first(), span(descriptor, 1, 5)) {
            (Some(1), Some(b"CD001")) => primary = root,
            (Some(2), Some(b"CD001")) if is_joliet(descriptor) => joliet = root,
            (Some(255), _) | (None, _) => break,
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    for (root, names) in [(joliet, Names::Joliet), (primary, Names::Primary)] {
        if let Some(extent) = root.and_then(extent) {
            directory(walk, item, (extent, names), &mut seen);
        }
    }
    walk.report.damaged |= joliet.is_none() && primary.is_none();
}

/// ECMA-119 §8.5.6: escape sequences of the supplementary descriptor; those of UCS-2 mean Joliet.
fn is_joliet(descriptor: &[u8]) -> bool {
    matches!(span(descriptor, 88, 3), Some(b"%/@" | b"%/C" | b"%/E"))
}

/// Where the octets of a record lie, and how many they are.
fn extent(record: &[u8]) -> Option<(usize, usize)> {
    let at = offset32(record, 2)?.checked_mul(SECTOR)?;
    Some((at, offset32(record, 10)?))
}

/// Walks through directories, without recursion and each extent once.
fn directory(
    walk: &mut Walk<'_>,
    item: &Item<'_>,
    (root, names): ((usize, usize), Names),
    seen: &mut BTreeSet<(usize, usize)>,
) {
    let mut pending = vec![root];
    while let Some((at, size)) = pending.pop() {
        if !seen.insert((at, size)) {
            continue;
        }
        let records = clamped(&item.bytes, at, size.min(MAX_DIRECTORY));
        walk.charge(records.len());
        if walk.room() == 0 {
            walk.report.truncated = true;
            return;
        }
        let mut offset = 0_usize;
        while let Some(&length) = records.get(offset) {
            if length == 0 {
                // Records do not cross sectors; the rest of this one is empty.
                offset = (offset / SECTOR).saturating_add(1).saturating_mul(SECTOR);
                continue;
            }
            let record = clamped(records, offset, usize::from(length));
            offset = offset.saturating_add(usize::from(length));
            let Some((place, folder)) = extent(record).zip(record.get(25)) else {
                walk.report.damaged = true;
                break;
            };
            let name = name_of(record, names);
            if name.is_empty() {
                continue;
            }
            if !walk.another() {
                return;
            }
            if folder & 2 != 0 {
                pending.push(place);
            } else if seen.insert(place) || place.1 == 0 {
                file(walk, item, &name, place);
            }
        }
    }
}

fn file(walk: &mut Walk<'_>, item: &Item<'_>, name: &str, (at, size): (usize, usize)) {
    let data = clamped(&item.bytes, at, size);
    walk.report.damaged |= data.len() < size;
    if walk.entry(name, head(data, PEEK), item.depth) == Worth::Look {
        let copied = walk.copy(data);
        walk.enqueue(name, copied, item.depth);
    }
}

/// ECMA-119 §9.1.11: the name without version; none for a directory's own and its parent's records.
fn name_of(record: &[u8], names: Names) -> String {
    let length = record.get(32).copied().map_or(0, usize::from);
    let name = clamped(record, 33, length);
    if matches!(name, [0] | [1]) {
        return String::new();
    }
    let decoded = match names {
        Names::Primary => text(name),
        Names::Joliet => char::decode_utf16(
            name.chunks_exact(2)
                .filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?))),
        )
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect(),
    };
    let bare = decoded
        .split_once(';')
        .map_or(decoded.as_str(), |(name, _)| name);
    bare.trim_end_matches('.').to_owned()
}
