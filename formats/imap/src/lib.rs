//! IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) on the wire, without I/O.
//!
//! Bytes come in through a [`Framer`], which cuts them into commands and decides about literals
//! before they are read; [`Command::parse`] turns one [`RawCommand`] into a value that cannot be
//! invalid; the types in [`response`] write themselves into a `Vec<u8>` through a [`Writer`].
//!
//! What it does not do: sessions, states (whether a command is allowed now), mailbox semantics,
//! MIME. It knows no clock and no sockets. Responses are written, not parsed: this is a server's
//! codec, with commands encodable for tests and clients.
//!
//! How it is laid out, and where an extension goes:
//!
//! - one file per piece of shared grammar (`atom`, `string`, `number`, `date`, `flag`, `sequence`,
//!   `mailbox`, `section`): type, parser with its ABNF rule, writer;
//! - one file per command in [`command`], plus its row in `command::table`;
//! - one file per kind of response in [`response`], each implementing [`response::Encode`].
//!
//! Implemented here: RFC 9051, RFC 3501, RFC 7888 (LITERAL+, LITERAL-), RFC 4315 (UIDPLUS), RFC 5161
//! (ENABLE), RFC 7162 (CONDSTORE part), RFC 2971 (ID), RFC 3691 (UNSELECT), RFC 2342 (NAMESPACE),
//! RFC 6154 (SPECIAL-USE), RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 6851 (MOVE),
//! RFC 2177 (IDLE), RFC 4731 (ESEARCH), RFC 4959 (SASL-IR), RFC 6855 (UTF8=ACCEPT), RFC 3348
//! (CHILDREN), RFC 8438 (STATUS=SIZE), RFC 7889 (APPENDLIMIT), RFC 5530 (response codes).
//!
//! Start reading at [`framing`], then [`command`], then [`response`].

#![deny(missing_docs)]

mod atom;
mod capability;
pub mod command;
mod date;
mod error;
mod flag;
pub mod framing;
mod mailbox;
mod number;
mod reader;
pub mod response;
mod section;
mod sequence;
mod string;
mod utf7;
mod writer;

pub use atom::{Atom, Tag};
pub use capability::Capability;
pub use command::{Command, CommandBody, CommandError};
pub use date::{Date, DateTime};
pub use error::{Error, MailboxNameError};
pub use flag::{Flag, Keyword};
pub use framing::{Event, Framer, Limits, RawCommand};
pub use mailbox::{DELIMITER, ListPattern, MailboxName, SpecialUse, Utf8Mode};
pub use number::{ModSeq, SeqNum, Uid, UidValidity};
pub use section::{Partial, Section, SectionText};
pub use sequence::{By, SequenceSet, SetNumber, SetRange, UidSet};
pub use writer::{LiteralStyle, Writer};
