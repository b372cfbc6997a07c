//! Random operations against a simple model in memory.
//!
//! After every operation the store must agree with the model on names, UIDs, flags and counters;
//! UIDs and mod-sequences only grow; what is untouched keeps its mod-sequence. Two sessions look
//! on, each seeing the mailbox only through what its view announces, and must end up with the truth.

use std::collections::{BTreeMap, BTreeSet};

use mail::{Error, FlagMode, MailboxName, Uid, View};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::house::{House, message, name, uids};

const NAMES: [&str; 6] = ["INBOX", "a", "a/b", "a/b/c", "d", "d/e"];
const FLAGS: [&str; 6] = ["\\Seen", "\\Deleted", "\\Flagged", "$Junk", "red", "Blue"];

#[derive(Debug, Clone)]
enum Operation {
    Append {
        to: usize,
        flags: Vec<usize>,
    },
    Store {
        from: usize,
        which: Which,
        mode: FlagMode,
        flags: Vec<usize>,
    },
    Copy {
        from: usize,
        which: Which,
        to: usize,
    },
    Move {
        from: usize,
        which: Which,
        to: usize,
    },
    /// One message into another mailbox as well, as JMAP does.
    Link {
        from: usize,
        which: Index,
        to: usize,
    },
    Expunge {
        from: usize,
        which: Option<Which>,
    },
    Create {
        name: usize,
    },
    Delete {
        name: usize,
    },
    Rename {
        from: usize,
        to: usize,
    },
    /// A session refreshes; whether it may announce expunges.
    Look {
        session: usize,
        expunges: bool,
    },
}

/// Some of a mailbox's messages.
#[derive(Debug, Clone)]
struct Which(Vec<Index>);

fn which() -> impl Strategy<Value = Which> {
    prop::collection::vec(any::<Index>(), 0..4).prop_map(Which)
}

fn some_flags() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..FLAGS.len(), 0..3)
}

fn operation() -> impl Strategy<Value = Operation> {
    let mailbox = || 0..NAMES.len();
    let mode = prop_oneof![
        Just(FlagMode::Add),
        Just(FlagMode::Remove),
        Just(FlagMode::Replace)
    ];
    prop_oneof![
        6 => (mailbox(), some_flags()).prop_map(|(to, flags)| Operation::Append { to, flags }),
        4 => (mailbox(), which(), mode, some_flags()).prop_map(|(from, which, mode, flags)| {
            Operation::Store { from, which, mode, flags }
        }),
        2 => (mailbox(), which(), mailbox())
            .prop_map(|(from, which, to)| Operation::Copy { from, which, to }),
        2 => (mailbox(), which(), mailbox())
            .prop_map(|(from, which, to)| Operation::Move { from, which, to }),
        1 => (mailbox(), any::<Index>(), mailbox())
            .prop_map(|(from, which, to)| Operation::Link { from, which, to }),
        2 => (mailbox(), prop::option::of(which()))
            .prop_map(|(from, which)| Operation::Expunge { from, which }),
        2 => mailbox().prop_map(|name| Operation::Create { name }),
        1 => mailbox().prop_map(|name| Operation::Delete { name }),
        1 => (mailbox(), mailbox()).prop_map(|(from, to)| Operation::Rename { from, to }),
        4 => (0..2_usize, any::<bool>())
            .prop_map(|(session, expunges)| Operation::Look { session, expunges }),
    ]
}

type Tags = BTreeSet<String>;

#[derive(Debug, Clone, Default)]
struct Box {
    uidnext: u32,
    /// By UID, where the message's flags are in the model.
    messages: BTreeMap<u32, usize>,
}

/// What the account should look like.
#[derive(Debug, Default)]
struct Model {
    boxes: BTreeMap<String, Box>,
    /// Of every message that ever was.
    tags: Vec<Tags>,
    /// Messages that were ever in two mailboxes.
    linked: BTreeSet<usize>,
}

fn tags(flags: &[usize]) -> Tags {
    flags.iter().map(|at| FLAGS[*at].to_owned()).collect()
}

fn words(flags: &[usize]) -> String {
    tags(flags).into_iter().collect::<Vec<_>>().join(" ")
}

impl Model {
    fn with_parents(&mut self, name: &str) {
        let ends = name
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([name.len()]);
        for end in ends {
            let new = Box {
                uidnext: 1,
                messages: BTreeMap::new(),
            };
            self.boxes.entry(name[..end].to_owned()).or_insert(new);
        }
    }

    fn has_children(&self, name: &str) -> bool {
        self.boxes
            .keys()
            .any(|other| other.starts_with(&format!("{name}/")))
    }

