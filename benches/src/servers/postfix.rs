//! Postfix 3.7 from Debian in front of Dovecot: SMTP in, LMTP out, its defaults otherwise.
//!
//! Host name lookups are off, because nothing leaves the machine; Muskox asks a resolver of ours
//! on loopback for SPF and DMARC, which Postfix leaves to milters.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::dovecot::Dovecot;
use super::{DOMAIN, Server, Setting, address};
use crate::error::{Context as _, Error, Result};
use crate::packages::POSTFIX;
use crate::stage::{Stop, launch, wait_for, wait_for_pid, write};

/// The services that a message on its way from SMTP to LMTP needs: name, type, private,
/// wake-up time, process limit, program.
const SERVICES: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("pickup", "unix", "n", "60", "1", "pickup"),
    ("cleanup", "unix", "n", "-", "0", "cleanup"),
    ("qmgr", "unix", "n", "300", "1", "qmgr"),
    ("tlsmgr", "unix", "-", "1000?", "1", "tlsmgr"),
    ("rewrite", "unix", "-", "-", "-", "trivial-rewrite"),
    ("bounce", "unix", "-", "-", "0", "bounce"),
    ("defer", "unix", "-", "-", "0", "bounce"),
    ("trace", "unix", "-", "-", "0", "bounce"),
    ("verify", "unix", "-", "-", "1", "verify"),
    ("flush", "unix", "n", "1000?", "0", "flush"),
    ("proxymap", "unix", "-", "-", "-", "proxymap"),
    ("proxywrite", "unix", "-", "-", "1", "proxymap"),
    ("smtp", "unix", "-", "-", "-", "smtp"),
    ("relay", "unix", "-", "-", "-", "smtp"),
    ("showq", "unix", "n", "-", "-", "showq"),
    ("error", "unix", "-", "-", "-", "error"),
    ("retry", "unix", "-", "-", "-", "error"),
    ("discard", "unix", "-", "-", "-", "discard"),
    ("lmtp", "unix", "-", "-", "-", "lmtp"),
    ("anvil", "unix", "-", "-", "1", "anvil"),
    ("scache", "unix", "-", "-", "1", "scache"),
    ("postlog", "unix-dgram", "n", "-", "1", "postlogd"),
];

/// Starts Postfix so that it hands mail to `dovecot`; both together are one server.
pub(super) fn start(setting: &Setting<'_>, dovecot: Dovecot) -> Result<Server> {
    let stage = setting.stage;
    let root = stage.directory("postfix")?;
    let config = stage.directory("postfix/etc")?;
    let data = stage.directory("postfix/data")?;
    stage.directory("postfix/spool")?;
    stage.directory("postfix/log")?;
    own(&data)?;
    let smtp = stage.address()?;
    write(&config.join("main.cf"), &main_cf(&root, &dovecot.lmtp))?;
    write(&config.join("master.cf"), &master_cf(smtp.port()))?;
    let recipients: Vec<String> = setting
        .accounts
        .iter()
        .map(|account| format!("{} {account}", address(account)))
        .collect();
    write(&config.join("recipients"), &(recipients.join("\n") + "\n"))?;
    let arguments = |verb: &str| {
        vec![
            "-c".to_owned(),
            config.display().to_string(),
            verb.to_owned(),
        ]
    };
    let log = root.join("log/mail.log");
    launch(
        Command::new(POSTFIX).args(arguments("start")),
        &root.join("start.log"),
    )?;
    let master = wait_for_pid("postfix", &root.join("spool/pid/master.pid"))?;
    stage.started(Stop::Command {
        program: PathBuf::from(POSTFIX),
        arguments: arguments("stop"),
        master,
    });
    wait_for("postfix", smtp, &log)?;
    let Server {
        imaps, mut masters, ..
    } = dovecot.server;
    masters.push(master);
    Ok(Server {
        name: "postfix+dovecot",
        smtp: Some(smtp),
        imaps,
        masters,
    })
}

/// The data directory belongs to Postfix's own user.
fn own(directory: &Path) -> Result<()> {
    let output = crate::stage::run(Path::new("id"), &["-u", "postfix"])?;
    let uid = output
        .trim()
        .parse()
        .map_err(|_| Error::Missing("the user postfix".to_owned()))?;
    rustix::fs::chown(directory, Some(rustix::fs::Uid::from_raw(uid)), None)
        .map_err(std::io::Error::from)
        .context(directory.display().to_string())
}

fn main_cf(root: &Path, lmtp: &Path) -> String {
    let (root, lmtp) = (root.display(), lmtp.display());
    format!(
        "compatibility_level = 3.7\n\
         queue_directory = {root}/spool\n\
         data_directory = {root}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         maillog_file = {root}/log/mail.log\n\
         maillog_file_prefixes = {root}\n\
         myhostname = mail.{DOMAIN}\n\
         mydestination =\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         disable_dns_lookups = yes\n\
         smtp_dns_support_level = disabled\n\
         alias_maps =\n\
         alias_database =\n\
         local_recipient_maps =\n\
         virtual_mailbox_domains = {DOMAIN}\n\
         virtual_mailbox_maps = texthash:{root}/etc/recipients\n\
         virtual_transport = lmtp:unix:{lmtp}\n\
         smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
         smtpd_client_connection_count_limit = 0\n\
         message_size_limit = 52428800\n"
    )
}

fn master_cf(port: u16) -> String {
    let mut text = format!("127.0.0.1:{port} inet n - n - - smtpd\n");
    for (name, kind, private, wakeup, limit, program) in SERVICES {
        text.push_str(&format!(
            "{name} {kind} {private} - n {wakeup} {limit} {program}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_line_has_its_eight_fields() {
        let text = master_cf(20_025);
        assert!(text.starts_with("127.0.0.1:20025 inet "));
        for line in text.lines() {
            assert_eq!(line.split_ascii_whitespace().count(), 8, "{line}");
        }
    }
}
