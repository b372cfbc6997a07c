//! Names, roles, subscriptions: CREATE, DELETE, RENAME, SUBSCRIBE, LIST.

use mail::{Error, FlagChange, FlagMode, FlagStore, Role};

use crate::house::{self, House, flags, name, new_account, uids};

async fn names(house: &House) -> Vec<String> {
    let list = house.mail.list(house.account).await.unwrap();
    list.iter().map(|info| info.name.to_string()).collect()
}

#[tokio::test]
async fn a_new_account_has_the_default_mailboxes_subscribed_and_provision_may_run_again() {
    let house = House::new().await;
    let account = house.account;
    house
        .mail
        .db()
        .write(move |tx| mail::provision(tx, account))
        .await
        .unwrap();
    let list = house.mail.list(account).await.unwrap();
    let show: Vec<_> = list
        .iter()
        .map(|info| {
            (
                info.name.as_str(),
                info.role,
                info.subscribed,
                info.has_children,
            )
        })
        .collect();
    assert_eq!(
        show,
        [
            ("INBOX", Some(Role::Inbox), true, false),
            ("Archive", Some(Role::Archive), true, false),
            ("Drafts", Some(Role::Drafts), true, false),
            ("Junk", Some(Role::Junk), true, false),
            ("Sent", Some(Role::Sent), true, false),
            ("Trash", Some(Role::Trash), true, false),
        ]
    );
    let junk = house
        .mail
        .db()
        .read(move |rx| mail::mailbox_by_role(rx, account, Role::Junk));
    assert_eq!(junk.await.unwrap(), Some(house.mailbox("Junk").await));
    house.close().await;
}

/// RFC 9051 §6.3.4.
#[tokio::test]
async fn create_makes_missing_parents_and_refuses_what_exists() {
    let house = House::new().await;
    let (mail, account) = (&house.mail, house.account);
    mail.create(account, &name("a/b/c"), None).await.unwrap();
    for taken in ["a/b/c", "a/b", "a", "inbox", "Sent"] {
        let error = mail.create(account, &name(taken), None).await.unwrap_err();
        assert!(matches!(error, Error::Exists), "{taken}: {error}");
    }
    // Names differ by case, the INBOX alone does not.
    mail.create(account, &name("A"), None).await.unwrap();
    mail.create(account, &name("Inbox/x"), None).await.unwrap();
    let error = mail
        .create(account, &name("Other"), Some(Role::Sent))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::RoleTaken(holder) if holder == name("Sent")));
    mail.create(account, &name("Work/Hot"), Some(Role::Important))
        .await
        .unwrap();
    let list = mail.list(account).await.unwrap();
    let role = |text: &str| {
        list.iter()
            .find(|info| info.name == name(text))
            .unwrap()
            .role
    };
    assert_eq!(
        (role("Work"), role("Work/Hot")),
        (None, Some(Role::Important))
    );
    assert!(names(&house).await.contains(&"INBOX/x".to_owned()));
    house.close().await;
}

/// RFC 9051 §6.3.5.
#[tokio::test]
async fn delete_removes_messages_and_refuses_the_inbox_and_parents() {
    let house = House::new().await;
    let (mail, account) = (&house.mail, house.account);
    mail.create(account, &name("a/b"), None).await.unwrap();
    house.fill("a", 3).await;
    house.fill("a/b", 3).await;
    let delete = async |text: &str| mail.delete(account, &name(text)).await.err();
    assert!(matches!(delete("a").await, Some(Error::HasChildren)));
    assert!(matches!(delete("INBOX").await, Some(Error::Inbox)));
    assert!(matches!(delete("nothing").await, Some(Error::NoMailbox)));
    assert!(delete("a/b").await.is_none());
    assert!(delete("a").await.is_none());
    assert!(!names(&house).await.iter().any(|text| text.starts_with('a')));
    house.close().await;
}

