//! SELECT, EXAMINE, CLOSE, UNSELECT, and commands in the wrong state.

use super::{Fixture, SMALL};

#[tokio::test]
async fn select_describes_the_mailbox() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    client.append("INBOX (\\Seen)", SMALL).await;
    client.append("INBOX ($Label1 $Junk)", SMALL).await;
    let flags = "\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $Junk $NotJunk $MDNSent \
                 $Phishing $Important $Label1";
    let lines = client.run("SELECT INBOX").await;
    assert_eq!(lines[0], format!("* FLAGS ({flags})"));
    assert_eq!(
        lines[1],
        format!("* OK [PERMANENTFLAGS ({flags} \\*)] Flags that stay")
    );
    assert_eq!(
        lines[2..5],
        [
            "* 2 EXISTS",
            "* 0 RECENT",
            "* OK [UNSEEN 2] First unseen message"
        ]
    );
    assert!(lines[5].starts_with("* OK [UIDVALIDITY "));
    assert_eq!(lines[6], "* OK [UIDNEXT 3] Predicted next UID");
    assert!(lines[7].starts_with("* OK [HIGHESTMODSEQ "));
    assert_eq!(lines[8..], ["OK [READ-WRITE] SELECT completed"]);

    let lines = client.run("EXAMINE INBOX").await;
    assert_eq!(lines[0], "* OK [CLOSED] Previous mailbox is closed");
    assert_eq!(lines[2], "* OK [PERMANENTFLAGS ()] Flags that stay");
    assert_eq!(lines.last().unwrap(), "OK [READ-ONLY] EXAMINE completed");
}

#[tokio::test]
async fn a_rev2_session_hears_no_recent() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    client.append("INBOX", SMALL).await;
    client.ok("ENABLE IMAP4rev2").await;
    let lines = client.ok("SELECT inbox").await;
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("RECENT") || line.contains("UNSEEN"))
    );
    assert_eq!(lines.last().unwrap(), "* LIST () \"/\" INBOX");
}

#[tokio::test]
async fn a_failed_select_leaves_nothing_selected() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL]).await;
    assert_eq!(
        client.run("SELECT Nothing").await,
        [
            "* OK [CLOSED] Previous mailbox is closed",
            "NO [NONEXISTENT] Mailbox does not exist"
        ]
    );
    assert_eq!(
        client.answer("FETCH 1 FLAGS").await,
        "BAD Select a mailbox first"
    );
}

#[tokio::test]
async fn commands_need_their_state() {
    let fixture = Fixture::new().await;
    let mut visitor = fixture.connect().await;
    let mut user = fixture.alice().await;
    for command in [
        "CHECK",
        "CLOSE",
        "UNSELECT",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "SEARCH ALL",
        "FETCH 1 FLAGS",
        "UID FETCH 1 FLAGS",
        "STORE 1 FLAGS ()",
        "COPY 1 INBOX",
        "MOVE 1 INBOX",
    ] {
        assert_eq!(
            visitor.answer(command).await,
            "BAD Sign in first",
            "{command}"
        );
        assert_eq!(
            user.answer(command).await,
            "BAD Select a mailbox first",
            "{command}"
        );
        user.ok("NOOP").await;
        visitor.ok("NOOP").await;
    }
    for command in [
        "SELECT INBOX",
        "EXAMINE INBOX",
        "CREATE x",
        "DELETE x",
        "RENAME x y",
        "SUBSCRIBE x",
        "UNSUBSCRIBE x",
        "LIST \"\" *",
        "LSUB \"\" *",
        "NAMESPACE",
        "STATUS INBOX (MESSAGES)",
        "IDLE",
    ] {
        assert_eq!(
            visitor.answer(command).await,
            "BAD Sign in first",
            "{command}"
        );
        visitor.ok("NOOP").await;
    }
    assert_eq!(
        visitor.answer("APPEND INBOX {5}").await,
        "BAD no literal is allowed here"
    );
}

#[tokio::test]
async fn examine_changes_nothing() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL]).await;
    client.ok("EXAMINE INBOX").await;
    for command in [
        "STORE 1 +FLAGS (\\Seen)",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "MOVE 1 Trash",
        "UID MOVE 1 Trash",
    ] {
        assert_eq!(
            client.answer(command).await,
            "NO [READ-ONLY] Mailbox is read-only"
        );
    }
    assert_eq!(
        client.ok("FETCH 1 BODY[TEXT]").await,
        ["* 1 FETCH (BODY[TEXT] {11}\r\nHello Joe\r\n)"]
    );
    assert_eq!(client.ok("FETCH 1 FLAGS").await, ["* 1 FETCH (FLAGS ())"]);
    client.ok("COPY 1 Trash").await;
    client.ok("CLOSE").await;
    client.ok("SELECT INBOX").await;
    assert_eq!(client.ok("FETCH 1 FLAGS").await, ["* 1 FETCH (FLAGS ())"]);
}

#[tokio::test]
async fn close_expunges_and_unselect_does_not() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL, SMALL]).await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("UNSELECT").await;
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES)").await,
        ["* STATUS INBOX (MESSAGES 2)"]
    );
    client.ok("EXAMINE INBOX").await;
    client.ok("CLOSE").await;
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES)").await,
        ["* STATUS INBOX (MESSAGES 2)"]
    );
    client.ok("SELECT INBOX").await;
    assert_eq!(client.answer("CLOSE").await, "OK CLOSE completed");
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES)").await,
        ["* STATUS INBOX (MESSAGES 1)"]
    );
    assert_eq!(client.answer("CHECK").await, "BAD Select a mailbox first");
}

#[tokio::test]
async fn a_deleted_mailbox_is_deselected() {
    let fixture = Fixture::new().await;
    let (mut one, mut two) = (fixture.alice().await, fixture.alice().await);
    one.ok("CREATE Short").await;
    one.ok("SELECT Short").await;
    two.ok("SELECT Short").await;
    assert_eq!(
        one.run("DELETE Short").await,
        [
            "* OK [CLOSED] Selected mailbox was deleted",
            "OK DELETE completed"
        ]
    );
    assert_eq!(one.answer("CHECK").await, "BAD Select a mailbox first");
    // RFC 2180 §3.3: the other session cannot go on.
    two.start("NOOP").await;
    assert_eq!(two.line().await, "* BYE Selected mailbox was deleted");
    assert!(two.is_closed().await);
}
