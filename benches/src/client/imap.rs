//! An IMAP client that counts what it is told instead of understanding it.
//!
//! Responses are read whole, literals included, into one buffer that is used again. The parsing is
//! just enough to check that the server did the work.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use rustls::{ClientConnection, StreamOwned};
use std::sync::Arc;

use crate::certificate::{Certificate, name};
use crate::error::{Context as _, Error, Result};
use crate::servers::{PASSWORD, Server, address};

const CHUNK: usize = 256 * 1024;

/// A session after LOGIN.
#[derive(Debug)]
pub(crate) struct Imap {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    response: Vec<u8>,
    tag: u32,
    address: SocketAddr,
    literals: Literals,
    multi_append: bool,
}

/// Which literals need no go-ahead (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Literals {
    /// None.
    Waiting,
    /// LITERAL-: small ones.
    Minus,
    /// LITERAL+: all.
    Plus,
}

impl Literals {
    /// RFC 7888 §5: the largest literal that LITERAL- lets go without waiting.
    const SMALL: usize = 4_096;

    /// From a list of capabilities in upper case.
    fn of(list: &str) -> Self {
        let has = |wanted| list.split_ascii_whitespace().any(|name| name == wanted);
        match (has("LITERAL+"), has("LITERAL-")) {
            (true, _) => Self::Plus,
            (false, true) => Self::Minus,
            (false, false) => Self::Waiting,
        }
    }

    /// What follows the length of a literal.
    fn plus(self, length: usize) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus if length <= Self::SMALL => "+",
            Self::Minus | Self::Waiting => "",
        }
    }
}

/// What a command brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// FETCH responses.
    pub(crate) fetches: u64,
    /// Octets of literals.
    pub(crate) literal_octets: u64,
    /// Numbers in SEARCH or ESEARCH responses.
    pub(crate) hits: u64,
    /// EXPUNGE responses, and those in VANISHED.
    pub(crate) expunged: u64,
    /// The last EXISTS.
    pub(crate) exists: u64,
    /// MESSAGES of the last STATUS.
    pub(crate) messages: u64,
}

