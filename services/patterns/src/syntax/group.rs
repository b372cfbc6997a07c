//! What begins with a parenthesis.

use super::groups::{Extent, Target};
use super::parser::{Item, Mode, Modes, Numbering, Parser};
use super::{Construct, Direction, MAX_LOOK_BEHIND, Node, Sense, SyntaxError, SyntaxReason};

/// Verbs that PCRE2 knows and this engine does not, and settings at the start of a pattern.
const VERBS: &[&[u8]] = &[
    b"",
    b"MARK",
    b"ACCEPT",
    b"COMMIT",
    b"PRUNE",
    b"SKIP",
    b"THEN",
    b"UTF",
    b"UCP",
    b"NO_JIT",
    b"NO_START_OPT",
    b"NO_AUTO_POSSESS",
    b"NO_DOTSTAR_ANCHOR",
    b"NOTEMPTY",
    b"NOTEMPTY_ATSTART",
    b"CR",
    b"LF",
    b"CRLF",
    b"ANYCRLF",
    b"ANY",
    b"NUL",
    b"BSR_ANYCRLF",
    b"BSR_UNICODE",
    b"LIMIT_MATCH",
    b"LIMIT_DEPTH",
    b"LIMIT_HEAP",
    b"LIMIT_RECURSION",
];

/// A look-around's two properties.
type Looks = (Direction, Sense);

