//! What a resolver answers, and the ways in which it may not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::BoxFuture;
use smtp::address::Domain;

/// One usable MX record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host that takes the mail; never the root.
    pub exchange: Domain,
}

/// Which kind of nothing an authoritative answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Absence {
    /// NXDOMAIN: neither the name nor anything below it exists (RFC 8020).
    NoSuchName,
    /// The name exists and has no record of this type.
    NoData,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchName => "no such name",
            Self::NoData => "no record of this type",
        })
    }
}

/// Why nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// A name server answered with an error (SERVFAIL, REFUSED, …); its mnemonic.
    Server(String),
    /// The question or the answer did not travel.
    Network(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timed out"),
            Self::Server(code) => write!(f, "name server answered {code}"),
            Self::Network(why) => f.write_str(why),
        }
    }
}

/// Why a lookup has no records to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An authoritative "there is none".
    #[error("{0}")]
    NoRecords(Absence),
    /// RFC 7505 §3: the domain says that it accepts no mail.
    #[error("the domain accepts no mail (null MX)")]
    NullMx,
    /// Records exist and none of them can be used (an MX exchange that is no host name).
    #[error("no usable record")]
    Unusable,
    /// The question itself is no name in the DNS.
    #[error("not a domain name")]
    InvalidName,
    /// Nobody could tell; asking again later may help.
    #[error("temporary failure in name resolution: {0}")]
    Temporary(Failure),
    /// The host's resolver configuration cannot be used.
    #[error("resolver configuration: {0}")]
    Configuration(String),
}

impl Error {
    /// Whether the same question may get an answer later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

/// Name resolution as mail needs it. Every method is bounded in time and cancel-safe, and an `Ok`
/// never holds an empty list: no records is [`Error::NoRecords`].
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The MX records of `domain`, best preference first.
    ///
    /// # Errors
    /// [`Error::NullMx`] when the domain refuses mail; [`Error::NoRecords`] when there are none
    /// (the caller falls back to the address, RFC 5321 §5.1).
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<Mx>, Error>>;

    /// The addresses of `domain`, IPv4 before IPv6 (many receivers refuse IPv6 without a matching
    /// PTR, which a self-hosted line seldom has).
    ///
    /// # Errors
    /// [`Error::Temporary`] only when neither family gave an address and one of them failed.
    fn addresses<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, Error>>;

    /// The IPv4 addresses at `name`, which need not be a host name, and nothing of IPv6: how block
    /// lists answer.
    ///
    /// RFC 5782 §2.1: an entry of a list is an A record, by convention within 127.0.0.0/8.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NoRecords`] says that the list has no such entry.
    fn list_addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Ipv4Addr>, Error>>;

    /// The TXT records at `name`, the strings of each joined, octets outside UTF-8 replaced.
    ///
    /// # Errors
    /// See [`Error`].
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>>;

    /// The names that `address` claims; not yet confirmed by a forward lookup.
    ///
    /// # Errors
    /// See [`Error`].
    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Result<Vec<Domain>, Error>>;
}