impl Imap {
    /// Connects with TLS and signs in.
    pub(crate) fn connect(
        server: &Server,
        certificate: &Certificate,
        account: &str,
    ) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
        let name = name().try_into().map_err(|error| failed(&error))?;
        let tls = ClientConnection::new(Arc::clone(&certificate.client), name);
        let tls = tls.map_err(|error| failed(&error))?;
        let mut imap = Self {
            stream: StreamOwned::new(tls, super::connect(server.imaps)?),
            buffer: vec![0; CHUNK].into_boxed_slice(),
            start: 0,
            end: 0,
            response: Vec::new(),
            tag: 0,
            address: server.imaps,
            literals: Literals::Waiting,
            multi_append: false,
        };
        imap.read_response()?;
        imap.command(&format!("LOGIN {} {PASSWORD}", address(account)))?;
        imap.learn_capabilities()?;
        Ok(imap)
    }

    /// RFC 9051 §6.1.1: capabilities may differ after sign-in, so they are asked for then.
    fn learn_capabilities(&mut self) -> Result<()> {
        let (mut literals, mut multi_append) = (Literals::Waiting, false);
        self.run("CAPABILITY", |response, _| {
            if let Some(list) = response.strip_prefix(b"* CAPABILITY ") {
                let list = String::from_utf8_lossy(list).to_ascii_uppercase();
                literals = Literals::of(&list);
                multi_append = list
                    .split_ascii_whitespace()
                    .any(|name| name == "MULTIAPPEND");
            }
        })?;
        (self.literals, self.multi_append) = (literals, multi_append);
        Ok(())
    }

    /// Runs a command, which must succeed, and counts its responses.
    pub(crate) fn command(&mut self, command: &str) -> Result<Tally> {
        let mut tally = Tally::default();
        self.run(command, |response, literals| {
            tally.count(response, literals)
        })?;
        Ok(tally)
    }

    /// Runs a command that may be refused.
    pub(crate) fn try_command(&mut self, command: &str) -> Result<()> {
        match self.command(command) {
            Err(Error::Answer { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// How many messages `mailbox` has.
    pub(crate) fn messages(&mut self, mailbox: &str) -> Result<u64> {
        Ok(self
            .command(&format!("STATUS {mailbox} (MESSAGES)"))?
            .messages)
    }

    fn run(&mut self, command: &str, each: impl FnMut(&[u8], u64)) -> Result<()> {
        let tag = self.next_tag();
        self.send(format!("{tag} {command}\r\n").as_bytes())?;
        self.finish(&tag, command, each)
    }

    fn next_tag(&mut self) -> String {
        self.tag += 1;
        format!("b{}", self.tag)
    }

    /// Reads up to the tagged response, which must be OK.
    fn finish(&mut self, tag: &str, command: &str, mut each: impl FnMut(&[u8], u64)) -> Result<()> {
        loop {
            let literals = self.read_response()?;
            if self.response.starts_with(b"* ") {
                each(&self.response, literals);
                continue;
            }
            let Some(rest) = self.response.strip_prefix(tag.as_bytes()) else {
                return Err(self.wrong(command));
            };
            if rest.starts_with(b" OK") {
                return Ok(());
            }
            return Err(self.wrong(command));
        }
    }

    /// Appends one message and waits for the answer.
    pub(crate) fn append(&mut self, mailbox: &str, message: &[u8]) -> Result<()> {
        self.append_with(mailbox, "", message)
    }

    /// `options` are flags and a date, with a space before each.
    fn append_with(&mut self, mailbox: &str, options: &str, message: &[u8]) -> Result<()> {
        let tag = self.next_tag();
        let (length, plus) = (message.len(), self.literals.plus(message.len()));
        let mut out =
            format!("{tag} APPEND {mailbox}{options} {{{length}{plus}}}\r\n").into_bytes();
        if plus.is_empty() {
            self.send(&out)?;
            self.go_ahead()?;
            out.clear();
        }
        out.extend_from_slice(message);
        out.extend_from_slice(b"\r\n");
        self.send(&out)?;
        self.finish(&tag, "APPEND", |_, _| ())
    }

    /// Appends messages with dates, as many at a time as the server can: in one command with
    /// MULTIAPPEND (RFC 3502), else in one flight with LITERAL+ (RFC 7888), else one by one.
    pub(crate) fn append_all(&mut self, mailbox: &str, batch: &[(String, Vec<u8>)]) -> Result<()> {
        if self.literals != Literals::Plus {
            return batch.iter().try_for_each(|(date, message)| {
                self.append_with(mailbox, &format!(" (\\Seen) \"{date}\""), message)
            });
        }
        let mut out = Vec::new();
        let mut tags = Vec::new();
        for (date, message) in batch {
            if tags.is_empty() || !self.multi_append {
                tags.push(self.next_tag());
                let tag = tags.last().map_or("", String::as_str);
                out.extend_from_slice(format!("{tag} APPEND {mailbox}").as_bytes());
            }
            let head = format!(" (\\Seen) \"{date}\" {{{}+}}\r\n", message.len());
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(message);
            if !self.multi_append {
                out.extend_from_slice(b"\r\n");
            }
        }
        if self.multi_append {
            out.extend_from_slice(b"\r\n");
        }
        self.send(&out)?;
        tags.iter()
            .try_for_each(|tag| self.finish(tag, "APPEND", |_, _| ()))
    }

    /// Goes into IDLE on the selected mailbox; [`Self::read_exists`] then waits for news.
    pub(crate) fn idle(&mut self) -> Result<()> {
        let tag = self.next_tag();
        self.send(format!("{tag} IDLE\r\n").as_bytes())?;
        self.go_ahead()
    }

    /// Waits until the server says how many messages there are.
    pub(crate) fn read_exists(&mut self) -> Result<u64> {
        loop {
            self.read_response()?;
            if let Some(count) = numbered(&self.response, b"EXISTS") {
                return Ok(count);
            }
        }
    }

    fn go_ahead(&mut self) -> Result<()> {
        loop {
            self.read_response()?;
            match self.response.first() {
                Some(b'+') => return Ok(()),
                Some(b'*') => {}
                _ => return Err(self.wrong("waiting for +")),
            }
        }
    }

    fn wrong(&self, command: &str) -> Error {
        let said = String::from_utf8_lossy(&self.response);
        let said = said.trim_end().chars().take(300).collect::<String>();
        let command: String = command.chars().take(80).collect();
        Error::Answer {
            server: format!("IMAP at {}", self.address),
            said: format!("{command}: {said}"),
        }
    }

    fn send(&mut self, octets: &[u8]) -> Result<()> {
        let what = || format!("IMAP to {}", self.address);
        self.stream.write_all(octets).context(what())?;
        self.stream.flush().context(what())
    }

    /// Reads the next response into `self.response`; how many octets its literals have.
    fn read_response(&mut self) -> Result<u64> {
        self.response.clear();
        let mut literals = 0;
        loop {
            let line = self.response.len();
            self.read_line()?;
            let Some(length) = self.response.get(line..).and_then(literal_length) else {
                return Ok(literals);
            };
            literals += u64::try_from(length).unwrap_or(u64::MAX);
            self.read_octets(length)?;
        }
    }

    fn read_line(&mut self) -> Result<()> {
        loop {
            let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', waiting) {
                self.take(at + 1);
                return Ok(());
            }
            self.take(waiting.len());
            self.fill()?;
        }
    }

    fn read_octets(&mut self, mut count: usize) -> Result<()> {
        loop {
            let now = count.min(self.end - self.start);
            self.take(now);
            count -= now;
            if count == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Moves `count` octets, which are there, from the buffer to the response.
    fn take(&mut self, count: usize) {
        let octets = self
            .buffer
            .get(self.start..self.start + count)
            .unwrap_or_default();
        self.response.extend_from_slice(octets);
        self.start += octets.len();
    }

    /// Fills the empty buffer.
    fn fill(&mut self) -> Result<()> {
        let what = format!("IMAP from {}", self.address);
        let read = self.stream.read(&mut self.buffer).context(what.as_str())?;
        (self.start, self.end) = (0, read);
        if read == 0 {
            return Err(Error::Answer {
                server: what,
                said: "closed the connection".to_owned(),
            });
        }
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, response: &[u8], literals: u64) {
        self.literal_octets += literals;
        if numbered(response, b"FETCH").is_some() {
            self.fetches += 1;
        } else if let Some(count) = numbered(response, b"EXISTS") {
            self.exists = count;
        } else if numbered(response, b"EXPUNGE").is_some() {
            self.expunged += 1;
        } else if let Some(set) = response.strip_prefix(b"* VANISHED ") {
            self.expunged += set_size(set);
        } else if let Some(found) = response.strip_prefix(b"* SEARCH") {
            self.hits += found
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .count() as u64;
        } else if response.starts_with(b"* ESEARCH") {
            let text = String::from_utf8_lossy(response);
            let all = text
                .split_once(" ALL ")
                .map(|(_, set)| set.trim_end().to_owned());
            self.hits += all.map_or(0, |set| set_size(set.as_bytes()));
        } else if let Some(count) = status_messages(response) {
            self.messages = count;
        }
    }
}

/// The number of `* n WORD…`.
fn numbered(response: &[u8], word: &[u8]) -> Option<u64> {
    let rest = response.strip_prefix(b"* ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = rest.get(digits..)?.strip_prefix(b" ")?;
    if !after.get(..word.len())?.eq_ignore_ascii_case(word) {
        return None;
    }
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// The length of the literal that a line announces at its end (RFC 9051 §4.3).
fn literal_length(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', line)?;
    std::str::from_utf8(line.get(open + 1..)?)
        .ok()?
        .parse()
        .ok()
}

/// MESSAGES of a STATUS response.
fn status_messages(response: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(response.strip_prefix(b"* STATUS ")?).to_ascii_uppercase();
    let rest = text.rsplit_once("MESSAGES ")?.1.to_owned();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// How many numbers a set like `1:3,7` holds; an `(EARLIER)` before it holds none.
fn set_size(set: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(set);
    let set = text.split_ascii_whitespace().last().unwrap_or_default();
    set.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
            Some(first.abs_diff(last) + 1)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_announced_at_the_end_of_a_line() {
        let cases: [(&[u8], _); 5] = [
            (b"* 1 FETCH (BODY[] {12}\r\n", Some(12)),
            (b"* 1 FETCH (X {1} Y)\r\n", None),
            (b"* 1 FETCH (BODY[] {12}", None),
            (b"* OK {x}\r\n", None),
            (b"\r\n", None),
        ];
        for (line, wanted) in cases {
            assert_eq!(
                literal_length(line),
                wanted,
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }

    #[test]
    fn large_literals_wait_unless_the_server_takes_all() {
        let cases = [
            ("IMAP4REV1 LITERAL+ IDLE", ["+", "+"]),
            ("IMAP4REV2 LITERAL-", ["+", ""]),
            ("IMAP4REV1 XLITERAL+", ["", ""]),
        ];
        for (list, wanted) in cases {
            assert_eq!(
                [4_096, 4_097].map(|length| Literals::of(list).plus(length)),
                wanted,
                "{list}"
            );
        }
    }

    #[test]
    fn responses_are_counted() {
        let mut tally = Tally::default();
        let responses: [(&[u8], u64); 11] = [
            (b"* 1 FETCH (FLAGS ())\r\n", 0),
            (b"* 2 FETCH (BODY[] {2}\r\nab)\r\n", 2),
            (b"* 17 EXISTS\r\n", 0),
            (b"* 4 EXPUNGE\r\n", 0),
            (b"* VANISHED 3:5,9\r\n", 0),
            (b"* SEARCH 5 7 9\r\n", 0),
            (b"* SEARCH\r\n", 0),
            (b"* ESEARCH (TAG \"b1\") UID ALL 1:3,7\r\n", 0),
            (b"* ESEARCH (TAG \"b1\") UID\r\n", 0),
            (b"* STATUS \"messages 3\" (MESSAGES 41 UNSEEN 2)\r\n", 0),
            (b"* OK [HIGHESTMODSEQ 4] fine\r\n", 0),
        ];
        for (response, literals) in responses {
            tally.count(response, literals);
        }
        let wanted = Tally {
            fetches: 2,
            literal_octets: 2,
            hits: 7,
            expunged: 5,
            exists: 17,
            messages: 41,
        };
        assert_eq!(tally, wanted);
    }

    #[test]
    fn numbers_belong_to_their_word() {
        assert_eq!(numbered(b"* 5 EXISTS\r\n", b"EXISTS"), Some(5));
        assert_eq!(numbered(b"* 5 RECENT\r\n", b"EXISTS"), None);
        assert_eq!(numbered(b"* EXISTS\r\n", b"EXISTS"), None);
        assert_eq!(numbered(b"* 5 EX", b"EXISTS"), None);
    }

    #[test]
    fn sets_have_sizes() {
        assert_eq!(set_size(b"1:3,7\r\n"), 4);
        assert_eq!(set_size(b"(EARLIER) 9:8\r\n"), 2);
        assert_eq!(set_size(b"\r\n"), 0);
    }
}
