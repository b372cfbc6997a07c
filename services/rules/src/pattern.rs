//! Patterns as they are written in rule files: `/expression/flags`.
//!
//! Three forms, as in Perl: `/expression/flags`; `m!expression!flags` with any other ASCII
//! punctuation; `m{expression}flags` with a pair of brackets. In the first two the delimiter stands
//! inside only after a backslash, which the expression keeps (`\/` is a slash to it). The third
//! ends at the last closing bracket and holds any expression. What is not UTF-8 is written
//! `octets:` and one of the forms, each character from U+0000 to U+00FF standing for its octet.

use std::fmt;
use std::str::FromStr;

use patterns::{Flags, MAX_EXPRESSION};

use crate::limits::excerpt;
use crate::model::PatternText;

/// What an expression that is not UTF-8 begins with.
const OCTETS: &str = "octets:";

/// A text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It does not begin with a delimiter.
    #[error("a pattern is written /expression/flags or m{{expression}}flags, unlike {0:?}")]
    Delimiter(String),
    /// There is no closing delimiter.
    #[error("the pattern has no closing {0:?}")]
    Open(char),
    /// What follows the closing delimiter are not flags.
    #[error(
        "{text:?} are no flags: they are letters of {letters:?}; inside the expression write \\{delimiter} or use m{{…}}",
        letters = "imsxu"
    )]
    Flags {
        /// What follows.
        text: String,
        /// The delimiter.
        delimiter: char,
    },
    /// A character stands for no octet.
    #[error("{0:?} stands for no octet: after octets: characters lie between U+0000 and U+00FF")]
    Octet(char),
    /// It is longer than the pattern engine reads.
    #[error("an expression has at most {MAX_EXPRESSION} octets")]
    TooLong,
}

impl PatternText {
    /// A pattern of an expression without delimiters and letters of `imsxu`.
    ///
    /// # Errors
    ///
    /// When the flags are unknown or the expression is too long. Whether the expression is sound is
    /// found out when it is compiled.
    pub fn new(expression: impl Into<Vec<u8>>, flags: &str) -> Result<Self, PatternError> {
        let expression = expression.into();
        if expression.len() > MAX_EXPRESSION {
            return Err(PatternError::TooLong);
        }
        let flags = Flags::parse(flags).map_err(|_| PatternError::Flags {
            text: excerpt(flags),
            delimiter: '/',
        })?;
        Ok(Self { expression, flags })
    }

    /// Reads a pattern as rule files have it, see the module.
    ///
    /// # Errors
    ///
    /// What is wrong with how it is written; see [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(written) = text.strip_prefix(OCTETS) else {
            let (expression, flags, close) = split(text)?;
            return Self::new(expression, flags).map_err(|error| error.inside(close));
        };
        let (expression, flags, close) = split(written)?;
        let octets = expression
            .chars()
            .map(|character| u8::try_from(character).map_err(|_| PatternError::Octet(character)))
            .collect::<Result<Vec<u8>, _>>()?;
        Self::new(octets, flags).map_err(|error| error.inside(close))
    }
}

impl PatternError {
    /// The same, of a pattern with this delimiter.
    fn inside(self, delimiter: char) -> Self {
        match self {
            Self::Flags { text, .. } => Self::Flags { text, delimiter },
            other => other,
        }
    }
}

/// The expression, the flags and the closing delimiter.
fn split(text: &str) -> Result<(&str, &str, char), PatternError> {
    let bad = || PatternError::Delimiter(excerpt(text));
    let mut characters = text.chars();
    let open = match characters.next() {
        Some('/') => '/',
        Some('m') => characters
            .next()
            .filter(|open| open.is_ascii_punctuation() && *open != '\\' && *open != '_')
            .ok_or_else(bad)?,
        _ => return Err(bad()),
    };
    let rest = characters.as_str();
    let close = match open {
        '{' => '}',
        '(' => ')',
        '[' => ']',
        '<' => '>',
        other => other,
    };
    let end = if open == close {
        first_unescaped(rest, close)
    } else {
        rest.rfind(close)
    };
    end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?, close)))
        .ok_or(PatternError::Open(close))
}

/// Where the ASCII delimiter stands first without a backslash before it.
fn first_unescaped(text: &str, delimiter: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, character)| {
        let found = !escaped && character == delimiter;
        escaped = !escaped && character == '\\';
        found.then_some(at)
    })
}

impl FromStr for PatternText {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl fmt::Display for PatternText {
    /// As [`parse`](Self::parse) reads it: the same pattern comes back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latin: String;
        let (prefix, text) = match std::str::from_utf8(&self.expression) {
            Ok(text) => ("", text),
            Err(_) => {
                latin = self.expression.iter().copied().map(char::from).collect();
                (OCTETS, latin.as_str())
            }
        };
        // A backslash at the end would hide the delimiter: the end is then not found first.
        let ends_alone = first_unescaped(&format!("{text}/"), '/') == Some(text.len());
        let (open, close) = if ends_alone { ("/", "/") } else { ("m{", "}") };
        write!(f, "{prefix}{open}{text}{close}{}", self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_in_three_forms() {
        for (text, expression, flags) in [
            (r"/a\/b/i", &br"a\/b"[..], "i"),
            ("//", b"", ""),
            ("m!a/b!xs", b"a/b", "sx"),
            (r"m|a\|b|", br"a\|b", ""),
            ("m{a{2}/}ui", b"a{2}/", "iu"),
            ("m(a(b)c)", b"a(b)c", ""),
            ("m/x/", b"x", ""),
            ("octets:/\u{e4}\u{ff}x/i", b"\xe4\xffx", "i"),
            ("/ä/", "ä".as_bytes(), ""),
            (r"/\\/", br"\\", ""),
        ] {
            let pattern = PatternText::parse(text).unwrap();
            assert_eq!(pattern.expression, expression, "{text}");
            assert_eq!(pattern.flags.to_string(), flags, "{text}");
            assert_eq!(PatternText::parse(&pattern.to_string()), Ok(pattern));
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        use PatternError::*;
        for (text, error) in [
            ("", Delimiter(String::new())),
            ("free money", Delimiter("free money".into())),
            ("m", Delimiter("m".into())),
            ("mäxä", Delimiter("mäxä".into())),
            ("/a", Open('/')),
            (r"/a\/", Open('/')),
            ("m{a", Open('}')),
            ("octets:/\u{100}/", Octet('\u{100}')),
        ] {
            assert_eq!(PatternText::parse(text), Err(error), "{text}");
        }
        let flags = |text: &str, delimiter| Flags {
            text: text.into(),
            delimiter,
        };
        assert_eq!(PatternText::parse("/a/b/i"), Err(flags("b/i", '/')));
        assert_eq!(PatternText::parse("m{a}g"), Err(flags("g", '}')));
        let long = format!("/{}/", "a".repeat(MAX_EXPRESSION + 1));
        assert_eq!(PatternText::parse(&long), Err(TooLong));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_written_and_read_again(
            expression in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::sample::select(br"/\{}m!".to_vec()),
                    proptest::num::u8::ANY,
                ],
                0..20,
            ),
            flags in "[imsxu]{0,3}",
        ) {
            let pattern = PatternText::new(expression, &flags).unwrap();
            proptest::prop_assert_eq!(PatternText::parse(&pattern.to_string()), Ok(pattern));
        }
    }
}
