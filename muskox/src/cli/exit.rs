//! Exit codes of all commands: see [`CODES`].

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::control::{ClientError, FailureKind};
use crate::server::StartError;

/// What each exit code means.
pub const CODES: &[(u8, &str)] = &[
    (0, "Done."),
    (1, "A negative answer."),
    (2, "Wrong usage."),
    (3, "No running server."),
    (4, "What was named does not exist."),
    (5, "A conflict with what exists."),
    (6, "No permission."),
    (7, "The configuration is invalid."),
];

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The running server could not be asked, or said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server could not start, or stopped on an error.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system said no.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The arguments make no sense together.
    #[error("{0}")]
    Usage(String),
    /// What the arguments name does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The command ran and its answer is no; it has said so already.
    #[error("{0}")]
    Negative(String),
}

impl Failed {
    /// The exit code that belongs to this failure.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) => 7,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 4,
            Self::Start(error) if error.is_permission() => 6,
            Self::Start(_) | Self::Negative(_) => 1,
            Self::Client(ClientError::NotRunning { source, .. }) | Self::Io(source) => {
                match (self, source.kind()) {
                    (_, ErrorKind::PermissionDenied) => 6,
                    (Self::Client(_), _) => 3,
                    _ => 1,
                }
            }
            Self::Client(ClientError::Failed(failure)) => match failure.kind {
                FailureKind::Invalid => 2,
                FailureKind::NotFound => 4,
                FailureKind::Conflict => 5,
                FailureKind::Internal => 1,
            },
            Self::Client(_) => 3,
        })
    }
}
