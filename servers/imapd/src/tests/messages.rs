//! STORE, EXPUNGE, COPY, MOVE.

use super::{Fixture, SMALL};

#[tokio::test]
async fn storing_flags() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL, SMALL]).await;
    for (command, responses) in [
        (
            "STORE 1 FLAGS (\\Seen $Junk)",
            &["* 1 FETCH (FLAGS (\\Seen $Junk))"][..],
        ),
        (
            "STORE 1 +FLAGS \\Answered \\Recent",
            &["* 1 FETCH (FLAGS (\\Answered \\Seen $Junk))"],
        ),
        (
            "STORE 1 -FLAGS ($junk)",
            &["* 1 FETCH (FLAGS (\\Answered \\Seen))"],
        ),
        // Nothing changes, and the flags are told all the same.
        (
            "STORE 1 +FLAGS (\\Seen)",
            &["* 1 FETCH (FLAGS (\\Answered \\Seen))"],
        ),
        (
            "STORE 1:2 FLAGS ()",
            &["* 1 FETCH (FLAGS ())", "* 2 FETCH (FLAGS ())"],
        ),
        ("STORE 1:* +FLAGS.SILENT (\\Draft)", &[]),
        (
            "FETCH 1:2 FLAGS",
            &["* 1 FETCH (FLAGS (\\Draft))", "* 2 FETCH (FLAGS (\\Draft))"],
        ),
    ] {
        assert_eq!(client.ok(command).await, responses, "{command}");
    }
    for (command, answer) in [
        (
            "STORE 3 FLAGS ()",
            "BAD No message has that sequence number",
        ),
        ("STORE 1 FLAGS (\\Nope)", "BAD unknown system flag"),
        ("STORE 1 LABELS (x)", "BAD unknown item to store"),
        ("STORE 0 FLAGS ()", "BAD expected a number other than zero"),
    ] {
        assert_eq!(client.answer(command).await, answer, "{command}");
    }
}

#[tokio::test]
async fn keywords_are_stored_and_announced() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL]).await;
    let responses = client.ok("STORE 1 +FLAGS (Todo todo $Work)").await;
    assert!(
        responses[0].starts_with("* FLAGS (\\Answered "),
        "{responses:?}"
    );
    assert!(
        responses[0].ends_with(" $Important $Work Todo)"),
        "{responses:?}"
    );
    assert_eq!(responses[1..], ["* 1 FETCH (FLAGS ($Work Todo))"]);
    assert_eq!(
        client.ok("STORE 1 -FLAGS (TODO)").await,
        ["* 1 FETCH (FLAGS ($Work))"]
    );
    let many: Vec<String> = (0..101).map(|n| format!("k{n}")).collect();
    let answer = client
        .answer(&format!("STORE 1 +FLAGS ({})", many.join(" ")))
        .await;
    assert_eq!(answer, "NO [LIMIT] Too many keywords on one message");
}

#[tokio::test]
async fn a_silent_store_tells_what_is_different() {
    let fixture = Fixture::new().await;
    let mut one = fixture.inbox(&[SMALL, SMALL]).await;
    let mut two = fixture.alice().await;
    two.ok("SELECT INBOX").await;
    two.ok("STORE 2 +FLAGS (\\Flagged)").await;
    assert_eq!(
        one.ok("STORE 1:2 +FLAGS.SILENT (\\Seen)").await,
        ["* 2 FETCH (FLAGS (\\Flagged \\Seen))"]
    );
}

#[tokio::test]
async fn expunging() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL; 5]).await;
    client.ok("STORE 1,3,4 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(client.ok("UID EXPUNGE 2:3").await, ["* 3 EXPUNGE"]);
    assert_eq!(client.ok("EXPUNGE").await, ["* 3 EXPUNGE", "* 1 EXPUNGE"]);
    assert_eq!(client.answer("EXPUNGE").await, "OK EXPUNGE completed");
    assert_eq!(client.ok("UID SEARCH ALL").await, ["* SEARCH 2 5"]);
    assert_eq!(
        client.answer("UID EXPUNGE 7:9").await,
        "OK EXPUNGE completed"
    );
}

#[tokio::test]
async fn copying_and_moving() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL; 4]).await;
    client.ok("STORE 2 +FLAGS (\\Flagged Blue)").await;
    let answer = client.answer("COPY 2:3 Archive").await;
    assert!(
        answer.starts_with("OK [COPYUID ") && answer.contains(" 2:3 1:2] "),
        "{answer}"
    );
    let responses = client.run("MOVE 1,4 Archive").await;
    assert!(responses[0].starts_with("* OK [COPYUID "), "{responses:?}");
    assert!(responses[0].contains(" 1,4 3:4] "), "{responses:?}");
    assert_eq!(
        responses[1..],
        ["* 4 EXPUNGE", "* 1 EXPUNGE", "OK MOVE completed"]
    );
    let responses = client.run("UID MOVE 2 Trash").await;
    assert_eq!(responses[1..], ["* 1 EXPUNGE", "OK MOVE completed"]);
    client.ok("SELECT Archive").await;
    assert_eq!(
        client.ok("FETCH 1:* (UID FLAGS)").await,
        [
            "* 1 FETCH (UID 1 FLAGS (\\Flagged Blue))",
            "* 2 FETCH (UID 2 FLAGS ())",
            "* 3 FETCH (UID 3 FLAGS ())",
            "* 4 FETCH (UID 4 FLAGS ())",
        ]
    );
    for command in ["COPY 1 Nowhere", "MOVE 1 Nowhere"] {
        let answer = client.answer(command).await;
        assert_eq!(answer, "NO [TRYCREATE] Mailbox does not exist");
    }
    // Within one mailbox.
    let responses = client.run("COPY 1 Archive").await;
    assert!(
        responses[1].contains(" 1 5] COPY completed"),
        "{responses:?}"
    );
    assert_eq!(responses[0], "* 5 EXISTS");
}

#[tokio::test]
async fn a_copy_that_exceeds_the_quota_leaves_nothing() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL; 2]).await;
    let quota = u64::try_from(SMALL.len() * 3).unwrap();
    fixture
        .directory
        .set_quota(fixture.alice, quota)
        .await
        .unwrap();
    assert_eq!(
        client.answer("COPY 1:2 Archive").await,
        "NO [OVERQUOTA] Quota exceeded"
    );
    assert_eq!(
        client.ok("STATUS Archive (MESSAGES)").await,
        ["* STATUS Archive (MESSAGES 0)"]
    );
    client.ok("MOVE 1:2 Archive").await;
}
