//! The one error of this crate.

/// Why a message was not taken, or the queue could not be asked or changed. Nothing has changed
/// when one of these is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message has passed [`crate::MAX_HOPS`] servers: it loops (554 5.4.6).
    #[error("the message has {0} or more Received fields: it loops")]
    Loop(usize),
    /// A submission without recipients.
    #[error("the message has no recipients")]
    NoRecipients,
    /// There is no such message in the queue (any more).
    #[error("there is no message {0} in the queue")]
    NotFound(crate::QueueId),
    /// There is no such message in quarantine (any more).
    #[error("there is no message {0} in quarantine")]
    NotQuarantined(i64),
    /// A row breaks an invariant of the tables.
    #[error("the queue holds an invalid {0}")]
    Corrupt(&'static str),
    /// The mailbox of a local recipient could not take the message.
    #[error("local delivery failed")]
    Mail(#[from] mail::Error),
    /// The directory could not say who a recipient is.
    #[error("the directory failed")]
    Directory(#[from] directory::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

impl Error {
    /// Whether the store has no room: 452 4.3.1 instead of 451 4.3.0.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Store(store::Error::Full) | Self::Mail(mail::Error::Store(store::Error::Full))
        )
    }
}
