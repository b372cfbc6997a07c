//! Many messages, many sessions, and what they cost.

use super::{Fixture, SMALL};

#[tokio::test]
async fn answers_larger_than_every_buffer_arrive_whole() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL]).await;
    // 1, 2, 4, …, 1024
    for _ in 0..10 {
        client.ok("COPY 1:* INBOX").await;
    }
    for (items, length) in [
        ("FLAGS", 0),
        ("(UID FLAGS MODSEQ)", 0),
        ("(ENVELOPE INTERNALDATE)", 200),
        ("(BODYSTRUCTURE RFC822.SIZE)", 70),
        ("BODY.PEEK[HEADER.FIELDS (SUBJECT)]", 40),
        ("BODY.PEEK[]", SMALL.len()),
    ] {
        let fetched = client.ok(&format!("FETCH 1:* {items}")).await;
        assert_eq!(fetched.len(), 1_024, "{items}");
        for (number, line) in (1..).zip(&fetched) {
            assert!(
                line.starts_with(&format!("* {number} FETCH (")),
                "{items}: {line}"
            );
            assert!(
                line.ends_with(')') && line.len() > length,
                "{items}: {line}"
            );
        }
    }
    assert_eq!(client.ok("FETCH 1:* BODY[TEXT]").await.len(), 1_024);
    let stored = client.ok("STORE 1:* +FLAGS (\\Deleted)").await;
    assert_eq!(stored.len(), 1_024);
    assert!(stored[1_023].starts_with("* 1024 FETCH (FLAGS (\\Deleted \\Seen) MODSEQ ("));
    assert_eq!(client.ok("UID EXPUNGE 1:1000").await.len(), 1_000);
    let moved = client.run("MOVE 1:* Trash").await;
    assert!(moved[0].contains(" 1001:1024 1:24] "), "{}", moved[0]);
    assert_eq!(moved.len(), 1 + 24 + 1);
}

#[tokio::test]
async fn a_session_is_small() {
    let fixture = Fixture::new().await;
    let (_client, server, peer) = fixture.pair().await;
    let connection = crate::Connection {
        stream: tls::AnyStream::over(server),
        peer,
    };
    let session = fixture.imapd.session(connection, fixture.shutdown.clone());
    let size = size_of_val(&session);
    assert!(size <= 12 * 1024, "{size} octets");
    fn is_send<T: Send>(_: &T) {}
    is_send(&session);
}
