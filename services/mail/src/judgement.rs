//! What users say about spam by what they do with mail: moving it into or out of Junk, or setting
//! the keywords that mail programs use for it.
//!
//! A judgement is a row of `task`, written in the transaction that moves the message, so that none
//! is lost and none is learned of a move that did not happen. Whoever learns takes them in batches
//! ([`judgements`]) and forgets them ([`forget_judgements`]) once they are learned.
//!
//! Keywords: `$Junk` and `$NotJunk` (registered by RFC 5788, used by RFC 8621), and `Junk` and
//! `NonJunk` of Thunderbird.

use imap::Keyword;
use store::{AccountId, Event, Reader, Tx};

use crate::{Error, MailboxId, MessageId, Role};

/// `task.kind` of a judgement.
const HAM: i64 = 1;
const SPAM: i64 = 2;
/// Judgements kept; more than that at once is a script, and the first ones say enough.
const MAX_WAITING: i64 = 100_000;

// Reads the rows that wait: few, and MAX_WAITING at most.
const WAITING: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM task LIMIT ?1)";
const INSERT: &str = "INSERT INTO task (kind, key, due_at) VALUES (?1, ?2, ?3)";
// Along task_due.
const DUE: &str = "SELECT id, kind, key FROM task WHERE due_at <= ?1 AND kind IN (1, 2) \
    ORDER BY due_at LIMIT ?2";
const DELETE: &str = "DELETE FROM task WHERE id = ?1";
const ROLE: &str = "SELECT role FROM mailbox WHERE id = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, DUE, DELETE, ROLE];

/// What a user says a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opinion {
    /// Good mail.
    Ham,
    /// Junk.
    Spam,
}

/// A user's judgement on one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// Names it to [`forget_judgements`].
    pub id: i64,
    /// Whose mail it is.
    pub account: AccountId,
    /// The message; it may be gone already.
    pub message: MessageId,
    /// What it is.
    pub opinion: Opinion,
}

/// What a move from one mailbox to another says.
pub(crate) fn of_move(
    rx: &mut dyn Reader,
    from: MailboxId,
    to: MailboxId,
) -> Result<Option<Opinion>, Error> {
    let mut role = |mailbox: MailboxId| -> Result<Option<String>, Error> {
        let found = rx.query_one(ROLE, &[mailbox.0.into()], |row| {
            Ok(row.opt_text(0)?.map(str::to_owned))
        })?;
        Ok(found.flatten())
    };
    let is = |role: &Option<String>, wanted: Role| role.as_deref() == Some(wanted.as_str());
    let (from, to) = (role(from)?, role(to)?);
    Ok(match (is(&from, Role::Junk), is(&to, Role::Junk)) {
        (false, true) => Some(Opinion::Spam),
        // Emptying Junk into the trash says nothing.
        (true, false) if !is(&to, Role::Trash) => Some(Opinion::Ham),
        _ => None,
    })
}

/// What keywords that a message gets say.
pub(crate) fn of_keywords(added: &[Keyword]) -> Option<Opinion> {
    added.iter().find_map(|keyword| {
        let name = keyword.as_str();
        let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
        if is(&["$Junk", "Junk"]) {
            Some(Opinion::Spam)
        } else if is(&["$NotJunk", "NonJunk", "NotJunk"]) {
            Some(Opinion::Ham)
        } else {
            None
        }
    })
}

/// Writes down what a user says about messages.
pub(crate) fn note(
    tx: &mut dyn Tx,
    messages: impl IntoIterator<Item = MessageId>,
    opinion: Opinion,
) -> Result<(), Error> {
    let waiting = tx
        .query_one(WAITING, &[MAX_WAITING.into()], |row| row.int(0))?
        .unwrap_or_default();
    let room = usize::try_from(MAX_WAITING - waiting).unwrap_or_default();
    let kind = match opinion {
        Opinion::Ham => HAM,
        Opinion::Spam => SPAM,
    };
    let now = tx.now();
    for message in messages.into_iter().take(room) {
        tx.exec(INSERT, &[kind.into(), message.0.into(), now.into()])?;
    }
    tx.after_commit(Event::Task);
    Ok(())
}

/// Up to `limit` judgements that nobody has learned from, the oldest first.
///
/// # Errors
/// Those of the store.
pub fn judgements(rx: &mut dyn Reader, now: i64, limit: u32) -> Result<Vec<Judgement>, Error> {
    Ok(rx.query_all(DUE, &[now.into(), limit.into()], |row| {
        let message = MessageId(row.int(2)?);
        Ok(Judgement {
            id: row.int(0)?,
            account: message.account(),
            message,
            opinion: match row.int(1)? {
                SPAM => Opinion::Spam,
                _ => Opinion::Ham,
            },
        })
    })?)
}

/// Forgets judgements: they are learned, or cannot be.
///
/// # Errors
/// Those of the store.
pub fn forget_judgements(tx: &mut dyn Tx, judgements: &[Judgement]) -> Result<(), Error> {
    for judgement in judgements {
        tx.exec(DELETE, &[judgement.id.into()])?;
    }
    Ok(())
}
