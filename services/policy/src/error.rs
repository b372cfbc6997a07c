//! What can go wrong, for administrators.

use smtp::address::AddressError;

use crate::map::LineError;

/// Why a change or a look into the database failed. Nothing was changed unless the variant says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name or entry is taken; the text says by what.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// Lines of a map that cannot be used. At most [`MOST_LINE_ERRORS`](crate::MOST_LINE_ERRORS)
    /// of them.
    #[error("{}", lines_message(.0))]
    Lines(Vec<LineError>),
    /// A text is longer than it may be, or there are too many of something.
    #[error("{what}: at most {most}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// A name that is empty, too long or holds characters that names do not have.
    #[error("{0}")]
    Name(&'static str),
    /// The file is not one that is known by its name.
    #[error("{0:?} is not the name of one of mailcow's maps")]
    UnknownFile(String),
    /// A score that is no number or too large.
    #[error("a score is a number from -10000 to 10000")]
    Score,
    /// A scope that does not exist.
    #[error(transparent)]
    Scope(#[from] rules::Unknown),
    /// A rule set that cannot be used.
    #[error(transparent)]
    Rules(#[from] rules::RuleError),
    /// Not an address or domain.
    #[error("not an address or domain")]
    Address(#[from] AddressError),
    /// Not an entry of a list of senders.
    #[error("an entry is an address, a domain, a network or a text with * for anything")]
    Entry,
    /// Not a network.
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    /// Not a rate limit.
    #[error(transparent)]
    Limit(#[from] crate::setting::RateLimitError),
    /// A text field holds a control character or is too long.
    #[error("a comment or description has at most 1000 characters and no control characters")]
    Text,
    /// A word that names no kind of map, verdict, role or the like.
    #[error("unknown {0}")]
    Unknown(&'static str),
    /// The change is on disk, but could not be loaded: what was known before still counts. It is
    /// tried again.
    #[error("revision {revision} is stored but could not be loaded")]
    NotLive {
        /// The revision that is on disk.
        revision: u64,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// Something that cannot fail did.
    #[error("the program made a mistake: {0}")]
    Internal(&'static str),
    /// The store failed.
    #[error("the database failed")]
    Store(#[from] store::Error),
}

fn lines_message(errors: &[LineError]) -> String {
    match errors {
        [] => "a line cannot be used".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}
