//! What recipients and administrators say, and what becomes of each copy.

use std::time::Duration;

use filter::{Action, Input, Scope, Thresholds, Tuning};
use mailauth::{Author, Outcome};
use policy::{
    NewEntry, NewNetwork, Owner, Part, Purpose, Role, Settings, SpamPlace, Verdict as Says,
};

use crate::house::{
    ANN, BOB, House, address, ann, bob, genuine, good, has, recipient, score_of, with,
};

/// A rule that counts `score` for every message.
fn always(score: f32) -> String {
    format!(
        "[[rule]]\nsymbol = \"ALWAYS\"\nscore = {score:.1}\ndescription = \"always\"\n\
         when = {{ exists = \"header.from\" }}\n"
    )
}

fn for_both(input: Input) -> Input {
    with(input, |input| {
        input.recipients = vec![recipient(ann(), ANN), recipient(bob(), BOB)];
    })
}

impl House {
    async fn says(&self, owner: Owner, verdict: Says, pattern: &str) {
        let entry = NewEntry {
            pattern: pattern.parse().unwrap(),
            verdict,
            part: Part::Both,
            comment: String::new(),
        };
        self.policy.add_entries(owner, vec![entry]).await.unwrap();
    }

    async fn wants(&self, owner: Owner, settings: Settings) {
        self.policy.set_settings(owner, settings).await.unwrap();
    }
}

