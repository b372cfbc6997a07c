//! SpamAssassin's ReplaceTags: names in angle brackets that stand for pieces of a pattern.
//!
//! `replace_tag A [aA4]` makes `<A>` in the rules that `replace_rules` lists mean `[aA4]`.
//! `<pre X>`, `<post X>` and `<inter X>` anywhere in a rule put a piece in front of each tag,
//! behind each, and between two that touch. Replacements may hold tags: six passes are made.

use std::collections::{BTreeMap, BTreeSet};

/// How often replacements are replaced.
const PASSES: usize = 6;

/// The definitions of a rule set.
#[derive(Debug, Default)]
pub(super) struct Tags {
    tags: BTreeMap<String, String>,
    before: BTreeMap<String, String>,
    behind: BTreeMap<String, String>,
    between: BTreeMap<String, String>,
    rules: BTreeSet<String>,
}

impl Tags {
    /// Takes a line of configuration: its first word and the rest.
    pub(super) fn line(&mut self, word: &str, rest: &str) {
        let map = match word {
            "replace_tag" => &mut self.tags,
            "replace_pre" => &mut self.before,
            "replace_post" => &mut self.behind,
            "replace_inter" => &mut self.between,
            "replace_rules" => {
                self.rules
                    .extend(rest.split_whitespace().map(str::to_owned));
                return;
            }
            _ => return,
        };
        if let Some((name, value)) = rest.split_once(char::is_whitespace) {
            map.insert(name.to_owned(), value.trim().to_owned());
        }
    }

    /// The expression of the rule `name` with its tags replaced.
    pub(super) fn replaced(&self, name: &str, expression: &str) -> String {
        let mut text = expression.to_owned();
        if !self.rules.contains(name) {
            return text;
        }
        for _ in 0..PASSES {
            let next = self.pass(&text);
            if next == text {
                break;
            }
            text = next;
        }
        text
    }

    fn pass(&self, expression: &str) -> String {
        let mut text = expression.to_owned();
        let before = modifier(&mut text, "pre").and_then(|name| self.before.get(&name));
        let behind = modifier(&mut text, "post").and_then(|name| self.behind.get(&name));
        let between = modifier(&mut text, "inter").and_then(|name| self.between.get(&name));
        let mut out = String::new();
        let mut touches = false;
        let mut rest = text.as_str();
        while let Some((plain, tag, tail)) = next_tag(rest) {
            out.push_str(plain);
            if touches && plain.is_empty() {
                out.push_str(between.map_or("", String::as_str));
            }
            out.push_str(before.map_or("", String::as_str));
            match self.tags.get(tag) {
                Some(value) => out.push_str(value),
                None => {
                    out.push('<');
                    out.push_str(tag);
                    out.push('>');
                }
            }
            out.push_str(behind.map_or("", String::as_str));
            touches = true;
            rest = tail;
        }
        out.push_str(rest);
        out
    }
}

/// The text up to the next tag, the tag's name, and what follows. A group's name or a look-behind
/// has `?` in front of its bracket and is no tag.
fn next_tag(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find('<')?;
        let inner = text.get(open + 1..)?;
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let plain = text.get(..open)?;
        let named = plain.ends_with("(?") || plain.ends_with("(?P");
        if end > 0 && inner.get(end..)?.starts_with('>') && !named {
            return Some((plain, inner.get(..end)?, inner.get(end + 1..)?));
        }
        from = open + 1;
    }
}

/// Takes `<kind NAME>` out of `text`.
fn modifier(text: &mut String, kind: &str) -> Option<String> {
    let opening = format!("<{kind} ");
    let start = text.find(&opening)?;
    let length = text.get(start..)?.find('>')?;
    let name = text.get(start + opening.len()..start + length)?.to_owned();
    text.replace_range(start..=start + length, "");
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Tags {
        let mut tags = Tags::default();
        for (word, rest) in [
            ("replace_tag", "A [a4]"),
            ("replace_tag", "B (?:b|<C>)"),
            ("replace_tag", "C [c(]"),
            ("replace_inter", "W1 \\W?"),
            ("replace_post", "P2 {1,2}"),
            ("replace_pre", "N (?!x)"),
            ("replace_rules", "R S"),
        ] {
            tags.line(word, rest);
        }
        tags
    }

    #[test]
    fn tags_and_their_neighbours() {
        let cases = [
            ("x<A>y", "x[a4]y"),
            ("<inter W1><A><A>-<A>", r"[a4]\W?[a4]-[a4]"),
            ("<post P2><A>z", "[a4]{1,2}z"),
            ("<pre N><A>", "(?!x)[a4]"),
            ("<B>", "(?:b|[c(])"),
            ("<unknown>", "<unknown>"),
            ("(?<A>z)(?<=<A>)", "(?<A>z)(?<=[a4])"),
            ("<a href=<A>", "<a href=[a4]"),
        ];
        for (text, wanted) in cases {
            assert_eq!(tags().replaced("R", text), wanted, "{text}");
        }
    }

    #[test]
    fn only_listed_rules_are_touched() {
        assert_eq!(tags().replaced("T", "<A>"), "<A>");
    }
}
