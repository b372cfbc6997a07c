//! The control socket: how `muskox` commands speak to the running server.
//!
//! A Unix socket, mode 0660 in a directory of the server's. A client sends one JSON object on one
//! line ([`Request`]) and reads one ([`Reply`]); then either asks again or closes. Whoever can
//! open the socket is an administrator. Start at [`Request`].

mod client;
mod filtering;
mod handler;
mod protocol;
mod server;

pub use client::{Client, ClientError};
pub use filtering::{
    FilterRequest, LearnClass, LearnRequest, MapRequest, MessageRequest, NewMap, QuarantineRequest,
    RulesRequest, SenderRequest, SettingRequest,
};
pub use handler::Handler;
pub(crate) use handler::{dkim_record, first_keys};
pub use protocol::{
    AccountRequest, AliasRequest, CapturedRequest, DkimAlgorithm, DkimRequest, DomainRequest,
    Failure, FailureKind, QueueRequest, Reply, Request, UpgradeRequest,
};
pub use server::serve;

/// The longest request or reply line, in bytes.
pub const MAX_LINE: usize = 64 * 1024 * 1024;
