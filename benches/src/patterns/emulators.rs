//! The program `probe` on processors that this machine does not have: QEMU's user-mode emulators,
//! and the cross build for ARM64 from Debian's packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::child::Probe;
use crate::error::{Error, Result};
use crate::report::progress;
use crate::stage::run_with;

/// Emulates x86-64.
pub(crate) const X86_64: &str = "/usr/bin/qemu-x86_64";
/// Emulates ARM64.
pub(crate) const AARCH64: &str = "/usr/bin/qemu-aarch64";

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "/usr/bin/aarch64-linux-gnu-gcc";

/// What must be there, and the Debian package that has it.
const NEEDS: &[(&str, &str)] = &[
    (X86_64, "qemu-user"),
    (AARCH64, "qemu-user"),
    (LINKER, "gcc-aarch64-linux-gnu"),
    ("/usr/bin/cargo", "cargo-web"),
    (
        "/usr/lib/rustlib/aarch64-unknown-linux-gnu",
        "libstd-rust-web-dev:arm64",
    ),
    ("/lib/ld-linux-aarch64.so.1", "libc6:arm64"),
];

/// Says which packages are missing.
pub(crate) fn ensure() -> Result<()> {
    let mut missing: Vec<&str> = NEEDS
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Missing(format!(
        "missing: {}; install them with apt-get (dpkg --add-architecture arm64 first)",
        missing.join(" ")
    )))
}

/// Builds the probe for ARM64 below `cache`.
pub(crate) fn cross_build(cache: &Path) -> Result<Probe> {
    progress("building the probe for ARM64");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let directory = cache.join("arm64");
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "muskox-probe",
        ])
        .args(["--target", TARGET])
        .current_dir(root)
        .env("PATH", path_without_rustup())
        .env("CARGO_TARGET_DIR", &directory)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    for variable in [
        "RUSTC",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "CARGO",
        "QEMU_LD_PREFIX",
    ] {
        cargo.env_remove(variable);
    }
    run_with(&mut cargo, "")?;
    let built: PathBuf = directory.join(TARGET).join("release/probe");
    Ok(Probe::at(&built))
}

/// Debian's own tools first, so that rustup's proxies do not win.
fn path_without_rustup() -> String {
    let rest = std::env::var("PATH").unwrap_or_default();
    format!("/usr/bin:{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_comes_first() {
        assert!(path_without_rustup().starts_with("/usr/bin:"));
    }
}
