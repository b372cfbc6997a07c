//! What an MTA tells a filter (`SMFIC_…`).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::frame::packet;
use crate::text::Reader;
use crate::{Actions, Error, Protocol, Text};

/// Macros in one packet.
const MACROS_MAX: usize = 200;
/// ESMTP arguments of one command.
const ARGUMENTS_MAX: usize = 100;
/// Lists of wanted macros in one negotiation.
const WANTED_MAX: usize = 16;

/// A step of the conversation between an MTA and its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What the MTA offers. `O`
    Negotiate(Negotiation),
    /// What the MTA knows at a step, which follows. `D`
    Macros {
        /// The code of the step's command: `C`, `H`, `M`, `R`, `T`, `L`, `N` or `E`.
        step: u8,
        /// Names, such as `i` or `{auth_authen}`, with their values.
        values: Vec<(Text, Text)>,
    },
    /// A client connected. `C`
    Connect {
        /// Its confirmed name, or its address in brackets.
        host: Text,
        /// Its address.
        peer: Peer,
    },
    /// HELO or EHLO. `H`
    Helo(Text),
    /// MAIL. `M`
    Mail {
        /// The path as given, in angle brackets.
        path: Text,
        /// ESMTP arguments, such as `SIZE=1000`.
        arguments: Vec<Text>,
    },
    /// RCPT. `R`
    Rcpt {
        /// The path as given, in angle brackets.
        path: Text,
        /// ESMTP arguments.
        arguments: Vec<Text>,
    },
    /// DATA. `T`
    Data,
    /// A header field. `L`
    Header {
        /// Its name without colon.
        name: Text,
        /// Its value, lines separated by LF.
        value: Text,
    },
    /// The header is complete. `N`
    EndOfHeaders,
    /// A piece of the body, lines ending in CRLF. `B`
    Body(Vec<u8>),
    /// The message is complete; perhaps with a last piece of the body. `E`
    EndOfBody(Vec<u8>),
    /// This message is given up; the connection stays. `A`
    Abort,
    /// The connection ends. `Q`
    Quit,
    /// The client's connection ends, another one follows on this one. `K`
    QuitNewConnection,
    /// A command the MTA does not know. `U`
    Unknown(Text),
}

/// What one side offers and what the other takes of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Negotiation {
    /// The version of the protocol.
    pub version: u32,
    /// What the filter may do.
    pub actions: Actions,
    /// Which steps are left out or not answered.
    pub protocol: Protocol,
    /// Macros wanted by number of the step, names separated by spaces.
    pub macros: Vec<(u32, Text)>,
}

/// Where a client connected from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Peer {
    /// Nobody knows.
    #[default]
    Unknown,
    /// A socket in the file system.
    Local {
        /// A port, which means nothing.
        port: u16,
        /// Its path.
        path: Text,
    },
    /// IPv4.
    Inet(Ipv4Addr, u16),
    /// IPv6.
    Inet6(Ipv6Addr, u16),
}

impl Command {
    /// Reads the data of a packet.
    pub(crate) fn decode(code: u8, data: &[u8]) -> Result<Self, Error> {
        let mut data = Reader::new(data);
        let command = match code {
            b'O' => Self::Negotiate(Negotiation::decode(&mut data)?),
            b'D' => macros(&mut data)?,
            b'C' => Self::Connect {
                host: data.text("host of a connection")?,
                peer: Peer::decode(&mut data)?,
            },
            b'H' => Self::Helo(data.text("HELO")?),
            b'M' => {
                let (path, arguments) = path(&mut data)?;
                Self::Mail { path, arguments }
            }
            b'R' => {
                let (path, arguments) = path(&mut data)?;
                Self::Rcpt { path, arguments }
            }
            b'T' => Self::Data,
            b'L' => Self::Header {
                name: data.text("name of a header field")?,
                value: data.text("value of a header field")?,
            },
            b'N' => Self::EndOfHeaders,
            b'B' => Self::Body(data.rest().to_vec()),
            b'E' => Self::EndOfBody(data.rest().to_vec()),
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::QuitNewConnection,
            b'U' => Self::Unknown(data.text("unknown command")?),
            other => return Err(Error::Unknown(other)),
        };
        data.end(command.name())?;
        Ok(command)
    }

