//! A measurement, not a test: `cargo test -p muskox-store speed -- --ignored --nocapture`.

use std::io::Write;
use std::time::Instant;

use super::*;

const DELIVERIES: u64 = 20_000;
const SENDERS: u64 = 128;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; MUSKOX_SPEED_DIR names the disk"]
async fn speed_of_small_deliveries() {
    let dir = match std::env::var_os("MUSKOX_SPEED_DIR") {
        Some(parent) => tempfile::tempdir_in(parent).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let clock = Arc::new(FakeClock::new(SystemClock.now()));
    let db = Db::open(options(dir.path(), &clock)).unwrap();
    let account = db
        .write(|tx| add_account(tx, "a@example.org"))
        .await
        .unwrap();
    let text: Vec<u8> = (0..900u32)
        .flat_map(|n| format!("{n:x} ").into_bytes())
        .collect();
    let started = Instant::now();
    let senders = (0..SENDERS).map(|_| {
        let (db, text) = (db.clone(), Bytes::from(text.clone()));
        tokio::spawn(async move {
            for _ in 0..DELIVERIES / SENDERS {
                let staged = db.blobs().stage(text.clone()).await.unwrap();
                db.write(move |tx| deliver(tx, account, &staged))
                    .await
                    .unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    let metrics = db.metrics();
    writeln!(
        std::io::stderr(),
        "{:.0} deliveries of {} bytes per second, {} commits, {:.2} s of {:.2} s in them, wal {} MiB",
        metrics.writes as f64 / seconds,
        text.len(),
        metrics.commits,
        metrics.commit_seconds.sum,
        seconds,
        metrics.wal_bytes >> 20,
    )
    .unwrap();
    let started = Instant::now();
    db.close().await;
    writeln!(std::io::stderr(), "closing took {:?}", started.elapsed()).unwrap();
}
