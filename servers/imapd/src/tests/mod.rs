//! Behaviour of the whole crate: clients over TLS on loopback, a real store.

mod access;
mod append;
mod fetch;
mod framing;
mod idle;
mod mailboxes;
mod messages;
mod scale;
mod search;
mod select;
mod updates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Clock, Random, SystemClock, SystemRandom};
use base64::Engine as _;
use directory::{Directory, Hashing, NewAccount, NewDomain, NewPassword};
use mail::Mail;
use prometheus_client::registry::Registry;
use sasl::Secret;
use smtp::{Address, Domain};
use store::{AccountId, Db, StoreOptions};
use tempfile::TempDir;
use tls::{AnyStream, Authority, MaybeTls, Verification};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::{Connection, Imapd, Limits, Metrics, Options};

const PASSWORD: &str = "correct horse";
const NAME: &str = "mail.example.org";
/// How long a client waits for a line.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message that says little.
const SMALL: &str = "From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: Hello\r\n\
    Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <1@example.org>\r\n\r\nHello Joe\r\n";

/// A server with the accounts alice and bob at example.org.
struct Fixture {
    imapd: Imapd,
    directory: Directory,
    db: Db,
    config: Arc<rustls::ServerConfig>,
    trust: Arc<rustls::ClientConfig>,
    shutdown: CancellationToken,
    alice: AccountId,
    _dir: TempDir,
}

fn quick() -> Limits {
    Limits {
        auth_delay: Duration::ZERO,
        reserve_bytes: 0,
        ..Limits::default()
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::with(quick()).await
    }

    async fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
        let db = Db::open(StoreOptions::new(dir.path(), clock.clone(), random.clone())).unwrap();
        let hashing = Hashing::cheap_for_tests();
        let directory = Directory::new(db.clone(), clock.clone(), random.clone(), hashing);
        let domain = NewDomain::new(Domain::parse("example.org").unwrap());
        directory.create_domain(domain).await.unwrap();
        let mut accounts = Vec::new();
        for name in ["alice@example.org", "bob@example.org"] {
            let password = NewPassword::Clear(Secret::new(PASSWORD));
            let new = NewAccount::new(Address::parse(name).unwrap(), password);
            accounts.push(directory.create_account(new, |_, _| Ok(())).await.unwrap());
        }
        let authority = Authority::generate().unwrap();
        let config = tls::server_config(&authority.issue(&[NAME]).unwrap()).unwrap();
        let trust = Verification::Authority(authority.certificate());
        let mail = Mail::new(db.clone());
        let imapd = Imapd::new(Options {
            hostname: Domain::parse(NAME).unwrap(),
            directory: directory.clone(),
            mail,
            db: db.clone(),
            tls: Some(Arc::clone(&config)),
            clock,
            random,
            limits,
            metrics: Metrics::register(&mut Registry::default()),
        });
        Self {
            imapd,
            directory,
            db,
            config,
            trust: tls::outbound_config(trust).unwrap(),
            shutdown: CancellationToken::new(),
            alice: accounts[0],
            _dir: dir,
        }
    }

    async fn pair(&self) -> (TcpStream, TcpStream, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        (client, server, peer)
    }

    /// A connection in clear, its greeting unread.
    async fn connect_clear(&self) -> Client {
        let (client, server, peer) = self.pair().await;
        let (imapd, shutdown) = (self.imapd.clone(), self.shutdown.clone());
        let connection = Connection {
            stream: AnyStream::over(server),
            peer,
        };
        tokio::spawn(async move { imapd.session(connection, shutdown).await });
        Client::new(MaybeTls::from(client))
    }

    /// A connection with TLS from the first octet, its greeting unread.
    async fn connect_silently(&self) -> Client {
        let (client, server, peer) = self.pair().await;
        let (imapd, shutdown) = (self.imapd.clone(), self.shutdown.clone());
        let config = Arc::clone(&self.config);
        tokio::spawn(async move {
            let stream = AnyStream::over(server).accept(config).await.unwrap();
            imapd.session(Connection { stream, peer }, shutdown).await;
        });
        let stream = MaybeTls::from(client)
            .connect(Arc::clone(&self.trust), NAME)
            .await
            .unwrap();
        Client::new(stream)
    }

    /// A connection with TLS that has been greeted.
    async fn connect(&self) -> Client {
        let mut client = self.connect_silently().await;
        assert!(
            client
                .line()
                .await
                .starts_with("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 ")
        );
        client
    }

    /// A session of alice.
    async fn alice(&self) -> Client {
        self.user("alice@example.org").await
    }

    async fn user(&self, login: &str) -> Client {
        let mut client = self.connect().await;
        client.ok(&format!("LOGIN {login} \"{PASSWORD}\"")).await;
        client
    }

    /// A session of alice with the INBOX selected, which has these messages.
    async fn inbox(&self, messages: &[&str]) -> Client {
        let mut client = self.alice().await;
        for message in messages {
            client.append("INBOX", message).await;
        }
        client.ok("SELECT INBOX").await;
        client
    }
}

