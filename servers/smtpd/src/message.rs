//! DATA: reception, verification, filter, acceptance.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use filter::record::PackedRecord;
use filter::{Action, Input, Judged, Recipient, Record};
use mime::Summary;
use queue::{Companion, Origin, RoutedRecipient, SenderStanding, Submission, Transport};
use smtp::data::DataDecoder;
use smtp::{EnhancedCode, Reply};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::copies::Copies;
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
    /// What the filter was asked and said; mail over LMTP was not asked about.
    pub(crate) judged: Option<(Input, Judged)>,
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
                    judged: None,
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
        let message = Bytes::from(without(message, &auth.forged));
        let input = Input {
            summary: Arc::new(Summary::parse(&message)),
            raw: message,
            auth: Arc::new(auth),
            ip: self.peer.ip(),
            helo,
            from: transaction.from.clone(),
            recipients: recipients_of(&transaction),
            origin: filter::Origin::Outside,
            account: None,
            received_at: None,
        };
        let judged = self.judge(id, &input).await?;
        let auth = &input.auth;
        let standing = match auth.spf.result {
            mailauth::Outcome::Pass => SenderStanding::Verified,
            _ => SenderStanding::Unverified,
        };
        let mut fields = auth.header.clone().into_bytes();
        fields.extend_from_slice(judged.verdict.header().as_bytes());
        let mut origin = self.origin(id, &transaction, standing, fields);
        if let Some(client) = &mut origin.client {
            client.name = auth.iprev.name.clone();
        }
        Ok(Accepted {
            transaction,
            message: input.raw.clone(),
            summary: Summary::clone(&input.summary),
            origin,
            judged: Some((input, judged)),
        })
    }

    /// Asks the filter; an error is the answer to a message that is not accepted. What was decided
    /// is written down either way: here, or with the message.
    pub(crate) async fn judge(&mut self, id: &str, input: &Input) -> Result<Judged, Reply> {
        let judged = self.server.filter.judge(input).await;
        let verdict = &judged.verdict;
        let (fate, reply) = match &verdict.action {
            Action::Reject { text } => (
                Fate::Rejected,
                Reply::new(550, EnhancedCode(5, 7, 1), text.clone()),
            ),
            Action::Greylist => (Fate::Deferred, refusal::greylisted()),
            _ if judged.must_wait => (Fate::Deferred, refusal::later()),
            _ => return Ok(judged),
        };
        if !judged.is_quiet {
            tracing::info!(
                session = %self.id, message = id, score = %points(verdict.score), from = %input.from,
                action = verdict.action.name(), reply = reply.code(), "message not accepted"
            );
            let record = Record::new(id, self.server.clock.now(), input, verdict).packed();
            let written = self.server.db.write(move |tx| record.write(tx)).await;
            if let Err(error) = written {
                tracing::warn!(session = %self.id, %error, "a verdict could not be written down");
            }
        }
        self.count(fate);
        self.server.filter.settle(judged);
        Err(reply)
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
            judged,
        } = accepted;
        let copies = Copies::plan(
            &self.server.policy.snapshot(),
            &transaction,
            judged.as_ref(),
        );
        let (message, summary) = copies.rewritten(message, summary);
        let size = message.len();
        let staged = match self.server.db.blobs().stage(message.clone()).await {
            Ok(staged) => staged,
            Err(error) => {
                self.count(Fate::Deferred);
                return refusal::store(&self.id, &error);
            }
        };
        let now = self.server.clock.now();
        let record = judged
            .as_ref()
            .filter(|(_, judged)| !judged.is_quiet)
            .map(|(input, judged)| Record::new(id, now, input, &judged.verdict).packed());
        let mut recipients = copies.local;
        recipients.extend(
            transaction
                .remote
                .into_iter()
                .map(|(address, original)| RoutedRecipient::Remote { address, original }),
        );
        let count = recipients.len();
        if count == 0 {
            // Nobody wants it, and the sender need not know.
            return self.forgo(id, record, judged).await;
        }
        let submission = Submission {
            message,
            staged,
            origin,
            from: transaction.from.clone(),
            recipients,
            summary,
            companion: record.map(|record| Companion::new(move |tx| record.write(tx))),
        };
        match self.server.queue.accept(submission).await {
            Ok(_) => {
                self.accepted += 1;
                self.proved();
                self.server
                    .metrics
                    .bytes
                    .inc_by(u64::try_from(size).unwrap_or(u64::MAX));
                let verdict = judged.as_ref().map(|(_, judged)| &judged.verdict);
                let junk = verdict.is_some_and(filter::Verdict::is_spam);
                self.count(if junk { Fate::Junk } else { Fate::Accepted });
                tracing::info!(
                    session = %self.id, message = id, from = %transaction.from, size,
                    recipients = count, junk,
                    score = verdict.map(|verdict| points(verdict.score)),
                    "message accepted"
                );
                if let Some((_, judged)) = judged {
                    self.server.filter.settle(judged);
                }
                Reply::new(250, EnhancedCode(2, 0, 0), format!("OK {id}"))
            }
            Err(error) => {
                self.count(Fate::Deferred);
                refusal::queue(&self.id, &error)
            }
        }
    }

    /// Takes a message that is thrown away: only what was decided is kept.
    async fn forgo(
        &mut self,
        id: &str,
        record: Option<PackedRecord>,
        judged: Option<(Input, Judged)>,
    ) -> Reply {
        if let Some(record) = record {
            let written = self.server.db.write(move |tx| record.write(tx)).await;
            if let Err(error) = written {
                self.count(Fate::Deferred);
                return refusal::store(&self.id, &error);
            }
        }
        self.accepted += 1;
        self.count(Fate::Discarded);
        tracing::info!(session = %self.id, message = id, "message discarded");
        if let Some((_, judged)) = judged {
            self.server.filter.settle(judged);
        }
        Reply::new(250, EnhancedCode(2, 0, 0), format!("OK {id}"))
    }

    fn count(&self, verdict: Fate) {
        let label = ByFate {
            listener: self.role.into(),
            verdict,
        };
        self.server.metrics.messages.get_or_create(&label).inc();
    }
}

/// A score as people write it.
fn points(score: f32) -> String {
    format!("{score:.2}")
}

/// The recipients as the filter knows them: the local ones, whose wishes count.
pub(crate) fn recipients_of(transaction: &Transaction) -> Vec<Recipient> {
    let local = transaction.local.iter().map(|recipient| Recipient {
        address: recipient.original.clone(),
        account: Some(recipient.account),
        domain: Some(recipient.domain),
    });
    let remote = transaction
        .remote
        .iter()
        .map(|(_, original)| Recipient::new(original.clone()));
    local.chain(remote).collect()
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
