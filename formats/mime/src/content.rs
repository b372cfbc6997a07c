//! `Content-Type` and `Content-Disposition` values: a type and its parameters.
//!
//! Parameters stay as they are written, RFC 2231 sections included: IMAP hands them on raw
//! ([`crate::decode::param`] joins and decodes them). Readers are lenient: an unquoted value may
//! contain spaces, comments may stand anywhere, whatever cannot be read is skipped.
//!
//! RFC 2045 §5.1, RFC 2183 §2.

/// Parameters of one field that are kept.
pub const MAX_PARAMS: usize = 64;

/// Parameters in order: name in lower case, value unquoted.
pub type Params = Vec<(Vec<u8>, Vec<u8>)>;

/// What a part's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// Top-level type, lower case: `text`, `multipart`, …
    pub media: Vec<u8>,
    /// Subtype, lower case.
    pub subtype: Vec<u8>,
    /// Parameters as written; a `text` type without `charset` has gained `charset=us-ascii`.
    pub params: Params,
}

impl Default for ContentType {
    /// RFC 2045 §5.2: without a usable Content-Type the content is plain text in US-ASCII.
    fn default() -> ContentType {
        ContentType::bare("text", "plain").with_charset()
    }
}

impl ContentType {
    /// Whether this is the type `media/subtype` (both in lower case).
    #[must_use]
    pub fn is(&self, media: &str, subtype: &str) -> bool {
        self.media == media.as_bytes() && self.subtype == subtype.as_bytes()
    }

    /// The raw value of the parameter `name` (lower case), without RFC 2231 sections.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        find(&self.params, name)
    }

    /// The type alone.
    pub(crate) fn bare(media: &str, subtype: &str) -> ContentType {
        ContentType {
            media: media.into(),
            subtype: subtype.into(),
            params: Vec::new(),
        }
    }

    /// Reads a field value; `None` when there is no `type "/" subtype`.
    pub(crate) fn parse(value: &[u8]) -> Option<ContentType> {
        let mut reader = Reader {
            input: value,
            pos: 0,
        };
        let media = reader.token()?;
        reader.skip_space();
        if reader.bump()? != b'/' {
            return None;
        }
        let subtype = reader.token()?;
        Some(
            ContentType {
                media,
                subtype,
                params: reader.params(),
            }
            .with_charset(),
        )
    }

    /// RFC 2046 §4.1.2: text without a charset is US-ASCII.
    fn with_charset(mut self) -> ContentType {
        if self.media == b"text" && self.param("charset").is_none() {
            self.params
                .push((b"charset".to_vec(), b"us-ascii".to_vec()));
        }
        self
    }

    /// Whether the content is a whole message (RFC 2046 §5.2.1, RFC 6532 §3.7).
    pub(crate) fn is_message(&self) -> bool {
        self.media == b"message" && matches!(self.subtype.as_slice(), b"rfc822" | b"global")
    }
}

/// The raw value of the first parameter called `name`.
pub(crate) fn find<'p>(params: &'p Params, name: &str) -> Option<&'p [u8]> {
    params
        .iter()
        .find(|(n, _)| n == name.as_bytes())
        .map(|(_, value)| value.as_slice())
}

/// Reads a `Content-Disposition`: its type in lower case and its parameters.
///
/// RFC 2183 §2: `disposition = disposition-type *(";" disposition-parm)`.
pub(crate) fn disposition(value: &[u8]) -> Option<(Vec<u8>, Params)> {
    let mut reader = Reader {
        input: value,
        pos: 0,
    };
    Some((reader.token()?, reader.params()))
}

/// The first word of a value in lower case, such as a transfer encoding.
///
/// RFC 2045 §6.1: `encoding = "Content-Transfer-Encoding" ":" mechanism`.
pub(crate) fn word(value: &[u8]) -> Option<Vec<u8>> {
    Reader {
        input: value,
        pos: 0,
    }
    .token()
}