    fn choose(&self, mailbox: &str, which: &Which) -> Vec<u32> {
        let Some(found) = self.boxes.get(mailbox) else {
            return Vec::new();
        };
        let present: Vec<u32> = found.messages.keys().copied().collect();
        if present.is_empty() {
            return Vec::new();
        }
        let chosen: BTreeSet<u32> = which.0.iter().map(|index| *index.get(&present)).collect();
        chosen.into_iter().collect()
    }

    /// Puts a message into a mailbox under a new UID; it leaves the one it had there.
    fn put(&mut self, mailbox: &str, message: usize) -> u32 {
        let target = self.boxes.get_mut(mailbox).unwrap();
        target.messages.retain(|_, other| *other != message);
        let uid = target.uidnext;
        target.uidnext += 1;
        target.messages.insert(uid, message);
        uid
    }

    fn new_message(&mut self, tags: Tags) -> usize {
        self.tags.push(tags);
        self.tags.len() - 1
    }

    /// UIDs and flags of a mailbox.
    fn shown(&self, mailbox: &str) -> Vec<(u32, Tags)> {
        let messages = self.boxes[mailbox].messages.iter();
        messages
            .map(|(uid, message)| (*uid, self.tags[*message].clone()))
            .collect()
    }
}

/// A client that knows only what its view announces.
struct Client {
    view: View,
    shown: Vec<(u32, Tags)>,
    name: String,
}

fn entry_tags(view: &View, at: usize) -> (u32, Tags) {
    let entry = &view.entries()[at];
    let names = entry.flags.names().map(str::to_owned);
    let keywords = view.keywords(entry).iter().map(ToString::to_string);
    (entry.uid.get(), names.chain(keywords).collect())
}

struct Run {
    house: House,
    model: Model,
    clients: Vec<Client>,
    /// Which message a name, UIDVALIDITY and UID have ever meant.
    identities: BTreeMap<(MailboxName, u32, u32), u32>,
    modseqs: BTreeMap<(i64, u32), (u64, Tags)>,
    highest: BTreeMap<i64, u64>,
}

