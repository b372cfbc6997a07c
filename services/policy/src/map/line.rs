//! The lines of a map: what each says, and why one cannot be used.
//!
//! A line of a map of patterns is `/expression/flags`, as Rspamd and mailcow write it: the
//! expression ends at the first slash without a backslash that only flags, blanks and a comment
//! follow, so slashes inside need no backslash. A line of another map is one item. Everything
//! after a `#` at the start or after a blank is a comment; empty lines mean nothing.

use std::collections::HashSet;
use std::fmt;

use patterns::{Compiler, Flags, Pattern, PatternSet, Text};
use rules::PatternText;
use smtp::address::{Address, Domain};

use super::Kind;
use crate::network::Network;
use crate::sender::folded;

/// Octets of a map.
pub const LONGEST_MAP: usize = 8 * 1024 * 1024;
/// Octets of one of its lines.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Lines of a map that are no comments.
pub const MOST_LINES: usize = 200_000;
/// Lines of a map of patterns that are no comments.
pub const MOST_PATTERNS: usize = 50_000;
/// Errors that are reported at once.
pub const MOST_LINE_ERRORS: usize = 100;

/// A line that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which line of the text, counted from 1.
    pub line: usize,
    /// What it says.
    pub entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A pattern.
    Pattern(PatternText),
    /// An address, domain, network or word, in the spelling in which it is compared.
    Item(String),
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("line {line}, column {column}: {reason}")]
pub struct LineError {
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line, counted from 1.
    pub column: usize,
    /// What is wrong, for people.
    pub reason: String,
}

/// The line without its comment; reads again as the same.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => {
                let expression = String::from_utf8_lossy(&pattern.expression);
                write!(f, "/{expression}/{}", pattern.flags)
            }
            Self::Item(item) => f.write_str(item),
        }
    }
}

/// What is wrong with a line, and at which octet of it.
struct Wrong {
    offset: usize,
    reason: String,
}

fn wrong(offset: usize, reason: impl Into<String>) -> Wrong {
    Wrong {
        offset,
        reason: reason.into(),
    }
}

/// Reads a map's text, and compiles its patterns.
///
/// # Errors
/// Every line that cannot be used, in order, but at most [`MOST_LINE_ERRORS`] of them.
pub fn compile_check(kind: Kind, text: &str) -> Result<Vec<Line>, Vec<LineError>> {
    compile_check_since(kind, text, "")
}

/// The same for a text that replaces `known`, whose lines have been compiled before: one changed
/// line among thousands costs one compilation.
///
/// # Errors
/// As [`compile_check`].
pub(crate) fn compile_check_since(
    kind: Kind,
    text: &str,
    known: &str,
) -> Result<Vec<Line>, Vec<LineError>> {
    let (lines, errors) = read(kind, text);
    if !errors.is_empty() {
        return Err(errors);
    }
    if kind == Kind::Pattern {
        let known: HashSet<&str> = known.lines().map(str::trim).collect();
        let contents: Vec<&str> = text.lines().collect();
        let is_new = |line: &&Line| {
            let content = line.line.checked_sub(1).and_then(|at| contents.get(at));
            content.is_none_or(|content| !known.contains(content.trim()))
        };
        let errors = refused(lines.iter().filter(is_new), text);
        if !errors.is_empty() {
            return Err(errors);
        }
    }
    Ok(lines)
}

/// Reads a map's text. The errors are in order, and at most [`MOST_LINE_ERRORS`].
pub(crate) fn read(kind: Kind, text: &str) -> (Vec<Line>, Vec<LineError>) {
    if text.len() > LONGEST_MAP {
        let reason = format!("the map is longer than {LONGEST_MAP} octets");
        return (Vec::new(), vec![error(1, "", wrong(0, reason))]);
    }
    let most = match kind {
        Kind::Pattern => MOST_PATTERNS,
        _ => MOST_LINES,
    };
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    for (number, content) in (1..).zip(text.lines()) {
        match entry(kind, content) {
            Ok(None) => {}
            Ok(Some(_)) if lines.len() >= most => {
                let reason = format!("such a map has at most {most} lines");
                errors.push(error(number, content, wrong(0, reason)));
                break;
            }
            Ok(Some(entry)) => lines.push(Line {
                line: number,
                entry,
            }),
            Err(wrong) => errors.push(error(number, content, wrong)),
        }
        if errors.len() >= MOST_LINE_ERRORS {
            break;
        }
    }
    (lines, errors)
}

