//! What an entry of a list of senders can be, and the one spelling it is stored in.

use std::fmt;
use std::str::FromStr;

use smtp::address::{Address, Domain};

use super::wildcard::MOST_STARS;
use crate::Error;
use crate::network::Network;
use crate::owner::words;

/// Octets of an entry, and of an address that is looked up.
pub(crate) const LONGEST_ENTRY: usize = 320;

words! {
    /// The kinds of entries of a list of senders.
    SenderKind, "kind of entry" {
        /// One address.
        Address = "address",
        /// A domain and all below it.
        Domain = "domain",
        /// Addresses by a text in which `*` stands for anything.
        Wildcard = "wildcard",
        /// Clients of a network, whatever sender they give.
        Network = "network",
    }
}

/// Whom an entry of a list means. It has one spelling: lower case, domains in A-labels, networks
/// with their prefix length. Read it with [`str::parse`], print it with its
/// [`Display`](fmt::Display).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SenderPattern(Means);

/// What is in a [`SenderPattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Means {
    Address(String),
    Domain(String),
    Wildcard(String),
    Network(Network),
}

impl SenderPattern {
    /// What kind of entry it is.
    #[must_use]
    pub fn kind(&self) -> SenderKind {
        self.0.kind()
    }
}

impl FromStr for SenderPattern {
    type Err = Error;

    /// `someone@example.test`, `example.test` (or `@example.test`, `.example.test`),
    /// `*@*.example.test`, `192.0.2.0/24`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST_ENTRY {
            return Err(Error::Entry);
        }
        if text.contains('*') {
            return wildcard(text).map(Self);
        }
        if let Ok(network) = text.parse() {
            return Ok(Self(Means::Network(network)));
        }
        let domain = text.strip_prefix('@').or_else(|| text.strip_prefix('.'));
        if domain.is_some() || !text.contains('@') {
            let domain = Domain::parse(domain.unwrap_or(text))?;
            return Ok(Self(Means::Domain(domain.as_str().to_owned())));
        }
        let address = folded(&Address::parse(text)?);
        // Lower case may be longer, and what is listed must be possible to write.
        Address::parse(&address)?;
        Ok(Self(Means::Address(address)))
    }
}

fn wildcard(text: &str) -> Result<Means, Error> {
    let sound = |character: char| !character.is_control() && !character.is_whitespace();
    if !text.chars().all(sound)
        || text.matches('*').count() > MOST_STARS
        || text.matches('@').count() > 1
    {
        return Err(Error::Entry);
    }
    let (local, domain) = match text.split_once('@') {
        Some((local, domain)) => (Some(local), domain),
        None => (None, text),
    };
    // Labels beyond ASCII are compared as A-labels; those with a star stay as they are.
    let labels: Result<Vec<String>, Error> = domain
        .split('.')
        .map(|label| match label.is_ascii() {
            false if label.contains('*') => Err(Error::Entry),
            false => Ok(Domain::parse(label)?.as_str().to_owned()),
            true => Ok(label.to_ascii_lowercase()),
        })
        .collect();
    let domain = labels?.join(".");
    let whole = match local {
        Some(local) => format!("{}@{domain}", local.to_lowercase()),
        None => domain,
    };
    if whole.len() > LONGEST_ENTRY {
        return Err(Error::Entry);
    }
    Ok(Means::Wildcard(whole))
}

/// The key of an address: lower case throughout.
pub(crate) fn folded(address: &Address) -> String {
    address.to_string().to_lowercase()
}

/// The key of an address a message gives, which may be anything. `None` when it is empty or too
/// long to be one.
pub(crate) fn key(address: &str) -> Option<String> {
    let address = address.trim();
    if address.is_empty() || address.len() > LONGEST_ENTRY {
        return None;
    }
    let lower = address.to_lowercase();
    match lower.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => Some(match Domain::parse(domain) {
            Ok(domain) => format!("{local}@{domain}"),
            Err(_) => lower,
        }),
        _ => Some(lower),
    }
}

impl Means {
    pub(crate) fn kind(&self) -> SenderKind {
        match self {
            Self::Address(_) => SenderKind::Address,
            Self::Domain(_) => SenderKind::Domain,
            Self::Wildcard(_) => SenderKind::Wildcard,
            Self::Network(_) => SenderKind::Network,
        }
    }

    /// Reads what [`SenderPattern`]'s `Display` has written into the database.
    pub(crate) fn stored(text: &str) -> Result<Self, Error> {
        let text = text.to_owned();
        Ok(if text.contains('*') {
            Self::Wildcard(text)
        } else if text.contains('@') {
            Self::Address(text)
        } else if text.contains('/') {
            Self::Network(text.parse()?)
        } else {
            Self::Domain(text)
        })
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Means::Address(text) | Means::Domain(text) | Means::Wildcard(text) => f.write_str(text),
            Means::Network(network) => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_told_apart_and_have_one_spelling() {
        use Means::{Address, Domain, Wildcard};
        for (written, wanted) in [
            ("Ann@Example.TEST", Address("ann@example.test".into())),
            (
                " ann@bücher.test ",
                Address("ann@xn--bcher-kva.test".into()),
            ),
            ("example.test", Domain("example.test".into())),
            ("@Example.test", Domain("example.test".into())),
            (".bücher.test", Domain("xn--bcher-kva.test".into())),
            ("*@*.Example.test", Wildcard("*@*.example.test".into())),
            (
                "News-*@bücher.test",
                Wildcard("news-*@xn--bcher-kva.test".into()),
            ),
            ("*.example.test", Wildcard("*.example.test".into())),
            ("*", Wildcard("*".into())),
            (
                "192.0.2.9/24",
                Means::Network("192.0.2.0/24".parse().unwrap()),
            ),
            (
                "2001:db8::1",
                Means::Network("2001:db8::1/128".parse().unwrap()),
            ),
        ] {
            let pattern: SenderPattern = written.parse().unwrap();
            assert_eq!(pattern.0, wanted, "{written}");
            let printed = pattern.to_string();
            assert_eq!(printed.parse::<SenderPattern>().unwrap(), pattern);
            assert_eq!(Means::stored(&printed).unwrap(), pattern.0);
        }
        for wrong in [
            "",
            "  ",
            "a b",
            "@",
            "a@",
            "@@a.test",
            "a@b@c*",
            "*\u{7}",
            "exa mple.test",
            "*@bü*.test",
            &"*".repeat(17),
            &"a".repeat(321),
            // Longer once they have their one spelling.
            &format!("*{}", ".ü".repeat(100)),
            &format!("{}@a.test", "Ⱥ".repeat(64)),
        ] {
            assert!(wrong.parse::<SenderPattern>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_of_messages_become_keys_whatever_they_are() {
        for (address, wanted) in [
            ("Ann@Example.TEST", Some("ann@example.test")),
            ("ann@bücher.test", Some("ann@xn--bcher-kva.test")),
            ("no address at all", Some("no address at all")),
            ("", None),
            (&"x".repeat(321), None),
        ] {
            assert_eq!(key(address).as_deref(), wanted);
        }
    }
}
