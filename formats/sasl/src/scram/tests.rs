//! The exchange of RFC 7677 §3, and everything that may go wrong with one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::{Error, Secret};

// RFC 7677 §3: user "user", password "pencil".
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn credential() -> ScramCredential {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    ScramCredential::derive("pencil", &salt, 4_096)
}

/// A cheap credential for exchanges whose cost is of no interest; our client takes no fewer.
fn cheap(password: &str) -> ScramCredential {
    ScramCredential::derive(password, b"salt", MIN_ITERATIONS)
}

fn challenged() -> ScramServer {
    let mut server = ScramServer::new(SERVER_NONCE.into());
    server.client_first(CLIENT_FIRST.as_bytes()).unwrap();
    server.server_first(&credential());
    server
}

fn client() -> ScramClient {
    ScramClient::new("user", Secret::new("pencil"), CLIENT_NONCE.into())
}

#[test]
fn the_server_speaks_the_example() {
    let mut server = ScramServer::new(SERVER_NONCE.into());
    assert_eq!(
        server.client_first(CLIENT_FIRST.as_bytes()).unwrap(),
        "user"
    );
    assert_eq!(server.authzid(), None);
    assert_eq!(server.server_first(&credential()), SERVER_FIRST.as_bytes());
    assert_eq!(
        server.client_final(CLIENT_FINAL.as_bytes()).unwrap(),
        SERVER_FINAL.as_bytes()
    );
}

#[test]
fn the_client_speaks_the_example() {
    let mut client = client();
    assert_eq!(client.client_first(), CLIENT_FIRST.as_bytes());
    assert_eq!(
        client.client_final(SERVER_FIRST.as_bytes()).unwrap(),
        CLIENT_FINAL.as_bytes()
    );
    assert_eq!(client.finish(SERVER_FINAL.as_bytes()), Ok(()));
}

#[test]
fn an_exchange_cannot_be_replayed_or_continued_out_of_order() {
    let mut server = challenged();
    server.client_final(CLIENT_FINAL.as_bytes()).unwrap();
    assert_eq!(
        server.client_final(CLIENT_FINAL.as_bytes()),
        Err(Error::OutOfOrder)
    );
    assert_eq!(
        server.client_first(CLIENT_FIRST.as_bytes()),
        Err(Error::OutOfOrder)
    );

    let mut server = ScramServer::new(SERVER_NONCE.into());
    assert!(server.server_first(&credential()).is_empty());
    assert_eq!(
        server.client_first(CLIENT_FIRST.as_bytes()),
        Err(Error::OutOfOrder)
    );

    let mut server = ScramServer::new(SERVER_NONCE.into());
    server.client_first(CLIENT_FIRST.as_bytes()).unwrap();
    assert_eq!(
        server.client_final(CLIENT_FINAL.as_bytes()),
        Err(Error::OutOfOrder)
    );

    let mut other = ScramServer::new("another".into());
    other.client_first(CLIENT_FIRST.as_bytes()).unwrap();
    other.server_first(&credential());
    assert_eq!(
        other.client_final(CLIENT_FINAL.as_bytes()),
        Err(Error::WrongExchange)
    );
}

