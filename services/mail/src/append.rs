//! Putting new messages into mailboxes.
//!
//! [`append`] is the part that runs inside a caller's transaction, so that one transaction can hold
//! the blob, the entries of all local recipients and the queue's rows. [`Mail::append_message`] is
//! the whole for IMAP's APPEND.

use ambient::Timestamp;
use bytes::Bytes;
use mime::Summary;
use store::{AccountId, StagedBlob, Tx, blob};

use crate::change::{Change, Delta};
use crate::ids::signed;
use crate::keyword;
use crate::{Error, FlagSet, Flags, Mail, MailboxId, MessageId, Uid, UidValidity, thread};

const BEGIN: &str = "UPDATE account SET modseq = modseq + 1, next_id = next_id + 1, \
    used_bytes = used_bytes + ?2, used_count = used_count + 1 \
    WHERE id = ?1 AND next_id < 4294967295 \
    AND (quota_bytes = 0 OR ?3 = 0 OR used_bytes + ?2 <= quota_bytes) \
    RETURNING modseq, next_id - 1";
const NUMBERS_LEFT: &str =
    "SELECT CASE WHEN next_id < 4294967295 THEN 1 ELSE 0 END FROM account WHERE id = ?1";
const TAKE_UID: &str = "UPDATE mailbox SET uidnext = uidnext + 1, modseq = ?3, \
    total = total + 1, unseen = unseen + ?4, deleted = deleted + ?5, size = size + ?6 \
    WHERE id = ?1 AND account_id = ?2 AND uidnext < 4294967295 \
    RETURNING uidnext - 1, uidvalidity";
const INSERT_MESSAGE: &str = "INSERT INTO message (id, account_id, blob_id, size, received_at, \
    sent_at, thread_id, created, prefix, envelope) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const INSERT_ENTRY: &str = "INSERT INTO entry (mailbox_id, uid, message_id, modseq, flags) \
    VALUES (?1, ?2, ?3, ?4, ?5)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[BEGIN, NUMBERS_LEFT, TAKE_UID, INSERT_MESSAGE, INSERT_ENTRY];

/// Whether the account's quota holds for an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quota {
    /// An append that would exceed it fails with [`Error::OverQuota`].
    #[default]
    Enforce,
    /// The message is counted but never refused: reports to the owner, imports by an administrator.
    Ignore,
}

/// A message to put into a mailbox.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    /// Where to; must belong to the account.
    pub mailbox: MailboxId,
    /// The message as it came. Its row is the caller's business: [`blob::insert`] with one
    /// reference for each append.
    pub blob: &'a StagedBlob,
    /// Header fields that stand before the blob in this mailbox only, each ending in CRLF.
    pub prefix: &'a [u8],
    /// Of prefix and blob together.
    pub summary: &'a Summary,
    /// INTERNALDATE.
    pub received_at: Timestamp,
    /// Flags and keywords to start with.
    pub flags: &'a FlagSet,
    /// Whether the quota holds.
    pub quota: Quota,
}

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its UID in the mailbox.
    pub uid: Uid,
    /// The mailbox's UIDVALIDITY.
    pub uidvalidity: UidValidity,
    /// Its identity in the account.
    pub message: MessageId,
    /// The mod-sequence of the transaction.
    pub modseq: u64,
}

/// Appends a message inside the caller's transaction and announces it after the commit.
///
/// # Errors
/// [`Error::OverQuota`] leaves the transaction as it was, so that other recipients can still be
/// served. After any other error the caller must roll back.
pub fn append(
    tx: &mut dyn Tx,
    account: AccountId,
    new: &NewMessage<'_>,
) -> Result<Appended, Error> {
    new.flags.check()?;
    let prefix = u64::try_from(new.prefix.len()).unwrap_or(u64::MAX);
    let size = new.blob.size.saturating_add(prefix);
    let size = u32::try_from(size).map_err(|_| Error::TooLarge)?;
    let (mut change, number) = begin(tx, account, size, new.quota)?;
    let mut flags = new.flags.flags();
    if !new.flags.keywords().is_empty() {
        flags = flags.with(Flags::HAS_KEYWORDS);
    }
    let (uid, uidvalidity) = take_uid(&mut change, new.mailbox, Delta::of(flags, size.into()))?;
    let thread = thread::assign(&mut change, new.summary, number)?;
    let message = change.message(number);
    change.tx.exec(
        INSERT_MESSAGE,
        &[
            message.0.into(),
            account.into(),
            (&new.blob.id).into(),
            size.into(),
            new.received_at.into(),
            new.summary.sent_at.into(),
            thread.into(),
            signed(change.modseq).into(),
            new.prefix.into(),
            (&new.summary.encode()).into(),
        ],
    )?;
    insert_entry(&mut change, new.mailbox, uid, message, flags)?;
    keyword::add(change.tx, message, new.flags.keywords())?;
    change.announce();
    Ok(Appended {
        uid,
        uidvalidity,
        message,
        modseq: change.modseq,
    })
}

