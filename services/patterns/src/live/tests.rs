//! Swapping, coalescing, failing and restarting.
#![expect(
    clippy::disallowed_methods,
    reason = "tests empty directories of their own"
)]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::Scratch;

/// Long enough for any machine, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// A set with these expressions in the scope `body`.
pub(crate) fn set(expressions: &[&str]) -> PatternSet {
    let lines: Vec<String> = expressions
        .iter()
        .enumerate()
        .map(|(at, expression)| format!("RULE_{at}\tbody\t\t{expression}\n"))
        .collect();
    let (set, _) = PatternSet::read_tsv(lines.concat().as_bytes()).unwrap();
    set
}

/// Whether anything in the scope `body` matches.
pub(crate) fn finds(database: &Database, text: &str) -> bool {
    let mut scratch = Scratch::new(database);
    let scope = database.scope("body").unwrap();
    let mut found = false;
    let _ = scope.scan(&mut scratch, text.as_bytes(), |_| {
        found = true;
        ControlFlow::Break(())
    });
    found
}

/// A compiler that tells when it begins and waits until it may go on.
struct Gate {
    begun: Receiver<()>,
    go: Sender<()>,
    compiled: Arc<AtomicUsize>,
}

fn gated() -> (Box<Compile>, Gate) {
    let (tell, begun) = channel();
    let (go, wait) = channel();
    let compiled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&compiled);
    let compiler = Compiler::new();
    let compile = move |set: &PatternSet, previous: Option<&Database>| {
        // The first set is compiled before there is a thread to let it go.
        if count.fetch_add(1, Ordering::SeqCst) > 0 {
            tell.send(()).unwrap();
            wait.recv().unwrap();
        }
        compiler.compile(set, previous)
    };
    let gate = Gate {
        begun,
        go,
        compiled,
    };
    (Box::new(compile), gate)
}

/// Sets a flag when it goes out of scope.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn resolved(ticket: &Ticket) -> Outcome {
    ticket.wait_timeout(PATIENCE).expect("resolved in time")
}

#[test]
fn a_new_set_goes_live_and_reuses_what_has_not_changed() {
    let live = Live::start(None, set(&["viagra", "casino"])).unwrap();
    let first = live.first();
    assert_eq!((first.revision, first.origin), (1, Origin::Compiled));
    assert_eq!((first.compiled, first.reused), (2, 0));
    let old = live.current();
    let ticket = live.submit(set(&["viagra", "casino", "lottery"]));
    let applied = resolved(&ticket).unwrap();
    assert_eq!((applied.revision, applied.origin), (2, Origin::Compiled));
    assert_eq!((applied.compiled, applied.reused), (1, 2));
    assert!(applied.troubles.is_empty());
    let new = live.current();
    assert_eq!((old.number(), new.number()), (1, 2));
    assert!(finds(new.database(), "a lottery"));
    assert!(
        !finds(old.database(), "a lottery"),
        "old readers finish on the old one"
    );
    assert!(finds(old.database(), "viagra"));
}

#[test]
fn the_same_set_changes_nothing() {
    let live = Live::start(None, set(&["viagra"])).unwrap();
    let applied = live.submit(set(&["viagra"])).wait().unwrap();
    assert_eq!((applied.revision, applied.origin), (1, Origin::Unchanged));
    assert_eq!(live.current().number(), 1);
}

