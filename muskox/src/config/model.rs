//! The keys of `muskox.toml` as types.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use smtp::Domain;

use super::ConfigError;

/// The whole file. Its keys are explained in [`super::reference`].
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name the server says in greetings, in `Received` and as `authserv-id`.
    #[serde(deserialize_with = "domain", serialize_with = "display")]
    pub hostname: Domain,
    /// The directory of the database and the blobs.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// The directory of what can be made again: compiled patterns; below `data_dir` when absent.
    #[serde(default)]
    pub cache_dir: Option<PathBuf>,
    /// SMTP listeners and limits.
    #[serde(default)]
    pub smtp: SmtpConfig,
    /// IMAP listeners and limits.
    #[serde(default)]
    pub imap: ImapConfig,
    /// The certificate.
    #[serde(default)]
    pub tls: TlsConfig,
    /// Name resolution.
    #[serde(default)]
    pub dns: DnsConfig,
    /// Outbound mail.
    #[serde(default)]
    pub queue: QueueConfig,
    /// Spam scores.
    #[serde(default)]
    pub filter: FilterConfig,
    /// The virus scanner.
    #[serde(default)]
    pub antivirus: AntivirusConfig,
    /// The private HTTP listener.
    #[serde(default)]
    pub metrics: MetricsConfig,
    /// What is logged, and how.
    #[serde(default)]
    pub log: LogConfig,
    /// The socket of the command line.
    #[serde(default)]
    pub control: ControlConfig,
    /// The database.
    #[serde(default)]
    pub store: StoreConfig,
    /// Who the server is, and what it may do.
    #[serde(default)]
    pub service: ServiceConfig,
}

/// `[smtp]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpConfig {
    /// Addresses for mail from other servers.
    pub mx: Vec<SocketAddr>,
    /// Addresses for mail from users, with STARTTLS.
    pub submission: Vec<SocketAddr>,
    /// Addresses for mail from users, TLS from the first octet.
    pub submissions: Vec<SocketAddr>,
    /// Addresses for LMTP, for a mail server in front.
    pub lmtp: Vec<SocketAddr>,
    /// The largest message accepted, in bytes.
    pub max_message_bytes: u64,
    /// The most recipients of one message.
    pub max_recipients: usize,
    /// The most sessions at a time.
    pub max_sessions: usize,
    /// The most sessions at a time from one address.
    pub max_sessions_per_address: usize,
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            mx: vec![any(25)],
            submission: vec![any(587)],
            submissions: vec![any(465)],
            lmtp: Vec::new(),
            max_message_bytes: 50 * 1024 * 1024,
            max_recipients: 1_000,
            max_sessions: 2_000,
            max_sessions_per_address: 100,
        }
    }
}

/// `[imap]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImapConfig {
    /// Addresses with STARTTLS.
    pub listen: Vec<SocketAddr>,
    /// Addresses with TLS from the first octet.
    pub listen_tls: Vec<SocketAddr>,
    /// The largest message a client may append, in bytes.
    pub max_append_bytes: u64,
    /// The most sessions at a time.
    pub max_sessions: usize,
    /// The most sessions at a time from one address.
    pub max_sessions_per_address: usize,
}

impl Default for ImapConfig {
    fn default() -> Self {
        Self {
            listen: vec![any(143)],
            listen_tls: vec![any(993)],
            max_append_bytes: 50 * 1024 * 1024,
            max_sessions: 10_000,
            max_sessions_per_address: 200,
        }
    }
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file with the certificate chain, the server's own first.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub key: Option<PathBuf>,
}

/// `[dns]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Resolvers to ask; those of the system when empty.
    pub nameservers: Vec<SocketAddr>,
}

/// `[queue]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// `host:port` of a smart host for all outbound mail; MX lookup when absent.
    pub relay: Option<String>,
    /// The most connections at a time to one destination.
    pub connections_per_destination: usize,
    /// Hours after which the sender is told that a message is late.
    pub delay_notice_hours: u32,
    /// Days after which a message is given up.
    pub give_up_days: u32,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            relay: None,
            connections_per_destination: 4,
            delay_notice_hours: 4,
            give_up_days: 5,
        }
    }
}

/// `[filter]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// From this score on a first attempt is answered "later".
    pub greylist_score: Option<f32>,
    /// From this score on a message goes to Junk.
    pub junk_score: f32,
    /// From this score on the subject says that a message is junk.
    pub rewrite_score: Option<f32>,
    /// From this score on a message is kept in quarantine.
    pub quarantine_score: Option<f32>,
    /// From this score on a message is refused.
    pub reject_score: f32,
    /// From this score on a message is accepted and thrown away.
    pub discard_score: Option<f32>,
    /// What stands before the subject of junk when it is rewritten.
    pub subject_prefix: String,
    /// Days that mail stays in quarantine.
    pub quarantine_days: u32,
    /// From this score on a message is learned as spam.
    pub learn_spam_score: f32,
    /// Up to this score a message is learned as good mail.
    pub learn_ham_score: f32,
    /// Whether verdicts teach the classifier.
    pub autolearn: bool,
    /// Whether name servers are asked about senders and links.
    pub network: bool,
    /// Block lists that are asked although they are off by default.
    pub lists: Vec<String>,
    /// Block lists that are not asked although they are on by default.
    pub lists_off: Vec<String>,
    /// Addresses for programs that speak Rspamd's HTTP protocol.
    pub rspamd: Vec<SocketAddr>,
    /// Addresses for mail servers that speak the milter protocol.
    pub milter: Vec<SocketAddr>,
    /// Password of those who teach over Rspamd's protocol.
    pub password: Option<String>,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self {
            greylist_score: None,
            junk_score: 6.0,
            rewrite_score: None,
            quarantine_score: None,
            reject_score: 15.0,
            discard_score: None,
            subject_prefix: "[SPAM] ".to_owned(),
            quarantine_days: 30,
            learn_spam_score: 12.0,
            learn_ham_score: -4.5,
            autolearn: true,
            network: true,
            lists: Vec::new(),
            lists_off: Vec::new(),
            rspamd: Vec::new(),
            milter: Vec::new(),
            password: None,
        }
    }
}

