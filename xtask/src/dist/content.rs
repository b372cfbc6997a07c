//! What packages carry beside the program: man pages, completions and the example configuration,
//! which the program writes itself, documentation and licences.

#![expect(clippy::disallowed_methods, reason = "reads files of the repository")]

use std::io;
use std::path::Path;

use super::build::{Arch, Programs};
use super::crates::Crates;
use super::tree::Tree;
use super::{licences, succeed};

/// Pages of the repository that operators read.
const PAGES: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "docs/install.md",
    "docs/operate.md",
    "docs/filter.md",
    "docs/rules.md",
    "docs/patterns.md",
    "docs/upgrade.md",
    "docs/muskox.toml.md",
];

/// The parts of packages.
#[derive(Debug)]
pub(super) struct Content {
    /// The program that uses the system's C library.
    pub(super) shared: Vec<u8>,
    /// The program that needs nothing.
    pub(super) alone: Vec<u8>,
    /// Man pages: `muskox.1` and so on.
    pub(super) man: Tree,
    /// Completions by the names that shells look for.
    pub(super) completions: Tree,
    /// The example of `/etc/muskox/muskox.toml`.
    pub(super) configuration: Vec<u8>,
    /// Documentation by its path below the repository's `docs`.
    pub(super) pages: Tree,
    /// Licence texts of crates.
    pub(super) licences: String,
}

impl Content {
    /// Collects it. The programs' own part is written by the program of `arch`.
    pub(super) fn gather(
        root: &Path,
        arch: Arch,
        programs: &Programs,
        crates: &Crates,
    ) -> io::Result<Self> {
        let place = tempfile::tempdir()?;
        let mut generate = arch.runner(root, &programs.shared);
        generate.arg("generate").arg(place.path());
        succeed(&mut generate)?;
        let mut pages = Tree::default();
        for page in PAGES {
            let name = page.strip_prefix("docs/").unwrap_or(page);
            pages.file(name, std::fs::read(root.join(page))?);
        }
        Ok(Self {
            shared: std::fs::read(&programs.shared)?,
            alone: std::fs::read(&programs.alone)?,
            man: Tree::read(&place.path().join("man"))?,
            completions: Tree::read(&place.path().join("completions"))?,
            configuration: std::fs::read(place.path().join("muskox.toml"))?,
            pages,
            licences: licences::text(crates)?,
        })
    }
}
