//! The one error of this crate.

/// Why something was not remembered or not recalled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The account does not exist (any more).
    #[error("no such account")]
    NoAccount,
    /// What the classifier keeps on disk is not what it wrote. [`crate::Bayes::forget`] starts
    /// over.
    #[error("the counts of words are damaged: {0}")]
    Damaged(&'static str),
    /// Work on a thread of its own was cut short.
    #[error("the work was cut short")]
    Cut,
    /// The database.
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            // The only rows of others that tables of this crate refer to are accounts.
            store::Error::Constraint(store::Violation::Reference) => Self::NoAccount,
            other => Self::Store(other),
        }
    }
}
