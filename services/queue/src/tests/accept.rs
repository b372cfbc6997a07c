//! Acceptance: one transaction for local and remote recipients.

use super::rig::{Rig, address, create_account};
use crate::{Error, MAX_HOPS, RecipientState};
use directory::{AliasName, NewAlias};

#[tokio::test]
async fn local_and_remote_recipients_are_served_in_one_transaction() {
    let rig = Rig::new().await;
    let bob = create_account(&rig.directory, "bob@us.test").await;
    let to = [
        "alice@us.test",
        "bob@us.test",
        "x@remote.test",
        "y@other.test",
        "bob@us.test",
    ];
    let submission = rig
        .submission("sender@remote.test", &to, "Subject: all\r\n\r\nHi.\r\n")
        .await;
    let commits = rig.db.metrics().commits;
    let accepted = rig.try_accept(submission).await.unwrap();
    assert_eq!(rig.db.metrics().commits, commits + 1);
    assert_eq!(accepted.local, 2);

    let mail = rig.only_mail().await;
    assert_eq!(
        mail,
        "Return-Path: <sender@remote.test>\r\nDelivered-To: alice@us.test\r\n\
         Received: by mail.us.test (Muskox) id t1;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n\
         Subject: all\r\n\r\nHi.\r\n"
    );
    assert!(rig.inbox(bob).await[0].contains("Delivered-To: bob@us.test\r\n"));

    let entry = rig.queue.show(accepted.queue_id.unwrap()).await.unwrap();
    assert_eq!(entry.sender, "sender@remote.test");
    let waiting: Vec<(&str, RecipientState)> = entry
        .recipients
        .iter()
        .map(|r| (r.address.as_str(), r.state))
        .collect();
    let now = RecipientState::Waiting {
        due_at: 1_700_000_000,
    };
    assert_eq!(waiting, [("x@remote.test", now), ("y@other.test", now)]);
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing_behind() {
    let rig = Rig::new().await;
    let mut submission = rig
        .submission(
            "a@remote.test",
            &["alice@us.test", "x@remote.test"],
            "\r\nx\r\n",
        )
        .await;
    // The account goes between RCPT and the end of DATA.
    for recipient in &mut submission.recipients {
        if let crate::RoutedRecipient::Local { recipient, .. } = recipient {
            recipient.account = store::AccountId(4_711);
        }
    }
    let error = rig.try_accept(submission).await.unwrap_err();
    assert!(matches!(error, Error::Mail(_)), "{error}");
    assert_eq!(rig.queue.count().await.unwrap(), 0);
    assert!(rig.inbox(rig.alice).await.is_empty());
}

#[tokio::test]
async fn a_message_with_fifty_received_fields_loops() {
    let rig = Rig::new().await;
    for (hops, loops) in [(MAX_HOPS - 1, false), (MAX_HOPS, true)] {
        let message = format!(
            "{}Subject: x\r\n\r\nx\r\n",
            "Received: by a\r\n".repeat(hops)
        );
        let submission = rig
            .submission("a@remote.test", &["alice@us.test"], &message)
            .await;
        let result = rig.try_accept(submission).await;
        assert_eq!(
            matches!(result, Err(Error::Loop(_))),
            loops,
            "{hops}: {result:?}"
        );
    }
}

#[tokio::test]
async fn nobody_to_deliver_to_is_an_error() {
    let rig = Rig::new().await;
    let submission = rig.submission("a@remote.test", &[], "\r\n").await;
    assert!(matches!(
        rig.try_accept(submission).await,
        Err(Error::NoRecipients)
    ));
}

#[tokio::test]
async fn an_alias_to_another_server_keeps_the_address_the_sender_gave() {
    let rig = Rig::new().await;
    let name: AliasName = "team@us.test".parse().unwrap();
    let targets = vec![address("far@remote.test"), address("alice@us.test")];
    let alias = NewAlias {
        name,
        targets,
        comment: String::new(),
    };
    rig.directory.create_alias(alias).await.unwrap();
    let id = rig.send_from("a@other.test", &["team@us.test"]).await;
    let entry = rig.queue.show(id).await.unwrap();
    assert_eq!(entry.recipients[0].address, "far@remote.test");
    assert_eq!(entry.recipients[0].original, "team@us.test");
    rig.only_mail().await;
}
