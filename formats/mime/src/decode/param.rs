//! Parameter values: continuations, character sets and percent encoding (RFC 2231).

use std::borrow::Cow;

use super::charset::charset;
use super::{one_line, transfer, words};
use crate::content::{self, Params};

/// The decoded value of the parameter `name` (lower case), on one line without controls.
///
/// `name*` and `name*0…` win over plain `name`, in which encoded words are decoded although RFC 2047
/// §5 forbids them there: many mailers write them.
#[must_use]
pub fn param(params: &Params, name: &str) -> Option<String> {
    if let Some(value) = content::find(params, &format!("{name}*")) {
        let (set, octets) = extended(value);
        return Some(one_line(charset(set, &octets)));
    }
    sections(params, name).or_else(|| content::find(params, name).map(words::header_text))
}

/// RFC 2231 §3, §4.1: `name*0`, `name*1`, … joined in order up to the first gap; those whose name
/// ends in an asterisk are percent-encoded, and the first of them names the charset.
fn sections(params: &Params, name: &str) -> Option<String> {
    let mut found: Vec<(usize, bool, &[u8])> = params
        .iter()
        .filter_map(|(key, value)| {
            let number = key.strip_prefix(name.as_bytes())?.strip_prefix(b"*")?;
            let (number, encoded) = match number.strip_suffix(b"*") {
                Some(number) => (number, true),
                None => (number, false),
            };
            let number = std::str::from_utf8(number).ok()?.parse().ok()?;
            Some((number, encoded, value.as_slice()))
        })
        .collect();
    found.sort_by_key(|&(number, ..)| number);
    found.dedup_by_key(|&mut (number, ..)| number);
    let (mut set, mut octets) = (&[][..], Vec::new());
    let mut count = 0;
    for (number, encoded, value) in found {
        if number != count {
            break;
        }
        match (encoded, number) {
            (true, 0) => {
                let (name, first) = extended(value);
                set = name;
                octets.extend_from_slice(&first);
            }
            (true, _) => octets.extend_from_slice(&percent(value)),
            (false, _) => octets.extend_from_slice(value),
        }
        count += 1;
    }
    (count > 0).then(|| one_line(charset(set, &octets)))
}

/// RFC 2231 §4: `charset "'" language "'" percent-encoded text`; returns charset and octets.
fn extended(value: &[u8]) -> (&[u8], Cow<'_, [u8]>) {
    let mut pieces = value.splitn(3, |&b| b == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(set), Some(_), Some(text)) => (set, percent(text)),
        _ => (&[], percent(value)),
    }
}

/// Undoes `%XX`.
fn percent(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, tail)) = rest.split_first() {
        match rest {
            [b'%', high, low, behind @ ..] if let Some(octet) = transfer::hex(*high, *low) => {
                out.push(octet);
                rest = behind;
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ContentType;

    #[test]
    fn values() {
        for (value, want) in [
            ("name=plain.txt", Some("plain.txt")),
            ("name=\"=?utf-8?q?=C3=A9?=.txt\"", Some("é.txt")),
            ("name*=utf-8'en'%C3%A9.txt; name=x", Some("é.txt")),
            ("name*=iso-8859-1''%E9%zz", Some("é%zz")),
            ("name*1=b; name*0=a; name*3=d", Some("ab")),
            ("name*0*=utf-8''%C3; name*1*=%A9; name*2=%41", Some("é%41")),
            ("name*=bare", Some("bare")),
            ("name*1=late", None),
            ("name*0*=utf-8''a%0D%0Ab", Some("a  b")),
            ("other=x", None),
        ] {
            let content = ContentType::parse(format!("a/b; {value}").as_bytes()).unwrap();
            assert_eq!(param(&content.params, "name").as_deref(), want, "{value}");
        }
    }
}
