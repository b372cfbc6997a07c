//! The filter's side of a connection: collects one message after the other.

use std::collections::BTreeMap;

use crate::{Actions, Command, Error, Negotiation, Peer, Protocol, Response, Text, VERSION};

/// Octets of macros that are kept.
const MACROS_OCTETS_MAX: usize = 64 * 1024;
/// ESMTP arguments, in octets, that are kept of one path.
const ARGUMENTS_OCTETS_MAX: usize = 4 * 1024;
/// The oldest version of the protocol that is spoken.
const OLDEST: u32 = 2;
/// Steps whose macros belong to the connection rather than to a message.
const CONNECTION_STEPS: [u8; 2] = [b'C', b'H'];
/// Steps from the latest to the earliest: the latest word on a macro counts.
const STEPS: [u8; 8] = [b'E', b'N', b'L', b'T', b'R', b'M', b'H', b'C'];

/// How much of a message is collected and what is negotiated.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Octets of a message, header included. What is beyond is cut off.
    pub size: usize,
    /// Header fields of a message.
    pub fields: usize,
    /// Recipients of a message.
    pub recipients: usize,
    /// What the filter wants to be able to do.
    pub actions: Actions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: 50 * 1024 * 1024,
            fields: 2_000,
            recipients: 1_000,
            actions: Actions::ADD_HEADERS | Actions::CHANGE_HEADERS | Actions::QUARANTINE,
        }
    }
}

/// What to do after a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the MTA expects no answer.
    Silent,
    /// Send this.
    Send(Response),
    /// The message is complete: send changes to it, then one final [`Response`].
    Judge(Box<Message>),
    /// Close the connection.
    Close,
}

/// Who is talking to the MTA.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// The client's confirmed name, or its address in brackets.
    pub host: Text,
    /// The client's address.
    pub peer: Peer,
    /// What it said in HELO or EHLO.
    pub helo: Option<Text>,
}

/// A path of the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// The address without angle brackets; empty for the null sender.
    pub address: Text,
    /// ESMTP arguments.
    pub arguments: Vec<Text>,
}

/// A complete message with all that is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Where it comes from.
    pub connection: Connection,
    /// The envelope sender.
    pub sender: Path,
    /// The recipients the MTA told of.
    pub recipients: Vec<Path>,
    /// Recipients beyond the limit, which are not in the list.
    pub recipients_left_out: usize,
    /// Header, empty line and body; lines end in CRLF.
    pub octets: Vec<u8>,
    /// The names of the header fields in order, without those that were cut off.
    pub fields: Vec<Text>,
    /// Whether header or body lack what was beyond the limits.
    pub cut: bool,
    /// What the MTA knows besides, by name without braces; see [`Self::macro_value`].
    pub macros: BTreeMap<Vec<u8>, Text>,
}

impl Message {
    /// The value of a macro; its name is given without braces: `i`, `auth_authen`.
    pub fn macro_value(&self, name: &str) -> Option<&Text> {
        self.macros.get(name.as_bytes())
    }

    /// How many header fields have this name, in any letter case.
    pub fn occurrences(&self, name: &str) -> usize {
        let same = |field: &&Text| field.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(same).count()
    }
}

/// Where the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is agreed yet.
    New,
    /// No message is under way.
    Ready,
    /// After MAIL.
    Envelope,
    /// Header fields come.
    Header,
    /// The body comes.
    Body,
}

/// The state of one connection from an MTA.
#[derive(Debug)]
pub struct Session {
    options: Options,
    state: State,
    agreed: Negotiation,
    connection: Connection,
    /// By step, as told last.
    macros: BTreeMap<u8, Vec<(Vec<u8>, Text)>>,
    message: Message,
}

