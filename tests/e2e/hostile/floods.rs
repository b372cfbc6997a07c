//! Floods, garbage and clients that leave early: the server answers in time, and serves the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ambient::{Random, SeededRandom};
use testkit::TestServer;
use testkit::client::{Client, Imap, Smtp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::PATIENCE;
use crate::mailflow::message;

pub(super) async fn lmtp(server: &TestServer) -> Smtp {
    let mut smtp = Smtp {
        client: Client::connect(server.address("lmtp")).await.unwrap(),
    };
    smtp.reply().await.unwrap();
    assert_eq!(smtp.command("LHLO client.test").await.unwrap().0, 250);
    smtp
}

/// The server still serves everybody, quickly.
pub(super) async fn is_well(server: &TestServer) {
    let started = Instant::now();
    let mut imap = server.imap("bob").await;
    assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
    server
        .deliver("bob", &message("bob@example.test", "bob@demo.test", "well"))
        .await;
    assert!(imap.command("NOOP").await.unwrap().text()[0].ends_with(" EXISTS"));
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

/// Sends octets and reads what comes within a while, or up to the end.
async fn shout(client: &mut Client, octets: &[u8], until: &str) -> Vec<String> {
    // The server need not read it all.
    let _ = timeout(PATIENCE, client.send_raw(octets))
        .await
        .expect("the server reads or closes");
    let mut lines = Vec::new();
    while let Ok(Some(line)) = client.line().await {
        let is_last = line.starts_with(until);
        lines.push(line);
        if is_last {
            break;
        }
    }
    lines
}

/// R-14: whoever has proved nothing makes room, the oldest first; who has sent mail stays.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_make_room_for_newer_ones() {
    let server = TestServer::start_with(|config| config.smtp.max_sessions = 6, |_| {}).await;
    let mut proved = Smtp::connect(server.address("mx")).await.unwrap();
    let mail = message("bob@example.test", "bob@demo.test", "first");
    let sent = proved.deliver("bob@example.test", &["bob@demo.test"], &mail);
    assert_eq!(sent.await.unwrap().0, 250);
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(Smtp::connect(server.address("mx")).await.unwrap());
    }
    // Half of the places are theirs: the first five have had to go.
    for client in &mut silent[..5] {
        let line = client.client.line().await.unwrap();
        assert_eq!(
            line.as_deref(),
            Some("421 4.3.2 Too many connections, try again later")
        );
    }
    for client in &mut silent[5..] {
        assert_eq!(client.command("NOOP").await.unwrap().0, 250);
    }
    assert_eq!(proved.command("NOOP").await.unwrap().0, 250);
    drop(silent);
    drop(proved);
    is_well(&server).await;
    server.stop().await;
}

