//! What fails, when it is tried again, and what the sender hears of it.

use super::rig::{AFTER_FIRST_WAIT, Rig};
use super::{HELLO, friendly};

/// A refusal at every phase: the conversation up to it, with `{}` for the code.
fn phases(code: u16) -> Vec<(&'static str, String)> {
    let rcpt = "C MAIL\nC RCPT\n";
    let class = code / 100;
    let mut phases = vec![
        ("greeting", format!("S {code} {class}.3.2 not now\n")),
        (
            "mail",
            format!("{HELLO}{rcpt}S {code} {class}.1.8 no\nS 503 5.5.1 no\n"),
        ),
        (
            "rcpt",
            format!("{HELLO}{rcpt}S 250 ok\nS {code} {class}.2.2 no\n"),
        ),
        (
            "data",
            format!("{HELLO}{rcpt}S 250 ok\nS 250 ok\nC DATA\nS {code} {class}.3.0 no\n"),
        ),
        (
            "dot",
            format!(
                "{HELLO}{rcpt}S 250 ok\nS 250 ok\nC DATA\nS 354 go\nD\nS {code} {class}.6.0 no\n"
            ),
        ),
    ];
    if code < 500 {
        phases.push((
            "ehlo",
            format!("S 220 mx.remote.test\nC EHLO\nS {code} busy\n"),
        ));
    } else {
        phases.push((
            "ehlo",
            format!("S 220 mx.remote.test\nC EHLO\nS 502 no\nC HELO\nS {code} no\n"),
        ));
    }
    phases
}

#[tokio::test]
async fn a_temporary_refusal_at_any_phase_is_tried_again_when_its_time_has_come() {
    for (phase, script) in phases(451) {
        let mut rig = Rig::new().await;
        rig.domain("remote.test", "127.0.0.1");
        let server = rig
            .server("127.0.0.1", &[&script, &friendly("x@remote.test")])
            .await;
        rig.start();
        let id = rig.send(&["x@remote.test"]).await;
        let entry = rig.deferred(id, 1).await;
        assert!(
            entry.recipients[0].status.contains("451"),
            "{phase}: {entry:?}"
        );
        rig.advance(299);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert_eq!(server.log().connections, 1, "{phase}");
        rig.advance(AFTER_FIRST_WAIT - 299);
        rig.gone(id).await;
        rig.stop().await;
        let messages = server.finish().messages.len();
        assert_eq!(messages, if phase == "dot" { 2 } else { 1 }, "{phase}");
        assert!(rig.inbox(rig.alice).await.is_empty(), "{phase}");
    }
}

