//! From a recipient's domain to the hosts that take its mail, in the order to try them.
//!
//! Pure: the DNS answers come in, an ordered list or a [`Failure`] goes out. Asking the resolver
//! and connecting is [`crate::remote`]'s work.
//!
//! RFC 5321 §5.1 (MX lookup and ordering), RFC 7505 (null MX). Not here: DANE (RFC 7672) and
//! MTA-STS (RFC 8461), which will restrict the list and the TLS policy of each host.
//!
//! Start at [`RemoteRoute`] for the configuration and at [`order`] for the rule.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ambient::Random;
use dns::{Absence, Mx};
use rustls::ClientConfig;
use sasl::Secret;
use smtp::Domain;

use crate::failure::Failure;

/// Hosts of one domain that are tried at most; the rest are as good as absent.
pub(crate) const MAX_HOSTS: usize = 10;

/// How mail for other servers leaves this one.
#[derive(Clone)]
pub enum RemoteRoute {
    /// To the hosts that the recipient's domain names in the DNS.
    Mx {
        /// 25, except in demonstrations and tests.
        port: u16,
    },
    /// All of it to one smart host.
    Relay {
        /// A host name or an address.
        host: String,
        /// Usually 587, 465 or 25.
        port: u16,
        /// How the connection is protected.
        security: RelaySecurity,
        /// AUTH PLAIN, used only on a protected connection.
        login: Option<Login>,
    },
}

/// How the connection to a smart host is protected.
#[derive(Clone)]
pub enum RelaySecurity {
    /// STARTTLS if it is offered, whatever the certificate; never with a login.
    Opportunistic,
    /// STARTTLS is required and the certificate must satisfy this configuration.
    StartTls(Arc<ClientConfig>),
    /// TLS from the first octet (RFC 8314 §3.3); the certificate must satisfy this configuration.
    Implicit(Arc<ClientConfig>),
}

/// The name and password for a smart host.
#[derive(Debug, Clone)]
pub struct Login {
    /// The authentication identity.
    pub name: String,
    /// Its password.
    pub password: Secret,
}

impl fmt::Debug for RemoteRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx { port } => write!(f, "Mx({port})"),
            Self::Relay {
                host,
                port,
                security,
                ..
            } => {
                write!(f, "Relay({host}:{port}, {security:?})")
            }
        }
    }
}

impl fmt::Debug for RelaySecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opportunistic => "Opportunistic",
            Self::StartTls(_) => "StartTls",
            Self::Implicit(_) => "Implicit",
        })
    }
}

impl RemoteRoute {
    /// What connections, concurrency and outages are counted by: the domain, or the smart host.
    pub(crate) fn destination(&self, domain: &str) -> Arc<str> {
        match self {
            Self::Mx { .. } => domain.into(),
            Self::Relay { host, port, .. } => format!("{host}:{port}").into(),
        }
    }
}

/// A host to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(Domain),
    Literal(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Literal(address) => write!(f, "[{address}]"),
        }
    }
}