impl Session {
    /// A session in which nothing has been said.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            state: State::New,
            agreed: Negotiation::default(),
            connection: Connection::default(),
            macros: BTreeMap::new(),
            message: Message::default(),
        }
    }

    /// What the MTA allows to be done, once negotiated.
    pub fn actions(&self) -> Actions {
        self.agreed.actions
    }

    /// Whether header values carry the space after the colon; the filter's own values have to, too.
    pub fn leading_space(&self) -> bool {
        self.agreed.protocol.has(Protocol::LEADING_SPACE)
    }

    /// Whether no message is under way, so that nothing is lost by closing the connection.
    pub fn is_between_messages(&self) -> bool {
        matches!(self.state, State::New | State::Ready)
    }

    /// What follows from `command`.
    ///
    /// # Errors
    /// [`Error`] when it may not come now; the connection is to be closed.
    pub fn take(&mut self, command: Command) -> Result<Step, Error> {
        let quiet = match command {
            Command::Negotiate(offer) => return self.negotiate(&offer),
            Command::Quit => return Ok(Step::Close),
            _ if self.state == State::New => return Err(Error::OutOfOrder(command.name())),
            Command::QuitNewConnection => {
                self.reset();
                self.macros.clear();
                self.connection = Connection::default();
                return Ok(Step::Silent);
            }
            Command::Abort => {
                self.reset();
                return Ok(Step::Silent);
            }
            Command::Macros { step, values } => {
                self.set_macros(step, values);
                return Ok(Step::Silent);
            }
            Command::Connect { host, peer } => {
                self.reset();
                self.connection = Connection {
                    host,
                    peer,
                    helo: None,
                };
                Protocol::NO_REPLY_CONNECT
            }
            Command::Helo(name) => {
                self.reset();
                self.connection.helo = Some(name);
                Protocol::NO_REPLY_HELO
            }
            Command::Mail { path, arguments } => {
                self.begin(path, arguments);
                Protocol::NO_REPLY_MAIL
            }
            Command::Rcpt { path, arguments } => {
                self.expect(&[State::Envelope], "RCPT")?;
                self.recipient(path, arguments);
                Protocol::NO_REPLY_RCPT
            }
            Command::Data => {
                self.expect(&[State::Envelope], "DATA")?;
                Protocol::NO_REPLY_DATA
            }
            Command::Header { name, value } => {
                self.expect(&[State::Envelope, State::Header], "header field")?;
                self.state = State::Header;
                self.field(&name, &value);
                Protocol::NO_REPLY_HEADER
            }
            Command::EndOfHeaders => {
                self.expect(&[State::Envelope, State::Header], "end of header")?;
                self.end_header();
                Protocol::NO_REPLY_END_OF_HEADERS
            }
            Command::Body(piece) => {
                self.expect(&[State::Envelope, State::Header, State::Body], "body")?;
                return Ok(self.body(&piece));
            }
            Command::EndOfBody(piece) => {
                self.expect(
                    &[State::Envelope, State::Header, State::Body],
                    "end of body",
                )?;
                self.body(&piece);
                return Ok(Step::Judge(Box::new(self.complete())));
            }
            Command::Unknown(_) => Protocol::NO_REPLY_UNKNOWN,
        };
        Ok(if self.agreed.protocol.has(quiet) {
            Step::Silent
        } else {
            Step::Send(Response::Continue)
        })
    }

    fn expect(&self, states: &[State], what: &'static str) -> Result<(), Error> {
        if states.contains(&self.state) {
            Ok(())
        } else {
            Err(Error::OutOfOrder(what))
        }
    }

    /// Takes of the offer what saves packets and answers; pieces of the body are answered where
    /// that allows to say "enough".
    fn negotiate(&mut self, offer: &Negotiation) -> Result<Step, Error> {
        if self.state != State::New {
            return Err(Error::OutOfOrder("negotiation"));
        }
        if offer.version < OLDEST {
            return Err(Error::Version(offer.version));
        }
        let mut wanted = Protocol::NO_DATA
            | Protocol::NO_UNKNOWN
            | Protocol::NO_REPLY_CONNECT
            | Protocol::NO_REPLY_HELO
            | Protocol::NO_REPLY_MAIL
            | Protocol::NO_REPLY_RCPT
            | Protocol::NO_REPLY_DATA
            | Protocol::NO_REPLY_UNKNOWN
            | Protocol::NO_REPLY_HEADER
            | Protocol::NO_REPLY_END_OF_HEADERS
            | Protocol::LEADING_SPACE
            | Protocol::SKIP;
        if !offer.protocol.has(Protocol::SKIP) {
            wanted = wanted | Protocol::NO_REPLY_BODY;
        }
        self.agreed = Negotiation {
            version: offer.version.min(VERSION),
            actions: offer.actions & self.options.actions,
            protocol: offer.protocol & wanted,
            macros: Vec::new(),
        };
        self.state = State::Ready;
        Ok(Step::Send(Response::Negotiate(self.agreed.clone())))
    }

    fn set_macros(&mut self, step: u8, values: Vec<(Text, Text)>) {
        if !STEPS.contains(&step) {
            return;
        }
        self.macros.remove(&step);
        let octets = |values: &Vec<(Vec<u8>, Text)>| -> usize {
            values
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum()
        };
        let mut room = MACROS_OCTETS_MAX.saturating_sub(self.macros.values().map(octets).sum());
        let mut kept = Vec::new();
        for (name, value) in values {
            let bare = name
                .strip_prefix(b"{")
                .and_then(|name| name.strip_suffix(b"}"))
                .unwrap_or(&name);
            let length = bare.len() + value.len();
            if length > room {
                break;
            }
            room -= length;
            kept.push((bare.to_vec(), value));
        }
        self.macros.insert(step, kept);
    }

    /// Forgets the message under way, not the connection.
    fn reset(&mut self) {
        self.message = Message::default();
        self.state = State::Ready;
        self.macros
            .retain(|step, _| CONNECTION_STEPS.contains(step));
    }

    fn begin(&mut self, path: Text, arguments: Vec<Text>) {
        // The macros of MAIL come before MAIL itself.
        let macros = self.macros.remove(&b'M');
        self.reset();
        if let Some(macros) = macros {
            self.macros.insert(b'M', macros);
        }
        self.message.sender = Path::new(path, arguments);
        self.state = State::Envelope;
    }

    fn recipient(&mut self, path: Text, arguments: Vec<Text>) {
        if self.message.recipients.len() < self.options.recipients {
            self.message.recipients.push(Path::new(path, arguments));
        } else {
            self.message.recipients_left_out = self.message.recipients_left_out.saturating_add(1);
        }
    }

    /// Writes the field as it stood in the message: `name ":" value CRLF`, lines of the value ended
    /// by CRLF. What a header cannot hold (a line that is no continuation, a name with a space) is
    /// made harmless, so that the fields read are the fields told.
    fn field(&mut self, name: &Text, value: &Text) {
        let leading = self.leading_space();
        let message = &mut self.message;
        let room = self.options.size.saturating_sub(message.octets.len());
        // Each octet of the value may become three.
        let most = name.len() + 4 + value.len().saturating_mul(3);
        if message.fields.len() >= self.options.fields || most > room || name.is_empty() {
            message.cut = true;
            return;
        }
        let out = &mut message.octets;
        out.extend(name.iter().map(|&octet| match octet {
            b'\r' | b'\n' | b':' | b' ' | b'\t' => b'?',
            other => other,
        }));
        out.push(b':');
        if !leading && !value.starts_with(b"\n") {
            out.push(b' ');
        }
        let mut lines = value.split(|&octet| octet == b'\n').peekable();
        while let Some(line) = lines.next() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            out.extend(
                line.iter()
                    .map(|&octet| if octet == b'\r' { b' ' } else { octet }),
            );
            if let Some(next) = lines.peek() {
                out.extend_from_slice(b"\r\n");
                if !matches!(next.first(), Some(b' ' | b'\t')) {
                    out.push(b' ');
                }
            }
        }
        out.extend_from_slice(b"\r\n");
        message.fields.push(name.clone());
    }

    fn end_header(&mut self) {
        self.message.octets.extend_from_slice(b"\r\n");
        self.state = State::Body;
    }

    fn body(&mut self, piece: &[u8]) -> Step {
        if self.state != State::Body {
            self.end_header();
        }
        let room = self.options.size.saturating_sub(self.message.octets.len());
        let taken = piece.get(..room).unwrap_or(piece);
        self.message.octets.extend_from_slice(taken);
        self.message.cut |= taken.len() < piece.len();
        if self.agreed.protocol.has(Protocol::NO_REPLY_BODY) {
            Step::Silent
        } else if self.message.cut && self.agreed.protocol.has(Protocol::SKIP) {
            Step::Send(Response::Skip)
        } else {
            Step::Send(Response::Continue)
        }
    }

    fn complete(&mut self) -> Message {
        let mut message = std::mem::take(&mut self.message);
        message.connection = self.connection.clone();
        for step in STEPS {
            for (name, value) in self.macros.get(&step).into_iter().flatten() {
                message
                    .macros
                    .entry(name.clone())
                    .or_insert_with(|| value.clone());
            }
        }
        self.reset();
        message
    }
}

impl Path {
    fn new(path: Text, mut arguments: Vec<Text>) -> Self {
        let address = path
            .strip_prefix(b"<")
            .and_then(|path| path.strip_suffix(b">"));
        let address = address.map_or(path.clone(), Text::from);
        let mut room = ARGUMENTS_OCTETS_MAX;
        arguments.retain(|argument| {
            let fits = argument.len() <= room;
            room = room.saturating_sub(argument.len());
            fits
        });
        Self { address, arguments }
    }
}
