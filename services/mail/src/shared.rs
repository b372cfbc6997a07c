//! One message in several mailboxes, as JMAP makes it (RFC 8621 §4.1.1).
//!
//! Such a message has one entry in each mailbox, all with the same flags and the bit
//! [`Flags::SHARED`], so that nobody has to look for other entries of a message without it. IMAP
//! never makes one: its COPY makes independent messages.

use imap::Uid;
use store::{AccountId, Tx};

use crate::append::insert_entry;
use crate::change::{Change, Delta};
use crate::ids::signed;
use crate::{Error, Flags, MailboxId, MessageId};

// All by the index entry_message.
const ENTRIES: &str = "SELECT e.mailbox_id, e.flags, m.size \
    FROM entry e JOIN message m ON m.id = e.message_id \
    WHERE e.message_id = ?1 AND m.account_id = ?2";
const COUNT: &str = "SELECT COUNT(*) FROM entry WHERE message_id = ?1";
const MARK: &str = "UPDATE entry SET flags = (flags & ?2) | ?3, modseq = ?4 WHERE message_id = ?1";
const TOUCH_MAILBOXES: &str = "UPDATE mailbox SET modseq = ?2 \
    WHERE id IN (SELECT mailbox_id FROM entry WHERE message_id = ?1)";
const TAKE_OUT: &str = "DELETE FROM entry WHERE message_id = ?1 AND mailbox_id = ?2 RETURNING uid";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ENTRIES, COUNT, MARK, TOUCH_MAILBOXES, TAKE_OUT];

/// Puts a message into another mailbox as well, under the flags it has: its UID there. The account
/// is not charged again.
///
/// # Errors
/// [`Error::NoMailbox`]; [`Error::NoMessage`]; [`Error::Exists`] when the message is there already.
pub fn link(
    tx: &mut dyn Tx,
    account: AccountId,
    message: MessageId,
    mailbox: MailboxId,
) -> Result<Uid, Error> {
    let mut change = Change::begin(tx, account)?;
    let params = [message.0.into(), account.into()];
    let entries = change.tx.query_all(ENTRIES, &params, |row| {
        let flags = Flags::from_bits(row.u32(1)?);
        Ok((MailboxId(row.int(0)?), flags, row.u64(2)?))
    })?;
    let &(_, flags, size) = entries.first().ok_or(Error::NoMessage)?;
    if entries.iter().any(|entry| entry.0 == mailbox) {
        return Err(Error::Exists);
    }
    let (uid, _) = change.take_uids(mailbox, 1)?;
    let uid = Uid::new(uid).ok_or(Error::Damaged("uidnext is zero"))?;
    insert_entry(&mut change, mailbox, uid, message, flags)?;
    change.count(mailbox, Delta::of(flags, size))?;
    settle(&mut change, message)?;
    change.announce();
    Ok(uid)
}

/// After a message has come into a mailbox or left one: gives its entries and their mailboxes the
/// mod-sequence, and the bit to all or none. Answers how many entries there are.
pub(crate) fn settle(change: &mut Change<'_>, message: MessageId) -> Result<i64, Error> {
    let id = message.0.into();
    let entries = change
        .tx
        .query_one(COUNT, &[id], |row| row.int(0))?
        .unwrap_or(0);
    let bit = if entries > 1 {
        Flags::SHARED
    } else {
        Flags::NONE
    };
    let modseq = signed(change.modseq).into();
    let keep = (!Flags::SHARED.bits()).into();
    change
        .tx
        .exec(MARK, &[id, keep, bit.bits().into(), modseq])?;
    change.tx.exec(TOUCH_MAILBOXES, &[id, modseq])?;
    Ok(entries)
}

/// Takes a message out of one mailbox, if it is there: the UID it had. The caller counts, settles
/// and remembers the UID.
pub(crate) fn take_out(
    change: &mut Change<'_>,
    message: MessageId,
    mailbox: MailboxId,
) -> Result<Option<Uid>, Error> {
    let params = [message.0.into(), mailbox.0.into()];
    let uid = change.tx.query_one(TAKE_OUT, &params, |row| row.u32(0))?;
    Ok(uid.and_then(Uid::new))
}
