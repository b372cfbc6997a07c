//! Scripted clients: connections that send exactly what a test says and read line by line.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a test waits for what it expects.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Lines of a conversation that are remembered.
const MAX_LINES: usize = 200;
/// Octets of each of them.
const MAX_LINE: usize = 400;
/// Octets that are read at a time.
const CHUNK: usize = 16 * 1024;

/// The transport of a connection.
enum Wire {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Calls a method of whichever stream there is.
macro_rules! on_wire {
    ($wire:expr, $stream:ident => $call:expr) => {
        match $wire {
            Wire::Plain($stream) => $call,
            Wire::Tls($stream) => $call,
        }
    };
}

/// A connection to a server under test.
pub struct Client {
    stream: Wire,
    buffer: Vec<u8>,
    log: Log,
    patience: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("log", &self.log.text())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects without TLS.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::from_plain(stream))
    }

    /// A client on a connection that is there already.
    #[must_use]
    pub fn from_plain(stream: TcpStream) -> Self {
        Self {
            stream: Wire::Plain(stream),
            buffer: Vec::new(),
            log: Log::default(),
            patience: PATIENCE,
        }
    }

    /// Waits so long instead of [`PATIENCE`] from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The connection itself, to send what no client would. Must not be over TLS; what was received
    /// and not read is lost.
    #[must_use]
    pub fn into_plain(self) -> TcpStream {
        match self.stream {
            Wire::Plain(stream) => stream,
            Wire::Tls(_) => panic!("the connection is over TLS"),
        }
    }

    /// Connects with TLS from the first octet; `name` must be in the certificate.
    pub async fn connect_tls(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        Self::connect(address).await?.start_tls(config, name).await
    }

    /// Goes on over TLS, after the server's go-ahead.
    pub async fn start_tls(self, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let name = name.to_owned().try_into().map_err(io::Error::other)?;
        let Wire::Plain(stream) = self.stream else {
            return Err(io::Error::other("TLS twice"));
        };
        let stream = tokio_rustls::TlsConnector::from(config)
            .connect(name, stream)
            .await?;
        Ok(Self {
            stream: Wire::Tls(Box::new(stream)),
            buffer: Vec::new(),
            log: self.log,
            patience: self.patience,
        })
    }

    /// Sends octets as they are.
    pub async fn send_raw(&mut self, octets: &[u8]) -> io::Result<()> {
        self.log.push('C', octets);
        on_wire!(&mut self.stream, stream => {
            stream.write_all(octets).await?;
            stream.flush().await
        })
    }

    /// Sends a line; CRLF is added.
    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        self.send_raw(format!("{line}\r\n").as_bytes()).await
    }

    /// The next line without its CRLF; `None` when the server closed.
    pub async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                self.log.push('S', &line[..end]);
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Exactly `count` octets, as of a literal.
    pub async fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// All octets up to and with the line that begins with `tag`: for answers of millions of lines,
    /// which are not worth a string each.
    pub async fn octets_until(&mut self, tag: &str) -> io::Result<Vec<u8>> {
        let start = format!("\r\n{tag} ");
        loop {
            // The answer is complete with a line's end; its last line is the tagged one.
            let body = self.buffer.strip_suffix(b"\r\n").unwrap_or_default();
            let last = body.iter().rposition(|octet| *octet == b'\n');
            let first = last.is_none() && body.starts_with(&start.as_bytes()[2..]);
            let last = last.and_then(|end| body.get(end - 1..));
            if first || last.is_some_and(|line| line.starts_with(start.as_bytes())) {
                return Ok(std::mem::take(&mut self.buffer));
            }
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        let buffer = &mut self.buffer;
        buffer.reserve(CHUNK);
        let read = async { on_wire!(&mut self.stream, stream => stream.read_buf(buffer).await) };
        match tokio::time::timeout(self.patience, read).await {
            Ok(read) => read,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the server is silent after:\n{}", self.log.text()),
            )),
        }
    }

    /// The conversation so far, the end of a long one, for a failure's message.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }
}

/// The end of a conversation.
#[derive(Default)]
struct Log(VecDeque<String>);

impl Log {
    fn push(&mut self, who: char, octets: &[u8]) {
        if self.0.len() == MAX_LINES {
            self.0.pop_front();
        }
        let (shown, rest) = octets.split_at(octets.len().min(MAX_LINE));
        let mut line = format!("{who}: {}", String::from_utf8_lossy(shown).escape_debug());
        if !rest.is_empty() {
            line.push_str(&format!(" … {} more", rest.len()));
        }
        self.0.push_back(line);
    }

    fn text(&self) -> String {
        Vec::from(self.0.clone()).join("\n")
    }
}

/// An SMTP client over [`Client`].
#[derive(Debug)]
pub struct Smtp {
    /// The connection.
    pub client: Client,
}

