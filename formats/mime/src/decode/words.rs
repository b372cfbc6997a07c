//! Encoded words in header values (RFC 2047).

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::charset::charset;
use super::{one_line, transfer};
use crate::header::{MAX_HEADER, unfold};

/// A header value for people: unfolded, encoded words decoded, on one line without controls.
///
/// Octets outside encoded words read as UTF-8 (RFC 6532), or as Windows-1252 where they are not. At
/// most [`MAX_HEADER`] octets count.
#[must_use]
pub fn header_text(value: &[u8]) -> String {
    let value = unfold(value.get(..MAX_HEADER).unwrap_or(value));
    if memmem::find(&value, b"=?").is_none() {
        return one_line(charset(b"", &value));
    }
    let mut text = Text::default();
    let mut rest: &[u8] = &value;
    while let Some(at) = memmem::find(rest, b"=?") {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        text.push_plain(plain);
        if let Some((word, behind)) = Word::read(tail) {
            text.push_word(word);
            rest = behind;
        } else {
            text.push_plain(b"=?");
            rest = tail.get(2..).unwrap_or_default();
        }
    }
    text.push_plain(rest);
    one_line(Cow::Owned(text.finish()))
}

/// One encoded word, its octets decoded.
struct Word<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
}

impl<'a> Word<'a> {
    /// RFC 2047 §2: `encoded-word = "=?" charset "?" encoding "?" encoded-text "?="`; the input starts
    /// with `=?`. Spaces in the text and words over 75 octets are taken. Returns the word and what
    /// follows it. The search never passes the third question mark, so scanning a value stays linear.
    fn read(input: &'a [u8]) -> Option<(Word<'a>, &'a [u8])> {
        let (name, rest) = cut(input.get(2..)?)?;
        let (encoding, rest) = cut(rest)?;
        let (text, rest) = cut(rest)?;
        let behind = rest.strip_prefix(b"=")?;
        // RFC 2231 §5: `charset["*" language]`
        let name = name.split(|&b| b == b'*').next()?;
        let octets = match encoding {
            b"b" | b"B" => transfer::base64(text),
            b"q" | b"Q" => quoted(text),
            _ => return None,
        };
        (!name.is_empty()).then_some((
            Word {
                charset: name,
                octets,
            },
            behind,
        ))
    }
}

/// What stands before and behind the first question mark.
fn cut(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = input.split_at_checked(memchr(b'?', input)?)?;
    Some((before, rest.get(1..)?))
}

/// RFC 2047 §4.2: as quoted-printable, but an underscore is a space.
fn quoted(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|&b| if b == b'_' { b' ' } else { b })
        .collect();
    let mut out = Vec::with_capacity(spaced.len());
    transfer::escapes(&spaced, &mut out);
    out
}

/// Decoded text, and words whose characters may go on in the next word.
#[derive(Default)]
struct Text<'a> {
    done: String,
    pending: Option<Word<'a>>,
    /// White space behind a word: dropped before another word (RFC 2047 §6.2).
    space: Vec<u8>,
}

impl<'a> Text<'a> {
    fn push_plain(&mut self, plain: &[u8]) {
        if self.pending.is_some() && plain.trim_ascii().is_empty() {
            self.space.extend_from_slice(plain);
            return;
        }
        self.flush();
        self.done
            .push_str(&String::from_utf8_lossy(&std::mem::take(&mut self.space)));
        self.done.push_str(&charset(b"", plain));
    }

    /// Mailers split characters between words of one charset, so those are decoded together.
    fn push_word(&mut self, word: Word<'a>) {
        self.space.clear();
        match &mut self.pending {
            Some(pending) if pending.charset.eq_ignore_ascii_case(word.charset) => {
                pending.octets.extend_from_slice(&word.octets);
            }
            _ => {
                self.flush();
                self.pending = Some(word);
            }
        }
    }

    fn flush(&mut self) {
        if let Some(word) = self.pending.take() {
            self.done.push_str(&charset(word.charset, &word.octets));
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_values() {
        for (value, want) in [
            (" plain ", "plain"),
            ("=?utf-8?q?J=C3=B6_?= =?UTF-8?B?w6k=?=", "Jö é"),
            ("a =?iso-8859-1?q?=E9?= b", "a é b"),
            ("=?utf-8?b?w6k=?=x", "éx"),
            ("=?utf-8?q?=C3?=\r\n =?utf-8?q?=A9?=", "é"),
            ("=?utf-8*de?q?a?=", "a"),
            ("=?utf-8?q?with space?=", "with space"),
            ("=?utf-8?q?evil=0D=0ABcc:_x?=", "evil  Bcc: x"),
            ("=?utf-8?x?a?= =?utf-8?q?a", "=?utf-8?x?a?= =?utf-8?q?a"),
            ("=??q?a?=", "=??q?a?="),
            ("=?=?=?", "=?=?=?"),
            ("Gr\u{fc}\u{df}e", "Grüße"),
            ("=?utf-8?q?a?= trailing ", "a trailing"),
            ("=?utf-8?q?a?=", "a"),
        ] {
            assert_eq!(header_text(value.as_bytes()), want, "{value:?}");
        }
        assert_eq!(header_text(b"Gr\xFC\xDFe"), "Grüße");
    }

    proptest! {
        #[test]
        fn one_line_without_controls(value in "(=\\?|\\?=|\\?|utf-8|[qb=_ \r\n]|[ -~]){0,60}") {
            let text = header_text(value.as_bytes());
            prop_assert!(!text.contains(char::is_control));
        }
    }
}
