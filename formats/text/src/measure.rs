//! What rules ask about a text, counted in one pass over its words and one over its numbers.

use crate::script::{self, Mixture};
use crate::words;

/// Octets of text that are measured.
pub const MAX_MEASURED: usize = 1024 * 1024;
/// Digits a telephone number has (E.164 allows 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Octets a telephone number is written in.
const MAX_PHONE: usize = 32;

/// Counts over a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measures {
    /// Characters.
    pub characters: usize,
    /// Lines that are not empty.
    pub lines: usize,
    /// Words, as [`words::iterate`] cuts them.
    pub words: usize,
    /// Letters.
    pub letters: usize,
    /// Capital letters.
    pub capitals: usize,
    /// Characters outside ASCII.
    pub non_ascii: usize,
    /// Digits, ASCII ones.
    pub digits: usize,
    /// Exclamation and question marks, full-width and inverted ones too.
    pub marks: usize,
    /// Currency signs.
    pub currency: usize,
    /// Characters that take no room: see [`script::is_invisible`]. Variation selectors and joiners
    /// behind a pictograph do not count, they belong to it; nor does U+FEFF at the beginning.
    pub zero_width: usize,
    /// Words that mix letters of several scripts.
    pub mixed_script_words: usize,
    /// Characters that turn the direction of writing.
    pub direction_overrides: usize,
    /// Telephone numbers: with `+`, or of groups parted by blanks, hyphens, dots, slashes and
    /// parentheses.
    pub phone_numbers: usize,
    /// Amounts of money: a number beside a currency's sign, code or name.
    pub money_amounts: usize,
    /// Not all of the text was measured.
    pub truncated: bool,
}

impl Measures {
    /// Measures a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let measured = text
            .get(..text.floor_char_boundary(MAX_MEASURED))
            .unwrap_or(text);
        let mut measures = Self {
            truncated: measured.len() < text.len(),
            ..Self::default()
        };
        measures.count_characters(measured);
        for word in words::iterate(measured) {
            measures.words += 1;
            if !word.is_ascii() {
                let mut mixture = Mixture::default();
                word.chars().for_each(|c| mixture.add(c));
                measures.mixed_script_words += usize::from(mixture.is_odd());
            }
        }
        measures.count_numbers(measured);
        measures
    }

    /// Capitals among the letters, in percent, rounded down; 0 without letters.
    #[must_use]
    pub fn capitals_percent(&self) -> usize {
        (self.capitals * 100).checked_div(self.letters).unwrap_or(0)
    }

    /// Characters outside ASCII, in percent, rounded down; 0 without text.
    #[must_use]
    pub fn non_ascii_percent(&self) -> usize {
        (self.non_ascii * 100)
            .checked_div(self.characters)
            .unwrap_or(0)
    }

    fn count_characters(&mut self, text: &str) {
        let mut empty = true;
        let mut pictograph = false;
        for (at, c) in text.char_indices() {
            self.characters += 1;
            if c == '\n' {
                empty = true;
            } else if empty && !c.is_whitespace() {
                empty = false;
                self.lines += 1;
            }
            if c.is_ascii() {
                self.letters += usize::from(c.is_ascii_alphabetic());
                self.capitals += usize::from(c.is_ascii_uppercase());
                self.digits += usize::from(c.is_ascii_digit());
                self.marks += usize::from(matches!(c, '!' | '?'));
                self.currency += usize::from(c == '$');
                pictograph = false;
                continue;
            }
            self.non_ascii += 1;
            self.letters += usize::from(c.is_alphabetic());
            self.capitals += usize::from(c.is_uppercase());
            self.marks += usize::from(matches!(c, '！' | '？' | '¡' | '¿' | '‼' | '⁉'));
            self.currency += usize::from(is_currency(c));
            self.direction_overrides += usize::from(script::turns_direction(c));
            if script::is_invisible(c) {
                let belongs = pictograph
                    && matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}');
                self.zero_width += usize::from(!(belongs || (c == '\u{feff}' && at == 0)));
            } else {
                pictograph = matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}');
            }
        }
    }

    /// Looks at each run of digits once.
    fn count_numbers(&mut self, text: &str) {
        let octets = text.as_bytes();
        let mut at = 0;
        while let Some(offset) = octets
            .get(at..)
            .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
        {
            let start = at + offset;
            let number = Number::at(text, start);
            if number.is_money(text) {
                self.money_amounts += 1;
                at = number.end;
            } else {
                let (is_phone, end) = phone(text, start);
                self.phone_numbers += usize::from(is_phone);
                at = end.max(number.end);
            }
        }
    }
}

