//! Clients that mean harm: smuggling, injection, relaying, forging; [`floods`], [`broken`] mail and what
//! ends parse [`workers`] have files of their own.

#[path = "hostile/broken.rs"]
mod broken;
#[path = "hostile/floods.rs"]
mod floods;
#[path = "hostile/workers.rs"]
mod workers;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use testkit::TestServer;
use testkit::client::{Client, Smtp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::mailflow::{message, trace};

/// How long the server may take for anything that a client does here.
const PATIENCE: Duration = Duration::from_secs(20);

/// What careless servers take for the end of a message (CVE-2023-51764, -51765, -51766 and kin).
const ENDINGS: [&[u8]; 10] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n\n.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
];

/// How octets are cut into segments.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Whole,
    EachOctet,
    At(usize),
}

async fn send(stream: &mut TcpStream, octets: &[u8], cut: Cut) -> io::Result<()> {
    match cut {
        Cut::Whole => stream.write_all(octets).await,
        Cut::EachOctet => {
            for octet in octets {
                stream.write_all(&[*octet]).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        Cut::At(at) => {
            stream.write_all(&octets[..at]).await?;
            tokio::time::sleep(Duration::from_millis(2)).await;
            stream.write_all(&octets[at..]).await
        }
    }
}

/// Opens a transaction up to the 354 and sends `data`; all that the server says afterwards.
async fn smuggle(
    address: SocketAddr,
    (hello, parameters): (&str, &str),
    data: &[u8],
    cut: Cut,
) -> io::Result<String> {
    let mut client = Client::connect(address).await?;
    client.line().await?;
    client.send(hello).await?;
    client
        .send(&format!("MAIL FROM:<bob@example.test>{parameters}"))
        .await?;
    client.send("RCPT TO:<alice@demo.test>").await?;
    client.send("DATA").await?;
    while !client
        .line()
        .await?
        .is_some_and(|line| line.starts_with("354"))
    {}
    let mut stream = client.into_plain();
    // The server may close before it has read all: that is a refusal, too.
    let _ = send(&mut stream, data, cut).await;
    let mut answer = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut answer)).await {
        Ok(_) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// R-20: whatever stands for the end of a message, and however it is cut into segments, what
/// follows is never obeyed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_be_smuggled() {
    let server = TestServer::start().await;
    server.account("carol@demo.test").await;
    let slots = Arc::new(Semaphore::new(24));
    let mut attempts = JoinSet::new();
    for ending in ENDINGS {
        let data = [
            b"From: <bob@example.test>\r\nSubject: a\r\n\r\nfirst",
            ending,
            b"MAIL FROM:<evil@example.test>\r\nRCPT TO:<carol@demo.test>\r\nDATA\r\n\
              From: <evil@example.test>\r\nSubject: smuggled\r\n\r\nsecond\r\n.\r\nQUIT\r\n",
        ]
        .concat();
        let modes = [
            ("mx", "EHLO client.test", ""),
            ("mx", "EHLO client.test", " BODY=8BITMIME"),
            ("mx", "EHLO client.test", " SMTPUTF8"),
            ("mx", "HELO client.test", ""),
            ("lmtp", "LHLO client.test", ""),
        ];
        let mut cases = vec![(modes[0], Cut::EachOctet), (modes[4], Cut::EachOctet)];
        cases.extend(modes.map(|mode| (mode, Cut::Whole)));
        cases.extend((1..data.len()).map(|at| (modes[0], Cut::At(at))));
        for ((listener, hello, parameters), cut) in cases {
            let (address, data) = (server.address(listener), data.clone());
            let slots = Arc::clone(&slots);
            attempts.spawn(async move {
                let _slot = slots.acquire_owned().await.unwrap();
                let answer = smuggle(address, (hello, parameters), &data, cut).await;
                (ending, format!("{listener} {hello} {cut:?}"), answer)
            });
        }
    }
    let mut taken_as_text = 0;
    while let Some(attempt) = attempts.join_next().await {
        let (ending, how, answer) = attempt.unwrap();
        let what = format!("{:?} by {how}: {answer:?}", String::from_utf8_lossy(ending));
        let answer = answer.expect(&what);
        // At most the one message, and then nothing but the QUIT behind its real end.
        if ending.contains(&0) && answer.starts_with("250 2.0.0 ") {
            assert!(
                answer.lines().count() == 2 && answer.contains("\r\n221 "),
                "{what}"
            );
            taken_as_text += 1;
        } else {
            assert!(
                answer.is_empty() || answer.starts_with("554 5.5.2 "),
                "{what}"
            );
            assert!(answer.lines().count() <= 1, "{what}");
        }
    }
    assert!(server.messages("carol", "INBOX").await.is_empty());
    let mut stored = server.messages("alice", "INBOX").await;
    stored.extend(server.messages("alice", "Junk").await);
    assert_eq!(stored.len(), taken_as_text);
    for message in stored {
        let text = String::from_utf8_lossy(&message);
        assert!(text.contains("\r\nRCPT TO:<carol@demo.test>\r\n"), "{text}");
    }
    server.stop().await;
}

/// Says STARTTLS with `injected` behind it in clear, cut at `at`, and goes over to TLS; `None` when
/// there is no handshake, since the injected octets were taken for one.
async fn inject(server: &TestServer, client: Client, octets: &[u8], at: usize) -> Option<Client> {
    let mut stream = client.into_plain();
    stream.write_all(&octets[..at]).await.unwrap();
    if at < octets.len() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        stream.write_all(&octets[at..]).await.ok()?;
    }
    let mut client = Client::from_plain(stream);
    let go_ahead = client.line().await.ok()??;
    assert!(
        go_ahead.starts_with("220 ") || go_ahead.starts_with("a OK"),
        "{go_ahead}"
    );
    timeout(
        PATIENCE,
        client.start_tls(server.client_config(), server.name()),
    )
    .await
    .unwrap()
    .ok()
}

