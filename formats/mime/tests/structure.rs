//! How messages are split, and that sections are the exact octets (RFC 2046 §5.1, RFC 9051 §6.4.5).

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is a failed test"
)]

use mime::section::{SectionPath, Text, resolve};
use mime::structure::{MAX_DEPTH, MAX_PARTS};
use mime::{Kind, Structure, Summary};
use proptest::prelude::*;

/// One line a part: indentation by depth, type, body size, lines, quoted body of a leaf.
fn show(raw: &[u8]) -> String {
    let structure = Structure::parse(raw);
    check(raw, &Summary::parse(raw));
    let mut depths = vec![0; structure.parts.len()];
    let mut out = String::new();
    for (at, part) in structure.parts.iter().enumerate() {
        for &child in part.children() {
            depths[child as usize] = depths[at] + 1;
        }
        let (media, sub) = (&part.content_type.media, &part.content_type.subtype);
        let body = match part.kind {
            Kind::Leaf => format!(" {:?}", String::from_utf8_lossy(part.body_of(raw))),
            _ => String::new(),
        };
        out += &format!(
            "{}{}/{} {} {}{body}\n",
            "  ".repeat(depths[at]),
            media.escape_ascii(),
            sub.escape_ascii(),
            part.size(),
            part.lines
        );
    }
    out
}

/// What holds for every message.
fn check(raw: &[u8], summary: &Summary) {
    assert_eq!(summary.size as usize, raw.len());
    assert_eq!(summary.structure.check(summary.size), Ok(()));
    assert_eq!(summary.structure.parts[0].body.end as usize, raw.len());
    let bytes = summary.encode();
    assert_eq!(Summary::decode(&bytes).as_ref(), Ok(summary));
    assert_eq!(
        Summary::decode_envelope(&bytes).as_ref(),
        Ok(&summary.envelope)
    );
    for part in &summary.structure.parts {
        let newlines = memchr::memchr_iter(b'\n', part.body_of(raw)).count();
        assert_eq!(part.lines as usize, newlines);
    }
}

const NESTED: &str = "From: user@domain.org\r
Date: Sat, 24 Mar 2007 23:00:00 +0200\r
Mime-Version: 1.0\r
Content-Type: multipart/mixed; boundary=\"foo\r
 bar\"\r
\r
Root prologue\r
\r
--foo bar\r
Content-Type: text/x-own; charset=us-ascii\r
\r
hello\r
\r
--foo bar\r
Content-Type: message/rfc822\r
\r
From: sub@domain.org\r
Subject: sub\r
Content-Type: multipart/alternative; boundary=\"sub1\"\r
\r
Sub prologue\r
--sub1\r
Content-Type: text/html\r
\r
<p>Hello</p>\r
--sub1\r
\r
Hello world\r
\r
--sub1--\r
Sub epilogue\r
\r
--foo bar--\r
Root epilogue\r
";

#[test]
fn nested_message() {
    assert_eq!(
        show(NESTED.as_bytes()),
        "multipart/mixed 360 28\n\
         \x20 text/x-own 7 1 \"hello\\r\\n\"\n\
         \x20 message/rfc822 204 15\n\
         \x20   multipart/alternative 112 11\n\
         \x20     text/html 12 0 \"<p>Hello</p>\"\n\
         \x20     text/plain 13 1 \"Hello world\\r\\n\"\n"
    );
}

fn section(path: &[u32], text: Text) -> Option<String> {
    let raw = NESTED.as_bytes();
    let section = SectionPath {
        parts: path.to_vec(),
        text,
    };
    resolve(raw, &Structure::parse(raw), &section)
        .map(|octets| String::from_utf8(octets.into_owned()).unwrap())
}

