//! Facts that take a closer look: names that repeat the recipient, addresses in order, transfer
//! encodings that do not do what they say.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use mime::{Kind, Part};
use rules::{Flag, Number};
use text::html::LinkKind;

use super::Facts;
use super::body::{count, percent};
use super::fields::domain_of;
use super::people::{registrable, related};

/// Characters from which on a word is more than a coincidence.
const TELLING_WORD: usize = 4;
/// Addresses from which on their order is more than a coincidence.
const SORTED_ADDRESSES: usize = 6;
const SORTED_RECIPIENTS: usize = 7;
/// Characters that similar addresses begin with.
const SAME_START: usize = 3;
/// Octets of a line in quoted-printable (RFC 2045 §6.7 allows 76).
const QUOTED_LINE: usize = 79;

/// The facts of this file; none for others.
pub(super) fn holds(facts: &Facts<'_>, flag: Flag) -> Option<bool> {
    let people = &facts.people;
    Some(match flag {
        Flag::MimeLongQuotedLine => parts(facts).any(|part| {
            let body = part.body_of(&facts.input.raw);
            part.kind == Kind::Leaf
                && part.encoding == b"quoted-printable"
                && longest_line(body) > QUOTED_LINE
        }),
        Flag::MimeAlternativeOther => parts(facts).any(|part| {
            part.content_type.is("multipart", "alternative")
                && part
                    .children()
                    .iter()
                    .any(|&child| is_odd_alternative(facts, child))
        }),
        Flag::TextUndeclaredEightBit => text_parts(facts).any(|part| {
            let charset = part.content_type.param("charset");
            let ascii = charset.is_none_or(|name| name.eq_ignore_ascii_case(b"us-ascii"));
            ascii && !mime::decode::part_bytes(&facts.input.raw, part).is_ascii()
        }),
        Flag::TextEightBitUndeclared => text_parts(facts)
            .any(|part| part.encoding == b"7bit" && !part.body_of(&facts.input.raw).is_ascii()),
        Flag::SubjectRecipient => subject_calls_recipient(facts),
        Flag::SubjectHasRecipient => {
            let subject = facts.fields.value("Subject").to_lowercase();
            let words = words_of(&subject);
            people.recipients.iter().any(|recipient| {
                let user = recipient.rsplit_once('@').map_or("", |(user, _)| user);
                subject.contains(recipient.as_str())
                    || (user.chars().count() >= TELLING_WORD && words.contains(user))
            })
        }
        Flag::TextHasRecipient => {
            let addresses = &facts.links.addresses;
            people.recipients.iter().any(|one| addresses.contains(one))
        }
        Flag::RecipientsSorted => people.to.len() >= SORTED_RECIPIENTS && people.to.is_sorted(),
        Flag::AddresseesSorted => {
            let mut different = people.to.clone();
            different.dedup();
            different.len() >= SORTED_ADDRESSES && different.is_sorted()
        }
        Flag::AddresseesSimilar => are_similar(&people.to),
        Flag::EnvelopeFromClient => {
            let sender = domain_of(&people.sender);
            !sender.is_empty()
                && !facts.client_name.is_empty()
                && related(sender, &facts.client_name)
        }
        Flag::MessageIdMatchesFrom => {
            message_id_host(facts).is_some_and(|host| related(host, domain_of(people.author())))
        }
        Flag::MessageIdMatchesRecipient => message_id_host(facts).is_some_and(|host| {
            !related(host, domain_of(people.author()))
                && people
                    .recipient_domains
                    .iter()
                    .any(|domain| related(host, domain))
        }),
        Flag::FromNameHasRecipientDomain => name_has_recipient(facts),
        Flag::HtmlLinkedImage => facts.body.pages.iter().any(|page| {
            let mut links = page.links.iter();
            links.any(|link| link.kind == LinkKind::Anchor && link.image && link.text.is_empty())
        }),
        Flag::ClientNameHasAddress => {
            has_address(&facts.client_name, facts.input.ip.to_canonical())
        }
        Flag::HeloHasAddress => {
            let helo = &facts.input.helo;
            !helo.starts_with('[') && has_address(helo, facts.input.ip.to_canonical())
        }
        Flag::UrlAuthorDomain => {
            let author = domain_of(people.author());
            let mut domains = facts.links.domains.iter();
            !author.is_empty() && domains.any(|domain| domain == registrable(author))
        }
        _ => return None,
    })
}

