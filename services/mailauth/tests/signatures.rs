//! Signatures of our own and of others, whole and tampered with, over a real resolver.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod world;

use std::time::{Duration, Instant};

use mailauth::Outcome;
use mailauth::Outcome::{Fail, Neutral, Pass, PermError, TempError};
use mailauth::sign::{Algorithm, SigningKey, dns_name, generate, sign};
use world::{NOW, dkim, domain, world};

const MESSAGE: &str = "From: Ann <ann@example.test>\r\nTo: bob@receiver.test\r\n\
    Subject: A  subject\r\n\twith  folding \r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\
    Message-ID: <1@example.test>\r\n\r\nHello \t Bob, \r\n\r\nsee you.\r\n\r\n\r\n";

#[tokio::test]
async fn both_signatures_verify_and_align() {
    let w = world().await;
    let results = w.check(&w.signed(MESSAGE)).await;
    assert_eq!(dkim(&results), [(Pass, ""), (Pass, "")]);
    assert_eq!(results.dmarc.result, Pass);
    assert!(results.dmarc.aligned.dkim && !results.dmarc.aligned.spf);
    assert!(
        results
            .header
            .contains("dkim=pass header.d=example.test header.s=rsa header.b=")
    );
    assert!(
        results
            .header
            .contains("dmarc=pass policy.dmarc=reject header.from=example.test")
    );
}

#[tokio::test]
async fn what_relaxed_allows_passes_and_what_it_forbids_fails() {
    let w = world().await;
    let signed = w.signed(MESSAGE);
    let mismatch = (Fail, "signature mismatch");
    let body = (Fail, "body hash mismatch");
    let cases = [
        (
            signed.replace("Hello \t Bob, \r\n", "Hello Bob,\r\n"),
            (Pass, ""),
        ),
        (
            signed.replace("Subject: A  subject\r\n\twith", "SUBJECT:A subject with"),
            (Pass, ""),
        ),
        (format!("Received: from a by b\r\n{signed}"), (Pass, "")),
        (signed.replace("Hello", "Hallo"), body),
        (format!("{signed}more\r\n"), body),
        (signed.replace("A  subject", "Another"), mismatch),
        (signed.replace("Ann <", "Eve <"), mismatch),
        (format!("Subject: added\r\n{signed}"), mismatch),
        (format!("Subject : added\r\n{signed}"), mismatch),
        (format!("Reply-To: eve@evil.test\r\n{signed}"), mismatch),
        (
            format!("List-Unsubscribe: <https://evil.test>\r\n{signed}"),
            mismatch,
        ),
        (format!("Content-Type: text/html\r\n{signed}"), mismatch),
    ];
    for (message, expected) in cases {
        let results = w.check(&message).await;
        assert_eq!(dkim(&results), [expected, expected], "{message}");
        let aligned = if expected.0 == Pass { Pass } else { Fail };
        assert_eq!(results.dmarc.result, aligned, "{message}");
    }
}

#[tokio::test]
async fn a_second_author_ends_every_trust() {
    let w = world().await;
    for forged in ["From: eve@evil.test\r\n", "from : eve@evil.test\r\n"] {
        let results = w.check(&format!("{forged}{}", w.signed(MESSAGE))).await;
        assert_eq!(results.dmarc.result, PermError);
        assert_eq!(results.dmarc.reason, Some("more than one author"));
        assert!(!results.dkim_passed(), "{:?}", results.dkim);
        assert!(
            results
                .header
                .contains("dmarc=permerror reason=\"more than one author\"")
        );
    }
}

#[tokio::test]
async fn a_header_that_two_parsers_end_differently_has_no_signature() {
    let w = world().await;
    // A body that looks like fields, and a signed message whose empty line is replaced by a line
    // that some parsers take for the end of the header and others skip.
    let message = "From: ann@example.test\r\n\r\nSubject: evil\r\n\r\nbody\r\n";
    let signed = w.signed(message);
    let (header, body) = signed.split_once("\r\n\r\n").unwrap();
    let results = w
        .check(&format!("{header}\r\nno field at all\r\n{body}"))
        .await;
    assert!(!results.dkim_passed(), "{:?}", results.dkim);
    assert_eq!(dkim(&results), [(PermError, "ambiguous header"); 2]);
}

#[tokio::test]
async fn keys_that_cannot_be_had_say_why() {
    let w = world().await;
    let signed = w.signed(MESSAGE);
    let place = |selector: &str| dns_name(&domain("example.test"), selector);
    let (rsa, ed) = (place("rsa"), place("ed"));
    w.zone
        .remove(&rsa)
        .remove(&ed)
        .txt(&ed, "v=DKIM1; k=ed25519; p=");
    let results = w.check(&signed).await;
    assert_eq!(
        dkim(&results),
        [(PermError, "no key"), (PermError, "key revoked")]
    );
    assert_eq!(results.dmarc.result, Fail);

    w.authenticator.clear_cache();
    w.zone.servfail(&rsa).remove(&ed).timeout(&ed);
    let start = Instant::now();
    let results = w.check(&signed).await;
    assert!(
        start.elapsed() < Duration::from_millis(3_500),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        dkim(&results),
        [
            (TempError, "key lookup failed"),
            (TempError, "key lookup timed out")
        ]
    );
    // A domain that rejects must not lose mail because its name server is down.
    assert_eq!(results.dmarc.result, TempError);

    w.authenticator.clear_cache();
    w.zone.remove(&rsa).remove(&ed);
    // 768 bits, and the right body hash: only the key is at fault.
    w.zone.txt(
        &rsa,
        "v=DKIM1; p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhALZq4SFNCRIG774av9i1omBsj9wxCkidmFA5ou3XBhPCLR\
         EkxEJOHo1KxIPE/V38fvTlV+S5vFpZvAIkdvLaIIXmAK8pmXelb7KWTjkx3YZCKt3wO7R7zhwOyHayY+u96wIDAQAB",
    );
    w.zone.txt(
        &ed,
        &format!("t=y; {}", generate(Algorithm::Ed25519).unwrap().dns_txt()),
    );
    let results = w.check(&signed).await;
    assert_eq!(
        dkim(&results),
        [
            (PermError, "key too short"),
            (Neutral, "domain is testing dkim")
        ]
    );
}