impl Run {
    async fn new() -> Self {
        let house = House::new().await;
        let mut model = Model::default();
        for name in ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"] {
            model.with_parents(name);
        }
        let mut clients = Vec::new();
        for _ in 0..2 {
            let view = house.open("INBOX").await;
            clients.push(Client {
                view,
                shown: Vec::new(),
                name: "INBOX".into(),
            });
        }
        Self {
            house,
            model,
            clients,
            identities: BTreeMap::new(),
            modseqs: BTreeMap::new(),
            highest: BTreeMap::new(),
        }
    }

    async fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Append { to, flags } => self.append(NAMES[*to], flags).await,
            Operation::Store {
                from,
                which,
                mode,
                flags,
            } => {
                self.store(NAMES[*from], which, *mode, flags).await;
            }
            Operation::Copy { from, which, to } => {
                self.transfer(NAMES[*from], which, NAMES[*to], false).await;
            }
            Operation::Move { from, which, to } => {
                self.transfer(NAMES[*from], which, NAMES[*to], true).await;
            }
            Operation::Link { from, which, to } => self.link(NAMES[*from], which, NAMES[*to]).await,
            Operation::Expunge { from, which } => self.expunge(NAMES[*from], which.as_ref()).await,
            Operation::Create { name: at } => {
                let done = self
                    .house
                    .mail
                    .create(self.house.account, &name(NAMES[*at]), None)
                    .await;
                let existed = self.model.boxes.contains_key(NAMES[*at]);
                assert_eq!(matches!(done, Err(Error::Exists)), existed);
                self.model.with_parents(NAMES[*at]);
            }
            Operation::Delete { name: at } => self.delete(NAMES[*at]).await,
            Operation::Rename { from, to } => self.rename(NAMES[*from], NAMES[*to]).await,
            Operation::Look { session, expunges } => {
                self.look(*session, *expunges).await;
            }
        }
    }

    async fn append(&mut self, to: &str, flags: &[usize]) {
        if !self.model.boxes.contains_key(to) {
            return;
        }
        let mailbox = self.house.mailbox(to).await;
        let new = message("Subject: m\r\n\r\nx\r\n", &words(flags));
        let appended = self
            .house
            .mail
            .append_message(self.house.account, mailbox, new)
            .await;
        let message = self.model.new_message(tags(flags));
        assert_eq!(appended.unwrap().uid.get(), self.model.put(to, message));
    }

    async fn store(&mut self, from: &str, which: &Which, mode: FlagMode, flags: &[usize]) {
        let chosen = self.model.choose(from, which);
        if chosen.is_empty() {
            return;
        }
        let change = (mode, words(flags));
        let change = (change.0, change.1.as_str());
        let (changed, _) = self
            .house
            .store(from, &uids(chosen.iter().copied()), change, None)
            .await;
        let named = tags(flags);
        let mut expected = Vec::new();
        for uid in chosen {
            let message = self.model.boxes[from].messages[&uid];
            let before = self.model.tags[message].clone();
            let after: Tags = match mode {
                FlagMode::Add => before.union(&named).cloned().collect(),
                FlagMode::Remove => before.difference(&named).cloned().collect(),
                FlagMode::Replace => named.clone(),
            };
            if before != after {
                expected.push(uid);
                self.model.tags[message] = after;
            }
        }
        assert_eq!(changed, uids(expected).to_string());
    }

    async fn transfer(&mut self, from: &str, which: &Which, to: &str, moves: bool) {
        let chosen = self.model.choose(from, which);
        if !self.model.boxes.contains_key(to) || chosen.is_empty() {
            return;
        }
        let (source, target) = (self.house.mailbox(from).await, self.house.mailbox(to).await);
        let (mail, account) = (&self.house.mail, self.house.account);
        let set = uids(chosen.iter().copied());
        let outcome = if moves {
            mail.move_messages(account, source, &set, target).await
        } else {
            mail.copy(account, source, &set, target).await
        };
        let mut expected = Vec::new();
        for uid in &chosen {
            let source = self.model.boxes.get_mut(from).unwrap();
            let mut message = source.messages[uid];
            if moves {
                source.messages.remove(uid);
            } else {
                message = self.model.new_message(self.model.tags[message].clone());
            }
            expected.push(self.model.put(to, message));
        }
        let outcome = outcome.unwrap();
        assert_eq!((outcome.source, outcome.destination), (set, uids(expected)));
    }

    async fn link(&mut self, from: &str, which: &Index, to: &str) {
        let chosen = self.model.choose(from, &Which(vec![*which]));
        let Some(uid) = chosen.first().filter(|_| self.model.boxes.contains_key(to)) else {
            return;
        };
        let message = self.model.boxes[from].messages[uid];
        let view = self.house.open(from).await;
        let at = view.snapshot().position(Uid::new(*uid).unwrap()).unwrap();
        let id = view.snapshot().message_id(&view.entries()[at]);
        let (account, target) = (self.house.account, self.house.mailbox(to).await);
        let db = self.house.mail.db();
        let linked = db
            .write(move |tx| mail::link(tx, account, id, target))
            .await;
        if self.model.boxes[to]
            .messages
            .values()
            .any(|other| *other == message)
        {
            assert!(matches!(linked, Err(Error::Exists)));
        } else {
            self.model.linked.insert(message);
            assert_eq!(linked.unwrap().get(), self.model.put(to, message));
        }
    }

    async fn expunge(&mut self, from: &str, which: Option<&Which>) {
        if !self.model.boxes.contains_key(from) {
            return;
        }
        let chosen = which.map(|which| self.model.choose(from, which));
        let mailbox = self.house.mailbox(from).await;
        let set = chosen.as_ref().map(|chosen| uids(chosen.iter().copied()));
        let gone = self
            .house
            .mail
            .expunge(self.house.account, mailbox, set.as_ref())
            .await;
        let mut expected = Vec::new();
        for (uid, tags) in self.model.shown(from) {
            let named = chosen.as_ref().is_none_or(|chosen| chosen.contains(&uid));
            if named && tags.contains("\\Deleted") {
                self.model
                    .boxes
                    .get_mut(from)
                    .unwrap()
                    .messages
                    .remove(&uid);
                expected.push(uid);
            }
        }
        assert_eq!(gone.unwrap(), uids(expected));
    }

    async fn delete(&mut self, mailbox: &str) {
        let done = self
            .house
            .mail
            .delete(self.house.account, &name(mailbox))
            .await;
        if !self.model.boxes.contains_key(mailbox) {
            assert!(matches!(done, Err(Error::NoMailbox)));
        } else if mailbox == "INBOX" {
            assert!(matches!(done, Err(Error::Inbox)));
        } else if self.model.has_children(mailbox) {
            assert!(matches!(done, Err(Error::HasChildren)));
        } else {
            done.unwrap();
            self.model.boxes.remove(mailbox);
        }
    }

    async fn rename(&mut self, from: &str, to: &str) {
        let done = self
            .house
            .mail
            .rename(self.house.account, &name(from), &name(to))
            .await;
        if !self.model.boxes.contains_key(from) {
            assert!(matches!(done, Err(Error::NoMailbox)));
        } else if self.model.boxes.contains_key(to) {
            assert!(matches!(done, Err(Error::Exists)));
        } else if to.starts_with(&format!("{from}/")) && from != "INBOX" {
            assert!(matches!(done, Err(Error::BelowItself)));
        } else if from == "INBOX" {
            done.unwrap();
            self.model.with_parents(to);
            let moved = std::mem::take(&mut self.model.boxes.get_mut(from).unwrap().messages);
            for tags in moved.into_values() {
                self.model.put(to, tags);
            }
        } else {
            done.unwrap();
            let names: Vec<String> = self.model.boxes.keys().cloned().collect();
            let below = format!("{from}/");
            let mut moved = Vec::new();
            for old in names
                .iter()
                .filter(|old| *old == from || old.starts_with(&below))
            {
                let new = format!("{to}{}", &old[from.len()..]);
                moved.push((new, self.model.boxes.remove(old).unwrap()));
            }
            self.model.with_parents(to);
            self.model.boxes.extend(moved);
            for client in &mut self.clients {
                if client.name == from || client.name.starts_with(&below) {
                    client.name = format!("{to}{}", &client.name[from.len()..]);
                }
            }
        }
    }

    /// A session does what imapd does: announces arrivals and changes, and expunges if it may.
    /// When its mailbox is gone it opens some other.
    async fn look(&mut self, session: usize, expunges: bool) {
        let mail = self.house.mail.clone();
        let client = &mut self.clients[session];
        let changes = match client.view.refresh(&mail).await {
            Ok(changes) => changes,
            Err(Error::NoMailbox) => {
                let other = self.model.boxes.keys().nth(session).unwrap().clone();
                client.view = self.house.open(&other).await;
                client.shown = (0..client.view.entries().len())
                    .map(|at| entry_tags(&client.view, at))
                    .collect();
                client.name = other;
                return;
            }
            Err(error) => panic!("{error}"),
        };
        for at in changes.flags {
            assert_eq!(client.shown[at].0, client.view.entries()[at].uid.get());
            client.shown[at] = entry_tags(&client.view, at);
        }
        assert_eq!(changes.new.start, client.shown.len());
        client
            .shown
            .extend(changes.new.map(|at| entry_tags(&client.view, at)));
        if expunges {
            let expunged = client.view.apply_expunges(&mail);
            assert_eq!(changes.expunged, !expunged.numbers.is_empty());
            for number in &expunged.numbers {
                let (uid, _) = client.shown.remove(number.get() as usize - 1);
                assert!(expunged.uids.contains(uid));
            }
            assert_eq!(client.shown, self.model.shown(&client.name));
        }
        assert_eq!(client.shown.len(), client.view.entries().len());
    }

    /// Compares the store with the model, and with itself before the last operation.
    async fn compare(&mut self) {
        let list = self.house.mail.list(self.house.account).await.unwrap();
        let names: BTreeSet<String> = list.iter().map(|info| info.name.to_string()).collect();
        assert_eq!(names, self.model.boxes.keys().cloned().collect());
        for info in &list {
            let expected = &self.model.boxes[info.name.as_str()];
            let view = self.house.open(info.name.as_str()).await;
            let found: Vec<_> = (0..view.entries().len())
                .map(|at| entry_tags(&view, at))
                .collect();
            assert_eq!(found, self.model.shown(info.name.as_str()));
            assert_eq!(info.status.messages as usize, expected.messages.len());
            assert_eq!(info.status.uidnext, expected.uidnext);
            assert_eq!(view.uidnext(), info.status.uidnext);
            assert_eq!(view.highest_modseq(), info.status.highest_modseq);
            let highest = self.highest.entry(info.id.0).or_default();
            assert!(info.status.highest_modseq >= *highest);
            *highest = info.status.highest_modseq;
            for (at, entry) in view.entries().iter().enumerate() {
                // RFC 9051 §2.3.1.1: these three mean one message for ever.
                let key = (
                    info.name.clone(),
                    info.status.uidvalidity.get(),
                    entry.uid.get(),
                );
                assert_eq!(
                    *self.identities.entry(key).or_insert(entry.message),
                    entry.message
                );
                let tags = entry_tags(&view, at).1;
                assert!(entry.modseq <= info.status.highest_modseq);
                let key = (info.id.0, entry.uid.get());
                if let Some((modseq, before)) =
                    self.modseqs.insert(key, (entry.modseq, tags.clone()))
                {
                    // A linked message also changes when it comes into a mailbox or leaves one.
                    let linked = self
                        .model
                        .linked
                        .contains(&expected.messages[&entry.uid.get()]);
                    let changed = entry.modseq > modseq;
                    assert!(changed == (before != tags) || changed && linked);
                    assert!(entry.modseq >= modseq);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..Default::default() })]

    #[test]
    fn the_store_agrees_with_the_model(operations in prop::collection::vec(operation(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for operation in &operations {
                run.step(operation).await;
                run.compare().await;
            }
            for session in 0..2 {
                run.look(session, true).await;
            }
            drop(run.clients);
            run.house.close().await;
        });
    }
}
