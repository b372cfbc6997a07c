//! The database in use, replaced while others scan.
//!
//! [`Live::current`] is what scans run on; [`Live::submit`] hands a new set to a thread of its own,
//! which takes the set's database from the [`Store`] or compiles it, reusing what has not changed,
//! and puts it in the old one's place; then it is stored, since a file that can be made again is
//! nothing to wait for. Whoever holds the old one finishes on it.
//! A set that cannot be compiled, and a disk that fails, change nothing for those who scan: the last
//! good database stays, and the [`Ticket`] or [`Live::stored`] says what happened.
//!
//! Sets that arrive while one compiles replace each other: only the newest is compiled, and the
//! tickets of all of them resolve to it.
//!
//! ```text
//! let live = Live::start(Some(Store::open(directory)?), set)?;
//! let revision = live.current();                       // cheap; once for each message
//! revision.database().scope("body")                    // scan
//! live.submit(changed).wait()?                         // from another thread
//! ```

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::store::{Loaded, Store, StoreError, Unusable};
use crate::{Compiled, Compiler, Database, Digest, PatternSet, Refused};

/// The name of the compiling thread.
const THREAD: &str = "patterns";

/// A database that is in use and can be replaced; see the [module](self).
///
/// Dropping it waits for a compilation that runs; sets that wait are not compiled any more.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    first: Arc<Applied>,
    thread: Option<JoinHandle<()>>,
}

/// A database and the number it went live under.
#[derive(Clone, Debug)]
pub struct Revision {
    number: u64,
    database: Database,
}

impl Revision {
    /// One for the first, and greater for each that replaces another.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What to scan with.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }
}

/// How a set went live.
#[derive(Debug)]
pub struct Applied {
    /// The revision that covers the set.
    pub revision: u64,
    /// The digest of the set that was applied: the submitted one, or one that replaced it before it
    /// was its turn.
    pub digest: Digest,
    /// Where the database came from.
    pub origin: Origin,
    /// Patterns that were compiled for it.
    pub compiled: usize,
    /// Patterns that were taken over from a database before it.
    pub reused: usize,
    /// Patterns that are not in it, and why.
    pub refused: Vec<Refused>,
    /// From the start of the work until it was live.
    pub duration: Duration,
    /// What went wrong on the way without keeping the database from going live. Of a set that was
    /// submitted, what went wrong in storing it is told by [`Live::stored`].
    pub troubles: Vec<Trouble>,
}

/// Where a database came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was live already: the set is the same.
    Unchanged,
    /// From the store; nothing was compiled.
    Stored,
    /// From the compiler.
    Compiled,
}

