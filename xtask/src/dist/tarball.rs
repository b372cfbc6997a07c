//! The tarball: the program that needs nothing else, with what a package would install.

#![expect(clippy::disallowed_methods, reason = "reads files of the repository")]

use std::io;
use std::path::Path;

use super::content::Content;
use super::release::Release;
use super::tree::{Tree, gzip};

/// Packs everything below one directory, `name`.
pub(super) fn pack(
    root: &Path,
    name: &str,
    content: &Content,
    release: &Release,
) -> io::Result<Vec<u8>> {
    let mut files = Tree::default();
    files.program("muskox", content.alone.clone());
    files.file("muskox.toml", content.configuration.clone());
    files.graft("man", content.man.clone());
    files.graft("completions", content.completions.clone());
    files.graft("doc", content.pages.clone());
    for unit in ["muskox.service", "muskox.sysusers", "muskox.tmpfiles"] {
        let text = std::fs::read(root.join("packaging").join(unit))?;
        files.file(&format!("systemd/{unit}"), text);
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        files.file(licence, std::fs::read(root.join(licence))?);
    }
    files.file("LICENSES-OF-CRATES", content.licences.clone());
    let mut all = Tree::default();
    all.graft(name, files);
    gzip(&all.tar(release.epoch())?)
}
