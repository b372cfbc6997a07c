//! What the filter looks at.

use std::net::IpAddr;

use mailauth::AuthResults;
use smtp::address::{Address, ReversePath};

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From another server: who sent it is what has to be found out.
    Outside,
    /// From a user of ours who has signed in: who sent it is known, so that neither sender
    /// authentication nor the client's name says anything.
    Authenticated,
}

/// One message and how it came.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The message as it was received.
    pub raw: &'a [u8],
    /// The same, parsed.
    pub summary: &'a mime::Summary,
    /// What sender authentication found out; the default when it was not asked.
    pub auth: &'a AuthResults,
    /// The client's address.
    pub ip: IpAddr,
    /// The client's EHLO name.
    pub helo: &'a str,
    /// The envelope sender.
    pub from: &'a ReversePath,
    /// The accepted recipients.
    pub recipients: &'a [Address],
    /// Where it came from.
    pub origin: Origin,
}

impl Input<'_> {
    /// Whether the client's address is one that has no public name: private, link-local, loopback.
    pub(crate) fn client_is_near(&self) -> bool {
        match self.ip.to_canonical() {
            IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        }
    }
}
