//! Content transfer encodings, undone leniently.

use std::borrow::Cow;

use memchr::memchr;

/// Undoes `encoding` (lower case); an unknown one is handed through (RFC 2045 §6.4).
pub(super) fn decode<'a>(body: &'a [u8], encoding: &[u8]) -> Cow<'a, [u8]> {
    match encoding {
        b"base64" => Cow::Owned(base64(body)),
        b"quoted-printable" => Cow::Owned(quoted_printable(body)),
        _ => Cow::Borrowed(body),
    }
}

/// RFC 2045 §6.8: octets outside the alphabet are ignored. Padding ends a group of four, not the
/// data: some mailers join padded pieces. Bits of an unfinished octet are dropped.
pub(super) fn base64(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len() / 4 * 3 + 3);
    let (mut group, mut digits) = (0_u32, 0_u8);
    for &byte in input {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                finish_group(group, digits, &mut out);
                (group, digits) = (0, 0);
                continue;
            }
            _ => continue,
        };
        group = (group << 6) | u32::from(value);
        digits += 1;
        if digits == 4 {
            let [_, a, b, c] = group.to_be_bytes();
            out.extend_from_slice(&[a, b, c]);
            (group, digits) = (0, 0);
        }
    }
    finish_group(group, digits, &mut out);
    out
}

/// Writes the whole octets of a group of fewer than four digits.
fn finish_group(group: u32, digits: u8, out: &mut Vec<u8>) {
    match digits {
        2 => {
            let [_, a, ..] = (group << 12).to_be_bytes();
            out.push(a);
        }
        3 => {
            let [_, a, b, _] = (group << 6).to_be_bytes();
            out.extend_from_slice(&[a, b]);
        }
        _ => {}
    }
}

/// RFC 2045 §6.7: `=XX` is an octet, `=` at a line's end is no line end, white space at a line's end
/// was added on the way. What is no escape stands for itself.
pub(super) fn quoted_printable(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    let mut rest = input;
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = tail;
        let text = line.trim_ascii_end();
        let line_break = match line {
            [.., b'\r', b'\n'] => &b"\r\n"[..],
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        match text.strip_suffix(b"=") {
            Some(text) => escapes(text, &mut out),
            None if line_break.is_empty() => escapes(line, &mut out),
            None => {
                escapes(text, &mut out);
                out.extend_from_slice(line_break);
            }
        }
    }
    out
}

/// Decodes the `=XX` of one line.
pub(super) fn escapes(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr(b'=', text) {
        let (plain, escape) = text.split_at_checked(at).unwrap_or((text, &[]));
        out.extend_from_slice(plain);
        match escape {
            [_, high, low, tail @ ..] if let Some(octet) = hex(*high, *low) => {
                out.push(octet);
                text = tail;
            }
            _ => {
                out.push(b'=');
                text = escape.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(text);
}

/// The octet of two hexadecimal digits in either case.
pub(super) fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    #[test]
    fn base64_is_lenient() {
        for (input, want) in [
            ("aGVsbG8=", "hello"),
            ("aGVs\r\nbG8", "hello"),
            ("a!G-V_s bG8=\r\n", "hello"),
            ("aGk=aGk=", "hihi"),
            ("aA==", "h"),
            ("a", ""),
            ("====", ""),
            ("", ""),
        ] {
            assert_eq!(
                base64(input.as_bytes()).escape_ascii().to_string(),
                want,
                "{input:?}"
            );
        }
    }

    #[test]
    fn quoted_printable_is_lenient() {
        for (input, want) in [
            ("a=3Db=3db", "a=b=b"),
            ("soft=\r\nbreak= \r\nhere=\nend", "softbreakhereend"),
            ("trailing \t\r\nspace  ", "trailing\r\nspace  "),
            ("=XY =4 =", "=XY =4 "),
            ("a\nb\r\n\r\n", "a\nb\r\n\r\n"),
            ("=E9", "\\xe9"),
            ("x=", "x"),
        ] {
            let got = quoted_printable(input.as_bytes())
                .escape_ascii()
                .to_string();
            assert_eq!(
                got,
                want.replace('\r', "\\r").replace('\n', "\\n"),
                "{input:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn base64_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(base64(STANDARD.encode(&bytes).as_bytes()), bytes);
        }

        #[test]
        fn output_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(base64(&bytes).len() <= bytes.len());
            prop_assert!(quoted_printable(&bytes).len() <= bytes.len());
        }
    }
}
