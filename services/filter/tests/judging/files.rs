//! Attachments, built here: archives, programs, documents.

use filter::Input;

use crate::house::{Row, ask, parts};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Octets in base64, 76 a line.
pub(crate) fn base64(octets: &[u8]) -> String {
    let mut coded = String::with_capacity(octets.len() * 4 / 3 + octets.len() / 50 + 4);
    for (index, three) in octets.chunks(3).enumerate() {
        if index > 0 && index % 19 == 0 {
            coded.push('\n');
        }
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let sextet = bits >> (18 - 6 * place) & 63;
            coded.push(match place > three.len() {
                true => '=',
                false => char::from(ALPHABET[sextet as usize]),
            });
        }
    }
    coded
}

fn crc32(octets: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &octet in octets {
        crc ^= u32::from(octet);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

fn word(length: usize) -> u32 {
    length.try_into().unwrap()
}

fn half(length: usize) -> u16 {
    length.try_into().unwrap()
}

/// A file in an archive, ready for it.
struct Member<'a> {
    name: &'a str,
    packed: &'a [u8],
    /// Bit 0: encrypted.
    flags: u16,
    method: u16,
    crc: u32,
    size: u32,
}

fn archive(members: &[Member<'_>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        let offset = word(file.len());
        let mut common = Vec::new();
        for number in [20, member.flags, member.method, 0, 0x5c21] {
            common.extend_from_slice(&number.to_le_bytes());
        }
        for number in [member.crc, word(member.packed.len()), member.size] {
            common.extend_from_slice(&number.to_le_bytes());
        }
        common.extend_from_slice(&half(member.name.len()).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&common);
        file.extend_from_slice(member.name.as_bytes());
        file.extend_from_slice(member.packed);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(member.name.as_bytes());
    }
    let (start, length) = (word(file.len()), word(directory.len()));
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        file.extend_from_slice(&half(members.len()).to_le_bytes());
    }
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&start.to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file
}

/// A ZIP archive of stored files: name, content, flags.
pub(crate) fn zip(files: &[(&str, &[u8], u16)]) -> Vec<u8> {
    let members: Vec<Member<'_>> = files
        .iter()
        .map(|&(name, packed, flags)| Member {
            name,
            packed,
            flags,
            method: 0,
            crc: crc32(packed),
            size: word(packed.len()),
        })
        .collect();
    archive(&members)
}

/// Bits as deflate has them: the least significant first.
#[derive(Default)]
struct Bits {
    octets: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for place in 0..count {
            if self.used.is_multiple_of(8) {
                self.octets.push(0);
            }
            let bit = (value >> place & 1) as u8;
            *self.octets.last_mut().unwrap() |= bit << (self.used % 8);
            self.used += 1;
        }
    }
}

/// `1 + 258 * copies` zeros in one block of deflate, 258 in every two bits (RFC 1951 §3.2.7).
fn deflated_zeros(copies: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, dynamic; 286 literals and lengths, 1 distance, 18 lengths of code lengths.
    for (value, count) in [(1, 1), (2, 2), (29, 5), (0, 5), (14, 4)] {
        bits.put(value, count);
    }
    // In the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: 18 has 1 bit, 2 and 1 have 2.
    for place in 0..18 {
        bits.put(
            match place {
                2 => 1,
                15 | 17 => 2,
                _ => 0,
            },
            3,
        );
    }
    let zeros = |bits: &mut Bits, count: u32| {
        bits.put(0, 1);
        bits.put(count - 11, 7);
    };
    // The codes of more than one bit are written most significant bit first: 1 is 10, 2 is 11.
    bits.put(0b11, 2);
    zeros(&mut bits, 138);
    zeros(&mut bits, 117);
    bits.put(0b11, 2);
    zeros(&mut bits, 28);
    bits.put(0b01, 2);
    bits.put(0b01, 2);
    // A zero is 10, the end is 11, a copy of 258 is 0 and its distance of 1 is 0.
    bits.put(0b01, 2);
    for _ in 0..copies {
        bits.put(0, 2);
    }
    bits.put(0b11, 2);
    bits.octets
}

/// An archive that grows a thousandfold.
pub(crate) fn bomb() -> Vec<u8> {
    let copies = 400_000;
    archive(&[Member {
        name: "zeros.txt",
        packed: &deflated_zeros(copies),
        flags: 0,
        method: 8,
        crc: 0,
        size: 1 + 258 * copies,
    }])
}

/// The part that carries a file.
pub(crate) fn attachment(name: &str, kind: &str, octets: &[u8]) -> String {
    format!(
        "Content-Type: {kind}; name=\"{name}\"\n\
         Content-Disposition: attachment; filename=\"{name}\"\n\
         Content-Transfer-Encoding: base64\n\n{}\n",
        base64(octets)
    )
}

/// A message with one file.
pub(crate) fn carries(name: &str, kind: &str, octets: &[u8]) -> Input {
    parts(
        "mixed",
        &[
            "Content-Type: text/plain\n\nHello, the file is here.\n".to_owned(),
            attachment(name, kind, octets),
        ],
    )
}

