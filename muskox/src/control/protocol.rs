//! Requests and replies of the control socket. The JSON is ours on both ends; it is not an API
//! for others.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filtering::{
    FilterRequest, LearnRequest, MapRequest, MessageRequest, QuarantineRequest, RulesRequest,
    SenderRequest, SettingRequest,
};

/// What a command asks of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "noun", content = "verb")]
pub enum Request {
    /// `muskox domain …`
    Domain(DomainRequest),
    /// `muskox account …`
    Account(AccountRequest),
    /// `muskox alias …`
    Alias(AliasRequest),
    /// `muskox dkim …`
    Dkim(DkimRequest),
    /// `muskox queue …`
    Queue(QueueRequest),
    /// `muskox captured …`: mail that the demo did not send.
    Captured(CapturedRequest),
    /// `muskox message …`: why mail was treated as it was.
    Message(MessageRequest),
    /// `muskox quarantine …`
    Quarantine(QuarantineRequest),
    /// `muskox learn …`
    Learn(LearnRequest),
    /// `muskox rules …`
    Rules(RulesRequest),
    /// `muskox map …`
    Map(MapRequest),
    /// `muskox sender …`: allow and deny lists.
    Sender(SenderRequest),
    /// `muskox setting …`: thresholds, tags, limits, networks, special addresses.
    Setting(SettingRequest),
    /// `muskox filter …`
    Filter(FilterRequest),
    /// `muskox upgrade …`
    Upgrade(UpgradeRequest),
    /// `muskox status`
    Status,
    /// `muskox db check`: recomputes every counter and reference, and reads every blob.
    Check,
}

/// Verbs of `muskox domain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainRequest {
    /// Adds a domain, or an alias domain of another, with DKIM keys.
    Add {
        name: String,
        alias_of: Option<String>,
        quota_bytes: u64,
    },
    /// All domains.
    List,
    /// Removes a domain that nothing uses any more.
    Remove { name: String },
    /// The DNS records the domain needs.
    Dns { name: String },
}

/// Verbs of `muskox account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRequest {
    /// Adds an account with its mailboxes. `hashed` says that the password is a hash to import.
    Add {
        address: String,
        password: String,
        hashed: bool,
        full_name: String,
        quota_bytes: Option<u64>,
    },
    /// All accounts, or those of a domain.
    List { domain: Option<String> },
    /// Removes an account and all its mail.
    Remove { address: String },
    /// Sets a password.
    Password { address: String, password: String },
    /// Sets the quota; 0 is unlimited.
    Quota { address: String, quota_bytes: u64 },
    /// Lets the account sign in and receive.
    Enable { address: String },
    /// Neither signs in nor receives; with `receiving` it still receives.
    Disable { address: String, receiving: bool },
}

/// Verbs of `muskox alias`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AliasRequest {
    /// Adds an alias; `@domain` is a catch-all.
    Add {
        address: String,
        targets: Vec<String>,
        comment: String,
    },
    /// All aliases, or those of a domain.
    List { domain: Option<String> },
    /// Removes an alias.
    Remove { address: String },
}

/// Verbs of `muskox dkim`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DkimRequest {
    /// Makes a key and signs with it from now on.
    Generate {
        domain: String,
        selector: String,
        algorithm: DkimAlgorithm,
    },
    /// All keys with their DNS records.
    List { domain: Option<String> },
    /// Removes a key.
    Remove { domain: String, selector: String },
}

/// What a DKIM key is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DkimAlgorithm {
    /// RSA with 2,048 bits: everybody verifies it.
    Rsa,
    /// Ed25519 (RFC 8463): short and fast; not yet verified everywhere.
    Ed25519,
}

/// Verbs of `muskox queue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueRequest {
    /// All messages that wait.
    List,
    /// One message with its recipients and its header section.
    Show { id: i64 },
    /// Tries again now; all messages when no id is given.
    Retry { id: Option<i64> },
    /// Keeps a message from being tried.
    Hold { id: i64 },
    /// Ends a hold.
    Release { id: i64 },
    /// Deletes a message without telling anybody.
    Delete { id: i64 },
}

/// Verbs of `muskox captured`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapturedRequest {
    /// All captured messages.
    List,
    /// One, whole.
    Show { number: usize },
}

/// Verbs of `muskox upgrade` that the running server carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeRequest {
    /// Which programs wrote the data, and which may open them.
    Status,
    /// From now on older programs may not.
    Finalize,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done; the data of the answer.
    Done(Value),
    /// Not done.
    Failed(Failure),
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind, which decides the exit code.
    pub kind: FailureKind,
    /// One line for the operator.
    pub message: String,
}

impl Failure {
    /// A failure of `kind` explained by `message`.
    pub fn new(kind: FailureKind, message: impl ToString) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }
}

/// Kinds of failure, each with an exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request makes no sense.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// It exists already, or is in use.
    Conflict,
    /// The server could not do it.
    Internal,
}
