//! Commands: the grammar of what a client says, for both sides.
//!
//! [`Command::parse`] reads one line and knows nothing of the session: whether a command may come
//! now, and whether a recipient with non-ASCII characters fits the transaction, is for the caller.
//! `Display` prints the line a client sends; parsing it gives the same command back.
//!
//! Implements RFC 5321 §4.1, RFC 1870, 2033 (LHLO), 3207, 3461 §4, 4954 §3 to §5, 6152, 6531 §3.4.
//!
//! Start at [`Command::parse`]; parameters are in [`params`].

mod client_name;
mod error;
pub mod params;

use std::fmt;

pub use client_name::ClientName;
pub use error::CommandError;
pub use params::{Announced, Body, MailParams, Notify, OriginalRecipient, RcptParams, Return};

use crate::address::{ForwardPath, ReversePath};

/// RFC 4422 §3.1: characters of the name of a SASL mechanism.
const MAX_MECHANISM: usize = 20;

/// A command with its arguments.
///
/// `Debug` and `Display` print the command line; `Debug` leaves credentials out.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Greets and asks for the extensions.
    Ehlo(ClientName),
    /// Greets the old way: no extensions in this session.
    Helo(ClientName),
    /// RFC 2033: EHLO for LMTP.
    Lhlo(ClientName),
    /// RFC 3207: starts TLS.
    StartTls,
    /// RFC 4954: starts an authentication exchange.
    Auth {
        /// The mechanism's name in upper case.
        mechanism: String,
        /// The initial response as sent, base64 or `=`.
        initial: Option<String>,
    },
    /// Starts a transaction.
    Mail {
        /// Where notifications go.
        from: ReversePath,
        /// What the client says about the message.
        params: MailParams,
    },
    /// Adds a recipient.
    Rcpt {
        /// The recipient.
        to: ForwardPath,
        /// What the sender wants to hear about it.
        params: RcptParams,
    },
    /// Starts the message.
    Data,
    /// Drops the transaction.
    Rset,
    /// Nothing.
    Noop,
    /// Ends the session.
    Quit,
    /// Asks for help.
    Help,
    /// Asks whether a mailbox exists.
    Vrfy(String),
    /// Asks for the members of a list.
    Expn(String),
}

impl Command {
    /// Reads one command line (without its CRLF) for a server that announces SIZE, 8BITMIME,
    /// SMTPUTF8 and AUTH, but not DSN.
    ///
    /// # Errors
    /// A [`CommandError`], whose [`CommandError::reply`] is the answer.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        Self::parse_announced(line, Announced::default())
    }

    /// Reads one command line for a server that announces what `announced` says.
    ///
    /// # Errors
    /// A [`CommandError`], whose [`CommandError::reply`] is the answer.
    pub fn parse_announced(line: &[u8], announced: Announced) -> Result<Self, CommandError> {
        // RFC 5321 §4.1.1: white space before the CRLF is tolerated.
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Err(CommandError::Empty);
        }
        let end = line
            .iter()
            .position(|&octet| octet == b' ')
            .unwrap_or(line.len());
        let (verb, argument) = line.split_at(end);
        let verb = verb.to_ascii_uppercase();
        // A computer's name may be in any character set; everything else is UTF-8 without controls.
        if let b"EHLO" | b"HELO" | b"LHLO" = verb.as_slice() {
            let name = ClientName::parse(argument)?;
            return Ok(match verb.as_slice() {
                b"EHLO" => Self::Ehlo(name),
                b"HELO" => Self::Helo(name),
                _ => Self::Lhlo(name),
            });
        }
        let argument = std::str::from_utf8(argument).map_err(|_| CommandError::NotUtf8)?;
        if argument.chars().any(char::is_control) {
            return Err(CommandError::Control);
        }
        Self::parse_verb(&verb, argument.trim_start_matches(' '), announced)
    }

    fn parse_verb(verb: &[u8], argument: &str, announced: Announced) -> Result<Self, CommandError> {
        let alone = |command: Self, syntax| match argument {
            "" => Ok(command),
            _ => Err(CommandError::Syntax(syntax)),
        };
        match verb {
            b"MAIL" => parse_mail(argument, announced),
            b"RCPT" => parse_rcpt(argument, announced),
            b"DATA" => alone(Self::Data, "DATA"),
            b"RSET" => alone(Self::Rset, "RSET"),
            b"QUIT" => alone(Self::Quit, "QUIT"),
            b"STARTTLS" => alone(Self::StartTls, "STARTTLS"),
            // RFC 5321 §4.1.1.9: NOOP ignores its argument; HELP may, too.
            b"NOOP" => Ok(Self::Noop),
            b"HELP" => Ok(Self::Help),
            b"VRFY" if !argument.is_empty() => Ok(Self::Vrfy(argument.to_owned())),
            b"EXPN" if !argument.is_empty() => Ok(Self::Expn(argument.to_owned())),
            b"VRFY" => Err(CommandError::Syntax("VRFY string")),
            b"EXPN" => Err(CommandError::Syntax("EXPN list")),
            b"AUTH" => parse_auth(argument),
            b"BDAT" | b"BURL" | b"ETRN" | b"ATRN" | b"TURN" | b"SEND" | b"SOML" | b"SAML"
            | b"XCLIENT" | b"XFORWARD" => Err(CommandError::NotImplemented),
            b"GET" | b"POST" | b"PUT" | b"HEAD" | b"OPTIONS" | b"CONNECT" | b"PRI" | b"HOST:" => {
                Err(CommandError::ForeignProtocol)
            }
            _ => Err(CommandError::Unrecognized),
        }
    }
}