fn error(line: usize, content: &str, wrong: Wrong) -> LineError {
    let before = content
        .char_indices()
        .take_while(|(at, _)| *at < wrong.offset);
    LineError {
        line,
        column: before.count() + 1,
        reason: wrong.reason,
    }
}

fn entry(kind: Kind, line: &str) -> Result<Option<Entry>, Wrong> {
    let content = line.trim();
    let start = line.len() - line.trim_start().len();
    if content.is_empty() || content.starts_with('#') {
        return Ok(None);
    }
    if line.len() > LONGEST_LINE {
        return Err(wrong(
            0,
            format!("the line is longer than {LONGEST_LINE} octets"),
        ));
    }
    if let Some(place) = content.find('\0') {
        return Err(wrong(start + place, "a NUL character"));
    }
    let shifted = |Wrong { offset, reason }| wrong(start + offset, reason);
    let entry = match kind {
        Kind::Pattern => pattern(content).map(Entry::Pattern),
        _ => item(kind, without_comment(content)).map(Entry::Item),
    };
    entry.map(Some).map_err(shifted)
}

fn without_comment(content: &str) -> &str {
    let mut blank = false;
    let comment = content.find(|character: char| {
        let found = blank && character == '#';
        blank = character.is_whitespace();
        found
    });
    comment.map_or(content, |place| {
        content.get(..place).unwrap_or(content).trim_end()
    })
}

fn item(kind: Kind, content: &str) -> Result<String, Wrong> {
    let sentence = |error: &dyn fmt::Display| wrong(0, error.to_string());
    match kind {
        Kind::Pattern | Kind::Word if content.len() > rules::MAX_ITEM => Err(wrong(
            0,
            format!("an item has at most {} octets", rules::MAX_ITEM),
        )),
        Kind::Pattern | Kind::Word => Ok(content.to_owned()),
        Kind::Address => Address::parse(content)
            .map(|address| folded(&address))
            .map_err(|error| sentence(&error)),
        Kind::Domain => {
            let name = content
                .strip_prefix("*.")
                .or_else(|| content.strip_prefix('.'))
                .or_else(|| content.strip_prefix('@'))
                .unwrap_or(content);
            Domain::parse(name)
                .map(|domain| domain.as_str().to_owned())
                .map_err(|error| sentence(&error))
        }
        Kind::Network => content
            .parse::<Network>()
            .map(|network| network.to_string())
            .map_err(|error| sentence(&error)),
        Kind::System => {
            let digits = content
                .strip_prefix("AS")
                .or_else(|| content.strip_prefix("as"))
                .unwrap_or(content);
            match digits.parse::<u32>() {
                Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Ok(number.to_string())
                }
                _ => Err(wrong(0, "not the number of an autonomous system")),
            }
        }
    }
}

/// Flags of Rspamd that say how an expression is run, not what it means.
const NO_MEANING: [char; 3] = ['O', 'r', 'L'];

fn pattern(content: &str) -> Result<PatternText, Wrong> {
    if !content.starts_with('/') {
        return Err(wrong(0, "a pattern is written /expression/flags"));
    }
    let mut escaped = false;
    let mut last = None;
    for (place, byte) in content.bytes().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == b'/' {
            let rest = content.get(place + 1..).unwrap_or_default();
            if let Some(letters) = letters_before_end(rest) {
                return finished(content, place, letters);
            }
            last = Some(place);
        }
    }
    Err(match last {
        None => wrong(content.len(), "the pattern is not closed by a slash"),
        Some(place) => wrong(
            place + 1,
            "something other than flags follows the last slash",
        ),
    })
}