/// `[antivirus]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AntivirusConfig {
    /// Where clamd listens: a path or `host:port`; no virus scanner when absent.
    pub clamd: Option<String>,
    /// Seconds that it may take.
    pub timeout_seconds: u32,
    /// Largest message handed over, in bytes.
    pub max_bytes: u64,
    /// What happens to mail that cannot be scanned.
    pub on_failure: OnFailure,
}

impl Default for AntivirusConfig {
    fn default() -> Self {
        Self {
            clamd: None,
            timeout_seconds: 15,
            max_bytes: 25 * 1024 * 1024,
            on_failure: OnFailure::Accept,
        }
    }
}

/// `antivirus.on_failure`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Mail goes its way unscanned.
    #[default]
    Accept,
    /// The sender is told to try again later.
    Defer,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// The address of `/metrics`, `/healthz` and `/readyz`; keep it private.
    pub listen: Option<SocketAddr>,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 9090))),
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Which events are written.
    pub level: LogLevel,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `log.level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs somebody's attention now.
    Error,
    /// Also what may need it soon.
    Warn,
    /// Also one line for each session, message and delivery.
    #[default]
    Info,
    /// Also single steps.
    Debug,
    /// Everything.
    Trace,
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlConfig {
    /// The Unix socket on which the command line finds the running server.
    pub socket: PathBuf,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            socket: PathBuf::from("/run/muskox/control.sock"),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Threads that read the database.
    pub readers: usize,
    /// Memory for database pages, in MiB, of all connections together.
    pub cache_mib: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            readers: 4,
            cache_mib: 24,
        }
    }
}

/// `[service]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// The user that a server becomes that root has started: a name, or `uid:gid`.
    pub user: Option<String>,
    /// Whether it may stay root.
    pub root: bool,
    /// Whether files and system calls that it does not need are given up.
    pub sandbox: bool,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            user: None,
            root: false,
            sandbox: true,
        }
    }
}

impl Config {
    /// A configuration with every default, for `hostname`.
    #[must_use]
    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            data_dir: data_dir(),
            cache_dir: None,
            smtp: SmtpConfig::default(),
            imap: ImapConfig::default(),
            tls: TlsConfig::default(),
            dns: DnsConfig::default(),
            queue: QueueConfig::default(),
            filter: FilterConfig::default(),
            antivirus: AntivirusConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
            control: ControlConfig::default(),
            store: StoreConfig::default(),
            service: ServiceConfig::default(),
        }
    }

    /// The directory of what can be made again: the configured one, or else that which systemd made
    /// for the service, or else one below the data directory.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        let of_service = || std::env::var_os("CACHE_DIRECTORY").map(PathBuf::from);
        self.cache_dir
            .clone()
            .or_else(of_service)
            .unwrap_or_else(|| self.data_dir.join("cache"))
    }

    /// Checks what the types cannot say.
    pub(super) fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let refuse = |reason: &str| {
            Err(ConfigError::Conflict {
                path: path.to_owned(),
                reason: reason.to_owned(),
            })
        };
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return refuse("[tls] certificate and key go together: give both or neither");
        }
        if self.filter.junk_score > self.filter.reject_score {
            return refuse("[filter] junk_score must not be above reject_score");
        }
        if self.filter.learn_ham_score >= self.filter.learn_spam_score {
            return refuse("[filter] learn_ham_score must be below learn_spam_score");
        }
        if self.smtp.max_recipients == 0 || self.smtp.max_message_bytes == 0 {
            return refuse("[smtp] max_recipients and max_message_bytes must be above 0");
        }
        if self.store.readers == 0 || self.queue.connections_per_destination == 0 {
            return refuse(
                "[store] readers and [queue] connections_per_destination must be above 0",
            );
        }
        if self
            .queue
            .relay
            .as_deref()
            .is_some_and(|relay| !is_host_and_port(relay))
        {
            return refuse("[queue] relay must be host:port, as in \"smtp.example.net:587\"");
        }
        Ok(())
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn data_dir() -> PathBuf {
    PathBuf::from("/var/lib/muskox")
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port))
}

fn domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Domain, D::Error> {
    let text = String::deserialize(deserializer)?;
    Domain::parse(&text)
        .map_err(|error| serde::de::Error::custom(format!("`{text}` is not a host name: {error}")))
}

fn display<S: serde::Serializer>(domain: &Domain, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(domain)
}
