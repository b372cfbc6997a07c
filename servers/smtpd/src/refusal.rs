//! Errors as replies: the only place where what went wrong becomes what the client may read.

use smtp::{EnhancedCode, Reply};

/// Something to try again later, whatever it was. The operator finds the reason in the log.
pub(crate) fn later() -> Reply {
    Reply::new(
        451,
        EnhancedCode(4, 3, 0),
        "Temporary failure, try again later",
    )
}

/// The disk has no room.
pub(crate) fn full() -> Reply {
    Reply::new(452, EnhancedCode(4, 3, 1), "Insufficient system storage")
}

/// RFC 6647 §2.4: who is not known yet comes again.
pub(crate) fn greylisted() -> Reply {
    Reply::new(
        451,
        EnhancedCode(4, 7, 1),
        "Greylisted, try again in a few minutes",
    )
}

/// RFC 5321 §6.3: the message has passed too many servers.
pub(crate) fn loops() -> Reply {
    Reply::new(
        554,
        EnhancedCode(5, 4, 6),
        "Message loops: too many Received fields",
    )
}

/// The answer to a store that cannot.
pub(crate) fn store(session: &str, error: &store::Error) -> Reply {
    match error {
        store::Error::Full => {
            tracing::warn!(session, "no space for mail");
            full()
        }
        error => {
            tracing::error!(session, %error, "the store cannot take mail");
            later()
        }
    }
}

/// The answer to a message that could not be accepted.
pub(crate) fn queue(session: &str, error: &queue::Error) -> Reply {
    match error {
        queue::Error::Loop(_) => loops(),
        queue::Error::Store(error) => store(session, error),
        error if error.is_full() => full(),
        error => {
            tracing::error!(session, %error, "a message could not be accepted");
            later()
        }
    }
}

/// The answer to a directory that cannot say.
pub(crate) fn directory(session: &str, error: &directory::Error) -> Reply {
    match error {
        directory::Error::Store(error) => store(session, error),
        error => {
            tracing::error!(session, %error, "the directory cannot answer");
            later()
        }
    }
}
