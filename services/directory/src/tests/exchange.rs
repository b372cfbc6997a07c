//! Whole SASL exchanges.

use ambient::SystemRandom;
use sasl::{Mechanism, Plain, ScramClient, Secret};

use super::{Fixture, PASSWORD};
use crate::{AccountState, AuthError, Exchange, NewPassword, Protocol, Step};

fn start(fixture: &Fixture, mechanism: Mechanism) -> Exchange {
    Exchange::start(
        &fixture.directory,
        mechanism,
        Protocol::Imap,
        &SystemRandom::new(),
    )
}

/// The name that signed in, or the refusal.
fn outcome(step: Step) -> Result<String, AuthError> {
    match step {
        Step::Done(identity) => Ok(identity.login.to_string()),
        Step::Refused(error) => Err(error),
        Step::Challenge(challenge) => panic!("unexpected challenge {challenge:?}"),
    }
}

fn challenge(step: Step) -> Vec<u8> {
    match step {
        Step::Challenge(challenge) => challenge,
        other => panic!("no challenge but {other:?}"),
    }
}

async fn plain(fixture: &Fixture, authzid: Option<&str>, login: &str, password: &str) -> Step {
    let message = Plain {
        authzid: authzid.map(str::to_owned),
        authcid: login.to_owned(),
        password: Secret::new(password),
    };
    let mut exchange = start(fixture, Mechanism::Plain);
    assert_eq!(challenge(exchange.respond(None).await), b"");
    exchange.respond(Some(&message.encode())).await
}

async fn scram(fixture: &Fixture, login: &str, password: &str) -> Step {
    let mut client = ScramClient::new(login, Secret::new(password), "client-nonce".to_owned());
    let mut exchange = start(fixture, Mechanism::ScramSha256);
    let first = client.client_first();
    let server_first = challenge(exchange.respond(Some(&first)).await);
    let proof = client.client_final(&server_first).unwrap();
    match exchange.respond(Some(&proof)).await {
        Step::Challenge(last) => {
            client.finish(&last).unwrap();
            exchange.respond(Some(b"")).await
        }
        refused => refused,
    }
}

#[tokio::test]
async fn every_mechanism_signs_in_with_the_right_password_only() {
    let fixture = Fixture::with_domain().await;
    fixture.account("ann@example.org").await;
    let ann = Ok("ann@example.org".to_owned());
    for (login, password, expected) in [
        ("ann@example.org", PASSWORD, ann.clone()),
        ("Ann@Example.org", PASSWORD, ann.clone()),
        ("ann@example.org", "correct horsf", Err(AuthError::Invalid)),
        ("bob@example.org", PASSWORD, Err(AuthError::Invalid)),
        ("ann", PASSWORD, Err(AuthError::Invalid)),
    ] {
        assert_eq!(
            outcome(plain(&fixture, None, login, password).await),
            expected,
            "{login}"
        );
        assert_eq!(
            outcome(scram(&fixture, login, password).await),
            expected,
            "{login}"
        );
        let mut exchange = start(&fixture, Mechanism::Login);
        assert_eq!(challenge(exchange.respond(None).await), b"Username:");
        assert_eq!(
            challenge(exchange.respond(Some(login.as_bytes())).await),
            b"Password:"
        );
        let step = exchange.respond(Some(password.as_bytes())).await;
        assert_eq!(outcome(step), expected, "{login}");
    }
    assert_eq!(
        outcome(
            plain(
                &fixture,
                Some("ann@example.org"),
                "ann@example.org",
                PASSWORD
            )
            .await
        ),
        ann
    );
    let other = plain(
        &fixture,
        Some("bob@example.org"),
        "ann@example.org",
        PASSWORD,
    )
    .await;
    assert_eq!(outcome(other), Err(AuthError::Invalid));
}

#[tokio::test]
async fn an_account_that_may_not_sign_in_is_refused_by_every_mechanism() {
    let fixture = Fixture::with_domain().await;
    let ann = fixture.account("ann@example.org").await;
    fixture.state(ann, AccountState::ReceiveOnly).await;
    let right = plain(&fixture, None, "ann@example.org", PASSWORD).await;
    assert_eq!(outcome(right), Err(AuthError::Disabled));
    let right = scram(&fixture, "ann@example.org", PASSWORD).await;
    assert_eq!(outcome(right), Err(AuthError::Disabled));
    let wrong = scram(&fixture, "ann@example.org", "wrong password").await;
    assert_eq!(outcome(wrong), Err(AuthError::Invalid));
}

#[tokio::test]
async fn an_imported_hash_allows_scram_after_the_first_sign_in() {
    let fixture = Fixture::with_domain().await;
    let imported = NewPassword::Hashed("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=".to_owned());
    fixture.account_with("ann@example.org", imported).await;
    let before = scram(&fixture, "ann@example.org", PASSWORD).await;
    assert_eq!(outcome(before), Err(AuthError::Invalid));
    assert!(outcome(plain(&fixture, None, "ann@example.org", PASSWORD).await).is_ok());
    assert!(outcome(scram(&fixture, "ann@example.org", PASSWORD).await).is_ok());
}

#[tokio::test]
async fn broken_messages_end_the_exchange() {
    let fixture = Fixture::with_domain().await;
    fixture.account("ann@example.org").await;
    for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256] {
        for message in [&b""[..], b"\xff\xff", b"\0", b"p=tls-unique,,n=ann,r=x"] {
            let mut exchange = start(&fixture, mechanism);
            if let Step::Challenge(_) = exchange.respond(Some(message)).await {
                exchange.respond(Some(b"")).await;
            }
            let after = exchange.respond(Some(message)).await;
            assert_eq!(
                outcome(after),
                Err(AuthError::Invalid),
                "{mechanism:?} {message:?}"
            );
        }
    }
    let mut exchange = start(&fixture, Mechanism::ScramSha256);
    let other = b"n,a=bob@example.org,n=ann@example.org,r=abcdefgh";
    assert_eq!(
        outcome(exchange.respond(Some(other)).await),
        Err(AuthError::Invalid)
    );
}
