//! Lists, ready to be looked up in: by hash, whatever their length.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::error::Reason;
use crate::limits::{MAX_ITEM, excerpt};
use crate::model::{List, ListKind};

/// A list in one of the forms that answer quickly. Items are kept as they are compared.
#[derive(Debug)]
pub(crate) enum Index {
    /// Addresses and words: the whole value.
    Whole(HashSet<Box<[u8]>>),
    /// Domains: the value and what follows each of its dots.
    Domain(HashSet<Box<[u8]>>),
    /// Networks: the bits of each length, the longest first.
    Network(Vec<Prefixes>),
    /// Suffixes, and their lengths, the longest first.
    Suffix(HashSet<Box<[u8]>>, Vec<usize>),
}

/// Networks of one length.
#[derive(Debug)]
pub(crate) struct Prefixes {
    /// The bits that count, of 128.
    length: u8,
    /// By the bits: the item as it is shown.
    items: HashMap<u128, Box<str>>,
}

/// Whether a list of the kind takes the item.
pub(crate) fn check(kind: ListKind, item: &str) -> Result<(), Reason> {
    let sound = match kind {
        ListKind::Address => item.contains('@'),
        ListKind::Domain => domain_item(item).is_some(),
        ListKind::Network => network(item).is_some(),
        ListKind::Word | ListKind::Suffix => !item.is_empty(),
    };
    if sound && item.len() <= MAX_ITEM && !item.contains(char::is_control) {
        return Ok(());
    }
    let kind = match kind {
        ListKind::Address => "address",
        ListKind::Domain => "domain",
        ListKind::Network => "network or address",
        ListKind::Word => "word",
        ListKind::Suffix => "suffix",
    };
    let item = excerpt(item);
    Err(Reason::Item { kind, item })
}

/// The domain without a dot before or after it.
fn domain_item(item: &str) -> Option<&str> {
    let item = item.strip_prefix("*.").unwrap_or(item);
    let domain = item.strip_prefix('.').unwrap_or(item);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let sound = !domain.is_empty() && !domain.contains(['@', ' ', '*', '/']);
    (sound && domain.split('.').all(|label| !label.is_empty())).then_some(domain)
}

