//! The peers' packages: found, or installed from Debian.

#![expect(
    clippy::disallowed_methods,
    reason = "keeps a new package's daemons from starting"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::error::{Context as _, Error, Result};
use crate::report::progress;
use crate::stage::run_with;

/// Postfix's own control program.
pub(crate) const POSTFIX: &str = "/usr/sbin/postfix";
/// Dovecot's master.
pub(crate) const DOVECOT: &str = "/usr/sbin/dovecot";

/// A program that a benchmark needs, and the package that has it.
pub(crate) type Need = (&'static str, &'static str);

/// What receives and stores.
pub(crate) const MAIL_FLOW: &[Need] = &[
    ("postfix", POSTFIX),
    ("dovecot-imapd", "/usr/lib/dovecot/imap"),
    ("dovecot-lmtpd", "/usr/lib/dovecot/lmtp"),
];
/// What serves mailboxes.
pub(crate) const MAILBOXES: &[Need] = &[("dovecot-imapd", "/usr/lib/dovecot/imap")];

/// What judges mail.
pub(crate) const FILTERS: &[Need] = &[
    ("rspamd", RSPAMD),
    ("redis-server", REDIS),
    ("spamassassin", SPAMASSASSIN_RULES),
    ("spamd", SPAMD),
];

/// Rspamd's program.
pub(crate) const RSPAMD: &str = "/usr/bin/rspamd";
/// The database that Rspamd works with.
pub(crate) const REDIS: &str = "/usr/bin/redis-server";
/// SpamAssassin's daemon.
pub(crate) const SPAMD: &str = "/usr/sbin/spamd";
/// The rules that come with SpamAssassin.
pub(crate) const SPAMASSASSIN_RULES: &str = "/usr/share/spamassassin";

const APT: &str = "/usr/bin/apt-get";
/// Debian asks this program whether a package may start its service; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure that everything in `needs` is there; root installs what is not.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !rustix::process::geteuid().is_root() || !Path::new(APT).exists() {
        return Err(Error::Missing(format!(
            "missing: {names}; install them (apt-get install {names}) or run as root on Debian"
        )));
    }
    progress(&format!("installing {names}"));
    let _policy = Policy::forbid_starts()?;
    let answer = "postfix postfix/main_mailer_type select No configuration\n";
    run_with(&mut Command::new("debconf-set-selections"), answer)?;
    apt(&["update", "-qq"])?;
    let options = [
        "-o",
        "DPkg::Lock::Timeout=600",
        "install",
        "-y",
        "--no-install-recommends",
    ];
    apt(&[&options[..], &missing].concat())
}

/// The peers start as root, which their privilege separation needs.
pub(crate) fn ensure_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::Missing(
        "the peers start as root only: run this as root".to_owned(),
    ))
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    needs
        .iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(name, _)| *name)
        .collect()
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(APT);
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run_with(&mut command, "").map(drop)
}

/// Keeps services of new packages from starting while it lives; an existing policy stays.
struct Policy {
    ours: bool,
}

impl Policy {
    fn forbid_starts() -> Result<Self> {
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY);
        match file {
            Ok(mut file) => {
                let policy = Self { ours: true };
                file.write_all(b"#!/bin/sh\nexit 101\n").context(POLICY)?;
                Ok(policy)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Ok(Self { ours: false })
            }
            Err(error) => Err(error).context(POLICY),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            // Nothing more can be done about a file that does not go.
            let _ = fs::remove_file(POLICY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_missing() {
        let needs = [
            ("base", "/proc/self/stat"),
            ("none", "/nonexistent/program"),
        ];
        assert_eq!(missing(&needs), ["none"]);
    }
}