/// The letters at the start, when nothing but blanks and a comment follows them.
fn letters_before_end(rest: &str) -> Option<&str> {
    let end = rest
        .find(|character: char| !character.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (letters, after) = rest.split_at_checked(end)?;
    let comment = after.trim_start();
    let blank = comment.len() < after.len();
    (comment.is_empty() || (blank && comment.starts_with('#'))).then_some(letters)
}

fn finished(content: &str, place: usize, letters: &str) -> Result<PatternText, Wrong> {
    let expression = content.get(1..place).unwrap_or_default();
    if expression.is_empty() {
        return Err(wrong(0, "an empty pattern matches everything"));
    }
    let known: String = letters
        .chars()
        .filter(|letter| !NO_MEANING.contains(letter))
        .collect();
    let flags = Flags::parse(&known).map_err(|unknown| {
        let at = letters.find(unknown.0).unwrap_or(0);
        wrong(place + 1 + at, unknown.to_string())
    })?;
    Ok(PatternText {
        expression: expression.into(),
        flags,
    })
}

/// The patterns that the engine does not take.
fn refused<'l>(lines: impl Iterator<Item = &'l Line>, text: &str) -> Vec<LineError> {
    let mut set = PatternSet::new();
    let mut errors = Vec::new();
    for line in lines {
        let Entry::Pattern(pattern) = &line.entry else {
            continue;
        };
        let added = u32::try_from(line.line).map_err(|_| "too many lines".to_owned());
        let added = added.and_then(|id| {
            let pattern = Pattern {
                id,
                expression: pattern.expression.clone(),
                flags: pattern.flags,
            };
            set.add("map", Text::Prose, pattern)
                .map_err(|error| error.to_string())
        });
        if let Err(reason) = added {
            errors.push((line.line, reason));
        }
    }
    let compiled = Compiler::new().compile(&set, None);
    let refused = compiled.refused.into_iter();
    errors.extend(refused.filter_map(|one| Some((usize::try_from(one.id).ok()?, one.reason))));
    errors.sort_by_key(|(line, _)| *line);
    errors.truncate(MOST_LINE_ERRORS);
    let mut contents = (1..).zip(text.lines());
    let placed = errors.into_iter().filter_map(|(line, reason)| {
        let (_, content) = contents.find(|(number, _)| *number == line)?;
        Some(error(line, content, placed(content, &reason)))
    });
    placed.collect()
}