/// RFC 9051 §2.3.1.1: name, UIDVALIDITY and UID mean one message for ever.
#[tokio::test]
async fn a_name_used_again_gets_a_greater_uidvalidity() {
    let house = House::new().await;
    let (mail, account) = (&house.mail, house.account);
    let mut last = 0;
    for _ in 0..3 {
        mail.create(account, &name("a"), None).await.unwrap();
        let uidvalidity = mail
            .status(account, &name("a"))
            .await
            .unwrap()
            .uidvalidity
            .get();
        assert!(uidvalidity > last && i64::from(uidvalidity) >= house::START);
        last = uidvalidity;
        mail.delete(account, &name("a")).await.unwrap();
    }
    // RENAME away and CREATE again, the same name.
    mail.create(account, &name("a"), None).await.unwrap();
    let first = mail.status(account, &name("a")).await.unwrap().uidvalidity;
    mail.rename(account, &name("a"), &name("b")).await.unwrap();
    mail.create(account, &name("a"), None).await.unwrap();
    assert!(mail.status(account, &name("a")).await.unwrap().uidvalidity > first);
    assert_eq!(
        mail.status(account, &name("b")).await.unwrap().uidvalidity,
        first
    );
    house.close().await;
}

#[tokio::test]
async fn an_account_made_again_later_has_greater_uidvalidities() {
    let house = House::new().await;
    let mail = &house.mail;
    let old = new_account(mail, "bob@example.org").await;
    for n in 0..50 {
        mail.create(old, &name(&format!("m/{n}")), None)
            .await
            .unwrap();
    }
    let inbox = mail.find(old, &name("INBOX")).await.unwrap();
    mail.append_message(old, inbox, house::message("x", ""))
        .await
        .unwrap();
    let list = mail.list(old).await.unwrap();
    let highest = list
        .iter()
        .map(|info| info.status.uidvalidity)
        .max()
        .unwrap();
    house.clock.advance(std::time::Duration::from_secs(3600));
    mail.erase(old).await.unwrap();
    mail.db()
        .write::<_, store::Error, _>(move |tx| {
            tx.exec("DELETE FROM account WHERE id = ?1", &[old.into()])
        })
        .await
        .unwrap();
    let new = new_account(mail, "bob@example.org").await;
    let inbox = mail.status(new, &name("INBOX")).await.unwrap();
    assert!(inbox.uidvalidity > highest);
    house.close().await;
}

/// RFC 9051 §6.3.6.
#[tokio::test]
async fn rename_takes_the_children_along_and_creates_parents() {
    let house = House::new().await;
    let (mail, account) = (&house.mail, house.account);
    mail.create(account, &name("a/b/c"), None).await.unwrap();
    mail.create(account, &name("a2"), None).await.unwrap();
    house.fill("a/b", 2).await;
    let before = mail.status(account, &name("a/b")).await.unwrap();
    mail.rename(account, &name("a"), &name("x/y/z"))
        .await
        .unwrap();
    let after = mail.status(account, &name("x/y/z/b")).await.unwrap();
    assert_eq!(
        (before.uidvalidity, before.messages),
        (after.uidvalidity, after.messages)
    );
    let names = names(&house).await;
    for there in ["a2", "x", "x/y", "x/y/z", "x/y/z/b", "x/y/z/b/c"] {
        assert!(names.contains(&there.to_owned()), "{there} in {names:?}");
    }
    assert!(!names.contains(&"a".to_owned()));
    let rename =
        async |from: &str, to: &str| mail.rename(account, &name(from), &name(to)).await.err();
    assert!(matches!(
        rename("x", "x/y/q").await,
        Some(Error::BelowItself)
    ));
    assert!(matches!(rename("x", "a2").await, Some(Error::Exists)));
    assert!(matches!(rename("x", "x").await, Some(Error::Exists)));
    assert!(matches!(rename("x", "INBOX").await, Some(Error::Exists)));
    assert!(matches!(
        rename("gone", "new").await,
        Some(Error::NoMailbox)
    ));
    let long = "l".repeat(996);
    assert!(matches!(rename("x", &long).await, Some(Error::Name(_))));
    house.close().await;
}

