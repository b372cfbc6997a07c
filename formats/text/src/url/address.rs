//! E-mail addresses in plain text.

use std::ops::Range;

use super::host::{self, Host};
use super::{Flags, MAX_URLS, is_known_suffix};

/// Octets of the part before the `@`; RFC 5321 §4.5.3.1.1 has 64, lists and forwarders more.
const MAX_LOCALPART: usize = 128;

/// An e-mail address in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Where it stands, in octets.
    pub range: Range<usize>,
    /// The address in lower case, its domain in A-labels.
    pub address: String,
    /// Where its domain starts in [`Mailbox::address`].
    domain: usize,
}

impl Mailbox {
    /// Its domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.address.get(self.domain..).unwrap_or_default()
    }
}

/// Finds the e-mail addresses of a text in order, at most [`MAX_URLS`].
///
/// Their domains lie below a known public suffix. The user part of a URL is no address; one in a
/// path or query is.
pub fn addresses(text: &str) -> impl Iterator<Item = Mailbox> {
    let mut from = 0;
    memchr::memchr_iter(b'@', text.as_bytes())
        .filter_map(move |at| {
            let mailbox = around(text, from, at)?;
            from = mailbox.range.end;
            Some(mailbox)
        })
        .take(MAX_URLS)
}

/// The address around the `@` at `at`; it starts at `from` at the earliest.
fn around(text: &str, from: usize, at: usize) -> Option<Mailbox> {
    let before = text.get(from..at)?;
    let mut length = 0;
    for c in before.chars().rev() {
        let part = c.is_ascii_alphanumeric()
            || "!#$%&'*+-.=?^_`{|}~".contains(c)
            || (!c.is_ascii() && c.is_alphanumeric());
        if !part || length + c.len_utf8() > MAX_LOCALPART {
            break;
        }
        length += c.len_utf8();
    }
    let start = at - length;
    let mut local = text.get(start..at)?;
    // `?to=joe@example.com&…`
    if local.contains(['?', '&'])
        && let Some((_, value)) = local.rsplit_once('=')
    {
        local = value;
    }
    let local = local.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let start = at - local.len();
    let leads = text.get(..start).unwrap_or_default();
    if local.is_empty() || local.ends_with('.') || leads.ends_with("://") {
        return None;
    }
    let after = text.get(at + 1..)?;
    let length = after
        .char_indices()
        .take_while(|(offset, c)| {
            *offset <= 2 * super::MAX_HOST && (c.is_alphanumeric() || matches!(c, '.' | '-'))
        })
        .map(|(offset, c)| offset + c.len_utf8())
        .last()?;
    let written = after.get(..length)?.trim_end_matches(['.', '-']);
    if !written.contains('.') {
        return None;
    }
    let Some(Host::Domain(domain)) = host::parse(written, &mut Flags::default()) else {
        return None;
    };
    if !is_known_suffix(&domain) {
        return None;
    }
    let local = local.to_lowercase();
    Some(Mailbox {
        range: start..at + 1 + written.len(),
        domain: local.len() + 1,
        address: format!("{local}@{domain}"),
    })
}
