//! Random operations against a simple model in memory.
//!
//! After every operation the store must agree with the model: names, UIDs, flags, counters, sizes,
//! quota, octets. It must agree with its own past, too: UIDs and mod-sequences only grow, what is
//! untouched keeps its mod-sequence, and what has vanished since any earlier moment can be told.
//! Two sessions look on, each seeing the mailbox only through what it is told, and must end up
//! with the truth, also across a restart.
//!
//! `PROPTEST_CASES` says how many sequences are tried. Plain proptest, without its crate for state
//! machines: every operation means something in every state, so nothing need be thrown away when a
//! sequence shrinks. Start at [`operation::Operation`].

mod account;
mod client;
mod history;
mod operation;
mod run;

use std::sync::atomic::{AtomicU64, Ordering};

use mail::FlagMode;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use operation::{Operation, operation};
use run::Run;

/// Sequences, unless told.
const CASES: u32 = 60;
const LENGTH: std::ops::Range<usize> = 1..60;

fn play(operations: &[Operation]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = Run::new().await;
        for operation in operations {
            run.step(operation).await;
            run.compare().await;
        }
        run.end().await;
    });
}

#[test]
#[expect(clippy::disallowed_macros, reason = "the test's own output")]
fn the_store_agrees_with_the_model() {
    let played = AtomicU64::new(0);
    let mut config = ProptestConfig {
        max_shrink_iters: 500,
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
    println!("model: {played} operations in {cases} sequences, mailboxes");
    outcome.unwrap();
}

/// Sequences that the store and the model once did not agree about.
#[test]
fn what_once_went_wrong_goes_right() {
    let append = |to, flags: &[usize]| Operation::Append {
        to,
        flags: flags.to_vec(),
        octets: 0,
    };
    let clear = || Operation::Store {
        from: 0,
        which: vec![0],
        mode: FlagMode::Replace,
        flags: Vec::new(),
        since: None,
    };
    let look = |expunges| Operation::Look {
        session: 0,
        expunges,
    };
    let link = Operation::Link {
        from: 3,
        which: 0,
        to: 0,
    };
    let into_new = Operation::Rename { from: 0, to: 3 };
    play(&[append(0, &[0]), clear()]);
    play(&[append(0, &[0]), look(false), clear()]);
    play(&[
        Operation::Create { name: 4 },
        into_new,
        append(3, &[]),
        link,
    ]);
}
