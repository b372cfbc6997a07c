//! What sessions hear of each other, and when.

use super::{Fixture, SMALL};

#[tokio::test]
async fn news_come_with_the_next_command() {
    let fixture = Fixture::new().await;
    let mut one = fixture.inbox(&[SMALL, SMALL, SMALL]).await;
    let mut two = fixture.alice().await;
    two.ok("SELECT INBOX").await;

    two.append("INBOX", SMALL).await;
    assert_eq!(one.ok("NOOP").await, ["* 4 EXISTS"]);
    two.ok("STORE 2 +FLAGS (\\Flagged $Label7)").await;
    // RFC 9051 §7.3.5: a new keyword is announced first.
    let news = one.ok("CHECK").await;
    assert!(
        news[0].starts_with("* FLAGS (") && news[0].ends_with(" $Label7)"),
        "{news:?}"
    );
    assert_eq!(news[1..], ["* 2 FETCH (FLAGS (\\Flagged $Label7))"]);
    two.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)").await;
    two.ok("EXPUNGE").await;
    assert_eq!(
        one.ok("LIST \"\" INBOX").await[1..],
        ["* 3 EXPUNGE", "* 1 EXPUNGE"]
    );
    assert_eq!(one.ok("NOOP").await, Vec::<String>::new());
    let both = ["* 1 FETCH (UID 2)", "* 2 FETCH (UID 4)"];
    assert_eq!(one.ok("FETCH 1:* UID").await, both);
}

#[tokio::test]
async fn expunges_are_withheld_while_numbers_are_used() {
    let fixture = Fixture::new().await;
    let mut one = fixture.inbox(&[SMALL, SMALL, SMALL]).await;
    let mut two = fixture.alice().await;
    two.ok("SELECT INBOX").await;
    two.ok("STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    two.ok("EXPUNGE").await;
    two.append("INBOX", SMALL).await;

    // FETCH, STORE, SEARCH by number: message 3 keeps its number, new mail is told.
    assert_eq!(
        one.ok("FETCH 3 UID").await,
        ["* 3 FETCH (UID 3)", "* 4 EXISTS"]
    );
    assert_eq!(
        one.ok("STORE 3 +FLAGS (\\Answered)").await,
        ["* 3 FETCH (FLAGS (\\Answered))"]
    );
    assert_eq!(one.ok("SEARCH UID 3").await, ["* SEARCH 3"]);
    // What is gone cannot be had any more.
    assert_eq!(
        one.answer("FETCH 2 BODY.PEEK[]").await,
        "NO [EXPUNGEISSUED] Some messages have been expunged"
    );
    assert_eq!(
        one.answer("FETCH 2 RFC822.SIZE").await,
        "NO [EXPUNGEISSUED] Some messages have been expunged"
    );
    // By UID they may be told.
    assert_eq!(one.ok("UID FETCH 2 ENVELOPE").await, ["* 2 EXPUNGE"]);
    assert_eq!(
        one.ok("FETCH 2:* UID").await,
        ["* 2 FETCH (UID 3)", "* 3 FETCH (UID 4)"]
    );
}

#[tokio::test]
async fn copying_what_is_gone_by_number() {
    let fixture = Fixture::new().await;
    let mut one = fixture.inbox(&[SMALL]).await;
    let mut two = fixture.alice().await;
    two.ok("SELECT INBOX").await;
    two.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    two.ok("EXPUNGE").await;
    assert_eq!(
        one.run("COPY 1 Trash").await,
        [
            "* 1 EXPUNGE",
            "NO [EXPUNGEISSUED] Messages have been expunged"
        ]
    );
    assert_eq!(one.answer("UID COPY 1 Trash").await, "OK COPY completed");
    assert_eq!(one.answer("UID MOVE 1 Trash").await, "OK MOVE completed");
}

#[tokio::test]
async fn uid_commands_name_uids_in_what_they_cause() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL, SMALL]).await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    assert_eq!(
        client.ok("UID STORE 2 +FLAGS (\\Seen)").await,
        ["* 1 FETCH (UID 2 FLAGS (\\Seen))"]
    );
    assert_eq!(
        client.ok("UID FETCH 2 FLAGS").await,
        ["* 1 FETCH (UID 2 FLAGS (\\Seen))"]
    );
    assert_eq!(
        client.answer("UID FETCH 7 FLAGS").await,
        "OK FETCH completed"
    );
    assert_eq!(
        client.answer("UID STORE 7 FLAGS (\\Seen)").await,
        "OK STORE completed"
    );
    assert_eq!(client.ok("UID FETCH 9:* UID").await, ["* 1 FETCH (UID 2)"]);
    assert_eq!(client.ok("UID SEARCH ALL").await, ["* SEARCH 2"]);
    assert_eq!(
        client.answer("FETCH 2 FLAGS").await,
        "BAD No message has that sequence number"
    );
}

