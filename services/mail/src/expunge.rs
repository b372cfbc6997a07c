//! EXPUNGE: removing messages for good.
//!
//! The UIDs are remembered in `vanished` for sessions and QRESYNC, the messages in `tombstone` for
//! JMAP; blobs lose a reference and are deleted by the store's sweeper after its grace.

use std::ops::RangeInclusive;

use imap::{Uid, UidSet};
use store::{AccountId, BlobId, Reader, Tx, blob};

use crate::change::{Change, Delta, Kind};
use crate::chunk::{Ranges, Scope};
use crate::ids::signed;
use crate::{Error, Flags, Mail, MailboxId, MessageId, shared};

const SELECT: &str = "SELECT e.uid, e.message_id, e.flags, m.size, m.created, m.blob_id \
    FROM entry e JOIN message m ON m.id = e.message_id \
    WHERE e.mailbox_id = ?1 AND e.uid BETWEEN ?2 AND ?3 AND (e.flags & ?4) = ?4 ORDER BY e.uid";
const DELETE_ENTRIES: &str = "DELETE FROM entry \
    WHERE mailbox_id = ?1 AND uid BETWEEN ?2 AND ?3 AND (flags & ?4) = ?4";
const DELETE_MESSAGE: &str = "DELETE FROM message WHERE id = ?1";
const VANISH: &str =
    "INSERT INTO vanished (mailbox_id, modseq, uid_first, uid_last) VALUES (?1, ?2, ?3, ?4)";

/// Which messages are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Those with `\Deleted`.
    Deleted,
    /// All.
    Any,
}

impl Condition {
    const fn flags(self) -> Flags {
        match self {
            Self::Deleted => Flags::DELETED,
            Self::Any => Flags::NONE,
        }
    }
}

// Index: message_thread.
const ANY_MESSAGE: &str = "SELECT 1 FROM message WHERE account_id = ?1 LIMIT 1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[SELECT, DELETE_ENTRIES, DELETE_MESSAGE, VANISH, ANY_MESSAGE];

/// Whether an account has no message left, as after [`Mail::erase`]: asked in the transaction that
/// removes the account, so that no blob loses its last message without being given up.
///
/// # Errors
/// Those of the store.
pub fn is_erased(rx: &mut dyn Reader, account: AccountId) -> Result<bool, Error> {
    Ok(rx
        .query_one(ANY_MESSAGE, &[account.into()], |row| row.int(0))?
        .is_none())
}

impl Mail {
    /// RFC 9051 §6.4.3, §6.4.9: removes the messages with `\Deleted`, of `uids` only if given.
    /// Answers which. Many messages are removed in several transactions; an error may leave the
    /// first of them removed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn expunge(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
    ) -> Result<UidSet, Error> {
        let scope = uids.map_or(Scope::All, Scope::Uids);
        self.remove(account, mailbox, scope, Condition::Deleted)
            .await
    }

    /// Removes these messages, whatever their flags.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn destroy(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
    ) -> Result<UidSet, Error> {
        self.remove(account, mailbox, Scope::Uids(uids), Condition::Any)
            .await
    }

    /// Removes every message of a mailbox.
    pub(crate) async fn empty(&self, account: AccountId, mailbox: MailboxId) -> Result<(), Error> {
        self.remove(account, mailbox, Scope::All, Condition::Any)
            .await
            .map(drop)
    }

    /// Removes every message of an account, so that its blobs are given up, before the account
    /// itself is removed. The mailboxes stay, empty. The account should receive nothing any more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn erase(&self, account: AccountId) -> Result<(), Error> {
        for mailbox in self.list(account).await? {
            self.empty(account, mailbox.id).await?;
            self.cache().forget(mailbox.id);
        }
        Ok(())
    }

    async fn remove(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        scope: Scope<'_>,
        condition: Condition,
    ) -> Result<UidSet, Error> {
        let chunks = self.chunks(mailbox, scope, condition.flags()).await?;
        let removed = self
            .write_chunks(chunks, move |tx, ranges| {
                remove(tx, account, mailbox, ranges, condition)
            })
            .await?;
        Ok(removed.into_iter().flatten().collect())
    }
}

struct Found {
    uid: Uid,
    message: MessageId,
    flags: Flags,
    size: u64,
    created: i64,
    blob: BlobId,
}

/// One transaction of an expunge: the removed UIDs in ascending order.
fn remove(
    tx: &mut dyn Tx,
    account: AccountId,
    mailbox: MailboxId,
    ranges: &Ranges,
    condition: Condition,
) -> Result<Vec<Uid>, Error> {
    let mut change = Change::begin(tx, account)?;
    // Checks that the mailbox is the account's.
    crate::mailbox::status(change.tx, account, mailbox)?;
    let mut removed = Vec::new();
    let mut delta = Delta::default();
    let (mut freed, mut messages) = (0, 0);
    for range in ranges {
        let found = find(&mut change, mailbox, range, condition)?;
        if found.is_empty() {
            continue;
        }
        let params = [
            mailbox.0.into(),
            (*range.start()).into(),
            (*range.end()).into(),
            condition.flags().bits().into(),
        ];
        change.tx.exec(DELETE_ENTRIES, &params)?;
        for message in &found {
            delta += Delta::of(message.flags, message.size).negated();
            if !message.flags.contains(Flags::SHARED)
                || shared::settle(&mut change, message.message)? == 0
            {
                destroy(&mut change, message)?;
                freed += message.size;
                messages += 1;
            }
        }
        removed.extend(found.iter().map(|message| message.uid));
    }
    if !removed.is_empty() {
        vanish(&mut change, mailbox, &removed)?;
        change.free(messages, freed)?;
        change.count(mailbox, delta)?;
        change.announce();
    }
    Ok(removed)
}

fn find(
    change: &mut Change<'_>,
    mailbox: MailboxId,
    range: &RangeInclusive<u32>,
    condition: Condition,
) -> Result<Vec<Found>, Error> {
    let params = [
        mailbox.0.into(),
        (*range.start()).into(),
        (*range.end()).into(),
        condition.flags().bits().into(),
    ];
    let rows = change.tx.query_all(SELECT, &params, |row| {
        let Some(uid) = Uid::new(row.u32(0)?) else {
            return Ok(None);
        };
        Ok(Some(Found {
            uid,
            message: MessageId(row.int(1)?),
            flags: Flags::from_bits(row.u32(2)?),
            size: row.u64(3)?,
            created: row.int(4)?,
            blob: row.blob_id(5)?,
        }))
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// Removes a message that is in no mailbox any more; its keywords go with it.
fn destroy(change: &mut Change<'_>, message: &Found) -> Result<(), Error> {
    change
        .tx
        .exec(DELETE_MESSAGE, &[message.message.0.into()])?;
    blob::release(change.tx, &message.blob)?;
    change.bury(Kind::Message, message.message.0, message.created)
}

/// Remembers UIDs, in ascending order, that have left a mailbox.
pub(crate) fn vanish(
    change: &mut Change<'_>,
    mailbox: MailboxId,
    uids: &[Uid],
) -> Result<(), Error> {
    let runs: UidSet = uids.iter().copied().collect();
    for run in runs.ranges() {
        let (first, last) = (*run.start(), *run.end());
        let params = [
            mailbox.0.into(),
            signed(change.modseq).into(),
            first.into(),
            last.into(),
        ];
        change.tx.exec(VANISH, &params)?;
    }
    Ok(())
}