/// A number with its separators: `1,234.50`.
struct Number {
    start: usize,
    end: usize,
}

impl Number {
    fn at(text: &str, start: usize) -> Self {
        let octets = text.as_bytes();
        let mut end = start;
        let mut here = start;
        while let Some(&octet) = octets.get(here) {
            if octet.is_ascii_digit() {
                end = here + 1;
            } else if !(matches!(octet, b',' | b'.' | b'\'') && here == end) {
                break;
            }
            here += 1;
        }
        Self { start, end }
    }

    /// Whether a currency stands beside it.
    fn is_money(&self, text: &str) -> bool {
        let before = text.get(..self.start).unwrap_or_default();
        let before = before.strip_suffix(BLANK).unwrap_or(before);
        let after = text.get(self.end..).unwrap_or_default();
        // `$5M`, `100k €`, `1.5 million dollars`
        let after = after
            .strip_prefix(['k', 'K', 'M'])
            .filter(|rest| !rest.starts_with(char::is_alphanumeric))
            .unwrap_or(after);
        let after = after.strip_prefix(BLANK).unwrap_or(after);
        let after = [
            "million",
            "billion",
            "thousand",
            "Million",
            "Millionen",
            "Mio",
        ]
        .iter()
        .filter_map(|word| after.strip_prefix(word))
        .min_by_key(|rest| rest.len())
        .map_or(after, |rest| rest.strip_prefix(BLANK).unwrap_or(rest));
        let sign = |c: Option<char>| c.is_some_and(|c| c == '$' || is_currency(c));
        sign(before.chars().next_back())
            || sign(after.chars().next())
            || is_currency_word(last_word(before))
            || is_currency_word(first_word(after))
    }
}

const BLANK: [char; 3] = [' ', '\u{a0}', '\u{202f}'];

fn is_currency(c: char) -> bool {
    matches!(
        c,
        '$' | '¢' | '£' | '¤' | '¥' | '฿' | '\u{20a0}'..='\u{20c0}' | '﷼' | '＄' | '￡' | '￥'
    )
}

/// The word a text starts with, at most 8 octets of letters.
fn first_word(text: &str) -> &str {
    let length = text
        .bytes()
        .take(9)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    text.get(..length).unwrap_or_default()
}

fn last_word(text: &str) -> &str {
    let length = text
        .bytes()
        .rev()
        .take(9)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    text.get(text.len() - length..).unwrap_or_default()
}

