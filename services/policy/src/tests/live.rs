//! What is live when: revisions, failures, changes by others.

use super::*;
use crate::MapChange;

#[tokio::test]
async fn every_change_has_a_revision_that_is_live_and_survives_a_restart() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.policy.snapshot().revision(), 0);
    let mut last = 0;
    for text in ["a.test", "b.test", "c.test"] {
        let revision = fixture.add(Owner::Global, Verdict::Deny, text).await;
        assert!(revision > last);
        assert_eq!(fixture.policy.snapshot().revision(), revision);
        last = revision;
    }
    let other = fixture
        .policy
        .change_map("ip_wl.map", MapChange::default())
        .await
        .unwrap();
    assert!(other > last, "one counter for all sections");
    let again = Policy::open(fixture.db.clone()).await.unwrap();
    assert_eq!(again.snapshot().revision(), other);
    assert_eq!(again.snapshot().entries(), 3);
}

#[tokio::test]
async fn a_snapshot_that_is_held_does_not_change() {
    let fixture = Fixture::new().await;
    let held = fixture.policy.snapshot();
    fixture.add(Owner::Global, Verdict::Deny, "x.test").await;
    assert!(
        held.judge_sender(&recipient(ANN), &from("a@x.test"))
            .is_empty()
    );
    assert_eq!(fixture.verdict(&from("a@x.test")), ["DENIED_SENDER"]);
}

#[tokio::test]
async fn many_changes_at_once_are_all_live_when_they_return() {
    let fixture = Fixture::new().await;
    let mut changes = Vec::new();
    for number in 0..50 {
        let policy = fixture.policy.clone();
        changes.push(tokio::spawn(async move {
            let domain = format!("d{number}.test");
            let new = vec![entry(Verdict::Deny, &domain)];
            let revision = policy.add_entries(Owner::Global, new).await.unwrap();
            let sender = format!("x@{domain}");
            let snapshot = policy.snapshot();
            let found = snapshot.judge_sender(&recipient(ANN), &from(&sender));
            assert!(snapshot.revision() >= revision && found.len() == 1);
            revision
        }));
    }
    let mut revisions = Vec::new();
    for change in changes {
        revisions.push(change.await.unwrap());
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_change_of_one_list_loads_that_list_only() {
    let fixture = Fixture::new().await;
    fixture
        .add(Owner::Account(ANN), Verdict::Deny, "x.test")
        .await;
    fixture
        .add(Owner::Domain(HERE), Verdict::Deny, "y.test")
        .await;
    // Ann's entries cannot be loaded any more, which shows only when they are.
    fixture.exec(DAMAGE_ANNS).await;
    fixture
        .add(Owner::Account(BOB), Verdict::Allow, "x.test")
        .await;
    fixture
        .add(Owner::Domain(HERE), Verdict::Deny, "z.test")
        .await;
    assert_eq!(fixture.verdict(&from("a@x.test")), ["DENIED_SENDER"]);
    assert_eq!(fixture.verdict(&from("a@z.test")), ["DENIED_SENDER"]);
    assert_eq!(
        fixture.verdict_for(BOB, &from("a@x.test")),
        ["ALLOWED_SENDER"]
    );
    assert_eq!(fixture.policy.snapshot().entries(), 4);
    let id = fixture.entries(Owner::Domain(HERE)).await[0].id;
    fixture
        .policy
        .remove_entries(Owner::Domain(HERE), vec![id])
        .await
        .unwrap();
    assert!(fixture.verdict(&from("a@y.test")).is_empty());
    let new = vec![entry(Verdict::Deny, "w.test")];
    let anns = fixture.policy.add_entries(Owner::Account(ANN), new).await;
    assert!(matches!(anns, Err(Error::NotLive { .. })));
}

const DAMAGE_ANNS: &str = "UPDATE sender_entry SET verdict = 'perhaps' WHERE account_id = 1";
const DAMAGE: &str = "UPDATE sender_entry SET verdict = 'perhaps'";
const REPAIR: &str = "UPDATE sender_entry SET verdict = 'deny'";

#[tokio::test]
async fn what_cannot_be_loaded_leaves_the_last_good_state_and_is_reported() {
    let fixture = Fixture::new().await;
    let good = fixture.add(Owner::Global, Verdict::Deny, "x.test").await;
    fixture.exec(DAMAGE).await;
    let new = vec![entry(Verdict::Deny, "y.test")];
    let stored = fixture.policy.add_entries(Owner::Global, new).await;
    assert!(matches!(stored, Err(Error::NotLive { revision, .. }) if revision == good + 1));
    assert_eq!(fixture.verdict(&from("a@x.test")), ["DENIED_SENDER"]);
    assert_eq!(fixture.policy.snapshot().revision(), good);
    let trouble = fixture.policy.trouble().unwrap();
    assert_eq!(trouble, "unknown verdict");

    fixture.exec(REPAIR).await;
    fixture.add(Owner::Global, Verdict::Deny, "z.test").await;
    assert_eq!(fixture.policy.trouble(), None);
    assert_eq!(fixture.verdict(&from("a@y.test")), ["DENIED_SENDER"]);
}

#[tokio::test]
async fn following_forgets_what_belonged_to_accounts_that_are_gone() {
    let fixture = Fixture::new().await;
    let following = tokio::spawn(fixture.policy.clone().follow());
    fixture
        .add(Owner::Account(BOB), Verdict::Deny, "x.test")
        .await;
    fixture
        .add(Owner::Account(ANN), Verdict::Deny, "x.test")
        .await;
    fixture.exec("DELETE FROM account WHERE id = 2").await;
    while fixture.policy.snapshot().entries() != 1 {
        tokio::task::yield_now().await;
    }
    assert!(fixture.verdict_for(BOB, &from("a@x.test")).is_empty());
    assert_eq!(fixture.verdict(&from("a@x.test")), ["DENIED_SENDER"]);
    following.abort();
}

#[tokio::test]
async fn following_loads_what_another_handle_has_changed() {
    let fixture = Fixture::new().await;
    let other = Policy::open(fixture.db.clone()).await.unwrap();
    let following = tokio::spawn(other.clone().follow());
    let revision = fixture.add(Owner::Global, Verdict::Deny, "x.test").await;
    while other.snapshot().revision() < revision {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.snapshot().entries(), 1);
    following.abort();
}
