//! From what is known of a message to the questions about it, within the budget.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use smtp::address::Domain;

use crate::cache::Key;
use crate::config::Config;
use crate::list::{Ask, List};
use crate::names;
use crate::question::{Host, Question};

/// Hosts of links whose addresses are asked for.
const RESOLVED_HOSTS_MAX: usize = 5;
/// Domains of one kind (authors, signatures, …) that are asked about.
const DOMAINS_MAX: usize = 5;

/// Something that lists are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Address(IpAddr),
    Domain(Domain),
    /// An address in the place of a host's name.
    Literal(Ipv4Addr),
    Email(String),
}

/// Whose domain it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Envelope,
    Author,
}

/// One piece of work; all of a message's run at once.
#[derive(Debug)]
pub(crate) enum Task {
    /// One entry, for the lists that share the zone and each subject that leads to it.
    Entry { key: Key, uses: Vec<Use> },
    /// Does the zone list what no list may?
    Sanity { key: Key, zone: String },
    /// A host of a link, then its addresses in these lists.
    Resolve { host: Domain, lists: Vec<usize> },
    /// The origin of the client's address.
    Origin { key: Key },
    /// Where mail for a sender's domain goes.
    MailHost {
        key: Key,
        sender: Sender,
        domain: Domain,
    },
}

/// An entry as one list understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// Index of the list.
    pub(crate) list: usize,
    /// What the entry is about, for people.
    pub(crate) about: String,
}

/// The work on one message.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<Task>,
    pub(crate) left_out: usize,
    entries: HashMap<String, usize>,
    questions: usize,
}

impl Plan {
    /// What to ask about `question`. `asked` says whether a list (by index) is to be asked now.
    pub(crate) fn new(
        config: &Config,
        lists: &[List],
        question: &Question<'_>,
        asked: impl Fn(usize) -> bool,
    ) -> Self {
        let mut plan = Self {
            questions: config.questions,
            ..Self::default()
        };
        plan.origin(config, question);
        if config.mail_hosts {
            plan.mail_hosts(question);
        }
        for ask in Ask::ORDER {
            if ask == Ask::UrlAddress {
                plan.resolve(lists, question, &asked);
                continue;
            }
            let subjects = subjects(config, question, ask);
            for (index, list) in lists.iter().enumerate() {
                if list.asks.contains(&ask) && asked(index) {
                    for subject in &subjects {
                        plan.entry(index, list, ask, subject);
                    }
                }
            }
        }
        plan
    }

    fn room(&mut self) -> bool {
        if self.tasks.len() < self.questions {
            return true;
        }
        self.left_out += 1;
        false
    }

    fn origin(&mut self, config: &Config, question: &Question<'_>) {
        let Some(client) = question.client.and_then(names::public) else {
            return;
        };
        let zone = match client {
            IpAddr::V4(_) => &config.origin,
            IpAddr::V6(_) => &config.origin6,
        };
        let zone = zone.trim_matches('.');
        if let Some(name) = names::below(&names::reversed(client), zone)
            && !zone.is_empty()
            && self.room()
        {
            let key = Key::Text(name);
            self.tasks.push(Task::Origin { key });
        }
    }

    fn mail_hosts(&mut self, question: &Question<'_>) {
        let named = |host: Host<'_>| names::domain(host.name, question.own);
        let envelope = question.envelope.and_then(named);
        let author = question.authors.first().copied().and_then(named);
        let author = author.filter(|author| envelope.as_ref() != Some(author));
        for (sender, domain) in [(Sender::Envelope, envelope), (Sender::Author, author)] {
            if let Some(domain) = domain
                && self.room()
            {
                let key = Key::MailHost(domain.clone());
                self.tasks.push(Task::MailHost {
                    key,
                    sender,
                    domain,
                });
            }
        }
    }

    fn entry(&mut self, index: usize, list: &List, ask: Ask, subject: &Subject) {
        let (name, about) = match subject {
            Subject::Address(address) => {
                if address.is_ipv6() && !list.ipv6 {
                    return;
                }
                (names::reversed(*address), address.to_string())
            }
            Subject::Domain(domain) => (domain.as_str().to_owned(), domain.as_str().to_owned()),
            Subject::Literal(address) => {
                if !list.literals {
                    return;
                }
                (names::reversed((*address).into()), address.to_string())
            }
            Subject::Email(address) => {
                let Some(hash) = list.email_hash else { return };
                (names::email(address, hash), address.clone())
            }
        };
        if let Some(name) = names::below(&name, &list.zone) {
            self.sanity(list, ask);
            self.add(name, Use { list: index, about });
        }
    }

