//! Which files the server may open. Landlock hands it down to every thread.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    path_beneath_rules,
};

use super::SandboxError;
use crate::config::Config;

/// The newest rights this program knows; an older kernel enforces those it has.
const RIGHTS: ABI = ABI::V5;

/// What anybody may read who resolves names, checks certificates and counts processors.
const SYSTEM: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/run/systemd/resolve",
    "/dev/urandom",
    "/dev/random",
    "/proc/self",
    "/proc/sys",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
];

/// How much of it the kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enforced {
    Fully,
    Partly,
    Not,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fully => "landlock",
            Self::Partly => "landlock, as far as the kernel knows it",
            Self::Not => "no landlock in the kernel",
        })
    }
}

/// Gives up every file but those of the configuration and the system's that the server reads.
pub(super) fn restrict(config: &Config, file: &Path) -> Result<Enforced, SandboxError> {
    let own = own(config);
    for directory in &own {
        // A rule needs a directory that is there.
        std::fs::create_dir_all(directory)
            .map_err(|error| SandboxError::system("the server's directories", error))?;
    }
    let refuse = |error: &dyn fmt::Display| SandboxError::rules("landlock", error);
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))
        .and_then(Ruleset::create)
        .and_then(|rules| {
            rules.add_rules(path_beneath_rules(
                readable(config, file),
                AccessFs::from_read(RIGHTS),
            ))
        })
        .and_then(|rules| {
            // Programs are started by nobody, and devices are made by nobody.
            let writing = AccessFs::from_all(RIGHTS)
                & !(AccessFs::Execute | AccessFs::MakeBlock | AccessFs::MakeChar);
            rules.add_rules(path_beneath_rules(&own, writing))
        })
        .and_then(|rules| rules.restrict_self())
        .map_err(|error| refuse(&error))?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Fully,
        RulesetStatus::PartiallyEnforced => Enforced::Partly,
        RulesetStatus::NotEnforced => Enforced::Not,
    })
}

/// Where the server writes.
fn own(config: &Config) -> Vec<PathBuf> {
    let mut own = vec![config.data_dir.clone(), config.cache_dir()];
    own.extend(config.control.socket.parent().map(Path::to_owned));
    own
}

/// What it reads: its configuration and certificates, which are replaced by renaming, and the
/// system's files.
fn readable(config: &Config, file: &Path) -> Vec<PathBuf> {
    let mut readable: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    let certificate = [&config.tls.certificate, &config.tls.key];
    let files = certificate.into_iter().flatten().map(PathBuf::as_path);
    for file in files.chain([file]) {
        readable.extend(file.parent().map(Path::to_owned));
        // A link leads elsewhere: to the directory of a certificate manager.
        if let Ok(target) = file.canonicalize() {
            readable.extend(target.parent().map(Path::to_owned));
        }
    }
    readable.extend(config.antivirus.clamd.iter().map(PathBuf::from));
    readable
}
