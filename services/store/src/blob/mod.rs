//! Blobs: the bodies of messages, written once and shared by all who refer to them.
//!
//! Up to [`INLINE_LIMIT`] compressed bytes live in the row, flushed together with the metadata; a
//! larger blob is a file ([`file`]) that is durable before [`Blobs::stage`] returns. Both hold the
//! same thing, independent zstd frames of [`frames::FRAME`] plain bytes each, so that a range is
//! read without the rest.
//!
//! The way of a blob: [`Blobs::stage`], then [`insert`] in the transaction that refers to it, with
//! the number of references; [`retain`] and [`release`] count from then on. Nothing here deletes:
//! [`Db::sweep`](crate::Db::sweep) does, a day after the last reference has gone.

mod file;
mod frames;
pub(crate) mod sweep;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ambient::{Clock, Random};
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::place::Place;
use crate::shared::Shared;
use crate::{BlobId, Error, Reader, StoreOptions, Tx};
use file::Files;
use frames::{Codec, FRAME, LoadError, whole};

pub use sweep::Swept;

/// The most compressed bytes a row holds.
pub const INLINE_LIMIT: usize = 16 * 1024;

/// Up to this size compressing takes less time than handing the work to another thread.
const DIRECT: usize = 64 * 1024;

/// Large blobs compressed and written at the same time.
const PARALLEL: usize = 8;

const INSERT: &str = "INSERT INTO blob (id, size, digest, inline, refs, released_at, created_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const RETAIN: &str = "UPDATE blob SET refs = refs + ?2, released_at = NULL WHERE id = ?1";
const RELEASE: &str = "UPDATE blob SET refs = refs - 1,
     released_at = CASE WHEN refs = 1 THEN ?2 ELSE released_at END
     WHERE id = ?1 AND refs > 0";
const SELECT: &str = "SELECT size, digest, inline FROM blob WHERE id = ?1";

/// A blob on its way into the database. The sweeper leaves its file alone as long as a clone of
/// this lives, so keep one until the transaction with its row is answered.
#[derive(Debug, Clone)]
pub struct StagedBlob {
    /// The key of its row.
    pub id: BlobId,
    /// Of the plain bytes.
    pub size: u64,
    /// BLAKE3 of the plain bytes.
    pub digest: [u8; 32],
    /// The compressed bytes if they go into the row, `None` if a durable file has them.
    pub inline: Option<Bytes>,
    _alive: Option<Arc<Alive>>,
}

impl StagedBlob {
    /// A blob whose row exists already: for those who refer to it, not for [`insert`].
    #[must_use]
    pub fn existing(id: BlobId, size: u64) -> Self {
        Self {
            id,
            size,
            digest: [0; 32],
            inline: None,
            _alive: None,
        }
    }
}

/// The ids of staged blobs with files.
type Staged = Arc<Mutex<HashSet<BlobId>>>;

/// Keeps an id in the set until it is dropped.
#[derive(Debug)]
struct Alive {
    id: BlobId,
    staged: Staged,
}

impl Alive {
    fn new(id: BlobId, staged: &Staged) -> Arc<Self> {
        staged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id);
        Arc::new(Self {
            id,
            staged: staged.clone(),
        })
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.staged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

/// Where blobs are staged and read. A clone is another handle.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

struct Inner {
    codec: Codec,
    files: Files,
    staged: Staged,
    large: Arc<Semaphore>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Staging and reading files needs the directory's lock, like the threads do.
    _place: Arc<Place>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs")
            .field("files", &self.inner.files)
            .finish_non_exhaustive()
    }
}

impl Blobs {
    pub(crate) fn new(options: &StoreOptions, place: Arc<Place>, shared: Arc<Shared>) -> Self {
        let files = Files::new(place.blobs(), shared.clone(), options.faults.clone());
        Self {
            inner: Arc::new(Inner {
                codec: Codec::default(),
                files,
                staged: Staged::default(),
                large: Arc::new(Semaphore::new(PARALLEL)),
                shared,
                clock: options.clock.clone(),
                random: options.random.clone(),
                _place: place,
            }),
        }
    }

