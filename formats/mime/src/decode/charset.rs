//! From octets in a named character set to UTF-8.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// Longest charset name that is looked up.
const MAX_NAME: usize = 40;

/// Decodes `bytes` from the character set `name` (any case).
///
/// A missing or unknown name, US-ASCII and UTF-8 read as UTF-8 where that is valid; otherwise UTF-8
/// keeps what is valid and the others fall back to Windows-1252, which most mail without a charset
/// was written in.
#[must_use]
pub fn charset<'a>(name: &[u8], bytes: &'a [u8]) -> Cow<'a, str> {
    let name = name.trim_ascii();
    if is(name, "utf-8") || is(name, "utf8") {
        return String::from_utf8_lossy(bytes);
    }
    let guess = name.is_empty() || is(name, "us-ascii") || is(name, "ascii");
    if let (false, Some(decode)) = (guess || name.len() > MAX_NAME, charset_decoder(name)) {
        return Cow::Owned(decode(bytes));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => match charset_decoder(b"windows-1252") {
            Some(decode) => Cow::Owned(decode(bytes)),
            None => String::from_utf8_lossy(bytes),
        },
    }
}

fn is(name: &[u8], other: &str) -> bool {
    name.eq_ignore_ascii_case(other.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_guessed_and_unknown() {
        for (name, bytes, want) in [
            ("UTF-8", &b"\xC3\xA9\xFF"[..], "é\u{FFFD}"),
            ("iso-8859-1", b"\xE9", "é"),
            ("ISO-8859-15", b"\xA4", "€"),
            ("us-ascii", b"\xE9", "é"),
            ("us-ascii", b"\xC3\xA9", "é"),
            ("", b"\x80", "€"),
            ("x-unheard-of", b"\xC3\xA9", "é"),
            ("koi8-r", b"\xF0", "П"),
            ("iso-2022-jp", b"\x1b$B%O\x1b(B", "ハ"),
            ("gb2312", b"\xc4\xe3", "你"),
            ("utf-7", b"+AOk-", "é"),
        ] {
            assert_eq!(charset(name.as_bytes(), bytes), want, "{name}");
        }
    }

    const NAMES: [&str; 24] = [
        "utf-7",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "iso-2022-jp",
        "iso-2022-kr",
        "hz-gb-2312",
        "shift_jis",
        "euc-jp",
        "euc-kr",
        "big5",
        "gbk",
        "gb18030",
        "koi8-u",
        "iso-8859-8-i",
        "windows-874",
        "windows-1255",
        "macintosh",
        "ibm850",
        "tis-620",
        "cp866",
        "utf-32",
        "x-user-defined",
        "iso-8859-16",
    ];

    proptest! {
        #[test]
        fn supplier_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400),
                                 name in "[ -~]{0,60}") {
            for known in NAMES {
                let text = charset(known.as_bytes(), &bytes);
                prop_assert!(text.len() <= 4 * bytes.len() + 8, "{} grows", known);
            }
            let _ = charset(name.as_bytes(), &bytes);
        }

        #[test]
        fn escapes_never_panic(text in "(\\+[A-Za-z0-9/]{0,9}-?|\u{1b}[$(][A-Z@]|[ -~]){0,60}") {
            for known in NAMES {
                let _ = charset(known.as_bytes(), text.as_bytes());
            }
        }
    }
}
