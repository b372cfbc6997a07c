//! The parser, read by the naive matcher, against PCRE2.
//!
//! PCRE2 is the version the `pcre2` crate is linked to: 10.42 or later.

use pcre2::bytes::{Regex, RegexBuilder};

use super::super::naive::{Found, find};
use super::super::sample::{Random, mutate, sample};
use super::super::{Flags, Parsed, SyntaxReason};
use super::generate;
use super::patterns::{BY_VERSION, COMPARED, REFUSED_HERE, REFUSED_THERE};
use super::read;

/// Texts of no pattern's making.
const TEXTS: &[&[u8]] = &[
    b"",
    b"a",
    b"\n",
    b"ab\nba\n",
    b"aaabbb",
    b"a1_b-A B",
    b"\r\n\x0b",
    b"abc abc ABC",
    "éÉaſkK €".as_bytes(),
    b"bb.aa]-",
];

fn pcre2(pattern: &str, flags: &str) -> Result<Regex, pcre2::Error> {
    let flags = Flags::parse(flags).unwrap();
    RegexBuilder::new()
        .caseless(flags.caseless)
        .multi_line(flags.multi_line)
        .dotall(flags.dot_all)
        .extended(flags.extended)
        .utf(flags.unicode)
        // The optimisations have had faults of their own.
        .build(&format!("(*NO_START_OPT)(*NO_AUTO_POSSESS){pattern}"))
}

#[test]
fn both_accept_or_both_refuse() {
    let mut different = Vec::new();
    for &(pattern, flags) in COMPARED {
        let (ours, theirs) = (read(pattern, flags), pcre2(pattern, flags));
        if ours.is_ok() != theirs.is_ok() {
            different.push(format!("{pattern:?} {flags:?}: {ours:?}, {theirs:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn differences_are_the_known_ones() {
    for &(pattern, flags, why) in REFUSED_HERE {
        assert!(read(pattern, flags).is_err(), "{pattern}: {why}");
        assert!(pcre2(pattern, flags).is_ok(), "{pattern}: {why}");
    }
    for &(pattern, flags, why) in REFUSED_THERE {
        assert!(read(pattern, flags).is_ok(), "{pattern}: {why}");
        assert!(pcre2(pattern, flags).is_err(), "{pattern}: {why}");
    }
    for &(pattern, flags, accepted) in BY_VERSION {
        assert_eq!(read(pattern, flags).is_ok(), accepted, "{pattern}");
    }
}

/// Whether every version of Unicode says the same about a character.
fn is_settled(character: char) -> bool {
    character != '\u{B7}' && matches!(character, '\0'..='\u{24F}' | 'Α'..='Ρ' | 'α'..='ω' | '€')
}

/// How many texts were compared, and those on which the engines differ.
#[derive(Default)]
struct Comparison {
    texts: usize,
    matches: usize,
    gave_up: usize,
    different: Vec<String>,
}

impl Comparison {
    fn text(&mut self, name: &str, ours: &Parsed, theirs: &Regex, text: &[u8]) {
        // Beyond its match limit PCRE2 gives up, too.
        let Ok(expected) = theirs.find(text) else {
            self.gave_up += 1;
            return;
        };
        let expected = match expected {
            Some(found) => Found::Match(found.start()..found.end()),
            None => Found::Nothing,
        };
        let found = find(ours, text, 0);
        if found == Found::GaveUp {
            self.gave_up += 1;
            return;
        }
        self.texts += 1;
        self.matches += usize::from(found != Found::Nothing);
        if found != expected {
            let text = text.escape_ascii();
            self.different.push(format!(
                "{name} on \"{text}\": {found:?}, PCRE2 {expected:?}"
            ));
        }
    }

    fn pattern(&mut self, pattern: &str, flags: &str, rounds: usize, random: &mut Random) {
        let (Ok(ours), Ok(theirs)) = (read(pattern, flags), pcre2(pattern, flags)) else {
            return;
        };
        let name = format!("/{pattern}/{flags}");
        let mut texts: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.to_vec()).collect();
        for _ in 0..rounds {
            let text = sample(&ours, random);
            texts.push(mutate(&text, random));
            texts.push(text);
        }
        for text in &mut texts {
            text.truncate(120);
            if flags.contains('u') {
                let properties = pattern.to_lowercase().contains("\\p");
                *text = String::from_utf8_lossy(text)
                    .chars()
                    .map(|character| match properties && !is_settled(character) {
                        true => 'a',
                        false => character,
                    })
                    .collect::<String>()
                    .into_bytes();
            }
            self.text(&name, &ours, &theirs, text);
        }
    }

    fn finish(self, texts: usize) {
        let shown = self.different.iter().take(20).cloned().collect::<Vec<_>>();
        let count = self.different.len();
        assert!(
            count == 0,
            "{count} of {}:\n{}",
            self.texts,
            shown.join("\n")
        );
        assert!(self.texts >= texts, "only {} texts", self.texts);
        assert!(
            self.matches > self.texts / 4,
            "only {} matches",
            self.matches
        );
        assert!(
            self.gave_up < self.texts / 20,
            "gave up {} times",
            self.gave_up
        );
    }
}

#[test]
fn offsets_of_written_patterns_are_equal() {
    let mut random = Random(1);
    let mut comparison = Comparison::default();
    for (pattern, flags) in COMPARED {
        comparison.pattern(pattern, flags, 8, &mut random);
    }
    comparison.finish(8000);
}

#[test]
fn generated_patterns_are_equal() {
    let mut random = Random(2);
    let mut comparison = Comparison::default();
    for _ in 0..2000 {
        let (pattern, flags) = generate::pattern(&mut random);
        let (ours, theirs) = (read(&pattern, &flags), pcre2(&pattern, &flags));
        let varies = matches!(&ours, Err(error) if error.reason == SyntaxReason::LookBehindVaries);
        assert!(
            varies || ours.is_ok() == theirs.is_ok(),
            "/{pattern}/{flags}: {ours:?}, {theirs:?}"
        );
        comparison.pattern(&pattern, &flags, 4, &mut random);
    }
    comparison.finish(20_000);
}
