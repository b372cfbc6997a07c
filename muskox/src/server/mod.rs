//! Putting the services and the protocol servers together, and keeping them running.
//!
//! [`Server::start`] opens the store, binds every listener and only then accepts; [`Server::stop`]
//! ends the sessions, then the queue, then the store. `serve` adds what a service needs: signals,
//! readiness for systemd, the watchdog. The demo and the tests start the same server with other
//! [`Parts`].

mod error;
pub(crate) mod filtering;
mod identity;
mod judge;
mod listener;
mod maps;
mod metrics;
mod parts;
mod signals;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use sasl::Secret;
use tls::Certificates;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::control::{self, Handler};
use crate::demo::Captures;
use crate::sandbox;
use crate::version::VERSION;
use judge::FilterJudge;
use listener::{Listener, Slots};
use maps::FilterMaps;

pub use error::StartError;
pub(crate) use error::with_causes;
pub use parts::{Parts, Services};

/// How long the tasks of a stopping server are waited for.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often reputations are written down.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// How often released blobs and orphan files are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// The services, for whoever started the server.
    pub services: Services,
    addresses: Vec<(&'static str, SocketAddr)>,
    certificates: Arc<Certificates>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Server {
    /// Starts everything that `config` asks for. When it returns, every listener accepts.
    ///
    /// # Errors
    /// What cannot be opened or bound. Nothing stays running then.
    pub async fn start(config: &Config, parts: Parts) -> Result<Self, StartError> {
        tokio::task::spawn_blocking(filter::preload);
        let identity = match parts.identity.clone() {
            Some(identity) => identity,
            None => identity::load(config)?,
        };
        let certificates = Certificates::new(identity);
        let mut registry = Registry::default();
        let captures = parts.captures.clone();
        let services = Services::open(config, parts, &certificates, &mut registry).await?;
        let mut server = Self {
            services,
            addresses: Vec::new(),
            certificates,
            shutdown: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        match server.listen(config, registry, captures).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    async fn listen(
        &mut self,
        config: &Config,
        registry: Registry,
        captures: Option<Captures>,
    ) -> Result<(), StartError> {
        self.listen_smtp(config)?;
        self.listen_imap(config)?;
        self.listen_http(config, registry)?;
        self.listen_filter(config)?;
        let handler = Arc::new(Handler::new(
            self.services.clone(),
            self.addresses.clone(),
            config.hostname.clone(),
            captures,
        ));
        let socket = &config.control.socket;
        let control = control::serve(socket, handler, self.shutdown.clone())
            .await
            .map_err(|source| StartError::Control {
                path: socket.clone(),
                source,
            })?;
        self.tasks.spawn(control);
        self.run_queue();
        self.run_sweeper();
        self.run_filter(config);
        Ok(())
    }

    fn listen_smtp(&mut self, config: &Config) -> Result<(), StartError> {
        let slots = Slots::new(
            config.smtp.max_sessions,
            config.smtp.max_sessions_per_address,
        );
        let tls = self.certificates.server_config()?;
        let kinds = [
            ("mx", smtpd::Role::Mx, &config.smtp.mx, None),
            (
                "submission",
                smtpd::Role::Submission,
                &config.smtp.submission,
                None,
            ),
            (
                "submissions",
                smtpd::Role::Submission,
                &config.smtp.submissions,
                Some(tls),
            ),
            ("lmtp", smtpd::Role::Lmtp, &config.smtp.lmtp, None),
        ];
        for (name, role, addresses, implicit_tls) in kinds {
            for &address in addresses {
                let busy = b"421 4.3.2 Too many connections, try again later\r\n";
                let (slots, tls) = (Arc::clone(&slots), implicit_tls.clone());
                let listener = self.bind(name, address, tls, (slots, busy))?;
                let (smtpd, shutdown) = (self.services.smtpd.clone(), self.shutdown.clone());
                let session = move |stream, peer| {
                    let (smtpd, shutdown) = (smtpd.clone(), shutdown.clone());
                    let connection = smtpd::Connection { stream, peer, role };
                    async move { smtpd.session(connection, shutdown).await }
                };
                self.tasks
                    .spawn(listener.run(session, self.shutdown.clone()));
            }
        }
        Ok(())
    }

    fn listen_imap(&mut self, config: &Config) -> Result<(), StartError> {
        let slots = Slots::new(
            config.imap.max_sessions,
            config.imap.max_sessions_per_address,
        );
        let tls = self.certificates.server_config()?;
        let kinds = [
            ("imap", &config.imap.listen, None),
            ("imaps", &config.imap.listen_tls, Some(tls)),
        ];
        for (name, addresses, implicit_tls) in kinds {
            for &address in addresses {
                let busy = b"* BYE Too many connections, try again later\r\n";
                let (slots, tls) = (Arc::clone(&slots), implicit_tls.clone());
                let listener = self.bind(name, address, tls, (slots, busy))?;
                let (imapd, shutdown) = (self.services.imapd.clone(), self.shutdown.clone());
                let session = move |stream, peer| {
                    let (imapd, shutdown) = (imapd.clone(), shutdown.clone());
                    let connection = imapd::Connection { stream, peer };
                    async move { imapd.session(connection, shutdown).await }
                };
                self.tasks
                    .spawn(listener.run(session, self.shutdown.clone()));
            }
        }
        Ok(())
    }

    fn listen_http(&mut self, config: &Config, registry: Registry) -> Result<(), StartError> {
        let Some(address) = config.metrics.listen else {
            return Ok(());
        };
        let socket = self.bind_socket("metrics", address)?;
        let db = self.services.db.clone();
        let shutdown = self.shutdown.clone();
        let private = web::Private {
            registry: Arc::new(registry),
            ready: Arc::new(move || !db.is_failed() && !shutdown.is_cancelled()),
        };
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            if let Err(error) = web::serve_private(socket, private, shutdown).await {
                tracing::error!(%error, "the metrics listener ended");
            }
        });
        Ok(())
    }

    /// For other mail servers: Rspamd's protocol and milter.
    fn listen_filter(&mut self, config: &Config) -> Result<(), StartError> {
        let judge = Arc::new(FilterJudge::new(self.services.clone()));
        let maps = Arc::new(FilterMaps::new(self.services.clone()));
        let size = usize::try_from(config.smtp.max_message_bytes).unwrap_or(usize::MAX);
        for &address in &config.filter.rspamd {
            let socket = self.bind_socket("rspamd", address)?;
            let options = filterd::http::Options {
                message_max: size,
                password: config.filter.password.clone().map(Secret::new),
                ..filterd::http::Options::default()
            };
            let (judge, maps) = (Arc::clone(&judge), Arc::clone(&maps));
            let shutdown = self.shutdown.clone();
            self.tasks.spawn(async move {
                let served = filterd::http::serve(socket, judge, maps, options, shutdown);
                if let Err(error) = served.await {
                    tracing::error!(%error, "the listener for Rspamd's protocol ended");
                }
            });
        }
        for &address in &config.filter.milter {
            let socket = self.bind_socket("milter", address)?;
            let mut options = filterd::milter::Options::default();
            options.session.size = size;
            let (judge, shutdown) = (Arc::clone(&judge), self.shutdown.clone());
            self.tasks
                .spawn(filterd::milter::serve(socket, judge, options, shutdown));
        }
        Ok(())
    }

    fn bind_socket(
        &mut self,
        name: &'static str,
        address: SocketAddr,
    ) -> Result<TcpListener, StartError> {
        let socket = listener::bind(address).map_err(|source| StartError::Listen {
            name,
            address,
            source,
        })?;
        self.addresses.push((name, socket.local_addr()?));
        Ok(socket)
    }

    fn bind(
        &mut self,
        name: &'static str,
        address: SocketAddr,
        implicit_tls: Option<Arc<rustls::ServerConfig>>,
        (slots, busy): (Arc<Slots>, &'static [u8]),
    ) -> Result<Listener, StartError> {
        let socket = self.bind_socket(name, address)?;
        Ok(Listener {
            name,
            socket,
            implicit_tls,
            slots,
            busy,
        })
    }

    fn run_queue(&mut self) {
        let (queue, shutdown) = (self.services.queue.clone(), self.shutdown.clone());
        self.tasks.spawn(async move { queue.run(shutdown).await });
    }

    fn run_sweeper(&mut self) {
        let (db, shutdown) = (self.services.db.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            loop {
                match db.sweep().await {
                    Ok(swept) => tracing::debug!(?swept, "blobs swept"),
                    Err(error) => tracing::warn!(%error, "blobs could not be swept"),
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                }
            }
        });
    }

    /// What the filter does beside judging: following changes, learning from users, writing down
    /// and forgetting what it remembers.
    fn run_filter(&mut self, config: &Config) {
        let services = &self.services;
        let until = |shutdown: &CancellationToken| shutdown.clone().cancelled_owned();
        let follow = services.filter.clone().follow();
        let learn = services
            .filter
            .clone()
            .learn_from_users(services.mail.clone());
        let policy = services.policy.clone().follow();
        for (name, task) in [
            ("follow rules", Box::pin(follow) as BoxFuture<'static, ()>),
            ("learn from users", Box::pin(learn)),
            ("follow policy", Box::pin(async { match policy.await {} })),
        ] {
            let stopped = until(&self.shutdown);
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stopped => {}
                    () = task => tracing::error!(name, "a background task ended"),
                }
            });
        }
        let keeper = Keeper {
            services: services.clone(),
            quarantine_days: i64::from(config.filter.quarantine_days),
        };
        self.tasks.spawn(keeper.run(self.shutdown.clone()));
    }

    /// Where the listener called `name` (mx, submission, submissions, lmtp, imap, imaps, metrics,
    /// rspamd, milter) is bound.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.addresses
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, address)| *address)
    }

    /// All listeners.
    #[must_use]
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// Takes the certificate from the files again; the old one stays when they are no good.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn reload(&self, config: &Config) -> Result<(), StartError> {
        self.certificates.replace(identity::load(config)?);
        Ok(())
    }

    /// Ends every session with a goodbye, then the queue, then the store.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, all_ended).await.is_err() {
            tracing::warn!("some tasks did not end in time");
            self.tasks.shutdown().await;
        }
        self.services.db.close().await;
    }
}