#[tokio::test]
async fn a_permanent_refusal_at_any_phase_is_reported_to_the_sender_once() {
    for (phase, script) in phases(550) {
        let mut rig = Rig::new().await;
        rig.domain("remote.test", "127.0.0.1");
        let server = rig.server("127.0.0.1", &[&script]).await;
        rig.start();
        let id = rig.send(&["x@remote.test"]).await;
        rig.gone(id).await;
        rig.stop().await;
        server.finish();
        let report = rig.only_mail().await;
        for part in [
            "Return-Path: <>\r\n",
            "To: <alice@us.test>\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "multipart/report; report-type=delivery-status",
            "Final-Recipient: rfc822; x@remote.test\r\n",
            "Action: failed\r\n",
            "Remote-MTA: dns; mx.remote.test\r\n",
            "Diagnostic-Code: smtp; 550 ",
            "Subject: hello\r\n",
        ] {
            assert!(report.contains(part), "{phase}: no {part:?} in\n{report}");
        }
        assert!(!report.contains("Hello."), "{phase}: the body went back");
        assert_eq!(rig.queue.count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_lets_the_destination_rest() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    rig.start();
    let first = rig.send(&["x@remote.test"]).await;
    let entry = rig.deferred(first, 1).await;
    assert!(
        entry.recipients[0]
            .status
            .contains("connecting to 127.0.0.1"),
        "{entry:?}"
    );
    // The destination is known to be down: the next message asks for no connection.
    let server = rig
        .server(
            "127.0.0.1",
            &[&friendly("x@remote.test"), &friendly("y@remote.test")],
        )
        .await;
    let second = rig.send(&["y@remote.test"]).await;
    rig.deferred(second, 1).await;
    assert_eq!(server.log().connections, 0);
    // An administrator may know better.
    rig.queue.retry(first).await.unwrap();
    rig.gone(first).await;
    rig.queue.retry(second).await.unwrap();
    rig.gone(second).await;
    rig.stop().await;
    assert_eq!(server.finish().connections, 2);
}

#[tokio::test]
async fn recipients_fail_each_for_themselves_and_share_one_report() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let script = format!(
        "{HELLO}C MAIL\nC RCPT TO:<a@\nC RCPT TO:<b@\nC RCPT TO:<c@\nC RCPT TO:<d@\n\
         S 250 ok\nS 550 5.1.1 no a\nS 250 ok\nS 450 4.2.1 busy c\nS 553 5.1.3 no d\n\
         C DATA\nS 354 go\nD\nS 250 taken\n"
    );
    let server = rig
        .server("127.0.0.1", &[&script, &friendly("c@remote.test")])
        .await;
    rig.start();
    let to = [
        "a@remote.test",
        "b@remote.test",
        "c@remote.test",
        "d@remote.test",
    ];
    let id = rig.send(&to).await;
    let entry = rig.deferred_last(id).await;
    assert_eq!(entry.recipients[0].address, "c@remote.test");
    let report = rig.only_mail().await;
    for part in [
        "rfc822; a@remote.test",
        "Status: 5.1.1",
        "rfc822; d@remote.test",
        "Status: 5.1.3",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
    assert!(!report.contains("b@remote.test") && !report.contains("c@remote.test"));
    rig.advance(AFTER_FIRST_WAIT);
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
    rig.only_mail().await;
}

#[tokio::test]
async fn a_late_message_is_announced_once_and_returned_in_the_end_once() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .steady_server("127.0.0.1", "S 421 4.3.2 closed\nX\n")
        .await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    let mut attempts = 1;
    rig.deferred(id, attempts).await;
    for _ in 0..7 {
        rig.advance(4 * 3_600 + 1_800);
        attempts += 1;
        rig.deferred(id, attempts).await;
    }
    let notice = rig.only_mail().await;
    assert!(notice.contains("Action: delayed\r\n"), "{notice}");
    assert!(
        notice.contains("Will-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000\r\n"),
        "{notice}"
    );
    rig.advance(5 * 86_400);
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
    let inbox = rig.inbox(rig.alice).await;
    assert_eq!(inbox.len(), 2);
    assert!(
        inbox[1].contains("Action: failed\r\nStatus: 5.4.7\r\n"),
        "{}",
        inbox[1]
    );
}

#[tokio::test]
async fn reports_are_neither_reported_nor_sent_to_forged_senders() {
    let mut rig = Rig::new().await;
    let dead = dns::Error::NoRecords(dns::Absence::NoSuchName);
    rig.names.fail_mx("gone.test", dead);
    rig.start();
    for id in [
        rig.send_from("", &["x@gone.test"]).await,
        rig.send_unverified("victim@us.test", &["x@gone.test"])
            .await,
        rig.send_unverified("victim@remote.test", &["x@gone.test"])
            .await,
        rig.send_from("nobody@us.test", &["x@gone.test"]).await,
    ] {
        rig.gone(id).await;
    }
    rig.stop().await;
    assert!(rig.inbox(rig.alice).await.is_empty());
    assert_eq!(rig.queue.count().await.unwrap(), 0);
    assert_eq!(rig.queue.metrics().reports_total, 0);
}

#[tokio::test]
async fn a_report_for_a_sender_elsewhere_travels_with_the_null_reverse_path() {
    let mut rig = Rig::new().await;
    rig.domain("sender.test", "127.0.0.1");
    let script = format!(
        "{HELLO}C MAIL FROM:<> SIZE=\nC RCPT TO:<bob@sender.test>\nS 250 ok\nS 250 ok\n\
         C DATA\nS 354 go\nD\nS 250 taken\n"
    );
    let server = rig.server("127.0.0.1", &[&script]).await;
    rig.start();
    rig.send_from("bob@sender.test", &["x@gone.test"]).await;
    rig.until("the report arrives", async || {
        server.log().messages.len() == 1
    })
    .await;
    rig.until("the queue is empty", async || {
        rig.queue.count().await.unwrap() == 0
    })
    .await;
    rig.stop().await;
    let report = String::from_utf8(server.finish().messages.remove(0)).unwrap();
    assert!(report.contains("Status: 5.1.2\r\n"), "{report}");
}

#[tokio::test]
async fn silence_and_nonsense_are_temporary() {
    for script in [
        "S 220 mx.remote.test\nC EHLO\nW\n",
        "S 220 mx.remote.test\nC EHLO\nX\n",
        "S SSH-2.0-OpenSSH\n",
        "S 220 mx.remote.test\nC EHLO\nS 250-a\nS 550 b\n",
    ] {
        let mut rig = Rig::with(|options| {
            options.timeouts.hello = std::time::Duration::from_millis(100);
        })
        .await;
        rig.domain("remote.test", "127.0.0.1");
        let _server = rig.server("127.0.0.1", &[script]).await;
        rig.start();
        let id = rig.send(&["x@remote.test"]).await;
        rig.deferred(id, 1).await;
        rig.stop().await;
    }
}

#[tokio::test]
async fn an_answer_lost_after_the_final_dot_is_not_asked_of_the_next_host() {
    let mut rig = Rig::new().await;
    rig.names.mx(
        "remote.test",
        &[(10, "one.remote.test"), (20, "two.remote.test")],
    );
    rig.names.address("one.remote.test", "127.0.0.1");
    rig.names.address("two.remote.test", "127.0.0.2");
    let lost = format!("{HELLO}C MAIL\nC RCPT\nS 250 ok\nS 250 ok\nC DATA\nS 354 go\nD\nX\n");
    let one = rig.server("127.0.0.1", &[&lost]).await;
    let two = rig.server("127.0.0.2", &[]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.deferred(id, 1).await;
    rig.stop().await;
    assert_eq!(one.finish().messages.len(), 1);
    assert_eq!(two.finish().connections, 0);
}
