//! Mailboxes and messages: the one place with mailbox semantics.
//!
//! What an account's mail looks like to IMAP (and later POP3, JMAP) is decided here: UIDs,
//! mod-sequences, flags, counters, quota, threads, names. The functions over [`store::Tx`] and
//! [`store::Reader`] ([`append`], [`provision`], [`mailbox_by_role`], …) take part in a caller's
//! transaction; [`Mail`] is the asynchronous service for sessions, and [`View`] one session's
//! picture of a mailbox.
//!
//! What every transaction keeps:
//!
//! - it takes one mod-sequence of the account before it reads, and marks all it changes with it;
//! - UIDs are taken from the mailbox in the same transaction, so their order is the order in which
//!   messages become visible;
//! - counters of mailbox and account move with the rows they count; [`fsck`] recomputes them.
//!
//! A row of `message` never changes: it is one delivery with its blob, prefix and summary. What
//! changes, flags and mod-sequence, is in `entry`, the message in a mailbox, clustered by mailbox
//! and UID: opening a mailbox is one scan, setting a flag touches a few octets.
//!
//! Not here: where mail is delivered to (`queue`), who may sign in (`directory`), the wire
//! (`imap`), parsing (`mime`), full-text indexes.
//!
//! RFC 9051 and RFC 3501 (mailbox semantics), RFC 7162 (CONDSTORE and what QRESYNC needs), RFC 6851
//! (MOVE), RFC 6154 (special use), RFC 8621 (threads, messages in several mailboxes).
//!
//! Start reading at [`Mail`], then `change`, `append`, `snapshot` and `view`.
#![deny(missing_docs)]

mod append;
mod cache;
mod change;
mod chunk;
mod error;
mod expunge;
mod facade;
mod fetch;
mod flags;
mod fsck;
mod ids;
mod judgement;
mod keyword;
mod mailbox;
#[cfg(test)]
mod plans;
mod role;
mod search;
mod set_flags;
mod shared;
mod snapshot;
mod thread;
mod transfer;
mod view;

pub use imap::{Keyword, MailboxName, Uid, UidSet, UidValidity};

pub use append::{Appended, ClientMessage, NewMessage, Quota, append};
pub use error::Error;
pub use expunge::is_erased;
pub use facade::Mail;
pub use fetch::{Batch, Message};
pub use flags::{FlagChange, FlagMode, FlagSet, Flags, MAX_KEYWORDS};
pub use fsck::{Finding, fsck};
pub use ids::{MailboxId, MessageId};
pub use judgement::{Judgement, Opinion, forget_judgements, judgements};
pub use mailbox::{
    MAX_MAILBOXES, MailboxInfo, MailboxStatus, ensure_mailbox, mailbox_by_name, mailbox_by_role,
    provision,
};
pub use role::Role;
pub use search::{Field, Key, NodeId, SearchQuery};
pub use set_flags::{FlagStore, StoreOutcome};
pub use shared::link;
pub use snapshot::{Entry, Snapshot};
pub use transfer::CopyOutcome;
pub use view::{Changes, Expunged, View};
