//! One sequence of operations on a real queue and in the ledger, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ambient::Timestamp;

use super::super::rig::Rig;
use super::ledger::{Due, Ledger, Mail, Message, State};
use super::operation::{DOMAINS, Down, Operation, Sender, Verdict};
use super::remote::Remote;
use super::{AHEAD, DELAYS, LEASE, LIFETIME, NOTICE, START};
use crate::table::{self, Lease};
use crate::{
    Error, Held, Place, Queue, QueueEntry, QueueId, QueueRecipient, RecipientState,
    RoutedRecipient, Schedule,
};

/// A message that was kept back.
struct Kept {
    id: i64,
    subject: String,
    created_at: i64,
}

pub(super) struct Run {
    rig: Rig,
    remote: Remote,
    ledger: Ledger,
    quarantine: Vec<Kept>,
    sent: usize,
}

/// What is compared of a queued message: attempts and [`kind`] of state by recipient.
type Shown = BTreeMap<String, (usize, &'static str)>;

impl Run {
    pub(super) async fn new() -> Self {
        let mut rig = Rig::with(|options| {
            options.schedule = Schedule {
                delays: DELAYS.to_vec(),
                lifetime: LIFETIME,
                delay_notice: NOTICE,
            };
            options.limits.lease = LEASE;
            options.limits.per_destination = 1_000;
            let minute = Duration::from_secs(60);
            options.timeouts.data = minute;
            options.timeouts.final_dot = minute;
        })
        .await;
        for domain in DOMAINS {
            rig.domain(domain, "127.0.0.1");
        }
        let remote = Remote::start(rig.socket("127.0.0.1")).await;
        rig.start();
        Self {
            rig,
            remote,
            ledger: Ledger::new(START),
            quarantine: Vec::new(),
            sent: 0,
        }
    }

    pub(super) async fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Send { sender, recipients } => self.send(*sender, recipients).await,
            Operation::Advance { seconds } => {
                self.rig.advance(*seconds);
                self.ledger.now += seconds.cast_signed();
            }
            Operation::Hold { message } => {
                if let Some((at, id)) = self.choose(*message) {
                    self.rig.queue.hold(id).await.unwrap();
                    self.ledger.hold(at);
                }
            }
            Operation::Release { message } => {
                if let Some((at, id)) = self.choose(*message) {
                    self.rig.queue.release(id).await.unwrap();
                    self.ledger.release(at);
                }
            }
            Operation::Retry { message } => {
                if let Some((at, id)) = self.choose(*message) {
                    self.rig.queue.retry(id).await.unwrap();
                    self.ledger.retry(at);
                }
            }
            Operation::Delete { message } => {
                if let Some((at, id)) = self.choose(*message) {
                    self.rig.queue.delete(id).await.unwrap();
                    self.ledger.delete(at);
                }
            }
            Operation::Borrow { message } => self.borrow(*message).await,
            Operation::Gate { open } => {
                self.ledger.gate_open = *open;
                self.remote.set_open(*open);
            }
            Operation::Down(how) => self.go_down(*how).await,
            Operation::Up => self.go_up(),
            Operation::Quarantine => self.quarantine().await,
            Operation::ReleaseQuarantined { at } => self.release_quarantined(*at).await,
            Operation::DeleteQuarantined { at } => self.delete_quarantined(*at).await,
            Operation::PurgeQuarantine => self.purge_quarantine().await,
        }
        self.ledger.work();
        self.compare().await;
    }

    /// Lets everything come to its end: nothing may be left, and everybody has ended once.
    pub(super) async fn end(mut self) {
        self.step(&Operation::Gate { open: true }).await;
        self.step(&Operation::Up).await;
        for at in self.ledger.queued() {
            let id = QueueId(self.ledger.messages[at].id);
            self.rig.queue.release(id).await.unwrap();
            self.ledger.release(at);
            self.ledger.work();
            self.compare().await;
        }
        while !self.ledger.queued().is_empty() {
            let seconds = LIFETIME.unsigned_abs();
            self.step(&Operation::Advance { seconds }).await;
        }
        assert_eq!(self.rig.queue.count().await.unwrap(), 0);
        self.rig.stop().await;
        let report = self.rig.db.fsck().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let mail = mail::Mail::new(self.rig.db.clone());
        assert!(mail.fsck().await.unwrap().is_empty());
    }

    /// One of the messages that are queued.
    fn choose(&self, message: usize) -> Option<(usize, QueueId)> {
        let queued = self.ledger.queued();
        let at = *queued.get(message.checked_rem(queued.len())?)?;
        Some((at, QueueId(self.ledger.messages[at].id)))
    }

    async fn send(&mut self, sender: Sender, recipients: &[(Vec<Verdict>, usize)]) {
        let mut named = Vec::new();
        for (verdicts, domain) in recipients {
            self.sent += 1;
            let letters: String = verdicts.iter().map(|verdict| verdict.letter()).collect();
            let address = format!("{letters}.{}@{}", self.sent, DOMAINS[*domain]);
            named.push((address, *domain, verdicts.clone()));
        }
        let to: Vec<&str> = named.iter().map(|(address, ..)| address.as_str()).collect();
        let id = match sender {
            Sender::Alice => self.rig.send(&to).await,
            Sender::Unverified => self.rig.send_unverified("alice@us.test", &to).await,
            Sender::Null => self.rig.send_from("", &to).await,
        };
        self.ledger.send(id.0, sender, named);
    }

    async fn borrow(&mut self, message: usize) {
        let Some((at, id)) = self.choose(message) else {
            return;
        };
        // The end of our node's leases is not the ledger's business.
        let recipients = &self.ledger.messages[at].recipients;
        if recipients.iter().any(|one| one.state == State::Left) {
            return;
        }
        let hops: Vec<String> = DOMAINS.iter().map(|&domain| domain.to_owned()).collect();
        let now = Timestamp(self.ledger.now);
        let (early, lease) = (
            now.plus(AHEAD),
            Lease {
                node: 2,
                until: now.plus(LEASE),
            },
        );
        let claimed = self.rig.db.write::<_, Error, _>(move |tx| {
            table::claim(tx, id, &hops, early, lease).map(|claimed| claimed.is_some())
        });
        let lent = self.ledger.borrow(at, early.0);
        assert_eq!(
            claimed.await.unwrap(),
            lent,
            "what is due can be claimed, and nothing else"
        );
    }

    async fn go_down(&mut self, how: Down) {
        if self.ledger.running {
            match how {
                Down::Stop => self.rig.stop().await,
                Down::Kill | Down::Reopen => self.rig.crash().await,
            }
            self.remote.drop_sessions().await;
        }
        if how == Down::Reopen {
            self.rig.reopen().await;
        }
        self.ledger.go_down(how == Down::Stop);
    }

    fn go_up(&mut self) {
        if !self.ledger.running {
            self.rig.queue = Queue::new(self.rig.options.clone());
            self.rig.start();
            self.ledger.go_up();
        }
    }

    async fn quarantine(&mut self) {
        self.sent += 1;
        let subject = format!("kept {}", self.sent);
        let text = format!("Subject: {subject}\r\n\r\nx\r\n");
        let mut submission = self
            .rig
            .submission("bob@a.test", &["alice@us.test"], &text)
            .await;
        for recipient in &mut submission.recipients {
            if let RoutedRecipient::Local { place, .. } = recipient {
                *place = Place::Quarantine(Held {
                    subject: subject.clone(),
                    score: 9_000,
                });
            }
        }
        let accepted = self.rig.try_accept(submission).await.unwrap();
        assert_eq!((accepted.queue_id, accepted.local), (None, 1));
        let latest = self.rig.queue.quarantined(None, None, 1).await.unwrap();
        self.quarantine.push(Kept {
            id: latest[0].id,
            subject,
            created_at: self.ledger.now,
        });
    }

    fn take_kept(&mut self, at: usize) -> Option<Kept> {
        let at = at.checked_rem(self.quarantine.len())?;
        Some(self.quarantine.remove(at))
    }

    async fn release_quarantined(&mut self, at: usize) {
        if let Some(kept) = self.take_kept(at) {
            let released = self.rig.queue.release_quarantined(kept.id).await.unwrap();
            assert_eq!(released.subject, kept.subject);
            self.ledger.inbox.push(Mail::Message(kept.subject));
            let again = self.rig.queue.release_quarantined(kept.id).await;
            assert!(matches!(again, Err(Error::NotQuarantined(_))));
        }
    }

    async fn delete_quarantined(&mut self, at: usize) {
        if let Some(kept) = self.take_kept(at) {
            self.rig.queue.delete_quarantined(kept.id).await.unwrap();
        }
    }

    async fn purge_quarantine(&mut self) {
        let before = self.ledger.now - 3_600;
        let purged = self.rig.queue.purge_quarantine(Timestamp(before)).await;
        let all = self.quarantine.len();
        self.quarantine.retain(|kept| kept.created_at >= before);
        let expected = all - self.quarantine.len();
        assert_eq!(purged.unwrap(), expected as u64);
    }

    /// Waits until the queue and the remote server are where the ledger has them, then compares
    /// the rest.
    async fn compare(&mut self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let entries = loop {
            let entries = self.rig.queue.list(None, 1_000).await.unwrap();
            let different = self.difference(&entries).await;
            match different {
                None => break entries,
                Some(different) => assert!(tokio::time::Instant::now() < deadline, "{different}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        self.compare_due(&entries);
        self.compare_inbox().await;
        let mut kept: Vec<i64> = self.quarantine.iter().map(|kept| kept.id).collect();
        kept.reverse();
        let shown = self.rig.queue.quarantined(None, None, 1_000).await.unwrap();
        assert_eq!(shown.iter().map(|one| one.id).collect::<Vec<_>>(), kept);
        let errors = std::mem::take(&mut self.remote.seen().errors);
        assert!(errors.is_empty(), "{errors:?}");
    }

    async fn difference(&self, entries: &[QueueEntry]) -> Option<String> {
        let shown: BTreeMap<i64, (bool, Shown)> = entries
            .iter()
            .map(|entry| (entry.id, (entry.held, shown(&entry.recipients))))
            .collect();
        let expected: BTreeMap<i64, (bool, Shown)> = self
            .ledger
            .queued()
            .into_iter()
            .map(|at| &self.ledger.messages[at])
            .map(|message| (message.id, (message.held, expected(message))))
            .collect();
        if shown != expected {
            return Some(format!("shown {shown:?}, expected {expected:?}"));
        }
        let all = || self.ledger.messages.iter().flat_map(|one| &one.recipients);
        let tries: BTreeMap<String, usize> = all()
            .filter(|recipient| recipient.tries > 0)
            .map(|recipient| (recipient.address.clone(), recipient.tries))
            .collect();
        let delivered = all().filter(|recipient| recipient.state == State::Delivered);
        let taken: BTreeMap<String, usize> = delivered
            .map(|recipient| &recipient.address)
            .chain(&self.ledger.taken_after_all)
            .map(|address| (address.clone(), 1))
            .collect();
        {
            let seen = self.remote.seen();
            if seen.tries != tries || seen.taken != taken {
                return Some(format!("{:?}, expected {tries:?} and {taken:?}", *seen));
            }
        }
        let stale = self.ledger.running && self.has_stale_lease().await;
        stale.then(|| "a lease was not renewed".to_owned())
    }

    /// Whether a lease of ours is older than the time after which it is renewed.
    async fn has_stale_lease(&self) -> bool {
        const STALE: &str = "SELECT COUNT(*) FROM queue_rcpt \
            WHERE lease_node = 1 AND lease_until > 0 AND lease_until <= ?1";
        let soon = self.ledger.now + LEASE - LEASE / 3;
        let count = self.rig.db.read::<_, Error, _>(move |reader| {
            Ok(reader.query_one(STALE, &[soon.into()], |row| row.int(0))?)
        });
        count.await.unwrap() != Some(0)
    }

    /// When each is due: where the ledger knows it only within bounds, it learns it here.
    fn compare_due(&mut self, entries: &[QueueEntry]) {
        let due: BTreeMap<&str, i64> = entries
            .iter()
            .flat_map(|entry| &entry.recipients)
            .filter_map(|recipient| match recipient.state {
                RecipientState::Waiting { due_at } => Some((recipient.address.as_str(), due_at)),
                _ => None,
            })
            .collect();
        let messages = self.ledger.messages.iter_mut();
        for recipient in messages.flat_map(|message| &mut message.recipients) {
            let State::Waits(expected) = recipient.state else {
                continue;
            };
            let shown = due[recipient.address.as_str()];
            match expected {
                Due::At(at) => assert_eq!(shown, at, "{}", recipient.address),
                Due::Within(first, last) => assert!((first..=last).contains(&shown)),
            }
            recipient.state = State::Waits(Due::At(shown));
        }
    }

    async fn compare_inbox(&mut self) {
        let mut inbox: Vec<Mail> = self
            .rig
            .inbox(self.rig.alice)
            .await
            .iter()
            .map(|message| read(message))
            .collect();
        inbox.sort();
        self.ledger.inbox.sort();
        assert_eq!(inbox, self.ledger.inbox);
    }
}

/// What a message of the ledger should look like.
fn expected(message: &Message) -> Shown {
    let left = message
        .recipients
        .iter()
        .filter(|recipient| !recipient.state.is_end());
    left.map(|recipient| {
        let kind = match recipient.state {
            State::Waits(_) => "waits",
            State::Held => "held",
            _ => "in delivery",
        };
        (recipient.address.clone(), (recipient.attempts, kind))
    })
    .collect()
}

fn shown(recipients: &[QueueRecipient]) -> Shown {
    let shown = recipients.iter().map(|recipient| {
        let kind = match recipient.state {
            RecipientState::Waiting { .. } => "waits",
            RecipientState::Held => "held",
            RecipientState::InDelivery => "in delivery",
        };
        let attempts = usize::try_from(recipient.attempts).unwrap();
        (recipient.address.clone(), (attempts, kind))
    });
    shown.collect()
}

/// A message in alice's INBOX: a report, or something else by its subject.
fn read(message: &str) -> Mail {
    let fields = |name: &'static str| {
        message
            .lines()
            .filter_map(move |line| line.strip_prefix(name))
    };
    let recipients: BTreeSet<String> = fields("Final-Recipient: rfc822; ")
        .map(str::to_owned)
        .collect();
    let actions: BTreeSet<&str> = fields("Action: ").collect();
    match actions.into_iter().collect::<Vec<_>>().as_slice() {
        [] => Mail::Message(fields("Subject: ").next().unwrap().to_owned()),
        ["failed"] => Mail::Failed(recipients),
        ["delayed"] => Mail::Delayed(recipients),
        other => panic!("a report of {other:?}"),
    }
}
