//! Opening, closing, crashing, upgrading.

use super::*;

#[tokio::test]
async fn a_second_opener_is_refused_until_the_store_is_closed() {
    let store = Fixture::new();
    let again = || Db::open(options(store.dir.path(), &store.clock));
    assert!(matches!(again(), Err(Error::InUse(_))));
    store.db.close().await;
    again().unwrap();
}

#[tokio::test]
async fn what_was_queued_is_written_before_closing_and_nothing_after() {
    let store = Fixture::new();
    let mut writes = Vec::new();
    for number in 0..200 {
        let db = store.db.clone();
        let name = format!("{number:03}");
        writes.push(tokio::spawn(async move {
            db.write(move |tx| add_name(tx, &name)).await
        }));
    }
    tokio::task::yield_now().await;
    store.db.close().await;
    store.db.close().await;
    let mut written = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(()) => written += 1,
            Err(error) => assert!(matches!(error, Error::Closed), "{error:?}"),
        }
    }
    assert!(matches!(
        store.db.write(|tx| add_name(tx, "x")).await,
        Err(Error::Closed)
    ));
    assert!(
        !store
            .dir
            .path()
            .join("mail.db-wal")
            .metadata()
            .is_ok_and(|wal| wal.len() > 0)
    );
    let store = store.reopened().await;
    assert_eq!(store.db.read(names).await.unwrap().len(), written);
}

#[tokio::test]
async fn every_answered_write_survives_a_kill() {
    let store = Fixture::new();
    let account = store
        .db
        .write(|tx| add_account(tx, "a@example.org"))
        .await
        .unwrap();
    let mut delivered = Vec::new();
    for number in 0..30 {
        let length = if number % 3 == 0 { 300_000 } else { 3_000 };
        let staged = store.db.blobs().stage(noise(length, number)).await.unwrap();
        delivered.push(staged.id);
        store
            .db
            .write(move |tx| deliver(tx, account, &staged))
            .await
            .unwrap();
        if number % 10 == 9 {
            let crashed = store.crashed();
            assert_eq!(crashed.db.read(messages).await.unwrap(), delivered);
            let report = crashed.db.fsck().await.unwrap();
            assert!(report.is_clean(), "{report:?}");
            assert_eq!(report.blobs, delivered.len() as u64);
        }
    }
}

/// Changes the database of a closed store as a newer program would have.
fn newer(store: &Fixture, oldest_schema: u32) {
    let raw = rusqlite::Connection::open(store.dir.path().join("mail.db")).unwrap();
    let sql = format!(
        "PRAGMA user_version = 1000;
         UPDATE provenance SET value = '9.8.7' WHERE name = 'opened_by';
         UPDATE provenance SET value = '{oldest_schema}' WHERE name = 'oldest_schema'"
    );
    raw.execute_batch(&sql).unwrap();
}

#[tokio::test]
async fn a_newer_database_is_used_if_it_says_so_and_else_refused_and_left_alone() {
    let store = Fixture::new();
    let data = store.db.provenance().await.unwrap();
    assert_eq!(data.schema, data.oldest_schema);
    assert_eq!(data.created_by.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    store.db.close().await;
    newer(&store, data.schema);
    let store = store.reopened().await;
    store.db.write(|tx| add_name(tx, "a")).await.unwrap();
    assert!(matches!(
        store.db.finalize().await,
        Err(Error::NotNewest { found: 1_000, .. })
    ));
    assert_eq!(store.db.provenance().await.unwrap().schema, 1_000);
    store.db.close().await;
    newer(&store, data.schema + 1);
    let file = store.dir.path().join("mail.db");
    let before = std::fs::read(&file).unwrap();
    let error = Db::open(options(store.dir.path(), &store.clock)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("opened by muskox 9.8.7"), "{text}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_copy_beside_a_running_store_is_whole_and_the_original_stays_as_it_is() {
    let store = Fixture::new();
    let account = store.db.write(|tx| add_account(tx, "a@example.org"));
    let account = account.await.unwrap();
    let mut copies = Vec::new();
    for number in 0..20 {
        let staged = store.db.blobs().stage(noise(40_000, number)).await.unwrap();
        let delivery = store.db.write(move |tx| deliver(tx, account, &staged));
        delivery.await.unwrap();
        if number % 5 == 0 {
            let (from, to) = (store.dir.path().to_owned(), tempfile::tempdir().unwrap());
            copies.push(tokio::task::spawn_blocking(move || {
                crate::copy(&from, to.path()).map(|copied| (copied, to))
            }));
        }
    }
    let mut read = 0;
    for copy in copies {
        let (copied, dir) = copy.await.unwrap().unwrap();
        assert!(copied.database_bytes > 0 && copied.provenance.schema > 0);
        let db = Db::open(options(dir.path(), &store.clock)).unwrap();
        let report = db.fsck().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        read += report.blobs;
        db.close().await;
    }
    assert!(read >= 4, "{read}");
    assert_eq!(store.db.fsck().await.unwrap().blobs, 20);
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        crate::copy(empty.path(), empty.path()),
        Err(Error::NoData(_))
    ));
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mail.db"), [7; 8192]).unwrap();
    let clock = Arc::new(FakeClock::new(SystemClock.now()));
    assert!(matches!(
        Db::open(options(dir.path(), &clock)),
        Err(Error::Database(_))
    ));
}

#[tokio::test]
async fn connections_have_the_settings_that_durability_needs() {
    let store = Fixture::new();
    let pragma = |sql: &'static str| {
        let db = store.db.clone();
        async move {
            db.write(move |tx| tx.query_one(sql, &[], |row| row.int(0)))
                .await
                .unwrap()
        }
    };
    assert_eq!(pragma("PRAGMA synchronous").await, Some(2));
    assert_eq!(pragma("PRAGMA foreign_keys").await, Some(1));
    assert_eq!(pragma("PRAGMA wal_autocheckpoint").await, Some(0));
    assert_eq!(pragma("PRAGMA auto_vacuum").await, Some(2));
    let mode = store
        .db
        .write(|tx| tx.query_one("PRAGMA journal_mode", &[], |row| Ok(row.text(0)? == "wal")));
    assert_eq!(mode.await.unwrap(), Some(true));
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let store = Fixture::new();
    store.db.write(|tx| add_name(tx, "a")).await.unwrap();
    let _ = store.db.write(|tx| add_name(tx, "a")).await;
    store.db.read(names).await.unwrap();
    let metrics = store.db.metrics();
    assert_eq!((metrics.commits, metrics.writes, metrics.undone), (1, 1, 1));
    assert_eq!((metrics.queued, metrics.commit_seconds.count), (0, 1));
    assert!(metrics.wal_bytes > 0);
    assert!(store.db.free_bytes().unwrap() > 0);
}

#[test]
fn the_files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let store = Fixture::new();
    store.db.write_blocking(|tx| add_name(tx, "a")).unwrap();
    for name in ["mail.db", "mail.db-wal", "mail.db-shm", "lock", "blobs"] {
        let mode = store
            .dir
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}