/// Cyrus CVE-2024-34055, Stalwart CVE-2025-61600, Dovecot CVE-2026-27857: what is announced costs
/// nothing, and what is nested is not followed.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_literals_and_parentheses_are_refused() {
    let server = TestServer::start().await;
    let refused = |lines: &[String]| {
        let last = lines.last().cloned().unwrap_or_default();
        lines.is_empty()
            || ["a BAD", "a NO", "* BAD", "* BYE"]
                .iter()
                .any(|start| last.starts_with(start))
    };
    // Before sign-in, in clear. The first octets decide; nobody waits for four gigabytes.
    let before = [
        "a LOGIN {4294967296}\r\n".to_owned(),
        "a LOGIN {99999999999999999999999}\r\n".to_owned(),
        "a LOGIN {8193}\r\n".to_owned(),
        "a NOOP {10}\r\n".to_owned(),
        "a CAPABILITY {10}\r\n".to_owned(),
        "a ID ({10000000}\r\n".to_owned(),
        format!("a LOGIN {}\r\n", "{1+}\r\nx ".repeat(10_000)),
        format!("a ID ({})\r\n", "\"a\" NIL ".repeat(5_000)),
        format!("a LOGIN {}\r\n", "x".repeat(100_000)),
        format!("a AUTHENTICATE PLAIN {}\r\n", "A".repeat(100_000)),
        "(".repeat(100_000) + "\r\n",
    ];
    for attack in before {
        let mut client = Client::connect_tls(
            server.address("imaps"),
            server.client_config(),
            server.name(),
        )
        .await
        .unwrap();
        client.line().await.unwrap();
        let lines = shout(&mut client, attack.as_bytes(), "a ").await;
        let short: String = attack.chars().take(60).collect();
        assert!(refused(&lines), "{short:?}: {lines:?}");
    }
    // After it.
    let after = [
        "a APPEND INBOX {99999999999}\r\n".to_owned(),
        "a APPEND INBOX {52428801}\r\n".to_owned(),
        "a SELECT {100000000}\r\n".to_owned(),
        "a FETCH 1 {10}\r\n0123456789\r\n".to_owned(),
        "a NOOP {10}\r\n".to_owned(),
        format!("a SEARCH {}ALL\r\n", "SUBJECT {1+}\r\nx ".repeat(2_000)),
        format!(
            "a SEARCH {}ALL{}\r\n",
            "(".repeat(10_000),
            ")".repeat(10_000)
        ),
        format!("a SEARCH {}ALL\r\n", "NOT ".repeat(10_000)),
        format!("a SEARCH {}ALL\r\n", "OR ALL ".repeat(5_000)),
        format!("a FETCH 1 {}\r\n", "(".repeat(50_000)),
        format!("a FETCH 1 BODY[{}1]\r\n", "1.".repeat(10_000)),
        format!(
            "a FETCH 1 BODY[HEADER.FIELDS ({})]\r\n",
            "a ".repeat(10_000)
        ),
        format!("a STORE 1 FLAGS ({})\r\n", "a ".repeat(10_000)),
        format!("a LIST \"\" ({})\r\n", "* ".repeat(10_000)),
        format!("a NOOP{}\r\n", " ".repeat(200_000)),
    ];
    for attack in after {
        let mut imap = server.imap("alice").await;
        assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
        let started = Instant::now();
        let lines = shout(&mut imap.client, attack.as_bytes(), "a ").await;
        let short: String = attack.chars().take(60).collect();
        assert!(refused(&lines), "{short:?}: {lines:?}");
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{short:?}: {:?}",
            started.elapsed()
        );
    }
    is_well(&server).await;
    server.stop().await;
}

