//! The `relaxed` forms of header fields and bodies (RFC 6376 §3.4.2, §3.4.4).
//!
//! Line breaks are taken as the transport will send them: a lone CR or LF counts as CRLF.

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// RFC 6376 §3.4.2: name in lower case, no white space around the colon or at the end, runs of
/// white space (folding included) as one space. No line break at the end.
pub(super) fn header(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.bytes().map(|b| b.to_ascii_lowercase()));
    out.push(b':');
    let mut space = false;
    let mut empty = true;
    for &octet in value {
        if matches!(octet, b' ' | b'\t' | b'\r' | b'\n') {
            space = true;
            continue;
        }
        if space && !empty {
            out.push(b' ');
        }
        out.push(octet);
        (space, empty) = (false, false);
    }
}

/// RFC 6376 §3.4.4: white space at line ends removed, runs of it as one space, empty lines at the
/// end removed; a body that is not empty ends with CRLF.
pub(super) fn body_hash(body: &[u8]) -> Digest {
    let mut hash = Context::new(&SHA256);
    let mut line = Vec::new();
    let mut empty_lines = 0_usize;
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|b| matches!(b, b'\r' | b'\n'))
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
        relax(text, &mut line);
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..empty_lines {
            hash.update(b"\r\n");
        }
        empty_lines = 0;
        line.extend_from_slice(b"\r\n");
        hash.update(&line);
    }
    hash.finish()
}

fn relax(text: &[u8], line: &mut Vec<u8>) {
    line.clear();
    let mut space = false;
    for &octet in text {
        if matches!(octet, b' ' | b'\t') {
            space = true;
            continue;
        }
        if space {
            line.push(b' ');
            space = false;
        }
        line.push(octet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::digest;

    #[test]
    fn headers_relax() {
        for (name, value, expected) in [
            ("A", &b" X"[..], "a:X"),
            ("B", b" Y\t\r\n\tZ  ", "b:Y Z"),
            ("Subject", b"", "subject:"),
            ("Subject", b" \r\n ", "subject:"),
        ] {
            let mut out = Vec::new();
            header(name, value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn bodies_relax() {
        for (body, expected) in [
            (&b" C \r\nD \t E\r\n\r\n\r\n"[..], &b" C\r\nD E\r\n"[..]),
            (b"", b""),
            (b"\r\n\r\n", b""),
            (b" \t \r\n", b""),
            (b"a", b"a\r\n"),
            (b"a\nb\rc", b"a\r\nb\r\nc\r\n"),
            (b"a\r\n\r\n \r\nb\r\n", b"a\r\n\r\n\r\nb\r\n"),
        ] {
            assert_eq!(
                body_hash(body).as_ref(),
                digest(&SHA256, expected).as_ref(),
                "{body:?}"
            );
        }
    }
}
