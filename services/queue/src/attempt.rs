//! One attempt to hand a message to one destination: its hosts in order, its recipients in batches.
//!
//! Recipients that the remote server takes are removed from the queue as soon as it says so. The
//! others come back with the failure that counts: a verdict of the destination at once, otherwise
//! the last thing that went wrong, a temporary one before a permanent one.
//!
//! RFC 5321 §5.1 (trying hosts in order), RFC 7435 (TLS where possible). Start at
//! [`Attempt::run`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use smtp::{Address, Domain};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tracing::{debug, error, info};

use crate::failure::{Elsewhere, Failure};
use crate::remote::session::Trouble;
use crate::remote::{Envelope, Outcome, Security, Session, Target};
use crate::route::{self, Host, RelaySecurity, RemoteRoute};
use crate::table::{self, Claimed};
use crate::{Error, Inner};

/// RFC 5321 §4.5.3.1.8: recipients of one transaction that every server must take.
const MAX_RECIPIENTS: usize = 100;
/// Addresses of one host that are tried.
const MAX_ADDRESSES: usize = 4;
/// Connections of one attempt that may fail before the destination counts as out of reach.
const MAX_CONNECTIONS: usize = 8;
/// Hosts that are asked for the same recipients when they say "later".
const MAX_SESSIONS: usize = 2;

/// The message as it goes over the wire, loaded when the first server wants it.
pub(crate) struct Content {
    loaded: OnceCell<Result<Loaded, Failure>>,
}

struct Loaded {
    /// Dot-stuffed, with the final dot.
    data: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Content {
    pub(crate) fn new() -> Self {
        Self {
            loaded: OnceCell::new(),
        }
    }

    async fn get(&self, inner: &Inner, message: &Claimed) -> Result<&[u8], Failure> {
        let loaded = self.loaded.get_or_init(|| Self::load(inner, message)).await;
        loaded
            .as_ref()
            .map(|loaded| loaded.data.as_slice())
            .map_err(Clone::clone)
    }

    async fn load(inner: &Inner, message: &Claimed) -> Result<Loaded, Failure> {
        // A message larger than the whole budget goes alone.
        let kib = u32::try_from(message.size / 1_024 + 1).unwrap_or(u32::MAX);
        let kib = kib.min(inner.options.limits.content_kib.max(1));
        let room = Arc::clone(&inner.content)
            .acquire_many_owned(kib)
            .await
            .ok();
        let blob = inner.options.db.blob(message.blob).await.map_err(|error| {
            error!(queue_id = message.id.0, %error, "a queued message cannot be read");
            // RFC 3463 §3.4: X.3.0, other mail system status. The operator may still mend it.
            Failure::temporary(3, 0, "the message cannot be read from the store")
                .with(Elsewhere::Final)
        })?;
        let whole = [message.prefix.as_slice(), &blob].concat();
        drop(blob);
        let mut data = Vec::with_capacity(whole.len() + whole.len() / 64 + 16);
        smtp::data::encode_data(&whole, &mut data);
        Ok(Loaded { data, _room: room })
    }
}

/// One attempt.
pub(crate) struct Attempt<'a> {
    inner: &'a Arc<Inner>,
    message: &'a Claimed,
    content: &'a Content,
    destination: &'a Arc<str>,
    /// The recipients' domain; they share it unless a smart host takes all domains.
    domain: &'a Domain,
    /// Recipients that may still be reached, with the last thing that went wrong.
    pending: BTreeMap<usize, (Address, Option<Failure>)>,
    /// Recipients with a verdict.
    failed: Vec<(usize, Failure)>,
    connections: usize,
    sessions: usize,
}

