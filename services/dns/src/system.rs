//! The resolver that asks the network, over hickory.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Resolver as Hickory, TokioResolver};
use rustls::{ClientConfig, RootCertStore};
use smtp::address::Domain;

use crate::resolver::{Absence, Error, Failure, Mx, Resolver};

/// How long one try may take before the next server or the next try.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// Tries after the first one.
const RETRIES: usize = 1;
/// How long one lookup may take in all, aliases and retries included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(8);
/// Answers kept in memory, positive and negative.
const CACHE_ENTRIES: u64 = 8_192;
/// Longest time an answer is believed.
const POSITIVE_TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// RFC 2308 §5: negative answers are kept, and one to three hours is the sensible ceiling.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(60 * 60);
/// Questions in flight to one server.
const ACTIVE_REQUESTS: usize = 1_024;
/// Records read from one answer; the rest is ignored.
const RECORDS_MAX: usize = 100;
/// Octets of one TXT record that are read.
const TXT_OCTETS_MAX: usize = 8_192;

/// A [`Resolver`] that asks name servers, with one bounded cache for positive and negative answers.
/// Cheap to clone; clones share the cache.
#[derive(Clone)]
pub struct System {
    inner: TokioResolver,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

impl System {
    /// The host's own name servers and hosts file.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the host's configuration names no usable server.
    pub fn from_host() -> Result<Self, Error> {
        let (mut config, mut options) = read_system_conf().map_err(configuration)?;
        if config.name_servers.is_empty() {
            return Err(Error::Configuration(
                "no name server is configured".to_owned(),
            ));
        }
        // A mail domain is always absolute: a search list would send mail to the wrong host.
        config.domain = None;
        config.search.clear();
        limit(&mut options);
        Self::build(config, options)
    }

    /// These name servers and nothing else; the hosts file is not read.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the list is empty.
    pub fn new(nameservers: &[SocketAddr]) -> Result<Self, Error> {
        if nameservers.is_empty() {
            return Err(Error::Configuration(
                "no name server is configured".to_owned(),
            ));
        }
        let servers = nameservers.iter().map(|address| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = address.port();
            }
            NameServerConfig::new(address.ip(), true, connections)
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let mut options = ResolverOpts::default();
        options.use_hosts_file = ResolveHosts::Never;
        limit(&mut options);
        Self::build(config, options)
    }

    fn build(config: ResolverConfig, options: ResolverOpts) -> Result<Self, Error> {
        let inner = Hickory::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .with_tls_config(no_roots()?)
            .build()
            .map_err(configuration)?;
        Ok(Self { inner })
    }

    /// The resolver underneath, cache shared, for a library that insists on its type. Lookups made
    /// through it are not under this type's time limit.
    #[must_use]
    pub fn hickory(&self) -> TokioResolver {
        self.inner.clone()
    }

    /// Forgets every cached answer.
    pub fn clear_cache(&self) {
        self.inner.clear_cache();
    }

    async fn ask<F>(&self, lookup: F) -> Result<Lookup, Error>
    where
        F: Future<Output = Result<Lookup, NetError>>,
    {
        match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(translate(&error)),
            Err(_elapsed) => Err(Error::Temporary(Failure::Timeout)),
        }
    }
}

/// Name servers are asked in clear: without this the resolver reads some hundred files of trusted
/// roots at every start.
fn no_roots() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Configuration(error.to_string()))?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn limit(options: &mut ResolverOpts) {
    options.timeout = TRY_TIMEOUT;
    options.attempts = RETRIES;
    options.edns0 = true;
    options.cache_size = CACHE_ENTRIES;
    options.positive_max_ttl = Some(POSITIVE_TTL_MAX);
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    options.max_active_requests = ACTIVE_REQUESTS;
    options.try_tcp_on_error = true;
    options.preserve_intermediates = false;
}

fn configuration(error: NetError) -> Error {
    Error::Configuration(error.to_string())
}

