//! The way of the message: the client and the Received chain before it.
//!
//! RFC 5321 §4.4 says how a Received field reads; what mail servers write differs, so this reads
//! the forms of Postfix, Sendmail, Exim, qmail and Exchange by their common parts: a name after
//! `from`, an address in brackets or parentheses, a name after `by`.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::fields::Fields;
use super::limits::MAX_RELAYS;

/// One hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay {
    /// The address of who handed the message over.
    pub(crate) address: IpAddr,
    /// Its name by reverse lookup, as the receiver wrote it; empty when unknown.
    pub(crate) name: String,
    /// What it called itself.
    pub(crate) helo: String,
    /// Who received it.
    pub(crate) by: String,
    /// The receiver's identifier.
    pub(crate) id: String,
    /// Whether it was authenticated.
    pub(crate) authenticated: bool,
}

impl Relay {
    /// Whether its address has no public meaning.
    pub(crate) fn is_near(&self) -> bool {
        is_near(self.address)
    }
}

/// Whether an address is private, link-local, loopback or unspecified.
pub(crate) fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_unspecified()
        }
    }
}

/// The relays of the Received fields, the latest first; fields without an address are left out.
pub(crate) fn of_header(fields: &Fields<'_>) -> Vec<Relay> {
    fields
        .named("Received")
        .take(MAX_RELAYS)
        .filter_map(|field| parse(field.value()))
        .collect()
}

/// The client of a message that lies somewhere: the latest hop with a public address, and what it
/// called itself; loopback when there is none.
pub(crate) fn client_of(raw: &[u8]) -> Relay {
    let relays = of_header(&Fields::read(raw));
    let public = relays.into_iter().find(|relay| !relay.is_near());
    public.unwrap_or_else(|| Relay {
        address: IpAddr::from([127, 0, 0, 1]),
        name: String::new(),
        helo: "localhost".to_owned(),
        by: String::new(),
        id: String::new(),
        authenticated: false,
    })
}

/// Reads one Received field; none when it names no address: a hop inside one machine.
pub(crate) fn parse(value: &str) -> Option<Relay> {
    let value = value.split_once(';').map_or(value, |(hop, _)| hop);
    let from = word_after(value, "from ").unwrap_or_default();
    let clauses = value.find(" by ").unwrap_or(value.len());
    let sender = value.get(..clauses).unwrap_or(value);
    let address = address_in(sender)?;
    let by = word_after(value, " by ").unwrap_or_default();
    let id = word_after(value, " id ").unwrap_or_default();
    let with = word_after(value, " with ").unwrap_or_default();
    let inside = sender.find('(').and_then(|open| sender.get(open + 1..));
    let mut name = String::new();
    let mut helo = plain(from);
    if let Some(inside) = inside {
        let first = inside
            .split([' ', '[', ')', '('])
            .next()
            .unwrap_or_default();
        match first
            .strip_prefix("HELO")
            .or_else(|| first.strip_prefix("EHLO"))
        {
            // qmail: from name (HELO said) (address)
            Some(_) => {
                name = plain(from);
                helo = inside
                    .split_once(' ')
                    .and_then(|(_, rest)| rest.split([')', ' ']).next())
                    .map(plain)
                    .unwrap_or_default();
            }
            None if first.contains('.') && first.parse::<IpAddr>().is_err() => {
                name = plain(first.rsplit('@').next().unwrap_or(first));
            }
            None => {}
        }
        // Exim: from name ([address] helo=said)
        if let Some(said) = inside.split_once("helo=").map(|(_, rest)| rest) {
            name = plain(from);
            helo = plain(said.split([')', ' ']).next().unwrap_or_default());
        }
    }
    if name.eq_ignore_ascii_case("unknown") {
        name.clear();
    }
    let protocol = with.to_ascii_uppercase();
    let authenticated = protocol.ends_with("SMTPA")
        || protocol.ends_with("SMTPSA")
        || value.contains("(Authenticated sender:")
        || value.contains("(authenticated");
    Some(Relay {
        address,
        name,
        helo,
        by: plain(by),
        id: plain(id.trim_matches(['<', '>'])),
        authenticated,
    })
}

