//! Authentication-Results fields that a message brings along and that claim to be ours.
//!
//! RFC 8601 §5: a receiver removes every such field with its own authserv-id, or its readers would
//! take a stranger's word for its own. The reading is generous on purpose: whatever a careless
//! consumer might take for our name counts as our name.

use std::ops::Range;

use smtp::address::Domain;

/// Where the fields stand that claim to be ours, in order.
pub(crate) fn forged(raw: &[u8], authserv_id: &Domain) -> Vec<Range<usize>> {
    mime::header::fields(raw)
        .filter(|field| field.is("authentication-results"))
        .filter(|field| claims(field.value, authserv_id.as_str()))
        .map(|field| field.range)
        .collect()
}

/// RFC 8601 §2.2: `[CFWS] authserv-id [ CFWS authres-version ] …";"`, the identifier being a token
/// or a quoted string.
fn claims(value: &[u8], ours: &str) -> bool {
    let words = words(value);
    let all: String = words.concat();
    let without_version = match words.split_last() {
        Some((last, rest)) if last.bytes().all(|b| b.is_ascii_digit()) => rest.concat(),
        _ => all.clone(),
    };
    let first = words.first().map(String::as_str).unwrap_or_default();
    [all.as_str(), &without_version, first]
        .iter()
        .any(|id| same(id, ours))
}

fn same(id: &str, ours: &str) -> bool {
    let id = id.strip_suffix('.').unwrap_or(id);
    id.eq_ignore_ascii_case(ours) || Domain::parse(id).is_ok_and(|id| id.as_str() == ours)
}

/// The words before the first semicolon: comments, quotes, backslashes and control characters are
/// taken out, white space separates.
fn words(value: &[u8]) -> Vec<String> {
    let mut words = vec![Vec::new()];
    let mut comments = 0_usize;
    let mut escaped = false;
    for &octet in value {
        match octet {
            _ if escaped => {
                escaped = false;
                if comments == 0 {
                    push(&mut words, octet);
                }
            }
            b'\\' => escaped = true,
            b'(' => comments += 1,
            b')' => comments = comments.saturating_sub(1),
            _ if comments > 0 => {}
            b';' => break,
            b' ' | b'\t' => words.push(Vec::new()),
            _ => push(&mut words, octet),
        }
    }
    let texts = words.into_iter().filter(|word| !word.is_empty());
    texts
        .map(|word| String::from_utf8_lossy(&word).into_owned())
        .collect()
}

fn push(words: &mut [Vec<u8>], octet: u8) {
    if let Some(word) = words.last_mut()
        && !octet.is_ascii_control()
        && octet != b'"'
    {
        word.push(octet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_our_name_is_found_and_others_stay() {
        let ours = Domain::parse("mx.example.test").unwrap();
        let cases = [
            ("mx.example.test; spf=pass", true),
            ("MX.Example.TEST;spf=pass", true),
            (" \r\n\tmx.example.test\r\n\t1; none", true),
            ("\"mx.example.test\"; none", true),
            ("(a(b)c) mx.example.test (d); none", true),
            ("mx.(x)example.test; none", true),
            ("mx . example . test 1; none", true),
            ("mx.example.test\0; none", true),
            ("\"mx\\.example.test\"; none", true),
            ("mx.example.test.; none", true),
            ("mx.example.test", true),
            ("mx.example.test spf=pass smtp.mailfrom=a@b", true),
            ("mx.example.test.evil.test; none", false),
            ("other.test; spf=pass smtp.helo=mx.example.test", false),
            ("other.test (mx.example.test); none", false),
            ("", false),
            ("((((((((", false),
        ];
        for (value, expected) in cases {
            let raw = format!("A: b\r\nAuthentication-results : {value}\r\nC: d\r\n\r\nbody");
            let found = forged(raw.as_bytes(), &ours);
            assert_eq!(!found.is_empty(), expected, "{value:?}");
            if let [range] = found.as_slice() {
                let field = &raw[range.clone()];
                assert!(
                    field.starts_with("Auth") && field.ends_with("\r\n"),
                    "{field:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_below_the_header_is_touched() {
        let ours = Domain::parse("mx.example.test").unwrap();
        let raw = b"A: b\r\n\r\nAuthentication-Results: mx.example.test; none\r\n";
        assert_eq!(forged(raw, &ours), Vec::<Range<usize>>::new());
    }
}
