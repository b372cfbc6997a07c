//! From addresses, domains and mail addresses to the names that lists are asked by.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::digest;
use smtp::address::{Domain, MAX_DOMAIN};

use crate::list::EmailHash;

/// RFC 4648 §6: the alphabet; in lower case, which names in the DNS do not tell from capitals.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// RFC 5782 §2.1: the octets of an IPv4 address, backwards.
/// RFC 5782 §2.4: the nibbles of an IPv6 address, backwards.
pub(crate) fn reversed(address: IpAddr) -> String {
    let mut name = String::with_capacity(64);
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let _ = write!(name, "{d}.{c}.{b}.{a}");
        }
        IpAddr::V6(address) => {
            for octet in address.octets().iter().rev() {
                let dot = if name.is_empty() { "" } else { "." };
                let _ = write!(name, "{dot}{:x}.{:x}", octet & 15, octet >> 4);
            }
        }
    }
    name
}

/// `name` below `zone`, if that is a name in the DNS.
pub(crate) fn below(name: &str, zone: &str) -> Option<String> {
    (name.len() + 1 + zone.len() <= MAX_DOMAIN).then(|| format!("{name}.{zone}"))
}

/// The address as such if others may hear of it: nothing of the private, local and special networks.
/// An IPv4 address in IPv6 clothes is an IPv4 address.
pub(crate) fn public(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    let special = match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xffc0 == 0xfec0
                || (first == 0 && second == 0)
        }
    };
    (!special).then_some(address)
}

fn special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
        || (a == 192 && b == 0 && c == 0)
}

/// The domain as it is asked about: A-labels, lower case, at least two labels, none of ours.
pub(crate) fn domain(text: &str, own: &[&str]) -> Option<Domain> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let domain = Domain::parse(text).ok()?;
    let name = domain.as_str();
    let ours = |own: &&str| {
        name.len() >= own.len()
            && name
                .get(name.len() - own.len()..)
                .is_some_and(|end| end.eq_ignore_ascii_case(own))
            && name
                .get(..name.len() - own.len())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            && !own.is_empty()
    };
    (name.contains('.') && !own.iter().any(ours)).then_some(domain)
}

/// The label that stands for a mail address.
pub(crate) fn email(address: &str, hash: EmailHash) -> String {
    let address = address.to_lowercase();
    match hash {
        EmailHash::Sha1 => {
            let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, address.as_bytes());
            sum.as_ref().iter().fold(String::new(), |mut name, octet| {
                let _ = write!(name, "{octet:02x}");
                name
            })
        }
        EmailHash::Sha256Base32 => {
            base32(digest::digest(&digest::SHA256, address.as_bytes()).as_ref())
        }
    }
}

fn base32(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for &octet in octets {
        bits = (bits << 8 | u32::from(octet)) & 0xffff;
        held += 8;
        while held >= 5 {
            held -= 5;
            push(&mut text, bits >> held);
        }
    }
    if held > 0 {
        push(&mut text, bits << (5 - held));
    }
    text
}

fn push(text: &mut String, bits: u32) {
    let letter = usize::try_from(bits & 31)
        .ok()
        .and_then(|index| BASE32.get(index));
    text.extend(letter.copied().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_backwards() {
        assert_eq!(reversed("192.0.2.99".parse().unwrap()), "99.2.0.192");
        // RFC 5782 §2.4: its own example.
        assert_eq!(
            reversed("2001:db8:1:2:3:4:567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"
        );
    }

    #[test]
    fn what_is_not_public_is_not_asked() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(public(private.parse().unwrap()), None, "{private}");
        }
        for shown in ["192.0.2.1", "100.128.0.1", "172.32.0.1", "2001:db8::1"] {
            let address = shown.parse().unwrap();
            assert_eq!(public(address), Some(address));
        }
        assert_eq!(
            public("::ffff:192.0.2.1".parse().unwrap()),
            Some("192.0.2.1".parse().unwrap())
        );
    }

    #[test]
    fn own_domains_and_names_that_are_none_are_not_asked() {
        let own = ["Example.org", ""];
        for name in [
            "example.org",
            "mail.EXAMPLE.org",
            "localhost",
            "",
            "a b.test",
            "[192.0.2.1]",
        ] {
            assert_eq!(domain(name, &own), None, "{name}");
        }
        for name in ["notexample.org", "example.org.test"] {
            assert_eq!(domain(name, &own).unwrap().as_str(), name);
        }
        assert_eq!(
            domain("BÜCHER.test.", &[]).unwrap().as_str(),
            "xn--bcher-kva.test"
        );
    }

    #[test]
    fn mail_addresses_are_hashed_in_lower_case() {
        assert_eq!(
            email("Test@Example.com", EmailHash::Sha1),
            "567159d622ffbb50b11b0efd307be358624a26ee"
        );
        assert_eq!(
            email("test@example.com", EmailHash::Sha256Base32),
            "s4674rr6zblyl5pzll23uoig53ns3ey4ettjqjfit2tf3osoqe5q"
        );
        // RFC 4648 §10: its test vectors.
        for (octets, text) in [
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(base32(octets.as_bytes()), text);
        }
    }

    #[test]
    fn names_that_would_be_too_long_are_left_out() {
        assert_eq!(below("a", "list.test").as_deref(), Some("a.list.test"));
        assert_eq!(below(&"a".repeat(250), "list.test"), None);
    }
}
