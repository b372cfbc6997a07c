//! The writer thread's SQLite: each group is one transaction, each closure a savepoint of it.

use std::path::PathBuf;
use std::sync::Arc;

use ambient::{Clock, Timestamp};
use rusqlite::{Connection, ffi};

use crate::Error;
use crate::fault::{self, FaultSource, Operation};
use crate::group::{Engine, Job, Lost, Ran};
use crate::place::Place;
use crate::shared::Shared;
use crate::sqlite::checkpoint::{self, Mode, RESTART_AT, Signal};
use crate::sqlite::open::{BUSY, BUSY_CHECKPOINT};
use crate::sqlite::session::{Session, SqliteTx, is_unconfirmed_flush, sqlite_code};

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
    /// The time of the present transaction.
    pub(crate) now: Timestamp,
}

impl Engine for Writer<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        self.now = self.clock.now();
        fault::check_database(&self.faults, Operation::Begin)?;
        self.session
            .control("BEGIN IMMEDIATE")
            .map_err(|error| self.classify(error.into()))
    }

    fn run(&mut self, job: &mut dyn Job) -> Result<Ran, Lost> {
        self.control("SAVEPOINT closure")?;
        let mut tx = SqliteTx::new(&mut self.session, &self.faults, self.now);
        let wanted = job.run(&mut tx);
        let SqliteTx { events, fatal, .. } = tx;
        let overruled = match fatal {
            Some(error) if is_unconfirmed_flush(&error) => return Err(Lost::Unconfirmed(error)),
            Some(error) => Some(self.classify(error)),
            None => None,
        };
        if !self.session.in_transaction() {
            // The engine gave up, or, by a mistake in the program, the closure ended the group.
            return Err(Lost::Undone(overruled.unwrap_or(Error::Panicked)));
        }
        let ran = if wanted && overruled.is_none() {
            Ran::Kept(events)
        } else {
            self.control("ROLLBACK TO closure")?;
            Ran::Undone(overruled)
        };
        self.control("RELEASE closure")?;
        Ok(ran)
    }

    /// COMMIT with its flush. Any error but lack of space and of memory leaves open what the disk
    /// holds.
    fn commit(&mut self) -> Result<(), Lost> {
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
                Lost::Undone(error)
            } else {
                Lost::Unconfirmed(error)
            }
        })?;
        self.signal.mark();
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), Error> {
        if !self.session.in_transaction() {
            return Ok(());
        }
        if let Err(error) = self.session.control("ROLLBACK") {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a rollback failed"
            );
        }
        if self.session.in_transaction() {
            return Err(Error::Failed);
        }
        Ok(())
    }

    /// Makes the next write start at the log's beginning when the background cannot keep up.
    fn rest(&mut self) {
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

impl Writer<'_> {
    /// After the last group: moves the log into the database.
    pub(crate) fn end(&self) {
        if let Err(error) = checkpoint::checkpoint(self.connection, Mode::Truncate, &self.shared) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last checkpoint failed"
            );
        }
    }

    fn control(&mut self, sql: &'static str) -> Result<(), Lost> {
        self.session
            .control(sql)
            .map_err(|error| Lost::Undone(error.into()))
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
}
