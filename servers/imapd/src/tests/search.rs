//! SEARCH, ESEARCH, `$`.

use super::Fixture;

fn message(subject: &str, from: &str, date: &str, body: &str) -> String {
    format!("Subject: {subject}\r\nFrom: {from}\r\nDate: {date}\r\nX-Kind: test\r\n\r\n{body}\r\n")
}

async fn searched(fixture: &Fixture) -> super::Client {
    let mut client = fixture.alice().await;
    let one = message(
        "Lunch",
        "ann@example.org",
        "Mon, 7 Feb 1994 21:52:25 -0800",
        "Pizza?",
    );
    let two = message(
        "Re: lunch",
        "bob@example.org",
        "Tue, 8 Feb 1994 09:00:00 +0000",
        "Sushi!",
    );
    let three = message(
        "=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "ann@example.org",
        "nonsense",
        "sch\u{f6}n",
    );
    client
        .append("INBOX (\\Seen) \"07-Feb-1994 21:52:25 -0800\"", &one)
        .await;
    client
        .append(
            "INBOX (\\Flagged Blue) \"10-Mar-1995 00:00:00 +0000\"",
            &two,
        )
        .await;
    client
        .append("INBOX ($Junk) \"11-Mar-1995 00:00:00 +0000\"", &three)
        .await;
    client.ok("SELECT INBOX").await;
    client
}

#[tokio::test]
async fn every_key() {
    let fixture = Fixture::new().await;
    let mut client = searched(&fixture).await;
    for (keys, found) in [
        ("ALL", " 1 2 3"),
        ("SEEN", " 1"),
        ("UNSEEN", " 2 3"),
        ("FLAGGED", " 2"),
        ("KEYWORD blue", " 2"),
        ("UNKEYWORD Blue", " 1 3"),
        ("KEYWORD $junk", " 3"),
        ("RECENT", ""),
        ("NEW", ""),
        ("OLD", " 1 2 3"),
        ("2:*", " 2 3"),
        ("*", " 3"),
        ("UID 1,3", " 1 3"),
        ("UID 7:9", ""),
        ("BEFORE 8-Feb-1994", ""),
        ("ON 8-Feb-1994", " 1"),
        ("SINCE 10-Mar-1995", " 2 3"),
        ("SENTON 7-Feb-1994", " 1"),
        ("SENTSINCE 8-Feb-1994", " 2"),
        ("SENTBEFORE 8-Feb-1994", " 1"),
        ("LARGER 1", " 1 2 3"),
        ("SMALLER 1", ""),
        ("SUBJECT lunch", " 1 2"),
        ("FROM ann", " 1 3"),
        ("TO ann", ""),
        ("HEADER X-Kind tes", " 1 2 3"),
        ("HEADER X-None \"\"", ""),
        ("BODY sushi", " 2"),
        ("TEXT LUNCH", " 1 2"),
        ("NOT SEEN", " 2 3"),
        ("OR SEEN FLAGGED", " 1 2"),
        ("OR (SEEN FROM bob) (NOT (UNSEEN NOT KEYWORD Blue))", " 1 2"),
        ("NOT (FROM ann) SUBJECT lunch", " 2"),
        ("CHARSET UTF-8 SUBJECT {7+}\r\ngr\u{fc}\u{df}e", " 3"),
    ] {
        assert_eq!(
            client.ok(&format!("SEARCH {keys}")).await,
            [format!("* SEARCH{found}")],
            "{keys}"
        );
    }
    assert_eq!(
        client.answer("SEARCH CHARSET KOI8-R ALL").await,
        "NO [BADCHARSET (UTF-8)] character set is not supported"
    );
    assert_eq!(
        client.answer("SEARCH 4").await,
        "BAD No message has that sequence number"
    );
    assert!(client.answer("SEARCH WHATEVER").await.starts_with("BAD "));
    let deep = format!("SEARCH {}ALL{}", "(".repeat(100), ")".repeat(100));
    assert!(
        client
            .answer(&deep)
            .await
            .starts_with("BAD too many or too long")
    );
}