/// A client that sends what it is told and reads response by response.
struct Client {
    stream: MaybeTls,
    buffer: Vec<u8>,
    commands: u32,
}

impl Client {
    fn new(stream: MaybeTls) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            commands: 0,
        }
    }

    async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads more; false at the end of the stream.
    async fn fill(&mut self) -> bool {
        self.buffer.reserve(64 * 1024);
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.unwrap_or_else(|_| {
            panic!("silence after {:?}", String::from_utf8_lossy(&self.buffer))
        });
        read.is_ok_and(|length| length > 0)
    }

    /// The next response without its CRLF, literals within; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        let mut from = 0;
        loop {
            let rest = &self.buffer[from..];
            let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                if !self.fill().await {
                    return None;
                }
                continue;
            };
            let line = &rest[..end];
            let size = line
                .strip_suffix(b"}")
                .and_then(|line| {
                    line.iter()
                        .rposition(|b| *b == b'{')
                        .map(|at| &line[at + 1..])
                })
                .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
            let Some(size) = size else {
                let response = self.buffer.drain(..from + end + 2).collect::<Vec<u8>>();
                let response = &response[..response.len() - 2];
                return Some(String::from_utf8_lossy(response).into_owned());
            };
            from += end + 2 + size;
            while self.buffer.len() < from {
                assert!(self.fill().await);
            }
        }
    }

    /// The next response.
    async fn line(&mut self) -> String {
        self.next().await.expect("a response")
    }

    /// Whether the server has closed the connection after what was read.
    async fn is_closed(&mut self) -> bool {
        self.next().await.is_none()
    }

    /// Sends a command and reads its responses; the last is the tagged one without its tag.
    async fn run(&mut self, command: &str) -> Vec<String> {
        let tag = self.start(command).await;
        self.finish(&tag).await
    }

    /// Sends a command.
    async fn start(&mut self, command: &str) -> String {
        self.commands += 1;
        let tag = format!("a{}", self.commands);
        self.send(format!("{tag} {command}\r\n").as_bytes()).await;
        tag
    }

    /// Reads up to the tagged response.
    async fn finish(&mut self, tag: &str) -> Vec<String> {
        let mut responses = Vec::new();
        loop {
            let response = self.line().await;
            if let Some(answer) = response.strip_prefix(&format!("{tag} ")) {
                responses.push(answer.to_owned());
                return responses;
            }
            responses.push(response);
        }
    }

    /// Runs a command that must succeed; its untagged responses.
    async fn ok(&mut self, command: &str) -> Vec<String> {
        let mut responses = self.run(command).await;
        let answer = responses.pop().unwrap();
        assert!(answer.starts_with("OK "), "{command}: {answer}");
        responses
    }

    /// Runs a command without untagged responses; its tagged one.
    async fn answer(&mut self, command: &str) -> String {
        let mut responses = self.run(command).await;
        let answer = responses.pop().unwrap();
        assert!(responses.is_empty(), "{command}: {responses:?}");
        answer
    }

    /// Appends a message with a synchronizing literal; the tagged response.
    async fn append(&mut self, arguments: &str, message: &str) -> String {
        let tag = self
            .start(&format!("APPEND {arguments} {{{}}}", message.len()))
            .await;
        assert_eq!(self.line().await, "+ OK");
        self.send(format!("{message}\r\n").as_bytes()).await;
        self.finish(&tag).await.pop().unwrap()
    }
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}