/// R-21, CVE-2011-0411: no octet sent in clear is obeyed after the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_behind_starttls_is_obeyed() {
    let server = TestServer::start().await;
    let mut handshakes = 0;
    for listener in ["mx", "submission"] {
        let octets = b"STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@example.test>\r\n";
        for at in 1..=octets.len() {
            let mut client = Client::connect(server.address(listener)).await.unwrap();
            client.line().await.unwrap();
            client.send("EHLO client.test").await.unwrap();
            while client.line().await.unwrap().unwrap().starts_with("250-") {}
            let Some(client) = inject(&server, client, octets, at).await else {
                continue;
            };
            handshakes += 1;
            let mut smtp = Smtp { client };
            // Neither the greeting of before nor the injected one holds.
            let reply = smtp.command("RCPT TO:<alice@demo.test>").await.unwrap();
            assert_eq!(
                reply.0,
                503,
                "{listener} cut at {at}: {}",
                smtp.client.log()
            );
            let reply = smtp.command("MAIL FROM:<bob@example.test>").await.unwrap();
            assert_eq!(
                reply.0,
                503,
                "{listener} cut at {at}: {}",
                smtp.client.log()
            );
        }
    }
    let octets = b"a STARTTLS\r\nb NOOP\r\nc LOGIN alice@demo.test \"correct horse battery\"\r\n";
    for at in 1..=octets.len() {
        let mut client = Client::connect(server.address("imap")).await.unwrap();
        client.line().await.unwrap();
        let Some(mut client) = inject(&server, client, octets, at).await else {
            continue;
        };
        handshakes += 1;
        client.send("d SELECT INBOX").await.unwrap();
        let line = client.line().await.unwrap().unwrap();
        assert!(line.starts_with("d BAD"), "cut at {at}: {}", client.log());
    }
    // Otherwise nothing was tried.
    assert!(handshakes > 20, "only {handshakes} handshakes");
    server.stop().await;
}