#[tokio::test]
async fn signatures_expire_by_the_clock_we_are_given() {
    let w = world().await;
    let signed = w.signed(MESSAGE);
    w.clock.set(NOW.plus(7 * 86_400));
    assert_eq!(dkim(&w.check(&signed).await), [(Pass, ""); 2]);
    w.clock.set(NOW.plus(7 * 86_400 + 1));
    assert_eq!(
        dkim(&w.check(&signed).await),
        [(Neutral, "signature expired"); 2]
    );
}

#[tokio::test]
async fn old_partial_and_broken_signatures_are_refused_before_any_lookup() {
    let w = world().await;
    let tags = "d=example.test; s=rsa; c=relaxed/relaxed; bh=AAAA; b=AAAA";
    let cases = [
        (
            format!("v=1; a=rsa-sha1; h=from; {tags}"),
            (PermError, "sha-1 is not accepted"),
        ),
        (
            format!("v=1; a=rsa-sha256; h=to:subject; {tags}"),
            (PermError, "author not signed"),
        ),
        (
            format!("v=1; a=rsa-sha256; h=from; l=10; {tags}"),
            (Neutral, "body length limit"),
        ),
        (
            format!("v=2; a=rsa-sha256; h=from; {tags}"),
            (Neutral, "unsupported signature"),
        ),
        (
            format!("v=1; a=rsa-sha512; h=from; {tags}"),
            (Neutral, "unsupported signature"),
        ),
        (
            "v=1; a=rsa-sha256".to_owned(),
            (Neutral, "unreadable signature"),
        ),
        (
            "\0\u{ff};;;===".to_owned(),
            (Neutral, "unreadable signature"),
        ),
    ];
    for (signature, expected) in cases {
        let results = w
            .check(&format!("DKIM-Signature: {signature}\r\n{MESSAGE}"))
            .await;
        assert_eq!(dkim(&results), [expected], "{signature}");
    }
    assert_eq!(
        w.zone
            .queries_for(&dns_name(&domain("example.test"), "rsa")),
        0
    );
}

#[tokio::test]
async fn five_signatures_are_verified_and_the_authors_own_first() {
    let w = world().await;
    let generated = generate(Algorithm::Ed25519).unwrap();
    let other = domain("other.test");
    w.zone.txt(&dns_name(&other, "s"), &generated.dns_txt());
    let key = SigningKey::from_der(&other, "s", &generated.private_key).unwrap();
    let keys = std::slice::from_ref(&key);
    let mut message = w.signed(MESSAGE);
    let foreign = sign(MESSAGE.as_bytes(), keys, NOW).unwrap();
    let foreign = String::from_utf8(foreign).unwrap();
    for _ in 0..8 {
        message.insert_str(0, &foreign);
    }
    let results = w.check(&message).await;
    let own = results.dkim.iter().filter(|v| v.domain == "example.test");
    assert_eq!(own.filter(|v| v.result == Pass).count(), 2);
    let passed = dkim(&results).iter().filter(|v| **v == (Pass, "")).count();
    let skipped = dkim(&results)
        .iter()
        .filter(|v| **v == (Neutral, "too many signatures"))
        .count();
    assert_eq!((passed, skipped), (5, 5));
    assert_eq!(results.dmarc.result, Pass);
}

#[tokio::test]
async fn a_thousand_signatures_cost_no_more_than_the_limit() {
    let w = world().await;
    let one = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=d.test; s=s; h=from; \
        bh=AAAA; b=AAAA\r\n";
    let results = w.check(&format!("{}{MESSAGE}", one.repeat(1_000))).await;
    assert!(results.dkim.len() <= 15, "{}", results.dkim.len());
    assert!(results.header.len() < 4_000);
}

/// RFC 8463 Appendix A, whose author domain is ours here only by its name.
#[tokio::test]
async fn the_example_of_rfc_8463_verifies() {
    let w = world().await;
    w.zone
        .txt(
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        )
        .txt(
            "test._domainkey.football.example.com",
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08\
             a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMK\
             rM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
        );
    let message = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n \
        d=football.example.com; i=@football.example.com;\n \
        q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n \
        subject : date : message-id : from : subject : date;\n \
        bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n \
        b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n \
        Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n\
        DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n \
        d=football.example.com; i=@football.example.com;\n \
        q=dns/txt; s=test; t=1528637909; h=from : to : subject :\n \
        date : message-id : from : subject : date;\n \
        bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n \
        b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\n \
        DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\n \
        dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\n\
        From: Joe SixPack <joe@football.example.com>\n\
        To: Suzie Q <suzie@shopping.example.net>\n\
        Subject: Is dinner ready?\n\
        Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n\
        Message-ID: <20030712040037.46341.5F8J@football.example.com>\n\n\
        Hi.\n\nWe lost the game.  Are you hungry yet?\n\nJoe.\n";
    let results = w.check(&message.replace('\n', "\r\n")).await;
    assert_eq!(dkim(&results), [(Pass, ""), (Pass, "")]);
    assert_eq!(results.dmarc.result, Outcome::None);
}
