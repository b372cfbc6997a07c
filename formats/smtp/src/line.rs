//! Command lines: cuts what a client sends into lines, strictly at CRLF.
//!
//! A CR or LF on its own is an error, not a line end, so that nobody can disagree with us about
//! where a command starts. Overlong lines are skipped to their end and reported. The reader borrows
//! the session's buffer and owns no octets; the session drops what it is told is consumed.
//!
//! Implements RFC 5321 §2.3.8, §4.5.3.1.4 and RFC 4954 §4 (limits). Message data has its own
//! framing in [`crate::data`].
//!
//! Start at [`LineReader::next_line`].

use thiserror::Error;

use crate::reply::{EnhancedCode, Reply};

/// Octets of a command line with its CRLF.
pub const MAX_COMMAND_LINE: usize = 4_096;
/// RFC 4954 §4: octets of an AUTH command or of a line within its exchange, with the CRLF.
pub const MAX_AUTH_LINE: usize = 12_288;
/// Octets of an overlong line that are skipped before the client is considered hostile.
const MAX_SKIPPED: usize = 1 << 20;

/// Why the octets of a client are not lines. The session answers [`LineError::reply`] and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineError {
    /// A CR that no LF follows.
    #[error("bare CR in a command line")]
    BareCr,
    /// An LF that no CR precedes.
    #[error("bare LF in a command line")]
    BareLf,
    /// A line without end.
    #[error("an endless command line")]
    Flood,
}

impl LineError {
    /// What the client reads before the connection closes.
    pub fn reply(&self) -> Reply {
        let text = match self {
            Self::BareCr | Self::BareLf => "Lines must end in CRLF",
            Self::Flood => "Line too long",
        };
        Reply::new(500, EnhancedCode(5, 5, 2), text)
    }
}

/// What the buffer starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed<'a> {
    /// No complete line yet. `consumed` is above zero only while an overlong line is skipped.
    Partial {
        /// Octets to drop from the front of the buffer.
        consumed: usize,
    },
    /// A line.
    Line {
        /// The line without its CRLF; no CR or LF inside.
        line: &'a [u8],
        /// Octets to drop from the front of the buffer.
        consumed: usize,
    },
    /// The end of a line that was too long: answer 500 5.5.2 ([`too_long`]) and go on.
    TooLong {
        /// Octets to drop from the front of the buffer.
        consumed: usize,
    },
}

/// The answer to [`Framed::TooLong`].
pub fn too_long() -> Reply {
    Reply::new(500, EnhancedCode(5, 5, 2), "Line too long")
}

/// Which limit holds for the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// A command: [`MAX_COMMAND_LINE`], or [`MAX_AUTH_LINE`] if it is AUTH.
    #[default]
    Command,
    /// A client's line within an AUTH exchange: [`MAX_AUTH_LINE`].
    AuthResponse,
}

/// Finds line ends in a growing buffer, looking at each octet once.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Octets at the front of the buffer known to hold no line end.
    scanned: usize,
    /// Octets of an overlong line dropped so far; zero when none is being skipped.
    skipped: usize,
}

impl LineReader {
    /// A reader at the start of a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for a line at the front of `buffer`, which must start where the last `consumed` left
    /// off and may have grown at its end.
    ///
    /// # Errors
    /// A [`LineError`]: answer it and close, for the position of the next command is in doubt.
    pub fn next_line<'a>(
        &mut self,
        buffer: &'a [u8],
        expect: Expect,
    ) -> Result<Framed<'a>, LineError> {
        let Some(end) = self.find_end(buffer)? else {
            // A CR at the very end may still become a CRLF; it stays until its LF decides.
            let settled = buffer.len() - usize::from(buffer.last() == Some(&b'\r'));
            self.scanned = settled;
            if self.skipped == 0 && settled + 2 <= limit(buffer, expect) {
                return Ok(Framed::Partial { consumed: 0 });
            }
            self.skipped += settled;
            self.scanned = 0;
            if self.skipped > MAX_SKIPPED {
                return Err(LineError::Flood);
            }
            return Ok(Framed::Partial { consumed: settled });
        };
        let consumed = end + 2;
        let is_overlong = self.skipped > 0 || consumed > limit(buffer, expect);
        *self = Self::default();
        if is_overlong {
            return Ok(Framed::TooLong { consumed });
        }
        Ok(Framed::Line {
            line: buffer.get(..end).unwrap_or_default(),
            consumed,
        })
    }

    /// Where the CR of the first CRLF is.
    fn find_end(&self, buffer: &[u8]) -> Result<Option<usize>, LineError> {
        let unscanned = buffer.get(self.scanned..).unwrap_or_default();
        let Some(at) = memchr::memchr2(b'\r', b'\n', unscanned) else {
            return Ok(None);
        };
        match unscanned.get(at..) {
            Some([b'\r', b'\n', ..]) => Ok(Some(self.scanned + at)),
            Some([b'\r']) => Ok(None),
            Some([b'\r', ..]) => Err(LineError::BareCr),
            _ => Err(LineError::BareLf),
        }
    }
}

