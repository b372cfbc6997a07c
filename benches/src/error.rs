//! What keeps a benchmark from giving figures.

use std::io;

/// Why a run ended without a result, or with one that must not be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The machine lacks something; nothing was measured.
    #[error("{0}")]
    Missing(String),
    /// A file, process or connection failed.
    #[error("{what}: {source}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("{program} failed: {output}")]
    Program { program: String, output: String },
    /// A server does not answer after its start.
    #[error("{0} does not answer after its start; its log ends:\n{1}")]
    Silent(&'static str, String),
    /// A server answered something else than it should.
    #[error("{server}: {said}")]
    Answer { server: String, said: String },
    /// A server has not what it was given: its figures mean nothing.
    #[error("{server}: {what} is {found}, must be {expected}")]
    Mismatch {
        server: &'static str,
        what: String,
        found: u64,
        expected: u64,
    },
    /// Our filter, or what it works with, fails.
    #[error("our filter: {0}")]
    Filter(String),
    /// Our pattern engine refuses something.
    #[error("our engine: {0}")]
    Engine(String),
    /// Our pattern engine's answers are not those of the others.
    #[error("{0} answers are wrong")]
    Wrong(usize),
    /// A peer's library, or a file of haystacks.
    #[error(transparent)]
    Probe(#[from] probe::Error),
    /// SIGINT or SIGTERM came.
    #[error("stopped by a signal")]
    Interrupted,
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(String),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Says what was being done when an I/O error came.
pub(crate) trait Context<T> {
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
