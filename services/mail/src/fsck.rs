//! The consistency check: recomputes what transactions keep up, and compares.
//!
//! Runs over all accounts in one read transaction, so it sees one state. `db check` shows what it
//! finds; every scenario test ends with it.

use std::fmt;

use store::{AccountId, Reader};

use crate::{Error, MailboxId, MessageId};

/// Findings of one kind that are reported.
const MAX_FINDINGS: i64 = 100;

/// Something in the database that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// `used_bytes` or `used_count` is not what the account's messages add up to.
    Usage {
        /// Whose.
        account: AccountId,
        /// Octets and messages as counted up.
        stored: (i64, i64),
        /// Octets and messages as they are.
        actual: (i64, i64),
    },
    /// A counter of a mailbox is wrong.
    Counter {
        /// Which mailbox.
        mailbox: MailboxId,
        /// Its name in the schema.
        counter: &'static str,
        /// As counted up.
        stored: i64,
        /// As it is.
        actual: i64,
    },
    /// A UID is not smaller than the mailbox's `uidnext`.
    Uid(MailboxId),
    /// A mod-sequence in the mailbox is greater than the mailbox's own, or that than the account's.
    Modseq(MailboxId),
    /// A message number is not smaller than the account's `next_id`, or of another account.
    Number(MessageId),
    /// A message is in no mailbox.
    Unfiled(MessageId),
    /// A message is in a mailbox of another account.
    Stranger(MessageId),
    /// The entries of a message differ in their flags, or the shared bit is wrong.
    Flags(MessageId),
    /// The bit for keywords is set without any, or there are keywords without it.
    Keywords(MessageId),
    /// A UID is both in a mailbox and vanished from it.
    Vanished(MailboxId),
    /// Two mailboxes of an account have one role, or one UIDVALIDITY.
    Twins(MailboxId),
    /// A mailbox lies below one of another account, or the account has no INBOX.
    Tree(AccountId),
    /// A blob's references are not the rows that refer to it.
    References {
        /// The blob's id in hexadecimal digits.
        blob: String,
        /// As counted up.
        stored: i64,
        /// Rows of `message` and `queue`.
        actual: i64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage {
                account,
                stored,
                actual,
            } => write!(
                f,
                "account {account}: counted {} octets in {} messages, found {} in {}",
                stored.0, stored.1, actual.0, actual.1
            ),
            Self::Counter {
                mailbox,
                counter,
                stored,
                actual,
            } => {
                write!(
                    f,
                    "mailbox {mailbox}: {counter} is {stored}, found {actual}"
                )
            }
            Self::Uid(mailbox) => write!(f, "mailbox {mailbox}: a UID is not below uidnext"),
            Self::Modseq(mailbox) => write!(f, "mailbox {mailbox}: a mod-sequence is too great"),
            Self::Number(message) => write!(f, "message {message}: impossible number"),
            Self::Unfiled(message) => write!(f, "message {message}: in no mailbox"),
            Self::Stranger(message) => write!(f, "message {message}: in another account's mailbox"),
            Self::Flags(message) => write!(f, "message {message}: its entries disagree"),
            Self::Keywords(message) => {
                write!(f, "message {message}: keywords and their bit differ")
            }
            Self::Vanished(mailbox) => write!(f, "mailbox {mailbox}: a vanished UID is present"),
            Self::Twins(mailbox) => write!(f, "mailbox {mailbox}: role or UIDVALIDITY used twice"),
            Self::Tree(account) => write!(f, "account {account}: broken tree of mailboxes"),
            Self::References {
                blob,
                stored,
                actual,
            } => {
                write!(
                    f,
                    "blob {blob}: counted {stored} references, found {actual}"
                )
            }
        }
    }
}

const USAGE: &str = "SELECT a.id, a.used_bytes, a.used_count, \
    COALESCE(m.bytes, 0), COALESCE(m.messages, 0) FROM account a \
    LEFT JOIN (SELECT account_id, SUM(size) AS bytes, COUNT(*) AS messages \
        FROM message GROUP BY account_id) m ON m.account_id = a.id \
    WHERE a.used_bytes <> COALESCE(m.bytes, 0) OR a.used_count <> COALESCE(m.messages, 0) \
    LIMIT ?1";
