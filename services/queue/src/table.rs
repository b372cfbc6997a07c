//! The tables `queue` (one row per message) and `queue_rcpt` (one per recipient that has not been
//! reached), and what the statements on them mean.
//!
//! A recipient is due when `due_at` has come; that column is the whole schedule:
//!
//! | state | `due_at` | `lease_until`, `lease_node` |
//! |---|---|---|
//! | waits | when to try | 0 |
//! | being delivered | when the lease ends | the same time, the node |
//! | held | [`HELD`] | 0 |
//!
//! So a crashed delivery becomes due by itself, and neither leased nor held recipients are in the
//! way of the scan along the index `queue_due`. A message without recipients is gone: its row and
//! its reference to the blob are removed in the transaction that removes the last one.
//!
//! Start at [`insert`], [`scan`] and [`claim`].

use ambient::Timestamp;
use smtp::{Address, ReversePath};
use store::blob::{self, StagedBlob};
use store::{AccountId, BlobId, Event, Reader, Tx};

use crate::Error;
use crate::schedule::HELD;

/// A message in the queue: the key of the `queue` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub i64);

impl std::fmt::Display for QueueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A message to be queued. Its blob's row and the reference to it are the caller's.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    pub(crate) prefix: Vec<u8>,
    pub(crate) sender: ReversePath,
    pub(crate) account: Option<AccountId>,
    pub(crate) utf8: bool,
    pub(crate) eightbit: bool,
    pub(crate) report: bool,
    pub(crate) delay_notice_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Address, address before aliases, domain.
    pub(crate) recipients: Vec<(String, String, String)>,
}

const INSERT: &str = "INSERT INTO queue (blob_id, prefix, sender, account_id, smtputf8, eightbit, \
     size, held, report, created_at, delay_notice_at, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11) RETURNING id";

const INSERT_RECIPIENT: &str = "INSERT INTO queue_rcpt (queue_id, rcpt, original, next_hop, due_at) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";

/// Queues a message for all its recipients, due at once.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    staged: &StagedBlob,
    entry: &NewEntry,
) -> Result<QueueId, Error> {
    let prefix = u64::try_from(entry.prefix.len()).unwrap_or(u64::MAX);
    let size = i64::try_from(staged.size.saturating_add(prefix)).unwrap_or(i64::MAX);
    let sender = entry
        .sender
        .as_address()
        .map(ToString::to_string)
        .unwrap_or_default();
    let id = tx
        .query_one(
            INSERT,
            &[
                (&staged.id).into(),
                (&entry.prefix).into(),
                (&sender).into(),
                entry.account.into(),
                entry.utf8.into(),
                entry.eightbit.into(),
                size.into(),
                entry.report.into(),
                entry.created_at.into(),
                entry.delay_notice_at.into(),
                entry.expires_at.into(),
            ],
            |row| row.int(0),
        )?
        .ok_or(Error::Corrupt("id"))?;
    for (recipient, original, hop) in &entry.recipients {
        tx.exec(
            INSERT_RECIPIENT,
            &[
                id.into(),
                recipient.into(),
                original.into(),
                hop.into(),
                entry.created_at.into(),
            ],
        )?;
    }
    tx.after_commit(Event::Queue);
    Ok(QueueId(id))
}

/// Which end of the due recipients to look at first.
///
/// Half of what is free goes to each: the newest end is mail that has just come in, which must not
/// wait behind a backlog; the oldest end makes sure that the backlog moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Oldest,
    Newest,
}

/// A due recipient, as the scan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: QueueId,
    pub(crate) hop: String,
}

// Both along queue_due.
const SCAN_OLDEST: &str =
    "SELECT queue_id, next_hop FROM queue_rcpt WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
const SCAN_NEWEST: &str =
    "SELECT queue_id, next_hop FROM queue_rcpt WHERE due_at <= ?1 ORDER BY due_at DESC LIMIT ?2";

/// Up to `limit` due recipients.
pub(crate) fn scan(
    reader: &mut dyn Reader,
    end: End,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    let sql = match end {
        End::Oldest => SCAN_OLDEST,
        End::Newest => SCAN_NEWEST,
    };
    Ok(reader.query_all(sql, &[now.into(), limit.into()], |row| {
        Ok(Due {
            id: QueueId(row.int(0)?),
            hop: row.text(1)?.to_owned(),
        })
    })?)
}

