//! `muskox serve` with its default limits.

use std::path::Path;
use std::process::Command;

use super::{DOMAIN, PASSWORD, Server, Setting, address};
use crate::error::Result;
use crate::resolver::{self, World};
use crate::stage::{Stop, run_with, spawn, wait_for, write};

/// Starts the server and makes the accounts.
pub(super) fn start(setting: &Setting<'_>) -> Result<Server> {
    let stage = setting.stage;
    let directory = stage.directory("muskox")?;
    let (smtp, imaps, metrics) = (stage.address()?, stage.address()?, stage.address()?);
    let nameserver = resolver::start(World::Senders)?;
    let (data, socket) = (directory.join("data"), directory.join("control.sock"));
    let certificate = setting.certificate;
    let config = directory.join("muskox.toml");
    let text = format!(
        "hostname = \"mail.{DOMAIN}\"\ndata_dir = {data:?}\n\
         [smtp]\nmx = [\"{smtp}\"]\nsubmission = []\nsubmissions = []\nlmtp = []\n\
         [imap]\nlisten = []\nlisten_tls = [\"{imaps}\"]\n\
         [tls]\ncertificate = {:?}\nkey = {:?}\n\
         [dns]\nnameservers = [\"{nameserver}\"]\n\
         [metrics]\nlisten = \"{metrics}\"\n\
         [control]\nsocket = {socket:?}\n[service]\nroot = true\n",
        certificate.chain, certificate.key,
    );
    write(&config, &text)?;
    let log = directory.join("muskox.log");
    let serve = || -> Result<u32> {
        let mut command = Command::new(setting.muskox);
        command
            .args(["serve", "--config"])
            .arg(&config)
            .env_remove("MUSKOX_SOCKET");
        let child = spawn(&mut command, &log)?;
        let pid = child.id();
        stage.started(Stop::Child(child));
        wait_for("muskox", imaps, &log)?;
        wait_for("muskox", smtp, &log)?;
        Ok(pid)
    };
    serve()?;
    make_accounts(setting, &config)?;
    // Hashing passwords takes memory that an idle server has not: measure a server after its start.
    stage.stop_last();
    Ok(Server {
        name: "muskox",
        smtp: Some(smtp),
        imaps,
        masters: vec![serve()?],
    })
}

fn make_accounts(setting: &Setting<'_>, config: &Path) -> Result<()> {
    let control = |arguments: &[&str], input: &str| {
        let mut command = Command::new(setting.muskox);
        command
            .arg("--config")
            .arg(config)
            .args(arguments)
            .env_remove("MUSKOX_SOCKET");
        run_with(&mut command, input)
    };
    control(&["domain", "add", DOMAIN], "")?;
    for account in setting.accounts {
        control(
            &["account", "add", &address(account)],
            &format!("{PASSWORD}\n"),
        )?;
    }
    Ok(())
}
