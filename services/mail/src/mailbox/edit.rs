//! Creating, renaming, deleting and subscribing, each inside one transaction.

use imap::{DELIMITER, MailboxName};
use store::{AccountId, Reader, Tx};

use super::{MAX_MAILBOXES, child, mailbox_by_name, mailbox_by_role, tree};
use crate::change::{Change, Kind};
use crate::ids::{count, signed};
use crate::{Error, MailboxId, Role};

const COUNT: &str = "SELECT COUNT(*) FROM mailbox WHERE account_id = ?1";
const INSERT: &str = "INSERT INTO mailbox (id, account_id, parent_id, name, role, uidvalidity, \
    created, modseq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
const HAS_CHILDREN: &str = "SELECT 1 FROM mailbox \
    WHERE account_id = ?1 AND COALESCE(parent_id, 0) = ?2 LIMIT 1";
const REMOVE_EMPTY: &str = "DELETE FROM mailbox WHERE id = ?1 AND account_id = ?2 AND total = 0 \
    RETURNING created, subscribed";
const RENAME: &str = "UPDATE mailbox SET parent_id = ?2, name = ?3, modseq = ?4 WHERE id = ?1";
const SET_SUBSCRIBED: &str = "UPDATE mailbox SET subscribed = ?2 WHERE id = ?1";
const COUNT_ABSENT: &str = "SELECT COUNT(*) FROM subscription WHERE account_id = ?1";
const SUBSCRIBE_ABSENT: &str = "INSERT INTO subscription (account_id, name) VALUES (?1, ?2) \
    ON CONFLICT DO NOTHING";
const UNSUBSCRIBE_ABSENT: &str = "DELETE FROM subscription WHERE account_id = ?1 AND name = ?2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    COUNT,
    INSERT,
    HAS_CHILDREN,
    REMOVE_EMPTY,
    RENAME,
    SET_SUBSCRIBED,
    COUNT_ABSENT,
    SUBSCRIBE_ABSENT,
    UNSUBSCRIBE_ABSENT,
];

/// What every account starts with.
const DEFAULTS: [(&str, Role); 6] = [
    ("INBOX", Role::Inbox),
    ("Drafts", Role::Drafts),
    ("Sent", Role::Sent),
    ("Junk", Role::Junk),
    ("Trash", Role::Trash),
    ("Archive", Role::Archive),
];

/// Gives an account the mailboxes it starts with, subscribed: the INBOX, Drafts, Sent, Junk, Trash
/// and Archive. Those whose role or name exists already are left alone, so it may run again.
///
/// # Errors
/// [`Error::NoAccount`], and those of the store.
pub fn provision(tx: &mut dyn Tx, account: AccountId) -> Result<(), Error> {
    let mut change = Change::begin(tx, account)?;
    for (name, role) in DEFAULTS {
        let role_taken = mailbox_by_role(change.tx, account, role)?.is_some();
        if role_taken || child(change.tx, account, None, name)?.is_some() {
            continue;
        }
        let id = insert(&mut change, None, name, Some(role))?;
        set_subscribed(change.tx, id, 1)?;
    }
    change.announce();
    Ok(())
}

/// Creates a mailbox and its missing parents.
pub(super) fn create(
    change: &mut Change<'_>,
    name: &MailboxName,
    role: Option<Role>,
) -> Result<MailboxId, Error> {
    if let Some(role) = role
        && let Some(holder) = mailbox_by_role(change.tx, change.account, role)?
    {
        return Err(Error::RoleTaken(name_of(
            change.tx,
            change.account,
            holder,
        )?));
    }
    let (id, created) = create_missing(change, name, role)?;
    if created { Ok(id) } else { Err(Error::Exists) }
}

/// The mailbox with a name, created with its missing parents if need be; says whether it was.
/// A role is given to a new mailbox only.
fn create_missing(
    change: &mut Change<'_>,
    name: &MailboxName,
    role: Option<Role>,
) -> Result<(MailboxId, bool), Error> {
    let mut parent = None;
    let mut created = false;
    let mut path = String::with_capacity(name.as_str().len());
    let mut levels = name.as_str().split(DELIMITER).peekable();
    while let Some(level) = levels.next() {
        if !path.is_empty() {
            path.push(DELIMITER);
        }
        path.push_str(level);
        parent = match child(change.tx, change.account, parent, level)? {
            Some(found) => Some(found),
            None => {
                created = true;
                let role = if levels.peek().is_none() { role } else { None };
                let id = insert(change, parent, level, role)?;
                // A subscription made before the mailbox becomes the mailbox's own.
                let params = [change.account.into(), (&path).into()];
                if change.tx.exec(UNSUBSCRIBE_ABSENT, &params)? > 0 {
                    set_subscribed(change.tx, id, 1)?;
                }
                Some(id)
            }
        };
    }
    parent
        .map(|id| (id, created))
        .ok_or(Error::Damaged("an empty mailbox name"))
}

fn insert(
    change: &mut Change<'_>,
    parent: Option<MailboxId>,
    level: &str,
    role: Option<Role>,
) -> Result<MailboxId, Error> {
    let existing = change
        .tx
        .query_one(COUNT, &[change.account.into()], |row| row.int(0))?;
    if existing.unwrap_or(0) >= count(MAX_MAILBOXES) {
        return Err(Error::TooManyMailboxes);
    }
    // RFC 9051 §6.3.4: a name used again gets a UIDVALIDITY it did not have before.
    let (id, uidvalidity) = change.take_identity()?;
    change.tx.exec(
        INSERT,
        &[
            id.0.into(),
            change.account.into(),
            parent.map(|id| id.0).into(),
            level.into(),
            role.map(Role::as_str).into(),
            uidvalidity.get().into(),
            signed(change.modseq).into(),
        ],
    )?;
    Ok(id)
}

