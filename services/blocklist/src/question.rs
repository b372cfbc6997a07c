//! What is asked of the network about a message, and what it says.

use std::net::IpAddr;
use std::time::Duration;

/// A host name and the domain someone registered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host<'a> {
    /// The full name, in any letter case; or an IPv4 address as a link may have it.
    pub name: &'a str,
    /// The registrable domain by the public suffix list; `name` itself where there is none.
    pub registrable: &'a str,
}

impl<'a> Host<'a> {
    /// A host and its registrable domain.
    #[must_use]
    pub fn new(name: &'a str, registrable: &'a str) -> Self {
        Self { name, registrable }
    }
}

/// What is known of a message. Leave out what must not be asked: the client of an authenticated
/// session, say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The name it gave in HELO.
    pub helo: Option<Host<'a>>,
    /// Its confirmed name.
    pub hostname: Option<Host<'a>>,
    /// The domain of the envelope sender.
    pub envelope: Option<Host<'a>>,
    /// The domains of the authors.
    pub authors: &'a [Host<'a>],
    /// The domains of Reply-To.
    pub reply_to: &'a [Host<'a>],
    /// The domains of valid DKIM signatures.
    pub dkim: &'a [Host<'a>],
    /// The hosts of links, most telling first.
    pub links: &'a [Host<'a>],
    /// Mail addresses of the message, most telling first.
    pub emails: &'a [&'a str],
    /// The addresses in Received fields below ours, the latest first.
    pub received: &'a [IpAddr],
    /// Domains of ours, about which nobody is asked, nor about names below them.
    pub own: &'a [&'a str],
}

/// One thing the network said.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSignal {
    /// Its symbol.
    pub symbol: String,
    /// What it adds to the score.
    pub score: f32,
    /// What it says, for people.
    pub description: String,
    /// What it was said of: addresses, domains; at most five, in the order of the question. Mail
    /// addresses are those of the message, not their hashes.
    pub options: Vec<String>,
}

/// What the network said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The signals, each symbol once, in the order of the lists.
    pub signals: Vec<NetworkSignal>,
    /// The autonomous system that announces the client's address.
    pub asn: Option<u32>,
    /// The network the client's address is announced in, such as `192.0.2.0/24`.
    pub network: Option<String>,
    /// The country the client's address is registered in, two capital letters.
    pub country: Option<String>,
    /// Whether the deadline passed before every question had its answer.
    pub timed_out: bool,
    /// Questions that the budget left no room for.
    pub left_out: usize,
    /// How long it took.
    pub elapsed: Duration,
}
