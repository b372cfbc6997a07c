//! Replies: what a server says to a command, in both directions.
//!
//! [`Reply`] is built by our server and by [`ReplyParser`] from what a remote server sent; either
//! way its text is free of control characters, so it is safe in a log, a DSN or another reply.
//!
//! Implements RFC 5321 §4.2, RFC 2034 and RFC 3463 (enhanced status codes). Which code answers
//! which situation is the session's business, not ours.
//!
//! Start at [`Reply::new`]; clients at [`ReplyParser::feed`].

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

/// RFC 5321 §4.5.3.1.5: octets of a reply line that we send, with code and CRLF.
pub const MAX_SENT_LINE: usize = 512;
/// Octets of a reply line that we read, line end included; longer ones end the conversation.
pub const MAX_LINE: usize = 2_048;
/// Lines of one reply that we read.
pub const MAX_LINES: usize = 100;
/// Octets of replies not yet asked for that we hold.
const MAX_BUFFER: usize = 2 * MAX_LINE * MAX_LINES;

/// An enhanced status code: class (2, 4 or 5), subject, detail.
///
/// RFC 3463 §2: status-code = class "." subject "." detail
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl EnhancedCode {
    /// Reads `4.7.1`: a class of 2, 4 or 5, then two numbers of one to three digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = match parts.next()? {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        let mut number = || {
            let digits = parts.next()?;
            let valid =
                (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            if valid { digits.parse().ok() } else { None }
        };
        let code = Self(class, number()?, number()?);
        parts.next().is_none().then_some(code)
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A reply: a code of three digits, perhaps an enhanced code, and at least one line of text
/// without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply with an enhanced code. `code` is 200 to 599; control characters in `text` become
    /// spaces.
    pub fn new(code: u16, enhanced: EnhancedCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            enhanced: Some(enhanced),
            lines: vec![sanitise(text.into())],
        }
    }

    /// A reply without an enhanced code: greetings, EHLO, 334 and 354 have none.
    ///
    /// RFC 2034 §4: enhanced codes stand in all 2xx, 4xx and 5xx replies but those to the greeting,
    /// HELO and EHLO.
    pub fn bare(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            enhanced: None,
            lines: vec![sanitise(text.into())],
        }
    }

    /// The same reply with one more line.
    #[must_use]
    pub fn and_line(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(sanitise(text.into()));
        self
    }

    /// The code, 200 to 599.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, if the reply has one.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text, at least one line, without codes and control characters.
    pub fn lines(&self) -> &[Cow<'static, str>] {
        &self.lines
    }

    /// All lines joined by spaces, for a log or a DSN.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// 2xx: done. (3xx, go on, is [`Self::is_intermediate`].)
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 3xx: the server waits for the rest of the command.
    pub fn is_intermediate(&self) -> bool {
        (300..400).contains(&self.code)
    }

    /// 4xx: the same command may succeed later.
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx: the same command will fail again.
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// Appends the reply as it goes on the wire. Text beyond [`MAX_SENT_LINE`] flows into further
    /// lines.
    ///
    /// RFC 5321 §4.2: `Reply-line = *( Reply-code "-" [ textstring ] CRLF )
    /// Reply-code [ SP textstring ] CRLF`
    pub fn encode(&self, out: &mut Vec<u8>) {
        let code = self.code.to_string();
        // RFC 2034 §4: a multi-line reply repeats the enhanced code in every line.
        let prefix = self
            .enhanced
            .map(|enhanced| format!("{enhanced} "))
            .unwrap_or_default();
        let room = MAX_SENT_LINE - "250 \r\n".len() - prefix.len().min(MAX_SENT_LINE / 2);
        let mut pieces = self
            .lines
            .iter()
            .flat_map(|line| Wrap {
                rest: Some(line),
                room,
            })
            .peekable();
        while let Some(piece) = pieces.next() {
            out.extend_from_slice(code.as_bytes());
            out.push(if pieces.peek().is_some() { b'-' } else { b' ' });
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(piece.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    /// One line, for logs and DSNs: `550 5.1.1 No such user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in &self.lines {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// Replaces what could end a line or disturb a terminal by spaces.
fn sanitise(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.replace(char::is_control, " "))
    } else {
        text
    }
}

/// Cuts a line into pieces of at most `room` octets, after a space where there is one.
struct Wrap<'a> {
    rest: Option<&'a str>,
    room: usize,
}

impl<'a> Iterator for Wrap<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        if text.len() <= self.room {
            return Some(text);
        }
        let limit = text.floor_char_boundary(self.room);
        let fits = text.get(..limit).unwrap_or_default();
        let end = fits.rfind(' ').map_or(limit, |space| space + 1);
        let (piece, rest) = text.split_at(end);
        self.rest = Some(rest);
        Some(piece)
    }
}

