//! Before and at sign-in: capabilities, STARTTLS, LOGIN, AUTHENTICATE, limits, shutdown.

use std::time::Duration;

use directory::AccountState;
use sasl::{ScramClient, Secret};

use super::{Client, Fixture, NAME, PASSWORD, base64, quick};
use crate::Limits;

#[tokio::test]
async fn nothing_but_tls_is_offered_in_clear() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect_clear().await;
    let greeting = client.line().await;
    assert_eq!(
        greeting,
        "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ENABLE ID SASL-IR STARTTLS LOGINDISABLED] \
         mail.example.org Muskox ready"
    );
    let plain = base64(&format!("\0alice@example.org\0{PASSWORD}"));
    for command in [
        format!("LOGIN alice@example.org \"{PASSWORD}\""),
        "AUTHENTICATE PLAIN".to_owned(),
        format!("AUTHENTICATE PLAIN {plain}"),
    ] {
        assert_eq!(
            client.answer(&command).await,
            "NO [PRIVACYREQUIRED] Start TLS first"
        );
    }
    assert_eq!(client.answer("SELECT INBOX").await, "BAD Sign in first");
    assert_eq!(client.answer("NOOP").await, "OK NOOP completed");
}

#[tokio::test]
async fn starttls_forgets_what_came_before() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect_clear().await;
    client.line().await;
    // CVE-2011-0411: the injected command must not be answered under TLS.
    client
        .send(b"a STARTTLS\r\nb ID (\"name\" \"evil\")\r\nc NOOP\r\n")
        .await;
    assert_eq!(client.line().await, "a OK Begin TLS now");
    let stream = client
        .stream
        .connect(fixture.trust.clone(), NAME)
        .await
        .unwrap();
    let mut client = Client::new(stream);
    let capabilities = client.ok("CAPABILITY").await;
    assert_eq!(
        capabilities,
        [
            "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ENABLE ID SASL-IR AUTH=SCRAM-SHA-256 \
          AUTH=PLAIN AUTH=LOGIN"
        ]
    );
    assert_eq!(client.answer("STARTTLS").await, "BAD TLS already");
    client
        .ok(&format!("LOGIN alice@example.org \"{PASSWORD}\""))
        .await;
    assert_eq!(client.answer("STARTTLS").await, "BAD Signed in already");
}

#[tokio::test]
async fn signing_in_by_every_way() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect().await;
    let answer = client
        .answer(&format!("LOGIN ALICE@example.org \"{PASSWORD}\""))
        .await;
    assert!(
        answer.starts_with("OK [CAPABILITY IMAP4rev1 IMAP4rev2 IDLE "),
        "{answer}"
    );
    assert_eq!(client.answer("LOGIN a b").await, "BAD Not in this state");

    // With literals.
    let mut client = fixture.connect().await;
    let tag = client.start("LOGIN {17}").await;
    assert_eq!(client.line().await, "+ OK");
    client
        .send(
            format!(
                "alice@example.org {{{}+}}\r\n{PASSWORD}\r\n",
                PASSWORD.len()
            )
            .as_bytes(),
        )
        .await;
    assert!(client.finish(&tag).await[0].starts_with("OK "));

    let plain = base64(&format!("\0alice@example.org\0{PASSWORD}"));
    let mut client = fixture.connect().await;
    client.ok(&format!("AUTHENTICATE plain {plain}")).await;
    let mut client = fixture.connect().await;
    let tag = client.start("AUTHENTICATE PLAIN").await;
    assert_eq!(client.line().await, "+ ");
    client.send(format!("{plain}\r\n").as_bytes()).await;
    assert!(client.finish(&tag).await[0].starts_with("OK "));

    let mut client = fixture.connect().await;
    let tag = client.start("AUTHENTICATE LOGIN").await;
    assert_eq!(client.line().await, format!("+ {}", base64("Username:")));
    client
        .send(format!("{}\r\n", base64("alice@example.org")).as_bytes())
        .await;
    assert_eq!(client.line().await, format!("+ {}", base64("Password:")));
    client
        .send(format!("{}\r\n", base64(PASSWORD)).as_bytes())
        .await;
    assert!(client.finish(&tag).await[0].starts_with("OK "));
}

#[tokio::test]
async fn scram_proves_both_sides() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect().await;
    let unbase64 = |line: &str| {
        let text = line.strip_prefix("+ ").unwrap();
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
    };
    let mut scram = ScramClient::new(
        "alice@example.org",
        Secret::new(PASSWORD),
        "clientnonce".to_owned(),
    );
    let first = String::from_utf8(scram.client_first()).unwrap();
    let tag = client
        .start(&format!("AUTHENTICATE SCRAM-SHA-256 {}", base64(&first)))
        .await;
    let challenge = unbase64(&client.line().await);
    let last = String::from_utf8(scram.client_final(&challenge).unwrap()).unwrap();
    client
        .send(format!("{}\r\n", base64(&last)).as_bytes())
        .await;
    scram.finish(&unbase64(&client.line().await)).unwrap();
    client.send(b"\r\n").await;
    assert!(client.finish(&tag).await[0].starts_with("OK "));
}

