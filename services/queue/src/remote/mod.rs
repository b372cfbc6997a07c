//! The SMTP client: one conversation with one host, and the cache of idle conversations.
//!
//! [`session`] opens a connection (greeting, EHLO, STARTTLS, AUTH) and [`transaction`] hands over
//! one message on it; [`pool`] keeps a session for the next message to the same destination. Which
//! host to ask, and what follows from its verdict, is [`crate::attempt`]'s business.
//!
//! RFC 5321 (client side), RFC 2920 (PIPELINING), RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531
//! (SMTPUTF8), RFC 3207 (STARTTLS), RFC 4954 (AUTH PLAIN to smart hosts), RFC 7435 (opportunistic
//! TLS). Not here: CHUNKING, DSN parameters, DANE, MTA-STS.

pub(crate) mod pool;
pub(crate) mod session;
mod transaction;

use std::time::Duration;

pub(crate) use pool::Pool;
pub(crate) use session::{Security, Session, Target};
pub(crate) use transaction::{Envelope, Outcome};

/// How long to wait for a remote host in each phase.
///
/// The defaults are RFC 5321 §4.5.3.2's minima, which say nothing about connecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TCP connection.
    pub connect: Duration,
    /// For the 220 greeting.
    pub greeting: Duration,
    /// For the reply to EHLO, HELO, STARTTLS and AUTH.
    pub hello: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the reply to MAIL.
    pub mail: Duration,
    /// For the reply to RCPT.
    pub rcpt: Duration,
    /// For the reply to DATA.
    pub data: Duration,
    /// For each block of the message to be taken by the network.
    pub block: Duration,
    /// For the reply to the final dot.
    pub final_dot: Duration,
    /// For the reply to RSET, asked when a session is used again.
    pub reset: Duration,
    /// For the reply to QUIT.
    pub quit: Duration,
    /// How long a session stays open for a further message; zero ends it at once.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            connect: Duration::from_secs(30),
            greeting: Duration::from_secs(5 * MINUTE),
            hello: Duration::from_secs(5 * MINUTE),
            handshake: Duration::from_secs(MINUTE),
            mail: Duration::from_secs(5 * MINUTE),
            rcpt: Duration::from_secs(5 * MINUTE),
            data: Duration::from_secs(2 * MINUTE),
            block: Duration::from_secs(3 * MINUTE),
            final_dot: Duration::from_secs(10 * MINUTE),
            reset: Duration::from_secs(10),
            quit: Duration::from_secs(5),
            idle: Duration::from_secs(5),
        }
    }
}
