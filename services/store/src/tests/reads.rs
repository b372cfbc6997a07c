//! Read transactions.

use std::sync::mpsc;

use super::*;

#[tokio::test]
async fn a_read_sees_one_state_whatever_is_written_meanwhile() {
    let store = Fixture::new();
    store.db.write(|tx| add_name(tx, "a")).await.unwrap();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let read = tokio::spawn({
        let db = store.db.clone();
        async move {
            db.read::<_, Error, _>(move |reader| {
                let first = names(reader)?;
                entered.send(()).unwrap();
                wait.recv().unwrap();
                Ok((first, names(reader)?))
            })
            .await
        }
    });
    inside.await.unwrap();
    store.db.write(|tx| add_name(tx, "b")).await.unwrap();
    assert_eq!(
        store.db.read(names).await.unwrap(),
        ["a", "b"],
        "another reader sees it"
    );
    go_on.send(()).unwrap();
    let (first, second) = read.await.unwrap().unwrap();
    assert_eq!(first, ["a"]);
    assert_eq!(second, ["a"]);
}

#[tokio::test]
async fn a_panicking_read_ends_alone() {
    let store = Fixture::new();
    for _ in 0..4 {
        let read = store.db.read::<(), Error, _>(|_| panic!("on purpose"));
        assert!(matches!(read.await, Err(Error::Panicked)));
    }
    assert!(store.db.read(names).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let store = Fixture::new();
    let sql = "INSERT INTO administrator (name, hash, created_at) VALUES ('x', '', 0) RETURNING id";
    let read = store
        .db
        .read(move |reader| reader.query(sql, &[], &mut |_| Ok(())));
    assert!(matches!(read.await, Err(Error::Database(_))));
}

#[tokio::test]
async fn an_error_of_the_row_function_ends_the_query() {
    let store = Fixture::new();
    for name in ["a", "b", "c"] {
        store.db.write(move |tx| add_name(tx, name)).await.unwrap();
    }
    let calls = store.db.read(|reader| {
        let mut calls = 0;
        let ended = reader.query(NAMES, &[], &mut |_| {
            calls += 1;
            if calls == 2 {
                Err(Error::Closed)
            } else {
                Ok(())
            }
        });
        assert!(matches!(ended, Err(Error::Closed)));
        assert_eq!(names(reader)?.len(), 3, "the statement is usable again");
        Ok::<_, Error>(calls)
    });
    assert_eq!(calls.await.unwrap(), 2);
}
