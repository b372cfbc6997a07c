//! Dovecot 2.3 from Debian: LMTP, IMAP over TLS, no plugins.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{DOMAIN, PASSWORD, Server, Setting};
use crate::error::Result;
use crate::packages::DOVECOT;
use crate::stage::{Stop, launch, wait_for, wait_for_pid, write};

/// The unprivileged user that owns the mail.
const OWNER: &str = "nobody";

/// How mailboxes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A file a message
    Maildir,
    /// A file a message, with Dovecot's own index as the truth
    Sdbox,
    /// Many messages a file
    Mdbox,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Sdbox => "sdbox",
            Self::Mdbox => "mdbox",
        }
    }
}

/// A running Dovecot.
#[derive(Debug)]
pub(super) struct Dovecot {
    pub(super) server: Server,
    /// The socket on which it takes mail by LMTP.
    pub(super) lmtp: PathBuf,
}

/// Starts the server; accounts need no making.
pub(super) fn start(setting: &Setting<'_>) -> Result<Dovecot> {
    let stage = setting.stage;
    let root = stage.directory("dovecot")?;
    let homes = stage.directory("dovecot/homes")?;
    rustix::fs::chown(&homes, Some(rustix::fs::Uid::from_raw(NOBODY)), None)
        .map_err(std::io::Error::from)
        .map_err(|source| crate::error::Error::Io {
            what: "homes".to_owned(),
            source,
        })?;
    let imaps = stage.address()?;
    let (config, log) = (root.join("dovecot.conf"), root.join("dovecot.log"));
    write(&config, &configuration(setting, &root, imaps.port()))?;
    let mut command = Command::new(DOVECOT);
    command.arg("-c").arg(&config);
    launch(&mut command, &root.join("start.log"))?;
    let master = wait_for_pid("dovecot", &root.join("run/master.pid"))?;
    stage.started(Stop::Command {
        program: PathBuf::from(DOVECOT),
        arguments: vec![
            "-c".to_owned(),
            config.display().to_string(),
            "stop".to_owned(),
        ],
        master,
    });
    wait_for("dovecot", imaps, &log)?;
    Ok(Dovecot {
        server: Server {
            name: "dovecot",
            smtp: None,
            imaps,
            masters: vec![master],
        },
        lmtp: root.join("run/lmtp"),
    })
}

/// Debian gives this number to `nobody` everywhere.
const NOBODY: u32 = 65_534;

fn configuration(setting: &Setting<'_>, root: &Path, port: u16) -> String {
    let (root, format) = (root.display(), setting.format.name());
    let (chain, key) = (
        setting.certificate.chain.display(),
        setting.certificate.key.display(),
    );
    let location = if format == "maildir" {
        "Maildir"
    } else {
        format
    };
    format!(
        "base_dir = {root}/run\n\
         state_dir = {root}/run\n\
         log_path = {root}/dovecot.log\n\
         listen = 127.0.0.1\n\
         protocols = imap lmtp\n\
         ssl = required\n\
         ssl_cert = <{chain}\n\
         ssl_key = <{key}\n\
         hostname = mail.{DOMAIN}\n\
         postmaster_address = postmaster@{DOMAIN}\n\
         mail_location = {format}:~/{location}\n\
         mail_fsync = optimized\n\
         maildir_very_dirty_syncs = yes\n\
         first_valid_uid = {NOBODY}\n\
         first_valid_gid = {NOBODY}\n\
         passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n\
         userdb {{\n  driver = static\n  \
         args = uid={NOBODY} gid={NOBODY} home={root}/homes/%n allow_all_users=yes\n}}\n\
         namespace inbox {{\n  inbox = yes\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    port = 0\n  }}\n  \
         inet_listener imaps {{\n    port = {port}\n    ssl = yes\n  }}\n}}\n\
         service lmtp {{\n  user = {OWNER}\n  \
         unix_listener lmtp {{\n    mode = 0666\n  }}\n}}\n\
         service auth {{\n  unix_listener auth-userdb {{\n    mode = 0600\n    \
         user = {OWNER}\n  }}\n}}\n\
         service stats {{\n  unix_listener stats-writer {{\n    mode = 0666\n  }}\n}}\n"
    )
}
