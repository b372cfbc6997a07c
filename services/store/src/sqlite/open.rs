//! Opening connections: the settings every one of them has.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::Error;

/// How long the writer and the readers wait for another connection's lock: for a checkpoint, or for
/// an administrator with a shell.
pub(crate) const BUSY: Duration = Duration::from_secs(10);

/// How long a checkpoint waits for readers. It may hold the write lock meanwhile.
pub(crate) const BUSY_CHECKPOINT: Duration = Duration::from_millis(100);

/// The log's file is cut back to this size when it starts over.
const JOURNAL_LIMIT: i64 = 32 * 1024 * 1024;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
    Checkpointer,
}

/// Opens `file` with a page cache of at most `cache_bytes`; the writer's connection makes it if it
/// is missing.
pub(crate) fn connect(file: &Path, role: Role, cache_bytes: usize) -> Result<Connection, Error> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if role == Role::Writer {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(match role {
        Role::Writer | Role::Reader => BUSY,
        Role::Checkpointer => BUSY_CHECKPOINT,
    })?;
    if role == Role::Writer {
        // Only takes effect on a new database.
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        // A file system without shared memory: nothing here is safe on it.
        return Err(Error::NetworkFileSystem(file.to_path_buf()));
    }
    // Checkpoints are the checkpointer's. One at closing would flush again after a failed flush.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT)?;
    let kibibytes = i64::try_from(cache_bytes / 1024)
        .unwrap_or(i64::MAX)
        .max(256);
    connection.pragma_update(None, "cache_size", -kibibytes)?;
    if role == Role::Reader {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(connection)
}
