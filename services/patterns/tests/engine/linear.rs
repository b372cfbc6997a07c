//! Expressions and texts that make backtracking explode: the answer is right or the pattern is
//! reported as exhausted, and the work grows with the text, not with its square.

use crate::harness::{Engine, show};
use crate::oracle::Oracle;

/// The longest haystack.
const LONGEST: usize = 1 << 20;
/// Fuel that never runs out; work is counted by what is left of it.
const PLENTY: u64 = u64::MAX / 4;

/// What is said of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// Time in proportion to the haystack.
    Linear,
    /// Not regular: it may run out of fuel.
    Bounded,
}
use Promise::{Bounded, Linear};

/// Expression, flags, the text that repeats, how the haystack ends, whether it matches.
const TABLE: &[(&str, &str, &str, &str, bool, Promise)] = &[
    ("(a+)+$", "", "a", "b", false, Linear),
    ("^(a+)+$", "", "a", "b", false, Linear),
    ("(a|a)*b", "", "a", "", false, Linear),
    ("(a|a)*b", "", "a", "b", true, Linear),
    ("(a|aa)+$", "", "a", "b", false, Linear),
    ("(.*)*x", "s", "a", "", false, Linear),
    ("(.*)*(.*)*x", "s", "a", "", false, Linear),
    (".*.*=.*;", "", "a", "", false, Linear),
    ("x*x*x*x*y", "", "x", "", false, Linear),
    (r"^(?:\s*foo|\s*bar)*\s*$", "", " ", "!", false, Linear),
    ("(?:a?){30}a{30}b", "", "a", "", false, Linear),
    ("(?:a{1,30}){1,30}b", "", "a", "", false, Linear),
    ("(?:(?:ab?){1,20}c?){1,20}d", "", "ab", "", false, Linear),
    ("a[^b]*c", "", "a", "", false, Linear),
    ("aaaa[^b]*c", "", "a", "", false, Linear),
    ("spam[^b]*[^c]*d", "", "spam", "", false, Linear),
    ("spam[^b]{0,500}b", "", "spam", "", false, Linear),
    ("spam.{10,500}b", "s", "spam", "", false, Linear),
    ("spam(?:.{0,100}x){1,10}b", "s", "spam", "", false, Linear),
    ("(?:spam.{0,50}){5,9}b", "s", "spam", "", false, Linear),
    (r"\w+@\w+\.com", "", "a", "", false, Linear),
    (r"[a-z]+\d+[a-z]+!", "", "a1", "", false, Linear),
    (r"(?:[a-z]+ ?)+!", "", "abc ", "", false, Linear),
    ("[^>]*<[^>]*<[^>]*b>", "", "<", "", false, Linear),
    ("(?:x+x+)+y", "", "x", "", false, Linear),
    (
        r"href=[^>]*onclick=[^>]*javascript",
        "",
        "href=",
        "",
        false,
        Linear,
    ),
    (
        r"href=[^>]*onclick=[^>]*javascript",
        "",
        "href=onclick=",
        "",
        false,
        Linear,
    ),
    // Not regular, or with conditions.
    (r"(a*)*\1b", "", "a", "", false, Bounded),
    (r"(\w+)\s+\1\s+\1!", "", "ab ", "", false, Bounded),
    (r"(.*)(.*)(.*)(.*)\1\2\3\4x", "s", "a", "", false, Bounded),
    (r"(?=(a+))a*b\1", "", "a", "", false, Bounded),
    ("(?>a+)b", "", "a", "", false, Bounded),
    ("(?:a+)++b", "", "a", "", false, Bounded),
    (r"(?!.*x)a+b", "", "a", "", false, Bounded),
    (r"a(?=.*b)(?=.*c)d", "s", "a", "", false, Bounded),
    (r"(?<!b)a+(?!a)b", "", "a", "", false, Bounded),
    (r"(?:(?=(\w+))\1 )+!", "", "abc ", "", false, Bounded),
];

fn haystack(unit: &str, end: &str, length: usize) -> Vec<u8> {
    let mut haystack = unit.repeat(length / unit.len()).into_bytes();
    haystack.extend(end.as_bytes());
    haystack
}

/// The table says the truth where PCRE2 can tell: short haystacks.
#[test]
fn short_ones_are_what_pcre2_says() {
    for &(expression, flags, unit, end, matches, _) in TABLE {
        let mut engine = Engine::of(expression.as_bytes(), flags).unwrap();
        let oracle = Oracle::new(expression.as_bytes(), flags).unwrap();
        for length in [0, 1, 4, 12, 18, 31, 60] {
            let haystack = haystack(unit, end, length);
            let answer = engine.scan(&haystack);
            assert!(
                answer.exhausted.is_empty(),
                "/{expression}/ over {}",
                show(&haystack)
            );
            let found = !answer.matched.is_empty();
            if let Ok(expected) = oracle.is_match(&haystack) {
                assert_eq!(expected, found, "/{expression}/ over {}", show(&haystack));
            }
            assert_eq!(found, matches, "/{expression}/ over {}", show(&haystack));
        }
    }
}

/// A megabyte: right, or reported.
#[test]
fn a_megabyte_is_answered_or_reported() {
    for &(expression, flags, unit, end, matches, promise) in TABLE {
        let mut engine = Engine::of(expression.as_bytes(), flags).unwrap();
        let answer = engine.scan(&haystack(unit, end, LONGEST));
        let exhausted = !answer.exhausted.is_empty();
        assert!(
            !exhausted || promise == Bounded,
            "/{expression}/ ran out of fuel"
        );
        assert!(
            exhausted || matches != answer.matched.is_empty(),
            "/{expression}/ is wrong"
        );
        if exhausted {
            println!("/{expression}/{flags} over {unit:?} runs out of fuel");
        }
    }
}

/// Steps for a haystack of this length, and whatever else is counted.
fn work(engine: &mut Engine, haystack: &[u8]) -> u64 {
    engine.scratch.set_fuel(PLENTY);
    engine.scratch.take_counters();
    engine.scan(haystack);
    let counters = engine.scratch.take_counters();
    counters.steps + counters.literal_hits + counters.lane_hits + counters.confirmations
}

#[test]
fn work_doubles_with_the_text() {
    for &(expression, flags, unit, end, _, promise) in TABLE {
        if promise != Linear {
            continue;
        }
        let mut engine = Engine::of(expression.as_bytes(), flags).unwrap();
        let mut work = |length: usize| work(&mut engine, &haystack(unit, end, length));
        let (half, whole) = (work(LONGEST / 4), work(LONGEST / 2));
        println!("/{expression}/{flags} over {unit:?}: {half} and {whole} steps");
        assert!(
            whole <= half * 21 / 10 + 100_000,
            "/{expression}/ over {unit:?}: {half} steps for half, {whole} for the whole"
        );
    }
}

/// Many such expressions in one database do not disturb each other.
#[test]
fn all_together() {
    let expressions = TABLE.iter().map(|row| (row.0, row.1));
    let compiled = crate::harness::compile(&crate::harness::set(expressions));
    assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
    let mut engine = Engine::new(compiled.database);
    for &(_, _, unit, end, _, _) in TABLE {
        let haystack = haystack(unit, end, 3_000);
        let answer = engine.scan(&haystack);
        for (id, &(expression, flags, ..)) in (0..).zip(TABLE) {
            let found = answer.matched.contains(&id);
            let mut alone = Engine::of(expression.as_bytes(), flags).unwrap();
            let alone = alone.scan(&haystack);
            assert_eq!(
                found,
                !alone.matched.is_empty(),
                "/{expression}/ over {unit:?}"
            );
        }
    }
}
