//! Text as words, and words as tokens that compare equal whenever they read the same.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::script;

/// Octets of a word; longer ones are cut, and the rest is passed over.
pub const MAX_WORD: usize = 128;

/// The words of a text: letters and digits, apostrophes between them, marks and invisible
/// characters within them. Scripts that are written without blanks come as pairs of neighbouring
/// characters, each overlapping the last; a single character stands alone.
pub fn iterate(text: &str) -> impl Iterator<Item = &str> {
    Words {
        text,
        at: 0,
        dense: None,
    }
}

/// A word as a token: lower case, compatibility forms undone (NFKC), invisible characters left out,
/// all apostrophes alike.
#[must_use]
pub fn fold(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        return if word.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(word.to_ascii_lowercase())
        } else {
            Cow::Borrowed(word)
        };
    }
    let plain = word.chars().filter(|c| !script::is_invisible(*c));
    let lower: String = plain.nfkc().flat_map(char::to_lowercase).collect();
    let folded = lower.nfkc().map(|c| if c == '’' { '\'' } else { c });
    // Lower case and composition may each make what the other changes again.
    Cow::Owned(folded.filter(|c| !script::is_invisible(*c)).collect())
}

/// A text without its invisible characters: what a reader makes of `v\u{200b}iagra`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(script::is_invisible) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !script::is_invisible(*c)).collect())
}

/// A character of a script that is written without blanks between words.
pub(crate) fn is_dense(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
        && c.is_alphanumeric()
}

struct Words<'t> {
    text: &'t str,
    at: usize,
    /// Where the last character of a dense script started, if it stands right before `at`.
    dense: Option<Dense>,
}

#[derive(Clone, Copy)]
struct Dense {
    start: usize,
    /// It has been part of a pair.
    paired: bool,
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        loop {
            let rest = self.text.get(self.at..)?;
            let Some(first) = rest.chars().next() else {
                return self.alone();
            };
            let width = first.len_utf8();
            if is_dense(first) {
                let start = self.at;
                self.at += width;
                if let Some(before) = self.dense.replace(Dense {
                    start,
                    paired: false,
                }) {
                    self.dense = Some(Dense {
                        start,
                        paired: true,
                    });
                    return self.text.get(before.start..self.at);
                }
                continue;
            }
            if self.dense.is_some() && (is_combining_mark(first) || script::is_invisible(first)) {
                self.at += width;
                continue;
            }
            if let Some(alone) = self.alone() {
                return Some(alone);
            }
            if first.is_alphanumeric() && !script::is_invisible(first) {
                let start = self.at;
                self.at += word_length(rest);
                let end = self.text.floor_char_boundary(self.at.min(start + MAX_WORD));
                return self.text.get(start..end);
            }
            self.at += width;
        }
    }
}

impl<'t> Words<'t> {
    /// A character of a dense script that has no neighbour.
    fn alone(&mut self) -> Option<&'t str> {
        let dense = self.dense.take()?;
        if dense.paired {
            return None;
        }
        self.text.get(dense.start..self.at)
    }
}

/// Octets of the word a text starts with.
fn word_length(text: &str) -> usize {
    let octets = text.as_bytes();
    let mut end = 0;
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        if octet.is_ascii_alphanumeric() {
            at += 1;
            end = at;
        } else if octet == b'\'' {
            at += 1;
            // Two apostrophes, or one at the end, are quotes.
            if at != end + 1 {
                break;
            }
        } else if octet < 0x80 {
            break;
        } else {
            let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else {
                break;
            };
            let within = is_combining_mark(c) || script::is_invisible(c);
            if is_dense(c) || !(c.is_alphanumeric() || within || c == '’') {
                break;
            }
            if c == '’' && at != end {
                break;
            }
            at += c.len_utf8();
            if c != '’' && !script::is_invisible(c) {
                end = at;
            }
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_text() {
        for (text, expected) in [
            (
                "Don't stop, it's 'quoted'!",
                &["Don't", "stop", "it's", "quoted"][..],
            ),
            ("a-b_c 3.14 x2", &["a", "b", "c", "3", "14", "x2"]),
            ("l’été Straße", &["l’été", "Straße"]),
            ("e\u{301}te\u{301}", &["e\u{301}te\u{301}"]),
            ("v\u{200b}iagra\u{200b} x", &["v\u{200b}iagra", "x"]),
            ("привет, мир", &["привет", "мир"]),
            ("日本語 a", &["日本", "本語", "a"]),
            ("日 本", &["日", "本"]),
            ("中a文字", &["中", "a", "文字"]),
            ("한국 사람", &["한국", "사람"]),
            ("x''y 'z", &["x", "y", "z"]),
            // Letters that are not seen.
            ("\u{3164} \u{ffa0}x\u{115f}", &["x"]),
            ("", &[]),
            (" ,;\n", &[]),
        ] {
            let words: Vec<&str> = iterate(text).collect();
            assert_eq!(words, expected, "{text:?}");
        }
        let long = "é".repeat(200);
        assert_eq!(iterate(&long).map(str::len).collect::<Vec<_>>(), [MAX_WORD]);
    }

    #[test]
    fn folded() {
        for (word, expected) in [
            ("Viagra", "viagra"),
            ("viagra", "viagra"),
            ("V\u{200b}iagra", "viagra"),
            ("ＶＩＡＧＲＡ", "viagra"),
            ("𝐕𝐢𝐚𝐠𝐫𝐚", "viagra"),
            ("ﬁne", "fine"),
            ("E\u{301}te", "éte"),
            ("don’t", "don't"),
            ("İ", "i\u{307}"),
            ("ПРИВЕТ", "привет"),
        ] {
            assert_eq!(fold(word), expected, "{word}");
            assert_eq!(fold(expected), expected);
        }
        assert_eq!(visible("v\u{200b}i\u{ad}agra"), "viagra");
    }
}
