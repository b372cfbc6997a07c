//! Equal sets give equal bytes, whatever the order of additions, the thread or a previous
//! database; and a database that went through a file says the same.

use patterns::{Compiler, Database, Flags, Pattern, PatternSet, Scratch, Text};

use crate::harness::{Answer, scan};
use crate::random::Random;
use crate::{rules, texts};

fn patterns(count: usize) -> Vec<(&'static str, Pattern)> {
    let rules = rules::installed().rules;
    let step = rules.len() / count;
    let rules = rules
        .into_iter()
        .step_by(step)
        .filter(|rule| rule.expression.len() < 4_000);
    (0..)
        .zip(rules)
        .map(|(id, rule)| {
            let flags = Flags::parse(&rule.flags).unwrap();
            let expression = rule.expression;
            let pattern = Pattern {
                id,
                expression,
                flags,
            };
            (rule.scope, pattern)
        })
        .collect()
}

fn set(patterns: &[(&str, Pattern)]) -> PatternSet {
    let mut set = PatternSet::new();
    for (scope, pattern) in patterns {
        let text = Text::of_scope(scope);
        set.add(scope, text, pattern.clone()).unwrap();
    }
    set
}

fn answers(database: &Database, haystacks: &[Vec<u8>]) -> Vec<Answer> {
    let mut scratch = Scratch::new(database);
    let over = |haystack: &Vec<u8>| {
        let scopes = database.scopes();
        scopes
            .map(|scope| scan(scope, &mut scratch, haystack))
            .collect::<Vec<_>>()
    };
    haystacks.iter().flat_map(over).collect()
}

#[test]
fn equal_sets_give_equal_bytes() {
    let mut patterns = patterns(150);
    let first = Compiler::new().compile(&set(&patterns), None);
    let again = Compiler::new().compile(&set(&patterns), None);
    assert_eq!(first.database.as_bytes(), again.database.as_bytes());
    let mut random = Random::new(5);
    for at in (1..patterns.len()).rev() {
        patterns.swap(at, random.below(at + 1));
    }
    let shuffled = set(&patterns);
    let other = std::thread::spawn(move || Compiler::new().compile(&shuffled, None));
    let other = other.join().unwrap();
    assert_eq!(first.database.as_bytes(), other.database.as_bytes());
    // Half of them first, then all with what half has compiled.
    let half = Compiler::new().compile(&set(&patterns[..patterns.len() / 2]), None);
    let grown = Compiler::new().compile(&set(&patterns), Some(&half.database));
    assert!(grown.reused > 0);
    assert_eq!(first.database.as_bytes(), grown.database.as_bytes());
    // And back to half: nothing of the rest stays.
    let shrunk =
        Compiler::new().compile(&set(&patterns[..patterns.len() / 2]), Some(&grown.database));
    assert_eq!(shrunk.compiled, 0);
    assert_eq!(half.database.as_bytes(), shrunk.database.as_bytes());
}

#[test]
fn a_file_says_what_its_maker_said() {
    let patterns = patterns(150);
    let compiled = Compiler::new().compile(&set(&patterns), None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("database");
    compiled.database.save(&path).unwrap();
    let mapped = Database::open(&path).unwrap();
    let copied = Database::from_bytes(compiled.database.as_bytes()).unwrap();
    let haystacks = texts::haystacks(6, 100_000);
    let expected = answers(&compiled.database, &haystacks);
    assert!(
        expected
            .iter()
            .map(|answer| answer.matched.len())
            .sum::<usize>()
            > 20
    );
    assert_eq!(answers(&mapped, &haystacks), expected);
    assert_eq!(answers(&copied, &haystacks), expected);
    assert_eq!(mapped.as_bytes(), copied.as_bytes());
}

/// Where a haystack stands in memory makes no difference.
#[test]
fn the_address_of_a_haystack_does_not_matter() {
    let patterns = patterns(60);
    let compiled = Compiler::new().compile(&set(&patterns), None);
    let haystacks = texts::haystacks(8, 20_000);
    let expected = answers(&compiled.database, &haystacks);
    for shift in [1, 3, 7] {
        // Haystacks at odd addresses.
        let moved: Vec<Vec<u8>> = haystacks
            .iter()
            .map(|haystack| [&vec![b'x'; shift], haystack.as_slice()].concat())
            .collect();
        let mut scratch = Scratch::new(&compiled.database);
        let mut expected = expected.iter();
        for haystack in &moved {
            for scope in compiled.database.scopes() {
                let answer = scan(scope, &mut scratch, &haystack[shift..]);
                assert_eq!(Some(&answer), expected.next());
            }
        }
    }
}
