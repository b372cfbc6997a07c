//! Handshakes between our two configurations over an in-memory stream and real files.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};
use tls::{
    Authority, Certificates, Error, Identity, MaybeTls, Session, Verification, load_identity,
    outbound_config, server_config,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const NAME: &str = "mail.example.test";

/// Both ends' view of one handshake with an echo across it.
async fn handshake(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: &str,
) -> (Result<Session, Error>, Result<Session, Error>) {
    let (left, right) = duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let mut stream = MaybeTls::from(left).accept(server).await?;
        let mut word = [0; 5];
        stream
            .read_exact(&mut word)
            .await
            .map_err(Error::Handshake)?;
        stream.write_all(&word).await.map_err(Error::Handshake)?;
        stream.flush().await.map_err(Error::Handshake)?;
        assert!(stream.is_tls());
        Ok(stream.session().unwrap())
    });
    let client = async {
        let mut stream = MaybeTls::from(right).connect(client, name).await?;
        stream.write_all(b"hello").await.map_err(Error::Handshake)?;
        let mut word = [0; 5];
        stream
            .read_exact(&mut word)
            .await
            .map_err(Error::Handshake)?;
        assert_eq!(&word, b"hello");
        Ok(stream.session().unwrap())
    };
    let client = client.await;
    (server.await.unwrap(), client)
}

#[tokio::test]
async fn an_issued_certificate_is_believed_under_its_name_only() {
    let authority = Authority::generate().unwrap();
    let server = server_config(&authority.issue(&[NAME]).unwrap()).unwrap();
    let client = outbound_config(Verification::Authority(authority.certificate())).unwrap();
    let (seen, session) = handshake(Arc::clone(&server), Arc::clone(&client), NAME).await;
    let session = session.unwrap();
    assert_eq!(session.protocol, "TLSv1.3");
    assert!(session.cipher.starts_with("TLS13_"), "{}", session.cipher);
    assert_eq!(seen.unwrap().server_name.as_deref(), Some(NAME));
    let (_, wrong) = handshake(server, client, "other.example.test").await;
    assert!(matches!(wrong, Err(Error::Handshake(_))));
}

#[tokio::test]
async fn a_stranger_is_believed_only_opportunistically() {
    let server = server_config(&Identity::self_signed(&["stranger.test"]).unwrap()).unwrap();
    let open = outbound_config(Verification::Opportunistic).unwrap();
    let (_, session) = handshake(Arc::clone(&server), open, NAME).await;
    session.unwrap();
    let strict = Verification::Authority(Authority::generate().unwrap().certificate());
    let (_, refused) = handshake(server, outbound_config(strict).unwrap(), NAME).await;
    assert!(matches!(refused, Err(Error::Handshake(_))));
}

#[tokio::test]
async fn a_replaced_certificate_shows_at_the_next_handshake() {
    let (old, new) = (
        Authority::generate().unwrap(),
        Authority::generate().unwrap(),
    );
    let certificates = Certificates::new(old.issue(&[NAME]).unwrap());
    let server = certificates.server_config().unwrap();
    let trusts = |authority: &Authority| {
        outbound_config(Verification::Authority(authority.certificate())).unwrap()
    };
    let (_, before) = handshake(Arc::clone(&server), trusts(&old), NAME).await;
    before.unwrap();
    certificates.replace(new.issue(&[NAME]).unwrap());
    let (_, stale) = handshake(Arc::clone(&server), trusts(&old), NAME).await;
    assert!(stale.is_err());
    let (_, after) = handshake(server, trusts(&new), NAME).await;
    after.unwrap();
}

#[tokio::test]
async fn tls_1_2_still_works() {
    let server = server_config(&Identity::self_signed(&[NAME]).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = (*outbound_config(Verification::Opportunistic).unwrap()).clone();
    let verifier = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    // A client that is confined to 1.2 and, being a test's, trusts nobody: it must get as far as
    // judging the certificate.
    let (_, refused) = handshake(Arc::clone(&server), Arc::new(verifier), NAME).await;
    let Err(Error::Handshake(error)) = refused else {
        panic!("{refused:?}")
    };
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    client.enable_sni = false;
    let (seen, session) = handshake(server, Arc::new(client), NAME).await;
    session.unwrap();
    assert_eq!(seen.unwrap().server_name, None);
}

#[tokio::test]
async fn a_plain_text_peer_and_a_second_upgrade_are_errors() {
    let server = server_config(&Identity::self_signed(&[NAME]).unwrap()).unwrap();
    let (left, mut right) = duplex(1024);
    right.write_all(b"EHLO example.test\r\n").await.unwrap();
    drop(right);
    let refused = MaybeTls::from(left).accept(Arc::clone(&server)).await;
    assert!(matches!(refused, Err(Error::Handshake(_))));
    let (left, right) = duplex(64 * 1024);
    let accepting = tokio::spawn(MaybeTls::from(left).accept(server));
    let client = outbound_config(Verification::Opportunistic).unwrap();
    let stream = MaybeTls::from(right)
        .connect(Arc::clone(&client), NAME)
        .await
        .unwrap();
    accepting.await.unwrap().unwrap();
    assert!(matches!(
        stream.connect(client, NAME).await,
        Err(Error::AlreadyEncrypted)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_cut_after_ten_seconds() {
    let server = server_config(&Identity::self_signed(&[NAME]).unwrap()).unwrap();
    let (left, _right) = duplex(1024);
    let start = tokio::time::Instant::now();
    assert!(matches!(
        MaybeTls::from(left).accept(server).await,
        Err(Error::Timeout)
    ));
    assert_eq!(start.elapsed(), tls::HANDSHAKE_TIMEOUT);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test writes the files it loads"
)]
fn files_load_and_a_bad_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let identity = Identity::self_signed(&[NAME]).unwrap();
    let certificate = directory.path().join("cert.pem");
    let key = directory.path().join("key.pem");
    std::fs::write(&certificate, identity.certificate_pem()).unwrap();
    std::fs::write(&key, identity.private_key_pem()).unwrap();
    assert_eq!(load_identity(&certificate, &key).unwrap().names(), [NAME]);
    let missing = load_identity(&directory.path().join("none.pem"), &key).unwrap_err();
    assert!(missing.to_string().contains("none.pem"), "{missing}");
    let swapped = load_identity(&key, &key).unwrap_err();
    assert!(
        matches!(&swapped, Error::File { path, .. } if *path == key),
        "{swapped:?}"
    );
    let other = Identity::self_signed(&[NAME]).unwrap();
    std::fs::write(&key, other.private_key_pem()).unwrap();
    let mismatch = load_identity(&certificate, &key).unwrap_err();
    let Error::File { source, .. } = mismatch else {
        panic!("{mismatch:?}")
    };
    assert!(matches!(*source, Error::KeyMismatch));
}
