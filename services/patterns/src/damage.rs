//! Why bytes of a database file are refused.

use thiserror::Error;

/// What is wrong with bytes that claim to be a part of a database: a reason in lower case, for the
/// operator's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct Damage(pub(crate) &'static str);
