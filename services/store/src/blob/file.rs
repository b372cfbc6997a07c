//! Blobs in files: `blobs/ab/cd/<id>`, where `ab` and `cd` are the id's last two bytes.
//!
//! A file is written under a temporary name, flushed, renamed, and its directory flushed: a name
//! without `.tmp` is a whole file. An error of a flush stops the store.
#![expect(clippy::disallowed_methods, reason = "this module's job is files")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ambient::Timestamp;

use super::frames::{Codec, LoadError, Table};
use crate::fault::{self, FaultSource, Operation};
use crate::place::{make_private_dir, sync_dir};
use crate::shared::Shared;
use crate::{BlobId, Error};

/// The end of a temporary name.
const TEMPORARY: &str = ".tmp";

/// The files of large blobs.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    shared: Arc<Shared>,
    faults: FaultSource,
    /// Directories whose names this process has flushed. One that merely exists may be younger
    /// than the last flush of its parent.
    durable: Mutex<HashSet<[u8; 2]>>,
}

/// A file while it is written; removed unless it is finished.
pub(super) struct Draft<'f> {
    files: &'f Files,
    id: BlobId,
    file: File,
    temporary: Option<PathBuf>,
    table: Table,
}

/// A name found in the directories.
pub(super) enum Found {
    /// A blob's file or the temporary file of one.
    Blob {
        id: BlobId,
        path: PathBuf,
        temporary: bool,
        changed: Timestamp,
    },
    /// Nothing of ours.
    Stranger(PathBuf),
}

impl Files {
    pub(super) fn new(root: PathBuf, shared: Arc<Shared>, faults: FaultSource) -> Self {
        Self {
            root,
            shared,
            faults,
            durable: Mutex::default(),
        }
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let [.., first, second] = id.0;
        self.root.join(format!("{first:02x}/{second:02x}/{id}"))
    }

    /// Starts the file of `id`.
    pub(super) fn create(&self, id: BlobId) -> Result<Draft<'_>, Error> {
        self.shared.check()?;
        self.make_dirs(id)?;
        fault::check(&self.faults, Operation::Create)?;
        let mut temporary = self.path(id).into_os_string();
        temporary.push(TEMPORARY);
        let temporary = PathBuf::from(temporary);
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        Ok(Draft {
            files: self,
            id,
            file,
            temporary: Some(temporary),
            table: Table::default(),
        })
    }

    fn make_dirs(&self, id: BlobId) -> Result<(), Error> {
        let [.., first, second] = id.0;
        let known = |durable: &HashSet<[u8; 2]>| durable.contains(&[first, second]);
        if known(&self.durable.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let outer = self.root.join(format!("{first:02x}"));
        for dir in [&outer, &outer.join(format!("{second:02x}"))] {
            match make_private_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        self.flush_dir(&self.root)?;
        self.flush_dir(&outer)?;
        self.durable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert([first, second]);
        Ok(())
    }

    fn flush_dir(&self, dir: &Path) -> Result<(), Error> {
        let flushed =
            fault::check(&self.faults, Operation::SyncDirectory).and_then(|()| sync_dir(dir));
        flushed.map_err(|error| self.unconfirmed(error))
    }

    /// What an error of a flush means: lack of space is harmless, anything else is the end.
    fn unconfirmed(&self, error: io::Error) -> Error {
        match Error::from(error) {
            Error::Full => Error::Full,
            error => {
                self.shared.fail(&error);
                Error::Failed
            }
        }
    }

    /// The `wanted` part of the blob `id` of `size` bytes.
    pub(super) fn load(
        &self,
        codec: &Codec,
        id: BlobId,
        size: u64,
        wanted: Range<u64>,
    ) -> Result<Vec<u8>, LoadError> {
        let file = File::open(self.path(id))?;
        let file_bytes = file.metadata()?.len();
        let tail_bytes = Table::tail_bytes(size);
        let tail_start = file_bytes
            .checked_sub(tail_bytes)
            .ok_or(LoadError::Damage("its file has the wrong length"))?;
        let mut tail = Vec::new();
        read_at(&file, tail_start..file_bytes, &mut tail)?;
        let frames = Table::decode(&tail, id, size, file_bytes)?;
        codec.extract(&frames, size, wanted, &mut |range, frame| {
            Ok(read_at(&file, range, frame)?)
        })
    }

    /// Removes the file of `id`; `false` if there is none.
    pub(super) fn remove(&self, id: BlobId) -> io::Result<bool> {
        remove(&self.path(id))
    }

    /// The directories right under the root, in any order.
    pub(super) fn outer_dirs(&self) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(&self.root)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    }

    /// Everything in one of the [`Files::outer_dirs`].
    pub(super) fn list(outer: &Path) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        if !outer.is_dir() {
            return Ok(vec![Found::Stranger(outer.to_path_buf())]);
        }
        for inner in fs::read_dir(outer)? {
            let inner = inner?.path();
            if !inner.is_dir() {
                found.push(Found::Stranger(inner));
                continue;
            }
            for entry in fs::read_dir(inner)? {
                found.push(identify(&entry?)?);
            }
        }
        Ok(found)
    }
}

fn identify(entry: &fs::DirEntry) -> io::Result<Found> {
    let path = entry.path();
    let name = entry.file_name();
    let name = name.to_str().unwrap_or_default();
    let temporary = name.ends_with(TEMPORARY);
    let Ok(id) = name.strip_suffix(TEMPORARY).unwrap_or(name).parse() else {
        return Ok(Found::Stranger(path));
    };
    let changed = entry.metadata()?.modified()?;
    let changed = changed
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    Ok(Found::Blob {
        id,
        path,
        temporary,
        changed: Timestamp(changed),
    })
}

/// Removes a file; `false` if it was not there.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Appends the bytes of `range`, which the caller has checked against the file's length.
fn read_at(file: &File, range: Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()> {
    let length = usize::try_from(range.end.saturating_sub(range.start))
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes
        .try_reserve_exact(length)
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    let start = bytes.len();
    bytes.resize(start + length, 0);
    match bytes.get_mut(start..) {
        Some(buffer) => file.read_exact_at(buffer, range.start),
        None => Ok(()),
    }
}

impl Draft<'_> {
    /// Appends a compressed frame.
    pub(super) fn frame(&mut self, compressed: &[u8]) -> Result<(), Error> {
        fault::check(&self.files.faults, Operation::Write)?;
        self.file.write_all(compressed)?;
        self.table.push(compressed.len());
        Ok(())
    }

    /// Ends the file of a blob of `size` plain bytes and makes it and its name durable.
    pub(super) fn finish(mut self, size: u64) -> Result<(), Error> {
        let files = self.files;
        fault::check(&files.faults, Operation::Write)?;
        self.file.write_all(&self.table.encode(self.id, size))?;
        fault::check(&files.faults, Operation::Sync)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| files.unconfirmed(error))?;
        let path = files.path(self.id);
        fault::check(&files.faults, Operation::Rename)?;
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &path)?;
        }
        self.temporary = None;
        files.flush_dir(path.parent().unwrap_or(&files.root))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary
            && let Err(error) = remove(temporary)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a temporary file stays"
            );
        }
    }
}
