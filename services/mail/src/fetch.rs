//! Reading messages: rows in bulk, and their octets.
//!
//! A row is read by the message's key, neighbours in one scan: messages of a mailbox mostly lie
//! together, in the order of their UIDs. Callers pass a few hundred entries at a time and get the
//! rows lent on a reader thread, so that an answer can be written there without a copy; no read
//! transaction lives while octets go to a slow client.

use std::ops::Range;

use ambient::Timestamp;
use bytes::Bytes;
use store::{AccountId, BlobId, Blobs, Reader};

use crate::{Entry, Error, Mail, MessageId};

// A scan: asked by administrators only, who want to see across accounts.
const LATEST: &str = "SELECT id FROM message ORDER BY received_at DESC, id DESC LIMIT ?1";
const ROWS: &str = "SELECT id, blob_id, size, received_at, sent_at, thread_id, prefix, envelope \
    FROM message WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
const DATES: &str = "SELECT id, size, received_at, sent_at FROM message \
    WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
const BODY: &str = "SELECT blob_id, prefix FROM message WHERE id = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ROWS, DATES, BODY];

/// What is stored of a message, lent by the database.
#[derive(Debug, Clone, Copy)]
pub struct Message<'r> {
    /// Its entry in the mailbox.
    pub entry: Entry,
    /// The message as it came over the wire.
    pub blob: BlobId,
    /// Octets of prefix and blob: RFC822.SIZE.
    pub size: u32,
    /// INTERNALDATE.
    pub received_at: Timestamp,
    /// The Date field.
    pub sent_at: Option<Timestamp>,
    /// The conversation, unique in the account.
    pub thread: i64,
    /// What stands before the blob.
    pub prefix: &'r [u8],
    /// [`mime::Summary`] of prefix and blob, encoded: see [`mime::Summary::decode`].
    pub summary: &'r [u8],
}

/// Size and dates of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) size: u32,
    pub(crate) received_at: Timestamp,
}

impl Dates {
    pub(crate) const fn of(message: &Message<'_>) -> Self {
        Self {
            size: message.size,
            received_at: message.received_at,
        }
    }
}

impl Mail {
    /// Lends `each` the rows of `wanted`, in that order; messages that have been expunged are left
    /// out. For ENVELOPE, BODYSTRUCTURE, INTERNALDATE, RFC822.SIZE and whatever else the row says.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn fold_rows<T, F>(
        &self,
        account: AccountId,
        wanted: Vec<Entry>,
        start: T,
        mut each: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut T, &Message<'_>) + Send + 'static,
    {
        self.db()
            .read(move |rx| {
                let mut state = start;
                rows(rx, account, &wanted, &mut |message| {
                    each(&mut state, message)
                })?;
                Ok(state)
            })
            .await
    }

    /// Lends `each` the rows of a batch with the whole message, in its order, until its budget is
    /// spent; at least one. Messages that have been expunged are left out. Answers how many of the
    /// batch are done: those up to the last one lent.
    ///
    /// # Errors
    /// Those of the store; [`store::Error::Damaged`] for a message that cannot be read ends the
    /// whole call.
    pub async fn fold_messages<T, F>(
        &self,
        account: AccountId,
        batch: Batch,
        start: T,
        mut each: F,
    ) -> Result<(T, usize), Error>
    where
        T: Send + 'static,
        F: FnMut(&mut T, &Message<'_>, &[u8]) + Send + 'static,
    {
        let blobs = self.db().blobs().clone();
        self.db()
            .read(move |rx| {
                let mut state = start;
                let done = messages(rx, &blobs, account, &batch, &mut |message, bytes| {
                    each(&mut state, message, bytes);
                })?;
                Ok((state, done))
            })
            .await
    }

    /// The messages that came last, of all accounts, the latest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn latest(&self, limit: u32) -> Result<Vec<MessageId>, Error> {
        self.db()
            .read(move |rx| {
                Ok(rx.query_all(LATEST, &[limit.into()], |row| row.int(0).map(MessageId))?)
            })
            .await
    }

    /// A whole message: prefix and blob.
    ///
    /// # Errors
    /// [`Error::NoMessage`], and those of the store.
    pub async fn message_bytes(&self, message: MessageId) -> Result<Bytes, Error> {
        let blobs = self.db().blobs().clone();
        self.db()
            .read(move |rx| {
                let (blob, prefix) = body(rx, message)?;
                Ok(joined(prefix, blobs.load(rx, &blob)?).into())
            })
            .await
    }

    /// The octets of a message in `range`, as far as there are any; of a large blob only the
    /// frames that are needed are read.
    ///
    /// # Errors
    /// [`Error::NoMessage`], and those of the store.
    pub async fn message_range(
        &self,
        message: MessageId,
        range: Range<u64>,
    ) -> Result<Bytes, Error> {
        let blobs = self.db().blobs().clone();
        self.db()
            .read(move |rx| {
                let (blob, mut prefix) = body(rx, message)?;
                let length = u64::try_from(prefix.len()).unwrap_or(u64::MAX);
                let in_blob = range.start.saturating_sub(length)..range.end.saturating_sub(length);
                let start = usize::try_from(range.start.min(length)).unwrap_or(prefix.len());
                let end = usize::try_from(range.end.min(length)).unwrap_or(prefix.len());
                prefix.truncate(end);
                prefix.drain(..start.min(end));
                if in_blob.is_empty() {
                    return Ok(prefix.into());
                }
                Ok(joined(prefix, blobs.load_range(rx, &blob, in_blob)?).into())
            })
            .await
    }
}

