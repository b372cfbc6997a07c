//! Random expressions over random text, against PCRE2: existence and offsets of single patterns,
//! and sets of hundreds that must say what their members say alone.
//!
//! The cases are the same in every run; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for others.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::expression::{Bytes, Expression, mutate};
use crate::harness::{Engine, compile, set, show};
use crate::oracle::Oracle;
use crate::parse::{class_escape, is_word};
use crate::perl;
use crate::random::Random;

/// Single expressions tried, bytes and Unicode.
const CASES: u32 = 2_500;
/// Sets tried, and their size.
const SETS: u64 = 4;
const SET_SIZE: usize = 200;

/// A piece of a haystack.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// A string made from the expression, with this seed.
    Sample(u64),
    /// The same, damaged.
    Miss(u64),
}

/// An expression, its flags and what haystacks are made of.
#[derive(Clone)]
struct Case {
    tree: Expression,
    flags: String,
    pieces: Vec<Vec<Piece>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.tree, self.flags)?;
        for haystack in self.haystacks() {
            write!(f, "\n  over {}", show(&haystack))?;
        }
        Ok(())
    }
}

impl Case {
    fn haystacks(&self) -> Vec<Vec<u8>> {
        let unicode = self.flags.contains('u');
        let build = |pieces: &Vec<Piece>| {
            let mut haystack = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => haystack.extend(text.as_bytes()),
                    Piece::Sample(seed) => haystack.extend(self.sample(*seed)),
                    Piece::Miss(seed) => {
                        let sample = self.sample(*seed);
                        haystack.extend(mutate(&sample, &mut Random::new(*seed)));
                    }
                }
            }
            // PCRE2 refuses anything else in this mode.
            match unicode {
                true => String::from_utf8_lossy(&haystack).into_owned().into_bytes(),
                false => haystack,
            }
        };
        self.pieces.iter().map(build).collect()
    }

    fn sample(&self, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut sample = self.tree.sample(&mut random);
        if self.flags.contains('i') {
            for byte in &mut sample {
                if byte.is_ascii_alphabetic() && random.chance(40) {
                    *byte ^= 0x20;
                }
            }
        }
        sample
    }
}

fn byte(source: &str, accepts: impl Fn(u8) -> bool) -> Expression {
    Expression::Byte {
        source: source.to_owned(),
        set: Bytes::of(accepts),
    }
}

fn text(source: &str, bytes: &[u8]) -> Expression {
    Expression::Text {
        source: source.to_owned(),
        bytes: bytes.to_vec(),
    }
}

fn place(source: &str, help: &str) -> Expression {
    Expression::Place {
        source: source.to_owned(),
        help: help.as_bytes().to_vec(),
    }
}

/// Single characters: also what look-behinds are made of.
fn characters(unicode: bool) -> Vec<Expression> {
    let mut characters: Vec<Expression> = "abcABC01_-"
        .chars()
        .map(|letter| byte(&letter.to_string(), move |byte| char::from(byte) == letter))
        .collect();
    for letter in ["d", "w", "s", "h", "v", "D", "W", "S"] {
        let set = class_escape(letter.as_bytes()[0]).unwrap();
        let usable = move |byte| set.contains(byte) && (!unicode || byte < 0x80);
        characters.push(byte(&format!(r"\{letter}"), usable));
    }
    let ascii = move |byte: u8| !unicode || byte < 0x80;
    characters.extend([
        byte(".", move |byte| byte != b'\n' && ascii(byte)),
        byte(r"\N", move |byte| byte != b'\n' && ascii(byte)),
        byte(r"\n", |byte| byte == b'\n'),
        byte(r"\x20", |byte| byte == b' '),
        byte("[ab]", |byte| matches!(byte, b'a' | b'b')),
        byte("[a-c_]", |byte| matches!(byte, b'a'..=b'c' | b'_')),
        byte("[^a]", move |byte| byte != b'a' && ascii(byte)),
        byte(r"[^\nb]", move |byte| {
            !matches!(byte, b'\n' | b'b') && ascii(byte)
        }),
        byte(r"[\w-]", |byte| is_word(byte) || byte == b'-'),
        byte("[[:alpha:]]", |byte| byte.is_ascii_alphabetic()),
        byte("[[:^digit:]]", move |byte| {
            !byte.is_ascii_digit() && ascii(byte)
        }),
        byte(r"[\s\S]", ascii),
        byte("[B-]", |byte| matches!(byte, b'B' | b'-')),
    ]);
    if unicode {
        let letter = |source: &str, value: char| text(source, value.to_string().as_bytes());
        characters.extend([
            letter("é", 'é'),
            letter("[é-ü]", 'ñ'),
            letter("[^é]", 'É'),
            letter(r"\x{20ac}", '€'),
            letter("[a€]", '€'),
            letter("ſ", 's'),
            letter("k", '\u{212a}'),
        ]);
    } else {
        characters.extend([
            byte(r"\xe9", |byte| byte == 0xe9),
            byte(r"[\x80-\xff]", |byte| byte >= 0x80),
            byte(r"[^\x00-\x7f]", |byte| byte >= 0x80),
        ]);
    }
    characters
}

