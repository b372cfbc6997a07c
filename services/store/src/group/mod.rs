//! Group commit: the order in which writes are run, made durable, announced and answered.
//!
//! The writer takes everything that queued while the last group was flushed, runs each closure so
//! that it can be undone alone, commits once, publishes the events, and only then answers. A lone
//! closure is committed at once: nothing ever waits for company. A commit that was not confirmed
//! answers its whole group with an error, and no later one is tried.
//!
//! That order is all there is here. What a transaction is, is behind [`Engine`]; how to wait for
//! requests, behind [`Requests`]. So the tests run this very code with an engine in memory and let
//! a scheduler go through the interleavings of callers, subscribers and writer (`explored.rs`).
//!
//! Start at [`Groups::run`]; callers hold [`Writes`].

#[cfg(test)]
mod explored;
mod job;
mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::mpsc;

pub(crate) use job::{Job, Request};
pub(crate) use writes::Writes;

use crate::shared::{Shared, scope_end};
use crate::{Error, Event};

/// The most closures one commit covers.
pub(crate) const MAX_GROUP: usize = 64;

/// Where the writer's requests come from.
pub(crate) trait Requests {
    /// Waits for requests and takes up to [`MAX_GROUP`] of them; 0 when there will be none.
    fn take(&mut self, received: &mut Vec<Request>) -> usize;
    /// Lets no further one in; those that wait are still to be taken.
    fn close(&mut self);
}

impl Requests for mpsc::Receiver<Request> {
    fn take(&mut self, received: &mut Vec<Request>) -> usize {
        self.blocking_recv_many(received, MAX_GROUP)
    }

    fn close(&mut self) {
        self.close();
    }
}

/// What carries a group out: one transaction after another.
pub(crate) trait Engine {
    /// Begins a transaction. An error means that there is none.
    fn begin(&mut self) -> Result<(), Error>;
    /// Runs one closure of the transaction. An error means that the whole transaction is lost.
    fn run(&mut self, job: &mut dyn Job) -> Result<Ran, Lost>;
    /// Makes the transaction durable. An error means that it is lost.
    fn commit(&mut self) -> Result<(), Lost>;
    /// Ends a transaction that is not to be kept, if there is still one. An error means that it
    /// stands and nothing further can be done.
    fn roll_back(&mut self) -> Result<(), Error>;
    /// Between two groups: time for what must not hold up a commit.
    fn rest(&mut self);
}

/// What became of a closure in its transaction.
pub(crate) enum Ran {
    /// Its changes are part of the transaction; the events are to be published with it.
    Kept(Vec<Event>),
    /// Its changes are undone: by its own error, or by this one, which overrules its `Ok`.
    Undone(Option<Error>),
}

/// How a transaction was lost.
#[derive(Debug)]
pub(crate) enum Lost {
    /// Nothing of it is on disk, and the next one may do better.
    Undone(Error),
    /// The disk did not confirm it. What it holds is unknown, and asking it again would get a wrong
    /// answer.
    Unconfirmed(Error),
}

/// A closure of the present group and what became of it.
struct Member {
    job: Box<dyn Job>,
    /// Why its `Ok`, if it said `Ok`, is none.
    overruled: Option<Error>,
    kept: bool,
}

impl Member {
    /// A closure that has not run yet.
    fn new(job: Box<dyn Job>) -> Self {
        Self {
            job,
            overruled: None,
            kept: false,
        }
    }
}

/// The writer: commits group after group.
pub(crate) struct Groups<E> {
    pub(crate) engine: E,
    pub(crate) shared: Arc<Shared>,
}

impl<E: Engine> Groups<E> {
    /// Serves requests until there are no more callers or one of them closes the queue, and all
    /// that were let in are answered.
    pub(crate) fn run(&mut self, requests: &mut impl Requests) {
        let mut received = Vec::with_capacity(MAX_GROUP);
        while requests.take(&mut received) > 0 {
            let mut group = Vec::with_capacity(received.len());
            for request in received.drain(..) {
                match request {
                    Request::Write(job) => group.push(Member::new(job)),
                    Request::Close => requests.close(),
                }
            }
            if !group.is_empty() {
                self.settle(group);
                self.engine.rest();
            }
        }
    }

    /// Commits a group, then publishes, then answers.
    ///
    /// A group that finds the disk full is run again one by one: what needs no space, or frees
    /// some, must not fail because of its neighbours.
    fn settle(&mut self, mut group: Vec<Member>) {
        // A panic of the engine drops the group: whoever asked must find that the store has failed.
        let shared = Arc::clone(&self.shared);
        let _failed = scope_end(|| {
            if std::thread::panicking() {
                shared.fail(&Error::Panicked);
            }
        });
        let mut events = Vec::new();
        let outcome = self.commit(&mut group, &mut events);
        if matches!(outcome, Err(Error::Full)) && group.len() > 1 {
            for member in group {
                self.settle(vec![Member::new(member.job)]);
            }
            return;
        }
        if let Err(error) = outcome {
            for member in &mut group {
                member.kept = false;
                member.overruled.get_or_insert_with(|| error.clone());
            }
            events.clear();
        }
        let undone = group.iter().filter(|member| !member.kept).count();
        self.shared
            .counters
            .undone
            .fetch_add(undone.try_into().unwrap_or(0), Ordering::Relaxed);
        self.shared.hub.publish(&events);
        for member in group {
            // A panic while a value is dropped or converted is its owner's; the thread lives on.
            let answered = catch_unwind(AssertUnwindSafe(|| member.job.answer(member.overruled)));
            if answered.is_err() {
                tracing::error!("the result of a transaction panicked");
            }
        }
    }

    /// Runs the group in one transaction. An error means that nothing of it is on disk, or that
    /// nobody can tell.
    fn commit(&mut self, group: &mut [Member], events: &mut Vec<Event>) -> Result<(), Error> {
        self.shared.check()?;
        self.engine.begin()?;
        for member in group.iter_mut() {
            match self.engine.run(&mut *member.job) {
                Ok(Ran::Kept(new)) => {
                    member.kept = true;
                    events.extend(new);
                }
                Ok(Ran::Undone(overruled)) => member.overruled = overruled,
                Err(lost) => return Err(self.lose(lost)),
            }
        }
        let kept = group.iter().filter(|member| member.kept).count();
        if kept == 0 {
            self.roll_back();
            return Ok(());
        }
        let started = Instant::now();
        self.engine.commit().map_err(|lost| self.lose(lost))?;
        self.shared
            .counters
            .committed(kept.try_into().unwrap_or(u64::MAX), started.elapsed());
        Ok(())
    }

    /// What the group is told. After an unconfirmed commit nothing is ever committed again.
    fn lose(&mut self, lost: Lost) -> Error {
        let error = match lost {
            Lost::Undone(error) => error,
            Lost::Unconfirmed(cause) => {
                self.shared.fail(&cause);
                Error::Failed
            }
        };
        self.roll_back();
        error
    }

    fn roll_back(&mut self) {
        if let Err(error) = self.engine.roll_back() {
            self.shared.fail(&error);
        }
    }
}
