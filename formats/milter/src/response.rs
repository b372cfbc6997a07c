//! What a filter answers (`SMFIR_…`).

use crate::frame::packet;
use crate::text::Reader;
use crate::{Error, Negotiation, Text};

/// An answer, or a change to the message on the way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// What the filter takes of the offer. `O`
    Negotiate(Negotiation),
    /// Go on. `c`
    Continue,
    /// Refuse for good. `r`
    Reject,
    /// Refuse for now. `t`
    TempFail,
    /// Take the message (or the connection) without asking any further. `a`
    Accept,
    /// Take the message and throw it away. `d`
    Discard,
    /// The rest of this step's packets is not needed. `s`
    Skip,
    /// Still at work. `p`
    Progress,
    /// End the client's connection with 421. `4`
    Shutdown,
    /// Make the client's connection fail. `f`
    ConnectionFailure,
    /// Refuse with this reply. `y`
    Reply {
        /// 400 to 599.
        code: u16,
        /// The rest of the line: an enhanced code and text.
        text: Text,
    },
    /// Add a header field at the end. `h`
    AddHeader {
        /// Its name without colon.
        name: Text,
        /// Its value; lines are separated by LF.
        value: Text,
    },
    /// Insert a header field. `i`
    InsertHeader {
        /// Before which field; 0 is the top.
        index: u32,
        /// Its name.
        name: Text,
        /// Its value.
        value: Text,
    },
    /// Change a header field, or delete it if the value is empty. `m`
    ChangeHeader {
        /// Which of those of this name, from 1.
        index: u32,
        /// Its name.
        name: Text,
        /// Its new value.
        value: Text,
    },
    /// Change the envelope sender. `e`
    ChangeFrom {
        /// The path, in angle brackets.
        path: Text,
        /// ESMTP arguments, separated by spaces.
        arguments: Option<Text>,
    },
    /// Add a recipient. `+`
    AddRecipient(Text),
    /// Add a recipient with ESMTP arguments. `2`
    AddRecipientWithArguments {
        /// The path, in angle brackets.
        path: Text,
        /// ESMTP arguments, separated by spaces.
        arguments: Option<Text>,
    },
    /// Delete a recipient. `-`
    DeleteRecipient(Text),
    /// A piece of the body that replaces the old one. `b`
    ReplaceBody(Vec<u8>),
    /// Put the message in quarantine for this reason. `q`
    Quarantine(Text),
}

impl Response {
    /// Reads the data of a packet.
    pub(crate) fn decode(code: u8, data: &[u8]) -> Result<Self, Error> {
        let mut data = Reader::new(data);
        let response = match code {
            b'O' => Self::Negotiate(Negotiation::decode(&mut data)?),
            b'c' => Self::Continue,
            b'r' => Self::Reject,
            b't' => Self::TempFail,
            b'a' => Self::Accept,
            b'd' => Self::Discard,
            b's' => Self::Skip,
            b'p' => Self::Progress,
            b'4' => Self::Shutdown,
            b'f' => Self::ConnectionFailure,
            b'y' => reply(&data.text("reply")?)?,
            b'h' => {
                let (name, value) = field(&mut data)?;
                Self::AddHeader { name, value }
            }
            b'i' => {
                let index = data.number("index of a header field")?;
                let (name, value) = field(&mut data)?;
                Self::InsertHeader { index, name, value }
            }
            b'm' => {
                let index = data.number("index of a header field")?;
                let (name, value) = field(&mut data)?;
                Self::ChangeHeader { index, name, value }
            }
            b'e' => {
                let (path, arguments) = path(&mut data)?;
                Self::ChangeFrom { path, arguments }
            }
            b'+' => Self::AddRecipient(data.text("recipient")?),
            b'2' => {
                let (path, arguments) = path(&mut data)?;
                Self::AddRecipientWithArguments { path, arguments }
            }
            b'-' => Self::DeleteRecipient(data.text("recipient")?),
            b'b' => Self::ReplaceBody(data.rest().to_vec()),
            b'q' => Self::Quarantine(data.text("quarantine")?),
            other => return Err(Error::Unknown(other)),
        };
        data.end("response")?;
        Ok(response)
    }

