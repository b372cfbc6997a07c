//! The rows of the classifier.

use std::sync::Arc;

use ambient::Timestamp;
use store::{Reader, Tx, Value};

use super::table::Table;
use super::token::{pack, unpack};
use super::{Change, Class, Learned, Model, Owner, Stats};
use crate::Error;

/// Folding is due when the journal has this many bytes and half of the pages' ...
const FOLD_BYTES: u64 = 256 * 1024;

/// ... or this many entries: loading must replay them.
const FOLD_ENTRIES: u64 = 2_048;

/// The most words a page may promise when memory is reserved.
const BYTES_PER_WORD: u64 = 4;

const TOTALS: &str = "SELECT learned_ham, learned_spam, weight_ham, weight_spam, page_bytes,
       journal_count, journal_bytes, changed_at
     FROM bayes_owner WHERE owner = ?1";
const PAGES: &str = "SELECT data FROM bayes_page WHERE owner = ?1 ORDER BY page";
const JOURNAL: &str = "SELECT change, tokens FROM bayes_journal WHERE owner = ?1 ORDER BY number";
const LEARNED: &str = "SELECT spam FROM bayes_learned WHERE owner = ?1 AND digest = ?2";
const ADD_OWNER: &str = "INSERT INTO bayes_owner (owner, account_id, changed_at)
     VALUES (?1, ?2, ?3)";
const SET_OWNER: &str = "UPDATE bayes_owner SET learned_ham = ?2, learned_spam = ?3,
       journal_count = ?4, journal_bytes = ?5, changed_at = ?6
     WHERE owner = ?1";
const SET_LEARNED: &str = "INSERT INTO bayes_learned (owner, digest, spam, learned_at)
     VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (owner, digest) DO UPDATE SET spam = ?3, learned_at = ?4";
const UNSET_LEARNED: &str = "DELETE FROM bayes_learned WHERE owner = ?1 AND digest = ?2";
const ADD_JOURNAL: &str = "INSERT INTO bayes_journal (owner, number, change, tokens)
     VALUES (?1, ?2, ?3, ?4)";
const CLEAR_JOURNAL: &str = "DELETE FROM bayes_journal WHERE owner = ?1";
const CLEAR_PAGES: &str = "DELETE FROM bayes_page WHERE owner = ?1 AND page >= ?2";
const SET_PAGE: &str = "INSERT INTO bayes_page (owner, page, data) VALUES (?1, ?2, ?3)
     ON CONFLICT (owner, page) DO UPDATE SET data = ?3";
const SET_FOLDED: &str = "UPDATE bayes_owner SET weight_ham = ?2, weight_spam = ?3,
       page_bytes = ?4, journal_count = 0, journal_bytes = 0
     WHERE owner = ?1";
const FORGET: &str = "DELETE FROM bayes_owner WHERE owner = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    TOTALS,
    PAGES,
    JOURNAL,
    LEARNED,
    ADD_OWNER,
    SET_OWNER,
    SET_LEARNED,
    UNSET_LEARNED,
    ADD_JOURNAL,
    CLEAR_JOURNAL,
    CLEAR_PAGES,
    SET_PAGE,
    SET_FOLDED,
    FORGET,
];

/// What an owner has learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    pub(super) learned_ham: u64,
    pub(super) learned_spam: u64,
}

/// A row of `bayes_owner`.
#[derive(Debug, Clone, Copy, Default)]
struct OwnerRow {
    totals: Totals,
    weights: (u32, u32),
    page_bytes: u64,
    journal_count: u64,
    journal_bytes: u64,
    changed_at: Timestamp,
}

fn owner_row(rx: &mut dyn Reader, key: i64) -> Result<Option<OwnerRow>, store::Error> {
    rx.query_one(TOTALS, &[key.into()], |row| {
        Ok(OwnerRow {
            totals: Totals {
                learned_ham: row.u64(0)?,
                learned_spam: row.u64(1)?,
            },
            weights: (row.u32(2)?, row.u32(3)?),
            page_bytes: row.u64(4)?,
            journal_count: row.u64(5)?,
            journal_bytes: row.u64(6)?,
            changed_at: row.time(7)?,
        })
    })
}

