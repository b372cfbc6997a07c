//! What the protocols ask of the filter, in plain data.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// The filter behind the protocols.
pub trait Judge: Send + Sync + fmt::Debug {
    /// What to do with a message. Bounded in time by the caller, who drops the future.
    fn check(&self, request: CheckRequest) -> BoxFuture<'_, Result<CheckReply, CheckError>>;

    /// Learns from a message. The answer comes after what was learned is on disk.
    fn learn(&self, request: LearnRequest) -> BoxFuture<'_, Result<LearnReply, CheckError>>;

    /// What has been done so far.
    fn statistics(&self) -> BoxFuture<'_, Statistics>;
}

/// A message to check. What is `None` was not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckRequest {
    /// The message as it came; line ends may be CRLF or LF.
    pub message: Bytes,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The name it gave in HELO.
    pub helo: Option<String>,
    /// Its confirmed name.
    pub hostname: Option<String>,
    /// The envelope sender without angle brackets; empty for the null sender.
    pub sender: Option<String>,
    /// The recipients, without angle brackets.
    pub recipients: Vec<String>,
    /// The account the client authenticated as.
    pub user: Option<String>,
    /// The mail server's name for the message.
    pub queue_id: Option<String>,
    /// The mailbox it will be delivered to.
    pub deliver_to: Option<String>,
    /// Whether every check is to run, even after the verdict is clear.
    pub pass_all: bool,
    /// Whether the message is complete; a milter may have cut it off.
    pub cut: bool,
}

/// What is to be done with a message, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Action {
    /// Deliver it.
    #[default]
    NoAction,
    /// Ask the sender to come back later.
    Greylist,
    /// Deliver it marked as junk.
    AddHeader,
    /// Deliver it with another subject.
    RewriteSubject,
    /// Refuse it for now.
    SoftReject,
    /// Set it aside.
    Quarantine,
    /// Refuse it for good.
    Reject,
    /// Take it and throw it away.
    Discard,
}

impl Action {
    /// What Rspamd calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAction => "no action",
            Self::Greylist => "greylist",
            Self::AddHeader => "add header",
            Self::RewriteSubject => "rewrite subject",
            Self::SoftReject => "soft reject",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
            Self::Discard => "discard",
        }
    }
}

/// A reason for the verdict.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it adds to the score.
    pub score: f32,
    /// What it says.
    pub description: String,
    /// What it was seen in.
    pub options: Vec<String>,
}

/// A header field to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value without the space after the colon; lines are separated by LF and a space or tab.
    pub value: String,
}

/// Changes to the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits {
    /// Fields to add. Those of the same name that the message brought along are removed.
    pub add: Vec<Field>,
    /// Names of fields to remove, all of each.
    pub remove: Vec<String>,
    /// A new subject, for [`Action::RewriteSubject`].
    pub subject: Option<String>,
    /// Another envelope sender.
    pub sender: Option<String>,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckReply {
    /// What to do.
    pub action: Action,
    /// The sum of the symbols.
    pub score: f32,
    /// The score from which a message is spam.
    pub required_score: f32,
    /// The score of each action that has one, in any order.
    pub thresholds: Vec<(Action, f32)>,
    /// Why.
    pub symbols: Vec<Symbol>,
    /// Changes to the message.
    pub edits: Edits,
    /// The text of a refusal, for the client.
    pub text: Option<String>,
    /// The message's Message-ID without angle brackets; empty if it has none.
    pub message_id: String,
    /// Hosts in links.
    pub urls: Vec<String>,
    /// Mail addresses in the message.
    pub emails: Vec<String>,
    /// Whether nothing was checked, by a rule of the administrator's.
    pub skipped: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why there is no verdict. What it displays may be shown to the peer; reasons are the judge's to
/// log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Too much to do right now.
    #[error("the filter is busy")]
    Busy,
    /// It took too long.
    #[error("the check took too long")]
    Timeout,
    /// The message is larger than the filter reads.
    #[error("the message is too large")]
    TooLarge,
    /// Something of ours is broken.
    #[error("the filter failed")]
    Internal,
}

/// What a message is learned as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LearnClass {
    /// Spam.
    Spam,
    /// Not spam.
    Ham,
}

/// A message to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnRequest {
    /// The message as it came.
    pub message: Bytes,
    /// As what.
    pub class: LearnClass,
    /// For whom; `None` for all.
    pub user: Option<String>,
}

/// What came of learning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LearnReply {
    /// It was learned.
    Learned,
    /// It had been learned before.
    AlreadyLearned,
    /// There was nothing to learn from, for the reason given.
    Skipped(String),
}

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages by action.
    pub actions: Vec<(Action, u64)>,
    /// Messages learned as spam.
    pub learned_spam: u64,
    /// Messages learned as ham.
    pub learned_ham: u64,
    /// Words known to the classifier.
    pub words: u64,
    /// Fuzzy hashes known.
    pub fuzzy_hashes: u64,
    /// How long the filter has run.
    pub uptime: Duration,
}

impl Statistics {
    /// Messages checked.
    #[must_use]
    pub fn scanned(&self) -> u64 {
        self.actions.iter().map(|(_, count)| count).sum()
    }
}