/// What an operator should know although the database is live.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The store had a file that was no good; the set was compiled instead.
    #[error("a stored database was refused and compiled again: {0}")]
    Refused(#[source] Unusable),
    /// It could not be stored: the next start compiles again.
    #[error("the database could not be stored: {0}")]
    NotStored(#[source] StoreError),
    /// What was written cannot be read back: the next start compiles again.
    #[error("the stored database cannot be read back: {0}")]
    NotReadable(#[source] Unusable),
    /// Files of old databases are still there.
    #[error("old databases could not be removed: {0}")]
    NotCleaned(#[source] StoreError),
}

/// Why a set did not go live. The last good database stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The compiler has a fault.
    #[error("the compiler failed: {0}")]
    Compiler(String),
    /// The thread could not be started.
    #[error("no thread to compile on: {0}")]
    Thread(String),
    /// [`Live`] was dropped before the set's turn came.
    #[error("stopped before the patterns were compiled")]
    Stopped,
}

/// What became of a submitted set, as soon as it is known.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Slot>);

/// What a [`Ticket`] resolves to.
pub type Outcome = Result<Arc<Applied>, Failed>;

impl Ticket {
    /// Waits until the set, or a newer one that replaced it, is live or has failed.
    ///
    /// # Errors
    /// Why it has failed.
    pub fn wait(&self) -> Outcome {
        let settled = |outcome: &mut Option<Outcome>| outcome.is_none();
        let outcome = self
            .0
            .settled
            .wait_while(lock(&self.0.outcome), settled)
            .unwrap_or_else(PoisonError::into_inner);
        outcome.clone().unwrap_or(Err(Failed::Stopped))
    }

    /// The same, at most for `timeout`; none when it is not known by then.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Outcome> {
        let settled = |outcome: &mut Option<Outcome>| outcome.is_none();
        let (outcome, _) = self
            .0
            .settled
            .wait_timeout_while(lock(&self.0.outcome), timeout, settled)
            .unwrap_or_else(PoisonError::into_inner);
        outcome.clone()
    }
}

impl Live {
    /// Makes a set's database live, from the store or compiled, and returns then. Without a store
    /// nothing outlives the process.
    ///
    /// # Errors
    /// The compiler failed, or no thread can be started. A store that fails is no error but a
    /// [`Trouble`] of [`first`](Self::first).
    pub fn start(store: Option<Store>, set: PatternSet) -> Result<Self, Failed> {
        let compiler = Compiler::new();
        let compile: Box<Compile> = Box::new(move |set, previous| compiler.compile(set, previous));
        Self::start_with(store, set, compile)
    }

    fn start_with(
        store: Option<Store>,
        set: PatternSet,
        compile: Box<Compile>,
    ) -> Result<Self, Failed> {
        let mut builder = Builder { store, compile };
        let Built {
            revision,
            mut applied,
            unstored,
        } = builder.build_caught(&set, None)?;
        let (mapped, troubles) = builder.keep(&revision, unstored);
        applied.troubles.extend(troubles);
        let revision = mapped.unwrap_or(revision);
        let shared = Arc::new(Shared {
            current: ArcSwap::new(revision),
            queue: Mutex::default(),
            wake: Condvar::new(),
            storing: Mutex::default(),
            stored: Condvar::new(),
        });
        let thread = std::thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run(builder)
            })
            .map_err(|error| Failed::Thread(error.to_string()))?;
        Ok(Self {
            shared,
            first: Arc::new(applied),
            thread: Some(thread),
        })
    }

    /// How the first set went live.
    #[must_use]
    pub fn first(&self) -> Arc<Applied> {
        Arc::clone(&self.first)
    }

    /// The revision in use now. Hold it for one message, not for ever: it keeps its memory.
    #[must_use]
    pub fn current(&self) -> Arc<Revision> {
        self.shared.current.load_full()
    }

    /// Waits until every submitted set is live or has failed and the newest is stored, and says
    /// what went wrong in storing it.
    #[must_use]
    pub fn stored(&self) -> Arc<[Trouble]> {
        let pending = |storing: &mut Storing| storing.settled < storing.submitted;
        let storing = self
            .shared
            .stored
            .wait_while(lock(&self.shared.storing), pending)
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&storing.troubles)
    }

    /// Asks for another set to go live. Of sets that wait, only the newest is compiled.
    pub fn submit(&self, set: PatternSet) -> Ticket {
        let mut queue = lock(&self.shared.queue);
        let slot = match &mut queue.waiting {
            Some(waiting) => {
                waiting.set = set;
                Arc::clone(&waiting.slot)
            }
            None => {
                let slot = Arc::new(Slot::default());
                lock(&self.shared.storing).submitted += 1;
                queue.waiting = Some(Submission {
                    set,
                    slot: Arc::clone(&slot),
                });
                slot
            }
        };
        drop(queue);
        self.shared.wake.notify_one();
        Ticket(slot)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        {
            let mut queue = lock(&self.shared.queue);
            queue.closing = true;
            queue.waiting = None;
        }
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // The thread catches what the compiler does; there is nothing left to report.
            let _ = thread.join();
        }
    }
}

/// What compiles a set, reusing what the given database has.
type Compile = dyn FnMut(&PatternSet, Option<&Database>) -> Compiled + Send;

/// What [`Live`] and its thread share.
struct Shared {
    current: ArcSwap<Revision>,
    queue: Mutex<Queue>,
    wake: Condvar,
    storing: Mutex<Storing>,
    stored: Condvar,
}

/// How far sets have come on their way to the disk.
#[derive(Default)]
struct Storing {
    /// Submissions that were taken; those that replace one that waits are the same.
    submitted: u64,
    /// Of them those that are done with.
    settled: u64,
    troubles: Arc<[Trouble]>,
}

/// A revision and what is left to do about it.
struct Built {
    revision: Arc<Revision>,
    applied: Applied,
    /// It was compiled and is not stored yet; the database that it replaced.
    unstored: Option<Option<Database>>,
}

#[derive(Default)]
struct Queue {
    waiting: Option<Submission>,
    closing: bool,
}

/// A set and those who wait for it. Dropped unsettled, it tells them that nothing comes any more.
struct Submission {
    set: PatternSet,
    slot: Arc<Slot>,
}

impl Drop for Submission {
    fn drop(&mut self) {
        self.slot.settle(Err(Failed::Stopped));
    }
}

#[derive(Debug, Default)]
struct Slot {
    outcome: Mutex<Option<Outcome>>,
    settled: Condvar,
}

impl Slot {
    /// The first outcome counts.
    fn settle(&self, outcome: Outcome) {
        lock(&self.outcome).get_or_insert(outcome);
        self.settled.notify_all();
    }
}

impl Shared {
    /// The thread's life: one submission after the other until [`Live`] is dropped.
    fn run(&self, mut builder: Builder) {
        while let Some(submission) = self.next() {
            let current = self.current.load_full();
            let mut troubles: Arc<[Trouble]> = Arc::default();
            match builder.build_caught(&submission.set, Some(&current)) {
                Ok(built) => {
                    self.current.store(Arc::clone(&built.revision));
                    submission.slot.settle(Ok(Arc::new(built.applied)));
                    let (mapped, found) = builder.keep(&built.revision, built.unstored);
                    if let Some(mapped) = mapped {
                        self.current.store(mapped);
                    }
                    troubles = found.into();
                }
                Err(failed) => submission.slot.settle(Err(failed)),
            }
            let mut storing = lock(&self.storing);
            storing.settled += 1;
            storing.troubles = troubles;
            self.stored.notify_all();
        }
    }

