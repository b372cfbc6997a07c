//! A tree of files in memory: what a package, a tarball or an image contains.
//!
//! The same tree gives the same octets: entries are sorted by path, everything has one date, and
//! owners are numbers that the tree names, never those of whoever runs this.

#![expect(
    clippy::disallowed_methods,
    reason = "writes into directories of its own"
)]

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// Files and directories by path, without a leading slash.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree(BTreeMap<String, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    mode: u32,
    /// User and group in one number.
    owner: u64,
    /// What a file contains; a directory has nothing.
    content: Option<Vec<u8>>,
}

impl Tree {
    /// Adds a directory, and those it is in.
    pub(super) fn directory(&mut self, path: &str, mode: u32, owner: u64) {
        self.parents(path);
        let entry = Entry {
            mode,
            owner,
            content: None,
        };
        self.0.insert(path.to_owned(), entry);
    }

    /// Adds a file of root's, and the directories it is in.
    pub(super) fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.add(path, 0o644, content.into());
    }

    /// Adds a program.
    pub(super) fn program(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.add(path, 0o755, content.into());
    }

    fn add(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.parents(path);
        let entry = Entry {
            mode,
            owner: 0,
            content: Some(content),
        };
        self.0.insert(path.to_owned(), entry);
    }

    fn parents(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default().to_owned();
            self.0.entry(parent).or_insert(Entry {
                mode: 0o755,
                owner: 0,
                content: None,
            });
        }
    }

    /// Adds `other` below the directory `path`.
    pub(super) fn graft(&mut self, path: &str, other: Self) {
        self.directory(path, 0o755, 0);
        for (name, entry) in other.0 {
            self.0.insert(format!("{path}/{name}"), entry);
        }
    }

    /// The files with their contents, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .filter_map(|(path, entry)| Some((path.as_str(), entry.content.as_deref()?)))
    }

    /// The tree as a tar archive, everything dated `date` (seconds since 1970).
    pub(super) fn tar(&self, date: u64) -> io::Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for (path, entry) in &self.0 {
            let mut header = Header::new_ustar();
            header.set_mode(entry.mode);
            header.set_uid(entry.owner);
            header.set_gid(entry.owner);
            header.set_mtime(date);
            if let Some(content) = &entry.content {
                header.set_entry_type(EntryType::Regular);
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, path, content.as_slice())?;
            } else {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
                archive.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
        }
        archive.into_inner()
    }

    /// Makes the directory `root` with the tree in it. Owners are whoever runs this.
    pub(super) fn create(&self, root: &Path) -> io::Result<()> {
        std::fs::create_dir(root)?;
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755))?;
        self.write(root)
    }

    /// Writes the tree below `root`, a directory.
    pub(super) fn write(&self, root: &Path) -> io::Result<()> {
        for (path, entry) in &self.0 {
            let path = root.join(path);
            match &entry.content {
                None => std::fs::create_dir(&path)?,
                Some(content) => std::fs::write(&path, content)?,
            }
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(entry.mode))?;
        }
        Ok(())
    }

    /// The files below `root` as they are on disk, all of them of one mode.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        for entry in std::fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                tree.graft(&name, Self::read(&entry.path())?);
            } else {
                tree.file(&name, std::fs::read(entry.path())?);
            }
        }
        Ok(tree)
    }
}

/// `content` in gzip's format without name and date, as small as it gets.
pub(super) fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    writer.write_all(content)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(order: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for path in order {
            tree.file(path, path.as_bytes());
        }
        tree.directory("var/lib/muskox", 0o700, 10001);
        tree.program("bin/muskox", "program");
        tree
    }

    #[test]
    fn the_same_files_give_the_same_archive_whatever_their_order() {
        let one = tree(&["b/c", "a", "b/a"]).tar(1).unwrap();
        let other = tree(&["a", "b/a", "b/c"]).tar(1).unwrap();
        assert_eq!(one, other);
        assert_eq!(gzip(&one).unwrap(), gzip(&other).unwrap());
        assert_ne!(one, tree(&["a"]).tar(1).unwrap());
    }

    #[test]
    fn an_archive_lists_parents_first_with_modes_owners_and_the_date() {
        let bytes = tree(&["b/c"]).tar(77).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!(header.mtime().unwrap(), 77);
                assert_eq!(header.uid().unwrap(), header.gid().unwrap());
                let path = entry.path().unwrap().display().to_string();
                (path, header.mode().unwrap(), header.uid().unwrap())
            })
            .collect();
        let wanted = [
            ("b/", 0o755, 0),
            ("b/c", 0o644, 0),
            ("bin/", 0o755, 0),
            ("bin/muskox", 0o755, 0),
            ("var/", 0o755, 0),
            ("var/lib/", 0o755, 0),
            ("var/lib/muskox/", 0o700, 10001),
        ];
        assert_eq!(
            seen,
            wanted.map(|(path, mode, owner)| (path.to_owned(), mode, owner))
        );
    }

    #[test]
    fn a_tree_on_disk_is_the_same_tree() {
        let directory = tempfile::tempdir().unwrap();
        let mut before = Tree::default();
        before.file("b/c", "1");
        before.file("a", "2");
        before.write(directory.path()).unwrap();
        let after = Tree::read(directory.path()).unwrap();
        assert_eq!(before.tar(1).unwrap(), after.tar(1).unwrap());
    }

    #[test]
    fn gzip_says_neither_when_nor_on_what_it_was_made() {
        let bytes = gzip(b"text").unwrap();
        assert_eq!(bytes[4..8], [0; 4]);
        assert_eq!(bytes[8], 2, "smallest");
    }
}
