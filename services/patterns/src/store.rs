//! A directory of compiled databases, each named by the digest of the set it was compiled from.
//!
//! A file is either what its name says or it is removed: [`Store::load`] refuses damage, another
//! version's format and another set's content with a reason, deletes the file, and the caller
//! compiles again. Everything here can be rebuilt, so the directory may be emptied at any time, also
//! while databases from it are in use: a file that is mapped lives on until the last user lets go.
//!
//! Files appear by a rename and are never written in place. The directory belongs to one writer;
//! other processes may map its files. Start at [`Store::open`].
#![expect(clippy::disallowed_methods, reason = "this module's job is files")]

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::{Database, Digest, LoadError};

/// How the names of database files end, after the 64 hexadecimal digits of the digest.
const EXTENSION: &str = "patterns";
/// How the names of unfinished files end.
const UNFINISHED: &str = "tmp";
/// Hexadecimal digits of a digest.
const DIGEST_DIGITS: usize = 64;
/// An unfinished file so much older than the newest file of the directory was left by a crash:
/// writing one takes seconds.
const LEFT_BEHIND: Duration = Duration::from_secs(600);

/// A directory of database files; see the [module](self).
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// What the store has for a digest.
#[derive(Debug)]
pub enum Loaded {
    /// The database, mapped and checked.
    Ready(Database),
    /// No file.
    Missing,
    /// A file that is no good; unless reading it failed, it has been removed.
    Unusable(Unusable),
}

/// Why a file of the store is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read, is damaged or is of another version.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It holds another set than its name says.
    #[error("the file of set {named} holds set {found}")]
    OtherSet {
        /// The digest in its name.
        named: Digest,
        /// The digest inside.
        found: Digest,
    },
}

/// The directory or a file in it could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

