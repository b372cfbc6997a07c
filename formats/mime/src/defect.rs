//! What is wrong with a message: signals for the filter and for policy at the door.

use std::collections::BTreeSet;

use memchr::memchr;

use crate::header::{self, MAX_HEADER};
use crate::split::Splitter;
use crate::{address, addressable, date};

/// Octets of one header field beyond which it is a defect.
const MAX_FIELD: usize = 64 * 1024;

/// RFC 5322 §2.1.1: octets of a line without its line break.
const MAX_LINE: usize = 998;

/// One way in which a message breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Defect {
    /// No `Date` (RFC 5322 §3.6 demands it).
    MissingDate,
    /// A `Date` that cannot be read.
    InvalidDate,
    /// No `From` (RFC 5322 §3.6 demands it).
    MissingFrom,
    /// More than one `From` field, a way to show people another author than was checked.
    MultipleFrom,
    /// A `From` without a complete address.
    InvalidFrom,
    /// More than one author in `From`.
    MultipleAuthors,
    /// No `Message-ID`.
    MissingMessageId,
    /// Another field repeated that may occur once (RFC 5322 §3.6).
    DuplicateField,
    /// A header line that is no field.
    MalformedField,
    /// A header that does not end with an empty line.
    UnterminatedHeader,
    /// A NUL octet anywhere.
    NulByte,
    /// A CR or LF that is not part of a CRLF.
    BareLineBreak,
    /// Octets above ASCII in the header that are not UTF-8.
    EightBitHeader,
    /// A field over [`MAX_FIELD`] octets, or a header over [`header::MAX_HEADER`].
    HeaderTooLong,
    /// A line over 998 octets.
    LineTooLong,
    /// Containers beyond [`crate::structure::MAX_DEPTH`].
    TooDeep,
    /// Parts beyond [`crate::structure::MAX_PARTS`].
    TooManyParts,
    /// A multipart that its closing delimiter does not end.
    UnterminatedMultipart,
    /// A multipart without a usable boundary, or one that never appears.
    MissingBoundary,
    /// A `Content-Type` that cannot be read.
    InvalidContentType,
}

/// The defects of a message, each once, in the order of [`Defect`].
#[must_use]
pub fn malformed(raw: &[u8]) -> Vec<Defect> {
    let raw = addressable(raw);
    let mut found = BTreeSet::new();
    header_defects(raw, &mut found);
    octet_defects(raw, &mut found);
    let anomalies = Splitter::new(raw).run().anomalies;
    found.extend(
        [
            (anomalies.too_deep, Defect::TooDeep),
            (anomalies.too_many_parts, Defect::TooManyParts),
            (anomalies.unterminated, Defect::UnterminatedMultipart),
            (anomalies.missing_boundary, Defect::MissingBoundary),
            (anomalies.bad_content_type, Defect::InvalidContentType),
        ]
        .into_iter()
        .filter_map(|(met, defect)| met.then_some(defect)),
    );
    found.into_iter().collect()
}

/// RFC 5322 §3.6: fields that occur at most once, beside Date, From and Message-ID.
const ONCE: [&str; 8] = [
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "in-reply-to",
    "references",
    "subject",
];

fn header_defects(raw: &[u8], found: &mut BTreeSet<Defect>) {
    let end = header::header_end(raw);
    let header = raw.get(..end).unwrap_or_default();
    if !ends_with_empty_line(header) {
        found.insert(Defect::UnterminatedHeader);
    }
    if std::str::from_utf8(header).is_err() {
        found.insert(Defect::EightBitHeader);
    }
    if end > MAX_HEADER {
        found.insert(Defect::HeaderTooLong);
    }
    let (mut from, mut dates, mut ids) = (0_usize, 0_usize, 0_usize);
    let mut seen = [0_usize; ONCE.len()];
    let mut fields_end = 0;
    // Beyond the limit nothing is interpreted, here as in the structure.
    let header = header.get(..MAX_HEADER).unwrap_or(header);
    for field in header::fields(header) {
        if field.range.start != fields_end {
            found.insert(Defect::MalformedField);
        }
        fields_end = field.range.end;
        if field.range.len() > MAX_FIELD {
            found.insert(Defect::HeaderTooLong);
        }
        if field.is("from") {
            from += 1;
            author_defects(field.value, found);
        } else if field.is("date") {
            dates += 1;
            if date::parse(&header::unfold(field.value)).is_none() {
                found.insert(Defect::InvalidDate);
            }
        } else if field.is("message-id") {
            ids += 1;
        } else if let Some((_, n)) = ONCE.iter().zip(&mut seen).find(|(name, _)| field.is(name)) {
            *n += 1;
        }
    }
    if fields_end + 2 < header.len() {
        found.insert(Defect::MalformedField);
    }
    let count = [
        (from == 0, Defect::MissingFrom),
        (from > 1, Defect::MultipleFrom),
        (dates == 0, Defect::MissingDate),
        (ids == 0, Defect::MissingMessageId),
        (
            dates > 1 || ids > 1 || seen.iter().any(|&n| n > 1),
            Defect::DuplicateField,
        ),
    ];
    found.extend(
        count
            .into_iter()
            .filter_map(|(met, defect)| met.then_some(defect)),
    );
}