impl Parser<'_> {
    /// The group whose `(` is the next byte.
    pub(super) fn group(&mut self) -> Result<Item, SyntaxError> {
        let start = self.at;
        self.enter(start)?;
        self.at += 1;
        if self.follows(b"?") {
            self.at += 1;
            return self.special(start);
        }
        if self.follows(b"*") {
            self.at += 1;
            return self.verb(start);
        }
        if self.modes.has(Mode::NoCapture) {
            return self.plain(start, Numbering::Continued);
        }
        let group = self.groups.open();
        self.capture(start, group)
    }

    /// After `(?`.
    fn special(&mut self, start: usize) -> Result<Item, SyntaxError> {
        const AHEAD: Direction = Direction::Ahead;
        const BEHIND: Direction = Direction::Behind;
        let next = self.peek().unwrap_or(b')');
        let second = self.text.get(self.at + 1).copied().unwrap_or_default();
        match (next, second) {
            (b':', _) => self.opened(1).plain(start, Numbering::Continued),
            (b'|', _) => self.opened(1).plain(start, Numbering::Reset),
            (b'>', _) => self.opened(1).atomic(start),
            (b'=', _) => self.opened(1).look(start, (AHEAD, Sense::Positive)),
            (b'!', _) => self.opened(1).look(start, (AHEAD, Sense::Negative)),
            (b'<', b'=') => self.opened(2).look(start, (BEHIND, Sense::Positive)),
            (b'<', b'!') => self.opened(2).look(start, (BEHIND, Sense::Negative)),
            (b'*', _) | (b'<', b'*') => unsupported(start, Construct::NonAtomicLook),
            (b'<', _) => self.opened(1).named(start, b'>'),
            (b'\'', _) => self.opened(1).named(start, b'\''),
            (b'P', b'<') => self.opened(2).named(start, b'>'),
            (b'P', b'=') => self.opened(2).named_reference(start),
            (b'P', b'>') | (b'&' | b'R' | b'0'..=b'9', _) | (b'+' | b'-', b'0'..=b'9') => {
                unsupported(start, Construct::Recursion)
            }
            (b'C', _) => unsupported(start, Construct::Callout),
            (b'(', _) => unsupported(start, Construct::Conditional),
            (b')' | b'^' | b'-' | b'a'..=b'z' | b'A'..=b'Z', _) if next != b'P' => {
                self.modifiers(start)
            }
            _ => Err(SyntaxError::new(start, SyntaxReason::UnknownGroup)),
        }
    }

    /// Goes on past the `length` bytes that say what kind of group it is.
    fn opened(&mut self, length: usize) -> &mut Self {
        self.at += length;
        self
    }

    /// The alternatives of the group opened at `start`, and its `)`.
    fn inside(
        &mut self,
        start: usize,
        numbering: Numbering,
    ) -> Result<super::parser::Alternatives, SyntaxError> {
        let modes = self.modes;
        let alternatives = self.alternatives(numbering)?;
        self.leave(start)?;
        self.modes = modes;
        Ok(alternatives)
    }

    fn plain(&mut self, start: usize, numbering: Numbering) -> Result<Item, SyntaxError> {
        let inside = self.inside(start, numbering)?;
        Ok(Item::new(inside.node, inside.extent))
    }

    fn atomic(&mut self, start: usize) -> Result<Item, SyntaxError> {
        let inside = self.inside(start, Numbering::Continued)?;
        Ok(Item::new(Node::atomic(inside.node), inside.extent))
    }

    fn named(&mut self, start: usize, end: u8) -> Result<Item, SyntaxError> {
        let name = self.name(end)?.to_vec();
        let group = self.groups.open_named(&name);
        self.capture(start, group)
    }

    fn capture(
        &mut self,
        start: usize,
        group: Result<u32, SyntaxReason>,
    ) -> Result<Item, SyntaxError> {
        let group = group.map_err(|reason| SyntaxError::new(start, reason))?;
        let inside = self.inside(start, Numbering::Continued)?;
        self.groups.close(group, inside.extent);
        let node = Node::Capture {
            group,
            node: Box::new(inside.node),
        };
        Ok(Item::new(node, inside.extent))
    }

    /// `(?P=name)`.
    fn named_reference(&mut self, start: usize) -> Result<Item, SyntaxError> {
        let name = self.name(b')')?.to_vec();
        self.depth -= 1;
        Ok(self.reference(Target::Name(name), start))
    }

    fn look(&mut self, start: usize, (direction, sense): Looks) -> Result<Item, SyntaxError> {
        self.looks += 1;
        let inside = self.inside(start, Numbering::Continued)?;
        self.looks -= 1;
        if direction == Direction::Behind {
            match inside.longest {
                Extent::Fixed(length) if length > MAX_LOOK_BEHIND => {
                    return Err(SyntaxError::new(start, SyntaxReason::LookBehindTooLong));
                }
                Extent::Fixed(_) => {}
                Extent::Varies => {
                    return Err(SyntaxError::new(start, SyntaxReason::LookBehindVaries));
                }
            }
        }
        let node = Node::look(direction, sense, inside.node);
        Ok(Item::new(node, Extent::Fixed(0)))
    }

    /// `(?flags)`, `(?flags-flags:…)` or `(?^flags)`.
    fn modifiers(&mut self, start: usize) -> Result<Item, SyntaxError> {
        let before = self.modes;
        let mut hyphen = true;
        if self.follows(b"^") {
            self.at += 1;
            self.modes = before.without(RESET);
            hyphen = false;
        }
        let (mut on, mut off, mut unset) = (Modes::default(), Modes::default(), false);
        loop {
            let at = self.at;
            let unknown = || SyntaxError::new(at, SyntaxReason::UnknownFlag);
            let Some(letter) = self.peek() else {
                return Err(SyntaxError::new(start, SyntaxReason::UnclosedGroup));
            };
            match letter {
                b')' | b':' => break,
                b'-' if hyphen => (hyphen, unset) = (false, true),
                b'J' => return unsupported(at, Construct::DuplicateNames),
                _ => {
                    let modes = self.modifier(letter).ok_or_else(unknown)?;
                    let side = if unset { &mut off } else { &mut on };
                    *side = side.and(modes);
                }
            }
            self.at += 1;
        }
        // A single x in either place takes xx away.
        if (on.has(Mode::Extended) && !on.has(Mode::ExtendedMore)) || off.has(Mode::Extended) {
            off = off.with(Mode::ExtendedMore);
        }
        self.modes = self.modes.and(on).without(off);
        self.at += 1;
        if self.text.get(self.at - 1) == Some(&b')') {
            self.depth -= 1;
            return Ok(Item::fixed_place(Node::Empty));
        }
        let inside = self.inside(start, Numbering::Continued)?;
        self.modes = before;
        Ok(Item::new(inside.node, inside.extent))
    }

    /// The modes of a flag, which is the next byte; `xx` is one flag.
    fn modifier(&mut self, letter: u8) -> Option<Modes> {
        let modes = Modes::default();
        Some(match letter {
            b'i' => modes.with(Mode::Caseless),
            b'm' => modes.with(Mode::MultiLine),
            b's' => modes.with(Mode::DotAll),
            b'n' => modes.with(Mode::NoCapture),
            b'U' => modes.with(Mode::Ungreedy),
            b'x' if self.follows(b"xx") => {
                self.at += 1;
                modes.with(Mode::Extended).with(Mode::ExtendedMore)
            }
            b'x' => modes.with(Mode::Extended),
            _ => return None,
        })
    }

    /// After `(*`: an assertion or group by its name, or a verb.
    fn verb(&mut self, start: usize) -> Result<Item, SyntaxError> {
        const AHEAD: Direction = Direction::Ahead;
        const BEHIND: Direction = Direction::Behind;
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|&byte| !super::is_word(byte))
            .unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default();
        let unknown = Err(SyntaxError::new(start, SyntaxReason::UnknownVerb));
        match (name, rest.get(length)) {
            (b"F" | b"FAIL", Some(b')' | b':')) => {
                let end = rest.iter().position(|&byte| byte == b')');
                let unclosed = SyntaxError::new(start, SyntaxReason::UnclosedGroup);
                self.at += end.ok_or(unclosed)? + 1;
                self.depth -= 1;
                Ok(Item::fixed_place(Node::FAIL))
            }
            (name, Some(b')' | b':' | b'=')) if VERBS.contains(&name) => {
                unsupported(start, Construct::Verb)
            }
            (b"", Some(b':')) => unsupported(start, Construct::Verb),
            (_, Some(b':')) => {
                self.at += length + 1;
                match name {
                    b"pla" | b"positive_lookahead" => self.look(start, (AHEAD, Sense::Positive)),
                    b"nla" | b"negative_lookahead" => self.look(start, (AHEAD, Sense::Negative)),
                    b"plb" | b"positive_lookbehind" => self.look(start, (BEHIND, Sense::Positive)),
                    b"nlb" | b"negative_lookbehind" => self.look(start, (BEHIND, Sense::Negative)),
                    b"atomic" => self.atomic(start),
                    b"napla"
                    | b"naplb"
                    | b"non_atomic_positive_lookahead"
                    | b"non_atomic_positive_lookbehind" => {
                        unsupported(start, Construct::NonAtomicLook)
                    }
                    b"sr" | b"asr" | b"script_run" | b"atomic_script_run" => {
                        unsupported(start, Construct::ScriptRun)
                    }
                    _ => unknown,
                }
            }
            _ => unknown,
        }
    }
}

/// What `(?^` switches off.
const RESET: Modes = Modes::of(&[
    Mode::Caseless,
    Mode::MultiLine,
    Mode::DotAll,
    Mode::Extended,
    Mode::ExtendedMore,
    Mode::NoCapture,
]);

fn unsupported<T>(start: usize, construct: Construct) -> Result<T, SyntaxError> {
    let reason = SyntaxReason::Unsupported(construct);
    Err(SyntaxError::new(start, reason))
}