/// What an attempt is about.
pub(crate) struct Hop<'a> {
    pub(crate) destination: &'a Arc<str>,
    pub(crate) domain: &'a Domain,
    /// Indices into the message's recipients.
    pub(crate) recipients: Vec<(usize, Address)>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        inner: &'a Arc<Inner>,
        message: &'a Claimed,
        content: &'a Content,
        hop: Hop<'a>,
    ) -> Self {
        let pending = hop
            .recipients
            .into_iter()
            .map(|(index, address)| (index, (address, None)))
            .collect();
        Self {
            inner,
            message,
            content,
            destination: hop.destination,
            domain: hop.domain,
            pending,
            failed: Vec::new(),
            connections: 0,
            sessions: 0,
        }
    }

    /// Tries to deliver; returns the recipients that were not reached. Those that were are off the
    /// queue.
    pub(crate) async fn run(mut self) -> Vec<(usize, Failure)> {
        let now = self.inner.options.clock.now();
        if let Some(outage) = self.inner.destinations.outage(self.destination, now) {
            self.fail_all(&outage);
            return self.failed;
        }
        if let Some(session) = self.idle_session().await {
            self.use_session(session).await;
        }
        if self.is_open() {
            match self.resolve_hosts().await {
                Ok(hosts) => self.try_hosts(&hosts).await,
                Err(failure) => self.fail_all(&failure),
            }
        }
        self.finish()
    }

    /// Whether there is somebody to reach and a host may still be asked.
    fn is_open(&self) -> bool {
        !self.pending.is_empty()
            && self.sessions < MAX_SESSIONS
            && self.connections < MAX_CONNECTIONS
    }

    fn finish(mut self) -> Vec<(usize, Failure)> {
        for (index, (_, failure)) in std::mem::take(&mut self.pending) {
            let unknown = || Failure::temporary(4, 4, "no host could be asked");
            self.failed.push((index, failure.unwrap_or_else(unknown)));
        }
        self.failed
    }

    /// A verdict for everybody.
    fn fail_all(&mut self, failure: &Failure) {
        for (index, _) in std::mem::take(&mut self.pending) {
            self.failed.push((index, failure.clone()));
        }
    }

    /// Something went wrong at one host; another one may still do better. What one host refuses
    /// for good does not outweigh that another one was out of reach.
    fn note(&mut self, failure: &Failure) {
        for (_, noted) in self.pending.values_mut() {
            note(noted, failure);
        }
    }

    /// RFC 5321 §5.1: the hosts to try, in order.
    async fn resolve_hosts(&self) -> Result<Vec<Host>, Failure> {
        match &self.inner.options.route {
            RemoteRoute::Mx { .. } => {
                let options = &self.inner.options;
                let answer = options.resolver.mx(self.domain).await;
                route::order(self.domain, answer, &options.hostname, &*options.random)
            }
            RemoteRoute::Relay { host, .. } => {
                let literal = host.trim_start_matches('[').trim_end_matches(']');
                if let Ok(address) = literal.parse::<IpAddr>() {
                    return Ok(vec![Host::Literal(address)]);
                }
                let unusable = |_| Failure::temporary(3, 5, format!("{host:?} is no host name"));
                Domain::parse(host)
                    .map(|name| vec![Host::Name(name)])
                    .map_err(unusable)
            }
        }
    }

    async fn try_hosts(&mut self, hosts: &[Host]) {
        for host in hosts {
            if !self.is_open() {
                break;
            }
            match self.addresses(host).await {
                Ok(addresses) => self.try_host(host, &addresses).await,
                Err(failure) => self.note(&failure),
            }
        }
        // Everything that was tried failed before a host would talk: let the destination rest.
        if self.sessions == 0 && self.connections > 0 {
            let noted = self
                .pending
                .values()
                .find_map(|(_, failure)| failure.clone());
            if let Some(failure) = noted.filter(|failure| !failure.is_permanent()) {
                let now = self.inner.options.clock.now();
                self.inner
                    .destinations
                    .unreachable(self.destination, now, &failure);
            }
        }
    }

    async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Failure> {
        let name = match host {
            Host::Literal(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        let mut addresses = self
            .inner
            .options
            .resolver
            .addresses(name)
            .await
            .map_err(|error| match &error {
                dns::Error::Temporary(_) | dns::Error::Configuration(_) => {
                    route::no_route(name, &error)
                }
                // RFC 3463 §3.5: X.4.4, unable to route.
                _ => Failure::permanent(4, 4, format!("the mail host {name} has no address")),
            })?;
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// Connects to the addresses of one host until it talks.
    async fn try_host(&mut self, host: &Host, addresses: &[IpAddr]) {
        let name = host.to_string();
        for address in addresses {
            if self.connections >= MAX_CONNECTIONS {
                return;
            }
            self.connections += 1;
            match self.open(host, &name, *address).await {
                Ok(session) => return self.use_session(session).await,
                Err(failure) => {
                    debug!(queue_id = self.message.id.0, %failure, "host not usable");
                    if failure.elsewhere == Elsewhere::Final {
                        return self.fail_all(&failure);
                    }
                    self.note(&failure);
                }
            }
        }
    }

    async fn open(&self, host: &Host, name: &str, address: IpAddr) -> Result<Session, Failure> {
        let options = &self.inner.options;
        let (port, security, login) = match &options.route {
            RemoteRoute::Mx { port } => (*port, Security::Opportunistic(options.tls.clone()), None),
            RemoteRoute::Relay {
                port,
                security,
                login,
                ..
            } => {
                let security = match security {
                    RelaySecurity::Opportunistic => Security::Opportunistic(options.tls.clone()),
                    RelaySecurity::StartTls(config) => Security::Required(config.clone()),
                    RelaySecurity::Implicit(config) => Security::Implicit(config.clone()),
                };
                (*port, security, login.as_ref())
            }
        };
        let server_name = match host {
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned()).ok(),
            Host::Literal(address) => Some(ServerName::IpAddress((*address).into())),
        };
        let mut target = Target {
            host: name,
            server_name,
            address: SocketAddr::new(address, port),
            security: &security,
            login,
            own: &options.hostname,
        };
        let opened = match Session::open(&target, &self.inner.timeouts).await {
            Err(Trouble::Handshake(failure)) => {
                // RFC 7435 §3: opportunistic security falls back to clear text; what would forbid
                // it (DANE, MTA-STS) is not known for this host.
                info!(queue_id = self.message.id.0, %failure, "TLS failed, going on in clear");
                target.security = &Security::Clear;
                Session::open(&target, &self.inner.timeouts).await
            }
            opened => opened,
        };
        match opened {
            Ok(session) => {
                self.inner.counters.connections.add(1);
                self.inner
                    .counters
                    .clear
                    .add(usize::from(!session.is_encrypted()));
                Ok(session)
            }
            Err(Trouble::Failed(failure) | Trouble::Handshake(failure)) => Err(failure),
        }
    }

    /// A session of an earlier message that still stands.
    async fn idle_session(&self) -> Option<Session> {
        while let Some(mut session) = self.inner.pool.take(self.destination) {
            if session.reset().await.is_ok() {
                self.inner.counters.reused.add(1);
                return Some(session);
            }
        }
        None
    }

    /// Hands the message over in as many transactions as it takes.
    async fn use_session(&mut self, mut session: Session) {
        self.sessions += 1;
        self.inner.destinations.reachable(self.destination);
        let data = match self.content.get(self.inner, self.message).await {
            Ok(data) => data,
            Err(failure) => {
                self.fail_all(&failure);
                return self.give_back(session).await;
            }
        };
        let message = self.message;
        let envelope = Envelope {
            sender: &message.sender,
            size: message.size,
            eightbit: message.eightbit,
            utf8: message.utf8,
        };
        let mut rest: Vec<(usize, Address)> = self
            .pending
            .iter()
            .map(|(index, (address, _))| (*index, address.clone()))
            .collect();
        while !rest.is_empty() && session.is_usable() {
            let batch: Vec<(usize, Address)> =
                rest.drain(..rest.len().min(MAX_RECIPIENTS)).collect();
            let recipients: Vec<&Address> = batch.iter().map(|(_, address)| address).collect();
            let outcomes = session.send(&envelope, &recipients, data).await;
            let before = rest.len();
            rest.extend(self.sort_out(&session, batch, outcomes).await);
            debug_assert!(
                rest.len() < before + MAX_RECIPIENTS,
                "one recipient at least moves on"
            );
        }
        let broken = Failure::temporary(4, 2, "the connection ended early").at(session.host());
        for (index, _) in rest {
            if let Some((_, noted)) = self.pending.get_mut(&index) {
                note(noted, &broken);
            }
        }
        self.give_back(session).await;
    }

    /// Acts on the outcomes of one transaction; returns the recipients to send for once more.
    async fn sort_out(
        &mut self,
        session: &Session,
        batch: Vec<(usize, Address)>,
        outcomes: Vec<Outcome>,
    ) -> Vec<(usize, Address)> {
        let mut again = Vec::new();
        let mut delivered = Vec::new();
        for ((index, address), outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Delivered(reply) => {
                    self.pending.remove(&index);
                    delivered.push((index, reply));
                }
                Outcome::Again => again.push((index, address)),
                Outcome::Failed(failure) if failure.elsewhere == Elsewhere::Try => {
                    if let Some((_, noted)) = self.pending.get_mut(&index) {
                        note(noted, &failure);
                    }
                }
                Outcome::Failed(failure) => {
                    self.pending.remove(&index);
                    self.failed.push((index, failure));
                }
            }
        }
        self.settle_delivered(session, &delivered).await;
        again
    }

    /// Takes recipients off the queue right after the server's answer: what happens between the
    /// two is the only chance for a duplicate.
    async fn settle_delivered(&self, session: &Session, delivered: &[(usize, smtp::Reply)]) {
        let Some((_, reply)) = delivered.first() else {
            return;
        };
        let addresses: Vec<String> = delivered
            .iter()
            .filter_map(|(index, _)| self.message.recipients.get(*index))
            .map(|recipient| recipient.address.clone())
            .collect();
        self.inner.counters.remote.add(addresses.len());
        let (id, message) = (self.message.id, self.message.identity());
        info!(
            queue_id = id.0,
            recipients = addresses.len(),
            host = session.host(),
            encrypted = session.is_encrypted(),
            %reply,
            "delivered"
        );
        let settled = self
            .inner
            .options
            .db
            .write(move |tx| table::remove(tx, message, &addresses))
            .await;
        if let Err(error) = settled {
            let error: Error = error;
            error!(queue_id = id.0, %error, "a delivery could not be recorded and will be repeated");
        }
    }

    /// Keeps the session for the next message or ends it.
    async fn give_back(&self, session: Session) {
        let time = self.inner.timeouts.idle;
        if let Some(session) = self.inner.pool.put(self.destination, session, time) {
            session.quit().await;
        }
    }
}

fn note(noted: &mut Option<Failure>, failure: &Failure) {
    let outweighed = noted.as_ref().is_some_and(|noted| !noted.is_permanent());
    if !(outweighed && failure.is_permanent()) {
        *noted = Some(failure.clone());
    }
}
