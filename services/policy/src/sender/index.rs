//! The lists in memory, and what they say of a sender.
//!
//! Each owner has an index of its own. An address is looked up in it by hash: itself, each suffix
//! of its domain, and for wildcards each suffix and each prefix that occurs. What is compared one
//! by one are only the wildcards behind the same anchor, and those without any.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::pattern::{Means, key};
use super::wildcard::{Anchor, Wildcard};
use super::{Part, Verdict};
use crate::Error;
use crate::network::NetworkTable;
use crate::owner::Owner;

/// What a message says about where it comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    /// The envelope sender; empty for reports.
    pub envelope_from: &'a str,
    /// The addresses of the header's From.
    pub header_from: &'a [&'a str],
    /// The client's address.
    pub client: Option<IpAddr>,
}

/// Which of them an entry was met by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The envelope sender.
    Envelope,
    /// An address of the header's From, which anybody can write.
    Header,
    /// The client's address.
    Client,
}

/// An entry that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applies {
    pub(crate) verdict: Verdict,
    pub(crate) met: Met,
    pub(crate) entry: Arc<str>,
}

#[derive(Debug)]
struct Entry {
    verdict: Verdict,
    part: Part,
    value: Arc<str>,
    wildcard: Option<Wildcard>,
}

/// Numbers of entries by a text.
type Numbers = HashMap<Arc<str>, Vec<u32>>;

/// The entries of one owner.
#[derive(Debug, Default)]
pub(crate) struct List {
    entries: Vec<Entry>,
    addresses: Numbers,
    domains: Numbers,
    wildcards_by_domain: Numbers,
    wildcards_by_head: Numbers,
    /// The lengths of the heads, in rising order.
    head_lengths: Vec<usize>,
    wildcards: Vec<u32>,
    networks: NetworkTable<Vec<u32>>,
}

/// The sender's addresses, ready to be looked up.
struct Keys {
    addresses: Vec<(Met, String)>,
    client: Option<IpAddr>,
}

impl Keys {
    fn new(sender: &Sender<'_>) -> Self {
        let mut addresses = Vec::new();
        addresses.extend(key(sender.envelope_from).map(|key| (Met::Envelope, key)));
        let header = sender.header_from.iter().take(MOST_AUTHORS);
        addresses.extend(header.filter_map(|address| Some((Met::Header, key(address)?))));
        Self {
            addresses,
            client: sender.client,
        }
    }
}

/// Addresses of the header's From that are looked up.
const MOST_AUTHORS: usize = 20;

/// The domain of an address key, and the parts of it behind each dot.
fn suffixes(address: &str) -> impl Iterator<Item = &str> {
    let domain = address.rsplit('@').next().unwrap_or(address);
    let mut next = Some(domain);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.split_once('.').map(|(_, rest)| rest);
        Some(this)
    })
}

impl List {
    fn add(&mut self, value: &str, verdict: Verdict, part: Part) -> Result<(), Error> {
        let number = u32::try_from(self.entries.len())
            .map_err(|_| Error::Internal("more entries than can be numbered"))?;
        let value: Arc<str> = value.into();
        let mut wildcard = None;
        match Means::stored(&value)? {
            Means::Address(_) => push(&mut self.addresses, &value, number),
            Means::Domain(_) => push(&mut self.domains, &value, number),
            Means::Network(network) => self.networks.entry(network).push(number),
            Means::Wildcard(_) => {
                let split =
                    Wildcard::new(&value).ok_or(Error::Internal("a wildcard without a star"))?;
                match split.anchor() {
                    Anchor::Domain(domain) => {
                        push(&mut self.wildcards_by_domain, &domain.into(), number);
                    }
                    Anchor::Head(head) => {
                        if let Err(place) = self.head_lengths.binary_search(&head.len()) {
                            self.head_lengths.insert(place, head.len());
                        }
                        push(&mut self.wildcards_by_head, &head.into(), number);
                    }
                    Anchor::None => self.wildcards.push(number),
                }
                wildcard = Some(split);
            }
        }
        self.entries.push(Entry {
            verdict,
            part,
            value,
            wildcard,
        });
        Ok(())
    }

    /// The entry that decides: the first that allows, otherwise the first that denies.
    fn decide(&self, keys: &Keys) -> Option<Applies> {
        let mut best = Best::default();
        for (met, address) in &keys.addresses {
            self.look_up(address, &mut |number, must_match| {
                if let Some(entry) = usize::try_from(number)
                    .ok()
                    .and_then(|n| self.entries.get(n))
                    && entry.part.covers(*met)
                    && (!must_match || entry.wildcard.as_ref().is_some_and(|w| w.matches(address)))
                {
                    best.offer(number, entry, *met);
                }
            });
        }
        if let Some(client) = keys.client {
            for &number in self.networks.holding(client).flatten() {
                if let Some(entry) = usize::try_from(number)
                    .ok()
                    .and_then(|n| self.entries.get(n))
                {
                    best.offer(number, entry, Met::Client);
                }
            }
        }
        best.0.map(|(_, _, applies)| applies)
    }