fn zipped(files: &[(&str, &[u8], u16)]) -> Input {
    carries("files.zip", "application/zip", &zip(files))
}

/// The start of a program for Windows.
fn program() -> Vec<u8> {
    let mut octets = vec![0; 512];
    octets[..2].copy_from_slice(b"MZ");
    octets[0x3c] = 0x80;
    octets[0x80..0x84].copy_from_slice(b"PE\0\0");
    octets
}

const TYPES: &[u8] = b"<?xml version=\"1.0\"?><Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"><Default Extension=\"xml\" ContentType=\"application/xml\"/></Types>";

fn document(name: &str, files: &[(&str, &[u8], u16)]) -> Input {
    let mut all = vec![("[Content_Types].xml", TYPES, 0)];
    all.extend_from_slice(files);
    carries(name, "application/octet-stream", &zip(&all))
}

fn remote() -> Input {
    let relations: &[u8] = b"<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate\" Target=\"https://example.net/t.dotm\" TargetMode=\"External\"/></Relationships>";
    document(
        "letter.docx",
        &[
            ("word/document.xml", b"<w:document/>", 0),
            ("word/_rels/settings.xml.rels", relations, 0),
        ],
    )
}

fn excel(workbook: &[u8]) -> Input {
    document(
        "sums.xlsm",
        &[
            ("xl/workbook.xml", workbook, 0),
            ("xl/macrosheets/sheet1.xml", b"<xm:macrosheet/>", 0),
        ],
    )
}

pub(crate) fn rows() -> Vec<Row> {
    let program = program();
    let inner = zip(&[("a.txt", b"text", 0)]);
    let pdf = |action: &str| {
        let text = format!(
            "%PDF-1.4\n1 0 obj\n<< /Type /Catalog {action} >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
        );
        carries("paper.pdf", "application/pdf", text.as_bytes())
    };
    let bin = "application/octet-stream";
    vec![
        Row("flag = 'attachment.executable'", carries("tool", bin, &program), true),
        Row("flag = 'attachment.executable'", carries("tool.exe", bin, b"x"), true),
        Row("flag = 'attachment.executable'", carries("a.txt", "text/plain", b"MZ is it"), false),
        Row(
            "flag = 'attachment.double_extension'",
            carries("invoice.pdf.exe", bin, &program),
            true,
        ),
        Row(
            "flag = 'attachment.double_extension'",
            carries("archive.tar.gz", bin, b"x"),
            false,
        ),
        Row(
            "flag = 'attachment.mismatch'",
            carries("photo.jpg", "image/jpeg", &program),
            true,
        ),
        Row(
            "flag = 'attachment.mismatch'",
            carries("photo.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
            false,
        ),
        Row("flag = 'attachment.encrypted'", zipped(&[("a.txt", b"secret", 1)]), true),
        Row("flag = 'attachment.encrypted'", zipped(&[("a.txt", b"secret", 0)]), false),
        Row(
            "flag = 'attachment.macro'",
            document("letter.docm", &[
                ("word/document.xml", b"<w:document/>", 0),
                ("word/vbaProject.bin", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0),
            ]),
            true,
        ),
        Row(
            "flag = 'attachment.macro'",
            document("letter.docx", &[("word/document.xml", b"<w:document/>", 0)]),
            false,
        ),
        Row(
            "flag = 'attachment.auto_macro'",
            excel(b"<workbook><definedNames><definedName name=\"_xlnm.Auto_Open\">m!A1</definedName></definedNames></workbook>"),
            true,
        ),
        Row("flag = 'attachment.auto_macro'", excel(b"<workbook/>"), false),
        Row("flag = 'attachment.remote'", remote(), true),
        Row("flag = 'attachment.nested'", zipped(&[("inner.zip", &inner, 0)]), true),
        Row("flag = 'attachment.nested'", zipped(&[("inner.txt", b"text", 0)]), false),
        Row(
            "flag = 'attachment.bomb'",
            carries("big.zip", "application/zip", &bomb()),
            true,
        ),
        Row(
            "flag = 'attachment.bomb'",
            zipped(&[("zeros.txt", &[0; 4_096], 0)]),
            false,
        ),
        Row("flag = 'archive.executable'", zipped(&[("setup.exe", &program, 0)]), true),
        Row("flag = 'archive.executable'", zipped(&[("setup.txt", &program, 0)]), true),
        Row("flag = 'archive.executable'", zipped(&[("setup.txt", b"text", 0)]), false),
        Row(
            "in = 'archive_name', match = '/^setup\\.exe$/'",
            zipped(&[("setup.exe", &program, 0)]),
            true,
        ),
        Row(
            "flag = 'attachment.active_pdf'",
            pdf("/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
            true,
        ),
        Row("flag = 'attachment.active_pdf'", pdf(""), false),
    ]
}

#[tokio::test]
async fn attachments_are_looked_into() {
    ask(rows()).await;
}
