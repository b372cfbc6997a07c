//! Reputation, correspondents, fuzzy hashes and greylist on disk.

use std::net::IpAddr;

use super::*;
use crate::bounded::bounded;
use crate::fuzzy::{Flag, Sample, Shingles, What};
use crate::greylist::{Triplet, Verdict};
use crate::reputation::{self, Subject};
use crate::{Class, Error, correspondent};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn reputation_is_seen_at_once_survives_a_flush_and_fades() {
    let mut rig = Rig::new().await;
    let bad = Subject::Network(address("192.0.2.7"));
    let good = Subject::Domain("good.example");
    for _ in 0..20 {
        rig.learn
            .reputation
            .note(&[bad], Class::Spam)
            .await
            .unwrap();
        rig.learn
            .reputation
            .note(&[good], Class::Ham)
            .await
            .unwrap();
    }
    let before = rig.learn.reputation.scores(&[bad, good]).await.unwrap();
    assert_eq!(before[0].spaminess, 0.8);
    assert_eq!(before[1].spaminess, -0.8);
    rig.learn.tick().await.unwrap();
    assert_eq!(
        rig.learn.reputation.scores(&[bad, good]).await.unwrap(),
        before
    );
    rig.reopen().await;
    let neighbour = Subject::Network(address("192.0.2.200"));
    assert_eq!(
        rig.learn.reputation.score(neighbour).await.unwrap(),
        before[0]
    );
    rig.pass(reputation::HALF_LIFE);
    let faded = rig.learn.reputation.score(bad).await.unwrap();
    assert_eq!(faded.weight, 10.0);
    // One more, on top of what has faded.
    rig.learn.reputation.note(&[bad], Class::Ham).await.unwrap();
    rig.learn.tick().await.unwrap();
    rig.reopen().await;
    let mixed = rig.learn.reputation.score(bad).await.unwrap();
    assert_eq!((mixed.weight, mixed.spaminess), (11.0, 9.0 / 16.0));
    let unknown = Subject::System("64500");
    assert_eq!(
        rig.learn.reputation.score(unknown).await.unwrap().weight,
        0.0
    );
}

#[tokio::test]
async fn many_verdicts_are_written_without_being_asked_and_expire() {
    let rig = Rig::new().await;
    let names: Vec<String> = (0..reputation::MOST_PENDING)
        .map(|number| format!("d{number}.example"))
        .collect();
    for name in &names {
        let subject = [Subject::Domain(name)];
        rig.learn
            .reputation
            .note(&subject, Class::Spam)
            .await
            .unwrap();
    }
    let written = rig.count("SELECT count(*) FROM reputation").await;
    assert_eq!(usize::try_from(written).unwrap(), names.len());
    rig.pass(6 * reputation::HALF_LIFE);
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 0);
    rig.pass(1);
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 1_000);
}

#[tokio::test]
async fn verdicts_that_could_not_be_written_wait() {
    let mut rig = Rig::new().await;
    let subject = Subject::Sender("a@b.example");
    rig.learn
        .reputation
        .note(&[subject], Class::Spam)
        .await
        .unwrap();
    rig.exec("ALTER TABLE reputation RENAME TO away").await;
    assert!(rig.learn.tick().await.is_err());
    rig.exec("ALTER TABLE away RENAME TO reputation").await;
    rig.learn.tick().await.unwrap();
    rig.reopen().await;
    assert_eq!(
        rig.learn.reputation.score(subject).await.unwrap().weight,
        1.0
    );
}

