//! Nothing may depend on the size of a page: ARM64 has kernels with 4, 16 and 64 KiB.
//!
//! What would: a constant for it, mapping from an offset, aligning to a page, and allocators that are
//! compiled for one size. Asking the system while it runs is right. Page numbers of SQLite are its
//! file's own and no business of the machine.

#![expect(
    clippy::disallowed_methods,
    reason = "a chore that reads the source tree"
)]

use std::io;
use std::path::{Path, PathBuf};

use crate::Findings;

/// What gives it away in a source file, and why it is wrong.
const SIGNS: &[(&str, &str)] = &[
    ("const PAGE_SIZE", "names a size of pages"),
    ("align(4096)", "aligns to a page of 4 KiB"),
    ("align(16384)", "aligns to a page of 16 KiB"),
    (
        "MmapOptions",
        "maps a part of a file, which begins at a page",
    ),
    ("MAP_HUGETLB", "wants pages of one size"),
];

/// Allocators that are compiled for one size of pages.
const ALLOCATORS: &[&str] = &["jemallocator", "jemalloc-sys", "tikv-jemalloc-sys"];

/// Folders with sources of the product.
const FOLDERS: &[&str] = &["formats", "services", "servers", "muskox"];

/// Checks the workspace at `root`.
pub(crate) fn check(root: &Path) -> io::Result<Findings> {
    let mut findings = Findings::new();
    for folder in FOLDERS {
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path: PathBuf = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path)?;
                    let name = path
                        .strip_prefix(root)
                        .unwrap_or(&path)
                        .display()
                        .to_string();
                    findings.extend(signs(&name, &text));
                }
            }
        }
    }
    findings.extend(allocators(&std::fs::read_to_string(
        root.join("Cargo.lock"),
    )?));
    Ok(findings)
}

fn signs(name: &str, text: &str) -> Findings {
    let mut findings = Findings::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (sign, why) in SIGNS {
            if line.contains(sign) && !line.trim_start().starts_with("//") {
                findings.push(format!("{name}:{number}: {why}: {}", line.trim()));
            }
        }
    }
    findings
}

fn allocators(lock: &str) -> Findings {
    let is_there = |name: &&&str| lock.contains(&format!("name = \"{name}\"\n"));
    let found = ALLOCATORS.iter().filter(is_there);
    found
        .map(|name| format!("Cargo.lock: {name} is compiled for one size of pages"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_a_page_is_found() {
        let text =
            "const PAGE_SIZE: usize = 4_096;\n// MmapOptions is not used\n#[repr(align(4096))]\n";
        let found = signs("a.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.rs:1: names"), "{found:?}");
        assert!(found[1].starts_with("a.rs:3: aligns"), "{found:?}");
    }

    #[test]
    fn an_allocator_for_one_size_is_found() {
        let lock = "[[package]]\nname = \"tikv-jemalloc-sys\"\nversion = \"1\"\n";
        assert_eq!(allocators(lock).len(), 1);
        assert!(allocators("name = \"mimalloc\"\n").is_empty());
    }
}
