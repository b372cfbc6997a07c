//! The way of a message through every door: what comes in comes out, octet by octet.

use std::path::Path;
use std::time::{Duration, Instant};

use ambient::{Clock as _, SystemClock};
use testkit::TestServer;
use testkit::client::{Client, Smtp};

/// What this server puts in front of a message, and nothing else.
const TRACE: [&str; 7] = [
    "Return-Path",
    "Delivered-To",
    "Authentication-Results",
    "X-Spam-Flag",
    "X-Spam-Score",
    "X-Spam-Status",
    "Received",
];

/// Every file of `messages/` with its name, in the order of the names.
pub(crate) fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("messages");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut samples: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "eml"))
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&file).unwrap())
        })
        .collect();
    samples.sort();
    assert!(samples.len() >= 12);
    samples
}

/// A message of an honest stranger.
pub(crate) fn message(from: &str, to: &str, subject: &str) -> Vec<u8> {
    let id: String = subject
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\
         Date: {}\r\nMessage-ID: <{id}@example.test>\r\n\r\nHello.\r\n",
        mime::date::format(SystemClock.now().0)
    )
    .into_bytes()
}

/// The trace fields in front of `sent` as (name, value), top first. Fails when `stored` is
/// anything else than such fields and then exactly `sent`.
pub(crate) fn trace(stored: &[u8], sent: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(stored);
    assert!(
        stored.ends_with(sent),
        "the message is not what was sent:\n{text}"
    );
    let added = &stored[..stored.len() - sent.len()];
    assert_eq!(
        mime::header::fields(added)
            .map(|field| field.range.len())
            .sum::<usize>(),
        added.len()
    );
    mime::header::fields(added)
        .map(|field| {
            let name = String::from_utf8(field.name.to_vec()).unwrap();
            assert!(TRACE.contains(&name.as_str()), "{name} was added:\n{text}");
            (
                name,
                String::from_utf8(field.value.to_vec())
                    .unwrap()
                    .trim()
                    .to_owned(),
            )
        })
        .collect()
}

