//! What is known of filtering at one moment, in memory.
//!
//! A snapshot never changes. Everything in it is looked up by hash, by suffix or by prefix; what
//! asks for it takes no lock and does not wait.

use std::net::IpAddr;
use std::sync::Arc;

use rules::RuleSet;
use store::{AccountId, DomainId, Reader};

use crate::Error;
use crate::addresses::{self, Contacts, Role, Roles};
use crate::map::{self, Effect, Maps};
use crate::networks::{self, Forwarding, Networks};
use crate::owner::Owner;
use crate::revision::{Revisions, Section};
use crate::rule_sets::{self, RuleSets};
use crate::sender::{self, Met, Sender, Senders, Verdict};
use crate::setting::{self, AllSettings, RateLimit, Settings};

/// The symbol of senders on an allow list.
pub const ALLOWED_SENDER: &str = "ALLOWED_SENDER";
/// The symbol of senders on a deny list.
pub const DENIED_SENDER: &str = "DENIED_SENDER";
/// The symbol of senders in the recipient's address books.
pub const CONTACT: &str = "CONTACT";
/// What [`ALLOWED_SENDER`] scores.
pub const ALLOWED_SCORE: f32 = -999.0;
/// What [`DENIED_SENDER`] scores.
pub const DENIED_SCORE: f32 = 999.0;
/// What [`CONTACT`] scores.
pub const CONTACT_SCORE: f32 = -99.0;

/// A recipient after aliases were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecipientFacts {
    /// Its account, if it has one here.
    pub account: Option<AccountId>,
    /// The domain of that account, not an alias domain.
    pub domain: Option<DomainId>,
}

impl RecipientFacts {
    /// Whose lists and settings count for it, the narrowest first.
    #[must_use]
    pub fn owners(&self) -> Vec<Owner> {
        let account = self.account.map(Owner::Account);
        let domain = self.domain.map(Owner::Domain);
        account
            .into_iter()
            .chain(domain)
            .chain([Owner::Global])
            .collect()
    }
}

/// Something that counts for one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// What it is called.
    pub symbol: Arc<str>,
    /// By how much it makes the message worse.
    pub score: f32,
    /// Whose list it is on.
    pub owner: Owner,
    /// What the sender was known by.
    pub met: Met,
    /// The entry that was met, for people.
    pub entry: Arc<str>,
}

/// A section as it stood at its newest change.
#[derive(Debug)]
struct Part<T> {
    revision: u64,
    value: Arc<T>,
}

impl<T> Part<T> {
    /// Takes the part over from `old` when it has not changed.
    fn load(
        rx: &mut dyn Reader,
        revision: u64,
        old: Option<&Self>,
        load: impl FnOnce(&mut dyn Reader) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let value = match old {
            Some(old) if old.revision == revision => Arc::clone(&old.value),
            _ => Arc::new(load(rx)?),
        };
        Ok(Self { revision, value })
    }
}

/// Everything at one revision.
#[derive(Debug)]
pub struct Snapshot {
    revision: u64,
    maps: Part<Maps>,
    senders: Part<Senders>,
    settings: Part<AllSettings>,
    networks: Part<Networks>,
    roles: Part<Roles>,
    contacts: Part<Contacts>,
    rule_sets: Part<RuleSets>,
}

impl Snapshot {
    /// Reads what has changed since `old`, or everything, in one read transaction.
    pub(crate) fn load(rx: &mut dyn Reader, old: Option<&Self>) -> Result<Self, Error> {
        let at = Revisions::read(rx)?;
        Ok(Self {
            revision: at.newest(),
            maps: Part::load(
                rx,
                at.of(Section::Maps),
                old.map(|old| &old.maps),
                map::load,
            )?,
            senders: Part::load(
                rx,
                at.of(Section::Senders),
                old.map(|old| &old.senders),
                |rx| {
                    let senders = old.map(|old| &old.senders);
                    sender::load(rx, senders.map(|part| (&*part.value, part.revision)))
                },
            )?,
            settings: Part::load(
                rx,
                at.of(Section::Settings),
                old.map(|old| &old.settings),
                setting::load,
            )?,
            networks: Part::load(
                rx,
                at.of(Section::Networks),
                old.map(|old| &old.networks),
                networks::load,
            )?,
            roles: Part::load(
                rx,
                at.of(Section::Addresses),
                old.map(|old| &old.roles),
                addresses::load_roles,
            )?,
            contacts: Part::load(
                rx,
                at.of(Section::Contacts),
                old.map(|old| &old.contacts),
                addresses::load_contacts,
            )?,
            rule_sets: Part::load(
                rx,
                at.of(Section::RuleSets),
                old.map(|old| &old.rule_sets),
                rule_sets::load,
            )?,
        })
    }

    /// Which revision it is: it grows with every change and is stored with it.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision at which maps or rule sets changed last: while it stays, so do
    /// [`Snapshot::map_rules`] and [`Snapshot::rule_sets`].
    #[must_use]
    pub fn rules_revision(&self) -> u64 {
        self.maps.revision.max(self.rule_sets.revision)
    }