/// Puts a message into a mailbox under a UID taken before.
pub(crate) fn insert_entry(
    change: &mut Change<'_>,
    mailbox: MailboxId,
    uid: Uid,
    message: MessageId,
    flags: Flags,
) -> Result<(), Error> {
    change.tx.exec(
        INSERT_ENTRY,
        &[
            mailbox.0.into(),
            uid.get().into(),
            message.0.into(),
            signed(change.modseq).into(),
            flags.bits().into(),
        ],
    )?;
    Ok(())
}

/// [`Change::begin`] and [`Change::take_numbers`] for one message in one statement, which does
/// nothing when the quota would be exceeded.
fn begin<'t>(
    tx: &'t mut dyn Tx,
    account: AccountId,
    size: u32,
    quota: Quota,
) -> Result<(Change<'t>, u32), Error> {
    let params = [
        account.into(),
        size.into(),
        (quota == Quota::Enforce).into(),
    ];
    match tx.query_one(BEGIN, &params, |row| Ok((row.u64(0)?, row.u32(1)?)))? {
        Some((modseq, number)) => Ok((
            Change {
                tx,
                account,
                modseq,
            },
            number,
        )),
        None => Err(
            match tx.query_one(NUMBERS_LEFT, &[account.into()], |row| row.bool(0))? {
                None => Error::NoAccount,
                Some(false) => Error::Exhausted,
                Some(true) => Error::OverQuota,
            },
        ),
    }
}

/// The mailbox's next UID; the mailbox counts the message.
fn take_uid(
    change: &mut Change<'_>,
    mailbox: MailboxId,
    delta: Delta,
) -> Result<(Uid, UidValidity), Error> {
    let params = [
        mailbox.0.into(),
        change.account.into(),
        signed(change.modseq).into(),
        delta.unseen.into(),
        delta.deleted.into(),
        delta.size.into(),
    ];
    let taken = change
        .tx
        .query_one(TAKE_UID, &params, |row| Ok((row.u32(0)?, row.u32(1)?)))?;
    if let Some((uid, uidvalidity)) = taken {
        return Uid::new(uid)
            .zip(UidValidity::new(uidvalidity))
            .ok_or(Error::Damaged("uid or uidvalidity is zero"));
    }
    crate::mailbox::status(change.tx, change.account, mailbox)?;
    Err(Error::Exhausted)
}

/// A message that a client appends.
#[derive(Debug, Clone)]
pub struct ClientMessage {
    /// The whole message.
    pub bytes: Bytes,
    /// Flags and keywords to start with.
    pub flags: FlagSet,
    /// INTERNALDATE; the time of the transaction when the client gave none.
    pub received_at: Option<Timestamp>,
}

impl Mail {
    /// RFC 9051 §6.3.12: stores a message in a mailbox. On return it is on disk.
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::OverQuota`], and those of the store.
    pub async fn append_message(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        message: ClientMessage,
    ) -> Result<Appended, Error> {
        let ClientMessage {
            bytes,
            flags,
            received_at,
        } = message;
        flags.check()?;
        let summary = summarize(bytes.clone()).await?;
        let staged = self.db().blobs().stage(bytes).await?;
        self.db()
            .write(move |tx| {
                let received_at = received_at.unwrap_or_else(|| tx.now());
                blob::insert(tx, &staged, 1)?;
                let new = NewMessage {
                    mailbox,
                    blob: &staged,
                    prefix: &[],
                    summary: &summary,
                    received_at,
                    flags: &flags,
                    quota: Quota::Enforce,
                };
                append(tx, account, &new)
            })
            .await
    }
}

/// Parsing a message of this many octets takes longer than handing it to another thread.
const PARSE_ELSEWHERE: usize = 64 * 1024;

/// Parses a message, off the reactor when it is large.
async fn summarize(bytes: Bytes) -> Result<Summary, Error> {
    if bytes.len() < PARSE_ELSEWHERE {
        return Ok(Summary::parse(&bytes));
    }
    tokio::task::spawn_blocking(move || Summary::parse(&bytes))
        .await
        .map_err(|_| Error::Damaged("a message could not be parsed"))
}
