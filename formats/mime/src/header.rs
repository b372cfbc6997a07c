//! Header fields as they stand in the message: names, raw values, exact ranges.
//!
//! Nothing is decoded here (see [`crate::decode`]); values keep their folding until [`unfold`].
//! Lines that are no field (no colon, a space in the name, an mbox `From ` line) are passed over,
//! they do not end the header: only an empty line does.
//!
//! RFC 5322 §2.2, §3.6.8, §4.5 (obsolete white space before the colon), RFC 6532 (UTF-8 values).

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr3};

/// Octets of one header that are interpreted; fields that start later are located but not read.
pub const MAX_HEADER: usize = 1024 * 1024;

/// Octets of one unstructured value that are kept.
pub const MAX_VALUE: usize = 64 * 1024;

/// One header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// Printable ASCII without a colon or space, never empty, in the message's own case.
    pub name: &'a [u8],
    /// Everything after the colon: folding included, the final line break not.
    pub value: &'a [u8],
    /// Octets of the whole field in the input, its final line break included.
    pub range: Range<usize>,
}

impl Field<'_> {
    /// Whether this is the field `name`, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of a header in order; ends at the empty line or at the end of the input.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    raw: &'a [u8],
    pos: usize,
}

/// The header fields of the message or part that starts `raw`.
#[must_use]
pub const fn fields(raw: &[u8]) -> Fields<'_> {
    Fields { raw, pos: 0 }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let start = self.pos;
            let line = logical_line(self.raw, start)?;
            self.pos = start + line.len();
            if let Some((name, value)) = split(line) {
                return Some(Field {
                    name,
                    value,
                    range: start..self.pos,
                });
            }
        }
    }
}

/// The first field called `name`.
#[must_use]
pub fn find<'a>(raw: &'a [u8], name: &str) -> Option<Field<'a>> {
    fields(raw).find(|field| field.is(name))
}

/// Offset of the body: just after the empty line that ends the header, or the end of the input.
///
/// RFC 5322 §2.1: the body follows the header and is separated from it by an empty line.
#[must_use]
pub fn header_end(raw: &[u8]) -> usize {
    let mut pos = 0;
    while pos < raw.len() {
        let end = line_end(raw, pos);
        if is_blank(raw.get(pos..end).unwrap_or_default()) {
            return end;
        }
        pos = end;
    }
    raw.len()
}

/// A value on one line: line breaks and NUL octets removed, surrounding white space trimmed.
///
/// RFC 5322 §2.2.3: unfolding removes a CRLF that is followed by white space. NUL cannot stand in
/// any protocol that reads values (RFC 9051 §4.3), nor can a stray CR.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr3(b'\r', b'\n', 0, value).is_none() {
        return Cow::Borrowed(value);
    }
    let kept: Vec<u8> = value
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n' | 0))
        .collect();
    match kept.trim_ascii().len() == kept.len() {
        true => Cow::Owned(kept),
        false => Cow::Owned(kept.trim_ascii().to_vec()),
    }
}

/// The message identifiers of a `Message-ID`, `References` or `In-Reply-To` value, without their
/// angle brackets, in order.
///
/// RFC 5322 §3.6.4 `msg-id = "<" id-left "@" id-right ">"`; anything else between them is skipped.
pub fn message_ids(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split_inclusive(|&b| b == b'>').filter_map(|piece| {
        let piece = piece.strip_suffix(b">")?;
        let open = memchr::memrchr(b'<', piece)?;
        let id = piece.get(open + 1..)?.trim_ascii();
        (!id.is_empty() && !id.iter().any(|b| b.is_ascii_whitespace() || *b == 0)).then_some(id)
    })
}

/// End of the physical line that starts at `from`, its line feed included.
pub(crate) fn line_end(raw: &[u8], from: usize) -> usize {
    let rest = raw.get(from..).unwrap_or_default();
    memchr(b'\n', rest).map_or(raw.len(), |i| from + i + 1)
}

/// Whether a line, its line break included, is the empty line that ends a header.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// The line at `from` with its continuation lines; `None` at the empty line or the end.
pub(crate) fn logical_line(raw: &[u8], from: usize) -> Option<&[u8]> {
    let mut end = line_end(raw, from);
    if from >= end || is_blank(raw.get(from..end)?) {
        return None;
    }
    while matches!(raw.get(end), Some(b' ' | b'\t')) {
        end = line_end(raw, end);
    }
    raw.get(from..end)
}

/// Name and value of a logical line; `None` when it is not a field.
///
/// RFC 5322 §2.2: `field = 1*ftext ":" unstructured CRLF`; §4.5 allows white space before the colon.
pub(crate) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let value = line.get(colon + 1..)?;
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    Some((name, value.strip_suffix(b"\r").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_folding_and_ranges() {
        let raw = b"From u@h Thu Jan 1 00:00:00 1970\nSubject : a\r\n b\r\nX:\nno colon\nTo: c\r\n\r\nY: z\r\n";
        let got: Vec<_> = fields(raw)
            .map(|f| (f.name, f.value, &raw[f.range]))
            .collect();
        let want: Vec<(&[u8], &[u8], &[u8])> = vec![
            (b"Subject", b" a\r\n b", b"Subject : a\r\n b\r\n"),
            (b"X", b"", b"X:\n"),
            (b"To", b" c", b"To: c\r\n"),
        ];
        assert_eq!(got, want);
        assert_eq!(&raw[header_end(raw)..], b"Y: z\r\n");
    }

    #[test]
    fn header_ends() {
        for (raw, end) in [
            (&b""[..], 0),
            (b"\r\nbody", 2),
            (b"\nbody", 1),
            (b"A: b", 4),
            (b"A: b\r\n", 6),
            (b"A: b\r\n\r\n", 8),
            (b"A: b\n\nbody", 6),
            (b"A: b\r\n \r\n\r\nbody", 11),
        ] {
            assert_eq!(header_end(raw), end, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn unfolds() {
        for (value, want) in [
            (&b" plain "[..], &b"plain"[..]),
            (b" a\r\n\tb\n c", b"a\tb c"),
            (b"a\0b\rc", b"abc"),
            (b" \r\n ", b""),
            (b"\0 a \0", b"a"),
        ] {
            assert_eq!(&*unfold(value), want, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn finds_message_ids() {
        let got: Vec<_> = message_ids(b"<a@b> junk <c@d>\r\n <<e@f> <> < g h > <i@j").collect();
        assert_eq!(got, [&b"a@b"[..], b"c@d", b"e@f"]);
    }
}
