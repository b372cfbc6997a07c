//! Reads the expressions out of SpamAssassin's rule files, as SpamAssassin 4 does: comments,
//! delimiters, flags and the tags of its ReplaceTags plugin. Conditions (`ifplugin`, `if`, `lang`)
//! are taken as met, so every expression that stands in the files comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The Debian package and where its rules are.
pub(crate) const PACKAGE: &str = "spamassassin";
pub(crate) const FOLDER: &str = "/usr/share/spamassassin";

/// One expression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    /// `body`, `rawbody`, `uri`, `full` or `header`.
    pub(crate) scope: &'static str,
    pub(crate) name: String,
    pub(crate) expression: Vec<u8>,
    /// Of `imsx`.
    pub(crate) flags: String,
}

/// Everything read from rule files.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    /// Lines whose expression could not be read.
    pub(crate) unread: Vec<String>,
}

/// All rules of the package, without repetitions.
pub(crate) fn installed() -> Rules {
    let mut files: Vec<_> = std::fs::read_dir(Path::new(FOLDER))
        .unwrap_or_else(|error| {
            panic!("{FOLDER}: {error}: install the Debian package {PACKAGE} (./test does)")
        })
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cf"))
        .collect();
    files.sort();
    let mut text = Vec::new();
    for file in files {
        text.extend(std::fs::read(&file).unwrap());
        text.push(b'\n');
    }
    read(&text)
}

/// Reads the text of rule files.
pub(crate) fn read(text: &[u8]) -> Rules {
    let mut reader = Reader::default();
    text.split(|&byte| byte == b'\n')
        .for_each(|line| reader.line(&uncomment(line)));
    reader.finish()
}

/// A line without its comment; `\#` is `#`.
fn uncomment(line: &[u8]) -> Vec<u8> {
    let comment =
        (0..line.len()).find(|&at| line[at] == b'#' && (at == 0 || line[at - 1] != b'\\'));
    let line = &line[..comment.unwrap_or(line.len())];
    let mut plain: Vec<u8> = Vec::new();
    for &byte in line {
        if byte == b'#' && plain.last() == Some(&b'\\') {
            plain.pop();
        }
        plain.push(byte);
    }
    plain
}

/// The first word and the rest.
fn word(line: &[u8]) -> (String, &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (
        String::from_utf8_lossy(word).into_owned(),
        rest.trim_ascii(),
    )
}

#[derive(Default)]
struct Reader {
    found: BTreeSet<Rule>,
    unread: Vec<String>,
    tags: Tags,
    tagged: BTreeSet<String>,
}

#[derive(Default)]
struct Tags {
    tag: BTreeMap<String, Vec<u8>>,
    pre: BTreeMap<String, Vec<u8>>,
    inter: BTreeMap<String, Vec<u8>>,
    post: BTreeMap<String, Vec<u8>>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) {
        let (key, mut rest) = word(line);
        if key == "lang" {
            return self.line(word(rest).1);
        }
        let scope = match key.as_str() {
            "body" => "body",
            "rawbody" => "rawbody",
            "uri" | "redirector_pattern" => "uri",
            "full" => "full",
            "header" | "mimeheader" => "header",
            "replace_rules" => {
                let rules = String::from_utf8_lossy(rest).into_owned();
                self.tagged
                    .extend(rules.split_whitespace().map(str::to_owned));
                return;
            }
            _ => return self.tag(&key, rest),
        };
        let mut name = "redirector_pattern".to_owned();
        if key != name {
            (name, rest) = word(rest);
        }
        if rest.starts_with(b"eval:") || rest.starts_with(b"exists:") || rest.is_empty() {
            return;
        }
        if scope == "header" {
            let operator = rest.windows(2).position(|at| at == b"=~" || at == b"!~");
            let Some(operator) = operator else {
                self.unread.push(name);
                return;
            };
            rest = rest[operator + 2..].trim_ascii();
            if let Some(unset) = rest.windows(11).rposition(|at| at == b"[if-unset: ") {
                rest = rest[..unset].trim_ascii();
            }
        }
        match delimited(rest) {
            Some((expression, flags)) => drop(self.found.insert(Rule {
                scope,
                name,
                expression: expression.to_vec(),
                flags,
            })),
            None => self.unread.push(name),
        }
    }

    fn tag(&mut self, key: &str, rest: &[u8]) {
        let map = match key {
            "replace_tag" => &mut self.tags.tag,
            "replace_pre" => &mut self.tags.pre,
            "replace_inter" => &mut self.tags.inter,
            "replace_post" => &mut self.tags.post,
            _ => return,
        };
        let (name, value) = word(rest);
        map.insert(name, value.to_vec());
    }

    fn finish(self) -> Rules {
        let mut seen = BTreeSet::new();
        let mut rules = Vec::new();
        for mut rule in self.found {
            if self.tagged.contains(&rule.name) {
                rule.expression = self.tags.expand(&rule.expression, &rule.flags);
            }
            if seen.insert((rule.scope, rule.expression.clone(), rule.flags.clone())) {
                rules.push(rule);
            }
        }
        Rules {
            rules,
            unread: self.unread,
        }
    }
}

