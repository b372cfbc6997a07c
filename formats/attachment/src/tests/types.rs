//! Types by content, names, contradictions.

use super::{build, content, facts, look};
use crate::Class;

/// Content, its media type, its class.
type Row<'a> = (&'a [u8], &'static str, Class);

fn check(rows: &[Row<'_>]) {
    for &(octets, kind, class) in rows {
        let report = content(octets);
        let shown: String = String::from_utf8_lossy(octets).chars().take(40).collect();
        assert_eq!((&*report.kind, report.class), (kind, class), "{shown:?}");
    }
}

#[test]
fn programs_and_containers_by_content() {
    let mut iso = vec![0; 40_000];
    iso[32_769..32_774].copy_from_slice(b"CD001");
    let mut image = vec![0; 512];
    image[0] = 0xeb;
    image[54..57].copy_from_slice(b"FAT");
    image[510..].copy_from_slice(b"\x55\xaa");
    check(&[
        (&b""[..], "application/x-empty", Class::Empty),
        (
            &build::program(),
            "application/vnd.microsoft.portable-executable",
            Class::Executable,
        ),
        (
            b"MZ\x90\0\x03\0\0\0",
            "application/x-dosexec",
            Class::Executable,
        ),
        (b"MZ is not Mozart", "text/plain", Class::Text),
        (
            b"\x7fELF\x02\x01\x01",
            "application/x-elf",
            Class::Executable,
        ),
        (
            b"\xcf\xfa\xed\xfe\x07\0\0\x01",
            "application/x-mach-binary",
            Class::Executable,
        ),
        (
            b"\xca\xfe\xba\xbe\0\0\0\x02",
            "application/x-mach-binary",
            Class::Executable,
        ),
        (
            b"\xca\xfe\xba\xbe\0\0\0\x34",
            "application/java-vm",
            Class::Executable,
        ),
        (b"dex\n035\0", "application/x-dex", Class::Executable),
        (
            b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46",
            "application/x-ms-shortcut",
            Class::Shortcut,
        ),
        (
            b"[InternetShortcut]\r\nURL=http://x.test",
            "application/x-mswinurl",
            Class::Shortcut,
        ),
        (b"#!/bin/sh\necho", "text/x-script", Class::Script),
        (b"#@~^AAAA==", "text/x-encoded-script", Class::Script),
        (b"@Echo Off\r\n", "text/x-msdos-batch", Class::Script),
        (
            b"ITSF\x03\0\0\0",
            "application/vnd.ms-htmlhelp",
            Class::Executable,
        ),
        (b"BZh91AY&SY", "application/x-bzip2", Class::Archive),
        (b"BZh is a word", "text/plain", Class::Text),
        (b"\xfd7zXZ\0", "application/x-xz", Class::Archive),
        (b"\x28\xb5\x2f\xfd", "application/zstd", Class::Archive),
        (
            b"1234567**ACE**",
            "application/x-ace-compressed",
            Class::Archive,
        ),
        (b"\x60\xea\x2b\0", "application/x-arj", Class::Archive),
        (
            b"\x23\x11-lh5-",
            "application/x-lzh-compressed",
            Class::Archive,
        ),
        (&iso, "application/x-iso9660-image", Class::DiskImage),
        (&image, "application/x-raw-disk-image", Class::DiskImage),
        (b"vhdxfile", "application/x-vhdx", Class::DiskImage),
    ]);
}

#[test]
fn documents_media_and_text_by_content() {
    check(&[
        (&b"%PDF-1.7\n"[..], "application/pdf", Class::Pdf),
        (b"junk\n%PDF-1.7\n", "application/pdf", Class::Pdf),
        (b"{\\rtf1 hello}", "text/rtf", Class::Rtf),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg", Class::Image),
        (b"\x89PNG\r\n\x1a\n", "image/png", Class::Image),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", Class::Image),
        (b"\0\0\0\x18ftypmp42", "video/mp4", Class::Video),
        (b"ID3\x03\0", "audio/mpeg", Class::Audio),
        (b"  <!DOCTYPE html><html>", "text/html", Class::Html),
        (b"\xff\xfe<\0h\0t\0m\0l\0>\0", "text/html", Class::Html),
        (
            b"<html><hta:application id=x>",
            "application/hta",
            Class::Executable,
        ),
        (
            b"<?xml version='1.0'?><svg xmlns='x'/>",
            "image/svg+xml",
            Class::Image,
        ),
        (
            b"<?xml version='1.0'?><note/>",
            "application/xml",
            Class::Text,
        ),
        (b"<job><script language=vbs>", "text/html", Class::Html),
        (b"BEGIN:VCALENDAR\r\n", "text/calendar", Class::Calendar),
        (b"BEGIN:VCARD\r\n", "text/vcard", Class::Contact),
        (
            b"Received: from x\r\nSubject: y\r\n\r\nz",
            "message/rfc822",
            Class::Mail,
        ),
        (b"From: is a word\r\n", "text/plain", Class::Text),
        (
            b"-----BEGIN PGP MESSAGE-----",
            "application/pgp-encrypted",
            Class::Encrypted,
        ),
        (
            b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0",
            "application/pkcs7-mime",
            Class::Encrypted,
        ),
        (b"hello\r\n", "text/plain", Class::Text),
        ("gr\u{fc}\u{df}e".as_bytes(), "text/plain", Class::Text),
        (b"\0\x01\x02\x03", "application/octet-stream", Class::Other),
    ]);
}

#[test]
fn containers_are_told_by_what_is_inside() {
    let class = b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
    for (octets, kind) in [
        (build::zip(&[("a.txt", b"a")]), "application/zip"),
        (
            build::zip(&[
                ("[Content_Types].xml", b"<a/>"),
                ("word/document.xml", b"<a/>"),
            ]),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (
            build::zip(&[
                ("[Content_Types].xml", b"<a/>"),
                ("xl/workbook.xml", b"<a/>"),
            ]),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (
            build::zip(&[("mimetype", b"application/vnd.oasis.opendocument.text")]),
            "application/vnd.oasis.opendocument.text",
        ),
        (
            build::zip(&[("META-INF/MANIFEST.MF", b""), ("A.class", b"")]),
            "application/java-archive",
        ),
        (
            build::zip(&[("AndroidManifest.xml", b""), ("classes.dex", b"")]),
            "application/vnd.android.package-archive",
        ),
        (build::compound(*class, &[("x", b"y")]), "application/x-msi"),
        (
            build::compound([0; 16], &[("WordDocument", b"y")]),
            "application/msword",
        ),
        (
            build::compound([0; 16], &[("__properties_version1.0", b"y")]),
            "application/vnd.ms-outlook",
        ),
        (build::tar(&[("a", b"b")]), "application/x-tar"),
    ] {
        assert_eq!(content(&octets).kind, kind);
    }
}

#[test]
fn names_and_contradictions() {
    let program = build::program();
    let zip = build::zip(&[("a.txt", b"a")]);
    let rar = build::rar_4(&[("a.txt", b"a", 0)]);
    let locked = build::compound([0; 16], &[("EncryptedPackage", b"x")]);
    let old = build::compound([0; 16], &[("WordDocument", b"x")]);
    let html = &b"<html><body>sign in</body></html>"[..];
    let jpeg = &b"\xff\xd8\xff\xe0\0\x10JFIF"[..];
    let octets = "application/octet-stream";
    for (name, declared, bytes, expected) in [
        (
            "a.exe",
            octets,
            program.as_slice(),
            &["executable", "dangerous_name"][..],
        ),
        (
            "invoice.pdf.exe",
            octets,
            &program,
            &["executable", "dangerous_name", "double_extension"],
        ),
        ("photo.jpg", octets, &program, &["executable", "mismatch"]),
        ("photo", "image/jpeg", &program, &["executable", "mismatch"]),
        ("a.txt", "text/plain", &program, &["executable", "mismatch"]),
        (
            "a.sh",
            "text/plain",
            b"#!/bin/sh\n",
            &["executable", "dangerous_name"],
        ),
        ("a.pdf", "application/pdf", html, &["mismatch"]),
        ("a.pdf", octets, &zip, &["mismatch"]),
        ("a.png", "image/png", jpeg, &[]),
        ("a.txt", "text/plain", jpeg, &[]),
        ("a.html", "text/plain", html, &[]),
        ("a.xls", "application/vnd.ms-excel", html, &[]),
        ("a.docx", octets, &old, &["mismatch"]),
        ("a.docx", octets, &locked, &["encrypted"]),
        ("a.doc", "application/msword", b"{\\rtf1 }", &[]),
        ("a.docx", octets, b"{\\rtf1 }", &["mismatch"]),
        ("a.zip", "application/zip", &rar, &["mismatch"]),
        ("a.zip", octets, &zip, &[]),
        ("a.zip", "image/png", &zip, &["mismatch"]),
        (
            "photo\u{202e}gpj.bin",
            octets,
            b"\0\x01",
            &["dangerous_name", "double_extension"],
        ),
        (
            "a.svg",
            "image/svg+xml",
            b"<svg onload='x()'/>",
            &["scripted"],
        ),
        (
            "a.svg",
            "image/svg+xml",
            b"<svg><path d='on=1'/></svg>",
            &[],
        ),
        ("a.html", "text/html", b"<html><SCRIPT>", &["scripted"]),
        (
            "a.html",
            "text/html",
            b"<html><a href=\"javascript:x\">",
            &["scripted"],
        ),
    ] {
        assert_eq!(
            facts(&look(name, declared, bytes)),
            expected,
            "{name:?} {declared}"
        );
    }
}
