//! SPF, DMARC, ARC, the client's name, and what all of it costs the DNS.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod world;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::{AuthenticatedMessage, AuthenticationResults};
use mailauth::Outcome::{self, Fail, Neutral, Pass, PermError, SoftFail, TempError};
use mailauth::sign::{Algorithm, generate};
use mailauth::{Author, Policy, Session, SpfIdentity};
use proptest::prelude::*;
use smtp::address::ReversePath;
use world::{OURS, World, client, dkim, domain, world};

const PLAIN: &str = "From: ann@plain.test\r\nTo: bob@receiver.test\r\n\r\nHello\r\n";

async fn spf(w: &World, from: &str) -> Outcome {
    let from = ReversePath::parse(from).unwrap();
    w.authenticator
        .spf(client(), "client.test", &from)
        .await
        .result
}

#[tokio::test]
async fn spf_says_what_the_record_says() {
    let w = world().await;
    w.zone
        .txt("pass.test", "v=spf1 ip4:192.0.2.0/24 -all")
        .txt("fail.test", "v=spf1 ip4:198.51.100.1 -all")
        .txt("soft.test", "v=spf1 ~all")
        .txt("neutral.test", "v=spf1 ?all")
        .txt("broken.test", "v=spf1 nonsense:x -all")
        .txt("twice.test", "v=spf1 +all")
        .txt("twice.test", "v=spf1 -all")
        .txt("loop.test", "v=spf1 include:loop.test -all")
        .txt("void.test", "v=spf1 include:none.test -all")
        .txt("mx.test", "v=spf1 mx -all")
        .mx("mx.test", 10, "host.mx.test")
        .a("host.mx.test", Ipv4Addr::new(192, 0, 2, 1))
        .txt("redirect.test", "v=spf1 redirect=pass.test")
        .servfail("servfail.test");
    for (sender, expected) in [
        ("pass.test", Pass),
        ("fail.test", Fail),
        ("soft.test", SoftFail),
        ("neutral.test", Neutral),
        ("broken.test", PermError),
        ("twice.test", PermError),
        ("loop.test", PermError),
        ("void.test", PermError),
        ("mx.test", Pass),
        ("redirect.test", Pass),
        ("servfail.test", TempError),
        ("unknown.test", Outcome::None),
    ] {
        assert_eq!(spf(&w, &format!("a@{sender}")).await, expected, "{sender}");
    }
}

#[tokio::test]
async fn spf_of_a_null_sender_is_about_the_helo_name() {
    let w = world().await;
    w.zone.txt("client.test", "v=spf1 ip4:192.0.2.1 -all");
    let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
    let outcome = w
        .authenticator
        .spf(mapped, "client.test", &ReversePath::Null)
        .await;
    assert_eq!(
        (outcome.result, outcome.identity),
        (Pass, SpfIdentity::Helo)
    );
    let literal = w
        .authenticator
        .spf(mapped, "[192.0.2.1]", &ReversePath::Null)
        .await;
    assert_eq!((literal.result, literal.domain), (Outcome::None, None));
    let session = Session {
        ip: mapped,
        helo: "client.test",
        from: &ReversePath::Null,
    };
    let results = w.authenticator.message(PLAIN.as_bytes(), &session).await;
    assert!(
        results.header.contains("spf=pass smtp.helo=client.test;"),
        "{}",
        results.header
    );
    assert!(
        results.header.contains("policy.iprev=192.0.2.1"),
        "{}",
        results.header
    );
    assert!(results.spf_passed());
}

#[tokio::test]
async fn dmarc_applies_the_policy_of_the_tree() {
    let w = world().await;
    w.zone
        .txt("reject.test", "v=spf1 ip4:192.0.2.1 -all")
        .txt(
            "_dmarc.reject.test",
            "v=DMARC1; p=reject; sp=quarantine; np=reject",
        )
        .a("sub.reject.test", Ipv4Addr::LOCALHOST)
        .txt("_dmarc.testing.test", "v=DMARC1; p=reject; t=y")
        .txt("_dmarc.strict.test", "v=DMARC1; p=reject; aspf=s")
        .txt("news.strict.test", "v=spf1 ip4:192.0.2.1 -all")
        .servfail("_dmarc.servfail.test");
    let cases = [
        ("reject.test", "a@reject.test", Pass, Policy::Reject),
        ("reject.test", "a@elsewhere.test", Fail, Policy::Reject),
        ("sub.reject.test", "a@reject.test", Pass, Policy::Quarantine),
        (
            "sub.reject.test",
            "a@elsewhere.test",
            Fail,
            Policy::Quarantine,
        ),
        ("none.reject.test", "a@elsewhere.test", Fail, Policy::Reject),
        ("testing.test", "a@elsewhere.test", Fail, Policy::Quarantine),
        ("strict.test", "a@news.strict.test", Fail, Policy::Reject),
        ("plain.test", "a@plain.test", Outcome::None, Policy::None),
        ("servfail.test", "a@elsewhere.test", TempError, Policy::None),
    ];
    for (author, sender, result, policy) in cases {
        let message = format!("From: ann@{author}\r\n\r\nHello\r\n");
        let found = w.check_from(&message, sender).await;
        assert_eq!(
            (found.dmarc.result, found.dmarc.policy),
            (result, policy),
            "{author} {sender}"
        );
        assert_eq!(found.author, Author::One(domain(author)));
    }
}