fn translate(error: &NetError) -> Error {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Error::NoRecords(Absence::NoSuchName),
            ResponseCode::NoError => Error::NoRecords(Absence::NoData),
            code => Error::Temporary(Failure::Server(code.to_str().to_owned())),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => {
            Error::Temporary(Failure::Server(code.to_str().to_owned()))
        }
        NetError::Timeout => Error::Temporary(Failure::Timeout),
        other => Error::Temporary(Failure::Network(other.to_string())),
    }
}

/// The name as an absolute one, so that no search list applies.
fn absolute(name: &str) -> Result<Name, Error> {
    let mut name = Name::from_ascii(name).map_err(|_| Error::InvalidName)?;
    name.set_fqdn(true);
    Ok(name)
}

fn domain(name: &Name) -> Option<Domain> {
    let text = name.to_ascii();
    Domain::parse(text.strip_suffix('.').unwrap_or(&text)).ok()
}

/// RFC 7505 §3: a single MX with the root as its exchange means "no mail"; the root beside other
/// exchanges means nothing and is left out.
fn usable_exchanges(records: Vec<(u16, Name)>) -> Result<Vec<Mx>, Error> {
    if let [(_, only)] = records.as_slice()
        && only.is_root()
    {
        return Err(Error::NullMx);
    }
    if records.is_empty() {
        return Err(Error::NoRecords(Absence::NoData));
    }
    let mut usable: Vec<Mx> = records
        .iter()
        .filter_map(|(preference, exchange)| {
            Some(Mx {
                preference: *preference,
                exchange: domain(exchange)?,
            })
        })
        .collect();
    usable.sort();
    usable.dedup();
    if usable.is_empty() {
        Err(Error::Unusable)
    } else {
        Ok(usable)
    }
}

fn joined(strings: &[Box<[u8]>]) -> String {
    let mut octets: Vec<u8> = strings
        .iter()
        .flat_map(|string| string.iter().copied())
        .collect();
    octets.truncate(TXT_OCTETS_MAX);
    String::from_utf8_lossy(&octets).into_owned()
}

fn not_empty<T>(records: Vec<T>) -> Result<Vec<T>, Error> {
    if records.is_empty() {
        Err(Error::NoRecords(Absence::NoData))
    } else {
        Ok(records)
    }
}

