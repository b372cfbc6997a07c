//! Tests of the whole engine: what a set compiles to, what a scan reports.

use std::ops::ControlFlow;

use crate::{Compiler, Database, Flags, Match, Outcome, Pattern, PatternSet, Scratch, Text};

/// The set of these patterns, `(scope, flags, expression)`; their ids count from 0.
pub(crate) fn set(patterns: &[(&str, &str, &str)]) -> PatternSet {
    let mut set = PatternSet::new();
    for ((scope, flags, expression), id) in patterns.iter().zip(0..) {
        set.add(scope, Text::of_scope(scope), pattern(id, flags, expression))
            .unwrap();
    }
    set
}

fn pattern(id: u32, flags: &str, expression: &str) -> Pattern {
    Pattern {
        id,
        expression: expression.as_bytes().to_vec(),
        flags: Flags::parse(flags).unwrap(),
    }
}

/// Its database, in which all of them must be.
pub(crate) fn database(patterns: &[(&str, &str, &str)]) -> Database {
    let compiled = Compiler::new().compile(&set(patterns), None);
    assert_eq!(compiled.refused, []);
    compiled.database
}

/// Patterns of every kind: strings, classes, anchors, none of these, and the irregular.
pub(crate) const VARIED: &[(&str, &str, &str)] = &[
    ("body", "i", r"\bviagra\b"),
    ("body", "i", r"(?:cheap|free) (?:pills|money)"),
    ("body", "i", r"v[i1!|][a@4]gr[a@4]"),
    ("body", "", r"^Dear \w+,"),
    ("body", "", r"[A-Z]{8}"),
    ("body", "", r"(\w)\1\1\1"),
    ("body", "", r"(?<!not )spam(?!mer)"),
    ("body", "m", r"^unsubscribe$"),
    ("body", "s", r"begin.{0,40}end"),
    ("body", "", r"\d"),
    ("body", "", r"^$"),
    ("body", "u", r"\x{20ac}\s?\d+"),
    ("uri", "i", r"^https?://[^/]*\.example\.(?:com|net)/"),
    ("uri", "i", r"\.zip$"),
    ("header:subject", "i", r"^\s*re:\s*re:"),
    ("header:subject", "", r"[^\x00-\x7f]{3}"),
];

/// The ids a scan reports, in its order.
fn scan(database: &Database, scope: &str, haystacks: &[&str]) -> (Vec<u32>, Outcome) {
    let mut scratch = Scratch::new(database);
    let mut found = Vec::new();
    let outcome = database.scope(scope).unwrap().scan_all(
        &mut scratch,
        haystacks.iter().map(|haystack| haystack.as_bytes()),
        |id| {
            found.push(id);
            ControlFlow::Continue(())
        },
    );
    (found, outcome)
}

/// The same in order of the ids, of a scan that nothing stopped.
fn found(database: &Database, scope: &str, haystacks: &[&str]) -> Vec<u32> {
    let (mut found, outcome) = scan(database, scope, haystacks);
    assert_eq!(outcome, Outcome::default());
    found.sort_unstable();
    found
}

fn all_matches(database: &Database, scope: &str, haystack: &str) -> Vec<(u32, usize, usize)> {
    let mut scratch = Scratch::new(database);
    let mut found = Vec::new();
    let outcome = database.scope(scope).unwrap().matches(
        &mut scratch,
        haystack.as_bytes(),
        |Match { id, start, end }| {
            found.push((id, start, end));
            ControlFlow::Continue(())
        },
    );
    assert_eq!(outcome, Outcome::default());
    found
}

#[test]
fn every_kind_of_pattern_is_found() {
    let database = database(VARIED);
    let body = |haystack: &str| found(&database, "body", &[haystack]);
    assert_eq!(body("buy Viagra now"), [0, 2]);
    assert_eq!(body("buy Viagras now"), [2]);
    assert_eq!(body("FREE MONEY"), [1]);
    assert_eq!(body("V1@GR4"), [2, 9]);
    assert_eq!(body("Dear friend,"), [3]);
    assert_eq!(body(" Dear friend,"), []);
    assert_eq!(body("a XXABCDEFGH"), [4]);
    assert_eq!(body("weeeeird"), [5]);
    assert_eq!(body("not spam, no spammer"), []);
    assert_eq!(body("a spam"), [6]);
    assert_eq!(body("x\nunsubscribe\ny"), [7]);
    assert_eq!(body("begin\n\nend"), [8]);
    assert_eq!(body(""), [10]);
    assert_eq!(body("\n"), [10]);
    assert_eq!(body("only €5"), [9, 11]);
    assert_eq!(
        found(&database, "uri", &["HTTP://www.example.net/a.zip"]),
        [12, 13]
    );
    assert_eq!(
        found(&database, "header:subject", &["RE: re: ééé"]),
        [14, 15]
    );
}