/// The word that follows `key`.
fn word_after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = match key.strip_prefix(' ') {
        Some(_) => text.find(key)? + key.len(),
        None => text.starts_with(key).then_some(key.len())?,
    };
    text.get(at..)?
        .split([' ', '\t'])
        .find(|word| !word.is_empty())
}

/// A name as it may stand in the rendered form: no blanks, no brackets.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '[' | ']' | '(' | ')'))
        .take(255)
        .collect::<String>()
        .to_lowercase()
}

/// The first address in brackets, or in parentheses alone.
fn address_in(text: &str) -> Option<IpAddr> {
    let mut words = text.split(['[', ']', '(', ')', ' ']);
    words.find_map(|word| {
        let word = word.strip_prefix("IPv6:").unwrap_or(word);
        let word = word.rsplit('@').next().unwrap_or(word);
        // A bare number is no address that anybody wrote into a trace field.
        (word.contains('.') || word.contains(':'))
            .then(|| word.parse::<IpAddr>().ok())
            .flatten()
            .map(|address| address.to_canonical())
    })
}

/// The relays as rules see them: `[ ip=… rdns=… helo=… by=… … ]` each, a blank between them.
pub(crate) fn rendered(relays: &[Relay]) -> String {
    let mut text = String::new();
    for relay in relays {
        if !text.is_empty() {
            text.push(' ');
        }
        let auth = if relay.authenticated { "esmtpa" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[ ip={} rdns={} helo={} by={} ident= envfrom= intl=0 id={} auth={auth} msa=0 ]",
            relay.address, relay.name, relay.helo, relay.by, relay.id,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_mail_servers_are_read() {
        for (value, ip, name, helo, by) in [
            (
                "from mail.example.test (host.example.test [192.0.2.1]) by mx.test (Postfix) with ESMTP id ABC for <u@x>; Mon",
                "192.0.2.1",
                "host.example.test",
                "mail.example.test",
                "mx.test",
            ),
            (
                "from mail (unknown [192.0.2.2]) by mx.test with SMTP id 1; Mon",
                "192.0.2.2",
                "",
                "mail",
                "mx.test",
            ),
            (
                "from host.example.test (HELO said.test) (192.0.2.3) by mx.test with SMTP; Mon",
                "192.0.2.3",
                "host.example.test",
                "said.test",
                "mx.test",
            ),
            (
                "from host.test ([192.0.2.4] helo=said.test) by mx.test with esmtp (Exim 4.9) id 1abc; Mon",
                "192.0.2.4",
                "host.test",
                "said.test",
                "mx.test",
            ),
            (
                "from x.test ([IPv6:2001:db8::5]) by mx.test with ESMTPS id q; Mon",
                "2001:db8::5",
                "",
                "x.test",
                "mx.test",
            ),
        ] {
            let relay = parse(value).unwrap_or_else(|| panic!("{value}"));
            assert_eq!(relay.address, ip.parse::<IpAddr>().unwrap(), "{value}");
            assert_eq!(
                (relay.name.as_str(), relay.helo.as_str(), relay.by.as_str()),
                (name, helo, by),
                "{value}"
            );
        }
        for value in [
            "",
            "by mx.test with local; Mon",
            "from a by b",
            ";;;",
            "from ([[[)))",
        ] {
            assert_eq!(parse(value), None, "{value}");
        }
    }

    #[test]
    fn authenticated_hops_are_told() {
        let relay = parse("from a ([192.0.2.1]) by mx.test with ESMTPSA id x; Mon").unwrap();
        assert!(relay.authenticated);
        assert!(rendered(&[relay]).contains("auth=esmtpa"));
    }
}
