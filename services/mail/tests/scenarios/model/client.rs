//! A session that sees a mailbox only through what its view announces.

use mail::{Error, Mail, View};
use store::AccountId;

use super::account::{Account, Tags};
use crate::house::{House, name};

pub(super) struct Client {
    view: View,
    /// What the client believes.
    shown: Vec<(u32, Tags)>,
    pub(super) name: String,
    /// The mod-sequence up to which it has been told everything, expunges included.
    told: u64,
}

/// A view's entry as the model has it.
pub(super) fn entry(view: &View, at: usize) -> (u32, Tags) {
    let entry = &view.entries()[at];
    let names = entry.flags.names().map(str::to_owned);
    let keywords = view.keywords(entry).iter().map(ToString::to_string);
    (entry.uid.get(), names.chain(keywords).collect())
}

pub(super) fn entries(view: &View) -> Vec<(u32, Tags)> {
    (0..view.entries().len())
        .map(|at| entry(view, at))
        .collect()
}

impl Client {
    /// Selects a mailbox it knows nothing of.
    pub(super) async fn select(house: &House, mailbox: &str) -> Self {
        let view = house.open(mailbox).await;
        Self {
            shown: entries(&view),
            told: view.highest_modseq(),
            name: mailbox.to_owned(),
            view,
        }
    }

    /// Does what imapd does: announces arrivals and changes, and expunges if it may. When the
    /// mailbox is gone it selects `other`.
    pub(super) async fn look(
        &mut self,
        house: &House,
        account: &Account,
        (expunges, other): (bool, &str),
    ) {
        let changes = match self.view.refresh(&house.mail).await {
            Ok(changes) => changes,
            Err(Error::NoMailbox) => {
                assert!(!account.mailboxes.contains_key(&self.name));
                *self = Self::select(house, other).await;
                return;
            }
            Err(error) => panic!("{error}"),
        };
        for at in changes.flags {
            assert_eq!(self.shown[at].0, self.view.entries()[at].uid.get());
            self.shown[at] = entry(&self.view, at);
        }
        assert_eq!(changes.new.start, self.shown.len());
        let new = changes.new.map(|at| entry(&self.view, at));
        self.shown.extend(new);
        if expunges {
            let expunged = self.view.apply_expunges(&house.mail);
            assert_eq!(changes.expunged, !expunged.numbers.is_empty());
            for number in &expunged.numbers {
                let (uid, _) = self.shown.remove(number.get() as usize - 1);
                assert!(expunged.uids.contains(uid));
            }
            assert_eq!(self.shown, account.shown(&self.name));
            self.told = self.view.highest_modseq();
        }
        assert_eq!(self.shown.len(), self.view.entries().len());
    }

    /// RFC 7162 §3.2.5: comes back with what it knew, and is told what has vanished and changed
    /// since the mod-sequence it knew it by.
    pub(super) async fn come_back(&mut self, house: &House, account: &Account) {
        if !account.mailboxes.contains_key(&self.name) {
            *self = Self::select(house, "INBOX").await;
            return;
        }
        let vanished = vanished(&house.mail, house.account, &self.name, self.told).await;
        self.shown.retain(|(uid, _)| !vanished.contains(uid));
        self.view = house.open(&self.name).await;
        for at in 0..self.view.entries().len() {
            if self.view.entries()[at].modseq > self.told {
                let (uid, tags) = entry(&self.view, at);
                self.shown.retain(|(known, _)| *known != uid);
                self.shown.push((uid, tags));
            }
        }
        self.shown.sort();
        assert_eq!(self.shown, account.shown(&self.name), "since {}", self.told);
        self.told = self.view.highest_modseq();
    }
}

/// The UIDs that have left a mailbox since a mod-sequence, in the order they are told.
pub(super) async fn vanished(
    mail: &Mail,
    account: AccountId,
    mailbox: &str,
    since: u64,
) -> Vec<u32> {
    let mailbox = mail.find(account, &name(mailbox)).await.unwrap();
    let ranges = mail.vanished(account, mailbox, since).await.unwrap();
    ranges.into_iter().flatten().collect()
}
