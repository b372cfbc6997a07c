//! From an IMAP section, as in `BODY[2.1.HEADER.FIELDS (To)]`, to its octets.
//!
//! Everything but a choice of header fields is a slice of the message, exactly as it was received.
//!
//! RFC 9051 §6.4.5.1.

use std::borrow::Cow;

use crate::header;
use crate::structure::{Kind, Part, Structure};

/// A section: which part, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SectionPath {
    /// Part numbers, counted from 1; empty for the message itself.
    pub parts: Vec<u32>,
    /// What of the part.
    pub text: Text,
}

/// What is asked of a part.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Text {
    /// The whole message, or the part's body.
    Full,
    /// The header of the (enclosed) message, with its empty line.
    Header,
    /// Only these fields of that header, and an empty line.
    HeaderFields(Vec<Vec<u8>>),
    /// All but these fields of that header, and an empty line.
    HeaderFieldsNot(Vec<Vec<u8>>),
    /// The body of the (enclosed) message.
    Text,
    /// The part's own header, with its empty line.
    Mime,
}

impl SectionPath {
    /// `BODY[]`: the whole message.
    #[must_use]
    pub const fn whole() -> SectionPath {
        SectionPath {
            parts: Vec::new(),
            text: Text::Full,
        }
    }
}

/// The octets of a section; `None` when the message has no such part, or the part no such text.
///
/// `structure` must be that of `raw`.
#[must_use]
pub fn resolve<'a>(
    raw: &'a [u8],
    structure: &Structure,
    section: &SectionPath,
) -> Option<Cow<'a, [u8]>> {
    let message = structure.parts.first()?;
    let (part, enclosed) = match section.parts.as_slice() {
        [] => (None, Some(message)),
        path => {
            let part = find(structure, path)?;
            (Some(part), enclosed(structure, part))
        }
    };
    let of_message = || enclosed.map(|message| message.header_of(raw));
    Some(match (&section.text, part) {
        (Text::Full, None) => Cow::Borrowed(raw),
        (Text::Full, Some(part)) => Cow::Borrowed(part.body_of(raw)),
        (Text::Mime, part) => Cow::Borrowed(part?.header_of(raw)),
        (Text::Header, _) => Cow::Borrowed(of_message()?),
        (Text::Text, _) => Cow::Borrowed(enclosed?.body_of(raw)),
        (Text::HeaderFields(names), _) => Cow::Owned(choose(of_message()?, |name| {
            names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        })),
        (Text::HeaderFieldsNot(names), _) => Cow::Owned(choose(of_message()?, |name| {
            !names
                .iter()
                .any(|unwanted| unwanted.eq_ignore_ascii_case(name))
        })),
    })
}

/// The part with the numbers `path`, which is not empty.
///
/// RFC 9051 §6.4.5.1: every message has at least part 1; of one that is no multipart, part 1 is its
/// body. The parts of an enclosed message are numbered below the part that encloses it.
#[must_use]
pub fn find<'s>(structure: &'s Structure, path: &[u32]) -> Option<&'s Part> {
    let mut part = structure.parts.first()?;
    let mut at_message = true;
    for &number in path {
        if let (Kind::Message { root, .. }, false) = (&part.kind, at_message) {
            part = structure.get(*root)?;
            at_message = true;
        }
        match &part.kind {
            Kind::Multipart { children } => {
                let place = usize::try_from(number).ok()?.checked_sub(1)?;
                part = structure.get(*children.get(place)?)?;
            }
            Kind::Leaf | Kind::Message { .. } if at_message && number == 1 => {}
            Kind::Leaf | Kind::Message { .. } => return None,
        }
        at_message = false;
    }
    Some(part)
}

/// The message in a part of type message.
fn enclosed<'s>(structure: &'s Structure, part: &Part) -> Option<&'s Part> {
    match part.kind {
        Kind::Message { root, .. } => structure.get(root),
        Kind::Leaf | Kind::Multipart { .. } => None,
    }
}

/// The fields whose name `wanted` takes, as they stand, and an empty line.
fn choose(header: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in header::fields(header).filter(|field| wanted(field.name)) {
        out.extend_from_slice(header.get(field.range).unwrap_or_default());
        if !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n"); // the last field of a header without an empty line
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}