/// Both families' answers as one: any address wins, then a failure, then the stronger absence.
fn merge(
    v4: Result<Vec<IpAddr>, Error>,
    v6: Result<Vec<IpAddr>, Error>,
) -> Result<Vec<IpAddr>, Error> {
    match (v4, v6) {
        (Ok(mut v4), Ok(v6)) => {
            v4.extend(v6);
            not_empty(v4)
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) if !one.is_empty() => Ok(one),
        (Err(error), _) | (_, Err(error)) if error.is_temporary() => Err(error),
        (_, Err(error)) if error.is_temporary() => Err(error),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

impl Resolver for System {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, Error>> {
        Box::pin(async move {
            let name = absolute(domain.as_str())?;
            let answer = self.ask(self.inner.mx_lookup(name)).await?;
            let records = answer
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::MX(mx) => Some((mx.preference, mx.exchange.clone())),
                    _ => None,
                });
            usable_exchanges(records.take(RECORDS_MAX).collect())
        })
    }

    fn addresses<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, Error>> {
        Box::pin(async move {
            let name = absolute(domain.as_str())?;
            let collect = |answer: Lookup| -> Vec<IpAddr> {
                let addresses = answer
                    .answers()
                    .iter()
                    .filter_map(|record| record.data.ip_addr());
                addresses.take(RECORDS_MAX).collect()
            };
            let (v4, v6) = tokio::join!(
                self.ask(self.inner.ipv4_lookup(name.clone())),
                self.ask(self.inner.ipv6_lookup(name)),
            );
            merge(v4.map(collect), v6.map(collect))
        })
    }

    fn list_addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Ipv4Addr>, Error>> {
        Box::pin(async move {
            let answer = self.ask(self.inner.ipv4_lookup(absolute(name)?)).await?;
            let records = answer
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::A(address) => Some(address.0),
                    _ => None,
                });
            not_empty(records.take(RECORDS_MAX).collect())
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let answer = self.ask(self.inner.txt_lookup(absolute(name)?)).await?;
            let records = answer
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(txt) => Some(joined(&txt.txt_data)),
                    _ => None,
                });
            not_empty(records.take(RECORDS_MAX).collect())
        })
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, Error>> {
        Box::pin(async move {
            let answer = self
                .ask(self.inner.reverse_lookup(Name::from(address)))
                .await?;
            let names = answer
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::PTR(ptr) => domain(&ptr.0),
                    _ => None,
                });
            let names: Vec<Domain> = names.take(RECORDS_MAX).collect();
            if names.is_empty() {
                Err(Error::Unusable)
            } else {
                Ok(names)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        absolute(text).unwrap()
    }

    #[test]
    fn only_a_lone_root_exchange_refuses_mail() {
        let root = (0, Name::root());
        let host = (10, name("mx.example.test"));
        assert_eq!(usable_exchanges(vec![root.clone()]), Err(Error::NullMx));
        let mixed = usable_exchanges(vec![root.clone(), host]).unwrap();
        assert_eq!(mixed.len(), 1);
        assert_eq!(mixed[0].exchange.as_str(), "mx.example.test");
        assert_eq!(
            usable_exchanges(vec![root.clone(), root]),
            Err(Error::Unusable)
        );
        assert_eq!(
            usable_exchanges(vec![]),
            Err(Error::NoRecords(Absence::NoData))
        );
    }

    #[test]
    fn exchanges_come_in_order_of_preference_and_once() {
        let records = vec![
            (20, name("b.test.example")),
            (10, name("a.test.example")),
            (20, name("B.test.example")),
        ];
        let exchanges = usable_exchanges(records).unwrap();
        let shown: Vec<_> = exchanges
            .iter()
            .map(|mx| (mx.preference, mx.exchange.as_str()))
            .collect();
        assert_eq!(shown, [(10, "a.test.example"), (20, "b.test.example")]);
    }

    #[test]
    fn one_family_with_addresses_hides_the_others_trouble() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        let failed = || Err(Error::Temporary(Failure::Timeout));
        let none = || Err(Error::NoRecords(Absence::NoData));
        assert_eq!(merge(Ok(vec![v4]), Ok(vec![v6])), Ok(vec![v4, v6]));
        assert_eq!(merge(failed(), Ok(vec![v6])), Ok(vec![v6]));
        assert_eq!(merge(Ok(vec![v4]), failed()), Ok(vec![v4]));
        assert_eq!(merge(failed(), none()), failed());
        assert_eq!(merge(none(), failed()), failed());
        assert_eq!(merge(none(), none()), none());
    }

    #[tokio::test]
    async fn lists_are_asked_by_names_that_are_no_host_names_and_only_for_ipv4() {
        let zone = std::sync::Arc::new(crate::Zone::new());
        let (name, second) = ("2.0.0.127._ip.list.test", Ipv4Addr::new(127, 0, 0, 4));
        zone.a(name, Ipv4Addr::new(127, 0, 0, 2))
            .a(name, second)
            .aaaa("6.list.test", std::net::Ipv6Addr::LOCALHOST)
            .servfail("broken.list.test");
        let server = crate::ZoneServer::loopback(zone.clone()).await.unwrap();
        let system = System::new(&[server.local_addr()]).unwrap();
        let mut entries = system.list_addresses(name).await.unwrap();
        entries.sort();
        assert_eq!(entries, [Ipv4Addr::new(127, 0, 0, 2), second]);
        assert_eq!(zone.queries_for(name), 1);
        let none = |absence| Err(Error::NoRecords(absence));
        let absent = system.list_addresses("3.0.0.127._ip.list.test").await;
        assert_eq!(absent, none(Absence::NoSuchName));
        assert_eq!(
            system.list_addresses("6.list.test").await,
            none(Absence::NoData)
        );
        let broken = system.list_addresses("broken.list.test").await;
        assert!(broken.unwrap_err().is_temporary());
        assert_eq!(system.list_addresses("a..b").await, Err(Error::InvalidName));
    }
}