#[tokio::test]
async fn no_author_and_no_header_are_permanent_errors() {
    let w = world().await;
    for message in [
        "",
        "\r\n\r\nbody",
        "no header",
        "To: a@b.test\r\n\r\n",
        "From:\r\n\r\n",
    ] {
        let results = w.check(message).await;
        assert_eq!(results.dmarc.result, PermError, "{message:?}");
        assert_eq!(results.author, Author::Missing, "{message:?}");
    }
}

#[tokio::test]
async fn the_clients_name_must_lead_back_to_it() {
    let w = world().await;
    let named = IpAddr::from([192, 0, 2, 10]);
    let liar = IpAddr::from([192, 0, 2, 11]);
    let broken = IpAddr::from([192, 0, 2, 12]);
    w.zone
        .ptr(named, "host.test")
        .a("host.test", Ipv4Addr::new(192, 0, 2, 10))
        .ptr(liar, "host.test")
        .servfail("12.2.0.192.in-addr.arpa");
    let name = Some(domain("host.test"));
    for (ip, result, expected) in [
        (named, Pass, name.clone()),
        (liar, Fail, name),
        (broken, TempError, None),
        (client(), PermError, None),
    ] {
        let verdict = w.authenticator.iprev(ip).await;
        assert_eq!((verdict.result, verdict.name), (result, expected), "{ip}");
    }
}

/// The message with one more ARC set by `sealer.test` above it.
async fn sealed(w: &World, message: &str, private_key: &[u8]) -> String {
    let resolver = dns::System::new(&[w.nameserver()]).unwrap();
    let library = mail_auth::MessageAuthenticator(resolver.hickory());
    let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
    let chain = library.verify_arc(&parsed).await;
    let results = AuthenticationResults::new("mx.sealer.test");
    let set = ArcSealer::from_key(Ed25519Key::from_pkcs8_maybe_unchecked_der(private_key).unwrap())
        .domain("sealer.test")
        .selector("arc")
        .headers(["From", "Subject", "To"])
        .seal(&parsed, &results, &chain)
        .unwrap();
    format!("{}{message}", set.to_header())
}

#[tokio::test]
async fn a_chain_passes_until_someone_touches_it() {
    let w = world().await;
    let generated = generate(Algorithm::Ed25519).unwrap();
    w.zone
        .txt("arc._domainkey.sealer.test", &generated.dns_txt());
    let once = sealed(&w, PLAIN, &generated.private_key).await;
    let results = w.check(&once).await;
    assert_eq!(results.arc.result, Pass);
    assert_eq!(results.arc.sealers, ["sealer.test"]);
    assert!(
        results
            .header
            .contains("arc=pass policy.sealer=sealer.test"),
        "{}",
        results.header
    );
    let twice = sealed(&w, &once, &generated.private_key).await;
    let results = w.check(&twice).await;
    assert_eq!((results.arc.result, results.arc.sealers.len()), (Pass, 2));
    let broken = [
        twice.replace("Hello", "Hallo"),
        twice.replace("ann@plain.test", "eve@plain.test"),
        twice.replacen("i=1", "i=3", 1),
        once.replace("cv=none", "cv=pass"),
        format!("ARC-Seal: i=1; a=rsa-sha256; d=x.test; s=s; cv=none; b=AAAA\r\n{PLAIN}"),
        format!("ARC-Authentication-Results: i=1; x.test; none\r\n{PLAIN}"),
    ];
    for message in broken {
        assert_eq!(w.check(&message).await.arc.result, Fail, "{message}");
    }
    assert_eq!(w.check(PLAIN).await.arc.result, Outcome::None);
}

