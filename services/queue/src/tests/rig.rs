//! A queue on a real store, with a clock that is moved by hand and names made up by the test.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambient::{FakeClock, SystemRandom, Timestamp};
use bytes::Bytes;
use directory::{Directory, Hashing, NewAccount, NewDomain, NewPassword, Resolution};
use dns::{Absence, Mx, Resolver};
use futures_util::future::BoxFuture;
use mail::Role;
use mime::Summary;
use smtp::{Address, Domain, ReversePath};
use store::{AccountId, Db, StoreOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::server::{Repeat, Server};
use crate::{
    Accepted, Error, Limits, Origin, Place, Queue, QueueEntry, QueueId, QueueOptions, RemoteRoute,
    RoutedRecipient, Schedule, SenderStanding, Submission, Timeouts,
};

/// Longer than the first wait of the schedule with all its jitter.
pub(super) const AFTER_FIRST_WAIT: u64 = 340;

/// Answers of the DNS. A name that is not here does not exist.
#[derive(Debug, Default)]
pub(super) struct Names {
    mx: Mutex<HashMap<String, Result<Vec<Mx>, dns::Error>>>,
    addresses: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl Names {
    pub(super) fn mx(&self, domain: &str, records: &[(u16, &str)]) {
        let records = records
            .iter()
            .map(|&(preference, name)| Mx {
                preference,
                exchange: Domain::parse(name).unwrap(),
            })
            .collect();
        self.mx.lock().unwrap().insert(domain.into(), Ok(records));
    }

    pub(super) fn fail_mx(&self, domain: &str, error: dns::Error) {
        self.mx.lock().unwrap().insert(domain.into(), Err(error));
    }

    pub(super) fn address(&self, name: &str, address: &str) {
        let address = address.parse().unwrap();
        self.addresses
            .lock()
            .unwrap()
            .entry(name.into())
            .or_default()
            .push(address);
    }
}

impl Resolver for Names {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, dns::Error>> {
        let nothing = || match self.addresses.lock().unwrap().contains_key(domain.as_str()) {
            true => Err(dns::Error::NoRecords(Absence::NoData)),
            false => Err(dns::Error::NoRecords(Absence::NoSuchName)),
        };
        let answer = self.mx.lock().unwrap().get(domain.as_str()).cloned();
        Box::pin(std::future::ready(answer.unwrap_or_else(nothing)))
    }

    fn addresses<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, dns::Error>> {
        let answer = self.addresses.lock().unwrap().get(domain.as_str()).cloned();
        let answer = answer.ok_or(dns::Error::NoRecords(Absence::NoSuchName));
        Box::pin(std::future::ready(answer))
    }

    fn list_addresses<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Vec<std::net::Ipv4Addr>, dns::Error>> {
        unreachable!("the queue asks no lists")
    }

    fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, dns::Error>> {
        unreachable!("the queue asks for no TXT records")
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, dns::Error>> {
        unreachable!("the queue asks for no PTR records")
    }
}

pub(super) struct Rig {
    pub(super) clock: Arc<FakeClock>,
    pub(super) db: Db,
    pub(super) directory: Directory,
    pub(super) queue: Queue,
    pub(super) names: Arc<Names>,
    pub(super) alice: AccountId,
    /// All remote servers listen on it, at addresses of their own.
    pub(super) port: u16,
    pub(super) options: QueueOptions,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    dir: tempfile::TempDir,
}

/// The store in `dir` and the directory in it.
async fn open(dir: &tempfile::TempDir, clock: &Arc<FakeClock>) -> (Db, Directory) {
    let random = Arc::new(SystemRandom::new());
    let options = StoreOptions::new(dir.path(), clock.clone(), random.clone());
    let db = tokio::task::spawn_blocking(move || Db::open(options));
    let db = db.await.unwrap().unwrap();
    let hashing = Hashing::cheap_for_tests();
    let directory = Directory::new(db.clone(), clock.clone(), random, hashing);
    (db, directory)
}

pub(super) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

impl Rig {
    /// A queue for `us.test` with the account `alice@us.test`, not running yet.
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(adjust: impl FnOnce(&mut QueueOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(1_700_000_000)));
        let random = Arc::new(SystemRandom::new());
        let (db, directory) = open(&dir, &clock).await;
        let names = Arc::new(Names::default());
        let port = free_port();
        let second = Duration::from_secs(2);
        let mut options = QueueOptions {
            db: db.clone(),
            directory: directory.clone(),
            resolver: names.clone(),
            tls: tls::outbound_config(tls::Verification::Opportunistic).unwrap(),
            clock: clock.clone(),
            random,
            hostname: Domain::parse("mail.us.test").unwrap(),
            route: RemoteRoute::Mx { port },
            schedule: Schedule::default(),
            timeouts: Timeouts {
                connect: second,
                greeting: second,
                hello: second,
                handshake: second,
                mail: second,
                rcpt: second,
                data: second,
                block: second,
                final_dot: second,
                reset: second,
                quit: second,
                idle: Duration::ZERO,
            },
            limits: Limits {
                grace: 0,
                ..Limits::default()
            },
            node: 1,
        };
        adjust(&mut options);
        let domain = Domain::parse("us.test").unwrap();
        directory
            .create_domain(NewDomain::new(domain))
            .await
            .unwrap();
        let queue = Queue::new(options.clone());
        let alice = create_account(&directory, "alice@us.test").await;
        let running = None;
        Self {
            clock,
            db,
            directory,
            queue,
            names,
            alice,
            port,
            options,
            running,
            dir,
        }
    }

    pub(super) fn start(&mut self) {
        let stop = CancellationToken::new();
        let (queue, token) = (self.queue.clone(), stop.clone());
        let task = tokio::spawn(async move { queue.run(token).await });
        self.running = Some((stop, task));
    }

    /// Stops the queue as `serve` does.
    pub(super) async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            stop.cancel();
            task.await.unwrap();
        }
    }

    /// Kills the queue in the middle of whatever it does.
    pub(super) async fn crash(&mut self) {
        if let Some((_, task)) = self.running.take() {
            task.abort();
            task.await.unwrap_err();
        }
    }

    /// Closes the store and opens it again, for a queue that is down.
    pub(super) async fn reopen(&mut self) {
        self.db.close().await;
        (self.db, self.directory) = open(&self.dir, &self.clock).await;
        self.options.db = self.db.clone();
        self.options.directory = self.directory.clone();
        self.queue = Queue::new(self.options.clone());
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A server at `ip` that plays `scripts` once.
    pub(super) async fn server(&self, ip: &str, scripts: &[&str]) -> Server {
        Server::start(self.socket(ip), scripts, Some(server_tls()), Repeat::No).await
    }

    /// As [`Self::server`], with a certificate of the test's.
    pub(super) async fn server_with(
        &self,
        ip: &str,
        scripts: &[&str],
        identity: &tls::Identity,
    ) -> Server {
        let tls = tls::server_config(identity).unwrap();
        Server::start(self.socket(ip), scripts, Some(tls), Repeat::No).await
    }

    /// A server at `ip` that plays `script` on every connection.
    pub(super) async fn steady_server(&self, ip: &str, script: &str) -> Server {
        Server::start(self.socket(ip), &[script], Some(server_tls()), Repeat::Last).await
    }

    /// Where a server at `ip` listens.
    pub(super) fn socket(&self, ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), self.port)
    }

    /// `domain` has one MX, a host at `ip`.
    pub(super) fn domain(&self, domain: &str, ip: &str) {
        let host = format!("mx.{domain}");
        self.names.mx(domain, &[(10, &host)]);
        self.names.address(&host, ip);
    }

    pub(super) async fn submission(&self, from: &str, to: &[&str], message: &str) -> Submission {
        let message = Bytes::from(message.to_owned());
        let mut recipients = Vec::new();
        for to in to {
            let original = address(to);
            match self.directory.resolve(&original).await.unwrap() {
                Resolution::Deliver(expansion) => {
                    recipients.extend(expansion.local.into_iter().map(|recipient| {
                        RoutedRecipient::Local {
                            recipient,
                            place: Place::Role(Role::Inbox),
                        }
                    }));
                    recipients.extend(expansion.remote.into_iter().map(|address| {
                        RoutedRecipient::Remote {
                            address,
                            original: original.clone(),
                        }
                    }));
                }
                Resolution::NotLocal => recipients.push(RoutedRecipient::Remote {
                    address: original.clone(),
                    original,
                }),
                other => panic!("{to}: {other:?}"),
            }
        }
        Submission {
            staged: self.db.blobs().stage(message.clone()).await.unwrap(),
            summary: Summary::parse(&message),
            message,
            origin: Origin::local("t1".into()),
            from: if from.is_empty() {
                ReversePath::Null
            } else {
                ReversePath::Address(address(from))
            },
            recipients,
            companion: None,
        }
    }

    pub(super) async fn try_accept(&self, submission: Submission) -> Result<Accepted, Error> {
        self.queue.accept(submission).await
    }

    /// Queues a small message from alice.
    pub(super) async fn send(&self, to: &[&str]) -> QueueId {
        self.send_from("alice@us.test", to).await
    }

    pub(super) async fn send_from(&self, from: &str, to: &[&str]) -> QueueId {
        let submission = self
            .submission(from, to, "Subject: hello\r\n\r\nHello.\r\n")
            .await;
        self.try_accept(submission).await.unwrap().queue_id.unwrap()
    }

    pub(super) async fn send_unverified(&self, from: &str, to: &[&str]) -> QueueId {
        let mut submission = self.submission(from, to, "Subject: x\r\n\r\nx\r\n").await;
        submission.origin.sender = SenderStanding::Unverified;
        self.try_accept(submission).await.unwrap().queue_id.unwrap()
    }

    pub(super) async fn entry(&self, id: QueueId) -> Option<QueueEntry> {
        match self.queue.show(id).await {
            Ok(entry) => Some(entry),
            Err(Error::NotFound(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until the message is off the queue.
    pub(super) async fn gone(&self, id: QueueId) {
        self.until("the message is gone", async || {
            self.entry(id).await.is_none()
        })
        .await;
    }

    /// Waits until every recipient of the message waits with `attempts` behind it.
    pub(super) async fn deferred(&self, id: QueueId, attempts: u32) -> QueueEntry {
        self.until("the message is deferred", async || {
            let entry = self.entry(id).await.expect("the message is still queued");
            entry.recipients.iter().all(|recipient| {
                recipient.attempts == attempts
                    && recipient.state != crate::RecipientState::InDelivery
            })
        })
        .await;
        self.entry(id).await.unwrap()
    }

    /// Waits until one recipient is left, which waits.
    pub(super) async fn deferred_last(&self, id: QueueId) -> QueueEntry {
        self.until("one recipient is left", async || {
            self.entry(id).await.is_some_and(|entry| {
                matches!(entry.recipients.as_slice(), [last]
                    if last.state != crate::RecipientState::InDelivery)
            })
        })
        .await;
        self.entry(id).await.unwrap()
    }

    /// Asks again and again, for ten seconds of real time.
    pub(super) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while !condition().await {
            assert!(
                tokio::time::Instant::now() < deadline,
                "waited in vain until {what}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The messages in an account's INBOX.
    pub(super) async fn inbox(&self, account: AccountId) -> Vec<String> {
        const INBOX: &str = "SELECT message.prefix, message.blob_id FROM message \
            JOIN entry ON entry.message_id = message.id \
            JOIN mailbox ON mailbox.id = entry.mailbox_id \
            WHERE message.account_id = ?1 AND mailbox.role = 'inbox' ORDER BY message.id";
        let blobs = self.db.blobs().clone();
        self.db
            .read(move |reader| {
                let rows = reader.query_all(INBOX, &[account.into()], |row| {
                    Ok((row.bytes(0)?.to_vec(), row.blob_id(1)?))
                })?;
                rows.into_iter()
                    .map(|(mut message, blob)| {
                        message.extend(blobs.load(reader, &blob)?);
                        Ok(String::from_utf8(message).unwrap())
                    })
                    .collect::<Result<Vec<_>, store::Error>>()
            })
            .await
            .unwrap()
    }

    /// The one message in alice's INBOX.
    pub(super) async fn only_mail(&self) -> String {
        let mut inbox = self.inbox(self.alice).await;
        assert_eq!(inbox.len(), 1, "{inbox:#?}");
        inbox.remove(0)
    }
}

pub(super) async fn create_account(directory: &Directory, name: &str) -> AccountId {
    let password = NewPassword::Clear("correct horse".to_owned().into());
    directory
        .create_account(NewAccount::new(address(name), password), |tx, id| {
            mail::provision(tx, id).map_err(directory::Error::hook)
        })
        .await
        .unwrap()
}

/// A port that is free on all loopback addresses. It lies below those the kernel gives to clients,
/// so that no connection of another test can take it before a server does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if std::net::TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

fn server_tls() -> Arc<rustls::ServerConfig> {
    tls::server_config(&tls::Identity::self_signed(&["mx.remote.test"]).unwrap()).unwrap()
}