/// The values of a field in front of a message.
fn values<'a>(trace: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    trace
        .iter()
        .filter(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

async fn mx(server: &TestServer) -> Smtp {
    Smtp::connect(server.address("mx")).await.unwrap()
}

async fn lmtp(server: &TestServer) -> Smtp {
    let mut smtp = Smtp {
        client: Client::connect(server.address("lmtp")).await.unwrap(),
    };
    smtp.reply().await.unwrap();
    assert_eq!(smtp.command("LHLO client.test").await.unwrap().0, 250);
    smtp
}

#[tokio::test(flavor = "multi_thread")]
async fn every_octet_that_comes_through_the_mx_is_in_the_inbox() {
    let server = TestServer::start().await;
    let samples = samples();
    let mut smtp = mx(&server).await;
    for (name, sample) in &samples {
        let reply = smtp
            .deliver("bob@example.test", &["alice@demo.test"], sample)
            .await
            .unwrap();
        assert_eq!(reply.0, 250, "{name}: {reply:?}");
    }
    let stored = server.messages("alice", "INBOX").await;
    assert_eq!(stored.len(), samples.len());
    for (stored, (name, sample)) in stored.iter().zip(&samples) {
        let trace = trace(stored, sample);
        assert_eq!(
            values(&trace, "Return-Path"),
            ["<bob@example.test>"],
            "{name}"
        );
        assert_eq!(
            values(&trace, "Delivered-To"),
            ["alice@demo.test"],
            "{name}"
        );
        let received = values(&trace, "Received")[0];
        for wanted in [
            "from client.test (",
            "[127.0.0.1])",
            "by mail.demo.test (Muskox) with ESMTP id ",
            "for <alice@demo.test>;",
        ] {
            assert!(
                received.contains(wanted),
                "{name}: no {wanted:?} in {received}"
            );
        }
        let results = values(&trace, "Authentication-Results")[0];
        assert!(results.starts_with("mail.demo.test"), "{name}: {results}");
        assert!(results.contains("spf=pass"), "{name}: {results}");
        assert!(
            values(&trace, "X-Spam-Status")[0].starts_with("No,"),
            "{name}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_octet_that_comes_by_lmtp_or_submission_is_in_the_inbox() {
    let server = TestServer::start().await;
    let mut lmtp = lmtp(&server).await;
    let mut submission = server.submission("alice").await;
    let samples = samples();
    for (name, sample) in &samples {
        let reply = lmtp
            .deliver("bob@example.test", &["alice@demo.test"], sample)
            .await
            .unwrap();
        assert_eq!(reply.0, 250, "{name}: {reply:?}");
        let reply = submission
            .deliver("alice@demo.test", &["bob@demo.test"], sample)
            .await;
        assert_eq!(reply.as_ref().unwrap().0, 250, "{name}: {reply:?}");
    }
    let by_lmtp = server.messages("alice", "INBOX").await;
    let submitted = server.messages("bob", "INBOX").await;
    assert_eq!(
        (by_lmtp.len(), submitted.len()),
        (samples.len(), samples.len())
    );
    for (index, (name, sample)) in samples.iter().enumerate() {
        let trace_of_lmtp = trace(&by_lmtp[index], sample);
        assert!(
            values(&trace_of_lmtp, "Authentication-Results").is_empty(),
            "{name}"
        );
        let trace_of_submission = trace(&submitted[index], sample);
        let received = values(&trace_of_submission, "Received")[0];
        assert!(received.contains(" with ESMTPSA id "), "{name}: {received}");
        assert!(received.contains("(TLSv1.3 "), "{name}: {received}");
        // Where a user is sitting is nobody's business.
        assert!(
            !received.contains("client.test") && !received.contains("127.0.0.1"),
            "{received}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_gets_the_fields_it_lacks() {
    let server = TestServer::start().await;
    let sent = b"From: <alice@demo.test>\r\nSubject: bare\r\n\r\nHello\r\n";
    let mut submission = server.submission("alice").await;
    let reply = submission
        .deliver("alice@demo.test", &["bob@demo.test"], sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    let stored = server.messages("bob", "INBOX").await.remove(0);
    assert!(stored.ends_with(sent));
    let header = String::from_utf8(stored).unwrap();
    assert_eq!(header.matches("\r\nDate: ").count(), 1, "{header}");
    assert_eq!(header.matches("\r\nMessage-ID: <").count(), 1, "{header}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_are_found_by_every_name_and_each_gets_one_copy() {
    let server = TestServer::start().await;
    server
        .alias("team@demo.test", &["alice@demo.test", "bob@demo.test"])
        .await;
    server
        .alias("all@demo.test", &["team@demo.test", "alice+all@demo.test"])
        .await;
    server.alias("@demo.test", &["bob@demo.test"]).await;
    let table: [(&[&str], &[&str]); 8] = [
        (&["alice@demo.test", "bob@demo.test"], &["alice", "bob"]),
        (&["team@demo.test"], &["alice", "bob"]),
        (&["all@demo.test"], &["alice", "bob"]),
        (
            &["team@demo.test", "alice@demo.test", "alice+x@demo.test"],
            &["alice", "bob"],
        ),
        (&["ALICE@DEMO.TEST"], &["alice"]),
        (&["alice+shopping@demo.test"], &["alice"]),
        (&["nobody@demo.test"], &["bob"]),
        (&["\"alice\"@demo.test"], &["alice"]),
    ];
    let mut smtp = mx(&server).await;
    let mut expected = (Vec::new(), Vec::new());
    for (index, (to, accounts)) in table.iter().enumerate() {
        let sent = message(
            "bob@example.test",
            "list@demo.test",
            &format!("row {index}"),
        );
        let reply = smtp.deliver("bob@example.test", to, &sent).await.unwrap();
        assert_eq!(reply.0, 250, "row {index}: {reply:?}");
        for account in *accounts {
            let list = if *account == "alice" {
                &mut expected.0
            } else {
                &mut expected.1
            };
            list.push((index, to.len(), sent.clone()));
        }
    }
    for (account, expected) in [("alice", expected.0), ("bob", expected.1)] {
        let stored = server.messages(account, "INBOX").await;
        assert_eq!(stored.len(), expected.len(), "{account}");
        for (stored, (index, recipients, sent)) in stored.iter().zip(&expected) {
            let trace = trace(stored, sent);
            let delivered_to = format!("{account}@demo.test");
            assert_eq!(
                values(&trace, "Delivered-To"),
                [delivered_to],
                "row {index}"
            );
            // RFC 5321 §7.2: recipients do not learn of each other.
            let names_one = values(&trace, "Received")[0].contains("for <");
            assert!(!names_one || *recipients == 1, "row {index}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_submission_goes_to_local_and_remote_recipients() {
    let server = TestServer::start().await;
    let sent = message("alice@demo.test", "bob@demo.test", "both ways");
    let to = [
        "bob@demo.test",
        "friend@elsewhere.test",
        "other@elsewhere.test",
    ];
    let mut submission = server.submission("alice").await;
    let reply = submission
        .deliver("alice@demo.test", &to, &sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    // The local copy is there with the 250, without waiting for the network.
    let stored = server.messages("bob", "INBOX").await;
    assert_eq!(stored.len(), 1);
    trace(&stored[0], &sent);
    let captured = server
        .world
        .captures
        .wait_for(|captured| captured.from == "alice@demo.test");
    let captured = tokio::time::timeout(Duration::from_secs(20), captured)
        .await
        .unwrap();
    // One domain, one connection, one transaction.
    assert_eq!(
        captured.to,
        ["friend@elsewhere.test", "other@elsewhere.test"]
    );
    let added = trace(&captured.message, &sent);
    assert_eq!(added.len(), 1, "only Received goes out: {added:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_a_forgery_goes_to_junk() {
    let server = TestServer::start().await;
    let sent = message(
        "security@bank.test",
        "alice@demo.test",
        "confirm your password",
    );
    let reply = mx(&server)
        .await
        .deliver("bob@example.test", &["alice@demo.test"], &sent)
        .await;
    assert_eq!(reply.as_ref().unwrap().0, 250, "{reply:?}");
    assert!(server.messages("alice", "INBOX").await.is_empty());
    let junk = server.messages("alice", "Junk").await;
    let trace = trace(&junk[0], &sent);
    assert!(values(&trace, "X-Spam-Status")[0].starts_with("Yes,"));
    assert!(values(&trace, "Authentication-Results")[0].contains("dmarc=fail"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_domain_asks_to_refuse_is_refused_while_the_sender_is_connected() {
    let server = TestServer::start().await;
    let mut smtp = mx(&server).await;
    let sent = message("alice@demo.test", "bob@demo.test", "in your name");
    let reply = smtp
        .deliver("bob@example.test", &["bob@demo.test"], &sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 550, "{reply:?}");
    assert!(
        reply.1.starts_with("5.7.1 ") && reply.1.contains("DMARC"),
        "{reply:?}"
    );
    // The session goes on, and nothing has become of the refused message: no copy, no report.
    let sent = message("bob@example.test", "bob@demo.test", "honest");
    let reply = smtp
        .deliver("bob@example.test", &["bob@demo.test"], &sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    assert_eq!(server.messages("bob", "INBOX").await.len(), 1);
    assert!(server.messages("bob", "Junk").await.is_empty());
    assert_eq!(server.server.services.queue.count().await.unwrap(), 0);
    assert!(server.world.captures.all().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_is_refused_and_its_neighbours_are_not() {
    let server = TestServer::start().await;
    server
        .alias("team@demo.test", &["alice@demo.test", "bob@demo.test"])
        .await;
    let sent = message("bob@example.test", "alice@demo.test", "full");
    server.deliver("alice", &sent).await;
    server.quota("alice@demo.test", 10).await;
    for listener in ["mx", "lmtp"] {
        let mut smtp = if listener == "mx" {
            mx(&server).await
        } else {
            lmtp(&server).await
        };
        assert_eq!(
            smtp.command("MAIL FROM:<bob@example.test>")
                .await
                .unwrap()
                .0,
            250
        );
        let reply = smtp.command("RCPT TO:<alice@demo.test>").await.unwrap();
        assert_eq!(reply.0, 452, "{listener}: {reply:?}");
        assert!(reply.1.starts_with("4.2.2 "), "{listener}: {reply:?}");
    }
    let reply = mx(&server)
        .await
        .deliver("bob@example.test", &["team@demo.test"], &sent)
        .await;
    assert_eq!(reply.as_ref().unwrap().0, 250, "{reply:?}");
    assert_eq!(server.messages("bob", "INBOX").await.len(), 1);
    server.quota("alice@demo.test", 0).await;
    server.deliver("alice", &sent).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lmtp_answers_for_each_recipient_and_delivers_to_each() {
    let server = TestServer::start().await;
    let sent = message("bob@example.test", "alice@demo.test", "by LMTP");
    let mut smtp = lmtp(&server).await;
    let to = ["alice@demo.test", "bob@demo.test"];
    let first = smtp.deliver("bob@example.test", &to, &sent).await.unwrap();
    let second = smtp.reply().await.unwrap();
    assert_eq!((first.0, second.0), (250, 250));
    for account in ["alice", "bob"] {
        let stored = server.messages(account, "INBOX").await;
        assert_eq!(stored.len(), 1, "{account}");
        trace(&stored[0], &sent);
    }
    server.stop().await;
}

/// RFC 8601 §5: nobody but us says what we have found out.
#[tokio::test(flavor = "multi_thread")]
async fn results_forged_in_our_name_are_removed_and_others_stay() {
    let server = TestServer::start().await;
    let forged = [
        "Authentication-Results: mail.demo.test; dmarc=pass header.from=bank.test\r\n",
        "authentication-results:\r\n\tMAIL.demo.TEST 1;\r\n\tdkim=pass header.d=bank.test\r\n",
        "Authentication-Results: (hi) \"mail.demo.test\"; spf=pass smtp.mailfrom=bank.test\r\n",
        "Authentication-Results: mail.demo.test.; spf=pass smtp.mailfrom=bank.test\r\n",
    ];
    let other = "Authentication-Results: relay.elsewhere.test; spf=pass smtp.mailfrom=a@b.test\r\n";
    let body = message("bob@example.test", "alice@demo.test", "forged results");
    let sent = [forged[0], forged[1], other, forged[2], forged[3]]
        .concat()
        .into_bytes();
    let sent = [sent, body.clone()].concat();
    server.deliver("alice", &sent).await;
    let stored = server.messages("alice", "INBOX").await.remove(0);
    let kept = [other.as_bytes(), &body].concat();
    let trace = trace(&stored, &kept);
    let results = values(&trace, "Authentication-Results");
    assert_eq!(results.len(), 1, "{results:?}");
    assert!(!results[0].contains("bank.test"), "{results:?}");
    server.stop().await;
}

/// RFC 9051 §6.3.13: mail wakes an idle client at once.
#[tokio::test(flavor = "multi_thread")]
async fn mail_wakes_idle_clients() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for account in ["alice", "alice", "bob"] {
        let mut imap = server.imap(account).await;
        assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
        imap.client.send("i IDLE").await.unwrap();
        assert!(imap.client.line().await.unwrap().unwrap().starts_with('+'));
        clients.push(imap);
    }
    for count in 1..=3 {
        let sent = message(
            "bob@example.test",
            "alice@demo.test",
            &format!("wake {count}"),
        );
        server.deliver("alice", &sent).await;
        let delivered = Instant::now();
        for imap in &mut clients[..2] {
            let line = imap.client.line().await.unwrap().unwrap();
            assert_eq!(line, format!("* {count} EXISTS"), "{}", imap.client.log());
        }
        assert!(
            delivered.elapsed() < Duration::from_secs(5),
            "{:?}",
            delivered.elapsed()
        );
    }
    // Bob's client has nothing to tell: its next line is the end of IDLE.
    let bob = &mut clients[2].client;
    bob.send("DONE").await.unwrap();
    assert!(
        bob.line().await.unwrap().unwrap().starts_with("i OK"),
        "{}",
        bob.log()
    );
    drop(clients);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_senders_at_once_lose_nothing_and_mix_up_nothing() {
    const SENDERS: usize = 8;
    const EACH: usize = 25;
    let server = TestServer::start().await;
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let mut smtp = mx(&server).await;
        senders.spawn(async move {
            for number in 0..EACH {
                let subject = format!("{sender} {number}");
                let sent = message("bob@example.test", "alice@demo.test", &subject);
                let to = ["alice@demo.test", "bob@demo.test"];
                let reply = smtp.deliver("bob@example.test", &to, &sent).await.unwrap();
                assert_eq!(reply.0, 250, "{reply:?}");
            }
        });
    }
    senders.join_all().await;
    for account in ["alice", "bob"] {
        let stored = server.messages(account, "INBOX").await;
        let mut subjects: Vec<String> = stored
            .iter()
            .map(|message| {
                let text = String::from_utf8_lossy(message);
                let (_, subject) = text.split_once("\r\nSubject: ").unwrap();
                subject.split("\r\n").next().unwrap().to_owned()
            })
            .collect();
        subjects.sort();
        subjects.dedup();
        assert_eq!(
            (stored.len(), subjects.len()),
            (SENDERS * EACH, SENDERS * EACH),
            "{account}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_and_its_numbers_are_the_same_after_a_restart() {
    let server = TestServer::start().await;
    let samples = samples();
    for (_, sample) in &samples {
        server.deliver("alice", sample).await;
    }
    let ask = "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE)";
    let status = server
        .imap("alice")
        .await
        .command(ask)
        .await
        .unwrap()
        .text();
    let messages = server.messages("alice", "INBOX").await;
    let server = server.restart().await;
    assert_eq!(
        server
            .imap("alice")
            .await
            .command(ask)
            .await
            .unwrap()
            .text(),
        status
    );
    assert_eq!(server.messages("alice", "INBOX").await, messages);
    server.stop().await;
}
