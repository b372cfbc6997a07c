//! The services of a server, put together from a configuration and what a caller replaces.

use std::sync::Arc;

use ambient::{Clock, Random, SystemClock, SystemRandom};
use directory::{AccountState, Directory, Hashing, NewAccount};
use filter::Filter;
use imapd::Imapd;
use learn::Learn;
use mail::Mail;
use mailauth::Authenticator;
use parsebox::{Keeper, Parsebox};
use policy::Policy;
use prometheus_client::registry::Registry;
use queue::{Queue, QueueOptions, RelaySecurity, RemoteRoute, Schedule, Timeouts};
use rustls::ClientConfig;
use smtpd::Smtpd;
use store::{AccountId, Db, StoreOptions};
use tls::{Certificates, Identity, Verification};

use super::filtering::{Filtering, Surroundings};
use super::{StartError, identity, metrics};
use crate::config::Config;
use crate::demo::Captures;
use crate::version::VERSION;

/// What a caller replaces: the demo its outside world, a test also time and chance. `None` is what
/// a real server uses.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The time.
    pub clock: Option<Arc<dyn Clock>>,
    /// Randomness.
    pub random: Option<Arc<dyn Random>>,
    /// Name resolution.
    pub resolver: Option<dns::System>,
    /// The server's certificate.
    pub identity: Option<Identity>,
    /// The port of MX hosts, which is 25 outside.
    pub mx_port: Option<u16>,
    /// How dear passwords are to guess, and to check.
    pub hashing: Option<Hashing>,
    /// How remote delivery behaves in time.
    pub schedule: Option<Schedule>,
    /// Who starts parse workers; without, the server reads pages and attachments by itself.
    pub keeper: Option<Arc<Keeper>>,
    /// A disk that misbehaves.
    pub faults: Option<Arc<dyn store::Faults>>,
    /// What the outside world received, for the control socket.
    pub captures: Option<Captures>,
}

/// The running services. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// The database.
    pub db: Db,
    /// Domains, accounts, aliases.
    pub directory: Directory,
    /// Mailboxes.
    pub mail: Mail,
    /// Outbound mail.
    pub queue: Queue,
    /// SPF, DKIM, DMARC, ARC.
    pub authenticator: Authenticator,
    /// The spam filter.
    pub filter: Filter,
    /// What users and administrators say about filtering.
    pub policy: Policy,
    /// What the filter has learned.
    pub learn: Learn,
    /// Names of the block lists that are asked.
    pub lists: Arc<[String]>,
    /// SMTP sessions.
    pub smtpd: Smtpd,
    /// IMAP sessions.
    pub imapd: Imapd,
    clock: Arc<dyn Clock>,
}

impl Services {
    pub(super) async fn open(
        config: &Config,
        parts: Parts,
        certificates: &Arc<Certificates>,
        registry: &mut Registry,
    ) -> Result<Self, StartError> {
        let clock = parts.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let random = parts
            .random
            .unwrap_or_else(|| Arc::new(SystemRandom::new()));
        let resolver = match parts.resolver {
            Some(resolver) => resolver,
            None => resolver(config)?,
        };
        let db = open_store(config, &clock, &random, parts.faults).await?;
        let hashing = parts.hashing.unwrap_or_else(Hashing::production);
        let directory =
            Directory::new(db.clone(), Arc::clone(&clock), Arc::clone(&random), hashing)
                .with_scram_seed(identity::scram_seed(&config.data_dir, &*random)?);
        let mail = Mail::new(db.clone());
        let queue = Queue::new(QueueOptions {
            db: db.clone(),
            directory: directory.clone(),
            resolver: Arc::new(resolver.clone()),
            tls: outbound()?,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            hostname: config.hostname.clone(),
            route: route(config, parts.mx_port)?,
            schedule: parts.schedule.unwrap_or_else(|| schedule(config)),
            timeouts: Timeouts::default(),
            limits: queue::Limits {
                per_destination: config.queue.connections_per_destination,
                ..queue::Limits::default()
            },
            node: 1,
        });
        let surroundings = Surroundings {
            db: db.clone(),
            clock: Arc::clone(&clock),
            resolver: Some(Arc::new(resolver.clone())),
            parsers: parts
                .keeper
                .map_or_else(Parsebox::in_process, Parsebox::new),
            cache: Some(config.cache_dir().join("patterns")),
        };
        let filtering = Filtering::open(config, surroundings).await?;
        let authenticator = Authenticator::new(
            config.hostname.clone(),
            Arc::new(resolver),
            Arc::clone(&clock),
        );
        let tls = certificates.server_config()?;
        let smtpd = Smtpd::new(smtpd::Options {
            hostname: config.hostname.clone(),
            directory: directory.clone(),
            queue: queue.clone(),
            authenticator: authenticator.clone(),
            filter: filtering.filter.clone(),
            policy: filtering.policy.clone(),
            db: db.clone(),
            tls: Some(Arc::clone(&tls)),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            limits: smtpd::Limits {
                message_bytes: config.smtp.max_message_bytes,
                recipients: config.smtp.max_recipients,
                unproven_sessions: config.smtp.max_sessions / 2,
                ..smtpd::Limits::default()
            },
            metrics: smtpd::Metrics::register(registry),
        });
        let imapd = Imapd::new(imapd::Options {
            hostname: config.hostname.clone(),
            directory: directory.clone(),
            mail: mail.clone(),
            db: db.clone(),
            tls: Some(tls),
            clock: Arc::clone(&clock),
            random,
            limits: imapd::Limits {
                append_bytes: config.imap.max_append_bytes,
                ..imapd::Limits::default()
            },
            metrics: imapd::Metrics::register(registry),
        });
        metrics::register(registry, db.clone(), queue.clone());
        Ok(Self {
            db,
            directory,
            mail,
            queue,
            authenticator,
            filter: filtering.filter,
            policy: filtering.policy,
            learn: filtering.learn,
            lists: filtering.lists,
            smtpd,
            imapd,
            clock,
        })
    }

