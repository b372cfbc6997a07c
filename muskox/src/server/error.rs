//! Why a server does not start, or stopped.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::sandbox::SandboxError;

/// Why a server does not start, or stopped. Its text is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The sandbox cannot be entered.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The database cannot be opened.
    #[error("data directory {}: {}", path.display(), with_causes(source))]
    Store {
        /// The data directory.
        path: PathBuf,
        /// Why not.
        source: store::Error,
    },
    /// A listener cannot be bound.
    #[error("cannot listen on {address} for {name}: {source}")]
    Listen {
        /// The listener.
        name: &'static str,
        /// Its address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The control socket cannot be made.
    #[error("control socket {}: {source}", path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate or key is no good.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// No resolver can be reached.
    #[error("name resolution: {0}")]
    Dns(#[from] dns::Error),
    /// The demo's accounts cannot be made.
    #[error("accounts: {0}")]
    Directory(#[from] directory::Error),
    /// The smart host's address makes no sense.
    #[error("[queue] relay: {0}")]
    Relay(String),
    /// The filter cannot work as it is set up.
    #[error("filter: {0}")]
    Filter(String),
    /// The system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The disk failed under the store: nothing is accepted any more.
    #[error("the store failed and takes no more writes; see the log for the first error")]
    StoreFailed,
}

impl StartError {
    /// Whether the system denied what was asked.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(
            self,
            Self::Listen { source, .. } | Self::Control { source, .. } | Self::Io(source)
                if source.kind() == ErrorKind::PermissionDenied
        )
    }

    /// Whether the configuration is to blame.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Relay(_) | Self::Filter(_))
    }
}

/// What an error says, and what its causes say, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}
