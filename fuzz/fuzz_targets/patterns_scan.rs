//! What PCRE2 and the engine both accept matches the same haystacks.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use patterns::{Compiler, Flags, Pattern, PatternSet, Scratch, Text};
use pcre2::bytes::RegexBuilder;

/// Steps of a search: an input shall not take seconds.
const FUEL: u64 = 1 << 20;

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (choice, expression, haystack) = input;
    let flag = |bit: u8| choice & bit != 0;
    let theirs = RegexBuilder::new()
        .caseless(flag(1))
        .dotall(flag(2))
        .multi_line(flag(4))
        .extended(flag(8))
        .build(expression);
    let Ok(theirs) = theirs else {
        return;
    };
    let letters: String = ["i", "s", "m", "x"]
        .into_iter()
        .zip([1, 2, 4, 8])
        .filter(|&(_, bit)| flag(bit))
        .map(|(letter, _)| letter)
        .collect();
    let mut set = PatternSet::new();
    let pattern = Pattern {
        id: 0,
        expression: expression.into(),
        flags: Flags::parse(&letters).expect("known flags"),
    };
    if set.add("body", Text::Prose, pattern).is_err() {
        return;
    }
    let database = Compiler::new().compile(&set, None).database;
    let Some(body) = database.scope("body").filter(|body| body.len() == 1) else {
        return;
    };
    // Their own limits may stop them first.
    let Ok(expected) = theirs.is_match(haystack) else {
        return;
    };
    let mut scratch = Scratch::new(&database);
    scratch.set_fuel(FUEL);
    let mut found = false;
    let outcome = body.scan(&mut scratch, haystack, |_| {
        found = true;
        ControlFlow::Continue(())
    });
    if outcome.exhausted == 0 {
        assert_eq!(found, expected, "/{expression}/{letters}");
    }
});
