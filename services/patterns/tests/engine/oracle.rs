//! What the engine is compared with: PCRE2, and the `regex` crate where both mean the same.

use std::ops::Range;

use pcre2::bytes::{Regex, RegexBuilder};

/// Stack for PCRE2's compiled code: enough for its own limit of matching to come first.
const STACK: usize = 8 << 20;

/// One pattern in PCRE2.
#[derive(Debug)]
pub(crate) struct Oracle {
    regex: Regex,
    /// The same, but it may not match the empty string at the place where the search starts.
    advancing: Option<Regex>,
}

impl Oracle {
    /// Compiles; says why PCRE2 refuses.
    pub(crate) fn new(expression: &[u8], flags: &str) -> Result<Self, String> {
        let source = source(expression, flags)?;
        let regex = build(&source, flags)?;
        // A comment at the end would swallow the parenthesis.
        let end = if flags.contains('x') { "\n" } else { "" };
        let advancing = build(&format!(r"(?:{source}{end})(?!\G)"), flags).ok();
        Ok(Self { regex, advancing })
    }

    /// Whether it matches anywhere. An error is PCRE2 giving up.
    pub(crate) fn is_match(&self, haystack: &[u8]) -> Result<bool, String> {
        self.regex
            .is_match(haystack)
            .map_err(|error| error.to_string())
    }

    /// What Perl's `//g` finds, one after the other: after an empty match the search goes on at
    /// the same place, for a match that ends further on.
    pub(crate) fn matches(&self, haystack: &[u8]) -> Result<Vec<Range<usize>>, String> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        let mut regex = &self.regex;
        while let Some(next) = regex
            .find_at(haystack, from)
            .map_err(|error| error.to_string())?
        {
            found.push(next.start()..next.end());
            from = next.end();
            regex = if next.start() == next.end() {
                self.advancing.as_ref().ok_or("cannot be wrapped")?
            } else {
                &self.regex
            };
        }
        Ok(found)
    }
}

fn build(source: &str, flags: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new();
    builder
        .jit_if_available(true)
        .max_jit_stack_size(Some(STACK))
        .caseless(flags.contains('i'))
        .dotall(flags.contains('s'))
        .multi_line(flags.contains('m'))
        .extended(flags.contains('x'))
        .utf(flags.contains('u'));
    builder.build(source).map_err(|error| error.to_string())
}

/// The expression as text: bytes above 127 become escapes when they are bytes.
fn source(expression: &[u8], flags: &str) -> Result<String, String> {
    if flags.contains('u') || expression.is_ascii() {
        return String::from_utf8(expression.to_vec()).map_err(|error| error.to_string());
    }
    let mut source = String::new();
    let mut rest = expression;
    let mut quoted = false;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte >= 0x80 {
            let escape = format!(r"\x{byte:02x}");
            source.push_str(&match quoted {
                true => format!(r"\E{escape}\Q"),
                false => escape,
            });
        } else if byte == b'\\' {
            match rest.split_first() {
                // An escaped byte is the byte.
                Some((0x80.., _)) if !quoted => continue,
                Some((b'Q', _)) => quoted = true,
                Some((b'E', _)) => quoted = false,
                _ => {}
            }
            source.push('\\');
            if let Some((&next, after)) = rest.split_first()
                && next < 0x80
                && (!quoted || next == b'Q')
            {
                source.push(char::from(next));
                rest = after;
            }
        } else {
            source.push(char::from(byte));
        }
    }
    Ok(source)
}

/// The pattern in the `regex` crate; none where that reads it differently or not at all.
pub(crate) fn second(expression: &[u8], flags: &str) -> Option<regex::bytes::Regex> {
    if flags.contains(['u', 'x', 'm']) {
        return None;
    }
    let source = source(expression, flags).ok()?;
    if !means_the_same(source.as_bytes()) {
        return None;
    }
    regex::bytes::RegexBuilder::new(&source)
        .unicode(false)
        .case_insensitive(flags.contains('i'))
        .dot_matches_new_line(flags.contains('s'))
        .size_limit(4 << 20)
        .build()
        .ok()
}

/// Whether the `regex` crate reads an expression as PCRE2 does, if it reads it at all.
fn means_the_same(source: &[u8]) -> bool {
    let mut class = false;
    let mut rest = source;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let next = rest.first().copied().unwrap_or(0);
        match byte {
            b'\\' => {
                // Word edges, `\v` as one character, Unicode.
                let different = matches!(next, b'<' | b'>' | b'v' | b'u' | b'U' | b'p' | b'P')
                    || rest.starts_with(b"b{")
                    || rest.starts_with(b"x{");
                if different {
                    return false;
                }
                rest = rest.get(1..).unwrap_or(&[]);
            }
            // Sets in sets and arithmetic with them.
            b'[' if class => return false,
            b'&' | b'-' | b'~' if class && next == byte => return false,
            b'[' => {
                class = true;
                rest = rest.strip_prefix(b"^").unwrap_or(rest);
                rest = rest.strip_prefix(b"]").unwrap_or(rest);
            }
            b']' => class = false,
            // Before the last line feed.
            b'$' if !class => return false,
            // Possessive.
            b'*' | b'+' | b'?' | b'}' if !class && next == b'+' => return false,
            b'{' if !class && !next.is_ascii_digit() => return false,
            b'(' if !class && next == b'?' && !same_group(&rest[1..]) => return false,
            _ => {}
        }
    }
    true
}

/// Whether a group that opens with `(?` and this means the same in both.
fn same_group(opening: &[u8]) -> bool {
    let letters = opening
        .iter()
        .take_while(|byte| matches!(byte, b'i' | b's' | b'-'))
        .count();
    matches!(opening.get(letters), Some(b':' | b')'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_go_on_as_in_perl() {
        let matches = |expression: &str, haystack: &str| {
            let oracle = Oracle::new(expression.as_bytes(), "").unwrap();
            oracle.matches(haystack.as_bytes()).unwrap()
        };
        // perl -e 'push @f, "$-[0]-$+[0]" while "aab" =~ /a*/g; print "@f"'
        assert_eq!(matches("a*", "aab"), [0..2, 2..2, 3..3]);
        assert_eq!(matches("|a", "aa"), [0..0, 0..1, 1..1, 1..2, 2..2]);
        assert_eq!(matches(r"a\Kb|c", "abcab"), [1..2, 2..3, 4..5]);
        assert_eq!(matches(r"(?=b)|a", "ab"), [0..1, 1..1]);
    }

    #[test]
    fn bytes_stay_bytes() {
        let is_match = |expression: &[u8], haystack: &[u8]| {
            let oracle = Oracle::new(expression, "").unwrap();
            oracle.is_match(haystack).unwrap()
        };
        assert!(is_match(
            b"^\xe9\\\xe9\\Q\xe9.\\E\xe9$",
            b"\xe9\xe9\xe9.\xe9"
        ));
        assert!(is_match(b"^[^\xe9-\xff]$", b"\xe8"));
        assert!(!is_match(b"^[^\xe9-\xff]$", b"\xf8"));
    }

    #[test]
    fn the_second_oracle_declines_what_it_reads_differently() {
        for expression in [
            r"a$", r"\<a", "a++", "[[a]", "[a--b]", "(?m)^a", r"\v", "a{,3}",
        ] {
            assert!(second(expression.as_bytes(), "").is_none(), "{expression}");
        }
        for expression in ["a+b", r"(?i:a|b)\b", "[]a-]{3}", "^a.*?b"] {
            assert!(second(expression.as_bytes(), "").is_some(), "{expression}");
        }
    }
}
