//! Acceptance: from a message and its resolved recipients to rows on disk, in one transaction.
//!
//! [`Inner::prepare`] does what needs no database (prefixes, summaries, the queue's row as values);
//! [`commit`] is the transaction: the blob's row with one reference for each local copy and one for
//! the queue, the appends in the order of account ids (every transaction locks accounts in that
//! order), the queue's rows. The worker uses the same two steps for reports, so that a recipient is
//! given up in the transaction that tells its sender.
//!
//! Start at [`Queue::accept`].

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ambient::Timestamp;
use bytes::Bytes;
use directory::LocalRecipient;
use mail::{FlagSet, MailboxId, MailboxName, NewMessage, Quota, Role};
use mime::Summary;
use smtp::{Address, ReversePath};
use store::blob::{self, StagedBlob};
use store::{AccountId, Tx};

use crate::schedule::Schedule;
use crate::table::{self, NewEntry, QueueId};
use crate::trace::{self, MAX_HOPS, Origin, SenderStanding};
use crate::{Error, Inner, Queue, quarantine};

/// A message to be accepted, its recipients resolved and its blob staged.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The message as it was received, without our trace fields.
    pub message: Bytes,
    /// The same octets in the store.
    pub staged: StagedBlob,
    /// [`Summary::parse`] of the message.
    pub summary: Summary,
    /// Whence it came.
    pub origin: Origin,
    /// Where failures are reported to.
    pub from: ReversePath,
    /// Everyone who gets it; an account or address that occurs twice gets it once.
    pub recipients: Vec<RoutedRecipient>,
    /// What else belongs to the acceptance: rows of other services, written in the same transaction.
    pub companion: Option<Companion>,
}

/// Writes what belongs to a message into the transaction that accepts it. Pure, as every write
/// closure is: it may run again.
#[derive(Clone)]
pub struct Companion(Arc<Write>);

type Write = dyn Fn(&mut dyn Tx) -> Result<(), store::Error> + Send + Sync;

impl Companion {
    /// A companion that writes with `write`.
    pub fn new(
        write: impl Fn(&mut dyn Tx) -> Result<(), store::Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(write))
    }
}

impl fmt::Debug for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Companion")
    }
}

/// Where a local copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The mailbox of this role; an account without one gets it in its INBOX.
    Role(Role),
    /// The mailbox of this name, made if there is none; the INBOX when it cannot be made.
    Folder(MailboxName),
    /// Kept back: see [`crate::quarantine`].
    Quarantine(Held),
}

/// What a copy in quarantine is shown as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The subject, decoded.
    pub subject: String,
    /// The score in thousandths.
    pub score: i64,
}

/// A recipient and where its copy goes.
#[derive(Debug, Clone)]
pub enum RoutedRecipient {
    /// A mailbox of this server.
    Local {
        /// Whose, from [`directory::Directory::resolve`].
        recipient: LocalRecipient,
        /// Where to.
        place: Place,
    },
    /// Another server.
    Remote {
        /// The address to deliver to.
        address: Address,
        /// The address the sender gave, which reports name; differs behind an alias.
        original: Address,
    },
}

/// What was done with an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its place in the queue, when it has remote recipients.
    pub queue_id: Option<QueueId>,
    /// Copies in local mailboxes.
    pub local: usize,
}

/// A message ready to be committed.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) staged: StagedBlob,
    /// Our name for the transaction.
    pub(crate) trace_id: String,
    pub(crate) sender: ReversePath,
    companion: Option<Companion>,
    received_at: Timestamp,
    copies: Vec<LocalCopy>,
    entry: Option<NewEntry>,
}

/// One local copy.
#[derive(Debug, Clone)]
pub(crate) struct LocalCopy {
    pub(crate) account: AccountId,
    pub(crate) recipient: Address,
    place: Place,
    pub(crate) prefix: Vec<u8>,
    /// Of prefix and message; copies with prefixes of the same length share it.
    pub(crate) summary: Arc<Summary>,
}

