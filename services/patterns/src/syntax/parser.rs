//! The recursive descent: alternatives, branches, items, quantifiers.

use super::escape::Escape;
use super::groups::{Extent, Groups, Target};
use super::points::{CodePoints, LAST_BYTE, LAST_CODE_POINT};
use super::property::Properties;
use super::{
    Assertion, Construct, Flags, Greed, MAX_CLASS_SIZE, MAX_COUNT, MAX_DEPTH, MAX_EXPRESSION, Node,
    Parsed, Sense, SyntaxError, SyntaxReason,
};
use crate::byteset::ByteSet;

/// Something a pattern can switch on and off inside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `i`.
    Caseless = 1,
    /// `m`.
    MultiLine = 2,
    /// `s`.
    DotAll = 4,
    /// `x`.
    Extended = 8,
    /// `xx`: blanks in classes mean nothing, too.
    ExtendedMore = 16,
    /// `n`: plain parentheses do not capture.
    NoCapture = 32,
    /// `U`: greedy and lazy change places.
    Ungreedy = 64,
}

/// The modes that are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes(u8);

impl Modes {
    /// Several.
    pub(super) const fn of(modes: &[Mode]) -> Self {
        let mut bits = 0;
        let mut rest = modes;
        while let [first, others @ ..] = rest {
            bits |= *first as u8;
            rest = others;
        }
        Self(bits)
    }

    fn new(flags: Flags) -> Self {
        [
            (flags.caseless, Mode::Caseless),
            (flags.multi_line, Mode::MultiLine),
            (flags.dot_all, Mode::DotAll),
            (flags.extended, Mode::Extended),
        ]
        .into_iter()
        .filter(|(set, _)| *set)
        .fold(Self(0), |modes, (_, mode)| modes.with(mode))
    }

    pub(super) fn has(self, mode: Mode) -> bool {
        self.0 & mode as u8 != 0
    }

    #[must_use]
    pub(super) fn with(self, mode: Mode) -> Self {
        Self(self.0 | mode as u8)
    }

    #[must_use]
    pub(super) fn without(self, modes: Self) -> Self {
        Self(self.0 & !modes.0)
    }

    #[must_use]
    pub(super) fn and(self, modes: Self) -> Self {
        Self(self.0 | modes.0)
    }
}

/// How the groups of an alternation's branches are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// On and on.
    Continued,
    /// Each branch from the same number: `(?|`.
    Reset,
}

/// One item of a branch.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) node: Node,
    pub(super) extent: Extent,
    /// Whether a quantifier may follow.
    pub(super) repeatable: bool,
}

impl Item {
    pub(super) fn new(node: Node, extent: Extent) -> Self {
        Self {
            node,
            extent,
            repeatable: true,
        }
    }

    /// Takes no character, and no quantifier after it.
    pub(super) fn fixed_place(node: Node) -> Self {
        Self {
            node,
            extent: Extent::Fixed(0),
            repeatable: false,
        }
    }
}

/// Alternatives up to the end of a group.
#[derive(Debug)]
pub(super) struct Alternatives {
    pub(super) node: Node,
    /// The extent of each, if they are the same.
    pub(super) extent: Extent,
    /// The longest, if each is fixed.
    pub(super) longest: Extent,
}

/// The least and the most often something is repeated, and where the counts in braces end.
type Counts = ((u32, Option<u32>), usize);

/// A pattern being read.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    /// The next byte.
    pub(super) at: usize,
    pub(super) unicode: bool,
    pub(super) modes: Modes,
    /// Between `\Q` and `\E`.
    pub(super) quoted: bool,
    /// Groups that are open.
    pub(super) depth: usize,
    /// Look-arounds that are open.
    pub(super) looks: usize,
    /// Nothing of the pattern precedes the next item.
    at_start: bool,
    pub(super) groups: Groups,
    pub(super) properties: Properties,
    /// How much larger the classes may become, see [`MAX_CLASS_SIZE`].
    size_left: usize,
}

impl<'a> Parser<'a> {
    /// Reads a pattern.
    pub(super) fn parse(text: &'a [u8], flags: Flags) -> Result<Parsed, SyntaxError> {
        if text.len() > MAX_EXPRESSION {
            return Err(SyntaxError::new(MAX_EXPRESSION, SyntaxReason::TooLong));
        }
        if flags.unicode
            && let Err(error) = std::str::from_utf8(text)
        {
            let offset = error.valid_up_to();
            return Err(SyntaxError::new(offset, SyntaxReason::NotUtf8));
        }
        let mut parser = Self {
            text,
            at: 0,
            unicode: flags.unicode,
            modes: Modes::new(flags),
            quoted: false,
            depth: 0,
            looks: 0,
            at_start: true,
            groups: Groups::default(),
            properties: Properties::default(),
            size_left: MAX_CLASS_SIZE,
        };
        let whole = parser.alternatives(Numbering::Continued)?;
        if parser.at < text.len() {
            return Err(SyntaxError::new(parser.at, SyntaxReason::UnopenedGroup));
        }
        let (node, groups) = parser.groups.finish(whole.node)?;
        let node = if flags.unicode {
            at_character(node)
        } else {
            node
        };
        Ok(Parsed { node, groups })
    }

