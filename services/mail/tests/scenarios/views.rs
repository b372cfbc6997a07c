//! Session views: what a client is told, and when.

use mail::{Changes, Error, FlagMode, View};

use crate::house::{House, name, show, uids};

async fn refresh(house: &House, view: &mut View) -> Changes {
    view.refresh(&house.mail).await.unwrap()
}

#[tokio::test]
async fn a_refresh_finds_arrivals_and_changes_once() {
    let house = House::new().await;
    house.fill("INBOX", 3).await;
    let mut view = house.open("INBOX").await;
    assert!(refresh(&house, &mut view).await.is_empty());
    house.append("INBOX", "x", "\\Seen").await;
    house
        .store("INBOX", &uids([2]), (FlagMode::Add, "tag"), None)
        .await;
    let changes = refresh(&house, &mut view).await;
    assert_eq!(
        (changes.new, changes.flags, changes.expunged),
        (3..4, vec![1], false)
    );
    assert_eq!(show(&view), ["1", "2 tag", "3", "4 \\Seen"]);
    assert!(refresh(&house, &mut view).await.is_empty());
    // Another mailbox of the account: news, but nothing for this view.
    house.append("Sent", "x", "").await;
    assert!(refresh(&house, &mut view).await.is_empty());
    assert_eq!(view.uidnext(), 5);
    house
        .store("INBOX", &uids([2]), (FlagMode::Remove, "tag"), None)
        .await;
    assert_eq!(refresh(&house, &mut view).await.flags, [1]);
    assert_eq!(show(&view)[1], "2");
    house.close().await;
}

/// RFC 9051 §7.5.1: sequence numbers hold until the client has been told.
#[tokio::test]
async fn expunged_messages_stay_until_they_are_announced() {
    let house = House::new().await;
    house.fill("INBOX", 6).await;
    let mut view = house.open("INBOX").await;
    let inbox = view.mailbox();
    house
        .mail
        .destroy(house.account, inbox, &uids([2, 3, 6]))
        .await
        .unwrap();
    house.append("INBOX", "x", "").await;
    let changes = refresh(&house, &mut view).await;
    assert!(changes.expunged);
    assert_eq!(changes.new, 6..7);
    assert_eq!(view.entries().len(), 7);
    house
        .store("INBOX", &uids([4]), (FlagMode::Add, "\\Seen"), None)
        .await;
    house
        .mail
        .destroy(house.account, inbox, &uids([5]))
        .await
        .unwrap();
    let changes = refresh(&house, &mut view).await;
    assert_eq!((changes.flags, changes.new), (vec![3], 7..7));
    let expunged = view.apply_expunges(&house.mail);
    let numbers: Vec<u32> = expunged.numbers.iter().map(|number| number.get()).collect();
    assert_eq!(numbers, [6, 5, 3, 2]);
    assert_eq!(expunged.uids.to_string(), "2:3,5:6");
    assert_eq!(show(&view), house.show("INBOX").await);
    assert!(refresh(&house, &mut view).await.is_empty());
    assert_eq!(view.apply_expunges(&house.mail), mail::Expunged::default());
    house.close().await;
}

#[tokio::test]
async fn a_message_that_came_and_went_is_never_seen() {
    let house = House::new().await;
    house.fill("INBOX", 1).await;
    let mut view = house.open("INBOX").await;
    let uid = house.append("INBOX", "x", "").await;
    house
        .mail
        .destroy(house.account, view.mailbox(), &uids([uid.get()]))
        .await
        .unwrap();
    assert!(refresh(&house, &mut view).await.is_empty());
    assert_eq!(view.uidnext(), 3);
    house.close().await;
}

#[tokio::test]
async fn sessions_share_one_mailbox_and_each_hears_of_everything() {
    let house = House::new().await;
    house.fill("INBOX", 4).await;
    let mut views = [house.open("INBOX").await, house.open("INBOX").await];
    assert!(std::sync::Arc::ptr_eq(
        views[0].snapshot(),
        views[1].snapshot()
    ));
    house.append("INBOX", "x", "Blue").await;
    house
        .mail
        .destroy(house.account, views[0].mailbox(), &uids([1]))
        .await
        .unwrap();
    for view in &mut views {
        let changes = refresh(&house, view).await;
        assert_eq!((changes.new, changes.expunged), (4..5, true));
    }
    assert_eq!(views[0].apply_expunges(&house.mail).numbers.len(), 1);
    assert_eq!(views[1].entries().len(), 5);
    assert_eq!(views[1].apply_expunges(&house.mail).numbers.len(), 1);
    assert_eq!(show(&views[1]), ["2", "3", "4", "5 Blue"]);
    assert!(std::sync::Arc::ptr_eq(
        views[0].snapshot(),
        views[1].snapshot()
    ));
    house.close().await;
}

/// So many changes that the whole mailbox is read again.
#[tokio::test]
async fn a_view_survives_a_change_of_everything() {
    let house = House::new().await;
    house.fill("INBOX", 10).await;
    let inbox = house.mailbox("INBOX").await;
    for _ in 0..5 {
        let len = u32::try_from(house.open("INBOX").await.entries().len()).unwrap();
        house
            .mail
            .copy(house.account, inbox, &uids(1..=len), inbox)
            .await
            .unwrap();
    }
    let mut view = house.open("INBOX").await;
    assert_eq!(view.entries().len(), 320);
    house
        .store(
            "INBOX",
            &uids(1..=319),
            (FlagMode::Add, "\\Seen many"),
            None,
        )
        .await;
    house
        .mail
        .destroy(house.account, inbox, &uids(100..=200))
        .await
        .unwrap();
    house.fill("INBOX", 80).await;
    let changes = refresh(&house, &mut view).await;
    assert_eq!(changes.new, 320..400);
    let expected: Vec<usize> = (0..99).chain(200..319).collect();
    assert_eq!(changes.flags, expected);
    assert_eq!(view.apply_expunges(&house.mail).uids.to_string(), "100:200");
    assert_eq!(show(&view), house.show("INBOX").await);
    assert_eq!(show(&view)[0], "1 \\Seen many");
    house.close().await;
}

#[tokio::test]
async fn a_waiting_session_wakes_and_a_deleted_mailbox_ends_its_view() {
    let house = House::new().await;
    house
        .mail
        .create(house.account, &name("a"), None)
        .await
        .unwrap();
    let mut view = house.open("a").await;
    {
        let mut waiting = std::pin::pin!(view.changed());
        tokio::select! {
            biased;
            () = &mut waiting => panic!("nothing has changed"),
            () = tokio::task::yield_now() => {}
        }
        house.append("a", "x", "").await;
        waiting.await;
    }
    // Waiting does not swallow the news.
    view.changed().await;
    assert_eq!(refresh(&house, &mut view).await.new, 0..1);
    house.mail.delete(house.account, &name("a")).await.unwrap();
    view.changed().await;
    assert!(matches!(
        view.refresh(&house.mail).await,
        Err(Error::NoMailbox)
    ));
    assert!(matches!(
        house.mail.open(house.account, &name("a")).await,
        Err(Error::NoMailbox)
    ));
    house.close().await;
}

#[tokio::test]
async fn a_renamed_mailbox_keeps_its_view() {
    let house = House::new().await;
    house
        .mail
        .create(house.account, &name("a"), None)
        .await
        .unwrap();
    house.append("a", "x", "").await;
    let mut view = house.open("a").await;
    house
        .mail
        .rename(house.account, &name("a"), &name("b"))
        .await
        .unwrap();
    house.append("b", "x", "").await;
    assert_eq!(refresh(&house, &mut view).await.new, 1..2);
    house.close().await;
}