// 1 is Flags::SEEN, 16 is Flags::DELETED.
const COUNTERS: &str = "SELECT b.id, b.total, COALESCE(e.total, 0), \
    b.unseen, COALESCE(e.unseen, 0), b.deleted, COALESCE(e.deleted, 0), b.size, COALESCE(e.size, 0) \
    FROM mailbox b LEFT JOIN (SELECT e.mailbox_id, COUNT(*) AS total, SUM(m.size) AS size, \
        SUM(CASE WHEN (e.flags & 1) = 0 THEN 1 ELSE 0 END) AS unseen, \
        SUM(CASE WHEN (e.flags & 16) <> 0 THEN 1 ELSE 0 END) AS deleted \
        FROM entry e JOIN message m ON m.id = e.message_id GROUP BY e.mailbox_id) e \
    ON e.mailbox_id = b.id \
    WHERE b.total <> COALESCE(e.total, 0) OR b.unseen <> COALESCE(e.unseen, 0) \
    OR b.deleted <> COALESCE(e.deleted, 0) OR b.size <> COALESCE(e.size, 0) LIMIT ?1";
const UIDS: &str = "SELECT DISTINCT b.id FROM mailbox b JOIN entry e ON e.mailbox_id = b.id \
    WHERE e.uid >= b.uidnext OR e.uid < 1 LIMIT ?1";
const MODSEQS: &str = "SELECT b.id FROM mailbox b JOIN account a ON a.id = b.account_id \
    WHERE b.modseq > a.modseq OR b.created > b.modseq \
    OR EXISTS (SELECT 1 FROM entry e WHERE e.mailbox_id = b.id AND e.modseq > b.modseq) \
    OR EXISTS (SELECT 1 FROM vanished v WHERE v.mailbox_id = b.id AND v.modseq > b.modseq) LIMIT ?1";
const NUMBERS: &str = "SELECT m.id FROM message m JOIN account a ON a.id = m.account_id \
    WHERE (m.id >> 32) <> m.account_id OR (m.id & 4294967295) >= a.next_id \
    OR m.created > a.modseq LIMIT ?1";
const UNFILED: &str = "SELECT m.id FROM message m \
    WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.message_id = m.id) LIMIT ?1";
const STRANGERS: &str = "SELECT e.message_id FROM entry e JOIN message m ON m.id = e.message_id \
    JOIN mailbox b ON b.id = e.mailbox_id WHERE b.account_id <> m.account_id LIMIT ?1";
// 1073741824 is Flags::SHARED.
const FLAGS: &str = "SELECT message_id FROM entry GROUP BY message_id \
    HAVING MIN(flags) <> MAX(flags) \
    OR (COUNT(*) > 1) <> ((MIN(flags) & 1073741824) <> 0) LIMIT ?1";
const KEYWORDS: &str = "SELECT e.message_id FROM entry e WHERE (e.flags >= 2147483648) <> \
    EXISTS (SELECT 1 FROM keyword k WHERE k.message_id = e.message_id) LIMIT ?1";
const ORPHAN_KEYWORDS: &str = "SELECT DISTINCT message_id FROM keyword k \
    WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.id = k.message_id) LIMIT ?1";
const VANISHED: &str = "SELECT DISTINCT v.mailbox_id FROM vanished v \
    JOIN entry e ON e.mailbox_id = v.mailbox_id AND e.uid BETWEEN v.uid_first AND v.uid_last \
    LIMIT ?1";
const TWINS: &str = "SELECT DISTINCT b.id FROM mailbox b JOIN mailbox o \
    ON o.account_id = b.account_id AND o.id > b.id \
    WHERE o.role = b.role OR o.uidvalidity = b.uidvalidity LIMIT ?1";
