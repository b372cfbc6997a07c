//! The writer thread: group commit.
//!
//! It takes everything that queued while the last group was flushed, runs each closure in a
//! savepoint of one transaction, commits once, publishes the events, and only then answers. A lone
//! closure is committed at once: nothing ever waits for company.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ambient::{Clock, Timestamp};
use rusqlite::{Connection, ffi};
use tokio::sync::{mpsc, oneshot};

use crate::fault::{self, FaultSource, Operation};
use crate::place::Place;
use crate::shared::Shared;
use crate::sqlite::checkpoint::{self, Mode, RESTART_AT, Signal};
use crate::sqlite::open::{BUSY, BUSY_CHECKPOINT};
use crate::sqlite::session::{Session, SqliteTx, is_unconfirmed_flush, sqlite_code};
use crate::{Error, Event, Tx};

/// The most closures one commit covers.
pub(crate) const MAX_GROUP: usize = 64;

/// A write closure with its way to answer.
pub(crate) trait Job: Send {
    /// Runs the closure and keeps its result; says whether it wants its changes kept.
    fn run(&mut self, tx: &mut dyn Tx) -> bool;
    /// Drops the closure and answers. An `Ok` of the closure becomes `overruled` if there is one.
    fn answer(self: Box<Self>, overruled: Option<Error>);
}

/// What the writer thread receives.
pub(crate) enum Request {
    Write(Box<dyn Job>),
    /// Run what is queued, checkpoint, end.
    Close,
}

/// The [`Job`] of a closure.
pub(crate) struct Call<F, T, E> {
    closure: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Call<F, T, E> {
    pub(crate) fn new(closure: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                closure,
                result: None,
                reply,
            },
            answer,
        )
    }
}

impl<F, T, E> Job for Call<F, T, E>
where
    F: FnMut(&mut dyn Tx) -> Result<T, E> + Send,
    E: From<Error> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.closure)(tx)))
            .unwrap_or_else(|_| Err(Error::Panicked.into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, overruled: Option<Error>) {
        let Self {
            closure,
            result,
            reply,
        } = *self;
        drop(closure);
        let result = match (result, overruled) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => Err(error.into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::Closed.into()),
        };
        // Whoever asked may have stopped waiting.
        drop(reply.send(result));
    }
}

/// A closure of the present group and what became of it.
struct Member {
    job: Box<dyn Job>,
    /// Why its `Ok`, if it said `Ok`, is none.
    overruled: Option<Error>,
    kept: bool,
}

/// The writer thread's state.
pub(crate) struct Writer<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) session: Session<'c>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Arc<Place>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) faults: FaultSource,
    pub(crate) wal: PathBuf,
    /// Tells the checkpointer.
    pub(crate) signal: Arc<Signal>,
    /// The size of the log at which the writer makes it start over.
    pub(crate) restart_at: u64,
}

