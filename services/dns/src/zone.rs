//! A small set of records in memory that can change while it is being served.
//!
//! One [`Zone`] answers for every name there is: what it does not know does not exist. Names are
//! compared without case and without a final dot. Wildcards follow RFC 4592: `*.test` speaks for
//! a name only when nothing closer to that name exists. Faults stand in for a broken name server.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, TXT};
use hickory_proto::rr::{Name, RData, RecordType};

/// How long a resolver may keep what the zone says, unless [`Zone::set_ttl`] says otherwise.
const TTL: u32 = 60;
/// Aliases followed inside the zone.
const ALIASES_MAX: usize = 8;
/// Octets of one character-string in a TXT record.
const TXT_STRING: usize = 255;

/// Records in memory, shared between the server that serves them and whoever changes them.
#[derive(Debug)]
pub struct Zone {
    names: Mutex<BTreeMap<String, Node>>,
    queries: Mutex<HashMap<String, u64>>,
    total: AtomicU64,
    ttl: AtomicU32,
}

#[derive(Debug, Default)]
struct Node {
    records: Vec<RData>,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Servfail,
    Timeout,
}

/// What the zone has to say to one question.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// Owner and data, aliases first. Empty: the name exists without such a record.
    Records(Vec<(Name, RData)>),
    NoSuchName,
    Servfail,
    Silence,
}

impl Default for Zone {
    fn default() -> Self {
        Self::new()
    }
}

impl Zone {
    /// A zone in which nothing exists.
    #[must_use]
    pub fn new() -> Self {
        Self {
            names: Mutex::default(),
            queries: Mutex::default(),
            total: AtomicU64::new(0),
            ttl: AtomicU32::new(TTL),
        }
    }

    /// Adds an IPv4 address at `name`, which may be a wildcard such as `*.test`.
    pub fn a(&self, name: &str, address: Ipv4Addr) -> &Self {
        self.add(name, RData::A(A(address)))
    }

    /// Adds an IPv6 address at `name`.
    pub fn aaaa(&self, name: &str, address: Ipv6Addr) -> &Self {
        self.add(name, RData::AAAA(AAAA(address)))
    }

    /// Adds an MX record; the exchange `.` makes a null MX. An exchange that is no name is ignored.
    pub fn mx(&self, name: &str, preference: u16, exchange: &str) -> &Self {
        match target(exchange) {
            Some(exchange) => self.add(name, RData::MX(MX::new(preference, exchange))),
            None => self,
        }
    }

    /// Adds a TXT record, cut into strings of 255 octets.
    pub fn txt(&self, name: &str, text: &str) -> &Self {
        let strings: Vec<&[u8]> = if text.is_empty() {
            vec![b"".as_slice()]
        } else {
            text.as_bytes().chunks(TXT_STRING).collect()
        };
        self.add(name, RData::TXT(TXT::from_bytes(strings)))
    }

    /// Adds the name that `address` claims. A name that is none is ignored.
    pub fn ptr(&self, address: IpAddr, name: &str) -> &Self {
        match target(name) {
            Some(name) => self.add(&Name::from(address).to_ascii(), RData::PTR(PTR(name))),
            None => self,
        }
    }

    /// Makes `name` an alias. A target that is no name is ignored.
    pub fn cname(&self, name: &str, to: &str) -> &Self {
        match target(to) {
            Some(to) => self.add(name, RData::CNAME(CNAME(to))),
            None => self,
        }
    }

    /// From now on every question about `name` is answered with SERVFAIL.
    pub fn servfail(&self, name: &str) -> &Self {
        self.fault(name, Fault::Servfail)
    }

    /// From now on questions about `name` are not answered at all.
    pub fn timeout(&self, name: &str) -> &Self {
        self.fault(name, Fault::Timeout)
    }

    /// Removes what is known at `name`, faults included.
    pub fn remove(&self, name: &str) -> &Self {
        self.names().remove(&key(name));
        self
    }

    /// How long resolvers may keep an answer, in seconds; positive and negative alike.
    pub fn set_ttl(&self, seconds: u32) -> &Self {
        self.ttl.store(seconds, Ordering::Relaxed);
        self
    }

    /// How many questions have been asked so far.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How many questions about exactly this name have been asked so far, of any type.
    #[must_use]
    pub fn queries_for(&self, name: &str) -> u64 {
        lock(&self.queries).get(&key(name)).copied().unwrap_or(0)
    }

    pub(crate) fn ttl(&self) -> u32 {
        self.ttl.load(Ordering::Relaxed)
    }

    pub(crate) fn answer(&self, name: &Name, record_type: RecordType) -> Answer {
        let asked = key(&name.to_ascii());
        self.total.fetch_add(1, Ordering::Relaxed);
        let names = self.names();
        // Questions are counted for names the zone was given, so that the count stays bounded.
        if find(&names, &asked).is_some() {
            *lock(&self.queries).entry(asked).or_insert(0) += 1;
        }
        let mut records = Vec::new();
        let mut owner = name.clone();
        for _ in 0..ALIASES_MAX {
            let Some(node) = find(&names, &key(&owner.to_ascii())) else {
                return if records.is_empty() {
                    Answer::NoSuchName
                } else {
                    Answer::Records(records)
                };
            };
            match node.fault {
                Some(Fault::Servfail) => return Answer::Servfail,
                Some(Fault::Timeout) => return Answer::Silence,
                None => {}
            }
            let matching = node
                .records
                .iter()
                .filter(|data| data.record_type() == record_type || record_type == RecordType::ANY);
            let before = records.len();
            records.extend(matching.map(|data| (owner.clone(), data.clone())));
            if records.len() > before {
                break;
            }
            let alias = node.records.iter().find_map(|data| match data {
                RData::CNAME(to) => Some(to.0.clone()),
                _ => None,
            });
            let Some(to) = alias else { break };
            records.push((owner, RData::CNAME(CNAME(to.clone()))));
            owner = to;
        }
        Answer::Records(records)
    }

