//! Sections and partials: which octets of a message a FETCH is about (RFC 9051 §6.4.5.1).

use std::num::NonZeroU32;

use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

/// Header fields named in one section.
pub(crate) const MAX_HEADER_FIELDS: usize = 256;

/// Octets in a header field's name.
const MAX_FIELD_NAME: usize = 255;

/// What is wanted of the message or of the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// Everything: the message with its header, or the part's body.
    Full,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (…)`: field names as written, at least one.
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (…)`
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`
    Text,
    /// `MIME`: the part's own header; only with a part.
    Mime,
}

/// A section: a part's number, empty for the message, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    part: Vec<NonZeroU32>,
    text: SectionText,
}

impl Section {
    /// The deepest part number.
    pub const MAX_DEPTH: usize = 100;

    /// `None` when `part` is too deep, `MIME` has no part, or a list of header fields is empty,
    /// too long or has a name that no header field can have.
    #[must_use]
    pub fn new(part: Vec<NonZeroU32>, text: SectionText) -> Option<Self> {
        let valid = part.len() <= Self::MAX_DEPTH
            && match &text {
                SectionText::Mime => !part.is_empty(),
                SectionText::HeaderFields(names) | SectionText::HeaderFieldsNot(names) => {
                    (1..=MAX_HEADER_FIELDS).contains(&names.len())
                        && names.iter().all(|name| is_field_name(name.as_bytes()))
                }
                _ => true,
            };
        valid.then_some(Self { part, text })
    }

    /// The whole message: `BODY[]`.
    #[must_use]
    pub const fn whole() -> Self {
        Self {
            part: Vec::new(),
            text: SectionText::Full,
        }
    }

    /// The part's number, empty for the message itself.
    #[must_use]
    pub fn part(&self) -> &[NonZeroU32] {
        &self.part
    }

    /// What of the message or part.
    #[must_use]
    pub fn text(&self) -> &SectionText {
        &self.text
    }
}

/// `field-name` of RFC 5322 §3.6.8, without what would end the name.
fn is_field_name(name: &[u8]) -> bool {
    (1..=MAX_FIELD_NAME).contains(&name.len())
        && name.iter().all(|b| matches!(b, 0x21..=0x7e) && *b != b':')
}

/// A window on a section: `<first.count>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The first octet wanted, from 0.
    pub first: u64,
    /// How many at most.
    pub count: NonZeroU32,
}

impl Partial {
    /// The wanted octets of `bytes`: fewer, or none, when they end before.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let first = usize::try_from(self.first)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let count = usize::try_from(self.count.get()).unwrap_or(usize::MAX);
        let end = first.saturating_add(count).min(bytes.len());
        bytes.get(first..end).unwrap_or_default()
    }
}

impl Reader<'_> {
    /// `section = "[" [section-spec] "]"`
    ///
    /// `section-spec = section-msgtext / (section-part ["." section-text])`
    pub(crate) fn section(&mut self) -> Result<Section, Error> {
        self.expect(b'[', "\"[\"")?;
        let mut part = Vec::new();
        let mut wants_text = true;
        // section-part = nz-number *("." nz-number)
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            if part.len() >= Section::MAX_DEPTH {
                return Err(Error::Limit {
                    what: "levels of a section",
                    limit: Section::MAX_DEPTH,
                });
            }
            part.push(self.nz_number()?);
            wants_text = self.eat(b'.');
            if !wants_text {
                break;
            }
        }
        let text = if (part.is_empty() && self.peek() == Some(b']')) || !wants_text {
            SectionText::Full
        } else {
            self.section_text(&part)?
        };
        self.expect(b']', "\"]\"")?;
        Ok(Section { part, text })
    }

    /// `section-text = section-msgtext / "MIME"`
    ///
    /// `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`
    fn section_text(&mut self, part: &[NonZeroU32]) -> Result<SectionText, Error> {
        let word = self
            .take_while(|b| b.is_ascii_alphabetic() || b == b'.')
            .to_ascii_uppercase();
        match word.as_slice() {
            b"HEADER" => Ok(SectionText::Header),
            b"TEXT" => Ok(SectionText::Text),
            b"MIME" if !part.is_empty() => Ok(SectionText::Mime),
            b"HEADER.FIELDS" => self.header_list().map(SectionText::HeaderFields),
            b"HEADER.FIELDS.NOT" => self.header_list().map(SectionText::HeaderFieldsNot),
            _ => Err(Error::Unknown("section")),
        }
    }

    /// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`, after a space.
    fn header_list(&mut self) -> Result<Vec<String>, Error> {
        self.sp()?;
        self.open()?;
        let names = self.list_items(MAX_HEADER_FIELDS, Self::header_field_name)?;
        if names.is_empty() {
            Err(Error::Expected("a header field name"))
        } else {
            Ok(names)
        }
    }

    /// `header-fld-name = astring`
    pub(crate) fn header_field_name(&mut self) -> Result<String, Error> {
        let name = self.astring()?;
        if !is_field_name(&name) {
            return Err(Error::Expected("a header field name"));
        }
        String::from_utf8(name).map_err(|_| Error::NotUtf8)
    }

    /// `partial = "<" number64 "." nz-number64 ">"`
    ///
    /// Quirk: a count of 2³² or more is taken as 2³²−1, which no message reaches.
    pub(crate) fn partial(&mut self) -> Result<Option<Partial>, Error> {
        if !self.eat(b'<') {
            return Ok(None);
        }
        let first = self.number64()?;
        self.expect(b'.', "\".\"")?;
        let count = u32::try_from(self.number64()?).unwrap_or(u32::MAX);
        let count = NonZeroU32::new(count).ok_or(Error::Expected("a count other than zero"))?;
        self.expect(b'>', "\">\"")?;
        Ok(Some(Partial { first, count }))
    }
}

