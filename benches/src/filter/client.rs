//! The client that asks all filters: Rspamd's HTTP protocol, and SpamAssassin's.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use filter::Input;
use smtp::ReversePath;

use super::corpus::{Class, Message};
use crate::error::{Error, Result};

/// Requests that are under way at a time.
const CONNECTIONS: usize = 4;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The password of those who teach.
pub(super) const PASSWORD: &str = "correct-horse-battery";

/// What is sent for one message.
#[derive(Debug, Clone)]
pub(super) struct Request(Vec<u8>);

/// How a filter is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Rspamd's, on connections that stay open where the server lets them.
    Http,
    /// SpamAssassin's: a connection for each message.
    Spamc,
}

/// The envelope sender as Rspamd's protocol has it: without angle brackets.
fn sender(from: &ReversePath) -> String {
    from.as_address()
        .map_or_else(String::new, ToString::to_string)
}

/// A message to be judged as it came: client, HELO name and sender are those of its own header.
pub(super) fn check(message: &Message) -> Request {
    let input = Input::stored(message.raw.clone());
    let name = input.auth.iprev.name.as_ref();
    let fields = [
        ("Queue-Id", message.name.clone()),
        ("IP", input.ip.to_string()),
        ("Helo", input.helo.clone()),
        (
            "Hostname",
            name.map_or_else(String::new, ToString::to_string),
        ),
        ("From", sender(&input.from)),
        ("Rcpt", "reader@bench.test".to_owned()),
    ];
    http("checkv2", &fields, &input.raw)
}

/// A message to be learned.
pub(super) fn learn(message: &Message) -> Request {
    let command = match message.class {
        Class::Ham => "learnham",
        Class::Spam => "learnspam",
    };
    let raw = Input::stored(message.raw.clone()).raw;
    http(command, &[("Password", PASSWORD.to_owned())], &raw)
}

/// A message to be judged by spamd.
pub(super) fn spamc(message: &Message) -> Request {
    let raw = Input::stored(message.raw.clone()).raw;
    let head = format!("SYMBOLS SPAMC/1.5\r\nContent-length: {}\r\n\r\n", raw.len());
    Request([head.as_bytes(), &raw].concat())
}

fn http(command: &str, fields: &[(&str, String)], raw: &[u8]) -> Request {
    let mut head = format!("POST /{command} HTTP/1.1\r\nHost: bench.test\r\n");
    for (name, value) in fields {
        // A field's value is one line of ASCII.
        let value: String = value.chars().filter(char::is_ascii_graphic).collect();
        if !value.is_empty() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!(
        "Connection: keep-alive\r\nContent-Length: {}\r\n\r\n",
        raw.len()
    ));
    Request([head.as_bytes(), raw].concat())
}

/// Sends all requests on a few connections and waits for all answers; how many were no success.
pub(super) fn drive(
    address: SocketAddr,
    protocol: Protocol,
    requests: &[Request],
) -> Result<usize> {
    let (next, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || -> Result<()> {
        let mut connection = Connection::new(address, protocol);
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = connection.ask(request)?;
            if !successful(&answer) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            let broken = || Error::Filter("a client's thread ended early".to_owned());
            thread.join().map_err(|_| broken())?
        })
    })?;
    Ok(refused.into_inner())
}

/// Whether a server answers this one request now; an error while it does not listen.
pub(super) fn answers(address: SocketAddr, request: &Request) -> bool {
    let answer = Connection::new(address, Protocol::Http).try_ask(request);
    answer.is_ok_and(|answer| successful(&answer))
}

/// Whether an answer's first line says so: `HTTP/1.1 200 …`, `SPAMD/1.1 0 …`.
fn successful(answer: &[u8]) -> bool {
    let line = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let status = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    status == b"0" || (status.len() == 3 && status.starts_with(b"2"))
}

struct Connection {
    address: SocketAddr,
    protocol: Protocol,
    stream: Option<TcpStream>,
}

impl Connection {
    fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address,
            protocol,
            stream: None,
        }
    }

    /// The answer; asks again when a connection that was open before turns out to be closed.
    fn ask(&mut self, request: &Request) -> Result<Vec<u8>> {
        let was_open = self.stream.is_some();
        let mut answer = self.try_ask(request);
        if answer.is_err() && was_open {
            answer = self.try_ask(request);
        }
        answer.map_err(|source| Error::Io {
            what: self.address.to_string(),
            source,
        })
    }

    fn try_ask(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(&request.0)?;
        let mut answer = Vec::new();
        if self.protocol == Protocol::Spamc {
            stream.shutdown(Shutdown::Write)?;
            stream.read_to_end(&mut answer)?;
            return Ok(answer);
        }
        let mut buffer = [0; 16_384];
        while whole(&answer).is_none_or(|length| answer.len() < length) {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend(buffer.iter().take(count));
        }
        if !closes(&answer) {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// The octets of an HTTP answer, its body included, once its head is there.
fn whole(answer: &[u8]) -> Option<usize> {
    let head = memchr::memmem::find(answer, b"\r\n\r\n")? + 4;
    let length = field(answer.get(..head)?, "content-length");
    let length = length.and_then(|value| value.parse().ok()).unwrap_or(0);
    Some(head.saturating_add(length))
}

/// Whether the server says that it closes the connection.
fn closes(answer: &[u8]) -> bool {
    field(answer, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn field(head: &[u8], name: &str) -> Option<String> {
    let head = head.split(|byte| *byte == b'\n');
    head.take_while(|line| !line.trim_ascii().is_empty())
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::corpus::Half;

    fn message(raw: &'static str) -> Message {
        Message {
            name: String::new(),
            class: Class::Spam,
            half: Half::Even,
            raw: raw.as_bytes().into(),
        }
    }

    #[test]
    fn requests_tell_how_a_message_came() {
        let raw = "Return-Path: <a@b.example>\r\nReceived: from x.example (x.example [192.0.2.7])\
                   \r\n\tby mx.test; Thu, 22 Aug 2002 12:36:23 +0000\r\n\r\nhello\r\n";
        let text = String::from_utf8(check(&message(raw)).0).unwrap();
        assert!(text.starts_with("POST /checkv2 HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nFrom: a@b.example\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nhello\r\n"));
        let text = String::from_utf8(learn(&message(raw)).0).unwrap();
        assert!(text.starts_with("POST /learnspam "));
        let text = String::from_utf8(spamc(&message("A: b\n\nc\n")).0).unwrap();
        assert_eq!(
            text,
            "SYMBOLS SPAMC/1.5\r\nContent-length: 11\r\n\r\nA: b\r\n\r\nc\r\n"
        );
    }

    #[test]
    fn answers_have_a_length_and_a_status() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\n{}";
        assert_eq!(whole(answer), Some(answer.len()));
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\nContent-"), None);
        assert!(closes(answer) && successful(answer));
        assert!(successful(b"SPAMD/1.1 0 EX_OK\r\n") && !successful(b"SPAMD/1.0 76 Bad\r\n"));
        assert!(!successful(b"HTTP/1.1 403 Forbidden\r\n") && !successful(b""));
    }
}
