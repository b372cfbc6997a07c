//! Disks that are full or broken.

use super::writes::Gate;
use super::*;

/// A delivery with a large blob: every kind of operation takes part.
async fn deliver_large(store: &Fixture, account: AccountId, seed: u64) -> Result<BlobId, Error> {
    let staged = store.db.blobs().stage(noise(600_000, seed)).await?;
    let id = staged.id;
    store
        .db
        .write(move |tx| deliver(tx, account, &staged))
        .await?;
    Ok(id)
}

/// Fails every single operation of a delivery, one after another.
async fn exhaustively(fault: Fault) -> Vec<bool> {
    let mut stopped = Vec::new();
    for count in 1.. {
        let faults = FailAt::never(None, fault);
        let store = Fixture::with_faults(Some(faults.clone()));
        let account = store
            .db
            .write(|tx| add_account(tx, "a@example.org"))
            .await
            .unwrap();
        let first = deliver_large(&store, account, 1).await.unwrap();
        let watch = store.db.hub().watch_account(account);
        faults.arm(count);
        let outcome = deliver_large(&store, account, 2).await;
        if !faults.has_fired() {
            assert_eq!(
                store.db.read(messages).await.unwrap(),
                [first, outcome.unwrap()]
            );
            return stopped;
        }
        outcome.unwrap_err();
        assert!(
            !watch.has_changed().unwrap(),
            "{count}: nothing is announced"
        );
        assert_eq!(
            store.db.read(messages).await.unwrap(),
            [first],
            "{count}: reading goes on"
        );
        stopped.push(store.db.is_failed());
        if store.db.is_failed() {
            store.db.failed().await;
            assert!(matches!(
                deliver_large(&store, account, 3).await,
                Err(Error::Failed)
            ));
            assert!(matches!(
                store.db.write(|tx| add_name(tx, "x")).await,
                Err(Error::Failed)
            ));
        } else {
            deliver_large(&store, account, 3).await.unwrap();
        }
        let store = store.reopened().await;
        store.advance_hours(2);
        store.db.sweep().await.unwrap();
        let kept = store.db.read(messages).await.unwrap();
        assert_eq!(
            store.blob_files().len(),
            kept.len(),
            "{count}: one file per message"
        );
        let report = store.db.fsck().await.unwrap();
        assert!(report.is_clean(), "{count}: {report:?}");
        deliver_large(&store, account, 4).await.unwrap();
    }
    stopped
}

#[tokio::test]
async fn whichever_operation_finds_the_disk_full_the_delivery_is_refused_and_the_next_one_works() {
    let stopped = exhaustively(Fault::Full).await;
    assert!(stopped.len() > 12, "{stopped:?}");
    assert!(!stopped.contains(&true));
}

#[tokio::test]
async fn whichever_operation_breaks_the_delivery_is_refused_and_a_lost_flush_stops_the_store() {
    let stopped = exhaustively(Fault::Io).await;
    assert!(stopped.len() > 12, "{stopped:?}");
    // Two directories, the file, its directory, the commit.
    assert_eq!(
        stopped.iter().filter(|stopped| **stopped).count(),
        5,
        "{stopped:?}"
    );
}

#[tokio::test]
async fn a_failed_commit_answers_its_whole_group_and_stops_the_store() {
    let faults = FailAt::never(Some(Operation::Commit), Fault::Io);
    let store = Fixture::with_faults(Some(faults.clone()));
    faults.arm(1);
    let (one, two) = tokio::join!(
        store.db.write(|tx| add_name(tx, "one")),
        store.db.write(|tx| add_name(tx, "two")),
    );
    assert!(matches!(
        (one, two),
        (Err(Error::Failed), Err(Error::Failed))
    ));
    assert!(store.db.read(names).await.unwrap().is_empty());
    let store = store.reopened().await;
    assert!(store.db.read(names).await.unwrap().is_empty());
    store.db.write(|tx| add_name(tx, "three")).await.unwrap();
}