#[tokio::test]
async fn correspondents_and_answers_belong_to_their_account() {
    let mut rig = Rig::new().await;
    let peers = &rig.learn.correspondents;
    let to = ["Carl@Example.com", "dora@example.net", "carl@example.com"];
    peers
        .note_sent(ANNA, &to, Some("<one@example.org>"))
        .await
        .unwrap();
    rig.pass(60);
    rig.learn
        .correspondents
        .note_sent(ANNA, &to[..1], None)
        .await
        .unwrap();
    rig.reopen().await;
    let peers = &rig.learn.correspondents;
    let carl = peers
        .correspondent(ANNA, "carl@EXAMPLE.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((carl.sent, carl.last), (2, START.plus(60)));
    assert!(
        peers
            .is_correspondent(ANNA, "dora@example.net")
            .await
            .unwrap()
    );
    assert!(
        !peers
            .is_correspondent(ANNA, "emil@example.net")
            .await
            .unwrap()
    );
    assert!(
        !peers
            .is_correspondent(BERT, "carl@example.com")
            .await
            .unwrap()
    );
    assert!(
        peers
            .answers(ANNA, &["x@y", "one@example.org"])
            .await
            .unwrap()
    );
    assert!(!peers.answers(BERT, &["one@example.org"]).await.unwrap());
    assert!(!peers.answers(ANNA, &["ONE@example.org"]).await.unwrap());
    let unknown = peers.note_sent(AccountId(99), &["a@b"], None).await;
    assert!(matches!(unknown, Err(Error::NoAccount)), "{unknown:?}");
}

#[tokio::test]
async fn a_circular_is_no_correspondence_and_old_ones_are_forgotten() {
    let rig = Rig::new().await;
    let many: Vec<String> = (0..=correspondent::MAX_RECIPIENTS)
        .map(|number| format!("r{number}@example.com"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let peers = &rig.learn.correspondents;
    peers.note_sent(ANNA, &many, Some("m1")).await.unwrap();
    assert!(!peers.is_correspondent(ANNA, many[0]).await.unwrap());
    peers.note_sent(ANNA, &many[..1], Some("m2")).await.unwrap();
    rig.pass(correspondent::SENT_LIFETIME + 1);
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 2);
    assert!(!peers.answers(ANNA, &["m1"]).await.unwrap());
    assert!(peers.is_correspondent(ANNA, many[0]).await.unwrap());
    rig.pass(correspondent::CORRESPONDENT_LIFETIME);
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 1);
}

fn sample(words: std::ops::Range<usize>, digests: &[u8]) -> Sample {
    let words: Vec<String> = words.map(|number| format!("word{number}")).collect();
    Sample {
        text: Shingles::of(words.iter().map(String::as_str)),
        digests: digests.iter().map(|byte| [*byte; 32]).collect(),
    }
}

#[tokio::test]
async fn reported_texts_are_found_when_slightly_changed() {
    let mut rig = Rig::new().await;
    rig.learn
        .fuzzy
        .learn(Flag::Denied, &sample(0..300, &[7]), 5)
        .await
        .unwrap();
    rig.reopen().await;
    let fuzzy = &rig.learn.fuzzy;
    let similar = fuzzy.check(&sample(20..310, &[])).await.unwrap();
    assert_eq!(similar.len(), 1);
    assert!((0.55..1.0).contains(&similar[0].likeness), "{similar:?}");
    assert_eq!((similar[0].flag, similar[0].weight), (Flag::Denied, 5));
    assert_eq!(fuzzy.check(&sample(200..500, &[8])).await.unwrap(), []);
    let attached = fuzzy.check(&sample(900..1_000, &[9, 7])).await.unwrap();
    assert_eq!(attached.len(), 1);
    assert_eq!(
        (attached[0].what, attached[0].likeness),
        (What::Digest(1), 1.0)
    );
}

#[tokio::test]
async fn reports_add_up_flags_stand_beside_each_other_and_can_be_taken_back() {
    let rig = Rig::new().await;
    let fuzzy = &rig.learn.fuzzy;
    let text = sample(0..300, &[1, 1]);
    for _ in 0..3 {
        fuzzy.learn(Flag::Denied, &text, 2).await.unwrap();
    }
    fuzzy.learn(Flag::White, &text, 1).await.unwrap();
    let found = |hits: Vec<crate::fuzzy::FuzzyHit>| -> Vec<_> {
        hits.iter()
            .map(|hit| (hit.what, hit.flag, hit.weight))
            .collect()
    };
    assert_eq!(
        found(fuzzy.check(&sample(0..300, &[1])).await.unwrap()),
        [
            (What::Text, Flag::Denied, 6),
            (What::Text, Flag::White, 1),
            (What::Digest(0), Flag::Denied, 6),
            (What::Digest(0), Flag::White, 1),
        ]
    );
    assert_eq!(rig.count("SELECT count(*) FROM fuzzy").await, 4);
    let once = sample(0..300, &[1]);
    assert_eq!(fuzzy.unlearn(Flag::Denied, &once, 4).await.unwrap(), 2);
    assert_eq!(fuzzy.unlearn(Flag::White, &once, 4).await.unwrap(), 2);
    assert_eq!(
        found(fuzzy.check(&once).await.unwrap()),
        [
            (What::Text, Flag::Denied, 2),
            (What::Digest(0), Flag::Denied, 2)
        ]
    );
    assert_eq!(rig.count("SELECT count(*) FROM fuzzy_band").await, 16);
    rig.pass(crate::fuzzy::LIFETIME + 1);
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 2);
    assert_eq!(rig.count("SELECT count(*) FROM fuzzy_band").await, 0);
}