impl Writer<'_> {
    /// The body of the writer thread.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut received = Vec::with_capacity(MAX_GROUP);
        while queue.blocking_recv_many(&mut received, MAX_GROUP) > 0 {
            let mut group = Vec::with_capacity(received.len());
            for request in received.drain(..) {
                match request {
                    Request::Write(job) => {
                        group.push(Member {
                            job,
                            overruled: None,
                            kept: false,
                        });
                    }
                    Request::Close => queue.close(),
                }
            }
            if !group.is_empty() {
                self.settle(group);
                self.restart_log();
            }
        }
        if let Err(error) = checkpoint::checkpoint(self.connection, Mode::Truncate, &self.shared) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last checkpoint failed"
            );
        }
    }

    /// Commits a group, then publishes, then answers.
    ///
    /// A group that finds the disk full is run again one by one: what needs no space, or frees
    /// some, must not fail because of its neighbours.
    fn settle(&mut self, mut group: Vec<Member>) {
        let mut events = Vec::new();
        let outcome = self.commit(&mut group, &mut events);
        if matches!(outcome, Err(Error::Full)) && group.len() > 1 {
            for member in group {
                self.settle(vec![member]);
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

    /// Runs the group in one transaction. An error means that nothing of it is on disk.
    fn commit(&mut self, group: &mut [Member], events: &mut Vec<Event>) -> Result<(), Error> {
        self.shared.check()?;
        let now = self.clock.now();
        fault::check_database(&self.faults, Operation::Begin)?;
        self.session
            .control("BEGIN IMMEDIATE")
            .map_err(|error| self.classify(error.into()))?;
        for member in group.iter_mut() {
            if let Err(error) = self.run_one(member, now, events) {
                self.roll_back();
                return Err(error);
            }
        }
        let kept = group.iter().filter(|member| member.kept).count();
        if kept == 0 {
            self.roll_back();
            return Ok(());
        }
        let started = Instant::now();
        if let Err(error) = self.flush() {
            self.roll_back();
            return Err(error);
        }
        self.shared
            .counters
            .committed(kept.try_into().unwrap_or(u64::MAX), started.elapsed());
        self.signal.mark();
        Ok(())
    }

    /// Runs one closure in its savepoint. An error means that the whole transaction is gone.
    fn run_one(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        self.session.control("SAVEPOINT closure")?;
        let mut tx = SqliteTx::new(&mut self.session, &self.faults, now);
        let wanted = member.job.run(&mut tx);
        let SqliteTx {
            events: new, fatal, ..
        } = tx;
        if let Some(error) = fatal {
            if is_unconfirmed_flush(&error) {
                self.shared.fail(&error);
                return Err(Error::Failed);
            }
            member.overruled = Some(self.classify(error));
        }
        if !self.session.in_transaction() {
            // The engine gave up, or, by a mistake in the program, the closure ended the group.
            return Err(member.overruled.take().unwrap_or(Error::Panicked));
        }
        member.kept = wanted && member.overruled.is_none();
        if member.kept {
            events.extend(new);
        } else {
            self.session.control("ROLLBACK TO closure")?;
        }
        self.session.control("RELEASE closure")?;
        Ok(())
    }

    /// COMMIT with its flush. Any error but lack of space and of memory stops the store: what the
    /// disk holds is unknown, and asking it again would get a wrong answer.
    fn flush(&mut self) -> Result<(), Error> {
        let outcome = match fault::check(&self.faults, Operation::Commit) {
            Ok(()) => self
                .session
                .control("COMMIT")
                .map_err(|error| self.classify(error.into())),
            Err(error) => Err(error.into()),
        };
        outcome.map_err(|error| {
            let passing = matches!(
                sqlite_code(&error).map(|code| code & 0xff),
                Some(ffi::SQLITE_BUSY | ffi::SQLITE_NOMEM)
            );
            if matches!(error, Error::Full) || passing {
                return error;
            }
            self.shared.fail(&error);
            Error::Failed
        })
    }

    /// SQLite reports an exhausted quota as a plain write error; the file system tells the truth.
    fn classify(&self, error: Error) -> Error {
        if sqlite_code(&error) == Some(ffi::SQLITE_IOERR_WRITE)
            && matches!(self.place.probe(), Err(Error::Full))
        {
            return Error::Full;
        }
        error
    }

    fn roll_back(&mut self) {
        if !self.session.in_transaction() {
            return;
        }
        if let Err(error) = self.session.control("ROLLBACK") {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a rollback failed"
            );
        }
        if self.session.in_transaction() {
            self.shared.fail(&Error::Failed);
        }
    }

    /// Makes the next write start at the log's beginning when the background cannot keep up.
    fn restart_log(&mut self) {
        let bytes = checkpoint::wal_bytes(&self.wal);
        if bytes < self.restart_at {
            return;
        }
        let outcome = self
            .connection
            .busy_timeout(BUSY_CHECKPOINT)
            .map_err(Error::from)
            .and_then(|()| checkpoint::checkpoint(self.connection, Mode::Restart, &self.shared));
        // When a reader holds the log, the next try is due only after much more has been written.
        self.restart_at = if matches!(outcome, Ok(true)) {
            0
        } else {
            bytes
        } + RESTART_AT;
        if let Err(error) = outcome.and_then(|_| Ok(self.connection.busy_timeout(BUSY)?)) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a checkpoint failed"
            );
        }
    }
}
