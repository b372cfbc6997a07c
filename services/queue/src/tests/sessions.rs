//! The conversation itself: TLS, extensions, reuse, concurrency, what goes over the wire.

use super::rig::{Rig, address};
use super::server::Server;
use super::{HELLO, friendly, transaction};
use smtp::ReversePath;

const TLS_HELLO: &str =
    "S 220 mx.remote.test\nC EHLO\nS 250-mx.remote.test\nS 250 STARTTLS\nC STARTTLS\n";

/// Sends one message to `x@remote.test`, whose server plays `scripts`, and returns what happened.
async fn deliver(scripts: &[&str]) -> (Rig, Server) {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", scripts).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.gone(id).await;
    rig.stop().await;
    (rig, server)
}

#[tokio::test]
async fn starttls_is_used_where_it_is_offered_and_everything_starts_anew() {
    // The extensions of before the handshake are forgotten: no SIZE after it.
    let script = "S 220 mx.remote.test\nC EHLO mail.us.test\nS 250-mx.remote.test\nS 250-SIZE 10\n\
         S 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 go\nT\nC EHLO mail.us.test\nS 250 mx.remote.test\n\
         C MAIL FROM:<alice@us.test>\nS 250 ok\nC RCPT TO:<x@remote.test>\nS 250 ok\nC DATA\n\
         S 354 go\nD\nS 250 taken\n";
    let (rig, server) = deliver(&[script]).await;
    assert_eq!(server.finish().messages.len(), 1);
    let metrics = rig.queue.metrics();
    assert_eq!(
        (metrics.connections_total, metrics.connections_clear_total),
        (1, 0)
    );
}

#[tokio::test]
async fn a_failed_handshake_is_followed_by_a_connection_in_clear() {
    let broken =
        format!("{TLS_HELLO}S 220 go\nS this is not TLS at all, whatever you expected\nX\n");
    let (rig, server) = deliver(&[&broken, &friendly("x@remote.test")]).await;
    assert_eq!(server.finish().messages.len(), 1);
    assert_eq!(rig.queue.metrics().connections_clear_total, 1);
}

#[tokio::test]
async fn a_refused_starttls_goes_on_in_clear_on_the_same_connection() {
    let script = format!(
        "{TLS_HELLO}S 454 4.7.0 not now\n{}",
        transaction("x@remote.test")
    );
    // Neither PIPELINING nor SIZE were offered.
    let script = script.replace(
        " SIZE=\nC RCPT TO:<x@remote.test>\nS 250 2.1.0 ok\n",
        "\nS 250 ok\nC RCPT\n",
    );
    let (_, server) = deliver(&[&script]).await;
    assert_eq!(server.finish().connections, 1);
}

#[tokio::test]
async fn replies_injected_behind_starttls_are_not_believed() {
    // The attacker answers EHLO, MAIL, RCPT and DATA in clear, in the segment of the 220.
    let injected = format!(
        "{TLS_HELLO}S 220 go\nS 250-mx.remote.test\nS 250 PIPELINING\nS 250 ok\nS 250 ok\nS 354 go\n\
         S 250 taken\nT\nC EHLO\nS 250 mx.remote.test\nC MAIL\nS 250 ok\nC RCPT\nS 550 5.1.1 no\n"
    );
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&injected]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
    assert!(rig.only_mail().await.contains("550 5.1.1 no"));
}

#[tokio::test]
async fn helo_is_enough() {
    let script = "S 220 mx.remote.test\nC EHLO\nS 500 what\nC HELO mail.us.test\nS 250 mx.remote.test\n\
         C MAIL FROM:<alice@us.test>\nS 250 ok\nC RCPT TO:<x@remote.test>\nS 250 ok\nC DATA\n\
         S 354 go\nD\nS 250 taken\n";
    let (_, server) = deliver(&[script]).await;
    let mail = server
        .finish()
        .heard
        .into_iter()
        .find(|line| line.starts_with("MAIL"));
    assert_eq!(mail.as_deref(), Some("MAIL FROM:<alice@us.test>"));
}

#[tokio::test]
async fn the_wire_has_crlf_only_and_dots_are_stuffed() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&friendly("x@remote.test")]).await;
    rig.start();
    let message = "Subject: x\n\n.\n.\r\r\n..\r.\r\nend";
    let submission = rig
        .submission("alice@us.test", &["x@remote.test"], message)
        .await;
    rig.try_accept(submission).await.unwrap();
    rig.until("it is sent", async || server.log().messages.len() == 1)
        .await;
    rig.stop().await;
    let message = server.finish().messages.remove(0);
    for (at, &octet) in message.iter().enumerate() {
        match octet {
            b'\n' => assert_eq!(message[at - 1], b'\r', "bare LF"),
            b'\r' => assert_eq!(message[at + 1], b'\n', "bare CR"),
            _ => {}
        }
    }
    let text = String::from_utf8(message).unwrap();
    assert_eq!(text.matches("\r\n.\r\n").count(), 1, "{text:?}");
    assert!(text.starts_with("Received: by mail.us.test"), "{text:?}");
}

