//! Searches: the naive matcher, PCRE2 and the simulation must agree with the machine.

use pcre2::bytes::RegexBuilder;

use super::super::{Answer, EmitError, Exhausted, Program};
use super::nodes::{Generator, Kind, text};
use super::{FUEL, compile, decide_both, machine, read};
use crate::syntax::naive::{Found, find};
use crate::syntax::sample::{Random, mutate, sample};
use crate::syntax::{Flags, Parsed};

/// Patterns in the manner of spam rules, and such as try the machine.
const PATTERNS: &[(&str, &str)] = &[
    (r"\bviagra\b", "i"),
    (r"v[i1l!|]+[\W_]{0,3}a[\W_]{0,3}gra", "i"),
    (r"\b(?:cialis|viagra|levitra|valium|xanax)\b", "i"),
    (r"(?:foo|foobar|fool|food)s?\b", ""),
    (r"\w+@\w+\.(?:com|net|org)", "i"),
    (r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", ""),
    (r"^Subject:\s+(?:re|fwd?):\s", "im"),
    (r"(?:\w+\s+){2,5}end$", ""),
    (r"[A-F0-9]{8,}", "i"),
    (r"(?<!\w)free(?!\w)", "i"),
    (r"(?<=\$)\d+(?:,\d{3})*", ""),
    (r"(?<=foo|ba)r", ""),
    (r"(?!.*spam)ham", ""),
    (r"(\w+)\s+\1\b", "i"),
    (r"(['\x22]).*?\1", ""),
    (r"<(\w+)[^>]*>.*?</\1>", "is"),
    (r"(?>a+)b|a+c", ""),
    (r"a++b", ""),
    (r"(?:ab?)++c", ""),
    (r"(?:a|ab)(?:c|bcd)(?:d*)", ""),
    (r"(?:a*)*b", ""),
    (r"(?:a|b)*?c", ""),
    (r"foo\Kbar", ""),
    (r"(?:|a|bc|ab){0,2}d?", ""),
    (r"(a|ab)(c|bcd)\2?(d*)", ""),
    (r"(?=(\w+))\1:", ""),
    (r"(?:(a)|b)*\1", ""),
    (r"^.{2,5}$", "m"),
    (r"\A\s*\z", ""),
    (r"x*$", "m"),
    (r"(?s).{3}(?-s).{0,4}z", ""),
    (r"(?:a{2,4}){3}", ""),
    (r"(?:(?:ab|c){2,20}d){2,}", ""),
    (r"(?:a?){20}b", ""),
    (r"(?:\w\W?){5,30}!", ""),
    (r"a.{0,20}?b.{0,20}c", ""),
    (r"(?:[^\n]{0,8}\n){2,3}x", ""),
    (r"\B-\B", ""),
    (r"(?:foo\b|bar\B)", ""),
    (r"é|à|è|[aeio]|\xc3\xbc", ""),
    (r"(?:\xc3[\xa0-\xa5]|\xd0\xb0|\xce\xb1|a|4|@)b", "i"),
];

fn texts(pattern: &Parsed, random: &mut Random, rounds: usize) -> Vec<Vec<u8>> {
    let mut texts = vec![Vec::new()];
    for _ in 0..rounds {
        let one = sample(pattern, random);
        texts.push(mutate(&one, random));
        let around = [text(random, 6), one.clone(), text(random, 6)].concat();
        texts.push(around);
        texts.push(one);
        texts.push(text(random, 12));
    }
    for text in &mut texts {
        text.truncate(80);
    }
    texts
}

#[test]
fn searches_find_what_pcre2_finds() {
    let mut random = Random(7);
    let mut machine = machine(FUEL);
    let mut matches = 0;
    for &(pattern, letters) in PATTERNS {
        let flags = Flags::parse(letters).unwrap();
        let theirs = RegexBuilder::new()
            .caseless(flags.caseless)
            .multi_line(flags.multi_line)
            .dotall(flags.dot_all)
            .build(pattern)
            .unwrap();
        let parsed = read(pattern, letters);
        let code = compile(&parsed.node).unwrap();
        let program = Program::verify(&code.bytes).unwrap();
        for text in texts(&parsed, &mut random, 30) {
            let expected = theirs.find(&text).unwrap();
            let expected = expected.map(|found| found.start()..found.end());
            let shown = text.escape_ascii().to_string();
            machine.fuel = FUEL;
            let found = program.find(&mut machine, &text, 0);
            assert_eq!(
                found,
                Ok(expected.clone()),
                "/{pattern}/{letters} on {shown:?}"
            );
            machine.fuel = FUEL;
            let decided = program.decide(&mut machine, &text);
            let answer = if expected.is_some() {
                Answer::Yes
            } else {
                Answer::No
            };
            assert_eq!(decided, answer, "/{pattern}/{letters} on {shown:?}");
            matches += usize::from(expected.is_some());
        }
    }
    assert!(matches > 1000, "{matches}");
}

fn compare(kind: Kind, seed: u64, rounds: usize) {
    let mut random = Random(seed);
    let mut machine = machine(FUEL);
    let (mut matches, mut others, mut skipped) = (0, 0, 0);
    for _ in 0..rounds {
        let mut generator = Generator {
            random: &mut random,
            kind,
            groups: 0,
        };
        let node = generator.node(4);
        let groups = generator.groups;
        let parsed = Parsed { node, groups };
        let code = match compile(&parsed.node) {
            Ok(code) => code,
            Err(EmitError::IrregularLookBehind) => continue,
            Err(error) => panic!("{error}: {:?}", parsed.node),
        };
        let program = Program::verify(&code.bytes).unwrap();
        for text in texts(&parsed, &mut random, 3) {
            let from = random.below(text.len() + 1) * random.below(2);
            let expected = match find(&parsed, &text, from) {
                Found::GaveUp => {
                    skipped += 1;
                    continue;
                }
                Found::Match(range) => Some(range),
                Found::Nothing => None,
            };
            let context = || format!("{:?} in {:?}", text.escape_ascii().to_string(), parsed.node);
            machine.fuel = FUEL;
            match program.find(&mut machine, &text, from) {
                Err(Exhausted) => skipped += 1,
                found => assert_eq!(found, Ok(expected.clone()), "{}", context()),
            }
            if from > 0 {
                continue;
            }
            let answer = if expected.is_some() {
                Answer::Yes
            } else {
                Answer::No
            };
            if program.has_exact() {
                machine.fuel = FUEL;
                let decided = program.decide(&mut machine, &text);
                assert!(
                    [answer, Answer::Exhausted].contains(&decided),
                    "{}",
                    context()
                );
            } else {
                let both = decide_both(&program, &mut machine, &text);
                assert_eq!(both, (answer, answer), "{}", context());
            }
            let at_start = find(&anchored(&parsed), &text, 0);
            machine.fuel = FUEL;
            let answer = program.matches_at_start(&mut machine, &text);
            if at_start != Found::GaveUp && answer != Answer::Exhausted {
                let expected = matches!(at_start, Found::Match(_));
                assert_eq!(answer == Answer::Yes, expected, "{}", context());
            }
            if expected.is_some() {
                matches += 1
            } else {
                others += 1
            }
        }
    }
    assert!(
        matches > rounds && others > rounds / 4,
        "{matches} {others}"
    );
    assert!(
        skipped * 20 < matches + others,
        "{skipped} of {}",
        matches + others
    );
}

fn anchored(parsed: &Parsed) -> Parsed {
    use crate::syntax::{Assertion, Node};
    Parsed {
        node: Node::Concat(vec![Node::Assert(Assertion::Start), parsed.node.clone()]),
        groups: parsed.groups,
    }
}

#[test]
fn regular_trees_mean_what_the_naive_matcher_says() {
    compare(Kind::Regular, 11, 1500);
}

#[test]
fn irregular_trees_mean_what_the_naive_matcher_says() {
    compare(Kind::Irregular, 13, 1500);
}

/// Steps `decide` takes for a pattern on a text, and its answer.
fn steps(pattern: &str, text: &[u8]) -> (Answer, u64) {
    let code = compile(&read(pattern, "").node).unwrap();
    let program = Program::verify(&code.bytes).unwrap();
    let mut machine = machine(u64::MAX);
    let answer = program.decide(&mut machine, text);
    (answer, u64::MAX - machine.fuel)
}

#[test]
fn regular_patterns_are_decided_in_linear_time() {
    let patterns = [
        "(?:a+)+$",
        "(?:a|aa)+b",
        "(?:.*)*x",
        "(?:a*)*b",
        "(?:a|a)*b",
        "(?:a?){30}a{30}b",
        "a.{0,1000}a.{0,1000}b",
        "(?:a.{5,900}){3,40}b",
        "(?:aa{2,9}){10,20}b",
        "(?=a*a)a+b",
    ];
    for pattern in patterns {
        let mut text = vec![b'a'; 1500];
        text.push(b'!');
        let (answer, once) = steps(pattern, &text);
        let linear = pattern != "(?=a*a)a+b";
        assert_eq!(answer, Answer::No, "{pattern}");
        let mut text = vec![b'a'; 6000];
        text.push(b'!');
        let (_, four_times) = steps(pattern, &text);
        assert!(
            !linear || four_times < 5 * once,
            "{pattern}: {once}, then {four_times}"
        );
        assert!(four_times < 40_000_000, "{pattern}: {four_times}");
    }
}

#[test]
fn empty_iterations_do_not_multiply() {
    for pattern in ["(?!(?:(?:){1,}){9,21}[a-z] A)", "(?=(?:a?b?){0,60}d)c"] {
        let (answer, steps) = steps(pattern, b"cbab-A-A");
        assert_ne!(answer, Answer::Exhausted, "{pattern}");
        assert!(steps < 10_000, "{pattern}: {steps}");
    }
}

#[test]
fn hostile_patterns_are_emitted_or_refused() {
    let nested = |open: &str, content: &str, close: &str| {
        [open.repeat(200), content.to_owned(), close.repeat(200)].concat()
    };
    let words: Vec<String> = (0..10_000).map(|word| format!("{word:x}y")).collect();
    let prefixes: Vec<String> = (1..300).map(|length| "a".repeat(length)).collect();
    let long = "ab?".repeat(10_000);
    let patterns = [
        nested("(?:", &long, ")*"),
        nested("(?:", "a", "?){2,3}"),
        nested("(?:a|", &long, "|)"),
        nested("(?:x(?=", "a", "))"),
        nested("(?:", "a", "{65535}){65535}"),
        words.join("|"),
        prefixes.join("|"),
        nested("(?>", "a", "b)"),
        nested("(?:", "(?:ab|c)", "+)+"),
        "a{65535}b{65535}c{65535}".to_owned(),
    ];
    let mut machine = machine(FUEL);
    for pattern in &patterns {
        let Ok(parsed) = crate::syntax::parse(pattern.as_bytes(), Flags::default()) else {
            continue;
        };
        let Ok(code) = compile(&parsed.node) else {
            continue;
        };
        let program = Program::verify(&code.bytes).unwrap();
        for text in [&b"aaaaaaaaaaaaaaaaaaaaaaab"[..], b"cabab", b"4y", b"xxx"] {
            machine.fuel = FUEL;
            program.decide(&mut machine, text);
            machine.fuel = FUEL;
            let _ = program.find(&mut machine, text, 0);
        }
    }
}

#[test]
fn exact_patterns_give_up() {
    let code = compile(&read(r"(a+)+\1$", "").node).unwrap();
    let program = Program::verify(&code.bytes).unwrap();
    let mut text = vec![b'a'; 60];
    text.push(b'b');
    let mut machine = machine(100_000);
    assert_eq!(program.decide(&mut machine, &text), Answer::Exhausted);
    assert_eq!(machine.fuel, 0);
    assert_eq!(program.find(&mut machine, &text, 0), Err(Exhausted));
}

#[test]
fn long_loops_do_not_fill_the_stack() {
    let text = "ab ".repeat(100_000);
    let code = compile(&read(r"^(?:ab\s|x\d)*$", "").node).unwrap();
    let program = Program::verify(&code.bytes).unwrap();
    let mut machine = machine(100_000_000);
    assert_eq!(program.decide(&mut machine, text.as_bytes()), Answer::Yes);
}
