//! What is due to authors and clients, whatever rules say.

use std::net::IpAddr;
use std::sync::Arc;

use filter::{Action, Input, Origin, Thresholds, Tuning, Verdict};
use mailauth::{
    ArcVerdict, AuthResults, Author, DkimVerdict, DmarcVerdict, IprevVerdict, Outcome, Policy,
    SpfOutcome,
};
use smtp::address::{Domain, ReversePath};

use crate::house::{House, built_in, fields, good, has, mail, octets, symbols, with};

fn spf(result: Outcome) -> SpfOutcome {
    SpfOutcome {
        result,
        ..SpfOutcome::default()
    }
}

/// Authentication of one author at example.com with this DMARC result.
fn dmarc(result: Outcome, policy: Policy) -> AuthResults {
    let domain = Domain::parse("example.com").unwrap();
    AuthResults {
        author: Author::One(domain.clone()),
        dmarc: DmarcVerdict {
            result,
            policy,
            domain: Some(domain),
            ..DmarcVerdict::default()
        },
        ..AuthResults::default()
    }
}

fn came(input: Input, auth: &AuthResults) -> Input {
    with(input, |input| input.auth = Arc::new(auth.clone()))
}

async fn outside(house: &House, auth: &AuthResults) -> Verdict {
    house.judge(&came(good(), auth)).await
}

#[tokio::test]
async fn good_mail_is_accepted_with_a_score_below_zero() {
    let house = House::new().await;
    let mut auth = dmarc(Outcome::Pass, Policy::Reject);
    auth.spf = spf(Outcome::Pass);
    let verdict = outside(&house, &auth).await;
    assert_eq!(verdict.action, Action::Accept, "{:?}", symbols(&verdict));
    assert_eq!(
        built_in(&verdict),
        ["R_SPF_ALLOW", "R_DKIM_NA", "DMARC_POLICY_ALLOW"]
    );
    assert!(verdict.score < 0.0, "{:?}", verdict.signals);
    let header = verdict.header();
    let score = format!("X-Spam-Score: {:.2}\r\nX-Spam-Status: No, ", verdict.score);
    assert!(header.starts_with(&score), "{header}");
}

#[tokio::test]
async fn unauthenticated_plain_mail_is_accepted() {
    let house = House::new().await;
    let verdict = outside(&house, &dmarc(Outcome::None, Policy::None)).await;
    assert_eq!(verdict.action, Action::Accept, "{:?}", verdict.signals);
    assert_eq!(built_in(&verdict), ["R_SPF_NA", "R_DKIM_NA", "DMARC_NA"]);
    assert!(!verdict.header().contains("X-Spam-Flag"));
}

#[tokio::test]
async fn the_policy_of_the_authors_domain_is_done() {
    let house = House::new().await;
    let refused = Action::Reject {
        text: "Message refused by the DMARC policy of example.com".into(),
    };
    for (result, policy, expected, symbol) in [
        (
            Outcome::Fail,
            Policy::Reject,
            refused,
            "DMARC_POLICY_REJECT",
        ),
        (
            Outcome::Fail,
            Policy::Quarantine,
            Action::Junk,
            "DMARC_POLICY_QUARANTINE",
        ),
        (
            Outcome::Fail,
            Policy::None,
            Action::Accept,
            "DMARC_POLICY_SOFTFAIL",
        ),
        (
            Outcome::TempError,
            Policy::Reject,
            Action::Accept,
            "DMARC_DNSFAIL",
        ),
        (
            Outcome::PermError,
            Policy::Reject,
            Action::Accept,
            "DMARC_BAD_POLICY",
        ),
        (
            Outcome::Pass,
            Policy::Reject,
            Action::Accept,
            "DMARC_POLICY_ALLOW",
        ),
    ] {
        let verdict = outside(&house, &dmarc(result, policy)).await;
        assert_eq!(verdict.action, expected, "{result} {policy:?}");
        assert!(has(&verdict, symbol), "{symbol}: {:?}", symbols(&verdict));
    }
}

#[tokio::test]
async fn a_sealed_message_that_fails_dmarc_is_junk_instead_of_refused() {
    let house = House::new().await;
    let mut auth = dmarc(Outcome::Fail, Policy::Reject);
    auth.arc = ArcVerdict {
        result: Outcome::Pass,
        sealers: vec!["lists.test".into()],
    };
    let sealed = outside(&house, &auth).await;
    assert_eq!(sealed.action, Action::Junk);
    assert!(has(&sealed, "ARC_ALLOW"));
    auth.arc.result = Outcome::Fail;
    let broken = outside(&house, &auth).await;
    assert!(matches!(broken.action, Action::Reject { .. }));
    assert!(has(&broken, "ARC_REJECT"));
}

