//! \[MS-OVBA\] 2.4.1: unpacking the containers in which macro source is kept, and 2.3.4.2: the list
//! of modules.

use crate::bytes::{from, head, le16, le32, offset32, span, text};

/// Octets of an unpacked chunk.
const CHUNK: usize = 4096;
/// Modules of a project.
const MAX_MODULES: usize = 1024;

/// Unpacks a container, at most `cap` octets; none when it does not begin like one.
pub(crate) fn unpack(container: &[u8], cap: usize) -> Option<Vec<u8>> {
    let (&signature, mut rest) = container.split_first()?;
    if signature != 1 {
        return None;
    }
    let mut out = Vec::new();
    while let Some(header) = le16(rest, 0) {
        if (header >> 12) & 7 != 3 || out.len() >= cap {
            break;
        }
        let size = usize::from(header & 0x0fff) + 3;
        let data = from(head(rest, size), 2);
        if header & 0x8000 == 0 {
            out.extend_from_slice(head(data, CHUNK));
            // A raw chunk is always of full length, whatever its size says.
            rest = from(rest, size.max(2));
            continue;
        }
        if chunk(data, &mut out).is_none() {
            break;
        }
        rest = from(rest, size);
    }
    out.truncate(cap);
    (!out.is_empty()).then_some(out)
}

/// §2.4.1.3.5: literal octets and copies from before, eight to a flag octet. None when the chunk is
/// invalid; what was unpacked until then is kept.
fn chunk(mut data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    while let Some((&flags, rest)) = data.split_first() {
        data = rest;
        for bit in 0..8 {
            if data.is_empty() || out.len() - start >= CHUNK {
                return Some(());
            }
            if flags & (1 << bit) == 0 {
                let (&literal, rest) = data.split_first()?;
                out.push(literal);
                data = rest;
                continue;
            }
            let token = le16(data, 0)?;
            data = from(data, 2);
            let done = out.len() - start;
            let bits = offset_bits(done);
            let mask = 0xffff_u16 >> bits;
            let length = usize::from(token & mask) + 3;
            let back = usize::from(token >> (16 - bits)) + 1;
            if back > done {
                return None;
            }
            for _ in 0..length.min(CHUNK - done) {
                let octet = *out.get(out.len() - back)?;
                out.push(octet);
            }
        }
    }
    Some(())
}

/// §2.4.1.3.19.1: how many bits of a copy token are its offset.
fn offset_bits(done: usize) -> u32 {
    let mut bits = 4;
    while bits < 12 && 1_usize << bits < done {
        bits += 1;
    }
    bits
}

/// A module: the stream it lies in, and where its packed source begins there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) stream: String,
    pub(crate) offset: usize,
}

/// Reads the modules from the unpacked `dir` stream.
pub(crate) fn modules(directory: &[u8]) -> Vec<Module> {
    const STREAM_NAME: u16 = 0x1a;
    const STREAM_NAME_WIDE: u16 = 0x32;
    const OFFSET: u16 = 0x31;
    const VERSION: u16 = 0x09;
    let mut modules = Vec::new();
    let mut stream = String::new();
    let mut rest = directory;
    while let Some((id, size)) = le16(rest, 0).zip(offset32(rest, 2)) {
        // §2.3.4.2.1.11: this record is two octets longer than it says.
        let size = if id == VERSION { 6 } else { size };
        let Some(data) = span(rest, 6, size) else {
            break;
        };
        match id {
            STREAM_NAME => stream = text(data),
            STREAM_NAME_WIDE if !data.is_empty() => stream = crate::bytes::utf16(data),
            OFFSET => {
                if modules.len() >= MAX_MODULES {
                    break;
                }
                modules.push(Module {
                    stream: std::mem::take(&mut stream),
                    offset: le32(data, 0).map_or(0, crate::bytes::wide),
                });
            }
            _ => {}
        }
        rest = from(rest, size.saturating_add(6));
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// \[MS-OVBA\] 3.2: the examples of the specification.
    #[test]
    fn specification_examples() {
        let plain = b"\x01\x19\xb0\0abcdefgh\0ijklmnop\0qrstuv.";
        assert_eq!(unpack(plain, 99).unwrap(), b"abcdefghijklmnopqrstuv.");
        let normal = b"\x01\x2f\xb0\x00\x23\x61\x61\x61\x62\x63\x64\x65\x82\x66\x00\x70\x61\x67\x68\
            \x69\x6a\x01\x38\x08\x61\x6b\x6c\x00\x30\x6d\x6e\x6f\x70\x06\x71\x02\x70\x04\x10\x72\x73\
            \x74\x75\x76\x10\x77\x78\x79\x7a\x00\x3c";
        assert_eq!(
            unpack(normal, 999).unwrap(),
            b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa"
        );
        let most = b"\x01\x03\xb0\x02\x61\x45\x00";
        assert_eq!(unpack(most, 999).unwrap(), vec![b'a'; 73]);
    }

    #[test]
    fn caps_and_garbage() {
        assert_eq!(
            unpack(b"\x01\x03\xb0\x02\x61\x45\x00", 5).unwrap(),
            b"aaaaa"
        );
        for garbage in [
            &b""[..],
            b"\x02\x03\xb0",
            b"\x01",
            b"\x01\x03\xb0\x01\xff\xff\xff",
        ] {
            assert_eq!(unpack(garbage, 999), None);
        }
    }

    #[test]
    fn bits_of_offsets() {
        for (done, bits) in [
            (1, 4),
            (16, 4),
            (17, 5),
            (32, 5),
            (33, 6),
            (2048, 11),
            (4096, 12),
        ] {
            assert_eq!(offset_bits(done), bits, "{done}");
        }
    }
}
