//! Patterns between delimiters, as Perl's `m` takes them.

use patterns::Flags;

use crate::model::PatternText;

/// Modifiers that Perl knows and that say nothing about what matches here.
const IDLE_MODIFIERS: &str = "acdglnopru";

/// Reads a pattern that ends with the text.
///
/// # Errors
///
/// Why it is none.
pub(super) fn whole(text: &[u8]) -> Result<PatternText, String> {
    let (close, body) = open(text)?;
    let letters = body
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_lowercase())
        .count();
    let (body, letters) = body.split_at(body.len() - letters);
    let Some(expression) = body.strip_suffix(&[close]) else {
        return Err("the pattern does not end with its delimiter".to_owned());
    };
    if !b")}]>".contains(&close) && stands_free(expression, close) {
        return Err("the pattern's delimiter stands inside it".to_owned());
    }
    make(expression, letters)
}

/// Reads a pattern that the text begins with, and gives what follows it.
///
/// # Errors
///
/// Why it is none.
pub(super) fn leading(text: &[u8]) -> Result<(PatternText, &[u8]), String> {
    let (close, body) = open(text)?;
    let end = free(body, close)
        .ok_or_else(|| "the pattern does not end with its delimiter".to_owned())?;
    let (expression, rest) = body.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let letters = rest
        .iter()
        .take_while(|byte| byte.is_ascii_lowercase())
        .count();
    let (letters, rest) = rest.split_at(letters);
    make(expression, letters).map(|pattern| (pattern, rest))
}

/// A pattern without delimiters, as some functions take it, with them or not.
///
/// # Errors
///
/// Why it is none.
pub(super) fn bare(text: &str) -> Result<PatternText, String> {
    if text.starts_with('/') || (text.starts_with('m') && open(text.as_bytes()).is_ok()) {
        return whole(text.as_bytes());
    }
    make(text.as_bytes(), b"")
}

fn open(text: &[u8]) -> Result<(u8, &[u8]), String> {
    let (open, body) = match text {
        [b'/', body @ ..] => (b'/', body),
        [b'm', open, body @ ..] | [b'q', b'r', open, body @ ..] => (*open, body),
        _ => return Err("there is no pattern between delimiters".to_owned()),
    };
    if open.is_ascii_alphanumeric() || open == b'_' || open == b'\\' || !open.is_ascii_graphic() {
        return Err("there is no pattern between delimiters".to_owned());
    }
    let close = match open {
        b'{' => b'}',
        b'(' => b')',
        b'<' => b'>',
        b'[' => b']',
        other => other,
    };
    Ok((close, body))
}

/// Where the octet stands first without a backslash before it.
fn free(text: &[u8], octet: u8) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let found = byte == octet && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

fn stands_free(text: &[u8], octet: u8) -> bool {
    free(text, octet).is_some()
}

fn make(expression: &[u8], letters: &[u8]) -> Result<PatternText, String> {
    if let Some(name) = capture(expression) {
        return Err(format!(
            "the pattern needs what another rule captures, {name}"
        ));
    }
    let mut known = String::new();
    for letter in letters.iter().copied().map(char::from) {
        match letter {
            'i' | 'm' | 's' | 'x' => known.push(letter),
            other if IDLE_MODIFIERS.contains(other) => {}
            other => return Err(format!("the pattern's modifier {other:?} is unknown")),
        }
    }
    let flags = Flags::parse(&known).map_err(|error| error.to_string())?;
    Ok(PatternText {
        expression: expression.to_vec(),
        flags,
    })
}

/// `%{NAME}`: what a named group of another rule's pattern has matched.
fn capture(expression: &[u8]) -> Option<String> {
    let start = expression.windows(2).position(|pair| pair == b"%{")?;
    let rest = expression.get(start + 2..)?;
    let end = rest.iter().position(|&byte| byte == b'}')?;
    let name = rest.get(..end)?;
    let begins = name.first().is_some_and(u8::is_ascii_uppercase);
    begins.then(|| String::from_utf8_lossy(name).chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(pattern: &PatternText) -> (String, String) {
        let expression = String::from_utf8_lossy(&pattern.expression).into_owned();
        (expression, pattern.flags.to_string())
    }

    #[test]
    fn all_of_perls_delimiters_are_known() {
        let cases = [
            ("/a b/", "a b", ""),
            (r"/a\/b/i", r"a\/b", "i"),
            ("m{^x{3}}mx", "^x{3}", "mx"),
            ("m!a!si", "a", "is"),
            ("m,a,", "a", ""),
            ("m'a\"'", "a\"", ""),
            ("m|a|gi", "a", "i"),
            ("m;a;o", "a", ""),
            ("m(a(b))", "a(b)", ""),
            ("m<a>", "a", ""),
            ("m[[a]]", "[a]", ""),
            ("qr/a/i", "a", "i"),
            ("//", "", ""),
            ("/50%{1,3}/", "50%{1,3}", ""),
        ];
        for (text, expression, flags) in cases {
            let found = whole(text.as_bytes()).map(|pattern| show(&pattern));
            assert_eq!(
                found,
                Ok((expression.to_owned(), flags.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "a",
            "m",
            "/",
            "/a",
            "m/a",
            "maba",
            r"m\a\",
            "/a/b/",
            "/a/e",
            "/a/I",
            "m a ",
            "/%{NAME}/",
        ] {
            assert!(whole(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_may_lead() {
        let (pattern, rest) = leading(br"/a\/b/i type =~ /c/").unwrap();
        assert_eq!(show(&pattern), (r"a\/b".to_owned(), "i".to_owned()));
        assert_eq!(rest, b" type =~ /c/");
        assert!(leading(br"/a\/").is_err());
    }

    #[test]
    fn functions_take_patterns_without_delimiters_too() {
        let shown = |text: &str| show(&bare(text).unwrap());
        assert_eq!(shown(r"\d@"), (r"\d@".to_owned(), String::new()));
        assert_eq!(shown("/a/i"), ("a".to_owned(), "i".to_owned()));
        assert_eq!(shown("money"), ("money".to_owned(), String::new()));
    }
}