    /// Compresses `bytes` and, unless they are small, writes their file and flushes it and its
    /// directories. Large ones leave the caller's thread. A staged blob that is never inserted is
    /// removed by the sweeper.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Failed`], [`Error::Io`].
    pub async fn stage(&self, bytes: Bytes) -> Result<StagedBlob, Error> {
        self.inner.shared.check()?;
        let mut packed = None;
        if bytes.len() <= DIRECT {
            let frame = self.inner.codec.compress(&bytes)?;
            if frame.len() <= INLINE_LIMIT {
                return Ok(self.staged(&bytes, Some(frame)));
            }
            packed = Some(frame);
        }
        let permit = self
            .inner
            .large
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Closed)?;
        let blobs = self.clone();
        let work = move || {
            let _permit = permit;
            match packed {
                Some(frame) => blobs.write_single(&bytes, &frame),
                None => blobs.stage_blocking(&bytes),
            }
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Error::Panicked)?
    }

    /// [`Blobs::stage`] on the caller's thread, whatever the size.
    ///
    /// # Errors
    /// As [`Blobs::stage`].
    pub fn stage_blocking(&self, bytes: &[u8]) -> Result<StagedBlob, Error> {
        self.inner.shared.check()?;
        let mut held = Vec::new();
        let mut lengths = Vec::new();
        let mut chunks = bytes.chunks(FRAME);
        for chunk in chunks.by_ref() {
            let frame = self.inner.codec.compress(chunk)?;
            held.extend_from_slice(&frame);
            lengths.push(frame.len());
            if held.len() > INLINE_LIMIT {
                break;
            }
        }
        if held.len() <= INLINE_LIMIT {
            return Ok(self.staged(bytes, Some(held)));
        }
        let mut staged = self.staged(bytes, None);
        staged._alive = Some(Alive::new(staged.id, &self.inner.staged));
        let mut draft = self.inner.files.create(staged.id)?;
        let mut rest = held.as_slice();
        for length in lengths {
            let (frame, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            draft.frame(frame)?;
            rest = after;
        }
        drop(held);
        for chunk in chunks {
            draft.frame(&self.inner.codec.compress(chunk)?)?;
        }
        draft.finish(staged.size)?;
        Ok(staged)
    }

    /// The file of a blob that is one frame, already compressed.
    fn write_single(&self, bytes: &[u8], frame: &[u8]) -> Result<StagedBlob, Error> {
        let mut staged = self.staged(bytes, None);
        staged._alive = Some(Alive::new(staged.id, &self.inner.staged));
        let mut draft = self.inner.files.create(staged.id)?;
        draft.frame(frame)?;
        draft.finish(staged.size)?;
        Ok(staged)
    }

    fn staged(&self, bytes: &[u8], inline: Option<Vec<u8>>) -> StagedBlob {
        StagedBlob {
            id: self.new_id(),
            size: bytes.len().try_into().unwrap_or(u64::MAX),
            digest: *blake3::hash(bytes).as_bytes(),
            inline: inline.map(Bytes::from),
            _alive: None,
        }
    }

    fn new_id(&self) -> BlobId {
        let mut id = self.inner.random.id();
        let millis = self.inner.clock.now_millis().to_be_bytes();
        for (byte, time) in id.iter_mut().zip(millis.into_iter().skip(2)) {
            *byte = time;
        }
        BlobId(id)
    }

    /// A whole blob, its digest checked.
    ///
    /// # Errors
    /// [`Error::NoBlob`], [`Error::Damaged`], and those of the engine and of files.
    pub fn load(&self, reader: &mut dyn Reader, id: &BlobId) -> Result<Vec<u8>, Error> {
        self.load_row(reader, id, None)
    }

    /// The part of a blob in `range`; what is beyond its end is left out. Reads and checks only the
    /// frames that are needed, each by its own checksum.
    ///
    /// # Errors
    /// As [`Blobs::load`].
    pub fn load_range(
        &self,
        reader: &mut dyn Reader,
        id: &BlobId,
        range: Range<u64>,
    ) -> Result<Vec<u8>, Error> {
        self.load_row(reader, id, Some(range))
    }

    fn load_row(
        &self,
        reader: &mut dyn Reader,
        id: &BlobId,
        range: Option<Range<u64>>,
    ) -> Result<Vec<u8>, Error> {
        let inner = &self.inner;
        let loaded = reader.query_one(SELECT, &[id.into()], |row| {
            let size = row.u64(0)?;
            let wanted = range.clone().unwrap_or(whole(size));
            let bytes = match row.opt_bytes(2)? {
                Some(inline) => inner.codec.unpack_inline(inline, size, wanted),
                None => inner.files.load(&inner.codec, *id, size, wanted),
            }
            .map_err(|error| error.of(*id))?;
            if range.is_none() && blake3::hash(&bytes).as_bytes() != row.bytes(1)? {
                return Err(LoadError::Damage("its digest differs").of(*id));
            }
            Ok(bytes)
        })?;
        loaded.ok_or(Error::NoBlob(*id))
    }
}

impl LoadError {
    /// The public error for the blob it is about.
    fn of(self, id: BlobId) -> Error {
        match self {
            Self::Damage(reason) => Error::Damaged { id, reason },
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => Error::Damaged {
                id,
                reason: "its file is missing",
            },
            Self::Io(error) => error.into(),
        }
    }
}

/// Makes the row of a staged blob with its first `references`; with 0 it is swept after a day.
///
/// # Errors
/// Those of the engine.
pub fn insert(tx: &mut dyn Tx, blob: &StagedBlob, references: u32) -> Result<(), Error> {
    let now = tx.now();
    let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
    let released = (references == 0).then_some(now);
    tx.exec(
        INSERT,
        &[
            (&blob.id).into(),
            size.into(),
            (&blob.digest).into(),
            blob.inline.as_ref().into(),
            references.into(),
            released.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// Counts `references` more.
///
/// # Errors
/// [`Error::NoBlob`], and those of the engine.
pub fn retain(tx: &mut dyn Tx, id: &BlobId, references: u32) -> Result<(), Error> {
    match tx.exec(RETAIN, &[id.into(), references.into()])? {
        0 => Err(Error::NoBlob(*id)),
        _ => Ok(()),
    }
}

/// Counts one reference less; the last one starts the day of grace. Call it once for every row that
/// is deleted, after the deletion.
///
/// # Errors
/// [`Error::NoBlob`] also when there is no reference left to give up, and those of the engine.
pub fn release(tx: &mut dyn Tx, id: &BlobId) -> Result<(), Error> {
    let now = tx.now();
    match tx.exec(RELEASE, &[id.into(), now.into()])? {
        0 => Err(Error::NoBlob(*id)),
        _ => Ok(()),
    }
}
