//! Numbered migrations in two halves, so that an operator can go back to the program of before.
//!
//! - **Expand** adds: tables, indexes, columns that rows of an older program may lack. Opening the
//!   database carries out all that are pending in one transaction, so a program that dies meanwhile
//!   leaves the schema it found. Programs from the migration's `oldest` on go on working with it.
//! - **Contract** takes away what only older programs need. [`finalize`] carries it out, and from
//!   then on programs that do not know the schema are refused. A later migration that cannot live
//!   with older programs any more says so with its `oldest`, and what is still to be contracted up
//!   to there is done before it.
//!
//! The files hold the SQL subset common to all back ends. For SQLite this runner replaces `{id}`,
//! `{int}` and `{bytes}` by its types, makes every table STRICT, and clusters a table by its key
//! (WITHOUT ROWID) when that key has several columns. The schema's version is `user_version`; who
//! wrote the data, and the oldest schema a program must know, is in the table `provenance`.

use ambient::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::fault::{self, FaultSource, Operation};
use crate::provenance::{self, Provenance};
use crate::sqlite::session::{Session, SqliteTx};
use crate::{Error, Reader, Tx};

/// One version of the schema: what leads to it from the version before.
#[derive(Debug, Clone, Copy)]
struct Migration {
    /// Run when the database is opened. Only adds, unless `oldest` is its own version.
    expand: &'static str,
    /// Run when the upgrade is finalized; empty if no older program is in the way.
    contract: &'static str,
    /// Programs that know this version of the schema work with the database after `expand`.
    oldest: u32,
}

impl Migration {
    /// The migration to `version` that no older program works with: there is nothing to finalize.
    const fn breaking(version: u32, sql: &'static str) -> Self {
        Self {
            expand: sql,
            contract: "",
            oldest: version,
        }
    }
}

/// The migrations in order; the n-th takes a database from version n - 1 to version n.
const MIGRATIONS: &[Migration] = &[
    Migration::breaking(1, include_str!("../../migrations/0001_initial.sql")),
    Migration::breaking(2, include_str!("../../migrations/0002_policy.sql")),
    Migration::breaking(3, include_str!("../../migrations/0003_learn.sql")),
    Migration::breaking(4, include_str!("../../migrations/0004_verdict.sql")),
    Migration::breaking(5, include_str!("../../migrations/0005_provenance.sql")),
];

/// "Mskx" in the database header: the file is one of ours.
const APPLICATION_ID: i64 = 0x4d73_6b78;
/// SQLite only.
const APPLICATION: &str = "PRAGMA application_id";
/// SQLite only.
const OBJECTS: &str = "SELECT count(*) FROM sqlite_schema";

/// Who opens a database, when, and what goes wrong meanwhile.
#[derive(Debug)]
pub(crate) struct Opener<'a> {
    pub(crate) program: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) faults: &'a FaultSource,
}

/// Brings the database to the newest version this program knows, and notes who opened it.
pub(crate) fn migrate(connection: &Connection, opener: &Opener<'_>) -> Result<(), Error> {
    let database = connection.path().unwrap_or_default();
    let (found, now) = transact(connection, opener, |tx| {
        if is_ours(tx)? {
            open(tx, MIGRATIONS, opener.program)
        } else {
            Err(Error::Foreign(database.into()))
        }
    })?;
    if found < now {
        tracing::info!(from = found, to = now, "the schema was brought up to date");
    } else if now > newest(MIGRATIONS) {
        tracing::info!(
            schema = now,
            "the data are a newer program's, and not finalized"
        );
    }
    Ok(())
}

/// Takes away what only older programs need, and refuses them from now on.
pub(crate) fn finalize(tx: &mut dyn Tx) -> Result<Provenance, Error> {
    close(tx, MIGRATIONS)
}

/// Runs `change` in a transaction: all of it happens, or nothing.
fn transact<T>(
    connection: &Connection,
    opener: &Opener<'_>,
    change: impl FnOnce(&mut dyn Tx) -> Result<T, Error>,
) -> Result<T, Error> {
    fault::check_database(opener.faults, Operation::Begin)?;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut session = Session::new(&transaction);
    let value = change(&mut SqliteTx::new(&mut session, opener.faults, opener.now))?;
    drop(session);
    fault::check_database(opener.faults, Operation::Commit)?;
    transaction.commit()?;
    Ok(value)
}

/// Whether a program of this name made the database, or nobody yet.
fn is_ours(reader: &mut dyn Reader) -> Result<bool, Error> {
    let application = reader.query_one(APPLICATION, &[], |row| row.int(0))?;
    let objects = reader.query_one(OBJECTS, &[], |row| row.int(0))?;
    let new = objects == Some(0) && provenance::read(reader)?.schema == 0;
    Ok(new || application == Some(APPLICATION_ID))
}