#[test]
fn sections_are_exact() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|n| n.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let sub_header = "From: sub@domain.org\r\nSubject: sub\r\n\
        Content-Type: multipart/alternative; boundary=\"sub1\"\r\n\r\n";
    for (path, text, want) in [
        (&[][..], Text::Full, Some(NESTED)),
        (
            &[],
            Text::HeaderFields(names(&["FROM", "x"])),
            Some("From: user@domain.org\r\n\r\n"),
        ),
        (
            &[],
            Text::HeaderFieldsNot(names(&["from", "date", "mime-version"])),
            Some("Content-Type: multipart/mixed; boundary=\"foo\r\n bar\"\r\n\r\n"),
        ),
        (&[], Text::HeaderFields(names(&["none"])), Some("\r\n")),
        (&[], Text::Mime, None),
        (&[1], Text::Full, Some("hello\r\n")),
        (
            &[1],
            Text::Mime,
            Some("Content-Type: text/x-own; charset=us-ascii\r\n\r\n"),
        ),
        (&[1], Text::Header, None),
        (&[1, 1], Text::Full, None),
        (
            &[2],
            Text::Mime,
            Some("Content-Type: message/rfc822\r\n\r\n"),
        ),
        (&[2], Text::Header, Some(sub_header)),
        (
            &[2],
            Text::HeaderFields(names(&["subject"])),
            Some("Subject: sub\r\n\r\n"),
        ),
        (&[2, 1], Text::Full, Some("<p>Hello</p>")),
        (&[2, 1], Text::Mime, Some("Content-Type: text/html\r\n\r\n")),
        (&[2, 2], Text::Full, Some("Hello world\r\n")),
        (&[2, 2], Text::Mime, Some("\r\n")),
        (&[2, 3], Text::Full, None),
        (&[3], Text::Full, None),
        (&[0], Text::Full, None),
        (&[u32::MAX], Text::Full, None),
    ] {
        assert_eq!(
            section(path, text.clone()).as_deref(),
            want,
            "{path:?} {text:?}"
        );
    }
    let body = section(&[], Text::Text).unwrap();
    assert_eq!(section(&[], Text::Header).unwrap() + &body, NESTED);
    let full = section(&[2], Text::Full).unwrap();
    assert_eq!(
        section(&[2], Text::Header).unwrap() + &section(&[2], Text::Text).unwrap(),
        full
    );
    assert!(full.ends_with("--sub1--\r\nSub epilogue\r\n"));
}

#[test]
fn part_one_of_a_plain_message_is_its_body() {
    let raw = b"Subject: x\r\n\r\nbody\r\n";
    let structure = Structure::parse(raw);
    let get = |parts: &[u32], text| {
        resolve(
            raw,
            &structure,
            &SectionPath {
                parts: parts.to_vec(),
                text,
            },
        )
        .map(|octets| octets.into_owned())
    };
    assert_eq!(get(&[1], Text::Full).as_deref(), Some(&b"body\r\n"[..]));
    assert_eq!(
        get(&[1], Text::Mime).as_deref(),
        Some(&b"Subject: x\r\n\r\n"[..])
    );
    assert_eq!(get(&[1, 1], Text::Full), None);
    assert_eq!(get(&[2], Text::Full), None);
}

#[test]
fn a_message_that_is_a_message() {
    let raw = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody";
    let structure = Structure::parse(raw);
    let get = |parts: &[u32], text| {
        resolve(
            raw,
            &structure,
            &SectionPath {
                parts: parts.to_vec(),
                text,
            },
        )
        .map(|octets| octets.into_owned())
    };
    assert_eq!(
        get(&[1], Text::Full).as_deref(),
        Some(&b"Subject: in\r\n\r\nbody"[..])
    );
    assert_eq!(
        get(&[1], Text::Header).as_deref(),
        Some(&b"Subject: in\r\n\r\n"[..])
    );
    assert_eq!(get(&[1, 1], Text::Full).as_deref(), Some(&b"body"[..]));
    assert_eq!(get(&[1, 1, 1], Text::Full), None);
}

#[test]
fn oddities() {
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (name, raw, want) in [
        ("empty", String::new(), "text/plain 0 0 \"\"\n"),
        ("body only", "\r\nx".into(), "text/plain 1 0 \"x\"\n"),
        ("header only", "A: b".into(), "text/plain 0 0 \"\"\n"),
        (
            "no boundary parameter",
            "Content-Type: multipart/mixed\n\na\n".into(),
            "text/plain 2 1 \"a\\n\"\n",
        ),
        (
            "boundary never appears",
            format!("{head}--c\r\n"),
            "text/plain 5 1 \"--c\\r\\n\"\n",
        ),
        (
            "closed at once",
            format!("{head}--b--\r\n"),
            "text/plain 7 1 \"--b--\\r\\n\"\n",
        ),
        (
            "unterminated",
            format!("{head}--b\r\n\r\nx\r\n"),
            "multipart/mixed 10 3\n  text/plain 3 1 \"x\\r\\n\"\n",
        ),
        (
            "bare line feeds",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n".into(),
            "multipart/mixed 13 4\n  text/plain 1 0 \"x\"\n",
        ),
        (
            "padding, and longer words are no delimiters",
            format!("{head}--b \t\r\n\r\nx\r\n--bb\r\n--b c\r\n ---b\r\n--b--  \r\n--b\r\n"),
            "multipart/mixed 46 8\n  text/plain 21 3 \"x\\r\\n--bb\\r\\n--b c\\r\\n ---b\"\n",
        ),
        (
            "empty parts",
            format!("{head}--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--"),
            "multipart/mixed 26 6\n  text/plain 0 0 \"\"\n  text/plain 0 0 \"\"\n  text/plain 0 0 \"\"\n",
        ),
        (
            "header cut short by a delimiter",
            format!("{head}--b\r\nContent-Type: image/png\r\n--b--"),
            "multipart/mixed 35 2\n  image/png 0 0 \"\"\n",
        ),
        (
            "digest",
            "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nTo: a\r\n\r\nx\r\n--b--"
                .into(),
            "multipart/digest 24 5\n  message/rfc822 10 2\n    text/plain 1 0 \"x\"\n",
        ),
        (
            "inner delimiter missing",
            format!(
                "{head}--b\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--"
            ),
            "multipart/mixed 75 9\n  multipart/mixed 8 2\n    text/plain 1 0 \"x\"\n  text/plain 1 0 \"y\"\n",
        ),
        (
            "same boundary twice",
            format!(
                "{head}--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--"
            ),
            "multipart/mixed 82 10\n  multipart/mixed 15 3\n    text/plain 1 0 \"x\"\n  text/plain 1 0 \"y\"\n",
        ),
        (
            "boundary is the prefix of another",
            format!(
                "{head}--b\r\nContent-Type: multipart/mixed; boundary=b--\r\n\r\n--b--\r\n\r\nx\r\n--b----\r\n--b--"
            ),
            "multipart/mixed 78 7\n  multipart/mixed 19 3\n    text/plain 1 0 \"x\"\n",
        ),
        (
            "message cut short by a delimiter",
            format!(
                "{head}--b\r\nContent-Type: message/rfc822\r\n\r\nTo: a\r\n--b\r\nContent-Type: message/rfc822\r\n--b--"
            ),
            "multipart/mixed 84 6\n  message/rfc822 7 1\n    text/plain 0 0 \"\"\n  message/rfc822 0 0\n    text/plain 0 0 \"\"\n",
        ),
    ] {
        assert_eq!(show(raw.as_bytes()), want, "{name}");
    }
}

