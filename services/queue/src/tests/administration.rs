//! What the operator does to the queue, and what a crash does to it.

use super::rig::{AFTER_FIRST_WAIT, Rig};
use super::{HELLO, friendly};
use crate::{Error, Queue, QueueId, RecipientState};

/// Takes the message and does not answer the dot before it may.
fn slow(recipient: &str) -> String {
    format!(
        "{HELLO}C MAIL\nC RCPT TO:<{recipient}>\nS 250 ok\nS 250 ok\nC DATA\nS 354 go\nD\nW\nS 250 ok\n"
    )
}

#[tokio::test]
async fn a_held_message_waits_until_it_is_released() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&friendly("x@remote.test")]).await;
    let id = rig.send(&["x@remote.test"]).await;
    rig.queue.hold(id).await.unwrap();
    rig.start();
    rig.advance(10 * 86_400);
    rig.queue.retry(id).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let entry = rig.entry(id).await.unwrap();
    assert!(
        entry.held && entry.recipients[0].state == RecipientState::Held,
        "{entry:?}"
    );
    assert_eq!(server.log().connections, 0);
    rig.queue.release(id).await.unwrap();
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
}

#[tokio::test]
async fn a_message_held_in_delivery_stays_held_when_the_attempt_fails() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let script = format!("{HELLO}C MAIL\nC RCPT\nW\nS 451 later\nS 451 later\n");
    let server = rig.server("127.0.0.1", &[&script]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("it is tried", async || server.log().heard.len() == 3)
        .await;
    assert_eq!(
        rig.entry(id).await.unwrap().recipients[0].state,
        RecipientState::InDelivery
    );
    rig.queue.hold(id).await.unwrap();
    server.go_on(1);
    let entry = rig.deferred(id, 1).await;
    assert_eq!(entry.recipients[0].state, RecipientState::Held);
    rig.stop().await;
}

#[tokio::test]
async fn a_deleted_message_is_gone_without_a_report() {
    let mut rig = Rig::new().await;
    let id = rig.send(&["x@gone.test"]).await;
    rig.queue.delete(id).await.unwrap();
    rig.start();
    assert!(rig.entry(id).await.is_none());
    for result in [
        rig.queue.delete(id).await,
        rig.queue.hold(id).await,
        rig.queue.release(id).await,
        rig.queue.retry(id).await,
    ] {
        assert!(matches!(result, Err(Error::NotFound(missing)) if missing == id));
    }
    rig.stop().await;
    assert!(rig.inbox(rig.alice).await.is_empty());
    // Its blob has nobody left who refers to it.
    let report = rig.db.fsck().await.unwrap();
    assert!(report.problems.is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_message_deleted_in_delivery_causes_no_report() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let script = format!("{HELLO}C MAIL\nC RCPT\nW\nS 550 no\nS 550 no\n");
    let server = rig.server("127.0.0.1", &[&script]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("it is tried", async || server.log().heard.len() == 3)
        .await;
    rig.queue.delete(id).await.unwrap();
    server.go_on(1);
    rig.until("the round is over", async || {
        rig.queue.metrics().deliveries_in_flight == 0
    })
    .await;
    rig.stop().await;
    assert!(rig.inbox(rig.alice).await.is_empty());
}

#[tokio::test]
async fn pages_of_the_list_follow_each_other() {
    let rig = Rig::new().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(rig.send(&[&format!("x{n}@remote.test")]).await.0);
    }
    let first = rig.queue.list(None, 3).await.unwrap();
    let after = first.last().map(|entry| QueueId(entry.id));
    let second = rig.queue.list(after, 3).await.unwrap();
    let listed: Vec<i64> = first.iter().chain(&second).map(|entry| entry.id).collect();
    assert_eq!(listed, ids);
    assert_eq!(rig.queue.count().await.unwrap(), 5);
}

#[tokio::test]
async fn what_was_in_delivery_when_the_server_died_is_delivered_after_the_start() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .server(
            "127.0.0.1",
            &[&slow("x@remote.test"), &friendly("x@remote.test")],
        )
        .await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("the message is on the wire", async || {
        server.log().messages.len() == 1
    })
    .await;
    rig.crash().await;
    assert_eq!(
        rig.entry(id).await.unwrap().recipients[0].state,
        RecipientState::InDelivery
    );
    rig.queue = Queue::new(rig.options.clone());
    rig.start();
    rig.gone(id).await;
    rig.stop().await;
    assert_eq!(server.log().messages.len(), 2);
}

