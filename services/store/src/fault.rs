//! The seam at which a test makes storage fail.
//!
//! Like the clock and the random source, the disk's misbehaviour is a value that is passed in:
//! [`StoreOptions::faults`](crate::StoreOptions::faults) is `None` in a server, and a test passes
//! something that fails the k-th operation.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::Error;

/// What the store is about to ask of its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Begin a group of transactions.
    Begin,
    /// Run one statement of a write transaction.
    Statement,
    /// Commit and flush a group.
    Commit,
    /// Create a blob's temporary file.
    Create,
    /// Write a piece of a blob's file.
    Write,
    /// Flush a blob's file.
    Sync,
    /// Give a blob's file its name.
    Rename,
    /// Flush a directory of blobs.
    SyncDirectory,
}

/// How the operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As if no space were left.
    Full,
    /// As if the device reported an error.
    Io,
}

/// Decides which operations fail. Called on the store's threads, before each operation.
pub trait Faults: Send + Sync + Debug {
    /// The fault to act out instead of the operation, or `None` to let it happen.
    fn before(&self, operation: Operation) -> Option<Fault>;
}

pub(crate) type FaultSource = Option<Arc<dyn Faults>>;

/// The injected failure of `operation`, if there is one.
pub(crate) fn check(faults: &FaultSource, operation: Operation) -> Result<(), io::Error> {
    match faults.as_ref().and_then(|faults| faults.before(operation)) {
        None => Ok(()),
        Some(Fault::Full) => Err(io::ErrorKind::StorageFull.into()),
        Some(Fault::Io) => Err(io::Error::other("injected device error")),
    }
}

/// [`check`] for the operations whose error is not one of files.
pub(crate) fn check_database(faults: &FaultSource, operation: Operation) -> Result<(), Error> {
    check(faults, operation).map_err(Error::from)
}
