//! The server under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use directory::{
    DkimAlgorithm, Hashing, NewAccount, NewAlias, NewDkimKey, NewDomain, NewPassword, PrivateKey,
};
use muskox::config::Config;
use muskox::demo::{self, Ports, World};
use muskox::server::{Parts, Server};
use rustls::ClientConfig;
use sasl::Secret;
use smtp::{Address, Domain};
use tls::Verification;

/// The password of every account of a [`TestServer`].
pub const PASSWORD: &str = "correct horse battery";

/// A server on ephemeral ports of loopback with the domain `demo.test` and the accounts alice and
/// bob. Every other `*.test` domain's mail is captured.
#[derive(Debug)]
pub struct TestServer {
    /// The server.
    pub server: Server,
    /// DNS, CA, captured mail.
    pub world: World,
    config: Config,
    directory: tempfile::TempDir,
}

impl TestServer {
    /// A server with default settings.
    pub async fn start() -> Self {
        Self::start_with(|_| {}, |_| {}).await
    }

    /// A server whose configuration and parts the test has changed.
    pub async fn start_with(
        configure: impl FnOnce(&mut Config),
        replace: impl FnOnce(&mut Parts),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let this = Self::open(directory, configure, replace).await;
        let domain = Domain::parse("demo.test").expect("a domain");
        this.directory()
            .create_domain(NewDomain::new(domain))
            .await
            .expect("a new domain");
        this.account("alice@demo.test").await;
        this.account("bob@demo.test").await;
        this
    }

    /// A server on the data that `directory` has already, at new ports.
    pub async fn open(
        directory: tempfile::TempDir,
        configure: impl FnOnce(&mut Config),
        replace: impl FnOnce(&mut Parts),
    ) -> Self {
        crate::panics::watch();
        let mut config = demo::configuration(directory.path(), Ports::Any).expect("ports");
        configure(&mut config);
        let world = World::start().await.expect("a world");
        let mut parts = world.parts().expect("parts");
        parts.hashing = Some(Hashing::cheap_for_tests());
        replace(&mut parts);
        let server = Server::start(&config, parts).await.expect("a server");
        Self {
            server,
            world,
            config,
            directory,
        }
    }

    fn directory(&self) -> &directory::Directory {
        &self.server.services.directory
    }

    /// Creates an account with [`PASSWORD`].
    pub async fn account(&self, address: &str) {
        let address = Address::parse(address).expect("an address");
        let password = NewPassword::Clear(Secret::new(PASSWORD));
        let new = NewAccount::new(address, password);
        self.server
            .services
            .create_account(new)
            .await
            .expect("a new account");
    }

    /// Creates an alias; `@domain` as its name is a catch-all.
    pub async fn alias(&self, name: &str, targets: &[&str]) {
        let name = name.parse().expect("an alias");
        let parse = |target: &&str| Address::parse(target).expect("an address");
        let targets = targets.iter().map(parse).collect();
        let new = NewAlias {
            name,
            targets,
            comment: String::new(),
        };
        self.directory()
            .create_alias(new)
            .await
            .expect("a new alias");
    }

    /// Sets an account's quota in octets.
    pub async fn quota(&self, address: &str, octets: u64) {
        let address = Address::parse(address).expect("an address");
        let account = self
            .directory()
            .account(&address)
            .await
            .expect("an account");
        self.directory()
            .set_quota(account.id, octets)
            .await
            .expect("a new quota");
    }

    /// Gives `demo.test` an RSA and an Ed25519 key for DKIM and publishes them.
    pub async fn sign(&self) {
        use mailauth::sign::{Algorithm, generate};
        let kinds = [
            ("rsa", Algorithm::Rsa2048, DkimAlgorithm::RsaSha256),
            ("ed", Algorithm::Ed25519, DkimAlgorithm::Ed25519Sha256),
        ];
        for (selector, kind, algorithm) in kinds {
            let key = tokio::task::spawn_blocking(move || generate(kind).expect("a key"));
            let key = key.await.expect("a key");
            let new = NewDkimKey {
                domain: Domain::parse("demo.test").expect("a domain"),
                selector: selector.to_owned(),
                algorithm,
                private_key_der: PrivateKey::new(key.private_key),
                public_key: key.public_key,
            };
            self.directory().add_dkim_key(new).await.expect("a new key");
        }
        self.world
            .publish_keys(&self.server.services)
            .await
            .expect("published keys");
    }

