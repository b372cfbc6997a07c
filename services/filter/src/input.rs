//! What the filter looks at.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use mailauth::AuthResults;
use smtp::address::{Address, ReversePath};
use store::{AccountId, DomainId};

/// A message from a file as it travels: CRLF, no line of an mbox before it.
fn as_mail(raw: Bytes) -> Bytes {
    let raw = match raw.strip_prefix(b"From ") {
        Some(_) => {
            let end = raw.iter().position(|&byte| byte == b'\n');
            raw.slice(end.map_or(0, |end| end + 1)..)
        }
        None => raw,
    };
    let first = raw.iter().position(|&byte| byte == b'\n');
    let is_unix = first.is_some_and(|end| end == 0 || raw.get(end - 1) != Some(&b'\r'));
    if !is_unix {
        return raw;
    }
    let mut mail = Vec::with_capacity(raw.len() + raw.len() / 32);
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                mail.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                mail.extend_from_slice(b"\r\n");
            }
            None => mail.extend_from_slice(line),
        }
    }
    mail.into()
}

/// The author's address.
fn author(summary: &mime::Summary) -> Option<Address> {
    let author = summary.envelope.from.first()?;
    let user = String::from_utf8_lossy(author.mailbox.as_deref()?);
    let host = String::from_utf8_lossy(author.host.as_deref()?);
    Address::parse(&format!("{user}@{host}")).ok()
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From another server: who sent it is what has to be found out.
    Outside,
    /// From a user of ours who has signed in: who sent it is known, so that neither sender
    /// authentication nor the client's name says anything.
    Authenticated,
}

/// One accepted recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// The address that the sender named.
    pub address: Address,
    /// Whose mailbox it leads to, when it leads to one of ours.
    pub account: Option<AccountId>,
    /// The domain of that account.
    pub domain: Option<DomainId>,
}

impl Recipient {
    /// A recipient of whom only the address is known.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            account: None,
            domain: None,
        }
    }
}

/// One message and how it came. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Input {
    /// The message as it was received.
    pub raw: Bytes,
    /// The same, parsed.
    pub summary: Arc<mime::Summary>,
    /// What sender authentication found out; the default when it was not asked.
    pub auth: Arc<AuthResults>,
    /// The client's address.
    pub ip: IpAddr,
    /// The client's EHLO name.
    pub helo: String,
    /// The envelope sender.
    pub from: ReversePath,
    /// The accepted recipients.
    pub recipients: Vec<Recipient>,
    /// Where it came from.
    pub origin: Origin,
    /// The account that signed in to send it.
    pub account: Option<AccountId>,
    /// When it came, in seconds since 1970; now when absent.
    pub received_at: Option<i64>,
}

impl Input {
    /// A message that lies in a file or a mailbox: the client is that of its latest Received field
    /// with a public address, the envelope sender that of Return-Path, and it is judged as of the
    /// time it was received. Line ends of Unix become those of mail, and the line that begins a
    /// message in an mbox file is left out.
    #[must_use]
    pub fn stored(raw: Bytes) -> Self {
        let raw = as_mail(raw);
        let summary = Arc::new(mime::Summary::parse(&raw));
        let client = crate::facts::client_of(&raw);
        let received_at = mime::header::find(&raw, "Received")
            .and_then(|field| mime::date::parse(field.value.rsplit(|&byte| byte == b';').next()?));
        let mut auth = AuthResults::default();
        if let Ok(name) = smtp::Domain::parse(&client.name) {
            auth.iprev.result = mailauth::Outcome::Pass;
            auth.iprev.name = Some(name);
        }
        let path = mime::header::find(&raw, "Return-Path");
        let path = path.map(|field| String::from_utf8_lossy(field.value).trim().to_owned());
        let from = path
            .as_deref()
            .map(|path| path.trim_start_matches('<').trim_end_matches('>'))
            .and_then(|path| ReversePath::parse(path).ok())
            .or_else(|| author(&summary).map(ReversePath::Address))
            .unwrap_or(ReversePath::Null);
        Self {
            raw,
            summary,
            auth: Arc::new(auth),
            ip: client.address,
            helo: client.helo,
            from,
            recipients: Vec::new(),
            origin: Origin::Outside,
            account: None,
            received_at,
        }
    }

    /// Whether the client's address is one that has no public name: private, link-local, loopback.
    pub(crate) fn client_is_near(&self) -> bool {
        crate::facts::is_near(self.ip)
    }

    /// The envelope sender in lower case; empty for a report.
    pub(crate) fn sender(&self) -> String {
        match &self.from {
            ReversePath::Null => String::new(),
            ReversePath::Address(address) => address.to_string().to_lowercase(),
        }
    }
}