impl Writer<'_> {
    /// `section`
    pub fn section(&mut self, section: &Section) -> &mut Self {
        self.bytes(b"[");
        for (index, number) in section.part.iter().enumerate() {
            if index > 0 {
                self.bytes(b".");
            }
            self.number(number.get());
        }
        if !section.part.is_empty() && section.text != SectionText::Full {
            self.bytes(b".");
        }
        match &section.text {
            SectionText::Full => self.bytes(b""),
            SectionText::Header => self.bytes(b"HEADER"),
            SectionText::Text => self.bytes(b"TEXT"),
            SectionText::Mime => self.bytes(b"MIME"),
            SectionText::HeaderFields(names) => self.bytes(b"HEADER.FIELDS ").header_list(names),
            SectionText::HeaderFieldsNot(names) => {
                self.bytes(b"HEADER.FIELDS.NOT ").header_list(names)
            }
        };
        self.bytes(b"]")
    }

    fn header_list(&mut self, names: &[String]) -> &mut Self {
        self.parenthesized(names, |writer, name| {
            writer.astring(name.as_bytes());
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_read_and_write_back() {
        for text in [
            "[]",
            "[HEADER]",
            "[TEXT]",
            "[1]",
            "[1.2.3]",
            "[1.MIME]",
            "[4.2.HEADER]",
            "[HEADER.FIELDS (Date From)]",
            "[1.HEADER.FIELDS.NOT (\"X(\")]",
        ] {
            let section = Reader::of_text(text.as_bytes()).section().unwrap();
            let mut out = Vec::new();
            Writer::new(&mut out, crate::Utf8Mode::Utf8).section(&section);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            assert_eq!(
                Section::new(section.part.clone(), section.text.clone()),
                Some(section)
            );
        }
        for bad in [
            "[",
            "[MIME]",
            "[0]",
            "[1.]",
            "[.1]",
            "[1.0]",
            "[FOO]",
            "[HEADER.FIELDS]",
            "[HEADER.FIELDS ()]",
            "[HEADER.FIELDS (a:b)]",
            "[HEADER.FIELDS (\"a\\\"\")]extra",
            "[1 ]",
            "[1.TEXT.2]",
        ] {
            let mut reader = Reader::of_text(bad.as_bytes());
            let whole = reader.section().and_then(|_| reader.finish());
            assert!(whole.is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| format!("[{}]", vec!["1"; levels].join("."));
        assert!(Reader::of_text(deep(100).as_bytes()).section().is_ok());
        assert!(Reader::of_text(deep(101).as_bytes()).section().is_err());
    }

    #[test]
    fn windows() {
        let partial = |text: &str| Reader::of_text(text.as_bytes()).partial();
        let window = |text: &str| partial(text).unwrap().unwrap();
        assert_eq!(window("<0.3>").of(b"hello"), b"hel");
        assert_eq!(window("<3.9>").of(b"hello"), b"lo");
        assert_eq!(window("<5.1>").of(b"hello"), b"");
        assert_eq!(window("<9223372036854775807.4294967296>").of(b"hello"), b"");
        assert_eq!(partial(""), Ok(None));
        for bad in ["<0.0>", "<0>", "<0.1", "<-1.1>", "<.1>"] {
            assert!(partial(bad).is_err(), "{bad}");
        }
    }
}
