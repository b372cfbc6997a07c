//! Rules made from the corpus's own words, the same ones every time: lists of words, and large
//! sets of words, phrases with alternations, gaps and spellings with look-alikes.

use std::collections::BTreeMap;

use probe::rules::Rule;
use probe::stream::Stream;

/// Letters of a word that is used.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=12;
/// A word that occurs more often is no rare one.
const MOST_OCCURRENCES: u32 = 20;
/// Letters and what spammers write instead.
const LOOK_ALIKES: &[(char, &str)] = &[
    ('a', "[a4@]"),
    ('e', "[e3]"),
    ('i', "[i1l!|]"),
    ('o', "[o0]"),
    ('s', "[s5$]"),
    ('t', "[t7+]"),
];

/// The rarer words of `stream` in lower case, in an order that has nothing to do with the alphabet.
pub(crate) fn words(stream: &Stream) -> Vec<String> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for haystack in stream.haystacks() {
        for word in haystack.split(|byte| !byte.is_ascii_alphabetic()) {
            if LENGTHS.contains(&word.len()) {
                let word = word
                    .iter()
                    .map(|byte| char::from(byte.to_ascii_lowercase()));
                *counts.entry(word.collect()).or_default() += 1;
            }
        }
    }
    let mut words: Vec<String> = counts
        .into_iter()
        .filter(|(_, count)| *count <= MOST_OCCURRENCES)
        .map(|(word, _)| word)
        .collect();
    words.sort_by_cached_key(|word| *blake3::hash(word.as_bytes()).as_bytes());
    words
}

/// The first `count` words as case-insensitive rules.
pub(crate) fn literals(words: &[String], count: usize) -> Vec<Rule> {
    words
        .iter()
        .take(count)
        .enumerate()
        .map(|(number, word)| rule(number, word.clone()))
        .collect()
}

/// `count` rules of several kinds; empty when there are no words.
pub(crate) fn mixture(words: &[String], count: usize) -> Vec<Rule> {
    let mut dice = Dice(0x6D75_736B_6F78);
    (0..count)
        .map_while(|number| Some(rule(number, expression(words, &mut dice)?)))
        .collect()
}

fn rule(number: usize, expression: String) -> Rule {
    Rule {
        name: format!("GENERATED_{number}"),
        scope: "body".to_owned(),
        flags: "i".to_owned(),
        expression: expression.into_bytes(),
    }
}

fn expression(words: &[String], dice: &mut Dice) -> Option<String> {
    let kind = dice.below(20);
    let mut word = || {
        let at = dice.below(words.len());
        words.get(at).map(String::as_str)
    };
    Some(match kind {
        0..=7 => format!(r"\b{}\b", word()?),
        8..=10 => format!(r"{}\s+{}", word()?, word()?),
        11 | 12 => format!(
            r"\b{} (?:{}|{}|{}) {}\b",
            word()?,
            word()?,
            word()?,
            word()?,
            word()?
        ),
        13..=16 => format!("{}.{{0,40}}{}", word()?, word()?),
        17 | 18 => format!(
            r"(?:{}|{}|{})\W{{0,2}}(?:{}|{})",
            word()?,
            word()?,
            word()?,
            word()?,
            word()?
        ),
        _ => {
            let mut out = String::new();
            for letter in word()?.chars() {
                match LOOK_ALIKES.iter().find(|(plain, _)| *plain == letter) {
                    Some((_, class)) => out.push_str(class),
                    None => out.push(letter),
                }
            }
            format!(r"\b{out}\b")
        }
    })
}

/// SplitMix64: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        let mut stream = Stream::default();
        stream.push(0, b"Common common words, and an extraordinarily long one.");
        for _ in 0..20 {
            stream.push(1, b"common");
        }
        stream
    }

    #[test]
    fn rare_words_of_a_fitting_length() {
        let mut words = words(&stream());
        words.sort();
        assert_eq!(words, ["long", "words"]);
    }

    #[test]
    fn sets_are_the_same_every_time_and_compile() {
        let words: Vec<String> = ["alpha", "beta", "gamma", "delta", "epsilon"]
            .map(str::to_owned)
            .to_vec();
        let rules = mixture(&words, 200);
        assert_eq!(rules, mixture(&words, 200));
        assert_eq!(rules.len(), 200);
        assert!(
            rules
                .iter()
                .all(|rule| super::super::oracle::compile(rule).is_some())
        );
        let gaps = rules.iter().filter(|rule| rule.expression.contains(&b'{'));
        assert!(gaps.count() > 20);
        assert!(mixture(&[], 5).is_empty());
    }
}
