//! One sequence of operations on a real store and on the model, step by step.

use mail::{Error, FlagChange, FlagMode, FlagSet, FlagStore, NewMessage, Quota, Role, Uid};
use mime::Summary;
use store::blob;

use super::account::{Account, Tags, renamed, tags};
use super::client::Client;
use super::history::History;
use super::operation::{NAMES, Operation};
use crate::house::{House, flags, message, name, uids};

/// What a delivery puts before a message.
const PREFIX: &str = "Return-Path: <bob@example.net>\r\n";

pub(super) struct Run {
    pub(super) house: House,
    pub(super) account: Account,
    clients: Vec<Client>,
    pub(super) history: History,
}

/// Flags as words, for the house.
fn words(names: &Tags) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(" ")
}

impl Run {
    pub(super) async fn new() -> Self {
        let house = House::new().await;
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(Client::select(&house, "INBOX").await);
        }
        Self {
            house,
            account: Account::new(),
            clients,
            history: History::default(),
        }
    }

    pub(super) async fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Append { to, flags, octets } => {
                self.append(NAMES[*to], tags(flags), *octets).await;
            }
            Operation::Deliver { octets } => self.deliver(*octets).await,
            Operation::Store {
                from,
                which,
                mode,
                flags,
                since,
            } => {
                let chosen = self.account.choose(NAMES[*from], which);
                self.store(NAMES[*from], &chosen, (*mode, tags(flags)), *since)
                    .await;
            }
            Operation::Copy { from, which, to } => self.copy(NAMES[*from], which, NAMES[*to]).await,
            Operation::Move { from, which, to } => {
                self.relocate(NAMES[*from], which, NAMES[*to]).await;
            }
            Operation::Link { from, which, to } => {
                self.link(NAMES[*from], *which, NAMES[*to]).await
            }
            Operation::Expunge { from, which } => {
                self.expunge(NAMES[*from], which.as_deref()).await;
            }
            Operation::Destroy { from, which } => self.destroy(NAMES[*from], which).await,
            Operation::Create { name } => self.create(NAMES[*name]).await,
            Operation::Delete { name } => self.delete(NAMES[*name]).await,
            Operation::Rename { from, to } => self.rename(NAMES[*from], NAMES[*to]).await,
            Operation::Quota { room } => self.set_quota(*room).await,
            Operation::Look { session, expunges } => self.look(*session, *expunges).await,
            Operation::Reopen => self.reopen().await,
        }
    }

    /// Both sessions catch up, and the store checks itself.
    pub(super) async fn end(mut self) {
        for session in 0..self.clients.len() {
            self.look(session, true).await;
        }
        drop(self.clients);
        self.house.close().await;
    }

    fn has(&self, mailbox: &str) -> bool {
        self.account.mailboxes.contains_key(mailbox)
    }

    /// A message that no other is like.
    fn new_message(&self, octets: usize) -> String {
        let number = self.account.messages.len();
        let mut text = format!("Subject: {number}\r\n\r\n");
        let mut word = number as u64;
        while text.len() < octets {
            // Does not compress: large ones become files.
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ text.len() as u64;
            text.push_str(&format!("{word:x}\r\n"));
        }
        text
    }

    async fn append(&mut self, to: &str, tags: Tags, octets: usize) {
        if !self.has(to) {
            return;
        }
        let text = self.new_message(octets);
        let mailbox = self.house.mailbox(to).await;
        let new = message(&text, &words(&tags));
        let appended = self
            .house
            .mail
            .append_message(self.house.account, mailbox, new)
            .await;
        if self.account.has_room(text.len() as u64) {
            let message = self.account.add(tags, text);
            let uid = self.account.put(to, message);
            assert_eq!(appended.unwrap().uid.get(), uid);
        } else {
            assert!(matches!(appended, Err(Error::OverQuota)), "{appended:?}");
        }
    }

    async fn deliver(&mut self, octets: usize) {
        let text = self.new_message(octets);
        let whole = format!("{PREFIX}{text}");
        let summary = Summary::parse(whole.as_bytes());
        let db = self.house.mail.db();
        let staged = db.blobs().stage(text.into()).await.unwrap();
        let account = self.house.account;
        let delivered = db
            .write(move |tx| {
                blob::insert(tx, &staged, 1)?;
                let inbox = mail::mailbox_by_role(tx, account, Role::Inbox)?;
                let new = NewMessage {
                    mailbox: inbox.ok_or(Error::NoMailbox)?,
                    blob: &staged,
                    prefix: PREFIX.as_bytes(),
                    summary: &summary,
                    received_at: tx.now(),
                    flags: &FlagSet::default(),
                    quota: Quota::Ignore,
                };
                mail::append(tx, account, &new)
            })
            .await;
        let message = self.account.add(Tags::new(), whole);
        let uid = self.account.put("INBOX", message);
        assert_eq!(delivered.unwrap().uid.get(), uid);
    }

    async fn store(
        &mut self,
        from: &str,
        chosen: &[u32],
        (mode, named): (FlagMode, Tags),
        since: Option<usize>,
    ) {
        if chosen.is_empty() {
            return;
        }
        let mailbox = self.house.mailbox(from).await;
        let unchanged_since = since.map(|at| self.history.earlier(mailbox, at));
        let store = FlagStore {
            change: FlagChange {
                mode,
                set: flags(&words(&named)),
            },
            unchanged_since,
        };
        let set = uids(chosen.iter().copied());
        let mail = &self.house.mail;
        let outcome = mail.set_flags(self.house.account, mailbox, &set, &store);
        let outcome = outcome.await.unwrap();
        let (mut changed, mut modified) = (Vec::new(), Vec::new());
        for uid in chosen {
            let newer = |since| self.history.modseq(mailbox, *uid) > since;
            if unchanged_since.is_some_and(newer) {
                modified.push(*uid);
                continue;
            }
            let message = self.account.message(from, *uid);
            let before = &mut self.account.messages[message].tags;
            let after: Tags = match mode {
                FlagMode::Add => before.union(&named).cloned().collect(),
                FlagMode::Remove => before.difference(&named).cloned().collect(),
                FlagMode::Replace => named.clone(),
            };
            if *before != after {
                changed.push(*uid);
                *before = after;
            }
        }
        assert_eq!(outcome.changed, uids(changed));
        assert_eq!(outcome.modified, uids(modified));
    }

    async fn copy(&mut self, from: &str, which: &[usize], to: &str) {
        let chosen = self.account.choose(from, which);
        if !self.has(to) || chosen.is_empty() {
            return;
        }
        let (source, target) = (self.house.mailbox(from).await, self.house.mailbox(to).await);
        let set = uids(chosen.iter().copied());
        let mail = &self.house.mail;
        let outcome = mail.copy(self.house.account, source, &set, target).await;
        let originals = chosen.iter().map(|uid| self.account.message(from, *uid));
        let originals: Vec<usize> = originals.collect();
        let size = self.account.size(originals.iter().copied());
        if !self.account.has_room(size) {
            assert!(matches!(outcome, Err(Error::OverQuota)), "{outcome:?}");
            return;
        }
        let mut copies = Vec::new();
        for original in originals {
            let original = self.account.messages[original].clone();
            let copy = self.account.add(original.tags, original.octets);
            copies.push(self.account.put(to, copy));
        }
        let outcome = outcome.unwrap();
        assert_eq!((outcome.source, outcome.destination), (set, uids(copies)));
        assert_eq!(outcome.size, size);
    }

    async fn relocate(&mut self, from: &str, which: &[usize], to: &str) {
        let chosen = self.account.choose(from, which);
        if !self.has(to) || chosen.is_empty() {
            return;
        }
        let (source, target) = (self.house.mailbox(from).await, self.house.mailbox(to).await);
        let set = uids(chosen.iter().copied());
        let mail = &self.house.mail;
        let outcome = mail.move_messages(self.house.account, source, &set, target);
        let outcome = outcome.await.unwrap();
        let mut moved = Vec::new();
        for uid in chosen {
            let message = self.account.take(from, uid);
            moved.push(self.account.put(to, message));
        }
        assert_eq!((outcome.source, outcome.destination), (set, uids(moved)));
    }

    async fn link(&mut self, from: &str, which: usize, to: &str) {
        let chosen = self.account.choose(from, &[which]);
        let Some(uid) = chosen.first().filter(|_| self.has(to)) else {
            return;
        };
        let message = self.account.message(from, *uid);
        let view = self.house.open(from).await;
        let at = view.snapshot().position(Uid::new(*uid).unwrap()).unwrap();
        let id = view.snapshot().message_id(&view.entries()[at]);
        let (account, target) = (self.house.account, self.house.mailbox(to).await);
        let db = self.house.mail.db();
        let linked = db
            .write(move |tx| mail::link(tx, account, id, target))
            .await;
        let mut there = self.account.mailboxes[to].messages.values();
        if there.any(|other| *other == message) {
            assert!(matches!(linked, Err(Error::Exists)));
        } else {
            self.account.messages[message].linked = true;
            assert_eq!(linked.unwrap().get(), self.account.put(to, message));
        }
    }

    async fn expunge(&mut self, from: &str, which: Option<&[usize]>) {
        if !self.has(from) {
            return;
        }
        let chosen = which.map(|which| self.account.choose(from, which));
        let mailbox = self.house.mailbox(from).await;
        let set = chosen.as_ref().map(|chosen| uids(chosen.iter().copied()));
        let mail = &self.house.mail;
        let gone = mail.expunge(self.house.account, mailbox, set.as_ref());
        let gone = gone.await.unwrap();
        let mut expected = Vec::new();
        for (uid, tags) in self.account.shown(from) {
            let named = chosen.as_ref().is_none_or(|chosen| chosen.contains(&uid));
            if named && tags.contains("\\Deleted") {
                self.account.take(from, uid);
                expected.push(uid);
            }
        }
        assert_eq!(gone, uids(expected));
    }

    async fn destroy(&mut self, from: &str, which: &[usize]) {
        let chosen = self.account.choose(from, which);
        if chosen.is_empty() {
            return;
        }
        let mailbox = self.house.mailbox(from).await;
        let set = uids(chosen.iter().copied());
        let mail = &self.house.mail;
        let gone = mail.destroy(self.house.account, mailbox, &set).await;
        assert_eq!(gone.unwrap(), set);
        for uid in chosen {
            self.account.take(from, uid);
        }
    }

    async fn create(&mut self, mailbox: &str) {
        let mail = &self.house.mail;
        let done = mail.create(self.house.account, &name(mailbox), None).await;
        assert_eq!(matches!(done, Err(Error::Exists)), self.has(mailbox));
        self.account.create(mailbox);
    }

    async fn delete(&mut self, mailbox: &str) {
        let mail = &self.house.mail;
        let done = mail.delete(self.house.account, &name(mailbox)).await;
        if !self.has(mailbox) {
            assert!(matches!(done, Err(Error::NoMailbox)));
        } else if mailbox == "INBOX" {
            assert!(matches!(done, Err(Error::Inbox)));
        } else if self.account.has_children(mailbox) {
            assert!(matches!(done, Err(Error::HasChildren)));
        } else {
            done.unwrap();
            self.account.mailboxes.remove(mailbox);
        }
    }

    async fn rename(&mut self, from: &str, to: &str) {
        let mail = &self.house.mail;
        let done = mail
            .rename(self.house.account, &name(from), &name(to))
            .await;
        if !self.has(from) {
            assert!(matches!(done, Err(Error::NoMailbox)));
        } else if self.has(to) {
            assert!(matches!(done, Err(Error::Exists)));
        } else if from == "INBOX" {
            // RFC 9051 §6.3.6: its messages move, it stays.
            done.unwrap();
            self.account.create(to);
            for (uid, _) in self.account.shown(from) {
                let message = self.account.take(from, uid);
                self.account.put(to, message);
            }
        } else if to.starts_with(&format!("{from}/")) {
            assert!(matches!(done, Err(Error::BelowItself)));
        } else {
            done.unwrap();
            self.account.rename(from, to);
            for client in &mut self.clients {
                if let Some(new) = renamed(&client.name, from, to) {
                    client.name = new;
                }
            }
        }
    }

    async fn set_quota(&mut self, room: Option<u64>) {
        self.account.quota = room
            .map(|room| self.account.used().0 + room)
            .filter(|quota| *quota > 0);
        let octets = self.account.quota.unwrap_or(0);
        self.house.set_quota(octets.try_into().unwrap()).await;
    }

    async fn look(&mut self, session: usize, expunges: bool) {
        let other = self.account.mailboxes.keys().nth(session).unwrap();
        self.clients[session]
            .look(&self.house, &self.account, (expunges, other))
            .await;
    }

    async fn reopen(&mut self) {
        self.house.reopen().await;
        self.history.reopened();
        for client in &mut self.clients {
            client.come_back(&self.house, &self.account).await;
        }
    }
}
