//! A whole server in this process, with a store that lives for some executions.

use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use directory::{Directory, Hashing, NewAccount, NewDomain, NewPassword};
use dns::{Zone, ZoneServer};
use filter::{Filter, Tuning};
use imapd::Imapd;
use learn::Learn;
use mail::{ClientMessage, FlagSet, Mail, MailboxName};
use mailauth::Authenticator;
use parsebox::Parsebox;
use policy::Policy;
use prometheus_client::registry::Registry;
use queue::{Queue, QueueOptions, RemoteRoute, Schedule, Timeouts};
use rustls::{ClientConfig, ServerConfig};
use sasl::Secret;
use smtp::{Address, Domain};
use smtpd::Smtpd;
use store::{AccountId, Tx};
use tempfile::TempDir;
use tls::{Authority, Verification};

use crate::Store;

/// The server's name.
pub const HOSTNAME: &str = "mx.example.org";
/// The one domain whose mail stays here.
pub const LOCAL_DOMAIN: &str = "example.org";
/// The account that scripts sign in to.
pub const USER: &str = "alice@example.org";
/// Its password.
pub const PASSWORD: &str = "correct horse";
/// An account whose password nobody knows.
const NEIGHBOUR: &str = "bob@example.org";

/// Executions after which everything is made anew: mail piles up and makes later ones slow.
const LIFETIME: u32 = 2_000;

/// How long the rules may take to compile.
const PATIENCE: Duration = Duration::from_secs(60);

/// The compiled rules, which are the same on every site.
static RULES: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));
static SITE: Mutex<Option<Site>> = Mutex::new(None);

/// The services, and what the tests of a session need to know of them.
pub struct Site {
    pub smtpd: Smtpd,
    pub imapd: Imapd,
    pub queue: Queue,
    pub authenticator: Authenticator,
    pub zone: Arc<Zone>,
    /// Trusts the server's certificate.
    pub trust: Arc<ClientConfig>,
    /// What stands in the neighbour's mail, and nowhere else.
    pub secret: String,
    executions: u32,
    store: Store,
    _names: ZoneServer,
}

impl Deref for Site {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Site {
    /// Runs an execution on the present site, or on a new one.
    pub fn lend<T>(run: impl FnOnce(&Self) -> T) -> T {
        let mut kept = SITE.lock().unwrap_or_else(PoisonError::into_inner);
        if kept
            .as_ref()
            .is_some_and(|site| site.executions >= LIFETIME)
        {
            *kept = None;
        }
        let site = kept.get_or_insert_with(Self::build);
        site.executions += 1;
        run(site)
    }

    fn build() -> Self {
        let store = Store::open();
        let zone = Arc::new(names());
        let names = store
            .runtime
            .block_on(ZoneServer::loopback(Arc::clone(&zone)));
        let names = names.expect("a name server");
        let resolver = dns::System::new(&[names.local_addr()]).expect("a resolver");
        let secret = store.random.token(16);
        let parts = Parts::new(&store, Arc::new(resolver));
        store.runtime.block_on(parts.populate(&secret));
        let policy = store
            .runtime
            .block_on(Policy::open(store.db.clone()))
            .expect("a policy");
        let authority = Authority::generate().expect("an authority");
        let tls = tls::server_config(&authority.issue(&[HOSTNAME]).expect("a certificate"));
        let tls = tls.expect("a configuration");
        let trust = tls::outbound_config(Verification::Authority(authority.certificate()));
        Self {
            smtpd: parts.smtpd(policy, Arc::clone(&tls)),
            imapd: parts.imapd(tls),
            queue: parts.queue,
            authenticator: parts.authenticator,
            zone,
            trust: trust.expect("a configuration"),
            secret,
            executions: 0,
            store,
            _names: names,
        }
    }
}

/// The names outside: one sender who may send from 192.0.2.1.
fn names() -> Zone {
    let zone = Zone::new();
    zone.a("sender.test", [192, 0, 2, 1].into())
        .mx("sender.test", 10, "sender.test")
        .txt("sender.test", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.sender.test", "v=DMARC1; p=reject")
        .ptr([192, 0, 2, 1].into(), "sender.test");
    zone
}

/// The services below the protocols.
struct Parts<'s> {
    store: &'s Store,
    hostname: Domain,
    directory: Directory,
    queue: Queue,
    authenticator: Authenticator,
}

impl<'s> Parts<'s> {
    fn new(store: &'s Store, resolver: Arc<dns::System>) -> Self {
        let Store {
            clock, random, db, ..
        } = store;
        let hostname = Domain::parse(HOSTNAME).expect("a name");
        let hashing = Hashing::cheap_for_tests();
        let directory = Directory::new(db.clone(), clock.clone(), random.clone(), hashing);
        let queue = Queue::new(QueueOptions {
            db: db.clone(),
            directory: directory.clone(),
            resolver: resolver.clone(),
            tls: tls::outbound_config(Verification::Opportunistic).expect("a configuration"),
            clock: clock.clone(),
            random: random.clone(),
            hostname: hostname.clone(),
            route: RemoteRoute::Mx { port: 25 },
            schedule: Schedule::default(),
            timeouts: Timeouts::default(),
            limits: queue::Limits::default(),
            node: 1,
        });
        Self {
            authenticator: Authenticator::new(hostname.clone(), resolver, clock.clone()),
            store,
            hostname,
            directory,
            queue,
        }
    }

