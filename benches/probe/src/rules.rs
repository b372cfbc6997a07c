//! Rules as lines of tab-separated text: `name`, `scope`, `flags`, `expression`.
//!
//! The expression is octets, and a tab in it is written as `\t`. The number of a rule is its place
//! among the rules of the file, counted from 0; empty lines are passed over.

use crate::error::{Error, Result};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// What its author calls it.
    pub name: String,
    /// Which text it looks at: `body`, `header:subject`, …
    pub scope: String,
    /// Perl's letters: `i`, `m`, `s`, `x`, and `u` for UTF-8.
    pub flags: String,
    /// The expression without its delimiters.
    pub expression: Vec<u8>,
}

impl Rule {
    /// Whether its flags have this letter.
    #[must_use]
    pub fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }
}

/// A rule and its number.
pub type Numbered<'a> = (u32, &'a Rule);

/// Each rule with its number.
pub fn numbered(rules: &[Rule]) -> impl Iterator<Item = Numbered<'_>> {
    (0..).zip(rules)
}

/// Reads rules.
///
/// # Errors
/// [`Error::Form`] names the line that has fewer than four fields or a name that is no UTF-8.
pub fn read(text: &[u8]) -> Result<Vec<Rule>> {
    let lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    (1..)
        .zip(lines)
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            parse(line).ok_or_else(|| Error::Form(format!("line {number} is no rule")))
        })
        .collect()
}

fn parse(line: &[u8]) -> Option<Rule> {
    let mut fields = line.splitn(4, |byte| *byte == b'\t');
    let mut word = || Some(std::str::from_utf8(fields.next()?).ok()?.to_owned());
    let (name, scope, flags) = (word()?, word()?, word()?);
    Some(Rule {
        name,
        scope,
        flags,
        expression: fields.next()?.to_vec(),
    })
}

/// Writes rules as [`read`] reads them.
#[must_use]
pub fn write<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Vec<u8> {
    let mut out = Vec::new();
    for rule in rules {
        out.extend_from_slice(rule.name.as_bytes());
        out.push(b'\t');
        out.extend_from_slice(rule.scope.as_bytes());
        out.push(b'\t');
        out.extend_from_slice(rule.flags.as_bytes());
        out.push(b'\t');
        out.extend_from_slice(&rule.expression);
        out.push(b'\n');
    }
    out
}

/// The expression in ASCII: octets above 127 as `\xHH`, which mean the same to every engine that
/// reads patterns as octets.
#[must_use]
pub fn ascii(expression: &[u8]) -> String {
    let mut out = String::with_capacity(expression.len());
    for byte in expression {
        if byte.is_ascii() && *byte != 0 {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_lines() {
        let text = b"A\tbody\ti\tfoo\\tbar\nB\theader:subject\t\t\xe9\n";
        let rules = read(text).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].expression, br"foo\tbar");
        assert!(rules[0].has('i') && !rules[0].has('m'));
        assert_eq!(ascii(&rules[1].expression), r"\xe9");
        assert_eq!(write(&rules), text);
    }

    #[test]
    fn a_line_without_four_fields_is_an_error() {
        let error = read(b"A\tbody\ti\tx\nB\tbody\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 is no rule");
    }
}
