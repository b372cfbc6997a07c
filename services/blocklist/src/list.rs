//! A list as data: where it is asked, about what, and what its answers mean.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One list in the DNS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Its short name, unique in the configuration; what [`Override`](crate::Override)s refer to.
    pub name: String,
    /// The zone below which entries stand, without a final dot. Empty: the list exists only with a
    /// key.
    pub zone: String,
    /// The zone for those who have a key; `{key}` stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyed_zone: Option<String>,
    /// What it is asked about.
    pub asks: Vec<Ask>,
    /// What its answers mean.
    pub codes: Vec<Code>,
    /// Answers that say "you may not ask". They come first: an answer with one of them is no hit.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    /// The symbol, of score 0, that says that the list refuses to answer.
    pub blocked: String,
    /// Whether it is asked.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What its operator asks of those who use it.
    #[serde(default)]
    pub note: String,
    /// Whether it knows IPv6 addresses.
    #[serde(default)]
    pub ipv6: bool,
    /// Whether a list of domains also knows the IPv4 addresses that stand in links instead of a
    /// name.
    #[serde(default)]
    pub literals: bool,
    /// How mail addresses are hashed, for [`Ask::Email`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<EmailHash>,
}

fn yes() -> bool {
    true
}

/// What a list is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// The address of the client.
    Client,
    /// The name in HELO: its registrable domain.
    Helo,
    /// The client's confirmed name: its registrable domain.
    Hostname,
    /// The registrable domain of the envelope sender.
    Envelope,
    /// The registrable domains of the authors (From).
    Author,
    /// The registrable domains of Reply-To.
    ReplyTo,
    /// The domains of valid DKIM signatures.
    Dkim,
    /// The registrable domains in links.
    UrlDomain,
    /// The full host names in links.
    UrlHost,
    /// Hashes of mail addresses in the message.
    Email,
    /// The addresses in Received fields.
    Received,
    /// The addresses that the hosts in links have.
    UrlAddress,
}

impl Ask {
    /// Most telling first: where the budget ends, the rest is not asked.
    pub(crate) const ORDER: [Self; 12] = [
        Self::Client,
        Self::Envelope,
        Self::Author,
        Self::Dkim,
        Self::Helo,
        Self::Hostname,
        Self::ReplyTo,
        Self::UrlDomain,
        Self::UrlHost,
        Self::Email,
        Self::Received,
        Self::UrlAddress,
    ];

    /// Whether entries are addresses, so that RFC 5782's test entries for addresses apply.
    pub(crate) fn is_address(self) -> bool {
        matches!(self, Self::Client | Self::Received | Self::UrlAddress)
    }
}

/// How a mail address becomes a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmailHash {
    /// SHA-1 of the address in lower case, in hexadecimal.
    #[serde(rename = "sha1")]
    Sha1,
    /// SHA-256 of the address in lower case, in base 32 without padding.
    #[serde(rename = "sha256-base32")]
    Sha256Base32,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The answers meant.
    pub code: Codes,
    /// The symbol: upper case letters, digits and underscores.
    pub symbol: String,
    /// What it adds to the message's score; negative for lists of the good.
    pub score: f32,
    /// What it says, for people.
    pub description: String,
}

/// An answer that is no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The answers meant.
    pub code: Codes,
    /// Why the list refuses, for the operator.
    pub reason: String,
}

/// A set of IPv4 addresses, octet by octet: a number, a range `4-7`, `*` for any, or `&8` for those
/// with a bit in common with the number. `127.0.0.4-7`, `127.0.*.3`, `127.0.0.&8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Codes([Octet; 4]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Octet {
    Range(u8, u8),
    Bits(u8),
}

/// Why a text is no set of return codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a return code such as 127.0.0.2, 127.0.0.4-7, 127.0.*.3 or 127.0.0.&8")]
pub struct CodesError;

impl Codes {
    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.0
            .iter()
            .zip(address.octets())
            .all(|(octet, value)| match *octet {
                Octet::Range(low, high) => (low..=high).contains(&value),
                Octet::Bits(bits) => value & bits != 0,
            })
    }
}

impl FromStr for Codes {
    type Err = CodesError;

    fn from_str(text: &str) -> Result<Self, CodesError> {
        let mut octets = text.split('.').map(octet);
        let mut next = || octets.next().flatten().ok_or(CodesError);
        let codes = Self([next()?, next()?, next()?, next()?]);
        match octets.next() {
            None => Ok(codes),
            Some(_) => Err(CodesError),
        }
    }
}

fn octet(text: &str) -> Option<Octet> {
    if text == "*" {
        return Some(Octet::Range(0, u8::MAX));
    }
    if let Some(bits) = text.strip_prefix('&') {
        return number(bits).filter(|&bits| bits != 0).map(Octet::Bits);
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (number(low)?, number(high)?);
    (low <= high).then_some(Octet::Range(low, high))
}

/// Digits only: `u8::from_str` would take `+2`.
fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match *octet {
                Octet::Range(0, u8::MAX) => f.write_str("*")?,
                Octet::Range(low, high) if low == high => write!(f, "{low}")?,
                Octet::Range(low, high) => write!(f, "{low}-{high}")?,
                Octet::Bits(bits) => write!(f, "&{bits}")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Codes {
    type Error = CodesError;

    fn try_from(text: String) -> Result<Self, CodesError> {
        text.parse()
    }
}

impl From<Codes> for String {
    fn from(codes: Codes) -> Self {
        codes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(codes: &str, address: &str) -> bool {
        let codes: Codes = codes.parse().unwrap();
        codes.contains(address.parse().unwrap())
    }

    #[test]
    fn codes_are_exact_ranges_wildcards_or_bits() {
        assert!(holds("127.0.0.2", "127.0.0.2") && !holds("127.0.0.2", "127.0.0.3"));
        assert!(holds("127.0.0.4-7", "127.0.0.7") && !holds("127.0.0.4-7", "127.0.0.8"));
        assert!(holds("127.0.*.3", "127.0.15.3") && !holds("127.0.*.3", "127.1.15.3"));
        assert!(holds("127.0.0.&8", "127.0.0.24") && !holds("127.0.0.&8", "127.0.0.16"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "127.0.0",
            "127.0.0.2.3",
            "127.0.0.256",
            "127.0.0.7-4",
            "127.0.0.&0",
            "127.0.0.+2",
            "127.0.0.",
            "127..0.1",
            "127.0.0.4-",
            "127.0.0.x",
            " 127.0.0.1",
        ] {
            assert_eq!(text.parse::<Codes>(), Err(CodesError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_to_the_same(text in "(127|&?[0-9]{1,3}|\\*|[0-9]-2[0-9])(\\.([0-9]{1,2}|\\*|&[1-9]|[0-9]-[0-9]{2})){3}") {
            if let Ok(codes) = text.parse::<Codes>() {
                prop_assert_eq!(codes.to_string().parse(), Ok(codes));
            }
        }
    }
}
