//! Tags of patterns: `<A>` in the pattern of a rule named by `replace_rules` stands for what
//! `replace_tag A` says.
//!
//! `<pre P>`, `<inter I>` and `<post Q>` in a pattern name what stands before each tag, between
//! tags that follow each other at once, and after each tag.

use std::collections::{BTreeMap, BTreeSet};

use patterns::Flags;

use super::line::{word, words};

/// The most octets a pattern may grow to by its tags.
pub const MAX_EXPANSION: usize = 1 << 20;
/// How often tags in what tags stand for are replaced.
const PASSES: usize = 6;

/// What `replace_` directives have said.
#[derive(Debug, Clone)]
pub(super) struct Tags {
    start: u8,
    end: u8,
    tag: BTreeMap<String, Vec<u8>>,
    pre: BTreeMap<String, Vec<u8>>,
    inter: BTreeMap<String, Vec<u8>>,
    post: BTreeMap<String, Vec<u8>>,
    rules: BTreeSet<String>,
}

impl Default for Tags {
    fn default() -> Self {
        Self {
            start: b'<',
            end: b'>',
            tag: BTreeMap::new(),
            pre: BTreeMap::new(),
            inter: BTreeMap::new(),
            post: BTreeMap::new(),
            rules: BTreeSet::new(),
        }
    }
}

impl Tags {
    /// Takes a directive that begins with `replace_`.
    ///
    /// # Errors
    ///
    /// Why it says nothing.
    pub(super) fn take(&mut self, directive: &str, rest: &[u8]) -> Result<(), String> {
        match directive {
            "replace_rules" => self.rules.extend(words(rest)),
            "replace_start" | "replace_end" => {
                let &[sign] = rest else {
                    return Err("tags begin and end with one character".to_owned());
                };
                match directive {
                    "replace_start" => self.start = sign,
                    _ => self.end = sign,
                }
            }
            _ => {
                let map = match directive {
                    "replace_tag" => &mut self.tag,
                    "replace_pre" => &mut self.pre,
                    "replace_inter" => &mut self.inter,
                    "replace_post" => &mut self.post,
                    _ => return Err("unknown directive".to_owned()),
                };
                let (name, value) = word(rest);
                if value.is_empty() {
                    return Err("the tag stands for nothing".to_owned());
                }
                map.insert(String::from_utf8_lossy(name).into_owned(), value.to_vec());
            }
        }
        Ok(())
    }

    /// Whether the rule's pattern has tags.
    pub(super) fn concern(&self, symbol: &str) -> bool {
        self.rules.contains(symbol)
    }

    /// The expression with its tags replaced.
    ///
    /// # Errors
    ///
    /// When it grows too long.
    pub(super) fn expand(&self, expression: &[u8], flags: Flags) -> Result<Vec<u8>, String> {
        // SpamAssassin has the flags in front here, and so no tag is first with flags.
        let front = match flags {
            flags if flags == Flags::default() => String::new(),
            flags => format!("(?{flags})"),
        };
        let mut text = [front.as_bytes(), expression].concat();
        for _ in 0..PASSES {
            let (expanded, again) = self.pass(text)?;
            text = expanded;
            if !again {
                break;
            }
        }
        Ok(text.split_off(front.len().min(text.len())))
    }

    /// One pass, and whether what came in has tags again.
    fn pass(&self, mut text: Vec<u8>) -> Result<(Vec<u8>, bool), String> {
        let mut modifier = |kind: &str, map: &BTreeMap<String, Vec<u8>>| {
            let name = self.take_modifier(&mut text, kind)?;
            map.get(&name).cloned()
        };
        let pre = modifier("pre ", &self.pre).unwrap_or_default();
        let post = modifier("post ", &self.post).unwrap_or_default();
        let inter = modifier("inter ", &self.inter).unwrap_or_default();
        let mut again = false;
        let mut out = Vec::new();
        for piece in self.split(&text) {
            match piece {
                Piece::Text(b"") => out.extend(&inter),
                Piece::Text(text) => out.extend(text),
                Piece::Tag(whole, name) => {
                    out.extend(&pre);
                    match self.tag.get(&*String::from_utf8_lossy(name)) {
                        Some(replacement) => {
                            again |= self.split(replacement).len() > 1;
                            out.extend(replacement);
                        }
                        None => out.extend(whole),
                    }
                    out.extend(&post);
                }
            }
            if out.len() > MAX_EXPANSION {
                return Err(format!(
                    "its tags make it longer than {MAX_EXPANSION} octets"
                ));
            }
        }
        Ok((out, again))
    }