fn limit(line: &[u8], expect: Expect) -> usize {
    let is_auth = line
        .first_chunk::<5>()
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
    if is_auth || expect == Expect::AuthResponse {
        MAX_AUTH_LINE
    } else {
        MAX_COMMAND_LINE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a whole input through a session's buffer in chunks; `None` stands for an overlong line.
    fn read(input: &[u8], chunk: usize, expect: Expect) -> Result<Vec<Option<Vec<u8>>>, LineError> {
        let mut reader = LineReader::new();
        let mut buffer = Vec::new();
        let mut lines = Vec::new();
        for piece in input.chunks(chunk) {
            buffer.extend_from_slice(piece);
            loop {
                let consumed = match reader.next_line(&buffer, expect)? {
                    Framed::Partial { consumed } => {
                        buffer.drain(..consumed);
                        break;
                    }
                    Framed::Line { line, consumed } => {
                        lines.push(Some(line.to_vec()));
                        consumed
                    }
                    Framed::TooLong { consumed } => {
                        lines.push(None);
                        consumed
                    }
                };
                buffer.drain(..consumed);
            }
            assert!(buffer.len() <= MAX_AUTH_LINE + chunk);
        }
        Ok(lines)
    }

    #[test]
    fn lines_end_at_crlf_however_they_arrive() {
        let input = b"EHLO a\r\n\r\nMAIL FROM:<>\r\nQU";
        for chunk in 1..=input.len() {
            let lines = read(input, chunk, Expect::Command).unwrap();
            assert_eq!(
                lines,
                [
                    Some(b"EHLO a".to_vec()),
                    Some(Vec::new()),
                    Some(b"MAIL FROM:<>".to_vec())
                ]
            );
        }
    }

    #[test]
    fn anything_but_crlf_is_refused_however_it_arrives() {
        for (input, error) in [
            (&b"NOOP\nQUIT\r\n"[..], LineError::BareLf),
            (b"\nQUIT\r\n", LineError::BareLf),
            (b"NOOP\rQUIT\r\n", LineError::BareCr),
            (b"NOOP\r\r\nQUIT\r\n", LineError::BareCr),
            (b"NOOP\n\r", LineError::BareLf),
        ] {
            for chunk in 1..=input.len() {
                assert_eq!(
                    read(input, chunk, Expect::Command),
                    Err(error),
                    "{}",
                    input.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn overlong_lines_are_skipped_and_reported() {
        let line = |verb: &str, n: usize| format!("{verb}{}\r\n", "x".repeat(n - 2 - verb.len()));
        for (verb, expect, max) in [
            ("NOOP ", Expect::Command, MAX_COMMAND_LINE),
            ("auth ", Expect::Command, MAX_AUTH_LINE),
            ("", Expect::AuthResponse, MAX_AUTH_LINE),
        ] {
            for chunk in [1, 2, 3, 4_095, 4_096, 4_097, 1 << 20] {
                let fits = line(verb, max) + "QUIT\r\n";
                let lines = read(fits.as_bytes(), chunk, expect).unwrap();
                assert!(lines.len() == 2 && lines[0].is_some(), "{verb} {chunk}");
                let over = line(verb, max + 1) + "QUIT\r\n";
                let lines = read(over.as_bytes(), chunk, expect).unwrap();
                assert_eq!(lines, [None, Some(b"QUIT".to_vec())], "{verb} {chunk}");
            }
        }
    }

    #[test]
    fn an_endless_line_ends_the_conversation() {
        let input = vec![b'x'; MAX_SKIPPED + MAX_COMMAND_LINE + 4_096];
        assert_eq!(read(&input, 4_096, Expect::Command), Err(LineError::Flood));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(input in "[a\r\n]{0,4}(a{0,3}\r\n){0,4}[a\r\n]{0,4}", chunk in 1usize..8) {
            let whole = read(input.as_bytes(), input.len().max(1), Expect::Command);
            prop_assert_eq!(read(input.as_bytes(), chunk, Expect::Command), whole);
        }
    }
}
