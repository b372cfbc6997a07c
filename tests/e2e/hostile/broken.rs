//! Mail that is broken, by accident or to burst its readers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ambient::{Random, SeededRandom};
use testkit::TestServer;
use testkit::client::Smtp;
use tokio::task::JoinSet;

use super::floods::{is_well, lmtp};
use crate::mailflow::samples;

/// mail made to burst its readers. Each is delivered or refused, and read, in bounded time.
#[tokio::test(flavor = "multi_thread")]
async fn bombs_do_not_go_off() {
    let server = TestServer::start().await;
    let mut lmtp = lmtp(&server).await;
    let mut imap = server.imap("alice").await;
    assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
    for (name, bomb) in bombs() {
        let started = Instant::now();
        let reply = lmtp
            .deliver("bob@example.test", &["alice@demo.test"], &bomb)
            .await
            .unwrap();
        let delivered = started.elapsed();
        assert!(reply.0 == 250 || reply.0 >= 500, "{name}: {reply:?}");
        if reply.0 != 250 {
            continue;
        }
        let mut answered = 0;
        for items in [
            "ENVELOPE",
            "BODYSTRUCTURE",
            "(BODY.PEEK[1.1.1.1.1.1.1.1.1.1] BODY.PEEK[1.MIME] BODY.PEEK[HEADER.FIELDS (To)])",
        ] {
            let answer = imap.command(&format!("UID FETCH * {items}")).await.unwrap();
            assert!(answer.is_ok(), "{name} {items}: {}", answer.tagged);
            answered += answer.untagged.iter().map(Vec::len).sum::<usize>();
        }
        assert!(
            imap.command("UID SEARCH TEXT zzz").await.unwrap().is_ok(),
            "{name}"
        );
        let raw = imap
            .command("UID FETCH * BODY.PEEK[]")
            .await
            .unwrap()
            .literals()
            .remove(0);
        assert!(
            raw.ends_with(&bomb),
            "{name}: not the octets that were sent"
        );
        assert!(
            answered < 4 * bomb.len() + (4 << 20),
            "{name}: an answer of {answered} octets"
        );
        let elapsed = started.elapsed();
        assert!(
            elapsed < Duration::from_secs(15),
            "{name}: {delivered:?} and {elapsed:?}"
        );
        // One message at a time, so that its cost is its own.
        assert!(
            imap.command("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
                .await
                .unwrap()
                .is_ok()
        );
        assert!(imap.command("EXPUNGE").await.unwrap().is_ok());
    }
    drop((lmtp, imap));
    is_well(&server).await;
    server.stop().await;
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let header = "From: <bob@example.test>\r\nTo: <alice@demo.test>\r\nMIME-Version: 1.0\r\n";
    let multipart =
        |boundary: &str| format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n");
    let folded = |count: usize, item: &dyn Fn(usize) -> String| -> String {
        (0..count)
            .map(|number| format!("{}\r\n ", item(number)))
            .collect::<String>()
    };
    let nested: String = (0..10_000)
        .map(|level| format!("{}--b{level}\r\n", multipart(&format!("b{level}"))))
        .collect();
    let prefixes: String = (1..1_500)
        .map(|level| {
            format!(
                "{0}--{1}\r\n",
                multipart(&"b".repeat(level % 70 + 1)),
                "b".repeat(level % 70 + 1)
            )
        })
        .collect();
    let bombs: Vec<(&str, String)> = vec![
        ("multiparts nested 10,000 deep", nested),
        ("boundaries that are prefixes of each other", prefixes),
        (
            "100,000 parts",
            multipart("b") + &"--b\r\n\r\nx\r\n".repeat(100_000),
        ),
        (
            "messages within messages 1,000 deep",
            "Content-Type: message/rfc822\r\n\r\n".repeat(1_000),
        ),
        (
            "a folded field of a megabyte",
            format!("Subject: {}x\r\n\r\n", "a\r\n ".repeat(250_000)),
        ),
        (
            "a line of 60,000 octets",
            format!("Subject: {}\r\n\r\n", "a".repeat(60_000)),
        ),
        (
            "20,000 fields",
            "X-Field: value\r\n".repeat(20_000) + "\r\n",
        ),
        (
            "50,000 addresses",
            format!(
                "Cc: {}z@z.test\r\n\r\n",
                folded(50_000, &|n| format!("a{n}@a.test,"))
            ),
        ),
        (
            "10,000 groups",
            format!(
                "Cc: {}z@z.test\r\n\r\n",
                folded(10_000, &|n| format!("g{n}: a@a.test;,"))
            ),
        ),
        (
            "60,000 open comments",
            format!("Cc: {}\r\n\r\n", "(".repeat(60_000)),
        ),
        (
            "60,000 open angles",
            format!("Cc: {}\r\n\r\n", "<".repeat(60_000)),
        ),
        (
            "60,000 quotes",
            format!("Cc: {}\r\n\r\n", "\"".repeat(60_000)),
        ),
        (
            "60,000 backslashes",
            format!("Cc: \"{}\r\n\r\n", "\\".repeat(60_000)),
        ),
        (
            "20,000 parameters",
            format!(
                "Content-Type: text/plain{}\r\n\r\n",
                folded(20_000, &|n| format!("; p{n}=v"))
            ),
        ),
        (
            "20,000 continuations of a parameter",
            format!(
                "Content-Type: text/plain{}\r\n\r\n",
                folded(20_000, &|n| format!("; name*{n}*=%41"))
            ),
        ),
        (
            "20,000 encoded words",
            format!(
                "Subject: {}x\r\n\r\n",
                folded(20_000, &|_| "=?utf-8?b?w7xiZXI=?=".to_owned())
            ),
        ),
        (
            "encoded words in stateful character sets",
            format!(
                "Subject: {}x\r\n\r\n",
                folded(5_000, &|_| "=?iso-2022-jp?b?GyRCJEo=?= =?utf-7?q?+AGE-?="
                    .to_owned())
            ),
        ),
        (
            "10,000 references",
            format!(
                "References: {}x\r\n\r\n",
                folded(10_000, &|n| format!("<{n}@a.test>"))
            ),
        ),
        (
            "five megabytes of base64 in long lines",
            format!(
                "Content-Transfer-Encoding: base64\r\n\r\n{}",
                (String::from_utf8(vec![b'A'; 60_000]).unwrap() + "\r\n").repeat(83)
            ),
        ),
        (
            "soft line breaks",
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n".to_owned()
                + &"=\r\n".repeat(500_000),
        ),
        (
            "a multipart without its boundary",
            multipart("never") + &"--x\r\n".repeat(100_000),
        ),
        (
            "dashes",
            multipart("-") + &"-".repeat(60_000) + "\r\n" + &"---\r\n".repeat(50_000),
        ),
        (
            "100,000 Received fields",
            "Received: x\r\n".repeat(100_000) + "\r\n",
        ),
    ];
    bombs
        .into_iter()
        .map(|(name, bomb)| (name, format!("{header}{bomb}").into_bytes()))
        .map(end)
        .collect()
}

/// SMTP carries whole lines only.
fn end((name, mut message): (&'static str, Vec<u8>)) -> (&'static str, Vec<u8>) {
    if !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    (name, message)
}

/// Breaks a message in a few places: octets, lines and tokens are changed, doubled, swapped, lost.
fn mutated(message: &[u8], random: &(dyn Random + 'static)) -> Vec<u8> {
    const TOKENS: [&[u8]; 30] = [
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n--mix\r\n",
        b"--mix--",
        b"--",
        b"\0",
        b"\xff\xfe",
        b"\xc3",
        b"=?utf-8?b?",
        b"?=",
        b"=?x?q?=?=",
        b"\"",
        b"\\",
        b"(",
        b")",
        b"<",
        b">",
        b";",
        b",",
        b":",
        b"=",
        b"@",
        b"Content-Type: multipart/mixed; boundary=mix\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/plain; charset*0*=\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"From: ",
        b"Date: Sun, 99 Foo 99999 99:99:99 +9999\r\n",
        b"; name*1*=%",
        b" \t ",
    ];
    let below = |bound: usize| usize::try_from(random.below(bound.max(1) as u64)).unwrap();
    let mut out = message.to_vec();
    for _ in 0..=below(6) {
        let (at, length) = (below(out.len()), below(40));
        let end = (at + length).min(out.len());
        match below(7) {
            0 => out.splice(at..end, []).for_each(drop),
            1 => {
                let copy = out[at..end].to_vec();
                let to = below(out.len());
                out.splice(to..to, copy).for_each(drop);
            }
            2 => out
                .splice(at..at, TOKENS[below(TOKENS.len())].to_vec())
                .for_each(drop),
            3 => out
                .splice(at..end, TOKENS[below(TOKENS.len())].to_vec())
                .for_each(drop),
            4 => out[at..end]
                .iter_mut()
                .for_each(|octet| *octet ^= 1 << below(8)),
            5 => {
                let mut lines: Vec<&[u8]> = out.split_inclusive(|&octet| octet == b'\n').collect();
                let (one, other) = (below(lines.len()), below(lines.len()));
                lines.swap(one, other);
                out = lines.concat();
            }
            _ => out.truncate(at.max(1)),
        }
        if out.is_empty() {
            out.push(b'x');
        }
    }
    // What SMTP can carry: lines that end in CRLF.
    let mut whole = Vec::with_capacity(out.len());
    for line in out.split(|&octet| octet == b'\n') {
        whole.extend(line.iter().filter(|&&octet| octet != b'\r'));
        whole.extend_from_slice(b"\r\n");
    }
    whole
}

/// A response is whole: its parentheses and brackets are balanced outside of strings and literals.
fn is_balanced(response: &[u8]) -> bool {
    let (mut depth, mut at) = (0_i64, 0);
    while at < response.len() {
        match response[at] {
            b'"' => {
                at += 1;
                while response.get(at).is_some_and(|&octet| octet != b'"') {
                    at += 1 + usize::from(response[at] == b'\\');
                }
            }
            b'{' => {
                let digits: Vec<u8> = response[at + 1..]
                    .iter()
                    .copied()
                    .take_while(u8::is_ascii_digit)
                    .collect();
                let length: usize = String::from_utf8(digits.clone()).unwrap().parse().unwrap();
                at += 3 + digits.len() + length;
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
        at += 1;
    }
    depth == 0 && at == response.len()
}

#[test]
fn balance_is_told_from_imbalance() {
    assert!(is_balanced(b"* 1 FETCH (A \"(\\\"\" B {2}\r\n)( C)"));
    assert!(!is_balanced(b"* 1 FETCH (A"));
    assert!(!is_balanced(b"* 1 FETCH (A))"));
    assert!(!is_balanced(b"* 1 FETCH (A {9}\r\n)"));
}

/// two thousand broken messages are delivered, and every one of them can be read: its
/// envelope, its structure, its parts, and its octets exactly as they were sent.
#[tokio::test(flavor = "multi_thread")]
async fn broken_mail_is_delivered_and_can_be_read() {
    const ACCOUNTS: u64 = 4;
    const EACH: usize = 500;
    let server = Arc::new(TestServer::start().await);
    let seed = std::env::var("MUSKOX_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20);
    let mut runs = JoinSet::new();
    for account in 0..ACCOUNTS {
        let server = Arc::clone(&server);
        server.account(&format!("m{account}@demo.test")).await;
        runs.spawn(async move { deliver_broken(&server, account, seed + account, EACH).await });
    }
    let refused: usize = runs.join_all().await.into_iter().sum();
    assert!(
        refused < 20,
        "{refused} messages were refused (seed {seed})"
    );
    let server = Arc::into_inner(server).unwrap();
    is_well(&server).await;
    server.stop().await;
}

/// Delivers broken messages to an account of its own and reads them all; how many were refused.
async fn deliver_broken(server: &TestServer, account: u64, seed: u64, count: usize) -> usize {
    let random: &(dyn Random + 'static) = &SeededRandom::new(seed);
    let samples: Vec<_> = samples()
        .into_iter()
        .filter(|(_, sample)| sample.len() < 10_000)
        .collect();
    let to = format!("m{account}@demo.test");
    let mut smtp = lmtp(server).await;
    let mut sent = Vec::new();
    for _ in 0..count {
        let index = usize::try_from(random.below(samples.len() as u64)).unwrap();
        let broken = mutated(&samples[index].1, random);
        let reply = smtp.deliver("bob@example.test", &[&to], &broken).await;
        match reply.unwrap_or_else(|error| {
            panic!(
                "{error} seed {seed}: {:?}",
                String::from_utf8_lossy(&broken)
            )
        }) {
            (250, _) => sent.push(broken),
            (code, text) => assert!((500..600).contains(&code), "{code} {text} (seed {seed})"),
        }
    }
    let account = format!("m{account}");
    let stored = server.messages(&account, "INBOX").await;
    assert_eq!(stored.len(), sent.len(), "seed {seed}");
    for (stored, sent) in stored.iter().zip(&sent) {
        // A message may begin with what continues our last field: then only its octets count.
        assert!(
            stored.ends_with(sent),
            "seed {seed}: {:?}",
            String::from_utf8_lossy(sent)
        );
    }
    let mut imap = server.imap(&account).await;
    assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
    for items in [
        "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY)",
        "(BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.1] BODY.PEEK[2] BODY.PEEK[3.HEADER] BODY.PEEK[3.TEXT])",
        "(BODY.PEEK[HEADER.FIELDS (From To Content-Type)] BODY.PEEK[HEADER.FIELDS.NOT (From)] BODY.PEEK[]<10.100>)",
    ] {
        let answer = imap.command(&format!("FETCH 1:* {items}")).await.unwrap();
        assert!(answer.is_ok(), "{items}: {} (seed {seed})", answer.tagged);
        assert_eq!(answer.untagged.len(), sent.len(), "{items} (seed {seed})");
        for (response, sent) in answer.untagged.iter().zip(&sent) {
            let sent = || String::from_utf8_lossy(sent).into_owned();
            assert!(
                is_balanced(response),
                "{:?} of {:?}",
                String::from_utf8_lossy(response),
                sent()
            );
        }
    }
    let halves = imap
        .command("FETCH 1:* (BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
        .await
        .unwrap()
        .literals();
    for (halves, stored) in halves.chunks(2).zip(&stored) {
        assert_eq!(
            &halves.concat(),
            stored,
            "header and text are the whole (seed {seed})"
        );
    }
    for search in [
        "TEXT zzzzz",
        "BODY half",
        "SUBJECT lunch",
        "HEADER Content-Type multipart",
        "SENTSINCE 1-Jan-2020",
    ] {
        assert!(
            imap.command(&format!("UID SEARCH {search}"))
                .await
                .unwrap()
                .is_ok(),
            "{search}"
        );
    }
    count - sent.len()
}

/// The same with verification and the filter in the way: each is taken or refused for good.
#[tokio::test(flavor = "multi_thread")]
async fn broken_mail_through_the_mx_is_taken_or_refused() {
    let server = TestServer::start().await;
    let random: &(dyn Random + 'static) = &SeededRandom::new(7);
    let samples: Vec<_> = samples()
        .into_iter()
        .filter(|(_, sample)| sample.len() < 10_000)
        .collect();
    let mut accepted = 0;
    for _ in 0..15 {
        // A session ends after twenty refusals.
        let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
        for (_, sample) in &samples {
            let broken = mutated(sample, random);
            let reply = smtp
                .deliver("bob@example.test", &["alice@demo.test"], &broken)
                .await
                .unwrap();
            match reply.0 {
                250 => accepted += 1,
                code => assert!(
                    (500..600).contains(&code),
                    "{reply:?}: {:?}",
                    String::from_utf8_lossy(&broken)
                ),
            }
        }
    }
    let inbox = server.messages("alice", "INBOX").await.len();
    let junk = server.messages("alice", "Junk").await.len();
    assert_eq!(inbox + junk, accepted);
    assert!(inbox > 20, "only {inbox} of {accepted} are in the INBOX");
    server.stop().await;
}
