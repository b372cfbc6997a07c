//! FETCH: items, sections, partials, \Seen, damage.

use super::{Fixture, SMALL};

const NESTED: &str = "From: \"Ann B.\" <ann@example.org>\r\nTo: Group: bob@example.org;\r\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n--b\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
    gr\u{fc}\u{df}e\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; \
    filename=\"a.eml\"\r\n\r\nFrom: x@example.net\r\nSubject: inner\r\n\r\ninner body\r\n\r\n\
    --b--\r\n";

#[tokio::test]
async fn items_of_a_simple_message() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL]).await;
    client.ok("STORE 1 FLAGS (\\Seen)").await;
    let envelope = "ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800\" \"Hello\" ((\"Ann\" NIL \"ann\" \
        \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \
        \"example.org\")) ((NIL NIL \"bob\" \"example.org\")) NIL NIL NIL \"<1@example.org>\")";
    assert_eq!(
        client.ok("FETCH 1 ENVELOPE").await,
        [format!("* 1 FETCH ({envelope})")]
    );
    let body = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 1";
    assert_eq!(
        client.ok("FETCH 1 BODY").await,
        [format!("* 1 FETCH (BODY {body}))")]
    );
    assert_eq!(
        client.ok("FETCH 1 BODYSTRUCTURE").await,
        [format!("* 1 FETCH (BODYSTRUCTURE {body} NIL NIL NIL NIL))")]
    );
    let size = SMALL.len();
    let all = client.ok("FETCH 1 ALL").await;
    assert!(
        all[0].starts_with("* 1 FETCH (FLAGS (\\Seen) INTERNALDATE \""),
        "{all:?}"
    );
    assert!(
        all[0].ends_with(&format!("\" RFC822.SIZE {size} {envelope})")),
        "{all:?}"
    );
    let full = client.ok("FETCH 1 FULL").await;
    assert!(
        full[0].ends_with(&format!("{envelope} BODY {body}))")),
        "{full:?}"
    );
    // The same thing twice is answered once.
    assert_eq!(
        client.ok("FETCH 1 (UID UID RFC822.SIZE RFC822.SIZE)").await,
        [format!("* 1 FETCH (UID 1 RFC822.SIZE {size})")]
    );
}

#[tokio::test]
async fn sections() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[NESTED]).await;
    for (item, expected) in [
        ("BODY.PEEK[1]", Some("gr\u{fc}\u{df}e")),
        (
            "BODY.PEEK[1.MIME]",
            Some(
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            ),
        ),
        (
            "BODY.PEEK[2.HEADER]",
            Some("From: x@example.net\r\nSubject: inner\r\n\r\n"),
        ),
        ("BODY.PEEK[2.TEXT]", Some("inner body\r\n")),
        ("BODY.PEEK[2.1]", Some("inner body\r\n")),
        (
            "BODY.PEEK[2.HEADER.FIELDS (subject)]",
            Some("Subject: inner\r\n\r\n"),
        ),
        (
            "BODY.PEEK[HEADER.FIELDS (DATE mime-version)]",
            Some("Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMIME-Version: 1.0\r\n\r\n"),
        ),
        ("BODY.PEEK[HEADER.FIELDS (X-None)]", Some("\r\n")),
        ("BODY.PEEK[3]", None),
        ("BODY.PEEK[1.HEADER]", None),
        ("BODY.PEEK[1]<2.2>", Some("\u{fc}")),
        ("BODY.PEEK[1]<100.5>", Some("")),
    ] {
        let name = item.replace("BODY.PEEK", "BODY");
        let name = match name.split_once('<') {
            Some((section, partial)) => {
                format!("{section}<{}>", partial.split_once('.').unwrap().0)
            }
            None => name,
        };
        let value = match expected {
            Some("") => "\"\"".to_owned(),
            Some(text) => format!("{{{}}}\r\n{text}", text.len()),
            None => "NIL".to_owned(),
        };
        let fetched = client.ok(&format!("FETCH 1 {item}")).await;
        let value = match fetched[0].contains(" {0}\r\n") {
            true => "{0}\r\n".to_owned(),
            false => value,
        };
        assert_eq!(fetched, [format!("* 1 FETCH ({name} {value})")], "{item}");
    }
    let header = NESTED.split_once("preamble").unwrap().0;
    let header_not = client
        .ok("FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (from to subject date)]")
        .await;
    assert!(header_not[0].contains("\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed"));
    let old = client.ok("FETCH 1 (RFC822.HEADER)").await;
    assert_eq!(
        old,
        [format!(
            "* 1 FETCH (RFC822.HEADER {{{}}}\r\n{header})",
            header.len()
        )]
    );
    assert_eq!(client.ok("FETCH 1 FLAGS").await, ["* 1 FETCH (FLAGS ())"]);
}

