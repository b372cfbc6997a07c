//! `muskox install-service`: puts the unit and the user's declaration where systemd finds them.

#![expect(
    clippy::disallowed_methods,
    reason = "a command that runs alone and writes small files"
)]

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failed, Output};

const UNIT: &str = include_str!("../../../packaging/muskox.service");
const SYSUSERS: &str = include_str!("../../../packaging/muskox.sysusers");

/// Options of `muskox install-service`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Install below this directory instead of /
    #[arg(long, default_value = "/")]
    root: PathBuf,
}

pub(super) fn run(options: &Options, output: &Output) -> Result<(), Failed> {
    let binary = std::env::current_exe()?;
    let unit = UNIT.replace("/usr/bin/muskox", &binary.display().to_string());
    install(
        &options.root.join("etc/systemd/system/muskox.service"),
        &unit,
        output,
    )?;
    install(
        &options.root.join("etc/sysusers.d/muskox.conf"),
        SYSUSERS,
        output,
    )?;
    output.note(
        "next:\n  \
         sudo systemd-sysusers\n  \
         sudo install -d -m 0755 /etc/muskox\n  \
         write /etc/muskox/muskox.toml: one line `hostname = \"mail.example.org\"` is enough\n  \
         sudo systemctl daemon-reload && sudo systemctl enable --now muskox\n  \
         sudo -u muskox muskox domain add example.org",
    );
    Ok(())
}

fn install(path: &Path, text: &str, output: &Output) -> Result<(), Failed> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, text)?;
    output.note(format_args!("wrote {}", path.display()));
    Ok(())
}