fn name_of(
    rx: &mut dyn Reader,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<MailboxName, Error> {
    tree::list(rx, account)?
        .into_iter()
        .find(|info| info.id == mailbox)
        .map(|info| info.name)
        .ok_or(Error::NoMailbox)
}

/// The mailbox with a name, if DELETE may remove it.
pub(super) fn deletable(
    rx: &mut dyn Reader,
    account: AccountId,
    name: &MailboxName,
) -> Result<MailboxId, Error> {
    let mailbox = mailbox_by_name(rx, account, name)?.ok_or(Error::NoMailbox)?;
    // RFC 9051 §6.3.5: the INBOX cannot be deleted.
    if name.is_inbox() {
        return Err(Error::Inbox);
    }
    // RFC 9051 §6.3.5: a mailbox with children is refused rather than left as \NoSelect.
    let params = [account.into(), mailbox.0.into()];
    match rx.query_one(HAS_CHILDREN, &params, |_| Ok(()))? {
        Some(()) => Err(Error::HasChildren),
        None => Ok(mailbox),
    }
}

/// Whether [`delete`] has done it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    Yes,
    /// A message has come into the mailbox since it was emptied.
    NotEmpty,
}

/// Removes an emptied mailbox.
pub(super) fn delete(
    change: &mut Change<'_>,
    name: &MailboxName,
    mailbox: MailboxId,
) -> Result<Deleted, Error> {
    if deletable(change.tx, change.account, name)? != mailbox {
        return Err(Error::NoMailbox);
    }
    let Some(subscribed) = remove_empty(change, mailbox)? else {
        return Ok(Deleted::NotEmpty);
    };
    // RFC 9051 §6.3.7: the server must not end a subscription because the mailbox is deleted.
    if subscribed {
        let params = [change.account.into(), name.as_str().into()];
        change.tx.exec(SUBSCRIBE_ABSENT, &params)?;
    }
    change.announce();
    Ok(Deleted::Yes)
}

/// Removes a mailbox that holds nothing; says whether it was subscribed to. `None`: it holds
/// messages.
fn remove_empty(change: &mut Change<'_>, mailbox: MailboxId) -> Result<Option<bool>, Error> {
    let params = [mailbox.0.into(), change.account.into()];
    let removed = change
        .tx
        .query_one(REMOVE_EMPTY, &params, |row| Ok((row.int(0)?, row.bool(1)?)))?;
    let Some((created, subscribed)) = removed else {
        return Ok(None);
    };
    change.bury(Kind::Mailbox, mailbox.0, created)?;
    Ok(Some(subscribed))
}

/// Gives a mailbox, and with it all below it, another name.
pub(super) fn rename(
    change: &mut Change<'_>,
    from: &MailboxName,
    to: &MailboxName,
) -> Result<(), Error> {
    let account = change.account;
    let mailbox = mailbox_by_name(change.tx, account, from)?.ok_or(Error::NoMailbox)?;
    if mailbox_by_name(change.tx, account, to)?.is_some() {
        return Err(Error::Exists);
    }
    if to.is_below(from) {
        return Err(Error::BelowItself);
    }
    for info in tree::list(change.tx, account)? {
        if let Some(rest) = info.name.as_str().strip_prefix(from.as_str())
            && info.name.is_below(from)
        {
            MailboxName::new(&format!("{to}{rest}"))?;
        }
    }
    let parent = match to.parent() {
        Some(name) => Some(create_missing(change, &name, None)?.0),
        None => None,
    };
    let params = [
        mailbox.0.into(),
        parent.map(|id| id.0).into(),
        to.leaf().into(),
        signed(change.modseq).into(),
    ];
    change.tx.exec(RENAME, &params)?;
    // A subscription made to the new name before is now the mailbox's own.
    let params = [account.into(), to.as_str().into()];
    if change.tx.exec(UNSUBSCRIBE_ABSENT, &params)? > 0 {
        set_subscribed(change.tx, mailbox, 1)?;
    }
    Ok(())
}

pub(super) fn subscribe(
    tx: &mut dyn Tx,
    account: AccountId,
    name: &MailboxName,
) -> Result<(), Error> {
    if let Some(mailbox) = mailbox_by_name(tx, account, name)? {
        return set_subscribed(tx, mailbox, 1);
    }
    let absent = tx.query_one(COUNT_ABSENT, &[account.into()], |row| row.int(0))?;
    if absent.unwrap_or(0) >= count(MAX_MAILBOXES) {
        return Err(Error::TooManyMailboxes);
    }
    tx.exec(SUBSCRIBE_ABSENT, &[account.into(), name.as_str().into()])?;
    Ok(())
}

pub(super) fn unsubscribe(
    tx: &mut dyn Tx,
    account: AccountId,
    name: &MailboxName,
) -> Result<(), Error> {
    match mailbox_by_name(tx, account, name)? {
        Some(mailbox) => set_subscribed(tx, mailbox, 0),
        None => {
            tx.exec(UNSUBSCRIBE_ABSENT, &[account.into(), name.as_str().into()])?;
            Ok(())
        }
    }
}

pub(super) fn set_subscribed(
    tx: &mut dyn Tx,
    mailbox: MailboxId,
    subscribed: i64,
) -> Result<(), Error> {
    tx.exec(SET_SUBSCRIBED, &[mailbox.0.into(), subscribed.into()])?;
    Ok(())
}
