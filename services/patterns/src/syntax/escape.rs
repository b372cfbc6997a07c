//! What begins with a backslash.
//!
//! The rules are those of PCRE2 10.42: an escaped character that is no ASCII letter or digit
//! stands for itself, an unknown letter is an error, white space inside `\x{…}` and `\g{…}` is an
//! error too, and `\x` without digits is the code point 0.

use super::groups::Target;
use super::parser::Parser;
use super::points::{CodePoints, LAST_BYTE, LAST_CODE_POINT};
use super::{Assertion, Construct, MAX_GROUPS, MAX_NAME, SyntaxError, SyntaxReason, is_word};

/// What an escape means.
#[derive(Debug)]
pub(super) enum Escape {
    /// A character.
    Point(u32),
    /// One character of several.
    Class(CodePoints),
    /// `\N`: any but a line feed.
    NotNewline,
    /// `\R`.
    Newline,
    /// `\b` and the like.
    Assertion(Assertion),
    /// `\G`.
    MatchStart,
    /// `\K`.
    Keep,
    /// A back reference.
    Reference(Target),
}

/// Horizontal white space above ASCII.
const HORIZONTAL: &[(u32, u32)] = &[
    (0x09, 0x09),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x180E, 0x180E),
    (0x2000, 0x200A),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
];
/// Vertical white space.
const VERTICAL: &[(u32, u32)] = &[(0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029)];

/// `[[:space:]]` and `\s`.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

