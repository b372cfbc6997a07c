//! One transaction's change to one account: its mod-sequence, the counters, the notification.
//!
//! RFC 7162 §3.1.1: every change gets a greater mod-sequence. A transaction takes one per account,
//! before it reads anything: the statement locks the account's row, so the order of mod-sequences
//! is the order of commits, and nobody can see N+1 and later meet N.

use store::{AccountId, Event, Tx};

use crate::ids::{MailboxId, MessageId, count, signed};
use crate::{Error, UidValidity};

const BEGIN: &str = "UPDATE account SET modseq = modseq + 1 WHERE id = ?1 RETURNING modseq";
const TAKE_IDENTITY: &str = "UPDATE account SET next_id = next_id + 1, next_uidvalidity = \
    (CASE WHEN next_uidvalidity < ?2 THEN ?2 ELSE next_uidvalidity END) + 1 \
    WHERE id = ?1 AND next_id < 4294967295 RETURNING next_id - 1, next_uidvalidity - 1";
// Adds the size of `?3` messages, unless that exceeds the quota.
const ADD_USAGE: &str = "UPDATE account SET used_bytes = used_bytes + ?2, \
    used_count = used_count + ?3, next_id = next_id + ?3 \
    WHERE id = ?1 AND (quota_bytes = 0 OR used_bytes + ?2 <= quota_bytes) \
    RETURNING next_id - ?3";
const SUBTRACT_USAGE: &str = "UPDATE account SET used_bytes = used_bytes - ?2, \
    used_count = used_count - ?3 WHERE id = ?1";
const COUNT: &str = "UPDATE mailbox SET modseq = ?2, total = total + ?3, unseen = unseen + ?4, \
    deleted = deleted + ?5, size = size + ?6 WHERE id = ?1";
const TAKE_UIDS: &str = "UPDATE mailbox SET uidnext = uidnext + ?3 \
    WHERE id = ?1 AND account_id = ?2 AND uidnext + ?3 <= 4294967295 \
    RETURNING uidnext - ?3, uidvalidity";
const BURY: &str = "INSERT INTO tombstone (account_id, kind, object_id, created, modseq) \
    VALUES (?1, ?2, ?3, ?4, ?5)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    BEGIN,
    TAKE_IDENTITY,
    ADD_USAGE,
    SUBTRACT_USAGE,
    COUNT,
    TAKE_UIDS,
    BURY,
];

/// The largest number of a message in its account.
const MAX_NUMBER: i64 = u32::MAX as i64;

/// What a tombstone stands for; the numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message = 1,
    Mailbox = 2,
}

/// How a mailbox's counters move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delta {
    pub(crate) total: i64,
    pub(crate) unseen: i64,
    pub(crate) deleted: i64,
    pub(crate) size: i64,
}

/// One transaction's change to one account.
pub(crate) struct Change<'t> {
    pub(crate) tx: &'t mut dyn Tx,
    pub(crate) account: AccountId,
    pub(crate) modseq: u64,
}

impl<'t> Change<'t> {
    /// Takes the transaction's mod-sequence of the account.
    pub(crate) fn begin(tx: &'t mut dyn Tx, account: AccountId) -> Result<Self, Error> {
        let modseq = tx
            .query_one(BEGIN, &[account.into()], |row| row.u64(0))?
            .ok_or(Error::NoAccount)?;
        Ok(Self {
            tx,
            account,
            modseq,
        })
    }

    /// Tells the account's watchers after the commit. To be called when something has changed.
    pub(crate) fn announce(&mut self) {
        self.tx.after_commit(Event::Mail {
            account: self.account,
            modseq: self.modseq,
        });
    }

    /// The identity of a new mailbox: an id and a UIDVALIDITY that no mailbox of the account ever
    /// had. The latter starts at the present time, so that it also grows when an account is removed
    /// and made again.
    ///
    /// RFC 9051 §2.3.1.1: name, UIDVALIDITY and UID together must mean one message for ever.
    pub(crate) fn take_identity(&mut self) -> Result<(MailboxId, UidValidity), Error> {
        let now = self.tx.now().0.clamp(1, MAX_NUMBER / 2);
        let params = [self.account.into(), now.into()];
        let taken = self.tx.query_one(TAKE_IDENTITY, &params, |row| {
            let id = MailboxId::new(self.account, row.u32(0)?);
            Ok(UidValidity::new(row.u32(1)?).map(|uidvalidity| (id, uidvalidity)))
        })?;
        taken.flatten().ok_or(Error::Exhausted)
    }