#[tokio::test]
async fn the_greylist_keeps_its_times() {
    let mut rig = Rig::new().await;
    let triplet = Triplet::new(address("192.0.2.1"), "a@b.example", "anna@example.org");
    // Seconds that pass, and what happens then.
    let table = [
        (0, Verdict::New { wait: 300 }),
        (100, Verdict::Early { wait: 200 }),
        (199, Verdict::Early { wait: 1 }),
        (1, Verdict::Passed),
        (0, Verdict::Known),
        (35 * DAY - 1, Verdict::Known),
        // That moved the expiry.
        (35 * DAY - 1, Verdict::Known),
        (35 * DAY, Verdict::New { wait: 300 }),
        // Too late for the window.
        (DAY, Verdict::New { wait: 300 }),
        (DAY - 1, Verdict::Passed),
    ];
    for (number, (seconds, wanted)) in table.into_iter().enumerate() {
        rig.pass(seconds);
        rig.reopen().await;
        let verdict = rig.learn.greylist.check(triplet, rig.now()).await.unwrap();
        assert_eq!(verdict, wanted, "step {number}");
    }
}

#[tokio::test]
async fn neighbours_share_a_triplet_and_a_network_that_passes_often_is_known() {
    let rig = Rig::new().await;
    let check = |client, sender: &'static str| {
        let triplet = Triplet::new(address(client), sender, "anna@example.org");
        rig.learn.greylist.check(triplet, rig.now())
    };
    let senders = [
        "a@x.example",
        "b@x.example",
        "c@x.example",
        "d@x.example",
        "e@x.example",
    ];
    for sender in senders {
        assert_eq!(
            check("192.0.2.1", sender).await.unwrap(),
            Verdict::New { wait: 300 }
        );
    }
    rig.pass(300);
    for sender in senders {
        assert_eq!(check("192.0.2.99", sender).await.unwrap(), Verdict::Passed);
    }
    assert_eq!(
        check("192.0.2.3", "new@x.example").await.unwrap(),
        Verdict::Known
    );
    assert_eq!(
        check("192.0.3.3", "new@x.example").await.unwrap(),
        Verdict::New { wait: 300 }
    );
    rig.pass(35 * DAY);
    assert_eq!(
        check("192.0.2.3", "new@x.example").await.unwrap(),
        Verdict::New { wait: 300 }
    );
    rig.pass(1);
    // Five triplets, the network, and the stranger of the other network.
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 7);
    assert_eq!(rig.count("SELECT count(*) FROM greylist").await, 1);
}

#[tokio::test]
async fn the_greylist_writes_only_when_something_changes() {
    let rig = Rig::new().await;
    let triplet = Triplet::new(address("2001:db8::1"), "", "anna@example.org");
    let check = || rig.learn.greylist.check(triplet, rig.now());
    check().await.unwrap();
    rig.pass(300);
    check().await.unwrap();
    rig.exec(
        "CREATE TRIGGER refuse BEFORE UPDATE ON greylist BEGIN SELECT raise(ABORT, 'written'); END",
    )
    .await;
    rig.pass(DAY - 1);
    assert_eq!(check().await.unwrap(), Verdict::Known);
    rig.pass(1);
    assert!(check().await.is_err(), "once a day the expiry moves");
}

#[tokio::test]
async fn beyond_its_limit_a_table_loses_the_oldest_rows() {
    let rig = Rig::new().await;
    for number in 0..30 {
        let sender = format!("s{number}@x.example");
        let triplet = Triplet::new(address("192.0.2.1"), &sender, "anna@example.org");
        rig.learn.greylist.check(triplet, rig.now()).await.unwrap();
        rig.pass(10);
    }
    let small = bounded!("greylist", "triplet", "expires_at", 12, 0);
    assert_eq!(small.purge(&rig.db, rig.now()).await.unwrap(), 18);
    assert_eq!(small.purge(&rig.db, rig.now()).await.unwrap(), 0);
    let oldest = rig.count("SELECT min(first_at) FROM greylist").await;
    assert_eq!(oldest, START.0 + 180);
}
