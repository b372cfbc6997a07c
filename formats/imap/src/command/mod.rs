//! Commands: one file for each that has arguments, and the table that finds them by name.
//!
//! Parsing needs a whole [`RawCommand`] from the framer and says nothing about whether the command
//! is allowed in the session's state. [`Command::encode`] writes one back, for tests and clients.

mod append;
mod authenticate;
mod copy;
mod create;
mod enable;
mod expunge;
mod fetch;
mod id;
mod list;
mod login;
mod lsub;
mod rename;
mod search;
mod select;
mod status;
mod store;
mod table;

pub use append::Append;
pub use authenticate::{Authenticate, InitialResponse};
pub use copy::Copy;
pub use create::Create;
pub use enable::Enable;
pub use expunge::Expunge;
pub use fetch::{Fetch, FetchItem, Seen};
pub use id::{Id, MAX_ID_FIELDS};
pub use list::{List, ListReturn, ListSelection};
pub use login::{Login, Password};
pub use lsub::Lsub;
pub use rename::Rename;
pub use search::{
    KeyId, MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS, Search, SearchKey, SearchQuery, SearchReturn,
};
pub use select::Select;
pub use status::{StatusCommand, StatusItem};
pub use store::{Announce, Store, StoreMode};
pub(crate) use table::{Literals, literals_of};

use crate::atom::Tag;
use crate::error::Error;
use crate::framing::RawCommand;
use crate::mailbox::{MailboxName, Utf8Mode};
use crate::reader::Reader;
use crate::response::{ResponseCode, Status, StatusResponse};
use crate::writer::Writer;

/// A command with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Names the command in its answer.
    pub tag: Tag,
    /// What is asked for.
    pub body: CommandBody,
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandBody {
    /// RFC 9051 §6.1.1
    Capability,
    /// RFC 9051 §6.1.2
    Noop,
    /// RFC 9051 §6.1.3
    Logout,
    /// RFC 2971
    Id(Id),
    /// RFC 9051 §6.2.1
    StartTls,
    /// RFC 9051 §6.2.2
    Authenticate(Authenticate),
    /// RFC 9051 §6.2.3
    Login(Login),
    /// RFC 9051 §6.3.1
    Enable(Enable),
    /// RFC 9051 §6.3.2
    Select(Select),
    /// RFC 9051 §6.3.3
    Examine(Select),
    /// RFC 9051 §6.3.4
    Create(Create),
    /// RFC 9051 §6.3.5
    Delete(MailboxName),
    /// RFC 9051 §6.3.6
    Rename(Rename),
    /// RFC 9051 §6.3.7
    Subscribe(MailboxName),
    /// RFC 9051 §6.3.8
    Unsubscribe(MailboxName),
    /// RFC 9051 §6.3.9
    List(List),
    /// RFC 3501 §6.3.9
    Lsub(Lsub),
    /// RFC 9051 §6.3.10
    Namespace,
    /// RFC 9051 §6.3.11
    Status(StatusCommand),
    /// RFC 9051 §6.3.12
    Append(Append),
    /// RFC 9051 §6.3.13: ends with the line DONE, which the session reads with
    /// [`crate::Framer::next_line`].
    Idle,
    /// RFC 3501 §6.4.1
    Check,
    /// RFC 9051 §6.4.1
    Close,
    /// RFC 9051 §6.4.2
    Unselect,
    /// RFC 9051 §6.4.3, §6.4.9
    Expunge(Expunge),
    /// RFC 9051 §6.4.4
    Search(Search),
    /// RFC 9051 §6.4.5
    Fetch(Fetch),
    /// RFC 9051 §6.4.6
    Store(Store),
    /// RFC 9051 §6.4.7
    Copy(Copy),
    /// RFC 9051 §6.4.8
    Move(Copy),
}

/// Why a command cannot be parsed, with its tag as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct CommandError {
    /// Repeated in the answer; without it the answer is untagged.
    pub tag: Option<Tag>,
    /// What is wrong.
    #[source]
    pub error: Error,
}

