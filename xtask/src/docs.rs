//! Pages of `docs/` that are made from the source.

#![expect(
    clippy::disallowed_methods,
    reason = "a chore that writes the source tree"
)]

use std::io;
use std::path::Path;
use std::process::Command;

use crate::{Findings, rfc};

/// Writes them all.
pub(crate) fn write(root: &Path) -> io::Result<Findings> {
    let page = Command::new("cargo")
        .args([
            "run",
            "--quiet",
            "--package",
            "muskox",
            "--",
            "config",
            "describe",
        ])
        .current_dir(root)
        .output()?;
    if !page.status.success() {
        return Ok(vec![String::from_utf8_lossy(&page.stderr).into_owned()]);
    }
    std::fs::write(root.join("docs/muskox.toml.md"), page.stdout)?;
    rfc::write(root)
}
