//! Which crates are linked into the program: what cargo resolves for one target, without what
//! only builds or tests it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::build::Arch;
use super::output;

/// A crate by name and version.
pub(super) type Key = (String, String);

/// A linked crate.
#[derive(Debug, Clone, Default)]
pub(super) struct Crate {
    /// An SPDX expression.
    pub(super) licence: String,
    pub(super) authors: Vec<String>,
    pub(super) repository: Option<String>,
    /// Its directory on this machine.
    pub(super) directory: PathBuf,
    /// Whether it comes from a registry; the others are this repository's.
    pub(super) is_foreign: bool,
    /// SHA-256 of the registry's archive.
    pub(super) checksum: Option<String>,
    /// The crates it uses itself.
    pub(super) uses: BTreeSet<Key>,
}

/// All of them, the program itself included.
#[derive(Debug, Clone, Default)]
pub(super) struct Crates(pub(super) BTreeMap<Key, Crate>);

impl Crates {
    /// The crates linked into the program for `arch`.
    pub(super) fn linked(root: &Path, arch: Arch) -> io::Result<Self> {
        let cargo = |arguments: &[&str]| {
            output(
                Command::new("cargo")
                    .args(arguments)
                    .args(["--locked", "--quiet"])
                    .current_dir(root),
            )
        };
        let graph = cargo(&[
            "tree",
            "--package=muskox",
            "--edges=normal,no-proc-macro",
            "--target",
            arch.triple(),
            "--prefix=depth",
            "--charset=ascii",
        ])?;
        let metadata = cargo(&[
            "metadata",
            "--format-version=1",
            "--filter-platform",
            arch.triple(),
        ])?;
        let mut crates = Self::parse_graph(&graph);
        crates.describe(&serde_json::from_str(&metadata)?);
        crates.add_checksums(&root.join("Cargo.lock"))?;
        Ok(crates)
    }

    /// Reads `cargo tree`'s lines, each with its depth before it: `2serde v1.0.0 (*)`.
    fn parse_graph(graph: &str) -> Self {
        let mut crates = Self::default();
        let mut above: Vec<Key> = Vec::new();
        for line in graph.lines() {
            let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            let (depth, rest) = line.split_at(digits);
            let mut words = rest.split(' ');
            let (Ok(depth), Some(name), Some(version)) =
                (depth.parse(), words.next(), words.next())
            else {
                continue;
            };
            let key: Key = (name.to_owned(), version.trim_start_matches('v').to_owned());
            above.truncate(depth);
            if let Some(user) = above.last().and_then(|user| crates.0.get_mut(user)) {
                user.uses.insert(key.clone());
            }
            crates.0.entry(key.clone()).or_default();
            above.push(key);
        }
        crates
    }

    /// Adds what `cargo metadata` knows.
    fn describe(&mut self, metadata: &Value) {
        let packages = metadata.get("packages").and_then(Value::as_array);
        for package in packages.into_iter().flatten() {
            let text = |name| package.get(name).and_then(Value::as_str);
            let key = (
                text("name").unwrap_or_default().to_owned(),
                text("version").unwrap_or_default().to_owned(),
            );
            let Some(found) = self.0.get_mut(&key) else {
                continue;
            };
            // An older way to write OR.
            found.licence = text("license").unwrap_or_default().replace('/', " OR ");
            found.repository = text("repository").map(ToOwned::to_owned);
            found.is_foreign = text("source").is_some();
            found.directory = Path::new(text("manifest_path").unwrap_or_default())
                .parent()
                .map_or_else(PathBuf::new, Path::to_owned);
            let authors = package.get("authors").and_then(Value::as_array);
            found.authors = authors
                .into_iter()
                .flatten()
                .filter_map(|author| author.as_str().map(ToOwned::to_owned))
                .collect();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a small file of the repository")]
    fn add_checksums(&mut self, lock: &Path) -> io::Result<()> {
        let lock: toml::Value =
            toml::from_str(&std::fs::read_to_string(lock)?).map_err(io::Error::other)?;
        let packages = lock.get("package").and_then(toml::Value::as_array);
        for package in packages.into_iter().flatten() {
            let text = |name| package.get(name).and_then(toml::Value::as_str);
            let key = (
                text("name").unwrap_or_default().to_owned(),
                text("version").unwrap_or_default().to_owned(),
            );
            if let Some(found) = self.0.get_mut(&key) {
                found.checksum = text("checksum").map(ToOwned::to_owned);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, version: &str) -> Key {
        (name.to_owned(), version.to_owned())
    }

    #[test]
    fn the_tree_becomes_a_graph() {
        let tree = "0muskox v0.1.0 (/w/muskox)\n1serde v1.0.2\n2serde_core v1.0.2\n\
                    1toml v1.2.1\n2serde_core v1.0.2\n3itoa v2.0.0\n1serde v1.0.2 (*)\n";
        let crates = Crates::parse_graph(tree).0;
        assert_eq!(crates.len(), 5);
        let uses = |name, version| crates[&key(name, version)].uses.clone();
        assert_eq!(
            uses("muskox", "0.1.0"),
            [key("serde", "1.0.2"), key("toml", "1.2.1")].into()
        );
        assert_eq!(uses("toml", "1.2.1"), [key("serde_core", "1.0.2")].into());
        assert_eq!(uses("serde_core", "1.0.2"), [key("itoa", "2.0.0")].into());
    }

    #[test]
    fn what_only_builds_or_tests_the_program_is_not_linked() {
        let crates = Crates::linked(&crate::root(), Arch::Amd64).unwrap().0;
        let has = |name: &str| crates.keys().any(|(known, _)| known == name);
        assert!(has("muskox") && has("muskox-store") && has("tokio") && has("aws-lc-sys"));
        for name in ["cc", "serde_derive", "proptest", "tar", "muskox-testkit"] {
            assert!(!has(name), "{name}");
        }
        for (key, linked) in &crates {
            assert!(!linked.licence.is_empty(), "{key:?}");
            assert_eq!(linked.is_foreign, linked.checksum.is_some(), "{key:?}");
        }
    }
}
