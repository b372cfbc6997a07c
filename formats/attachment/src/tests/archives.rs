//! Names inside archives, passwords, nesting.

use super::build::{self, Zip};
use super::{content, facts, look};

const NAMES: [&str; 2] = ["readme.txt", "folder/setup.exe"];

#[test]
fn every_archive_lists_its_names() {
    let stored: [(&str, &[u8]); 2] = [(NAMES[0], b"text"), (NAMES[1], b"other")];
    let dos = [
        ("README.TXT;1", NAMES[0], &b"text"[..]),
        ("SETUP.EXE;1", NAMES[1], b"other"),
    ];
    for (octets, kind) in [
        (build::zip(&stored), "application/zip"),
        (build::tar(&stored), "application/x-tar"),
        (build::gzip(&build::tar(&stored)), "application/gzip"),
        (
            build::rar_4(&stored.map(|(name, octets)| (name, octets, 0))),
            "application/vnd.rar",
        ),
        (
            build::rar_5(&stored.map(|(name, octets)| (name, octets, false))),
            "application/vnd.rar",
        ),
        (build::seven_zip(&NAMES), "application/x-7z-compressed"),
        (build::cab(&NAMES), "application/vnd.ms-cab-compressed"),
        (build::iso(&dos), "application/x-iso9660-image"),
        (build::tnef(&stored), "application/vnd.ms-tnef"),
    ] {
        let report = content(&octets);
        assert_eq!(report.kind, kind);
        assert_eq!(report.names, NAMES, "{kind}");
        assert_eq!(facts(&report), ["executable_inside"], "{kind}");
    }
}

#[test]
fn programs_inside_are_told_by_content() {
    let program = build::program();
    let stored: [(&str, &[u8]); 1] = [("readme.txt", &program)];
    let short = &program[..100];
    let iso = build::iso(&[("A.TXT;1", "a.txt", &program)]);
    for octets in [
        build::zip(&stored),
        build::tar(&stored),
        build::gzip(&program),
        build::rar_4(&[("a.txt", &program, 0)]),
        build::rar_5(&[("a.txt", short, false)]),
        iso,
        build::tnef(&stored),
    ] {
        let report = content(&octets);
        assert_eq!(facts(&report), ["executable_inside"], "{}", report.kind);
    }
}

#[test]
fn passwords() {
    let aes = build::seven_zip_around(
        b"\x17\x06\x00\x01\x09\x00\x07\x0b\x01\x00\x01\x24\x06\xf1\x07\x01",
    );
    for (octets, expected) in [
        (
            Zip::default().add("a.exe", b"x", 1).done(),
            &["encrypted", "executable_inside"][..],
        ),
        (build::rar_4(&[("a.txt", b"x", 4)]), &["encrypted"]),
        (build::rar_5(&[("a.txt", b"x", true)]), &["encrypted"]),
        (
            b"Rar!\x1a\x07\0\0\0\x73\x80\0\x0d\0\0\0\0\0\0\0xxxx".to_vec(),
            &["encrypted", "unlisted"],
        ),
        (
            b"Rar!\x1a\x07\x01\0\0\0\0\0\x02\x04\0xxx".to_vec(),
            &["encrypted", "unlisted"],
        ),
        (aes, &["encrypted", "unlisted"]),
        (
            build::seven_zip_around(b"\x17\x06\x00\x01\x09\x00"),
            &["unlisted"],
        ),
    ] {
        assert_eq!(facts(&content(&octets)), expected);
    }
}

