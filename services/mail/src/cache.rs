//! Snapshots of mailboxes opened lately, shared by sessions.
//!
//! Not a source of truth: whoever takes a snapshot from here brings it up to date with the
//! database first. Bounded by the number of entries; the one unused for longest goes first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{MailboxId, Snapshot};

/// Entries kept in all, 24 octets each: room for a mailbox of a million beside others.
const MAX_ENTRIES: usize = 2_000_000;

/// A mailbox counts as this many entries more than it has.
const OVERHEAD: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    snapshots: HashMap<MailboxId, Kept>,
    /// Entries of all, with their overhead.
    weight: usize,
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    snapshot: Arc<Snapshot>,
    used: u64,
}

fn weight(snapshot: &Snapshot) -> usize {
    snapshot.entries().len() + OVERHEAD
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest snapshot kept of a mailbox.
    pub(crate) fn get(&self, mailbox: MailboxId) -> Option<Arc<Snapshot>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let kept = inner.snapshots.get_mut(&mailbox)?;
        kept.used = clock;
        Some(Arc::clone(&kept.snapshot))
    }

    /// Keeps a snapshot unless a newer one is there; answers the one that is kept, so that equal
    /// ones become one.
    pub(crate) fn put(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let mailbox = snapshot.mailbox();
        let mut inner = self.lock();
        if let Some(kept) = inner.snapshots.get(&mailbox)
            && kept.snapshot.highest_modseq() >= snapshot.highest_modseq()
        {
            let same = kept.snapshot.highest_modseq() == snapshot.highest_modseq();
            return if same {
                Arc::clone(&kept.snapshot)
            } else {
                snapshot
            };
        }
        inner.remove(mailbox);
        if weight(&snapshot) <= MAX_ENTRIES {
            inner.make_room(weight(&snapshot));
            inner.clock += 1;
            inner.weight += weight(&snapshot);
            let used = inner.clock;
            inner.snapshots.insert(
                mailbox,
                Kept {
                    snapshot: Arc::clone(&snapshot),
                    used,
                },
            );
        }
        snapshot
    }

    /// Gives up this very snapshot, so that its holder may change it without a copy.
    pub(crate) fn release(&self, snapshot: &Arc<Snapshot>) {
        let mut inner = self.lock();
        let mailbox = snapshot.mailbox();
        if inner
            .snapshots
            .get(&mailbox)
            .is_some_and(|kept| Arc::ptr_eq(&kept.snapshot, snapshot))
        {
            inner.remove(mailbox);
        }
    }

    /// Forgets a mailbox that is gone.
    pub(crate) fn forget(&self, mailbox: MailboxId) {
        self.lock().remove(mailbox);
    }
}

impl Inner {
    fn remove(&mut self, mailbox: MailboxId) {
        if let Some(kept) = self.snapshots.remove(&mailbox) {
            self.weight -= weight(&kept.snapshot);
        }
    }

    fn make_room(&mut self, wanted: usize) {
        while self.weight + wanted > MAX_ENTRIES {
            let oldest = self.snapshots.iter().min_by_key(|(_, kept)| kept.used);
            let Some(mailbox) = oldest.map(|(mailbox, _)| *mailbox) else {
                return;
            };
            self.remove(mailbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_of_a_million_is_kept_beside_others() {
        let cache = Cache::default();
        let (large, small) = (MailboxId(1), MailboxId(2));
        cache.put(Arc::new(Snapshot::of_length(large, 1_000_001)));
        cache.put(Arc::new(Snapshot::of_length(small, 100_000)));
        assert!(cache.get(large).is_some());
        assert!(cache.get(small).is_some());
        let most = Snapshot::of_length(MailboxId(3), MAX_ENTRIES - OVERHEAD);
        cache.put(Arc::new(most));
        assert!(cache.get(large).is_none() && cache.get(small).is_none());
    }
}