#[test]
fn described_parts() {
    let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
        Content-Type: Image/PNG; Name=x.png\r\nContent-ID: <1@x>\r\nContent-Description: a\r\n b\r\n\
        Content-Transfer-Encoding: BASE64 (c)\r\nContent-Language: de, en\r\n\
        Content-Disposition: Attachment; filename=\"x y.png\"\r\nContent-Location: http://x/\r\n\
        Content-MD5: Q2hlY2s=\r\nContent-ID: <2@x>\r\n\r\naGk=\r\n--b--";
    let structure = Structure::parse(raw);
    let part = &structure.parts[1];
    assert_eq!(part.content_type.param("name"), Some(&b"x.png"[..]));
    assert!(part.content_type.is("image", "png") && part.is_attachment());
    assert_eq!(part.id.as_deref(), Some(&b"<1@x>"[..]));
    assert_eq!(part.description.as_deref(), Some(&b"a b"[..]));
    assert_eq!(part.encoding, b"base64");
    assert_eq!(part.language, [b"de".to_vec(), b"en".to_vec()]);
    assert_eq!(part.location.as_deref(), Some(&b"http://x/"[..]));
    assert_eq!(part.md5.as_deref(), Some(&b"Q2hlY2s="[..]));
    assert_eq!(mime::decode::filename(part).as_deref(), Some("x y.png"));
    assert_eq!(&*mime::decode::part_bytes(raw, part), b"hi");
    assert_eq!(structure.parts[0].encoding, b"7bit");
    check(raw, &Summary::parse(raw));
}

#[test]
fn searchable_text() {
    let raw = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
        Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        caf=E9\r\n--b\r\nContent-Type: text/html\r\n\r\n<style>x</style><p>th&eacute;</p>\r\n--b--\r\n";
    let text = mime::decode::text(raw);
    assert!(text.starts_with("Subject: Grüße\n"), "{text}");
    assert!(text.contains("café") && text.contains("thé"), "{text}");
    assert!(!text.contains("style"), "{text}");
}

#[test]
fn nesting_bombs() {
    let multiparts: String = (0..10_000)
        .map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"))
        .collect();
    let structure = Structure::parse(multiparts.as_bytes());
    assert_eq!(structure.parts.len(), MAX_DEPTH + 1);
    assert!(
        structure.parts[MAX_DEPTH]
            .content_type
            .is("application", "octet-stream")
    );
    check(
        multiparts.as_bytes(),
        &Summary::parse(multiparts.as_bytes()),
    );

    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(1_000);
    assert_eq!(
        Structure::parse(messages.as_bytes()).parts.len(),
        MAX_DEPTH + 1
    );
    check(messages.as_bytes(), &Summary::parse(messages.as_bytes()));
    assert!(mime::malformed(messages.as_bytes()).contains(&mime::Defect::TooDeep));
}