    /// Branches up to `)` or the end.
    pub(super) fn alternatives(
        &mut self,
        numbering: Numbering,
    ) -> Result<Alternatives, SyntaxError> {
        let (before, starts) = (self.groups.count, self.at_start);
        let mut highest = before;
        let mut nodes = Vec::new();
        let mut extents = Vec::new();
        loop {
            let (node, extent) = self.branch()?;
            nodes.push(node);
            extents.push(extent);
            highest = highest.max(self.groups.count);
            if !self.follows(b"|") {
                break;
            }
            self.at += 1;
            self.at_start = starts;
            if numbering == Numbering::Reset {
                self.groups.reset(before);
            }
        }
        self.at_start = false;
        self.groups.count = highest;
        let longest = extents.iter().try_fold(0, |most, extent| match extent {
            Extent::Fixed(length) => Some((*length).max(most)),
            Extent::Varies => None,
        });
        let first = extents.first().copied().unwrap_or(Extent::Fixed(0));
        let same = extents.iter().all(|extent| *extent == first);
        Ok(Alternatives {
            node: Node::alternation(nodes),
            extent: if same { first } else { Extent::Varies },
            longest: longest.map_or(Extent::Varies, Extent::Fixed),
        })
    }

    /// Items up to `|`, `)` or the end.
    fn branch(&mut self) -> Result<(Node, Extent), SyntaxError> {
        let mut nodes = Vec::new();
        let mut extent = Extent::Fixed(0);
        loop {
            self.skip_ignored()?;
            match self.peek() {
                None => break,
                Some(b'|' | b')') if !self.quoted => break,
                Some(_) => {}
            }
            let start = self.at;
            if self.quantifier()?.is_some() {
                return Err(SyntaxError::new(start, SyntaxReason::NothingToRepeat));
            }
            let mut item = self.item()?;
            if item.repeatable {
                self.skip_ignored()?;
                item = self.repeated(item)?;
            }
            if !matches!(item.node, Node::Empty) {
                self.at_start = false;
            }
            extent = extent.plus(item.extent);
            nodes.push(item.node);
        }
        Ok((Node::concat(nodes), extent))
    }

    /// The quantifier after an item, if there is one.
    fn repeated(&mut self, item: Item) -> Result<Item, SyntaxError> {
        let Some((min, max)) = self.quantifier()? else {
            return Ok(item);
        };
        self.skip_ignored()?;
        let greed = match self.peek() {
            Some(b'+') if !self.quoted => Greed::Possessive,
            Some(b'?') if !self.quoted => Greed::Lazy,
            _ => Greed::Greedy,
        };
        self.at += usize::from(greed != Greed::Greedy);
        let greed = match greed {
            Greed::Greedy if self.modes.has(Mode::Ungreedy) => Greed::Lazy,
            Greed::Lazy if self.modes.has(Mode::Ungreedy) => Greed::Greedy,
            greed => greed,
        };
        let extent = match &item.node {
            Node::Look(_) => item.extent,
            _ => item.extent.times(min, max),
        };
        Ok(Item::new(Node::repeat(item.node, min, max, greed), extent))
    }

