//! The rows of `sender_entry`, and their changes.

use ambient::Timestamp;
use store::{Reader, Row, Tx, Value};

use super::{Means, Part, SenderKind, SenderPattern, Senders, Verdict};
use crate::owner::{Owner, check_text};
use crate::revision::{Section, bump};
use crate::{Error, Policy};

/// Entries of a domain, and of everybody.
pub const MOST_ENTRIES: usize = 200_000;
/// Entries of an account.
pub const MOST_ACCOUNT_ENTRIES: usize = 10_000;

/// An entry to be added.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Whom it means.
    pub pattern: SenderPattern,
    /// What becomes of them.
    pub verdict: Verdict,
    /// What it is compared with.
    pub part: Part,
    /// For people.
    pub comment: String,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntryRecord {
    /// Its key.
    pub id: i64,
    /// Whom it means, in the one spelling that is stored.
    pub value: String,
    /// What kind of entry it is.
    pub kind: SenderKind,
    /// What becomes of them.
    pub verdict: Verdict,
    /// What it is compared with.
    pub part: Part,
    /// For people.
    pub comment: String,
    /// When it was added, in seconds since 1970.
    pub created_at: i64,
}

/// A part of a long list, in the order of its values.
#[derive(Debug, Clone)]
pub struct EntryPage {
    /// The last entry of the part before, by value and verdict; `None` for the first part.
    pub after: Option<(String, Verdict)>,
    /// The most entries to return.
    pub limit: u32,
}

// Index: sender_entry_value (unique).
const INSERT: &str = "INSERT INTO sender_entry \
     (account_id, domain_id, value, verdict, part, comment, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
     ON CONFLICT (COALESCE(account_id, 0), COALESCE(domain_id, 0), value, verdict) \
     DO UPDATE SET part = excluded.part, comment = excluded.comment";
// Index: sender_entry_value, all of an owner.
const COUNT: &str = "SELECT COUNT(*) FROM sender_entry \
     WHERE COALESCE(account_id, 0) = ?1 AND COALESCE(domain_id, 0) = ?2";
// Index: the primary key. Only what belongs to the owner.
const DELETE: &str = "DELETE FROM sender_entry WHERE id = ?3 \
     AND COALESCE(account_id, 0) = ?1 AND COALESCE(domain_id, 0) = ?2";
// Index: sender_entry_value, in its order.
const LIST: &str = "SELECT id, value, verdict, part, comment, created_at FROM sender_entry \
     WHERE COALESCE(account_id, 0) = ?1 AND COALESCE(domain_id, 0) = ?2 \
     AND (value, verdict) > (?3, ?4) ORDER BY value, verdict LIMIT ?5";
// Index: sender_list_owner (unique).
const TOUCH: &str = "INSERT INTO sender_list (account_id, domain_id, revision) \
     VALUES (?1, ?2, ?3) ON CONFLICT (COALESCE(account_id, 0), COALESCE(domain_id, 0)) \
     DO UPDATE SET revision = excluded.revision";
// Index: sender_list_revision.
const CHANGED: &str = "SELECT account_id, domain_id FROM sender_list WHERE revision > ?1";
// Index: sender_entry_value, in its order.
const LOAD: &str = "SELECT account_id, domain_id, value, verdict, part FROM sender_entry \
     WHERE COALESCE(account_id, 0) = ?1 AND COALESCE(domain_id, 0) = ?2 ORDER BY value, verdict";
// A scan in the order of sender_entry_value: everything is loaded.
const LOAD_ALL: &str = "SELECT account_id, domain_id, value, verdict, part FROM sender_entry \
     ORDER BY COALESCE(account_id, 0), COALESCE(domain_id, 0), value, verdict";
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, COUNT, DELETE, LIST, TOUCH, CHANGED, LOAD];

/// Counts a change of the owner's list.
fn touched(tx: &mut dyn Tx, owner: Owner) -> Result<u64, Error> {
    let revision = bump(tx, Section::Senders)?;
    let [account, domain] = owner.columns();
    let stored = i64::try_from(revision).map_err(|_| Error::Internal("too many revisions"))?;
    tx.exec(TOUCH, &[account, domain, stored.into()])?;
    Ok(revision)
}