impl Queue {
    /// Accepts a message for all its recipients or for none. On return it is on disk: the answer
    /// to the client may be 250.
    ///
    /// The quota of local recipients is not asked any more: it was when they were named, and mail
    /// that was promised a place has it.
    ///
    /// # Errors
    /// [`Error::Loop`] for a message that has passed too many servers; otherwise the failures of
    /// the store and of the mailboxes, after which nothing has been accepted.
    pub async fn accept(&self, submission: Submission) -> Result<Accepted, Error> {
        let hops = trace::hops(&submission.message);
        if hops >= MAX_HOPS {
            return Err(Error::Loop(MAX_HOPS));
        }
        let prepared = self.0.prepare(submission)?;
        let accepted = self
            .0
            .options
            .db
            .write(move |tx| commit(tx, &prepared))
            .await?;
        self.0.counters.accepted.add(1);
        self.0.counters.local.add(accepted.local);
        Ok(accepted)
    }
}

impl Inner {
    /// Everything about a submission that needs no database.
    pub(crate) fn prepare(&self, submission: Submission) -> Result<Prepared, Error> {
        let Submission {
            message,
            staged,
            summary,
            origin,
            from,
            recipients,
            companion,
        } = submission;
        let now = self.options.clock.now();
        let only = match recipients.as_slice() {
            [] => return Err(Error::NoRecipients),
            [RoutedRecipient::Local { recipient, .. }] => Some(&recipient.original),
            [RoutedRecipient::Remote { original, .. }] => Some(original),
            _ => None,
        };
        let trace = origin.trace(&self.options.hostname, now, only);
        let mut locals: BTreeMap<AccountId, (LocalRecipient, Place)> = BTreeMap::new();
        let mut remotes: BTreeMap<Address, Address> = BTreeMap::new();
        for recipient in recipients {
            match recipient {
                RoutedRecipient::Local { recipient, place } => {
                    locals
                        .entry(recipient.account)
                        .or_insert((recipient, place));
                }
                RoutedRecipient::Remote { address, original } => {
                    remotes.entry(address).or_insert(original);
                }
            }
        }
        let copies = copies(&from, locals, &trace, summary);
        let (trace_id, sender) = (origin.id.clone(), from.clone());
        let entry = (!remotes.is_empty()).then(|| {
            entry(
                &Remote {
                    message: &message,
                    origin: &origin,
                    from,
                    trace,
                    remotes,
                },
                &self.options.schedule,
                now,
            )
        });
        Ok(Prepared {
            staged,
            trace_id,
            sender,
            companion,
            received_at: now,
            copies,
            entry,
        })
    }
}

/// The local copies in the order of their accounts.
fn copies(
    from: &ReversePath,
    locals: BTreeMap<AccountId, (LocalRecipient, Place)>,
    trace: &[u8],
    summary: Summary,
) -> Vec<LocalCopy> {
    let mut summaries: BTreeMap<usize, Arc<Summary>> = BTreeMap::new();
    let mut copies = Vec::with_capacity(locals.len());
    for (account, (recipient, place)) in locals {
        let mut prefix = trace::delivery(from, &recipient.address);
        prefix.extend_from_slice(trace);
        let shared = summaries
            .entry(prefix.len())
            .or_insert_with(|| Arc::new(behind_prefix(summary.clone(), prefix.len())));
        copies.push(LocalCopy {
            account,
            recipient: recipient.address,
            place,
            summary: Arc::clone(shared),
            prefix,
        });
    }
    copies
}

/// The summary of a message behind `length` octets of header fields, given that of the message
/// alone. The fields must be none that the summary keeps; trace fields are not.
fn behind_prefix(mut summary: Summary, length: usize) -> Summary {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let shift = |range: &mut Range<u32>| {
        range.start = range.start.saturating_add(length);
        range.end = range.end.saturating_add(length);
    };
    for part in &mut summary.structure.parts {
        shift(&mut part.header);
        shift(&mut part.body);
    }
    if let Some(message) = summary.structure.parts.first_mut() {
        message.header.start = 0;
    }
    summary.size = summary.size.saturating_add(length);
    summary
}

/// What the queue needs to know of a message with remote recipients.
struct Remote<'a> {
    message: &'a [u8],
    origin: &'a Origin,
    from: ReversePath,
    trace: Vec<u8>,
    /// Address to deliver to, and the one the sender gave.
    remotes: BTreeMap<Address, Address>,
}