    /// The accounts, and the neighbour's mail.
    async fn populate(&self, secret: &str) {
        let domain = NewDomain::new(Domain::parse(LOCAL_DOMAIN).expect("a name"));
        self.directory
            .create_domain(domain)
            .await
            .expect("a domain");
        self.account(USER, PASSWORD).await;
        let neighbour = self.account(NEIGHBOUR, &self.store.random.token(32)).await;
        let mail = Mail::new(self.store.db.clone());
        let name = format!("Folder-{secret}");
        let name = MailboxName::from_wire(name.as_bytes(), imap::Utf8Mode::Utf8).expect("a name");
        mail.create(neighbour, &name, None)
            .await
            .expect("a mailbox");
        let message = ClientMessage {
            bytes: format!("From: b@{LOCAL_DOMAIN}\r\nSubject: {secret}\r\n\r\n{secret}\r\n")
                .into(),
            flags: FlagSet::default(),
            received_at: None,
        };
        let inbox = mail
            .find(neighbour, &MailboxName::inbox())
            .await
            .expect("a mailbox");
        mail.append_message(neighbour, inbox, message)
            .await
            .expect("room");
    }

    async fn account(&self, address: &str, password: &str) -> AccountId {
        let address = Address::parse(address).expect("an address");
        let new = NewAccount::new(address, NewPassword::Clear(Secret::new(password)));
        let provision =
            |tx: &mut dyn Tx, id| mail::provision(tx, id).map_err(directory::Error::hook);
        self.directory
            .create_account(new, provision)
            .await
            .expect("an account")
    }

    fn smtpd(&self, policy: Policy, tls: Arc<ServerConfig>) -> Smtpd {
        let filter = Filter::start(filter::Options {
            hostname: self.hostname.clone(),
            learn: Learn::new(
                &self.store.db,
                &self.store.clock,
                &learn::Options::default(),
            ),
            clock: self.store.clock.clone(),
            db: self.store.db.clone(),
            policy: policy.clone(),
            blocklist: None,
            antivirus: None,
            parsers: Parsebox::in_process(),
            cache: Some(RULES.path().to_owned()),
            tuning: Tuning::default(),
        })
        .expect("a filter");
        let is_ready = self.store.runtime.block_on(filter.ready(PATIENCE));
        assert!(is_ready, "no rules");
        Smtpd::new(smtpd::Options {
            hostname: self.hostname.clone(),
            directory: self.directory.clone(),
            queue: self.queue.clone(),
            authenticator: self.authenticator.clone(),
            filter,
            policy,
            db: self.store.db.clone(),
            tls: Some(tls),
            clock: self.store.clock.clone(),
            random: self.store.random.clone(),
            limits: smtpd::Limits {
                message_bytes: 8 << 10,
                recipients: 5,
                messages: 4,
                errors: 10,
                idle_commands: 20,
                auth_delay: Duration::ZERO,
                reserve_bytes: 0,
                ..smtpd::Limits::default()
            },
            metrics: smtpd::Metrics::register(&mut Registry::default()),
        })
    }

    fn imapd(&self, tls: Arc<ServerConfig>) -> Imapd {
        Imapd::new(imapd::Options {
            hostname: self.hostname.clone(),
            directory: self.directory.clone(),
            mail: Mail::new(self.store.db.clone()),
            db: self.store.db.clone(),
            tls: Some(tls),
            clock: self.store.clock.clone(),
            random: self.store.random.clone(),
            limits: imapd::Limits {
                append_bytes: 8 << 10,
                auth_delay: Duration::ZERO,
                bad_commands: 10,
                reserve_bytes: 0,
                ..imapd::Limits::default()
            },
            metrics: imapd::Metrics::register(&mut Registry::default()),
        })
    }
}