#[tokio::test]
async fn the_leases_of_a_node_that_died_end_for_the_others() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .server(
            "127.0.0.1",
            &[&slow("x@remote.test"), &friendly("x@remote.test")],
        )
        .await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("the message is on the wire", async || {
        server.log().messages.len() == 1
    })
    .await;
    rig.crash().await;
    rig.options.node = 2;
    rig.queue = Queue::new(rig.options.clone());
    rig.start();
    rig.advance(rig.options.limits.lease.unsigned_abs() - 1);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(server.log().connections, 1, "the lease still holds");
    rig.advance(1);
    rig.gone(id).await;
    rig.stop().await;
    assert_eq!(server.log().messages.len(), 2);
}

#[tokio::test]
async fn a_stop_leaves_interrupted_mail_due() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&slow("x@remote.test")]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("the message is on the wire", async || {
        server.log().messages.len() == 1
    })
    .await;
    rig.stop().await;
    let entry = rig.entry(id).await.unwrap();
    assert_eq!(
        entry.recipients[0].state,
        RecipientState::Waiting {
            due_at: 1_700_000_000
        }
    );
}

#[tokio::test]
async fn a_running_delivery_keeps_its_lease() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&slow("x@remote.test")]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("the message is on the wire", async || {
        server.log().messages.len() == 1
    })
    .await;
    for _ in 0..8 {
        rig.advance(rig.options.limits.lease.unsigned_abs() / 3 + 1);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(server.log().connections, 1);
    server.go_on(1);
    rig.gone(id).await;
    rig.stop().await;
    assert_eq!(server.finish().messages.len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_far_ahead_does_not_strand_mail() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .server("127.0.0.1", &["S 421 later\n", &friendly("x@remote.test")])
        .await;
    rig.advance(10 * 365 * 86_400);
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.deferred(id, 1).await;
    rig.stop().await;
    rig.clock.set(ambient::Timestamp(
        1_700_000_000 + AFTER_FIRST_WAIT.cast_signed(),
    ));
    rig.start();
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
}

#[tokio::test]
async fn what_is_held_stays_held_when_the_lease_of_a_dead_node_ends() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .server(
            "127.0.0.1",
            &[&slow("x@remote.test"), &friendly("x@remote.test")],
        )
        .await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.until("the message is on the wire", async || {
        server.log().messages.len() == 1
    })
    .await;
    rig.queue.hold(id).await.unwrap();
    rig.crash().await;
    rig.options.node = 2;
    rig.queue = Queue::new(rig.options.clone());
    rig.start();
    rig.advance(rig.options.limits.lease.unsigned_abs());
    rig.until("it is held", async || {
        rig.entry(id).await.unwrap().recipients[0].state == RecipientState::Held
    })
    .await;
    assert_eq!(server.log().connections, 1);
    rig.queue.release(id).await.unwrap();
    rig.gone(id).await;
    rig.stop().await;
    assert_eq!(server.log().messages.len(), 2);
}

#[tokio::test]
async fn a_delivery_of_a_deleted_message_leaves_the_next_one_alone() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .server(
            "127.0.0.1",
            &[&slow("x@remote.test"), &friendly("x@remote.test")],
        )
        .await;
    rig.start();
    let deleted = rig.send(&["x@remote.test"]).await;
    rig.until("the message is on the wire", async || {
        server.log().messages.len() == 1
    })
    .await;
    rig.queue.delete(deleted).await.unwrap();
    // The store may give it the same key.
    let next = rig.send(&["x@remote.test"]).await;
    server.go_on(1);
    rig.gone(next).await;
    rig.stop().await;
    assert_eq!(server.finish().messages.len(), 2);
}