/// Expands the schema as far as `migrations` go; its version before and after.
fn open(tx: &mut dyn Tx, migrations: &[Migration], program: &str) -> Result<(u32, u32), Error> {
    let mut data = provenance::read(tx)?;
    let (found, supported) = (data.schema, newest(migrations));
    if data.oldest_schema > supported {
        return Err(Error::NewerVersion {
            program: data.opened_by,
            oldest: data.oldest_schema,
            supported,
        });
    }
    for (migration, version) in migrations.iter().zip(1..) {
        if version <= found {
            continue;
        }
        contract(tx, migrations, &mut data, migration.oldest.min(version - 1))?;
        execute(tx, migration.expand)?;
        data.oldest_schema = data.oldest_schema.max(migration.oldest);
        data.schema = version;
    }
    if data.schema > found {
        let (application, schema) = (APPLICATION_ID, data.schema);
        let header =
            format!("PRAGMA application_id = {application}; PRAGMA user_version = {schema}");
        execute(tx, &header)?;
    }
    let (by, at) = (Some(program.to_owned()), Some(date(tx.now())));
    if found == 0 {
        (data.created_by, data.created_at) = (by.clone(), at.clone());
    }
    (data.opened_by, data.opened_at) = (by, at);
    provenance::record(tx, &data)?;
    Ok((found, data.schema))
}

/// Contracts everything; only a program that knows all of it can.
fn close(tx: &mut dyn Tx, migrations: &[Migration]) -> Result<Provenance, Error> {
    let mut data = provenance::read(tx)?;
    let supported = newest(migrations);
    if data.schema > supported {
        return Err(Error::NotNewest {
            found: data.schema,
            supported,
        });
    }
    let schema = data.schema;
    contract(tx, migrations, &mut data, schema)?;
    provenance::record(tx, &data)?;
    Ok(data)
}

/// Takes away what programs that do not know version `to` need.
fn contract(
    tx: &mut dyn Tx,
    migrations: &[Migration],
    data: &mut Provenance,
    to: u32,
) -> Result<(), Error> {
    for (migration, version) in migrations.iter().zip(1..) {
        if data.oldest_schema < version && version <= to {
            execute(tx, migration.contract)?;
            data.oldest_schema = version;
        }
    }
    Ok(())
}

/// Runs statements of a migration. A session keeps what it has prepared, so they live as long as the
/// program: there are few, and they run once.
fn execute(tx: &mut dyn Tx, sql: &str) -> Result<(), Error> {
    for statement in statements(sql) {
        tx.exec(statement.leak(), &[])?;
    }
    Ok(())
}

fn newest(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// In the form of RFC 3339.
fn date(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.0).map_or_else(|_| time.to_string(), |at| at.to_string())
}

/// The statements of a migration in SQLite's dialect.
fn statements(migration: &str) -> Vec<String> {
    split(migration)
        .into_iter()
        .map(|statement| dialect(&statement))
        .collect()
}

fn dialect(statement: &str) -> String {
    let mut sql = statement
        .replace("{id}", "INTEGER PRIMARY KEY")
        .replace("{int}", "INTEGER")
        .replace("{bytes}", "BLOB");
    if sql.starts_with("CREATE TABLE") {
        sql.push_str(" STRICT");
        if has_composite_key(statement) {
            sql.push_str(", WITHOUT ROWID");
        }
    }
    sql
}

fn has_composite_key(table: &str) -> bool {
    table
        .split_once("PRIMARY KEY (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .is_some_and(|(columns, _)| columns.contains(','))
}

/// Splits at the semicolons outside of `--` comments and quotes, and drops the comments.
fn split(migration: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let mut quote = None;
    let mut characters = migration.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '-') if characters.peek() == Some(&'-') => {
                while characters.next_if(|next| *next != '\n').is_some() {}
                continue;
            }
            (None, ';') => {
                found.push(std::mem::take(&mut statement));
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        statement.push(character);
    }
    found.push(statement);
    found
        .iter()
        .map(|sql| sql.trim())
        .filter(|sql| !sql.is_empty())
        .map(String::from)
        .collect()
}

/// An empty database with the whole schema.
#[cfg(test)]
pub(crate) fn migrated() -> Connection {
    let connection = Connection::open_in_memory().expect("a database in memory");
    let opener = Opener {
        program: "0.1.0",
        now: Timestamp(0),
        faults: &None,
    };
    migrate(&connection, &opener).expect("the schema");
    connection
}

#[cfg(test)]
mod tests;
