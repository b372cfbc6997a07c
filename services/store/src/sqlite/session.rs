//! One connection with its prepared statements.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use ambient::Timestamp;
use rusqlite::{Connection, Statement, ffi};

use crate::fault::{self, FaultSource, Operation};
use crate::{Error, Event, Reader, Row, Tx, Value};

/// A connection and every statement it has run, prepared once.
///
/// SQL is `&'static str`, so the address names the statement and the set is bounded by the program.
pub(crate) struct Session<'c> {
    connection: &'c Connection,
    statements: HashMap<(usize, usize), Statement<'c>>,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("statements", &self.statements.len())
            .finish()
    }
}

impl<'c> Session<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            statements: HashMap::new(),
        }
    }

    fn bound(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
    ) -> rusqlite::Result<&mut Statement<'c>> {
        let statement = match self.statements.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.connection.prepare(sql)?),
        };
        let wanted = statement.parameter_count();
        if wanted != params.len() {
            return Err(rusqlite::Error::InvalidParameterCount(params.len(), wanted));
        }
        for (index, value) in (1..).zip(params) {
            statement.raw_bind_parameter(index, value)?;
        }
        Ok(statement)
    }

    pub(crate) fn run(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<usize, Error> {
        let statement = self.bound(sql, params)?;
        let changed = statement.raw_execute();
        statement.clear_bindings();
        Ok(changed?)
    }

    /// [`Session::run`] without parameters, keeping the engine's own error.
    pub(crate) fn control(&mut self, sql: &'static str) -> rusqlite::Result<()> {
        self.bound(sql, &[])?.raw_execute().map(drop)
    }

    /// Whether a transaction is open. SQLite ends one by itself after some errors.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }
}

impl Reader for Session<'_> {
    fn query(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let statement = self.bound(sql, params)?;
        let outcome = {
            let mut rows = statement.raw_query();
            loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        if let Err(error) = each(&Row::new(row)) {
                            break Err(error);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(Error::from(error)),
                }
            }
        };
        statement.clear_bindings();
        outcome
    }
}

/// One write closure's view of the writer's session.
#[derive(Debug)]
pub(crate) struct SqliteTx<'s, 'c> {
    session: &'s mut Session<'c>,
    faults: &'s FaultSource,
    now: Timestamp,
    /// Published if the group commits.
    pub(crate) events: Vec<Event>,
    /// The first error after which nothing of this closure may be kept, even if it hides the error.
    pub(crate) fatal: Option<Error>,
}

impl<'s, 'c> SqliteTx<'s, 'c> {
    pub(crate) fn new(
        session: &'s mut Session<'c>,
        faults: &'s FaultSource,
        now: Timestamp,
    ) -> Self {
        Self {
            session,
            faults,
            now,
            events: Vec::new(),
            fatal: None,
        }
    }

    fn guarded<T>(
        &mut self,
        run: impl FnOnce(&mut Session<'c>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(error) = &self.fatal {
            return Err(error.clone());
        }
        let outcome = fault::check_database(self.faults, Operation::Statement)
            .and_then(|()| run(self.session));
        if let Err(error) = &outcome
            && is_fatal(error)
        {
            self.fatal = Some(error.clone());
        }
        outcome
    }
}

impl Reader for SqliteTx<'_, '_> {
    fn query(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.guarded(|session| session.query(sql, params, each))
    }
}

impl Tx for SqliteTx<'_, '_> {
    fn exec(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<usize, Error> {
        self.guarded(|session| session.run(sql, params))
    }

    fn after_commit(&mut self, event: Event) {
        self.events.push(event);
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

/// Lack of space and failures of the machine; a closure may recover from all others.
fn is_fatal(error: &Error) -> bool {
    const FATAL: [i32; 6] = [
        ffi::SQLITE_IOERR,
        ffi::SQLITE_NOMEM,
        ffi::SQLITE_CORRUPT,
        ffi::SQLITE_NOTADB,
        ffi::SQLITE_CANTOPEN,
        ffi::SQLITE_READONLY,
    ];
    matches!(error, Error::Full | Error::Io(_))
        || sqlite_code(error).is_some_and(|code| FATAL.contains(&(code & 0xff)))
}

/// The engine's extended result code behind an error.
pub(crate) fn sqlite_code(error: &Error) -> Option<i32> {
    let Error::Database(source) = error else {
        return None;
    };
    let engine: &(dyn std::error::Error + 'static) = &**source;
    engine
        .downcast_ref::<rusqlite::Error>()?
        .sqlite_error()
        .map(|failure| failure.extended_code)
}

/// Whether the engine could not flush a file: the one error that ends all trust in the disk.
pub(crate) fn is_unconfirmed_flush(error: &Error) -> bool {
    matches!(
        sqlite_code(error),
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}