pub(super) fn totals(rx: &mut dyn Reader, key: i64) -> Result<Totals, store::Error> {
    Ok(owner_row(rx, key)?.unwrap_or_default().totals)
}

pub(super) fn stats(rx: &mut dyn Reader, key: i64) -> Result<Stats, store::Error> {
    let row = owner_row(rx, key)?;
    Ok(row.map_or_else(Stats::default, |row| Stats {
        learned_ham: row.totals.learned_ham,
        learned_spam: row.totals.learned_spam,
        bytes: row.page_bytes + row.journal_bytes,
        changed_at: Some(row.changed_at),
    }))
}

/// Everything the counts are made of.
#[derive(Debug)]
pub(super) struct Stored {
    weights: (u32, u32),
    pages: Vec<Vec<u8>>,
    journal: Vec<(i64, Vec<u8>)>,
}

pub(super) fn load(rx: &mut dyn Reader, key: i64) -> Result<Stored, store::Error> {
    Ok(Stored {
        weights: owner_row(rx, key)?.unwrap_or_default().weights,
        pages: rx.query_all(PAGES, &[key.into()], |row| Ok(row.bytes(0)?.to_vec()))?,
        journal: rx.query_all(JOURNAL, &[key.into()], |row| {
            Ok((row.int(0)?, row.bytes(1)?.to_vec()))
        })?,
    })
}

impl Stored {
    /// The counts: what the pages say, and then what the journal did.
    pub(super) fn model(self, limit: usize) -> Result<Model, Error> {
        let bytes: usize = self.pages.iter().map(Vec::len).sum();
        let words = bytes / usize::try_from(BYTES_PER_WORD).unwrap_or(usize::MAX);
        let pages = self.pages.iter().map(Vec::as_slice);
        let table = Table::from_pages(pages, words.min(limit)).ok_or(Error::Damaged("a page"))?;
        let mut model = Model::restore(table, self.weights, limit);
        for (change, tokens) in &self.journal {
            let change = Change::from_number(*change).ok_or(Error::Damaged("a journal entry"))?;
            let tokens = unpack(tokens).ok_or(Error::Damaged("a journal entry"))?;
            model.apply(change, &tokens);
        }
        Ok(model)
    }
}

impl Change {
    fn number(self) -> i64 {
        match self {
            Self::Add(Class::Ham) => 0,
            Self::Add(Class::Spam) => 1,
            Self::Take(Class::Ham) => 2,
            Self::Take(Class::Spam) => 3,
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        [
            Self::Add(Class::Ham),
            Self::Add(Class::Spam),
            Self::Take(Class::Ham),
            Self::Take(Class::Spam),
        ]
        .into_iter()
        .find(|change| change.number() == number)
    }
}

/// A message that is to count as `class`, or not at all.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) owner: Owner,
    pub(super) class: Option<Class>,
    pub(super) digest: [u8; 32],
    pub(super) tokens: Arc<[u64]>,
}

/// What a transaction did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) learned: Learned,
    pub(super) changes: Vec<Change>,
    pub(super) before: Totals,
    pub(super) after: Totals,
    pub(super) due: bool,
}

