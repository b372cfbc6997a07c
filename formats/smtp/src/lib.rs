//! SMTP on the wire: commands, replies, addresses and message data, without I/O.
//!
//! Bytes in, values out: this crate frames and reads what a client or a server sends and writes
//! what we send. It keeps no session state (whether MAIL may come now is the session's business),
//! knows no clock and opens no socket.
//!
//! | direction | read | write |
//! |---|---|---|
//! | server | [`line::LineReader`] → [`Command::parse`], [`data::DataDecoder`] | [`Reply::encode`] |
//! | client | [`ReplyParser`] → [`extension::Extensions`] | [`Command`]'s `Display`, [`data::encode_data`] |
//!
//! Only CRLF ends a line and only CRLF.CRLF ends a message (SMTP smuggling, CVE-2023-51764).
//!
//! RFC 5321, 1870 (SIZE), 2034 and 3463 (enhanced codes), 2920 (PIPELINING), 3207 (STARTTLS),
//! 3461 (DSN), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8), 2033 (LMTP). CHUNKING is neither
//! announced nor parsed.
//!
//! Start at [`address`] for addresses, [`command`] for the grammar.

#![deny(missing_docs)]

pub mod address;
pub mod command;
pub mod data;
pub mod extension;
pub mod line;
pub mod reply;

pub use address::{Address, AddressError, Domain, ForwardPath, Localpart, ReversePath};
pub use command::{ClientName, Command, CommandError};
pub use data::{DataDecoder, DataError, encode_data};
pub use extension::Extensions;
pub use line::LineReader;
pub use reply::{EnhancedCode, Reply, ReplyError, ReplyParser};