#[tokio::test]
async fn an_author_that_cannot_be_made_out_is_never_good_mail() {
    let house = House::new().await;
    let twice = fields("From: eve@example.net\nFrom: anna@example.com\n");
    let mut auth = AuthResults {
        author: Author::Several,
        ..AuthResults::default()
    };
    let verdict = house.judge(&came(twice, &auth)).await;
    assert!(matches!(verdict.action, Action::Reject { .. }));
    assert!(has(&verdict, "MULTIPLE_FROM"));
    let list = fields("From: anna@example.com, eve@example.net\n");
    let verdict = house.judge(&came(list, &auth)).await;
    assert_eq!(verdict.action, Action::Junk, "{:?}", verdict.signals);
    auth.author = Author::Invalid;
    assert_eq!(outside(&house, &auth).await.action, Action::Junk);
}

#[tokio::test]
async fn users_of_ours_are_not_judged_by_sender_authentication() {
    let house = House::new().await;
    let mut auth = dmarc(Outcome::Fail, Policy::Reject);
    auth.spf = spf(Outcome::Fail);
    auth.iprev.result = Outcome::Fail;
    let input = with(came(good(), &auth), |input| {
        input.origin = Origin::Authenticated;
        input.helo = "localhost".to_owned();
    });
    let verdict = house.judge(&input).await;
    assert_eq!(verdict.action, Action::Accept, "{:?}", verdict.signals);
    assert_eq!(built_in(&verdict), [""; 0]);
}

#[tokio::test]
async fn form_and_client_add_up_to_junk_and_to_refusal() {
    let auth = AuthResults {
        author: Author::One(Domain::parse("example.com").unwrap()),
        spf: spf(Outcome::Fail),
        iprev: IprevVerdict {
            result: Outcome::Fail,
            name: None,
        },
        ..AuthResults::default()
    };
    let house = House::new().await;
    let bare = with(mail("From: a@example.com\n\nBuy\n"), |input| {
        input.from = ReversePath::Null;
    });
    let verdict = house.judge(&came(bare, &auth)).await;
    assert!(
        matches!(verdict.action, Action::Junk | Action::Reject { .. }),
        "{:?}",
        verdict.action
    );
    assert!(verdict.score >= 8.0);
    for symbol in [
        "R_SPF_FAIL",
        "HFILTER_HOSTNAME_UNKNOWN",
        "MISSING_MID",
        "MISSING_DATE",
        "MISSING_TO",
        "MISSING_SUBJECT",
    ] {
        assert!(has(&verdict, symbol), "{symbol}: {:?}", symbols(&verdict));
    }
    let header = verdict.header();
    assert!(header.starts_with("X-Spam-Flag: YES\r\n"), "{header}");
    let status = format!("Status: Yes, score={:.2} required=6.00", verdict.score);
    assert!(header.contains(&status), "{header}");
}

#[tokio::test]
async fn names_of_near_clients_say_nothing() {
    let strict = House::with(Tuning {
        thresholds: Thresholds {
            junk: Some(1.0),
            reject: Some(8.0),
            ..Thresholds::NONE
        },
        ..Tuning::default()
    })
    .await;
    let mut auth = AuthResults {
        author: Author::One(Domain::parse("example.com").unwrap()),
        spf: spf(Outcome::Fail),
        ..AuthResults::default()
    };
    auth.iprev.result = Outcome::Fail;
    let empty = with(came(octets(Vec::new()), &auth), |input| {
        input.helo = "192.0.2.1".to_owned();
        input.from = ReversePath::Null;
    });
    let verdict = strict.judge(&empty).await;
    assert!(matches!(verdict.action, Action::Reject { .. }));
    assert!(has(&verdict, "HFILTER_HELO_BAREIP"));
    let near = with(empty, |input| input.ip = IpAddr::from([10, 0, 0, 1]));
    let found = strict.judge(&near).await;
    let named = |symbol: &&str| symbol.starts_with("HFILTER_H") || symbol.starts_with("RDNS");
    assert_eq!(symbols(&found).into_iter().find(named), None);
}

#[tokio::test]
async fn the_best_signature_counts() {
    let house = House::new().await;
    let signature = |result| DkimVerdict {
        domain: "example.com".into(),
        selector: "s".into(),
        result,
        reason: None,
        signature: "abcdefgh".into(),
    };
    for (results, symbol) in [
        (vec![], "R_DKIM_NA"),
        (vec![Outcome::Fail], "R_DKIM_REJECT"),
        (vec![Outcome::PermError], "R_DKIM_PERMFAIL"),
        (vec![Outcome::Fail, Outcome::TempError], "R_DKIM_TEMPFAIL"),
        (vec![Outcome::Fail, Outcome::Pass], "R_DKIM_ALLOW"),
    ] {
        let mut auth = dmarc(Outcome::None, Policy::None);
        auth.dkim = results.into_iter().map(signature).collect();
        let verdict = outside(&house, &auth).await;
        assert!(built_in(&verdict).contains(&symbol), "{symbol}");
    }
}