fn is_currency_word(word: &str) -> bool {
    const CODES: [&str; 34] = [
        "AED", "AUD", "BRL", "BTC", "CAD", "CHF", "CNY", "CZK", "DKK", "ETH", "EUR", "GBP", "HKD",
        "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "NGN", "NOK", "NZD", "PLN", "RMB", "RON",
        "RUB", "SEK", "SGD", "TRY", "UAH", "USD", "USDT", "ZAR",
    ];
    const NAMES: [&str; 12] = [
        "dollar", "dollars", "euro", "euros", "pound", "pounds", "yen", "yuan", "rupees", "bucks",
        "cents", "francs",
    ];
    CODES.contains(&word) || NAMES.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// Whether digits go on right behind a place, at most one character between.
fn is_longer(rest: &[u8], from: usize) -> bool {
    rest.get(from..)
        .unwrap_or_default()
        .iter()
        .take(2)
        .any(u8::is_ascii_digit)
}

/// Whether a telephone number's first digit is at `start`, and where to go on.
fn phone(text: &str, start: usize) -> (bool, usize) {
    let octets = text.as_bytes();
    let before = octets.get(..start).unwrap_or_default();
    let opened = before.last() == Some(&b'(');
    let before = before.strip_suffix(b"(").unwrap_or(before);
    let international = before.last() == Some(&b'+');
    let before = before.strip_suffix(b"+").unwrap_or(before);
    if before
        .last()
        .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'/' | b'_' | b'.' | b'-'))
    {
        return (false, start);
    }
    let (mut digits, mut groups, mut longest, mut run) = (0usize, 0usize, 0usize, 0usize);
    let (mut end, mut gap) = (start, 0usize);
    let mut dots = 0usize;
    let rest = octets.get(start..).unwrap_or_default();
    for (offset, &octet) in rest.iter().take(MAX_PHONE).enumerate() {
        match octet {
            b'0'..=b'9' => {
                groups += usize::from(run == 0);
                run += 1;
                digits += 1;
                longest = longest.max(run);
                gap = 0;
                end = start + offset + 1;
            }
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' if gap < 3 => {
                dots += usize::from(octet == b'.');
                gap += 1;
                run = 0;
            }
            _ => break,
        }
    }
    let next = octets.get(end).copied().unwrap_or(b' ');
    let bounded = !is_longer(octets, end)
        && !next.is_ascii_alphanumeric()
        && !matches!(next, b'_' | b'@' | b'%' | b'=');
    let zero = rest.first() == Some(&b'0');
    let shaped = international
        || opened
        || (groups == 1 && zero && digits >= 10)
        || (zero && (2..=6).contains(&groups) && longest <= 8)
        // 555-123-4567, 1 800 555 1234
        || (groups >= 3 && longest <= 4 && digits >= 10 && dots != 3);
    // Dates and IPv4 addresses have groups, too.
    let date = digits == 8 && groups == 3 && !international;
    if bounded && shaped && !date && PHONE_DIGITS.contains(&digits) {
        return (true, end);
    }
    // The rest of something longer, such as the number of a card, is no telephone number either.
    let longer = digits > *PHONE_DIGITS.end();
    (false, if longer { end } else { start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters() {
        let m = Measures::of("HELLO World!\n\n Ä ß ¿5$ €?\n");
        assert_eq!(m.lines, 2);
        assert_eq!((m.letters, m.capitals), (12, 7));
        assert_eq!((m.digits, m.marks, m.currency), (1, 3, 2));
        assert_eq!(m.non_ascii, 4);
        assert_eq!(m.words, 5);
        assert_eq!(m.capitals_percent(), 58);
        assert_eq!(Measures::default().capitals_percent(), 0);
    }

    #[test]
    fn invisible() {
        for (text, zero_width, turned, mixed) in [
            ("plain", 0, 0, 0),
            ("v\u{200b}ia\u{ad}gra", 2, 0, 0),
            ("\u{feff}text", 0, 0, 0),
            ("te\u{feff}xt", 1, 0, 0),
            ("a\u{202e}b", 1, 1, 0),
            ("👨\u{200d}👩 ❤\u{fe0f}", 0, 0, 0),
            ("pаypal bank", 0, 0, 1), // Cyrillic а
            ("привет мир", 0, 0, 0),
            ("ＶＩＡ日本", 0, 0, 0),
        ] {
            let m = Measures::of(text);
            let found = (m.zero_width, m.direction_overrides, m.mixed_script_words);
            assert_eq!(found, (zero_width, turned, mixed), "{text:?}");
        }
    }

    #[test]
    fn money() {
        for (text, expected) in [
            ("$100", 1),
            ("$ 1,234.50 and 20€", 2),
            ("USD 5000000", 1),
            ("5,000,000 USD", 1),
            ("US$15.5 million", 1),
            ("15 million dollars", 1),
            ("£5k", 1),
            ("10 euros", 1),
            ("1.000,50 EUR", 1),
            ("100 people, 5 trees", 0),
            ("EUR50", 1),
            ("EUROPE2024 12", 0),
            ("in 2024", 0),
        ] {
            assert_eq!(Measures::of(text).money_amounts, expected, "{text:?}");
        }
    }

    #[test]
    fn telephones() {
        for (text, expected) in [
            ("call +1 (800) 555-1234 now", 1),
            ("(800) 555-1234", 1),
            ("555-123-4567", 1),
            ("1-800-555-1234", 1),
            ("030 1234567", 1),
            ("0171/1234567", 1),
            ("+49 30 123456 or +4930123457", 2),
            ("01.02.2024", 0),
            ("2024-11-28", 0),
            ("192.168.100.200", 0),
            ("order 12345678", 0),
            ("id=0123456789", 0),
            ("0123456789abcdef", 0),
            ("4111 1111 1111 1111 1111", 0),
            ("$1,000,000,000", 0),
        ] {
            assert_eq!(Measures::of(text).phone_numbers, expected, "{text:?}");
        }
    }

    #[test]
    fn an_end() {
        let m = Measures::of(&"é".repeat(MAX_MEASURED));
        assert!(m.truncated);
        assert_eq!(m.characters, MAX_MEASURED / 2);
    }
}
