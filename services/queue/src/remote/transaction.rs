//! One message on an open session: MAIL, RCPT, DATA, the dot, and a verdict for every recipient.
//!
//! MAIL and RCPT are pipelined where the server allows it; DATA is not, because whether to send it
//! depends on their replies. Start at [`Session::send`].

use std::fmt::Write as _;

use smtp::{Address, EnhancedCode, Reply, ReversePath};

use super::Session;
use crate::failure::{Elsewhere, Failure};

/// Commands sent without waiting: few enough that their replies fit in any socket buffer (RFC 2920
/// §3.1 warns of both sides waiting for the other to read).
const PIPELINE: usize = 50;
/// Octets of the message per write, each under the timeout for a block.
const BLOCK: usize = 64 * 1_024;

/// What MAIL has to say about a message.
pub(crate) struct Envelope<'a> {
    pub(crate) sender: &'a ReversePath,
    /// Octets of the message before dot-stuffing (RFC 1870 §6).
    pub(crate) size: u64,
    /// Whether the message has octets above 127.
    pub(crate) eightbit: bool,
    /// Whether its header or its sender is not ASCII.
    pub(crate) utf8: bool,
}

/// What became of one recipient.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The server has taken the message for this recipient; its reply to the final dot.
    Delivered(Reply),
    /// It has not.
    Failed(Failure),
    /// The server takes fewer recipients at a time: send the message again for this one.
    Again,
}

