//! Rules from a table of tab-separated text or from a directory of SpamAssassin's `.cf` files.
//!
//! Of SpamAssassin's language this reads what a pattern engine needs: `body`, `rawbody`, `uri`,
//! `full`, `header` and `mimeheader` rules with a regular expression, conditional sections, and
//! the tags of its ReplaceTags plugin ([`super::tags`]). Scores, meta rules, `eval:` functions
//! and `exists:` are not patterns and are passed over; `!~` is read as `=~`, because an engine
//! looks for the same thing. Of a rule that is defined again the last definition counts.

#![expect(clippy::disallowed_methods, reason = "reads rules")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use probe::rules::Rule;

use super::tags::Tags;
use crate::error::{Context as _, Error, Result};

/// SpamAssassin's version that conditional sections are read for.
const VERSION: f64 = 4.0;

/// Reads the rules at `path`: a table, or every `.cf` file of a directory in the order of names.
pub(crate) fn read(path: &Path) -> Result<Vec<Rule>> {
    let rules = if path.is_dir() {
        let mut reader = Reader::default();
        for file in files(path)? {
            let text = fs::read(&file).context(file.display().to_string())?;
            reader.file(&text);
        }
        reader.finish()
    } else {
        let text = fs::read(path).context(path.display().to_string())?;
        probe::rules::read(&text)
            .map_err(|error| Error::Missing(format!("{}: {error}", path.display())))?
    };
    if rules.is_empty() {
        return Err(Error::Missing(format!("no rules in {}", path.display())));
    }
    Ok(rules)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let name = || directory.display().to_string();
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).context(name())? {
        let path = entry.context(name())?.path();
        if path.extension().is_some_and(|extension| extension == "cf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What has been read so far. Text is handled as Latin-1, so that each octet is a character.
#[derive(Debug, Default)]
struct Reader {
    rules: BTreeMap<String, (usize, Rule)>,
    tags: Tags,
    /// For each open section whether its lines count.
    sections: Vec<bool>,
}

impl Reader {
    fn file(&mut self, text: &[u8]) {
        self.sections.clear();
        for line in text.split(|byte| *byte == b'\n') {
            let line: String = line.iter().copied().map(char::from).collect();
            self.line(line.trim());
        }
    }

    fn line(&mut self, line: &str) {
        let line = match line.strip_prefix("lang ") {
            Some(rest) => rest
                .trim_start()
                .split_once(' ')
                .map_or("", |(_, rest)| rest),
            None => line,
        };
        let (word, rest) = halves(line);
        match word {
            "ifplugin" => self.sections.push(true),
            "if" => self.sections.push(holds(rest)),
            "else" => {
                if let Some(last) = self.sections.last_mut() {
                    *last = !*last;
                }
            }
            "endif" => {
                self.sections.pop();
            }
            _ if self.sections.contains(&false) || line.starts_with('#') => {}
            "body" | "rawbody" | "uri" | "full" => {
                let (name, rest) = halves(rest);
                self.rule(name, word, rest);
            }
            "header" | "mimeheader" => self.header(word, rest),
            _ => self.tags.line(word, rest),
        }
    }

    fn header(&mut self, kind: &str, rest: &str) {
        let (name, rest) = halves(rest);
        let Some((field, expression)) = rest.split_once("=~").or_else(|| rest.split_once("!~"))
        else {
            return;
        };
        let field = field.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
        if !field.is_empty() && field.chars().all(plain) {
            let scope = format!("{kind}:{}", field.to_ascii_lowercase());
            self.rule(name, &scope, expression);
        }
    }

    fn rule(&mut self, name: &str, scope: &str, expression: &str) {
        let Some((expression, flags)) = undelimited(expression.trim()) else {
            return;
        };
        let place = self.rules.len();
        let rule = Rule {
            name: name.to_owned(),
            scope: scope.to_owned(),
            flags,
            expression: expression
                .chars()
                .filter_map(|c| u8::try_from(c).ok())
                .collect(),
        };
        let place = self.rules.get(name).map_or(place, |(place, _)| *place);
        self.rules.insert(name.to_owned(), (place, rule));
    }

    /// The rules in the order of their first definition, tags replaced, tabs spelled.
    fn finish(self) -> Vec<Rule> {
        let Self { rules, tags, .. } = self;
        let mut rules: Vec<_> = rules.into_values().collect();
        rules.sort_by_key(|(place, _)| *place);
        rules
            .into_iter()
            .map(|(_, mut rule)| {
                let text: String = rule.expression.iter().copied().map(char::from).collect();
                let text = tags.replaced(&rule.name, &text).replace('\t', "\\t");
                rule.expression = text.chars().filter_map(|c| u8::try_from(c).ok()).collect();
                rule
            })
            .collect()
    }
}

/// The first word and what follows it.
fn halves(line: &str) -> (&str, &str) {
    line.split_once(char::is_whitespace)
        .map_or((line, ""), |(word, rest)| (word, rest.trim_start()))
}

/// Whether a condition holds: every plugin and function is there, `!` turns that around, versions
/// are compared.
fn holds(condition: &str) -> bool {
    let condition = condition.trim();
    if condition.starts_with('!') {
        return false;
    }
    let Some((_, rest)) = condition.split_once("version") else {
        return true;
    };
    let number = |text: &str| text.trim_end_matches(')').trim().parse::<f64>().ok();
    let rest = rest.trim_start();
    let compared = [">=", "<=", ">", "<", "=="]
        .into_iter()
        .find_map(|sign| Some((sign, number(rest.strip_prefix(sign)?)?)));
    match compared {
        Some((">=", wanted)) => VERSION >= wanted,
        Some(("<=", wanted)) => VERSION <= wanted,
        Some((">", wanted)) => VERSION > wanted,
        Some(("<", wanted)) => VERSION < wanted,
        _ => true,
    }
}

/// The expression between Perl's delimiters, and its flags; `None` when this is no expression.
fn undelimited(text: &str) -> Option<(String, String)> {
    let (open, body) = match text.strip_prefix('m') {
        Some(rest) => {
            let open = rest.chars().next()?;
            if open.is_alphanumeric() || open.is_whitespace() || open == '_' {
                return None;
            }
            (open, rest.strip_prefix(open)?)
        }
        None => ('/', text.strip_prefix('/')?),
    };
    let close = match open {
        '{' => '}',
        '(' => ')',
        '[' => ']',
        '<' => '>',
        other => other,
    };
    let end = closing(body, open, close)?;
    let (expression, tail) = (body.get(..end)?, body.get(end + close.len_utf8()..)?);
    let flags: String = tail
        .chars()
        .take_while(char::is_ascii_lowercase)
        .filter(|flag| "imsx".contains(*flag))
        .collect();
    Some((without_escapes(expression, open), flags))
}

/// Where the delimiter stands that ends an expression: pairs nest, escaped ones do not count.
fn closing(body: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_u32;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == close {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
        } else if c == open {
            depth += 1;
        }
    }
    None
}

/// An escaped delimiter that means nothing in an expression stands for itself.
fn without_escapes(expression: &str, delimiter: char) -> String {
    if "/!,;~@%\"'#&=:".contains(delimiter) {
        return expression.replace(&format!("\\{delimiter}"), &delimiter.to_string());
    }
    expression.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Vec<Rule> {
        let mut reader = Reader::default();
        reader.file(text.as_bytes());
        reader.finish()
    }

    fn expressions(text: &str) -> Vec<(String, String)> {
        read_text(text)
            .into_iter()
            .map(|rule| (rule.scope, String::from_utf8(rule.expression).unwrap()))
            .collect()
    }

    #[test]
    fn delimiters_and_flags() {
        let cases = [
            ("/a\\/b/i", Some(("a/b", "i"))),
            ("m{a{2}b\\}}ix", Some(("a{2}b\\}", "ix"))),
            ("m!a\\!b!", Some(("a!b", ""))),
            ("m'x'm # comment", Some(("x", "m"))),
            ("/a/ [if-unset: b]", Some(("a", ""))),
            ("/never ends", None),
            ("eval:check_something()", None),
        ];
        for (text, wanted) in cases {
            let wanted = wanted.map(|(e, f)| (e.to_owned(), f.to_owned()));
            assert_eq!(undelimited(text), wanted, "{text}");
        }
    }

    #[test]
    fn kinds_of_rules() {
        let text = "body A /a/\nrawbody B /b/s\nuri C m,c,\nfull D /d/\n\
                    header E Subject =~ /e/i\nheader F From:addr !~ /f/\n\
                    mimeheader G Content-Type =~ /g/\nheader H exists:X\nbody I eval:x()\n\
                    meta J A && B\nscore A 1\nlang de body K /k/\n";
        let wanted = [
            ("body", "a"),
            ("rawbody", "b"),
            ("uri", "c"),
            ("full", "d"),
            ("header:subject", "e"),
            ("header:from:addr", "f"),
            ("mimeheader:content-type", "g"),
            ("body", "k"),
        ];
        let wanted = wanted.map(|(scope, text)| (scope.to_owned(), text.to_owned()));
        assert_eq!(expressions(text), wanted);
    }

    #[test]
    fn sections_choose_one_definition() {
        let text = "ifplugin X\nbody A /one/\nelse\nbody A /two/\nendif\n\
                    if !plugin(X)\nbody B /no/\nelse\nbody B /yes/\nendif\n\
                    if (version >= 4.001)\nbody C /later/\nendif\n\
                    if (version < 5)\nif can(X)\nbody C /now/\nendif\nendif\n";
        let found: Vec<_> = expressions(text).into_iter().map(|(_, e)| e).collect();
        assert_eq!(found, ["one", "yes", "now"]);
    }

    #[test]
    fn the_last_definition_keeps_the_first_place() {
        let found: Vec<_> = expressions("body A /1/\nbody B /2/\nbody A /3/\n");
        assert_eq!(found[0].1, "3");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn octets_stay_and_tabs_are_spelled() {
        let mut reader = Reader::default();
        reader.file(b"body A /\xe9\tb/\n");
        assert_eq!(reader.finish()[0].expression, b"\xe9\\tb");
    }
}