/// R-19: every form in which open relays have been found.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_relay() {
    let server = TestServer::start().await;
    let recipients = [
        "<x@elsewhere.test>",
        "x@elsewhere.test",
        "<\"x@elsewhere.test\">",
        "<\"x%elsewhere.test\">",
        "<x%elsewhere.test@demo.test>",
        "<x%elsewhere.test@mail.demo.test>",
        "<x%elsewhere.test@[127.0.0.1]>",
        "<x%elsewhere.test>",
        "<x@elsewhere.test@demo.test>",
        "<x@elsewhere.test@mail.demo.test>",
        "<x@elsewhere.test@[127.0.0.1]>",
        "<\"x@elsewhere.test\"@demo.test>",
        "<\"x@elsewhere.test\"@mail.demo.test>",
        "<@demo.test:x@elsewhere.test>",
        "<@mail.demo.test:x@elsewhere.test>",
        "<@[127.0.0.1]:x@elsewhere.test>",
        "<@demo.test,@mail.demo.test:x@elsewhere.test>",
        "<elsewhere.test!x>",
        "<elsewhere.test!x@demo.test>",
        "<elsewhere.test!x@mail.demo.test>",
        "<elsewhere.test!x@[127.0.0.1]>",
        "<demo.test!elsewhere.test!x>",
        "<x@[127.0.0.1]>",
        "<alice@[127.0.0.1]>",
        "<x@127.0.0.1>",
        "<x@[IPv6:::1]>",
        "<x@elsewhere.test.>",
        "<x@localhost>",
        "<x@mail.demo.test>",
        "<x@sub.demo.test>",
        "<x@demo.test.elsewhere.test>",
        "<alice@demo.test\0@elsewhere.test>",
        "<alice@demo.test\t@elsewhere.test>",
        "<alice@demo.test@elsewhere.test>",
        "<alice@demo.test>@elsewhere.test",
        "<alice@demo.test:x@elsewhere.test>",
        "<x@elsewhere.test (alice@demo.test)>",
        "<alice@demo.test,x@elsewhere.test>",
        "<alice@demo.test;x@elsewhere.test>",
        "<alice@demo.test x@elsewhere.test>",
        "<@elsewhere.test>",
        "<@>",
        "< x@elsewhere.test>",
        "<x@ELSEWHERE.test>",
        "<x@demo\u{2e}test\u{200b}.elsewhere.test>",
    ];
    let senders = [
        "<bob@example.test>",
        "<>",
        "<alice@demo.test>",
        "<x@mail.demo.test>",
    ];
    for listener in ["mx", "lmtp"] {
        let hello = if listener == "lmtp" {
            "LHLO client.test"
        } else {
            "EHLO client.test"
        };
        for sender in senders {
            for some in recipients.chunks(15) {
                let mut smtp = Smtp {
                    client: Client::connect(server.address(listener)).await.unwrap(),
                };
                smtp.reply().await.unwrap();
                smtp.command(hello).await.unwrap();
                let reply = smtp.command(&format!("MAIL FROM:{sender}")).await.unwrap();
                assert_eq!(reply.0, 250, "{sender}");
                for recipient in some {
                    let reply = smtp.command(&format!("RCPT TO:{recipient}")).await.unwrap();
                    assert!(
                        (500..600).contains(&reply.0),
                        "{sender} {recipient}: {reply:?}"
                    );
                }
                assert!(smtp.command("DATA").await.unwrap().0 >= 500);
            }
        }
    }
    assert_eq!(server.server.services.queue.count().await.unwrap(), 0);
    assert!(server.world.captures.all().is_empty());
    server.stop().await;
}

