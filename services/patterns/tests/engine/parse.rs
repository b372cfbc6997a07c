//! Reads Perl expressions into [`Expression`]s, well enough to make strings that match them. The
//! trees do not print: their sources are empty.

use crate::expression::{Bytes, Expression};

/// Flags in force at a place of the expression.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    caseless: bool,
    dot_all: bool,
    extended: bool,
}

impl Flags {
    fn set(&mut self, letter: u8, on: bool) {
        match letter {
            b'i' => self.caseless = on,
            b's' => self.dot_all = on,
            b'x' => self.extended = on,
            _ => {}
        }
    }
}

/// Reads `expression`; says at which byte it gave up.
pub(crate) fn parse(expression: &[u8], flags: &str) -> Result<Expression, String> {
    let mut parser = Parser {
        text: expression,
        at: 0,
        flags: Flags::default(),
        unicode: flags.contains('u'),
        groups: 0,
        names: Vec::new(),
    };
    flags.bytes().for_each(|flag| parser.flags.set(flag, true));
    let tree = parser.alternation()?;
    if parser.at < expression.len() {
        return Err(parser.stuck("an unopened parenthesis"));
    }
    Ok(tree)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    flags: Flags,
    unicode: bool,
    groups: usize,
    names: Vec<(Vec<u8>, usize)>,
}

fn byte(set: Bytes) -> Expression {
    Expression::Byte {
        source: String::new(),
        set,
    }
}

fn place(help: &[u8]) -> Expression {
    Expression::Place {
        source: String::new(),
        help: help.to_vec(),
    }
}

