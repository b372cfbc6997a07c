//! The one error type of this crate: why bytes are not a command.

/// Why a command, or a value in one, was refused. The text is safe to show to the client: it
/// never repeats what the client sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The line does not begin with a tag.
    #[error("no valid tag")]
    Tag,
    /// The command's name is none we know.
    #[error("unknown command")]
    UnknownCommand,
    /// The grammar wants something else here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The command was complete, but the line went on.
    #[error("unexpected data after the command")]
    TrailingData,
    /// A keyword in a place where only certain ones are known.
    #[error("unknown {0}")]
    Unknown(&'static str),
    /// A number, count or length beyond what this server takes.
    #[error("too many or too long: {what} (limit {limit})")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The most that is accepted.
        limit: usize,
    },
    /// A string that must be UTF-8 is not.
    #[error("string is not valid UTF-8")]
    NotUtf8,
    /// The mailbox name cannot exist here.
    #[error("invalid mailbox name: {0}")]
    MailboxName(#[from] MailboxNameError),
    /// `SEARCH CHARSET` named something other than UTF-8 or US-ASCII.
    #[error("character set is not supported")]
    BadCharset,
    /// A command was cut in a way that the framer would never cut it.
    #[error("literal does not match its announcement")]
    Literal,
}

/// Why a mailbox name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxNameError {
    /// The name, or one of its levels, is empty (leading, trailing or doubled `/`).
    #[error("empty hierarchy level")]
    EmptyLevel,
    /// More octets than [`crate::MailboxName::MAX_LENGTH`].
    #[error("too long")]
    TooLong,
    /// More levels than [`crate::MailboxName::MAX_DEPTH`].
    #[error("too many hierarchy levels")]
    TooDeep,
    /// A control character, or a Unicode line or paragraph separator.
    #[error("control character")]
    Control,
    /// Not valid UTF-8, or octets above 127 where modified UTF-7 is in force.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// Not the one canonical modified UTF-7 form of a name.
    #[error("not valid modified UTF-7")]
    NotUtf7,
}
