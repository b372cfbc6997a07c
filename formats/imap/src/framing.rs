//! Cutting the client's bytes into commands, literals and single lines.
//!
//! A [`Framer`] is fed what the socket gave and asked for the next [`Event`]. It decides about a
//! literal when it is announced, before one octet of it is read: whether the command's grammar has
//! literals at all, how large it may be, how many there may be. Nothing is ever allocated from an
//! announced size. Whatever the chunks in which bytes arrive, the events are the same.
//!
//! While the session expects something that is no command (an answer to AUTHENTICATE, the DONE of
//! IDLE) it asks for [`Framer::next_line`] instead.
//!
//! RFC 9051 §2.2, §4.3; RFC 7888 (LITERAL+, LITERAL-).

use std::fmt;

use crate::atom::Tag;
use crate::command::{Literals, literals_of};
use crate::response::{ResponseCode, Status, StatusResponse};

/// Literals in one command.
pub const MAX_LITERALS: usize = 1_024;

/// The longest line answered to AUTHENTICATE or in IDLE, in octets.
pub const MAX_ANSWER: usize = 16_384;

/// Octets of a refused command that are read and dropped before the connection is given up, on
/// top of what an accepted command may have.
pub const MAX_DISCARDED: u64 = 65_536;

/// The end of an overlong line that is kept to see whether it announces a literal.
const TAIL: usize = 32;

/// Digits of an announced size; with them an announcement fits [`TAIL`].
const MAX_DIGITS: usize = 20;

/// How much of a literal is reserved at once.
const LITERAL_RESERVE: u64 = 16_384;

/// Whether a literal was announced with `~` (RFC 3516 literal8, RFC 6855).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralKind {
    /// `{n}`
    Plain,
    /// `~{n}`
    Binary,
}

/// A literal's octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Literal {
    /// As they came.
    pub bytes: Vec<u8>,
    /// How it was announced.
    pub kind: LiteralKind,
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a password or a letter.
        write!(f, "Literal({:?}, {} octets)", self.kind, self.bytes.len())
    }
}

/// A whole command, not yet parsed: its text without the final CRLF, in which each literal's
/// announcement is followed by CRLF and its octets are kept aside.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawCommand {
    pub(crate) text: Vec<u8>,
    pub(crate) literals: Vec<Literal>,
}

impl RawCommand {
    /// A command without literals, from its line without CRLF.
    #[must_use]
    pub fn from_line(line: &[u8]) -> Self {
        Self {
            text: line.to_vec(),
            literals: Vec::new(),
        }
    }

    /// Octets of text and literals together.
    #[must_use]
    pub fn size(&self) -> usize {
        self.literals.iter().fold(self.text.len(), |sum, literal| {
            sum.saturating_add(literal.bytes.len())
        })
    }
}

impl fmt::Debug for RawCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawCommand({} octets, {:?})",
            self.text.len(),
            self.literals
        )
    }
}

/// What a command may cost. See the constants beside for what is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of text: all lines of one command, literals aside.
    pub text: usize,
    /// Octets of one non-synchronizing literal (RFC 7888 §5: 4,096 for LITERAL-).
    pub non_synchronizing: u64,
    /// Octets of all literals of a command together, the message of APPEND aside.
    pub strings: u64,
    /// Octets of a message; 0 refuses messages altogether.
    pub message: u64,
}

impl Limits {
    /// Before login: little text, no messages.
    #[must_use]
    pub const fn before_login() -> Self {
        Self {
            text: 8_192,
            non_synchronizing: 4_096,
            strings: 8_192,
            message: 0,
        }
    }

    /// After login, with the largest message that APPEND takes.
    #[must_use]
    pub const fn after_login(append_limit: u64) -> Self {
        Self {
            text: 65_536,
            non_synchronizing: 4_096,
            strings: 1 << 20,
            message: append_limit,
        }
    }
}

