//! Message data: what follows DATA, up to the dot on a line of its own.
//!
//! Reading is strict: the five octets CRLF.CRLF end a message and nothing else does; a CR or LF on
//! its own ends the conversation (SMTP smuggling, CVE-2023-51764, -51765 and -51766). Writing never
//! emits a bare CR or LF, whatever the message holds, and leaves no line that a careless receiver
//! could take for the end.
//!
//! Implements RFC 5321 §2.3.8, §4.1.1.4 and §4.5.2. CHUNKING (BDAT) is not offered.
//!
//! Start at [`DataDecoder::feed`] and [`encode_data`].

use thiserror::Error;

use crate::reply::{EnhancedCode, Reply};

/// Octets of one line of a message, without its CRLF. RFC 5321 §4.5.3.1.6 asks for 998; the world
/// sends more.
pub const MAX_DATA_LINE: usize = 64 * 1_024;

/// Why a message is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A CR that no LF follows. Answer and close: where the message ends is in doubt.
    #[error("bare CR in message data")]
    BareCr,
    /// An LF that no CR precedes. Answer and close: where the message ends is in doubt.
    #[error("bare LF in message data")]
    BareLf,
    /// The message exceeds the limit. Its end was found; the conversation can go on.
    #[error("the message is too large")]
    TooLarge {
        /// Octets of the input that belong to the message and its end.
        consumed: usize,
    },
    /// A line exceeds [`MAX_DATA_LINE`]. The end was found; the conversation can go on.
    #[error("a line of the message is longer than {MAX_DATA_LINE} octets")]
    LineTooLong {
        /// Octets of the input that belong to the message and its end.
        consumed: usize,
    },
}

impl DataError {
    /// What the client reads.
    pub fn reply(&self) -> Reply {
        match self {
            Self::BareCr | Self::BareLf => {
                Reply::new(554, EnhancedCode(5, 5, 2), "Lines must end in CRLF")
            }
            Self::TooLarge { .. } => {
                Reply::new(552, EnhancedCode(5, 3, 4), "Message exceeds the size limit")
            }
            Self::LineTooLong { .. } => {
                Reply::new(554, EnhancedCode(5, 6, 0), "Message has an overlong line")
            }
        }
    }

    /// Whether the session must close the connection after the reply.
    pub fn must_close(&self) -> bool {
        matches!(self, Self::BareCr | Self::BareLf)
    }
}

/// How far the decoder came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets of the input that were used. All of it, unless the message finished.
    pub consumed: usize,
    /// Whether the end of the message was read.
    pub finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a line; the CRLF of the DATA command counts.
    LineStart,
    /// After a dot at the start of a line.
    Dot,
    /// After a dot and a CR at the start of a line.
    DotCr,
    /// Within a line.
    Text,
    /// After a CR within a line.
    Cr,
    /// After the end of the message.
    Finished,
    /// After an error that ends the conversation.
    Failed(DataError),
}

/// Reads one message from the octets after DATA, however they are cut.
#[derive(Debug)]
pub struct DataDecoder {
    state: State,
    limit: u64,
    /// Octets of decoded message so far, also those past the limit.
    size: u64,
    /// Octets of the line so far, at most [`MAX_DATA_LINE`].
    line: usize,
    has_overlong_line: bool,
}

impl DataDecoder {
    /// A decoder for one message of at most `limit` octets after dot-unstuffing.
    pub fn new(limit: u64) -> Self {
        Self {
            state: State::LineStart,
            limit,
            size: 0,
            line: 0,
            has_overlong_line: false,
        }
    }

    /// Octets of message read so far, also those past the limit, which `out` never sees. A session
    /// gives up on a client whose message goes far beyond it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Decodes `input` and appends the message to `out` (its lines end in CRLF). Input after the
    /// end of the message is the next command and is left alone.
    ///
    /// A message that breaks a limit is read to its end, but no longer kept.
    ///
    /// # Errors
    /// At once for a bare CR or LF, and again for every later call; at the end of the message for
    /// a broken limit. What `out` holds then is to be thrown away.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, DataError> {
        let mut rest = input;
        while let Some(&octet) = rest.first() {
            // RFC 5321 §4.1.1.4: only <CRLF>.<CRLF> ends the data.
            // RFC 5321 §4.5.2: a dot that starts a line and is not alone on it is dropped.
            self.state = match (self.state, octet) {
                (State::Finished, _) => break,
                (State::Failed(error), _) => return Err(error),
                (State::LineStart, b'.') => State::Dot,
                (State::Dot, b'\r') => State::DotCr,
                (State::DotCr, b'\n') => State::Finished,
                (State::Cr, b'\n') => {
                    self.keep(b"\r\n", out);
                    self.line = 0;
                    State::LineStart
                }
                (State::Cr | State::DotCr, _) => return Err(self.fail(DataError::BareCr)),
                (State::LineStart | State::Dot | State::Text, b'\n') => {
                    return Err(self.fail(DataError::BareLf));
                }
                (State::LineStart | State::Text, b'\r') => State::Cr,
                (State::LineStart | State::Dot | State::Text, _) => {
                    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    let (text, after) = rest.split_at(end);
                    let (fits, over) = text.split_at(end.min(MAX_DATA_LINE - self.line));
                    self.keep(fits, out);
                    self.line += fits.len();
                    self.has_overlong_line |= !over.is_empty();
                    self.keep(over, out);
                    self.state = State::Text;
                    rest = after;
                    continue;
                }
            };
            rest = rest.get(1..).unwrap_or_default();
        }
        self.conclude(input.len() - rest.len())
    }

    fn conclude(&self, consumed: usize) -> Result<Progress, DataError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Finished if self.size > self.limit => Err(DataError::TooLarge { consumed }),
            State::Finished if self.has_overlong_line => Err(DataError::LineTooLong { consumed }),
            state => Ok(Progress {
                consumed,
                finished: state == State::Finished,
            }),
        }
    }

    /// Counts the octets, and passes on those before the first one that breaks a limit.
    fn keep(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if !self.has_overlong_line {
            let room = usize::try_from(self.limit.saturating_sub(self.size)).unwrap_or(usize::MAX);
            out.extend_from_slice(octets.get(..room).unwrap_or(octets));
        }
        self.size = self
            .size
            .saturating_add(octets.len().try_into().unwrap_or(u64::MAX));
    }

    fn fail(&mut self, error: DataError) -> DataError {
        self.state = State::Failed(error);
        error
    }
}

/// Appends `message` to `out` as it follows DATA: every line end is CRLF (a bare CR or LF becomes
/// one), dots are stuffed, the last line is complete, and the final dot is there.
///
/// For a message whose lines all end in CRLF, [`DataDecoder`] gives back exactly its octets.
pub fn encode_data(message: &[u8], out: &mut Vec<u8>) {
    out.reserve(message.len() + message.len() / 64 + 8);
    let mut rest = message;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        // RFC 5321 §4.5.2: a line that starts with a dot gets another one. So does one whose dot
        // comes after NULs, and the receiver undoes it just the same: a relay that strips NULs
        // would otherwise see the end of the message there.
        if line.iter().find(|&&octet| octet != 0) == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', next @ ..] | [_, next @ ..] => next,
            [] => after,
        };
    }
    out.extend_from_slice(b".\r\n");
}

#[cfg(test)]
mod tests;