#[tokio::test]
async fn what_the_server_cannot_take_is_not_sent() {
    let cases = [
        ("SIZE 20", "alice@us.test", "x@remote.test", "5.3.4"),
        ("PIPELINING", "alice@us.test", "jürgen@remote.test", "5.6.7"),
    ];
    for (extension, from, to, code) in cases {
        let mut rig = Rig::new().await;
        rig.domain("remote.test", "127.0.0.1");
        let script =
            format!("S 220 mx.remote.test\nC EHLO\nS 250-mx.remote.test\nS 250 {extension}\n");
        let server = rig.server("127.0.0.1", &[&script]).await;
        rig.start();
        let id = rig.send_from(from, &[to]).await;
        rig.gone(id).await;
        rig.stop().await;
        assert!(
            server
                .finish()
                .heard
                .iter()
                .all(|line| !line.starts_with("MAIL"))
        );
        assert!(
            rig.only_mail()
                .await
                .contains(&format!("Status: {code}\r\n")),
            "{extension}"
        );
    }
}

#[tokio::test]
async fn the_parameters_of_mail_say_what_the_message_needs() {
    let script = "S 220 mx.remote.test\nC EHLO\nS 250-mx.remote.test\nS 250-SMTPUTF8\nS 250-8BITMIME\n\
         S 250 SIZE\nC MAIL\nS 250 ok\nC RCPT TO:<jürgen@remote.test>\nS 250 ok\nC DATA\nS 354 go\nD\n\
         S 250 taken\n";
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[script]).await;
    rig.start();
    let mut submission = rig
        .submission("a@us.test", &["jürgen@remote.test"], "\r\ngrün\r\n")
        .await;
    submission.from = ReversePath::Address(address("jörg@us.test"));
    let size = submission.message.len();
    let id = rig.try_accept(submission).await.unwrap().queue_id.unwrap();
    let octets = rig.entry(id).await.map(|entry| entry.size);
    rig.gone(id).await;
    rig.stop().await;
    let mail = server
        .finish()
        .heard
        .into_iter()
        .find(|line| line.starts_with("MAIL"))
        .unwrap();
    assert!(mail.starts_with("MAIL FROM:<jörg@us.test> SIZE="), "{mail}");
    assert!(mail.ends_with(" BODY=8BITMIME SMTPUTF8"), "{mail}");
    assert!(octets.is_none_or(|octets| octets > u64::try_from(size).unwrap()));
}