/// The numbers of this file; none for others.
pub(super) fn number(facts: &Facts<'_>, number: Number) -> Option<f64> {
    let body = &facts.body;
    Some(match number {
        Number::HtmlText => {
            let pages = body.pages.iter();
            count(pages.map(|page| page.text.len() + page.hidden.len()).sum())
        }
        Number::PlainPerHtml => match (body.has_plain, body.html_octets) {
            (true, octets) if octets > 0 => percent(body.plain.len(), octets),
            _ => 100.0,
        },
        Number::Base64Line => {
            let coded =
                parts(facts).filter(|part| part.kind == Kind::Leaf && part.encoding == b"base64");
            let lines = coded.map(|part| longest_line(part.body_of(&facts.input.raw)));
            count(lines.max().unwrap_or(0))
        }
        Number::BlankLines => {
            let lines = body.text.lines().count();
            let blank = body.text.lines().filter(|line| line.trim().is_empty());
            percent(blank.count(), lines)
        }
        Number::FromIllegal => {
            let raw: Vec<u8> = facts
                .fields
                .named("From")
                .flat_map(|field| field.raw)
                .copied()
                .collect();
            illegal(&raw)
        }
        Number::HeaderIllegal => illegal(facts.fields.section()),
        _ => return None,
    })
}

fn parts<'f>(facts: &'f Facts<'_>) -> std::slice::Iter<'f, Part> {
    facts.input.summary.structure.parts.iter()
}

fn text_parts<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = &'f Part> {
    parts(facts).filter(|part| {
        part.kind == Kind::Leaf && part.content_type.media == b"text" && !part.is_attachment()
    })
}

fn is_odd_alternative(facts: &Facts<'_>, child: u32) -> bool {
    let Some(part) = facts.input.summary.structure.get(child) else {
        return false;
    };
    let content = &part.content_type;
    content.media != b"text"
        && !content.is("multipart", "related")
        && !content.is("application", "rtf")
}

fn longest_line(octets: &[u8]) -> usize {
    octets
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).len())
        .max()
        .unwrap_or(0)
}

/// Controls and octets outside ASCII in percent; none in UTF-8 without controls.
fn illegal(octets: &[u8]) -> f64 {
    let is_control =
        |byte: u8| byte == 0x7f || (byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n'));
    let controls = octets.iter().filter(|&&byte| is_control(byte)).count();
    if controls == 0 && std::str::from_utf8(octets).is_ok() {
        return 0.0;
    }
    let outside = octets.iter().filter(|byte| !byte.is_ascii()).count();
    percent(controls + outside, octets.len())
}

/// The words of a text, as local parts of addresses are written.
fn words_of(text: &str) -> HashSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-'))
        .collect()
}

/// The subject is the local part of the first addressee, or calls it: at its start and followed by
/// punctuation, or after Re: or Fw:.
fn subject_calls_recipient(facts: &Facts<'_>) -> bool {
    let Some(user) = facts.people.to.first().and_then(|to| to.split('@').next()) else {
        return false;
    };
    if user.is_empty() {
        return false;
    }
    let subject = facts.fields.value("Subject").trim().to_lowercase();
    if subject == user {
        return true;
    }
    let followed = |text: &str| {
        text.strip_prefix(user)
            .is_some_and(|rest| rest.starts_with([',', ':', ';', '!', '?', '-']))
    };
    let answered = ["re:", "fw:", "fwd:"]
        .iter()
        .find_map(|mark| subject.strip_prefix(mark))
        .is_some_and(|rest| {
            rest.split_whitespace()
                .take(2)
                .any(|word| word.trim_end_matches([',', ':', '!', '?']) == user)
        });
    followed(&subject) || answered
}

