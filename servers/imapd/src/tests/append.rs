//! APPEND.

use super::{Fixture, SMALL, quick};
use crate::Limits;

#[tokio::test]
async fn appending_with_everything() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    let answer = client
        .append(
            "Drafts (\\Draft $Forwarded Own) \" 7-Feb-1994 21:52:25 -0800\"",
            SMALL,
        )
        .await;
    assert!(answer.starts_with("OK [APPENDUID "), "{answer}");
    assert!(answer.ends_with(" 1] APPEND completed"), "{answer}");
    client.ok("SELECT Drafts").await;
    assert_eq!(
        client.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)").await,
        [format!(
            "* 1 FETCH (FLAGS (\\Draft $Forwarded Own) INTERNALDATE \" 8-Feb-1994 05:52:25 +0000\" \
             RFC822.SIZE {})",
            SMALL.len()
        )]
    );
    let tag = client
        .start(&format!("APPEND Drafts {{{}}}", SMALL.len()))
        .await;
    assert_eq!(client.line().await, "+ OK");
    client.send(format!("{SMALL}\r\n").as_bytes()).await;
    let responses = client.finish(&tag).await;
    assert_eq!(responses[0], "* 2 EXISTS");
    assert!(
        responses[1].contains(" 2] APPEND completed"),
        "{responses:?}"
    );
}

#[tokio::test]
async fn appends_that_are_refused() {
    let fixture = Fixture::with(Limits {
        append_bytes: 2_000,
        ..quick()
    })
    .await;
    let mut client = fixture.alice().await;
    assert_eq!(
        client.append("Nowhere", SMALL).await,
        "NO [TRYCREATE] Mailbox does not exist"
    );
    assert_eq!(
        client.append("INBOX", "").await,
        "NO [CANNOT] Message is empty"
    );
    assert_eq!(
        client.answer("APPEND INBOX {2001}").await,
        "NO [TOOBIG] message is too large"
    );
    assert!(
        client
            .append("INBOX", &"x".repeat(2_000))
            .await
            .starts_with("OK ")
    );
    assert!(client.ok("CAPABILITY").await[0].contains(" APPENDLIMIT=2000"));
    assert!(
        client
            .append("INBOX (\\Nope)", SMALL)
            .await
            .starts_with("BAD ")
    );
    assert_eq!(client.answer("APPEND INBOX").await, "BAD expected a space");
    fixture
        .directory
        .set_quota(fixture.alice, 2_100)
        .await
        .unwrap();
    assert_eq!(
        client.append("INBOX", SMALL).await,
        "NO [OVERQUOTA] Quota exceeded"
    );
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES)").await,
        ["* STATUS INBOX (MESSAGES 1)"]
    );
}

#[tokio::test]
async fn a_full_disk_takes_no_mail() {
    let fixture = Fixture::with(Limits {
        reserve_bytes: u64::MAX,
        ..quick()
    })
    .await;
    let mut client = fixture.alice().await;
    assert_eq!(
        client.append("INBOX", SMALL).await,
        "NO [UNAVAILABLE] Insufficient system storage"
    );
    client.ok("SELECT INBOX").await;
}

#[tokio::test]
async fn octets_come_back_as_they_were() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    let odd = "no header here\nbare LF\r\n\r\n{5}\r\ntrailing \u{fc}\u{0}\r";
    let large = format!(
        "Subject: large\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(40_000)
    );
    client.append("INBOX", odd).await;
    client.append("INBOX", &large).await;
    client.ok("SELECT INBOX").await;
    for (number, message) in [(1, odd), (2, large.as_str())] {
        let fetched = client.ok(&format!("FETCH {number} (BODY.PEEK[])")).await;
        let size = message.len();
        let expected = format!("* {number} FETCH (BODY[] {{{size}}}\r\n{message})");
        assert!(fetched == [expected], "message {number}");
    }
    // In a binary literal, and with UTF8.
    let tag = client.start("APPEND INBOX ~{6}").await;
    assert_eq!(client.line().await, "+ OK");
    client.send(b"A: b\r\n\r\n").await;
    assert!(
        client
            .finish(&tag)
            .await
            .last()
            .unwrap()
            .starts_with("OK [APPENDUID ")
    );
    let tag = client.start("APPEND INBOX UTF8 (~{6}").await;
    assert_eq!(client.line().await, "+ OK");
    client.send(b"A: b\r\n)\r\n").await;
    assert!(
        client
            .finish(&tag)
            .await
            .last()
            .unwrap()
            .starts_with("OK [APPENDUID ")
    );
}
