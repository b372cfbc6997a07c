//! What the running server may not do any more, whatever an attacker makes of it.
//!
//! | file | what is given up |
//! |---|---|
//! | `identity.rs` | being root, and every right but the one to bind low ports |
//! | `files.rs` | files that are no business of a mail server (Landlock) |
//! | `calls.rs` | system calls that no part of it makes: programs, mounts, modules, tracing (seccomp) |
//!
//! What reads pages and attachments gives up more, in processes of its own: see `parsebox`.
//!
//! [`enter`] comes before the first thread, since Landlock and identity are a thread's and are handed
//! down; [`close`] comes once everything runs. Start at [`enter`].

mod calls;
mod files;
mod identity;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use parsebox::Keeper;

use crate::config::Config;

pub use calls::close;

/// Why the server does not start in its sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Root was not asked for.
    #[error(
        "started as root: name a user in [service] user, or say root = true there if it has to be"
    )]
    Root,
    /// The user does not exist.
    #[error("[service] user: there is no user {0:?}")]
    NoUser(String),
    /// The system refuses.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// Parse workers cannot be started.
    #[error(transparent)]
    Workers(#[from] parsebox::Error),
    /// The rules of a filter are refused.
    #[error("{what}: {reason}")]
    Rules {
        /// Of which.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl SandboxError {
    fn system(what: &'static str, source: impl Into<std::io::Error>) -> Self {
        Self::System {
            what,
            source: source.into(),
        }
    }

    fn rules(what: &'static str, reason: &dyn fmt::Display) -> Self {
        Self::Rules {
            what,
            reason: reason.to_string(),
        }
    }
}

/// Gives up what a server never needs; `file` is the configuration's. Must be called while the
/// process has one thread; changes the user, so that files made afterwards are that user's. Whoever
/// starts parse workers is started in between, and given back.
///
/// # Errors
/// [`SandboxError::Root`] unless the configuration allows it; a user that does not exist; what the
/// system refuses. A kernel without Landlock is no error.
pub fn enter(config: &Config, file: &Path) -> Result<Option<Arc<Keeper>>, SandboxError> {
    identity::settle(config)?;
    if !config.service.sandbox {
        tracing::info!("no sandbox: [service] sandbox = false");
        return Ok(None);
    }
    // The server itself may start nothing any more.
    let keeper = start_keeper()?;
    let files = files::restrict(config, file)?;
    tracing::info!(%files, uid = rustix::process::getuid().as_raw(), "sandbox");
    Ok(keeper)
}

/// Starts the process that starts parse workers; `None` where none can be.
///
/// # Errors
/// What the system says.
pub fn start_keeper() -> Result<Option<Arc<Keeper>>, SandboxError> {
    let keeper = Keeper::start()?;
    if keeper.is_none() {
        tracing::info!("no parse workers: this system starts no programs of this kind");
    }
    Ok(keeper.map(Arc::new))
}
