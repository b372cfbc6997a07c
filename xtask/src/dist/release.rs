//! Which release is packaged: its version in the forms that packages, files and images want it,
//! and the moment everything in them is dated.

use std::io;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;
use jiff::Timestamp;

use super::output;

/// What a release is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Channel {
    /// Made when it is ready
    Stable,
    /// Made from the latest commit
    Nightly,
}

impl Channel {
    /// As `MUSKOX_CHANNEL` says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Nightly => "nightly",
        }
    }
}

/// A release of one commit. The same commit is the same release, whoever packages it and when.
#[derive(Debug, Clone)]
pub(super) struct Release {
    /// The version in `Cargo.toml`.
    pub(super) version: String,
    pub(super) channel: Channel,
    /// The commit, with `-dirty` when there is more in the tree.
    pub(super) revision: String,
    /// When it was committed.
    pub(super) committed: Timestamp,
}

impl Release {
    /// The release that the tree at `root` is.
    pub(super) fn of_tree(root: &Path, channel: Channel) -> io::Result<Self> {
        let git = |arguments: &[&str]| {
            output(
                Command::new("git")
                    .args(arguments)
                    .current_dir(root)
                    .env("TZ", "UTC"),
            )
        };
        let seconds = git(&["log", "-1", "--format=%ct"])?;
        let seconds = seconds.trim().parse().map_err(io::Error::other)?;
        let revision = git(&[
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
            "--abbrev=40",
        ])?;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            channel,
            revision: revision.trim().to_owned(),
            committed: Timestamp::from_second(seconds).map_err(io::Error::other)?,
        })
    }

    /// Whether the tree has more than its last commit.
    pub(super) fn is_dirty(&self) -> bool {
        self.revision.ends_with("-dirty")
    }

    /// The day of the commit, as in 20261128.
    pub(super) fn build(&self) -> String {
        self.dated("%Y%m%d")
    }

    /// The moment of the commit in UTC, in the words of `format` (as strftime's).
    pub(super) fn dated(&self, format: &str) -> String {
        self.committed.strftime(format).to_string()
    }

    /// Seconds since 1970 of the commit: what `SOURCE_DATE_EPOCH` says and files are dated.
    pub(super) fn epoch(&self) -> u64 {
        u64::try_from(self.committed.as_second()).unwrap_or_default()
    }

    /// As in names of files and tags of images: `0.1.0`, `0.1.0-nightly.20261128`.
    pub(super) fn name(&self) -> String {
        match self.channel {
            Channel::Stable => self.version.clone(),
            Channel::Nightly => format!("{}-nightly.{}", self.version, self.build()),
        }
    }

    /// As Debian orders versions: a nightly is older than the release it leads to.
    pub(super) fn debian(&self) -> String {
        match self.channel {
            Channel::Stable => format!("{}-1", self.version),
            Channel::Nightly => format!("{}~nightly{}-1", self.version, self.build()),
        }
    }
}

#[cfg(test)]
pub(super) fn example(channel: Channel) -> Release {
    Release {
        version: "0.1.0".to_owned(),
        channel,
        revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        committed: "2026-11-28T23:30:00-02:00".parse().unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_each_place_wants_them() {
        let stable = example(Channel::Stable);
        assert_eq!(
            (stable.name().as_str(), stable.debian().as_str()),
            ("0.1.0", "0.1.0-1")
        );
        let nightly = example(Channel::Nightly);
        assert_eq!(nightly.name(), "0.1.0-nightly.20261129", "the day in UTC");
        assert_eq!(nightly.debian(), "0.1.0~nightly20261129-1");
    }

    #[test]
    fn a_release_is_dated_by_its_commit() {
        let release = example(Channel::Stable);
        assert_eq!(release.epoch(), 1_795_915_800);
        assert_eq!(
            release.dated("%a, %d %b %Y %H:%M:%S +0000"),
            "Sun, 29 Nov 2026 01:30:00 +0000"
        );
    }
}