impl<'a> Parser<'a> {
    fn stuck(&self, reason: &str) -> String {
        format!("{reason} at byte {}", self.at)
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn eat(&mut self, prefix: &[u8]) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn next(&mut self) -> Result<u8, String> {
        let byte = self.rest().first().copied();
        self.at += 1;
        byte.ok_or_else(|| "an early end".to_owned())
    }

    /// The text up to `end`, which is skipped.
    fn until(&mut self, end: &[u8]) -> Result<&'a [u8], String> {
        let rest = self.rest();
        let length = rest.windows(end.len()).position(|window| window == end);
        let length = length.ok_or_else(|| self.stuck("an unclosed name or comment"))?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    fn alternation(&mut self) -> Result<Expression, String> {
        let outer = self.flags;
        let mut branches = vec![self.concat()?];
        while self.eat(b"|") {
            branches.push(self.concat()?);
        }
        self.flags = outer;
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Expression::Alternation(branches),
        })
    }

    fn concat(&mut self) -> Result<Expression, String> {
        let mut parts = Vec::new();
        while let Some(&next) = self.rest().first() {
            if matches!(next, b'|' | b')') {
                break;
            }
            if self.flags.extended && next.is_ascii_whitespace() {
                self.at += 1;
            } else if self.flags.extended && next == b'#' {
                let rest = self.rest();
                let line = rest.iter().position(|&byte| byte == b'\n');
                self.at += line.map_or(rest.len(), |line| line + 1);
            } else if self.eat(br"\Q") {
                let quoted = self.until(br"\E")?;
                parts.extend(quoted.iter().map(|&byte| self.literal(byte)));
            } else if self.eat(br"\E") {
            } else if let Some(part) = self.atom()? {
                let part = self.repeats(part);
                parts.push(part);
            }
        }
        Ok(Expression::Concat(parts))
    }

    fn literal(&self, value: u8) -> Expression {
        let set = Bytes::of(|byte| byte == value);
        byte(if self.flags.caseless {
            set.folded()
        } else {
            set
        })
    }

    fn repeats(&mut self, mut inner: Expression) -> Expression {
        loop {
            let (min, max) = if self.eat(b"*") {
                (0, None)
            } else if self.eat(b"+") {
                (1, None)
            } else if self.eat(b"?") {
                (0, Some(1))
            } else if let Some(counts) = self.counts() {
                counts
            } else {
                return inner;
            };
            let _ = self.eat(b"?") || self.eat(b"+");
            inner = Expression::Repeat {
                inner: Box::new(inner),
                min,
                max: max.map(|max| max.max(min)),
                source: String::new(),
            };
        }
    }

    fn counts(&mut self) -> Option<(usize, Option<usize>)> {
        let rest = self.rest().strip_prefix(b"{")?;
        let end = rest.iter().position(|&byte| byte == b'}')?;
        let counts = std::str::from_utf8(&rest[..end]).ok()?;
        let counts = match counts.split_once(',') {
            None => {
                let count = counts.parse().ok()?;
                (count, Some(count))
            }
            Some((min, "")) => (min.parse().ok()?, None),
            Some((min, max)) => (min.parse().ok()?, Some(max.parse().ok()?)),
        };
        self.at += end + 2;
        Some(counts)
    }

    /// One thing that can be repeated; nothing for flags and comments.
    fn atom(&mut self) -> Result<Option<Expression>, String> {
        Ok(Some(match self.next()? {
            b'(' => return self.group(),
            b'[' => self.class()?,
            b'.' => {
                let dot_all = self.flags.dot_all;
                byte(Bytes::of(|byte| dot_all || byte != b'\n'))
            }
            b'^' => place(b"\n"),
            b'$' => place(b"\n"),
            b'\\' => self.escape()?,
            first if self.unicode && first >= 0xc0 => {
                let mut bytes = vec![first];
                while let Some(&next @ 0x80..=0xbf) = self.rest().first() {
                    bytes.push(next);
                    self.at += 1;
                }
                Expression::Text {
                    source: String::new(),
                    bytes,
                }
            }
            value => self.literal(value),
        }))
    }

    fn group(&mut self) -> Result<Option<Expression>, String> {
        if self.eat(b"?#") {
            self.until(b")")?;
            return Ok(None);
        }
        for (opening, name) in [
            (&b"?="[..], "(?="),
            (b"?!", "(?!"),
            (b"?<=", "(?<="),
            (b"?<!", "(?<!"),
        ] {
            if self.eat(opening) {
                return Ok(Some(Expression::Look {
                    opening: name,
                    inner: Box::new(self.body()?),
                }));
            }
        }
        let name = if self.eat(b"?<") || self.eat(b"?P<") {
            Some(self.until(b">")?.to_vec())
        } else if self.eat(b"?'") {
            Some(self.until(b"'")?.to_vec())
        } else {
            None
        };
        if name.is_none() && (self.eat(b"?P=") || self.eat(b"?&") || self.eat(b"?P>")) {
            let name = self.until(b")")?.to_vec();
            return self.named(&name).map(Some);
        }
        if name.is_none() && (self.eat(b"?>") || self.eat(b"?|")) {
            return self.body().map(Some);
        }
        if name.is_none() && self.eat(b"?") {
            return self.flagged();
        }
        self.groups += 1;
        let number = self.groups;
        if let Some(name) = name {
            self.names.push((name, number));
        }
        Ok(Some(Expression::Group {
            opening: String::new(),
            number: Some(number),
            inner: Box::new(self.body()?),
        }))
    }

    /// What stands in a group, and its closing parenthesis.
    fn body(&mut self) -> Result<Expression, String> {
        let body = self.alternation()?;
        match self.eat(b")") {
            true => Ok(body),
            false => Err(self.stuck("an unclosed group")),
        }
    }

    /// After `(?`: flags with `:` and a group, or with `)` for the rest of this group.
    fn flagged(&mut self) -> Result<Option<Expression>, String> {
        let outer = self.flags;
        let mut on = true;
        loop {
            match self.next()? {
                b'^' => self.flags = Flags::default(),
                b'-' => on = false,
                b')' => return Ok(None),
                b':' => {
                    let body = self.body();
                    self.flags = outer;
                    return body.map(Some);
                }
                letter @ (b'i' | b'm' | b's' | b'x' | b'n' | b'a' | b'U' | b'J') => {
                    self.flags.set(letter, on);
                }
                _ => return Err(self.stuck("an unknown group")),
            }
        }
    }

    fn named(&self, name: &[u8]) -> Result<Expression, String> {
        let found = self.names.iter().find(|(known, _)| known == name);
        let number = found.ok_or_else(|| self.stuck("an unknown name"))?.1;
        Ok(Expression::Reference {
            source: String::new(),
            number,
        })
    }

    /// After a backslash, outside classes.
    fn escape(&mut self) -> Result<Expression, String> {
        let letter = self.next()?;
        Ok(match letter {
            b'b' => place(b" "),
            b'B' | b'A' | b'Z' | b'z' | b'G' | b'K' => place(b""),
            b'R' => Expression::Alternation(vec![
                Expression::Text {
                    source: String::new(),
                    bytes: b"\r\n".to_vec(),
                },
                byte(Bytes::of(|byte| matches!(byte, 0x0a..=0x0d | 0x85))),
            ]),
            b'N' => byte(Bytes::of(|byte| byte != b'\n')),
            b'1'..=b'9' => self.reference(letter)?,
            b'g' => {
                let number = if self.eat(b"{") {
                    self.until(b"}")?
                } else {
                    self.at += 1;
                    &self.text[self.at - 1..self.at]
                };
                let number = String::from_utf8_lossy(number).into_owned();
                match number.parse::<isize>() {
                    Ok(back @ ..0) => self.numbered(self.groups + 1 - back.unsigned_abs()),
                    Ok(number) => self.numbered(number.unsigned_abs()),
                    Err(_) => self.named(number.as_bytes())?,
                }
            }
            b'k' => {
                let end: &[u8] = match self.next()? {
                    b'<' => b">",
                    b'{' => b"}",
                    _ => b"'",
                };
                let name = self.until(end)?.to_vec();
                self.named(&name)?
            }
            _ => match class_escape(letter) {
                Some(set) => byte(set),
                None => {
                    let value = self.character(letter)?;
                    match (u8::try_from(value), self.unicode && value > 0x7f) {
                        (Ok(value), false) => self.literal(value),
                        _ => Expression::Text {
                            source: String::new(),
                            bytes: char::from_u32(value)
                                .unwrap_or('?')
                                .to_string()
                                .into_bytes(),
                        },
                    }
                }
            },
        })
    }

    fn numbered(&self, number: usize) -> Expression {
        Expression::Reference {
            source: String::new(),
            number,
        }
    }

    /// `\1`, or an octal character.
    fn reference(&mut self, first: u8) -> Result<Expression, String> {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let start = self.at - 1;
        let length = digits(&self.text[start..]);
        let number = std::str::from_utf8(&self.text[start..start + length]);
        let number: usize = number.unwrap_or("0").parse().unwrap_or(0);
        if number < 10 || number <= self.groups {
            self.at = start + length;
            return Ok(self.numbered(number));
        }
        let value = self.octal(first);
        Ok(self.literal(value))
    }

    fn octal(&mut self, first: u8) -> u8 {
        let mut value = u32::from(first - b'0');
        for _ in 0..2 {
            match self.rest().first() {
                Some(&digit @ b'0'..=b'7') => {
                    value = value * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                _ => break,
            }
        }
        value.to_le_bytes()[0]
    }

    /// The character an escape stands for, after `\` and `letter`.
    fn character(&mut self, letter: u8) -> Result<u32, String> {
        Ok(match letter {
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'f' => 12,
            b'e' => 27,
            b'a' => 7,
            b'0'..=b'7' => u32::from(self.octal(letter)),
            b'c' => u32::from(self.next()?.to_ascii_uppercase() ^ 64),
            b'x' if self.eat(b"{") => {
                let digits = String::from_utf8_lossy(self.until(b"}")?).into_owned();
                u32::from_str_radix(&digits, 16).map_err(|_| self.stuck("a bad \\x{"))?
            }
            b'x' => {
                let rest = self.rest();
                let digits = rest
                    .iter()
                    .take(2)
                    .take_while(|byte| byte.is_ascii_hexdigit());
                let digits = digits.count();
                let text = std::str::from_utf8(&rest[..digits]).unwrap_or("");
                self.at += digits;
                u32::from_str_radix(text, 16).unwrap_or(0)
            }
            other => u32::from(other),
        })
    }

    /// After `[`.
    fn class(&mut self) -> Result<Expression, String> {
        let negated = self.eat(b"^");
        let mut set = Bytes::none();
        let mut first = true;
        loop {
            if !first && self.eat(b"]") {
                break;
            }
            first = false;
            if self.rest().starts_with(b"[:") && self.posix(&mut set) {
                continue;
            }
            let Some(low) = self.member(&mut set)? else {
                continue;
            };
            let mut high = low;
            let dash = self.rest().first() == Some(&b'-');
            if dash && self.rest().get(1).is_some_and(|&next| next != b']') {
                self.at += 1;
                match self.member(&mut set)? {
                    Some(end) => high = end,
                    None => set.add(&Bytes::of(|byte| byte == b'-')),
                }
            }
            set.add(&Bytes::of(|byte| (low..=high).contains(&u32::from(byte))));
        }
        if self.flags.caseless {
            set = set.folded();
        }
        Ok(byte(if negated { set.complement() } else { set }))
    }

    /// A character of a class, or none after adding a whole set.
    fn member(&mut self, set: &mut Bytes) -> Result<Option<u32>, String> {
        match self.next()? {
            b'\\' => {
                let letter = self.next()?;
                if let Some(escaped) = class_escape(letter) {
                    set.add(&escaped);
                    return Ok(None);
                }
                if letter == b'b' {
                    return Ok(Some(8));
                }
                self.character(letter).map(Some)
            }
            value => Ok(Some(u32::from(value))),
        }
    }

    /// `[:alpha:]` inside a class.
    fn posix(&mut self, set: &mut Bytes) -> bool {
        let Some(end) = self.rest().windows(2).position(|window| window == b":]") else {
            return false;
        };
        let name = &self.rest()[2..end];
        let (name, negated) = match name.strip_prefix(b"^") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(named) = posix_class(name) else {
            return false;
        };
        set.add(&if negated { named.complement() } else { named });
        self.at += end + 2;
        true
    }
}

fn posix_class(name: &[u8]) -> Option<Bytes> {
    let test: fn(u8) -> bool = match name {
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"space" => is_space,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        b"word" => is_word,
        b"ascii" => |byte| byte.is_ascii(),
        _ => return None,
    };
    Some(Bytes::of(test))
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// `\d`, `\S` and the like, in bytes.
pub(crate) fn class_escape(letter: u8) -> Option<Bytes> {
    let test: fn(u8) -> bool = match letter.to_ascii_lowercase() {
        b'd' => |byte| byte.is_ascii_digit(),
        b'w' => is_word,
        b's' => is_space,
        b'h' => |byte| matches!(byte, b'\t' | b' ' | 0xa0),
        b'v' => |byte| matches!(byte, 0x0a..=0x0d | 0x85),
        _ => return None,
    };
    let set = Bytes::of(test);
    Some(match letter.is_ascii_uppercase() {
        true => set.complement(),
        false => set,
    })
}