impl Store {
    /// The store in `directory`, which is made (with its parents, for its owner only) if it is
    /// missing.
    ///
    /// # Errors
    /// The directory cannot be made, or is something else.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(at(&directory))?;
        Ok(Self { directory })
    }

    /// Where the database of a set is, or would be.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{digest}.{EXTENSION}"))
    }

    /// The database of the set with this digest.
    #[must_use]
    pub fn load(&self, digest: &Digest) -> Loaded {
        let path = self.path(digest);
        match Database::open(&path) {
            Ok(database) if database.digest() == *digest => Loaded::Ready(database),
            Ok(database) => {
                remove_refused(&path);
                Loaded::Unusable(Unusable::OtherSet {
                    named: *digest,
                    found: database.digest(),
                })
            }
            Err(LoadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Loaded::Missing,
            // The disk or the limit of open files may recover; the file may be good.
            Err(error @ LoadError::Io(_)) => Loaded::Unusable(error.into()),
            Err(error) => {
                remove_refused(&path);
                Loaded::Unusable(error.into())
            }
        }
    }

    /// The database that was saved last, whatever its set: its compiled patterns can be reused.
    /// Files that cannot be used are passed over.
    #[must_use]
    pub fn latest(&self) -> Option<Database> {
        let mut files = self.files().unwrap_or_default();
        files.retain(|file| matches!(file.kind, Kind::Database(_)));
        files.sort_by(|a, b| (b.modified, &b.path).cmp(&(a.modified, &a.path)));
        files
            .iter()
            .find_map(|file| Database::open(&file.path).ok())
    }

    /// Makes the database durable under its set's digest, replacing what was there.
    ///
    /// # Errors
    /// The disk is full or fails; what was there stays.
    pub fn save(&self, database: &Database) -> Result<(), StoreError> {
        let path = self.path(&database.digest());
        database.save(&path).map_err(at(&path))
    }

    /// Removes every database but those of `keep`, and what crashes left unfinished; returns how
    /// many files. Files of other kinds stay.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed; the others are.
    pub fn clean(&self, keep: &[Digest]) -> Result<usize, StoreError> {
        let files = self.files()?;
        let newest = files.iter().map(|file| file.modified).max();
        let mut removed = 0;
        let mut result = Ok(());
        for file in &files {
            let remove = match &file.kind {
                Kind::Database(name) => !keep.iter().any(|digest| digest.to_string() == *name),
                Kind::Unfinished => newest.is_some_and(|newest| {
                    newest
                        .duration_since(file.modified)
                        .is_ok_and(|age| age >= LEFT_BEHIND)
                }),
            };
            match remove.then(|| fs::remove_file(&file.path)) {
                None => {}
                Some(Ok(())) => removed += 1,
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Some(Err(error)) => result = Err(at(&file.path)(error)),
            }
        }
        result.map(|()| removed)
    }

    /// The store's own files; others in the directory are nobody's business here.
    fn files(&self) -> Result<Vec<Stored>, StoreError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(at(&self.directory))? {
            let entry = entry.map_err(at(&self.directory))?;
            let name = entry.file_name();
            let Some(kind) = name.to_str().and_then(kind_of) else {
                continue;
            };
            // A file that has gone meanwhile is one less.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_file() {
                files.push(Stored {
                    path: entry.path(),
                    kind,
                    modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        Ok(files)
    }
}

/// A file of the store.
struct Stored {
    path: PathBuf,
    kind: Kind,
    modified: SystemTime,
}

enum Kind {
    /// A database; the digest as its name spells it.
    Database(String),
    /// One that was being written.
    Unfinished,
}

/// Whether a name is one that the store gives: `<digest>.patterns`, or that with anything between it
/// and a final `.tmp`.
fn kind_of(name: &str) -> Option<Kind> {
    let (digest, rest) = name.split_at_checked(DIGEST_DIGITS)?;
    let spelled = digest
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let rest = rest.strip_prefix('.')?.strip_prefix(EXTENSION)?;
    if !spelled {
        None
    } else if rest.is_empty() {
        Some(Kind::Database(digest.to_owned()))
    } else {
        let unfinished = rest.starts_with('.') && rest.rsplit('.').next() == Some(UNFINISHED);
        unfinished.then_some(Kind::Unfinished)
    }
}

/// Removes a file that is of no use. If it stays, the next save replaces it and the next load
/// refuses it again.
fn remove_refused(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Says of an I/O error where it happened.
fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::{finds, set};
    use crate::{Compiler, PatternSet};

    fn database(set: &PatternSet) -> Database {
        Compiler::new().compile(set, None).database
    }

    fn store() -> (tempfile::TempDir, Store) {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::open(parent.path().join("made/on/the/way")).unwrap();
        (parent, store)
    }

    fn names(store: &Store) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&store.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_saved_is_loaded_and_nothing_else_is() {
        let (_parent, store) = store();
        let saved = database(&set(&["viagra"]));
        assert!(matches!(store.load(&saved.digest()), Loaded::Missing));
        store.save(&saved).unwrap();
        store.save(&saved).unwrap();
        let Loaded::Ready(loaded) = store.load(&saved.digest()) else {
            panic!("not loaded");
        };
        assert_eq!(loaded.as_bytes(), saved.as_bytes());
        assert_eq!(names(&store), [format!("{}.patterns", saved.digest())]);
        assert!(matches!(
            store.load(&set(&["other"]).digest()),
            Loaded::Missing
        ));
    }

    #[test]
    fn a_file_that_is_not_what_its_name_says_is_refused_once_and_gone() {
        let (_parent, store) = store();
        let good = database(&set(&["viagra"]));
        let other = database(&set(&["casino"]));
        let path = store.path(&good.digest());
        let bytes = good.as_bytes().to_vec();
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x40;
            bytes
        };
        let table = [
            ("empty", Vec::new()),
            ("cut", bytes[..bytes.len() - 1].to_vec()),
            ("grown", [bytes.as_slice(), &[0]].concat()),
            ("header", flipped(3)),
            ("middle", flipped(bytes.len() / 2)),
            ("another set", other.as_bytes().to_vec()),
        ];
        for (what, content) in table {
            fs::write(&path, content).unwrap();
            let Loaded::Unusable(reason) = store.load(&good.digest()) else {
                panic!("{what} was accepted");
            };
            assert!(!reason.to_string().is_empty(), "{what}");
            assert_eq!(
                matches!(reason, Unusable::OtherSet { .. }),
                what == "another set",
                "{what}: {reason}"
            );
            assert!(!path.exists(), "{what} stays");
        }
        store.save(&good).unwrap();
        assert!(matches!(store.load(&good.digest()), Loaded::Ready(_)));
    }

    #[test]
    fn what_cannot_be_read_stays() {
        let (_parent, store) = store();
        let digest = set(&["viagra"]).digest();
        let path = store.path(&digest);
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let Loaded::Unusable(reason) = store.load(&digest) else {
            panic!("a link to itself was accepted");
        };
        assert!(
            matches!(reason, Unusable::Load(LoadError::Io(_))),
            "{reason}"
        );
        assert!(path.symlink_metadata().is_ok());
    }

    #[test]
    fn clean_removes_old_databases_and_old_fragments_only() {
        let (_parent, store) = store();
        let sets = [set(&["one"]), set(&["two"]), set(&["three"])];
        let databases: Vec<Database> = sets.iter().map(database).collect();
        for database in &databases {
            store.save(database).unwrap();
        }
        let [one, two, three] = [0, 1, 2].map(|at: usize| databases[at].digest());
        let foreign = [
            "notes.txt".to_owned(),
            "short.patterns".to_owned(),
            format!("{}.patterns", "G".repeat(64)),
            format!("{one}.patterns.orig"),
            format!("{one}.txt.tmp"),
        ];
        for name in &foreign {
            fs::write(store.directory.join(name), "mine").unwrap();
        }
        let fresh = format!("{one}.patterns.1-1.tmp");
        let stale = format!("{one}.patterns.1-2.tmp");
        for (name, age) in [(&fresh, 60), (&stale, 3600)] {
            let file = fs::File::create(store.directory.join(name)).unwrap();
            let now = fs::metadata(store.path(&three))
                .unwrap()
                .modified()
                .unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        let Loaded::Ready(mapped) = store.load(&one) else {
            panic!("not loaded");
        };
        assert_eq!(
            store.clean(&[two, three]).unwrap(),
            2,
            "one, and a fragment"
        );
        let mut wanted: Vec<String> = foreign.into();
        wanted.push(fresh);
        wanted.extend([two, three].map(|digest| format!("{digest}.patterns")));
        wanted.sort();
        assert_eq!(names(&store), wanted);
        assert!(
            finds(&mapped, "number one here"),
            "a mapping outlives its name"
        );
        assert_eq!(store.clean(&[two, three]).unwrap(), 0);
    }

    #[test]
    fn the_latest_is_the_newest_that_is_good() {
        let (_parent, store) = store();
        assert!(store.latest().is_none());
        let [old, new, bad] = ["old", "new", "bad"].map(|word| database(&set(&[word])));
        for (database, minutes) in [(&new, 2), (&old, 1), (&bad, 3)] {
            store.save(database).unwrap();
            let file = fs::File::options()
                .write(true)
                .open(store.path(&database.digest()))
                .unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes);
            file.set_modified(time).unwrap();
            if minutes == 3 {
                file.set_len(10).unwrap();
                file.set_modified(time).unwrap();
            }
        }
        let latest = store.latest().unwrap();
        assert_eq!(latest.digest(), new.digest());
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error_that_names_it() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Store::open(file.join("below")).unwrap_err();
        assert!(error.to_string().contains("file/below"), "{error}");
        let (_parent, store) = store();
        fs::remove_dir(&store.directory).unwrap();
        assert!(store.save(&database(&set(&["x"]))).is_err());
        assert!(store.clean(&[]).is_err());
        assert!(store.latest().is_none());
    }
}