    /// Where a listener is bound.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.server
            .address(listener)
            .unwrap_or_else(|| panic!("no listener {listener}"))
    }

    /// A TLS configuration that trusts only this world's CA.
    #[must_use]
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let ours = Verification::Authority(self.world.authority.certificate());
        tls::outbound_config(ours).expect("a TLS configuration")
    }

    /// The name in the server's certificate.
    #[must_use]
    pub fn name(&self) -> &'static str {
        "mail.demo.test"
    }

    /// The CA's certificate as a file, for other programs.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.world
            .write_ca(self.directory.path())
            .expect("the CA's certificate");
        muskox::demo::ca_path(self.directory.path())
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Where the command line finds this server.
    #[must_use]
    pub fn control(&self) -> &Path {
        &self.config.control.socket
    }

    /// A connection to `imap` over TLS, signed in.
    pub async fn imap(&self, account: &str) -> crate::client::Imap {
        let address = self.address("imaps");
        let mut imap = crate::client::Imap::connect_tls(address, self.client_config(), self.name())
            .await
            .expect("an IMAP connection");
        let answer = imap
            .command(&format!("LOGIN {account}@demo.test \"{PASSWORD}\""))
            .await;
        assert!(answer.expect("an answer").is_ok(), "{}", imap.client.log());
        imap
    }

    /// A connection to `submission`, signed in over STARTTLS.
    pub async fn submission(&self, account: &str) -> crate::client::Smtp {
        let smtp = crate::client::Smtp::connect(self.address("submission"))
            .await
            .expect("SMTP");
        let mut smtp = smtp
            .start_tls(self.client_config(), self.name())
            .await
            .expect("TLS");
        smtp.authenticate(&format!("{account}@demo.test"), PASSWORD)
            .await
            .expect("AUTH");
        smtp
    }

    /// Delivers a message to an account through the MX.
    pub async fn deliver(&self, account: &str, message: &[u8]) {
        let mut smtp = crate::client::Smtp::connect(self.address("mx"))
            .await
            .expect("SMTP");
        let to = format!("{account}@demo.test");
        let reply = smtp
            .deliver("sender@example.test", &[&to], message)
            .await
            .expect("a reply");
        assert_eq!(reply.0, 250, "{}", smtp.client.log());
    }

    /// The messages of a mailbox as they are stored, oldest first.
    pub async fn messages(&self, account: &str, mailbox: &str) -> Vec<Vec<u8>> {
        self.imap(account)
            .await
            .messages(mailbox)
            .await
            .expect("messages")
    }

    /// Waits until a mailbox has `count` messages, and returns them. Fails when there are more, or
    /// fewer for too long.
    pub async fn wait_for(&self, account: &str, mailbox: &str, count: usize) -> Vec<Vec<u8>> {
        let mut imap = self.imap(account).await;
        let deadline = tokio::time::Instant::now() + crate::client::PATIENCE;
        loop {
            let messages = imap.messages(mailbox).await.expect("messages");
            if messages.len() == count {
                return messages;
            }
            assert!(
                messages.len() < count,
                "{} messages instead of {count}",
                messages.len()
            );
            let late = tokio::time::Instant::now() > deadline;
            assert!(
                !late,
                "{} messages in {mailbox} instead of {count}",
                messages.len()
            );
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
    }

    /// Stops the server after checking that every counter and reference of its store is right and
    /// that nothing has panicked.
    pub async fn stop(self) {
        drop(self.stopped().await);
    }

    /// The same; the data stay as long as their directory is held.
    pub async fn stopped(self) -> tempfile::TempDir {
        let services = &self.server.services;
        let mail = services.mail.fsck().await.expect("a check of the mail");
        assert!(mail.is_empty(), "{mail:?}");
        let blobs = services.db.fsck().await.expect("a check of the blobs");
        assert!(blobs.problems.is_empty(), "{:?}", blobs.problems);
        self.server.stop().await;
        self.world.stop().await;
        let panics = crate::panics::seen();
        assert!(panics.is_empty(), "{panics:#?}");
        self.directory
    }

    /// Starts the server again on the same data, at other ports.
    #[must_use]
    pub async fn restart(self) -> Self {
        let Self {
            server,
            world,
            config,
            directory,
        } = self;
        server.stop().await;
        let mut parts = world.parts().expect("parts");
        parts.hashing = Some(Hashing::cheap_for_tests());
        let server = Server::start(&config, parts).await.expect("a server");
        Self {
            server,
            world,
            config,
            directory,
        }
    }
}