#[tokio::test]
async fn a_closure_that_hides_a_full_disk_is_undone_all_the_same() {
    let faults = FailAt::never(Some(Operation::Statement), Fault::Full);
    let store = Fixture::with_faults(Some(faults.clone()));
    faults.arm(2);
    let hidden = store.db.write::<_, Error, _>(|tx| {
        add_name(tx, "a")?;
        assert!(matches!(add_name(tx, "b"), Err(Error::Full)));
        assert!(
            matches!(add_name(tx, "c"), Err(Error::Full)),
            "it stays full"
        );
        Ok(())
    });
    assert!(matches!(hidden.await, Err(Error::Full)));
    assert!(store.db.read(names).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_full_database_refuses_reads_on_and_recovers() {
    let store = Fixture::new();
    store.db.write(|tx| add_name(tx, "before")).await.unwrap();
    limit(&store.db, "PRAGMA max_page_count = 1").await;
    let mut refused = 0;
    for number in 0..40 {
        let name = format!("{number}{}", "x".repeat(2_000));
        match store.db.write(move |tx| add_name(tx, &name)).await {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error, Error::Full), "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 20);
    assert!(!store.db.is_failed());
    let found = store.db.read(names).await.unwrap();
    assert_eq!(found.len(), 41 - refused);
    limit(&store.db, "PRAGMA max_page_count = 1000000").await;
    store.db.write(|tx| add_name(tx, "after")).await.unwrap();
    assert!(store.db.fsck().await.unwrap().is_clean());
}

#[tokio::test]
async fn what_needs_no_space_works_on_a_full_disk_whoever_shares_its_group() {
    let store = Fixture::new();
    store.db.write(|tx| add_name(tx, "victim")).await.unwrap();
    limit(&store.db, "PRAGMA max_page_count = 1").await;
    let gate = Gate::shut(&store.db).await;
    let mut writes = Vec::new();
    for number in 0..10 {
        let db = store.db.clone();
        writes.push(tokio::spawn(async move {
            db.write(move |tx| {
                tx.after_commit(Event::Queue);
                if number == 4 {
                    let delete = "DELETE FROM administrator WHERE name = 'victim'";
                    return tx.exec(delete, &[]).map(drop);
                }
                add_name(tx, &format!("{number}{}", "x".repeat(20_000)))
            })
            .await
        }));
    }
    gate.open_when_queued(&store.db, 10).await;
    for (number, write) in writes.into_iter().enumerate() {
        match write.await.unwrap() {
            Ok(()) => assert_eq!(number, 4),
            Err(error) => assert!(number != 4 && matches!(error, Error::Full), "{error:?}"),
        }
    }
    assert!(store.db.read(names).await.unwrap().is_empty());
    assert_eq!(*store.db.hub().queue().borrow(), 1);
}

async fn limit(db: &Db, pragma: &'static str) {
    db.write(move |tx| tx.query(pragma, &[], &mut |_| Ok(())))
        .await
        .unwrap();
}

/// Prepare with `mount -t tmpfs -o size=8m tmpfs DIR`.
#[tokio::test]
#[ignore = "needs MUSKOX_SMALL_DISK, an empty directory on a file system of a few MiB"]
async fn a_full_disk_refuses_reads_on_and_recovers() {
    let dir = PathBuf::from(std::env::var_os("MUSKOX_SMALL_DISK").unwrap());
    let clock = Arc::new(FakeClock::new(SystemClock.now()));
    let db = Db::open(options(&dir, &clock)).unwrap();
    let account = db
        .write(|tx| add_account(tx, "a@example.org"))
        .await
        .unwrap();
    let mut delivered = Vec::new();
    for (round, length) in [900_000, 60_000, 9_000, 300].into_iter().enumerate() {
        for number in 0.. {
            let staged = db
                .blobs()
                .stage(noise(length, number * 10 + round as u64))
                .await;
            let outcome = match staged {
                Ok(staged) => {
                    let id = staged.id;
                    db.write(move |tx| deliver(tx, account, &staged))
                        .await
                        .map(|_| id)
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(id) => delivered.push(id),
                Err(error) => {
                    assert!(matches!(error, Error::Full), "{error:?}");
                    break;
                }
            }
        }
    }
    assert!(!db.is_failed() && delivered.len() > 10);
    for id in &delivered {
        db.blob(*id).await.unwrap();
    }
    let files = blob_files(&dir);
    let largest = files
        .iter()
        .max_by_key(|file| file.metadata().unwrap().len());
    std::fs::remove_file(largest.unwrap()).unwrap();
    let staged = db.blobs().stage(noise(9_000, 1)).await.unwrap();
    db.write(move |tx| deliver(tx, account, &staged))
        .await
        .unwrap();
    db.close().await;
    let db = Db::open(options(&dir, &clock)).unwrap();
    assert_eq!(db.read(messages).await.unwrap().len(), delivered.len() + 1);
    db.close().await;
}