fn ends_with_empty_line(header: &[u8]) -> bool {
    let before = header
        .strip_suffix(b"\r\n")
        .or_else(|| header.strip_suffix(b"\n"));
    before.is_some_and(|before| before.is_empty() || before.ends_with(b"\n"))
}

fn author_defects(value: &[u8], found: &mut BTreeSet<Defect>) {
    let authors = address::parse(value);
    let mut authors = authors.iter().filter(|author| author.host.is_some());
    let complete = |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|text| !text.is_empty());
    match authors.next() {
        Some(first) if complete(&first.mailbox) && complete(&first.host) => {}
        _ => {
            found.insert(Defect::InvalidFrom);
        }
    }
    if authors.next().is_some() {
        found.insert(Defect::MultipleAuthors);
    }
}

fn octet_defects(raw: &[u8], found: &mut BTreeSet<Defect>) {
    if memchr(0, raw).is_some() {
        found.insert(Defect::NulByte);
    }
    let mut start = 0;
    while start < raw.len() {
        let end = header::line_end(raw, start);
        let line = raw.get(start..end).unwrap_or_default();
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        if text.ends_with(b"\n") || memchr(b'\r', text).is_some() {
            found.insert(Defect::BareLineBreak);
        }
        if text.len() > MAX_LINE {
            found.insert(Defect::LineTooLong);
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: a@b.example\r\nMessage-ID: <1@b>\r\n";

    #[test]
    fn each_defect_is_told() {
        use Defect::*;
        let long = format!("{GOOD}\r\n{}\r\n", "x".repeat(999));
        let huge = format!("{GOOD}X: {}\r\n\r\n", "x\r\n ".repeat(MAX_FIELD));
        for (raw, want) in [
            (format!("{GOOD}\r\nbody\r\n"), vec![]),
            (GOOD.into(), vec![UnterminatedHeader]),
            (
                String::new(),
                vec![
                    MissingDate,
                    MissingFrom,
                    MissingMessageId,
                    UnterminatedHeader,
                ],
            ),
            (format!("{GOOD}From: c@d\r\n\r\n"), vec![MultipleFrom]),
            (
                format!("{GOOD}To: c@d\r\nTo: c@d\r\n\r\n"),
                vec![DuplicateField],
            ),
            (format!("junk\r\n{GOOD}\r\n"), vec![MalformedField]),
            (format!("{GOOD}junk\r\n\r\n"), vec![MalformedField]),
            (format!("{GOOD}\r\na\0\r\n"), vec![NulByte]),
            (format!("{GOOD}\r\na\nb\r\n"), vec![BareLineBreak]),
            (format!("{GOOD}\r\na\rb\r\n"), vec![BareLineBreak]),
            (long, vec![LineTooLong]),
            (huge, vec![HeaderTooLong]),
            (
                GOOD.replace("a@b.example", "a@b, c@d") + "\r\n",
                vec![MultipleAuthors],
            ),
            (
                GOOD.replace("a@b.example", "nobody") + "\r\n",
                vec![InvalidFrom],
            ),
            (
                GOOD.replace("1970", "next year") + "\r\n",
                vec![InvalidDate],
            ),
            (
                format!("{GOOD}Content-Type: nonsense\r\n\r\n"),
                vec![InvalidContentType],
            ),
            (
                format!("{GOOD}Content-Type: multipart/mixed\r\n\r\n"),
                vec![MissingBoundary],
            ),
            (
                format!("{GOOD}Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n"),
                vec![UnterminatedMultipart],
            ),
        ] {
            assert_eq!(malformed(raw.as_bytes()), want, "{:.200}", raw);
        }
        let latin1 = [GOOD.as_bytes(), b"Subject: \xE9\r\n\r\n"].concat();
        assert_eq!(malformed(&latin1), [EightBitHeader]);
    }
}