/// Why the octets of a server are not a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// A line that does not start with a code from 200 to 599 and a separator.
    #[error("the server sent something that is not an SMTP reply")]
    Malformed,
    /// The lines of one reply have different codes.
    #[error("the server sent a reply with contradicting codes")]
    MixedCodes,
    /// A line longer than [`MAX_LINE`].
    #[error("the server sent a reply line longer than {MAX_LINE} octets")]
    LineTooLong,
    /// A reply of more than [`MAX_LINES`] lines.
    #[error("the server sent a reply of more than {MAX_LINES} lines")]
    TooManyLines,
    /// More octets than any sequence of replies to our commands can have.
    #[error("the server sent more than was asked for")]
    Flood,
}

/// Reads replies from a stream of octets, whatever way it is cut.
///
/// Lenient where nothing depends on it: a line may end in a bare LF, text may be any octets.
/// After an error the conversation is over: every further call returns the same error.
#[derive(Debug, Default)]
pub struct ReplyParser {
    buffer: Vec<u8>,
    /// Where in `buffer` the next line starts.
    start: usize,
    /// Up to where `buffer` is known to hold no further line end; never before `start`.
    scanned: usize,
    code: Option<u16>,
    lines: Vec<String>,
    failed: Option<ReplyError>,
}

impl ReplyParser {
    /// A parser at the start of a conversation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more octets and returns the next complete reply, if there is one. Several replies may
    /// wait (pipelining): call again with an empty slice until `None`.
    ///
    /// # Errors
    /// A [`ReplyError`], after which the connection is of no use.
    pub fn feed(&mut self, input: &[u8]) -> Result<Option<Reply>, ReplyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance(input);
        self.failed = result.as_ref().err().copied();
        result
    }

    /// Octets received beyond the last reply returned. Not zero right after the reply to STARTTLS
    /// means that somebody injected plain text, and RFC 3207 §4.2 has a client forget all it learnt
    /// before TLS: give the connection up.
    pub fn buffered(&self) -> usize {
        let lines: usize = self.lines.iter().map(|line| line.len() + 1).sum();
        self.buffer.len() - self.start + lines
    }

    fn advance(&mut self, input: &[u8]) -> Result<Option<Reply>, ReplyError> {
        if !input.is_empty() {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            if self.buffer.len() + input.len() > MAX_BUFFER {
                return Err(ReplyError::Flood);
            }
            self.buffer.extend_from_slice(input);
        }
        loop {
            let unscanned = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unscanned) else {
                self.scanned = self.buffer.len();
                // A line still growing is bounded, too.
                let is_overlong = self.buffer.len() - self.start > MAX_LINE;
                return if is_overlong {
                    Err(ReplyError::LineTooLong)
                } else {
                    Ok(None)
                };
            };
            let end = self.scanned + at + 1;
            let line = parse_line(self.buffer.get(self.start..end).unwrap_or_default())?;
            self.start = end;
            self.scanned = end;
            if let Some(reply) = self.take_line(line)? {
                return Ok(Some(reply));
            }
        }
    }

    fn take_line(&mut self, line: Line) -> Result<Option<Reply>, ReplyError> {
        if self.code.is_some_and(|code| code != line.code) {
            return Err(ReplyError::MixedCodes);
        }
        if self.lines.len() >= MAX_LINES {
            return Err(ReplyError::TooManyLines);
        }
        self.code = Some(line.code);
        self.lines.push(line.text);
        if line.is_last {
            self.code = None;
            let lines = std::mem::take(&mut self.lines);
            return Ok(Some(assemble(line.code, lines)));
        }
        Ok(None)
    }
}

/// One line of a reply.
struct Line {
    code: u16,
    is_last: bool,
    text: String,
}

/// Reads one line with its line end.
fn parse_line(line: &[u8]) -> Result<Line, ReplyError> {
    if line.len() > MAX_LINE {
        return Err(ReplyError::LineTooLong);
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
    let valid = matches!(digits, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    let (is_last, text) = match rest {
        [] => (true, rest),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return Err(ReplyError::Malformed),
    };
    let code = std::str::from_utf8(digits)
        .ok()
        .filter(|_| valid)
        .and_then(|d| d.parse().ok());
    Ok(Line {
        code: code.ok_or(ReplyError::Malformed)?,
        is_last,
        text: String::from_utf8_lossy(text).into_owned(),
    })
}

/// Takes the enhanced code off the lines. Only one whose class agrees with the code counts.
fn assemble(code: u16, lines: Vec<String>) -> Reply {
    let split = |line: &str| {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let enhanced = EnhancedCode::parse(word).filter(|e| u16::from(e.0) == code / 100)?;
        Some((enhanced, rest.to_owned()))
    };
    let enhanced = lines
        .first()
        .and_then(|line| split(line))
        .map(|(enhanced, _)| enhanced);
    let text = |line: String| match split(&line) {
        Some((own, rest)) if Some(own) == enhanced => sanitise(rest.into()),
        _ => sanitise(line.into()),
    };
    Reply {
        code,
        enhanced,
        lines: lines.into_iter().map(text).collect(),
    }
}

#[cfg(test)]
mod tests;