/// The hosts for `domain` in the order to try them, given what the DNS said about its MX records.
/// `own` is our name as an MX record would spell it.
pub(crate) fn order(
    domain: &Domain,
    answer: Result<Vec<Mx>, dns::Error>,
    own: &Domain,
    random: &(dyn Random + 'static),
) -> Result<Vec<Host>, Failure> {
    let mut records = match answer {
        Ok(records) => records,
        // RFC 5321 §5.1: without MX records the domain itself is the host, with preference 0.
        Err(dns::Error::NoRecords(Absence::NoData)) => {
            vec![Mx {
                preference: 0,
                exchange: domain.clone(),
            }]
        }
        Err(error) => return Err(no_route(domain, &error)),
    };
    // RFC 5321 §5.1: hosts of equal preference are tried in random order.
    let mut keyed: Vec<(u16, u64, Mx)> = records
        .drain(..)
        .map(|record| (record.preference, random.below(u64::MAX), record))
        .collect();
    keyed.sort_by_key(|(preference, lot, _)| (*preference, *lot));
    // RFC 5321 §5.1: a relay that finds itself in the list discards itself and all hosts of the
    // same or a worse preference; if none is left, the mail would loop.
    if let Some(limit) = keyed
        .iter()
        .find(|(_, _, record)| record.exchange == *own)
        .map(|(limit, ..)| *limit)
    {
        keyed.retain(|(preference, ..)| *preference < limit);
        if keyed.is_empty() {
            return Err(loops_back(domain.as_str()));
        }
    }
    let mut hosts: Vec<Host> = Vec::with_capacity(keyed.len().min(MAX_HOSTS));
    for (_, _, record) in keyed {
        let host = Host::Name(record.exchange);
        if !hosts.contains(&host) {
            hosts.push(host);
        }
        if hosts.len() == MAX_HOSTS {
            break;
        }
    }
    Ok(hosts)
}

/// RFC 3463 §3.5: X.4.6, routing loop detected.
pub(crate) fn loops_back(domain: &str) -> Failure {
    Failure::permanent(4, 6, format!("mail for {domain} loops back to this server"))
}

/// What a lookup without usable records means for the recipients of `domain`.
pub(crate) fn no_route(domain: &Domain, error: &dns::Error) -> Failure {
    match error {
        // RFC 7505 §4.1: 5.1.10, recipient address has null MX.
        dns::Error::NullMx => {
            Failure::permanent(1, 10, format!("{domain} does not accept mail (null MX)"))
        }
        // RFC 3463 §3.2: X.1.2, bad destination system address.
        dns::Error::NoRecords(Absence::NoSuchName) | dns::Error::InvalidName => {
            Failure::permanent(1, 2, format!("the domain {domain} does not exist"))
        }
        // RFC 3463 §3.5: X.4.4, unable to route.
        dns::Error::NoRecords(Absence::NoData) | dns::Error::Unusable => {
            Failure::permanent(4, 4, format!("{domain} names no host that takes its mail"))
        }
        // RFC 3463 §3.5: X.4.3, directory server failure.
        dns::Error::Temporary(_) | dns::Error::Configuration(_) => {
            Failure::temporary(4, 3, format!("looking up {domain}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambient::SeededRandom;
    use smtp::EnhancedCode;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn mx(records: &[(u16, &str)]) -> Result<Vec<Mx>, dns::Error> {
        Ok(records
            .iter()
            .map(|&(preference, name)| Mx {
                preference,
                exchange: domain(name),
            })
            .collect())
    }

    fn hosts(answer: Result<Vec<Mx>, dns::Error>, seed: u64) -> Result<Vec<String>, EnhancedCode> {
        order(
            &domain("example.org"),
            answer,
            &domain("us.test"),
            &SeededRandom::new(seed),
        )
        .map(|hosts| hosts.iter().map(ToString::to_string).collect())
        .map_err(|failure| failure.code)
    }

    #[test]
    fn lower_preferences_come_first_and_duplicates_go() {
        let answer = mx(&[
            (20, "b.test"),
            (10, "a.test"),
            (30, "c.test"),
            (40, "a.test"),
        ]);
        assert_eq!(hosts(answer, 1).unwrap(), ["a.test", "b.test", "c.test"]);
    }

    #[test]
    fn equal_preferences_are_shuffled() {
        let first: std::collections::BTreeSet<String> = (0..64)
            .map(|seed| hosts(mx(&[(10, "a.test"), (10, "b.test"), (20, "c.test")]), seed).unwrap())
            .inspect(|hosts| assert_eq!(hosts[2], "c.test"))
            .map(|hosts| hosts[0].clone())
            .collect();
        assert_eq!(first.len(), 2);
    }

    #[test]
    fn we_never_relay_to_ourselves_or_behind_ourselves() {
        let table = [
            (
                vec![
                    (10, "a.test"),
                    (20, "us.test"),
                    (20, "b.test"),
                    (30, "c.test"),
                ],
                Ok(vec!["a.test"]),
            ),
            (
                vec![(10, "us.test"), (20, "b.test")],
                Err(EnhancedCode(5, 4, 6)),
            ),
            (vec![(10, "us.test")], Err(EnhancedCode(5, 4, 6))),
        ];
        for (records, expected) in table {
            let found = hosts(mx(&records), 3);
            assert_eq!(
                found,
                expected.map(|hosts: Vec<&str>| hosts.iter().map(|h| h.to_string()).collect())
            );
        }
    }

    #[test]
    fn each_kind_of_nothing_has_its_code() {
        use dns::{Error, Failure as Trouble};
        for (error, expected) in [
            (
                Error::NoRecords(Absence::NoData),
                Ok(vec!["example.org".to_owned()]),
            ),
            (
                Error::NoRecords(Absence::NoSuchName),
                Err(EnhancedCode(5, 1, 2)),
            ),
            (Error::NullMx, Err(EnhancedCode(5, 1, 10))),
            (Error::Unusable, Err(EnhancedCode(5, 4, 4))),
            (
                Error::Temporary(Trouble::Timeout),
                Err(EnhancedCode(4, 4, 3)),
            ),
        ] {
            assert_eq!(hosts(Err(error.clone()), 1), expected, "{error}");
        }
    }

    #[test]
    fn the_list_is_bounded() {
        let names: Vec<String> = (0..50).map(|n| format!("mx{n}.test")).collect();
        let records: Vec<(u16, &str)> = names.iter().map(|name| (10, name.as_str())).collect();
        assert_eq!(hosts(mx(&records), 1).unwrap().len(), MAX_HOSTS);
    }
}
