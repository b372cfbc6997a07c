//! The one error of this crate.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::BlobId;

/// Why a transaction, a blob or an opening failed. Cheap to clone: one failed commit answers many.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has this data directory open.
    #[error("the data directory {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The database was written by a newer program, and older ones cannot use it. Nothing was
    /// changed.
    #[error(
        "the data were last opened by muskox {}, and need a program that knows schema {oldest}; \
         this one knows {supported}. Start that version or a later one, or go back to a copy made \
         before the upgrade was finalized",
        program.as_deref().unwrap_or("of a newer version")
    )]
    NewerVersion {
        /// The version of the program that opened the database last, if it says so.
        program: Option<String>,
        /// The oldest schema that a program must know to open it.
        oldest: u32,
        /// The newest schema this program knows.
        supported: u32,
    },
    /// An upgrade to a newer schema is not this program's to finalize. Nothing was changed.
    #[error(
        "the data have schema {found} and this program knows {supported}: finalize the upgrade \
         with the program that made it"
    )]
    NotNewest {
        /// What the database says.
        found: u32,
        /// The newest schema this program knows.
        supported: u32,
    },
    /// There is no database in this directory.
    #[error("{} has no data of this program", .0.display())]
    NoData(PathBuf),
    /// The file is an SQLite database, but not one of ours.
    #[error("{} is not a database of this program", .0.display())]
    Foreign(PathBuf),
    /// Locks and shared memory do not work across machines, so the data would be lost one day.
    #[error("the data directory {} is on a network file system", .0.display())]
    NetworkFileSystem(PathBuf),
    /// No space, no inodes or no quota left. The write was undone; reads go on, and writes work
    /// again as soon as there is space.
    #[error("no space left for the database")]
    Full,
    /// The disk refused to confirm a write, so nothing can be promised any more. Every later write
    /// gets this answer until the process starts again.
    #[error("the store has stopped after a disk error")]
    Failed,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The closure panicked; its changes were undone.
    #[error("a transaction panicked and was undone")]
    Panicked,
    /// The stored bytes are not those that were written.
    #[error("blob {id} is damaged: {reason}")]
    Damaged {
        /// Which blob.
        id: BlobId,
        /// What was found.
        reason: &'static str,
    },
    /// No blob has this id.
    #[error("there is no blob {0}")]
    NoBlob(BlobId),
    /// A constraint of the schema refused the statement.
    #[error("a {0} constraint was violated")]
    Constraint(Violation),
    /// A column did not hold what the code expected of it.
    #[error("column {index} is not {expected}")]
    Column {
        /// Counted from 0.
        index: usize,
        /// The type that was asked for.
        expected: &'static str,
    },
    /// The database engine refused for another reason.
    #[error("the database engine failed")]
    Database(#[source] Arc<dyn StdError + Send + Sync>),
    /// A file operation failed for a reason other than lack of space.
    #[error("a file of the store could not be used")]
    Io(#[source] Arc<io::Error>),
}

/// Which kind of constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A unique index or primary key already has this value.
    Unique,
    /// A row that is referred to is missing, or a row to be deleted is still referred to.
    Reference,
    /// NOT NULL, CHECK or a column's type: a mistake in the program.
    Other,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "unique",
            Self::Reference => "foreign key",
            Self::Other => "column",
        })
    }
}

impl Error {
    /// Whether trying again later may succeed: lack of space, or a store that is going down.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Full | Self::Failed | Self::Closed)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        use rusqlite::ffi;
        let Some(failure) = error.sqlite_error() else {
            return Self::Database(Arc::new(error));
        };
        match (failure.code, failure.extended_code) {
            // The shared-memory index could not grow: on Linux always for lack of space.
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
                Self::Constraint(Violation::Unique)
            }
            (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Self::Constraint(Violation::Reference),
            (ErrorCode::ConstraintViolation, _) => Self::Constraint(Violation::Other),
            _ => Self::Database(Arc::new(error)),
        }
    }
}
