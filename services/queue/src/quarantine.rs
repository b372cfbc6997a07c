//! Mail that was accepted and kept back: the recipient's copy, with everything it takes to deliver
//! it after all.
//!
//! A row holds a reference to the blob, as a message in a mailbox does; releasing hands that
//! reference over to the mailbox, deleting gives it up. Start at [`Queue::quarantined`].

use ambient::Timestamp;
use mail::{FlagSet, NewMessage, Quota, Role};
use mime::Summary;
use serde::Serialize;
use smtp::ReversePath;
use store::blob::{self, StagedBlob};
use store::{AccountId, BlobId, Reader, Row, Tx};

use crate::spool::{Held, LocalCopy, Prepared, role_or_inbox};
use crate::{Error, Queue};

/// Messages shown at a time at most.
const MAX_PAGE: u32 = 1_000;
/// Rows that one transaction deletes.
const CHUNK: u32 = 200;
/// Characters of a subject that are kept.
const MAX_SUBJECT: usize = 500;

const INSERT: &str = "INSERT INTO quarantine (verdict_id, account_id, recipient, sender, subject, \
     score, blob_id, prefix, size, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
// Along the primary key, the latest first.
const LIST: &str = "SELECT id, verdict_id, account_id, recipient, sender, subject, score, size, \
     created_at FROM quarantine WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
// Along quarantine_account.
const LIST_OF: &str = "SELECT id, verdict_id, account_id, recipient, sender, subject, score, size, \
     created_at FROM quarantine WHERE account_id = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
const ONE: &str = "SELECT id, verdict_id, account_id, recipient, sender, subject, score, size, \
     created_at FROM quarantine WHERE id = ?1";
const CONTENT: &str = "SELECT blob_id, prefix FROM quarantine WHERE id = ?1";
const DELETE: &str = "DELETE FROM quarantine WHERE id = ?1 RETURNING blob_id";
// Along quarantine_created.
const EXPIRED: &str =
    "SELECT id FROM quarantine WHERE created_at < ?1 ORDER BY created_at LIMIT ?2";
// Along quarantine_account.
const OF_ACCOUNT: &str = "SELECT id FROM quarantine WHERE account_id = ?1 LIMIT ?2";

/// One recipient's copy in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its key.
    pub id: i64,
    /// The name of the verdict, as `muskox message why` takes it.
    pub verdict: String,
    /// Whose it is.
    #[serde(skip)]
    pub account: AccountId,
    /// The recipient's account.
    pub recipient: String,
    /// The reverse-path; empty is the null reverse-path.
    pub sender: String,
    /// The subject, decoded.
    pub subject: String,
    /// The score in thousandths.
    pub score: i64,
    /// Octets.
    pub size: u64,
    /// When it came, in seconds since 1970.
    pub created_at: i64,
}

