//! The queue as it should be: who waits for what, and what must come of it.
//!
//! Written from what the queue promises, without its tables: a recipient is somewhere
//! ([`State`]), a round is one attempt for all recipients of a message that are due, and what
//! follows from a round is decided when all its destinations have answered.

use std::collections::BTreeSet;

use super::operation::{Sender, Verdict};
use super::{DELAYS, LEASE, LIFETIME, NOTICE};

/// Where a recipient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waits(Due),
    Held,
    /// In a round that is not over.
    Tried,
    /// In a round that went down with our node.
    Left,
    /// With a node that is dead, until its lease ends.
    Borrowed {
        until: i64,
    },
    Delivered,
    Bounced,
    Cancelled,
}

impl State {
    pub(super) const fn is_end(self) -> bool {
        matches!(self, Self::Delivered | Self::Bounced | Self::Cancelled)
    }
}

/// When the next attempt comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    At(i64),
    /// Deferred in this step: within these bounds, and still to be asked for.
    Within(i64, i64),
}

#[derive(Debug, Clone)]
pub(super) struct Recipient {
    pub(super) address: String,
    pub(super) domain: usize,
    verdicts: Vec<Verdict>,
    /// What the remote server has heard.
    pub(super) tries: usize,
    /// What the queue has begun, whoever it was.
    pub(super) attempts: usize,
    pub(super) state: State,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) held: bool,
    sender: Sender,
    expires_at: i64,
    notice_at: Option<i64>,
    pub(super) recipients: Vec<Recipient>,
}

impl Message {
    pub(super) fn is_queued(&self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| !recipient.state.is_end())
    }
}

/// One attempt for all recipients of a message that were due.
#[derive(Debug, Clone)]
struct Round {
    message: usize,
    /// Positions among the message's recipients, and what they are told.
    recipients: Vec<(usize, Verdict)>,
}

/// What alice should find in her INBOX.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mail {
    /// A report with everyone it names.
    Failed(BTreeSet<String>),
    Delayed(BTreeSet<String>),
    /// A message of hers, by its subject.
    Message(String),
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) now: i64,
    pub(super) running: bool,
    pub(super) gate_open: bool,
    pub(super) messages: Vec<Message>,
    rounds: Vec<Round>,
    pub(super) inbox: Vec<Mail>,
    /// Recipients that were taken although somebody had deleted the message meanwhile.
    pub(super) taken_after_all: BTreeSet<String>,
}

impl Ledger {
    pub(super) fn new(now: i64) -> Self {
        Self {
            now,
            running: true,
            gate_open: true,
            messages: Vec::new(),
            rounds: Vec::new(),
            inbox: Vec::new(),
            taken_after_all: BTreeSet::new(),
        }
    }

    /// Positions of the messages that are still queued.
    pub(super) fn queued(&self) -> Vec<usize> {
        let all = self.messages.iter().enumerate();
        all.filter(|(_, message)| message.is_queued())
            .map(|(at, _)| at)
            .collect()
    }

    pub(super) fn send(
        &mut self,
        id: i64,
        sender: Sender,
        recipients: Vec<(String, usize, Vec<Verdict>)>,
    ) {
        let recipients = recipients
            .into_iter()
            .map(|(address, domain, verdicts)| Recipient {
                address,
                domain,
                verdicts,
                tries: 0,
                attempts: 0,
                state: State::Waits(Due::At(self.now)),
            });
        self.messages.push(Message {
            id,
            held: false,
            sender,
            expires_at: self.now + LIFETIME,
            notice_at: (sender != Sender::Null).then_some(self.now + NOTICE),
            recipients: recipients.collect(),
        });
    }

    pub(super) fn hold(&mut self, message: usize) {
        let message = &mut self.messages[message];
        message.held = true;
        for recipient in &mut message.recipients {
            if matches!(recipient.state, State::Waits(_)) {
                recipient.state = State::Held;
            }
        }
    }

    pub(super) fn release(&mut self, message: usize) {
        self.messages[message].held = false;
        self.make_due(message);
    }

    pub(super) fn retry(&mut self, message: usize) {
        if !self.messages[message].held {
            self.make_due(message);
        }
    }

    fn make_due(&mut self, message: usize) {
        for recipient in &mut self.messages[message].recipients {
            if matches!(recipient.state, State::Waits(_) | State::Held) {
                recipient.state = State::Waits(Due::At(self.now));
            }
        }
    }

    pub(super) fn delete(&mut self, message: usize) {
        for recipient in &mut self.messages[message].recipients {
            if !recipient.state.is_end() {
                recipient.state = State::Cancelled;
            }
        }
    }

    /// Another node, by whose clock it is `early`, claims what is due; says whether there was
    /// anything. What our node left must not be part of the message.
    pub(super) fn borrow(&mut self, message: usize, early: i64) -> bool {
        let message = &mut self.messages[message];
        let mut any = false;
        for recipient in &mut message.recipients {
            let due = match recipient.state {
                State::Waits(Due::At(due)) | State::Borrowed { until: due } => due <= early,
                _ => false,
            };
            if due && message.held {
                recipient.state = State::Held;
            } else if due {
                any = true;
                recipient.attempts += 1;
                recipient.state = State::Borrowed {
                    until: self.now + LEASE,
                };
            }
        }
        any
    }