/// What [`Mail::fold_messages`] is to read.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Messages of one mailbox.
    pub wanted: Vec<Entry>,
    /// Octets after which it stops.
    pub budget: usize,
}

fn body(rx: &mut dyn Reader, message: MessageId) -> Result<(BlobId, Vec<u8>), Error> {
    rx.query_one(BODY, &[message.0.into()], |row| {
        Ok((row.blob_id(0)?, row.bytes(1)?.to_vec()))
    })?
    .ok_or(Error::NoMessage)
}

fn joined(mut prefix: Vec<u8>, blob: Vec<u8>) -> Vec<u8> {
    if prefix.is_empty() {
        return blob;
    }
    prefix.extend_from_slice(&blob);
    prefix
}

/// Lends the rows of `wanted` in their order.
pub(crate) fn rows(
    rx: &mut dyn Reader,
    account: AccountId,
    wanted: &[Entry],
    each: &mut dyn FnMut(&Message<'_>),
) -> Result<(), Error> {
    scan(rx, ROWS, account, wanted, &mut |entry, row| {
        each(&Message {
            entry,
            blob: row.blob_id(1)?,
            size: row.u32(2)?,
            received_at: row.time(3)?,
            sent_at: row.opt_int(4)?.map(Timestamp),
            thread: row.int(5)?,
            prefix: row.bytes(6)?,
            summary: row.bytes(7)?,
        });
        Ok(())
    })
}

/// Lends size and dates of `wanted` in their order.
pub(crate) fn dates(
    rx: &mut dyn Reader,
    account: AccountId,
    wanted: &[Entry],
    each: &mut dyn FnMut(Entry, Dates),
) -> Result<(), Error> {
    scan(rx, DATES, account, wanted, &mut |entry, row| {
        each(
            entry,
            Dates {
                size: row.u32(1)?,
                received_at: row.time(2)?,
            },
        );
        Ok(())
    })
}

/// Runs `sql` over the keys of `wanted`, in their order, one scan for each dense run of keys.
fn scan(
    rx: &mut dyn Reader,
    sql: &'static str,
    account: AccountId,
    wanted: &[Entry],
    each: &mut dyn FnMut(Entry, &store::Row<'_>) -> Result<(), store::Error>,
) -> Result<(), Error> {
    let mut rest = wanted;
    while let Some((run, tail)) = rest.split_at_checked(dense_run(rest)) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            break;
        };
        let bounds = [first, last].map(|entry| MessageId::new(account, entry.message).0.into());
        let mut expected = run.iter().peekable();
        rx.query(sql, &bounds, &mut |row| {
            let number = MessageId(row.int(0)?).number();
            while expected.next_if(|entry| entry.message < number).is_some() {}
            match expected.next_if(|entry| entry.message == number) {
                Some(entry) => each(*entry, row),
                None => Ok(()),
            }
        })?;
        rest = tail;
    }
    Ok(())
}

/// How many entries from the first on have ascending numbers, at least every other one of which is
/// wanted.
fn dense_run(entries: &[Entry]) -> usize {
    let Some(first) = entries.first() else {
        return 0;
    };
    let mut previous = first.message;
    let mut length: u32 = 1;
    for entry in entries.iter().skip(1) {
        let span = entry.message.saturating_sub(first.message);
        if entry.message <= previous || span > length.saturating_mul(2) {
            break;
        }
        previous = entry.message;
        length = length.saturating_add(1);
    }
    usize::try_from(length).unwrap_or(entries.len())
}

/// What [`messages`] remembers of a row while its blob is read.
struct Kept {
    entry: Entry,
    blob: BlobId,
    size: u32,
    received_at: Timestamp,
    sent_at: Option<Timestamp>,
    thread: i64,
    prefix: Vec<u8>,
    summary: Vec<u8>,
}

/// Lends the messages of a batch with their octets; answers how many are done.
fn messages(
    rx: &mut dyn Reader,
    blobs: &Blobs,
    account: AccountId,
    batch: &Batch,
    each: &mut dyn FnMut(&Message<'_>, &[u8]),
) -> Result<usize, Error> {
    const ROWS_AT_ONCE: usize = 64;
    let mut left = batch.budget;
    let mut done = 0;
    for chunk in batch.wanted.chunks(ROWS_AT_ONCE) {
        let mut kept = Vec::with_capacity(chunk.len());
        rows(rx, account, chunk, &mut |message| {
            kept.push(Kept::of(message))
        })?;
        for row in kept {
            let bytes = joined(row.prefix.clone(), blobs.load(rx, &row.blob)?);
            each(&row.lend(), &bytes);
            left = left.saturating_sub(bytes.len());
            if left == 0 {
                let position = chunk.iter().position(|entry| entry.uid == row.entry.uid);
                return Ok(done + position.map_or(chunk.len(), |position| position + 1));
            }
        }
        done += chunk.len();
    }
    Ok(done)
}

impl Kept {
    fn of(message: &Message<'_>) -> Self {
        Self {
            entry: message.entry,
            blob: message.blob,
            size: message.size,
            received_at: message.received_at,
            sent_at: message.sent_at,
            thread: message.thread,
            prefix: message.prefix.to_vec(),
            summary: message.summary.to_vec(),
        }
    }

    fn lend(&self) -> Message<'_> {
        Message {
            entry: self.entry,
            blob: self.blob,
            size: self.size,
            received_at: self.received_at,
            sent_at: self.sent_at,
            thread: self.thread,
            prefix: &self.prefix,
            summary: &self.summary,
        }
    }
}