/// What is legal but expensive is answered, and in time.
#[tokio::test(flavor = "multi_thread")]
async fn wildcards_and_sets_cost_little() {
    let server = TestServer::start().await;
    let mut imap = server.imap("alice").await;
    let deep = "a/".repeat(30) + "a";
    assert!(
        imap.command(&format!("CREATE {deep}"))
            .await
            .unwrap()
            .is_ok()
    );
    server
        .deliver(
            "alice",
            &message("bob@example.test", "alice@demo.test", "x"),
        )
        .await;
    assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
    let commands = [
        format!("LIST \"\" {}b", "*a".repeat(200)),
        format!("LIST \"\" {}b", "%*".repeat(400)),
        format!("LIST \"\" {}", "*%".repeat(400)),
        format!("UID FETCH {} FLAGS", vec!["1:4294967295"; 3_000].join(",")),
        format!(
            "UID FETCH {} FLAGS",
            (1..8_000)
                .map(|n| (n * 2).to_string())
                .collect::<Vec<_>>()
                .join(",")
        ),
        "UID SEARCH UID 1:4294967295".to_owned(),
        format!("SEARCH {}", vec!["TEXT x"; 300].join(" ")),
    ];
    for command in commands {
        let short: String = command.chars().take(60).collect();
        let started = Instant::now();
        let answer = imap.command(&command).await.unwrap();
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{short}: {:?}",
            started.elapsed()
        );
        assert!(!answer.tagged.is_empty(), "{short}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_smtp_commands_end_the_session() {
    let server = TestServer::start().await;
    let floods = [
        "NOOP\r\n".repeat(10_000),
        "RSET\r\n".repeat(10_000),
        "EHLO a.test\r\n".repeat(10_000),
        "VRFY x\r\n".repeat(10_000),
        "FOO\r\n".repeat(10_000),
        "EHLO a.test\r\nMAIL FROM:<>\r\n".to_owned()
            + &"RCPT TO:<nobody@demo.test>\r\n".repeat(10_000),
        "x".repeat(3_000_000),
        "EHLO ".to_owned() + &"x".repeat(1_000_000) + "\r\n",
        "BDAT 99999999999999999999\r\n".repeat(1_000),
        "BDAT 0\r\n".repeat(10_000),
    ];
    for flood in floods {
        let short: String = flood.chars().take(40).collect();
        let started = Instant::now();
        let mut client = Client::connect(server.address("mx")).await.unwrap();
        client.line().await.unwrap();
        let octets = flood.into_bytes();
        let _ = timeout(PATIENCE, client.send_raw(&octets))
            .await
            .expect("the server reads or closes");
        let _ = client.send("QUIT").await;
        let mut replies = 0;
        while let Ok(Some(_)) = client.line().await {
            replies += 1;
        }
        assert!(replies < 1_000, "{short:?}: {replies} replies");
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{short:?}: {:?}",
            started.elapsed()
        );
    }
    is_well(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_only_so_many_recipients_and_octets() {
    let configure = |config: &mut muskox::config::Config| {
        config.smtp.max_recipients = 10;
        config.smtp.max_message_bytes = 100_000;
    };
    let server = TestServer::start_with(configure, |_| {}).await;
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    smtp.command("MAIL FROM:<bob@example.test>").await.unwrap();
    for number in 0..12 {
        let reply = smtp
            .command(&format!("RCPT TO:<alice+{number}@demo.test>"))
            .await
            .unwrap();
        // RFC 5321 §4.5.3.1.10: the client sends the rest in another transaction.
        assert_eq!(
            reply.0,
            if number < 10 { 250 } else { 452 },
            "{number}: {reply:?}"
        );
    }
    smtp.command("RSET").await.unwrap();
    let body = message("bob@example.test", "alice@demo.test", "large");
    for (lines, code) in [(900, 250), (1_200, 552), (3_000, 552), (10, 250)] {
        let large = [
            body.clone(),
            format!("{}\r\n", "x".repeat(98)).repeat(lines).into_bytes(),
        ]
        .concat();
        let reply = smtp
            .deliver("bob@example.test", &["alice@demo.test"], &large)
            .await
            .unwrap();
        assert_eq!(reply.0, code, "{lines} lines: {reply:?}");
    }
    assert_eq!(server.messages("alice", "INBOX").await.len(), 2);
    // Far beyond the limit nobody listens any more.
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    let huge = format!("{}\r\n", "x".repeat(998))
        .repeat(20_000)
        .into_bytes();
    let reply = timeout(
        PATIENCE,
        smtp.deliver("bob@example.test", &["alice@demo.test"], &huge),
    )
    .await
    .unwrap();
    assert!(
        reply.as_ref().map_or(true, |reply| reply.0 == 552),
        "{reply:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_disturbs_no_listener() {
    let server = TestServer::start().await;
    let slots = Arc::new(Semaphore::new(16));
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(3));
    let mut clients = JoinSet::new();
    for listener in [
        "mx",
        "submission",
        "submissions",
        "lmtp",
        "imap",
        "imaps",
        "metrics",
    ] {
        for number in 0..60 {
            let address = server.address(listener);
            let (slots, random) = (Arc::clone(&slots), Arc::clone(&random));
            clients.spawn(async move {
                let _slot = slots.acquire_owned().await.unwrap();
                let mut garbage = vec![0; usize::try_from(random.below(20_000)).unwrap()];
                random.fill(&mut garbage);
                if number % 3 == 0 {
                    // Text with lines, which comes further.
                    let alphabet = b"abcdefgAMRDE \"(){}+*\\<>@:;.0123456789\r\n\r\n\r\n";
                    garbage
                        .iter_mut()
                        .for_each(|octet| *octet = alphabet[usize::from(*octet) % alphabet.len()]);
                }
                let mut stream = TcpStream::connect(address).await.unwrap();
                let _ = stream.write_all(&garbage).await;
                let _ = stream.shutdown().await;
                let mut answer = Vec::new();
                // The client is gone: no listener keeps the connection.
                let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
                assert!(ended.is_ok(), "{listener} keeps a dead connection");
                assert!(
                    answer.len() < 64 * 1024,
                    "{listener} answers with {} octets",
                    answer.len()
                );
            });
        }
    }
    clients.join_all().await;
    is_well(&server).await;
    server.stop().await;
}

/// Who leaves early leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn early_disconnects_leave_nothing_half_stored() {
    let server = TestServer::start().await;
    let body = String::from_utf8(message("bob@example.test", "alice@demo.test", "half")).unwrap();
    let large = "x".repeat(70) + "\r\n";
    let large = body.clone() + &large.repeat(5_000);
    let begin = "EHLO client.test\r\nMAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@demo.test>\r\n";
    let smtp = [
        (begin[..4].to_owned(), String::new()),
        (begin[..30].to_owned(), String::new()),
        (begin.to_owned(), String::new()),
        (format!("{begin}DATA\r\n"), String::new()),
        (format!("{begin}DATA\r\n"), body[..40].to_owned()),
        (format!("{begin}DATA\r\n"), body.clone()),
        (format!("{begin}DATA\r\n"), body.clone() + "."),
        (format!("{begin}DATA\r\n"), body.clone() + ".\r"),
        (format!("{begin}DATA\r\n"), large),
    ];
    for (listener, commands, data) in smtp.iter().flat_map(|(commands, data)| {
        [
            ("mx", commands.clone(), data),
            ("lmtp", commands.replace("EHLO", "LHLO"), data),
        ]
    }) {
        let mut client = Client::connect(server.address(listener)).await.unwrap();
        client.send_raw(commands.as_bytes()).await.unwrap();
        if commands.ends_with("DATA\r\n") {
            while !client.line().await.unwrap().unwrap().starts_with("354") {}
            client.send_raw(data.as_bytes()).await.unwrap();
        }
        drop(client);
    }
    let imap = [
        "a APPEND INBOX (\\Seen) {100}\r\n".to_owned(),
        format!("a APPEND INBOX {{500+}}\r\n{}", &body[..100]),
        format!("a APPEND INBOX {{{}+}}\r\n{body}", body.len()),
        "a COPY 1 Tra".to_owned(),
        "a IDLE\r\n".to_owned(),
        "a SELECT INBOX\r\nb FETCH 1:* BODY[]\r\nc SEARCH TEXT x\r\n".to_owned(),
    ];
    for commands in imap {
        let mut imap = server.imap("alice").await;
        imap.client.send_raw(commands.as_bytes()).await.unwrap();
        drop(imap);
    }
    // Whatever is still in progress ends before the server has stopped.
    let server = server.restart().await;
    for mailbox in ["INBOX", "Junk"] {
        assert!(
            server.messages("alice", mailbox).await.is_empty(),
            "{mailbox}"
        );
    }
    let report = server.server.services.db.fsck().await.unwrap();
    assert_eq!(report.blobs, 0, "{report:?}");
    is_well(&server).await;
    server.stop().await;
}

/// Half-open connections take no place from others.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_do_not_keep_others_out() {
    let configure = |config: &mut muskox::config::Config| config.smtp.max_sessions_per_address = 20;
    let server = TestServer::start_with(configure, |_| {}).await;
    let mut silent = Vec::new();
    for _ in 0..30 {
        silent.push(TcpStream::connect(server.address("mx")).await.unwrap());
    }
    let mut late = Client::connect(server.address("mx")).await.unwrap();
    let line = late.line().await.unwrap().unwrap();
    assert!(line.starts_with("421 4.3.2 "), "{line}");
    // IMAP has places of its own, and those of SMTP come back.
    let mut imap: Imap = server.imap("alice").await;
    assert!(imap.command("NOOP").await.unwrap().is_ok());
    drop((silent, late));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut client = Client::connect(server.address("mx")).await.unwrap();
        if client.line().await.unwrap().unwrap().starts_with("220 ") {
            break;
        }
        assert!(Instant::now() < deadline, "no place comes back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}
