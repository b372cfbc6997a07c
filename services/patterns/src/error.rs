//! What can go wrong around the engine: a set that contradicts itself, a file that is no database.

use thiserror::Error;

/// Why a pattern cannot join a [`PatternSet`](crate::PatternSet).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SetError {
    /// The scope has a pattern of this id already.
    #[error("scope {scope:?} has two patterns with the id {id}")]
    DuplicateId {
        /// The scope's name.
        scope: String,
        /// The id.
        id: u32,
    },
    /// The scope was introduced with another kind of text.
    #[error("scope {scope:?} holds another kind of text")]
    OtherText {
        /// The scope's name.
        scope: String,
    },
    /// A scope's name is empty or too long.
    #[error("the name of a scope has 1 to {} bytes", crate::set::LONGEST_NAME)]
    ScopeName,
    /// A pattern's name is too long.
    #[error("the name of a pattern has at most {} bytes", crate::set::LONGEST_NAME)]
    PatternName,
    /// The expression is longer than the engine reads.
    #[error("an expression has at most {} bytes", crate::set::LONGEST_EXPRESSION)]
    ExpressionTooLong,
    /// Too many scopes.
    #[error("a set has at most {} scopes", crate::set::MOST_SCOPES)]
    TooManyScopes,
    /// Too many patterns.
    #[error("a set has at most {} patterns", crate::set::MOST_PATTERNS)]
    TooManyPatterns,
}

/// Why a table of patterns cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct TsvError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub reason: TsvReason,
}

/// What can be wrong with a line, see [`TsvError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TsvReason {
    /// Fewer than four fields.
    #[error("not four fields (name, scope, flags, expression) with tabs between them")]
    Fields,
    /// Name, scope or flags are not UTF-8.
    #[error("name, scope and flags must be UTF-8")]
    Encoding,
    /// An unknown flag.
    #[error("unknown flags {0:?}")]
    Flags(String),
    /// The set does not take it.
    #[error(transparent)]
    Set(#[from] SetError),
}

/// Why a file is not used. Except for [`Io`](Self::Io) the file itself is at fault, and compiling
/// the set again replaces it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read; what it holds is not known.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It does not begin as a database does.
    #[error("not a pattern database")]
    NotADatabase,
    /// It was written by another version of the format or the engine.
    #[error("written in version {found}, this program reads {expected}")]
    Version {
        /// The file's.
        found: Version,
        /// This program's.
        expected: Version,
    },
    /// It is shorter or longer than its header says.
    #[error("the file has {found} bytes instead of {expected}")]
    Truncated {
        /// The length of the file.
        found: u64,
        /// The length it should have; the header's if the file is shorter than that.
        expected: u64,
    },
    /// A part's checksum is wrong.
    #[error("the checksum of the {section} is wrong")]
    Checksum {
        /// Which part.
        section: &'static str,
    },
    /// A part's content contradicts itself although its checksum is right.
    #[error("the {section} are damaged: {reason}")]
    Damaged {
        /// Which part.
        section: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What a file's version is made of: `format.engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// How the file is laid out.
    pub format: u32,
    /// How patterns are planned and what their programs mean.
    pub engine: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.format, self.engine)
    }
}
