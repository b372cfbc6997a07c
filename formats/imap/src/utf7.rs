//! Modified UTF-7, the form in which IMAP4rev1 writes mailbox names (RFC 3501 §5.1.3).
//!
//! Decoding is strict: each name has exactly one form, and every other one is refused, so that two
//! spellings never stand for one mailbox.

/// The alphabet of RFC 3501 §5.1.3: base64 with "," for "/".
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Printable ASCII stands for itself, `&` is `&-`, all else is UTF-16 in `&…-`.
pub(crate) fn encode(name: &str, out: &mut Vec<u8>) {
    let mut shifted: Vec<u8> = Vec::new();
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            end_shift(&mut shifted, out);
            out.extend(character.to_string().bytes());
            if character == '&' {
                out.push(b'-');
            }
        } else {
            let mut units = [0_u16; 2];
            for unit in character.encode_utf16(&mut units) {
                shifted.extend(unit.to_be_bytes());
            }
        }
    }
    end_shift(&mut shifted, out);
}

/// Writes the UTF-16 gathered so far as `&…-`.
fn end_shift(shifted: &mut Vec<u8>, out: &mut Vec<u8>) {
    if shifted.is_empty() {
        return;
    }
    out.push(b'&');
    for chunk in shifted.chunks(3) {
        let (mut bits, mut count) = (0_u32, 0_u32);
        for byte in chunk {
            bits = bits << 8 | u32::from(*byte);
            count += 8;
        }
        // Pad with zero bits to whole digits of six bits; no "=" in this encoding.
        let digits = count.div_ceil(6);
        bits <<= digits * 6 - count;
        for digit in (0..digits).rev() {
            let value = (bits >> (digit * 6)) & 0x3f;
            let symbol = usize::try_from(value)
                .ok()
                .and_then(|index| ALPHABET.get(index));
            out.extend(symbol);
        }
    }
    out.push(b'-');
    shifted.clear();
}

/// The name written in `bytes`, or `None` when they are not the canonical form of any.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let mut name = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match *first {
            b'&' => {
                let end = memchr::memchr(b'-', after)?;
                let (digits, tail) = after.split_at(end);
                if digits.is_empty() {
                    name.push('&');
                } else {
                    decode_shift(digits, &mut name)?;
                }
                rest = tail.get(1..)?;
            }
            plain @ 0x20..=0x7e => {
                name.push(char::from(plain));
                rest = after;
            }
            _ => return None,
        }
    }
    // Excludes needless shifts, split shifts and stray padding bits at once.
    let mut canonical = Vec::with_capacity(bytes.len());
    encode(&name, &mut canonical);
    (canonical == bytes).then_some(name)
}

fn decode_shift(digits: &[u8], name: &mut String) -> Option<()> {
    let mut units: Vec<u16> = Vec::with_capacity(digits.len() / 2);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in digits {
        let value = ALPHABET.iter().position(|symbol| symbol == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xffff).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    for character in char::decode_utf16(units) {
        name.push(character.ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_pairs() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("R&D", "R&-D"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("é", "&AOk-"),
            ("éé", "&AOkA6Q-"),
            ("😀", "&2D3eAA-"),
            ("&é", "&-&AOk-"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            encode(name, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for wire in [
            "R&D",
            "&",
            "&AOk",
            "&AGE-",
            "&AOk-&AOk-",
            "&AOl-",
            "&A-",
            "&2D0-",
            "&3gDYPQ-",
            "&AO/k-",
            "é",
            "a\u{7f}",
            "a\tb",
            "&AOk=-",
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(name in any::<String>()) {
            let mut wire = Vec::new();
            encode(&name, &mut wire);
            prop_assert!(wire.iter().all(|b| matches!(b, 0x20..=0x7e)));
            prop_assert_eq!(decode(&wire), Some(name));
        }

        #[test]
        fn what_decodes_is_canonical(wire in "[&a-c,+A-C-]{0,12}") {
            if let Some(name) = decode(wire.as_bytes()) {
                let mut again = Vec::new();
                encode(&name, &mut again);
                prop_assert_eq!(again, wire.into_bytes());
            }
        }
    }
}