    /// Calls `each` with the entries that may mean the address, and whether they must be compared.
    fn look_up(&self, address: &str, each: &mut dyn FnMut(u32, bool)) {
        let mut all = |numbers: Option<&Vec<u32>>, must_match| {
            for &number in numbers.into_iter().flatten() {
                each(number, must_match);
            }
        };
        all(self.addresses.get(address), false);
        for suffix in suffixes(address) {
            all(self.domains.get(suffix), false);
            all(self.wildcards_by_domain.get(suffix), true);
        }
        for &length in &self.head_lengths {
            if let Some(head) = address.get(..length) {
                all(self.wildcards_by_head.get(head), true);
            }
        }
        all(Some(&self.wildcards), true);
    }
}

fn push(numbers: &mut Numbers, key: &Arc<str>, number: u32) {
    numbers.entry(Arc::clone(key)).or_default().push(number);
}

/// The best entry so far, by verdict and number.
#[derive(Default)]
struct Best(Option<(Verdict, u32, Applies)>);

impl Best {
    fn offer(&mut self, number: u32, entry: &Entry, met: Met) {
        let rank = (entry.verdict, number);
        let better = self
            .0
            .as_ref()
            .is_none_or(|(verdict, at, _)| rank < (*verdict, *at));
        if better {
            let applies = Applies {
                verdict: entry.verdict,
                met,
                entry: Arc::clone(&entry.value),
            };
            self.0 = Some((rank.0, rank.1, applies));
        }
    }
}

/// The lists of all owners. A copy shares them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Senders(HashMap<Owner, Arc<List>>);

impl Senders {
    /// Adds an entry in its stored spelling to a list that was begun here.
    pub(crate) fn add(
        &mut self,
        owner: Owner,
        value: &str,
        verdict: Verdict,
        part: Part,
    ) -> Result<(), Error> {
        let list = self.0.entry(owner).or_default();
        Arc::get_mut(list)
            .ok_or(Error::Internal("a list in use was changed"))?
            .add(value, verdict, part)
    }

    /// Forgets a list.
    pub(crate) fn remove(&mut self, owner: Owner) {
        self.0.remove(&owner);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(|list| list.entries.len()).sum()
    }

    /// What the first of the owners whose list knows the sender says of it.
    pub(crate) fn judge(&self, owners: &[Owner], sender: &Sender<'_>) -> Option<(Owner, Applies)> {
        let keys = Keys::new(sender);
        owners.iter().find_map(|owner| {
            let applies = self.0.get(owner)?.decide(&keys)?;
            Some((*owner, applies))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SenderPattern;
    use super::*;

    proptest! {
        #[test]
        fn the_index_decides_as_asking_every_entry_does(
            entries in prop::collection::vec(
                ("([ab*]{1,3}@)?[ab*]{1,2}(\\.[ab*]{1,2}){0,2}", any::<bool>(), 0_usize..3), 0..20),
            envelope in "([ab]{1,3}@[ab]{1,2}(\\.[ab]{1,2}){0,2})?",
            header in "[ab]{1,3}@[ab]{1,2}(\\.[ab]{1,2}){0,2}",
        ) {
            let mut senders = Senders::default();
            let mut kept = Vec::new();
            for (text, allow, part) in entries {
                let Ok(pattern) = text.parse::<SenderPattern>() else { continue };
                let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
                let part = Part::ALL[part];
                senders.add(Owner::Global, &pattern.to_string(), verdict, part).unwrap();
                kept.push((pattern, verdict, part));
            }
            let means = |pattern: &SenderPattern, address: &str| {
                match Means::stored(&pattern.to_string()).unwrap() {
                _ if address.is_empty() => false,
                Means::Address(one) => one == address,
                Means::Domain(domain) => {
                    address.ends_with(&format!("@{domain}"))
                        || address.ends_with(&format!(".{domain}"))
                            && address.split_once('@').unwrap().1.ends_with(&format!(".{domain}"))
                }
                Means::Wildcard(text) => Wildcard::new(&text).unwrap().matches(address),
                Means::Network(_) => false,
            }};
            let naive = kept.iter().filter(|(pattern, _, part)| {
                *part != Part::Header && means(pattern, &envelope)
                    || *part != Part::Envelope && means(pattern, &header)
            });
            let wanted = naive.min_by_key(|(_, verdict, _)| *verdict);
            let sender = Sender {
                envelope_from: &envelope,
                header_from: &[&header],
                client: None,
            };
            let found = senders.judge(&[Owner::Global], &sender);
            prop_assert_eq!(
                found.map(|(_, applies)| (applies.verdict, applies.entry.to_string())),
                wanted.map(|(pattern, verdict, _)| (*verdict, pattern.to_string()))
            );
        }
    }
}
