//! The migrations of this program, and made-up ones of programs to come.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::*;
use crate::tests::FailAt;
use crate::{Fault, Faults};

/// Version 1 as the first program had it; version 2 moves `b` to a column of its own; version 3
/// only adds; version 4 needs what version 2 has taken away.
const MADE_UP: &[Migration] = &[
    Migration::breaking(
        1,
        "CREATE TABLE provenance (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
         CREATE TABLE note (id {id}, b TEXT NOT NULL DEFAULT '');",
    ),
    Migration {
        expand: "ALTER TABLE note ADD COLUMN body TEXT; UPDATE note SET body = b;",
        contract: "UPDATE note SET body = b WHERE body IS NULL; ALTER TABLE note DROP COLUMN b;",
        oldest: 1,
    },
    Migration {
        expand: "CREATE INDEX note_body ON note(body);",
        contract: "",
        oldest: 1,
    },
    Migration {
        expand: "ALTER TABLE note ADD COLUMN b {int};",
        contract: "CREATE TABLE last (id {id});",
        oldest: 2,
    },
];

/// A program that knows the first `schema` of the made-up versions.
struct Program<'f> {
    schema: usize,
    faults: &'f FaultSource,
}

impl Program<'_> {
    fn open(&self, connection: &Connection) -> Result<(u32, u32), Error> {
        let name = format!("0.{}.0", self.schema);
        self.transact(connection, |tx| open(tx, &MADE_UP[..self.schema], &name))
    }

    fn close(&self, connection: &Connection) -> Result<Provenance, Error> {
        self.transact(connection, |tx| close(tx, &MADE_UP[..self.schema]))
    }

    fn transact<T>(
        &self,
        connection: &Connection,
        change: impl FnOnce(&mut dyn Tx) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let opener = Opener {
            program: "",
            now: Timestamp(1_796_000_000),
            faults: self.faults,
        };
        transact(connection, &opener, change)
    }
}

fn program(schema: usize) -> Program<'static> {
    Program {
        schema,
        faults: &None,
    }
}

fn memory() -> Connection {
    Connection::open_in_memory().unwrap()
}

fn said(connection: &Connection) -> Provenance {
    provenance::read(&mut Session::new(connection)).unwrap()
}

fn notes(connection: &Connection, column: &str) -> Vec<Option<String>> {
    let sql = format!("SELECT {column} FROM note ORDER BY id");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every object of the schema, spaces and comments normalised.
fn schema(connection: &Connection) -> Vec<(String, String)> {
    let mut statement = connection
        .prepare("SELECT name, COALESCE(sql, '') FROM sqlite_schema ORDER BY name")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let words = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.map(|row| row.map(|(name, sql)| (name, words(sql))).unwrap())
        .collect()
}

#[test]
fn an_empty_database_and_all_migrations_give_the_schema_one_by_one_or_together() {
    let together = migrated();
    let stepwise = memory();
    for count in 1..=MIGRATIONS.len() {
        let step = |tx: &mut dyn Tx| open(tx, &MIGRATIONS[..count], "0.1.0");
        let (from, to) = program(0).transact(&stepwise, step).unwrap();
        assert_eq!(from + 1, to);
    }
    assert_eq!(schema(&together), schema(&stepwise));
    assert_eq!(said(&together).schema, newest(MIGRATIONS));
}

#[test]
fn what_is_run_at_opening_only_adds_unless_older_programs_are_refused_anyway() {
    const ADDS: [&str; 6] = [
        "CREATE TABLE ",
        "CREATE INDEX ",
        "CREATE UNIQUE INDEX ",
        "ALTER TABLE ",
        "INSERT ",
        "UPDATE ",
    ];
    for list in [MIGRATIONS, MADE_UP] {
        let mut oldest = 0;
        for (migration, version) in list.iter().zip(1..) {
            assert!((oldest..=version).contains(&migration.oldest), "{version}");
            oldest = migration.oldest;
            if migration.oldest == version {
                assert!(migration.contract.is_empty(), "{version}");
                continue;
            }
            for sql in statements(migration.expand) {
                let adds = ADDS.iter().any(|start| sql.starts_with(start));
                let takes = sql.contains(" DROP ") || sql.contains(" RENAME ");
                assert!(adds && !takes, "{version}: {sql}");
            }
        }
    }
}

#[test]
fn every_table_is_strict_and_a_composite_key_clusters_it() {
    let connection = migrated();
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
fn a_database_of_another_program_is_refused() {
    let connection = memory();
    let opener = Opener {
        program: "0.1.0",
        now: Timestamp(0),
        faults: &None,
    };
    connection.execute("CREATE TABLE theirs (x)", []).unwrap();
    for version in [0, 1] {
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
        let outcome = migrate(&connection, &opener);
        assert!(matches!(outcome, Err(Error::Foreign(_))), "{outcome:?}");
    }
}

#[test]
fn migrations_that_fail_leave_the_version_before_them() {
    let connection = memory();
    program(1).open(&connection).unwrap();
    let before = schema(&connection);
    let mut bad = MADE_UP[..3].to_vec();
    bad.push(Migration::breaking(4, "CREATE TABLE note (y {int});"));
    let outcome = program(0).transact(&connection, |tx| open(tx, &bad, "0.4.0"));
    assert!(outcome.is_err());
    assert_eq!((said(&connection).schema, schema(&connection)), (1, before));
}

#[test]
fn an_older_program_works_until_the_upgrade_is_finalized() {
    let connection = memory();
    assert_eq!(program(1).open(&connection).unwrap(), (0, 1));
    connection
        .execute("INSERT INTO note (b) VALUES ('one')", [])
        .unwrap();
    assert_eq!(program(3).open(&connection).unwrap(), (1, 3));
    assert_eq!(notes(&connection, "body"), [Some("one".into())]);
    assert_eq!(program(1).open(&connection).unwrap(), (3, 3), "back");
    connection
        .execute("INSERT INTO note (b) VALUES ('two')", [])
        .unwrap();
    let error = program(1).close(&connection).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotNewest {
                found: 3,
                supported: 1
            }
        ),
        "{error}"
    );
    let data = said(&connection);
    assert_eq!(
        (data.created_by.as_deref(), data.opened_by.as_deref()),
        (Some("0.1.0"), Some("0.1.0"))
    );
    assert_eq!(data.opened_at.as_deref(), Some("2026-11-30T00:53:20Z"));
    assert_eq!((data.schema, data.oldest_schema), (3, 1));

    assert_eq!(program(3).open(&connection).unwrap(), (3, 3), "forth");
    assert_eq!(program(3).close(&connection).unwrap().oldest_schema, 3);
    assert_eq!(
        notes(&connection, "body"),
        [Some("one".into()), Some("two".into())]
    );
    let before = schema(&connection);
    let error = program(1).open(&connection).unwrap_err();
    assert!(
        error.to_string().starts_with(
            "the data were last opened by muskox 0.3.0, and need a program that knows schema 3"
        ),
        "{error}"
    );
    assert_eq!(schema(&connection), before);
    assert_eq!(said(&connection).opened_by.as_deref(), Some("0.3.0"));
    program(3).open(&connection).unwrap();
}