#[tokio::test]
async fn results_that_claim_to_be_ours_are_reported_for_removal() {
    let w = world().await;
    let forged = format!("Authentication-Results: (hi) {OURS} 1; dmarc=pass\r\n");
    let honest = "Authentication-Results: mx.other.test; dmarc=pass\r\n";
    let message = format!("{honest}{forged}{PLAIN}{forged}");
    let results = w.check(&message).await;
    let [range] = results.forged.as_slice() else {
        panic!("{:?}", results.forged)
    };
    assert_eq!(message[range.clone()], forged);
    assert_eq!(range.start, honest.len());
}

#[tokio::test]
async fn nothing_in_the_envelope_can_write_results() {
    let w = world().await;
    let hostile = "\"a; dmarc=pass header.from=bank.test (\"@bounces.test";
    let message = "From: ann@plain.test\r\nDKIM-Signature: v=1; a=rsa-sha256; h=from; bh=AAAA; \
        b=AAAA; d=x.test(spf=pass)\"; s=a\"b;c=relaxed\r\n\r\nHello\r\n";
    let results = w.check_from(message, hostile).await;
    let header = &results.header;
    assert_eq!(
        header.matches(';').count(),
        header.matches(";\r\n\t").count(),
        "{header}"
    );
    assert_eq!(
        header.matches("dmarc=").count() - header.matches("_dmarc=").count(),
        1,
        "{header}"
    );
    assert!(!header.contains('('), "{header}");
    assert!(header.ends_with("\r\n") && !header.trim_end().contains("\r\n\r\n"));
}

#[tokio::test]
async fn twenty_messages_of_one_sender_cost_the_lookups_of_one() {
    let w = world().await;
    w.zone.txt("example.test", "v=spf1 ip4:192.0.2.1 -all");
    let signed = w.signed("From: ann@example.test\r\n\r\nHello\r\n");
    let first = w.check_from(&signed, "ann@example.test").await;
    assert_eq!((first.dmarc.result, first.spf.result), (Pass, Pass));
    let queries = w.zone.queries();
    for _ in 0..19 {
        let results = w.check_from(&signed, "ann@example.test").await;
        assert_eq!(dkim(&results), [(Pass, ""); 2]);
    }
    assert_eq!(w.zone.queries(), queries);
}

#[tokio::test]
async fn absent_records_are_remembered_too() {
    let w = world().await;
    let message = format!("{PLAIN}{}", "0123456789abcde\r\n".repeat(230));
    w.check_from(&message, "ann@plain.test").await;
    let queries = w.zone.queries();
    let mut best = Duration::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        let results = w.check_from(&message, "ann@plain.test").await;
        best = best.min(start.elapsed());
        assert_eq!(
            (results.spf.result, results.dmarc.result),
            (Outcome::None, Outcome::None)
        );
    }
    assert_eq!(w.zone.queries(), queries);
    // The aim is 200 µs in an optimised build; this one is not.
    assert!(best < Duration::from_millis(2), "{best:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_is_hashed_off_the_reactor() {
    let w = world().await;
    let message = format!("{}\r\n", "x".repeat(78)).repeat(8_000);
    let head = "From: ann@example.test\r\nSubject: large\r\n\r\n";
    let results = w.check(&w.signed(&format!("{head}{message}"))).await;
    assert_eq!(dkim(&results), [(Pass, ""); 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_message_breaks_verification(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "From: a@b.test\r\n", "From", ":", " ", "\r\n", "\n", "\r", "\0", ";", "=", "i=1; ",
            "DKIM-Signature: ", "v=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=AA==",
            "ARC-Seal: i=1; cv=none; a=rsa-sha256; d=a.test; s=s; b=AA==\r\n", "l=1; ", "x=1; ",
            "ARC-Message-Signature: i=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AA==; b=AA==\r\n",
            "ARC-Authentication-Results: i=1; a\r\n", "Authentication-Results: mx.receiver.test",
            "\u{e9}", "<a@b>", "(", ")", "\"", "\\", "c=relaxed/simple; ", "t=99999999999999999999; ",
        ]), 0..40),
    ) {
        let message = pieces.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let w = world::without_keys().await;
            let results = w.check(&message).await;
            for range in &results.forged {
                assert!(message.get(range.clone()).is_some());
            }
            assert!(results.header.ends_with("\r\n"));
            assert!(!results.dkim_passed());
        });
    }
}
