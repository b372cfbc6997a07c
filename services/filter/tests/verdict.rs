//! What the filter decides about whole messages.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::IpAddr;
use std::sync::Arc;

use filter::{Action, Filter, Input, Origin, Scope, Signal, Signals, Source, Thresholds, Verdict};
use mailauth::{
    ArcVerdict, AuthResults, Author, DmarcVerdict, IprevVerdict, Outcome, Policy, SpfOutcome,
};
use smtp::address::{Address, Domain, ReversePath};

const GOOD: &str = "From: a@example.test\r\nTo: b@receiver.test\r\nSubject: s\r\n\
    Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\nHello\r\n";

/// The verdict on a message from 198.51.100.1, which calls itself mail.example.test.
fn judge(filter: &Filter, message: &str, auth: &AuthResults, origin: Origin) -> Verdict {
    let summary = mime::Summary::parse(message.as_bytes());
    filter.evaluate(&Input {
        raw: message.as_bytes(),
        summary: &summary,
        auth,
        ip: IpAddr::from([198, 51, 100, 1]),
        helo: "mail.example.test",
        from: &ReversePath::Null,
        recipients: &[],
        origin,
    })
}

fn outside(message: &str, auth: &AuthResults) -> Verdict {
    judge(&Filter::default(), message, auth, Origin::Outside)
}

