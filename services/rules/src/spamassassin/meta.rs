//! Rules made of other rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::expression::Expression;
use crate::limits::MAX_EXPRESSION;

const MATCHING: &str = "rules_matching(";

/// Reads the expression of a `meta` rule. `rules_matching(GLOB)` is the sum of the rules whose
/// symbols match, out of those that are defined.
///
/// # Errors
///
/// Why it is no expression.
pub(super) fn read(text: &str, symbols: &BTreeSet<String>) -> Result<Expression, String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MATCHING) {
        let (glob, after) = after
            .split_once(')')
            .ok_or_else(|| "rules_matching is not closed".to_owned())?;
        let glob = glob.trim();
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_*?".contains(&byte);
        if glob.is_empty() || glob.len() > 100 || !glob.bytes().all(sound) {
            return Err("rules_matching has no symbol with * or ?".to_owned());
        }
        plain.push_str(before);
        plain.push('(');
        let mut sign = "";
        for symbol in symbols.iter().filter(|symbol| matches(glob, symbol)) {
            plain.push_str(sign);
            plain.push_str(symbol);
            sign = " + ";
            if plain.len() > MAX_EXPRESSION {
                return Err("rules_matching stands for too many rules".to_owned());
            }
        }
        plain.push_str(if sign.is_empty() { "0)" } else { ")" });
        rest = after;
    }
    plain.push_str(rest);
    Expression::parse(&plain).map_err(|error| error.to_string())
}

/// Whether an expression compares the symbol with a number other than 0: whether it counts.
pub(super) fn counts(text: &str, symbol: &str) -> bool {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices(symbol).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let Some(after) = rest.strip_prefix(symbol) else {
            return false;
        };
        if before.ends_with(word) || after.starts_with(word) {
            return false;
        }
        let after = after.trim_start();
        let Some(bound) = after.strip_prefix(['<', '>', '=', '*', '/', '+', '-']) else {
            return false;
        };
        let bound = bound.trim_start_matches('=').trim_start();
        let end = bound
            .find(|letter: char| !word(letter))
            .unwrap_or(bound.len());
        bound.split_at(end).0 != "0"
    })
}

/// Whether a glob matches a whole name. Steps back to the last `*` only, so the time is at most
/// the product of the lengths.
fn matches(glob: &str, name: &str) -> bool {
    let (glob, name) = (glob.as_bytes(), name.as_bytes());
    let (mut at_glob, mut at_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(at_name) {
        match glob.get(at_glob) {
            Some(b'*') => {
                star = Some((at_glob + 1, at_name));
                at_glob += 1;
            }
            Some(&sign) if sign == b'?' || sign == byte => {
                at_glob += 1;
                at_name += 1;
            }
            _ => match &mut star {
                Some((after, from)) => {
                    *from += 1;
                    (at_glob, at_name) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    glob.get(at_glob..)
        .unwrap_or_default()
        .iter()
        .all(|&sign| sign == b'*')
}

/// The rules that stand in circles, and those between two circles.
pub(super) fn circles<'s>(depends: &BTreeMap<&'s str, Vec<&'s str>>) -> BTreeSet<&'s str> {
    let mut left: BTreeSet<&str> = depends.keys().copied().collect();
    let mut backwards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (&rule, parts) in depends {
        for &part in parts.iter().filter(|part| depends.contains_key(*part)) {
            backwards.entry(part).or_default().push(rule);
        }
    }
    strip(&mut left, depends, &backwards);
    strip(&mut left, &backwards, depends);
    left
}

/// Takes away what follows from nothing that is left, until all that is left follows from more.
fn strip<'s>(
    left: &mut BTreeSet<&'s str>,
    from: &BTreeMap<&'s str, Vec<&'s str>>,
    to: &BTreeMap<&'s str, Vec<&'s str>>,
) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for &rule in left.iter() {
        let known = from.get(rule).map_or(0, |parts| {
            parts.iter().filter(|part| left.contains(*part)).count()
        });
        counts.insert(rule, known);
    }
    let free = counts.iter().filter(|(_, count)| **count == 0);
    let mut free: Vec<&str> = free.map(|(rule, _)| *rule).collect();
    while let Some(rule) = free.pop() {
        left.remove(rule);
        for next in to.get(rule).into_iter().flatten() {
            if let Some(count) = counts.get_mut(next).filter(|count| **count > 0) {
                *count -= 1;
                if *count == 0 {
                    free.push(next);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_matching_is_a_sum() {
        let symbols = ["__FOO_A", "__FOO_B", "BAR"].map(str::to_owned).into();
        let text = |text: &str| read(text, &symbols).map(|found| found.text().to_owned());
        assert_eq!(
            text("rules_matching(__FOO_*) > 1 && !BAR"),
            Ok("(__FOO_A + __FOO_B) > 1 && !BAR".to_owned())
        );
        assert_eq!(text("rules_matching(X*)"), Ok("(0)".to_owned()));
        for wrong in [
            "rules_matching(",
            "rules_matching()",
            "rules_matching(a b)",
            "A &&",
            "",
        ] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_counts_is_told_from_what_asks() {
        for (text, expected) in [
            ("(A > 0) && (A < 64)", true),
            ("A>=2", true),
            ("A + B", true),
            ("(A > 0)", false),
            ("A && B < 3", false),
            ("AA > 3 || B_A > 3", false),
            ("", false),
        ] {
            assert_eq!(counts(text, "A"), expected, "{text}");
        }
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, expected) in [
            ("A*", "ABC", true),
            ("*C", "ABC", true),
            ("A*B*C", "AxBxBxC", true),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("A", "AB", false),
            ("*", "", true),
            ("*B", "ABC", false),
        ] {
            assert_eq!(matches(glob, name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn circles_are_found() {
        let depends = BTreeMap::from([
            ("A", vec!["B", "X"]),
            ("B", vec!["C"]),
            ("C", vec!["B"]),
            ("D", vec!["D"]),
            ("E", vec!["A"]),
            ("F", vec![]),
        ]);
        let found: Vec<&str> = circles(&depends).into_iter().collect();
        assert_eq!(found, ["B", "C", "D"]);
    }
}
