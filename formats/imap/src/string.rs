//! Strings: quoted, literal, `astring`, `nstring`; reading and writing.

use crate::atom::is_astring_char;
use crate::error::Error;
use crate::framing::{Literal, LiteralKind};
use crate::mailbox::Utf8Mode;
use crate::reader::Reader;
use crate::writer::{LiteralStyle, Writer};

/// The longest string written in quotes; longer ones are literals, which cost the reader less.
const MAX_QUOTED: usize = 1_024;

impl Reader<'_> {
    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`
    ///
    /// `QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 /
    /// UTF8-3 / UTF8-4`
    ///
    /// Quirk: UTF-8 is taken from rev1 clients as well, since many send it in SEARCH.
    fn quoted(&mut self) -> Result<Vec<u8>, Error> {
        self.expect(b'"', "a quoted string")?;
        let mut value = Vec::new();
        loop {
            value.extend_from_slice(
                self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0)),
            );
            match self.next() {
                Some(b'"') => break,
                Some(b'\\') => match self.next() {
                    Some(byte @ (b'"' | b'\\')) => value.push(byte),
                    _ => return Err(Error::Expected("\" or \\ after \\")),
                },
                _ => return Err(Error::Expected("a closing quote")),
            }
        }
        if std::str::from_utf8(&value).is_err() {
            return Err(Error::NotUtf8);
        }
        Ok(value)
    }

    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`
    ///
    /// `literal8 = "~{" number64 ["+"] "}" CRLF *OCTET`
    ///
    /// The text has the announcement with its CRLF, the octets were kept aside by the framer.
    pub(crate) fn literal(&mut self) -> Result<Literal, Error> {
        let kind = if self.eat(b'~') {
            LiteralKind::Binary
        } else {
            LiteralKind::Plain
        };
        self.expect(b'{', "a literal")?;
        let size = self.number64()?;
        self.eat(b'+');
        self.expect(b'}', "\"}\"")?;
        self.expect(b'\r', "a literal")?;
        self.expect(b'\n', "a literal")?;
        let literal = self.next_literal()?;
        let announced = usize::try_from(size).is_ok_and(|size| size == literal.bytes.len());
        if announced && literal.kind == kind {
            Ok(literal)
        } else {
            Err(Error::Literal)
        }
    }

    /// `string = quoted / literal`
    ///
    /// NUL never occurs in the result.
    pub(crate) fn string(&mut self) -> Result<Vec<u8>, Error> {
        if self.peek() == Some(b'"') {
            return self.quoted();
        }
        if self.peek() != Some(b'{') {
            return Err(Error::Expected("a string"));
        }
        let literal = self.literal()?;
        // RFC 9051 §4.3: a literal carries any octet but NUL.
        if literal.bytes.contains(&0) {
            return Err(Error::Expected("a string without NUL"));
        }
        Ok(literal.bytes)
    }

    /// `nstring = string / nil`
    pub(crate) fn nstring(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.eat_word("NIL") {
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(crate) fn astring(&mut self) -> Result<Vec<u8>, Error> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.string();
        }
        let bytes = self.take_while(is_astring_char);
        if bytes.is_empty() {
            return Err(Error::Expected("a string"));
        }
        Ok(bytes.to_vec())
    }

    /// An `astring` that is UTF-8.
    pub(crate) fn astring_utf8(&mut self) -> Result<String, Error> {
        String::from_utf8(self.astring()?).map_err(|_| Error::NotUtf8)
    }
}

impl Writer<'_> {
    /// `literal`: `{n}` CRLF and the octets as they are, or `{n+}` in a client's encoder.
    pub fn literal(&mut self, bytes: &[u8]) -> &mut Self {
        self.literal_header(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.bytes(bytes)
    }

    /// The announcement of a literal alone: the caller appends exactly `size` octets after it.
    pub fn literal_header(&mut self, size: u64) -> &mut Self {
        self.bytes(b"{").number(size);
        self.bytes(match self.literal_style() {
            LiteralStyle::Synchronizing => b"}\r\n",
            LiteralStyle::NonSynchronizing => b"+}\r\n",
        })
    }

    /// `string`: in quotes when the octets allow it, else a literal. NUL, which no string may
    /// carry, is left out.
    pub fn string(&mut self, bytes: &[u8]) -> &mut Self {
        if self.fits_quotes(bytes) {
            return self.quoted(bytes);
        }
        if memchr::memchr(0, bytes).is_none() {
            return self.literal(bytes);
        }
        let clean: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
        self.literal(&clean)
    }

    /// `nstring`: `NIL` for `None`.
    pub fn nstring(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.string(bytes),
            None => self.bytes(b"NIL"),
        }
    }

    /// `astring`: bare when the octets allow it, and nobody could take them for `NIL`.
    pub fn astring(&mut self, bytes: &[u8]) -> &mut Self {
        let bare = !bytes.is_empty()
            && bytes.len() <= MAX_QUOTED
            && bytes.iter().all(|b| is_astring_char(*b))
            && !bytes.eq_ignore_ascii_case(b"NIL");
        if bare {
            self.bytes(bytes)
        } else {
            self.string(bytes)
        }
    }

    fn fits_quotes(&self, bytes: &[u8]) -> bool {
        if bytes.len() > MAX_QUOTED || bytes.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
            return false;
        }
        bytes.is_ascii() || (self.mode() == Utf8Mode::Utf8 && std::str::from_utf8(bytes).is_ok())
    }

    fn quoted(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes(b"\"");
        let mut rest = bytes;
        while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
            let (plain, special) = rest.split_at(at);
            let (escaped, after) = special.split_at(1);
            self.bytes(plain).bytes(b"\\").bytes(escaped);
            rest = after;
        }
        self.bytes(rest).bytes(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn astring(text: &[u8]) -> Result<Vec<u8>, Error> {
        Reader::of_text(text).astring()
    }

    #[test]
    fn quoted_strings() {
        assert_eq!(astring(b"\"a b\""), Ok(b"a b".to_vec()));
        assert_eq!(astring(b"\"\""), Ok(Vec::new()));
        assert_eq!(astring(br#""a\"b\\c""#), Ok(br#"a"b\c"#.to_vec()));
        assert_eq!(astring("\"é\"".as_bytes()), Ok("é".as_bytes().to_vec()));
        for bad in [
            &b"\"a"[..],
            b"\"a\0b\"",
            b"\"a\\n\"",
            b"\"\\",
            b"\"a\r\n\"",
            b"\"\xff\"",
            b"",
        ] {
            assert!(astring(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn literals_are_taken_in_order_and_must_match() {
        let literal = |bytes: &[u8]| Literal {
            bytes: bytes.to_vec(),
            kind: LiteralKind::Plain,
        };
        let mut reader = Reader::new(
            b"{3}\r\n {1+}\r\n",
            vec![literal(b"a\r\n"), literal(b"b")],
            Utf8Mode::Utf8,
        );
        assert_eq!(reader.string(), Ok(b"a\r\n".to_vec()));
        assert!(reader.sp().is_ok());
        assert_eq!(reader.string(), Ok(b"b".to_vec()));
        assert_eq!(reader.finish(), Ok(()));

        let parse = |text: &[u8], kept: &[u8]| {
            Reader::new(text, vec![literal(kept)], Utf8Mode::Utf8).string()
        };
        assert_eq!(parse(b"{2}\r\n", b"a"), Err(Error::Literal));
        assert!(parse(b"{1}", b"a").is_err());
        assert!(parse(b"{1}\r\n", b"\0").is_err());
        assert!(parse(b"~{1}\r\n", b"a").is_err());
    }

    #[test]
    fn strings_are_written_in_the_form_that_carries_them() {
        let string = |mode, bytes: &[u8]| {
            let mut out = Vec::new();
            Writer::new(&mut out, mode).string(bytes);
            out
        };
        let utf7 = Utf8Mode::ModifiedUtf7;
        assert_eq!(string(utf7, b""), b"\"\"");
        assert_eq!(string(utf7, br#"a"b\c"#), br#""a\"b\\c""#);
        assert_eq!(string(utf7, b"a\r\nb"), b"{4}\r\na\r\nb");
        assert_eq!(string(utf7, "é".as_bytes()), "{2}\r\né".as_bytes());
        assert_eq!(string(Utf8Mode::Utf8, "é".as_bytes()), "\"é\"".as_bytes());
        assert_eq!(string(Utf8Mode::Utf8, b"\xff"), b"{1}\r\n\xff");
        assert_eq!(string(utf7, b"a\0b"), b"{2}\r\nab");
    }
}