/// Keeps what the filter remembers within its bounds.
struct Keeper {
    services: Services,
    quarantine_days: i64,
}

impl Keeper {
    async fn run(self, shutdown: CancellationToken) {
        let mut purge = tokio::time::interval(SWEEP_INTERVAL);
        let mut flush = tokio::time::interval(FLUSH_INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => {
                    self.flush().await;
                    return;
                }
                _ = flush.tick() => self.flush().await,
                _ = purge.tick() => self.purge().await,
            }
        }
    }

    async fn flush(&self) {
        if let Err(error) = self.services.learn.tick().await {
            tracing::warn!(%error, "reputations could not be written down");
        }
    }

    async fn purge(&self) {
        let now = self.services.now();
        let before = |seconds: i64| ambient::Timestamp(now.saturating_sub(seconds));
        let quarantine = before(self.quarantine_days.saturating_mul(86_400));
        if let Err(error) = self.services.queue.purge_quarantine(quarantine).await {
            tracing::warn!(%error, "the quarantine could not be cleared");
        }
        let records = filter::record::purge(&self.services.db, before(filter::record::KEEP));
        if let Err(error) = records.await {
            tracing::warn!(%error, "old verdicts could not be deleted");
        }
        if let Err(error) = self.services.learn.purge(ambient::Timestamp(now)).await {
            tracing::warn!(%error, "what was learned could not be cleared");
        }
    }
}