const NEXT_DUE: &str = "SELECT MIN(due_at) FROM queue_rcpt WHERE due_at > ?1 AND due_at < ?2";

/// When the next recipient becomes due after `now`.
pub(crate) fn next_due(
    reader: &mut dyn Reader,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let due = reader.query_one(NEXT_DUE, &[now.into(), HELD.into()], |row| row.opt_int(0))?;
    Ok(due.flatten().map(Timestamp))
}

/// A message whose due recipients this node delivers now.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) id: QueueId,
    pub(crate) blob: BlobId,
    pub(crate) prefix: Vec<u8>,
    pub(crate) sender: ReversePath,
    pub(crate) utf8: bool,
    pub(crate) eightbit: bool,
    pub(crate) report: bool,
    pub(crate) size: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) delay_notice_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) recipients: Vec<ClaimedRecipient>,
}

/// What a delivery knows its message by.
///
/// The store may give the key of a message that is gone to the next one, while a delivery of the
/// former still runs; the id of a blob never comes again. What a delivery writes, it writes to its
/// own message or not at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    id: QueueId,
    blob: BlobId,
}

impl Claimed {
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            id: self.id,
            blob: self.blob,
        }
    }
}

const IS_QUEUED: &str = "SELECT 1 FROM queue WHERE id = ?1 AND blob_id = ?2";

impl Identity {
    /// Whether the message is still there.
    fn is_queued(self, tx: &mut dyn Tx) -> Result<bool, Error> {
        let params = [self.id.0.into(), (&self.blob).into()];
        Ok(tx
            .query_one(IS_QUEUED, &params, |row| row.int(0))?
            .is_some())
    }
}

/// One recipient of a claimed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimedRecipient {
    pub(crate) address: String,
    pub(crate) original: String,
    pub(crate) hop: String,
    /// This attempt's number, from 1.
    pub(crate) attempts: u32,
}

const MESSAGE: &str = "SELECT blob_id, prefix, sender, smtputf8, eightbit, report, size, \
     created_at, delay_notice_at, expires_at FROM queue WHERE id = ?1";

// Along the primary key. Asking for due_at again makes the claim safe against another node's.
const CLAIM: &str = "UPDATE queue_rcpt SET due_at = ?4, lease_until = ?4, lease_node = ?5, \
     attempts = attempts + 1 WHERE queue_id = ?1 AND next_hop = ?2 AND due_at <= ?3 \
     RETURNING rcpt, original, attempts";

/// Whose lease, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) node: i64,
    pub(crate) until: Timestamp,
}

// Whoever held the lease is gone.
const HOLD_DUE: &str = "UPDATE queue_rcpt SET due_at = ?3, lease_until = 0, lease_node = 0 \
     WHERE queue_id = ?1 AND next_hop = ?4 AND due_at <= ?2";

/// Takes the due recipients of a message with one of `hops`. `None` when somebody else was faster,
/// or when the message was held while a node had the recipients that never came back.
pub(crate) fn claim(
    tx: &mut dyn Tx,
    id: QueueId,
    hops: &[String],
    now: Timestamp,
    lease: Lease,
) -> Result<Option<Claimed>, Error> {
    if held(tx, id)? == Some(true) {
        for hop in hops {
            tx.exec(
                HOLD_DUE,
                &[id.0.into(), now.into(), HELD.into(), hop.into()],
            )?;
        }
        return Ok(None);
    }
    let mut recipients = Vec::new();
    for hop in hops {
        let params = [
            id.0.into(),
            hop.into(),
            now.into(),
            lease.until.into(),
            lease.node.into(),
        ];
        recipients.extend(tx.query_all(CLAIM, &params, |row| {
            Ok(ClaimedRecipient {
                address: row.text(0)?.to_owned(),
                original: row.text(1)?.to_owned(),
                hop: hop.clone(),
                attempts: row.u32(2)?,
            })
        })?);
    }
    if recipients.is_empty() {
        return Ok(None);
    }
    // RETURNING promises no order.
    recipients.sort_by(|one, other| one.address.cmp(&other.address));
    let (claimed, sender) = tx
        .query_one(MESSAGE, &[id.0.into()], |row| {
            let claimed = Claimed {
                id,
                blob: row.blob_id(0)?,
                prefix: row.bytes(1)?.to_vec(),
                sender: ReversePath::Null,
                utf8: row.bool(3)?,
                eightbit: row.bool(4)?,
                report: row.bool(5)?,
                size: row.u64(6)?,
                created_at: row.time(7)?,
                delay_notice_at: row.opt_int(8)?.map(Timestamp),
                expires_at: row.time(9)?,
                recipients: Vec::new(),
            };
            Ok((claimed, row.text(2)?.to_owned()))
        })?
        .ok_or(Error::Corrupt("recipient"))?;
    let sender = match sender.as_str() {
        "" => ReversePath::Null,
        text => ReversePath::Address(Address::parse(text).map_err(|_| Error::Corrupt("sender"))?),
    };
    Ok(Some(Claimed {
        sender,
        recipients,
        ..claimed
    }))
}

