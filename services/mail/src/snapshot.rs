//! What a session knows of a mailbox: its messages in order, 24 octets each.
//!
//! A [`Snapshot`] is loaded in one scan, or brought up to date with a [`Difference`], whose cost
//! follows what has changed. Sessions share snapshots through [`crate::Mail`]'s cache; it holds
//! nothing that is not in the database.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use imap::{Keyword, Uid};
use store::{AccountId, Reader, Row};

use crate::ids::{count, signed};
use crate::mailbox::{MailboxStatus, status};
use crate::{Error, Flags, MailboxId, MessageId, UidValidity, keyword};

// All in the clustered order of entry's key.
const ENTRIES: &str = "SELECT uid, message_id, modseq, flags FROM entry \
    WHERE mailbox_id = ?1 ORDER BY uid";
// The bit above all others: 2^31 is Flags::HAS_KEYWORDS.
const KEYWORDS: &str = "SELECT e.uid, k.name FROM entry e \
    JOIN keyword k ON k.message_id = e.message_id \
    WHERE e.mailbox_id = ?1 AND e.flags >= 2147483648 ORDER BY e.uid";
// Both by the index entry_modseq.
const COUNT_CHANGED: &str = "SELECT COUNT(*) FROM \
    (SELECT 1 FROM entry WHERE mailbox_id = ?1 AND modseq > ?2 LIMIT ?3) AS changed";
const CHANGED: &str = "SELECT uid, message_id, modseq, flags FROM entry \
    WHERE mailbox_id = ?1 AND modseq > ?2 ORDER BY uid";
const VANISHED: &str = "SELECT uid_first, uid_last FROM vanished \
    WHERE mailbox_id = ?1 AND modseq > ?2 ORDER BY uid_first";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ENTRIES, KEYWORDS, COUNT_CHANGED, CHANGED, VANISHED];

/// One message of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its UID.
    pub uid: Uid,
    /// Its number in the account: see [`Snapshot::message_id`].
    pub message: u32,
    /// Its flags.
    pub flags: Flags,
    /// Where its keywords are in the snapshot's table; 0 without any.
    keywords: u32,
    /// The mod-sequence of its last change.
    pub modseq: u64,
}

const _: () = assert!(size_of::<Entry>() == 24);

/// The messages of a mailbox at one moment, in the order of their UIDs.
#[derive(Debug, Clone)]
pub struct Snapshot {
    account: AccountId,
    mailbox: MailboxId,
    uidvalidity: UidValidity,
    uidnext: u32,
    modseq: u64,
    entries: Vec<Entry>,
    keywords: KeywordTable,
}

/// Every set of keywords that a message of the mailbox has, once; the first is the empty one.
#[derive(Debug, Clone)]
struct KeywordTable {
    sets: Vec<Arc<[Keyword]>>,
    index: HashMap<Arc<[Keyword]>, u32>,
}

impl Default for KeywordTable {
    fn default() -> Self {
        Self {
            sets: vec![Arc::default()],
            index: HashMap::new(),
        }
    }
}

impl KeywordTable {
    fn intern(&mut self, mut keywords: Vec<Keyword>) -> u32 {
        if keywords.is_empty() {
            return 0;
        }
        keywords.sort();
        if let Some(&at) = self.index.get(keywords.as_slice()) {
            return at;
        }
        let set: Arc<[Keyword]> = keywords.into();
        let at = u32::try_from(self.sets.len()).unwrap_or(0);
        self.sets.push(Arc::clone(&set));
        self.index.insert(set, at);
        at
    }

    fn get(&self, at: u32) -> &[Keyword] {
        usize::try_from(at)
            .ok()
            .and_then(|at| self.sets.get(at))
            .map_or(&[], |set| set)
    }
}

/// Entries as they come from the database, with the keywords of those that have any.
#[derive(Debug, Default)]
struct Loaded {
    entries: Vec<Entry>,
    /// In the order of the entries.
    keywords: Vec<(Uid, Vec<Keyword>)>,
}

/// What has happened to a mailbox since a snapshot.
#[derive(Debug)]
pub(crate) struct Difference {
    uidnext: u32,
    pub(crate) modseq: u64,
    changed: Loaded,
    /// UIDs that have left the mailbox, in ascending order; some the snapshot may never have had.
    pub(crate) vanished: Vec<RangeInclusive<u32>>,
}

/// Where a [`Difference`] has touched a snapshot: positions counted from 0.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Entries whose flags, keywords or mod-sequence are different, ascending.
    pub(crate) changed: Vec<usize>,
    /// The first new entry, or the number of entries.
    pub(crate) first_new: usize,
}

