//! Asking, within the deadline, and what the answers mean.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ambient::Clock;
use dns::Resolver;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::cache::{Cache, Found, Key, MailHost};
use crate::config::{Config, ConfigError};
use crate::health::{Health, Pause};
use crate::list::List;
use crate::names;
use crate::plan::{Plan, Sender, Task, Use};
use crate::question::{Answer, NetworkSignal, Question};

/// Options of one signal.
const OPTIONS_MAX: usize = 5;
/// Addresses of one host in a link that lists are asked about.
const HOST_ADDRESSES_MAX: usize = 4;

/// The lists and what is known of them. Shared by all sessions; cheap to clone.
#[derive(Clone)]
pub struct Blocklist {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    lists: Vec<List>,
    cache: Arc<Cache>,
    clock: Arc<dyn Clock>,
    health: Health,
}

impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Zones may hold keys.
        let names: Vec<_> = self.inner.lists.iter().map(|list| &list.name).collect();
        f.debug_struct("Blocklist").field("lists", &names).finish()
    }
}

impl Blocklist {
    /// The enabled lists of `config`, asked through `resolver`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration contradicts itself.
    pub fn new(
        resolver: Arc<dyn Resolver>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self, ConfigError> {
        let lists = config.effective()?;
        let cache = Cache::new(resolver, Arc::clone(&clock), config.times, config.cache);
        let inner = Inner {
            config,
            lists,
            cache,
            clock,
            health: Health::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The lists that are asked.
    #[must_use]
    pub fn lists(&self) -> &[List] {
        &self.inner.lists
    }

    /// Every symbol an answer may have, with its score and what it says, sorted by symbol.
    #[must_use]
    pub fn symbols(&self) -> Vec<(&str, f32, &str)> {
        let codes = self.inner.lists.iter().flat_map(|list| &list.codes);
        let mut symbols: Vec<_> = codes
            .map(|code| (code.symbol.as_str(), code.score, code.description.as_str()))
            .chain(
                self.inner
                    .lists
                    .iter()
                    .map(|list| (list.blocked.as_str(), 0.0, REFUSED)),
            )
            .chain(HOST_SYMBOLS)
            .chain([TIMEOUT])
            .collect();
        symbols.sort_by(|a, b| a.0.cmp(b.0));
        symbols.dedup_by(|a, b| a.0 == b.0);
        symbols
    }

    /// What the network says about a message. Takes as long as the slowest answer, and never longer
    /// than the configured deadline. Cancel-safe.
    pub async fn look_up(&self, question: &Question<'_>) -> Answer {
        let started = Instant::now();
        let inner = &*self.inner;
        let now = inner.clock.now_millis();
        let mut report = Report::new(inner, now);
        let paused: Vec<Option<Pause>> = inner
            .lists
            .iter()
            .map(|list| inner.health.pause(&list.zone, now))
            .collect();
        let asked = |index: usize| paused.get(index).copied().flatten().is_none();
        let plan = Plan::new(&inner.config, &inner.lists, question, asked);
        report.paused(&paused);
        let deadline = started + Duration::from_millis(inner.config.deadline.into());
        let (found, timed_out) = inner.ask_all(&plan.tasks, deadline).await;
        report.read(&plan.tasks, &found);
        let mut answer = report.finish();
        answer.timed_out = timed_out;
        answer.left_out = plan.left_out;
        answer.elapsed = started.elapsed();
        tracing::debug!(
            questions = plan.tasks.len(),
            left_out = answer.left_out,
            signals = answer.signals.len(),
            timed_out,
            milliseconds = answer.elapsed.as_millis(),
            "asked the network"
        );
        answer
    }
}

const REFUSED: &str = "The list refuses to answer this server";
const TIMEOUT: (&str, f32, &str) = (
    "DNS_TIMEOUT",
    0.0,
    "Not every question to the DNS was answered in time",
);
const HOST_SYMBOLS: [(&str, f32, &str); 8] = [
    (
        "MX_GOOD",
        -0.01,
        "Mail to the sender's domain has somewhere to go",
    ),
    (
        "MX_INVALID",
        1.0,
        "The sender's domain names hosts for mail, and none exists",
    ),
    (
        "MX_NULL",
        1.0,
        "The sender's domain says that it takes no mail",
    ),
    (
        "MX_MISSING",
        2.0,
        "The sender's domain has neither a host for mail nor an address",
    ),
    (
        "FROM_MX_INVALID",
        0.5,
        "The author's domain names hosts for mail, and none exists",
    ),
    (
        "FROM_MX_NULL",
        0.2,
        "The author's domain says that it takes no mail",
    ),
    (
        "FROM_MX_MISSING",
        2.0,
        "The author's domain has neither a host for mail nor an address",
    ),
    (
        "MX_UNKNOWN",
        0.0,
        "Whether mail to the sender's domain has somewhere to go could not be found out",
    ),
];

/// What came of one task.
enum Outcome {
    One(Found),
    /// The addresses of a host, each with the answer of each list.
    Host(Vec<(Ipv4Addr, usize, Found)>),
}

impl Inner {
    /// Outcomes by task; `None` where the deadline came first.
    async fn ask_all(&self, tasks: &[Task], deadline: Instant) -> (Vec<Option<Outcome>>, bool) {
        let mut outcomes: Vec<Option<Outcome>> = tasks.iter().map(|_| None).collect();
        let mut work = Vec::with_capacity(tasks.len());
        for (index, task) in tasks.iter().enumerate() {
            work.push(async move { (index, self.perform(task).await) });
        }
        let parallel = self.config.parallel.max(1);
        let running = futures_util::stream::iter(work).buffer_unordered(parallel);
        let mut running = std::pin::pin!(running);
        loop {
            match tokio::time::timeout_at(deadline, running.next()).await {
                Ok(Some((index, outcome))) => {
                    if let Some(slot) = outcomes.get_mut(index) {
                        *slot = Some(outcome);
                    }
                }
                Ok(None) => return (outcomes, false),
                Err(_passed) => return (outcomes, true),
            }
        }
    }

    async fn perform(&self, task: &Task) -> Outcome {
        match task {
            Task::Entry { key, .. }
            | Task::Sanity { key, .. }
            | Task::Origin { key }
            | Task::MailHost { key, .. } => Outcome::One(self.cache.find(key.clone()).await),
            Task::Resolve { host, lists } => {
                let addresses = match self.cache.find(Key::Addresses(host.clone())).await {
                    Found::Addresses(addresses) => addresses,
                    other => return Outcome::One(other),
                };
                let public = addresses
                    .iter()
                    .copied()
                    .filter(|&address| names::public(address.into()).is_some())
                    .take(HOST_ADDRESSES_MAX);
                let mut answers = Vec::new();
                for address in public {
                    for &list in lists {
                        answers.push(self.entry_of(address, list));
                    }
                }
                Outcome::Host(futures_util::future::join_all(answers).await)
            }
        }
    }

    async fn entry_of(&self, address: Ipv4Addr, list: usize) -> (Ipv4Addr, usize, Found) {
        let zone = self.lists.get(list).map_or("", |list| list.zone.as_str());
        let name = names::below(&names::reversed(IpAddr::V4(address)), zone);
        let found = match name {
            Some(name) => self.cache.find(Key::Entry(name)).await,
            None => Found::Nothing,
        };
        (address, list, found)
    }
}

/// The signals of one message while the answers are read.
struct Report<'a> {
    inner: &'a Inner,
    now: i64,
    answer: Answer,
    /// Signals by position of their symbol: lists in order, then the rest.
    insane: BTreeSet<&'a str>,
    late: Vec<String>,
}

impl<'a> Report<'a> {
    fn new(inner: &'a Inner, now: i64) -> Self {
        Self {
            inner,
            now,
            answer: Answer::default(),
            insane: BTreeSet::new(),
            late: Vec::new(),
        }
    }

    fn list(&self, index: usize) -> Option<&'a List> {
        self.inner.lists.get(index)
    }

    /// Lists that are left alone: refusals stay visible, silence counts as a timeout.
    fn paused(&mut self, paused: &[Option<Pause>]) {
        for (list, pause) in self.inner.lists.iter().zip(paused) {
            match pause {
                Some(Pause::Refused) => self.signal((&list.blocked, 0.0, REFUSED), &list.name),
                Some(Pause::Silent) => self.late(&list.name),
                None => {}
            }
        }
    }

    fn read(&mut self, tasks: &'a [Task], outcomes: &[Option<Outcome>]) {
        for (task, outcome) in tasks.iter().zip(outcomes) {
            if let (Task::Sanity { zone, .. }, Some(Outcome::One(Found::Addresses(found)))) =
                (task, outcome)
            {
                self.sanity(zone, found);
            }
        }
        for (task, outcome) in tasks.iter().zip(outcomes) {
            match (task, outcome) {
                (Task::Entry { uses, .. }, Some(Outcome::One(found))) => {
                    for wanted in uses {
                        self.entry(wanted, found);
                    }
                }
                (Task::Entry { uses, .. }, None) => {
                    for wanted in uses.iter().take(1) {
                        self.entry(wanted, &Found::Failed { answered: false });
                    }
                }
                (Task::Resolve { host, .. }, Some(Outcome::Host(found))) => {
                    for (_, list, found) in found {
                        let about = host.as_str().to_owned();
                        self.entry(&Use { list: *list, about }, found);
                    }
                }
                (Task::Origin { .. }, Some(Outcome::One(found))) => self.origin(found),
                (Task::MailHost { sender, domain, .. }, Some(Outcome::One(found))) => {
                    self.mail_host(*sender, domain.as_str(), found);
                }
                (Task::Origin { .. }, None) => self.late("origin"),
                (Task::MailHost { domain, .. }, None) => {
                    self.signal(host_symbol("MX_UNKNOWN"), domain.as_str());
                    self.late(domain.as_str());
                }
                (Task::Resolve { host, .. }, None) => self.late(host.as_str()),
                _ => {}
            }
        }
    }

    /// A list that lists what none may lists everything: it is dead, or the resolver invents
    /// answers.
    fn sanity(&mut self, zone: &'a str, found: &[Ipv4Addr]) {
        let of_zone = || self.inner.lists.iter().filter(|list| list.zone == zone);
        let means = |list: &List, address: Ipv4Addr| {
            list.codes.iter().any(|code| code.code.contains(address))
                && !list
                    .refusals
                    .iter()
                    .any(|refusal| refusal.code.contains(address))
        };
        let insane = found
            .iter()
            .any(|&address| of_zone().any(|list| means(list, address)));
        if !insane {
            return;
        }
        self.insane.insert(zone);
        for list in of_zone() {
            if self.inner.health.first_today(&list.name, self.now) {
                tracing::warn!(
                    list = list.name,
                    "list says that everything is listed; ignored"
                );
            }
        }
    }

    fn entry(&mut self, wanted: &Use, found: &Found) {
        let Some(list) = self.list(wanted.list) else {
            return;
        };
        let inner = self.inner;
        let addresses = match found {
            Found::Addresses(addresses) => addresses,
            Found::Failed { answered } => {
                inner
                    .health
                    .failed(&list.zone, self.after(inner.config.times.silent));
                if !answered {
                    self.late(&list.name);
                }
                return;
            }
            _ => {
                inner.health.answered(&list.zone);
                return;
            }
        };
        let refused = list.refusals.iter().find(|refusal| {
            addresses
                .iter()
                .any(|&address| refusal.code.contains(address))
        });
        if let Some(refusal) = refused {
            inner
                .health
                .refused(&list.zone, self.after(inner.config.times.refused));
            if inner.health.first_today(&list.name, self.now) {
                tracing::warn!(
                    list = list.name,
                    reason = refusal.reason,
                    "list refuses to answer"
                );
            }
            self.signal((&list.blocked, 0.0, REFUSED), &list.name);
            return;
        }
        inner.health.answered(&list.zone);
        // RFC 5782 §2.1: entries lie within 127.0.0.0/8. Others come from whoever owns the name
        // now, or from a resolver that invents answers.
        if addresses.iter().any(|address| !address.is_loopback()) {
            if inner.health.first_today(&list.name, self.now) {
                tracing::warn!(
                    list = list.name,
                    "list answers with foreign addresses; ignored"
                );
            }
            return;
        }
        if self.insane.contains(list.zone.as_str()) {
            return;
        }
        for code in &list.codes {
            if addresses.iter().any(|&address| code.code.contains(address)) {
                self.signal((&code.symbol, code.score, &code.description), &wanted.about);
            }
        }
    }

    fn after(&self, seconds: u32) -> i64 {
        self.now
            .saturating_add(i64::from(seconds).saturating_mul(1_000))
    }

    fn origin(&mut self, found: &Found) {
        match found {
            Found::Texts(texts) => {
                let best = texts
                    .iter()
                    .filter_map(|text| Origin::parse(text))
                    .min_by_key(
                        // Several networks may hold an address; the smallest is its own.
                        |origin| std::cmp::Reverse(origin.length),
                    );
                if let Some(origin) = best {
                    self.answer.asn = Some(origin.asn);
                    self.answer.network = Some(origin.network);
                    self.answer.country = origin.country;
                }
            }
            Found::Failed { answered: false } => self.late("origin"),
            _ => {}
        }
    }

    fn mail_host(&mut self, sender: Sender, domain: &str, found: &Found) {
        let found = match found {
            Found::MailHost(found) => *found,
            Found::Failed { answered } => {
                self.signal(host_symbol("MX_UNKNOWN"), domain);
                if !answered {
                    self.late(domain);
                }
                return;
            }
            _ => return,
        };
        let symbol = match (sender, found) {
            (Sender::Envelope, MailHost::Exchange) => "MX_GOOD",
            (Sender::Envelope, MailHost::Unusable) => "MX_INVALID",
            (Sender::Envelope, MailHost::Refused) => "MX_NULL",
            (Sender::Envelope, MailHost::Missing) => "MX_MISSING",
            (Sender::Author, MailHost::Unusable) => "FROM_MX_INVALID",
            (Sender::Author, MailHost::Refused) => "FROM_MX_NULL",
            (Sender::Author, MailHost::Missing) => "FROM_MX_MISSING",
            (_, MailHost::Address | MailHost::Exchange) => return,
        };
        self.signal(host_symbol(symbol), domain);
    }

    fn late(&mut self, what: &str) {
        if self.late.len() < OPTIONS_MAX && !self.late.iter().any(|known| known == what) {
            self.late.push(what.to_owned());
        }
    }

    fn signal(&mut self, (symbol, score, description): (&str, f32, &str), about: &str) {
        let signals = &mut self.answer.signals;
        let at = match signals.iter().position(|signal| signal.symbol == symbol) {
            Some(at) => at,
            None => {
                signals.push(NetworkSignal {
                    symbol: symbol.to_owned(),
                    score,
                    description: description.to_owned(),
                    options: Vec::new(),
                });
                signals.len() - 1
            }
        };
        if let Some(NetworkSignal { options, .. }) = signals.get_mut(at)
            && options.len() < OPTIONS_MAX
            && !options.iter().any(|option| option == about)
        {
            options.push(about.to_owned());
        }
    }

    fn finish(mut self) -> Answer {
        for what in std::mem::take(&mut self.late) {
            self.signal(TIMEOUT, &what);
        }
        self.answer
    }
}

fn host_symbol(symbol: &'static str) -> (&'static str, f32, &'static str) {
    HOST_SYMBOLS
        .into_iter()
        .find(|(name, _, _)| *name == symbol)
        .unwrap_or((symbol, 0.0, ""))
}

/// `64500 | 192.0.2.0/24 | NL | ripencc | 2001-02-03`, with or without spaces.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    asn: u32,
    network: String,
    length: u8,
    country: Option<String>,
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('|').map(str::trim);
        // Several systems may announce one network; the first will do.
        let asn = fields
            .next()?
            .split_ascii_whitespace()
            .next()?
            .parse()
            .ok()?;
        let network = fields.next()?;
        let (address, length) = network.split_once('/')?;
        address.parse::<IpAddr>().ok()?;
        let length = length.parse().ok().filter(|&length| length <= 128)?;
        let country = fields.next().filter(|country| {
            country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic())
        });
        Some(Self {
            asn,
            network: network.to_owned(),
            length,
            country: country.map(str::to_ascii_uppercase),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_in_both_spellings() {
        let origin = Origin {
            asn: 64_500,
            network: "192.0.2.0/24".to_owned(),
            length: 24,
            country: Some("NL".to_owned()),
        };
        let cymru = Origin::parse("64500 64501 | 192.0.2.0/24 | NL | ripencc | 2001-02-03");
        assert_eq!(cymru.as_ref(), Some(&origin));
        assert_eq!(
            Origin::parse("64500|192.0.2.0/24|nl|ripencc|"),
            Some(origin)
        );
        for text in [
            "",
            "x | 192.0.2.0/24 | NL",
            "1 | nothing/24 | NL",
            "1 | 192.0.2.0/999 | NL",
            "1",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        let unknown = Origin::parse("64500 | 2001:db8::/32 |  | other").unwrap();
        assert_eq!(unknown.country, None);
    }
}