fn are_similar(addresses: &[String]) -> bool {
    let start = |address: &String| address.chars().take(SAME_START).collect::<String>();
    let different: std::collections::BTreeSet<&String> = addresses.iter().collect();
    if different.len() < SORTED_ADDRESSES {
        return false;
    }
    let pairs = addresses.windows(2);
    let total = pairs.len();
    let alike = pairs
        .filter(|pair| matches!(pair, [left, right] if start(left) == start(right)))
        .count();
    alike * 100 >= total * 80
}

fn message_id_host<'f>(facts: &'f Facts<'_>) -> Option<&'f str> {
    let id = facts.fields.value("Message-ID").trim();
    let (_, host) = id.trim_end_matches('>').rsplit_once('@')?;
    (!host.is_empty()).then_some(host)
}

fn name_has_recipient(facts: &Facts<'_>) -> bool {
    let people = &facts.people;
    let author = domain_of(people.author());
    let names = people.from_names.join("\n").to_lowercase();
    let words = words_of(&names);
    // Who shows a recipient's address shows its domain.
    people.recipient_domains.iter().any(|domain| {
        if related(domain, author) {
            return false;
        }
        let label = registrable(domain).split('.').next().unwrap_or("");
        names.contains(domain.as_str())
            || (label.chars().count() >= TELLING_WORD && words.contains(label))
    })
}

/// Whether a host name carries the client's IPv4 address, as names of access lines do.
fn has_address(name: &str, address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else {
        return false;
    };
    has_decimal(name, address) || has_hexadecimal(name, address)
}

/// Three of its numbers, adjacent, in order or reversed, at most one character between them.
fn has_decimal(name: &str, address: Ipv4Addr) -> bool {
    let mut numbers: Vec<(usize, usize, u32)> = Vec::new();
    let mut start = None;
    for (at, c) in name.char_indices().chain([(name.len(), '.')]) {
        if c.is_ascii_digit() {
            start.get_or_insert(at);
        } else if let Some(from) = start.take() {
            let digits = name.get(from..at).unwrap_or_default();
            // Leading zeros are allowed, four digits are no octet.
            if let (1..=3, Ok(number)) = (digits.len(), digits.parse()) {
                numbers.push((from, at, number));
            }
        }
    }
    let octets = address.octets().map(u32::from);
    let mut reversed = octets;
    reversed.reverse();
    let runs = [octets, reversed];
    let wanted = runs.iter().flat_map(|octets| octets.windows(3));
    wanted.into_iter().any(|wanted| {
        numbers.windows(3).any(|found| {
            let values = found.iter().map(|(_, _, number)| number);
            let near = found
                .windows(2)
                .all(|pair| matches!(pair, [(_, end, _), (start, _, _)] if start - end <= 1));
            near && values.eq(wanted)
        })
    })
}

fn has_hexadecimal(name: &str, address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    name.to_ascii_lowercase()
        .contains(&format!("{a:02x}{b:02x}{c:02x}{d:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_access_lines_are_told() {
        let address = IpAddr::from([203, 0, 113, 45]);
        for (name, wanted) in [
            ("203-0-113-45.dsl.example.test", true),
            ("45.113.0.203.dynamic.example.test", true),
            ("host-203.000.113.example.test", true),
            ("cb00712d.example.test", true),
            ("mail.example.test", false),
            ("203.example.45.test", false),
            ("203--0--113.example.test", false),
            ("", false),
        ] {
            assert_eq!(has_address(name, address), wanted, "{name}");
        }
    }

    #[test]
    fn similar_addresses_are_told() {
        let list = |addresses: &[&str]| {
            addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        let alike = ["anna@x", "annb@x", "annc@x", "annd@x", "anne@x", "annf@x"];
        assert!(are_similar(&list(&alike)));
        assert!(!are_similar(&list(&alike[..5])));
        let different = ["anna@x", "bob@x", "carl@x", "dora@x", "emil@x", "fritz@x"];
        assert!(!are_similar(&list(&different)));
    }
}
