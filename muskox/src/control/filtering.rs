//! Requests of the control socket about the filter: its verdicts, rules, maps and lists.

use serde::{Deserialize, Serialize};

/// Verbs of `muskox message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRequest {
    /// Why a message was treated as it was.
    Why { name: String },
    /// The latest verdicts.
    List { limit: u32 },
}

/// Verbs of `muskox quarantine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineRequest {
    /// What is in quarantine, of one account if given; the latest first, those before `before`.
    List {
        account: Option<String>,
        before: Option<i64>,
        limit: u32,
    },
    /// One message, whole.
    Show { id: i64 },
    /// Delivers a message; with `learn` it is learned as good mail.
    Release { id: i64, learn: bool },
    /// Deletes a message; with `learn` it is learned as spam.
    Delete { id: i64, learn: bool },
}

/// Verbs of `muskox learn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnRequest {
    /// Teaches the classifier one message, in base64; for everybody when no account is given.
    Message {
        class: LearnClass,
        message: String,
        account: Option<String>,
    },
    /// How much was learned.
    Status { account: Option<String> },
    /// Forgets all that was learned for an account, or for everybody.
    Forget { account: Option<String> },
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LearnClass {
    /// Good mail.
    Ham,
    /// Junk.
    Spam,
}

/// Verbs of `muskox rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulesRequest {
    /// What is in force, and how it came there.
    Status,
    /// The rule sets beside the built-in ones.
    List,
    /// Stores a rule set in place of any of its name and puts it in force.
    Put {
        name: String,
        toml: String,
        position: u32,
        source: String,
    },
    /// Switches a rule set on or off.
    Enable { name: String, enabled: bool },
    /// The text of a rule set.
    Show { name: String },
    /// Removes a rule set.
    Remove { name: String },
}

/// Verbs of `muskox map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapRequest {
    /// All maps.
    List,
    /// One with its lines.
    Show { name: String },
    /// Replaces the lines of a map.
    Set { name: String, text: String },
    /// Makes a map.
    Add(NewMap),
    /// Sets the score of a map, or switches it.
    Change {
        name: String,
        score: Option<f32>,
        active: Option<bool>,
    },
    /// Removes a map; a built-in one has its first lines again.
    Remove { name: String },
    /// Takes over a map file of mailcow, in base64.
    Import { file: String, content: String },
    /// Which of the latest stored messages the lines would apply to.
    Try {
        name: String,
        text: Option<String>,
        messages: u32,
    },
}

/// A map to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewMap {
    /// What it is called.
    pub name: String,
    /// `pattern`, `address`, `domain`, `network`, `word` or `asn`.
    pub kind: String,
    /// The symbol of its rule.
    pub symbol: String,
    /// What it is compared with.
    pub scope: String,
    /// By how much it makes a message worse.
    pub score: f32,
    /// What happens when a line applies.
    pub effect: String,
    /// For people.
    pub description: String,
    /// Its lines.
    pub text: String,
}

/// Verbs of `muskox sender`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderRequest {
    /// Puts senders on an allow or deny list.
    Add {
        owner: Option<String>,
        verdict: String,
        patterns: Vec<String>,
        comment: String,
    },
    /// Takes entries off.
    Remove {
        owner: Option<String>,
        ids: Vec<i64>,
    },
    /// The entries of an owner.
    List { owner: Option<String> },
    /// Replaces the address book that an account's senders are compared with.
    Contacts {
        account: String,
        addresses: Vec<String>,
    },
}

/// Verbs of `muskox setting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingRequest {
    /// What an owner has set.
    Show { owner: Option<String> },
    /// Sets some, and unsets those named in `unset`.
    Set {
        owner: Option<String>,
        values: Vec<(String, String)>,
        unset: Vec<String>,
    },
    /// Gives an address a role: `internal`, `ham_trap`, `spam_trap`; none takes it away.
    Role {
        address: String,
        role: Option<String>,
    },
    /// Addresses with a role.
    Roles,
    /// Adds a network: `own`, `forwarding`, `forwarding_unfiltered`, `submission` of an account.
    AddNetwork {
        network: String,
        purpose: String,
        account: Option<String>,
        comment: String,
    },
    /// Removes a network.
    RemoveNetwork { account: Option<String>, id: i64 },
    /// The networks.
    Networks { account: Option<String> },
}

/// Verbs of `muskox filter` that ask the running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterRequest {
    /// Judges a message, in base64, as if it came now.
    Judge {
        message: String,
        recipient: Option<String>,
    },
    /// The block lists, and whether they are asked.
    Lists,
}