impl CommandError {
    /// The answer: `BAD`, but `NO` where a well-formed command asks for what cannot be.
    #[must_use]
    pub fn response(&self) -> StatusResponse {
        let text = self.error.to_string();
        let response = match self.error {
            // RFC 9051 §6.4.4: NO with the character sets that are supported.
            Error::BadCharset => StatusResponse::new(Status::No, text)
                .with_code(ResponseCode::BadCharset(vec![crate::response::UTF_8])),
            // RFC 5530 §3: CANNOT for names that can never exist.
            Error::MailboxName(_) => {
                StatusResponse::new(Status::No, text).with_code(ResponseCode::Cannot)
            }
            _ => StatusResponse::new(Status::Bad, text),
        };
        match &self.tag {
            Some(tag) => response.tagged(tag.clone()),
            None => response,
        }
    }
}

impl Command {
    /// Parses one whole command.
    ///
    /// `command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF`
    ///
    /// # Errors
    /// When it is none; the tag is there when it could be read.
    pub fn parse(raw: RawCommand, mode: Utf8Mode) -> Result<Self, CommandError> {
        let (text, literals) = raw.into_parts();
        let mut reader = Reader::new(&text, literals, mode);
        let tag = reader
            .tag()
            .map_err(|error| CommandError { tag: None, error })?;
        let body = reader.sp().and_then(|()| table::parse_body(&mut reader));
        match body.and_then(|body| reader.finish().map(|()| body)) {
            Ok(body) => Ok(Self { tag, body }),
            Err(error) => Err(CommandError {
                tag: Some(tag),
                error,
            }),
        }
    }

    /// Appends the command with its CRLF. Literals are non-synchronizing.
    pub fn encode(&self, out: &mut Vec<u8>, mode: Utf8Mode) {
        let mut writer = Writer::for_commands(out, mode);
        writer.text(self.tag.as_str()).sp();
        self.body.encode(&mut writer);
        writer.crlf();
    }
}

impl CommandBody {
    /// The command's name without UID, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::Id(_) => "ID",
            Self::StartTls => "STARTTLS",
            Self::Authenticate(_) => "AUTHENTICATE",
            Self::Login(_) => "LOGIN",
            Self::Enable(_) => "ENABLE",
            Self::Select(_) => "SELECT",
            Self::Examine(_) => "EXAMINE",
            Self::Create(_) => "CREATE",
            Self::Delete(_) => "DELETE",
            Self::Rename(_) => "RENAME",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub(_) => "LSUB",
            Self::Namespace => "NAMESPACE",
            Self::Status(_) => "STATUS",
            Self::Append(_) => "APPEND",
            Self::Idle => "IDLE",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge(_) => "EXPUNGE",
            Self::Search(_) => "SEARCH",
            Self::Fetch(_) => "FETCH",
            Self::Store(_) => "STORE",
            Self::Copy(_) => "COPY",
            Self::Move(_) => "MOVE",
        }
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        let name = self.name();
        match self {
            Self::Capability
            | Self::Noop
            | Self::Logout
            | Self::StartTls
            | Self::Namespace
            | Self::Idle
            | Self::Check
            | Self::Close
            | Self::Unselect => {
                writer.text(name);
            }
            Self::Id(id) => {
                writer.text(name).sp().id_fields(id);
            }
            Self::Authenticate(authenticate) => authenticate.encode(writer),
            Self::Login(login) => login.encode(writer),
            Self::Enable(enable) => {
                writer.text(name).capabilities(&enable.capabilities);
            }
            Self::Select(select) | Self::Examine(select) => select.encode(name, writer),
            Self::Create(create) => create.encode(writer),
            Self::Delete(mailbox) | Self::Subscribe(mailbox) | Self::Unsubscribe(mailbox) => {
                writer.text(name).sp().mailbox(mailbox);
            }
            Self::Rename(rename) => rename.encode(writer),
            Self::List(list) => list.encode(writer),
            Self::Lsub(lsub) => lsub.encode(writer),
            Self::Status(status) => status.encode(writer),
            Self::Append(append) => append.encode(writer),
            Self::Expunge(expunge) => expunge.encode(writer),
            Self::Search(search) => search.encode(writer),
            Self::Fetch(fetch) => fetch.encode(writer),
            Self::Store(store) => store.encode(writer),
            Self::Copy(copy) | Self::Move(copy) => copy.encode(name, writer),
        }
    }
}

#[cfg(test)]
mod tests;