    /// The rules of the maps.
    #[must_use]
    pub fn map_rules(&self) -> &Arc<RuleSet> {
        &self.maps.value.rules
    }

    /// The enabled rule sets of administrators, in the order in which they are joined.
    #[must_use]
    pub fn rule_sets(&self) -> &[Arc<RuleSet>] {
        &self.rule_sets.value.sets
    }

    /// What is stored but cannot be used by this version of the program, a sentence each.
    pub fn unusable(&self) -> impl Iterator<Item = &str> {
        let maps = self.maps.value.unusable.iter();
        maps.chain(&self.rule_sets.value.unusable)
            .map(String::as_str)
    }

    /// The effect of the map with this symbol.
    #[must_use]
    pub fn effect(&self, symbol: &str) -> Option<Effect> {
        let effects = self.maps.value.effects.iter();
        effects
            .filter(|(name, _)| name == symbol)
            .map(|(_, effect)| *effect)
            .next()
    }

    /// Symbols and scores of the maps that have the autonomous system.
    pub fn system(&self, number: u32) -> impl Iterator<Item = (&Arc<str>, f32)> {
        let maps = self.maps.value.systems.iter();
        maps.filter(move |map| map.numbers.contains(&number))
            .map(|map| (&map.symbol, map.score))
    }

    /// What lists say of a sender for one recipient: [`ALLOWED_SENDER`] or [`DENIED_SENDER`] of
    /// the narrowest list that knows it; [`CONTACT`] when no list does. At most one today.
    #[must_use]
    pub fn judge_sender(&self, recipient: &RecipientFacts, sender: &Sender<'_>) -> Vec<Signal> {
        let listed = self.senders.value.judge(&recipient.owners(), sender);
        let signal = match listed {
            Some((owner, applies)) => {
                let (symbol, score) = match applies.verdict {
                    Verdict::Allow => (ALLOWED_SENDER, ALLOWED_SCORE),
                    Verdict::Deny => (DENIED_SENDER, DENIED_SCORE),
                };
                Some(Signal {
                    symbol: symbol.into(),
                    score,
                    owner,
                    met: applies.met,
                    entry: applies.entry,
                })
            }
            None => self.contact(recipient, sender),
        };
        signal.into_iter().collect()
    }

    fn contact(&self, recipient: &RecipientFacts, sender: &Sender<'_>) -> Option<Signal> {
        let account = recipient.account?;
        let header = sender.header_from.iter().map(|from| (Met::Header, *from));
        let (met, address) = [(Met::Envelope, sender.envelope_from)]
            .into_iter()
            .chain(header)
            .find(|(_, address)| self.contacts.value.knows(account, address))?;
        Some(Signal {
            symbol: CONTACT.into(),
            score: CONTACT_SCORE,
            owner: Owner::Account(account),
            met,
            entry: addresses::contact_key(address)?.into(),
        })
    }

    /// Thresholds and other settings for a recipient: its account's, where that has not set them
    /// its domain's, then everybody's.
    #[must_use]
    pub fn settings(&self, recipient: &RecipientFacts) -> Settings {
        self.settings.value.effective(&recipient.owners())
    }

    /// How much an account may submit, and for whom that is counted: for the account when the limit
    /// is its own or everybody's, for the domain when it is the domain's.
    #[must_use]
    pub fn rate_limit(&self, account: &RecipientFacts) -> Option<(RateLimit, Owner)> {
        let owners = account.owners();
        let narrowest = owners.first().copied()?;
        let mut set = self.settings.value.of(&owners);
        set.find_map(|(owner, settings)| {
            let counted = match owner {
                Owner::Global => narrowest,
                other => other,
            };
            Some((settings.limit?, counted))
        })
    }

    /// The role of an address as it was given in the envelope.
    #[must_use]
    pub fn role(&self, address: &str) -> Option<Role> {
        self.roles.value.of(address)
    }

    /// How many addresses have a role.
    #[must_use]
    pub fn roles(&self) -> usize {
        self.roles.value.len()
    }

    /// Whether mail for the address is learned, and as what: [`Role::HamTrap`] or
    /// [`Role::SpamTrap`].
    #[must_use]
    pub fn is_trap(&self, address: &str) -> Option<Role> {
        self.role(address).filter(|role| *role != Role::Internal)
    }

    /// Whether only senders of our own domains may write to the address.
    #[must_use]
    pub fn is_internal(&self, address: &str) -> bool {
        self.role(address) == Some(Role::Internal)
    }

    /// Whether the address lies in an own network.
    #[must_use]
    pub fn is_own_network(&self, address: IpAddr) -> bool {
        self.networks.value.is_own(address)
    }

    /// What mail from the client is spared as that of a forwarding host; the smallest network that
    /// holds it counts.
    #[must_use]
    pub fn forwarding(&self, client: IpAddr) -> Option<Forwarding> {
        self.networks.value.forwarding(client)
    }

    /// Whether the account may submit from the client: always, unless it has networks to submit
    /// from.
    #[must_use]
    pub fn may_submit(&self, account: AccountId, client: IpAddr) -> bool {
        self.networks.value.may_submit(account, client)
    }

    /// How many entries the lists of senders have.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.senders.value.len()
    }
}