impl Session {
    /// Hands `data` (dot-stuffed, with its final dot) over for `recipients`; one outcome for each,
    /// in their order. Afterwards the session may have become unusable.
    pub(crate) async fn send(
        &mut self,
        envelope: &Envelope<'_>,
        recipients: &[&Address],
        data: &[u8],
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = recipients
            .iter()
            .map(|recipient| self.refuse(envelope, recipient))
            .collect();
        let open: Vec<(usize, &Address)> = recipients
            .iter()
            .enumerate()
            .filter(|(index, _)| outcomes.get(*index).is_some_and(Option::is_none))
            .map(|(index, recipient)| (index, *recipient))
            .collect();
        if !open.is_empty() {
            let result = self.transact(envelope, &open, data, &mut outcomes).await;
            // What has no verdict of its own shares the failure that ended the transaction.
            let rest = match result {
                Ok(reply) => Outcome::Delivered(reply),
                Err(failure) => Outcome::Failed(failure),
            };
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
                *outcome = Some(rest.clone());
            }
        }
        outcomes.into_iter().flatten().collect()
    }

    /// What needs no question, because the server has announced what it cannot take.
    fn refuse(&self, envelope: &Envelope<'_>, recipient: &Address) -> Option<Outcome> {
        let extensions = &self.extensions;
        let failure = if !extensions.fits(envelope.size) {
            // RFC 1870 §6.1: X.3.4, message too big for system.
            let limit = extensions.size.unwrap_or_default();
            let text = format!("the server takes messages of at most {limit} octets");
            Failure::permanent(3, 4, text)
        } else if !extensions.smtputf8 && (envelope.utf8 || !recipient.is_ascii()) {
            // RFC 6531 §3.5: mail that needs the extension is not sent without it: X.6.7.
            Failure::permanent(
                6,
                7,
                "the server does not support internationalised mail (SMTPUTF8)",
            )
        } else {
            return None;
        };
        Some(Outcome::Failed(failure.at(self.host())))
    }

    /// The transaction itself. Recipients with a verdict of their own get it in `outcomes`; the
    /// result is that of the others.
    async fn transact(
        &mut self,
        envelope: &Envelope<'_>,
        recipients: &[(usize, &Address)],
        data: &[u8],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<Reply, Failure> {
        self.transactions = self.transactions.saturating_add(1);
        self.expect_silence()?;
        let accepted = self.announce(envelope, recipients, outcomes).await?;
        if accepted == 0 {
            return Err(self
                .abandon(Failure::temporary(5, 0, "no recipient was accepted"))
                .await);
        }
        let reply = self.command("DATA", self.timeouts.data).await?;
        if reply.code() != 354 {
            let failure = Failure::from_reply(reply, "the message").at(self.host());
            return Err(self.abandon(failure).await);
        }
        self.send_data(data).await?;
        // The server may have taken the message and died: asking another one now could only
        // deliver it twice sooner (RFC 1047).
        let reply = self
            .reply(self.timeouts.final_dot)
            .await
            .map_err(|failure| failure.with(Elsewhere::Final))?;
        if reply.is_positive() {
            return Ok(reply);
        }
        Err(Failure::from_reply(reply, "the message").at(self.host()))
    }

    /// MAIL and all RCPT commands. Returns how many recipients the server accepted.
    async fn announce(
        &mut self,
        envelope: &Envelope<'_>,
        recipients: &[(usize, &Address)],
        outcomes: &mut [Option<Outcome>],
    ) -> Result<usize, Failure> {
        let group = if self.extensions.pipelining {
            PIPELINE
        } else {
            1
        };
        let mut batch = self.mail_command(envelope, recipients);
        let mut wait_for_mail = true;
        let mut accepted = 0;
        let mut rest = recipients;
        while wait_for_mail || !rest.is_empty() {
            // Without pipelining MAIL stands alone in the first batch.
            let count = if group == 1 && wait_for_mail {
                0
            } else {
                group.min(rest.len())
            };
            let (now, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            for (_, recipient) in now {
                // Writing to a String does not fail.
                write!(batch, "RCPT TO:<{recipient}>\r\n").ok();
            }
            self.write(batch.as_bytes(), self.timeouts.mail).await?;
            batch.clear();
            rest = later;
            let mut refused = None;
            if std::mem::take(&mut wait_for_mail) {
                let reply = self.reply(self.timeouts.mail).await?;
                refused = (!reply.is_positive())
                    .then(|| Failure::from_reply(reply, "the sender").at(self.host()));
            }
            for (index, _) in now {
                let reply = match self.reply(self.timeouts.rcpt).await {
                    Ok(reply) => reply,
                    // A server that says 421 to MAIL need not answer the rest.
                    Err(failure) => return Err(refused.unwrap_or(failure)),
                };
                if refused.is_some() {
                    continue; // RFC 2920 §3.1: the replies to what was pipelined still come.
                }
                let verdict = self.judge_recipient(reply, accepted);
                accepted += usize::from(verdict.is_none());
                if let Some(outcome) = outcomes.get_mut(*index) {
                    *outcome = verdict;
                }
            }
            if let Some(failure) = refused {
                return Err(self.abandon(failure).await);
            }
        }
        Ok(accepted)
    }

    fn mail_command(&self, envelope: &Envelope<'_>, recipients: &[(usize, &Address)]) -> String {
        let mut line = format!("MAIL FROM:{}", envelope.sender);
        if self.extensions.size.is_some() {
            write!(line, " SIZE={}", envelope.size).ok();
        }
        // RFC 6152 §3: declare eight-bit content. TODO RFC 6152 §3: convert it to seven bits for
        // servers without the extension; until then it goes out as it is, which they mostly take.
        if self.extensions.eightbitmime && envelope.eightbit {
            line.push_str(" BODY=8BITMIME");
        }
        if envelope.utf8
            || recipients
                .iter()
                .any(|(_, recipient)| !recipient.is_ascii())
        {
            line.push_str(" SMTPUTF8");
        }
        line.push_str("\r\n");
        line
    }

    /// `None` when the recipient was accepted.
    fn judge_recipient(&self, reply: Reply, accepted: usize) -> Option<Outcome> {
        if reply.is_positive() {
            return None;
        }
        // RFC 5321 §4.5.3.1.10: too many recipients is 452, and 552 in older servers; those left
        // over are sent in a further transaction.
        let too_many = reply.code() == 452
            || reply.code() == 552 && matches!(reply.enhanced(), Some(EnhancedCode(4 | 5, 5, 3)));
        if too_many && accepted > 0 {
            return Some(Outcome::Again);
        }
        Some(Outcome::Failed(
            Failure::from_reply(reply, "the recipient").at(self.host()),
        ))
    }

    /// Sends the content block by block.
    async fn send_data(&mut self, data: &[u8]) -> Result<(), Failure> {
        let mut blocks = data.chunks(BLOCK).peekable();
        while let Some(block) = blocks.next() {
            let Err(failure) = self.write(block, self.timeouts.block).await else {
                continue;
            };
            // A server that gives up in the middle often says why before it closes.
            if let Ok(reply) = self.reply(self.timeouts.quit).await {
                self.usable = false;
                if !reply.is_positive() {
                    return Err(Failure::from_reply(reply, "the message").at(self.host()));
                }
            }
            // With the last block the dot may have arrived.
            let last = blocks.peek().is_none();
            return Err(if last {
                failure.with(Elsewhere::Final)
            } else {
                failure
            });
        }
        Ok(())
    }

    /// Clears the transaction, so that the session can be used again, and passes `failure` on.
    async fn abandon(&mut self, failure: Failure) -> Failure {
        if self.is_usable() {
            // A failure marks the session unusable, which is all that follows from it.
            self.reset().await.ok();
        }
        failure
    }
}