#[tokio::test]
async fn structures_nest() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[NESTED]).await;
    let fetched = client.ok("FETCH 1 BODYSTRUCTURE").await;
    assert_eq!(
        fetched,
        [
            "* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"8bit\" 7 \
          0 NIL NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 51 (NIL \"inner\" ((NIL \
          NIL \"x\" \"example.net\")) ((NIL NIL \"x\" \"example.net\")) ((NIL NIL \"x\" \
          \"example.net\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") \
          NIL NIL \"7bit\" 12 1 NIL NIL NIL NIL) 4 NIL (\"attachment\" (\"filename\" \"a.eml\")) \
          NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL))"
        ]
    );
    let envelope = client.ok("FETCH 1 ENVELOPE").await;
    let to = "((NIL NIL \"Group\" NIL)(NIL NIL \"bob\" \"example.org\")(NIL NIL NIL NIL))";
    assert!(envelope[0].contains(to), "{envelope:?}");
    assert!(envelope[0].contains("\"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" ((\"Ann B.\" NIL "));
}

#[tokio::test]
async fn reading_sets_seen_and_says_so() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL, SMALL, SMALL]).await;
    let mut other = fixture.alice().await;
    other.ok("SELECT INBOX").await;
    let text = "{11}\r\nHello Joe\r\n";
    assert_eq!(
        client.ok("FETCH 1 BODY[TEXT]").await,
        [format!("* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {text})")]
    );
    assert_eq!(
        client.ok("FETCH 1 BODY[TEXT]").await,
        [format!("* 1 FETCH (BODY[TEXT] {text})")]
    );
    assert_eq!(other.ok("NOOP").await, ["* 1 FETCH (FLAGS (\\Seen))"]);
    assert_eq!(
        client.ok("UID FETCH 2 (RFC822.TEXT)").await,
        [format!(
            "* 2 FETCH (UID 2 FLAGS (\\Seen) RFC822.TEXT {text})"
        )]
    );
    assert_eq!(client.ok("FETCH 3 BODY.PEEK[TEXT]").await.len(), 1);
    assert_eq!(
        client.ok("FETCH 3 (RFC822.HEADER FLAGS)").await[0][..21],
        *"* 3 FETCH (FLAGS () R"
    );
    // What others did meanwhile is told too.
    other.ok("STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    assert_eq!(
        client.ok("FETCH 3 BODY[TEXT]").await,
        [
            "* 1 FETCH (FLAGS (\\Flagged \\Seen))".to_owned(),
            format!("* 3 FETCH (FLAGS (\\Seen) BODY[TEXT] {text})")
        ]
    );
}