fn leaf(unicode: bool, extended: bool) -> BoxedStrategy<Expression> {
    let words = ["abc", "aaaa", "foobar", "abab", "bcbcbcb", "a-b", "Cab_01"];
    let words: Vec<_> = words
        .iter()
        .map(|word| text(word, word.as_bytes()))
        .collect();
    let mut places = vec![
        place("^", ""),
        place("$", "\n"),
        place(r"\b", " "),
        place(r"\b", " "),
        place(r"\B", ""),
        place(r"\A", ""),
        place(r"\z", ""),
        place(r"\Z", "\n"),
        place("(?m:^)", "\n"),
        place("(?m:$)", "\n"),
        place("", ""),
    ];
    if extended {
        places.push(place(" # a comment )\n", ""));
    }
    let newline = text(r"\R", b"\r\n");
    let quoted = text(r"\Qa.b\E", b"a.b");
    prop_oneof![
        12 => select(characters(unicode)),
        6 => select(words),
        3 => select(places),
        1 => select(vec![newline, quoted]),
        2 => (0..6_usize).prop_map(|number| Expression::Reference { source: String::new(), number }),
    ]
    .boxed()
}

/// Alternatives of fixed lengths.
fn behind(unicode: bool) -> BoxedStrategy<Expression> {
    let branch = vec(select(characters(unicode)), 1..3).prop_map(Expression::Concat);
    vec(branch, 1..3).prop_map(Expression::Alternation).boxed()
}

/// Something a quantifier can follow.
fn repeatable(inner: Expression) -> Expression {
    match inner {
        Expression::Byte { .. } => inner,
        Expression::Group { .. } => inner,
        _ => group("(?:", inner),
    }
}

fn group(opening: &str, inner: Expression) -> Expression {
    Expression::Group {
        opening: opening.to_owned(),
        number: (opening == "(").then_some(0),
        inner: Box::new(inner),
    }
}

