//! What a client may ask for. The defaults are those of long-running servers elsewhere.

use std::time::Duration;

/// Limits of all sessions.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of a message, announced as SIZE.
    pub message_bytes: u64,
    /// Octets of all messages that are being received at a time.
    pub messages_in_flight_bytes: u32,
    /// Recipients of a message.
    pub recipients: usize,
    /// Messages of a session.
    pub messages: u32,
    /// Commands that were refused, after which the session ends.
    pub errors: u32,
    /// Commands that lead nowhere (NOOP, RSET, EHLO, VRFY, HELP), after which the session ends.
    pub idle_commands: u32,
    /// Failed authentications, after which the session ends.
    pub auth_failures: u32,
    /// How long the answer to a failed authentication waits, times the failures so far, five at
    /// most.
    pub auth_delay: Duration,
    /// RFC 5321 §4.5.3.2.7: how long a command is waited for.
    pub command_timeout: Duration,
    /// Sessions that have neither signed in nor sent mail; the oldest makes room for a new one.
    pub unproven_sessions: usize,
    /// How long a client may take to say hello. RFC 5321 §4.5.3.2.7 would give it five minutes, which
    /// nobody needs for that.
    pub hello_timeout: Duration,
    /// How long a session may take until its first MAIL.
    pub first_mail_timeout: Duration,
    /// How long a message may take whatever its size; its size allows it more time, at
    /// [`Limits::min_bytes_per_second`].
    pub data_timeout: Duration,
    /// The slowest client that is waited for while it sends a message.
    pub min_bytes_per_second: u64,
    /// Free bytes on the data directory's file system below which no mail is taken.
    pub reserve_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 50 << 20,
            messages_in_flight_bytes: 256 << 20,
            recipients: 1_000,
            messages: 1_000,
            errors: 20,
            idle_commands: 100,
            auth_failures: 5,
            auth_delay: Duration::from_secs(1),
            command_timeout: Duration::from_secs(300),
            unproven_sessions: 1_000,
            hello_timeout: Duration::from_secs(60),
            first_mail_timeout: Duration::from_secs(600),
            data_timeout: Duration::from_secs(180),
            min_bytes_per_second: 500,
            reserve_bytes: 64 << 20,
        }
    }
}