#[tokio::test]
async fn two_messages_share_a_connection() {
    let mut rig = Rig::with(|options| {
        options.limits.per_destination = 1;
        options.timeouts.idle = std::time::Duration::from_secs(2);
    })
    .await;
    rig.domain("remote.test", "127.0.0.1");
    let script = format!(
        "{HELLO}{}C RSET\nS 250 ok\n{}",
        transaction("x@remote.test"),
        transaction("y@remote.test")
    );
    let server = rig.server("127.0.0.1", &[&script]).await;
    rig.start();
    let first = rig.send(&["x@remote.test"]).await;
    rig.gone(first).await;
    let second = rig.send(&["y@remote.test"]).await;
    rig.gone(second).await;
    rig.stop().await;
    let log = server.finish();
    assert_eq!((log.connections, log.messages.len()), (1, 2));
    assert_eq!(log.heard.last().map(String::as_str), Some("QUIT"));
    assert_eq!(rig.queue.metrics().connections_reused_total, 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time_and_a_dead_one_replaced() {
    let mut rig = Rig::with(|options| {
        options.timeouts.idle = std::time::Duration::from_millis(30);
    })
    .await;
    rig.domain("remote.test", "127.0.0.1");
    let dies = format!("{}X\n", friendly("y@remote.test"));
    let scripts = [friendly("x@remote.test"), dies, friendly("z@remote.test")];
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    let server = rig.server("127.0.0.1", &scripts).await;
    rig.start();
    let first = rig.send(&["x@remote.test"]).await;
    rig.gone(first).await;
    rig.until("the idle session ends", async || server.log().open == 0)
        .await;
    assert_eq!(server.log().heard.last().map(String::as_str), Some("QUIT"));
    for to in ["y@remote.test", "z@remote.test"] {
        let id = rig.send(&[to]).await;
        rig.gone(id).await;
    }
    rig.stop().await;
    assert_eq!(server.finish().connections, 3);
}

#[tokio::test]
async fn a_destination_gets_so_many_connections_and_no_more() {
    let mut rig = Rig::with(|options| options.limits.per_destination = 2).await;
    rig.domain("remote.test", "127.0.0.1");
    rig.domain("other.test", "127.0.0.2");
    let slow =
        format!("{HELLO}C MAIL\nC RCPT\nS 250 ok\nS 250 ok\nC DATA\nS 354 go\nD\nW\nS 250 ok\n");
    let server = rig.steady_server("127.0.0.1", &slow).await;
    let other = rig.server("127.0.0.2", &[&friendly("x@other.test")]).await;
    rig.start();
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(rig.send(&[&format!("x{n}@remote.test")]).await);
    }
    rig.until("two are connected", async || {
        server.log().messages.len() == 2
    })
    .await;
    // Others are not held up by the slow one.
    let quick = rig.send(&["x@other.test"]).await;
    rig.gone(quick).await;
    assert_eq!(server.log().messages.len(), 2);
    server.go_on(6);
    for id in ids {
        rig.gone(id).await;
    }
    assert_eq!(server.log().messages.len(), 6);
    // A closed connection may overlap with its successor for a moment on the server's side.
    assert!(server.log().most_open <= 4, "{}", server.log().most_open);
    rig.stop().await;
    other.finish();
}

#[tokio::test]
async fn new_mail_does_not_wait_behind_a_backlog_for_silent_destinations() {
    let mut rig = Rig::with(|options| {
        options.limits.deliveries = 16;
        options.timeouts.greeting = std::time::Duration::from_millis(500);
    })
    .await;
    let silent = rig.steady_server("127.0.0.9", "W\n").await;
    let mut backlog = Vec::new();
    for n in 0..300 {
        let domain = format!("d{}.silent.test", n % 100);
        if n < 100 {
            rig.domain(&domain, "127.0.0.9");
        }
        backlog.push(rig.send(&[&format!("x{n}@{domain}")]).await);
    }
    rig.domain("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&friendly("x@remote.test")]).await;
    rig.start();
    rig.advance(1);
    rig.until("the slots are taken", async || silent.log().open >= 16)
        .await;
    let live = rig.send(&["x@remote.test"]).await;
    rig.gone(live).await;
    server.finish();
    let tried = silent.log().connections;
    assert!(tried <= 40, "the new message waited for {tried} others");
    // A hundred destinations are down: it takes no more than as many connections to know.
    for id in backlog {
        rig.deferred(id, 1).await;
    }
    rig.stop().await;
    assert!(
        silent.log().connections <= 120,
        "{}",
        silent.log().connections
    );
}

#[tokio::test]
async fn a_reply_nobody_asked_for_ends_the_session_before_it_is_misread() {
    let mut rig = Rig::with(|options| {
        options.timeouts.idle = std::time::Duration::from_secs(2);
    })
    .await;
    rig.domain("remote.test", "127.0.0.1");
    let chatty = format!(
        "{}C RSET\nS 250 ok\nS 250 and more\n",
        friendly("x@remote.test")
    );
    let server = rig
        .server("127.0.0.1", &[&chatty, &friendly("y@remote.test")])
        .await;
    rig.start();
    let first = rig.send(&["x@remote.test"]).await;
    rig.gone(first).await;
    let second = rig.send(&["y@remote.test"]).await;
    rig.gone(second).await;
    rig.stop().await;
    assert_eq!(server.finish().connections, 2);
    assert!(rig.inbox(rig.alice).await.is_empty());
}

#[tokio::test]
async fn more_recipients_than_a_transaction_takes_go_in_several() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let to: Vec<String> = (0..150).map(|n| format!("r{n:03}@remote.test")).collect();
    let script = {
        let mut script = HELLO.to_owned();
        for (mail, recipients) in [(true, 0..100), (true, 100..150)] {
            let mut said = String::new();
            // MAIL and RCPT come in batches; every reply is read before the next batch.
            for (position, batch) in recipients.collect::<Vec<_>>().chunks(50).enumerate() {
                let first = mail && position == 0;
                if first {
                    said.push_str("C MAIL\n");
                }
                for n in batch {
                    said.push_str(&format!("C RCPT TO:<r{n:03}@\n"));
                }
                said.push_str(&"S 250 ok\n".repeat(batch.len() + usize::from(first)));
            }
            script.push_str(&said);
            script.push_str("C DATA\nS 354 go\nD\nS 250 taken\n");
        }
        script
    };
    let server = rig.server("127.0.0.1", &[&script]).await;
    rig.start();
    let id = rig
        .send(&to.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    rig.gone(id).await;
    rig.stop().await;
    assert_eq!(server.finish().messages.len(), 2);
}