/// R-22: no form of the From field makes DMARC pass for a domain that has not sent the message.
#[tokio::test(flavor = "multi_thread")]
async fn forged_authors_never_pass() {
    let server = TestServer::start().await;
    let headers = [
        "From: <ceo@bank.test>\r\n",
        "From: <bob@example.test>\r\nFrom: <ceo@bank.test>\r\n",
        "From: <ceo@bank.test>\r\nFrom: <bob@example.test>\r\n",
        "From: <bob@example.test>, <ceo@bank.test>\r\n",
        "From: <ceo@bank.test>, <bob@example.test>\r\n",
        "From: Group: <bob@example.test>, <ceo@bank.test>;\r\n",
        "From : <ceo@bank.test>\r\n",
        "From\t: <ceo@bank.test>\r\nFrom: <bob@example.test>\r\n",
        "From:\r\n <ceo@bank.test>\r\n",
        "From: <bob@example.test>\0<ceo@bank.test>\r\n",
        "From: <ceo@bank.test\0@example.test>\r\n",
        "From: =?utf-8?b?PGNlb0BiYW5rLnRlc3Q+?= <ceo@bank.test>\r\n",
        "From: \"bob@example.test\" <ceo@bank.test>\r\n",
        "From: ceo@bank.test (bob@example.test)\r\n",
        "From: (bob@example.test) ceo@bank.test\r\n",
        "From: <@example.test:ceo@bank.test>\r\n",
        "From: <@example.test,ceo@bank.test>\r\n",
        "From: ceo@bank.test, bob@example.test\r\n",
        "From: bob@example.test <ceo@bank.test>\r\n",
        "From: <bob@example.test> <ceo@bank.test>\r\n",
        "From: <\"bob@example.test\"@bank.test>\r\n",
        "From: ceo@bank.test\r\nSender: bob@example.test\r\n",
        "From: ceo@bank.test\r\nResent-From: bob@example.test\r\n",
        "Authentication-Results: mail.demo.test; dmarc=pass header.from=bank.test\r\nFrom: ceo@bank.test\r\n",
    ];
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    let mut accepted = 0;
    for header in headers {
        let sent = format!(
            "{header}To: <alice@demo.test>\r\nSubject: {accepted}\r\n\
             Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <x@example.test>\r\n\r\nPay.\r\n"
        );
        let reply = smtp
            .deliver("bob@example.test", &["alice@demo.test"], sent.as_bytes())
            .await;
        match reply.unwrap() {
            (250, _) => accepted += 1,
            (code, text) => assert!(code >= 500, "{header:?}: {code} {text}"),
        }
    }
    let mut stored = server.messages("alice", "INBOX").await;
    stored.extend(server.messages("alice", "Junk").await);
    assert_eq!(stored.len(), accepted);
    for stored in stored {
        let text = String::from_utf8_lossy(&stored).into_owned();
        let results: Vec<_> = mime::header::fields(&stored)
            .filter(|field| field.is("Authentication-Results"))
            .map(|field| String::from_utf8_lossy(field.value).to_ascii_lowercase())
            .collect();
        assert_eq!(results.len(), 1, "{text}");
        let passes = results[0]
            .split(';')
            .any(|result| result.trim().starts_with("dmarc=pass"));
        assert!(!passes, "{text}");
        assert!(
            !results[0].contains("header.from=bank.test") || results[0].contains("dmarc=fail"),
            "{text}"
        );
    }
    // An honest message passes, so that the test can tell the difference.
    server
        .deliver(
            "bob",
            &message("bob@example.test", "bob@demo.test", "honest"),
        )
        .await;
    let honest = server.messages("bob", "INBOX").await.remove(0);
    assert!(String::from_utf8_lossy(&honest).contains("dmarc=pass"));
    server.stop().await;
}

/// Nothing that a client says about itself leaves its place in the trace fields.
#[tokio::test(flavor = "multi_thread")]
async fn names_of_clients_cannot_write_header_fields() {
    let server = TestServer::start().await;
    let names = [
        "a)(for<x@y>;",
        "a;b",
        "\"a\"",
        "a\\",
        "(((((",
        "<x>",
        "[127.0.0.1",
        "a,b",
        "\u{fc}.test",
        "=?utf-8?q?x?=",
    ];
    let sent = message("bob@example.test", "alice@demo.test", "names");
    for name in names {
        let mut smtp = Smtp {
            client: Client::connect(server.address("mx")).await.unwrap(),
        };
        smtp.reply().await.unwrap();
        let reply = smtp.command(&format!("EHLO {name}")).await.unwrap();
        assert_eq!(reply.0, 250, "{name}");
        let reply = smtp
            .deliver("bob@example.test", &["alice@demo.test"], &sent)
            .await
            .unwrap();
        assert_eq!(reply.0, 250, "{name}: {reply:?}");
    }
    let stored = server.messages("alice", "INBOX").await;
    assert_eq!(stored.len(), names.len());
    for stored in stored {
        let trace = trace(&stored, &sent);
        let received = &trace.iter().find(|(name, _)| name == "Received").unwrap().1;
        assert_eq!(received.matches(';').count(), 1, "{received}");
        assert_eq!(received.matches("for <").count(), 1, "{received}");
        assert_eq!(
            received.matches('(').count(),
            received.matches(')').count(),
            "{received}"
        );
    }
    server.stop().await;
}
