//! Which hosts are asked, in which order, and for whom nobody is.

use super::rig::{AFTER_FIRST_WAIT, Rig};
use super::{HELLO, friendly};
use crate::{Login, RelaySecurity, RemoteRoute};
use tls::{Authority, Verification};

#[tokio::test]
async fn the_next_host_is_asked_when_the_first_does_not_answer_or_says_later() {
    for first in [
        None,
        Some("S 421 4.3.2 closed\n"),
        Some("S 554 5.3.2 not here\n"),
    ] {
        let mut rig = Rig::new().await;
        rig.names.mx(
            "remote.test",
            &[(20, "two.remote.test"), (10, "one.remote.test")],
        );
        rig.names.address("one.remote.test", "127.0.0.1");
        rig.names.address("two.remote.test", "127.0.0.2");
        let one = match first {
            Some(script) => Some(rig.server("127.0.0.1", &[script]).await),
            None => None,
        };
        let two = rig.server("127.0.0.2", &[&friendly("x@remote.test")]).await;
        rig.start();
        let id = rig.send(&["x@remote.test"]).await;
        rig.gone(id).await;
        rig.stop().await;
        if let Some(one) = one {
            assert_eq!(one.finish().connections, 1);
        }
        assert_eq!(two.finish().messages.len(), 1);
        assert!(rig.inbox(rig.alice).await.is_empty());
    }
}

#[tokio::test]
async fn only_what_one_host_put_off_is_asked_of_the_next() {
    let mut rig = Rig::new().await;
    rig.names.mx(
        "remote.test",
        &[(10, "one.remote.test"), (20, "two.remote.test")],
    );
    rig.names.address("one.remote.test", "127.0.0.1");
    rig.names.address("two.remote.test", "127.0.0.2");
    let script = format!(
        "{HELLO}C MAIL\nC RCPT TO:<a@\nC RCPT TO:<b@\nS 250 ok\nS 250 ok\nS 452 4.3.1 full\n\
         C DATA\nS 354 go\nD\nS 250 taken\n\
         C MAIL\nC RCPT TO:<b@\nS 250 ok\nS 452 4.3.1 full\n"
    );
    let one = rig.server("127.0.0.1", &[&script]).await;
    let two = rig.server("127.0.0.2", &[&friendly("b@remote.test")]).await;
    rig.start();
    let id = rig.send(&["a@remote.test", "b@remote.test"]).await;
    rig.gone(id).await;
    rig.stop().await;
    assert_eq!(one.finish().messages.len(), 1);
    assert_eq!(two.finish().messages.len(), 1);
}

#[tokio::test]
async fn a_domain_without_mx_is_its_own_host_and_all_its_addresses_are_tried() {
    let mut rig = Rig::new().await;
    rig.names.address("remote.test", "127.0.0.3");
    rig.names.address("remote.test", "127.0.0.1");
    let server = rig.server("127.0.0.1", &[&friendly("x@remote.test")]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
}

#[tokio::test]
async fn what_the_dns_says_for_good_is_reported_with_its_code() {
    let mut rig = Rig::new().await;
    rig.names.fail_mx("null.test", dns::Error::NullMx);
    rig.names
        .mx("loop.test", &[(10, "mail.us.test"), (20, "backup.us.test")]);
    rig.names.mx("nowhere.test", &[(10, "mx.nowhere.test")]);
    rig.start();
    let to = [
        "x@null.test",
        "x@loop.test",
        "x@nowhere.test",
        "x@gone.test",
    ];
    let id = rig.send(&to).await;
    rig.gone(id).await;
    rig.stop().await;
    let report = rig.only_mail().await;
    for (recipient, code) in [
        ("null", "5.1.10"),
        ("loop", "5.4.6"),
        ("nowhere", "5.4.4"),
        ("gone", "5.1.2"),
    ] {
        let status = format!("rfc822; x@{recipient}.test\r\nAction: failed\r\nStatus: {code}\r\n");
        assert!(report.contains(&status), "no {status:?} in\n{report}");
    }
}

#[tokio::test]
async fn a_server_with_our_own_name_is_a_loop() {
    let mut rig = Rig::new().await;
    rig.domain("remote.test", "127.0.0.1");
    let server = rig
        .server("127.0.0.1", &["S 220 Mail.US.test ESMTP\n"])
        .await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
    assert!(rig.only_mail().await.contains("Status: 5.4.6\r\n"));
}

#[tokio::test]
async fn a_resolver_in_trouble_is_asked_again_later() {
    let mut rig = Rig::new().await;
    rig.names
        .fail_mx("remote.test", dns::Error::Temporary(dns::Failure::Timeout));
    let server = rig.server("127.0.0.1", &[&friendly("x@remote.test")]).await;
    rig.start();
    let id = rig.send(&["x@remote.test"]).await;
    rig.deferred(id, 1).await;
    rig.domain("remote.test", "127.0.0.1");
    rig.advance(AFTER_FIRST_WAIT);
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
}

#[tokio::test]
async fn a_smart_host_gets_all_domains_in_one_transaction_after_a_login_under_tls() {
    let authority = Authority::generate().unwrap();
    let config = tls::outbound_config(Verification::Authority(authority.certificate())).unwrap();
    let port = std::cell::Cell::new(0);
    let mut rig = Rig::with(|options| {
        let RemoteRoute::Mx { port: free } = options.route else {
            panic!()
        };
        port.set(free);
        options.route = RemoteRoute::Relay {
            host: "127.0.0.1".into(),
            port: free,
            security: RelaySecurity::StartTls(config.clone()),
            login: Some(Login {
                name: "us".into(),
                password: "pw".to_owned().into(),
            }),
        };
    })
    .await;
    let script = "S 220 relay.test\nC EHLO\nS 250-relay.test\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\n\
         C EHLO\nS 250-relay.test\nS 250-PIPELINING\nS 250 AUTH PLAIN\nC AUTH PLAIN AHVzAHB3\nS 235 ok\n\
         C MAIL FROM:<alice@us.test>\nC RCPT TO:<a@one.test>\nC RCPT TO:<b@two.test>\n\
         S 250 ok\nS 250 ok\nS 250 ok\nC DATA\nS 354 go\nD\nS 250 taken\n";
    let identity = authority.issue(&["127.0.0.1"]).unwrap();
    let server = rig.server_with("127.0.0.1", &[script], &identity).await;
    rig.start();
    let id = rig.send(&["a@one.test", "b@two.test"]).await;
    rig.gone(id).await;
    rig.stop().await;
    server.finish();
}

#[tokio::test]
async fn a_login_is_never_shown_to_a_smart_host_without_protection() {
    let config = tls::outbound_config(Verification::Opportunistic).unwrap();
    for security in [
        RelaySecurity::Opportunistic,
        RelaySecurity::StartTls(config),
    ] {
        let mut rig = Rig::with(|options| {
            let RemoteRoute::Mx { port } = options.route else {
                panic!()
            };
            let login = Some(Login {
                name: "us".into(),
                password: "pw".to_owned().into(),
            });
            options.route = RemoteRoute::Relay {
                host: "[127.0.0.1]".into(),
                port,
                security,
                login,
            };
        })
        .await;
        let script = "S 220 relay.test\nC EHLO\nS 250-relay.test\nS 250 AUTH PLAIN\nX\n";
        let server = rig.server("127.0.0.1", &[script]).await;
        rig.start();
        let id = rig.send(&["a@one.test"]).await;
        rig.deferred(id, 1).await;
        rig.stop().await;
        assert!(
            !server
                .finish()
                .heard
                .iter()
                .any(|line| line.starts_with("AUTH"))
        );
    }
}