    fn add(&mut self, name: String, wanted: Use) {
        let known = self.entries.get(&name).copied();
        if let Some(Task::Entry { uses, .. }) = known.and_then(|at| self.tasks.get_mut(at)) {
            if !uses.contains(&wanted) {
                uses.push(wanted);
            }
        } else if self.room() {
            self.entries.insert(name.clone(), self.tasks.len());
            self.tasks.push(Task::Entry {
                key: Key::Entry(name),
                uses: vec![wanted],
            });
        }
    }

    /// RFC 5782 §5: a list of addresses must not list 127.0.0.1, a list of names must not list
    /// INVALID.
    fn sanity(&mut self, list: &List, ask: Ask) {
        let never = if ask.is_address() {
            "1.0.0.127"
        } else {
            "invalid"
        };
        if let Some(name) = names::below(never, &list.zone)
            && !self.entries.contains_key(&name)
            && self.room()
        {
            self.entries.insert(name.clone(), self.tasks.len());
            self.tasks.push(Task::Sanity {
                key: Key::Entry(name),
                zone: list.zone.clone(),
            });
        }
    }

    fn resolve(&mut self, lists: &[List], question: &Question<'_>, asked: &impl Fn(usize) -> bool) {
        let wanted: Vec<usize> = lists
            .iter()
            .enumerate()
            .filter(|(index, list)| list.asks.contains(&Ask::UrlAddress) && asked(*index))
            .map(|(index, _)| index)
            .collect();
        if wanted.is_empty() {
            return;
        }
        for list in wanted.iter().filter_map(|&index| lists.get(index)) {
            self.sanity(list, Ask::UrlAddress);
        }
        let mut hosts = Vec::new();
        for link in question.links {
            if let Some(host) = names::domain(link.name, question.own)
                && !hosts.contains(&host)
            {
                hosts.push(host);
            }
        }
        for host in hosts.into_iter().take(RESOLVED_HOSTS_MAX) {
            if self.room() {
                let lists = wanted.clone();
                self.tasks.push(Task::Resolve { host, lists });
            }
        }
    }
}

/// What there is to ask of the kind `ask`, each subject once.
fn subjects(config: &Config, question: &Question<'_>, ask: Ask) -> Vec<Subject> {
    let single = |host: &Option<Host<'_>>| -> Vec<Subject> {
        let domain = host.and_then(|host| names::domain(host.registrable, question.own));
        domain.map(Subject::Domain).into_iter().collect()
    };
    match ask {
        Ask::Client => addresses(question.client.as_slice(), 1),
        Ask::Received => addresses(question.received, config.received),
        Ask::Helo => single(&question.helo),
        Ask::Hostname => single(&question.hostname),
        Ask::Envelope => single(&question.envelope),
        Ask::Author => domains(question.authors, DOMAINS_MAX, question.own),
        Ask::ReplyTo => domains(question.reply_to, DOMAINS_MAX, question.own),
        Ask::Dkim => domains(question.dkim, DOMAINS_MAX, question.own),
        Ask::UrlDomain => domains(question.links, config.links, question.own),
        Ask::UrlHost => {
            let whole = |link: &Host<'_>| names::domain(link.name, question.own);
            let hosts = question.links.iter().filter_map(whole);
            unique(hosts.map(Subject::Domain), config.links)
        }
        Ask::Email => {
            let foreign = question.emails.iter().filter(|email| {
                let domain = email.rsplit_once('@').map(|(_, domain)| domain);
                domain.is_some_and(|domain| names::domain(domain, question.own).is_some())
            });
            let emails = foreign.map(|email| Subject::Email(email.to_lowercase()));
            unique(emails, config.emails)
        }
        Ask::UrlAddress => Vec::new(),
    }
}

fn addresses(addresses: &[IpAddr], limit: usize) -> Vec<Subject> {
    let public = addresses.iter().copied().filter_map(names::public);
    unique(public.map(Subject::Address), limit)
}

fn domains(hosts: &[Host<'_>], limit: usize, own: &[&str]) -> Vec<Subject> {
    let subject = |host: &Host<'_>| match host.name.parse::<Ipv4Addr>() {
        Ok(address) => names::public(address.into()).map(|_| Subject::Literal(address)),
        Err(_) => names::domain(host.registrable, own).map(Subject::Domain),
    };
    unique(hosts.iter().filter_map(subject), limit)
}

fn unique(subjects: impl Iterator<Item = Subject>, limit: usize) -> Vec<Subject> {
    let mut seen = Vec::new();
    for subject in subjects {
        if seen.len() >= limit {
            break;
        }
        if !seen.contains(&subject) {
            seen.push(subject);
        }
    }
    seen
}