    fn add(&self, name: &str, data: RData) -> &Self {
        self.names()
            .entry(key(name))
            .or_default()
            .records
            .push(data);
        self
    }

    fn fault(&self, name: &str, fault: Fault) -> &Self {
        self.names().entry(key(name)).or_default().fault = Some(fault);
        self
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        lock(&self.names)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The labels in lower case from the root down, each followed by a dot: `test.example.www.`. All
/// names below a name then share its key as a prefix.
fn key(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut key = String::with_capacity(name.len() + 1);
    for label in name.rsplit('.') {
        key.push_str(&label.to_ascii_lowercase());
        key.push('.');
    }
    key
}

/// Stands for names that exist only because something below them does.
const EMPTY: &Node = &Node {
    records: Vec::new(),
    fault: None,
};

/// The node that speaks for `key`: the name itself, an empty non-terminal, or the wildcard at its
/// closest encloser.
fn find<'a>(names: &'a BTreeMap<String, Node>, key: &str) -> Option<&'a Node> {
    if let Some(node) = node_at(names, key) {
        return Some(node);
    }
    // RFC 4592 §3.3.1: the wildcard must sit directly below the closest name that exists.
    let mut encloser = key;
    loop {
        let cut = encloser.strip_suffix('.').and_then(|key| key.rfind('.'))?;
        encloser = encloser.get(..=cut)?;
        if let Some(wildcard) = names.get(&format!("{encloser}*.")) {
            return Some(wildcard);
        }
        if node_at(names, encloser).is_some() {
            return None;
        }
    }
}

fn node_at<'a>(names: &'a BTreeMap<String, Node>, key: &str) -> Option<&'a Node> {
    let (first, node) = names.range(key.to_owned()..).next()?;
    if first == key {
        Some(node)
    } else {
        first.starts_with(key).then_some(EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(zone: &Zone, name: &str) -> Answer {
        zone.answer(&target(name).unwrap(), RecordType::A)
    }

    fn count(answer: &Answer) -> Option<usize> {
        match answer {
            Answer::Records(records) => Some(records.len()),
            _ => None,
        }
    }

    #[test]
    fn names_are_found_without_case_and_final_dot() {
        let zone = Zone::new();
        zone.a("Host.Example.TEST.", Ipv4Addr::LOCALHOST);
        assert_eq!(count(&addresses(&zone, "hOST.example.test")), Some(1));
        assert_eq!(addresses(&zone, "other.example.test"), Answer::NoSuchName);
    }

    #[test]
    fn a_name_above_a_record_exists_without_data() {
        let zone = Zone::new();
        zone.txt("_dmarc.example.test", "v=DMARC1; p=none");
        assert_eq!(count(&addresses(&zone, "example.test")), Some(0));
        assert_eq!(addresses(&zone, "ample.test"), Answer::NoSuchName);
    }

    #[test]
    fn a_wildcard_speaks_only_where_nothing_closer_exists() {
        let zone = Zone::new();
        zone.a("*.test", Ipv4Addr::LOCALHOST)
            .txt("known.test", "here");
        assert_eq!(count(&addresses(&zone, "any.test")), Some(1));
        assert_eq!(count(&addresses(&zone, "deep.any.test")), Some(1));
        assert_eq!(count(&addresses(&zone, "known.test")), Some(0));
        assert_eq!(addresses(&zone, "below.known.test"), Answer::NoSuchName);
        assert_eq!(count(&addresses(&zone, "test")), Some(0));
        assert_eq!(addresses(&zone, "example"), Answer::NoSuchName);
    }

    #[test]
    fn aliases_are_followed_and_a_loop_ends() {
        let zone = Zone::new();
        zone.cname("www.test", "host.test")
            .a("host.test", Ipv4Addr::LOCALHOST);
        assert_eq!(count(&addresses(&zone, "www.test")), Some(2));
        zone.cname("a.test", "b.test").cname("b.test", "a.test");
        assert_eq!(count(&addresses(&zone, "a.test")), Some(ALIASES_MAX));
    }

    #[test]
    fn faults_hide_records_until_removed() {
        let zone = Zone::new();
        zone.a("host.test", Ipv4Addr::LOCALHOST)
            .servfail("host.test");
        assert_eq!(addresses(&zone, "host.test"), Answer::Servfail);
        zone.timeout("host.test");
        assert_eq!(addresses(&zone, "host.test"), Answer::Silence);
        zone.remove("host.test");
        assert_eq!(addresses(&zone, "host.test"), Answer::NoSuchName);
    }

    #[test]
    fn questions_are_counted() {
        let zone = Zone::new();
        zone.a("host.test", Ipv4Addr::LOCALHOST);
        let _ = addresses(&zone, "host.test");
        let _ = addresses(&zone, "HOST.test");
        let _ = addresses(&zone, "none.test");
        assert_eq!((zone.queries(), zone.queries_for("host.test")), (3, 2));
        assert_eq!(zone.queries_for("none.test"), 0);
    }
}