#[test]
fn first_messages() {
    let first = |message: &str| {
        let mut server = ScramServer::new("x".into());
        let name = server.client_first(message.as_bytes())?;
        Ok((name, server.authzid().map(str::to_owned)))
    };
    for (message, result) in [
        ("n,,n=user,r=abc", Ok(("user", None))),
        ("y,,n=user,r=abc", Ok(("user", None))),
        ("n,a=boss,n=user,r=abc", Ok(("user", Some("boss")))),
        ("n,,n=a=2Cb=3D=3D2C,r=abc", Ok(("a,b==2C", None))),
        ("n,,n=jörg,r=abc,x=ignored", Ok(("jörg", None))),
        ("p=tls-exporter,,n=user,r=abc", Err(Error::ChannelBinding)),
        ("n,,m=x,n=user,r=abc", Err(Error::UnsupportedExtension)),
        ("", Err(Error::Malformed)),
        ("n", Err(Error::Malformed)),
        ("n,", Err(Error::Malformed)),
        ("n,,", Err(Error::Malformed)),
        ("p,,n=user,r=abc", Err(Error::Malformed)),
        ("x,,n=user,r=abc", Err(Error::Malformed)),
        ("n,boss,n=user,r=abc", Err(Error::Malformed)),
        ("n,a=,n=user,r=abc", Err(Error::Malformed)),
        ("n,,n=,r=abc", Err(Error::Malformed)),
        ("n,,n=user", Err(Error::Malformed)),
        ("n,,n=user,r=", Err(Error::Malformed)),
        ("n,,n=user,r=a b", Err(Error::Malformed)),
        ("n,,r=abc,n=user", Err(Error::Malformed)),
        ("n,,n=a=2,r=abc", Err(Error::Malformed)),
        ("n,,n=a=2c,r=abc", Err(Error::Malformed)),
        ("n,,n=a=ü,r=abc", Err(Error::Malformed)),
        ("n,,n=a\0b,r=abc", Err(Error::Malformed)),
    ] {
        let expected = result.map(|(name, authzid): (&str, Option<&str>)| {
            (name.to_owned(), authzid.map(str::to_owned))
        });
        assert_eq!(first(message), expected, "{message}");
    }
    assert_eq!(
        first(&format!("n,,n=user,r={}", "a".repeat(1_025))),
        Err(Error::TooLong)
    );
    assert_eq!(first(&"n".repeat(1_000_000)), Err(Error::TooLong));
    let mut server = ScramServer::new("x".into());
    assert_eq!(server.client_first(b"n,,n=\xff,r=abc"), Err(Error::NotUtf8));
}

#[test]
fn last_messages() {
    let nonce = format!("{CLIENT_NONCE}{SERVER_NONCE}");
    let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    for (message, error) in [
        (String::new(), Error::Malformed),
        (format!("c=biws,r={nonce}"), Error::Malformed),
        (format!("c=biws,r={nonce},p="), Error::Malformed),
        (format!("c=biws,r={nonce},p=AAAA"), Error::Malformed),
        (format!("c=biws,r={nonce},p={proof}="), Error::Malformed),
        (format!("r={nonce},c=biws,p={proof}"), Error::Malformed),
        (format!("c=!,r={nonce},p={proof}"), Error::Malformed),
        // The flag changed from n to y underway: somebody tampers.
        (format!("c=eSws,r={nonce},p={proof}"), Error::WrongExchange),
        (
            format!("c=biws,r={CLIENT_NONCE},p={proof}"),
            Error::WrongExchange,
        ),
        (format!("c=biws,r={nonce}x,p={proof}"), Error::WrongExchange),
        // An extension is signed, too.
        (format!("c=biws,r={nonce},x=1,p={proof}"), Error::WrongProof),
        (
            format!("c=biws,r={nonce},p={}", STANDARD.encode([0; 32])),
            Error::WrongProof,
        ),
    ] {
        let mut server = challenged();
        assert_eq!(
            server.client_final(message.as_bytes()),
            Err(error),
            "{message}"
        );
        assert_eq!(
            server.client_final(CLIENT_FINAL.as_bytes()),
            Err(Error::OutOfOrder)
        );
    }
}

#[test]
fn a_y_flag_is_repeated_in_the_last_message() {
    // Built by hand, for our own client never says "y".
    let credential = cheap("secret");
    let mut server = ScramServer::new("S".into());
    server.client_first(b"y,,n=user,r=C").unwrap();
    let first = String::from_utf8(server.server_first(&credential)).unwrap();
    let without_proof = format!("c={},r=CS", STANDARD.encode("y,,"));
    let signed = format!("n=user,r=C,{first},{without_proof}");
    let salted = salted_password("secret", b"salt", MIN_ITERATIONS);
    let (client_key, stored_key) = client_keys(&salted);
    let proof = xor(&client_key, &mac(&stored_key, &[signed.as_bytes()]));
    let message = format!("{without_proof},p={}", STANDARD.encode(&proof[..]));
    assert!(server.client_final(message.as_bytes()).is_ok());
}

