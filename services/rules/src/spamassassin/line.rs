//! Lines of rule files: comments, languages, the directive and what follows it.
//!
//! A `#` begins a comment unless a backslash stands before it; `\#` is `#`. Lines are not continued.

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    /// The directive: lower case, with underscores for hyphens.
    pub(super) directive: String,
    /// What follows it, without the white space around.
    pub(super) rest: Vec<u8>,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    /// Nothing: empty, a comment, or meant for readers of another language than English.
    Nothing,
    /// Longer than lines may be.
    TooLong,
    /// It says something.
    Line(Line),
}

/// Reads one line of at most `limit` octets.
pub(super) fn read(number: usize, text: &[u8], limit: usize) -> Read {
    if text.len() > limit {
        return Read::TooLong;
    }
    let plain = uncomment(text);
    let (mut directive, mut rest) = word(&plain);
    if directive.eq_ignore_ascii_case(b"lang") {
        let (language, after) = word(rest);
        let language = language.to_ascii_lowercase();
        if language.is_empty() || !b"en_us".starts_with(&language) {
            return Read::Nothing;
        }
        (directive, rest) = word(after);
    }
    if directive.is_empty() {
        return Read::Nothing;
    }
    let directive = String::from_utf8_lossy(directive).to_ascii_lowercase();
    Read::Line(Line {
        number,
        directive: directive.replace('-', "_"),
        rest: rest.to_vec(),
    })
}

fn uncomment(line: &[u8]) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(line.len());
    for &byte in line {
        if byte == b'#' {
            if plain.last() != Some(&b'\\') {
                break;
            }
            plain.pop();
        }
        plain.push(byte);
    }
    plain
}

/// The first word and what follows it, both without white space around.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii();
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_ascii())
}

/// The words, those that are not UTF-8 with replacement characters.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = String> + '_ {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_comment_and_language() {
        let cases: [(&str, Option<(&str, &str)>); 9] = [
            ("", None),
            ("   # nothing", None),
            (r"body A /a\#b/ # c", Some(("body", "A /a#b/"))),
            (r"body A /\#\#/", Some(("body", "A /##/"))),
            ("\tReport-Safe  1 \r", Some(("report_safe", "1"))),
            ("lang de describe A nein", None),
            ("lang en describe A yes", Some(("describe", "A yes"))),
            ("lang EN_US endif", Some(("endif", ""))),
            ("lang", None),
        ];
        for (text, expected) in cases {
            let found = match read(3, text.as_bytes(), 100) {
                Read::Line(line) => {
                    assert_eq!(line.number, 3);
                    Some((line.directive, String::from_utf8(line.rest).unwrap()))
                }
                Read::Nothing => None,
                Read::TooLong => panic!("{text}"),
            };
            let expected = expected.map(|(key, rest)| (key.to_owned(), rest.to_owned()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_line_has_a_limit() {
        assert_eq!(read(1, &[b'a'; 101], 100), Read::TooLong);
        assert!(matches!(read(1, &[b'a'; 100], 100), Read::Line(_)));
    }
}
