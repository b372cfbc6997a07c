//! Delivery reports: what a sender is told about recipients that were given up or are late.
//!
//! A report is a message like any other, from the null reverse-path: it goes through [`crate::spool`] into
//! the sender's INBOX or into the queue. None is made for mail from the null reverse-path, so that
//! reports never cause reports, and none for senders that may be forged ([`SenderStanding`]). A
//! sender that does not exist any more gets none either: there is nobody to tell, and the log says
//! so.
//!
//! RFC 5321 §4.5.5, §6.1; RFC 3464. Start at [`Report::prepare`].
//!
//! [`SenderStanding`]: crate::SenderStanding

use bytes::Bytes;
use directory::Resolution;
use mail::Role;
use mime::Summary;
use mime::report::{Action, DeliveryReport, RecipientReport};
use smtp::{Address, ReversePath};
use tracing::{info, warn};

use crate::failure::Failure;
use crate::spool::{Place, Prepared, RoutedRecipient, Submission};
use crate::table::{Claimed, ClaimedRecipient};
use crate::trace::Origin;
use crate::{Error, Inner};

/// A report about one message.
pub(crate) struct Report<'a> {
    pub(crate) message: &'a Claimed,
    /// [`Action::Failed`] or [`Action::Delayed`].
    pub(crate) action: Action,
    /// Whom it is about, and why.
    pub(crate) recipients: Vec<(&'a ClaimedRecipient, &'a Failure)>,
}

impl Report<'_> {
    /// The report as a message ready to be committed; `None` when nobody is to be told.
    pub(crate) async fn prepare(&self, inner: &Inner) -> Result<Option<Prepared>, Error> {
        if self.recipients.is_empty() || !self.message.report {
            return Ok(None);
        }
        // RFC 5321 §4.5.5: nothing is reported about mail from the null reverse-path.
        let ReversePath::Address(sender) = &self.message.sender else {
            return Ok(None);
        };
        let recipients = route(inner, sender).await?;
        if recipients.is_empty() {
            info!(queue_id = self.message.id.0, %sender, "no report: the sender cannot be reached");
            return Ok(None);
        }
        let id = inner.options.random.token(16);
        let rendered = self.render(inner, sender, &id).await;
        let message = Bytes::from(rendered);
        let submission = Submission {
            staged: inner.options.db.blobs().stage(message.clone()).await?,
            summary: Summary::parse(&message),
            message,
            origin: Origin::local(id),
            from: ReversePath::Null,
            recipients,
            companion: None,
        };
        inner.prepare(submission).map(Some)
    }

    async fn render(&self, inner: &Inner, sender: &Address, id: &str) -> Vec<u8> {
        let own = &inner.options.hostname;
        let now = inner.options.clock.now();
        DeliveryReport {
            reporting_mta: own.to_string(),
            from: format!("mailer-daemon@{own}"),
            to: sender.to_string(),
            message_id: format!("{id}@{own}"),
            date: now.0,
            arrival_date: Some(self.message.created_at.0),
            envelope_id: None,
            recipients: self
                .recipients
                .iter()
                .map(|(recipient, failure)| RecipientReport {
                    original_recipient: (recipient.original != recipient.address)
                        .then(|| original_recipient(&recipient.original)),
                    final_recipient: recipient.address.clone(),
                    action: self.action,
                    status: failure.code.to_string(),
                    // Only what the server itself said is said in its name.
                    remote_mta: failure.reply.as_ref().and(failure.host.clone()),
                    diagnostic: Some(match &failure.reply {
                        Some(reply) => reply.to_string(),
                        None => failure.to_string(),
                    }),
                    last_attempt: Some(now.0),
                    will_retry_until: (self.action == Action::Delayed)
                        .then_some(self.message.expires_at.0),
                })
                .collect(),
            original: header_of(inner, self.message).await,
        }
        .render()
    }
}

/// RFC 3461 §4.2: the address with its type; RFC 6533 §3 for addresses outside ASCII.
fn original_recipient(address: &str) -> String {
    let kind = if address.is_ascii() {
        "rfc822"
    } else {
        "utf-8"
    };
    format!("{kind};{address}")
}

/// Octets of the original that are read for its header.
const HEADER_OCTETS: u64 = 64 * 1_024;

/// The beginning of the message. A damaged blob must not keep its sender from hearing about it.
async fn header_of(inner: &Inner, message: &Claimed) -> Vec<u8> {
    let prefix = u64::try_from(message.prefix.len()).unwrap_or(u64::MAX);
    let end = message.size.saturating_sub(prefix).min(HEADER_OCTETS);
    let mut original = message.prefix.clone();
    match inner.options.db.blob_range(message.blob, 0..end).await {
        Ok(octets) => original.extend_from_slice(&octets),
        Err(error) => {
            warn!(queue_id = message.id.0, %error, "the reported message cannot be read");
            original.extend_from_slice(b"\r\n");
        }
    }
    original
}

/// Where a report for `sender` goes; empty when there is nowhere.
async fn route(inner: &Inner, sender: &Address) -> Result<Vec<RoutedRecipient>, Error> {
    let remote = |address: Address| RoutedRecipient::Remote {
        address,
        original: sender.clone(),
    };
    Ok(match inner.options.directory.resolve(sender).await? {
        Resolution::NotLocal => vec![remote(sender.clone())],
        Resolution::Unknown | Resolution::Disabled => Vec::new(),
        Resolution::Deliver(expansion) => {
            let local = expansion
                .local
                .into_iter()
                .map(|recipient| RoutedRecipient::Local {
                    recipient,
                    place: Place::Role(Role::Inbox),
                });
            local
                .chain(expansion.remote.into_iter().map(remote))
                .collect()
        }
    })
}
