//! Every statement that runs for one change or one question goes through an index. Those that load
//! everything are not among them.

use store::{Reader, Value};

use super::*;
use crate::{addresses, map, networks, owner, revision, rule_sets, sender, setting};

fn plan(rx: &mut dyn Reader, sql: &str) -> Vec<String> {
    let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let places = (1..=20)
        .take_while(|n| sql.contains(&format!("?{n}")))
        .count();
    let params = vec![Value::Null; places];
    rx.query_all(explain, &params, |row| row.text(3).map(str::to_owned))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[tokio::test]
async fn every_statement_uses_an_index() {
    let fixture = Fixture::new().await;
    let modules = [
        addresses::STATEMENTS,
        map::STATEMENTS,
        networks::STATEMENTS,
        owner::STATEMENTS,
        revision::STATEMENTS,
        rule_sets::STATEMENTS,
        sender::STATEMENTS,
        setting::STATEMENTS,
    ];
    let read = move |rx: &mut dyn Reader| {
        for sql in modules.into_iter().flatten() {
            let steps = plan(rx, sql);
            // A handful of rows, one for each section.
            let few = |step: &str| step.contains("policy_revision");
            let scans = steps
                .iter()
                .find(|step| step.starts_with("SCAN") && !few(step));
            assert_eq!(scans, None, "{sql}");
            let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
            assert!(!sorts, "{sql}: {steps:?}");
        }
        // Accounts and domains that go away find what belongs to them.
        for (table, column) in [
            ("sender_entry", "account_id"),
            ("sender_entry", "domain_id"),
            ("sender_list", "account_id"),
            ("sender_list", "domain_id"),
            ("policy_setting", "account_id"),
            ("policy_setting", "domain_id"),
            ("policy_network", "account_id"),
            ("known_contact", "account_id"),
        ] {
            let steps = plan(rx, &format!("SELECT 1 FROM {table} WHERE {column} = ?1"));
            assert!(
                steps.iter().all(|step| step.starts_with("SEARCH")),
                "{table}: {steps:?}"
            );
        }
        Ok::<_, store::Error>(())
    };
    fixture.db.read(read).await.unwrap();
}
