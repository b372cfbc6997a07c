//! Numbers and spans of untrusted octets: everything is checked, nothing panics.

use memchr::memmem;

/// The little-endian number of 16 bits at an offset.
pub(crate) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// The little-endian number of 32 bits at an offset.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// The little-endian number of 64 bits at an offset.
pub(crate) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// The little-endian number of 32 bits at an offset, as a length or offset of this machine.
pub(crate) fn offset32(bytes: &[u8], at: usize) -> Option<usize> {
    le32(bytes, at).map(wide)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A 32-bit number as an offset; on a machine where it does not fit it lies behind everything.
pub(crate) fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A 64-bit number as an offset; what does not fit lies behind everything.
pub(crate) fn wider(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A count as a 64-bit number.
pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The octets of a span, or none when it does not lie within.
pub(crate) fn span(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// The octets of a span as far as they are there.
pub(crate) fn clamped(bytes: &[u8], at: usize, length: usize) -> &[u8] {
    let end = at.saturating_add(length).min(bytes.len());
    bytes.get(at..end).unwrap_or_default()
}

/// The octets from an offset on.
pub(crate) fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// At most so many octets from the beginning.
pub(crate) fn head(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// Whether the octets contain a needle.
pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    memmem::find(bytes, needle).is_some()
}

/// Whether the octets start with the needle, ASCII case aside.
pub(crate) fn starts_ignoring_case(bytes: &[u8], needle: &[u8]) -> bool {
    bytes
        .get(..needle.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(needle))
}

/// Whether the text ends with the needle, ASCII case aside.
pub(crate) fn ends_ignoring_case(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    text.len()
        .checked_sub(needle.len())
        .and_then(|start| text.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(needle))
}

/// Octets up to the first NUL.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    head(bytes, end)
}

/// Little-endian UTF-16 as text, up to the first NUL.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| le16(pair, 0))
        .take_while(|&unit| unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Octets as text: UTF-8 if they are, Latin-1 else.
pub(crate) fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(
        |_| bytes.iter().map(|&octet| char::from(octet)).collect(),
        str::to_owned,
    )
}
