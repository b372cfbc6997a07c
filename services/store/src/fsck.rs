//! The consistency check of what this crate owns: the engine's structures, reference counts, and
//! the bytes of every blob. Other services add their own findings to the same report.

use std::fmt;
use std::path::PathBuf;

use crate::blob::sweep::off_reactor;
use crate::{BlobId, Db, Error, Reader};

/// The most findings a report holds.
const MOST_PROBLEMS: usize = 1_000;

/// Blobs per read transaction.
const CHUNK: u32 = 100;

/// SQLite only.
const INTEGRITY: &str = "PRAGMA integrity_check(100)";
/// SQLite only: table, rowid, referred table, key number of every row that refers to nothing.
const FOREIGN_KEYS: &str = "PRAGMA foreign_key_check";
const BLOBS: &str = "SELECT b.id, b.size, b.refs,
       (SELECT count(*) FROM message m WHERE m.blob_id = b.id)
       + (SELECT count(*) FROM queue q WHERE q.blob_id = b.id)
       + (SELECT count(*) FROM quarantine k WHERE k.blob_id = b.id)
     FROM blob b WHERE b.id > ?1 ORDER BY b.id LIMIT ?2";

/// What a check found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FsckReport {
    /// Blobs whose bytes were read.
    pub blobs: u64,
    /// Plain bytes of them.
    pub bytes: u64,
    /// The findings, at most 1,000.
    pub problems: Vec<Problem>,
    /// Findings beyond those.
    pub more: u64,
}

impl FsckReport {
    /// Adds a finding.
    pub fn push(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// What the engine says about its own structures.
    Engine(String),
    /// A row of `table` refers to a row of `referred` that is not there.
    Reference {
        /// The table with the row.
        table: String,
        /// The table without one.
        referred: String,
    },
    /// The reference count of a blob is wrong.
    Count {
        /// Which blob.
        id: BlobId,
        /// What its row says.
        recorded: i64,
        /// The rows that refer to it.
        counted: i64,
    },
    /// The bytes of a blob are not those that were written, or are missing.
    Damaged {
        /// Which blob.
        id: BlobId,
        /// What was found.
        reason: &'static str,
    },
    /// A file in the blob directories that this program did not make.
    Stranger(PathBuf),
    /// A finding of another service.
    Other(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(text) => write!(f, "database: {text}"),
            Self::Reference { table, referred } => {
                write!(f, "a row of {table} refers to a missing row of {referred}")
            }
            Self::Count {
                id,
                recorded,
                counted,
            } => {
                write!(
                    f,
                    "blob {id} is referred to {counted} times, its row says {recorded}"
                )
            }
            Self::Damaged { id, reason } => write!(f, "blob {id} is damaged: {reason}"),
            Self::Stranger(path) => write!(f, "{} is not a file of the store", path.display()),
            Self::Other(text) => f.write_str(text),
        }
    }
}

pub(crate) async fn fsck(db: &Db) -> Result<FsckReport, Error> {
    let mut report = db.read(engine).await?;
    let mut last = Some(BlobId([0; 16]));
    while let Some(after) = last {
        let blobs = db.blobs().clone();
        (report, last) = db
            .read::<_, Error, _>(move |reader| {
                let last = check_chunk(reader, &blobs, after, &mut report)?;
                Ok((report, last))
            })
            .await?;
    }
    let blobs = db.blobs().clone();
    for path in off_reactor(move || blobs.strangers()).await? {
        report.push(Problem::Stranger(path));
    }
    Ok(report)
}

fn engine(reader: &mut dyn Reader) -> Result<FsckReport, Error> {
    let mut report = FsckReport::default();
    reader.query(INTEGRITY, &[], &mut |row| {
        if row.text(0)? != "ok" {
            report.push(Problem::Engine(row.text(0)?.to_owned()));
        }
        Ok(())
    })?;
    reader.query(FOREIGN_KEYS, &[], &mut |row| {
        let (table, referred) = (row.text(0)?.to_owned(), row.text(2)?.to_owned());
        report.push(Problem::Reference { table, referred });
        Ok(())
    })?;
    Ok(report)
}

/// Checks the blobs that follow `after`; answers the last one, or `None` at the end.
fn check_chunk(
    reader: &mut dyn Reader,
    blobs: &crate::Blobs,
    after: BlobId,
    report: &mut FsckReport,
) -> Result<Option<BlobId>, Error> {
    let rows = reader.query_all(BLOBS, &[(&after).into(), CHUNK.into()], |row| {
        Ok((row.blob_id(0)?, row.u64(1)?, row.int(2)?, row.int(3)?))
    })?;
    for (id, size, recorded, counted) in &rows {
        report.blobs += 1;
        report.bytes = report.bytes.saturating_add(*size);
        if recorded != counted {
            report.push(Problem::Count {
                id: *id,
                recorded: *recorded,
                counted: *counted,
            });
        }
        // Nobody needs it any more, and the sweeper may be deleting it just now.
        if *recorded == 0 && *counted == 0 {
            continue;
        }
        match blobs.load(reader, id) {
            Ok(_) => {}
            Err(Error::Damaged { id, reason }) => report.push(Problem::Damaged { id, reason }),
            Err(error) if error.is_temporary() => return Err(error),
            Err(_) => report.push(Problem::Damaged {
                id: *id,
                reason: "it cannot be read",
            }),
        }
    }
    Ok(rows.last().map(|(id, ..)| *id))
}
