//! What must hold from one state of the store to the next, for every mailbox there ever was.

use std::collections::{BTreeMap, BTreeSet};

use mail::{MailboxId, MailboxInfo, MailboxStatus, View};

use super::account::{Account, Tags};
use super::client::{entries, vanished};
use super::run::Run;

/// What one mailbox has shown so far.
#[derive(Debug, Default)]
struct Past {
    uidvalidity: u32,
    uidnext: u32,
    /// HIGHESTMODSEQ after each operation, ascending.
    highest: Vec<u64>,
    /// Mod-sequence and flags of what is there, by UID.
    present: BTreeMap<u32, (u64, Tags)>,
    /// When each UID that is not there any more has left.
    gone: BTreeMap<u32, u64>,
}

#[derive(Debug, Default)]
pub(super) struct History {
    mailboxes: BTreeMap<MailboxId, Past>,
    /// Which message a name, UIDVALIDITY and UID have ever meant.
    meant: BTreeMap<(String, u32, u32), u32>,
    /// Messages whose octets have been read since the store was opened.
    read: BTreeSet<u32>,
}

impl History {
    /// One of the mod-sequences that a mailbox has had.
    pub(super) fn earlier(&self, mailbox: MailboxId, at: usize) -> u64 {
        let known = self.mailboxes.get(&mailbox).map(|past| &past.highest);
        known.map_or(1, |known| known[at % known.len()])
    }

    pub(super) fn modseq(&self, mailbox: MailboxId, uid: u32) -> u64 {
        let past = self.mailboxes.get(&mailbox);
        past.and_then(|past| past.present.get(&uid))
            .map_or(0, |(modseq, _)| *modseq)
    }

    /// After the store was opened again, nothing is taken for read.
    pub(super) fn reopened(&mut self) {
        self.read.clear();
    }
}

impl Run {
    /// Compares the store with the model, and with itself before the last operation.
    pub(super) async fn compare(&mut self) {
        let list = self.house.mail.list(self.house.account).await.unwrap();
        let names: Vec<&str> = list.iter().map(|info| info.name.as_str()).collect();
        let expected: BTreeSet<&str> = self.account.mailboxes.keys().map(String::as_str).collect();
        assert_eq!(names.len(), expected.len());
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
        let (octets, count) = self.house.used().await;
        assert_eq!(
            (octets.unsigned_abs(), count.unsigned_abs()),
            self.account.used()
        );
        for info in &list {
            let view = self.house.open(info.name.as_str()).await;
            self.compare_state(info, &view);
            self.compare_with_past(info, &view);
            self.compare_vanished(info).await;
            self.compare_octets(info, &view).await;
        }
    }

    fn compare_state(&self, info: &MailboxInfo, view: &View) {
        let name = info.name.as_str();
        let expected = &self.account.mailboxes[name];
        let shown = self.account.shown(name);
        assert_eq!(entries(view), shown);
        let with = |flag| shown.iter().filter(|(_, tags)| tags.contains(flag)).count();
        assert_eq!(
            info.status,
            MailboxStatus {
                messages: shown.len().try_into().unwrap(),
                unseen: (shown.len() - with("\\Seen")).try_into().unwrap(),
                deleted: with("\\Deleted").try_into().unwrap(),
                size: self.account.size(expected.messages.values().copied()),
                uidnext: expected.uidnext,
                uidvalidity: info.status.uidvalidity,
                highest_modseq: info.status.highest_modseq,
            }
        );
        assert_eq!(view.uidnext(), info.status.uidnext);
        assert_eq!(view.uidvalidity(), info.status.uidvalidity);
        assert_eq!(view.highest_modseq(), info.status.highest_modseq);
        assert_eq!(info.has_children, self.account.has_children(name));
    }

    fn compare_with_past(&mut self, info: &MailboxInfo, view: &View) {
        let highest = info.status.highest_modseq;
        let uidvalidity = info.status.uidvalidity.get();
        let first_time = !self.history.mailboxes.contains_key(&info.id);
        let past = self.history.mailboxes.entry(info.id).or_default();
        if first_time {
            (past.uidvalidity, past.uidnext) = (uidvalidity, 1);
        }
        assert_eq!(past.uidvalidity, uidvalidity, "UIDVALIDITY is stable");
        assert!(past.highest.last().is_none_or(|last| *last <= highest));
        let mut present = BTreeMap::new();
        for (entry, (uid, tags)) in view.entries().iter().zip(entries(view)) {
            // RFC 9051 §2.3.1.1: these three mean one message for ever.
            let key = (info.name.as_str().to_owned(), uidvalidity, uid);
            let meant = self.history.meant.entry(key).or_insert(entry.message);
            assert_eq!(*meant, entry.message, "UID {uid} was used again");
            assert!(entry.modseq <= highest);
            match past.present.get(&uid) {
                None => {
                    assert!(uid >= past.uidnext, "new UIDs are greater than all before");
                    assert!(past.highest.last().is_none_or(|last| entry.modseq > *last));
                }
                Some((before, earlier)) => {
                    let message = self.account.message(info.name.as_str(), uid);
                    // A linked message also changes when it comes into a mailbox or leaves one.
                    let linked = self.account.messages[message].linked;
                    let changed = entry.modseq > *before;
                    assert!(changed == (*earlier != tags) || changed && linked);
                    assert!(entry.modseq >= *before, "MODSEQ went back");
                }
            }
            present.insert(uid, (entry.modseq, tags));
        }
        for uid in past.present.keys() {
            if !present.contains_key(uid) {
                past.gone.insert(*uid, highest);
            }
        }
        let changed = past.present != present || past.uidnext != info.status.uidnext;
        let raised = past.highest.last().is_none_or(|last| *last < highest);
        assert!(raised || !changed, "a change without a mod-sequence");
        past.present = present;
        past.uidnext = info.status.uidnext;
        if raised {
            past.highest.push(highest);
        }
    }

    /// RFC 7162 §3.2.10: who knew the mailbox at some time learns what has left it since.
    async fn compare_vanished(&self, info: &MailboxInfo) {
        let past = &self.history.mailboxes[&info.id];
        let newest = past.highest.len() - 1;
        for at in [0, newest / 2, newest.saturating_sub(1), newest] {
            let since = past.highest[at];
            let (mail, account) = (&self.house.mail, self.house.account);
            let told = vanished(mail, account, info.name.as_str(), since).await;
            let gone = past.gone.iter().filter(|(_, left)| **left > since);
            let gone: Vec<u32> = gone.map(|(uid, _)| *uid).collect();
            assert_eq!(told, gone, "{} since {since}", info.name);
        }
    }

    /// Every message once after it came and once after each opening of the store.
    async fn compare_octets(&mut self, info: &MailboxInfo, view: &View) {
        for entry in view.entries() {
            if !self.history.read.insert(entry.message) {
                continue;
            }
            let id = view.snapshot().message_id(entry);
            let octets = self.house.mail.message_bytes(id).await.unwrap();
            let message = self.account.message(info.name.as_str(), entry.uid.get());
            let expected: &Account = &self.account;
            assert_eq!(octets, expected.messages[message].octets.as_bytes());
        }
    }
}