#[test]
fn part_bombs() {
    let head = "Content-Type: multipart/digest; boundary=b\r\n\r\n";
    for part in [
        "--b\r\n",
        "--b\r\n\r\nTo: a@b\r\n\r\nx\r\n",
        "--b\r\nContent-Type: text/plain\r\n\r\n",
    ] {
        let raw = format!("{head}{}", part.repeat(100_000));
        let summary = Summary::parse(raw.as_bytes());
        assert!(summary.structure.parts.len() <= MAX_PARTS);
        assert!(summary.structure.parts.len() >= MAX_PARTS - 1);
        check(raw.as_bytes(), &summary);
        assert!(mime::malformed(raw.as_bytes()).contains(&mime::Defect::TooManyParts));
    }
}

#[test]
fn prefix_boundaries() {
    let depth = MAX_DEPTH - 1;
    let open: String = (1..=depth)
        .map(|i| {
            format!(
                "Content-Type: multipart/mixed; boundary={0}\r\n\r\n--{0}\r\n",
                "a".repeat(i)
            )
        })
        .collect();
    let raw = format!(
        "{open}\r\nx\r\n{}",
        format!("--{}b\r\n", "a".repeat(2_000)).repeat(2_000)
    );
    let summary = Summary::parse(raw.as_bytes());
    assert_eq!(summary.structure.parts.len(), depth + 1);
    check(raw.as_bytes(), &summary);
}

#[test]
fn address_bombs_survive_the_stored_form() {
    let raw = format!(
        "From: G: {0}\r\nTo: {0}\r\nContent-Type: message/rfc822\r\n\r\nFrom: {0}\r\n\r\n",
        "a@b,".repeat(20_000)
    );
    check(raw.as_bytes(), &Summary::parse(raw.as_bytes()));
}

proptest! {
    #[test]
    fn any_octets(raw in proptest::collection::vec(any::<u8>(), 0..500)) {
        check(&raw, &Summary::parse(&raw));
        let _ = mime::decode::text(&raw);
        let _ = mime::malformed(&raw);
    }

    /// Pieces of messages in any order.
    #[test]
    fn any_pieces(pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let raw: String = pieces.iter().map(|&at| PIECES[at]).collect();
        check(raw.as_bytes(), &Summary::parse(raw.as_bytes()));
        let _ = mime::decode::text(raw.as_bytes());
        let _ = mime::malformed(raw.as_bytes());
    }
}

const PIECES: [&str; 24] = [
    "Content-Type: multipart/mixed; boundary=a\r\n",
    "Content-Type: multipart/digest; boundary=\"a\"\r\n",
    "Content-Type: multipart/mixed; boundary=aa\n",
    "Content-Type: multipart/mixed; boundary=\"a--\"\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: text/html; charset=utf-7\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "From: a@b, G: c@d; (x\r\n",
    "To: \"a",
    "Subject: =?utf-8?b?4pi",
    "References: <a@b>",
    "Date: 1 Jan 1970 00:00\r\n",
    "--a",
    "--a--",
    "--aa",
    "--",
    " ",
    "\r\n",
    "\n",
    "\r\n\r\n",
    "x",
    "<p>&amp;",
    "\0",
];

/// `MIME_CORPUS=<folder> cargo test -p muskox-mime --test structure corpus -- --ignored`
#[test]
#[ignore = "needs a folder of messages in MIME_CORPUS"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test reads its corpus"
)]
fn corpus() {
    let mut folders = vec![std::path::PathBuf::from(
        std::env::var_os("MIME_CORPUS").unwrap(),
    )];
    let mut messages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                messages.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    let mut parts = 0;
    for (_, raw) in &messages {
        let summary = Summary::parse(raw);
        parts += summary.structure.parts.len();
        check(raw, &summary);
        let _ = mime::decode::text(raw);
        let _ = mime::malformed(raw);
    }
    println!("{} messages, {parts} parts hold", messages.len());
    let stored: Vec<_> = messages
        .iter()
        .map(|(_, raw)| Summary::parse(raw).encode())
        .collect();
    let time = |name: &str, run: &dyn Fn()| {
        let start = std::time::Instant::now();
        run();
        let each = start.elapsed() / u32::try_from(messages.len()).unwrap();
        println!("{name}: {each:?} each");
    };
    println!(
        "stored: {} octets each",
        stored.iter().map(Vec::len).sum::<usize>() / stored.len()
    );
    time("parse", &|| {
        messages
            .iter()
            .for_each(|(_, raw)| drop(Summary::parse(raw)))
    });
    time("encode", &|| {
        messages
            .iter()
            .for_each(|(_, raw)| drop(Summary::parse(raw).encode()))
    });
    time("decode", &|| {
        stored.iter().for_each(|b| drop(Summary::decode(b)))
    });
    time("decode_envelope", &|| {
        stored
            .iter()
            .for_each(|b| drop(Summary::decode_envelope(b)))
    });
    time("text", &|| {
        messages
            .iter()
            .for_each(|(_, raw)| drop(mime::decode::text(raw)))
    });
}