    /// The present second.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.now().0
    }

    /// Creates an account with its mailboxes, in one transaction.
    ///
    /// # Errors
    /// Those of the directory; nothing is created then.
    pub async fn create_account(&self, new: NewAccount) -> Result<AccountId, directory::Error> {
        let provision =
            |tx: &mut dyn store::Tx, id| mail::provision(tx, id).map_err(directory::Error::hook);
        self.directory.create_account(new, provision).await
    }

    /// Removes an account and all its mail: first it is closed, then its messages go in small
    /// transactions, so that others' mail is not kept waiting, then the account.
    ///
    /// # Errors
    /// Those of the directory. A session that still stores mail makes it fail at the last step;
    /// the account stays closed then, and can be removed again.
    pub async fn remove_account(&self, id: AccountId) -> Result<(), directory::Error> {
        self.directory
            .set_active(id, AccountState::Disabled)
            .await?;
        self.queue
            .clear_quarantine(id)
            .await
            .map_err(directory::Error::hook)?;
        self.mail.erase(id).await.map_err(directory::Error::hook)?;
        let is_erased = |tx: &mut dyn store::Tx, id| match mail::is_erased(tx, id) {
            Ok(true) => Ok(()),
            Ok(false) => Err(directory::Error::hook("mail arrived meanwhile; try again")),
            Err(error) => Err(directory::Error::hook(error)),
        };
        self.directory.remove_account(id, is_erased).await
    }
}

async fn open_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    faults: Option<Arc<dyn store::Faults>>,
) -> Result<Db, StartError> {
    let mut options = StoreOptions::new(&config.data_dir, Arc::clone(clock), Arc::clone(random));
    options.program = VERSION.to_owned();
    options.faults = faults;
    options.readers = config.store.readers;
    options.cache_bytes = config.store.cache_mib << 20;
    let opened = tokio::task::spawn_blocking(move || Db::open(options)).await;
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(source)) => Err(StartError::Store {
            path: config.data_dir.clone(),
            source,
        }),
        Err(error) => Err(StartError::Io(std::io::Error::other(error))),
    }
}

/// RFC 7435: between mail servers any encryption beats none.
fn outbound() -> Result<Arc<ClientConfig>, StartError> {
    Ok(tls::outbound_config(Verification::Opportunistic)?)
}

fn resolver(config: &Config) -> Result<dns::System, StartError> {
    Ok(match config.dns.nameservers.as_slice() {
        [] => dns::System::from_host()?,
        nameservers => dns::System::new(nameservers)?,
    })
}

fn route(config: &Config, mx_port: Option<u16>) -> Result<RemoteRoute, StartError> {
    let Some(relay) = &config.queue.relay else {
        return Ok(RemoteRoute::Mx {
            port: mx_port.unwrap_or(25),
        });
    };
    let refuse = || StartError::Relay(format!("{relay:?} is not host:port"));
    let (host, port) = relay.rsplit_once(':').ok_or_else(refuse)?;
    Ok(RemoteRoute::Relay {
        host: host.to_owned(),
        port: port.parse().map_err(|_| refuse())?,
        security: RelaySecurity::Opportunistic,
        login: None,
    })
}

fn schedule(config: &Config) -> Schedule {
    Schedule {
        delay_notice: i64::from(config.queue.delay_notice_hours) * 3_600,
        lifetime: i64::from(config.queue.give_up_days) * 86_400,
        ..Schedule::default()
    }
}