fn add(tx: &mut dyn Tx, owner: Owner, entries: &[NewEntry]) -> Result<u64, Error> {
    owner.check(tx)?;
    let [account, domain] = owner.columns();
    let now = tx.now();
    for entry in entries {
        let value = entry.pattern.to_string();
        tx.exec(
            INSERT,
            &[
                account,
                domain,
                (&value).into(),
                entry.verdict.name().into(),
                entry.part.name().into(),
                (&entry.comment).into(),
                now.into(),
            ],
        )?;
    }
    let count = tx.query_one(COUNT, &owner.keys(), |row| row.u64(0))?;
    let most = match owner {
        Owner::Account(_) => MOST_ACCOUNT_ENTRIES,
        Owner::Domain(_) | Owner::Global => MOST_ENTRIES,
    };
    if count.and_then(|count| usize::try_from(count).ok()) > Some(most) {
        return Err(Error::TooMuch {
            what: "entries of a list of senders",
            most,
        });
    }
    touched(tx, owner)
}

fn remove(tx: &mut dyn Tx, owner: Owner, ids: &[i64]) -> Result<u64, Error> {
    let [account, domain] = owner.keys();
    for &id in ids {
        if tx.exec(DELETE, &[account, domain, id.into()])? == 0 {
            return Err(Error::NotFound(format!("entry {id}")));
        }
    }
    touched(tx, owner)
}

fn record(row: &Row<'_>) -> Result<EntryRecord, store::Error> {
    let column = |index, expected| store::Error::Column { index, expected };
    Ok(EntryRecord {
        id: row.int(0)?,
        value: row.text(1)?.to_owned(),
        kind: Means::stored(row.text(1)?)
            .map_err(|_| column(1, "an entry"))?
            .kind(),
        verdict: row.text(2)?.parse().map_err(|_| column(2, "a verdict"))?,
        part: row.text(3)?.parse().map_err(|_| column(3, "a part"))?,
        comment: row.text(4)?.to_owned(),
        created_at: row.time(5).map(|Timestamp(seconds)| seconds)?,
    })
}

fn list(rx: &mut dyn Reader, owner: Owner, page: &EntryPage) -> Result<Vec<EntryRecord>, Error> {
    let [account, domain] = owner.keys();
    let (value, verdict) = match &page.after {
        Some((value, verdict)) => (value.as_str(), verdict.name()),
        None => ("", ""),
    };
    let parameters = [
        account,
        domain,
        value.into(),
        verdict.into(),
        page.limit.into(),
    ];
    Ok(rx.query_all(LIST, &parameters, record)?)
}

/// The lists in memory: those of `old` that have not changed since its revision, and the others;
/// all of them without it.
pub(crate) fn load(rx: &mut dyn Reader, old: Option<(&Senders, u64)>) -> Result<Senders, Error> {
    let Some((old, since)) = old else {
        let mut senders = Senders::default();
        load_into(rx, &mut senders, LOAD_ALL, &[])?;
        return Ok(senders);
    };
    let since = i64::try_from(since).map_err(|_| Error::Internal("too many revisions"))?;
    let changed = rx.query_all(CHANGED, &[since.into()], |row| Owner::at(row, 0, 1))?;
    let mut senders = old.clone();
    for owner in changed {
        senders.remove(owner);
        load_into(rx, &mut senders, LOAD, &owner.keys())?;
    }
    Ok(senders)
}

fn load_into(
    rx: &mut dyn Reader,
    senders: &mut Senders,
    sql: &'static str,
    parameters: &[Value<'_>],
) -> Result<(), Error> {
    let mut trouble = None;
    rx.query(sql, parameters, &mut |row| {
        let owner = Owner::at(row, 0, 1)?;
        let value = row.text(2)?;
        let added = (|| senders.add(owner, value, row.text(3)?.parse()?, row.text(4)?.parse()?))();
        if let Err(error) = added {
            trouble.get_or_insert(error);
        }
        Ok(())
    })?;
    trouble.map_or(Ok(()), Err)
}

impl Policy {
    /// Adds entries to a list, all or none. One that is there already gets the new part and
    /// comment. Live when it returns; the answer is the new revision.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the owner, [`Error::Text`], [`Error::TooMuch`].
    pub async fn add_entries(&self, owner: Owner, entries: Vec<NewEntry>) -> Result<u64, Error> {
        for entry in &entries {
            check_text(&entry.comment)?;
        }
        self.write(move |tx| add(tx, owner, &entries)).await
    }

    /// Removes entries of a list by their keys, all or none. Keys of other lists do not count.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_entries(&self, owner: Owner, ids: Vec<i64>) -> Result<u64, Error> {
        self.write(move |tx| remove(tx, owner, &ids)).await
    }

    /// A part of a list, in the order of its values.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn entries(&self, owner: Owner, page: EntryPage) -> Result<Vec<EntryRecord>, Error> {
        self.db.read(move |rx| list(rx, owner, &page)).await
    }
}
