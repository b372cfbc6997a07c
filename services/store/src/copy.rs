//! A copy of a data directory to try something on, also while a server works on the original.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use crate::place::{self, BLOBS, DATABASE};
use crate::provenance::{self, Provenance};
use crate::sqlite::open::BUSY;
use crate::sqlite::session::Session;
use crate::{Error, Reader};

/// SQLite only.
const BYTES: &str = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";

/// Pages copied at a time, and the pause before the next ones.
const STEP: i32 = 100_000;
const PAUSE: Duration = Duration::ZERO;

/// What was copied.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Copied {
    /// What the data say about themselves.
    pub provenance: Provenance,
    /// The size of the database.
    pub database_bytes: u64,
}

/// Copies the database of the data directory `from`, as it is at one moment, into the empty
/// directory `to`, and makes the blobs of `from` readable there by a link. Blocks, and reads the
/// whole database; changes nothing in `from`. Whoever opens the copy may check it and write to its
/// database, but must not sweep it: the blobs are the original's.
///
/// # Errors
/// [`Error::NoData`], [`Error::Full`] when `to` has no space for it, and those of the engine.
pub fn copy(from: &Path, to: &Path) -> Result<Copied, Error> {
    let from = from.canonicalize()?;
    let (database, blobs) = (from.join(DATABASE), from.join(BLOBS));
    if !database.is_file() || !blobs.is_dir() {
        return Err(Error::NoData(from));
    }
    let source = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(BUSY)?;
    // One snapshot for all that is read, whatever is written meanwhile.
    let snapshot = source.unchecked_transaction()?;
    let mut session = Session::new(&snapshot);
    let reader: &mut dyn Reader = &mut session;
    let copied = Copied {
        provenance: provenance::read(reader)?,
        database_bytes: reader.query_one(BYTES, &[], |row| row.u64(0))?.unwrap_or(0),
    };
    drop(session);
    if place::free_bytes(to)? < copied.database_bytes {
        return Err(Error::Full);
    }
    let target = to.join(DATABASE);
    drop(place::make_private_file(&target)?);
    copy_pages(&source, &target)?;
    std::os::unix::fs::symlink(blobs, to.join(BLOBS))?;
    Ok(copied)
}

fn copy_pages(source: &Connection, target: &Path) -> Result<(), Error> {
    let mut target = Connection::open(target)?;
    // A copy that is lost is made again.
    target.pragma_update(None, "synchronous", "off")?;
    let backup = Backup::new(source, &mut target)?;
    Ok(backup.run_to_completion(STEP, PAUSE, None)?)
}
