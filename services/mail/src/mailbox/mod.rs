//! Mailboxes: the tree of names, roles, subscriptions and the counters STATUS shows.
//!
//! A row of `mailbox` is one level of a name; [`tree`] puts names together, [`edit`] creates,
//! renames and deletes. Every mailbox can hold messages, and every level of a name is a mailbox:
//! missing parents are created with their child. Names are compared octet by octet; they are not
//! normalised to NFC (RFC 9051 §5.1 leaves that to the server).

mod edit;
mod tree;

use imap::{MailboxName, UidValidity};
use store::{AccountId, Reader, Row};

use crate::change::Change;
use crate::{Error, Mail, MailboxId, Role};

pub use edit::provision;

/// Mailboxes of one account, and names one account may be subscribed to without a mailbox.
pub const MAX_MAILBOXES: usize = 100_000;

const BY_ROLE: &str = "SELECT id FROM mailbox WHERE account_id = ?1 AND role = ?2";
const CHILD: &str = "SELECT id FROM mailbox \
    WHERE account_id = ?1 AND COALESCE(parent_id, 0) = ?2 AND name = ?3";
const STATUS: &str = "SELECT uidvalidity, uidnext, modseq, total, unseen, deleted, size \
    FROM mailbox WHERE id = ?1 AND account_id = ?2";

#[cfg(test)]
const OWN_STATEMENTS: &[&str] = &[BY_ROLE, CHILD, STATUS];

#[cfg(test)]
pub(crate) const STATEMENTS: [&[&str]; 3] = [OWN_STATEMENTS, edit::STATEMENTS, tree::STATEMENTS];

/// What STATUS reports (RFC 9051 §6.3.11, RFC 7162 §3.1.7). No message is ever `\Recent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Octets of all messages.
    pub size: u64,
    /// The UID the next message will get, or a smaller one.
    pub uidnext: u32,
    /// UIDVALIDITY.
    pub uidvalidity: UidValidity,
    /// HIGHESTMODSEQ.
    pub highest_modseq: u64,
}

impl MailboxStatus {
    /// Reads the seven columns of [`STATUS`] that start at `first`.
    fn read(row: &Row<'_>, first: usize) -> Result<Self, store::Error> {
        let damaged = store::Error::Column {
            index: first,
            expected: "a UIDVALIDITY",
        };
        Ok(Self {
            uidvalidity: UidValidity::new(row.u32(first)?).ok_or(damaged)?,
            uidnext: row.u32(first + 1)?,
            highest_modseq: row.u64(first + 2)?,
            messages: row.u32(first + 3)?,
            unseen: row.u32(first + 4)?,
            deleted: row.u32(first + 5)?,
            size: row.u64(first + 6)?,
        })
    }
}

/// One mailbox in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Its identity, which a rename keeps.
    pub id: MailboxId,
    /// The full name.
    pub name: MailboxName,
    /// What it is for.
    pub role: Option<Role>,
    /// Whether the owner is subscribed to it.
    pub subscribed: bool,
    /// Whether mailboxes lie below it.
    pub has_children: bool,
    /// Its counters.
    pub status: MailboxStatus,
}

/// The account's mailbox with a role.
///
/// # Errors
/// Those of the store.
pub fn mailbox_by_role(
    rx: &mut dyn Reader,
    account: AccountId,
    role: Role,
) -> Result<Option<MailboxId>, Error> {
    let params = [account.into(), role.as_str().into()];
    Ok(rx.query_one(BY_ROLE, &params, |row| row.int(0).map(MailboxId))?)
}

/// The account's mailbox with a name.
///
/// # Errors
/// Those of the store.
pub fn mailbox_by_name(
    rx: &mut dyn Reader,
    account: AccountId,
    name: &MailboxName,
) -> Result<Option<MailboxId>, Error> {
    let mut found = None;
    for level in name.as_str().split(imap::DELIMITER) {
        found = child(rx, account, found, level)?;
        if found.is_none() {
            return Ok(None);
        }
    }
    Ok(found)
}

/// The account's mailbox with a name, created with its missing parents and subscribed if there is
/// none.
///
/// # Errors
/// [`Error::TooManyMailboxes`], and those of the store.
pub fn ensure_mailbox(
    tx: &mut dyn store::Tx,
    account: AccountId,
    name: &MailboxName,
) -> Result<MailboxId, Error> {
    if let Some(found) = mailbox_by_name(tx, account, name)? {
        return Ok(found);
    }
    let mut change = Change::begin(tx, account)?;
    let id = edit::create(&mut change, name, None)?;
    edit::set_subscribed(change.tx, id, 1)?;
    change.announce();
    Ok(id)
}

/// The mailbox called `level` directly below `parent`, or at the top.
fn child(
    rx: &mut dyn Reader,
    account: AccountId,
    parent: Option<MailboxId>,
    level: &str,
) -> Result<Option<MailboxId>, Error> {
    let params = [
        account.into(),
        parent.map_or(0, |id| id.0).into(),
        level.into(),
    ];
    Ok(rx.query_one(CHILD, &params, |row| row.int(0).map(MailboxId))?)
}