/// Runs the server until SIGTERM or SIGINT; SIGHUP reads configuration and certificate again.
///
/// # Errors
/// It could not start, or the store failed while it ran.
pub async fn serve(config: Config, path: PathBuf, parts: Parts) -> Result<(), StartError> {
    let server = Server::start(&config, parts).await?;
    if config.service.sandbox {
        sandbox::close()?;
    }
    for (name, address) in server.addresses() {
        tracing::info!(listener = name, %address, "listening");
    }
    tracing::info!(
        version = VERSION, hostname = %config.hostname,
        data = %config.data_dir.display(), "muskox is ready"
    );
    let failed = signals::until_stopped(&server, &path).await;
    server.stop().await;
    tracing::info!("muskox has stopped");
    if failed {
        Err(StartError::StoreFailed)
    } else {
        Ok(())
    }
}

/// Reads the configuration again. Only the certificate takes effect in a running server; what
/// else has changed is named, and waits for a restart.
fn reload(server: &Server, path: &Path) {
    let result = Config::load(path)
        .map_err(StartError::from)
        .and_then(|config| server.reload(&config));
    match result {
        Ok(()) => tracing::info!(
            "configuration and certificate read again; listeners and limits change with a restart"
        ),
        Err(error) => {
            tracing::error!(%error, "the old configuration and certificate stay in force")
        }
    }
}
