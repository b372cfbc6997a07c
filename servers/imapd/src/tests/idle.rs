//! IDLE.

use std::time::{Duration, Instant};

use super::{Fixture, SMALL, quick};
use crate::Limits;

#[tokio::test]
async fn idle_hears_news_as_they_come() {
    let fixture = Fixture::new().await;
    let mut idle = fixture.inbox(&[SMALL, SMALL]).await;
    let mut other = fixture.alice().await;
    other.ok("SELECT INBOX").await;
    other.ok("STORE 1 +FLAGS (\\Seen)").await;
    let tag = idle.start("IDLE").await;
    assert_eq!(idle.line().await, "+ OK");
    assert_eq!(idle.line().await, "* 1 FETCH (FLAGS (\\Seen))");

    other.append("INBOX", SMALL).await;
    let since = Instant::now();
    assert_eq!(idle.line().await, "* 3 EXISTS");
    assert!(
        since.elapsed() < Duration::from_millis(500),
        "{:?}",
        since.elapsed()
    );
    other.ok("STORE 2 +FLAGS (\\Deleted)").await;
    assert_eq!(idle.line().await, "* 2 FETCH (FLAGS (\\Deleted))");
    other.ok("EXPUNGE").await;
    assert_eq!(idle.line().await, "* 2 EXPUNGE");
    // News of other mailboxes are none.
    other.append("Drafts", SMALL).await;
    idle.send(b"done\r\n").await;
    assert_eq!(idle.finish(&tag).await, ["OK IDLE completed"]);
    assert_eq!(
        idle.ok("FETCH 1:* UID").await,
        ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)"]
    );
}

#[tokio::test]
async fn idle_without_a_mailbox_and_with_the_wrong_end() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    let tag = client.start("IDLE").await;
    assert_eq!(client.line().await, "+ OK");
    client.send(b"DONE\r\n").await;
    assert_eq!(client.finish(&tag).await, ["OK IDLE completed"]);
    let tag = client.start("IDLE").await;
    client.line().await;
    client.send(b"b NOOP\r\n").await;
    assert_eq!(client.finish(&tag).await, ["BAD DONE was expected"]);
    // Pipelined.
    client.send(b"c IDLE\r\nDONE\r\nd NOOP\r\n").await;
    for expected in ["+ OK", "c OK IDLE completed", "d OK NOOP completed"] {
        assert_eq!(client.line().await, expected);
    }
}

#[tokio::test]
async fn silence_ends_an_idle_and_a_session() {
    let fixture = Fixture::with(Limits {
        idle_timeout: Duration::from_millis(200),
        ..quick()
    })
    .await;
    let mut idle = fixture.inbox(&[]).await;
    idle.start("IDLE").await;
    idle.line().await;
    assert_eq!(idle.line().await, "* BYE Timeout");
    assert!(idle.is_closed().await);
    let mut silent = fixture.inbox(&[]).await;
    assert_eq!(silent.line().await, "* BYE Timeout");
    assert!(silent.is_closed().await);
}

#[tokio::test]
async fn idle_ends_when_its_mailbox_is_deleted() {
    let fixture = Fixture::new().await;
    let (mut one, mut two) = (fixture.alice().await, fixture.alice().await);
    one.ok("CREATE Short").await;
    one.ok("SELECT Short").await;
    one.start("IDLE").await;
    one.line().await;
    two.ok("DELETE Short").await;
    assert_eq!(one.line().await, "* BYE Selected mailbox was deleted");
}