const RENEW: &str = "UPDATE queue_rcpt SET due_at = ?2, lease_until = ?2 \
     WHERE queue_id = ?1 AND lease_node = ?3 AND lease_until > 0";

/// Puts off the end of this node's leases on a message.
pub(crate) fn renew(tx: &mut dyn Tx, message: Identity, lease: Lease) -> Result<(), Error> {
    if message.is_queued(tx)? {
        let params = [message.id.0.into(), lease.until.into(), lease.node.into()];
        tx.exec(RENEW, &params)?;
    }
    Ok(())
}

const RELEASE: &str = "UPDATE queue_rcpt SET lease_until = 0, lease_node = 0 \
     WHERE queue_id = ?1 AND next_hop = ?2";

/// Gives a claim back without an attempt.
pub(crate) fn release(tx: &mut dyn Tx, id: QueueId, hops: &[String]) -> Result<(), Error> {
    for hop in hops {
        tx.exec(RELEASE, &[id.0.into(), hop.into()])?;
    }
    Ok(())
}

const REMOVE_RECIPIENT: &str = "DELETE FROM queue_rcpt WHERE queue_id = ?1 AND rcpt = ?2";
const REMOVE_FINISHED: &str = "DELETE FROM queue WHERE id = ?1 \
     AND NOT EXISTS (SELECT 1 FROM queue_rcpt WHERE queue_id = ?1) RETURNING blob_id";

/// Takes recipients off a message, whoever holds the lease: what is done is done. The message goes
/// with its last one. Returns how many of them were still there.
pub(crate) fn remove(
    tx: &mut dyn Tx,
    message: Identity,
    recipients: &[String],
) -> Result<usize, Error> {
    if !message.is_queued(tx)? {
        return Ok(0);
    }
    let mut removed = 0;
    for recipient in recipients {
        removed += tx.exec(REMOVE_RECIPIENT, &[message.id.0.into(), recipient.into()])?;
    }
    release_blob(tx, REMOVE_FINISHED, message.id)?;
    Ok(removed)
}

