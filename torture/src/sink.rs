//! A host that takes mail and keeps account of it: what came, how often, and whose reply may not
//! have been read. It speaks no TLS and knows no extension; whoever relays to it uses plain RFC 5321.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use testkit::process::Site;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::context::{Context, Result};

/// Any port of this machine.
pub(crate) const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// How a host treats mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It takes everything.
    Takes,
    /// It defers one message of so many, after its data.
    DefersOneOf(u64),
}

/// A message that came.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// Its subject.
    pub(crate) subject: String,
    /// When its last octet was there.
    pub(crate) at: Instant,
    /// How many recipients its envelope had.
    pub(crate) recipients: usize,
    /// What it is, by [`digest`].
    pub(crate) digest: u64,
}

/// What came to a host until some moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Every message, as often as it came.
    pub(crate) arrivals: Vec<Arrival>,
    /// The subjects of messages whose reply was the last thing on their connection.
    pub(crate) unread: Vec<String>,
}

/// A host that listens until the run ends.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    arrivals: Vec<Arrival>,
    /// Messages that were offered.
    offered: u64,
    /// Messages that were deferred.
    deferred: u64,
    /// The last message of a connection on which no command has come since: its reply may have been
    /// read or not.
    unread: BTreeMap<u64, String>,
    connections: u64,
}

impl Sink {
    /// Listens at `address`; port 0 is any.
    pub(crate) fn listen(
        context: &Context,
        address: impl Into<SocketAddr>,
        manners: Manners,
    ) -> Result<Self> {
        let listener = context.block_on(TcpListener::bind(address.into()))?;
        let sink = Self {
            address: listener.local_addr()?,
            state: Arc::default(),
        };
        let host = sink.clone();
        context.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let host = host.clone();
                tokio::spawn(async move {
                    // Whoever relays may be killed in the middle of anything.
                    let _ = host.converse(stream, manners).await;
                });
            }
        });
        Ok(sink)
    }

    /// Has a site relay all its mail here, from its next start on.
    pub(crate) fn serve(&self, site: &Site) {
        site.add_configuration(&format!("[queue]\nrelay = \"{}\"\n", self.address));
    }

    /// When a message of this subject came first.
    pub(crate) fn arrived(&self, subject: &str) -> Option<Instant> {
        let state = self.state();
        let found = state.arrivals.iter().find(|other| other.subject == subject);
        found.map(|arrival| arrival.at)
    }

    /// Recipients of everything that came.
    pub(crate) fn recipients(&self) -> usize {
        self.state().arrivals.iter().map(|one| one.recipients).sum()
    }

    /// How many messages were deferred.
    pub(crate) fn deferred(&self) -> u64 {
        self.state().deferred
    }

    /// The account so far.
    pub(crate) fn account(&self) -> Account {
        let state = self.state();
        Account {
            arrivals: state.arrivals.clone(),
            unread: state.unread.values().cloned().collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn converse(&self, stream: TcpStream, manners: Manners) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let connection = {
            let mut state = self.state();
            state.connections += 1;
            state.connections
        };
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sink.test\r\n").await?;
        let (mut line, mut recipients) = (String::new(), 0);
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            self.state().unread.remove(&connection);
            let verb = line.split([' ', '\r']).next().unwrap_or_default();
            let reply: &[u8] = match verb.to_ascii_uppercase().as_str() {
                "DATA" => {
                    stream.write_all(b"354 Go on\r\n").await?;
                    let message = data(&mut stream).await?;
                    self.judge(
                        connection,
                        &message,
                        std::mem::take(&mut recipients),
                        manners,
                    )
                }
                "RCPT" => {
                    recipients += 1;
                    b"250 OK\r\n"
                }
                "RSET" | "MAIL" => {
                    recipients = 0;
                    b"250 OK\r\n"
                }
                "QUIT" => {
                    stream.write_all(b"221 Bye\r\n").await?;
                    return Ok(());
                }
                _ => b"250 OK\r\n",
            };
            stream.write_all(reply).await?;
        }
    }

    /// Enters a message into the account, before the reply is written.
    fn judge(
        &self,
        connection: u64,
        message: &[u8],
        recipients: usize,
        manners: Manners,
    ) -> &'static [u8] {
        let (subject, digest) = (subject(message), digest(message));
        let mut state = self.state();
        state.offered += 1;
        if matches!(manners, Manners::DefersOneOf(count) if state.offered.is_multiple_of(count)) {
            state.deferred += 1;
            return b"451 4.3.0 Later\r\n";
        }
        state.unread.insert(connection, subject.clone());
        state.arrivals.push(Arrival {
            subject,
            at: Instant::now(),
            recipients,
            digest,
        });
        b"250 OK\r\n"
    }
}

/// RFC 5321 §4.5.2: the lines up to the one of a dot alone, without the dots that were put before.
async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let start = message.len();
        let mut limited = (&mut *stream).take(LONGEST_LINE);
        if limited.read_until(b'\n', &mut message).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match message.get(start..) {
            Some(b".\r\n") => {
                message.truncate(start);
                return Ok(message);
            }
            Some([b'.', ..]) => {
                message.remove(start);
            }
            _ => {}
        }
    }
}

/// Octets of a line that are read at a time.
const LONGEST_LINE: u64 = 1 << 20;

/// What a message is, from its From field on: what servers add stands before it.
pub(crate) fn digest(message: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(message.get(author(message)..).unwrap_or_default());
    hasher.finish()
}

/// Where the From field begins; the beginning when there is none.
fn author(message: &[u8]) -> usize {
    if message.starts_with(b"From: ") {
        return 0;
    }
    let found = message
        .windows(8)
        .position(|octets| octets == b"\r\nFrom: ");
    found.map_or(0, |at| at + 2)
}

/// The first Subject field.
fn subject(message: &[u8]) -> String {
    let line = message
        .split(|octet| *octet == b'\n')
        .find_map(|line| line.strip_prefix(b"Subject: "));
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_author_changes_nothing() {
        let sent = b"From: <a@b.test>\r\nSubject: 12\r\n\r\nFrom: x\r\n";
        let mut came = b"Received: by x\r\nDate: today\r\n".to_vec();
        came.extend_from_slice(sent);
        assert_eq!(digest(sent), digest(&came));
        assert_ne!(digest(sent), digest(b"From: <a@b.test>\r\n\r\n"));
        assert_eq!(subject(&came), "12");
        assert_eq!(subject(b"\r\n"), "");
    }

    #[tokio::test]
    async fn a_reply_is_unread_until_the_next_command() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Sink {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        let host = sink.clone();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            host.converse(stream, Manners::DefersOneOf(2)).await
        });
        let mut smtp = testkit::client::Smtp::connect(sink.address).await.unwrap();
        let message = b"From: <a@b.test>\r\nSubject: 7\r\n\r\n.dot\r\n";
        let reply = smtp.deliver("a@b.test", &["x@y.test", "z@y.test"], message);
        assert_eq!(reply.await.unwrap().0, 250);
        let account = sink.account();
        assert_eq!(account.unread, ["7"]);
        let arrivals = account.arrivals;
        assert_eq!(
            (arrivals[0].digest, arrivals[0].recipients),
            (digest(message), 2)
        );
        let reply = smtp.deliver("a@b.test", &["x@y.test"], message).await;
        assert_eq!(reply.unwrap().0, 451);
        assert_eq!(
            (
                sink.account().unread.len(),
                sink.deferred(),
                sink.recipients()
            ),
            (0, 1, 2)
        );
    }
}
