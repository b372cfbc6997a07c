//! What can go wrong, for administrators; and the three answers a sign-in can get instead.

use smtp::address::{Address, AddressError, Domain};
use thiserror::Error as ThisError;

use crate::alias::MAX_TARGETS;
use crate::password::{MAX_PASSWORD, MIN_PASSWORD};
use crate::resolve::{MAX_DEPTH, MAX_EXPANSION};

/// Why a change of the directory or a look into it failed. Messages are for the administrator;
/// none of them is sent to a mail client.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The name is taken; the text says by what.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// It cannot be removed while something else needs it.
    #[error("{subject} is still used by {user}")]
    InUse {
        /// What was to be removed.
        subject: String,
        /// What still needs it.
        user: String,
    },
    /// The address's domain is not one of ours.
    #[error("{0} is not a domain of this server")]
    NotLocal(Domain),
    /// Accounts, aliases and keys belong to the domain that an alias domain stands for.
    #[error("{0} is an alias domain: use the domain it stands for")]
    AliasDomain(Domain),
    /// Not an address.
    #[error("not an address")]
    Address(#[from] AddressError),
    /// The sub-addressing separator is neither empty nor one usable punctuation character.
    #[error("the separator must be empty or one of ! # $ % & * + - / = ? ^ _ ~")]
    Separator,
    /// An alias without targets.
    #[error("an alias needs at least one target")]
    NoTargets,
    /// An alias with more than [`MAX_TARGETS`] targets.
    #[error("an alias can have at most {MAX_TARGETS} targets")]
    TooManyTargets,
    /// Following the aliases of an address exceeds the depth or the number of targets.
    #[error(
        "the aliases of {0} nest deeper than {MAX_DEPTH} or reach more than {MAX_EXPANSION} targets"
    )]
    Expansion(Address),
    /// The new password is too short.
    #[error("a password needs at least {MIN_PASSWORD} characters")]
    PasswordTooShort,
    /// The new password is too long.
    #[error("a password can have at most {MAX_PASSWORD} octets")]
    PasswordTooLong,
    /// The new password holds a control character, which many clients cannot send.
    #[error("a password cannot contain control characters")]
    PasswordControl,
    /// An imported hash of an unknown scheme, or a malformed one.
    #[error("the password hash is malformed or of a scheme that is not supported")]
    HashUnsupported,
    /// An imported hash whose verification would take too much time or memory.
    #[error("the password hash asks for more time or memory than is allowed")]
    HashTooExpensive,
    /// An administrator's name that is empty, too long or holds spaces or control characters.
    #[error("an administrator's name has 1 to 64 characters without spaces")]
    AdministratorName,
    /// The last administrator stays.
    #[error("the last administrator cannot be removed")]
    LastAdministrator,
    /// A DKIM selector that is not one or more DNS labels.
    #[error("a selector consists of letters, digits, hyphens and dots")]
    Selector,
    /// A text field holds a control character or is too long.
    #[error("a name or comment has at most 255 characters and no control characters")]
    Text,
    /// A quota beyond the largest number of octets that can be stored.
    #[error("the quota is too large")]
    Quota,
    /// Too many passwords are being hashed; try again.
    #[error("too many passwords are being checked")]
    Busy,
    /// A hook that runs in the same transaction failed; nothing was changed.
    #[error("the change was undone")]
    Hook(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something that cannot fail did.
    #[error("the program made a mistake: {0}")]
    Internal(&'static str),
    /// The store failed.
    #[error("the database failed")]
    Store(#[from] store::Error),
}

impl Error {
    /// Wraps the error of a hook, so that the transaction is undone with it.
    pub fn hook(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Hook(error.into())
    }
}

/// The only answers a sign-in can get. They say nothing an attacker does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum AuthError {
    /// Unknown name or wrong password; which one is not told.
    #[error("wrong name or password")]
    Invalid,
    /// The password is right, but the account or its domain is switched off or may only receive.
    #[error("the account cannot sign in")]
    Disabled,
    /// The directory could not be asked, or too many sign-ins wait; the same try may work later.
    #[error("sign-in is temporarily unavailable")]
    Unavailable,
}