    /// Takes `*`, `+`, `?` or counts in braces.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, SyntaxError> {
        if self.quoted {
            return Ok(None);
        }
        let counts = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => {
                let Some((counts, end)) = self.counts()? else {
                    return Ok(None);
                };
                self.at = end;
                return Ok(Some(counts));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(counts))
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` without taking it: the counts and where it ends. Anything
    /// else, `{,m}` too, is literal text.
    pub(super) fn counts(&self) -> Result<Option<Counts>, SyntaxError> {
        let Some(inside) = self.rest().strip_prefix(b"{") else {
            return Ok(None);
        };
        let (first, rest) = digits(inside);
        let (second, rest) = match rest.strip_prefix(b",") {
            Some(rest) => {
                let (second, rest) = digits(rest);
                (Some(second), rest)
            }
            None => (None, rest),
        };
        if first.is_empty() || !rest.starts_with(b"}") {
            return Ok(None);
        }
        let too_large = SyntaxError::new(self.at, SyntaxReason::CountTooLarge);
        let min = count(first).ok_or(too_large.clone())?;
        let max = match second {
            None => Some(min),
            Some([]) => None,
            Some(second) => Some(count(second).ok_or(too_large)?),
        };
        if max.is_some_and(|max| max < min) {
            return Err(SyntaxError::new(self.at, SyntaxReason::CountsOutOfOrder));
        }
        let end = self.text.len() - rest.len() + 1;
        Ok(Some(((min, max), end)))
    }

    /// One item without its quantifier. There is a next byte.
    fn item(&mut self) -> Result<Item, SyntaxError> {
        let one = Extent::Fixed(1);
        let start = self.at;
        let byte = self.peek().filter(|_| !self.quoted);
        Ok(match byte {
            Some(b'(') => return self.group(),
            Some(b'[') if self.follows(b"[[:<:]]") || self.follows(b"[[:>:]]") => {
                return Ok(self.word_edge());
            }
            Some(b'[') => Item::new(self.class()?, one),
            Some(b'\\') => {
                let escape = self.escape()?;
                return self.escape_item(escape, start);
            }
            Some(b'.') => {
                self.at += 1;
                Item::new(self.dot(self.modes.has(Mode::DotAll), start)?, one)
            }
            Some(b'^') => {
                self.at += 1;
                Item::fixed_place(Node::Assert(if self.modes.has(Mode::MultiLine) {
                    Assertion::LineStart
                } else {
                    Assertion::Start
                }))
            }
            Some(b'$') => {
                self.at += 1;
                Item::fixed_place(Node::Assert(if self.modes.has(Mode::MultiLine) {
                    Assertion::LineEnd
                } else {
                    Assertion::EndOrNewline
                }))
            }
            _ => {
                let point = self.next_point().unwrap_or_default();
                Item::new(self.literal(point, start)?, one)
            }
        })
    }

    fn word_edge(&mut self) -> Item {
        let side = if self.follows(b"[[:<:]]") {
            super::Direction::Ahead
        } else {
            super::Direction::Behind
        };
        self.at += b"[[:<:]]".len();
        Item::new(Node::word_edge(side), Extent::Fixed(0))
    }

    fn escape_item(&mut self, escape: Escape, start: usize) -> Result<Item, SyntaxError> {
        let one = Extent::Fixed(1);
        Ok(match escape {
            Escape::Point(point) => Item::new(self.literal(point, start)?, one),
            Escape::Class(points) => Item::new(self.points_node(&points, start)?, one),
            Escape::NotNewline => Item::new(self.dot(false, start)?, one),
            Escape::Newline => Item::new(self.newline(start)?, Extent::Varies),
            Escape::Assertion(assertion) => Item::fixed_place(Node::Assert(assertion)),
            Escape::MatchStart if self.at_start => {
                Item::fixed_place(Node::Assert(Assertion::Start))
            }
            Escape::MatchStart => {
                let reason = SyntaxReason::Unsupported(Construct::MatchStart);
                return Err(SyntaxError::new(start, reason));
            }
            Escape::Keep if self.looks == 0 => Item::fixed_place(Node::Keep),
            Escape::Keep => return Err(SyntaxError::new(start, SyntaxReason::KeepInLook)),
            Escape::Reference(target) => self.reference(target, start),
        })
    }

    pub(super) fn reference(&mut self, target: Target, start: usize) -> Item {
        let caseless = self.modes.has(Mode::Caseless);
        let (node, extent) = self.groups.refer(target, start, caseless);
        Item::new(node, extent)
    }

    /// `\R`: CR LF as one, or one vertical space.
    fn newline(&mut self, start: usize) -> Result<Node, SyntaxError> {
        let vertical = self.vertical_space();
        let one = self.points_node(&vertical, start)?;
        Ok(Node::atomic(Node::alternation(vec![
            Node::string(b"\r\n"),
            one,
        ])))
    }

    /// `.`: any character, or any but a line feed.
    fn dot(&mut self, newline: bool, start: usize) -> Result<Node, SyntaxError> {
        let points = if newline {
            self.all_points()
        } else {
            CodePoints::of(u32::from(b'\n')).complement(self.last_point())
        };
        self.points_node(&points, start)
    }

    /// A character as it stands.
    fn literal(&mut self, point: u32, start: usize) -> Result<Node, SyntaxError> {
        let caseless = self.modes.has(Mode::Caseless);
        let byte = u8::try_from(point).ok().filter(|byte| {
            // The only case of its one byte.
            let alone = !caseless || !byte.is_ascii_alphabetic();
            alone && (byte.is_ascii() || !self.unicode)
        });
        match byte {
            Some(byte) => Ok(Node::Set(ByteSet::of(byte))),
            None => {
                let points = self.folded(CodePoints::of(point), start)?;
                self.points_node(&points, start)
            }
        }
    }

    /// One character of a set.
    pub(super) fn points_node(
        &mut self,
        points: &CodePoints,
        start: usize,
    ) -> Result<Node, SyntaxError> {
        if !self.unicode {
            return Ok(Node::Set(points.to_bytes()));
        }
        let node = points.to_utf8();
        self.charge(node.count(), start)?;
        Ok(node)
    }

    /// Counts what classes are made of: a pattern has a limited number of it.
    pub(super) fn charge(&mut self, size: usize, start: usize) -> Result<(), SyntaxError> {
        match self.size_left.checked_sub(size) {
            Some(left) => {
                self.size_left = left;
                Ok(())
            }
            None => Err(SyntaxError::new(start, SyntaxReason::TooLarge)),
        }
    }

    /// Skips what means nothing and stands between an item and its quantifier: comments, `\E`,
    /// and with `x` white space. Opens a `\Q`.
    pub(super) fn skip_ignored(&mut self) -> Result<(), SyntaxError> {
        loop {
            if self.follows(b"\\E") {
                self.quoted = false;
                self.at += 2;
            } else if self.quoted {
                return Ok(());
            } else if self.follows(b"\\Q") {
                self.quoted = true;
                self.at += 2;
            } else if self.follows(b"(?#") {
                let end = self.rest().iter().position(|&byte| byte == b')');
                let unclosed = SyntaxError::new(self.at, SyntaxReason::UnclosedComment);
                self.at += end.ok_or(unclosed)? + 1;
            } else if !self.modes.has(Mode::Extended) || !self.skip_space() {
                return Ok(());
            }
        }
    }

    /// With `x`: takes white space or a comment up to the end of the line, if there is one.
    fn skip_space(&mut self) -> bool {
        let start = self.at;
        if self.follows(b"#") {
            let line = self.rest().iter().position(|&byte| byte == b'\n');
            self.at = line.map_or(self.text.len(), |line| start + line + 1);
            return true;
        }
        // Unicode's Pattern_White_Space.
        let is_space = |point: u32| {
            matches!(
                point,
                0x09..=0x0D | 0x20 | 0x85 | 0x200E | 0x200F | 0x2028 | 0x2029
            )
        };
        if self.peek_point().is_some_and(is_space) {
            self.next_point();
        }
        self.at > start
    }

    /// Opens a group at `start`.
    pub(super) fn enter(&mut self, start: usize) -> Result<(), SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::new(start, SyntaxReason::TooDeep));
        }
        self.depth += 1;
        Ok(())
    }

    /// Takes the `)` of the group opened at `start`.
    pub(super) fn leave(&mut self, start: usize) -> Result<(), SyntaxError> {
        if !self.follows(b")") {
            return Err(SyntaxError::new(start, SyntaxReason::UnclosedGroup));
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// The highest code point there is here.
    pub(super) fn last_point(&self) -> u32 {
        if self.unicode {
            LAST_CODE_POINT
        } else {
            LAST_BYTE
        }
    }

    pub(super) fn all_points(&self) -> CodePoints {
        CodePoints::default().complement(self.last_point())
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn follows(&self, text: &[u8]) -> bool {
        self.rest().starts_with(text)
    }

    /// The next character: a code point with `u`, else a byte.
    pub(super) fn peek_point(&self) -> Option<u32> {
        let first = self.peek()?;
        if !self.unicode || first.is_ascii() {
            return Some(first.into());
        }
        let length = first.leading_ones().try_into().unwrap_or(1_usize);
        let bytes = self.rest().get(..length)?;
        let character = std::str::from_utf8(bytes).ok()?.chars().next()?;
        Some(character.into())
    }

    /// Takes the next character.
    pub(super) fn next_point(&mut self) -> Option<u32> {
        let point = self.peek_point()?;
        let length = char::from_u32(point).filter(|_| self.unicode);
        self.at += length.map_or(1, char::len_utf8);
        Some(point)
    }
}

/// The digits a text begins with, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(length).unwrap_or((text, &[]))
}

/// The number that digits say, if a repetition may have it.
fn count(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number: u32, digit| {
        let number = number * 10 + u32::from(digit - b'0');
        (number <= MAX_COUNT).then_some(number)
    })
}

/// With `u` a match begins at a character. Everything that takes bytes sees to that itself; only
/// what may match nothing needs to be told.
fn at_character(node: Node) -> Node {
    if node.min_len() > 0 {
        return node;
    }
    let inside = Node::Set(ByteSet::range(0x80..=0xBF));
    let boundary = Node::look(super::Direction::Ahead, Sense::Negative, inside);
    Node::concat(vec![boundary, node])
}