/// What a literal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralUse {
    /// An argument.
    String,
    /// The message of APPEND.
    Message,
}

/// What the framer has for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The client waits for leave to send a literal: write a continuation request and flush, or
    /// answer the command and call [`Framer::abandon`].
    Continue {
        /// Octets announced, within the limits.
        size: u64,
        /// What they will be.
        usage: LiteralUse,
    },
    /// A whole command.
    Command(RawCommand),
    /// A command that was dropped, to be answered with [`Refused::response`].
    Refused(Refused),
}

/// A command that the framer dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its tag, when it could be read.
    pub tag: Option<Tag>,
    /// Why.
    pub reason: Refusal,
    /// Whether the stream is still in step.
    pub then: AfterRefusal,
}

impl Refused {
    /// The answer: tagged `NO [TOOBIG]` or `BAD`, untagged without a tag. When the stream is out
    /// of step, `BYE` belongs after it.
    #[must_use]
    pub fn response(&self) -> StatusResponse {
        // RFC 7889 §4: TOOBIG for a message beyond the limit.
        let response = match self.reason {
            Refusal::MessageTooBig => StatusResponse::new(Status::No, "message is too large")
                .with_code(ResponseCode::TooBig),
            reason => StatusResponse::new(Status::Bad, reason.to_string()),
        };
        match &self.tag {
            Some(tag) => response.tagged(tag.clone()),
            None => response,
        }
    }
}

/// What comes after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRefusal {
    /// The next command.
    Continue,
    /// Nothing: the client sends what is not worth reading. Say BYE and close.
    Close,
}

/// Why the framer dropped a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More text than [`Limits::text`].
    #[error("command line is too long")]
    TooLong,
    /// A line that ends in LF alone, or a CR elsewhere.
    #[error("lines must end in CRLF")]
    LineEnd,
    /// The command's grammar has no literals, or none here, or the command is unknown.
    #[error("no literal is allowed here")]
    Forbidden,
    /// More than [`MAX_LITERALS`].
    #[error("too many literals")]
    TooMany,
    /// More octets of literals than [`Limits::strings`].
    #[error("literal is too large")]
    TooLarge,
    /// A non-synchronizing literal above [`Limits::non_synchronizing`].
    #[error("non-synchronizing literal is too large")]
    NotSynchronizing,
    /// A message above [`Limits::message`].
    #[error("message is too large")]
    MessageTooBig,
}

/// A line that is no command.
#[derive(Clone, PartialEq, Eq)]
pub enum Line {
    /// Without its line end.
    Text(Vec<u8>),
    /// More than [`MAX_ANSWER`] octets: nothing more will come, close the connection.
    TooLong,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a password.
        match self {
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::TooLong => f.write_str("TooLong"),
        }
    }
}

/// What the framer reads at the moment.
#[derive(Debug)]
enum State {
    /// A line of a command.
    Line,
    /// A literal of which `remaining` octets are missing.
    Literal { remaining: u64 },
    /// Nothing any more.
    Closed,
}

/// The announcement at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Announcement {
    size: u64,
    kind: LiteralKind,
    synchronizing: bool,
    /// Length of the announcement itself.
    length: usize,
}

/// Cuts a stream of bytes into commands.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    /// What was fed and not yet consumed lies from `start`.
    input: Vec<u8>,
    start: usize,
    /// From `start`: so far there is no LF.
    scanned: usize,
    state: State,
    command: RawCommand,
    /// Octets of literals so far, messages aside.
    strings: u64,
    has_message: bool,
    /// Set while the rest of a refused command is read.
    refusal: Option<Refusal>,
    discarded: u64,
}

