//! The header: each field decoded at most once, and its addresses.

use std::cell::OnceCell;

use mime::header;
use rules::HeaderPart;

use super::limits::MAX_FIELDS;

/// An address of a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// The display name, decoded; empty without one.
    pub(crate) name: String,
    /// `user@host`, lower case; the user alone when there is no host.
    pub(crate) address: String,
}

/// The part of an address behind its last `@`; empty without one.
pub(crate) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// The addresses of a field's value.
pub(crate) fn mailboxes(value: &[u8]) -> Vec<Mailbox> {
    mime::parse_addresses(value)
        .into_iter()
        .filter_map(|found| {
            let user = found.mailbox.as_deref()?;
            let user = String::from_utf8_lossy(user).to_lowercase();
            let host = found.host.as_deref().unwrap_or_default();
            let host = String::from_utf8_lossy(host).to_lowercase();
            let address = match host.is_empty() {
                true => user,
                false => format!("{user}@{host}"),
            };
            let name = found.name.as_deref().map(mime::decode::header_text);
            Some(Mailbox {
                name: name.unwrap_or_default(),
                address,
            })
        })
        .collect()
}

/// One field.
#[derive(Debug)]
pub(crate) struct FieldText<'a> {
    /// In the message's own case.
    pub(crate) name: &'a [u8],
    /// As it stands, without the blank after the colon.
    pub(crate) raw: &'a [u8],
    value: OnceCell<String>,
    mailboxes: OnceCell<Vec<Mailbox>>,
}

impl<'a> FieldText<'a> {
    fn new(name: &'a [u8], raw: &'a [u8]) -> Self {
        Self {
            name,
            raw: raw.strip_prefix(b" ").unwrap_or(raw),
            value: OnceCell::new(),
            mailboxes: OnceCell::new(),
        }
    }

    /// The value decoded, on one line.
    pub(crate) fn value(&self) -> &str {
        self.value.get_or_init(|| {
            let capped = self.raw.get(..header::MAX_VALUE).unwrap_or(self.raw);
            match capped.windows(2).any(|pair| pair == b"=?") {
                true => mime::decode::header_text(capped),
                // The usual case is cheap: nothing to decode.
                false => match std::str::from_utf8(&header::unfold(capped)) {
                    Ok(text) if !text.contains(|c: char| c.is_control() && c != '\t') => {
                        text.to_owned()
                    }
                    _ => mime::decode::header_text(capped),
                },
            }
        })
    }

    /// The addresses it holds.
    pub(crate) fn mailboxes(&self) -> &[Mailbox] {
        self.mailboxes.get_or_init(|| mailboxes(self.raw))
    }

    fn part<'s>(&'s self, part: HeaderPart, into: &mut Vec<&'s [u8]>) {
        match part {
            HeaderPart::Value => into.push(self.value().as_bytes()),
            HeaderPart::Raw => into.push(self.raw),
            HeaderPart::Address => {
                into.extend(
                    self.mailboxes()
                        .iter()
                        .map(|found| found.address.as_bytes()),
                );
            }
            HeaderPart::Name => {
                let names = self.mailboxes().iter().map(|found| found.name.as_bytes());
                into.extend(names.filter(|name| !name.is_empty()));
            }
        }
    }
}

/// All fields of the header, in order.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    all: Vec<FieldText<'a>>,
    section: &'a [u8],
    decoded: OnceCell<Vec<u8>>,
    /// Whether there were more than are kept.
    pub(crate) truncated: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn read(raw: &'a [u8]) -> Self {
        let end = header::header_end(raw);
        let section = raw.get(..end.min(header::MAX_HEADER)).unwrap_or(raw);
        let mut fields = header::fields(section);
        let all: Vec<_> = fields
            .by_ref()
            .take(MAX_FIELDS)
            .map(|field| FieldText::new(field.name, field.value))
            .collect();
        Self {
            all,
            section,
            decoded: OnceCell::new(),
            truncated: end > header::MAX_HEADER || fields.next().is_some(),
        }
    }

    /// The fields of a name, in any case.
    pub(crate) fn named<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s FieldText<'a>> {
        self.all
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The first field of a name.
    pub(crate) fn first(&self, name: &str) -> Option<&FieldText<'a>> {
        self.named(name).next()
    }

    /// Whether there is a field of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// The decoded value of the first field of a name; empty without one.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.first(name).map_or("", FieldText::value)
    }

    /// All addresses of all fields of these names.
    pub(crate) fn mailboxes<'s>(
        &'s self,
        names: &'s [&'s str],
    ) -> impl Iterator<Item = &'s Mailbox> {
        names
            .iter()
            .flat_map(|name| self.named(name))
            .flat_map(FieldText::mailboxes)
    }

    pub(crate) fn all(&self) -> &[FieldText<'a>] {
        &self.all
    }

    /// The header section as it stands.
    pub(crate) fn section(&self) -> &'a [u8] {
        self.section
    }

    /// Every field as `Name: value`, decoded, a line each.
    pub(crate) fn decoded(&self) -> &[u8] {
        self.decoded.get_or_init(|| {
            let mut text = Vec::with_capacity(self.section.len());
            for field in &self.all {
                text.extend_from_slice(field.name);
                text.extend_from_slice(b": ");
                text.extend_from_slice(field.value().as_bytes());
                text.push(b'\n');
            }
            text
        })
    }

    /// The haystacks of a `header.…` scope.
    pub(crate) fn part<'s>(&'s self, name: &str, part: HeaderPart, into: &mut Vec<&'s [u8]>) {
        for field in self.named(name) {
            field.part(part, into);
        }
    }
}
