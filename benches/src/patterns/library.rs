//! The peers' libraries: fetched as Debian packages, unpacked, loaded by their paths.
//!
//! `libhyperscan5` and `libvectorscan5` both hold `libhs.so.5` and exclude each other, so neither
//! is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context as _, Error, Result};
use crate::report::progress;
use crate::stage::run_with;

/// A peer's library for one processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Package {
    /// What people call it.
    pub(crate) name: &'static str,
    package: &'static str,
    architecture: &'static str,
    triplet: &'static str,
}

/// Hyperscan on x86-64.
pub(crate) const HYPERSCAN: Package = Package {
    name: "hyperscan",
    package: "libhyperscan5",
    architecture: "amd64",
    triplet: "x86_64-linux-gnu",
};
/// Vectorscan on x86-64.
pub(crate) const VECTORSCAN: Package = Package {
    name: "vectorscan",
    package: "libvectorscan5",
    architecture: "amd64",
    triplet: "x86_64-linux-gnu",
};
/// Vectorscan on ARM64.
pub(crate) const VECTORSCAN_ARM64: Package = Package {
    name: "vectorscan",
    package: "libvectorscan5",
    architecture: "arm64",
    triplet: "aarch64-linux-gnu",
};

impl Package {
    /// The library's path below `cache`, where the package is unpacked when it is not there yet.
    pub(crate) fn library(&self, cache: &Path) -> Result<PathBuf> {
        let directory = cache.join(format!("{}-{}", self.package, self.architecture));
        let library = directory
            .join("usr/lib")
            .join(self.triplet)
            .join("libhs.so.5");
        if !library.exists() {
            self.unpack(&directory)?;
        }
        if library.exists() {
            return Ok(library);
        }
        Err(Error::Missing(format!(
            "{} is not in its package",
            library.display()
        )))
    }

    fn unpack(&self, directory: &Path) -> Result<()> {
        let package = format!("{}:{}", self.package, self.architecture);
        progress(&format!("fetching {package}"));
        let parent = tempfile::tempdir().context("a temporary directory")?;
        let mut apt = Command::new("apt-get");
        apt.args(["-qq", "-o", "APT::Sandbox::User=root", "download", &package]);
        run_with(apt.current_dir(parent.path()), "")
            .map_err(|error| Error::Missing(format!("{package} cannot be fetched ({error})")))?;
        let name = || parent.path().display().to_string();
        fs::create_dir_all(directory).context(directory.display().to_string())?;
        for entry in fs::read_dir(parent.path()).context(name())? {
            let file = entry.context(name())?.path();
            run_with(Command::new("dpkg").arg("-x").arg(file).arg(directory), "")?;
        }
        Ok(())
    }
}