    /// Counts `messages` new messages of `size` octets in all against the quota and gives them
    /// numbers: the first is returned, the others follow. After [`Error::OverQuota`] nothing has
    /// changed but the mod-sequence.
    pub(crate) fn take_numbers(&mut self, messages: usize, size: u64) -> Result<u32, Error> {
        let params = [
            self.account.into(),
            signed(size).into(),
            count(messages).into(),
        ];
        let first = self
            .tx
            .query_one(ADD_USAGE, &params, |row| row.int(0))?
            .ok_or(Error::OverQuota)?;
        if first.saturating_add(count(messages)) > MAX_NUMBER {
            return Err(Error::Exhausted);
        }
        u32::try_from(first).map_err(|_| Error::Exhausted)
    }

    /// Gives back the space of removed messages.
    pub(crate) fn free(&mut self, messages: usize, size: u64) -> Result<(), Error> {
        let params = [
            self.account.into(),
            signed(size).into(),
            count(messages).into(),
        ];
        self.tx.exec(SUBTRACT_USAGE, &params)?;
        Ok(())
    }

    /// Takes `wanted` UIDs of a mailbox in ascending order: the first and the mailbox's UIDVALIDITY.
    pub(crate) fn take_uids(
        &mut self,
        mailbox: MailboxId,
        wanted: usize,
    ) -> Result<(u32, UidValidity), Error> {
        let params = [mailbox.0.into(), self.account.into(), count(wanted).into()];
        let taken = self
            .tx
            .query_one(TAKE_UIDS, &params, |row| Ok((row.u32(0)?, row.u32(1)?)))?;
        if let Some((first, uidvalidity)) = taken {
            let uidvalidity = UidValidity::new(uidvalidity).ok_or(Error::Damaged("uidvalidity"))?;
            return Ok((first, uidvalidity));
        }
        crate::mailbox::status(self.tx, self.account, mailbox)?;
        Err(Error::Exhausted)
    }

    /// Moves a mailbox's counters and marks it as changed.
    pub(crate) fn count(&mut self, mailbox: MailboxId, delta: Delta) -> Result<(), Error> {
        self.tx.exec(
            COUNT,
            &[
                mailbox.0.into(),
                signed(self.modseq).into(),
                delta.total.into(),
                delta.unseen.into(),
                delta.deleted.into(),
                delta.size.into(),
            ],
        )?;
        Ok(())
    }

    /// Remembers that an object made at `created` is gone.
    pub(crate) fn bury(&mut self, kind: Kind, object: i64, created: i64) -> Result<(), Error> {
        self.tx.exec(
            BURY,
            &[
                self.account.into(),
                (kind as i32).into(),
                object.into(),
                created.into(),
                signed(self.modseq).into(),
            ],
        )?;
        Ok(())
    }

    /// The id of the account's message `number`.
    pub(crate) const fn message(&self, number: u32) -> MessageId {
        MessageId::new(self.account, number)
    }
}

impl Delta {
    /// The counters of one message with these flags.
    pub(crate) fn of(flags: crate::Flags, size: u64) -> Self {
        Self {
            total: 1,
            unseen: i64::from(!flags.contains(crate::Flags::SEEN)),
            deleted: i64::from(flags.contains(crate::Flags::DELETED)),
            size: signed(size),
        }
    }

    /// What one message changes when its flags do.
    pub(crate) fn between(before: crate::Flags, after: crate::Flags) -> Self {
        let (before, after) = (Self::of(before, 0), Self::of(after, 0));
        Self {
            total: 0,
            unseen: after.unseen - before.unseen,
            deleted: after.deleted - before.deleted,
            size: 0,
        }
    }

    pub(crate) fn negated(self) -> Self {
        Self {
            total: -self.total,
            unseen: -self.unseen,
            deleted: -self.deleted,
            size: -self.size,
        }
    }
}

impl std::ops::AddAssign for Delta {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.unseen += other.unseen;
        self.deleted += other.deleted;
        self.size += other.size;
    }
}