#[tokio::test]
async fn parts_of_large_messages_are_read_alone() {
    let fixture = Fixture::new().await;
    let attachment = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn\r\n".repeat(20_000);
    let message = format!(
        "Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsmall part\
         \r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
         \r\n{attachment}\r\n--b--\r\n"
    );
    let mut client = fixture.inbox(&[SMALL, &message, SMALL]).await;
    let headers = client
        .ok("FETCH 1:3 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        .await;
    let expected = ["Hello", "large", "Hello"].map(|subject| format!("Subject: {subject}\r\n\r\n"));
    let mut seen: Vec<_> = headers
        .iter()
        .map(|line| line.split_once("}\r\n").unwrap().1)
        .collect();
    seen.sort_unstable();
    let mut expected: Vec<_> = expected.iter().map(|text| format!("{text})")).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(
        client
            .ok("FETCH 2 (UID BODY.PEEK[1] BODY.PEEK[2]<46.10> BODY.PEEK[9])")
            .await,
        ["* 2 FETCH (UID 2 BODY[1] {10}\r\nsmall part BODY[2]<46> {10}\r\nQUJDREVGR0 BODY[9] NIL)"]
    );
    let whole = client.ok("FETCH 2 BODY.PEEK[2]").await;
    assert!(whole[0].contains(&attachment));
    // Window by window, as clients download.
    let mut got = String::new();
    for start in (0..message.len()).step_by(100_000) {
        let fetched = client
            .ok(&format!("FETCH 2 BODY.PEEK[]<{start}.100000>"))
            .await;
        let piece = fetched[0].split_once("}\r\n").unwrap().1;
        got.push_str(piece.strip_suffix(')').unwrap());
    }
    assert!(got == message);
}

#[tokio::test]
async fn misuse() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[]).await;
    // An empty mailbox has no messages, and `*` is none of them.
    assert_eq!(client.answer("FETCH 1:* FLAGS").await, "OK FETCH completed");
    assert_eq!(
        client.answer("UID FETCH 1:* (FLAGS)").await,
        "OK FETCH completed"
    );
    assert_eq!(
        client.answer("FETCH 1 FLAGS").await,
        "BAD No message has that sequence number"
    );
    client.append("INBOX", SMALL).await;
    client.ok("NOOP").await;
    for command in [
        "FETCH 1",
        "FETCH 1 ()",
        "FETCH 1 NONSENSE",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BODY[]<5>",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1:2:3 FLAGS",
        "FETCH 1 FLAGS (CHANGEDSINCE 0)",
        "FETCH 1,, FLAGS",
    ] {
        assert!(
            client.answer(command).await.starts_with("BAD "),
            "{command}"
        );
        client.ok("NOOP").await;
    }
}

#[tokio::test]
async fn a_damaged_message_does_not_hide_the_others() {
    const SPOIL: &str = "UPDATE blob SET digest = ?1 \
        WHERE id = (SELECT blob_id FROM message ORDER BY id LIMIT 1 OFFSET 1)";
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL, SMALL, SMALL]).await;
    let spoilt = fixture
        .db
        .write(|tx| tx.exec(SPOIL, &[(&[0_u8; 32][..]).into()]))
        .await;
    assert_eq!(spoilt.unwrap(), 1);
    let mut responses = client.run("FETCH 1:* (UID BODY.PEEK[TEXT])").await;
    let answer = responses.pop().unwrap();
    assert_eq!(answer, "NO [CORRUPTION] Some messages are damaged");
    let text = "BODY[TEXT] {11}\r\nHello Joe\r\n)";
    assert_eq!(
        responses,
        [
            format!("* 1 FETCH (UID 1 {text}"),
            format!("* 3 FETCH (UID 3 {text}")
        ]
    );
    assert_eq!(client.ok("FETCH 2 ENVELOPE").await.len(), 1);
    assert_eq!(client.ok("SEARCH BODY joe").await, ["* SEARCH 1 3"]);
}

#[tokio::test]
async fn a_summary_that_cannot_be_read_is_made_again() {
    const SPOIL: &str = "UPDATE message SET envelope = ?1 WHERE id % 2 = 0";
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[NESTED, NESTED]).await;
    let before = client
        .ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[2.HEADER])")
        .await;
    fixture
        .db
        .write(|tx| tx.exec(SPOIL, &[(&[255_u8][..]).into()]))
        .await
        .unwrap();
    let after = client
        .ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[2.HEADER])")
        .await;
    assert_eq!(before, after);
    for item in ["ENVELOPE", "BODYSTRUCTURE"] {
        let mut fetched = client.ok(&format!("FETCH 1:* {item}")).await;
        fetched.sort();
        let [first, second] = &fetched[..] else {
            panic!("{fetched:?}")
        };
        assert_eq!(first.replacen('1', "2", 1), *second);
    }
}
