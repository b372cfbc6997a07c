//! The account as it should be: plain maps, no numbers but those that the RFCs promise.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::FLAGS;

/// Flags and keywords by name.
pub(super) type Tags = BTreeSet<String>;

pub(super) fn tags(flags: &[usize]) -> Tags {
    flags.iter().map(|at| FLAGS[*at].to_owned()).collect()
}

/// A message, wherever it is; it stays here when it is gone.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) tags: Tags,
    /// As it is fetched, our fields included.
    pub(super) octets: String,
    /// Whether it was ever in two mailboxes.
    pub(super) linked: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Mailbox {
    pub(super) uidnext: u32,
    /// By UID, the position in [`Account::messages`].
    pub(super) messages: BTreeMap<u32, usize>,
}

/// What the account should look like.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) mailboxes: BTreeMap<String, Mailbox>,
    /// Every message that ever was.
    pub(super) messages: Vec<Message>,
    /// Octets that the account may hold.
    pub(super) quota: Option<u64>,
}

impl Account {
    /// What a new account starts with.
    pub(super) fn new() -> Self {
        let mut account = Self::default();
        for name in ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"] {
            account.create(name);
        }
        account
    }

    /// Makes a mailbox and its parents, as far as they are missing.
    pub(super) fn create(&mut self, name: &str) {
        let ends = name.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([name.len()]) {
            let new = Mailbox {
                uidnext: 1,
                messages: BTreeMap::new(),
            };
            self.mailboxes.entry(name[..end].to_owned()).or_insert(new);
        }
    }

    pub(super) fn has_children(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.mailboxes.keys().any(|other| other.starts_with(&below))
    }

    /// Gives a mailbox and all below it another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let mut moved = Vec::new();
        for old in self.mailboxes.keys() {
            if let Some(new) = renamed(old, from, to) {
                moved.push((old.clone(), new));
            }
        }
        let moved: Vec<_> = moved
            .into_iter()
            .map(|(old, new)| (new, self.mailboxes.remove(&old).unwrap()))
            .collect();
        self.create(to);
        self.mailboxes.extend(moved);
    }

    /// The messages that `which` means, ascending.
    pub(super) fn choose(&self, mailbox: &str, which: &[usize]) -> Vec<u32> {
        let Some(found) = self.mailboxes.get(mailbox) else {
            return Vec::new();
        };
        let present: Vec<u32> = found.messages.keys().copied().collect();
        if present.is_empty() {
            return Vec::new();
        }
        let chosen = which.iter().map(|at| present[at % present.len()]);
        chosen.collect::<BTreeSet<u32>>().into_iter().collect()
    }

    pub(super) fn message(&self, mailbox: &str, uid: u32) -> usize {
        self.mailboxes[mailbox].messages[&uid]
    }

    pub(super) fn add(&mut self, tags: Tags, octets: String) -> usize {
        self.messages.push(Message {
            tags,
            octets,
            linked: false,
        });
        self.messages.len() - 1
    }

    /// Puts a message into a mailbox under a new UID; it leaves the one it had there.
    pub(super) fn put(&mut self, mailbox: &str, message: usize) -> u32 {
        let target = self.mailboxes.get_mut(mailbox).unwrap();
        target.messages.retain(|_, other| *other != message);
        let uid = target.uidnext;
        target.uidnext += 1;
        target.messages.insert(uid, message);
        uid
    }

    /// Takes a message out of a mailbox.
    pub(super) fn take(&mut self, mailbox: &str, uid: u32) -> usize {
        let source = self.mailboxes.get_mut(mailbox).unwrap();
        source.messages.remove(&uid).unwrap()
    }

    /// UIDs and flags of a mailbox.
    pub(super) fn shown(&self, mailbox: &str) -> Vec<(u32, Tags)> {
        let messages = self.mailboxes[mailbox].messages.iter();
        messages
            .map(|(uid, message)| (*uid, self.messages[*message].tags.clone()))
            .collect()
    }

    /// Octets of some messages, each as often as it is named.
    pub(super) fn size(&self, messages: impl IntoIterator<Item = usize>) -> u64 {
        let sizes = messages
            .into_iter()
            .map(|message| self.messages[message].octets.len() as u64);
        sizes.sum()
    }

    /// Octets and messages the account is charged for: one in two mailboxes only once.
    pub(super) fn used(&self) -> (u64, u64) {
        let mailboxes = self.mailboxes.values();
        let held: BTreeSet<usize> = mailboxes
            .flat_map(|mailbox| mailbox.messages.values().copied())
            .collect();
        let count = held.len() as u64;
        (self.size(held), count)
    }

    /// Whether so many octets more are within the quota.
    pub(super) fn has_room(&self, octets: u64) -> bool {
        self.quota
            .is_none_or(|quota| self.used().0 + octets <= quota)
    }
}

/// The name of `mailbox` after `from` has become `to`, if that concerns it.
pub(super) fn renamed(mailbox: &str, from: &str, to: &str) -> Option<String> {
    let rest = mailbox.strip_prefix(from)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
}