/// The bits of a network that count and how many of 128 they are.
fn network(item: &str) -> Option<(u128, u8)> {
    let (address, length) = match item.split_once('/') {
        Some((address, length)) => {
            let digits = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
            (address, Some(length.parse::<u8>().ok().filter(|_| digits)?))
        }
        None => (item, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(most);
    let length = (length <= most).then_some(length + (128 - most))?;
    Some((bits(address) & mask(length), length))
}

/// IPv4 as IPv6 has it.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(length))
        .unwrap_or_default()
}

/// The value with small letters, at the end of the buffer's former content, which is dropped.
pub(crate) fn fold(value: &[u8], into: &mut Vec<u8>) {
    into.clear();
    match std::str::from_utf8(value) {
        Ok(text) if !text.is_ascii() => {
            let mut buffer = [0; 4];
            for character in text.chars().flat_map(char::to_lowercase) {
                into.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
        }
        _ => into.extend(value.iter().map(u8::to_ascii_lowercase)),
    }
}

impl Index {
    /// Of a list whose items are sound; others are passed over.
    pub(crate) fn new(list: &List) -> Self {
        let mut buffer = Vec::new();
        let mut folded = |item: &str| -> Box<[u8]> {
            fold(item.as_bytes(), &mut buffer);
            buffer.as_slice().into()
        };
        let items = list.items.iter();
        match list.kind {
            ListKind::Address | ListKind::Word => {
                Self::Whole(items.map(|item| folded(item)).collect())
            }
            ListKind::Domain => Self::Domain(
                items
                    .filter_map(|item| domain_item(item))
                    .map(folded)
                    .collect(),
            ),
            ListKind::Suffix => {
                let items: HashSet<Box<[u8]>> = items.map(|item| folded(item)).collect();
                let mut lengths: Vec<usize> = items.iter().map(|item| item.len()).collect();
                lengths.sort_unstable_by(|left, right| right.cmp(left));
                lengths.dedup();
                Self::Suffix(items, lengths)
            }
            ListKind::Network => Self::Network(prefixes(&list.items)),
        }
    }

    /// The item that the value is on the list by, as it is shown: the most special one. The buffer
    /// is for the folded value.
    pub(crate) fn find(&self, value: &[u8], buffer: &mut Vec<u8>) -> Option<String> {
        let shown = |item: &[u8]| String::from_utf8_lossy(item).into_owned();
        if let Self::Network(prefixes) = self {
            return find_network(prefixes, value).map(str::to_owned);
        }
        fold(value, buffer);
        let value = buffer.as_slice();
        match self {
            Self::Whole(items) => items.get(value).map(|item| shown(item)),
            Self::Domain(items) => {
                let domain = value.rsplit(|&byte| byte == b'@').next().unwrap_or(value);
                let mut rest = domain.strip_suffix(b".").unwrap_or(domain);
                // What is longer is no domain.
                if rest.len() > MAX_ITEM {
                    return None;
                }
                loop {
                    if let Some(item) = items.get(rest) {
                        return Some(shown(item));
                    }
                    let dot = rest.iter().position(|&byte| byte == b'.')?;
                    rest = rest.get(dot + 1..)?;
                }
            }
            Self::Suffix(items, lengths) => lengths
                .iter()
                .filter_map(|&length| value.get(value.len().checked_sub(length)?..))
                .find_map(|suffix| items.get(suffix))
                .map(|item| shown(item)),
            Self::Network(_) => None,
        }
    }
}

fn prefixes(items: &[String]) -> Vec<Prefixes> {
    let mut by_length: Vec<Prefixes> = Vec::new();
    for item in items {
        let Some((bits, length)) = network(item) else {
            continue;
        };
        let at = by_length.binary_search_by(|prefixes| length.cmp(&prefixes.length));
        let at = at.unwrap_or_else(|at| {
            let items = HashMap::new();
            by_length.insert(at, Prefixes { length, items });
            at
        });
        if let Some(prefixes) = by_length.get_mut(at) {
            // The first of equal ones is shown.
            prefixes
                .items
                .entry(bits)
                .or_insert_with(|| item.as_str().into());
        }
    }
    by_length
}

fn find_network<'p>(prefixes: &'p [Prefixes], value: &[u8]) -> Option<&'p str> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bits = bits(bare.unwrap_or(text).parse().ok()?);
    prefixes.iter().find_map(|prefixes| {
        let item = prefixes.items.get(&(bits & mask(prefixes.length)))?;
        Some(item.as_ref())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(kind: ListKind, items: &[&str]) -> Index {
        for item in items {
            check(kind, item).unwrap();
        }
        Index::new(&List {
            kind,
            description: String::new(),
            items: items.iter().map(|&item| item.to_owned()).collect(),
        })
    }

    fn found(index: &Index, value: &str) -> Option<String> {
        index.find(value.as_bytes(), &mut b"left over".to_vec())
    }

    /// A kind, items, and what is found for values.
    type Case = (
        ListKind,
        &'static [&'static str],
        &'static [(&'static str, Option<&'static str>)],
    );

    #[test]
    fn a_list_is_looked_up_by_its_kind() {
        use ListKind::*;
        let table: &[Case] = &[
            (
                Address,
                &["User@Example.test"],
                &[
                    ("uSER@example.TEST", Some("user@example.test")),
                    ("x.user@example.test", None),
                    ("", None),
                ],
            ),
            (
                Domain,
                &[
                    "example.test",
                    ".Sub.example.test",
                    "*.other.test",
                    "b.test.",
                ],
                &[
                    ("example.test", Some("example.test")),
                    ("A.example.test.", Some("example.test")),
                    ("x.sub.example.test", Some("sub.example.test")),
                    ("user@deep.sub.example.test", Some("sub.example.test")),
                    ("badexample.test", None),
                    ("test", None),
                    ("other.test", Some("other.test")),
                    ("b.test", Some("b.test")),
                    ("", None),
                    ("..", None),
                ],
            ),
            (
                Network,
                &["192.0.2.0/24", "192.0.2.7", "2001:DB8::/32", "10.1.2.3/8"],
                &[
                    ("192.0.2.7", Some("192.0.2.7")),
                    ("192.0.2.8", Some("192.0.2.0/24")),
                    ("::ffff:192.0.2.8", Some("192.0.2.0/24")),
                    ("[192.0.2.8]", Some("192.0.2.0/24")),
                    ("192.0.3.8", None),
                    ("2001:db8:ffff::1", Some("2001:DB8::/32")),
                    ("2001:db9::", None),
                    ("10.255.0.0", Some("10.1.2.3/8")),
                    ("::192.0.2.7", None),
                    ("name.test", None),
                ],
            ),
            (
                Network,
                &["::/0", "0.0.0.0/0"],
                &[("8.8.8.8", Some("0.0.0.0/0")), ("::1", Some("::/0"))],
            ),
            (
                Word,
                &["Grüße", "two words"],
                &[
                    ("GRÜSSE", None),
                    ("GRÜßE", Some("grüße")),
                    ("Two Words", Some("two words")),
                    ("two", None),
                ],
            ),
            (
                Suffix,
                &[".exe", ".pdf.exe", "É"],
                &[
                    ("Invoice.PDF.EXE", Some(".pdf.exe")),
                    ("a.exe", Some(".exe")),
                    (".exe", Some(".exe")),
                    ("exe", None),
                    ("a.exe ", None),
                    ("cafÉ", Some("é")),
                    ("", None),
                ],
            ),
        ];
        for (kind, items, cases) in table {
            let index = index(*kind, items);
            for (value, expected) in *cases {
                assert_eq!(
                    found(&index, value).as_deref(),
                    *expected,
                    "{kind:?} {value:?}"
                );
            }
        }
    }

    #[test]
    fn octets_that_are_no_text_are_looked_up_too() {
        let index = index(ListKind::Suffix, &[".exe"]);
        let mut buffer = Vec::new();
        assert_eq!(
            index.find(b"\xff\xfe.EXE", &mut buffer).as_deref(),
            Some(".exe")
        );
    }

    #[test]
    fn items_that_could_never_be_found_are_refused() {
        use ListKind::*;
        let long = "a".repeat(MAX_ITEM + 1);
        for (kind, item) in [
            (Address, "example.test"),
            (Domain, ""),
            (Domain, "."),
            (Domain, "a..b"),
            (Domain, "user@example.test"),
            (Domain, "*.a.*.test"),
            (Network, "192.0.2.0/33"),
            (Network, "192.0.2.0/"),
            (Network, "192.0.2.0/+8"),
            (Network, "192.0.2"),
            (Network, "::/129"),
            (Word, ""),
            (Word, "two\nlines"),
            (Word, &long),
            (Suffix, ""),
        ] {
            assert!(
                matches!(check(kind, item), Err(Reason::Item { .. })),
                "{kind:?} {item:?}"
            );
        }
    }
}