struct Reader<'a> {
    input: &'a [u8],
    pos: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.pos).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.pos += 1;
        Some(byte)
    }

    /// Skips white space, line breaks and comments.
    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => self.skip_comment(),
                b' ' | b'\t' | b'\r' | b'\n' | 0 => self.pos += 1,
                _ => return,
            }
        }
    }

    /// RFC 5322 §3.2.2: comments nest; one that never closes takes the rest.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.bump() {
            match byte {
                b'\\' => self.pos += 1,
                b'(' => depth += 1,
                b')' if depth == 1 => return,
                b')' => depth -= 1,
                _ => {}
            }
        }
    }

    /// RFC 2045 §5.1: `token = 1*<any CHAR except SPACE, CTLs, or tspecials>`, in lower case; octets
    /// above ASCII pass.
    fn token(&mut self) -> Option<Vec<u8>> {
        self.skip_space();
        let start = self.pos;
        while self.peek().is_some_and(is_token) {
            self.pos += 1;
        }
        let token = self.input.get(start..self.pos)?;
        (!token.is_empty()).then(|| token.to_ascii_lowercase())
    }

    /// `*(";" attribute "=" value)`: the first [`MAX_PARAMS`], the malformed ones skipped.
    fn params(&mut self) -> Params {
        let mut params = Params::new();
        while params.len() < MAX_PARAMS && self.seek_semicolon() {
            let Some(name) = self.token() else { continue };
            self.skip_space();
            if self.peek() != Some(b'=') {
                continue;
            }
            self.pos += 1;
            self.skip_space();
            let value = if self.peek() == Some(b'"') {
                self.quoted()
            } else {
                self.unquoted()
            };
            params.push((name, value));
        }
        params
    }

    /// Moves behind the next `;` outside comments and quotes.
    fn seek_semicolon(&mut self) -> bool {
        loop {
            self.skip_space();
            match self.peek() {
                None => return false,
                Some(b'"') => {
                    self.quoted();
                }
                Some(b';') => {
                    self.pos += 1;
                    return true;
                }
                Some(_) => self.pos += 1,
            }
        }
    }

    /// RFC 5322 §3.2.4 quoted-string, the cursor on its opening quote; folding is removed.
    fn quoted(&mut self) -> Vec<u8> {
        self.pos += 1;
        let mut value = Vec::new();
        while let Some(byte) = self.bump() {
            match byte {
                b'"' => break,
                b'\\' => value.extend(self.bump().filter(|b| !matches!(b, b'\r' | b'\n' | 0))),
                b'\r' | b'\n' | 0 => {}
                _ => value.push(byte),
            }
        }
        value
    }

    /// A value without quotes: up to a semicolon or comment, inner spaces kept.
    fn unquoted(&mut self) -> Vec<u8> {
        let start = self.pos;
        while self.peek().is_some_and(|byte| !matches!(byte, b';' | b'(')) {
            self.pos += 1;
        }
        crate::header::unfold(self.input.get(start..self.pos).unwrap_or_default()).into_owned()
    }
}

const fn is_token(byte: u8) -> bool {
    byte > b' '
        && byte != 0x7F
        && !matches!(
            byte,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> String {
        let Some(ct) = ContentType::parse(value.as_bytes()) else {
            return "none".into();
        };
        let mut out = format!("{}/{}", ct.media.escape_ascii(), ct.subtype.escape_ascii());
        for (name, value) in &ct.params {
            out += &format!(" {}=[{}]", name.escape_ascii(), value.escape_ascii());
        }
        out
    }

    #[test]
    fn content_types() {
        for (value, want) in [
            (" TEXT/Html; Charset=UTF-8", "text/html charset=[UTF-8]"),
            (
                "text/plain; charset=us-ascii (Plain text)",
                "text/plain charset=[us-ascii]",
            ),
            (
                "text/x (c(o)m) ; a = \"b\\\"c; d\" junk; e=f",
                "text/x a=[b\\\"c; d] e=[f] charset=[us-ascii]",
            ),
            (
                "multipart/mixed;\r\n boundary=\"foo\r\n bar\"",
                "multipart/mixed boundary=[foo bar]",
            ),
            (
                "application/pdf; name=my file.pdf ; x=y",
                "application/pdf name=[my file.pdf] x=[y]",
            ),
            ("image/png; =x; y; z=", "image/png z=[]"),
            (
                "image / png;;; a*0*=x'y'z; a*1=w",
                "image/png a*0*=[x\\'y\\'z] a*1=[w]",
            ),
            (
                "application/x; a=\"never closed",
                "application/x a=[never closed]",
            ),
            ("text", "none"),
            ("/plain", "none"),
            ("", "none"),
            ("((((text/plain", "none"),
        ] {
            assert_eq!(show(value), want, "{value:?}");
        }
    }

    #[test]
    fn params_are_capped() {
        let value = format!("a/b{}", "; x=y".repeat(100_000));
        assert_eq!(
            ContentType::parse(value.as_bytes()).unwrap().params.len(),
            MAX_PARAMS
        );
    }
}
