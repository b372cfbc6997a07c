//! The servers under measurement: Muskox, and its peers from Debian's packages.
//!
//! Each is started by its own module in the run's directory with its own configuration, with
//! durable writes on, its usual logging into a file, and the same certificate. Nothing of the
//! system's own configuration is read or changed.

mod dovecot;
mod muskox;
mod postfix;

use std::net::SocketAddr;
use std::path::Path;

pub(crate) use dovecot::Format;

use crate::certificate::Certificate;
use crate::error::Result;
use crate::report::Pair;
use crate::stage::Stage;

/// The domain that both sides receive mail for.
pub(crate) const DOMAIN: &str = "bench.test";
/// The password of every account.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A running server, or several that work as one.
#[derive(Debug)]
pub(crate) struct Server {
    /// What it is called in messages.
    pub(crate) name: &'static str,
    /// Where mail from other servers arrives; `None` where only mailboxes are measured.
    pub(crate) smtp: Option<SocketAddr>,
    /// IMAP over TLS.
    pub(crate) imaps: SocketAddr,
    /// The master processes.
    pub(crate) masters: Vec<u32>,
}

/// What both sides are started with.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) certificate: &'a Certificate,
    /// The accounts' local parts.
    pub(crate) accounts: &'a [String],
    /// Our binary.
    pub(crate) muskox: &'a Path,
    /// How Dovecot keeps mailboxes.
    pub(crate) format: Format,
}

/// Muskox beside Postfix and Dovecot.
pub(crate) fn mail_flow(setting: &Setting<'_>) -> Result<Pair<Server>> {
    let peer = postfix::start(setting, dovecot::start(setting)?)?;
    Ok(Pair {
        ours: muskox::start(setting)?,
        peer,
    })
}

/// Muskox beside Dovecot.
pub(crate) fn mailboxes(setting: &Setting<'_>) -> Result<Pair<Server>> {
    let peer = dovecot::start(setting)?.server;
    Ok(Pair {
        ours: muskox::start(setting)?,
        peer,
    })
}

/// An account's address.
pub(crate) fn address(account: &str) -> String {
    format!("{account}@{DOMAIN}")
}
