//! What recipients and administrators have said about senders, and what follows for each copy.

use std::collections::BTreeMap;

use mail::Opinion;
use policy::{Forwarding, RecipientFacts, Sender, Snapshot, SpamPlace};
use smtp::address::Address;

use crate::input::{Input, Recipient};
use crate::signal::{Scope, Signal};
use crate::verdict::{Action, Thresholds, Verdict};

/// Everything that policy says about one message.
#[derive(Debug, Default)]
pub(crate) struct Personal {
    pub(crate) signals: Vec<Signal>,
    /// Thresholds of recipients that have their own.
    pub(crate) thresholds: BTreeMap<Address, Thresholds>,
    /// Recipients whose spam goes into quarantine instead of Junk.
    pub(crate) quarantined: Vec<Address>,
    /// Recipients that exist to be learned from.
    pub(crate) traps: Vec<(Address, Opinion)>,
    /// What mail of a forwarding host is spared.
    pub(crate) forwarding: Option<Forwarding>,
}

impl Personal {
    /// Looks everything up; nothing here waits.
    pub(crate) fn of(policy: &Snapshot, input: &Input, authors: &[String]) -> Self {
        let sender_address = input.sender();
        let header_from: Vec<&str> = authors.iter().map(String::as_str).collect();
        let sender = Sender {
            envelope_from: &sender_address,
            header_from: &header_from,
            client: Some(input.ip),
        };
        let mut personal = Self {
            forwarding: policy.forwarding(input.ip.to_canonical()),
            ..Self::default()
        };
        for recipient in &input.recipients {
            personal.add(policy, recipient, &sender);
        }
        personal
    }

    fn add(&mut self, policy: &Snapshot, recipient: &Recipient, sender: &Sender<'_>) {
        let facts = RecipientFacts {
            account: recipient.account,
            domain: recipient.domain,
        };
        for found in policy.judge_sender(&facts, sender) {
            self.signals.push(Signal {
                symbol: found.symbol.to_string().into(),
                score: found.score,
                description: description(&found.symbol).into(),
                scope: Scope::Recipient(recipient.address.clone()),
                options: vec![found.entry.to_string()],
            });
        }
        let settings = policy.settings(&facts);
        let own = Thresholds::from(settings.thresholds);
        if own != Thresholds::NONE {
            self.thresholds.insert(recipient.address.clone(), own);
        }
        if settings.spam == Some(SpamPlace::Quarantine) {
            self.quarantined.push(recipient.address.clone());
        }
        let role = policy.is_trap(&recipient.address.to_string());
        if let Some(opinion) = role.and_then(opinion) {
            self.traps.push((recipient.address.clone(), opinion));
        }
    }

    /// Puts what was said into force on the copies.
    pub(crate) fn apply(&self, verdict: &mut Verdict) {
        for share in &mut verdict.shares {
            if share.action == Action::Junk && self.quarantined.contains(&share.recipient) {
                share.action = Action::Quarantine;
            }
            if self.traps.iter().any(|(trap, _)| *trap == share.recipient) {
                share.action = Action::Discard;
            }
        }
        verdict.settle_action();
    }
}

fn opinion(role: policy::Role) -> Option<Opinion> {
    match role {
        policy::Role::HamTrap => Some(Opinion::Ham),
        policy::Role::SpamTrap => Some(Opinion::Spam),
        policy::Role::Internal => None,
    }
}

fn description(symbol: &str) -> &'static str {
    match symbol {
        policy::ALLOWED_SENDER => "the recipient welcomes this sender",
        policy::DENIED_SENDER => "the recipient does not want this sender",
        _ => "the sender is in the recipient's address book",
    }
}

impl From<policy::Thresholds> for Thresholds {
    fn from(set: policy::Thresholds) -> Self {
        Self {
            greylist: set.greylist,
            junk: set.junk,
            rewrite: set.rewrite,
            quarantine: set.quarantine,
            reject: set.reject,
            discard: set.discard,
        }
    }
}
