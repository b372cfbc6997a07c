//! Hosts as browsers read them.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::Flags;
use crate::script;

/// Octets of a host name as A-labels (RFC 1035 §3.1).
pub const MAX_HOST: usize = 253;
/// Octets of a host as written that are read.
const MAX_WRITTEN: usize = 4 * MAX_HOST;

/// Where a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name: lower case, A-labels, no dot at its end, no empty label, at most [`MAX_HOST`] octets.
    Domain(String),
    /// An IPv4 address, however it was written.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => f.write_str(name),
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Reads a host.
pub(super) fn parse(written: &str, flags: &mut Flags) -> Option<Host> {
    if written.is_empty() || written.len() > MAX_WRITTEN {
        return None;
    }
    if let Some(inside) = written.strip_prefix('[')
        && let Some(inside) = inside.strip_suffix(']')
        && inside.contains(':')
    {
        let inside = inside.split('%').next().unwrap_or(inside);
        return inside.parse().ok().map(Host::Ipv6);
    }
    let plain = armed(written, flags);
    let plain = decoded(&plain, flags);
    let ascii = to_ascii(&plain, flags)?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    if ends_in_number(name) {
        let address = ipv4(name)?;
        flags.obfuscated_ip = address.to_string() != name;
        return Some(Host::Ipv4(address));
    }
    let sound = name.len() <= MAX_HOST
        && name.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        });
    if !sound {
        return None;
    }
    if name.split('.').any(|label| label.starts_with("xn--")) {
        flags.punycode = true;
        let (unicode, _) = idna::domain_to_unicode(name);
        flags.homograph = unicode.split('.').any(script::is_deceptive);
    }
    Some(Host::Domain(name.to_owned()))
}

/// The octet that two hexadecimal digits at the start of a text stand for.
pub(super) fn escaped(text: &str) -> Option<u8> {
    let mut digits = text.bytes().map(|b| char::from(b).to_digit(16));
    let value = digits.next()?? * 16 + digits.next()??;
    u8::try_from(value).ok()
}

/// Undoes percent-encoding.
pub(super) fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        octets.extend_from_slice(before.as_bytes());
        rest = after;
        if let Some(octet) = escaped(after) {
            octets.push(octet);
            rest = after.get(2..).unwrap_or_default();
        } else {
            octets.push(b'%');
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&octets).into_owned())
}

/// `example[.]com`, `example(dot)com` and the like with their dots put back.
fn armed<'t>(written: &'t str, flags: &mut Flags) -> Cow<'t, str> {
    if !written.contains(['[', '(', '{']) {
        return Cow::Borrowed(written);
    }
    let mut out = written.to_owned();
    for dot in [
        "[.]", "(.)", "{.}", "[dot]", "(dot)", "{dot}", "[DOT]", "(DOT)",
    ] {
        if out.contains(dot) {
            flags.defanged = true;
            out = out.replace(dot, ".");
        }
    }
    Cow::Owned(out)
}

fn decoded<'t>(written: &'t str, flags: &mut Flags) -> Cow<'t, str> {
    let mut plain = percent_decoded(written);
    flags.obfuscated_host |= plain.len() != written.len();
    if !plain.is_ascii() {
        let odd =
            |c: char| script::is_invisible(c) || matches!(c, '\u{3002}' | '\u{ff00}'..='\u{ffef}');
        flags.obfuscated_host |= plain.contains(odd);
        if plain.contains(script::is_invisible) {
            plain.to_mut().retain(|c| !script::is_invisible(c));
        }
    }
    plain
}

fn to_ascii<'t>(plain: &'t str, flags: &mut Flags) -> Option<Cow<'t, str>> {
    if plain.is_ascii() && !plain.contains("--") {
        return Some(if plain.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(plain.to_ascii_lowercase())
        } else {
            Cow::Borrowed(plain)
        });
    }
    let done = Uts46::new().to_ascii(
        plain.as_bytes(),
        AsciiDenyList::URL,
        Hyphens::Allow,
        DnsLength::Ignore,
    );
    match done {
        Ok(ascii) => Some(ascii),
        // Punycode that is none still has a name; browsers do not go there.
        Err(_) if plain.is_ascii() => {
            flags.obfuscated_host = true;
            Some(Cow::Owned(plain.to_ascii_lowercase()))
        }
        Err(_) => None,
    }
}

/// Whether browsers take a name for an IPv4 address: its last label is a number.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    !last.is_empty() && (last.bytes().all(|b| b.is_ascii_digit()) || number(last).is_some())
}

/// An IPv4 address of one to four numbers, each decimal, octal or hexadecimal.
fn ipv4(name: &str) -> Option<Ipv4Addr> {
    let mut value: u64 = 0;
    let mut numbers = name.split('.').peekable();
    let mut count = 0u32;
    while let Some(part) = numbers.next() {
        let part = number(part)?;
        count += 1;
        let last = numbers.peek().is_none();
        let limit = if last {
            256u64.checked_pow(5u32.checked_sub(count)?)?
        } else {
            256
        };
        if part >= limit {
            return None;
        }
        value = if last {
            value.checked_mul(limit)? + part
        } else {
            value * 256 + part
        };
    }
    u32::try_from(value).ok().map(Ipv4Addr::from)
}

/// A number as C writes it: `10`, `012`, `0xA`.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = if let Some(digits) = text.strip_prefix("0x") {
        (digits, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        (text, 8)
    } else {
        (text, 10)
    };
    if digits.is_empty() {
        return (radix == 16).then_some(0);
    }
    let sound = digits.bytes().all(|b| char::from(b).is_digit(radix));
    sound.then(|| u64::from_str_radix(digits, radix).ok())?
}