impl Snapshot {
    /// Of a mailbox with so many messages.
    #[cfg(test)]
    pub(crate) fn of_length(mailbox: MailboxId, messages: usize) -> Self {
        let entry = Entry {
            uid: Uid::new(1).expect("not zero"),
            message: 1,
            flags: Flags::NONE,
            keywords: 0,
            modseq: 1,
        };
        Self {
            account: AccountId(1),
            mailbox,
            uidvalidity: UidValidity::new(1).expect("not zero"),
            uidnext: 1,
            modseq: 1,
            entries: vec![entry; messages],
            keywords: KeywordTable::default(),
        }
    }

    /// Reads a whole mailbox.
    pub(crate) fn load(
        rx: &mut dyn Reader,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Self, Error> {
        let status = status(rx, account, mailbox)?;
        let mut snapshot = Self {
            account,
            mailbox,
            uidvalidity: status.uidvalidity,
            uidnext: status.uidnext,
            modseq: status.highest_modseq,
            entries: Vec::new(),
            keywords: KeywordTable::default(),
        };
        let Loaded { entries, keywords } = load_all(rx, mailbox, &status)?;
        snapshot.entries = entries;
        snapshot.assign_keywords(keywords);
        Ok(snapshot)
    }

    /// Reads what has happened since this snapshot; `None` for nothing.
    pub(crate) fn difference(&self, rx: &mut dyn Reader) -> Result<Option<Difference>, Error> {
        let status = status(rx, self.account, self.mailbox)?;
        if status.uidvalidity != self.uidvalidity {
            // An account made again starts its numbers again: not the mailbox this was.
            return Err(Error::NoMailbox);
        }
        if status.highest_modseq == self.modseq {
            return Ok(None);
        }
        let since = [self.mailbox.0.into(), signed(self.modseq).into()];
        let vanished = rx.query_all(VANISHED, &since, |row| Ok(row.u32(0)?..=row.u32(1)?))?;
        // Rows found one by one cost several times a row of the whole scan.
        let limit = count(self.entries.len() / 8).max(64);
        let params = [
            self.mailbox.0.into(),
            signed(self.modseq).into(),
            limit.into(),
        ];
        let many = rx.query_one(COUNT_CHANGED, &params, |row| row.int(0))? == Some(limit);
        let changed = if many {
            self.newer(load_all(rx, self.mailbox, &status)?)
        } else {
            let entries = rx.query_all(CHANGED, &since, read_entry)?;
            self.with_keywords(rx, entries)?
        };
        let (uidnext, modseq) = (status.uidnext, status.highest_modseq);
        Ok(Some(Difference {
            uidnext,
            modseq,
            changed,
            vanished,
        }))
    }

    /// Those entries of a whole mailbox that have changed since this snapshot.
    fn newer(&self, all: Loaded) -> Loaded {
        let entries: Vec<_> = all
            .entries
            .into_iter()
            .filter(|entry| entry.modseq > self.modseq)
            .collect();
        let mut keywords = all.keywords;
        keywords.retain(|(uid, _)| entries.binary_search_by_key(uid, |entry| entry.uid).is_ok());
        Loaded { entries, keywords }
    }

    fn with_keywords(&self, rx: &mut dyn Reader, entries: Vec<Entry>) -> Result<Loaded, Error> {
        let mut keywords = Vec::new();
        for entry in entries
            .iter()
            .filter(|entry| entry.flags.contains(Flags::HAS_KEYWORDS))
        {
            keywords.push((entry.uid, keyword::of(rx, self.message_id(entry))?));
        }
        Ok(Loaded { entries, keywords })
    }

    /// Takes in what is new and changed; what has vanished stays, see [`Snapshot::remove`].
    pub(crate) fn update(&mut self, difference: Difference) -> Touched {
        let Difference {
            uidnext,
            modseq,
            changed: Loaded { entries, keywords },
            ..
        } = difference;
        self.uidnext = uidnext;
        self.modseq = modseq;
        let first_new = self.entries.len();
        let mut touched = Touched {
            changed: Vec::new(),
            first_new,
        };
        let mut from = 0;
        for entry in entries {
            let known = self.entries.get(from..first_new).unwrap_or_default();
            let at = from + known.partition_point(|known| known.uid < entry.uid);
            match self
                .entries
                .get_mut(at)
                .filter(|known| known.uid == entry.uid)
            {
                Some(known) => {
                    *known = entry;
                    touched.changed.push(at);
                    from = at + 1;
                }
                // UIDs ascend: what is not known is new.
                None => self.entries.push(entry),
            }
        }
        self.assign_keywords(keywords);
        touched
    }

    /// The positions of entries whose UID is in one of `ranges` (ascending).
    pub(crate) fn positions(&self, ranges: &[RangeInclusive<u32>]) -> Vec<usize> {
        let mut found = Vec::new();
        for range in ranges {
            let start = self
                .entries
                .partition_point(|entry| entry.uid.get() < *range.start());
            let end = self
                .entries
                .partition_point(|entry| entry.uid.get() <= *range.end());
            found.extend(start..end);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Removes the entries with these UIDs (ascending).
    pub(crate) fn remove(&mut self, uids: &[Uid]) {
        if !uids.is_empty() {
            self.entries
                .retain(|entry| uids.binary_search(&entry.uid).is_err());
        }
    }

    fn assign_keywords(&mut self, keywords: Vec<(Uid, Vec<Keyword>)>) {
        for (uid, keywords) in keywords {
            let set = self.keywords.intern(keywords);
            let at = self.entries.binary_search_by_key(&uid, |entry| entry.uid);
            if let Some(entry) = at.ok().and_then(|at| self.entries.get_mut(at)) {
                entry.keywords = set;
            }
        }
    }

    /// Whose mailbox it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Which mailbox it is.
    #[must_use]
    pub const fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// UIDVALIDITY.
    #[must_use]
    pub const fn uidvalidity(&self) -> UidValidity {
        self.uidvalidity
    }

    /// UIDNEXT: greater than every UID given out so far.
    #[must_use]
    pub const fn uidnext(&self) -> u32 {
        self.uidnext
    }

    /// HIGHESTMODSEQ at the moment of the snapshot.
    #[must_use]
    pub const fn highest_modseq(&self) -> u64 {
        self.modseq
    }

    /// The messages in the order of their UIDs: the first has sequence number 1.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The identity of an entry's message.
    #[must_use]
    pub const fn message_id(&self, entry: &Entry) -> MessageId {
        MessageId::new(self.account, entry.message)
    }

    /// The keywords of an entry of this snapshot that are not bits of its flags, sorted.
    #[must_use]
    pub fn keywords(&self, entry: &Entry) -> &[Keyword] {
        self.keywords.get(entry.keywords)
    }

    /// Every keyword that is not a bit and that some message of the mailbox has or had lately.
    #[must_use]
    pub fn all_keywords(&self) -> Vec<Keyword> {
        let mut all: Vec<_> = self
            .keywords
            .sets
            .iter()
            .flat_map(|set| set.iter())
            .cloned()
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// The position of a UID, counted from 0.
    #[must_use]
    pub fn position(&self, uid: Uid) -> Option<usize> {
        self.entries
            .binary_search_by_key(&uid, |entry| entry.uid)
            .ok()
    }
}

fn read_entry(row: &Row<'_>) -> Result<Entry, store::Error> {
    let no_uid = store::Error::Column {
        index: 0,
        expected: "a UID",
    };
    Ok(Entry {
        uid: Uid::new(row.u32(0)?).ok_or(no_uid)?,
        message: MessageId(row.int(1)?).number(),
        modseq: row.u64(2)?,
        flags: Flags::from_bits(row.u32(3)?),
        keywords: 0,
    })
}

fn load_all(
    rx: &mut dyn Reader,
    mailbox: MailboxId,
    status: &MailboxStatus,
) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    loaded
        .entries
        .reserve_exact(usize::try_from(status.messages).unwrap_or(0));
    let mut any_keywords = false;
    rx.query(ENTRIES, &[mailbox.0.into()], &mut |row| {
        let entry = read_entry(row)?;
        any_keywords |= entry.flags.contains(Flags::HAS_KEYWORDS);
        loaded.entries.push(entry);
        Ok(())
    })?;
    if any_keywords {
        rx.query(KEYWORDS, &[mailbox.0.into()], &mut |row| {
            let Some((uid, keyword)) = Uid::new(row.u32(0)?).zip(keyword::read(row.text(1)?))
            else {
                return Ok(());
            };
            match loaded.keywords.last_mut() {
                Some((last, keywords)) if *last == uid => keywords.push(keyword),
                _ => loaded.keywords.push((uid, vec![keyword])),
            }
            Ok(())
        })?;
    }
    Ok(loaded)
}

/// The UIDs that have left a mailbox after the mod-sequence `since`.
pub(crate) fn vanished_since(
    rx: &mut dyn Reader,
    mailbox: MailboxId,
    since: u64,
) -> Result<Vec<RangeInclusive<u32>>, Error> {
    let params = [mailbox.0.into(), signed(since).into()];
    Ok(rx.query_all(VANISHED, &params, |row| Ok(row.u32(0)?..=row.u32(1)?))?)
}
