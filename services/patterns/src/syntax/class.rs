//! Character classes in brackets.

use super::escape::{Escape, is_space};
use super::parser::{Mode, Parser};
use super::points::CodePoints;
use super::property::{cased, fold_case};
use super::{Node, SyntaxError, SyntaxReason, is_word};

/// What a class holds so far.
#[derive(Debug, Default)]
struct Members {
    /// Written as characters and ranges: case is folded.
    written: Vec<(u32, u32)>,
    /// From escapes and POSIX names: taken as they are.
    sets: Vec<(u32, u32)>,
}

impl Parser<'_> {
    /// The class whose `[` is the next byte.
    pub(super) fn class(&mut self) -> Result<Node, SyntaxError> {
        let start = self.at;
        if let Some(end) = self.posix_end(start + 1) {
            let reason = match self.text.get(start + 1) {
                Some(b':') => SyntaxReason::PosixOutsideClass,
                _ => SyntaxReason::CollatingElement,
            };
            debug_assert!(end > start);
            return Err(SyntaxError::new(start, reason));
        }
        self.at += 1;
        let negated = self.class_start();
        let mut members = Members::default();
        let mut first = true;
        loop {
            self.class_ignored();
            let Some(byte) = self.peek() else {
                return Err(SyntaxError::new(start, SyntaxReason::UnclosedClass));
            };
            match byte {
                b']' if !first && !self.quoted => break,
                b'[' if !self.quoted && self.posix_end(self.at + 1).is_some() => {
                    self.posix(&mut members)?;
                }
                _ => self.member(&mut members)?,
            }
            first = false;
        }
        self.at += 1;
        let points = self.class_points(members, start)?;
        let points = if negated {
            points.complement(self.last_point())
        } else {
            points
        };
        self.points_node(&points, start)
    }

    /// What may stand before the first member; whether it is `^`.
    fn class_start(&mut self) -> bool {
        let mut negated = false;
        loop {
            if self.follows(b"\\E") {
                self.at += 2;
            } else if self.follows(b"\\Q\\E") {
                self.at += 4;
            } else if self.modes.has(Mode::ExtendedMore) && self.is_blank() {
                self.at += 1;
            } else if self.follows(b"^") && !negated {
                negated = true;
                self.at += 1;
            } else {
                return negated;
            }
        }
    }

    /// Skips `\E`, `\Q` and, with `(?xx)`, blanks.
    fn class_ignored(&mut self) {
        loop {
            if self.follows(b"\\E") {
                self.quoted = false;
                self.at += 2;
            } else if !self.quoted && self.follows(b"\\Q") {
                self.quoted = true;
                self.at += 2;
            } else if !self.quoted && self.modes.has(Mode::ExtendedMore) && self.is_blank() {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn is_blank(&self) -> bool {
        matches!(self.peek(), Some(b' ' | b'\t'))
    }

    /// A character, a range or an escape.
    fn member(&mut self, members: &mut Members) -> Result<(), SyntaxError> {
        let start = self.at;
        let from = match self.class_item()? {
            Escape::Point(point) => point,
            Escape::Class(points) => {
                self.add_set(&points, members, start)?;
                return self.no_range();
            }
            _ => return Ok(()),
        };
        self.class_ignored();
        let hyphen = self.at;
        if self.quoted || !self.follows(b"-") {
            return self.add_range((from, from), members, start);
        }
        self.at += 1;
        self.class_ignored();
        if !self.quoted && self.follows(b"]") {
            self.at = hyphen;
            return self.add_range((from, from), members, start);
        }
        let of_class = SyntaxError::new(start, SyntaxReason::RangeOfClass);
        if !self.quoted && self.follows(b"[") && self.posix_end(self.at + 1).is_some() {
            return Err(of_class);
        }
        match self.class_item()? {
            Escape::Point(to) if from <= to => self.add_range((from, to), members, start),
            Escape::Point(_) => Err(SyntaxError::new(start, SyntaxReason::RangeOutOfOrder)),
            _ => Err(of_class),
        }
    }

    /// One character as it stands, or an escape.
    fn class_item(&mut self) -> Result<Escape, SyntaxError> {
        if !self.quoted && self.follows(b"\\") {
            self.class_escape()
        } else {
            Ok(Escape::Point(self.next_point().unwrap_or_default()))
        }
    }

    /// After a class within the class: a hyphen is itself, but only as the last member.
    fn no_range(&mut self) -> Result<(), SyntaxError> {
        match self.rest() {
            [b'-', b']', ..] | [b'-'] => Ok(()),
            [b'-', ..] if !self.quoted => {
                Err(SyntaxError::new(self.at, SyntaxReason::RangeOfClass))
            }
            _ => Ok(()),
        }
    }

    /// Adds what is written; with `i`, its other case comes later.
    fn add_range(
        &mut self,
        range: (u32, u32),
        members: &mut Members,
        start: usize,
    ) -> Result<(), SyntaxError> {
        self.charge(1, start)?;
        members.written.push(range);
        Ok(())
    }

    fn add_set(
        &mut self,
        points: &CodePoints,
        members: &mut Members,
        start: usize,
    ) -> Result<(), SyntaxError> {
        self.charge(points.ranges().len(), start)?;
        members.sets.extend_from_slice(points.ranges());
        Ok(())
    }

    fn class_points(&mut self, members: Members, start: usize) -> Result<CodePoints, SyntaxError> {
        let written = self.folded(CodePoints::new(members.written), start)?;
        self.charge(written.ranges().len(), start)?;
        Ok(written.union(&CodePoints::new(members.sets)))
    }

    /// With `i`: the set with every other case.
    pub(super) fn folded(
        &mut self,
        points: CodePoints,
        start: usize,
    ) -> Result<CodePoints, SyntaxError> {
        /// So many look-ups take as long as making a node.
        const LOOK_UPS: usize = 8;
        if !self.modes.has(Mode::Caseless) {
            return Ok(points);
        }
        if !self.unicode {
            return Ok(points.fold_ascii());
        }
        let cased = cased(&points);
        self.charge(cased.count() / LOOK_UPS, start)?;
        Ok(fold_case(&points, &cased))
    }

    /// If `[:`, `[.` or `[=` and its end follow, with the second byte at `from`: where the end is.
    /// (PCRE2's rule: not beyond a `]` or another such beginning.)
    fn posix_end(&self, from: usize) -> Option<usize> {
        let rest = self.text.get(from..)?;
        let (&kind, rest) = rest.split_first()?;
        if !matches!(kind, b':' | b'.' | b'=') {
            return None;
        }
        let mut pairs = rest.windows(2).enumerate();
        while let Some((at, pair)) = pairs.next() {
            match *pair {
                [b'\\', b']' | b'\\'] => {
                    pairs.next();
                }
                [b'[', next] if next == kind => return None,
                [b']', _] => return None,
                [byte, b']'] if byte == kind => return Some(from + 1 + at),
                _ => {}
            }
        }
        None
    }

    /// `[:name:]` or `[:^name:]` within a class.
    fn posix(&mut self, members: &mut Members) -> Result<(), SyntaxError> {
        let start = self.at;
        let end = self.posix_end(start + 1).unwrap_or(start);
        let name = self.text.get(start + 2..end).unwrap_or_default();
        if self.text.get(start + 1) != Some(&b':') {
            return Err(SyntaxError::new(start, SyntaxReason::CollatingElement));
        }
        let (name, negated) = match name.split_first() {
            Some((b'^', name)) => (name, true),
            _ => (name, false),
        };
        let caseless = self.modes.has(Mode::Caseless);
        let Some(points) = posix_class(name, caseless) else {
            return Err(SyntaxError::new(start, SyntaxReason::UnknownPosixClass));
        };
        self.at = end + 2;
        let points = if negated {
            points.complement(self.last_point())
        } else {
            points
        };
        self.add_set(&points, members, start)?;
        self.no_range()
    }
}

/// A POSIX class in the C locale; `caseless` makes the two of letters' cases one.
fn posix_class(name: &[u8], caseless: bool) -> Option<CodePoints> {
    let predicate: fn(u8) -> bool = match name {
        b"upper" | b"lower" if caseless => |byte| byte.is_ascii_alphabetic(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"ascii" => |byte| byte.is_ascii(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => is_space,
        b"word" => is_word,
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some(CodePoints::ascii(predicate))
}