fn repeat(inner: Expression, counts: (usize, Option<usize>), mode: &str) -> Expression {
    let source = match counts {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) if min == max => format!("{{{min}}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    };
    Expression::Repeat {
        inner: Box::new(repeatable(inner)),
        min: counts.0,
        max: counts.1,
        source: source + mode,
    }
}

fn counts() -> BoxedStrategy<(usize, Option<usize>)> {
    prop_oneof![
        3 => Just((0, None)),
        3 => Just((1, None)),
        3 => Just((0, Some(1))),
        2 => (0..4_usize, 0..4_usize).prop_map(|(min, more)| (min, Some(min + more))),
        1 => (0..4_usize).prop_map(|min| (min, None)),
        1 => (0..40_usize, 0..60_usize).prop_map(|(min, more)| (min, Some(min + more))),
    ]
    .boxed()
}

fn tree(unicode: bool, extended: bool) -> BoxedStrategy<Expression> {
    let openings = [
        "(", "(", "(?:", "(?>", "(?i:", "(?s:", "(?m:", "(?-i:", "(?ims:", "(?^:",
    ];
    leaf(unicode, extended)
        .prop_recursive(5, 30, 5, move |inner| {
            prop_oneof![
                6 => vec(inner.clone(), 1..6).prop_map(Expression::Concat),
                3 => (select(openings.to_vec()), vec(inner.clone(), 2..5)).prop_map(
                    |(opening, branches)| group(opening, Expression::Alternation(branches))
                ),
                3 => (select(openings.to_vec()), inner.clone())
                    .prop_map(|(opening, inner)| group(opening, inner)),
                4 => (inner.clone(), counts(), select(vec!["", "", "?", "+"]))
                    .prop_map(|(inner, counts, mode)| repeat(inner, counts, mode)),
                1 => (select(vec!["(?=", "(?!"]), inner).prop_map(|(opening, inner)| {
                    Expression::Look { opening, inner: Box::new(inner) }
                }),
                1 => (select(vec!["(?<=", "(?<!"]), behind(unicode)).prop_map(
                    |(opening, inner)| Expression::Look { opening, inner: Box::new(inner) }
                ),
            ]
        })
        .prop_map(|mut tree| {
            let mut groups = 0;
            number(&mut tree, &mut groups);
            refer(&mut tree, groups);
            tree
        })
        .boxed()
}

/// Numbers the capturing groups.
fn number(tree: &mut Expression, groups: &mut usize) {
    if let Expression::Group {
        number: Some(number),
        ..
    } = tree
    {
        *groups += 1;
        *number = *groups;
    }
    for child in children(tree) {
        number(child, groups);
    }
}

/// Lets back references name groups that exist.
fn refer(tree: &mut Expression, groups: usize) {
    if let Expression::Reference { number, .. } = tree {
        if groups == 0 {
            *tree = byte("a", |byte| byte == b'a');
        } else {
            let number = *number % groups + 1;
            let source = format!(r"\g{{{number}}}");
            *tree = Expression::Reference { source, number };
        }
    }
    for child in children(tree) {
        refer(child, groups);
    }
}

fn children(tree: &mut Expression) -> Vec<&mut Expression> {
    match tree {
        Expression::Concat(parts) | Expression::Alternation(parts) => parts.iter_mut().collect(),
        Expression::Repeat { inner, .. }
        | Expression::Group { inner, .. }
        | Expression::Look { inner, .. } => vec![inner],
        _ => Vec::new(),
    }
}

fn pieces(unicode: bool) -> BoxedStrategy<Vec<Piece>> {
    let wide = if unicode {
        "éñ€ſK"
    } else {
        "\u{80}\u{e9}"
    };
    let alphabet: Vec<char> = format!("aabbccABC01_- \n\r.{wide}").chars().collect();
    let letters = vec(select(alphabet), 0..12).prop_map(String::from_iter);
    let run = (
        select(vec!["a", "b", "ab", "foobar", " ", "0"]),
        1..60_usize,
    )
        .prop_map(|(text, count)| text.repeat(count));
    let piece = prop_oneof![
        3 => letters.prop_map(Piece::Text),
        1 => run.prop_map(Piece::Text),
        3 => any::<u64>().prop_map(Piece::Sample),
        2 => any::<u64>().prop_map(Piece::Miss),
    ];
    vec(piece, 0..5).boxed()
}

fn case(unicode: bool) -> BoxedStrategy<Case> {
    let flags = if unicode { "uisxm" } else { "imsx" };
    // Every subset; `u` always if asked for.
    let subsets = (0..1_usize << flags.len()).map(move |bits| {
        let chosen = flags.chars().enumerate();
        let chosen = chosen.filter(|&(bit, flag)| bits >> bit & 1 == 1 || flag == 'u');
        chosen.map(|(_, flag)| flag).collect::<String>()
    });
    select(subsets.collect::<Vec<_>>())
        .prop_flat_map(move |flags| {
            let extended = flags.contains('x');
            (
                tree(unicode, extended),
                Just(flags),
                vec(pieces(unicode), 1..6),
            )
        })
        .prop_map(|(tree, flags, pieces)| Case {
            tree,
            flags,
            pieces,
        })
        .boxed()
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    TestRunner::new(config)
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let expression = case.tree.to_string();
    let Ok(oracle) = Oracle::new(expression.as_bytes(), &case.flags) else {
        return Err(TestCaseError::reject("PCRE2 refuses it"));
    };
    let mut engine = Engine::of(expression.as_bytes(), &case.flags)
        .map_err(|reason| TestCaseError::fail(format!("refused: {reason}")))?;
    for haystack in case.haystacks() {
        let Ok(expected) = oracle.is_match(&haystack) else {
            continue;
        };
        let answer = engine.scan(&haystack);
        let differs = |what: String| {
            let question = perl::Question {
                expression: expression.as_bytes(),
                flags: &case.flags.replace('u', ""),
                haystack: &haystack,
            };
            let perl = perl::answers(&[question]);
            let haystack = show(&haystack);
            TestCaseError::fail(format!(
                "{what}; Perl says {perl:?} (of bytes); over {haystack}"
            ))
        };
        if !answer.exhausted.is_empty() {
            return Err(differs("out of fuel".to_owned()));
        }
        let found = !answer.matched.is_empty();
        if found != expected {
            return Err(differs(format!(
                "the engine says {found}, PCRE2 {expected}"
            )));
        }
        let Ok(expected) = oracle.matches(&haystack) else {
            continue;
        };
        // After an empty match Perl does not take one that an atomic group prefers again, and then
        // gives up the whole start; the engine may find another way. See the crate's docs.
        let atomic = ["(?>", "*+", "++", "?+", "}+"];
        let atomic = atomic.iter().any(|sign| expression.contains(sign));
        let until_empty = |matches: &[std::ops::Range<usize>]| {
            let end = matches.iter().position(|range| range.is_empty());
            matches
                .get(
                    ..=end
                        .unwrap_or(matches.len())
                        .min(matches.len().saturating_sub(1)),
                )
                .unwrap_or_default()
                .to_vec()
        };
        match engine.matches(&haystack) {
            Some(found) if found == expected => {}
            // Finding where is not linear: it may give up, and says so.
            None => {
                GAVE_UP.fetch_add(1, Ordering::Relaxed);
            }
            Some(found) if atomic && until_empty(&found) == until_empty(&expected) => {}
            found => {
                return Err(differs(format!(
                    "the engine finds {found:?}, PCRE2 {expected:?}"
                )));
            }
        }
    }
    Ok(())
}

/// How often the engine gave up finding where an expression matches.
static GAVE_UP: AtomicU32 = AtomicU32::new(0);

#[test]
fn single_expressions_over_bytes() {
    let outcome = runner(CASES, 1).run(&case(false), |case| check(&case));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let gave_up = GAVE_UP.load(Ordering::Relaxed);
    assert!(gave_up <= CASES / 100, "gave up {gave_up} times");
}

#[test]
fn single_expressions_over_unicode() {
    let outcome = runner(CASES / 2, 2).run(&case(true), |case| check(&case));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Cases whose expressions PCRE2 takes, with PCRE2's version of them.
fn cases(count: usize, seed: u64) -> Vec<(Case, Oracle)> {
    let mut runner = runner(1, seed);
    let strategy = case(false);
    let mut cases = Vec::new();
    while cases.len() < count {
        let case = strategy.new_tree(&mut runner).unwrap().current();
        if let Ok(oracle) = Oracle::new(case.tree.to_string().as_bytes(), &case.flags) {
            cases.push((case, oracle));
        }
    }
    cases
}

#[test]
fn sets_say_what_their_members_say() {
    let mut matches = 0;
    for seed in 0..SETS {
        let cases = cases(SET_SIZE, 100 + seed);
        let expressions: Vec<String> = cases
            .iter()
            .map(|(case, _)| case.tree.to_string())
            .collect();
        let flags = cases.iter().map(|(case, _)| case.flags.as_str());
        let compiled = compile(&set(expressions.iter().map(String::as_str).zip(flags)));
        assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
        let mut engine = Engine::new(compiled.database);
        assert_eq!(engine.len(), SET_SIZE);
        let haystacks: Vec<Vec<u8>> = cases
            .iter()
            .flat_map(|(case, _)| case.haystacks())
            .collect();
        let mut answers = Vec::new();
        for haystack in &haystacks {
            let answer = engine.scan(haystack);
            for (id, (case, oracle)) in (0..).zip(&cases) {
                let expression = &case.tree;
                let flags = &case.flags;
                let Ok(expected) = oracle.is_match(haystack) else {
                    continue;
                };
                assert_eq!(
                    (answer.matched.contains(&id), answer.exhausted.contains(&id)),
                    (expected, false),
                    "(matched, exhausted) of /{expression}/{flags} in set {seed} over {}",
                    show(haystack)
                );
            }
            matches += answer.matched.len();
            answers.push(answer.matched);
        }
        for (group, answers) in haystacks.chunks(7).zip(answers.chunks(7)) {
            let union = answers.iter().flatten().copied().collect();
            let together = engine.scan_all(group);
            assert_eq!(together.matched, union, "set {seed}");
        }
    }
    println!("{matches} matches");
}

/// The generators make what they promise: enough expressions, enough hits and enough misses.
#[test]
fn cases_are_worth_their_time() {
    let mut runner = runner(1, 7);
    let strategy = case(false);
    let (mut taken, mut hits, mut misses) = (0, 0, 0);
    for _ in 0..300 {
        let case = strategy.new_tree(&mut runner).unwrap().current();
        let Ok(oracle) = Oracle::new(case.tree.to_string().as_bytes(), &case.flags) else {
            continue;
        };
        taken += 1;
        for haystack in case.haystacks() {
            match oracle.is_match(&haystack) {
                Ok(true) => hits += 1,
                Ok(false) => misses += 1,
                Err(_) => {}
            }
        }
    }
    println!("{taken} of 300 expressions, {hits} hits, {misses} misses");
    assert!(taken > 270 && hits > 200 && misses > 150);
}