    fn next(&self) -> Option<Submission> {
        let idle = |queue: &mut Queue| queue.waiting.is_none() && !queue.closing;
        let mut queue = self
            .wake
            .wait_while(lock(&self.queue), idle)
            .unwrap_or_else(PoisonError::into_inner);
        queue.waiting.take()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// Makes databases of sets: from the store, or by compiling.
struct Builder {
    store: Option<Store>,
    compile: Box<Compile>,
}

impl Builder {
    /// [`build`](Self::build), with a panic on the way as an error.
    fn build_caught(
        &mut self,
        set: &PatternSet,
        current: Option<&Arc<Revision>>,
    ) -> Result<Built, Failed> {
        // Unwind safety: the builder keeps nothing between builds but the compiler, which is
        // read-only, and the store, whose files appear by rename.
        catch_unwind(AssertUnwindSafe(|| self.build(set, current)))
            .map_err(|panic| Failed::Compiler(message(panic.as_ref())))
    }

    /// The revision that follows `current` for `set`, and how it came about.
    fn build(&mut self, set: &PatternSet, current: Option<&Arc<Revision>>) -> Built {
        let started = Instant::now();
        let digest = set.digest();
        let mut applied = Applied {
            revision: current.map_or(0, |current| current.number),
            digest,
            origin: Origin::Unchanged,
            compiled: 0,
            reused: 0,
            refused: Vec::new(),
            duration: Duration::ZERO,
            troubles: Vec::new(),
        };
        let mut unstored = None;
        let revision = match current.filter(|current| current.database.digest() == digest) {
            Some(current) => {
                applied.reused = current.database.len();
                Arc::clone(current)
            }
            None => {
                let database = match self.stored(&digest, &mut applied) {
                    Some(database) => database,
                    None => {
                        let (database, previous) = self.compiled(set, current, &mut applied);
                        unstored = Some(previous);
                        database
                    }
                };
                applied.revision = applied.revision.saturating_add(1);
                Arc::new(Revision {
                    number: applied.revision,
                    database,
                })
            }
        };
        applied.refused = revision.database.refused().collect();
        applied.duration = started.elapsed();
        Built {
            revision,
            applied,
            unstored,
        }
    }

    /// The set's database from the store.
    fn stored(&self, digest: &Digest, applied: &mut Applied) -> Option<Database> {
        match self.store.as_ref()?.load(digest) {
            Loaded::Ready(database) => {
                applied.origin = Origin::Stored;
                applied.reused = database.len();
                Some(database)
            }
            Loaded::Missing => None,
            Loaded::Unusable(reason) => {
                applied.troubles.push(Trouble::Refused(reason));
                None
            }
        }
    }

    /// The set's database from the compiler, and the one whose work it took over.
    fn compiled(
        &mut self,
        set: &PatternSet,
        current: Option<&Arc<Revision>>,
        applied: &mut Applied,
    ) -> (Database, Option<Database>) {
        let previous = match current {
            Some(current) => Some(current.database.clone()),
            // What ran before the process started has most of the same patterns.
            None => self.store.as_ref().and_then(Store::latest),
        };
        let compiled = (self.compile)(set, previous.as_ref());
        applied.origin = Origin::Compiled;
        // The compiler counts those it refused.
        applied.compiled = compiled.compiled.saturating_sub(compiled.refused.len());
        applied.reused = compiled.reused;
        (compiled.database, previous)
    }

    /// Stores a revision that is not stored yet, forgets all but it and the one before it, and
    /// returns it mapped, if that can be, so that its memory is the page cache; and what went wrong.
    fn keep(
        &self,
        revision: &Revision,
        unstored: Option<Option<Database>>,
    ) -> (Option<Arc<Revision>>, Vec<Trouble>) {
        let mut troubles = Vec::new();
        let (Some(store), Some(previous)) = (&self.store, unstored) else {
            return (None, troubles);
        };
        if let Err(error) = store.save(&revision.database) {
            troubles.push(Trouble::NotStored(error));
            return (None, troubles);
        }
        let digest = revision.database.digest();
        let mapped = match store.load(&digest) {
            Loaded::Ready(database) => Some(Arc::new(Revision {
                number: revision.number,
                database,
            })),
            // Somebody emptied the directory meanwhile, as they may.
            Loaded::Missing => None,
            Loaded::Unusable(reason) => {
                troubles.push(Trouble::NotReadable(reason));
                None
            }
        };
        let keep: Vec<Digest> = [Some(digest), previous.map(|previous| previous.digest())]
            .into_iter()
            .flatten()
            .collect();
        if let Err(error) = store.clean(&keep) {
            troubles.push(Trouble::NotCleaned(error));
        }
        (mapped, troubles)
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "panicked".to_owned())
}

/// Locks; what a panic left behind is as good as before, each change being one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests;