/// RFC 9051 §6.3.6.
#[tokio::test]
async fn renaming_the_inbox_moves_its_messages_and_leaves_it_with_its_children() {
    let house = House::new().await;
    let (mail, account) = (&house.mail, house.account);
    mail.create(account, &name("INBOX/child"), None)
        .await
        .unwrap();
    house
        .append("INBOX", "Subject: a\r\n\r\n", "\\Seen tag")
        .await;
    house.append("INBOX", "Subject: b\r\n\r\n", "").await;
    let uidvalidity = mail
        .status(account, &name("INBOX"))
        .await
        .unwrap()
        .uidvalidity;
    mail.rename(account, &name("inbox"), &name("old/mail"))
        .await
        .unwrap();
    assert_eq!(house.show("INBOX").await, [""; 0]);
    assert_eq!(house.show("old/mail").await, ["1 \\Seen tag", "2"]);
    let inbox = mail.status(account, &name("INBOX")).await.unwrap();
    assert_eq!((inbox.uidvalidity, inbox.uidnext), (uidvalidity, 3));
    assert!(names(&house).await.contains(&"INBOX/child".to_owned()));
    house.close().await;
}

/// RFC 9051 §6.3.7: a subscription outlives its mailbox and may precede it.
#[tokio::test]
async fn subscriptions_are_names() {
    let house = House::new().await;
    let (mail, account) = (&house.mail, house.account);
    let subscribed = async |text: &str| {
        let list = mail.list(account).await.unwrap();
        list.iter()
            .find(|info| info.name == name(text))
            .map(|info| info.subscribed)
    };
    mail.subscribe(account, &name("later/on")).await.unwrap();
    mail.subscribe(account, &name("later/on")).await.unwrap();
    assert_eq!(
        mail.absent_subscriptions(account).await.unwrap(),
        [name("later/on")]
    );
    mail.create(account, &name("later/on"), None).await.unwrap();
    assert_eq!(mail.absent_subscriptions(account).await.unwrap(), []);
    assert_eq!(
        (subscribed("later/on").await, subscribed("later").await),
        (Some(true), Some(false))
    );
    mail.delete(account, &name("later/on")).await.unwrap();
    assert_eq!(
        mail.absent_subscriptions(account).await.unwrap(),
        [name("later/on")]
    );
    mail.rename(account, &name("later"), &name("late"))
        .await
        .unwrap();
    mail.rename(account, &name("late"), &name("later/on"))
        .await
        .unwrap();
    assert_eq!(subscribed("later/on").await, Some(true));
    mail.unsubscribe(account, &name("later/on")).await.unwrap();
    mail.unsubscribe(account, &name("never")).await.unwrap();
    assert_eq!(subscribed("later/on").await, Some(false));
    house.close().await;
}

#[tokio::test]
async fn nobody_reaches_another_accounts_mailbox() {
    let house = House::new().await;
    let mail = &house.mail;
    let other = new_account(mail, "eve@example.org").await;
    house
        .append("INBOX", "Subject: secret\r\n\r\n", "\\Deleted")
        .await;
    let inbox = house.mailbox("INBOX").await;
    let own = mail.find(other, &name("INBOX")).await.unwrap();
    let all = uids([1]);
    let seen = FlagStore {
        change: FlagChange {
            mode: FlagMode::Add,
            set: flags("\\Seen"),
        },
        unchanged_since: None,
    };
    let refused = [
        mail.set_flags(other, inbox, &all, &seen).await.err(),
        mail.expunge(other, inbox, None).await.err(),
        mail.copy(other, inbox, &all, own).await.err(),
        mail.move_messages(other, inbox, &all, own).await.err(),
        mail.copy(other, own, &all, inbox).await.err(),
        mail.append_message(other, inbox, house::message("x", ""))
            .await
            .err(),
        mail.vanished(other, inbox, 0).await.err(),
    ];
    for (nth, error) in refused.into_iter().enumerate() {
        assert!(matches!(error, Some(Error::NoMailbox)), "{nth}: {error:?}");
    }
    assert_eq!(house.show("INBOX").await, ["1 \\Deleted"]);
    house.close().await;
}
