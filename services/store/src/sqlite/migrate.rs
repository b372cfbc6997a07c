//! Forward-only, numbered migrations.
//!
//! The files hold the SQL subset common to all back ends. For SQLite this runner replaces `{id}`,
//! `{int}` and `{bytes}` by its types, makes every table STRICT, and clusters a table by its key
//! (WITHOUT ROWID) when that key has several columns. The schema's version is `user_version`.

use rusqlite::{Connection, TransactionBehavior};

use crate::Error;

/// The migrations in order; the n-th takes a database from version n - 1 to version n.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_policy.sql"),
    include_str!("../../migrations/0003_learn.sql"),
    include_str!("../../migrations/0004_verdict.sql"),
];

/// "Mskx" in the database header: the file is one of ours.
const APPLICATION_ID: i64 = 0x4d73_6b78;

/// Brings the database to the newest version this program knows; says whether anything changed.
pub(crate) fn migrate(connection: &mut Connection) -> Result<bool, Error> {
    run(connection, MIGRATIONS)
}

fn run(connection: &mut Connection, migrations: &[&str]) -> Result<bool, Error> {
    let supported = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > supported {
        return Err(Error::NewerVersion { found, supported });
    }
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = if found == 0 {
        tables == 0
    } else {
        application == APPLICATION_ID
    };
    if !ours {
        return Err(Error::Foreign(connection.path().unwrap_or_default().into()));
    }
    let pending = migrations
        .iter()
        .zip(1u32..)
        .skip_while(|(_, version)| *version <= found);
    for (migration, version) in pending {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for statement in statements(migration) {
            transaction.execute(&statement, [])?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        tracing::info!(version, "the database schema was brought up to date");
    }
    Ok(found < supported)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    /// Every object of the schema, spaces and comments normalised.
    fn schema(connection: &Connection) -> Vec<(String, String)> {
        let mut statement = connection
            .prepare("SELECT name, COALESCE(sql, '') FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(|row| {
            row.map(|(name, sql): (String, String)| (name, words(&sql)))
                .unwrap()
        })
        .collect()
    }

    fn words(sql: &str) -> String {
        sql.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_empty_database_and_all_migrations_give_the_schema_one_by_one_or_together() {
        let mut together = memory();
        assert!(migrate(&mut together).unwrap());
        let mut stepwise = memory();
        for count in 1..=MIGRATIONS.len() {
            assert!(run(&mut stepwise, &MIGRATIONS[..count]).unwrap());
        }
        assert_eq!(schema(&together), schema(&stepwise));
        assert!(
            !migrate(&mut together).unwrap(),
            "a second run changes nothing"
        );
    }

    #[test]
    fn every_table_is_strict_and_a_composite_key_clusters_it() {
        let mut connection = memory();
        migrate(&mut connection).unwrap();
        let mut statement = connection
            .prepare(
                "SELECT name, strict, wr FROM pragma_table_list
                 WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'",
            )
            .unwrap();
        let tables: Vec<(String, bool, bool)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(tables.len() > 15);
        assert!(tables.iter().all(|(_, strict, _)| *strict), "{tables:?}");
        let clustered = |name: &str| tables.iter().any(|(table, _, wr)| table == name && *wr);
        assert!(clustered("entry") && clustered("queue_rcpt"));
        assert!(!clustered("blob") && !clustered("message"));
    }

    #[test]
    fn semicolons_and_quotes_in_comments_and_strings_do_not_split() {
        let sql = "-- a; b's\nCREATE TABLE a (x TEXT DEFAULT ';--''');-- c;\nSELECT 1;\n -- end";
        assert_eq!(
            split(sql),
            ["CREATE TABLE a (x TEXT DEFAULT ';--''')", "SELECT 1"]
        );
    }

    #[test]
    fn a_newer_database_is_refused_and_left_alone() {
        let mut connection = memory();
        migrate(&mut connection).unwrap();
        let newer = u32::try_from(MIGRATIONS.len()).unwrap() + 1;
        connection
            .pragma_update(None, "user_version", newer)
            .unwrap();
        let before = schema(&connection);
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, Error::NewerVersion { found, .. } if found == newer));
        assert_eq!(schema(&connection), before);
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let mut connection = memory();
        connection.execute("CREATE TABLE theirs (x)", []).unwrap();
        assert!(matches!(migrate(&mut connection), Err(Error::Foreign(_))));
        connection.pragma_update(None, "user_version", 1).unwrap();
        assert!(matches!(migrate(&mut connection), Err(Error::Foreign(_))));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before_it() {
        let mut connection = memory();
        let steps = [
            "CREATE TABLE a (x {int});",
            "CREATE TABLE b (x {int}); CREATE TABLE a (y {int});",
        ];
        assert!(run(&mut connection, &steps).is_err());
        let version: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, 1);
        assert_eq!(schema(&connection).len(), 1);
    }
}