#[test]
fn the_client_does_not_trust_the_server() {
    for (message, error) in [
        ("", Error::Malformed),
        ("e=other-error", Error::Malformed),
        (
            "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4096",
            Error::UnsupportedExtension,
        ),
        ("r=somebodyelse,s=AAAA,i=4096", Error::WrongExchange),
        ("r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096", Error::WrongExchange),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", Error::Malformed),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=", Error::Malformed),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=+4096", Error::Malformed),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4095", Error::Iterations),
        (
            "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=1000001",
            Error::Iterations,
        ),
        (
            "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=99999999999",
            Error::Iterations,
        ),
    ] {
        let mut client = client();
        client.client_first();
        assert_eq!(
            client.client_final(message.as_bytes()),
            Err(error),
            "{message}"
        );
    }
    for (message, error) in [
        ("", Error::Malformed),
        ("e=invalid-proof", Error::WrongProof),
        ("v=AAAA", Error::Malformed),
        (
            "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            Error::WrongProof,
        ),
    ] {
        let mut client = client();
        client.client_first();
        client.client_final(SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(client.finish(message.as_bytes()), Err(error), "{message}");
        assert_eq!(
            client.finish(SERVER_FINAL.as_bytes()),
            Err(Error::OutOfOrder)
        );
    }
    assert_eq!(
        client().finish(SERVER_FINAL.as_bytes()),
        Err(Error::OutOfOrder)
    );
    assert_eq!(
        client().client_final(SERVER_FIRST.as_bytes()),
        Err(Error::OutOfOrder)
    );
}

#[test]
fn a_dummy_looks_real_and_fits_no_password() {
    let dummy = ScramCredential::dummy(b"seed", "nobody");
    assert_eq!(dummy, ScramCredential::dummy(b"seed", "nobody"));
    assert_eq!(
        (dummy.salt.len(), dummy.iterations),
        (SALT_LENGTH, DEFAULT_ITERATIONS)
    );
    for other in [
        ScramCredential::dummy(b"seed", "noone"),
        ScramCredential::dummy(b"s", "nobody"),
    ] {
        assert_ne!(dummy.salt, other.salt);
        assert_ne!(dummy.stored_key, other.stored_key);
        assert_ne!(dummy.server_key, other.server_key);
    }
    assert_eq!(exchange("nobody", "guess", &dummy), Err(Error::WrongProof));
}

#[test]
fn credentials_do_not_print_their_keys() {
    let text = format!("{:?} {:?} {:?}", credential(), challenged(), client());
    assert!(!text.contains('[') && !text.contains("pencil"), "{text}");
}

/// A whole exchange of our client with our server.
fn exchange(name: &str, password: &str, credential: &ScramCredential) -> Result<(), Error> {
    let mut client = ScramClient::new(name, Secret::new(password), "C".into());
    let mut server = ScramServer::new("S".into());
    assert_eq!(server.client_first(&client.client_first())?, name);
    let proof = client.client_final(&server.server_first(credential))?;
    client.finish(&server.client_final(&proof)?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn only_the_right_password_passes(name in "[ -~ü]{1,12}", password in "[ -~ü]{1,12}") {
        prop_assert_eq!(exchange(&name, &password, &cheap(&password)), Ok(()));
        let wrong = format!("{password}x");
        prop_assert_eq!(exchange(&name, &wrong, &cheap(&password)), Err(Error::WrongProof));
    }
}

proptest! {
    #[test]
    fn any_messages_are_read_or_refused(
        first in "[nyp],(a=[a-z]?)?,[nrm]=[=2Ca-z]{0,5},r=[a-z]{0,3}", last in "c=[a-zA-Z=]{0,4},r=[a-z]{0,4},p=.{0,44}",
    ) {
        let mut server = ScramServer::new("x".into());
        if server.client_first(first.as_bytes()).is_ok() {
            server.server_first(&ScramCredential::dummy(b"seed", "a"));
            prop_assert!(server.client_final(last.as_bytes()).is_err());
        }
    }
}
