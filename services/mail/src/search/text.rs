//! Text of messages, and finding a text in it without regard to case.
//!
//! Both sides are folded character by character: upper case and back to lower, which is Unicode's
//! simple case folding for all but a few characters; then it is a search for octets. Texts are not
//! normalised: a letter with its accent in one character does not match the two-character form.

use std::borrow::Cow;
use std::cell::OnceCell;

use memchr::memmem::Finder;
use mime::{Envelope, EnvelopeAddress, Summary, decode, header};

use super::query::Field;

/// A text to look for.
#[derive(Debug)]
pub(super) struct Needle {
    finder: Finder<'static>,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        Self {
            finder: Finder::new(fold(text).as_bytes()).into_owned(),
        }
    }

    /// Whether `text`, not yet folded, contains it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.is_in_folded(&fold(text))
    }

    fn is_in_folded(&self, folded: &str) -> bool {
        self.finder.find(folded.as_bytes()).is_some()
    }
}

/// `text` without differences of case.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if upper {
            text.to_ascii_lowercase().into()
        } else {
            text.into()
        };
    }
    text.chars().map(fold_char).collect::<String>().into()
}

fn fold_char(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let upper = single(character.to_uppercase()).unwrap_or(character);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// The only item, if there is just one.
fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

/// The texts of one message, decoded and folded when first asked for.
pub(super) struct Text<'m> {
    raw: &'m [u8],
    summary: &'m Summary,
    header: OnceCell<String>,
    body: OnceCell<String>,
}

impl<'m> Text<'m> {
    pub(super) fn new(raw: &'m [u8], summary: &'m Summary) -> Self {
        Self {
            raw,
            summary,
            header: OnceCell::new(),
            body: OnceCell::new(),
        }
    }

    /// RFC 9051 §6.4.4 BODY: in the text of the body.
    pub(super) fn body_contains(&self, needle: &Needle) -> bool {
        let body = self
            .body
            .get_or_init(|| owned_fold(decode::body_text(self.raw, &self.summary.structure)));
        needle.is_in_folded(body)
    }

    /// RFC 9051 §6.4.4 TEXT: in the header or the text of the body.
    pub(super) fn contains(&self, needle: &Needle) -> bool {
        let header = self
            .header
            .get_or_init(|| owned_fold(header_text(self.raw)));
        needle.is_in_folded(header) || self.body_contains(needle)
    }

    /// RFC 9051 §6.4.4 HEADER: in a field with this name; the empty text is in every field.
    pub(super) fn field_contains(&self, name: &str, needle: &Needle) -> bool {
        header::fields(self.raw)
            .filter(|field| field.is(name))
            .any(|field| needle.is_in(&decode::header_text(field.value)))
    }
}

fn owned_fold(mut text: String) -> String {
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    fold(&text).into_owned()
}

/// The header's fields, decoded, one a line.
fn header_text(raw: &[u8]) -> String {
    let mut text = String::new();
    for field in header::fields(raw).take_while(|field| field.range.start < header::MAX_HEADER) {
        text.push_str(&String::from_utf8_lossy(field.name));
        text.push_str(": ");
        push_value(&mut text, field.value);
        text.push('\n');
    }
    text
}

/// Adds a field's value, decoded. Most need no decoding and are not copied for it.
fn push_value(text: &mut String, value: &[u8]) {
    let unfolded = header::unfold(value);
    match std::str::from_utf8(&unfolded) {
        Ok(plain) if plain.is_ascii() && !plain.contains("=?") => text.push_str(plain.trim()),
        _ => text.push_str(&decode::header_text(value)),
    }
}

/// The decoded text of a field the envelope has; `None` when the message lacks it.
pub(super) fn envelope_text(envelope: &Envelope, field: &Field) -> Option<String> {
    let addresses = match field {
        Field::From => &envelope.from,
        Field::To => &envelope.to,
        Field::Cc => &envelope.cc,
        Field::Bcc => &envelope.bcc,
        Field::Subject => return envelope.subject.as_deref().map(decode::header_text),
        Field::Named(_) => return None,
    };
    (!addresses.is_empty()).then(|| addresses.iter().map(address_text).collect())
}

/// `Name <mailbox@host>, `, the name decoded.
fn address_text(address: &EnvelopeAddress) -> String {
    let lossy = |part: &Option<Vec<u8>>| {
        part.as_deref()
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .unwrap_or_default()
    };
    let (mailbox, host) = (lossy(&address.mailbox), lossy(&address.host));
    match (&address.name, host.is_empty()) {
        (Some(name), _) => format!("{} <{mailbox}@{host}>, ", decode::header_text(name)),
        (None, false) => format!("{mailbox}@{host}, "),
        (None, true) => format!("{mailbox}, "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        for (needle, haystack, found) in [
            ("hello", "Say HELLO!", true),
            ("HELLO", "say hello", true),
            ("straße", "Die STRAßE", true),
            ("ÄRGER", "großer ärger", true),
            ("ΣΊΣΥΦΟΣ", "σίσυφος", true),
            ("\u{212A}elvin", "kelvin", true),
            ("ſs", "SS", true),
            ("москва", "МОСКВА", true),
            ("", "", true),
            ("x", "", false),
            ("hello", "helo", false),
            ("ä", "a\u{308}", false),
        ] {
            assert_eq!(
                Needle::new(needle).is_in(haystack),
                found,
                "{needle:?} in {haystack:?}"
            );
        }
    }

    #[test]
    fn folding_twice_is_folding_once() {
        let all: String = ('\0'..=char::MAX).collect();
        let once = fold(&all).into_owned();
        assert_eq!(fold(&once), once);
    }

    #[test]
    fn texts_of_a_message() {
        let raw = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Note: Marked\r\n\
            From: \"Ann\" <ann@example.org>, bob@example.net\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\
            Content-Type: text/plain; charset=iso-8859-1\r\n\r\nSch=F6ne K=\r\nisse\r\n";
        let summary = Summary::parse(raw);
        let text = Text::new(raw, &summary);
        for (needle, in_body, anywhere) in [
            ("grüße", false, true),
            ("SCHÖNE KISSE", true, true),
            ("x-note: marked", false, true),
            ("absent", false, false),
        ] {
            let needle = Needle::new(needle);
            assert_eq!(text.body_contains(&needle), in_body, "{needle:?}");
            assert_eq!(text.contains(&needle), anywhere, "{needle:?}");
        }
        assert!(text.field_contains("x-note", &Needle::new("")));
        assert!(!text.field_contains("x-other", &Needle::new("")));
        let from = envelope_text(&summary.envelope, &Field::From).unwrap();
        assert_eq!(from, "Ann <ann@example.org>, bob@example.net, ");
        assert_eq!(envelope_text(&summary.envelope, &Field::Cc), None);
    }
}