/// RFC 5321 §4.1.1.2: `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]`
fn parse_mail(argument: &str, announced: Announced) -> Result<Command, CommandError> {
    const SYNTAX: CommandError = CommandError::Syntax("MAIL FROM:<address> [parameters]");
    let (path, rest) = split_path(argument, "FROM:").ok_or(SYNTAX)?;
    let from = ReversePath::parse(path).map_err(CommandError::Sender)?;
    let params = MailParams::parse(rest, announced)?;
    // RFC 6531 §3.4: an address beyond ASCII needs the SMTPUTF8 parameter.
    if !path.is_ascii() && !params.smtputf8 {
        return Err(CommandError::NeedsSmtpUtf8);
    }
    Ok(Command::Mail { from, params })
}

/// RFC 5321 §4.1.1.3: `rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters]`
fn parse_rcpt(argument: &str, announced: Announced) -> Result<Command, CommandError> {
    const SYNTAX: CommandError = CommandError::Syntax("RCPT TO:<address> [parameters]");
    let (path, rest) = split_path(argument, "TO:").ok_or(SYNTAX)?;
    let to = ForwardPath::parse(path).map_err(CommandError::Recipient)?;
    let params = RcptParams::parse(rest, announced)?;
    Ok(Command::Rcpt { to, params })
}

/// RFC 4954 §4: `"AUTH" SP sasl-mech [SP initial-response]`
fn parse_auth(argument: &str) -> Result<Command, CommandError> {
    const SYNTAX: CommandError = CommandError::Syntax("AUTH mechanism [initial-response]");
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(SYNTAX)?;
    let initial = words.next().map(str::to_owned);
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if words.next().is_some() || mechanism.len() > MAX_MECHANISM || !mechanism.bytes().all(valid) {
        return Err(SYNTAX);
    }
    Ok(Command::Auth {
        mechanism: mechanism.to_ascii_uppercase(),
        initial,
    })
}

/// Takes `FROM:<path>` or `TO:<path>` apart into the inside of the brackets and what follows them.
/// A quoted string may hold brackets. Spaces after the colon are tolerated: old clients put one.
fn split_path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let inner = rest.trim_start_matches(' ').strip_prefix('<')?;
    let mut in_quotes = false;
    let mut is_escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_quotes => is_escaped = true,
            '"' => in_quotes = !in_quotes,
            '>' if !in_quotes => {
                let (path, rest) = inner.split_at_checked(at)?;
                let rest = rest.strip_prefix('>')?;
                return (rest.is_empty() || rest.starts_with(' ')).then_some((path, rest));
            }
            _ => {}
        }
    }
    None
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::Lhlo(name) => write!(f, "LHLO {name}"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Auth {
                mechanism,
                initial: None,
            } => write!(f, "AUTH {mechanism}"),
            Self::Auth {
                mechanism,
                initial: Some(initial),
            } => {
                write!(f, "AUTH {mechanism} {initial}")
            }
            Self::Mail { from, params } => write!(f, "MAIL FROM:{from}{params}"),
            Self::Rcpt { to, params } => write!(f, "RCPT TO:{to}{params}"),
            Self::Data => f.write_str("DATA"),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
            Self::Help => f.write_str("HELP"),
            Self::Vrfy(argument) => write!(f, "VRFY {argument}"),
            Self::Expn(argument) => write!(f, "EXPN {argument}"),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth {
                mechanism,
                initial: Some(_),
            } => {
                write!(f, "Command(AUTH {mechanism} [redacted])")
            }
            command => write!(f, "Command({command})"),
        }
    }
}

#[cfg(test)]
mod tests;
