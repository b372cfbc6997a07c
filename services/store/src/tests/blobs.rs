//! Blobs: round trips, ranges, damage.

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::BlobId;

const FRAME: usize = 256 * 1024;
const FRAME_INT: i64 = 256 * 1024;

/// Stores `bytes` and answers the id.
fn put(db: &Db, bytes: &[u8]) -> BlobId {
    let staged = db.blobs().stage_blocking(bytes).unwrap();
    let id = staged.id;
    db.write_blocking(move |tx| blob::insert(tx, &staged, 0))
        .unwrap();
    id
}

fn load(db: &Db, id: BlobId) -> Result<Vec<u8>, Error> {
    let blobs = db.blobs().clone();
    db.read_blocking(move |reader| blobs.load(reader, &id))
}

fn load_range(db: &Db, id: BlobId, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let blobs = db.blobs().clone();
    db.read_blocking(move |reader| blobs.load_range(reader, &id, range))
}

/// The part of `bytes` that `range` names, as [`crate::Blobs::load_range`] clips it.
fn part(bytes: &[u8], range: &Range<u64>) -> Vec<u8> {
    let length = bytes.len() as u64;
    let (start, end) = (range.start.min(length), range.end.min(length));
    if start >= end {
        Vec::new()
    } else {
        let index = |at: u64| usize::try_from(at).unwrap();
        bytes[index(start)..index(end)].to_vec()
    }
}

/// Lengths around every border: frames, the direct path, the inline limit.
fn lengths() -> Vec<usize> {
    let borders = [
        0,
        1_000,
        blob::INLINE_LIMIT,
        64 * 1024,
        FRAME,
        2 * FRAME,
        4 * FRAME,
    ];
    borders
        .iter()
        .flat_map(|&at| at.saturating_sub(1)..=at + 1)
        .collect()
}

