//! What an administrator sees of the queue and does to it.
//!
//! Start at [`Queue::list`].

use ambient::Timestamp;
use serde::Serialize;
use store::{Reader, Row};

use crate::schedule::HELD;
use crate::table::{self, QueueId};
use crate::{Error, Queue};

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueEntry {
    /// Its key.
    pub id: i64,
    /// The reverse-path; empty is the null reverse-path.
    pub sender: String,
    /// Octets, our trace fields included.
    pub size: u64,
    /// Whether an administrator holds it.
    pub held: bool,
    /// When it was accepted, in seconds since 1970.
    pub created_at: i64,
    /// From when on a failed attempt is the last one.
    pub expires_at: i64,
    /// Those that have not been reached, in the order of their addresses.
    pub recipients: Vec<QueueRecipient>,
}

/// A recipient that has not been reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueRecipient {
    /// The address.
    pub address: String,
    /// The address before aliases.
    pub original: String,
    /// What is going to happen.
    pub state: RecipientState,
    /// Attempts so far, one that runs included.
    pub attempts: u32,
    /// What came of the last attempt; empty before the first.
    pub status: String,
}

/// What is going to happen to a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum RecipientState {
    /// The next attempt comes.
    Waiting {
        /// When, in seconds since 1970.
        due_at: i64,
    },
    /// An attempt runs.
    InDelivery,
    /// Nothing, until somebody releases the message.
    Held,
}

/// Messages shown at a time at most.
const MAX_PAGE: u32 = 1_000;

// Along the primary key.
const LIST: &str = "SELECT id, sender, size, held, created_at, expires_at FROM queue \
     WHERE id > ?1 ORDER BY id LIMIT ?2";
const SHOW: &str = "SELECT id, sender, size, held, created_at, expires_at FROM queue WHERE id = ?1";
const CONTENT: &str = "SELECT blob_id, prefix FROM queue WHERE id = ?1";
const RECIPIENTS: &str = "SELECT rcpt, original, due_at, lease_until, attempts, status \
     FROM queue_rcpt WHERE queue_id = ?1 ORDER BY rcpt";
const HOPS: &str = "SELECT DISTINCT next_hop FROM queue_rcpt WHERE queue_id = ?1";
const COUNT: &str = "SELECT COUNT(*) FROM queue";

impl Queue {
    /// Up to `limit` messages (at most 1,000) after `after` in the order of their keys, which is
    /// that of their arrival.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, after: Option<QueueId>, limit: u32) -> Result<Vec<QueueEntry>, Error> {
        let after = after.map_or(0, |id| id.0);
        let limit = limit.min(MAX_PAGE);
        self.read(move |reader| {
            let mut entries = reader.query_all(LIST, &[after.into(), limit.into()], entry)?;
            for entry in &mut entries {
                entry.recipients = recipients(reader, entry.id)?;
            }
            Ok(entries)
        })
        .await
    }

    /// One message.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the store.
    pub async fn show(&self, id: QueueId) -> Result<QueueEntry, Error> {
        self.read(move |reader| {
            let mut entry = reader
                .query_one(SHOW, &[id.0.into()], entry)?
                .ok_or(Error::NotFound(id))?;
            entry.recipients = recipients(reader, id.0)?;
            Ok(entry)
        })
        .await
    }

    /// One message as it will be sent: our fields, then what was submitted.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the store.
    pub async fn message(&self, id: QueueId) -> Result<Vec<u8>, Error> {
        let blobs = self.0.options.db.blobs().clone();
        self.read(move |reader| {
            let found = reader.query_one(CONTENT, &[id.0.into()], |row| {
                Ok((row.blob_id(0)?, row.bytes(1)?.to_vec()))
            })?;
            let (blob, mut message) = found.ok_or(Error::NotFound(id))?;
            message.extend(blobs.load(reader, &blob)?);
            Ok(message)
        })
        .await
    }

    /// How many messages wait.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn count(&self) -> Result<u64, Error> {
        self.read(|reader| {
            let count = reader.query_one(COUNT, &[], |row| row.u64(0))?;
            Ok(count.unwrap_or_default())
        })
        .await
    }

    /// Tries a message again now, also where its destination was found to be down. What is held
    /// stays held.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the store.
    pub async fn retry(&self, id: QueueId) -> Result<(), Error> {
        let now = self.0.options.clock.now();
        let hops: Vec<String> = self
            .read(move |reader| {
                Ok(reader.query_all(HOPS, &[id.0.into()], |row| Ok(row.text(0)?.to_owned()))?)
            })
            .await?;
        for hop in hops {
            self.0
                .destinations
                .reachable(&self.0.options.route.destination(&hop));
        }
        self.0
            .options
            .db
            .write(move |tx| match table::held(tx, id)? {
                None => Err(Error::NotFound(id)),
                Some(true) => Ok(()),
                Some(false) => table::set_due(tx, id, now),
            })
            .await
    }

    /// Keeps a message from being delivered until it is released; it does not expire meanwhile. An
    /// attempt that runs is not stopped.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the store.
    pub async fn hold(&self, id: QueueId) -> Result<(), Error> {
        self.set_held(id, true).await
    }

    /// Lets a held message go, now.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the store.
    pub async fn release(&self, id: QueueId) -> Result<(), Error> {
        self.set_held(id, false).await
    }

    /// Deletes a message without telling anybody. An attempt that runs is not stopped.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the store.
    pub async fn delete(&self, id: QueueId) -> Result<(), Error> {
        self.0
            .options
            .db
            .write(move |tx| {
                if table::delete(tx, id)? {
                    Ok(())
                } else {
                    Err(Error::NotFound(id))
                }
            })
            .await
    }

    async fn set_held(&self, id: QueueId, held: bool) -> Result<(), Error> {
        let now = self.0.options.clock.now();
        self.0
            .options
            .db
            .write(move |tx| {
                if table::set_held(tx, id, held, now)? {
                    Ok(())
                } else {
                    Err(Error::NotFound(id))
                }
            })
            .await
    }

    async fn read<T: Send + 'static>(
        &self,
        closure: impl FnOnce(&mut dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.options.db.read(closure).await
    }
}

fn entry(row: &Row<'_>) -> Result<QueueEntry, store::Error> {
    Ok(QueueEntry {
        id: row.int(0)?,
        sender: row.text(1)?.to_owned(),
        size: row.u64(2)?,
        held: row.bool(3)?,
        created_at: row.int(4)?,
        expires_at: row.int(5)?,
        recipients: Vec::new(),
    })
}

fn recipients(reader: &mut dyn Reader, id: i64) -> Result<Vec<QueueRecipient>, Error> {
    Ok(reader.query_all(RECIPIENTS, &[id.into()], |row| {
        Ok(QueueRecipient {
            address: row.text(0)?.to_owned(),
            original: row.text(1)?.to_owned(),
            state: state(row.time(2)?, row.int(3)?),
            attempts: row.u32(4)?,
            status: row.text(5)?.to_owned(),
        })
    })?)
}

fn state(due_at: Timestamp, lease_until: i64) -> RecipientState {
    if lease_until > 0 {
        RecipientState::InDelivery
    } else if due_at == HELD {
        RecipientState::Held
    } else {
        RecipientState::Waiting { due_at: due_at.0 }
    }
}