/// The expression between its delimiters, and its flags, of which only `imsx` matter.
fn delimited(text: &[u8]) -> Option<(&[u8], String)> {
    let (&close, body) = match text {
        [b'/', body @ ..] => (&b'/', body),
        [b'm', open, body @ ..] if !open.is_ascii_alphanumeric() => {
            let close = match open {
                b'{' => &b'}',
                b'(' => &b')',
                b'<' => &b'>',
                b'[' => &b']',
                other => other,
            };
            (close, body)
        }
        _ => return None,
    };
    let flags = body
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_lowercase());
    let flags = body.len() - flags.count();
    let expression = body[..flags].strip_suffix(&[close])?;
    let letters = body[flags..].iter().copied().map(char::from);
    Some((
        expression,
        letters.filter(|&flag| "imsx".contains(flag)).collect(),
    ))
}

impl Tags {
    /// ReplaceTags: `<A>` becomes tag A, up to six times over; `<pre P>`, `<inter P>` and
    /// `<post P>` name what stands before, between and after tags.
    fn expand(&self, expression: &[u8], flags: &str) -> Vec<u8> {
        // SpamAssassin has the flags in front here, and so no tag can be first with flags.
        let front = match flags {
            "" => String::new(),
            flags => format!("(?{flags})"),
        };
        let mut text = [front.as_bytes(), expression].concat();
        for _ in 0..6 {
            let (expanded, again) = self.pass(&text);
            text = expanded;
            if !again {
                break;
            }
        }
        text.split_off(front.len())
    }

    fn pass(&self, text: &[u8]) -> (Vec<u8>, bool) {
        let mut text = text.to_vec();
        let mut modifier = |kind: &str, map: &BTreeMap<String, Vec<u8>>| {
            let (name, stripped) = take_modifier(&text, kind)?;
            text = stripped;
            map.get(&name).cloned()
        };
        let pre = modifier("<pre ", &self.pre).unwrap_or_default();
        let post = modifier("<post ", &self.post).unwrap_or_default();
        let inter = modifier("<inter ", &self.inter).unwrap_or_default();
        let mut again = false;
        let mut out = Vec::new();
        for piece in split(&text) {
            let is_tag = piece.starts_with(b"<") && piece.ends_with(b">");
            if piece.is_empty() {
                out.extend(&inter);
            } else if is_tag {
                out.extend(&pre);
                let name = String::from_utf8_lossy(&piece[1..piece.len() - 1]).into_owned();
                match self.tag.get(&name) {
                    Some(replacement) => {
                        again |= split(replacement).len() > 1;
                        out.extend(replacement);
                    }
                    None => out.extend(piece),
                }
                out.extend(&post);
            } else {
                out.extend(piece);
            }
        }
        (out, again)
    }
}

/// Takes `<kind name>` out of the text.
fn take_modifier(text: &[u8], kind: &str) -> Option<(String, Vec<u8>)> {
    let start = text
        .windows(kind.len())
        .position(|at| at == kind.as_bytes())?;
    let rest = &text[start + kind.len()..];
    let end = rest.iter().position(|&byte| byte == b'>')?;
    let name = String::from_utf8_lossy(&rest[..end]).into_owned();
    Some((name, [&text[..start], &rest[end + 1..]].concat()))
}

/// The text cut into tags (`<…>` without angles inside) and what stands between them, which is
/// empty between adjacent ones and before a first one; nothing comes after a last one.
fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut open = None;
    for (at, &byte) in text.iter().enumerate() {
        match (byte, open) {
            (b'<', _) => open = Some(at),
            (b'>', Some(from)) if at > from + 1 => {
                pieces.push(&text[start..from]);
                pieces.push(&text[from..=at]);
                start = at + 1;
                open = None;
            }
            (b'>', _) => open = None,
            _ => {}
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spamassassin_reads_them() {
        let rules = read(
            br"
body A /a\/b\#c/i # a comment
  lang de uri B m{^https?://[^/]{3}}mx
header C From:name !~ /x y/ [if-unset: z]
header D eval:nothing()
redirector_pattern m'^a'i
rawbody E nonsense
replace_tag X (?:x|<Y>)
replace_tag Y y
replace_inter I \W?
replace_rules F
body F /<inter I><X><Y>(?<!z)<Z>/i
",
        );
        let read: Vec<_> = rules
            .rules
            .iter()
            .map(|rule| {
                let expression = String::from_utf8_lossy(&rule.expression).into_owned();
                (
                    rule.scope,
                    rule.name.as_str(),
                    expression,
                    rule.flags.as_str(),
                )
            })
            .collect();
        let expected = [
            ("body", "A", r"a\/b#c", "i"),
            ("body", "F", r"(?:x|y)\W?y(?<!z)<Z>", "i"),
            ("header", "C", "x y", ""),
            ("uri", "B", "^https?://[^/]{3}", "mx"),
            ("uri", "redirector_pattern", "^a", "i"),
        ];
        let expected: Vec<_> = expected
            .map(|(scope, name, expression, flags)| (scope, name, expression.to_owned(), flags))
            .into();
        assert_eq!(read, expected);
        assert_eq!(rules.unread, ["E"]);
    }
}
