//! Every statement goes through an index: none reads a whole table. Those of [`crate::fsck`], which
//! look at everything, are only checked to be valid.

use std::sync::Arc;

use ambient::{FakeClock, SeededRandom, Timestamp};
use store::{Db, Reader, StoreOptions, Value};

use crate::{
    append, change, chunk, expunge, fetch, fsck, judgement, keyword, mailbox, set_flags, shared,
    snapshot, thread, transfer,
};

/// What the engine would do, a line for each step.
fn plan(rx: &mut dyn Reader, sql: &str) -> Vec<String> {
    let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let places = (1..=20)
        .take_while(|n| sql.contains(&format!("?{n}")))
        .count();
    let params = vec![Value::Null; places];
    rx.query_all(explain, &params, |row| row.text(3).map(str::to_owned))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[test]
fn every_statement_uses_an_index() {
    let dir = tempfile::TempDir::new().unwrap();
    let clock = Arc::new(FakeClock::new(Timestamp(1)));
    let db = Db::open(StoreOptions::new(
        dir.path(),
        clock,
        Arc::new(SeededRandom::new(1)),
    ))
    .unwrap();
    let modules = [
        append::STATEMENTS,
        change::STATEMENTS,
        chunk::STATEMENTS,
        expunge::STATEMENTS,
        fetch::STATEMENTS,
        judgement::STATEMENTS,
        keyword::STATEMENTS,
        set_flags::STATEMENTS,
        shared::STATEMENTS,
        snapshot::STATEMENTS,
        thread::STATEMENTS,
        transfer::STATEMENTS,
    ];
    let statements = modules.into_iter().chain(mailbox::STATEMENTS).flatten();
    db.read_blocking::<_, store::Error, _>(move |rx| {
        for sql in statements {
            let steps = plan(rx, sql);
            // The engine shows the row that RETURNING gives back as a scan.
            let returned = sql.starts_with("INSERT") && sql.contains("VALUES");
            let scans = steps
                .iter()
                .find(|step| step.starts_with("SCAN") && !step.contains("changed") && !returned);
            assert_eq!(scans, None, "{sql}");
            let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
            // Rows that come in the order of change, or of runs, are sorted; all others are in
            // the order of an index.
            let by_change = sql.contains("modseq > ?2") || sql.contains("IN (SELECT");
            assert!(!sorts || by_change, "{sql}: {steps:?}");
        }
        for sql in fsck::STATEMENTS {
            plan(rx, sql);
        }
        Ok(())
    })
    .unwrap();
    db.close_blocking();
}
