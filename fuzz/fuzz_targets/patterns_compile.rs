//! An expression is compiled or refused with a place in it; what is compiled says the same after
//! its bytes were read back, and every match it finds is one it knew of.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use patterns::{Compiler, Database, Flags, Pattern, PatternSet, Scratch, Text};

/// Steps of a search: an input shall not take seconds.
const FUEL: u64 = 1 << 20;

fuzz_target!(|input: (&str, &[u8], &[u8])| {
    let (flags, expression, haystack) = input;
    let Ok(flags) = Flags::parse(flags) else {
        return;
    };
    let mut set = PatternSet::new();
    let pattern = Pattern {
        id: 7,
        expression: expression.to_vec(),
        flags,
    };
    if set.add("body", Text::Prose, pattern).is_err() {
        return;
    }
    let compiled = Compiler::new().compile(&set, None);
    let again = Compiler::new().compile(&set, Some(&compiled.database));
    assert_eq!(again.database.as_bytes(), compiled.database.as_bytes());
    let read = Database::from_bytes(compiled.database.as_bytes()).expect("its own bytes");
    let Some(body) = read.scope("body") else {
        return;
    };
    assert_eq!(body.len() + compiled.refused.len(), 1);
    let mut scratch = Scratch::new(&read);
    scratch.set_fuel(FUEL);
    let mut found = false;
    let outcome = body.scan(&mut scratch, haystack, |id| {
        assert!(id == 7 && !found);
        found = true;
        ControlFlow::Continue(())
    });
    let mut matches = 0_usize;
    body.matches(&mut scratch, haystack, |found| {
        assert!(found.end <= haystack.len());
        matches += 1;
        ControlFlow::Continue(())
    });
    if outcome.exhausted == 0 && scratch.exhausted().is_empty() {
        assert_eq!(found, matches > 0);
    }
});
