//! Sessions that send, and mailboxes that fill.

use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{mismatch, recipient};
use crate::client::imap::Imap;
use crate::client::smtp::Smtp;
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::process::{cpu_seconds, memory_mib};
use crate::servers::Server;
use crate::stage::pause;

/// A sender says goodbye after so many messages and connects again.
const MESSAGES_PER_CONNECTION: usize = 50;
/// How long the last message may take to its mailbox.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);
/// What follows a delivery (queue files removed, log lines written) still belongs to its cost.
const AFTERMATH: Duration = Duration::from_millis(300);
const MEMORY_INTERVAL: Duration = Duration::from_millis(200);

/// One message with its envelope.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: Vec<u8>,
    account: usize,
}

/// The messages of each session.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) sessions: Vec<Vec<Message>>,
    accounts: usize,
}

/// How a load went: seconds until the last 250, until the last message was in its mailbox, and of
/// CPU time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    pub(super) accepted: f64,
    pub(super) delivered: f64,
    pub(super) cpu: f64,
}

/// An account's INBOX, and how many messages it must come to hold.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) account: String,
    pub(super) imap: Imap,
    pub(super) given: u64,
}

impl Load {
    /// Messages with these numbers, dealt out to sessions and accounts in turn.
    pub(super) fn new(
        corpus: &Corpus,
        accounts: &[String],
        sessions: usize,
        numbers: Range<u64>,
    ) -> Self {
        let mut load: Vec<Vec<Message>> = (0..sessions).map(|_| Vec::new()).collect();
        for (position, number) in numbers.enumerate() {
            let (turn, session) = (position / sessions.max(1), position % sessions.max(1));
            // Sessions write to different accounts at a time, each to another in its next turn.
            let account = (turn + session) % accounts.len().max(1);
            let message = Message {
                from: Corpus::sender(number),
                to: recipient(accounts, account),
                text: corpus.delivery(number),
                account,
            };
            if let Some(messages) = load.get_mut(session) {
                messages.push(message);
            }
        }
        Self {
            sessions: load,
            accounts: accounts.len(),
        }
    }

    /// How many messages each account gets.
    pub(super) fn per_account(&self) -> Vec<u64> {
        let mut counts = vec![0; self.accounts];
        for message in self.sessions.iter().flatten() {
            if let Some(count) = counts.get_mut(message.account) {
                *count += 1;
            }
        }
        counts
    }

    /// Sends all and waits until `mailboxes` hold it.
    pub(super) fn flow(&self, server: &Server, mailboxes: &mut [Mailbox]) -> Result<Flow> {
        let before = cpu_seconds(&server.masters);
        let started = Instant::now();
        self.send(server)?;
        let accepted = started.elapsed().as_secs_f64();
        for mailbox in mailboxes {
            mailbox.wait(server)?;
        }
        let delivered = started.elapsed().as_secs_f64();
        pause(AFTERMATH);
        Ok(Flow {
            accepted,
            delivered,
            cpu: cpu_seconds(&server.masters) - before,
        })
    }

    /// Sends all, and the most memory that the server took meanwhile, in MiB.
    pub(super) fn memory(&self, server: &Server, masters: &[u32]) -> Result<f64> {
        let sending = AtomicBool::new(true);
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let sent = self.send(server);
                sending.store(false, Ordering::Release);
                sent
            });
            let mut most = 0.0_f64;
            while sending.load(Ordering::Acquire) {
                pause(MEMORY_INTERVAL);
                most = most.max(memory_mib(masters));
            }
            joined(sender.join()).map(|()| most)
        })
    }

    /// Runs all sessions; returns when each message has its 250.
    fn send(&self, server: &Server) -> Result<()> {
        let barrier = Barrier::new(self.sessions.len());
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .sessions
                .iter()
                .map(|messages| scope.spawn(|| send_session(server, messages, &barrier)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| joined(thread.join()))
        })
    }
}

fn send_session(server: &Server, messages: &[Message], barrier: &Barrier) -> Result<()> {
    barrier.wait();
    for share in messages.chunks(MESSAGES_PER_CONNECTION) {
        let mut smtp = Smtp::connect(smtp_address(server)?)?;
        for message in share {
            smtp.deliver(&message.from, &message.to, &message.text)?;
        }
        smtp.quit()?;
    }
    Ok(())
}

/// Where the server takes mail.
pub(super) fn smtp_address(server: &Server) -> Result<std::net::SocketAddr> {
    server
        .smtp
        .ok_or_else(|| Error::Missing(format!("{} takes no mail", server.name)))
}

/// What a thread returned; a panic goes on here.
fn joined<T>(result: std::thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Mailbox {
    /// Waits until the mailbox holds what it was given; more or less is an error.
    pub(super) fn wait(&mut self, server: &Server) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.imap.messages("INBOX")?;
            if found == self.given {
                return Ok(());
            }
            if found > self.given || Instant::now() > deadline {
                return Err(mismatch(server, &self.account, found, self.given));
            }
            pause(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_dealt_out_once_and_evenly() {
        let accounts: Vec<String> = (0..4).map(|number| format!("user{number}")).collect();
        for sessions in [1, 3, 4] {
            let load = Load::new(&Corpus::new(1), &accounts, sessions, 100..140);
            assert_eq!(load.sessions.len(), sessions);
            assert_eq!(load.sessions.iter().map(Vec::len).sum::<usize>(), 40);
            assert_eq!(load.per_account().iter().sum::<u64>(), 40);
            assert!(
                load.per_account().iter().all(|count| *count > 0),
                "{:?}",
                load.per_account()
            );
            let first = load.sessions.first().unwrap();
            assert!(first.iter().any(|message| message.to != first[0].to));
        }
    }
}
