//! What a client may ask for. The defaults are those of long-running servers elsewhere.

use std::time::Duration;

/// Limits of all sessions.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of a message that APPEND takes, announced as APPENDLIMIT.
    pub append_bytes: u64,
    /// Octets of messages that all sessions together hold in memory, on their way in or out.
    pub bytes_in_flight: u32,
    /// How long a session waits for its share of [`Limits::bytes_in_flight`].
    pub budget_timeout: Duration,
    /// Free bytes on the data directory's file system below which no message is appended or
    /// copied.
    pub reserve_bytes: u64,
    /// Sessions that have not signed in; the oldest makes room for a new one.
    pub unauthenticated_sessions: usize,
    /// Sessions of one account from one address.
    pub sessions_per_user: usize,
    /// Failed sign-ins, after which the session ends.
    pub auth_failures: u32,
    /// How long the answer to a failed sign-in waits, times the failures so far.
    pub auth_delay: Duration,
    /// How long a session may take to sign in, however busy it is.
    pub login_timeout: Duration,
    /// How long a command is waited for before sign-in.
    pub login_idle_timeout: Duration,
    /// RFC 9051 §5.4: how long a command is waited for after sign-in, at least 30 minutes.
    pub idle_timeout: Duration,
    /// How long a command may take to arrive from its first octet; its literals allow it more
    /// time, at [`Limits::min_bytes_per_second`].
    pub command_timeout: Duration,
    /// The slowest client that is waited for while it sends a literal.
    pub min_bytes_per_second: u64,
    /// Commands in a row that could not be understood, after which the session ends.
    pub bad_commands: u32,
    /// Commands before sign-in, after which the session ends.
    pub unauthenticated_commands: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            append_bytes: 50 << 20,
            bytes_in_flight: 256 << 20,
            budget_timeout: Duration::from_secs(60),
            reserve_bytes: 64 << 20,
            unauthenticated_sessions: 1_000,
            sessions_per_user: 20,
            auth_failures: 5,
            auth_delay: Duration::from_secs(1),
            login_timeout: Duration::from_secs(600),
            login_idle_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(1_800),
            command_timeout: Duration::from_secs(180),
            min_bytes_per_second: 4_096,
            bad_commands: 20,
            unauthenticated_commands: 50,
        }
    }
}