    /// Takes `<kind name>` out of the text.
    fn take_modifier(&self, text: &mut Vec<u8>, kind: &str) -> Option<String> {
        let mut sign = vec![self.start];
        sign.extend(kind.as_bytes());
        let start = text.windows(sign.len()).position(|at| at == sign)?;
        let rest = text.get(start + sign.len()..)?;
        let length = rest.iter().position(|&byte| byte == self.end)?;
        let name = String::from_utf8_lossy(rest.get(..length)?).into_owned();
        text.drain(start..start + sign.len() + length + 1);
        Some(name)
    }

    /// The text cut into tags and what stands between them, which is empty between adjacent ones
    /// and before a first one; nothing comes after a last one.
    fn split<'t>(&self, text: &'t [u8]) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        let mut start = 0;
        let mut open = None;
        for (at, &byte) in text.iter().enumerate() {
            if byte == self.start {
                open = Some(at);
            } else if byte == self.end
                && let Some(from) = open.take()
                && at > from + 1
            {
                pieces.push(Piece::Text(text.get(start..from).unwrap_or_default()));
                pieces.push(Piece::Tag(
                    text.get(from..=at).unwrap_or_default(),
                    text.get(from + 1..at).unwrap_or_default(),
                ));
                start = at + 1;
            }
        }
        if let Some(last @ [_, ..]) = text.get(start..) {
            pieces.push(Piece::Text(last));
        }
        pieces
    }
}

enum Piece<'t> {
    Text(&'t [u8]),
    /// With and without what it begins and ends with.
    Tag(&'t [u8], &'t [u8]),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(lines: &[&str]) -> Tags {
        let mut tags = Tags::default();
        for line in lines {
            let (directive, rest) = word(line.as_bytes());
            let directive = std::str::from_utf8(directive).unwrap();
            tags.take(directive, rest).unwrap();
        }
        tags
    }

    fn expand(tags: &Tags, expression: &str, flags: &str) -> String {
        let flags = Flags::parse(flags).unwrap();
        let expanded = tags.expand(expression.as_bytes(), flags).unwrap();
        String::from_utf8(expanded).unwrap()
    }

    #[test]
    fn tags_stand_for_what_was_said() {
        let tags = tags(&[
            "replace_tag X (?:x|<Y>)",
            "replace_tag Y y",
            r"replace_inter I \W?",
            "replace_pre P (",
            "replace_post Q )",
            "replace_rules A B",
            "replace_rules C",
        ]);
        let cases = [
            ("<X>z", "", "(?:x|y)z"),
            ("a<inter I><X><Y>(?<!z)<Z>", "i", r"a(?:x|y)\W?y(?<!z)<Z>"),
            ("<inter I><X><Y>(?<!z)<Z>", "i", r"(?:x|y)\W?y(?<!z)<Z>"),
            ("b<pre P><post Q><Y>", "", "b(y)"),
            ("<<Y>>", "", "<y>"),
            ("no tags", "x", "no tags"),
            ("<>", "", "<>"),
        ];
        for (expression, flags, expected) in cases {
            assert_eq!(expand(&tags, expression, flags), expected, "{expression}");
        }
        assert!(tags.concern("B") && tags.concern("C") && !tags.concern("D"));
    }

    #[test]
    fn what_tags_begin_and_end_with_can_be_changed() {
        let tags = tags(&["replace_start {", "replace_end }", "replace_tag Y y"]);
        assert_eq!(expand(&tags, "a<Y>{Y}", ""), "a<Y>y");
        let mut tags = tags;
        assert!(tags.take("replace_start", b"<<").is_err());
        assert!(tags.take("replace_tag", b"A").is_err());
        assert!(tags.take("replace_nonsense", b"A b").is_err());
    }

    #[test]
    fn tags_do_not_explode() {
        let tags = tags(&[
            "replace_tag A <B><B><B><B><B><B><B><B><B><B>",
            "replace_tag B <C><C><C><C><C><C><C><C><C><C>",
            "replace_tag C <D><D><D><D><D><D><D><D><D><D>",
            "replace_tag D <E><E><E><E><E><E><E><E><E><E>",
            "replace_tag E <A><A><A><A><A><A><A><A><A><A>",
        ]);
        let long = tags.expand(b"<A><A><A>", Flags::default());
        assert!(long.unwrap_err().contains("longer than"));
    }
}
