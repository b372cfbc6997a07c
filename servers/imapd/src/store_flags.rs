//! STORE.

use imap::command::{Announce, Store, StoreMode};
use imap::response::ResponseCode;
use imap::{By, Keyword, SeqNum, Uid, UidSet};
use mail::{Changes, FlagChange, FlagMode, FlagSet, FlagStore, Flags, StoreOutcome};

use crate::client::{Answer, Client, done};
use crate::io::Ended;
use crate::selected::{Positions, Selected, number};
use crate::updates::{Manner, Told};

/// The flags that a message will have if nobody else changes them meanwhile.
struct Expected {
    position: usize,
    flags: Flags,
    keywords: Vec<Keyword>,
}

/// A STORE that is on disk, and what the view has learnt since.
struct Stored {
    by: By,
    outcome: StoreOutcome,
    changes: Changes,
}

impl Selected {
    /// RFC 9051 §6.4.6, RFC 7162 §3.1.3: the answer comes after the commit.
    pub(crate) async fn store(&mut self, client: &mut Client, store: &Store) -> Answer {
        self.writable()?;
        client.dialect.condstore |= store.unchanged_since.is_some();
        let positions = self.positions(store.by, &store.set)?;
        let uids = self.uids(&positions);
        if uids.is_empty() {
            return Ok(done("STORE"));
        }
        let change = FlagChange {
            mode: match store.mode {
                StoreMode::Replace => FlagMode::Replace,
                StoreMode::Add => FlagMode::Add,
                StoreMode::Remove => FlagMode::Remove,
            },
            set: store.flags.iter().collect(),
        };
        let expected = match store.announce {
            Announce::Silent => self.expect(&positions, &change),
            Announce::Flags => Vec::new(),
        };
        let request = FlagStore {
            change,
            unchanged_since: store.unchanged_since,
        };
        let (account, mailbox) = (self.view.account(), self.view.mailbox());
        let mail = &client.server.mail;
        let outcome = mail.set_flags(account, mailbox, &uids, &request).await?;
        let changes = self.refresh(client).await?;
        let modified = self.modified(store.by, &outcome.modified);
        let stored = Stored {
            by: store.by,
            outcome,
            changes,
        };
        match store.announce {
            Announce::Flags => self.announce(client, positions, stored).await?,
            Announce::Silent => self.announce_silently(client, &expected, stored).await?,
        }
        Ok(match modified {
            Some(modified) => done("STORE").with_code(ResponseCode::Modified(modified)),
            None => done("STORE"),
        })
    }

    fn expect(&self, positions: &Positions, change: &FlagChange) -> Vec<Expected> {
        let entries = self.view.entries();
        let positions = positions.iter().cloned().flatten();
        positions
            .filter_map(|position| {
                let entry = entries.get(position)?;
                let (flags, set) = (entry.flags.and(Flags::SHOWN), &change.set);
                let flags = match change.mode {
                    FlagMode::Add => flags.with(set.flags()),
                    FlagMode::Remove => flags.without(set.flags()),
                    FlagMode::Replace => set.flags(),
                };
                let keywords = keywords_after(self.view.keywords(entry), change.mode, set);
                Some(Expected {
                    position,
                    flags,
                    keywords,
                })
            })
            .collect()
    }

    /// Tells the flags of every message that the command was about and did not pass over, and of
    /// those that others have changed.
    async fn announce(
        &mut self,
        client: &mut Client,
        positions: Positions,
        stored: Stored,
    ) -> Result<(), Ended> {
        let Stored {
            by,
            outcome,
            changes,
        } = stored;
        let entries = self.view.entries();
        let passed_over = |position: &usize| {
            let entry = entries.get(*position);
            entry.is_some_and(|entry| outcome.modified.contains(entry.uid.get()))
        };
        let positions = positions.into_iter().flatten();
        let mut flags: Vec<usize> = positions.filter(|at| !passed_over(at)).collect();
        flags.extend(&changes.flags);
        flags.sort_unstable();
        flags.dedup();
        let changes = Changes { flags, ..changes };
        self.tell(client, &changes, Manner::withholding(by)).await
    }

    /// RFC 9051 §6.4.6: the client knows what it asked for; it is told what is different. RFC 7162
    /// §3.1.3: and the new mod-sequences.
    async fn announce_silently(
        &mut self,
        client: &mut Client,
        expected: &[Expected],
        stored: Stored,
    ) -> Result<(), Ended> {
        let Stored {
            by,
            outcome,
            changes,
        } = stored;
        let is_known = |position: &&usize| self.is_as_expected(**position, expected);
        let (known, flags): (Vec<usize>, Vec<usize>) = changes.flags.iter().partition(is_known);
        let changes = Changes { flags, ..changes };
        self.tell(client, &changes, Manner::withholding(by)).await?;
        if client.dialect.condstore {
            for position in known {
                let entry = self.view.entries().get(position);
                if entry.is_some_and(|entry| outcome.changed.contains(entry.uid.get())) {
                    self.tell_message(client, position, by, Told::ModSeqOnly);
                    client.io.flush_if_large().await?;
                }
            }
        }
        Ok(())
    }

    fn is_as_expected(&self, position: usize, expected: &[Expected]) -> bool {
        let found = expected.binary_search_by_key(&position, |expected| expected.position);
        let expected = found.ok().and_then(|at| expected.get(at));
        expected
            .zip(self.view.entries().get(position))
            .is_some_and(|(expected, entry)| {
                entry.flags.and(Flags::SHOWN) == expected.flags
                    && self.view.keywords(entry) == expected.keywords
            })
    }

    /// RFC 7162 §3.1.3: the messages passed over, as the command counts.
    fn modified(&self, by: By, uids: &UidSet) -> Option<UidSet> {
        let set: UidSet = match by {
            By::Uid => uids.clone(),
            By::Seq => {
                let position = |uid| self.view.snapshot().position(uid);
                let numbers = uids.iter().filter_map(Uid::new).filter_map(position);
                numbers
                    .filter_map(number)
                    .collect::<Vec<SeqNum>>()
                    .into_iter()
                    .collect()
            }
        };
        (!set.is_empty()).then_some(set)
    }
}

/// Keywords, sorted, after a change.
fn keywords_after(before: &[Keyword], mode: FlagMode, set: &FlagSet) -> Vec<Keyword> {
    let named = set.keywords();
    match mode {
        FlagMode::Replace => named.to_vec(),
        FlagMode::Remove => {
            let stays = |keyword: &&Keyword| named.binary_search(keyword).is_err();
            before.iter().filter(stays).cloned().collect()
        }
        FlagMode::Add => {
            let mut all: Vec<_> = before.iter().chain(named).cloned().collect();
            all.sort();
            all.dedup();
            all
        }
    }
}
