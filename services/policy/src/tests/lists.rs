//! Allow and deny lists.

use super::*;
use crate::{Met, SenderKind};

#[tokio::test]
async fn the_narrowest_list_counts_and_allowing_counts_more_than_denying() {
    use Verdict::{Allow, Deny};
    let owners = [Owner::Account(ANN), Owner::Domain(HERE), Owner::Global];
    // What the lists of the account, its domain and everybody say; what comes of it.
    let table: [([&[Verdict]; 3], Option<&str>); 9] = [
        ([&[], &[], &[]], None),
        ([&[], &[], &[Allow]], Some("ALLOWED_SENDER")),
        ([&[], &[], &[Deny]], Some("DENIED_SENDER")),
        ([&[], &[Allow], &[Deny]], Some("ALLOWED_SENDER")),
        ([&[], &[Deny], &[Allow]], Some("DENIED_SENDER")),
        ([&[Deny], &[Allow], &[Allow]], Some("DENIED_SENDER")),
        ([&[Allow], &[Deny], &[Deny]], Some("ALLOWED_SENDER")),
        ([&[Deny, Allow], &[Deny], &[]], Some("ALLOWED_SENDER")),
        ([&[], &[Deny, Allow], &[Deny]], Some("ALLOWED_SENDER")),
    ];
    for (lists, wanted) in table {
        let fixture = Fixture::new().await;
        for (owner, verdicts) in owners.into_iter().zip(lists) {
            for verdict in verdicts {
                fixture.add(owner, *verdict, "x@y.test").await;
            }
        }
        let found = fixture.verdict(&from("x@y.test"));
        assert_eq!(found.first().map(String::as_str), wanted, "{lists:?}");
        assert!(fixture.verdict(&from("other@y.test")).is_empty());
    }
}

#[tokio::test]
async fn allowing_the_domain_counts_more_than_denying_the_address_of_the_same_list() {
    let fixture = Fixture::new().await;
    fixture.add(Owner::Global, Verdict::Deny, "x@y.test").await;
    fixture.add(Owner::Global, Verdict::Allow, "*@y.test").await;
    assert_eq!(fixture.verdict(&from("x@y.test")), ["ALLOWED_SENDER"]);
}

#[tokio::test]
async fn each_kind_of_entry_means_what_it_says() {
    let fixture = Fixture::new().await;
    let ann = Owner::Account(ANN);
    for text in [
        "ann@one.test",
        "two.test",
        "*@*.three.test",
        "news-*@four.test",
        "198.51.100.0/24",
    ] {
        fixture.add(ann, Verdict::Deny, text).await;
    }
    for (address, denied) in [
        ("ANN@One.test", true),
        ("bob@one.test", false),
        ("ann@sub.one.test", false),
        ("x@two.test", true),
        ("x@a.b.two.test", true),
        ("x@nottwo.test", false),
        ("x@a.three.test", true),
        ("x@three.test", false),
        ("news-1@four.test", true),
        ("news@four.test", false),
        ("news-1@a.four.test", false),
        ("", false),
    ] {
        assert_eq!(
            !fixture.verdict(&from(address)).is_empty(),
            denied,
            "{address}"
        );
        assert!(
            fixture.verdict_for(BOB, &from(address)).is_empty(),
            "another's list"
        );
    }
    let client = |address: &str| Sender {
        client: Some(address.parse().unwrap()),
        ..Sender::default()
    };
    assert_eq!(fixture.verdict(&client("198.51.100.7")), ["DENIED_SENDER"]);
    assert_eq!(
        fixture.verdict(&client("::ffff:198.51.100.7")),
        ["DENIED_SENDER"]
    );
    assert!(fixture.verdict(&client("198.51.101.7")).is_empty());
}

#[tokio::test]
async fn an_entry_is_compared_with_the_part_it_is_for() {
    for (part, by_envelope, by_header) in [
        (Part::Both, true, true),
        (Part::Envelope, true, false),
        (Part::Header, false, true),
    ] {
        let fixture = Fixture::new().await;
        let new = NewEntry {
            part,
            ..entry(Verdict::Allow, "x@y.test")
        };
        fixture
            .policy
            .add_entries(Owner::Global, vec![new])
            .await
            .unwrap();
        let header = ["z@z.test", "X@y.test"];
        let header = Sender {
            envelope_from: "bounce@z.test",
            header_from: &header,
            client: None,
        };
        assert_eq!(!fixture.verdict(&from("x@y.test")).is_empty(), by_envelope);
        assert_eq!(!fixture.verdict(&header).is_empty(), by_header);
    }
}

#[tokio::test]
async fn a_signal_says_whose_entry_was_met_and_by_what() {
    let fixture = Fixture::new().await;
    fixture
        .add(Owner::Domain(HERE), Verdict::Deny, "Y.test")
        .await;
    let snapshot = fixture.policy.snapshot();
    let [signal] = snapshot
        .judge_sender(&recipient(ANN), &from("x@y.test"))
        .try_into()
        .unwrap();
    assert_eq!((&*signal.symbol, signal.score), ("DENIED_SENDER", 999.0));
    assert_eq!(
        (signal.owner, signal.met),
        (Owner::Domain(HERE), Met::Envelope)
    );
    assert_eq!(&*signal.entry, "y.test");
}