pub(super) fn change(tx: &mut dyn Tx, request: &Request) -> Result<Done, store::Error> {
    let key = request.owner.key();
    let digest = Value::Bytes(&request.digest);
    let known = tx.query_one(LEARNED, &[key.into(), digest], |row| {
        Ok(if row.bool(0)? {
            Class::Spam
        } else {
            Class::Ham
        })
    })?;
    let row = owner_row(tx, key)?;
    let exists = row.is_some();
    let mut row = row.unwrap_or_default();
    let before = row.totals;
    let take = known
        .filter(|known| Some(*known) != request.class)
        .map(Change::Take);
    let add = request
        .class
        .filter(|class| Some(*class) != known)
        .map(Change::Add);
    let changes: Vec<Change> = take.into_iter().chain(add).collect();
    let learned = match (take, add) {
        (None, None) => Learned::Already,
        (None, Some(_)) => Learned::New,
        (Some(_), _) => Learned::Changed,
    };
    if changes.is_empty() {
        return Ok(Done {
            learned,
            changes,
            before,
            after: before,
            due: false,
        });
    }
    let now = tx.now();
    if !exists {
        let account = (key != 0).then_some(key);
        tx.exec(ADD_OWNER, &[key.into(), account.into(), now.into()])?;
    }
    let packed = pack(&request.tokens);
    for &change in &changes {
        row.count(change);
        row.journal_count += 1;
        row.journal_bytes += u64::try_from(packed.len()).unwrap_or(u64::MAX);
        let number = signed(row.journal_count);
        let entry = [
            key.into(),
            number.into(),
            change.number().into(),
            Value::Bytes(&packed),
        ];
        tx.exec(ADD_JOURNAL, &entry)?;
    }
    match request.class {
        Some(class) => {
            let spam = (class == Class::Spam).into();
            tx.exec(SET_LEARNED, &[key.into(), digest, spam, now.into()])?;
        }
        None => {
            tx.exec(UNSET_LEARNED, &[key.into(), digest])?;
        }
    }
    row.save(tx, key)?;
    Ok(Done {
        learned,
        changes,
        before,
        after: row.totals,
        due: row.fold_due(),
    })
}

impl OwnerRow {
    fn count(&mut self, change: Change) {
        let (Change::Add(class) | Change::Take(class)) = change;
        let total = match class {
            Class::Ham => &mut self.totals.learned_ham,
            Class::Spam => &mut self.totals.learned_spam,
        };
        *total = match change {
            Change::Add(_) => total.saturating_add(1),
            Change::Take(_) => total.saturating_sub(1),
        };
    }

    fn save(&self, tx: &mut dyn Tx, key: i64) -> Result<(), store::Error> {
        let now = tx.now();
        let params = [
            key.into(),
            signed(self.totals.learned_ham).into(),
            signed(self.totals.learned_spam).into(),
            signed(self.journal_count).into(),
            signed(self.journal_bytes).into(),
            now.into(),
        ];
        tx.exec(SET_OWNER, &params)?;
        Ok(())
    }

    fn fold_due(&self) -> bool {
        self.journal_count >= FOLD_ENTRIES
            || self.journal_bytes >= FOLD_BYTES.max(self.page_bytes / 2)
    }
}

/// Counts as they are written.
#[derive(Debug)]
pub(super) struct Folded {
    pages: Vec<Vec<u8>>,
    weights: (u32, u32),
}

impl Folded {
    pub(super) fn of(model: &Model) -> std::io::Result<Self> {
        Ok(Self {
            pages: model.table().pages()?,
            weights: model.weights(),
        })
    }
}

/// Writes the pages; the journal is part of them.
pub(super) fn fold(tx: &mut dyn Tx, key: i64, folded: &Folded) -> Result<(), store::Error> {
    let mut bytes = 0;
    let mut count = 0;
    for (number, page) in (0i64..).zip(&folded.pages) {
        tx.exec(SET_PAGE, &[key.into(), number.into(), page.into()])?;
        bytes += i64::try_from(page.len()).unwrap_or(i64::MAX);
        count = number + 1;
    }
    tx.exec(CLEAR_PAGES, &[key.into(), count.into()])?;
    tx.exec(CLEAR_JOURNAL, &[key.into()])?;
    let (ham, spam) = folded.weights;
    tx.exec(
        SET_FOLDED,
        &[key.into(), ham.into(), spam.into(), bytes.into()],
    )?;
    Ok(())
}

pub(super) fn forget(tx: &mut dyn Tx, key: i64) -> Result<(), store::Error> {
    tx.exec(FORGET, &[key.into()])?;
    Ok(())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