#[test]
fn nested_archives_are_opened() {
    let inner = build::zip(&[("deep.scr", b"x")]);
    let middle = build::zip(&[("inner.zip", &inner)]);
    let report = content(&build::zip(&[("middle.dat", &middle)]));
    assert_eq!(report.names, ["middle.dat", "inner.zip", "deep.scr"]);
    assert_eq!(facts(&report), ["nested", "executable_inside"]);

    for (octets, name) in [
        (build::gzip(&inner), "a.gz"),
        (build::tar(&[("a.zip", &inner)]), "a.tar"),
        (build::rar_4(&[("a.zip", &inner, 0)]), "a.rar"),
        (
            build::zip(&[("a.iso", &build::iso(&[("X.SCR;1", "x.scr", b"x")]))]),
            "a.zip",
        ),
    ] {
        let expected = ["nested", "executable_inside"];
        assert_eq!(facts(&look(name, "", &octets)), expected, "{name}");
    }
    // A document is no nested archive, though it is a ZIP file; nor is a packed tar.
    let document = build::zip(&[("[Content_Types].xml", b""), ("word/document.xml", b"")]);
    assert!(facts(&content(&build::zip(&[("a.docx", &document)]))).is_empty());
    assert!(facts(&content(&build::gzip(&build::tar(&[("a.txt", b"x")])))).is_empty());
}

#[test]
fn deceptive_names_inside() {
    let report = content(&build::zip(&[("invoice.pdf                .exe", b"x")]));
    assert_eq!(facts(&report), ["double_extension", "executable_inside"]);
    let report = look("invoice.pdf.js.bz2", "", b"BZh91AY&SY");
    assert_eq!(
        facts(&report),
        ["double_extension", "executable_inside", "unlisted"]
    );
    assert_eq!(report.names, ["invoice.pdf.js"]);
}

#[test]
fn zip_directory_is_found() {
    let plain = build::zip(&[("a.exe", b"x")]);
    let junk = [plain.as_slice(), &[b'x'; 70_000]].concat();
    let before = [&[b'x'; 10_000], plain.as_slice()].concat();
    let mut comment = plain.clone();
    let at = comment.len() - 2;
    comment[at..].copy_from_slice(&5_u16.to_le_bytes());
    comment.extend(b"PK\x05\x06!");
    for octets in [&junk, &comment, &before] {
        let report = content(octets);
        assert_eq!(report.names, ["a.exe"]);
        assert_eq!(facts(&report), ["executable_inside"]);
    }
    // Cut off: the local headers tell.
    let report = content(&plain[..plain.len() - 40]);
    assert_eq!(report.names, ["a.exe"]);
    assert_eq!(facts(&report), ["damaged", "executable_inside"]);

    // Two archives, one behind the other: readers disagree which one counts.
    let two = [
        build::zip(&[("hidden.exe", b"x")]),
        build::zip(&[("shown.txt", b"y")]),
    ]
    .concat();
    let report = content(&two);
    assert_eq!(report.names, ["shown.txt", "hidden.exe"]);
    assert_eq!(facts(&report), ["damaged", "executable_inside"]);
}

#[test]
fn zip64_places() {
    let zip = Zip::default().add("a.exe", b"x", 0);
    let (directory, start) = (zip.directory.clone(), zip.locals.len());
    let mut octets = zip.locals;
    octets.extend(&directory);
    let end = octets.len();
    octets.extend(b"PK\x06\x06");
    octets.extend(44_u64.to_le_bytes());
    octets.extend([0; 12]);
    for number in [1, 1, directory.len(), start] {
        octets.extend(u64::try_from(number).unwrap().to_le_bytes());
    }
    octets.extend(b"PK\x06\x07\0\0\0\0");
    octets.extend(u64::try_from(end).unwrap().to_le_bytes());
    octets.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
    octets.extend([0xff; 12]);
    octets.extend(b"\0\0");
    let report = content(&octets);
    assert_eq!(report.names, ["a.exe"]);
    assert_eq!(facts(&report), ["executable_inside"]);
}

#[test]
fn outlook_message_lists_attachments() {
    let name = build::utf16("invoice.js");
    let zip = build::zip(&[("a.exe", b"x")]);
    let octets = build::compound(
        [0; 16],
        &[
            ("__properties_version1.0", b"x"),
            ("__substg1.0_3707001F", &name),
            ("__substg1.0_37010102", &zip),
        ],
    );
    let report = content(&octets);
    assert_eq!(report.names, ["invoice.js", "a.exe"]);
    assert!(report.executable_inside && report.nested);
}