#[tokio::test]
async fn broken_authentications() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect().await;
    let tag = client.start("AUTHENTICATE PLAIN").await;
    client.line().await;
    client.send(b"*\r\n").await;
    assert_eq!(client.finish(&tag).await, ["BAD Authentication cancelled"]);
    assert_eq!(
        client.answer("AUTHENTICATE PLAIN !").await,
        "BAD expected base64 or \"=\""
    );
    assert_eq!(
        client.answer("AUTHENTICATE PLAIN abc").await,
        "BAD Cannot decode response"
    );
    assert_eq!(
        client.answer("AUTHENTICATE CRAM-MD5").await,
        "NO [CANNOT] Mechanism is not supported"
    );
    let tag = client.start("AUTHENTICATE PLAIN").await;
    client.line().await;
    client.send(&[b'A'; 20_000]).await;
    assert!(client.line().await.starts_with("* BYE"), "{tag}");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn failures_look_alike_and_end_the_session() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect().await;
    let wrong = base64("\0alice@example.org\0wrong");
    for command in [
        "LOGIN alice@example.org wrong".to_owned(),
        "LOGIN nobody@example.org wrong".to_owned(),
        "LOGIN \"\" \"\"".to_owned(),
        format!("AUTHENTICATE PLAIN {wrong}"),
        "LOGIN alice@example.org wrong".to_owned(),
    ] {
        let answer = client.answer(&command).await;
        assert_eq!(answer, "NO [AUTHENTICATIONFAILED] Authentication failed");
    }
    assert_eq!(client.line().await, "* BYE Too many failed sign-ins");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn each_failure_waits_longer() {
    let limits = Limits {
        auth_delay: Duration::from_millis(100),
        ..quick()
    };
    let fixture = Fixture::with(limits).await;
    let mut client = fixture.connect().await;
    let started = std::time::Instant::now();
    for _ in 0..3 {
        client.answer("LOGIN alice@example.org wrong").await;
    }
    assert!(started.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn a_disabled_account_is_told_so() {
    let fixture = Fixture::new().await;
    fixture
        .directory
        .set_active(fixture.alice, AccountState::Disabled)
        .await
        .unwrap();
    let mut client = fixture.connect().await;
    let answer = client
        .answer(&format!("LOGIN alice@example.org \"{PASSWORD}\""))
        .await;
    assert_eq!(answer, "NO [AUTHORIZATIONFAILED] Account is disabled");
}

#[tokio::test]
async fn sessions_of_one_user_are_limited() {
    let fixture = Fixture::with(Limits {
        sessions_per_user: 2,
        ..quick()
    })
    .await;
    let first = fixture.alice().await;
    let mut second = fixture.alice().await;
    let mut third = fixture.connect().await;
    let login = format!("LOGIN alice@example.org \"{PASSWORD}\"");
    let answer = third.answer(&login).await;
    assert_eq!(answer, "NO [LIMIT] Too many sessions from your address");
    let _other = fixture.user("bob@example.org").await;
    second.ok("LOGOUT").await;
    assert!(second.is_closed().await);
    third.ok(&login).await;
    drop(first);
}

#[tokio::test]
async fn the_oldest_visitor_makes_room() {
    let fixture = Fixture::with(Limits {
        unauthenticated_sessions: 2,
        ..quick()
    })
    .await;
    let mut first = fixture.connect().await;
    let mut second = fixture.connect().await;
    second
        .ok(&format!("LOGIN alice@example.org \"{PASSWORD}\""))
        .await;
    let _third = fixture.connect().await;
    first.ok("NOOP").await;
    let _fourth = fixture.connect().await;
    assert_eq!(first.line().await, "* BYE [LIMIT] Too many connections");
    second.ok("NOOP").await;
}

#[tokio::test]
async fn silence_before_sign_in_ends_soon_and_chatter_too() {
    let limits = Limits {
        login_idle_timeout: Duration::from_millis(100),
        unauthenticated_commands: 3,
        ..quick()
    };
    let fixture = Fixture::with(limits).await;
    let mut client = fixture.connect().await;
    // A slow line is no activity.
    client.send(b"a NO").await;
    assert_eq!(client.line().await, "* BYE Timeout");
    assert!(client.is_closed().await);
    let mut client = fixture.connect().await;
    client
        .send(b"a NOOP\r\nb NOOP\r\nc NOOP\r\nd NOOP\r\n")
        .await;
    for tag in ["a", "b", "c"] {
        assert_eq!(client.line().await, format!("{tag} OK NOOP completed"));
    }
    assert_eq!(client.line().await, "* BYE Too many errors");
}

#[tokio::test]
async fn every_session_hears_of_the_shutdown() {
    let fixture = Fixture::new().await;
    let mut visitor = fixture.connect().await;
    let mut user = fixture.alice().await;
    let mut idle = fixture.inbox(&[]).await;
    idle.start("IDLE").await;
    assert_eq!(idle.line().await, "+ OK");
    fixture.shutdown.cancel();
    for client in [&mut visitor, &mut user, &mut idle] {
        assert_eq!(
            client.line().await,
            "* BYE [UNAVAILABLE] Server is going down"
        );
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn logout_says_goodbye() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    assert_eq!(
        client.run("LOGOUT").await,
        ["* BYE Logging out", "OK LOGOUT completed"]
    );
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn id_enable_and_namespace() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect().await;
    assert_eq!(client.ok("ID NIL").await, ["* ID (\"name\" \"Muskox\")"]);
    assert_eq!(client.answer("ENABLE IMAP4rev2").await, "BAD Sign in first");
    let mut client = fixture.alice().await;
    assert_eq!(
        client.ok("NAMESPACE").await,
        ["* NAMESPACE ((\"\" \"/\")) NIL NIL"]
    );
    assert_eq!(
        client.ok("ENABLE X-UNKNOWN CONDSTORE").await,
        ["* ENABLED CONDSTORE"]
    );
    assert_eq!(
        client.ok("ENABLE IMAP4rev2 CONDSTORE").await,
        ["* ENABLED IMAP4rev2"]
    );
    client.ok("SELECT INBOX").await;
    assert_eq!(
        client.answer("ENABLE CONDSTORE").await,
        "BAD Not in this state"
    );
}
