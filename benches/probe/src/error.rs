//! What can go wrong around an engine.

use std::io;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// The file, or what was done to it.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file has not the form it should have.
    #[error("{0}")]
    Form(String),
    /// An engine refuses what it was given.
    #[error("{0}")]
    Engine(String),
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what was being done when an I/O error came.
pub trait Context<T> {
    /// Adds `what`.
    ///
    /// # Errors
    /// Those of `self`.
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what.into(),
            source,
        })
    }
}