#[test]
fn scans_go_on_while_databases_are_swapped() {
    // Every set finds `always`; a scan that ever misses it saw a database that was not whole.
    let live = Live::start(None, set(&["always"])).unwrap();
    let done = AtomicBool::new(false);
    let scans = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        // Also when an assertion below fails: the scope waits for its threads.
        let _end = AtEnd(&done);
        let scanning: Vec<_> = (0..3)
            .map(|_| {
                threads.spawn(|| {
                    let mut seen = 0;
                    while !done.load(Ordering::SeqCst) {
                        let revision = live.current();
                        assert!(revision.number() >= seen, "revisions go back");
                        seen = revision.number();
                        assert!(finds(revision.database(), "as always"));
                        scans.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for round in 0..20_u64 {
            let before = scans.load(Ordering::SeqCst);
            let word = format!("word{round}");
            let applied = resolved(&live.submit(set(&["always", &word]))).unwrap();
            assert_eq!(applied.revision, round + 2);
            assert!(finds(live.current().database(), &word));
            while scans.load(Ordering::SeqCst) == before {
                assert!(
                    scanning.iter().all(|thread| !thread.is_finished()),
                    "a scan failed"
                );
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn sets_that_wait_are_coalesced_and_every_ticket_resolves() {
    let (compile, gate) = gated();
    let live = Live::start_with(None, set(&["zero"]), compile).unwrap();
    let one = live.submit(set(&["one"]));
    gate.begun.recv().unwrap();
    let waiting: Vec<Ticket> = ["two", "three", "four"]
        .map(|word| live.submit(set(&[word])))
        .into();
    assert!(one.wait_timeout(Duration::ZERO).is_none());
    assert!(
        finds(live.current().database(), "zero"),
        "the old one serves while the new one compiles"
    );
    gate.go.send(()).unwrap();
    assert_eq!(resolved(&one).unwrap().revision, 2);
    gate.begun.recv().unwrap();
    gate.go.send(()).unwrap();
    let newest = set(&["four"]).digest();
    for ticket in waiting {
        let applied = resolved(&ticket).unwrap();
        assert_eq!((applied.revision, applied.digest), (3, newest));
    }
    assert!(finds(live.current().database(), "four"));
    assert_eq!(
        gate.compiled.load(Ordering::SeqCst),
        3,
        "zero, one and four"
    );
}

#[test]
fn a_compiler_that_fails_keeps_the_last_good_database() {
    let compiler = Compiler::new();
    let compile = move |set: &PatternSet, previous: Option<&Database>| {
        assert!(set.digest() != self::set(&["bad"]).digest(), "a fault");
        compiler.compile(set, previous)
    };
    let live = Live::start_with(None, set(&["good"]), Box::new(compile)).unwrap();
    let Err(Failed::Compiler(reason)) = resolved(&live.submit(set(&["bad"]))) else {
        panic!("it did not fail");
    };
    assert_eq!(reason, "a fault");
    assert_eq!(live.current().number(), 1);
    assert!(finds(live.current().database(), "good"));
    let applied = resolved(&live.submit(set(&["better"]))).unwrap();
    assert_eq!(applied.revision, 2, "and goes on");
    assert!(finds(live.current().database(), "better"));
}

#[test]
fn a_first_set_that_fails_is_an_error() {
    let compile = |_: &PatternSet, _: Option<&Database>| panic!("{}", "a fault");
    let failed = Live::start_with(None, set(&["x"]), Box::new(compile)).unwrap_err();
    assert_eq!(failed, Failed::Compiler("a fault".to_owned()));
}

#[test]
fn a_restart_compiles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let wanted = set(&["viagra", "casino", "(broken"]);
    let live = Live::start(Some(store.clone()), wanted.clone()).unwrap();
    assert_eq!(live.first().compiled, 2);
    assert_eq!(live.first().refused.len(), 1);
    drop(live);
    let live = Live::start(Some(store.clone()), wanted).unwrap();
    let first = live.first();
    assert_eq!((first.origin, first.compiled), (Origin::Stored, 0));
    assert_eq!(first.refused.len(), 1, "still told");
    assert!(finds(live.current().database(), "casino"));
    drop(live);
    // Rules changed while nothing ran: only what is new is compiled.
    let live = Live::start(Some(store), set(&["viagra", "casino", "new"])).unwrap();
    let first = live.first();
    assert_eq!(
        (first.origin, first.compiled, first.reused),
        (Origin::Compiled, 1, 2)
    );
}

#[test]
fn a_damaged_file_is_told_and_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let wanted = set(&["viagra"]);
    drop(Live::start(Some(store.clone()), wanted.clone()).unwrap());
    let path = store.path(&wanted.digest());
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(length / 2).unwrap();
    let live = Live::start(Some(store.clone()), wanted.clone()).unwrap();
    let first = live.first();
    assert_eq!((first.origin, first.compiled), (Origin::Compiled, 1));
    assert!(
        matches!(first.troubles.as_slice(), [Trouble::Refused(_)]),
        "{:?}",
        first.troubles
    );
    drop(live);
    let live = Live::start(Some(store), wanted).unwrap();
    assert_eq!(live.first().origin, Origin::Stored, "the new file is good");
}

#[test]
fn the_store_keeps_two_and_may_be_emptied_at_any_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let count = || std::fs::read_dir(directory.path()).unwrap().count();
    let live = Live::start(Some(store.clone()), set(&["one"])).unwrap();
    for word in ["two", "three", "four"] {
        resolved(&live.submit(set(&[word]))).unwrap();
    }
    assert!(live.stored().is_empty());
    assert_eq!(count(), 2, "the current and the previous one");
    let back = resolved(&live.submit(set(&["three"]))).unwrap();
    assert_eq!((back.origin, back.revision), (Origin::Stored, 5));
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(
        finds(live.current().database(), "three"),
        "mapped files live on"
    );
    let applied = resolved(&live.submit(set(&["four"]))).unwrap();
    assert_eq!(applied.origin, Origin::Compiled);
    assert!(live.stored().is_empty());
    assert_eq!(count(), 1);
}

#[test]
fn a_store_that_fails_is_told_but_the_database_is_live() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("store");
    let store = Store::open(&directory).unwrap();
    let live = Live::start(Some(store), set(&["one"])).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let applied = resolved(&live.submit(set(&["two"]))).unwrap();
    let troubles = live.stored();
    assert!(
        matches!(&*troubles, [Trouble::NotStored(_)]),
        "{troubles:?}"
    );
    assert_eq!(applied.revision, 2);
    assert!(finds(live.current().database(), "two"));
}

#[test]
fn a_drop_waits_for_the_compiler_and_tells_those_who_wait() {
    let (compile, gate) = gated();
    let live = Live::start_with(None, set(&["zero"]), compile).unwrap();
    let running = live.submit(set(&["one"]));
    gate.begun.recv().unwrap();
    let waiting = live.submit(set(&["two"]));
    let dropped = std::thread::spawn(move || drop(live));
    assert_eq!(resolved(&waiting).unwrap_err(), Failed::Stopped);
    assert!(!dropped.is_finished());
    gate.go.send(()).unwrap();
    assert_eq!(resolved(&running).unwrap().revision, 2);
    dropped.join().unwrap();
}