/// Runs a statement that deletes the row of `id` and returns its blob; false when there was none.
fn release_blob(tx: &mut dyn Tx, sql: &'static str, id: QueueId) -> Result<bool, Error> {
    match tx.query_one(sql, &[id.0.into()], |row| row.blob_id(0))? {
        Some(blob) => {
            blob::release(tx, &blob)?;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// A recipient that is to be tried again.
#[derive(Debug, Clone)]
pub(crate) struct Deferred {
    pub(crate) address: String,
    pub(crate) due_at: Timestamp,
    /// Why, for people.
    pub(crate) status: String,
}

// An administrator may have held the message meanwhile; another node may have taken the lease.
const DEFER: &str = "UPDATE queue_rcpt SET lease_until = 0, lease_node = 0, status = ?4, due_at = \
     CASE WHEN (SELECT held FROM queue WHERE id = ?1) = 1 THEN ?5 ELSE ?3 END \
     WHERE queue_id = ?1 AND rcpt = ?2 AND lease_node = ?6 AND lease_until > 0";

/// Gives recipients back to the schedule.
pub(crate) fn defer(
    tx: &mut dyn Tx,
    message: Identity,
    node: i64,
    deferred: &[Deferred],
) -> Result<(), Error> {
    if !message.is_queued(tx)? {
        return Ok(());
    }
    for recipient in deferred {
        let params = [
            message.id.0.into(),
            (&recipient.address).into(),
            recipient.due_at.into(),
            (&recipient.status).into(),
            HELD.into(),
            node.into(),
        ];
        tx.exec(DEFER, &params)?;
    }
    Ok(())
}

const NOTICE_SENT: &str = "UPDATE queue SET delay_notice_at = NULL \
     WHERE id = ?1 AND blob_id = ?2 AND delay_notice_at IS NOT NULL";

/// Notes that the sender hears of the delay in this transaction; false if that was done before.
pub(crate) fn notice_sent(tx: &mut dyn Tx, message: Identity) -> Result<bool, Error> {
    let params = [message.id.0.into(), (&message.blob).into()];
    Ok(tx.exec(NOTICE_SENT, &params)? > 0)
}

// A scan of the table, once at start.
const RECOVER: &str = "UPDATE queue_rcpt SET due_at = ?2, lease_until = 0, lease_node = 0 \
     WHERE lease_node = ?1 AND lease_until > 0";

// A held message whose recipient was in delivery when the node went down stays held.
const RECOVER_HELD: &str = "UPDATE queue_rcpt SET due_at = ?1 WHERE due_at < ?1 AND lease_until = 0 \
     AND queue_id IN (SELECT id FROM queue WHERE held = 1)";

// Due times beyond every possible wait: the clock was wrong when they were set.
const RECOVER_CLOCK: &str = "UPDATE queue_rcpt SET due_at = ?1 WHERE due_at > ?2 AND due_at < ?3";

/// Makes due what this node left in delivery when it went down, and what a wrong clock put out of
/// reach: nothing waits longer than `longest_wait` seconds.
pub(crate) fn recover(
    tx: &mut dyn Tx,
    node: i64,
    now: Timestamp,
    longest_wait: i64,
) -> Result<usize, Error> {
    let leases = tx.exec(RECOVER, &[node.into(), now.into()])?;
    tx.exec(RECOVER_HELD, &[HELD.into()])?;
    let horizon = now.plus(longest_wait);
    let clock = tx.exec(RECOVER_CLOCK, &[now.into(), horizon.into(), HELD.into()])?;
    Ok(leases.saturating_add(clock))
}

const HOLD: &str = "UPDATE queue SET held = ?2 WHERE id = ?1";
const SET_DUE: &str = "UPDATE queue_rcpt SET due_at = ?2 WHERE queue_id = ?1 AND lease_until = 0";
const HELD_STATE: &str = "SELECT held FROM queue WHERE id = ?1";
const DELETE: &str = "DELETE FROM queue WHERE id = ?1 RETURNING blob_id";

/// Whether a message is held, `None` if there is no such message.
pub(crate) fn held(reader: &mut dyn Reader, id: QueueId) -> Result<Option<bool>, Error> {
    Ok(reader.query_one(HELD_STATE, &[id.0.into()], |row| row.bool(0))?)
}

/// Holds a message, or lets it go and makes it due at `now`. Recipients in delivery follow when
/// their attempt is over. False if there is no such message.
pub(crate) fn set_held(
    tx: &mut dyn Tx,
    id: QueueId,
    held: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    if tx.exec(HOLD, &[id.0.into(), held.into()])? == 0 {
        return Ok(false);
    }
    set_due(tx, id, if held { HELD } else { now })?;
    Ok(true)
}

/// Makes every recipient of a message that is not in delivery due at `at`.
pub(crate) fn set_due(tx: &mut dyn Tx, id: QueueId, at: Timestamp) -> Result<(), Error> {
    tx.exec(SET_DUE, &[id.0.into(), at.into()])?;
    tx.after_commit(Event::Queue);
    Ok(())
}

/// Deletes a message with its recipients. False if there is no such message.
pub(crate) fn delete(tx: &mut dyn Tx, id: QueueId) -> Result<bool, Error> {
    release_blob(tx, DELETE, id)
}
