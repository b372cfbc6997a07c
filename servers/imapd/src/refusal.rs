//! Errors as replies: the only place where what went wrong becomes what the client may read. The
//! operator finds the reason in the log.

use directory::AuthError;
use imap::response::{ResponseCode, Status, StatusResponse};

use crate::io::Ended;

fn no(code: ResponseCode, text: &'static str) -> StatusResponse {
    StatusResponse::new(Status::No, text).with_code(code)
}

/// The answer to an operation on mail that was refused.
pub(crate) fn mail(session: &str, error: &mail::Error) -> StatusResponse {
    use mail::Error;
    match error {
        Error::NoMailbox => no(ResponseCode::NonExistent, "Mailbox does not exist"),
        Error::NoMessage => no(ResponseCode::ExpungeIssued, "Message has been expunged"),
        Error::Exists => no(ResponseCode::AlreadyExists, "Mailbox exists already"),
        Error::HasChildren => no(ResponseCode::HasChildren, "Mailbox has children"),
        Error::Inbox => no(ResponseCode::Cannot, "Not possible on the INBOX"),
        Error::BelowItself => no(ResponseCode::Cannot, "Mailbox would lie below itself"),
        Error::Name(_) => no(ResponseCode::Cannot, "Mailbox name is not possible"),
        Error::RoleTaken(_) => no(
            ResponseCode::UseAttr,
            "Another mailbox has this special use",
        ),
        Error::TooManyMailboxes => no(ResponseCode::Limit, "Too many mailboxes"),
        Error::TooManyKeywords => no(ResponseCode::Limit, "Too many keywords on one message"),
        Error::OverQuota => no(ResponseCode::OverQuota, "Quota exceeded"),
        Error::TooLarge => no(ResponseCode::TooBig, "Message is too large"),
        Error::Store(error) => store(session, error),
        Error::Damaged(_) => {
            tracing::error!(session, %error, "stored mail is damaged");
            no(ResponseCode::Corruption, "Stored mail is damaged")
        }
        error => {
            tracing::error!(session, %error, "an operation on mail failed");
            no(ResponseCode::ServerBug, "Internal error")
        }
    }
}

/// The same where a mailbox to put messages into is missing: RFC 9051 §6.3.12 wants TRYCREATE.
pub(crate) fn target(session: &str, error: &mail::Error) -> StatusResponse {
    match error {
        mail::Error::NoMailbox => no(ResponseCode::TryCreate, "Mailbox does not exist"),
        error => mail(session, error),
    }
}

/// The answer to a store that cannot.
pub(crate) fn store(session: &str, error: &store::Error) -> StatusResponse {
    match error {
        store::Error::Full => {
            tracing::warn!(session, "no space for mail");
            full()
        }
        store::Error::Damaged { .. } | store::Error::NoBlob(_) => {
            tracing::error!(session, %error, "a message is damaged");
            no(ResponseCode::Corruption, "Message is damaged")
        }
        error => {
            tracing::error!(session, %error, "the store failed");
            no(
                ResponseCode::Unavailable,
                "Temporary failure, try again later",
            )
        }
    }
}

/// The disk has no room.
pub(crate) fn full() -> StatusResponse {
    no(ResponseCode::Unavailable, "Insufficient system storage")
}

/// The answer to somebody who may not sign in.
pub(crate) fn sign_in(error: &AuthError) -> StatusResponse {
    match error {
        AuthError::Disabled => no(ResponseCode::AuthorizationFailed, "Account is disabled"),
        AuthError::Unavailable => no(
            ResponseCode::Unavailable,
            "Temporary authentication failure",
        ),
        _ => no(ResponseCode::AuthenticationFailed, "Authentication failed"),
    }
}

/// The last response of a session; none to a client that is not there.
pub(crate) fn bye(ended: &Ended) -> Option<StatusResponse> {
    let (code, text) = match ended {
        Ended::Lost => return None,
        Ended::Logout => (None, "Logging out"),
        Ended::Timeout => (None, "Timeout"),
        Ended::Shutdown => (Some(ResponseCode::Unavailable), "Server is going down"),
        Ended::Evicted => (Some(ResponseCode::Limit), "Too many connections"),
        Ended::Abuse => (None, "Too many errors"),
        Ended::Guessing => (None, "Too many failed sign-ins"),
        Ended::Busy => (
            Some(ResponseCode::Unavailable),
            "Server is busy, try again later",
        ),
        Ended::Deselected => (None, "Selected mailbox was deleted"),
    };
    let bye = StatusResponse::new(Status::Bye, text);
    Some(match code {
        Some(code) => bye.with_code(code),
        None => bye,
    })
}
