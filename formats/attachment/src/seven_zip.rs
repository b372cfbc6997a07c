//! 7z: names, when the header at the end is not packed.

use crate::bytes::{contains, le16, le64, span, utf16, wider};
use crate::walk::Walk;

/// The property that holds the names of all files.
const NAMES: u8 = 0x11;
const HEADER: u8 = 0x01;
/// AES-256 with SHA-256 as a method.
const AES: &[u8] = b"\x06\xf1\x07\x01";

/// Tells of the files of a 7z archive.
pub(crate) fn open(walk: &mut Walk<'_>, bytes: &[u8]) {
    let header = le64(bytes, 12)
        .zip(le64(bytes, 20))
        .and_then(|(at, size)| span(bytes, wider(at.saturating_add(32)), wider(size)));
    let Some(header) = header else {
        walk.report.damaged = true;
        walk.report.unlisted = true;
        return;
    };
    walk.report.encrypted |= contains(header, AES);
    match header.first() {
        None => {}
        Some(&HEADER) => match names(header) {
            Some(names) => {
                for name in split(names) {
                    if !walk.another() {
                        return;
                    }
                    let _ = walk.entry(&name, &[], 0);
                }
            }
            None => walk.report.unlisted = true,
        },
        Some(_) => walk.report.unlisted = true,
    }
}

/// The names' octets: the property's number, its size, a zero for "not elsewhere", UTF-16 with a NUL
/// after each name. What stands before it in the header has no fixed length, so that every place is
/// tried at which such a property may begin.
fn names(header: &[u8]) -> Option<&[u8]> {
    memchr::memchr_iter(NAMES, header).find_map(|at| {
        let (size, start) = number(header, at.checked_add(1)?)?;
        let property = span(header, start, wider(size))?;
        let (&elsewhere, names) = property.split_first()?;
        let whole = names.len() >= 4 && names.len() % 2 == 0 && names.ends_with(&[0, 0]);
        // No name begins with a NUL or a control character.
        let begins = le16(names, 0).is_some_and(|unit| unit >= 32);
        (elsewhere == 0 && whole && begins).then_some(names)
    })
}

fn split(names: &[u8]) -> impl Iterator<Item = String> + '_ {
    let mut rest = names;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let units = rest
            .chunks_exact(2)
            .position(|unit| unit == [0, 0])
            .unwrap_or(rest.len() / 2);
        let name = utf16(crate::bytes::head(rest, units * 2));
        rest = crate::bytes::from(rest, units.saturating_mul(2).saturating_add(2));
        Some(name)
    })
}

/// A number: the leading ones of the first octet count the octets that follow, lowest first.
fn number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    let extra = usize::try_from(first.leading_ones()).ok()?;
    let after = at.checked_add(1)?;
    let low = span(bytes, after, extra)?
        .iter()
        .rev()
        .fold(0_u64, |sum, &octet| (sum << 8) | u64::from(octet));
    // The bits below the zero that ends the ones are the highest of the number.
    let mask = 0x7f_u8.checked_shr(u32::try_from(extra).ok()?).unwrap_or(0);
    let high = u64::from(first & mask)
        .checked_shl(u32::try_from(extra * 8).ok()?)
        .unwrap_or(0);
    Some((high | low, after.checked_add(extra)?))
}
