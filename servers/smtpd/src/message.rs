//! DATA: reception, verification, filter, acceptance.

use std::time::Duration;

use bytes::Bytes;
use filter::{Action, Verdict};
use mailauth::AuthResults;
use mime::Summary;
use queue::{Origin, RoutedRecipient, SenderStanding, Submission, Transport};
use smtp::data::DataDecoder;
use smtp::{Address, EnhancedCode, Reply};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::io::Ended;
use crate::metrics::{ByFate, Fate};
use crate::session::Session;
use crate::transaction::Transaction;
use crate::{Role, refusal};

/// How much of the budget is taken at a time, in octets.
const SHARE: usize = 64 * 1024;
/// How long a message waits for its share of memory.
const SHARE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many times the limit is read and dropped, so that the client hears why.
const FAR_TOO_LARGE: u64 = 4;

/// A received message, before anything is decided.
struct Received {
    transaction: Transaction,
    message: Vec<u8>,
    /// Held until the message is on disk.
    _memory: Option<OwnedSemaphorePermit>,
}

/// A message that will be accepted.
pub(crate) struct Accepted {
    pub(crate) transaction: Transaction,
    pub(crate) message: Bytes,
    pub(crate) summary: Summary,
    pub(crate) origin: Origin,
    /// The filter's; mail from our users and over LMTP has none.
    pub(crate) verdict: Option<Verdict>,
}

impl Session {
    /// Carries out DATA; the replies after the message: one, or one for each recipient on LMTP.
    pub(crate) async fn data(&mut self) -> Result<Vec<Reply>, Ended> {
        let Some(transaction) = self.transaction.take() else {
            return Ok(vec![Reply::new(
                503,
                EnhancedCode(5, 5, 1),
                "Say MAIL first",
            )]);
        };
        if transaction.accepted == 0 {
            self.transaction = Some(transaction);
            // RFC 5321 §3.3: without a recipient there is nothing to send. RFC 2033 §4.2: LMTP says 503.
            let code = if self.role == Role::Lmtp { 503 } else { 554 };
            return Ok(vec![Reply::new(
                code,
                EnhancedCode(5, 5, 1),
                "No valid recipients",
            )]);
        }
        if self.io.has_input() {
            // RFC 2920 §3.1: DATA is the last of its group; what follows would be smuggled.
            self.closing = true;
            return Ok(vec![Reply::new(
                503,
                EnhancedCode(5, 5, 0),
                "Wait for 354 after DATA",
            )]);
        }
        let replies = if self.role == Role::Lmtp {
            transaction.accepted
        } else {
            1
        };
        self.io
            .reply(&Reply::bare(354, "End the message with CRLF.CRLF"));
        self.io.flush().await?;
        let reply = match self.receive(transaction).await? {
            Ok(received) => {
                let started = Instant::now();
                let reply = self.decide(received).await;
                self.server
                    .metrics
                    .acceptance
                    .observe(started.elapsed().as_secs_f64());
                reply
            }
            Err(refusal) => refusal,
        };
        // RFC 2033 §4.2: one reply for each recipient that RCPT accepted. They share one
        // transaction of the store, and so one fate.
        Ok(vec![reply; replies])
    }

    async fn receive(
        &mut self,
        transaction: Transaction,
    ) -> Result<Result<Received, Reply>, Ended> {
        let limits = self.server.limits.clone();
        let mut decoder = DataDecoder::new(limits.message_bytes);
        let mut message = Vec::new();
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let started = Instant::now();
        loop {
            let allowed = decoder.size() / limits.min_bytes_per_second.max(1);
            let deadline = started + limits.data_timeout + Duration::from_secs(allowed);
            match self.io.data(&mut decoder, &mut message, deadline).await? {
                Ok(true) => break,
                Ok(false) => {}
                // Too large or an overlong line: the decoder has read to the end of the message.
                Err(error) => {
                    self.closing = error.must_close();
                    return Ok(Err(error.reply()));
                }
            }
            if decoder.size() > limits.message_bytes.saturating_mul(FAR_TOO_LARGE) {
                self.closing = true;
                return Ok(Err(Reply::new(
                    552,
                    EnhancedCode(5, 3, 4),
                    "Message exceeds the size limit",
                )));
            }
            if !self.take_memory(&mut memory, message.len()).await {
                self.closing = true;
                return Ok(Err(Reply::new(
                    421,
                    EnhancedCode(4, 3, 2),
                    "Busy, try again later",
                )));
            }
        }
        Ok(Ok(Received {
            transaction,
            message,
            _memory: memory,
        }))
    }

