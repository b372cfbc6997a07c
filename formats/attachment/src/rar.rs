//! RAR 4 and RAR 5: names and whether they are encrypted. Stored files are opened.

use crate::bytes::{clamped, from, head, le16, offset32, span, text, until_nul, wider};
use crate::walk::{Item, PEEK, Walk, Worth};

/// Tells of the files of a RAR archive.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>) {
    let bytes = item.bytes.as_ref();
    let whole = if bytes.get(6) == Some(&1) {
        fifth(walk, item, from(bytes, 8))
    } else {
        fourth(walk, item, from(bytes, 7))
    };
    walk.report.damaged |= whole.is_none();
}

/// A file of an archive.
struct File<'a> {
    name: String,
    encrypted: bool,
    /// Its octets, if they are stored as they are.
    stored: Option<&'a [u8]>,
}

fn note(walk: &mut Walk<'_>, file: &File<'_>, depth: u8) {
    walk.report.encrypted |= file.encrypted;
    let data = file.stored.filter(|_| !file.encrypted).unwrap_or_default();
    if walk.entry(&file.name, head(data, PEEK), depth) == Worth::Look {
        let copied = walk.copy(data);
        walk.enqueue(&file.name, copied, depth);
    }
}

/// RAR 4: blocks of `crc16 type flags16 size16`, then what the type demands.
fn fourth(walk: &mut Walk<'_>, item: &Item<'_>, mut rest: &[u8]) -> Option<()> {
    const MAIN: u8 = 0x73;
    const FILE: u8 = 0x74;
    const END: u8 = 0x7b;
    while !rest.is_empty() {
        if !walk.another() {
            return Some(());
        }
        let kind = *rest.get(2)?;
        let flags = le16(rest, 3)?;
        let size = usize::from(le16(rest, 5)?);
        let block = rest.get(..size)?;
        let mut follows = 0;
        match kind {
            MAIN if flags & 0x80 != 0 => {
                walk.report.encrypted = true;
                walk.report.unlisted = true;
                return Some(());
            }
            FILE => {
                follows = offset32(block, 7)?;
                if flags & 0x100 != 0 {
                    let high = offset32(block, 32)?;
                    follows = follows.saturating_add(high.checked_shl(32).unwrap_or(0));
                }
                let data = clamped(rest, size, follows);
                walk.report.damaged |= data.len() < follows;
                let stored = (block.get(25) == Some(&0x30)).then_some(data);
                if flags & 0xe0 != 0xe0 {
                    let name = fourth_name(block, flags)?;
                    let encrypted = flags & 4 != 0;
                    note(
                        walk,
                        &File {
                            name,
                            encrypted,
                            stored,
                        },
                        item.depth,
                    );
                }
            }
            END => return Some(()),
            _ if flags & 0x8000 != 0 => follows = offset32(block, 7)?,
            _ => {}
        }
        // A size of less than its own head would never end.
        rest = from(rest, size.max(7).saturating_add(follows));
    }
    Some(())
}

fn fourth_name(block: &[u8], flags: u16) -> Option<String> {
    let length = usize::from(le16(block, 26)?);
    let at = if flags & 0x100 != 0 { 40 } else { 32 };
    let name = span(block, at, length)?;
    Some(text(until_nul(name)))
}

/// A reader of RAR 5's numbers: seven bits an octet, the lowest first.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let (&octet, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.0.get(..length)?;
        self.0 = from(self.0, length);
        Some(taken)
    }
}

/// RAR 5: blocks of `crc32 size type flags [extra] [data]`, numbers of variable length.
fn fifth(walk: &mut Walk<'_>, item: &Item<'_>, mut rest: &[u8]) -> Option<()> {
    while !rest.is_empty() {
        if !walk.another() {
            return Some(());
        }
        let mut fields = Fields(rest.get(4..)?);
        let size = wider(fields.number()?);
        let after = fields.0;
        let mut block = Fields(after.get(..size)?);
        let kind = block.number()?;
        let flags = block.number()?;
        let extra = if flags & 1 != 0 {
            wider(block.number()?)
        } else {
            0
        };
        let follows = if flags & 2 != 0 {
            wider(block.number()?)
        } else {
            0
        };
        let data = clamped(after, size, follows);
        walk.report.damaged |= data.len() < follows;
        match kind {
            2 => {
                let file = fifth_file(&mut block, extra, data)?;
                if flags & 8 == 0 {
                    note(walk, &file, item.depth);
                }
            }
            4 => {
                walk.report.encrypted = true;
                walk.report.unlisted = true;
                return Some(());
            }
            5 => return Some(()),
            _ => {}
        }
        rest = from(after, size.saturating_add(follows));
    }
    Some(())
}

fn fifth_file<'a>(block: &mut Fields<'a>, extra: usize, data: &'a [u8]) -> Option<File<'a>> {
    let flags = block.number()?;
    let _unpacked_size = block.number()?;
    let _attributes = block.number()?;
    if flags & 2 != 0 {
        block.take(4)?;
    }
    if flags & 4 != 0 {
        block.take(4)?;
    }
    let method = (block.number()? >> 7) & 7;
    let _system = block.number()?;
    let length = wider(block.number()?);
    let name = text(block.take(length)?);
    let records = from(block.0, block.0.len().checked_sub(extra)?);
    Some(File {
        name,
        encrypted: has_encryption(records),
        stored: (method == 0 && flags & 1 == 0).then_some(data),
    })
}

/// Whether the extra records of a file hold the one that describes its encryption.
fn has_encryption(records: &[u8]) -> bool {
    let mut fields = Fields(records);
    while let Some(size) = fields.number() {
        let Some(record) = fields.take(wider(size)) else {
            return false;
        };
        if Fields(record).number() == Some(1) {
            return true;
        }
    }
    false
}
