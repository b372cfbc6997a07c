//! The one error type of this crate.

use imap::{MailboxName, MailboxNameError};

/// Why an operation on mailboxes or messages was refused. Nothing has changed when one of these is
/// returned from a facade method; inside a caller's own transaction the caller must roll back,
/// except after [`Error::OverQuota`], which leaves the transaction as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The account does not exist.
    #[error("no such account")]
    NoAccount,
    /// The mailbox does not exist (any more).
    #[error("no such mailbox")]
    NoMailbox,
    /// The message does not exist (any more).
    #[error("no such message")]
    NoMessage,
    /// A mailbox of that name exists already.
    #[error("mailbox exists already")]
    Exists,
    /// The mailbox has children and cannot be deleted before them.
    #[error("mailbox has children")]
    HasChildren,
    /// The operation is not possible on the INBOX.
    #[error("not possible on the INBOX")]
    Inbox,
    /// A mailbox cannot be moved below itself.
    #[error("mailbox would lie below itself")]
    BelowItself,
    /// The mailbox, or one below it, would get an impossible name.
    #[error("invalid mailbox name: {0}")]
    Name(#[from] MailboxNameError),
    /// Another mailbox of the account has the role.
    #[error("the role belongs to {0}")]
    RoleTaken(MailboxName),
    /// More than [`crate::MAX_MAILBOXES`].
    #[error("too many mailboxes")]
    TooManyMailboxes,
    /// The account would hold more than it may. The transaction is as it was before.
    #[error("quota exceeded")]
    OverQuota,
    /// The message is larger than 4 GiB.
    #[error("message is too large")]
    TooLarge,
    /// More than [`crate::MAX_KEYWORDS`] keywords on one message.
    #[error("too many keywords on one message")]
    TooManyKeywords,
    /// The mailbox has given out every UID, or the account every message number.
    #[error("identifiers are used up")]
    Exhausted,
    /// A stored row breaks an invariant: `db check` says more.
    #[error("stored data is damaged: {0}")]
    Damaged(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}
