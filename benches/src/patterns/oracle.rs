//! PCRE2: what a right answer is, and what confirms the hits of prefilters.

#![expect(clippy::disallowed_methods, reason = "keeps answers between runs")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pcre2::bytes::{Regex, RegexBuilder};
use probe::rules::{self, Numbered, Rule};
use probe::stream::Stream;

use crate::error::{Context as _, Result};
use crate::report::progress;

/// Stack for the compiled code of one pattern.
const STACK: usize = 4 << 20;
/// Changes when a stored answer could be another one.
const FORM: &[u8] = b"muskox patterns oracle 1";

/// A haystack's place in its stream and the number of a rule.
pub(crate) type Pair = (u32, u32);

/// What PCRE2 says about all rules and all haystacks of a scope.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) matches: BTreeSet<Pair>,
    /// Where it ran into its limits and says nothing.
    pub(crate) unknown: BTreeSet<Pair>,
    /// Rules it does not compile.
    pub(crate) refused: BTreeSet<u32>,
}

/// A rule as PCRE2 compiles it for speed; `None` when it refuses the expression.
pub(crate) fn compile(rule: &Rule) -> Option<Regex> {
    RegexBuilder::new()
        .caseless(rule.has('i'))
        .dotall(rule.has('s'))
        .multi_line(rule.has('m'))
        .extended(rule.has('x'))
        .utf(rule.has('u'))
        .jit_if_available(true)
        .max_jit_stack_size(Some(STACK))
        .build(&rules::ascii(&rule.expression))
        .ok()
}

/// Some rules compiled, by their numbers.
#[derive(Debug)]
pub(crate) struct Oracle(BTreeMap<u32, Regex>);

impl Oracle {
    /// Compiles `rules`; those that PCRE2 refuses are left out.
    pub(crate) fn new<'a>(rules: impl IntoIterator<Item = Numbered<'a>>) -> Self {
        let compiled = rules
            .into_iter()
            .filter_map(|(id, rule)| Some((id, compile(rule)?)));
        Self(compiled.collect())
    }

    /// Whether the rule matches; `None` for one that is not here or ran into a limit.
    pub(crate) fn matches(&self, id: u32, haystack: &[u8]) -> Option<bool> {
        self.0.get(&id)?.is_match(haystack).ok()
    }

    /// The numbers of its rules.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }
}

/// Tries every rule on every haystack, or reads what an earlier run found for the same octets.
pub(crate) fn truth(cache: &Path, rules: &[Numbered<'_>], stream: &Stream) -> Result<Truth> {
    let path = place(cache, rules, stream);
    if let Some(truth) = fs::read(&path).ok().and_then(|bytes| decode(&bytes)) {
        return Ok(truth);
    }
    progress(&format!(
        "asking PCRE2 about {} rules and {} octets",
        rules.len(),
        stream.size()
    ));
    let oracle = Oracle::new(rules.iter().copied());
    let mut truth = Truth::default();
    for (id, _) in rules {
        if !oracle.0.contains_key(id) {
            truth.refused.insert(*id);
        }
    }
    for (number, haystack) in (0..).zip(stream.haystacks()) {
        for id in oracle.ids() {
            match oracle.matches(id, haystack) {
                Some(true) => truth.matches.insert((number, id)),
                Some(false) => false,
                None => truth.unknown.insert((number, id)),
            };
        }
    }
    fs::write(&path, encode(&truth)).context(path.display().to_string())?;
    Ok(truth)
}

fn place(cache: &Path, rules: &[Numbered<'_>], stream: &Stream) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    hasher.update(FORM);
    for (id, rule) in rules {
        hasher.update(&id.to_le_bytes());
        hasher.update(&rules::write([*rule]));
    }
    hasher.update(&stream.to_bytes());
    cache.join(format!("pcre2-{}", hasher.finalize().to_hex()))
}

/// Three lists: each its length and its numbers, 32 bits little-endian.
fn encode(truth: &Truth) -> Vec<u8> {
    let pairs = |pairs: &BTreeSet<Pair>| -> Vec<u32> {
        pairs.iter().flat_map(|(place, id)| [*place, *id]).collect()
    };
    let refused: Vec<u32> = truth.refused.iter().copied().collect();
    let mut out = Vec::new();
    for list in [pairs(&truth.matches), pairs(&truth.unknown), refused] {
        let length = u32::try_from(list.len()).unwrap_or(u32::MAX);
        out.extend(length.to_le_bytes());
        out.extend(list.into_iter().flat_map(u32::to_le_bytes));
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Truth> {
    let mut numbers = bytes
        .chunks(4)
        .map(|chunk| chunk.try_into().ok().map(u32::from_le_bytes));
    let mut list = || -> Option<Vec<u32>> {
        let length = numbers.next()??;
        (0..length).map(|_| numbers.next()?).collect()
    };
    let pairs = |list: &[u32]| {
        list.chunks(2)
            .map(|pair| Some((*pair.first()?, *pair.get(1)?)))
            .collect::<Option<BTreeSet<Pair>>>()
    };
    Some(Truth {
        matches: pairs(&list()?)?,
        unknown: pairs(&list()?)?,
        refused: list()?.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(expression: &str, flags: &str) -> Rule {
        Rule {
            name: "R".to_owned(),
            scope: "body".to_owned(),
            flags: flags.to_owned(),
            expression: expression.as_bytes().to_vec(),
        }
    }

    #[test]
    fn truth_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let rules = [rule(r"(\w)\1", "i"), rule("(", ""), rule("^b.c$", "ms")];
        let rules: Vec<_> = rules::numbered(&rules).collect();
        let mut stream = Stream::default();
        stream.push(0, b"Aa");
        stream.push(1, b"x\nb\nc");
        let first = truth(directory.path(), &rules, &stream).unwrap();
        assert_eq!(first.matches, BTreeSet::from([(0, 0), (1, 2)]));
        assert_eq!(first.refused, BTreeSet::from([1]));
        assert_eq!(decode(&encode(&first)).as_ref(), Some(&first));
        assert_eq!(truth(directory.path(), &rules, &stream).unwrap(), first);
    }

    #[test]
    fn a_cut_answer_is_none() {
        let bytes = encode(&Truth {
            matches: BTreeSet::from([(1, 2)]),
            ..Truth::default()
        });
        assert!(decode(&bytes).is_some());
        assert!(bytes.len() > 4 && decode(&bytes[..bytes.len() - 1]).is_none());
    }
}