    /// Appends the command as a packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = |text: &Text, out: &mut Vec<u8>| text.encode(out);
        packet(out, self.code(), |out| match self {
            Self::Negotiate(negotiation) => negotiation.encode(out),
            Self::Macros { step, values } => {
                out.push(*step);
                for (name, value) in values {
                    text(name, out);
                    text(value, out);
                }
            }
            Self::Connect { host, peer } => {
                text(host, out);
                peer.encode(out);
            }
            Self::Helo(line) | Self::Unknown(line) => text(line, out),
            Self::Mail { path, arguments } | Self::Rcpt { path, arguments } => {
                text(path, out);
                for argument in arguments {
                    text(argument, out);
                }
            }
            Self::Header { name, value } => {
                text(name, out);
                text(value, out);
            }
            Self::Body(piece) | Self::EndOfBody(piece) => out.extend_from_slice(piece),
            Self::Data
            | Self::EndOfHeaders
            | Self::Abort
            | Self::Quit
            | Self::QuitNewConnection => {}
        });
    }

    /// The code on the wire, which is also how macros refer to the step.
    pub fn code(&self) -> u8 {
        match self {
            Self::Negotiate(_) => b'O',
            Self::Macros { .. } => b'D',
            Self::Connect { .. } => b'C',
            Self::Helo(_) => b'H',
            Self::Mail { .. } => b'M',
            Self::Rcpt { .. } => b'R',
            Self::Data => b'T',
            Self::Header { .. } => b'L',
            Self::EndOfHeaders => b'N',
            Self::Body(_) => b'B',
            Self::EndOfBody(_) => b'E',
            Self::Abort => b'A',
            Self::Quit => b'Q',
            Self::QuitNewConnection => b'K',
            Self::Unknown(_) => b'U',
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Negotiate(_) => "negotiation",
            Self::Macros { .. } => "macros",
            Self::Connect { .. } => "connection",
            Self::Helo(_) => "HELO",
            Self::Mail { .. } => "MAIL",
            Self::Rcpt { .. } => "RCPT",
            Self::Data => "DATA",
            Self::Header { .. } => "header field",
            Self::EndOfHeaders => "end of header",
            Self::Body(_) => "body",
            Self::EndOfBody(_) => "end of body",
            Self::Abort => "abort",
            Self::Quit | Self::QuitNewConnection => "quit",
            Self::Unknown(_) => "unknown command",
        }
    }
}

/// `step *( name NUL value NUL )`
fn macros(data: &mut Reader<'_>) -> Result<Command, Error> {
    let step = data.octet("macros")?;
    let mut values = Vec::new();
    while !data.is_empty() {
        if values.len() >= MACROS_MAX {
            return Err(Error::TooMany("macros"));
        }
        values.push((
            data.text("name of a macro")?,
            data.text("value of a macro")?,
        ));
    }
    Ok(Command::Macros { step, values })
}

/// `path NUL *( argument NUL )`
fn path(data: &mut Reader<'_>) -> Result<(Text, Vec<Text>), Error> {
    let path = data.text("path")?;
    Ok((path, data.texts("arguments", ARGUMENTS_MAX)?))
}

impl Negotiation {
    /// `version actions protocol *( step names NUL )`
    pub(crate) fn decode(data: &mut Reader<'_>) -> Result<Self, Error> {
        let mut negotiation = Self {
            version: data.number("negotiation")?,
            actions: Actions(data.number("negotiation")?),
            protocol: Protocol(data.number("negotiation")?),
            macros: Vec::new(),
        };
        while !data.is_empty() {
            if negotiation.macros.len() >= WANTED_MAX {
                return Err(Error::TooMany("wanted macros"));
            }
            let step = data.number("wanted macros")?;
            negotiation.macros.push((step, data.text("wanted macros")?));
        }
        Ok(negotiation)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.version, self.actions.0, self.protocol.0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for (step, names) in &self.macros {
            out.extend_from_slice(&step.to_be_bytes());
            names.encode(out);
        }
    }
}

