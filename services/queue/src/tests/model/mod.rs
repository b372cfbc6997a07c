//! Random operations on a running queue, against a ledger in memory.
//!
//! A remote server does to every recipient what its address says, and counts; the clock is moved
//! by hand; now and then the queue or another node dies with leases in its hand, and the store is
//! closed and opened. After every operation the queue, the remote server and the sender's INBOX
//! must be where the ledger has them: nobody is tried before the time, twice at once, or while
//! held; whoever fails is in one report; and in the end everyone was delivered, bounced or
//! cancelled, once.
//!
//! `PROPTEST_CASES` says how many sequences are tried. Start at [`operation::Operation`].

mod ledger;
mod operation;
mod remote;
mod run;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use operation::{Operation, operation};
use run::Run;

/// Seconds between attempts.
const DELAYS: [i64; 2] = [60, 300];
const LIFETIME: i64 = 3_600;
/// From then on the sender hears of a delay.
const NOTICE: i64 = 1_200;
const LEASE: i64 = 900;
/// By how much the clock of the other node is wrong.
const AHEAD: i64 = 300;
const START: i64 = 1_700_000_000;

/// Sequences, unless told.
const CASES: u32 = 40;
const LENGTH: std::ops::Range<usize> = 1..40;

fn play(operations: &[Operation]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = Run::new().await;
        for operation in operations {
            run.step(operation).await;
        }
        run.end().await;
    });
}

#[test]
#[expect(clippy::disallowed_macros, reason = "the test's own output")]
fn the_queue_agrees_with_the_ledger() {
    let played = AtomicU64::new(0);
    let mut config = ProptestConfig {
        // A difference shows after seconds only.
        max_shrink_time: 120_000,
        ..ProptestConfig::with_source_file(file!())
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let cases = config.cases;
    let outcome =
        TestRunner::new(config).run(&prop::collection::vec(operation(), LENGTH), |operations| {
            play(&operations);
            played.fetch_add(operations.len() as u64, Ordering::Relaxed);
            Ok(())
        });
    let played = played.load(Ordering::Relaxed);
    println!("model: {played} operations in {cases} sequences, queue");
    outcome.unwrap();
}
