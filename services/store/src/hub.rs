//! Change notification: who waits for what, and what the writer tells them.
//!
//! A watch holds the newest value only: it never overflows, and nothing is lost, because the truth
//! is in the database and a woken reader asks it for everything since its own state.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::AccountId;

/// Something a committed transaction changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An account's mail; `modseq` is the one the transaction took.
    Mail {
        /// Whose mail.
        account: AccountId,
        /// Greater than every earlier one of the account.
        modseq: u64,
    },
    /// The queue has something new to do or to show.
    Queue,
    /// Domains, accounts, aliases, credentials or keys: caches of them are stale.
    Directory,
    /// What is said about filtering: lists, maps, thresholds and rules in memory are stale.
    Policy,
    /// There is something to do in the background.
    Task,
}

/// The place where changes are announced. A change is visible to new reads before it is announced,
/// and announced before the write that made it returns.
#[derive(Debug)]
pub struct Hub {
    accounts: Mutex<HashMap<AccountId, watch::Sender<u64>>>,
    queue: watch::Sender<u64>,
    directory: watch::Sender<u64>,
    policy: watch::Sender<u64>,
    task: watch::Sender<u64>,
}

/// Watches nobody holds any more are dropped when a new one finds this many.
const PRUNE_AT: usize = 1_024;

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            accounts: Mutex::default(),
            queue: watch::Sender::new(0),
            directory: watch::Sender::new(0),
            policy: watch::Sender::new(0),
            task: watch::Sender::new(0),
        }
    }

    /// The modseq of the account's newest change since somebody has watched it, 0 before the first.
    /// Subscribe first, then read the state: no change can fall between.
    #[must_use]
    pub fn watch_account(&self, account: AccountId) -> watch::Receiver<u64> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= PRUNE_AT && accounts.len().is_power_of_two() {
            accounts.retain(|_, sender| sender.receiver_count() > 0);
        }
        accounts
            .entry(account)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Counts the commits that gave the queue something to do.
    #[must_use]
    pub fn queue(&self) -> watch::Receiver<u64> {
        self.queue.subscribe()
    }

    /// The generation of the directory: a cache is valid as long as this has not changed.
    #[must_use]
    pub fn directory(&self) -> watch::Receiver<u64> {
        self.directory.subscribe()
    }

    /// Counts the commits that changed what is said about filtering.
    #[must_use]
    pub fn policy(&self) -> watch::Receiver<u64> {
        self.policy.subscribe()
    }

    /// Counts the commits that left something to do in the background.
    #[must_use]
    pub fn task(&self) -> watch::Receiver<u64> {
        self.task.subscribe()
    }

    pub(crate) fn publish(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            match *event {
                Event::Mail { account, modseq } => {
                    if let Entry::Occupied(entry) = accounts.entry(account) {
                        if entry.get().receiver_count() == 0 {
                            entry.remove();
                        } else {
                            entry.get().send_if_modified(|newest| raise(newest, modseq));
                        }
                    }
                }
                Event::Queue => self
                    .queue
                    .send_modify(|count| *count = count.wrapping_add(1)),
                Event::Directory => {
                    self.directory
                        .send_modify(|count| *count = count.wrapping_add(1));
                }
                Event::Policy => self
                    .policy
                    .send_modify(|count| *count = count.wrapping_add(1)),
                Event::Task => self
                    .task
                    .send_modify(|count| *count = count.wrapping_add(1)),
            }
        }
    }
}

fn raise(newest: &mut u64, modseq: u64) -> bool {
    let raised = modseq > *newest;
    if raised {
        *newest = modseq;
    }
    raised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_see_the_greatest_modseq_of_their_account_only() {
        let hub = Hub::new();
        let mut one = hub.watch_account(AccountId(1));
        let two = hub.watch_account(AccountId(2));
        let mail = |modseq| Event::Mail {
            account: AccountId(1),
            modseq,
        };
        hub.publish(&[mail(7), mail(5)]);
        assert_eq!(*one.borrow_and_update(), 7);
        hub.publish(&[mail(6)]);
        assert!(!one.has_changed().unwrap());
        assert!(!two.has_changed().unwrap());
    }

    #[test]
    fn queue_directory_and_policy_are_announced_each_on_its_own() {
        let hub = Hub::new();
        let mut watches = [hub.queue(), hub.directory(), hub.policy()];
        let events = [Event::Queue, Event::Directory, Event::Policy];
        for (number, event) in events.into_iter().enumerate() {
            hub.publish(&[event]);
            for (other, watch) in watches.iter_mut().enumerate() {
                assert_eq!(watch.has_changed().unwrap(), other == number, "{event:?}");
                watch.mark_unchanged();
            }
        }
    }

    #[test]
    fn watches_without_a_holder_are_forgotten() {
        let hub = Hub::new();
        drop(hub.watch_account(AccountId(1)));
        hub.publish(&[Event::Mail {
            account: AccountId(1),
            modseq: 1,
        }]);
        assert!(hub.accounts.lock().unwrap().is_empty());
        for id in 0..5_000 {
            drop(hub.watch_account(AccountId(id)));
        }
        assert!(hub.accounts.lock().unwrap().len() <= PRUNE_AT + 1);
    }
}
