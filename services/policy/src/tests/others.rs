//! Settings, networks, addresses with a role, contacts.

use super::*;
use crate::{
    Forwarding, NewNetwork, Purpose, RateLimit, Role, Settings, SpamPlace, Tagged, Thresholds,
};

#[tokio::test]
async fn what_is_not_set_is_that_of_the_next_wider_owner() {
    let fixture = Fixture::new().await;
    let global = Settings {
        thresholds: Thresholds {
            greylist: Some(4.0),
            junk: Some(6.0),
            reject: Some(15.0),
            ..Thresholds::default()
        },
        subject_prefix: Some("[SPAM] ".into()),
        spam: Some(SpamPlace::Junk),
        ..Settings::default()
    };
    let domain = Settings {
        thresholds: Thresholds {
            reject: Some(12.5),
            ..Thresholds::default()
        },
        tagged: Some(Tagged::Subfolder),
        ..Settings::default()
    };
    let account = Settings {
        thresholds: Thresholds {
            junk: Some(-0.1),
            discard: Some(9999.0),
            ..Thresholds::default()
        },
        spam: Some(SpamPlace::Quarantine),
        ..Settings::default()
    };
    let none = fixture.policy.snapshot().settings(&recipient(ANN));
    assert_eq!(none, Settings::default());
    for (owner, settings) in [
        (Owner::Global, &global),
        (Owner::Domain(HERE), &domain),
        (Owner::Account(ANN), &account),
    ] {
        fixture
            .policy
            .set_settings(owner, settings.clone())
            .await
            .unwrap();
        assert_eq!(fixture.policy.settings(owner).await.unwrap(), *settings);
    }
    let snapshot = fixture.policy.snapshot();
    let ann = snapshot.settings(&recipient(ANN));
    let wanted = Thresholds {
        greylist: Some(4.0),
        junk: Some(-0.1),
        rewrite: None,
        quarantine: None,
        reject: Some(12.5),
        discard: Some(9999.0),
    };
    assert_eq!(ann.thresholds, wanted);
    assert_eq!(ann.subject_prefix.as_deref(), Some("[SPAM] "));
    assert_eq!(
        (ann.tagged, ann.spam),
        (Some(Tagged::Subfolder), Some(SpamPlace::Quarantine))
    );
    assert_eq!(
        snapshot.settings(&recipient(BOB)).thresholds.junk,
        Some(6.0)
    );
    let elsewhere = RecipientFacts {
        account: None,
        domain: Some(DomainId(2)),
    };
    assert_eq!(snapshot.settings(&elsewhere), global);

    fixture
        .policy
        .set_settings(Owner::Account(ANN), Settings::default())
        .await
        .unwrap();
    let ann = fixture.policy.snapshot().settings(&recipient(ANN));
    assert_eq!(
        (ann.thresholds.junk, ann.spam),
        (Some(6.0), Some(SpamPlace::Junk))
    );
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let fixture = Fixture::new().await;
    let mut settings = Settings::default();
    settings.thresholds.reject = Some(f32::NAN);
    let refused = fixture.policy.set_settings(Owner::Global, settings).await;
    assert!(matches!(refused, Err(Error::Score)));
    let settings = Settings {
        subject_prefix: Some("a\r\nb".into()),
        ..Settings::default()
    };
    let refused = fixture.policy.set_settings(Owner::Global, settings).await;
    assert!(matches!(refused, Err(Error::Name(_))));
    let refused = fixture
        .policy
        .set_settings(Owner::Domain(DomainId(9)), Settings::default());
    assert_eq!(message(refused.await), "there is no domain 9");
    assert_eq!(fixture.policy.snapshot().revision(), 0);
}

#[tokio::test]
async fn the_narrowest_rate_limit_counts_and_says_for_whom() {
    let fixture = Fixture::new().await;
    let limit = |text: &str| Settings {
        limit: Some(text.parse().unwrap()),
        ..Settings::default()
    };
    let ann = recipient(ANN);
    let found = || {
        let found = fixture.policy.snapshot().rate_limit(&ann);
        found.map(|(limit, owner): (RateLimit, Owner)| (limit.to_string(), owner))
    };
    assert_eq!(found(), None);
    for (owner, text, counted) in [
        (Owner::Global, "1000 / 1d", Owner::Account(ANN)),
        (Owner::Domain(HERE), "500 / 1h", Owner::Domain(HERE)),
        (Owner::Account(ANN), "5 / 1m", Owner::Account(ANN)),
    ] {
        fixture
            .policy
            .set_settings(owner, limit(text))
            .await
            .unwrap();
        assert_eq!(found(), Some((text.to_owned(), counted)));
    }
}

