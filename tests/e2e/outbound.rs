//! Mail that leaves: signatures, retries, reports, routes, and what an administrator does to it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Clock as _, FakeClock, SystemClock};
use bytes::Bytes;
use mailauth::Outcome;
use muskox::demo::Captured;
use queue::{
    Origin, QueueEntry, QueueId, RecipientState, RoutedRecipient, SenderStanding, Submission,
};
use smtp::{Address, ReversePath};
use testkit::TestServer;
use testkit::client::Smtp;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::mailflow::{message, trace};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server whose clock stands still until the test moves it.
async fn with_fake_clock() -> (TestServer, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::new(SystemClock.now()));
    let parts_clock = Arc::clone(&clock);
    let server = TestServer::start_with(|_| {}, |parts| parts.clock = Some(parts_clock)).await;
    (server, clock)
}

async fn submit(server: &TestServer, from: &str, to: &[&str], message: &[u8]) {
    let reply = server
        .submission("alice")
        .await
        .deliver(from, to, message)
        .await
        .unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
}

async fn captured(server: &TestServer, wanted: impl Fn(&Captured) -> bool) -> Captured {
    let captures = &server.world.captures;
    let found = tokio::time::timeout(PATIENCE, captures.wait_for(wanted)).await;
    found.unwrap_or_else(|_| panic!("not captured, but {:?}", captures.all()))
}

async fn entries(server: &TestServer) -> Vec<QueueEntry> {
    server
        .server
        .services
        .queue
        .list(None, 1_000)
        .await
        .unwrap()
}