/// Authentication of one author at example.test with this DMARC result.
fn dmarc(result: Outcome, policy: Policy) -> AuthResults {
    let domain = Domain::parse("example.test").unwrap();
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

fn symbols(verdict: &Verdict) -> Vec<&str> {
    verdict
        .signals
        .iter()
        .map(|signal| signal.symbol.as_ref())
        .collect()
}

#[test]
fn good_mail_is_accepted_with_a_score_below_zero() {
    let mut auth = dmarc(Outcome::Pass, Policy::Reject);
    auth.spf = SpfOutcome {
        result: Outcome::Pass,
        ..SpfOutcome::default()
    };
    let verdict = outside(GOOD, &auth);
    assert_eq!(verdict.action, Action::Accept);
    assert_eq!(
        symbols(&verdict),
        ["R_SPF_ALLOW", "R_DKIM_NA", "DMARC_POLICY_ALLOW"]
    );
    assert_eq!(verdict.score, -0.7);
    assert!(
        verdict
            .header()
            .starts_with("X-Spam-Score: -0.70\r\nX-Spam-Status: No, ")
    );
}

#[test]
fn unauthenticated_plain_mail_is_accepted() {
    let verdict = outside(GOOD, &dmarc(Outcome::None, Policy::None));
    assert_eq!((verdict.action, verdict.score), (Action::Accept, 0.0));
}

#[test]
fn the_policy_of_the_authors_domain_is_done() {
    let refused = Action::Reject {
        text: "Message refused by the DMARC policy of example.test".into(),
    };
    for (result, policy, expected) in [
        (Outcome::Fail, Policy::Reject, refused),
        (Outcome::Fail, Policy::Quarantine, Action::Junk),
        (Outcome::Fail, Policy::None, Action::Accept),
        (Outcome::TempError, Policy::Reject, Action::Accept),
        (Outcome::Pass, Policy::Reject, Action::Accept),
    ] {
        let verdict = outside(GOOD, &dmarc(result, policy));
        assert_eq!(verdict.action, expected, "{result} {policy:?}");
    }
}

#[test]
fn a_sealed_message_that_fails_dmarc_is_junk_instead_of_refused() {
    let mut auth = dmarc(Outcome::Fail, Policy::Reject);
    auth.arc = ArcVerdict {
        result: Outcome::Pass,
        sealers: vec!["lists.test".into()],
    };
    assert_eq!(outside(GOOD, &auth).action, Action::Junk);
    auth.arc.result = Outcome::Fail;
    assert!(matches!(outside(GOOD, &auth).action, Action::Reject { .. }));
}

#[test]
fn an_author_that_cannot_be_made_out_is_never_good_mail() {
    let twice = format!("From: eve@evil.test\r\n{GOOD}");
    let mut auth = AuthResults {
        author: Author::Several,
        ..AuthResults::default()
    };
    assert!(matches!(
        outside(&twice, &auth).action,
        Action::Reject { .. }
    ));
    let list = GOOD.replace("a@example.test", "a@example.test, eve@evil.test");
    assert_eq!(outside(&list, &auth).action, Action::Junk);
    auth.author = Author::Invalid;
    assert_eq!(outside(GOOD, &auth).action, Action::Junk);
}

#[test]
fn users_of_ours_are_not_judged_by_sender_authentication() {
    let mut auth = dmarc(Outcome::Fail, Policy::Reject);
    auth.spf = SpfOutcome {
        result: Outcome::Fail,
        ..SpfOutcome::default()
    };
    let verdict = judge(&Filter::default(), GOOD, &auth, Origin::Authenticated);
    assert_eq!(
        (verdict.action.clone(), verdict.score),
        (Action::Accept, 0.0)
    );
    assert!(verdict.signals.is_empty(), "{:?}", symbols(&verdict));
}

#[test]
fn form_and_client_add_up_to_junk_and_to_refusal() {
    let mut auth = AuthResults {
        spf: SpfOutcome {
            result: Outcome::Fail,
            ..SpfOutcome::default()
        },
        iprev: IprevVerdict {
            result: Outcome::Fail,
            name: None,
        },
        ..AuthResults::default()
    };
    auth.author = Author::One(Domain::parse("example.test").unwrap());
    let verdict = outside("From: a@example.test\r\n\r\nBuy\r\n", &auth);
    assert_eq!(verdict.action, Action::Junk);
    assert_eq!(verdict.score, 8.0);
    for symbol in [
        "R_SPF_FAIL",
        "HFILTER_HOSTNAME_UNKNOWN",
        "MISSING_MID",
        "MISSING_DATE",
    ] {
        assert!(symbols(&verdict).contains(&symbol), "{symbol}");
    }
    assert!(
        verdict
            .header()
            .contains("X-Spam-Status: Yes, score=8.00 required=6.00")
    );
    let summary = mime::Summary::parse(b"");
    let input = Input {
        raw: b"",
        summary: &summary,
        auth: &auth,
        ip: IpAddr::from([198, 51, 100, 1]),
        helo: "192.0.2.1",
        from: &ReversePath::Null,
        recipients: &[],
        origin: Origin::Outside,
    };
    let strict = Filter::new(Thresholds {
        junk: 1.0,
        reject: 8.0,
    });
    assert!(matches!(
        strict.evaluate(&input).action,
        Action::Reject { .. }
    ));
    // The same from a private network: its names say nothing.
    let near = Input {
        ip: IpAddr::from([10, 0, 0, 1]),
        ..input
    };
    let found = strict.evaluate(&near);
    assert!(
        !symbols(&found)
            .iter()
            .any(|symbol| symbol.starts_with("HFILTER"))
    );
}

/// Adds what the test wants.
#[derive(Debug)]
struct Fixed(Vec<Signal>);

impl Source for Fixed {
    fn collect(&self, _input: &Input<'_>, signals: &mut Signals) {
        for signal in &self.0 {
            signals.push(signal.clone());
        }
    }
}

fn fixed(score: f32, scope: Scope) -> Signal {
    Signal {
        symbol: "LIST_A".into(),
        score,
        description: "on a list".into(),
        scope,
    }
}

#[test]
fn a_source_adds_signals_for_all_or_for_one() {
    let ann = Address::parse("ann@receiver.test").unwrap();
    let bob = Address::parse("bob@receiver.test").unwrap();
    let for_ann = |score| fixed(score, Scope::Recipient(ann.clone()));
    let auth = dmarc(Outcome::None, Policy::None);
    let verdict = |signals| {
        let filter = Filter::default().with_source(Arc::new(Fixed(signals)));
        judge(&filter, GOOD, &auth, Origin::Outside)
    };
    let hated = verdict(vec![for_ann(10.0)]);
    assert_eq!((hated.action.clone(), hated.score), (Action::Accept, 0.0));
    assert_eq!(hated.action_for(&ann), Action::Junk);
    assert_eq!(hated.action_for(&bob), Action::Accept);
    assert!(
        !hated.header().contains("LIST_A"),
        "one recipient's list is not for the others"
    );
    let liked = verdict(vec![fixed(7.0, Scope::Message), for_ann(-5.0)]);
    assert_eq!(liked.action, Action::Junk);
    assert_eq!(
        (liked.action_for(&ann), liked.action_for(&bob)),
        (Action::Accept, Action::Junk)
    );
    let spoofed = dmarc(Outcome::Fail, Policy::Quarantine);
    let fond = Filter::default().with_source(Arc::new(Fixed(vec![for_ann(-5.0)])));
    let suspect = judge(&fond, GOOD, &spoofed, Origin::Outside);
    assert_eq!(suspect.action_for(&ann), Action::Junk);
    let refused = verdict(vec![fixed(20.0, Scope::Message), for_ann(-50.0)]);
    assert_eq!(refused.action_for(&ann), refused.action);
}

#[test]
fn tenths_reach_the_threshold_they_read_as_reaching() {
    let sixty = vec![fixed(0.1, Scope::Message); 60];
    let filter = Filter::default().with_source(Arc::new(Fixed(sixty)));
    let verdict = judge(
        &filter,
        GOOD,
        &dmarc(Outcome::None, Policy::None),
        Origin::Outside,
    );
    assert_eq!((verdict.score, verdict.action), (6.0, Action::Junk));
}