    /// Makes sure that `length` octets are within the budget of all sessions.
    async fn take_memory(&self, held: &mut Option<OwnedSemaphorePermit>, length: usize) -> bool {
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = length.next_multiple_of(SHARE).saturating_sub(has);
        let Ok(wanted) = u32::try_from(wanted) else {
            return false;
        };
        if wanted == 0 {
            return true;
        }
        let budget = std::sync::Arc::clone(&self.server.budget);
        let more = tokio::time::timeout(SHARE_TIMEOUT, budget.acquire_many_owned(wanted)).await;
        let Ok(Ok(more)) = more else { return false };
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        true
    }

    /// Verifies or signs, filters, and accepts or refuses.
    async fn decide(&mut self, received: Received) -> Reply {
        let Received {
            transaction,
            message,
            _memory,
        } = received;
        if queue::hops(&message) >= queue::MAX_HOPS {
            self.count(Fate::Rejected);
            return refusal::loops();
        }
        let id = self.server.random.token(12);
        let accepted = match self.role {
            Role::Mx => match self.verify(&id, transaction, message).await {
                Ok(accepted) => accepted,
                Err(refusal) => return refusal,
            },
            Role::Submission => match self.submit(&id, transaction, message).await {
                Ok(accepted) => accepted,
                Err(refusal) => {
                    self.count(Fate::Rejected);
                    return refusal;
                }
            },
            Role::Lmtp => {
                let summary = Summary::parse(&message);
                let origin = self.origin(&id, &transaction, SenderStanding::Verified, Vec::new());
                Accepted {
                    transaction,
                    message: message.into(),
                    summary,
                    origin,
                    verdict: None,
                }
            }
        };
        self.accept(&id, accepted).await
    }

    /// Mail from outside: SPF, DKIM, DMARC, ARC, then the filter.
    async fn verify(
        &mut self,
        id: &str,
        transaction: Transaction,
        message: Vec<u8>,
    ) -> Result<Accepted, Reply> {
        let helo = self.helo();
        let facts = mailauth::Session {
            ip: self.peer.ip(),
            helo: &helo,
            from: &transaction.from,
        };
        let auth = self.server.authenticator.message(&message, &facts).await;
        let message = without(message, &auth.forged);
        let summary = Summary::parse(&message);
        let verdict = self.judge(&message, &summary, &auth, &transaction);
        if let Action::Reject { text } = &verdict.action {
            tracing::info!(
                session = %self.id, message = id, score = verdict.score,
                from = %transaction.from, reason = text.as_ref(), "message rejected"
            );
            self.count(Fate::Rejected);
            return Err(Reply::new(550, EnhancedCode(5, 7, 1), text.clone()));
        }
        let standing = match auth.spf.result {
            mailauth::Outcome::Pass => SenderStanding::Verified,
            _ => SenderStanding::Unverified,
        };
        let mut fields = auth.header.clone().into_bytes();
        fields.extend_from_slice(verdict.header().as_bytes());
        let mut origin = self.origin(id, &transaction, standing, fields);
        if let Some(client) = &mut origin.client {
            client.name = auth.iprev.name.clone();
        }
        let message = message.into();
        Ok(Accepted {
            transaction,
            message,
            summary,
            origin,
            verdict: Some(verdict),
        })
    }

    fn judge(
        &self,
        message: &[u8],
        summary: &Summary,
        auth: &AuthResults,
        transaction: &Transaction,
    ) -> Verdict {
        let helo = self.helo();
        let recipients: Vec<_> = transaction
            .local
            .iter()
            .map(|recipient| recipient.original.clone())
            .collect();
        let input = filter::Input {
            raw: message,
            summary,
            auth,
            ip: self.peer.ip(),
            helo: &helo,
            from: &transaction.from,
            recipients: &recipients,
            origin: filter::Origin::Outside,
        };
        self.server.filter.evaluate(&input)
    }

    /// How the message came in, for the Received field.
    pub(crate) fn origin(
        &self,
        id: &str,
        transaction: &Transaction,
        sender: SenderStanding,
        fields: Vec<u8>,
    ) -> Origin {
        let hello = self.hello.as_ref();
        let tls = self.io.stream.session();
        // A user's own address and device are nobody's business.
        let client = (self.role != Role::Submission).then(|| queue::Client {
            helo: self.helo(),
            address: self.peer.ip(),
            name: None,
        });
        Origin {
            id: id.to_owned(),
            client,
            with: transport(
                hello.is_some_and(|hello| hello.extended),
                tls.is_some(),
                self.identity.is_some(),
                transaction.smtputf8,
            ),
            tls: tls.map(|tls| format!("{} {}", tls.protocol, tls.cipher)),
            account: self.identity.as_ref().map(|identity| identity.account),
            sender,
            fields,
        }
    }