/// Takes the place out of the engine's sentence, `at byte 5: …`.
fn placed(content: &str, reason: &str) -> Wrong {
    let start = content.len() - content.trim_start().len() + 1;
    let parts = reason
        .strip_prefix("at byte ")
        .and_then(|rest| rest.split_once(": "));
    match parts {
        Some((offset, reason)) => wrong(start + offset.parse().unwrap_or(0), reason),
        None => wrong(start, reason),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns_of(text: &str) -> Vec<String> {
        let lines = compile_check(Kind::Pattern, text).unwrap();
        lines.iter().map(|line| line.entry.to_string()).collect()
    }

    #[test]
    fn patterns_are_read_as_mailcow_writes_them() {
        for (written, wanted) in [
            ("/free money/i", "/free money/i"),
            ("  /x/si  \r", "/x/is"),
            ("/x/ # why", "/x/"),
            ("/x/i # a/b", "/x/i"),
            ("/http://a.test/i", "/http://a.test/i"),
            (r"/a\/b/", r"/a\/b/"),
            ("/a/b/i", "/a/b/i"),
            ("/#x/", "/#x/"),
            ("/a #b/", "/a #b/"),
            ("/x/iOr", "/x/i"),
            (r"/(?<!a)b(?=c)(d)\1/", r"/(?<!a)b(?=c)(d)\1/"),
        ] {
            assert_eq!(patterns_of(written), [wanted], "{written}");
            assert_eq!(patterns_of(wanted), [wanted]);
        }
        assert!(patterns_of("# only\n\n   # comments\n").is_empty());
    }

    #[test]
    fn a_bad_line_is_refused_with_its_place() {
        for (text, line, column, reason) in [
            ("free money", 1, 1, "a pattern is written"),
            ("# c\n/open", 2, 6, "not closed"),
            ("//i", 1, 1, "empty pattern"),
            ("/ä/q", 1, 4, "unknown flag 'q'"),
            ("/x/i 5.0", 1, 4, "something other than flags"),
            ("/ok/\n  /aä(b/i\n", 2, 6, "the group is not closed"),
            ("/a{2,1}/", 1, 3, "out of order"),
            (
                "/x(?R)/",
                1,
                3,
                "recursions and calls of groups are not supported",
            ),
            ("/(?<=a+)b/", 1, 2, "fixed length"),
            ("/a\0/", 1, 3, "NUL"),
        ] {
            let errors = compile_check(Kind::Pattern, text).unwrap_err();
            let [error] = errors.as_slice() else {
                panic!("{text}: {errors:?}")
            };
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{text}: {error}"
            );
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn all_bad_lines_are_reported_in_order_up_to_a_limit() {
        let errors = compile_check(Kind::Pattern, "/a(/\n/b/\n/c)/\n/d[/").unwrap_err();
        assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [1, 3, 4]);
        let many = "x\n".repeat(1_000);
        let errors = compile_check(Kind::Pattern, &many).unwrap_err();
        assert_eq!(errors.len(), MOST_LINE_ERRORS);
    }

    #[test]
    fn items_get_the_spelling_in_which_they_are_compared() {
        for (kind, written, wanted) in [
            (Kind::Address, "Ann@Example.TEST # hers", "ann@example.test"),
            (Kind::Domain, "*.Bücher.test", "xn--bcher-kva.test"),
            (Kind::Domain, "@example.test", "example.test"),
            (Kind::Network, "192.0.2.9/24 #x", "192.0.2.0/24"),
            (Kind::Word, "two words # three", "two words"),
            (Kind::Word, "c#", "c#"),
            (Kind::System, "AS64496", "64496"),
            (Kind::System, "64497 # them", "64497"),
        ] {
            let lines = compile_check(kind, written).unwrap();
            assert_eq!(lines[0].entry, Entry::Item(wanted.into()), "{written}");
        }
        for (kind, text) in [
            (Kind::Address, "nobody"),
            (Kind::Domain, "exa mple"),
            (Kind::Network, "192.0.2.0/40"),
            (Kind::System, "AS"),
            (Kind::System, "+5"),
        ] {
            let errors = compile_check(kind, text).unwrap_err();
            assert_eq!((errors[0].line, errors[0].column), (1, 1), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_much_is_refused() {
        let long = format!("/{}/", "x".repeat(LONGEST_LINE));
        let errors = compile_check(Kind::Pattern, &long).unwrap_err();
        assert!(errors[0].reason.contains("longer than"));
        let errors = compile_check(Kind::Word, &"w\n".repeat(MOST_LINES + 1)).unwrap_err();
        assert_eq!(errors[0].line, MOST_LINES + 1);
        let errors = compile_check(Kind::Word, &"#".repeat(LONGEST_MAP + 1)).unwrap_err();
        assert_eq!(errors.len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_accepted_reads_again_as_the_same(
            kind in 0..Kind::ALL.len(),
            text in "([/ab()*#\\\\ .@1:\\[\\]i\r]{0,12}(/[imsxuOr]{0,2})?( #[/a]{0,3})?\n){0,3}",
        ) {
            let kind = Kind::ALL[kind];
            if let Ok(lines) = compile_check(kind, &text) {
                let entries: Vec<_> = lines.into_iter().map(|line| line.entry).collect();
                let printed: Vec<_> = entries.iter().map(ToString::to_string).collect();
                let again = compile_check(kind, &printed.join("\n")).unwrap();
                let again: Vec<_> = again.into_iter().map(|line| line.entry).collect();
                prop_assert_eq!(again, entries);
            }
        }
    }
}