    /// Our node ends. What it was doing is left as it is, or given back.
    pub(super) fn go_down(&mut self, gives_back: bool) {
        if !self.running {
            return;
        }
        self.running = false;
        for round in std::mem::take(&mut self.rounds) {
            for (at, _) in round.recipients {
                let recipient = &mut self.messages[round.message].recipients[at];
                if recipient.state == State::Tried {
                    recipient.state = State::Left;
                }
            }
        }
        if gives_back {
            self.recover();
        }
    }

    pub(super) fn go_up(&mut self) {
        if !self.running {
            self.running = true;
            self.recover();
        }
    }

    fn recover(&mut self) {
        for message in &mut self.messages {
            for recipient in &mut message.recipients {
                if recipient.state == State::Left {
                    recipient.state = match message.held {
                        true => State::Held,
                        false => State::Waits(Due::At(self.now)),
                    };
                }
            }
        }
    }

    /// Everything the queue does by itself until it waits for time or for the remote server.
    pub(super) fn work(&mut self) {
        if !self.running {
            return;
        }
        if self.gate_open {
            for round in std::mem::take(&mut self.rounds) {
                self.finish(&round);
            }
        }
        for message in 0..self.messages.len() {
            self.begin(message);
        }
    }

    /// Destinations that are being asked for a message with this key. It may be one that was
    /// deleted, whose key the store has given to another one: that one waits as long.
    fn asked(&self, id: i64) -> BTreeSet<usize> {
        let mut asked = BTreeSet::new();
        for round in &self.rounds {
            let message = &self.messages[round.message];
            if message.id == id {
                let recipients = round.recipients.iter();
                asked.extend(recipients.map(|(at, _)| message.recipients[*at].domain));
            }
        }
        asked
    }

    /// Recipients that are due and whose destination is not being asked for this message.
    fn due(&mut self, at: usize) -> Vec<usize> {
        let asked = self.asked(self.messages[at].id);
        let message = &mut self.messages[at];
        let mut due = Vec::new();
        for (at, recipient) in message.recipients.iter_mut().enumerate() {
            let free = !asked.contains(&recipient.domain);
            match recipient.state {
                State::Waits(Due::At(time)) if time <= self.now && free => due.push(at),
                State::Borrowed { until } if until <= self.now && free => {
                    if message.held {
                        recipient.state = State::Held;
                    } else {
                        due.push(at);
                    }
                }
                _ => {}
            }
        }
        due
    }

    fn begin(&mut self, at: usize) {
        let due = self.due(at);
        if due.is_empty() {
            return;
        }
        let mut round = Round {
            message: at,
            recipients: Vec::new(),
        };
        for position in due {
            let recipient = &mut self.messages[at].recipients[position];
            let last = recipient.verdicts.len() - 1;
            let verdict = recipient.verdicts[recipient.tries.min(last)];
            recipient.tries += 1;
            recipient.attempts += 1;
            recipient.state = State::Tried;
            round.recipients.push((position, verdict));
        }
        let taken = round
            .recipients
            .iter()
            .any(|(_, said)| *said == Verdict::Taken);
        if taken && !self.gate_open {
            self.rounds.push(round);
        } else {
            self.finish(&round);
        }
    }

    /// What follows from a round.
    fn finish(&mut self, round: &Round) {
        let message = &mut self.messages[round.message];
        let (mut failed, mut late) = (BTreeSet::new(), BTreeSet::new());
        for (at, verdict) in &round.recipients {
            let recipient = &mut message.recipients[*at];
            if recipient.state != State::Tried {
                if *verdict == Verdict::Taken {
                    self.taken_after_all.insert(recipient.address.clone());
                }
                continue;
            }
            // RFC 5321 §4.5.4.1: it gives up after days, and here after a few attempts at least.
            let too_late = self.now >= message.expires_at && recipient.attempts > DELAYS.len();
            recipient.state = match verdict {
                Verdict::Taken => State::Delivered,
                Verdict::Later if !too_late => {
                    late.insert(recipient.address.clone());
                    let delay = DELAYS[(recipient.attempts - 1).min(DELAYS.len() - 1)];
                    let first = self.now + delay;
                    match message.held {
                        true => State::Held,
                        false => State::Waits(Due::Within(first, first + delay / 8)),
                    }
                }
                Verdict::Later | Verdict::Never => {
                    failed.insert(recipient.address.clone());
                    State::Bounced
                }
            };
        }
        let tells = message.sender == Sender::Alice;
        if !late.is_empty() && message.notice_at.is_some_and(|at| at <= self.now) {
            message.notice_at = None;
            if tells {
                self.inbox.push(Mail::Delayed(late));
            }
        }
        if !failed.is_empty() && tells {
            self.inbox.push(Mail::Failed(failed));
        }
    }
}