#[test]
fn a_pattern_is_reported_once_and_anchors_are_those_of_each_haystack() {
    let database = database(VARIED);
    let fields = ["nothing", "spam spam", "Dear you, viagra viagra", "spam"];
    let (found, outcome) = scan(&database, "body", &fields);
    assert_eq!(outcome, Outcome::default());
    // In the order of the haystacks; within one, as they are noticed.
    assert_eq!(found, [6, 3, 2, 0]);
    let (found, _) = scan(&database, "body", &[]);
    assert_eq!(found, []);
    // A match does not reach from one haystack into the next, and what is settled for one is not
    // for the next.
    assert_eq!(super::tests::found(&database, "body", &["via", "gra"]), []);
    assert_eq!(
        super::tests::found(&database, "body", &["not spam", "spam"]),
        [6]
    );
}

#[test]
fn the_callback_can_stop_the_scan() {
    let database = database(VARIED);
    let mut scratch = Scratch::new(&database);
    let mut count = 0;
    let text = b"Dear friend, free money 1 viagra";
    let outcome = database
        .scope("body")
        .unwrap()
        .scan(&mut scratch, text, |_| {
            count += 1;
            if count == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    assert!(outcome.stopped);
    assert_eq!(count, 2);
    let outcome = database
        .scope("body")
        .unwrap()
        .matches(&mut scratch, text, |_| ControlFlow::Break(()));
    assert!(outcome.stopped);
    // Once every pattern has matched there is nothing left to do, which is not the same.
    let small = super::tests::database(&[("uri", "", "abcd")]);
    let (found, outcome) = scan(&small, "uri", &["abcd abcd", "abcd"]);
    assert_eq!((found, outcome), (vec![0], Outcome::default()));
}

#[test]
fn every_match_is_reported_as_perl_does() {
    let database = database(&[
        ("body", "", "a+"),
        ("body", "", "abc|ab"),
        ("body", "", "x*"),
        ("body", "", "b+?"),
        ("body", "", "zzzz"),
    ]);
    let found = all_matches(&database, "body", "aabcab");
    assert_eq!(
        found,
        [
            (0, 0, 2),
            (0, 4, 5),
            (1, 1, 4),
            (1, 4, 6),
            (2, 0, 0),
            (2, 1, 1),
            (2, 2, 2),
            (2, 3, 3),
            (2, 4, 4),
            (2, 5, 5),
            (2, 6, 6),
            (3, 2, 3),
            (3, 5, 6),
        ]
    );
    let database = super::tests::database(&[("body", "u", "x*")]);
    assert_eq!(
        all_matches(&database, "body", "éxx"),
        [(0, 0, 0), (0, 2, 4), (0, 4, 4)]
    );
}

#[test]
fn matches_of_one_pattern_are_counted_over_haystacks() {
    let database = database(&[
        ("body", "", "aa"),
        ("body", "", r"\bb"),
        ("body", "", "x*"),
        ("body", "", r"(\w)\1"),
        ("body", "", r"^(a+)+(?=\1)c$|^ab"),
    ]);
    let body = database.scope("body").unwrap();
    let mut scratch = Scratch::new(&database);
    let texts = [&b"aaaaa b"[..], b"", b"b xx aab"];
    for (id, all) in [(0, 3), (1, 2), (2, 17), (3, 4), (4, 0), (5, 0)] {
        let mut expected = 0;
        for text in texts {
            body.matches(&mut scratch, text, |found| {
                expected += u32::from(found.id == id);
                ControlFlow::Continue(())
            });
        }
        assert_eq!(expected, all, "{id}");
        for most in 0..=20 {
            let count = body.count(&mut scratch, id, texts, most);
            assert_eq!(count, all.min(most), "{id}");
            assert_eq!(scratch.exhausted(), []);
        }
    }
    scratch.set_fuel(1_000);
    let slow = "a".repeat(600) + "c";
    let count = body.count(&mut scratch, 4, [b"ab", slow.as_bytes(), b"ab"], 9);
    assert_eq!(count, 2);
    assert_eq!(scratch.exhausted(), [4]);
}

#[test]
fn a_pattern_out_of_fuel_is_reported_not_passed_over() {
    let database = database(&[
        ("body", "", r"^(a+)+(?=\1)c$|^ab"),
        ("body", "", "aaaaaaaac"),
        ("body", "", r"(?:a|aa)*(?:a|aa)*(?:a|aa)*d"),
    ]);
    let mut scratch = Scratch::new(&database);
    scratch.set_fuel(20_000);
    let text = "a".repeat(600) + "c";
    let mut found = Vec::new();
    let body = database.scope("body").unwrap();
    let mut report = |id| {
        found.push(id);
        ControlFlow::Continue(())
    };
    let outcome = body.scan(&mut scratch, text.as_bytes(), &mut report);
    assert_eq!(
        outcome,
        Outcome {
            stopped: false,
            exhausted: 1
        }
    );
    assert_eq!(scratch.exhausted(), [0]);
    // In another haystack the same pattern matches: nothing is unknown any more.
    let outcome = body.scan_all(&mut scratch, [text.as_bytes(), b"ab"], &mut report);
    assert_eq!(outcome, Outcome::default());
    assert_eq!(scratch.exhausted(), []);
    found.sort_unstable();
    assert_eq!(found, [0, 1, 1]);
}

#[test]
fn one_scratch_serves_several_databases() {
    let large = database(VARIED);
    let small = database(&[("body", "", "abcd")]);
    let mut scratch = Scratch::new(&small);
    for _ in 0..3 {
        for (database, count) in [(&large, 2), (&small, 0)] {
            let mut found = 0;
            let body = database.scope("body").unwrap();
            body.scan(&mut scratch, b"buy Viagra now", |_| {
                found += 1;
                ControlFlow::Continue(())
            });
            assert_eq!(found, count);
        }
    }
    let counters = scratch.take_counters();
    assert_eq!((counters.haystacks, counters.matches), (6, 6));
    assert_eq!(counters.bytes, 6 * 14);
    assert_eq!(scratch.counters().haystacks, 0);
}

#[test]
fn equal_sets_give_equal_bytes_however_they_came_about() {
    let compiler = Compiler::new();
    let first = compiler.compile(&set(VARIED), None);
    assert_eq!((first.compiled, first.reused), (VARIED.len(), 0));
    let mut backwards = PatternSet::new();
    for ((scope, flags, expression), id) in VARIED.iter().rev().zip((0..16).rev()) {
        let pattern = pattern(id, flags, expression);
        backwards
            .add(scope, Text::of_scope(scope), pattern)
            .unwrap();
    }
    let second = compiler.compile(&backwards, None);
    assert!(first.database.as_bytes() == second.database.as_bytes());
    let third = compiler.compile(&backwards, Some(&first.database));
    assert_eq!((third.compiled, third.reused), (0, VARIED.len()));
    assert!(first.database.as_bytes() == third.database.as_bytes());
    assert_eq!(first.database.digest(), backwards.digest());
    first.database.verify().unwrap();
}

#[test]
fn one_changed_pattern_is_one_compiled_pattern() {
    let compiler = Compiler::new();
    let before = compiler.compile(&set(VARIED), None).database;
    let mut changed = VARIED.to_vec();
    changed[1].2 = "(?:cheap|free) (?:pills|credit)";
    let after = compiler.compile(&set(&changed), Some(&before));
    assert_eq!((after.compiled, after.reused), (1, VARIED.len() - 1));
    let fresh = compiler.compile(&set(&changed), None);
    assert!(fresh.database.as_bytes() == after.database.as_bytes());
    assert_eq!(found(&after.database, "body", &["free credit"]), [1]);
    assert_eq!(found(&after.database, "body", &["free money"]), []);
    // Another name or id is another database of the same units.
    let mut renamed = PatternSet::new();
    let moved = pattern(77, "i", changed[1].2);
    renamed
        .add_named("body", Text::Prose, "CREDIT", moved)
        .unwrap();
    let renamed = compiler.compile(&renamed, Some(&after.database));
    assert_eq!((renamed.compiled, renamed.reused), (0, 1));
    let body = renamed.database.scope("body").unwrap();
    assert_eq!(body.patterns().next().unwrap().name, "CREDIT");
    assert_eq!(found(&renamed.database, "body", &["free credit"]), [77]);
}

#[test]
fn other_statistics_are_another_plan() {
    let compiler = Compiler::new();
    let before = compiler.compile(&set(VARIED), None).database;
    let learned = crate::Statistics::learn([b"zzzz viagra viagra".as_slice()]);
    let compiler = compiler.with_statistics(Text::Address, learned);
    let after = compiler.compile(&set(VARIED), Some(&before));
    assert_eq!((after.compiled, after.reused), (2, VARIED.len() - 2));
}

#[test]
fn many_patterns_compile_on_many_threads_to_the_same() {
    let mut many = PatternSet::new();
    for id in 0..400 {
        let expression = format!(
            "word{id}[a-z]{{2}}x|{id}(oops{}",
            ")".repeat((id % 7).min(1))
        );
        let pattern = pattern(u32::try_from(id).unwrap(), "i", &expression);
        many.add("body", Text::Prose, pattern).unwrap();
    }
    let compiler = Compiler::new();
    let compiled = compiler.compile(&many, None);
    let refused: Vec<u32> = compiled.refused.iter().map(|refused| refused.id).collect();
    assert_eq!(refused, (0..400).step_by(7).collect::<Vec<_>>());
    let mut one_by_one = compiler.compile(&PatternSet::new(), None).database;
    let mut few = PatternSet::new();
    for id in 0..400 {
        let expression = format!(
            "word{id}[a-z]{{2}}x|{id}(oops{}",
            ")".repeat((id % 7).min(1))
        );
        let pattern = pattern(u32::try_from(id).unwrap(), "i", &expression);
        few.add("body", Text::Prose, pattern).unwrap();
        if id % 40 == 39 {
            one_by_one = compiler.compile(&few, Some(&one_by_one)).database;
        }
    }
    assert!(compiled.database.as_bytes() == one_by_one.as_bytes());
}

#[test]
fn refused_patterns_are_told_and_kept_and_harm_no_other() {
    let mut set = set(&[("body", "i", "free money")]);
    for (id, name, expression) in [(9, "OPEN", "a(b"), (8, "RANGE", "[z-a]")] {
        set.add_named("body", Text::Prose, name, pattern(id, "", expression))
            .unwrap();
    }
    set.add_named("uri", Text::Address, "ALONE", pattern(1, "", "*"))
        .unwrap();
    let compiled = Compiler::new().compile(&set, None);
    let summary: Vec<_> = compiled
        .refused
        .iter()
        .map(|refused| (&*refused.scope, refused.id, &*refused.name))
        .collect();
    assert_eq!(
        summary,
        [
            ("body", 8, "RANGE"),
            ("body", 9, "OPEN"),
            ("uri", 1, "ALONE")
        ]
    );
    assert!(compiled.refused[1].reason.contains("not closed"));
    let read = Database::from_bytes(compiled.database.as_bytes()).unwrap();
    assert_eq!(read.refused().collect::<Vec<_>>(), compiled.refused);
    assert_eq!((read.len(), read.scopes().len()), (1, 2));
    assert_eq!(found(&read, "body", &["free money"]), [0]);
    assert_eq!(found(&read, "uri", &["*"]), []);
    // A refused pattern stays refused.
    let again = Compiler::new().compile(&set, Some(&read));
    assert_eq!((again.compiled, again.reused), (3, 1));
    assert_eq!(again.refused, compiled.refused);
}

#[test]
fn a_database_without_patterns_is_one() {
    let database = Compiler::new().compile(&PatternSet::new(), None).database;
    assert!(database.is_empty() && database.scope("body").is_none());
    let read = Database::from_bytes(database.as_bytes()).unwrap();
    assert_eq!(read.digest(), PatternSet::new().digest());
}

#[test]
fn patterns_are_explained() {
    let database = database(VARIED);
    let body = database.scope("body").unwrap();
    let explain = |id| body.explain(id).unwrap().to_string();
    let text = explain(0);
    for line in [
        "pattern:    0, scope body",
        r"expression: /\bviagra\b/i",
        "literal:    \"",
        "decided by: the confirmation",
        "program:    ",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }
    assert!(
        explain(3).contains("literal:    \"dear \""),
        "{}",
        explain(3)
    );
    assert!(explain(5).contains("exact search"), "{}", explain(5));
    assert!(body.explain(12).is_none());
    for (info, (_, flags, expression)) in body.patterns().zip(VARIED) {
        assert_eq!(info.expression, expression.as_bytes());
        assert_eq!(info.flags.to_string(), *flags);
        assert!(!info.plan.to_string().is_empty() && info.code > 0);
    }
    let layout = database.layout();
    assert_eq!(layout.length, database.as_bytes().len() as u64);
    assert_eq!(layout.sections.len(), 5 + 3 * 6);
    assert_eq!(layout.sections[5].scope.as_deref(), Some("body"));
}
