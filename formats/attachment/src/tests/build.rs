//! Builders of fixtures: containers with as little as their readers need.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A ZIP archive in the making.
#[derive(Default)]
pub(crate) struct Zip {
    pub(crate) locals: Vec<u8>,
    pub(crate) directory: Vec<u8>,
    pub(crate) number: u16,
}

impl Zip {
    pub(crate) fn add(mut self, name: &str, content: &[u8], flags: u16) -> Self {
        let packed = deflate(content);
        let at = u32::try_from(self.locals.len()).unwrap();
        let sizes = [packed.len(), content.len()].map(|size| u32::try_from(size).unwrap());
        let length = u16::try_from(name.len()).unwrap();
        self.locals.extend(b"PK\x03\x04\x14\0");
        self.locals.extend(flags.to_le_bytes());
        self.locals.extend(b"\x08\0\0\0\0\0\0\0\0\0");
        self.locals.extend(sizes.map(u32::to_le_bytes).concat());
        self.locals.extend(length.to_le_bytes());
        self.locals.extend(b"\0\0");
        self.locals.extend(name.as_bytes());
        self.locals.extend(packed);
        self.entry(name, flags, sizes, at)
    }

    /// An entry of the directory alone.
    pub(crate) fn entry(mut self, name: &str, flags: u16, sizes: [u32; 2], at: u32) -> Self {
        let length = u16::try_from(name.len()).unwrap();
        self.directory.extend(b"PK\x01\x02\x14\0\x14\0");
        self.directory.extend(flags.to_le_bytes());
        self.directory.extend(b"\x08\0\0\0\0\0\0\0\0\0");
        self.directory.extend(sizes.map(u32::to_le_bytes).concat());
        self.directory.extend(length.to_le_bytes());
        self.directory.extend([0; 12]);
        self.directory.extend(at.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.number += 1;
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        let at = u32::try_from(self.locals.len()).unwrap();
        let size = u32::try_from(self.directory.len()).unwrap();
        let mut out = self.locals;
        out.extend(self.directory);
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend(self.number.to_le_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(at.to_le_bytes());
        out.extend(b"\0\0");
        out
    }
}

pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    entries
        .iter()
        .fold(Zip::default(), |zip, (name, content)| {
            zip.add(name, content, 0)
        })
        .done()
}

pub(crate) fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in entries {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        out.extend(header);
        out.extend(*content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A RAR 4 archive of stored files; flag 4 is that of encryption.
pub(crate) fn rar_4(entries: &[(&str, &[u8], u16)]) -> Vec<u8> {
    let mut out = b"Rar!\x1a\x07\0".to_vec();
    out.extend(b"\0\0\x73\0\0\x0d\0\0\0\0\0\0\0");
    for (name, content, flags) in entries {
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        out.extend(b"\0\0\x74");
        out.extend((flags | 0x8000).to_le_bytes());
        out.extend(u16::try_from(32 + name.len()).unwrap().to_le_bytes());
        out.extend(size);
        out.extend(size);
        out.extend(b"\x02\0\0\0\0\0\0\0\0\x14\x30");
        out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        out.extend([0; 4]);
        out.extend(name.as_bytes());
        out.extend(*content);
    }
    out.extend(b"\0\0\x7b\0\0\x07\0");
    out
}

/// A RAR 5 archive of stored files, with a record of encryption if so wished.
pub(crate) fn rar_5(entries: &[(&str, &[u8], bool)]) -> Vec<u8> {
    fn block(content: &[u8], data: &[u8]) -> Vec<u8> {
        let size = u8::try_from(content.len()).unwrap();
        assert!(size < 128);
        [&[0; 4], &[size][..], content, data].concat()
    }
    let mut out = b"Rar!\x1a\x07\x01\0".to_vec();
    out.extend(block(&[1, 0, 0], &[]));
    for (name, content, encrypted) in entries {
        let extra: &[u8] = if *encrypted { &[2, 1, 0] } else { &[] };
        let size = u8::try_from(content.len()).unwrap();
        let name_size = u8::try_from(name.len()).unwrap();
        let mut header = vec![2, 3, u8::try_from(extra.len()).unwrap(), size];
        header.extend([0, size, 0, 0, 1, name_size]);
        header.extend(name.as_bytes());
        header.extend(extra);
        out.extend(block(&header, content));
    }
    out.extend(block(&[5, 0, 0], &[]));
    out
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A 7z archive of empty files with a plain header.
pub(crate) fn seven_zip(names: &[&str]) -> Vec<u8> {
    let wide: Vec<u8> = names
        .iter()
        .flat_map(|name| utf16(&format!("{name}\0")))
        .collect();
    let number = u8::try_from(names.len()).unwrap();
    let mut header = vec![1, 5, number, 0x11, u8::try_from(wide.len() + 1).unwrap(), 0];
    header.extend(wide);
    header.extend([0, 0]);
    seven_zip_around(&header)
}

pub(crate) fn seven_zip_around(header: &[u8]) -> Vec<u8> {
    let mut out = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0".to_vec();
    out.extend(0_u64.to_le_bytes());
    out.extend(u64::try_from(header.len()).unwrap().to_le_bytes());
    out.extend([0; 4]);
    out.extend(header);
    out
}

pub(crate) fn cab(names: &[&str]) -> Vec<u8> {
    let mut out = b"MSCF\0\0\0\0".to_vec();
    out.resize(16, 0);
    out.extend(36_u32.to_le_bytes());
    out.resize(28, 0);
    out.extend(u16::try_from(names.len()).unwrap().to_le_bytes());
    out.resize(36, 0);
    for name in names {
        out.extend([0; 16]);
        out.extend(name.as_bytes());
        out.push(0);
    }
    out
}

/// An image with one directory, under its primary and Joliet names.
pub(crate) fn iso(files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    fn record(name: &[u8], sector: u32, size: usize, flags: u8) -> Vec<u8> {
        let length = (33 + name.len()).next_multiple_of(2);
        let mut out = vec![0_u8; length];
        out[0] = u8::try_from(length).unwrap();
        out[2..6].copy_from_slice(&sector.to_le_bytes());
        out[10..14].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        out[25] = flags;
        out[32] = u8::try_from(name.len()).unwrap();
        out[33..33 + name.len()].copy_from_slice(name);
        out
    }
    let mut out = vec![0_u8; 20 * 2048];
    for (sector, kind, directory) in [(16_usize, 1_u8, 19_u32), (17, 2, 20), (18, 255, 0)] {
        let at = sector * 2048;
        out[at] = kind;
        out[at + 1..at + 6].copy_from_slice(b"CD001");
        if kind == 2 {
            out[at + 88..at + 91].copy_from_slice(b"%/E");
        }
        let root = record(&[0], directory, 2048, 2);
        out[at + 156..at + 156 + root.len()].copy_from_slice(&root);
    }
    out.resize(21 * 2048, 0);
    let (mut primary, mut joliet) = (19 * 2048, 20 * 2048);
    for (short, long, content) in files {
        let sector = u32::try_from(out.len() / 2048).unwrap();
        let wide: Vec<u8> = long.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (at, name) in [(&mut primary, short.as_bytes()), (&mut joliet, &wide)] {
            let record = record(name, sector, content.len(), 0);
            out[*at..*at + record.len()].copy_from_slice(&record);
            *at += record.len();
        }
        out.extend(*content);
        out.resize(out.len().next_multiple_of(2048), 0);
    }
    out
}

pub(crate) fn tnef(attachments: &[(&str, &[u8])]) -> Vec<u8> {
    fn attribute(id: u32, content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&[2][..], &id.to_le_bytes(), &size, content, &[0, 0]].concat()
    }
    let mut out = b"\x78\x9f\x3e\x22\x01\0".to_vec();
    for (name, content) in attachments {
        out.extend(attribute(0x0006_9002, &[0; 14]));
        out.extend(attribute(0x0001_8010, format!("{name}\0").as_bytes()));
        out.extend(attribute(0x0006_800f, content));
    }
    out
}

/// A compound file: a root with a class, and streams in no storages.
pub(crate) fn compound(class: [u8; 16], streams: &[(&str, &[u8])]) -> Vec<u8> {
    const END: u32 = 0xffff_fffe;
    let mut table: Vec<u32> = vec![0xffff_fffd];
    let mut sectors = vec![0_u8; 512];
    let mut lay = |content: &[u8]| -> u32 {
        if content.is_empty() {
            return END;
        }
        let start = u32::try_from(table.len()).unwrap();
        let count = u32::try_from(content.len().div_ceil(512)).unwrap();
        table.extend((1..count).map(|number| start + number));
        table.push(END);
        sectors.extend(content);
        sectors.resize(sectors.len().next_multiple_of(512), 0);
        start
    };
    let (mut small, mut small_table) = (Vec::new(), Vec::<u32>::new());
    let mut places = Vec::new();
    for (_, content) in streams {
        if content.len() >= 4096 {
            places.push(lay(content));
            continue;
        }
        let start = u32::try_from(small_table.len()).unwrap();
        let count = u32::try_from(content.len().div_ceil(64)).unwrap();
        small_table.extend((1..count).map(|number| start + number));
        small_table.push(END);
        small.extend(*content);
        small.resize(small_table.len() * 64, 0);
        places.push(start);
    }
    let node = |name: &str, kind: u8, class: [u8; 16], start: u32, size: usize| {
        let mut out = vec![0_u8; 128];
        let wide = utf16(name);
        out[..wide.len()].copy_from_slice(&wide);
        out[64] = u8::try_from(wide.len() + 2).unwrap();
        out[66] = kind;
        out[80..96].copy_from_slice(&class);
        out[116..120].copy_from_slice(&start.to_le_bytes());
        out[120..124].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        out
    };
    let mut directory = node("Root Entry", 5, class, lay(&small), small.len());
    for ((name, content), place) in streams.iter().zip(places) {
        directory.extend(node(name, 2, [0; 16], place, content.len()));
    }
    let small_octets: Vec<u8> = small_table
        .iter()
        .flat_map(|next| next.to_le_bytes())
        .collect();
    let small_start = lay(&small_octets);
    let directory_start = lay(&directory);
    assert!(table.len() <= 128, "one sector of the table");
    table.resize(128, u32::MAX);
    let octets: Vec<u8> = table.iter().flat_map(|next| next.to_le_bytes()).collect();
    sectors[..512].copy_from_slice(&octets);

    let mut header = vec![0_u8; 512];
    header[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    header[26] = 3;
    header[30] = 9;
    header[32] = 6;
    header[48..52].copy_from_slice(&directory_start.to_le_bytes());
    header[56..60].copy_from_slice(&4096_u32.to_le_bytes());
    header[60..64].copy_from_slice(&small_start.to_le_bytes());
    header[68..72].copy_from_slice(&END.to_le_bytes());
    header[76..].fill(0xff);
    header[76..80].copy_from_slice(&0_u32.to_le_bytes());
    [header, sectors].concat()
}

/// A container of macro source, of literals only.
pub(crate) fn pack(source: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for eight in source.chunks(8) {
        data.push(0);
        data.extend(eight);
    }
    let size = u16::try_from(data.len() - 1).unwrap();
    assert!(size < 4096);
    [&[1][..], &(size | 0xb000).to_le_bytes(), &data].concat()
}

/// A project with one module, whose source begins behind some octets of code.
pub(crate) fn project(source: &str) -> Vec<(&'static str, Vec<u8>)> {
    let record = |id: u16, content: &[u8]| {
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&id.to_le_bytes()[..], &size, content].concat()
    };
    let mut version = record(9, &[0; 6]);
    version[2] = 4;
    let directory = [
        record(1, &[1, 0, 0, 0]),
        version,
        record(0x19, b"Module1"),
        record(0x1a, b"Module1"),
        record(0x32, &utf16("Module1")),
        record(0x31, &11_u32.to_le_bytes()),
        record(0x2b, &[]),
    ]
    .concat();
    let source = format!("Attribute VB_Name = \"Module1\"\r\n{source}");
    let module = [&b"p-code here"[..], &pack(source.as_bytes())].concat();
    vec![
        ("dir", pack(&directory)),
        ("Module1", module),
        ("_VBA_PROJECT", b"\xcc\x61\xff\xff\0\0".to_vec()),
    ]
}

pub(crate) fn with_project(source: &str, streams: &[(&str, &[u8])]) -> Vec<u8> {
    let project = project(source);
    let mut all: Vec<(&str, &[u8])> = streams.to_vec();
    all.extend(
        project
            .iter()
            .map(|(name, content)| (*name, content.as_slice())),
    );
    compound([0; 16], &all)
}

/// The beginning of a Windows program.
pub(crate) fn program() -> Vec<u8> {
    let mut out = vec![0_u8; 256];
    out[..2].copy_from_slice(b"MZ");
    out[0x3c] = 0x80;
    out[0x80..0x84].copy_from_slice(b"PE\0\0");
    out
}

/// A package as OLE embeds it.
pub(crate) fn package(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, 2, 0];
    out.extend(name.as_bytes());
    out.extend(b"\0C:\\x\0\0\0\x03\0\x02\0\0\0x\0");
    out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    out.extend(content);
    out
}

/// A record of a Workbook stream.
pub(crate) fn record(kind: u16, content: &[u8]) -> Vec<u8> {
    let size = u16::try_from(content.len()).unwrap();
    [&kind.to_le_bytes()[..], &size.to_le_bytes(), content].concat()
}