#[tokio::test]
async fn extended_results() {
    let fixture = Fixture::new().await;
    let mut client = searched(&fixture).await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    let tag = format!("(TAG \"a{}\")", client.commands + 1);
    assert_eq!(
        client.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL").await,
        [format!("* ESEARCH {tag} UID MIN 2 MAX 3 ALL 2:3 COUNT 2")]
    );
    let tag = format!("(TAG \"a{}\")", client.commands + 1);
    assert_eq!(
        client.ok("SEARCH RETURN () ALL").await,
        [format!("* ESEARCH {tag} ALL 1:2")]
    );
    let tag = format!("(TAG \"a{}\")", client.commands + 1);
    assert_eq!(
        client.ok("SEARCH RETURN (MIN COUNT) SEEN").await,
        [format!("* ESEARCH {tag} COUNT 0")]
    );
    client.ok("UNSELECT").await;
    client.ok("ENABLE IMAP4rev2").await;
    client.ok("SELECT INBOX").await;
    let tag = format!("(TAG \"a{}\")", client.commands + 1);
    assert_eq!(
        client.ok("UID SEARCH FLAGGED").await,
        [format!("* ESEARCH {tag} UID ALL 2")]
    );
}

#[tokio::test]
async fn the_saved_result() {
    let fixture = Fixture::new().await;
    let mut client = searched(&fixture).await;
    assert_eq!(client.answer("FETCH $ UID").await, "OK FETCH completed");
    assert_eq!(
        client.answer("SEARCH RETURN (SAVE) UNSEEN").await,
        "OK SEARCH completed"
    );
    assert_eq!(
        client.ok("FETCH $ UID").await,
        ["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"]
    );
    assert_eq!(client.ok("UID SEARCH UID $ FLAGGED").await, ["* SEARCH 2"]);
    assert_eq!(client.ok("SEARCH NOT $").await, ["* SEARCH 1"]);
    // It follows its messages when numbers change.
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    assert_eq!(client.ok("STORE $ +FLAGS (\\Seen)").await.len(), 2);
    assert_eq!(client.ok("SEARCH RETURN (SAVE MAX) ALL").await.len(), 1);
    assert_eq!(client.ok("FETCH $ UID").await, ["* 2 FETCH (UID 3)"]);
    client.ok("MOVE $ Trash").await;
    assert_eq!(client.answer("FETCH $ UID").await, "OK FETCH completed");
    // RFC 9051 §6.4.4.1: a new mailbox, an empty result.
    client.ok("SEARCH RETURN (SAVE) ALL").await;
    client.ok("SELECT INBOX").await;
    assert_eq!(client.answer("FETCH $ UID").await, "OK FETCH completed");
}

#[tokio::test]
async fn searching_by_mod_sequence() {
    let fixture = Fixture::new().await;
    let mut client = searched(&fixture).await;
    client.ok("STORE 2 +FLAGS (\\Seen)").await;
    let fetched = client.ok("FETCH 2 MODSEQ").await;
    let modseq = fetched[0]
        .strip_prefix("* 2 FETCH (MODSEQ (")
        .unwrap()
        .trim_end_matches(')');
    assert_eq!(
        client.ok(&format!("SEARCH MODSEQ {modseq}")).await,
        [format!("* SEARCH 2 (MODSEQ {modseq})")]
    );
    let tag = format!("(TAG \"a{}\")", client.commands + 1);
    assert_eq!(
        client
            .ok(&format!("SEARCH RETURN (ALL) MODSEQ {modseq}"))
            .await,
        [format!("* ESEARCH {tag} ALL 2 MODSEQ {modseq}")]
    );
    assert_eq!(client.ok("SEARCH MODSEQ 999999999").await, ["* SEARCH"]);
}