impl Peer {
    /// `"U" / ( "L" / "4" / "6" ) port address NUL`
    fn decode(data: &mut Reader<'_>) -> Result<Self, Error> {
        const WHAT: &str = "address of a client";
        let family = data.octet(WHAT)?;
        if family == b'U' {
            // Some send port and address all the same.
            data.rest();
            return Ok(Self::Unknown);
        }
        let port = data.short(WHAT)?;
        let address = data.text(WHAT)?;
        let text = std::str::from_utf8(&address).unwrap_or_default();
        match family {
            b'L' => Ok(Self::Local {
                port,
                path: address,
            }),
            b'4' => text
                .parse()
                .map(|address| Self::Inet(address, port))
                .map_err(|_| Error::Malformed(WHAT)),
            // Sendmail writes `IPv6:` in front, as RFC 5321 does.
            b'6' => text
                .strip_prefix("IPv6:")
                .unwrap_or(text)
                .parse()
                .map(|address| Self::Inet6(address, port))
                .map_err(|_| Error::Malformed(WHAT)),
            _ => Err(Error::Malformed(WHAT)),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let (family, port, address) = match self {
            Self::Unknown => {
                out.push(b'U');
                return;
            }
            Self::Local { port, path } => (b'L', port, path.clone()),
            Self::Inet(address, port) => (b'4', port, address.to_string().into()),
            Self::Inet6(address, port) => (b'6', port, address.to_string().into()),
        };
        out.push(family);
        out.extend_from_slice(&port.to_be_bytes());
        address.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(code: u8, data: &[u8]) -> Result<Command, Error> {
        Command::decode(code, data)
    }

    #[test]
    fn what_postfix_and_sendmail_send_is_read() {
        assert_eq!(
            decode(b'C', b"mx.test\x004\x30\x39192.0.2.1\0"),
            Ok(Command::Connect {
                host: "mx.test".into(),
                peer: Peer::Inet(Ipv4Addr::new(192, 0, 2, 1), 12_345),
            })
        );
        let v6 = Peer::Inet6("2001:db8::1".parse().unwrap(), 25);
        for address in ["2001:db8::1", "IPv6:2001:db8::1"] {
            let data = format!("[2001:db8::1]\x006\0\x19{address}\0");
            let Ok(Command::Connect { peer, .. }) = decode(b'C', data.as_bytes()) else {
                panic!("{address}");
            };
            assert_eq!(peer, v6);
        }
        assert_eq!(
            decode(b'M', b"<a@b.test>\0SIZE=9\0BODY=8BITMIME\0"),
            Ok(Command::Mail {
                path: "<a@b.test>".into(),
                arguments: vec!["SIZE=9".into(), "BODY=8BITMIME".into()],
            })
        );
        assert_eq!(
            decode(b'D', b"Mi\x0043F\0{auth_authen}\0alice\0"),
            Ok(Command::Macros {
                step: b'M',
                values: vec![
                    ("i".into(), "43F".into()),
                    ("{auth_authen}".into(), "alice".into())
                ],
            })
        );
    }

    #[test]
    fn malformed_packets_are_errors() {
        for (code, data) in [
            (b'O', b"\0\0\0\x06\0\0\0\x01\0\0\0".as_slice()),
            (b'O', b"\0\0\0\x06\0\0\0\x01\0\0\0\0\0\0\0\x01i"),
            (b'D', b""),
            (b'D', b"Mi\0"),
            (b'C', b"mx.test\0"),
            (b'C', b"mx.test\x004\0\x19nonsense\0"),
            (b'C', b"mx.test\x009\0\x19192.0.2.1\0"),
            (b'C', b"mx.test\x004\0\x19192.0.2.1"),
            (b'H', b"mx.test"),
            (b'M', b""),
            (b'M', b"<>\0SIZE"),
            (b'L', b"Subject\0"),
            (b'L', b"Subject\0one\0two\0"),
            (b'T', b"x"),
            (b'N', b"\0"),
            (b'A', b"x"),
        ] {
            let result = decode(code, data);
            assert!(matches!(result, Err(Error::Malformed(_))), "{result:?}");
        }
        assert_eq!(decode(b'z', b""), Err(Error::Unknown(b'z')));
        let many = b"M"
            .iter()
            .copied()
            .chain(b"n\0v\0".repeat(MACROS_MAX + 1))
            .collect::<Vec<_>>();
        assert_eq!(decode(b'D', &many), Err(Error::TooMany("macros")));
    }
}