/// Waits until the queue's only message is as `wanted`.
async fn wait_for(server: &TestServer, wanted: impl Fn(&QueueEntry) -> bool) -> QueueEntry {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut entries = entries(server).await;
        assert!(entries.len() <= 1, "{entries:?}");
        match entries.pop() {
            Some(entry) if wanted(&entry) => return entry,
            entry => assert!(tokio::time::Instant::now() < deadline, "{entry:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn wait_for_an_empty_queue(server: &TestServer) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while server.server.services.queue.count().await.unwrap() > 0 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{:?}",
            entries(server).await
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// When the only recipient of a message is due, once `attempts` have been made.
fn due_after(entry: &QueueEntry, attempts: u32) -> Option<i64> {
    match entry.recipients.first()? {
        recipient if recipient.attempts < attempts => None,
        recipient => match recipient.state {
            RecipientState::Waiting { due_at } => Some(due_at),
            _ => None,
        },
    }
}

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_leaves_encrypted_with_signatures_that_the_dns_confirms() {
    let server = TestServer::start().await;
    server.sign().await;
    let samples = crate::mailflow::samples();
    for (_, sample) in &samples {
        submit(
            &server,
            "alice@demo.test",
            &["friend@elsewhere.test"],
            sample,
        )
        .await;
    }
    wait_for_an_empty_queue(&server).await;
    let all = server.world.captures.all();
    assert_eq!(all.len(), samples.len());
    let mut seen = BTreeSet::new();
    for captured in &all {
        let is = |(_, sample): &&(String, Vec<u8>)| captured.message.ends_with(sample);
        let (name, _) = samples
            .iter()
            .filter(is)
            .max_by_key(|(_, sample)| sample.len())
            .unwrap();
        assert!(seen.insert(name), "{name} twice");
        assert!(
            captured.encrypted,
            "{name} came in clear although STARTTLS was offered"
        );
        // These were written by others: the signatures are of example.test, which has no keys.
        assert!(
            !text(&captured.message).contains("DKIM-Signature:"),
            "{name}"
        );
    }
    let sent = message("alice@demo.test", "friend@elsewhere.test", "signed");
    submit(
        &server,
        "alice@demo.test",
        &["signed@elsewhere.test"],
        &sent,
    )
    .await;
    let captured = captured(&server, |captured| captured.to == ["signed@elsewhere.test"]).await;
    assert_eq!(captured.from, "alice@demo.test");
    assert!(captured.message.ends_with(&sent));
    let from = ReversePath::parse(&captured.from).unwrap();
    let ip = Ipv4Addr::LOCALHOST.into();
    let session = mailauth::Session {
        ip,
        helo: "mail.demo.test",
        from: &from,
    };
    let authenticator = &server.server.services.authenticator;
    let results = authenticator.message(&captured.message, &session).await;
    let selectors: BTreeSet<String> = results
        .dkim
        .iter()
        .filter(|verdict| verdict.result == Outcome::Pass)
        .map(|verdict| verdict.selector.to_string())
        .collect();
    assert_eq!(
        selectors,
        ["ed".to_owned(), "rsa".to_owned()].into(),
        "{}",
        results.header
    );
    assert_eq!(results.dmarc.result, Outcome::Pass, "{}", results.header);
    // One octet more and the signatures are void.
    let tampered = [&captured.message[..], b"P.S.\r\n"].concat();
    let results = authenticator.message(&tampered, &session).await;
    assert!(
        results
            .dkim
            .iter()
            .all(|verdict| verdict.result != Outcome::Pass)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_refusal_is_tried_again_when_it_is_due_and_not_before() {
    let (server, clock) = with_fake_clock().await;
    let sent = message("alice@demo.test", "450@later.test", "later");
    submit(&server, "alice@demo.test", &["450@later.test"], &sent).await;
    let start = clock.now().0;
    let entry = wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    let due = due_after(&entry, 1).unwrap();
    assert!(
        (start + 300..=start + 340).contains(&due),
        "{}",
        due - start
    );
    assert!(entry.recipients[0].status.contains("450"), "{entry:?}");
    clock.set(ambient::Timestamp(due - 1));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let entry = wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    assert_eq!(entry.recipients[0].attempts, 1, "tried too early");
    clock.set(ambient::Timestamp(due));
    let entry = wait_for(&server, |entry| due_after(entry, 2).is_some()).await;
    let wait = due_after(&entry, 2).unwrap() - due;
    assert!(
        (900..=900 + 113).contains(&wait),
        "the second wait is longer: {wait}"
    );
    assert!(server.world.captures.all().is_empty());
    server.stop().await;
}

/// RFC 5321 §4.5.4.1: the sender hears once that the message is late, and once that it was given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_never_gets_through_is_reported_late_once_and_failed_once() {
    let (server, clock) = with_fake_clock().await;
    let sent = message("alice@demo.test", "450@later.test", "never");
    submit(&server, "alice@demo.test", &["450@later.test"], &sent).await;
    let start = clock.now().0;
    let mut attempts = 1;
    loop {
        let entry = entries(&server).await.pop();
        let Some(entry) = entry else { break };
        match due_after(&entry, attempts) {
            Some(due) => {
                assert!(attempts < 100, "it is never given up");
                attempts = entry.recipients[0].attempts + 1;
                clock.set(ambient::Timestamp(due.max(clock.now().0)));
            }
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    let age = clock.now().0 - start;
    assert!(
        (5 * 86_400..6 * 86_400).contains(&age),
        "given up after {age} seconds"
    );
    let reports = server.wait_for("alice", "INBOX", 2).await;
    let (delayed, failed) = (text(&reports[0]), text(&reports[1]));
    assert!(delayed.contains("\r\nAction: delayed\r\n"), "{delayed}");
    assert!(failed.contains("\r\nAction: failed\r\n"), "{failed}");
    for report in [&delayed, &failed] {
        assert!(
            report.contains("\r\nFinal-Recipient: rfc822; 450@later.test\r\n"),
            "{report}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_for_a_domain_whose_dns_was_down_gets_through_later() {
    let (server, clock) = with_fake_clock().await;
    server.world.zone.servfail("down.test");
    let sent = message("alice@demo.test", "friend@down.test", "patience");
    submit(&server, "alice@demo.test", &["friend@down.test"], &sent).await;
    let entry = wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    assert!(entry.recipients[0].status.contains("4.4.3"), "{entry:?}");
    server.world.zone.remove("down.test");
    clock.set(ambient::Timestamp(due_after(&entry, 1).unwrap()));
    let captured = captured(&server, |captured| captured.to == ["friend@down.test"]).await;
    assert!(captured.message.ends_with(&sent));
    wait_for_an_empty_queue(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recipient_is_reported_and_the_others_get_their_mail() {
    let server = TestServer::start().await;
    let sent = message("alice@demo.test", "550@elsewhere.test", "refused");
    let to = [
        "550@elsewhere.test",
        "friend@elsewhere.test",
        "553@another.test",
    ];
    submit(&server, "alice@demo.test", &to, &sent).await;
    let captured = captured(&server, |captured| captured.from == "alice@demo.test").await;
    assert_eq!(captured.to, ["friend@elsewhere.test"]);
    wait_for_an_empty_queue(&server).await;
    let reports = server.messages("alice", "INBOX").await;
    let all = reports
        .iter()
        .map(|report| text(report))
        .collect::<String>();
    for recipient in ["550@elsewhere.test", "553@another.test"] {
        let line = format!("\r\nFinal-Recipient: rfc822; {recipient}\r\n");
        assert_eq!(all.matches(&line).count(), 1, "{all}");
    }
    assert!(
        !all.contains("Final-Recipient: rfc822; friend@elsewhere.test"),
        "{all}"
    );
    for report in &reports {
        let report = text(report);
        // RFC 5321 §4.5.5: reports have the null sender; RFC 3834 and RFC 3464 say the rest.
        for wanted in [
            "Return-Path: <>\r\n",
            "\r\nAuto-Submitted: auto-replied\r\n",
            "report-type=delivery-status",
            "\r\nReporting-MTA: dns; mail.demo.test\r\n",
            "\r\nAction: failed\r\n",
            "\r\nStatus: 5.1.1\r\n",
            "\r\nSubject: refused\r\n",
        ] {
            assert!(report.contains(wanted), "no {wanted:?} in\n{report}");
        }
    }
    assert!(
        server
            .world
            .captures
            .all()
            .iter()
            .all(|captured| !captured.from.is_empty())
    );
    server.stop().await;
}

/// RFC 5321 §4.5.5: reports are never reported, or two servers would talk for ever.
#[tokio::test(flavor = "multi_thread")]
async fn mail_from_the_null_sender_is_never_reported() {
    let server = TestServer::start().await;
    let sent = message("alice@demo.test", "550@elsewhere.test", "from nobody");
    submit(
        &server,
        "",
        &["550@elsewhere.test", "friend@elsewhere.test"],
        &sent,
    )
    .await;
    let captured = captured(&server, |captured| captured.to == ["friend@elsewhere.test"]).await;
    assert_eq!(captured.from, "");
    wait_for_an_empty_queue(&server).await;
    assert!(server.messages("alice", "INBOX").await.is_empty());
    assert_eq!(server.world.captures.all().len(), 1);
    server.stop().await;
}

/// Backscatter: a report to an address that nobody vouches for is spam of our own making.
#[tokio::test(flavor = "multi_thread")]
async fn failures_of_forwarded_mail_are_reported_to_senders_that_are_vouched_for_only() {
    let server = TestServer::start().await;
    server
        .alias("away@demo.test", &["550@elsewhere.test"])
        .await;
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    for sender in ["victim@bank.test", "honest@example.test"] {
        let sent = message("bob@example.test", "away@demo.test", sender);
        let reply = smtp
            .deliver(sender, &["away@demo.test"], &sent)
            .await
            .unwrap();
        assert_eq!(reply.0, 250, "{sender}: {reply:?}");
        wait_for_an_empty_queue(&server).await;
    }
    let all = server.world.captures.all();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (all[0].from.as_str(), all[0].to.as_slice()),
        ("", &["honest@example.test".to_owned()][..])
    );
    let report = text(&all[0].message);
    assert!(
        report.contains("\r\nFinal-Recipient: rfc822; 550@elsewhere.test\r\n"),
        "{report}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_that_lead_nowhere_fail_at_once_with_the_reason() {
    let server = TestServer::start().await;
    let zone = &server.world.zone;
    zone.mx("loop.test", 10, "mail.demo.test")
        .mx("nomail.test", 0, ".");
    zone.a("loop.test", Ipv4Addr::LOCALHOST)
        .a("nomail.test", Ipv4Addr::LOCALHOST);
    let table = [
        ("x@loop.test", "5.4.6"),
        ("x@nomail.test", "5.1.10"),
        ("x@gone.invalid", "5.1.2"),
    ];
    for (index, (to, status)) in table.into_iter().enumerate() {
        let sent = message("alice@demo.test", to, status);
        submit(&server, "alice@demo.test", &[to], &sent).await;
        wait_for_an_empty_queue(&server).await;
        let report = text(&server.wait_for("alice", "INBOX", index + 1).await[index]);
        assert!(
            report.contains(&format!("\r\nStatus: {status}\r\n")),
            "{to}: {report}"
        );
    }
    assert!(server.world.captures.all().is_empty());
    server.stop().await;
}

/// RFC 5321 §5.1: when the best host does not answer the next one is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_host_is_passed_over() {
    let server = TestServer::start().await;
    let zone = &server.world.zone;
    zone.mx("spare.test", 10, "dead.test")
        .mx("spare.test", 20, "mx.outside.test");
    zone.a("spare.test", Ipv4Addr::LOCALHOST);
    // Nobody listens on this address of loopback.
    zone.a("dead.test", Ipv4Addr::new(127, 0, 0, 77));
    let sent = message("alice@demo.test", "x@spare.test", "second best");
    submit(&server, "alice@demo.test", &["x@spare.test"], &sent).await;
    let captured = captured(&server, |captured| captured.to == ["x@spare.test"]).await;
    trace(&captured.message, &sent);
    wait_for_an_empty_queue(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_holds_releases_retries_and_deletes() {
    let (server, clock) = with_fake_clock().await;
    let queue = server.server.services.queue.clone();
    let sent = message("alice@demo.test", "450@later.test", "on hold");
    submit(&server, "alice@demo.test", &["450@later.test"], &sent).await;
    let entry = wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    let id = QueueId(entry.id);
    assert_eq!(
        (entry.sender.as_str(), entry.held),
        ("alice@demo.test", false)
    );
    queue.hold(id).await.unwrap();
    clock.advance(Duration::from_secs(86_400));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let entry = queue.show(id).await.unwrap();
    assert!(
        entry.held && entry.recipients[0].state == RecipientState::Held,
        "{entry:?}"
    );
    assert_eq!(entry.recipients[0].attempts, 1, "tried although held");
    queue.retry(id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        queue.show(id).await.unwrap().recipients[0].attempts,
        1,
        "a retry ends no hold"
    );
    queue.release(id).await.unwrap();
    wait_for(&server, |entry| due_after(entry, 2).is_some()).await;
    queue.retry(id).await.unwrap();
    wait_for(&server, |entry| due_after(entry, 3).is_some()).await;
    queue.delete(id).await.unwrap();
    assert!(matches!(
        queue.show(id).await,
        Err(queue::Error::NotFound(_))
    ));
    assert!(matches!(
        queue.hold(id).await,
        Err(queue::Error::NotFound(_))
    ));
    clock.advance(Duration::from_secs(10 * 86_400));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let reports = server.messages("alice", "INBOX").await;
    let reports: String = reports.iter().map(|report| text(report)).collect();
    assert!(
        !reports.contains("\r\nAction: failed\r\n"),
        "nobody is told of a deletion"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_survives_a_restart() {
    let server = TestServer::start().await;
    server.world.zone.servfail("down.test");
    let sent = message("alice@demo.test", "friend@down.test", "survivor");
    submit(&server, "alice@demo.test", &["friend@down.test"], &sent).await;
    let entry = wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    let server = server.restart().await;
    let again = wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    assert_eq!(again, entry);
    server.world.zone.remove("down.test");
    server
        .server
        .services
        .queue
        .retry(QueueId(entry.id))
        .await
        .unwrap();
    let captured = captured(&server, |captured| captured.to == ["friend@down.test"]).await;
    assert!(captured.message.ends_with(&sent));
    wait_for_an_empty_queue(&server).await;
    server.stop().await;
}

/// The other direction of SMTP smuggling: whatever a message holds, only CRLF goes out, and nothing
/// in it ends it early.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_crlf_goes_out() {
    let server = TestServer::start().await;
    let services = &server.server.services;
    let endings = [
        "\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\n\n.\r\n",
        "\r\n\0.\r\n",
        "\r\n.\r\r\n",
        "\r\r\n.\r\r\n",
        "\r\n.\r\n",
    ];
    for (index, ending) in endings.into_iter().enumerate() {
        let raw = format!("Subject: {index}\r\n\r\nfirst{ending}MAIL FROM:<evil@example.test>\r\n");
        let message = Bytes::from(raw);
        let to = Address::parse(&format!("n{index}@elsewhere.test")).unwrap();
        let submission = Submission {
            staged: services.db.blobs().stage(message.clone()).await.unwrap(),
            summary: mime::Summary::parse(&message),
            message,
            origin: Origin {
                sender: SenderStanding::Verified,
                ..Origin::local("t".to_owned())
            },
            from: ReversePath::parse("alice@demo.test").unwrap(),
            recipients: vec![RoutedRecipient::Remote {
                address: to.clone(),
                original: to.clone(),
            }],
            companion: None,
        };
        services.queue.accept(submission).await.unwrap();
        let wanted = vec![to.to_string()];
        let captured = captured(&server, |captured| captured.to == wanted).await;
        let got = text(&captured.message);
        assert!(
            got.contains("MAIL FROM:<evil@example.test>"),
            "{ending:?} ended it: {got:?}"
        );
        let bare = got.replace("\r\n", "").contains(['\r', '\n']);
        assert!(!bare, "{ending:?} went out as {got:?}");
    }
    assert_eq!(server.world.captures.all().len(), endings.len());
    wait_for_an_empty_queue(&server).await;
    server.stop().await;
}

/// RFC 3207 §5: what stands behind a server's answer to STARTTLS in clear was put there by an
/// attacker, and is not believed.
#[tokio::test(flavor = "multi_thread")]
async fn replies_injected_behind_starttls_are_not_believed() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = TestServer::start_with(|_| {}, |parts| parts.mx_port = Some(port)).await;
    let identity = server.world.authority.issue(&["mx.outside.test"]).unwrap();
    let config = tls::server_config(&identity).unwrap();
    let sent = message("alice@demo.test", "x@elsewhere.test", "injected replies");
    submit(&server, "alice@demo.test", &["x@elsewhere.test"], &sent).await;
    let host = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 mx.outside.test\r\n").await.unwrap();
        expect(&mut stream, "EHLO ").await;
        stream
            .write_all(b"250-mx.outside.test\r\n250 STARTTLS\r\n")
            .await
            .unwrap();
        expect(&mut stream, "STARTTLS").await;
        // The go-ahead, and replies to everything the client is going to say.
        let injected =
            "220 go\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 delivered\r\n221 bye\r\n";
        stream.write_all(injected.as_bytes()).await.unwrap();
        let Ok(mut stream) = tls::MaybeTls::from(stream).accept(config).await else {
            return "the client left";
        };
        let mut first = [0; 5];
        match stream.read_exact(&mut first).await {
            Ok(_) if &first == b"EHLO " => "the client begins anew",
            Ok(_) => panic!("the client went on with {:?}", text(&first)),
            Err(_) => "the client left",
        }
    };
    tokio::time::timeout(PATIENCE, host).await.unwrap();
    drop(listener);
    // In neither case does it think the message delivered.
    wait_for(&server, |entry| due_after(entry, 1).is_some()).await;
    server.stop().await;
}

/// Reads a line, which begins with `start`.
async fn expect(stream: &mut tokio::net::TcpStream, start: &str) {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    assert!(line.starts_with(start), "{line:?}");
}
