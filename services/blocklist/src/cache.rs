//! Questions to the resolver: kept answers, and one question at a time for each name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ambient::Clock;
use dns::{Error, Resolver};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use smtp::address::Domain;

use crate::config::Times;

/// Exchanges of a domain whose addresses are asked for.
const EXCHANGES_MAX: usize = 3;

/// One question to the resolver.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The entry of a list.
    Entry(String),
    /// A text, for the origin of an address.
    Text(String),
    /// The IPv4 addresses of a host in a link.
    Addresses(Domain),
    /// Whether mail to the domain has somewhere to go.
    MailHost(Domain),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Addresses(Arc<[Ipv4Addr]>),
    Texts(Arc<[String]>),
    MailHost(MailHost),
    Nothing,
    /// Nobody could tell; `answered` when a name server at least said so.
    Failed {
        answered: bool,
    },
}

/// Where mail for a domain would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailHost {
    /// An exchange with an address.
    Exchange,
    /// No exchange, but an address.
    Address,
    /// The domain says that it takes no mail.
    Refused,
    /// Exchanges, none of which exists.
    Unusable,
    /// Neither exchange nor address.
    Missing,
}

struct Kept {
    found: Found,
    /// In milliseconds of the clock.
    until: i64,
}

type Running = Shared<BoxFuture<'static, Found>>;

/// Two generations: when the younger is full it becomes the older, and the older is forgotten.
#[derive(Default)]
struct State {
    young: HashMap<Key, Kept>,
    old: HashMap<Key, Kept>,
    running: HashMap<Key, WeakShared<BoxFuture<'static, Found>>>,
}

pub(crate) struct Cache {
    resolver: Arc<dyn Resolver>,
    clock: Arc<dyn Clock>,
    times: Times,
    generation: usize,
    state: Mutex<State>,
}

impl Cache {
    pub(crate) fn new(
        resolver: Arc<dyn Resolver>,
        clock: Arc<dyn Clock>,
        times: Times,
        entries: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            resolver,
            clock,
            times,
            generation: (entries / 2).max(1),
            state: Mutex::default(),
        })
    }

    /// The answer to `key`, kept or asked for. Whoever asks what is being asked waits for the same
    /// answer; when nobody waits any longer, the question is dropped.
    pub(crate) async fn find(self: &Arc<Self>, key: Key) -> Found {
        let now = self.clock.now_millis();
        let running = {
            let mut state = self.state();
            match state.kept(&key, now) {
                Some(found) => return found,
                None => match state.running.get(&key).and_then(WeakShared::upgrade) {
                    Some(running) => running,
                    None => self.start(&mut state, key),
                },
            }
        };
        running.await
    }

    fn start(self: &Arc<Self>, state: &mut State, key: Key) -> Running {
        let ticket = Ticket {
            cache: Arc::clone(self),
            key: key.clone(),
        };
        let asked = async move {
            let found = ticket.cache.ask(&ticket.key).await;
            ticket.cache.keep(ticket.key.clone(), found.clone());
            found
        };
        let running = asked.boxed().shared();
        if let Some(weak) = running.downgrade() {
            state.running.insert(key, weak);
        }
        running
    }

    fn keep(&self, key: Key, found: Found) {
        let seconds = match &found {
            Found::Nothing => self.times.negative,
            Found::Failed { .. } => self.times.failure,
            _ => self.times.positive,
        };
        let until = self
            .clock
            .now_millis()
            .saturating_add(i64::from(seconds).saturating_mul(1_000));
        let mut state = self.state();
        if state.young.len() >= self.generation {
            state.old = std::mem::take(&mut state.young);
        }
        state.young.insert(key, Kept { found, until });
    }

    async fn ask(&self, key: &Key) -> Found {
        match key {
            Key::Entry(name) => translate(self.resolver.list_addresses(name).await, |found| {
                Found::Addresses(found.into())
            }),
            Key::Text(name) => translate(self.resolver.txt(name).await, |found| {
                Found::Texts(found.into())
            }),
            Key::Addresses(host) => translate(self.resolver.addresses(host).await, |found| {
                let v4 = found.into_iter().filter_map(|address| match address {
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => None,
                });
                Found::Addresses(v4.collect())
            }),
            Key::MailHost(domain) => self.mail_host(domain).await,
        }
    }

    async fn mail_host(&self, domain: &Domain) -> Found {
        let exchanges = match self.resolver.mx(domain).await {
            Ok(exchanges) => exchanges,
            // RFC 7505 §3: the domain takes no mail, so nothing can be returned to its sender.
            Err(Error::NullMx) => return Found::MailHost(MailHost::Refused),
            Err(Error::Unusable) => return Found::MailHost(MailHost::Unusable),
            // RFC 5321 §5.1: without an MX record the address of the domain itself serves.
            Err(Error::NoRecords(_)) => {
                return match self.resolver.addresses(domain).await {
                    Ok(_) => Found::MailHost(MailHost::Address),
                    Err(Error::NoRecords(_)) => Found::MailHost(MailHost::Missing),
                    Err(error) => failed(&error),
                };
            }
            Err(error) => return failed(&error),
        };
        for exchange in exchanges.iter().take(EXCHANGES_MAX) {
            match self.resolver.addresses(&exchange.exchange).await {
                Ok(_) => return Found::MailHost(MailHost::Exchange),
                Err(Error::NoRecords(_)) => {}
                Err(error) => return failed(&error),
            }
        }
        if exchanges.len() > EXCHANGES_MAX {
            return Found::MailHost(MailHost::Exchange);
        }
        Found::MailHost(MailHost::Unusable)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn kept(&mut self, key: &Key, now: i64) -> Option<Found> {
        let kept = self.young.get(key).or_else(|| self.old.get(key))?;
        (kept.until > now).then(|| kept.found.clone())
    }
}

fn translate<T>(answer: Result<T, Error>, found: impl FnOnce(T) -> Found) -> Found {
    match answer {
        Ok(records) => found(records),
        Err(Error::NoRecords(_) | Error::InvalidName | Error::Unusable | Error::NullMx) => {
            Found::Nothing
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Found {
    let answered = matches!(error, Error::Temporary(dns::Failure::Server(_)));
    Found::Failed { answered }
}

/// Takes a question off the list of running ones, answered or dropped.
struct Ticket {
    cache: Arc<Cache>,
    key: Key,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cache.state().running.remove(&self.key);
    }
}