#[test]
fn blobs_of_every_border_length_come_back_whole_and_in_part() {
    let store = Fixture::new();
    for length in lengths() {
        for bytes in [noise(length, 1), Bytes::from(vec![b'a'; length])] {
            let id = put(&store.db, &bytes);
            assert_eq!(load(&store.db, id).unwrap(), bytes, "{length}");
            let end = length as u64;
            for at in [
                0,
                1,
                FRAME as u64 - 1,
                FRAME as u64,
                FRAME as u64 + 1,
                end / 2,
                end,
            ] {
                for range in [
                    at..at + 1,
                    at..end,
                    at.saturating_sub(1)..at + 2,
                    at..u64::MAX,
                ] {
                    let found = load_range(&store.db, id, range.clone()).unwrap();
                    assert_eq!(found, part(&bytes, &range), "{length} {range:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn staging_on_the_runtime_stores_the_same_blobs() {
    let store = Fixture::new();
    for length in lengths() {
        let bytes = noise(length, 2);
        let staged = store.db.blobs().stage(bytes.clone()).await.unwrap();
        let id = staged.id;
        assert_eq!(staged.size, length as u64);
        assert_eq!(
            staged.inline.is_some(),
            length + 64 <= blob::INLINE_LIMIT,
            "{length}"
        );
        store
            .db
            .write(move |tx| blob::insert(tx, &staged, 0))
            .await
            .unwrap();
        assert_eq!(store.db.blob(id).await.unwrap(), bytes);
        assert_eq!(
            store.db.blob_range(id, 3..9).await.unwrap(),
            part(&bytes, &(3..9))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_blob_is_that_part_of_it(
        length in 0..3 * FRAME,
        seed in any::<u64>(),
        compressible in any::<bool>(),
        ranges in proptest::collection::vec((0..4 * FRAME as u64, 0..4 * FRAME as u64), 1..6),
    ) {
        let store = Fixture::new();
        let bytes = if compressible {
            Bytes::from(vec![b'z'; length])
        } else {
            noise(length, seed)
        };
        let id = put(&store.db, &bytes);
        prop_assert_eq!(&load(&store.db, id).unwrap(), &bytes);
        for (start, end) in ranges {
            let found = load_range(&store.db, id, start..end).unwrap();
            prop_assert_eq!(found, part(&bytes, &(start..end)));
        }
    }
}

#[test]
fn a_file_is_a_zstd_stream_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let store = Fixture::new();
    let bytes = noise(3 * FRAME + 5, 3);
    let id = put(&store.db, &bytes);
    let files = store.blob_files();
    let [file] = files.as_slice() else {
        panic!("{files:?}")
    };
    assert!(file.ends_with(id.to_string()));
    let plain = zstd::stream::decode_all(std::fs::File::open(file).unwrap()).unwrap();
    assert_eq!(plain, bytes);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn highly_compressible_mail_stays_in_its_row_and_cannot_grow_beyond_its_size() {
    let store = Fixture::new();
    let bytes = vec![b'x'; 10 * FRAME];
    let id = put(&store.db, &bytes);
    assert!(store.blob_files().is_empty());
    assert_eq!(
        load_range(&store.db, id, FRAME as u64..FRAME as u64 + 3).unwrap(),
        b"xxx"
    );
    for size in [0, 1, FRAME_INT, 9 * FRAME_INT, 11 * FRAME_INT, i64::MAX, -1] {
        set(
            &store.db,
            id,
            "UPDATE blob SET size = ?2 WHERE id = ?1",
            size.into(),
        );
        assert!(load(&store.db, id).is_err(), "{size}");
        assert!(load_range(&store.db, id, 0..u64::MAX).is_err(), "{size}");
    }
}

fn set(db: &Db, id: BlobId, sql: &'static str, value: crate::Value<'_>) {
    let (int, bytes) = match value {
        crate::Value::Int(int) => (int, None),
        crate::Value::Bytes(bytes) => (0, Some(bytes.to_vec())),
        other => panic!("{other:?}"),
    };
    db.write_blocking(move |tx| {
        let value = bytes.as_ref().map_or(int.into(), |bytes| bytes.into());
        tx.exec(sql, &[(&id).into(), value]).map(drop)
    })
    .unwrap();
}

#[test]
fn every_flipped_bit_of_an_inline_blob_is_detected() {
    let store = Fixture::new();
    let bytes: Vec<u8> = (0..400u32)
        .flat_map(|n| n.to_string().into_bytes())
        .collect();
    let staged = store.db.blobs().stage_blocking(&bytes).unwrap();
    let inline = staged.inline.clone().unwrap();
    let id = put(&store.db, &bytes);
    for at in 0..inline.len() {
        let mut wrong = inline.to_vec();
        wrong[at] ^= 1 << (at % 8);
        set(
            &store.db,
            id,
            "UPDATE blob SET inline = ?2 WHERE id = ?1",
            wrong.as_slice().into(),
        );
        expect_right_or_damaged(&store.db, id, &bytes, at);
    }
    for length in 0..inline.len() {
        let short = &inline[..length];
        set(
            &store.db,
            id,
            "UPDATE blob SET inline = ?2 WHERE id = ?1",
            short.into(),
        );
        assert!(
            matches!(load(&store.db, id), Err(Error::Damaged { .. })),
            "{length}"
        );
    }
}

/// Damage may hit a bit that means nothing; it never yields other bytes.
fn expect_right_or_damaged(db: &Db, id: BlobId, bytes: &[u8], context: usize) {
    match load(db, id) {
        Ok(found) => assert_eq!(found, bytes, "at {context}"),
        Err(error) => assert!(
            matches!(error, Error::Damaged { .. }),
            "at {context}: {error:?}"
        ),
    }
    let range = 10..bytes.len() as u64 - 10;
    match load_range(db, id, range.clone()) {
        Ok(found) => assert_eq!(found, part(bytes, &range), "at {context}"),
        Err(error) => assert!(
            matches!(error, Error::Damaged { .. }),
            "at {context}: {error:?}"
        ),
    }
}

#[test]
fn a_damaged_file_never_yields_other_bytes() {
    let store = Fixture::new();
    let bytes = noise(FRAME + 30_000, 4);
    let id = put(&store.db, &bytes);
    let file = store.blob_files().pop().unwrap();
    let good = std::fs::read(&file).unwrap();
    let tail = good.len() - 200..good.len();
    let positions = (0..good.len()).step_by(9_973).chain(tail.clone());
    for at in positions {
        let mut wrong = good.clone();
        wrong[at] ^= 1 << (at % 8);
        std::fs::write(&file, &wrong).unwrap();
        expect_right_or_damaged(&store.db, id, &bytes, at);
    }
    for length in (0..good.len()).step_by(31_337).chain(tail) {
        std::fs::write(&file, &good[..length]).unwrap();
        assert!(
            matches!(load(&store.db, id), Err(Error::Damaged { .. })),
            "{length}"
        );
    }
    let mut long = good.clone();
    long.push(0);
    std::fs::write(&file, &long).unwrap();
    assert!(matches!(load(&store.db, id), Err(Error::Damaged { .. })));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(load(&store.db, id), Err(Error::Damaged { .. })));
}

#[test]
fn the_file_of_another_blob_is_refused_also_for_ranges() {
    let store = Fixture::new();
    let (one, two) = (
        put(&store.db, &noise(99_999, 5)),
        put(&store.db, &noise(99_999, 6)),
    );
    let files = store.blob_files();
    let path = |id: BlobId| {
        files
            .iter()
            .find(|path| path.ends_with(id.to_string()))
            .unwrap()
    };
    std::fs::copy(path(one), path(two)).unwrap();
    assert!(matches!(load(&store.db, two), Err(Error::Damaged { .. })));
    assert!(matches!(
        load_range(&store.db, two, 0..9),
        Err(Error::Damaged { .. })
    ));
    load(&store.db, one).unwrap();
}

#[tokio::test]
async fn the_check_names_damage_wrong_counts_and_strangers() {
    use crate::Problem;
    let store = Fixture::new();
    let account = store.db.write(|tx| add_account(tx, "a@example.org"));
    let account = account.await.unwrap();
    let staged = store.db.blobs().stage(noise(99_999, 7)).await.unwrap();
    let damaged = staged.id;
    let delivery = store.db.write(move |tx| deliver(tx, account, &staged));
    delivery.await.unwrap();
    let db = store.db.clone();
    let miscounted = tokio::task::spawn_blocking(move || {
        let miscounted = put(&db, b"small");
        set(
            &db,
            miscounted,
            "UPDATE blob SET refs = ?2 WHERE id = ?1",
            3i64.into(),
        );
        miscounted
    })
    .await
    .unwrap();
    std::fs::write(store.blob_files().pop().unwrap(), "no blob").unwrap();
    let stranger = store.dir.path().join("blobs/notes.txt");
    std::fs::write(&stranger, "hello").unwrap();
    let report = store.db.fsck().await.unwrap();
    assert_eq!(report.problems.len(), 3, "{report:?}");
    let count = Problem::Count {
        id: miscounted,
        recorded: 3,
        counted: 0,
    };
    assert!(report.problems.contains(&count));
    assert!(report.problems.contains(&Problem::Stranger(stranger)));
    let names_damage =
        |problem: &Problem| matches!(problem, Problem::Damaged { id, .. } if *id == damaged);
    assert!(report.problems.iter().any(names_damage));
}

#[tokio::test]
async fn unknown_blobs_have_a_name_of_their_own() {
    let store = Fixture::new();
    let id = BlobId([9; 16]);
    assert!(matches!(store.db.blob(id).await, Err(Error::NoBlob(other)) if other == id));
    let retain = store.db.write(move |tx| blob::retain(tx, &id, 1)).await;
    assert!(matches!(retain, Err(Error::NoBlob(_))));
    let release = store.db.write(move |tx| blob::release(tx, &id)).await;
    assert!(matches!(release, Err(Error::NoBlob(_))));
}