#[tokio::test]
async fn entries_are_listed_in_pages_changed_and_removed() {
    let fixture = Fixture::new().await;
    let owner = Owner::Account(ANN);
    let texts = ["c@x.test", "a@x.test", "b.test"];
    let new = texts
        .iter()
        .map(|text| entry(Verdict::Allow, text))
        .collect();
    fixture.policy.add_entries(owner, new).await.unwrap();
    let first = EntryPage {
        after: None,
        limit: 2,
    };
    let first = fixture.policy.entries(owner, first).await.unwrap();
    let values: Vec<_> = first.iter().map(|entry| entry.value.as_str()).collect();
    assert_eq!(values, ["a@x.test", "b.test"]);
    let second = EntryPage {
        after: first.last().map(|last| (last.value.clone(), last.verdict)),
        limit: 2,
    };
    let second = fixture.policy.entries(owner, second).await.unwrap();
    assert_eq!(second[0].value, "c@x.test");
    assert_eq!(
        (first[1].kind, second[0].kind),
        (SenderKind::Domain, SenderKind::Address)
    );
    assert_eq!((second.len(), second[0].created_at), (1, 1_000_000_000));

    let again = NewEntry {
        comment: "mine".into(),
        part: Part::Header,
        ..entry(Verdict::Allow, "A@X.test")
    };
    fixture
        .policy
        .add_entries(owner, vec![again])
        .await
        .unwrap();
    let listed = fixture.entries(owner).await;
    assert_eq!((listed.len(), listed[0].comment.as_str()), (3, "mine"));
    assert_eq!((listed[0].id, listed[0].part), (first[0].id, Part::Header));

    fixture
        .policy
        .remove_entries(owner, vec![first[1].id])
        .await
        .unwrap();
    assert_eq!(fixture.entries(owner).await.len(), 2);
    assert!(fixture.verdict(&from("x@b.test")).is_empty());
}

#[tokio::test]
async fn one_cannot_remove_the_entries_of_another_and_nothing_changes_by_halves() {
    let fixture = Fixture::new().await;
    fixture
        .add(Owner::Account(ANN), Verdict::Allow, "x@y.test")
        .await;
    fixture
        .add(Owner::Account(BOB), Verdict::Allow, "x@y.test")
        .await;
    let mine = fixture.entries(Owner::Account(BOB)).await[0].id;
    let anns = fixture.entries(Owner::Account(ANN)).await[0].id;
    let revision = fixture.policy.snapshot().revision();
    let both = fixture
        .policy
        .remove_entries(Owner::Account(BOB), vec![mine, anns]);
    assert_eq!(message(both.await), format!("there is no entry {anns}"));
    assert_eq!(fixture.entries(Owner::Account(BOB)).await.len(), 1);
    assert_eq!(fixture.policy.snapshot().revision(), revision);
    let nobody = Owner::Account(AccountId(77));
    let new = vec![entry(Verdict::Allow, "x@y.test")];
    let refused = fixture.policy.add_entries(nobody, new).await;
    assert_eq!(message(refused), "there is no account 77");
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_loaded_and_found() {
    let fixture = Fixture::new().await;
    let entries = (0..100_000)
        .map(|number| NewEntry {
            pattern: match number % 4 {
                0 => format!("user{number}@example{number}.test"),
                1 => format!("domain{number}.test"),
                2 => format!("*@*.wild{number}.test"),
                _ => format!("news-{number}-*@*"),
            }
            .parse()
            .unwrap(),
            verdict: Verdict::Allow,
            part: Part::Both,
            comment: String::new(),
        })
        .collect();
    fixture
        .policy
        .add_entries(Owner::Global, entries)
        .await
        .unwrap();
    assert_eq!(fixture.policy.snapshot().entries(), 100_000);
    for (address, known) in [
        ("user400@example400.test", true),
        ("user401@example400.test", false),
        ("x@a.domain99997.test", true),
        ("x@domain99998.test", false),
        ("x@a.wild99998.test", true),
        ("x@wild99998.test", false),
        ("news-99999-x@anywhere.test", true),
        ("news-99998-x@anywhere.test", false),
    ] {
        assert_eq!(
            !fixture.verdict(&from(address)).is_empty(),
            known,
            "{address}"
        );
    }
    // A change of something else does not load them again, and a fresh start does.
    fixture.policy.remove_map("bad_words.map").await.unwrap();
    let again = Policy::open(fixture.db.clone()).await.unwrap();
    assert_eq!(again.snapshot().entries(), 100_000);
    let more = (0..100_001)
        .map(|number| entry(Verdict::Deny, &format!("u{number}@z.test")))
        .collect();
    let refused = fixture.policy.add_entries(Owner::Global, more).await;
    assert!(message(refused).contains("at most 200000"));
    let more = (0..10_001)
        .map(|number| entry(Verdict::Deny, &format!("u{number}@z.test")))
        .collect();
    let refused = fixture.policy.add_entries(Owner::Account(ANN), more).await;
    assert!(message(refused).contains("at most 10000"));
    assert_eq!(fixture.policy.snapshot().entries(), 100_000);
}
