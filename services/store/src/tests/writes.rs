//! Group commit: who shares a flush shares nothing else.

use std::sync::mpsc;

use tokio::task::JoinHandle;

use super::*;
use crate::Violation;

/// Keeps the writer busy, so that everything queued meanwhile becomes one group.
pub(super) struct Gate {
    open: mpsc::Sender<()>,
    held: JoinHandle<Result<(), Error>>,
}

impl Gate {
    pub(super) async fn shut(db: &Db) -> Self {
        let (open, opened) = mpsc::channel::<()>();
        let (entered, inside) = tokio::sync::oneshot::channel();
        let (opened, mut entered) = (std::sync::Mutex::new(opened), Some(entered));
        let db = db.clone();
        let held = tokio::spawn(async move {
            db.write(move |_| {
                if let Some(entered) = entered.take() {
                    entered.send(()).unwrap();
                }
                opened.lock().unwrap().recv().unwrap();
                Ok(())
            })
            .await
        });
        inside.await.unwrap();
        Self { open, held }
    }

    /// Opens once `count` closures wait.
    pub(super) async fn open_when_queued(self, db: &Db, count: u64) {
        while db.metrics().queued < count {
            tokio::task::yield_now().await;
        }
        self.open.send(()).unwrap();
        self.held.await.unwrap().unwrap();
    }
}

fn spawn_name(db: &Db, name: String, error: Option<Error>) -> JoinHandle<Result<(), Error>> {
    let db = db.clone();
    tokio::spawn(async move {
        db.write(move |tx| {
            add_name(tx, &name)?;
            tx.after_commit(Event::Directory);
            error.clone().map_or(Ok(()), Err)
        })
        .await
    })
}

#[tokio::test]
async fn one_failing_closure_of_a_group_leaves_the_others_alone() {
    let store = Fixture::new();
    let gate = Gate::shut(&store.db).await;
    let mut writes = Vec::new();
    for number in 0..40 {
        let error = (number == 17).then_some(Error::Column {
            index: 3,
            expected: "anything",
        });
        writes.push(spawn_name(&store.db, format!("{number:02}"), error));
    }
    gate.open_when_queued(&store.db, 40).await;
    for (number, write) in writes.into_iter().enumerate() {
        let result = write.await.unwrap();
        assert_eq!(result.is_err(), number == 17, "{result:?}");
    }
    let found = store.db.read(names).await.unwrap();
    assert_eq!(found.len(), 39);
    assert!(!found.contains(&"17".to_owned()));
    let metrics = store.db.metrics();
    assert_eq!(
        (metrics.commits, metrics.writes, metrics.undone),
        (2, 40, 1)
    );
    assert_eq!(metrics.batch_size.buckets.last(), Some(&(64.0, 1)));
    assert_eq!(*store.db.hub().directory().borrow(), 39);
}

#[tokio::test]
async fn a_panicking_closure_is_undone_and_the_writer_lives_on() {
    let store = Fixture::new();
    let gate = Gate::shut(&store.db).await;
    let before = spawn_name(&store.db, "before".into(), None);
    tokio::task::yield_now().await;
    let panicking = tokio::spawn({
        let db = store.db.clone();
        async move {
            db.write::<(), Error, _>(|tx| {
                add_name(tx, "panicking")?;
                tx.query(NAMES, &[], &mut |_| panic!("on purpose"))
            })
            .await
        }
    });
    let after = spawn_name(&store.db, "after".into(), None);
    gate.open_when_queued(&store.db, 3).await;
    assert!(matches!(panicking.await.unwrap(), Err(Error::Panicked)));
    before.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    assert_eq!(store.db.read(names).await.unwrap(), ["after", "before"]);
}

#[tokio::test]
async fn constraints_are_told_apart_and_a_closure_may_go_on_after_one() {
    let store = Fixture::new();
    store.db.write(|tx| add_name(tx, "a")).await.unwrap();
    let kinds = store.db.write(|tx| {
        let unique = add_name(tx, "a").unwrap_err();
        let account = "INSERT INTO account (name, domain_id, created_at) VALUES ('x', 99, 0)";
        let reference = tx.exec(account, &[]).unwrap_err();
        let null = tx.exec(
            "INSERT INTO domain (name, created_at) VALUES (NULL, 0)",
            &[],
        );
        let strict = tx.exec(
            "INSERT INTO domain (name, created_at) VALUES ('x', 'y')",
            &[],
        );
        add_name(tx, "b")?;
        Ok::<_, Error>([unique, reference, null.unwrap_err(), strict.unwrap_err()])
    });
    let kinds = kinds.await.unwrap().map(|error| match error {
        Error::Constraint(violation) => violation,
        other => panic!("{other:?}"),
    });
    let other = Violation::Other;
    assert_eq!(
        kinds,
        [Violation::Unique, Violation::Reference, other, other]
    );
    assert_eq!(store.db.read(names).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn wrong_parameters_and_wrong_columns_are_errors() {
    let store = Fixture::new();
    let error = store
        .db
        .write(|tx| tx.exec(ADD_NAME, &[]).map(drop))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Database(_)), "{error:?}");
    store.db.write(|tx| add_name(tx, "a")).await.unwrap();
    let read = |column: usize| {
        let db = store.db.clone();
        async move {
            db.read(move |rx| rx.query_one(NAMES, &[], |row| row.int(column)))
                .await
        }
    };
    assert!(matches!(read(0).await, Err(Error::Column { index: 0, .. })));
    assert!(matches!(read(1).await, Err(Error::Column { index: 1, .. })));
}

#[tokio::test]
async fn events_come_after_the_commit_and_before_the_answer() {
    let store = Fixture::new();
    let account = AccountId(7);
    let watch = store.db.hub().watch_account(account);
    let mail = move |modseq| Event::Mail { account, modseq };
    let seen_inside = watch.clone();
    store
        .db
        .write(move |tx| {
            tx.after_commit(mail(3));
            assert_eq!(*seen_inside.borrow(), 0);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(*watch.borrow(), 3);
    let failed = store.db.write(move |tx| {
        tx.after_commit(mail(4));
        Err::<(), _>(Error::Closed)
    });
    assert!(failed.await.is_err());
    assert_eq!(*watch.borrow(), 3);
}

#[tokio::test]
async fn a_write_nobody_waits_for_any_more_runs_completely_or_never() {
    let store = Fixture::new();
    let gate = Gate::shut(&store.db).await;
    let write = spawn_name(&store.db, "dropped".into(), None);
    while store.db.metrics().queued < 1 {
        tokio::task::yield_now().await;
    }
    write.abort();
    gate.open_when_queued(&store.db, 1).await;
    store.db.write(|tx| add_name(tx, "later")).await.unwrap();
    assert_eq!(store.db.read(names).await.unwrap(), ["dropped", "later"]);
}

#[tokio::test]
async fn statements_that_change_rows_can_return_them() {
    let store = Fixture::new();
    let first = store
        .db
        .write(|tx| add_account(tx, "a@example.org"))
        .await
        .unwrap();
    let again = store
        .db
        .write(|tx| add_account(tx, "a@example.org"))
        .await
        .unwrap();
    assert_eq!(first, again);
}

#[test]
fn threads_outside_of_the_runtime_write_and_read_too() {
    let store = Fixture::new();
    store.db.write_blocking(|tx| add_name(tx, "a")).unwrap();
    assert_eq!(store.db.read_blocking(names).unwrap(), ["a"]);
    store.db.close_blocking();
    assert!(matches!(store.db.read_blocking(names), Err(Error::Closed)));
}