impl Smtp {
    /// Connects, reads the greeting and says EHLO.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut smtp = Self {
            client: Client::connect(address).await?,
        };
        smtp.reply().await?;
        smtp.command("EHLO client.test").await?;
        Ok(smtp)
    }

    /// Sends a command and reads the whole reply: code and last line's text.
    pub async fn command(&mut self, command: &str) -> io::Result<(u16, String)> {
        self.client.send(command).await?;
        self.reply().await
    }

    /// Reads a reply.
    pub async fn reply(&mut self) -> io::Result<(u16, String)> {
        loop {
            let line = self
                .client
                .line()
                .await?
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            let (code, rest) = line.split_at_checked(3).ok_or(io::ErrorKind::InvalidData)?;
            if !rest.starts_with('-') {
                let code = code.parse().map_err(io::Error::other)?;
                return Ok((code, rest.trim_start().to_owned()));
            }
        }
    }

    /// Goes over to TLS with STARTTLS and says EHLO again.
    pub async fn start_tls(mut self, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        expect(self.command("STARTTLS").await?, 220)?;
        let mut smtp = Self {
            client: self.client.start_tls(config, name).await?,
        };
        smtp.command("EHLO client.test").await?;
        Ok(smtp)
    }

    /// Signs in with PLAIN.
    pub async fn authenticate(&mut self, login: &str, password: &str) -> io::Result<()> {
        let initial = BASE64.encode(format!("\0{login}\0{password}"));
        expect(self.command(&format!("AUTH PLAIN {initial}")).await?, 235)
    }

    /// Sends one message; the code and text of the first refusal, or of the final reply.
    pub async fn deliver(
        &mut self,
        from: &str,
        to: &[&str],
        message: &[u8],
    ) -> io::Result<(u16, String)> {
        let reply = self.command(&format!("MAIL FROM:<{from}>")).await?;
        if reply.0 != 250 {
            return Ok(reply);
        }
        for recipient in to {
            let reply = self.command(&format!("RCPT TO:<{recipient}>")).await?;
            if reply.0 != 250 {
                self.command("RSET").await?;
                return Ok(reply);
            }
        }
        let reply = self.command("DATA").await?;
        if reply.0 != 354 {
            return Ok(reply);
        }
        let mut data = Vec::new();
        smtp::data::encode_data(message, &mut data);
        self.client.send_raw(&data).await?;
        self.reply().await
    }
}

fn expect(reply: (u16, String), code: u16) -> io::Result<()> {
    if reply.0 == code {
        Ok(())
    } else {
        Err(io::Error::other(format!("{reply:?}")))
    }
}

/// An IMAP client over [`Client`].
#[derive(Debug)]
pub struct Imap {
    /// The connection.
    pub client: Client,
    tag: u32,
}

/// What a command brought: untagged lines with their literals in place, then the tagged line.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Untagged responses; a literal follows its `{n}` and CRLF as it came.
    pub untagged: Vec<Vec<u8>>,
    /// The tagged response without the tag.
    pub tagged: String,
}

impl Answer {
    /// Whether the command succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.tagged.starts_with("OK")
    }

    /// The literals of all untagged responses, in order.
    #[must_use]
    pub fn literals(&self) -> Vec<Vec<u8>> {
        self.untagged
            .iter()
            .flat_map(|response| literals(response))
            .collect()
    }

    /// The untagged responses as text.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        self.untagged
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }
}

impl Imap {
    /// Connects and reads the greeting.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(Client::connect(address).await?).await
    }

    /// Connects with TLS and reads the greeting.
    pub async fn connect_tls(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        Self::over(Client::connect_tls(address, config, name).await?).await
    }

    /// Over a connection that is there already; the greeting is read.
    pub async fn over(mut client: Client) -> io::Result<Self> {
        client.line().await?;
        Ok(Self { client, tag: 0 })
    }

    /// Sends a command without literals and reads its answer.
    pub async fn command(&mut self, command: &str) -> io::Result<Answer> {
        self.command_with(command, None).await
    }

    /// Appends `message` to `mailbox`.
    pub async fn append(&mut self, mailbox: &str, message: &[u8]) -> io::Result<Answer> {
        let command = format!("APPEND {mailbox} {{{}}}", message.len());
        self.command_with(&command, Some(message)).await
    }

    /// Selects a mailbox for reading and fetches every message as it is stored, oldest first.
    pub async fn messages(&mut self, mailbox: &str) -> io::Result<Vec<Vec<u8>>> {
        let examined = self.command(&format!("EXAMINE {mailbox}")).await?;
        let fetched = self.command("UID FETCH 1:* (BODY.PEEK[])").await?;
        if examined.is_ok() && fetched.is_ok() {
            Ok(fetched.literals())
        } else {
            Err(io::Error::other(format!("{examined:?} {fetched:?}")))
        }
    }

    async fn command_with(&mut self, command: &str, literal: Option<&[u8]>) -> io::Result<Answer> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.client.send(&format!("{tag} {command}")).await?;
        let mut untagged = Vec::new();
        loop {
            let line = self.response().await?;
            if line.starts_with(b"+")
                && let Some(literal) = literal
            {
                self.client.send_raw(literal).await?;
                self.client.send_raw(b"\r\n").await?;
                continue;
            }
            match line.strip_prefix(tag.as_bytes()) {
                Some(tagged) => {
                    let tagged = String::from_utf8_lossy(tagged).trim_start().to_owned();
                    return Ok(Answer { untagged, tagged });
                }
                None => untagged.push(line),
            }
        }
    }

    /// The next response line with its literals.
    pub async fn response(&mut self) -> io::Result<Vec<u8>> {
        let mut response = Vec::new();
        loop {
            let line = self
                .client
                .line()
                .await?
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            response.extend_from_slice(line.as_bytes());
            let Some(count) = literal_length(&line) else {
                return Ok(response);
            };
            response.extend_from_slice(b"\r\n");
            response.extend(self.client.octets(count).await?);
        }
    }
}

/// The octets behind each `{n}` CRLF of a response.
fn literals(response: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = response;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let length = literal_length(&String::from_utf8_lossy(&rest[..end]));
        rest = &rest[end + 2..];
        if let Some((literal, after)) = length.and_then(|length| rest.split_at_checked(length)) {
            found.push(literal.to_vec());
            rest = after;
        }
    }
    found
}

fn literal_length(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}
