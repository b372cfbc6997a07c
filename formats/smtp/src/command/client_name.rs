//! The name a client gives itself in EHLO, HELO or LHLO.
//!
//! Implements RFC 5321 §4.1.1.1 and §4.1.3, leniently: people's computers have odd names, and a
//! refused greeting is mail lost for nothing.

use std::fmt;
use std::net::IpAddr;

use super::CommandError;
use crate::address::Domain;

/// Octets of a client's name.
const MAX_NAME: usize = 255;

/// What a client calls itself: 1 to 255 characters, each a letter, a digit or one of `.-_:[]`, so
/// that it can stand in a Received field or a log as it is. Says nothing true about the client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientName(String);

impl ClientName {
    /// Reads the argument of EHLO. Each octet outside the safe set becomes `_`.
    pub(super) fn parse(argument: &[u8]) -> Result<Self, CommandError> {
        const SYNTAX: CommandError = CommandError::Syntax("EHLO hostname");
        let name = argument.trim_ascii();
        if name.is_empty() || name.len() > MAX_NAME || name.contains(&b' ') {
            return Err(SYNTAX);
        }
        if name.iter().any(u8::is_ascii_control) {
            return Err(CommandError::Control);
        }
        let safe = |&b: &u8| {
            let known = b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
            char::from(if known { b } else { b'_' })
        };
        Ok(Self(name.iter().map(safe).collect()))
    }

    /// The name as a client of ours sends it.
    pub fn from_domain(domain: &Domain) -> Self {
        Self(domain.as_str().to_owned())
    }

    /// The address literal for a client of ours that has no name.
    ///
    /// RFC 5321 §4.1.3: `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"`
    pub fn from_ip(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        })
    }

    /// The name, safe to print.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a domain, if it is one: what SPF checks.
    pub fn domain(&self) -> Option<Domain> {
        Domain::parse(&self.0).ok()
    }

    /// The address in the name, if it is a literal.
    pub fn literal(&self) -> Option<IpAddr> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        match inner.split_at_checked(5) {
            Some((tag, ip)) if tag.eq_ignore_ascii_case("IPv6:") => ip.parse().ok().map(IpAddr::V6),
            _ => inner.parse().ok().map(IpAddr::V4),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ClientName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Option<String> {
        ClientName::parse(text).ok().map(|name| name.to_string())
    }

    #[test]
    fn odd_names_are_taken_and_made_safe() {
        for (input, name) in [
            (&b"mx.example.org"[..], Some("mx.example.org")),
            (b" mx ", Some("mx")),
            (b"[192.0.2.1]", Some("[192.0.2.1]")),
            (b"MY_PC", Some("MY_PC")),
            (b"ann's-pc", Some("ann_s-pc")),
            (b"J\xd6RG", Some("J_RG")),
            (b"a(b)<c>\"d", Some("a_b__c__d")),
            (b"a b", None),
            (b"", None),
            (b"  ", None),
            (b"a\x1bb", None),
            (b"a\0b", None),
        ] {
            assert_eq!(parse(input).as_deref(), name, "{}", input.escape_ascii());
        }
        assert!(parse(&[b'a'; MAX_NAME]).is_some());
        assert!(parse(&[b'a'; MAX_NAME + 1]).is_none());
    }

    #[test]
    fn domains_and_literals_are_told_apart() {
        let name = |text: &str| ClientName::parse(text.as_bytes()).unwrap();
        assert_eq!(
            name("MX.example.org").domain(),
            Domain::parse("mx.example.org").ok()
        );
        assert_eq!(name("[192.0.2.1]").domain(), None);
        assert_eq!(name("192.0.2.1").domain(), None);
        for ip in ["192.0.2.1", "2001:db8::1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(ClientName::from_ip(ip).literal(), Some(ip));
        }
        assert_eq!(name("[ipv6:::1]").literal(), "::1".parse().ok());
        assert_eq!(name("[x]").literal(), None);
        assert_eq!(name("mx").literal(), None);
    }
}
