//! Database files: how they are laid out, written, and checked when read.
//!
//! A database is one file that every machine reads as it is: little-endian, no pointers, nothing
//! that depends on the width of a vector register. It is mapped and scanned in place. Everything in
//! it is checked once when it is opened (see [`load`]), so that a scan needs no more checks than
//! memory safety asks for, and a file that is damaged in any way is refused with a reason.
//!
//! **A database file is never changed in place.** [`save`] writes another file and renames it over
//! the old one; whoever has the old one mapped goes on with it. Changing or truncating a mapped
//! file from outside takes the ground from under the scan: the operating system ends the process
//! (`SIGBUS`) when it touches pages that are gone.
#![expect(clippy::disallowed_methods, reason = "this module's job is files")]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::Mmap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::error::LoadError;

pub(crate) mod layout;
pub(crate) mod load;
mod seal;
#[cfg(test)]
mod tests;
pub(crate) mod write;

#[cfg(any(test, feature = "test-support"))]
pub use seal::seal;

/// The end of a temporary name.
const TEMPORARY: &str = ".tmp";
/// How many names are tried for the temporary file.
const MOST_ATTEMPTS: u32 = 100;

/// Tells the temporary files of this process apart.
static TEMPORARIES: AtomicU64 = AtomicU64::new(0);

/// The bytes of a database; they begin at a multiple of [`layout::ALIGNMENT`].
#[derive(Debug)]
pub(crate) enum Storage {
    /// A mapped file.
    Mapped(Mmap),
    /// Memory.
    Memory(Memory),
}

impl Storage {
    /// The bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Memory(memory) => memory.bytes(),
        }
    }
}

/// One cache line.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(64))]
struct Line([u8; layout::ALIGNMENT]);

/// Bytes in memory that begin at a cache line.
#[derive(Debug)]
pub(crate) struct Memory {
    lines: Vec<Line>,
    length: usize,
}

impl Memory {
    /// So many zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let lines = vec![Line([0; layout::ALIGNMENT]); length.div_ceil(layout::ALIGNMENT)];
        Self { lines, length }
    }

    /// A copy of these bytes.
    pub(crate) fn copy(bytes: &[u8]) -> Self {
        let mut memory = Self::zeros(bytes.len());
        memory.bytes_mut().copy_from_slice(bytes);
        memory
    }

    fn bytes(&self) -> &[u8] {
        self.lines.as_bytes().get(..self.length).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.lines
            .as_mut_bytes()
            .get_mut(..self.length)
            .unwrap_or_default()
    }
}

/// Maps a file.
pub(crate) fn map(path: &Path) -> Result<Storage, LoadError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(LoadError::NotADatabase);
    }
    #[expect(unsafe_code, reason = "a mapping has no safe form")]
    // SAFETY: the mapping is read-only and private to this process, and the file behind it does
    // not change: database files are only ever created under another name and renamed, never
    // written in place (see the module).
    let map = unsafe { Mmap::map(&file) }?;
    Ok(Storage::Mapped(map))
}

/// Puts the bytes into a file of this name: whole or not at all, and durable when it returns.
///
/// The temporary file beside it is named `<name>.<process>-<counter>.tmp`; a crash may leave it
/// behind.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (mut file, temporary) = create_temporary(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Its error would hide the one that matters.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(directory)?.sync_all()
}

fn create_temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    let mut attempts = 0;
    loop {
        let count = TEMPORARIES.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(name);
        temporary.push(format!(".{}-{count}{TEMPORARY}", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                attempts += 1;
                if attempts >= MOST_ATTEMPTS {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}
