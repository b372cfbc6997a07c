//! The milter protocol, version 6, of both sides and without I/O.
//!
//! A mail server ("MTA") tells a filter of each step of a conversation and lets it answer. There is
//! no RFC; the protocol is what Sendmail's libmilter speaks, and Postfix after it.
//!
//! | side | read | write |
//! |---|---|---|
//! | filter | [`Framer::next_command`] → [`Session::take`] | [`Response::encode`] |
//! | MTA | [`Framer::next_response`] | [`Command::encode`] |
//!
//! [`Session`] is the filter's side as a state machine: it negotiates, collects what the MTA says and
//! hands out each message once it is complete. Whatever is unknown or malformed is an [`Error`]
//! and ends the connection; lengths and counts are bounded by constants.
//!
//! Not here: sockets, timeouts, what to do with a message. Versions before 2 are refused.
//! Start at [`Command`] and [`Session`].
#![deny(missing_docs)]

mod command;
mod error;
mod flags;
mod frame;
mod response;
mod session;
mod text;

pub use command::{Command, Negotiation, Peer};
pub use error::Error;
pub use flags::{Actions, Protocol};
pub use frame::{Framer, PACKET_MAX};
pub use response::Response;
pub use session::{Connection, Message, Options, Path, Session, Step};
pub use text::Text;

/// The newest version of the protocol, which is ours.
pub const VERSION: u32 = 6;
/// Octets of the message in one packet, by tradition.
pub const CHUNK_MAX: usize = 65_535;