#[test]
fn a_version_later_still_takes_away_first_what_it_cannot_live_with() {
    let connection = memory();
    program(1).open(&connection).unwrap();
    connection
        .execute("INSERT INTO note (b) VALUES ('one')", [])
        .unwrap();
    assert_eq!(program(4).open(&connection).unwrap(), (1, 4));
    assert_eq!(notes(&connection, "body"), [Some("one".into())]);
    assert_eq!(notes(&connection, "b"), [None]);
    assert_eq!(said(&connection).oldest_schema, 2);
    assert!(matches!(
        program(1).open(&connection),
        Err(Error::NewerVersion { oldest: 2, .. })
    ));
    program(2).open(&connection).unwrap();
    assert_eq!(program(4).close(&connection).unwrap().oldest_schema, 4);
    assert_eq!(
        program(4).close(&connection).unwrap().oldest_schema,
        4,
        "once"
    );
    assert!(program(3).open(&connection).is_err());
}

#[test]
fn whichever_operation_of_an_opening_fails_nothing_has_changed_and_the_next_one_succeeds() {
    let wanted = schema(&migrated());
    for count in 1.. {
        let connection = memory();
        let failing = FailAt::never(None, Fault::Io);
        failing.arm(count);
        let faults: FaultSource = Some(failing.clone());
        let opener = |faults| Opener {
            program: "0.1.0",
            now: Timestamp(0),
            faults,
        };
        let outcome = migrate(&connection, &opener(&faults));
        assert_eq!(outcome.is_err(), failing.has_fired(), "{count}");
        if outcome.is_ok() {
            assert!(count > 60, "{count}");
            return;
        }
        assert_eq!(schema(&connection), [], "{count}");
        migrate(&connection, &opener(&None)).unwrap();
        assert_eq!(schema(&connection), wanted, "{count}");
    }
}

/// Takes a copy of the database at every step: what a kill at that moment would leave.
#[derive(Debug)]
struct Killer {
    database: PathBuf,
    left: PathBuf,
    steps: Mutex<usize>,
}

impl Faults for Killer {
    fn before(&self, _: Operation) -> Option<Fault> {
        let mut steps = self.steps.lock().unwrap();
        for end in ["", "-wal"] {
            let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
            let left = self.left.join(steps.to_string());
            std::fs::copy(name(&self.database), name(&left)).unwrap();
        }
        *steps += 1;
        None
    }
}

/// A file with little cache, so that changes are in the log before they are committed.
fn file(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    for (name, value) in [("journal_mode", "wal"), ("cache_size", "1")] {
        connection
            .pragma_update_and_check(None, name, value, |_| Ok(()))
            .ok();
    }
    connection
}

#[test]
fn a_kill_at_any_step_leaves_what_the_program_before_and_the_one_after_can_open() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("mail.db");
    let connection = file(&database);
    program(1).open(&connection).unwrap();
    let many =
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2000)
         INSERT INTO note (b) SELECT printf('%0100d', n) FROM number";
    connection.execute(many, []).unwrap();
    let killer = Arc::new(Killer {
        database,
        left: folder.path().to_owned(),
        steps: Mutex::default(),
    });
    let faults: FaultSource = Some(killer.clone());
    let after = Program {
        schema: 3,
        faults: &faults,
    };
    after.open(&connection).unwrap();
    let opened = *killer.steps.lock().unwrap();
    after.close(&connection).unwrap();
    let closed = *killer.steps.lock().unwrap();
    assert!(opened > 10 && closed > opened + 3, "{opened} {closed}");
    let bodies = notes(&connection, "body");
    assert_eq!(bodies.len(), 2_000);
    for step in 0..closed {
        let left = file(&folder.path().join(step.to_string()));
        let outcome: String = left
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(outcome, "ok", "{step}");
        let wanted = if step < opened { 1 } else { 3 };
        assert_eq!(
            (said(&left).schema, said(&left).oldest_schema),
            (wanted, 1),
            "{step}"
        );
        program(1).open(&left).unwrap();
        assert_eq!(notes(&left, "b"), bodies, "{step}");
        program(3).open(&left).unwrap();
        program(3).close(&left).unwrap();
        assert_eq!(notes(&left, "body"), bodies, "{step}");
        assert_eq!(schema(&left), schema(&connection), "{step}");
    }
}