const TREE: &str = "SELECT DISTINCT b.account_id FROM mailbox b \
    LEFT JOIN mailbox p ON p.id = b.parent_id \
    WHERE (b.id >> 32) <> b.account_id OR (b.parent_id IS NOT NULL AND (p.id IS NULL OR p.account_id <> b.account_id)) \
    OR NOT EXISTS (SELECT 1 FROM mailbox i WHERE i.account_id = b.account_id \
        AND i.parent_id IS NULL AND i.name = 'INBOX') LIMIT ?1";
const REFERENCES: &str = "SELECT b.id, b.refs, r.actual FROM (SELECT b.id AS id, \
    (SELECT COUNT(*) FROM message m WHERE m.blob_id = b.id) \
    + (SELECT COUNT(*) FROM queue q WHERE q.blob_id = b.id) \
    + (SELECT COUNT(*) FROM quarantine k WHERE k.blob_id = b.id) AS actual FROM blob b) r \
    JOIN blob b ON b.id = r.id WHERE b.refs <> r.actual LIMIT ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    USAGE,
    COUNTERS,
    UIDS,
    MODSEQS,
    NUMBERS,
    UNFILED,
    STRANGERS,
    FLAGS,
    KEYWORDS,
    ORPHAN_KEYWORDS,
    VANISHED,
    TWINS,
    TREE,
    REFERENCES,
];

/// Checks the mail of all accounts: nothing found means every invariant holds.
///
/// # Errors
/// Those of the store.
pub fn fsck(rx: &mut dyn Reader) -> Result<Vec<Finding>, Error> {
    let mut findings = rx.query_all(USAGE, &[MAX_FINDINGS.into()], |row| {
        Ok(Finding::Usage {
            account: AccountId(row.int(0)?),
            stored: (row.int(1)?, row.int(2)?),
            actual: (row.int(3)?, row.int(4)?),
        })
    })?;
    counters(rx, &mut findings)?;
    type Make = fn(i64) -> Finding;
    let checks: [(&'static str, Make); 11] = [
        (UIDS, |id| Finding::Uid(MailboxId(id))),
        (MODSEQS, |id| Finding::Modseq(MailboxId(id))),
        (NUMBERS, |id| Finding::Number(MessageId(id))),
        (UNFILED, |id| Finding::Unfiled(MessageId(id))),
        (STRANGERS, |id| Finding::Stranger(MessageId(id))),
        (FLAGS, |id| Finding::Flags(MessageId(id))),
        (KEYWORDS, |id| Finding::Keywords(MessageId(id))),
        (ORPHAN_KEYWORDS, |id| Finding::Keywords(MessageId(id))),
        (VANISHED, |id| Finding::Vanished(MailboxId(id))),
        (TWINS, |id| Finding::Twins(MailboxId(id))),
        (TREE, |id| Finding::Tree(AccountId(id))),
    ];
    for (sql, finding) in checks {
        findings.extend(rx.query_all(sql, &[MAX_FINDINGS.into()], |row| row.int(0).map(finding))?);
    }
    findings.extend(rx.query_all(REFERENCES, &[MAX_FINDINGS.into()], |row| {
        let blob = row.blob_id(0)?.to_string();
        Ok(Finding::References {
            blob,
            stored: row.int(1)?,
            actual: row.int(2)?,
        })
    })?);
    Ok(findings)
}

fn counters(rx: &mut dyn Reader, findings: &mut Vec<Finding>) -> Result<(), Error> {
    rx.query(COUNTERS, &[MAX_FINDINGS.into()], &mut |row| {
        let mailbox = MailboxId(row.int(0)?);
        for (at, counter) in [(1, "total"), (3, "unseen"), (5, "deleted"), (7, "size")] {
            let (stored, actual) = (row.int(at)?, row.int(at + 1)?);
            if stored != actual {
                findings.push(Finding::Counter {
                    mailbox,
                    counter,
                    stored,
                    actual,
                });
            }
        }
        Ok(())
    })?;
    Ok(())
}

impl crate::Mail {
    /// [`fsck`] in a read transaction of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn fsck(&self) -> Result<Vec<Finding>, Error> {
        self.db().read(fsck).await
    }
}
