//! Building the program for one architecture, so that the same commit gives the same octets
//! wherever it is built.
//!
//! There are two programs of one source: the package's uses the C library of the system, the
//! other is linked with everything it needs and runs anywhere. They share all but the last step.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::release::{Channel, Release};
use super::succeed;

/// An architecture by Debian's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Arch {
    /// x86-64
    Amd64,
    /// AArch64
    Arm64,
}

impl Arch {
    /// As Debian and OCI call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// As Rust calls the target.
    pub(super) fn triple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Whether this machine runs its programs by itself.
    pub(super) fn is_native(self) -> bool {
        self.triple().starts_with(std::env::consts::ARCH)
    }

    /// The command that runs `program`, which is of this architecture and of this machine or of
    /// one that `.ci/arm64` emulates.
    pub(super) fn runner(self, root: &Path, program: &Path) -> Command {
        if self.is_native() {
            return Command::new(program);
        }
        let mut command = Command::new(root.join(".ci/arm64"));
        command.arg("run").arg(program);
        command
    }
}

/// What a build makes: the two programs.
#[derive(Debug)]
pub(super) struct Programs {
    /// Uses the system's C library.
    pub(super) shared: PathBuf,
    /// Needs nothing.
    pub(super) alone: PathBuf,
}

/// How to build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Build<'a> {
    pub(super) root: &'a Path,
    /// The directory of everything that is made on the way.
    pub(super) target: &'a Path,
    pub(super) profile: &'a str,
    pub(super) release: &'a Release,
    pub(super) arch: Arch,
}

impl Build<'_> {
    /// Builds both programs.
    pub(super) fn run(&self) -> io::Result<Programs> {
        if !self.arch.is_native() && self.arch != Arch::Arm64 {
            return Err(io::Error::other(format!(
                "{} is built on a machine of its own: this one has no compiler for it",
                self.arch.name()
            )));
        }
        let shared = self.cargo("build", "shared", &[])?;
        let alone = self.cargo("rustc", "alone", &["--", "-Ctarget-feature=+crt-static"])?;
        Ok(Programs { shared, alone })
    }

    /// Runs cargo, and keeps the program it makes as `name`.
    fn cargo(&self, verb: &str, name: &str, arguments: &[&str]) -> io::Result<PathBuf> {
        let mut command = if self.arch.is_native() {
            Command::new("cargo")
        } else {
            let mut command = Command::new(self.root.join(".ci/arm64"));
            command.arg("cargo");
            command
        };
        let directory = self.directory();
        command
            .args([verb, "--quiet", "--locked", "--package", "muskox", "--bin"])
            .args(["muskox", "--target", self.arch.triple(), "--profile"])
            .args([self.profile, "--target-dir"])
            .arg(&directory)
            // Other profiles than the one for packages keep symbols, which name directories.
            .arg(format!("--config=profile.{}.strip=true", self.profile))
            .args(arguments)
            .current_dir(self.root)
            .env("CARGO_ENCODED_RUSTFLAGS", self.rust_flags()?)
            .env("CFLAGS", self.c_flags()?)
            .env("SOURCE_DATE_EPOCH", self.release.epoch().to_string())
            .env("MUSKOX_CHANNEL", self.release.channel.name());
        match self.release.channel {
            Channel::Stable => command.env_remove("MUSKOX_BUILD"),
            Channel::Nightly => command.env("MUSKOX_BUILD", self.release.build()),
        };
        succeed(&mut command)?;
        let folder = match self.profile {
            "dev" => "debug",
            other => other,
        };
        let program = directory
            .join(self.arch.triple())
            .join(folder)
            .join("muskox");
        let kept = directory.join(name);
        std::fs::copy(program, &kept)?;
        Ok(kept)
    }

    fn directory(&self) -> PathBuf {
        self.target.join(self.arch.name())
    }

    /// Directories of this machine and what the program says instead of them, where it would
    /// name a source file. Of two that fit the later one counts.
    fn names(&self) -> io::Result<[(PathBuf, &'static str); 3]> {
        let cargo = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
            .ok_or_else(|| io::Error::other("neither CARGO_HOME nor HOME is set"))?;
        Ok([
            (self.root.to_owned(), "/usr/src/muskox"),
            (cargo, "/usr/src/cargo"),
            (self.directory(), "/usr/src/target"),
        ])
    }

    fn rust_flags(&self) -> io::Result<String> {
        let flags = self
            .names()?
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
        Ok(flags.join("\u{1f}"))
    }

    fn c_flags(&self) -> io::Result<String> {
        let flags = self
            .names()?
            .map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()));
        Ok(flags.join(" "))
    }
}