#[tokio::test]
async fn networks_are_own_forwarding_or_an_accounts() {
    let fixture = Fixture::new().await;
    let add = async |network: &str, purpose, account| {
        let new = NewNetwork {
            network: network.parse().unwrap(),
            purpose,
            account,
            comment: "test".into(),
        };
        fixture.policy.add_network(new).await
    };
    let ip = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    add("10.0.0.0/8", Purpose::Own, None).await.unwrap();
    add("192.0.2.0/24", Purpose::Forwarding, None)
        .await
        .unwrap();
    add("192.0.2.128/25", Purpose::ForwardingUnfiltered, None)
        .await
        .unwrap();
    add("2001:db8::/32", Purpose::Submission, Some(ANN))
        .await
        .unwrap();
    add("203.0.113.7", Purpose::Submission, Some(ANN))
        .await
        .unwrap();
    let snapshot = fixture.policy.snapshot();
    assert!(snapshot.is_own_network(ip("10.1.2.3")) && !snapshot.is_own_network(ip("11.1.2.3")));
    assert_eq!(
        snapshot.forwarding(ip("192.0.2.1")),
        Some(Forwarding::Filtered)
    );
    assert_eq!(
        snapshot.forwarding(ip("192.0.2.200")),
        Some(Forwarding::Unfiltered)
    );
    assert_eq!(snapshot.forwarding(ip("10.1.2.3")), None);
    for (account, client, may) in [
        (ANN, "203.0.113.7", true),
        (ANN, "::ffff:203.0.113.7", true),
        (ANN, "2001:db8:1::1", true),
        (ANN, "203.0.113.8", false),
        (BOB, "203.0.113.8", true),
    ] {
        assert_eq!(snapshot.may_submit(account, ip(client)), may, "{client}");
    }
    let again = add("10.9.9.9/8", Purpose::Own, None).await;
    assert_eq!(message(again), "the network 10.0.0.0/8 exists already");
    for (purpose, account) in [(Purpose::Submission, None), (Purpose::Own, Some(ANN))] {
        let refused = add("172.16.0.0/12", purpose, account).await;
        assert!(matches!(refused, Err(Error::Name(_))));
    }
    let anns = fixture.policy.networks(Some(ANN)).await.unwrap();
    assert_eq!(anns.len(), 2);
    let others = fixture.policy.remove_network(Some(BOB), anns[0].id).await;
    assert!(matches!(others, Err(Error::NotFound(_))));
    for network in anns {
        fixture
            .policy
            .remove_network(Some(ANN), network.id)
            .await
            .unwrap();
    }
    assert!(fixture.policy.snapshot().may_submit(ANN, ip("203.0.113.8")));
    assert_eq!(fixture.policy.networks(None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn addresses_have_at_most_one_role() {
    let fixture = Fixture::new().await;
    let staff = address("Staff@here.test");
    let trap = address("trap@here.test");
    fixture
        .policy
        .set_role(&staff, Role::Internal, "")
        .await
        .unwrap();
    fixture
        .policy
        .set_role(&trap, Role::HamTrap, "")
        .await
        .unwrap();
    fixture
        .policy
        .set_role(&trap, Role::SpamTrap, "learn")
        .await
        .unwrap();
    let snapshot = fixture.policy.snapshot();
    assert!(snapshot.is_internal("staff@HERE.test") && !snapshot.is_internal("trap@here.test"));
    assert_eq!(snapshot.is_trap("Trap@here.test"), Some(Role::SpamTrap));
    assert_eq!(snapshot.is_trap("staff@here.test"), None);
    let all = fixture.policy.all_roles().await.unwrap();
    assert_eq!((all.len(), all[1].comment.as_str()), (2, "learn"));
    fixture.policy.unset_role(&trap).await.unwrap();
    assert_eq!(fixture.policy.snapshot().is_trap("trap@here.test"), None);
    let gone = fixture.policy.unset_role(&trap).await;
    assert_eq!(message(gone), "there is no role of trap@here.test");
}

#[tokio::test]
async fn contacts_count_when_no_list_knows_the_sender() {
    let fixture = Fixture::new().await;
    let contacts = [address("F.riend+x@GMail.com"), address("pal@there.test")];
    fixture.policy.set_contacts(ANN, &contacts).await.unwrap();
    let friend = from("friend@googlemail.com");
    assert_eq!(fixture.verdict(&friend), ["CONTACT"]);
    assert!(fixture.verdict_for(BOB, &friend).is_empty());
    let header = ["Pal+list@there.test"];
    let pal = Sender {
        envelope_from: "bounce@list.test",
        header_from: &header,
        client: None,
    };
    assert_eq!(fixture.verdict(&pal), ["CONTACT"]);
    fixture.add(Owner::Global, Verdict::Deny, "gmail.com").await;
    fixture
        .add(Owner::Global, Verdict::Deny, "googlemail.com")
        .await;
    assert_eq!(fixture.verdict(&friend), ["DENIED_SENDER"]);
    fixture
        .policy
        .set_contacts(ANN, &contacts[..1])
        .await
        .unwrap();
    assert!(fixture.verdict(&pal).is_empty());
    assert_eq!(
        fixture.policy.contacts(ANN).await.unwrap(),
        ["friend@gmail.com"]
    );
    let nobody = fixture.policy.set_contacts(AccountId(77), &contacts).await;
    assert_eq!(message(nobody), "there is no account 77");
}