#[tokio::test]
async fn condstore_sessions_hear_mod_sequences() {
    let fixture = Fixture::new().await;
    let mut one = fixture.inbox(&[SMALL, SMALL]).await;
    let mut two = fixture.alice().await;
    two.ok("SELECT INBOX (CONDSTORE)").await;
    one.ok("STORE 1 +FLAGS (\\Seen)").await;
    let news = two.ok("NOOP").await;
    let modseq = mod_seq(&news[0], "* 1 FETCH (FLAGS (\\Seen) MODSEQ (");
    // Asking for it is wanting it from then on.
    assert_eq!(
        one.ok("FETCH 1 MODSEQ").await,
        [format!("* 1 FETCH (MODSEQ ({modseq}))")]
    );
    two.ok("STORE 2 +FLAGS (\\Seen)").await;
    assert!(one.ok("NOOP").await[0].starts_with("* 2 FETCH (FLAGS (\\Seen) MODSEQ ("));

    // RFC 7162 §3.1.4.1: only what has changed.
    let since = format!("FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})");
    let changed = one.ok(&since).await;
    assert_eq!(changed.len(), 1);
    let newer = mod_seq(&changed[0], "* 2 FETCH (FLAGS (\\Seen) MODSEQ (");
    assert!(newer > modseq);
    let status = one.ok("STATUS INBOX (HIGHESTMODSEQ)").await;
    assert_eq!(status, [format!("* STATUS INBOX (HIGHESTMODSEQ {newer})")]);
}

#[tokio::test]
async fn unchanged_since_protects_what_others_changed() {
    let fixture = Fixture::new().await;
    let mut one = fixture.inbox(&[SMALL, SMALL, SMALL]).await;
    let fetched = one.ok("FETCH 3 MODSEQ").await;
    let known = mod_seq(&fetched[0], "* 3 FETCH (MODSEQ (");
    let mut two = fixture.alice().await;
    two.ok("SELECT INBOX").await;
    two.ok("STORE 2 +FLAGS (\\Flagged)").await;

    let store = format!("STORE 1:3 (UNCHANGEDSINCE {known}) +FLAGS (\\Seen)");
    let mut answers = one.run(&store).await;
    assert_eq!(answers.pop().unwrap(), "OK [MODIFIED 2] STORE completed");
    assert!(
        answers[0].starts_with("* 1 FETCH (FLAGS (\\Seen) MODSEQ ("),
        "{answers:?}"
    );
    assert!(
        answers[1].starts_with("* 2 FETCH (FLAGS (\\Flagged) MODSEQ ("),
        "{answers:?}"
    );
    assert!(
        answers[2].starts_with("* 3 FETCH (FLAGS (\\Seen) MODSEQ ("),
        "{answers:?}"
    );

    // Silent stores still tell mod-sequences.
    let answers = one
        .run("UID STORE 1 (UNCHANGEDSINCE 999999) -FLAGS.SILENT (\\Seen)")
        .await;
    assert!(
        answers[0].starts_with("* 1 FETCH (UID 1 MODSEQ ("),
        "{answers:?}"
    );
    assert_eq!(answers[1], "OK STORE completed");
    let answer = one
        .answer("UID STORE 2 (UNCHANGEDSINCE 0) FLAGS.SILENT ()")
        .await;
    assert_eq!(answer, "OK [MODIFIED 2] STORE completed");
}

fn mod_seq(response: &str, prefix: &str) -> u64 {
    let digits = response
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix("))"));
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("{response}"))
}
