//! Why a line is not a command, and what the client reads about it: the one place where a command
//! error becomes a reply.

use std::borrow::Cow;

use thiserror::Error;

use crate::address::AddressError;
use crate::reply::{EnhancedCode, Reply};

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing but white space.
    #[error("empty command line")]
    Empty,
    /// An argument that is not UTF-8.
    #[error("the command is not UTF-8")]
    NotUtf8,
    /// An argument with a NUL or another control character.
    #[error("the command contains a control character")]
    Control,
    /// No command that SMTP knows.
    #[error("unknown command")]
    Unrecognized,
    /// A command that SMTP knows and we do not offer.
    #[error("command not implemented")]
    NotImplemented,
    /// HTTP or the like: a browser made to speak to us. Close the connection.
    #[error("not a mail client")]
    ForeignProtocol,
    /// Wrong or missing arguments; holds the right syntax.
    #[error("wrong arguments; syntax: {0}")]
    Syntax(&'static str),
    /// The address in MAIL.
    #[error("bad sender: {0}")]
    Sender(#[source] AddressError),
    /// The address in RCPT.
    #[error("bad recipient: {0}")]
    Recipient(#[source] AddressError),
    /// A non-ASCII sender without the SMTPUTF8 parameter.
    #[error("a non-ASCII address needs SMTPUTF8")]
    NeedsSmtpUtf8,
    /// A parameter that we did not announce; holds its keyword.
    #[error("unknown parameter {0}")]
    UnknownParameter(String),
    /// A parameter that occurs twice; holds its keyword.
    #[error("parameter {0} occurs twice")]
    DuplicateParameter(&'static str),
    /// A parameter with a value that its syntax does not allow; holds its keyword.
    #[error("parameter {0} has a bad value")]
    BadParameter(&'static str),
}

impl CommandError {
    /// What the client reads.
    pub fn reply(&self) -> Reply {
        let (code, enhanced, text): (u16, EnhancedCode, Cow<'static, str>) = match self {
            Self::Empty => (500, EnhancedCode(5, 5, 2), "Empty command line".into()),
            Self::NotUtf8 | Self::Control => (
                500,
                EnhancedCode(5, 5, 2),
                "Invalid character in command".into(),
            ),
            Self::Unrecognized => (500, EnhancedCode(5, 5, 1), "Unrecognized command".into()),
            Self::NotImplemented => (502, EnhancedCode(5, 5, 1), "Command not implemented".into()),
            Self::ForeignProtocol => (554, EnhancedCode(5, 5, 1), "This is a mail server".into()),
            Self::Syntax(syntax) => (
                501,
                EnhancedCode(5, 5, 4),
                format!("Syntax: {syntax}").into(),
            ),
            Self::Sender(why) => (
                553,
                EnhancedCode(5, 1, 7),
                format!("Bad sender: {why}").into(),
            ),
            Self::Recipient(why) => (
                553,
                EnhancedCode(5, 1, 3),
                format!("Bad recipient: {why}").into(),
            ),
            Self::NeedsSmtpUtf8 => (
                553,
                EnhancedCode(5, 6, 7),
                "Non-ASCII address without SMTPUTF8".into(),
            ),
            // RFC 5321 §4.1.1.11: 555 for parameters that are not recognised.
            Self::UnknownParameter(keyword) => (
                555,
                EnhancedCode(5, 5, 4),
                format!("Unknown parameter {keyword}").into(),
            ),
            Self::DuplicateParameter(keyword) => (
                501,
                EnhancedCode(5, 5, 4),
                format!("Parameter {keyword} occurs twice").into(),
            ),
            Self::BadParameter(keyword) => (
                501,
                EnhancedCode(5, 5, 4),
                format!("Bad value of {keyword}").into(),
            ),
        };
        Reply::new(code, enhanced, text)
    }

    /// Whether the session must close the connection after the reply.
    pub fn must_close(&self) -> bool {
        matches!(self, Self::ForeignProtocol)
    }
}