    /// Appends the response as a packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        packet(out, self.code(), |out| match self {
            Self::Negotiate(negotiation) => negotiation.encode(out),
            Self::Reply { code, text } => {
                out.extend_from_slice((*code).clamp(400, 599).to_string().as_bytes());
                out.push(b' ');
                for &octet in text.iter() {
                    // MTAs take the text for a format: a percent sign is written twice.
                    if octet == b'%' {
                        out.push(b'%');
                    }
                    out.push(octet);
                }
                out.push(0);
            }
            Self::AddHeader { name, value } => {
                name.encode(out);
                value.encode(out);
            }
            Self::InsertHeader { index, name, value }
            | Self::ChangeHeader { index, name, value } => {
                out.extend_from_slice(&index.to_be_bytes());
                name.encode(out);
                value.encode(out);
            }
            Self::ChangeFrom { path, arguments }
            | Self::AddRecipientWithArguments { path, arguments } => {
                path.encode(out);
                if let Some(arguments) = arguments {
                    arguments.encode(out);
                }
            }
            Self::AddRecipient(text) | Self::DeleteRecipient(text) | Self::Quarantine(text) => {
                text.encode(out);
            }
            Self::ReplaceBody(piece) => out.extend_from_slice(piece),
            _ => {}
        });
    }

    /// Whether the step is answered with it; the others come before an answer.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Negotiate(_)
                | Self::Continue
                | Self::Reject
                | Self::TempFail
                | Self::Accept
                | Self::Discard
                | Self::Skip
                | Self::Shutdown
                | Self::ConnectionFailure
                | Self::Reply { .. }
        )
    }

    fn code(&self) -> u8 {
        match self {
            Self::Negotiate(_) => b'O',
            Self::Continue => b'c',
            Self::Reject => b'r',
            Self::TempFail => b't',
            Self::Accept => b'a',
            Self::Discard => b'd',
            Self::Skip => b's',
            Self::Progress => b'p',
            Self::Shutdown => b'4',
            Self::ConnectionFailure => b'f',
            Self::Reply { .. } => b'y',
            Self::AddHeader { .. } => b'h',
            Self::InsertHeader { .. } => b'i',
            Self::ChangeHeader { .. } => b'm',
            Self::ChangeFrom { .. } => b'e',
            Self::AddRecipient(_) => b'+',
            Self::AddRecipientWithArguments { .. } => b'2',
            Self::DeleteRecipient(_) => b'-',
            Self::ReplaceBody(_) => b'b',
            Self::Quarantine(_) => b'q',
        }
    }
}

/// `name NUL value NUL`
fn field(data: &mut Reader<'_>) -> Result<(Text, Text), Error> {
    let name = data.text("name of a header field")?;
    Ok((name, data.text("value of a header field")?))
}

/// `path NUL [ arguments NUL ]`
fn path(data: &mut Reader<'_>) -> Result<(Text, Option<Text>), Error> {
    let path = data.text("path")?;
    let arguments = if data.is_empty() {
        None
    } else {
        Some(data.text("arguments")?)
    };
    Ok((path, arguments))
}

/// `( "4" / "5" ) 2DIGIT SP text`
fn reply(line: &[u8]) -> Result<Response, Error> {
    let malformed = Error::Malformed("reply");
    let (code, rest) = line.split_first_chunk::<3>().ok_or(malformed)?;
    let text = rest.strip_prefix(b" ").ok_or(malformed)?;
    if !matches!(code, [b'4' | b'5', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit())
    {
        return Err(malformed);
    }
    let code = code
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let mut plain = Vec::with_capacity(text.len());
    let mut octets = text.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            octets.next_if_eq(&b'%');
        }
        plain.push(octet);
    }
    Ok(Response::Reply {
        code,
        text: plain.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_carries_percent_signs_through_the_mta_s_format() {
        let response = Response::Reply {
            code: 550,
            text: "5.7.1 100% spam".into(),
        };
        let mut wire = Vec::new();
        response.encode(&mut wire);
        assert_eq!(&wire[4..], b"y550 5.7.1 100%% spam\0");
        assert_eq!(Response::decode(b'y', &wire[5..]), Ok(response));
    }

    #[test]
    fn malformed_responses_are_errors() {
        for (code, data) in [
            (b'y', b"250 2.0.0 fine\0".as_slice()),
            (b'y', b"55x no\0"),
            (b'y', b"550\0"),
            (b'y', b"550 no"),
            (b'h', b"Name\0"),
            (b'i', b"\0\0\0"),
            (b'm', b"\0\0\0\x01Name\0v"),
            (b'+', b""),
            (b'c', b"x"),
            (b'q', b"why\0more\0"),
        ] {
            let result = Response::decode(code, data);
            assert!(matches!(result, Err(Error::Malformed(_))), "{result:?}");
        }
        assert_eq!(Response::decode(b'Z', b""), Err(Error::Unknown(b'Z')));
    }
}
