//! An SMTP client that does what a mail server does: EHLO once, then pipelined transactions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::error::{Context as _, Error, Result};

/// A session after EHLO.
#[derive(Debug)]
pub(crate) struct Smtp {
    reader: BufReader<TcpStream>,
    line: String,
    address: SocketAddr,
}

/// When the parts of a delivery were over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    /// The dot that ends the message was sent.
    pub(crate) sent: Instant,
    /// The answer 250 was there.
    pub(crate) accepted: Instant,
}

impl Smtp {
    /// Connects and says EHLO.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = super::connect(address)?;
        let mut smtp = Self {
            reader: BufReader::new(stream),
            line: String::new(),
            address,
        };
        smtp.expect(220)?;
        smtp.send(b"EHLO host1.senders.test\r\n")?;
        smtp.expect(250)?;
        Ok(smtp)
    }

    /// Delivers `message`, whose lines end with CRLF and do not start with a dot.
    ///
    /// RFC 2920 §3.1: MAIL, RCPT and DATA are sent as one group.
    pub(crate) fn deliver(&mut self, from: &str, to: &str, message: &[u8]) -> Result<Moments> {
        let group = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        self.send(group.as_bytes())?;
        for code in [250, 250, 354] {
            self.expect(code)?;
        }
        self.send(message)?;
        let sent = Instant::now();
        self.send(b".\r\n")?;
        self.expect(250)?;
        Ok(Moments {
            sent,
            accepted: Instant::now(),
        })
    }

    /// Says goodbye.
    pub(crate) fn quit(mut self) -> Result<()> {
        self.send(b"QUIT\r\n")?;
        self.expect(221)
    }

    fn send(&mut self, octets: &[u8]) -> Result<()> {
        self.reader
            .get_mut()
            .write_all(octets)
            .context(format!("SMTP to {}", self.address))
    }

    /// Reads a reply, which must have `code`.
    fn expect(&mut self, code: u16) -> Result<()> {
        loop {
            self.line.clear();
            let read = self.reader.read_line(&mut self.line);
            if read.context(format!("SMTP from {}", self.address))? == 0 {
                return Err(self.wrong("closed the connection"));
            }
            match reply_code(&self.line) {
                Some((found, last)) if found == code => {
                    if last {
                        return Ok(());
                    }
                }
                _ => return Err(self.wrong(self.line.trim_end())),
            }
        }
    }

    fn wrong(&self, said: &str) -> Error {
        Error::Answer {
            server: format!("SMTP at {}", self.address),
            said: said.to_owned(),
        }
    }
}

/// A reply line's code, and whether it is the last of its reply (RFC 5321 §4.2.1).
fn reply_code(line: &str) -> Option<(u16, bool)> {
    let code = line.get(..3)?.parse().ok()?;
    match line.as_bytes().get(3) {
        Some(b'-') => Some((code, false)),
        Some(b' ' | b'\r' | b'\n') | None => Some((code, true)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_lines() {
        let cases = [
            ("250-SIZE 10\r\n", Some((250, false))),
            ("250 OK\r\n", Some((250, true))),
            ("354\r\n", Some((354, true))),
            ("2500 \r\n", None),
            ("25", None),
            ("OK yes\r\n", None),
        ];
        for (line, wanted) in cases {
            assert_eq!(reply_code(line), wanted, "{line}");
        }
    }
}
