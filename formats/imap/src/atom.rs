//! Atoms and tags: the character classes of RFC 9051 §9 and what is built from them.

use std::fmt;

use crate::error::Error;
use crate::reader::Reader;

/// `ATOM-CHAR = <any CHAR except atom-specials>`
///
/// `atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials`
pub(crate) const fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub(crate) const fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// `list-char = ATOM-CHAR / list-wildcards / resp-specials`
pub(crate) const fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

/// `tag = 1*<any ASTRING-CHAR except "+">`
pub(crate) const fn is_tag_char(byte: u8) -> bool {
    is_astring_char(byte) && byte != b'+'
}

/// An atom: at least one ATOM-CHAR, ASCII, at most [`Atom::MAX_LENGTH`] octets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(Box<str>);

impl Atom {
    /// The longest atom taken from a client.
    pub const MAX_LENGTH: usize = 255;

    /// `None` unless `text` is an atom.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let valid =
            !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.bytes().all(is_atom_char);
        valid.then(|| Self(text.into()))
    }

    /// The characters as they came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The client's name for one command, repeated in its tagged answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// The longest tag taken from a client.
    pub const MAX_LENGTH: usize = 255;

    /// `None` unless `text` is a tag.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// The characters as they came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let valid = !bytes.is_empty()
            && bytes.len() <= Self::MAX_LENGTH
            && bytes.iter().all(|b| is_tag_char(*b));
        valid
            .then(|| std::str::from_utf8(bytes).ok())
            .flatten()
            .map(|text| Self(text.into()))
    }

    /// The tag at the start of a command's text, when there is one: followed by a space or the
    /// end of the line.
    pub(crate) fn leading(text: &[u8]) -> Option<Self> {
        let end = text
            .iter()
            .take(Self::MAX_LENGTH + 1)
            .position(|b| matches!(b, b' ' | b'\r' | b'\n'))
            .unwrap_or(text.len());
        Self::from_bytes(text.get(..end)?)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> Reader<'a> {
    /// `tag = 1*<any ASTRING-CHAR except "+">`
    pub(crate) fn tag(&mut self) -> Result<Tag, Error> {
        Tag::from_bytes(self.take_while(is_tag_char)).ok_or(Error::Tag)
    }

    /// `atom = 1*ATOM-CHAR`, borrowed.
    pub(crate) fn atom_text(&mut self) -> Result<&'a str, Error> {
        let bytes = self.take_while(is_atom_char);
        if bytes.is_empty() {
            return Err(Error::Expected("an atom"));
        }
        if bytes.len() > Atom::MAX_LENGTH {
            return Err(Error::Limit {
                what: "octets in an atom",
                limit: Atom::MAX_LENGTH,
            });
        }
        std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8)
    }

    /// Reads `word` in any case when it is the whole next atom, and says whether it did.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let start = self.position();
        if self
            .take_while(is_atom_char)
            .eq_ignore_ascii_case(word.as_bytes())
        {
            return true;
        }
        self.rewind(start);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (text, expected) in [
            ("a1 NOOP", Some("a1")),
            ("a1", Some("a1")),
            ("A.b]c NOOP", Some("A.b]c")),
            ("a+b NOOP", None),
            (" NOOP", None),
            ("", None),
            ("a\u{e9} NOOP", None),
            ("a*b NOOP", None),
        ] {
            let tag = Tag::leading(text.as_bytes());
            assert_eq!(tag.as_ref().map(Tag::as_str), expected, "{text}");
        }
        assert!(Tag::leading("x".repeat(255).as_bytes()).is_some());
        assert!(Tag::leading("x".repeat(256).as_bytes()).is_none());
    }

    #[test]
    fn words_are_whole_atoms() {
        let mut reader = Reader::of_text(b"unseens UNSEEN");
        assert!(!reader.eat_word("UNSEEN"));
        assert!(reader.eat_word("UNSEENS"));
        assert!(reader.sp().is_ok());
        assert!(reader.eat_word("unseen"));
    }
}
