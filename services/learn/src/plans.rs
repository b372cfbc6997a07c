//! Every statement goes through an index: none reads a whole table. Those that keep tables small
//! may walk along the index of times.

use std::sync::Arc;

use ambient::{FakeClock, SeededRandom, Timestamp};
use store::{Db, Reader, StoreOptions, Value};

use crate::{bayes, correspondent, fuzzy, greylist, reputation};

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
        bayes::STATEMENTS,
        correspondent::STATEMENTS,
        fuzzy::STATEMENTS,
        greylist::STATEMENTS,
        reputation::STATEMENTS,
    ];
    let bounds = [bayes::LEARNED, fuzzy::BOUND, reputation::BOUND]
        .into_iter()
        .chain(correspondent::BOUNDS)
        .chain(greylist::BOUNDS);
    db.read_blocking::<_, store::Error, _>(move |rx| {
        for sql in modules.into_iter().flatten() {
            let steps = plan(rx, sql);
            // The engine shows the row that RETURNING gives back as a scan.
            let returned = sql.starts_with("INSERT") && sql.contains("VALUES");
            let slow = |step: &&String| {
                step.starts_with("SCAN") && !returned || step.contains("TEMP B-TREE")
            };
            assert_eq!(steps.iter().find(slow), None, "{sql}");
        }
        for bound in bounds {
            for sql in [bound.surplus, bound.delete] {
                let steps = plan(rx, sql);
                let slow = |step: &&String| {
                    step.starts_with("SCAN") && !step.contains("USING COVERING INDEX")
                        || step.contains("ORDER BY")
                };
                assert_eq!(steps.iter().find(slow), None, "{sql}: {steps:?}");
            }
        }
        Ok(())
    })
    .unwrap();
    db.close_blocking();
}
