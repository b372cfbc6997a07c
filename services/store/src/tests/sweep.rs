//! Deleting what nobody refers to, and nothing else.

use super::*;

/// A large blob, so that it is a file, with `references`.
async fn put(store: &Fixture, seed: u64, references: u32) -> BlobId {
    let staged = store.db.blobs().stage(noise(100_000, seed)).await.unwrap();
    let id = staged.id;
    store
        .db
        .write(move |tx| blob::insert(tx, &staged, references))
        .await
        .unwrap();
    id
}

async fn sweep(store: &Fixture) -> (u64, u64) {
    let swept = store.db.sweep().await.unwrap();
    (swept.blobs, swept.orphans)
}

#[tokio::test]
async fn a_released_blob_goes_a_day_after_its_last_reference() {
    let store = Fixture::new();
    let id = put(&store, 1, 2).await;
    store
        .db
        .write(move |tx| blob::release(tx, &id))
        .await
        .unwrap();
    store.advance_hours(48);
    assert_eq!(sweep(&store).await, (0, 0), "one reference is left");
    store
        .db
        .write(move |tx| blob::release(tx, &id))
        .await
        .unwrap();
    store.advance_hours(23);
    assert_eq!(sweep(&store).await, (0, 0), "within the grace");
    store.db.blob(id).await.unwrap();
    store.advance_hours(1);
    assert_eq!(sweep(&store).await, (1, 0));
    assert!(matches!(store.db.blob(id).await, Err(Error::NoBlob(_))));
    assert!(store.blob_files().is_empty());
}

#[tokio::test]
async fn a_blob_that_is_retained_within_the_grace_stays() {
    let store = Fixture::new();
    let id = put(&store, 1, 1).await;
    store
        .db
        .write(move |tx| blob::release(tx, &id))
        .await
        .unwrap();
    store
        .db
        .write(move |tx| blob::retain(tx, &id, 1))
        .await
        .unwrap();
    store.advance_hours(100);
    assert_eq!(sweep(&store).await, (0, 0));
    store.db.blob(id).await.unwrap();
}

#[tokio::test]
async fn more_references_than_there_are_cannot_be_released() {
    let store = Fixture::new();
    let id = put(&store, 1, 1).await;
    store
        .db
        .write(move |tx| blob::release(tx, &id))
        .await
        .unwrap();
    assert!(
        store
            .db
            .write(move |tx| blob::release(tx, &id))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_wrong_count_does_not_lose_a_message() {
    let store = Fixture::new();
    let account = store
        .db
        .write(|tx| add_account(tx, "a@example.org"))
        .await
        .unwrap();
    let staged = store.db.blobs().stage(noise(100_000, 1)).await.unwrap();
    let id = staged.id;
    store
        .db
        .write(move |tx| deliver(tx, account, &staged))
        .await
        .unwrap();
    store
        .db
        .write(move |tx| blob::release(tx, &id))
        .await
        .unwrap();
    store.advance_hours(100);
    assert_eq!(sweep(&store).await, (0, 0));
    store.db.blob(id).await.unwrap();
    assert_eq!(store.db.fsck().await.unwrap().problems.len(), 1);
}

#[tokio::test]
async fn a_file_without_a_row_goes_after_an_hour_unless_it_is_still_staged() {
    let store = Fixture::new();
    let kept = put(&store, 1, 1).await;
    let staged = store.db.blobs().stage(noise(100_000, 2)).await.unwrap();
    drop(store.db.blobs().stage(noise(100_000, 3)).await.unwrap());
    let temporary = store
        .blob_files()
        .pop()
        .unwrap()
        .with_file_name(format!("{kept}.tmp"));
    std::fs::write(&temporary, "half").unwrap();
    let stranger = store.dir.path().join("blobs/README");
    std::fs::write(&stranger, "theirs").unwrap();
    assert_eq!(sweep(&store).await, (0, 0), "all are young");
    store.advance_hours(2);
    assert_eq!(
        sweep(&store).await,
        (0, 2),
        "the crashed one and the temporary file"
    );
    let id = staged.id;
    store
        .db
        .write(move |tx| blob::insert(tx, &staged, 1))
        .await
        .unwrap();
    assert_eq!(sweep(&store).await, (0, 0));
    store.db.blob(kept).await.unwrap();
    store.db.blob(id).await.unwrap();
    assert!(stranger.exists() && !temporary.exists());
}

#[tokio::test]
async fn a_crash_between_file_and_row_leaves_only_an_orphan() {
    let store = Fixture::new();
    let staged = store.db.blobs().stage(noise(100_000, 1)).await.unwrap();
    let crashed = store.crashed();
    drop(staged);
    assert_eq!(crashed.blob_files().len(), 1);
    assert!(crashed.db.fsck().await.unwrap().is_clean());
    crashed.advance_hours(2);
    assert_eq!(sweep(&crashed).await, (0, 1));
    assert!(crashed.blob_files().is_empty());
}

#[tokio::test]
async fn many_rows_go_in_small_transactions() {
    let store = Fixture::new();
    let staged = store
        .db
        .blobs()
        .stage(Bytes::from_static(b"small"))
        .await
        .unwrap();
    store
        .db
        .write(move |tx| {
            for number in 0..1_203u32 {
                let mut copy = staged.clone();
                copy.id = BlobId(u128::from(number + 1).to_be_bytes());
                blob::insert(tx, &copy, 0)?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    store.advance_hours(25);
    let before = store.db.metrics().writes;
    assert_eq!(sweep(&store).await, (1_203, 0));
    assert_eq!(
        store.db.metrics().writes - before,
        4,
        "500, 500, 203, and the shrinking"
    );
}