fn thresholds(thresholds: policy::Thresholds) -> Settings {
    Settings {
        thresholds,
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_denied_sender_is_refused_for_one_and_accepted_for_the_other() {
    let house = House::new().await;
    house
        .says(Owner::Account(ANN), Says::Deny, "anna@example.com")
        .await;
    let alone = house.judge(&good()).await;
    assert!(matches!(alone.action, Action::Reject { .. }), "{alone:?}");
    assert_eq!(score_of(&alone, "DENIED_SENDER"), Some(999.0));
    let both = house.judge(&for_both(good())).await;
    assert_eq!(both.action, Action::Accept, "{:?}", both.signals);
    // It is accepted for Bob's sake: Ann's copy can be refused no more.
    assert_eq!(both.action_for(&ann()), Action::Junk);
    assert_eq!(both.action_for(&bob()), Action::Accept);
    assert!(both.score < 100.0 && both.score_for(&ann()) > 900.0);
    assert_eq!(both.score_for(&bob()), both.score);
    let header = both.header();
    assert!(!header.contains("DENIED_SENDER"), "{header}");
}

#[tokio::test]
async fn a_welcome_sender_is_spam_for_the_others_only() {
    let house = House::new().await;
    house
        .says(Owner::Account(ANN), Says::Allow, "*@example.com")
        .await;
    house.rule_set("always", &always(7.0)).await.unwrap();
    let spam = house.judge(&for_both(good())).await;
    assert_eq!(spam.action, Action::Accept);
    assert_eq!(spam.action_for(&ann()), Action::Accept);
    assert_eq!(spam.action_for(&bob()), Action::Junk);
    let only_bob = with(good(), |input| {
        input.recipients = vec![recipient(bob(), BOB)]
    });
    assert_eq!(house.judge(&only_bob).await.action, Action::Junk);
    house.rule_set("always", &always(20.0)).await.unwrap();
    let refused = house.judge(&for_both(good())).await;
    assert_eq!(refused.action, Action::Accept);
    assert_eq!(refused.action_for(&bob()), Action::Junk);
    assert!(matches!(
        house.judge(&only_bob).await.action,
        Action::Reject { .. }
    ));
}

#[tokio::test]
async fn a_welcome_does_not_outweigh_the_policy_of_the_authors_domain() {
    let house = House::new().await;
    house
        .says(Owner::Account(ANN), Says::Allow, "anna@example.com")
        .await;
    let spoofed = with(good(), |input| {
        let mut auth = mailauth::AuthResults::clone(&genuine());
        auth.dmarc.result = Outcome::Fail;
        auth.dmarc.policy = mailauth::Policy::Quarantine;
        input.auth = auth.into();
    });
    let verdict = house.judge(&spoofed).await;
    assert!(has(&verdict, "ALLOWED_SENDER"));
    assert_eq!(verdict.action_for(&ann()), Action::Junk);
    let nobody = with(good(), |input| {
        let mut auth = mailauth::AuthResults::clone(&input.auth);
        auth.author = Author::Invalid;
        input.auth = auth.into();
    });
    assert_eq!(house.judge(&nobody).await.action_for(&ann()), Action::Junk);
}

#[tokio::test]
async fn the_narrowest_list_counts() {
    let house = House::new().await;
    house.says(Owner::Global, Says::Deny, "*@example.com").await;
    house
        .says(
            Owner::Domain(crate::house::DOMAIN),
            Says::Allow,
            "*@example.com",
        )
        .await;
    house
        .says(Owner::Account(BOB), Says::Deny, "*@example.com")
        .await;
    let verdict = house.judge(&for_both(good())).await;
    let found: Vec<(&str, &Scope)> = verdict
        .signals
        .iter()
        .filter(|signal| signal.symbol.ends_with("_SENDER"))
        .map(|signal| (signal.symbol.as_ref(), &signal.scope))
        .collect();
    assert_eq!(
        found,
        [
            ("ALLOWED_SENDER", &Scope::Recipient(ann())),
            ("DENIED_SENDER", &Scope::Recipient(bob())),
        ]
    );
}

#[tokio::test]
async fn thresholds_are_those_of_the_recipient() {
    let house = House::new().await;
    house.rule_set("always", &always(9.0)).await.unwrap();
    let base = house.judge(&good()).await.score;
    assert!((7.0..=14.0).contains(&base), "{base}");
    let (below, above) = (Some(base - 1.0), Some(base + 1.0));
    let none = policy::Thresholds::default();
    for (set, expected) in [
        (
            policy::Thresholds {
                junk: above,
                ..none
            },
            Action::Accept,
        ),
        (
            policy::Thresholds {
                junk: below,
                ..none
            },
            Action::Junk,
        ),
        (
            policy::Thresholds {
                rewrite: below,
                ..none
            },
            Action::RewriteSubject,
        ),
        (
            policy::Thresholds {
                quarantine: below,
                ..none
            },
            Action::Quarantine,
        ),
        (
            policy::Thresholds {
                discard: below,
                ..none
            },
            Action::Discard,
        ),
    ] {
        house.wants(Owner::Account(ANN), thresholds(set)).await;
        let verdict = house.judge(&for_both(good())).await;
        assert_eq!(verdict.shares[0].action, expected, "{set:?}");
        assert_eq!(verdict.shares[1].action, Action::Junk);
        let severity = |action: &Action| matches!(action, Action::Accept);
        assert_eq!(
            verdict.action,
            match severity(&expected) {
                true => Action::Accept,
                false => Action::Junk,
            }
        );
    }
    let set = policy::Thresholds {
        reject: below,
        ..none
    };
    house.wants(Owner::Account(ANN), thresholds(set)).await;
    let alone = house.judge(&good()).await;
    assert!(matches!(alone.action, Action::Reject { .. }));
    let both = house.judge(&for_both(good())).await;
    assert_eq!(
        (both.action.clone(), both.action_for(&ann())),
        (Action::Junk, Action::Junk)
    );
}

#[tokio::test]
async fn spam_of_one_recipient_waits_in_quarantine() {
    let house = House::new().await;
    house.rule_set("always", &always(9.0)).await.unwrap();
    house
        .wants(
            Owner::Account(ANN),
            Settings {
                spam: Some(SpamPlace::Quarantine),
                ..Settings::default()
            },
        )
        .await;
    let verdict = house.judge(&for_both(good())).await;
    assert_eq!(verdict.action_for(&ann()), Action::Quarantine);
    assert_eq!(verdict.action_for(&bob()), Action::Junk);
    assert_eq!(verdict.action, Action::Junk);
    assert!(verdict.is_spam());
    let alone = house.judge(&good()).await;
    assert_eq!(alone.action, Action::Quarantine);
}

#[tokio::test]
async fn mail_for_a_trap_is_learned_and_thrown_away() {
    let house = House::new().await;
    let trap = address("trap@example.org");
    house
        .policy
        .set_role(&trap, Role::SpamTrap, "")
        .await
        .unwrap();
    let input = with(good(), |input| {
        input.recipients = vec![
            recipient(ann(), ANN),
            filter::Recipient::new(address("Trap@example.org")),
        ];
    });
    let judged = house.judged(&input).await;
    assert_eq!(judged.verdict.action_for(&ann()), Action::Accept);
    assert_eq!(
        judged.verdict.action_for(&address("Trap@example.org")),
        Action::Discard
    );
    let learned = || async {
        let stats = house.learn.bayes.stats(learn::Owner::Global).await.unwrap();
        (stats.learned_spam, stats.learned_ham) == (1, 0)
    };
    house.settle(judged, learned).await;
    // Nobody is refused who writes to a trap, nor told to come again.
    for score in [-30.0, 30.0] {
        house.rule_set("always", &always(score)).await.unwrap();
        let alone = with(good(), |input| {
            input.recipients = vec![filter::Recipient::new(address("trap@example.org"))];
        });
        assert_eq!(house.judge(&alone).await.action, Action::Discard, "{score}");
    }
}

fn greylisting() -> Tuning {
    Tuning {
        thresholds: Thresholds {
            greylist: Some(-100.0),
            ..Thresholds::default()
        },
        ..Tuning::default()
    }
}

#[tokio::test]
async fn who_comes_back_is_let_in() {
    let house = House::with(greylisting()).await;
    let first = house.judged(&good()).await;
    assert_eq!(first.verdict.action, Action::Greylist);
    assert!(!first.verdict.is_spam());
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(house.judge(&good()).await.action, Action::Greylist);
    house.clock.advance(Duration::from_secs(300));
    let passed = house.judge(&good()).await;
    assert_eq!(passed.action, Action::Accept);
    assert_eq!(passed.action_for(&ann()), Action::Accept);
    // It is known from now on; another sender is not.
    assert_eq!(house.judge(&good()).await.action, Action::Accept);
    let other = with(good(), |input| {
        input.from = smtp::address::ReversePath::Address(address("eve@example.net"));
    });
    assert_eq!(house.judge(&other).await.action, Action::Greylist);
}

#[tokio::test]
async fn near_clients_and_forwarding_hosts_are_not_held_back() {
    let house = House::with(greylisting()).await;
    let near = with(good(), |input| input.ip = [192, 168, 0, 9].into());
    assert_eq!(house.judge(&near).await.action, Action::Accept);
    assert_eq!(house.judge(&good()).await.action, Action::Greylist);
    for (purpose, network, ip) in [
        (Purpose::Own, "203.0.113.0/28", [203, 0, 113, 1]),
        (Purpose::Forwarding, "203.0.113.16/28", [203, 0, 113, 17]),
    ] {
        let input = with(good(), |input| input.ip = ip.into());
        assert_eq!(house.judge(&input).await.action, Action::Greylist);
        let new = NewNetwork {
            network: network.parse().unwrap(),
            purpose,
            account: None,
            comment: String::new(),
        };
        house.policy.add_network(new).await.unwrap();
        assert_eq!(
            house.judge(&input).await.action,
            Action::Accept,
            "{purpose}"
        );
    }
}

#[tokio::test]
async fn clients_of_own_networks_count_as_signed_in_for_rules() {
    let house = House::new().await;
    let rule = "[[rule]]\nsymbol = \"SIGNED_IN\"\nscore = 0.0\ndescription = \"d\"\n\
                when = { flag = \"authenticated\" }\n";
    house.rule_set("signed_in", rule).await.unwrap();
    assert!(!has(&house.judge(&good()).await, "SIGNED_IN"));
    let new = NewNetwork {
        network: "198.51.100.0/24".parse().unwrap(),
        purpose: Purpose::Own,
        account: None,
        comment: String::new(),
    };
    house.policy.add_network(new).await.unwrap();
    let own = with(good(), |input| {
        input.ip = "::ffff:198.51.100.1".parse().unwrap()
    });
    assert!(has(&house.judge(&own).await, "SIGNED_IN"));
}

#[tokio::test]
async fn mail_of_an_unfiltered_forwarding_host_is_accepted_whatever_it_is() {
    let house = House::new().await;
    house.rule_set("always", &always(30.0)).await.unwrap();
    assert!(matches!(
        house.judge(&good()).await.action,
        Action::Reject { .. }
    ));
    let new = NewNetwork {
        network: "198.51.100.0/24".parse().unwrap(),
        purpose: Purpose::ForwardingUnfiltered,
        account: None,
        comment: String::new(),
    };
    house.policy.add_network(new).await.unwrap();
    let verdict = house.judge(&good()).await;
    assert_eq!(verdict.action, Action::Accept);
    assert!(has(&verdict, "FORWARDING_HOST"));
}

#[tokio::test]
async fn an_address_book_welcomes_its_owners_friends() {
    let house = House::new().await;
    house
        .policy
        .set_contacts(ANN, &[address("anna@example.com")])
        .await
        .unwrap();
    house.rule_set("always", &always(9.0)).await.unwrap();
    let verdict = house.judge(&for_both(good())).await;
    assert_eq!(verdict.action_for(&ann()), Action::Accept);
    assert_eq!(verdict.action_for(&bob()), Action::Junk);
}
