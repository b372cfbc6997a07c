//! The data directory: its lock, its file system, its free space, durable names in it.
#![expect(clippy::disallowed_methods, reason = "this module's job is files")]

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::Error;

/// The database.
pub(crate) const DATABASE: &str = "mail.db";
/// The directory of large blobs.
pub(crate) const BLOBS: &str = "blobs";
/// Locked as long as the store is open; its content means nothing.
const LOCK: &str = "lock";
/// Written and removed to ask the file system whether it still takes data.
const PROBE: &str = "probe.tmp";

/// Magic numbers (statfs(2), linux/magic.h) of file systems whose locks or shared memory do not
/// reach other machines: NFS, SMB, CIFS, SMB2, AFS, Coda, 9P, Ceph, NCP, OCFS2, GFS2, Lustre.
const NETWORK: [u64; 12] = [
    0x6969,
    0x517B,
    0xFF53_4D42,
    0xFE53_4D42,
    0x5346_414F,
    0x7375_7245,
    0x0102_1997,
    0x00C3_6400,
    0x564C,
    0x7461_636F,
    0x0116_1970,
    0x0BD0_0BD0,
];

/// An open, locked data directory.
#[derive(Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    /// The lock ends when the file is closed, however the process ends.
    lock: Mutex<Option<File>>,
}

impl Place {
    /// Makes the directory if it is missing, checks its file system and takes its lock.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        if !dir.is_dir() {
            make_private_dir(dir)?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync_dir(parent.unwrap_or(Path::new(".")))?;
        }
        let file_system = rustix::fs::statfs(dir).map_err(io::Error::from)?.f_type;
        if NETWORK
            .iter()
            .any(|magic| i128::from(*magic) == i128::from(file_system))
        {
            return Err(Error::NetworkFileSystem(dir.to_path_buf()));
        }
        let lock = make_private_file(&dir.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(dir.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if !dir.join(BLOBS).is_dir() {
            make_private_dir(&dir.join(BLOBS))?;
        }
        // The engine gives its log and index the same permissions.
        make_private_file(&dir.join(DATABASE))?;
        sync_dir(dir)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Lets the next opener in.
    pub(crate) fn unlock(&self) {
        self.lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// Where large blobs are.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.dir.join(BLOBS)
    }

    /// Flushes the directory itself: the names of the files in it.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        Ok(sync_dir(&self.dir)?)
    }

    /// Bytes that an unprivileged process may still write; 0 if there are no inodes left.
    pub(crate) fn free_bytes(&self) -> Result<u64, Error> {
        free_bytes(&self.dir)
    }

    /// Writes a little and removes it: [`Error::Full`] when the disk or the quota is exhausted.
    pub(crate) fn probe(&self) -> Result<(), Error> {
        let path = self.dir.join(PROBE);
        let written = File::create(&path).and_then(|mut file| file.write_all(&[0; 64 * 1024]));
        let removed = std::fs::remove_file(&path);
        Ok(written.and(removed)?)
    }
}

/// Bytes that an unprivileged process may still write in `dir`; 0 if there are no inodes left.
pub(crate) fn free_bytes(dir: &Path) -> Result<u64, Error> {
    let space = rustix::fs::statvfs(dir).map_err(io::Error::from)?;
    // File systems without a fixed number of inodes report none at all.
    let inodes_gone = space.f_files > 0 && space.f_favail == 0;
    Ok(if inodes_gone {
        0
    } else {
        space.f_bavail.saturating_mul(space.f_frsize)
    })
}

/// Makes a directory only its owner may use.
pub(crate) fn make_private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(dir)
}

/// Opens a file; one that is missing is made so that only its owner may use it.
pub(crate) fn make_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// Flushes a directory, so that the names made in it survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opener_is_refused_until_the_first_has_gone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        let first = Place::open(&dir).unwrap();
        assert!(matches!(Place::open(&dir), Err(Error::InUse(_))));
        drop(first);
        Place::open(&dir).unwrap();
    }

    #[test]
    fn a_missing_parent_is_an_error_and_a_probe_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        assert!(matches!(
            Place::open(&parent.path().join("no/data")),
            Err(Error::Io(_))
        ));
        let place = Place::open(parent.path()).unwrap();
        place.probe().unwrap();
        assert!(!parent.path().join(PROBE).exists());
        assert!(place.free_bytes().unwrap() > 0);
    }
}