    /// Hands the message over. `250` follows the fsync: [`queue::Queue::accept`] returns when the
    /// transaction with every local copy and every queue entry is on disk.
    async fn accept(&mut self, id: &str, accepted: Accepted) -> Reply {
        let Accepted {
            transaction,
            message,
            summary,
            origin,
            verdict,
        } = accepted;
        let size = message.len();
        let staged = match self.server.db.blobs().stage(message.clone()).await {
            Ok(staged) => staged,
            Err(error) => {
                self.count(Fate::Deferred);
                return refusal::store(&self.id, &error);
            }
        };
        let mut recipients = Vec::with_capacity(transaction.local.len() + transaction.remote.len());
        recipients.extend(transaction.local.into_iter().map(|recipient| {
            let mailbox = mailbox_for(verdict.as_ref(), &recipient.original);
            RoutedRecipient::Local { recipient, mailbox }
        }));
        recipients.extend(
            transaction
                .remote
                .into_iter()
                .map(|(address, original)| RoutedRecipient::Remote { address, original }),
        );
        let count = recipients.len();
        let submission = Submission {
            message,
            staged,
            origin,
            from: transaction.from.clone(),
            recipients,
            summary,
        };
        match self.server.queue.accept(submission).await {
            Ok(_) => {
                self.accepted += 1;
                self.server
                    .metrics
                    .bytes
                    .inc_by(u64::try_from(size).unwrap_or(u64::MAX));
                let junk = verdict
                    .as_ref()
                    .is_some_and(|verdict| verdict.action == Action::Junk);
                self.count(if junk { Fate::Junk } else { Fate::Accepted });
                tracing::info!(
                    session = %self.id, message = id, from = %transaction.from, size,
                    recipients = count, junk, score = verdict.map(|verdict| verdict.score),
                    "message accepted"
                );
                Reply::new(250, EnhancedCode(2, 0, 0), format!("OK {id}"))
            }
            Err(error) => {
                self.count(Fate::Deferred);
                refusal::queue(&self.id, &error)
            }
        }
    }

    fn count(&self, verdict: Fate) {
        let label = ByFate {
            listener: self.role.into(),
            verdict,
        };
        self.server.metrics.messages.get_or_create(&label).inc();
    }
}

/// Where a recipient's copy goes.
fn mailbox_for(verdict: Option<&Verdict>, recipient: &Address) -> mail::Role {
    match verdict.map(|verdict| verdict.action_for(recipient)) {
        Some(Action::Junk) => mail::Role::Junk,
        _ => mail::Role::Inbox,
    }
}

/// `message` without `ranges`, which are in order and do not overlap.
fn without(message: Vec<u8>, ranges: &[std::ops::Range<usize>]) -> Vec<u8> {
    if ranges.is_empty() {
        return message;
    }
    let mut kept = Vec::with_capacity(message.len());
    let mut start = 0;
    for range in ranges {
        kept.extend_from_slice(message.get(start..range.start).unwrap_or_default());
        start = range.end;
    }
    kept.extend_from_slice(message.get(start..).unwrap_or_default());
    kept
}

/// RFC 3848, RFC 6531 §4.3: the protocol's registered name.
fn transport(extended: bool, tls: bool, authenticated: bool, smtputf8: bool) -> Transport {
    match (extended, smtputf8, tls, authenticated) {
        (false, ..) => Transport::Smtp,
        (true, false, false, false) => Transport::Esmtp,
        (true, false, true, false) => Transport::Esmtps,
        (true, false, false, true) => Transport::Esmtpa,
        (true, false, true, true) => Transport::Esmtpsa,
        (true, true, false, false) => Transport::Utf8Smtp,
        (true, true, true, false) => Transport::Utf8Smtps,
        (true, true, false, true) => Transport::Utf8Smtpa,
        (true, true, true, true) => Transport::Utf8Smtpsa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_out() {
        assert_eq!(without(b"0123456789".to_vec(), &[0..2, 5..6]), b"2346789");
        assert_eq!(without(b"0123".to_vec(), &[]), b"0123");
        assert_eq!(without(b"0123".to_vec(), &[0..1, 2..9]), b"1");
    }
}