impl Framer {
    /// An empty framer.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Vec::new(),
            start: 0,
            scanned: 0,
            state: State::Line,
            command: RawCommand::default(),
            strings: 0,
            has_message: false,
            refusal: None,
            discarded: 0,
        }
    }

    /// Other limits from now on: call it between commands, after login.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes what the socket gave. Ask for events until there is none before feeding again: what
    /// is kept then is less than one line.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if self.start > 0 {
            self.input.drain(..self.start.min(self.input.len()));
            self.start = 0;
        }
        if let State::Literal { remaining } = self.state
            && self.input.is_empty()
        {
            let (literal, rest) = bytes.split_at(clamp(remaining, bytes.len()));
            self.take_literal(literal, remaining);
            bytes = rest;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Drops what was fed and not yet consumed, and says how many octets that were. RFC 9051
    /// §6.2.1: nothing sent before a TLS handshake may be taken for sent after it.
    pub fn discard_input(&mut self) -> usize {
        let dropped = self.input.len().saturating_sub(self.start);
        self.consume(dropped);
        dropped
    }

    /// Whether nothing of a command was received yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.input.len() == self.start
            && self.command.text.is_empty()
            && matches!(self.state, State::Line)
    }

    /// Forgets the command that announced a synchronizing literal, which the session answered
    /// instead of asking for it.
    pub fn abandon(&mut self) {
        self.reset();
    }

    /// The next event, or `None` until more is fed.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            match self.state {
                State::Closed => return None,
                State::Literal { remaining: 0 } => self.state = State::Line,
                State::Literal { remaining } => {
                    let available = self.input.len().saturating_sub(self.start);
                    if available == 0 {
                        return None;
                    }
                    let length = clamp(remaining, available);
                    let end = self.start.saturating_add(length);
                    let input = std::mem::take(&mut self.input);
                    self.take_literal(input.get(self.start..end).unwrap_or_default(), remaining);
                    self.input = input;
                    self.consume(length);
                }
                State::Line => {
                    let Some(length) = self.find_line() else {
                        return self.drop_overlong_start();
                    };
                    if let Some(event) = self.end_line(length) {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// The next line, when it is no command: an answer to AUTHENTICATE, or DONE. A lone LF ends it
    /// as well.
    pub fn next_line(&mut self) -> Option<Line> {
        if matches!(self.state, State::Closed) {
            return None;
        }
        let found = self.find_line();
        let length = found.unwrap_or(self.input.len().saturating_sub(self.start));
        if length > MAX_ANSWER {
            self.state = State::Closed;
            self.discard_input();
            return Some(Line::TooLong);
        }
        let line = self.pending(found?);
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text).to_vec();
        self.consume(length);
        Some(Line::Text(text))
    }

    /// The first `length` octets not yet consumed.
    fn pending(&self, length: usize) -> &[u8] {
        self.input
            .get(self.start..self.start.saturating_add(length))
            .unwrap_or_default()
    }

    fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length);
        self.scanned = 0;
        if self.start >= self.input.len() {
            self.start = 0;
            // An idle connection keeps no large buffer.
            if self.input.capacity() > MAX_ANSWER {
                self.input = Vec::new();
            } else {
                self.input.clear();
            }
        }
    }

    /// The length of the next line with its LF.
    fn find_line(&mut self) -> Option<usize> {
        let from = self.start.saturating_add(self.scanned);
        let unseen = self.input.get(from..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', unseen) else {
            self.scanned = self.scanned.saturating_add(unseen.len());
            return None;
        };
        Some(self.scanned.saturating_add(at).saturating_add(1))
    }

    /// Keeps an unfinished line within bounds: all but its end is dropped once it is too long.
    fn drop_overlong_start(&mut self) -> Option<Event> {
        let length = self.input.len().saturating_sub(self.start);
        if self.refusal.is_none() {
            // CR and LF do not count.
            let allowed = self.limits.text.saturating_add(2);
            if self.command.text.len().saturating_add(length) <= allowed {
                return None;
            }
            self.keep_for_tag(length);
            self.refusal = Some(Refusal::TooLong);
        }
        let dropped = length.saturating_sub(TAIL);
        self.consume(dropped);
        self.scanned = length - dropped;
        self.count_discarded(dropped)
    }

    /// A refused command keeps no more of its text than a tag needs.
    fn keep_for_tag(&mut self, line_length: usize) {
        if self.command.text.is_empty() {
            let start = self.pending(line_length.min(Tag::MAX_LENGTH + 1)).to_vec();
            self.command.text = start;
        }
        self.command.text.truncate(Tag::MAX_LENGTH + 1);
        self.command.literals.clear();
    }

    fn refuse(&mut self, reason: Refusal, line_length: usize) {
        self.keep_for_tag(line_length);
        self.refusal.get_or_insert(reason);
    }

    fn count_discarded(&mut self, octets: usize) -> Option<Event> {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.discarded = self.discarded.saturating_add(octets);
        (self.discarded > self.most_discarded()).then(|| self.close())
    }

    /// Refused commands are read to their end up to here: what a client may send in good faith.
    fn most_discarded(&self) -> u64 {
        self.limits
            .message
            .max(self.limits.strings)
            .saturating_add(MAX_DISCARDED)
    }

    fn close(&mut self) -> Event {
        let event = self.refused(AfterRefusal::Close);
        self.state = State::Closed;
        self.discard_input();
        event
    }

    fn refused(&mut self, then: AfterRefusal) -> Event {
        let refused = Refused {
            tag: Tag::leading(&self.command.text),
            reason: self.refusal.unwrap_or(Refusal::TooLong),
            then,
        };
        self.reset();
        Event::Refused(refused)
    }

    /// Ready for the next command.
    fn reset(&mut self) {
        self.state = State::Line;
        self.command = RawCommand::default();
        self.strings = 0;
        self.has_message = false;
        self.refusal = None;
        self.discarded = 0;
    }

    /// A whole line lies at the start of the input, `length` octets with its LF.
    fn end_line(&mut self, length: usize) -> Option<Event> {
        let line = self.pending(length);
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let ended_well = text.last() == Some(&b'\r');
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let clean = ended_well && memchr::memchr(b'\r', text).is_none();
        let announcement = announcement(text);
        let is_long = self.command.text.len().saturating_add(text.len()) > self.limits.text;
        if is_long {
            self.refuse(Refusal::TooLong, length);
        } else if !clean {
            self.refuse(Refusal::LineEnd, length);
        }
        if self.refusal.is_some() {
            self.consume(length);
            if let Some(event) = self.count_discarded(length) {
                return Some(event);
            }
        } else {
            let end = self.start.saturating_add(length).saturating_sub(2);
            let text = self.input.get(self.start..end).unwrap_or_default();
            self.command.text.extend_from_slice(text);
            self.consume(length);
        }
        match announcement {
            Some(announcement) => self.announced(announcement),
            None if self.refusal.is_some() => Some(self.refused(AfterRefusal::Continue)),
            None => {
                let command = std::mem::take(&mut self.command);
                self.reset();
                Some(Event::Command(command))
            }
        }
    }

    /// The line ended in the announcement of a literal.
    fn announced(&mut self, announcement: Announcement) -> Option<Event> {
        let usage = if self.refusal.is_none() {
            self.judge(announcement)
                .map_err(|reason| self.refuse(reason, 0))
                .ok()
        } else {
            None
        };
        let Some(usage) = usage else {
            if announcement.synchronizing {
                // The client waits, and will not send it.
                return Some(self.refused(AfterRefusal::Continue));
            }
            let size = usize::try_from(announcement.size).unwrap_or(usize::MAX);
            if let Some(event) = self.count_discarded(size) {
                return Some(event);
            }
            self.state = State::Literal {
                remaining: announcement.size,
            };
            return None;
        };
        match usage {
            LiteralUse::Message => self.has_message = true,
            LiteralUse::String => self.strings = self.strings.saturating_add(announcement.size),
        }
        self.command.text.extend_from_slice(b"\r\n");
        let reserve = usize::try_from(announcement.size.min(LITERAL_RESERVE)).unwrap_or(0);
        let bytes = Vec::with_capacity(reserve);
        self.command.literals.push(Literal {
            bytes,
            kind: announcement.kind,
        });
        self.state = State::Literal {
            remaining: announcement.size,
        };
        announcement.synchronizing.then_some(Event::Continue {
            size: announcement.size,
            usage,
        })
    }

    /// Whether the literal may be read, and as what.
    fn judge(&self, announcement: Announcement) -> Result<LiteralUse, Refusal> {
        let text = &self.command.text;
        let before = text.len().saturating_sub(announcement.length);
        let before = text.get(..before).unwrap_or_default();
        // A literal stands for a whole argument.
        if !matches!(before.last(), Some(b' ' | b'(')) || self.has_message {
            return Err(Refusal::Forbidden);
        }
        let usage = match literals_of(before) {
            Literals::Forbidden => return Err(Refusal::Forbidden),
            Literals::Strings => LiteralUse::String,
            Literals::Message { mailbox_after } if spaces(before) == mailbox_after => {
                LiteralUse::String
            }
            Literals::Message { .. } if self.limits.message == 0 => return Err(Refusal::Forbidden),
            Literals::Message { .. } => LiteralUse::Message,
        };
        if usage == LiteralUse::String && announcement.kind == LiteralKind::Binary {
            return Err(Refusal::Forbidden);
        }
        if self.command.literals.len() >= MAX_LITERALS {
            return Err(Refusal::TooMany);
        }
        let (size, most, reason) = match usage {
            LiteralUse::Message => (
                announcement.size,
                self.limits.message,
                Refusal::MessageTooBig,
            ),
            LiteralUse::String => (
                self.strings.saturating_add(announcement.size),
                self.limits.strings,
                Refusal::TooLarge,
            ),
        };
        if size > most {
            return Err(reason);
        }
        // RFC 7888 §5: LITERAL- allows no larger ones without synchronization.
        if !announcement.synchronizing && announcement.size > self.limits.non_synchronizing {
            return Err(Refusal::NotSynchronizing);
        }
        Ok(usage)
    }

    /// Octets of the literal in progress, of which `remaining` were missing.
    fn take_literal(&mut self, octets: &[u8], remaining: u64) {
        if self.refusal.is_none()
            && let Some(literal) = self.command.literals.last_mut()
        {
            literal.bytes.extend_from_slice(octets);
        }
        let taken = u64::try_from(octets.len()).unwrap_or(remaining);
        self.state = State::Literal {
            remaining: remaining.saturating_sub(taken),
        };
    }
}

/// `remaining` as a length within `available`.
fn clamp(remaining: u64, available: usize) -> usize {
    usize::try_from(remaining)
        .unwrap_or(usize::MAX)
        .min(available)
}

/// Spaces in a text: which argument comes next.
fn spaces(text: &[u8]) -> usize {
    memchr::memchr_iter(b' ', text).count()
}

/// `literal = "{" number64 ["+"] "}"`, `literal8 = "~{" number64 ["+"] "}"` at the end of a line.
///
/// A number beyond 64 bits counts as the largest.
fn announcement(line: &[u8]) -> Option<Announcement> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, synchronizing) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let brace = memchr::memrchr(b'{', inner)?;
    let (before, digits) = inner.split_at(brace);
    let digits = digits.get(1..)?;
    if !(1..=MAX_DIGITS).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_u64, |size, digit| {
        size.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    let kind = if before.last() == Some(&b'~') {
        LiteralKind::Binary
    } else {
        LiteralKind::Plain
    };
    let start = brace.saturating_sub(usize::from(kind == LiteralKind::Binary));
    Some(Announcement {
        size,
        kind,
        synchronizing,
        length: line.len().saturating_sub(start),
    })
}

#[cfg(test)]
mod tests;