fn entry(remote: &Remote<'_>, schedule: &Schedule, now: Timestamp) -> NewEntry {
    let header = remote
        .message
        .get(..mime::header::header_end(remote.message))
        .unwrap_or_default();
    let sender_is_ascii = remote.from.as_address().is_none_or(Address::is_ascii);
    let reported = remote.from != ReversePath::Null;
    NewEntry {
        // A header with raw octets that nobody declared to be UTF-8 goes on as it came.
        utf8: !sender_is_ascii || remote.origin.with.is_utf8() && !header.is_ascii(),
        eightbit: !(remote.message.is_ascii() && remote.trace.is_ascii()),
        report: remote.origin.sender == SenderStanding::Verified,
        account: remote.origin.account,
        delay_notice_at: reported.then(|| schedule.delay_notice_at(now)),
        created_at: now,
        expires_at: schedule.expires_at(now),
        recipients: remote
            .remotes
            .iter()
            .map(|(address, original)| {
                (
                    address.to_string(),
                    original.to_string(),
                    address.domain.as_str().to_owned(),
                )
            })
            .collect(),
        prefix: remote.trace.clone(),
        sender: remote.from.clone(),
    }
}

/// The transaction of [`Queue::accept`]. Pure, as every write closure is: it may run again.
pub(crate) fn commit(tx: &mut dyn Tx, prepared: &Prepared) -> Result<Accepted, Error> {
    let references = prepared.copies.len() + usize::from(prepared.entry.is_some());
    let references = u32::try_from(references).unwrap_or(u32::MAX);
    blob::insert(tx, &prepared.staged, references)?;
    let flags = FlagSet::default();
    for copy in &prepared.copies {
        let mailbox = match &copy.place {
            Place::Role(role) => role_or_inbox(tx, copy.account, *role)?,
            Place::Folder(name) => match mail::ensure_mailbox(tx, copy.account, name) {
                Ok(mailbox) => mailbox,
                Err(mail::Error::Store(error)) => return Err(error.into()),
                Err(_) => role_or_inbox(tx, copy.account, Role::Inbox)?,
            },
            Place::Quarantine(held) => {
                quarantine::insert(tx, prepared, copy, held)?;
                continue;
            }
        };
        let message = NewMessage {
            mailbox,
            blob: &prepared.staged,
            prefix: &copy.prefix,
            summary: &copy.summary,
            received_at: prepared.received_at,
            flags: &flags,
            quota: Quota::Ignore,
        };
        mail::append(tx, copy.account, &message)?;
    }
    let queue_id = match &prepared.entry {
        Some(entry) => Some(table::insert(tx, &prepared.staged, entry)?),
        None => None,
    };
    if let Some(companion) = &prepared.companion {
        (companion.0)(tx)?;
    }
    Ok(Accepted {
        queue_id,
        local: prepared.copies.len(),
    })
}

/// The account's mailbox of a role, or else its INBOX.
pub(crate) fn role_or_inbox(
    tx: &mut dyn Tx,
    account: AccountId,
    role: Role,
) -> Result<MailboxId, Error> {
    if let Some(mailbox) = mail::mailbox_by_role(tx, account, role)? {
        return Ok(mailbox);
    }
    let inbox = mail::mailbox_by_role(tx, account, Role::Inbox)?;
    Ok(inbox.ok_or(mail::Error::NoMailbox)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PREFIX: &[u8] = b"Return-Path: <a@b.test>\r\nReceived: by us.test;\r\n\tnow\r\n";

    fn shifted_is_parsed(message: &[u8]) {
        let whole = [PREFIX, message].concat();
        let shifted = behind_prefix(Summary::parse(message), PREFIX.len());
        assert_eq!(
            shifted,
            Summary::parse(&whole),
            "{}",
            String::from_utf8_lossy(message)
        );
    }

    #[test]
    fn a_shifted_summary_is_that_of_the_whole() {
        for message in [
            &b"Subject: x\r\n\r\nbody\r\n"[..],
            b"",
            b"\r\n",
            b"\r\nbody",
            b"no header at all\r\n",
            b" folded into the prefix\r\nSubject: x\r\n\r\nbody",
            b"Subject: only a header",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\
              Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntwo\r\n--b--\r\n",
        ] {
            shifted_is_parsed(message);
        }
    }

    proptest! {
        #[test]
        fn a_shifted_summary_is_that_of_the_whole_for_any_octets(
            message in "(?s)([A-Z][a-z-]{0,8}: ?|[ \t]|\r?\n|--b|[a-z0-9@<>;=\"]{1,6}){0,60}",
        ) {
            shifted_is_parsed(message.as_bytes());
        }
    }
}
