//! Text for people and for search: transfer encodings and character sets undone.
//!
//! Lossy by nature and never failing: what cannot be decoded comes through as well as it can. The
//! result of decoding a header is one line without control characters, so that it can be put into a
//! log or a protocol line. Output is bounded by the input, texts by [`MAX_TEXT`].
//!
//! Character sets and the text of HTML come from the crate `mail-parser`.
//!
//! RFC 2045 §6 (transfer encodings), RFC 2046 §4.1.2 (charset), RFC 2047, RFC 2231.

mod charset;
mod param;
mod transfer;
mod words;

use std::borrow::Cow;

use mail_parser::decoders::html::html_to_text;

pub use charset::charset;
pub use param::param;
pub use words::header_text;

use crate::header;
use crate::structure::{Part, Structure};

/// Octets of text that are decoded of one message; the rest is not seen by search.
pub const MAX_TEXT: usize = 16 * 1024 * 1024;

/// The content of a part with its transfer encoding undone.
///
/// `raw` is the message the part's structure was made from. An unknown encoding and `7bit`, `8bit`
/// and `binary` are handed through. Containers have no encoding of their own (RFC 2045 §6.4).
#[must_use]
pub fn part_bytes<'a>(raw: &'a [u8], part: &Part) -> Cow<'a, [u8]> {
    let body = part.body_of(raw);
    if part.kind != crate::Kind::Leaf {
        return Cow::Borrowed(body);
    }
    transfer::decode(body, &part.encoding)
}

/// The first field called `name` of a message, as [`header_text`] decodes it.
#[must_use]
pub fn header(raw: &[u8], name: &str) -> Option<String> {
    header::find(raw, name).map(|field| header_text(field.value))
}

/// The text of a part in UTF-8, HTML markup left in; at most [`MAX_TEXT`] octets of the body count.
#[must_use]
pub fn part_text(raw: &[u8], part: &Part) -> String {
    text_of(raw, part, MAX_TEXT)
}

/// The text of all `text` parts in UTF-8, HTML reduced to its text, a line feed behind each.
#[must_use]
pub fn body_text(raw: &[u8], structure: &Structure) -> String {
    let mut out = String::new();
    for part in structure
        .leaves()
        .filter(|part| part.content_type.media == b"text")
    {
        let Some(left) = MAX_TEXT.checked_sub(out.len()).filter(|&left| left > 0) else {
            break;
        };
        let text = text_of(raw, part, left);
        if part.content_type.subtype == b"html" {
            out.push_str(&html_to_text(&text));
        } else {
            out.push_str(&text);
        }
        out.push('\n');
    }
    out
}

/// Everything in a message that search looks at: header fields decoded, one a line, an empty line,
/// and [`body_text`].
#[must_use]
pub fn text(raw: &[u8]) -> String {
    let mut out = String::new();
    for field in header::fields(raw).take_while(|field| field.range.start < header::MAX_HEADER) {
        out.push_str(&String::from_utf8_lossy(field.name));
        out.push_str(": ");
        out.push_str(&header_text(field.value));
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&body_text(raw, &Structure::parse(raw)));
    out
}

/// The name under which a part is to be saved, if it says so.
///
/// RFC 2183 §2.3 `filename`, or the older `name` of the content type. A hint from a stranger: it may
/// hold any character but controls, path separators included.
#[must_use]
pub fn filename(part: &Part) -> Option<String> {
    let of_disposition = part
        .disposition
        .as_ref()
        .and_then(|(_, p)| param(p, "filename"));
    of_disposition.or_else(|| param(&part.content_type.params, "name"))
}

/// Decodes at most `limit` octets of a part's body.
fn text_of(raw: &[u8], part: &Part, limit: usize) -> String {
    let body = part.body_of(raw);
    let body = body.get(..limit).unwrap_or(body);
    let bytes = transfer::decode(body, &part.encoding);
    charset(
        part.content_type.param("charset").unwrap_or_default(),
        &bytes,
    )
    .into_owned()
}

/// One line without control characters: they become spaces.
fn one_line(text: Cow<'_, str>) -> String {
    if text.contains(char::is_control) {
        return text.replace(char::is_control, " ");
    }
    text.into_owned()
}