impl Parser<'_> {
    /// The escape outside a class whose backslash is the next byte. `\Q` and `\E` are not met
    /// here.
    pub(super) fn escape(&mut self) -> Result<Escape, SyntaxError> {
        let start = self.at;
        let letter = self.escaped()?;
        let unsupported = |construct| {
            Err(SyntaxError::new(
                start,
                SyntaxReason::Unsupported(construct),
            ))
        };
        Ok(match letter {
            b'A' => Escape::Assertion(Assertion::Start),
            b'Z' => Escape::Assertion(Assertion::EndOrNewline),
            b'z' => Escape::Assertion(Assertion::End),
            b'b' => Escape::Assertion(Assertion::WordBoundary),
            b'B' => Escape::Assertion(Assertion::NotWordBoundary),
            b'G' => Escape::MatchStart,
            b'K' => Escape::Keep,
            b'R' => Escape::Newline,
            b'N' => self.not_newline(start)?,
            b'C' => return unsupported(Construct::CodeUnit),
            b'X' => return unsupported(Construct::Grapheme),
            b'g' => Escape::Reference(self.reference_g(start)?),
            b'k' => Escape::Reference(self.reference_k(start)?),
            b'1'..=b'9' => self.digits(start, letter)?,
            _ => self.common_escape(start, letter)?,
        })
    }

    /// The escape inside a class whose backslash is the next byte: a character or several.
    pub(super) fn class_escape(&mut self) -> Result<Escape, SyntaxError> {
        let start = self.at;
        let letter = self.escaped()?;
        Ok(match letter {
            b'b' => Escape::Point(0x08),
            b'g' | b'8' | b'9' => Escape::Point(letter.into()),
            b'1'..=b'7' => Escape::Point(self.octal(start, letter)?),
            b'N' if self.follows(b"{U+") => self.named_character(start)?,
            b'A' | b'B' | b'C' | b'G' | b'K' | b'N' | b'R' | b'X' | b'Z' | b'k' | b'z' => {
                let reason = SyntaxReason::EscapeInClass(letter);
                return Err(SyntaxError::new(start, reason));
            }
            _ => self.common_escape(start, letter)?,
        })
    }

    /// Takes the backslash and what follows, which stays the next to read when it is not ASCII
    /// (the result is then that byte, too).
    fn escaped(&mut self) -> Result<u8, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let Some(letter) = self.peek() else {
            return Err(SyntaxError::new(start, SyntaxReason::TrailingBackslash));
        };
        if letter.is_ascii() {
            self.at += 1;
        }
        Ok(letter)
    }

    fn common_escape(&mut self, start: usize, letter: u8) -> Result<Escape, SyntaxError> {
        let point = match letter {
            b'a' => 0x07,
            b'e' => 0x1B,
            b'f' => 0x0C,
            b'n' => 0x0A,
            b'r' => 0x0D,
            b't' => 0x09,
            b'0' => self.octal(start, letter)?,
            b'o' => self.braced_octal(start)?,
            b'x' => self.hexadecimal(start)?,
            b'c' => self.control(start)?,
            b'p' | b'P' => return self.property(start, letter == b'P').map(Escape::Class),
            b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'h' | b'H' | b'v' | b'V' => {
                return Ok(Escape::Class(self.perl_class(letter)));
            }
            _ if letter.is_ascii_alphanumeric() => {
                let reason = SyntaxReason::UnknownEscape(letter);
                return Err(SyntaxError::new(start, reason));
            }
            _ if letter.is_ascii() => letter.into(),
            _ => self.next_point().unwrap_or_default(),
        };
        Ok(Escape::Point(point))
    }

    /// `\d`, `\h`, `\s`, `\v`, `\w` and their negations.
    fn perl_class(&self, letter: u8) -> CodePoints {
        let points = match letter.to_ascii_lowercase() {
            b'd' => CodePoints::ascii(|byte| byte.is_ascii_digit()),
            b's' => CodePoints::ascii(is_space),
            b'w' => CodePoints::ascii(is_word),
            b'h' => self.up_to_last(HORIZONTAL),
            _ => self.up_to_last(VERTICAL),
        };
        if letter.is_ascii_uppercase() {
            points.complement(self.last_point())
        } else {
            points
        }
    }

    /// What `\R` matches beside CR LF.
    pub(super) fn vertical_space(&self) -> CodePoints {
        self.up_to_last(VERTICAL)
    }

    fn up_to_last(&self, ranges: &[(u32, u32)]) -> CodePoints {
        CodePoints::new(ranges.to_vec()).intersection(&self.all_points())
    }

    /// `\p{name}`, `\p{^name}`, `\pL`.
    fn property(&mut self, start: usize, mut negated: bool) -> Result<CodePoints, SyntaxError> {
        let error = SyntaxError::new(start, SyntaxReason::UnknownProperty);
        let rest = self.rest();
        let (name, length) = match rest.split_first() {
            Some((b'{', name)) => {
                let end = name.iter().position(|&byte| byte == b'}');
                let name = end.and_then(|end| name.get(..end)).ok_or(error.clone())?;
                (name, name.len() + 2)
            }
            Some((letter, _)) if letter.is_ascii_alphabetic() => (rest.get(..1).unwrap_or(&[]), 1),
            _ => return Err(error),
        };
        self.at += length;
        let name = name.trim_ascii_start();
        let name = match name.split_first() {
            Some((b'^', name)) => {
                negated = !negated;
                name
            }
            _ => name,
        };
        let last = self.last_point();
        let all = self.all_points();
        let points = self.properties.get(name).ok_or(error)?.intersection(&all);
        Ok(if negated {
            points.complement(last)
        } else {
            points
        })
    }

    /// `\N`, which a quantifier may follow, and `\N{U+…}`.
    fn not_newline(&mut self, start: usize) -> Result<Escape, SyntaxError> {
        if self.follows(b"{U+") {
            return self.named_character(start);
        }
        if self.follows(b"{") && self.counts()?.is_none() {
            let reason = SyntaxReason::Unsupported(Construct::NamedCharacter);
            return Err(SyntaxError::new(start, reason));
        }
        Ok(Escape::NotNewline)
    }

    /// `\N{U+…}`, only known with flag u.
    fn named_character(&mut self, start: usize) -> Result<Escape, SyntaxError> {
        if !self.unicode {
            let reason = SyntaxReason::Unsupported(Construct::NamedCharacter);
            return Err(SyntaxError::new(start, reason));
        }
        self.at += b"{U+".len();
        self.braced_number(start, 16).map(Escape::Point)
    }

    /// `\x`, `\xh`, `\xhh` or `\x{h…}`.
    fn hexadecimal(&mut self, start: usize) -> Result<u32, SyntaxError> {
        if self.follows(b"{") {
            self.at += 1;
            return self.braced_number(start, 16);
        }
        Ok(self.number(16, 2))
    }

    /// `\o{…}`.
    fn braced_octal(&mut self, start: usize) -> Result<u32, SyntaxError> {
        if !self.follows(b"{") {
            return Err(SyntaxError::new(start, SyntaxReason::BadNumber));
        }
        self.at += 1;
        self.braced_number(start, 8)
    }

    /// Digits up to a closing brace.
    fn braced_number(&mut self, start: usize, radix: u32) -> Result<u32, SyntaxError> {
        let first = self.at;
        let point = self.number(radix, usize::MAX);
        if self.at == first || !self.follows(b"}") {
            return Err(SyntaxError::new(start, SyntaxReason::BadNumber));
        }
        self.at += 1;
        // Over bytes, Perl's meaning of a character above 255 is one that never occurs.
        if char::from_u32(point).is_none() {
            return Err(SyntaxError::new(start, SyntaxReason::NoSuchCodePoint));
        }
        Ok(point)
    }

    /// At most `most` digits; a number too large for a code point ends as one too large.
    fn number(&mut self, radix: u32, most: usize) -> u32 {
        let mut number = 0_u32;
        for _ in 0..most {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(radix));
            let Some(digit) = digit else { break };
            number = (number.saturating_mul(radix).saturating_add(digit)).min(LAST_CODE_POINT + 1);
            self.at += 1;
        }
        number
    }

    /// Up to three octal digits, of which the first has been read.
    fn octal(&mut self, start: usize, first: u8) -> Result<u32, SyntaxError> {
        debug_assert!(matches!(first, b'0'..=b'7'));
        self.at -= 1;
        let point = self.number(8, 3);
        if point > LAST_BYTE && !self.unicode {
            return Err(SyntaxError::new(start, SyntaxReason::NoSuchCodePoint));
        }
        Ok(point)
    }

    /// `\cx`.
    fn control(&mut self, start: usize) -> Result<u32, SyntaxError> {
        match self.peek() {
            Some(byte @ b' '..=b'~') => {
                self.at += 1;
                Ok((byte.to_ascii_uppercase() ^ 0x40).into())
            }
            _ => Err(SyntaxError::new(start, SyntaxReason::BadControl)),
        }
    }

    /// A back reference or an octal number: the first if it is below ten, begins with 8 or 9, or
    /// that many groups have been opened.
    fn digits(&mut self, start: usize, first: u8) -> Result<Escape, SyntaxError> {
        let after_first = self.at;
        self.at -= 1;
        let group = self.number(10, usize::MAX);
        if group < 10 || first >= b'8' || group <= self.groups.count {
            return Ok(Escape::Reference(Target::Number(group)));
        }
        self.at = after_first;
        self.octal(start, first).map(Escape::Point)
    }

    /// `\g1`, `\g-1`, `\g+1`, `\g{…}`; `\g<…>` and `\g'…'` are calls.
    fn reference_g(&mut self, start: usize) -> Result<Target, SyntaxError> {
        let error = |reason| Err(SyntaxError::new(start, reason));
        if self.follows(b"<") || self.follows(b"'") {
            return error(SyntaxReason::Unsupported(Construct::Recursion));
        }
        let open = self.at;
        let braced = self.follows(b"{");
        self.at += usize::from(braced);
        let sign = self.peek().filter(|byte| matches!(byte, b'+' | b'-'));
        self.at += usize::from(sign.is_some());
        let first = self.at;
        let number = self.number(10, usize::MAX);
        if self.at == first {
            if braced && sign.is_none() {
                self.at = open;
                return self.reference_k(start);
            }
            return error(SyntaxReason::BadReference);
        }
        if braced {
            if !self.follows(b"}") {
                return error(SyntaxReason::BadReference);
            }
            self.at += 1;
        }
        let group = match sign {
            _ if number == 0 || number > MAX_GROUPS => None,
            Some(b'+') => Some(self.groups.count + number),
            Some(_) => (self.groups.count + 1).checked_sub(number),
            None => Some(number),
        };
        match group.filter(|&group| group > 0) {
            Some(group) => Ok(Target::Number(group)),
            None => error(SyntaxReason::NoSuchGroup),
        }
    }

    /// `{name}`, `<name>` or `'name'`.
    fn reference_k(&mut self, start: usize) -> Result<Target, SyntaxError> {
        let end = match self.peek() {
            Some(b'{') => b'}',
            Some(b'<') => b'>',
            Some(b'\'') => b'\'',
            _ => return Err(SyntaxError::new(start, SyntaxReason::BadReference)),
        };
        self.at += 1;
        self.name(end).map(|name| Target::Name(name.to_vec()))
    }

    /// A group's name and the byte that ends it.
    pub(super) fn name(&mut self, end: u8) -> Result<&[u8], SyntaxError> {
        let start = self.at;
        let unicode = self.unicode;
        let is_letter = |point: u32| match u8::try_from(point) {
            Ok(byte) if byte.is_ascii() => is_word(byte),
            _ => unicode && char::from_u32(point).is_some_and(char::is_alphanumeric),
        };
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(SyntaxError::new(start, SyntaxReason::BadName));
        }
        while self.peek_point().is_some_and(is_letter) {
            self.next_point();
        }
        let stop = self.at;
        if stop - start > MAX_NAME {
            return Err(SyntaxError::new(start, SyntaxReason::NameTooLong));
        }
        if stop == start || self.peek() != Some(end) {
            return Err(SyntaxError::new(start, SyntaxReason::BadName));
        }
        self.at += 1;
        Ok(self.text.get(start..stop).unwrap_or_default())
    }
}
