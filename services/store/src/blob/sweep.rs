//! Deleting what nobody refers to.
//!
//! Rows go first, then files: a crash in between leaves a file without a row, which the second half
//! of the next sweep finds. Ids are never used again, so neither half can meet a new blob.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::PoisonError;

use super::Blobs;
use super::file::{self, Files, Found};
use crate::{BlobId, Db, Error, Reader, Tx};

/// Seconds between the last reference and the deletion, so that a backup of yesterday's database
/// still finds its blobs.
const GRACE: i64 = 24 * 60 * 60;

/// Seconds after which a file without a row is nobody's.
const ORPHAN: i64 = 60 * 60;

/// Rows per transaction, so that deliveries interleave.
const CHUNK: u32 = 500;

/// The reference count decides; the two lookups keep a wrong count from losing mail.
const DELETE: &str = "DELETE FROM blob WHERE id IN (
       SELECT b.id FROM blob b WHERE b.refs = 0 AND b.released_at <= ?1
       AND NOT EXISTS (SELECT 1 FROM message m WHERE m.blob_id = b.id)
       AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.blob_id = b.id)
       AND NOT EXISTS (SELECT 1 FROM quarantine k WHERE k.blob_id = b.id)
       LIMIT ?2)
     RETURNING id, inline IS NULL";
const EXISTS: &str = "SELECT 1 FROM blob WHERE id = ?1";
/// SQLite only: gives free pages at the end of the file back to the file system.
const SHRINK: &str = "PRAGMA incremental_vacuum(1000)";

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Blobs whose last reference went away more than a day ago.
    pub blobs: u64,
    /// Files that never got a row, and temporary files.
    pub orphans: u64,
}

pub(crate) async fn sweep(db: &Db) -> Result<Swept, Error> {
    let blobs = sweep_rows(db).await?;
    let orphans = sweep_files(db).await?;
    if blobs + orphans > 0 {
        tracing::info!(blobs, orphans, "unused blobs were deleted");
    }
    Ok(Swept { blobs, orphans })
}

async fn sweep_rows(db: &Db) -> Result<u64, Error> {
    let mut deleted = 0;
    loop {
        let rows = db.write(delete_rows).await?;
        let count = rows.len();
        let files = rows
            .into_iter()
            .filter_map(|(id, in_file)| in_file.then_some(id))
            .collect();
        let blobs = db.blobs().clone();
        off_reactor(move || {
            blobs.remove_files(files);
            Ok(())
        })
        .await?;
        deleted += count as u64;
        if count < CHUNK as usize {
            break;
        }
    }
    if deleted > 0 {
        db.write(|tx| tx.query(SHRINK, &[], &mut |_| Ok(())))
            .await?;
    }
    Ok(deleted)
}

fn delete_rows(tx: &mut dyn Tx) -> Result<Vec<(BlobId, bool)>, Error> {
    let before = tx.now().plus(-GRACE);
    tx.query_all(DELETE, &[before.into(), CHUNK.into()], |row| {
        Ok((row.blob_id(0)?, row.bool(1)?))
    })
}

async fn sweep_files(db: &Db) -> Result<u64, Error> {
    let mut removed = 0;
    let blobs = db.blobs().clone();
    let dirs = off_reactor(move || Ok(blobs.inner.files.outer_dirs()?)).await?;
    for dir in dirs {
        let blobs = db.blobs().clone();
        let candidates = off_reactor(move || blobs.candidates(&dir)).await?;
        if candidates.is_empty() {
            continue;
        }
        // The snapshot is younger than the look at the staged blobs: a row that one of them got
        // before it left that set is seen here.
        let orphans = db
            .read(move |reader| without_row(reader, candidates))
            .await?;
        removed += off_reactor(move || Ok(remove_orphans(orphans))).await?;
    }
    Ok(removed)
}

/// Keeps the files whose blob has no row; a temporary file is an orphan in any case.
fn without_row(
    reader: &mut dyn Reader,
    candidates: Vec<(BlobId, PathBuf, bool)>,
) -> Result<Vec<PathBuf>, Error> {
    let mut orphans = Vec::new();
    for (id, path, temporary) in candidates {
        if temporary
            || reader
                .query_one(EXISTS, &[(&id).into()], |_| Ok(()))?
                .is_none()
        {
            orphans.push(path);
        }
    }
    Ok(orphans)
}

fn remove_orphans(orphans: Vec<PathBuf>) -> u64 {
    let mut removed = 0;
    for path in orphans {
        match file::remove(&path) {
            Ok(was_there) => removed += u64::from(was_there),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an orphan stays");
            }
        }
    }
    removed
}

impl Blobs {
    /// Files whose rows are gone; what cannot be removed now is an orphan of the next sweep.
    fn remove_files(&self, ids: Vec<BlobId>) {
        for id in ids {
            if let Err(error) = self.inner.files.remove(id) {
                tracing::warn!(%id, error = &error as &dyn std::error::Error, "a file stays");
            }
        }
    }

    /// The old files in one directory that no staged blob claims.
    fn candidates(&self, dir: &std::path::Path) -> Result<Vec<(BlobId, PathBuf, bool)>, Error> {
        let before = self.inner.clock.now().plus(-ORPHAN);
        let found = Files::list(dir)?;
        let staged: HashSet<BlobId> = self
            .inner
            .staged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let old = found.into_iter().filter_map(|found| match found {
            Found::Blob {
                id,
                path,
                temporary,
                changed,
            } => (changed <= before && !staged.contains(&id)).then_some((id, path, temporary)),
            Found::Stranger(_) => None,
        });
        Ok(old.collect())
    }

    /// Names in the blob directories that are not the store's.
    pub(crate) fn strangers(&self) -> Result<Vec<PathBuf>, Error> {
        let mut strangers = Vec::new();
        for dir in self.inner.files.outer_dirs()? {
            strangers.extend(
                Files::list(&dir)?
                    .into_iter()
                    .filter_map(|found| match found {
                        Found::Stranger(path) => Some(path),
                        Found::Blob { .. } => None,
                    }),
            );
        }
        Ok(strangers)
    }
}

/// Runs file work on a thread that may block.
pub(crate) async fn off_reactor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Panicked)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate::migrated;

    #[test]
    fn the_sweep_reads_only_what_is_released_and_looks_references_up() {
        let connection = migrated();
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {DELETE}"))
            .unwrap();
        let steps: Vec<String> = explain
            .query_map([0, 1], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let plan = steps.join("; ");
        for index in ["blob_released", "message_blob", "queue_blob"] {
            assert!(plan.contains(index), "{index}: {plan}");
        }
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
