//! Scanning allocates nothing: memory is the scratch's, and that is made before.

#![expect(unsafe_code, reason = "counting what the allocator is asked for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use patterns::{Compiler, Database, PatternSet, Scratch};

/// How often memory was asked for.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every kind of arm and every way to decide: literals, lanes, anchors, whole searches, simulation,
/// back references, look-arounds, atomic groups.
const RULES: &[u8] = b"a\tbody\ti\t\\bfree (?:money|pills)\\b\n\
    b\tbody\t\t^Dear [A-Z]\n\
    c\tbody\ti\tv[i1!|l][a4@]gr[a4@]\n\
    d\tbody\t\t(\\w+) \\1\n\
    e\tbody\t\t(?<!no )spam(?= and)\n\
    f\tbody\ts\tx(?:ab|cd){2,40}y.{3,90}z\n\
    g\tbody\t\t\\S\n\
    h\tbody\t\t(?:a|aa)*(?:a|aa)*(?:a|aa)*!\n\
    i\tbody\t\t(?>a+|b)(?<=a)c\n\
    j\tbody\ts\t.{300}\n";

fn haystacks() -> Vec<Vec<u8>> {
    let mut haystacks: Vec<Vec<u8>> = [
        "Dear Sir, free money and v1agra viagra the the no spam and spam and xababcdy---z",
        "",
        "aaac",
    ]
    .map(Vec::from)
    .into();
    haystacks.push(b"a".repeat(5_000));
    haystacks.push(b"free pills aaac xabcdcdcdy, ".repeat(400));
    haystacks
}

#[test]
fn scanning_allocates_nothing() {
    let (set, _) = PatternSet::read_tsv(RULES).unwrap();
    let compiled = Compiler::new().compile(&set, None);
    assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
    let database = Database::from_bytes(compiled.database.as_bytes()).unwrap();
    let body = database.scope("body").unwrap();
    let haystacks = haystacks();
    let mut scratch = Scratch::new(&database);
    let (mut found, mut places) = (0, 0);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for haystack in &haystacks {
        body.scan(&mut scratch, haystack, |_| {
            found += 1;
            ControlFlow::Continue(())
        });
        body.matches(&mut scratch, haystack, |_| {
            places += 1;
            ControlFlow::Continue(())
        });
    }
    let all = haystacks.iter().map(Vec::as_slice);
    body.scan_all(&mut scratch, all, |_| {
        found += 1;
        ControlFlow::Continue(())
    });
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!(after - before, 0, "allocations while scanning");
    assert!(found > 15 && places > 100, "{found} found, {places} places");
    assert!(scratch.counters().searches > 0);
}