/// Puts a copy in quarantine. The reference to the blob is the caller's.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    prepared: &Prepared,
    copy: &LocalCopy,
    held: &Held,
) -> Result<(), Error> {
    let sender = match &prepared.sender {
        ReversePath::Null => String::new(),
        ReversePath::Address(address) => address.to_string(),
    };
    let subject: String = held.subject.chars().take(MAX_SUBJECT).collect();
    let now = tx.now();
    tx.exec(
        INSERT,
        &[
            (&prepared.trace_id).into(),
            copy.account.into(),
            (&copy.recipient.to_string()).into(),
            (&sender).into(),
            (&subject).into(),
            held.score.into(),
            (&prepared.staged.id).into(),
            (&copy.prefix).into(),
            i64::from(copy.summary.size).into(),
            now.into(),
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Quarantined, store::Error> {
    Ok(Quarantined {
        id: row.int(0)?,
        verdict: row.text(1)?.to_owned(),
        account: AccountId(row.int(2)?),
        recipient: row.text(3)?.to_owned(),
        sender: row.text(4)?.to_owned(),
        subject: row.text(5)?.to_owned(),
        score: row.int(6)?,
        size: row.u64(7)?,
        created_at: row.int(8)?,
    })
}

/// Deletes one row and gives its blob up.
fn remove(tx: &mut dyn Tx, id: i64) -> Result<(), Error> {
    let blob = tx
        .query_one(DELETE, &[id.into()], |row| row.blob_id(0))?
        .ok_or(Error::NotQuarantined(id))?;
    Ok(blob::release(tx, &blob)?)
}

impl Queue {
    /// Up to `limit` messages in quarantine (at most 1,000), the latest first, those before the key
    /// `before` if given; of one account if given.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn quarantined(
        &self,
        account: Option<AccountId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Quarantined>, Error> {
        let before = before.unwrap_or(i64::MAX);
        let limit = limit.min(MAX_PAGE);
        let page = self.0.options.db.read(move |rx: &mut dyn Reader| {
            let found: Result<_, store::Error> = match account {
                Some(account) => {
                    let params = [before.into(), limit.into(), account.into()];
                    rx.query_all(LIST_OF, &params, read)
                }
                None => rx.query_all(LIST, &[before.into(), limit.into()], read),
            };
            found
        });
        Ok(page.await?)
    }

    /// One message in quarantine.
    ///
    /// # Errors
    /// [`Error::NotQuarantined`], and those of the store.
    pub async fn quarantined_message(&self, id: i64) -> Result<Quarantined, Error> {
        let found = self
            .0
            .options
            .db
            .read(move |rx| rx.query_one(ONE, &[id.into()], read))
            .await?;
        found.ok_or(Error::NotQuarantined(id))
    }

    /// The octets of a message in quarantine, as a mailbox would show them.
    ///
    /// # Errors
    /// [`Error::NotQuarantined`], and those of the store.
    pub async fn quarantined_octets(&self, id: i64) -> Result<Vec<u8>, Error> {
        let (blob, mut octets) = self.content(id).await?;
        octets.extend_from_slice(&self.0.options.db.blob(blob).await?);
        Ok(octets)
    }

    async fn content(&self, id: i64) -> Result<(BlobId, Vec<u8>), Error> {
        let found: Option<(BlobId, Vec<u8>)> = self
            .0
            .options
            .db
            .read(move |rx| {
                rx.query_one(CONTENT, &[id.into()], |row| {
                    Ok((row.blob_id(0)?, row.bytes(1)?.to_vec()))
                })
            })
            .await?;
        found.ok_or(Error::NotQuarantined(id))
    }

    /// Delivers a message from quarantine to its recipient's INBOX.
    ///
    /// # Errors
    /// [`Error::NotQuarantined`], those of the mailboxes and of the store; it stays where it is then.
    pub async fn release_quarantined(&self, id: i64) -> Result<Quarantined, Error> {
        let held = self.quarantined_message(id).await?;
        let (blob, prefix) = self.content(id).await?;
        let octets = self.0.options.db.blob(blob).await?;
        let size = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        let mut whole = prefix.clone();
        whole.extend_from_slice(&octets);
        let summary = Summary::parse(&whole);
        let staged = StagedBlob::existing(blob, size);
        let account = held.account;
        self.0
            .options
            .db
            .write(move |tx| -> Result<(), Error> {
                let gone = tx.query_one(DELETE, &[id.into()], |row| row.blob_id(0))?;
                gone.ok_or(Error::NotQuarantined(id))?;
                let message = NewMessage {
                    mailbox: role_or_inbox(tx, account, Role::Inbox)?,
                    blob: &staged,
                    prefix: &prefix,
                    summary: &summary,
                    received_at: tx.now(),
                    flags: &FlagSet::default(),
                    quota: Quota::Ignore,
                };
                mail::append(tx, account, &message)?;
                Ok(())
            })
            .await?;
        Ok(held)
    }

    /// Deletes a message from quarantine.
    ///
    /// # Errors
    /// [`Error::NotQuarantined`], and those of the store.
    pub async fn delete_quarantined(&self, id: i64) -> Result<(), Error> {
        self.0.options.db.write(move |tx| remove(tx, id)).await
    }

    /// Deletes what came before `before`; says how many messages that were.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn purge_quarantine(&self, before: Timestamp) -> Result<u64, Error> {
        self.clear(EXPIRED, before.0).await
    }

    /// Deletes all of an account, which is about to be removed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn clear_quarantine(&self, account: AccountId) -> Result<u64, Error> {
        self.clear(OF_ACCOUNT, account.0).await
    }

    /// Deletes what `select` names, some rows in a transaction.
    async fn clear(&self, select: &'static str, key: i64) -> Result<u64, Error> {
        let mut deleted = 0;
        loop {
            let gone = self.0.options.db.write(move |tx| -> Result<u64, Error> {
                let ids = tx.query_all(select, &[key.into(), CHUNK.into()], |row| row.int(0))?;
                for &id in &ids {
                    remove(tx, id)?;
                }
                Ok(u64::try_from(ids.len()).unwrap_or(u64::MAX))
            });
            match gone.await? {
                0 => return Ok(deleted),
                more => deleted += more,
            }
        }
    }
}