/// The counters of one mailbox of the account.
pub(crate) fn status(
    rx: &mut dyn Reader,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<MailboxStatus, Error> {
    rx.query_one(STATUS, &[mailbox.0.into(), account.into()], |row| {
        MailboxStatus::read(row, 0)
    })?
    .ok_or(Error::NoMailbox)
}

impl Mail {
    /// Every mailbox of the account: the INBOX first, then by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, account: AccountId) -> Result<Vec<MailboxInfo>, Error> {
        self.db().read(move |rx| tree::list(rx, account)).await
    }

    /// The names that the account is subscribed to and that are no mailboxes, sorted.
    ///
    /// RFC 9051 §6.3.9.4: LIST (SUBSCRIBED) shows them as `\NonExistent`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn absent_subscriptions(
        &self,
        account: AccountId,
    ) -> Result<Vec<MailboxName>, Error> {
        self.db()
            .read(move |rx| tree::absent_subscriptions(rx, account))
            .await
    }

    /// The id of the mailbox with a name.
    ///
    /// # Errors
    /// [`Error::NoMailbox`].
    pub async fn find(&self, account: AccountId, name: &MailboxName) -> Result<MailboxId, Error> {
        let name = name.clone();
        self.db()
            .read(move |rx| mailbox_by_name(rx, account, &name)?.ok_or(Error::NoMailbox))
            .await
    }

    /// The counters of a mailbox.
    ///
    /// # Errors
    /// [`Error::NoMailbox`].
    pub async fn status(
        &self,
        account: AccountId,
        name: &MailboxName,
    ) -> Result<MailboxStatus, Error> {
        let name = name.clone();
        self.db()
            .read(move |rx| {
                let mailbox = mailbox_by_name(rx, account, &name)?.ok_or(Error::NoMailbox)?;
                status(rx, account, mailbox)
            })
            .await
    }

    /// RFC 9051 §6.3.4: creates a mailbox, and its parents where they are missing.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::RoleTaken`], [`Error::TooManyMailboxes`].
    pub async fn create(
        &self,
        account: AccountId,
        name: &MailboxName,
        role: Option<Role>,
    ) -> Result<MailboxId, Error> {
        let name = name.clone();
        self.db()
            .write(move |tx| {
                let mut change = Change::begin(tx, account)?;
                let id = edit::create(&mut change, &name, role)?;
                change.announce();
                Ok(id)
            })
            .await
    }

    /// RFC 9051 §6.3.5: deletes a mailbox with its messages. A subscription to it stays.
    ///
    /// The messages go first, a few hundred in a transaction, so that mail can arrive meanwhile;
    /// then the mailbox itself, if nothing has come into it.
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::Inbox`], [`Error::HasChildren`].
    pub async fn delete(&self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        let looked_up = name.clone();
        let mailbox = self
            .db()
            .read(move |rx| edit::deletable(rx, account, &looked_up))
            .await?;
        loop {
            self.empty(account, mailbox).await?;
            let name = name.clone();
            let done = self
                .db()
                .write(move |tx| {
                    let mut change = Change::begin(tx, account)?;
                    edit::delete(&mut change, &name, mailbox)
                })
                .await?;
            if done == edit::Deleted::Yes {
                self.cache().forget(mailbox);
                return Ok(());
            }
        }
    }

    /// RFC 9051 §6.3.6: renames a mailbox and all below it; parents of the new name are created
    /// where they are missing. Renaming the INBOX moves its messages into a new mailbox and leaves
    /// it empty, its children where they are.
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::Exists`], [`Error::BelowItself`], [`Error::Name`] when a
    /// mailbox below would get too long a name.
    pub async fn rename(
        &self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Error> {
        if from.is_inbox() {
            let inbox = self.find(account, from).await?;
            let target = self.create(account, to, None).await?;
            self.move_all(account, inbox, target).await?;
            return Ok(());
        }
        let (from, to) = (from.clone(), to.clone());
        self.db()
            .write(move |tx| {
                let mut change = Change::begin(tx, account)?;
                edit::rename(&mut change, &from, &to)?;
                change.announce();
                Ok(())
            })
            .await
    }

    /// RFC 9051 §6.3.7: subscribes to a name, whether or not there is such a mailbox.
    ///
    /// # Errors
    /// [`Error::TooManyMailboxes`] when the account is subscribed to as many names without one.
    pub async fn subscribe(&self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        let name = name.clone();
        self.db()
            .write(move |tx| edit::subscribe(tx, account, &name))
            .await
    }

    /// RFC 9051 §6.3.8: ends a subscription. No error when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn unsubscribe(&self, account: AccountId, name: &MailboxName) -> Result<(), Error> {
        let name = name.clone();
        self.db()
            .write(move |tx| edit::unsubscribe(tx, account, &name))
            .await
    }
}
