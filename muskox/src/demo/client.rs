//! A small SMTP and IMAP client for the demo's own mail and its check. Not a general client: it
//! speaks to this server only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::ClientConfig;
use smtp::{Reply, ReplyParser};
use tls::MaybeTls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(10);

/// An SMTP session.
pub(super) struct MailClient {
    stream: MaybeTls,
    parser: ReplyParser,
}

impl MailClient {
    /// Connects and says EHLO.
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = MaybeTls::from(TcpStream::connect(address).await?);
        let mut client = Self {
            stream,
            parser: ReplyParser::new(),
        };
        client.reply().await?;
        client.command("EHLO example.test").await?;
        Ok(client)
    }

    /// Goes over to TLS and signs in.
    pub(super) async fn sign_in(
        mut self,
        config: Arc<ClientConfig>,
        login: &str,
        password: &str,
    ) -> io::Result<Self> {
        self.expect("STARTTLS").await?;
        let stream = self.stream.connect(config, super::world::HOSTNAME).await;
        let mut client = Self {
            stream: stream.map_err(io::Error::other)?,
            parser: ReplyParser::new(),
        };
        client.expect("EHLO example.test").await?;
        let initial = BASE64.encode(format!("\0{login}\0{password}"));
        client.expect(&format!("AUTH PLAIN {initial}")).await?;
        Ok(client)
    }

    /// Sends a message; the reply that decided.
    pub(super) async fn send(
        &mut self,
        from: &str,
        to: &[&str],
        message: &[u8],
    ) -> io::Result<Reply> {
        let mut commands = vec![format!("MAIL FROM:<{from}> BODY=8BITMIME")];
        commands.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
        for command in commands {
            let reply = self.command(&command).await?;
            if !reply.is_positive() {
                return Ok(reply);
            }
        }
        let reply = self.command("DATA").await?;
        if !reply.is_intermediate() {
            return Ok(reply);
        }
        let mut data = Vec::new();
        smtp::data::encode_data(message, &mut data);
        self.stream.write_all(&data).await?;
        self.stream.flush().await?;
        self.reply().await
    }

    pub(super) async fn quit(mut self) {
        let _ = self.command("QUIT").await;
    }

    async fn expect(&mut self, command: &str) -> io::Result<()> {
        let reply = self.command(command).await?;
        if reply.is_positive() {
            Ok(())
        } else {
            Err(io::Error::other(reply.text()))
        }
    }

    async fn command(&mut self, command: &str) -> io::Result<Reply> {
        self.stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        self.stream.flush().await?;
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        let mut buffer = [0; 4096];
        let mut input: &[u8] = &[];
        loop {
            if let Some(reply) = self.parser.feed(input).map_err(io::Error::other)? {
                return Ok(reply);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await??;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            input = buffer.get(..read).unwrap_or_default();
        }
    }
}

/// An IMAP session over TLS.
pub(super) struct ImapClient {
    stream: MaybeTls,
    buffer: Vec<u8>,
    tag: u32,
}

impl ImapClient {
    /// Connects with TLS from the first octet and signs in.
    pub(super) async fn sign_in(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        login: &str,
        password: &str,
    ) -> io::Result<Self> {
        let stream = MaybeTls::from(TcpStream::connect(address).await?);
        let stream = stream.connect(config, super::world::HOSTNAME).await;
        let mut client = Self {
            stream: stream.map_err(io::Error::other)?,
            buffer: Vec::new(),
            tag: 0,
        };
        client.line().await?;
        client.command(&format!("LOGIN {login} {password}")).await?;
        Ok(client)
    }

    /// Sends a command and returns everything up to its tagged OK.
    pub(super) async fn command(&mut self, command: &str) -> io::Result<Vec<u8>> {
        self.tag += 1;
        let tag = format!("c{}", self.tag);
        self.stream
            .write_all(format!("{tag} {command}\r\n").as_bytes())
            .await?;
        self.stream.flush().await?;
        let mut response = Vec::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix(tag.as_bytes()) {
                Some(status) if status.starts_with(b" OK") => return Ok(response),
                Some(status) => {
                    return Err(io::Error::other(
                        String::from_utf8_lossy(status).into_owned(),
                    ));
                }
                None => response.extend_from_slice(&line),
            }
            if let Some(length) = literal(&line) {
                while self.buffer.len() < length {
                    self.fill().await?;
                }
                response.extend(self.buffer.drain(..length));
            }
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                return Ok(self.buffer.drain(..end + 2).collect());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer);
        if tokio::time::timeout(PATIENCE, read).await?? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

fn literal(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("}\r\n")?;
    line.rsplit_once('{')?.1.parse().ok()
}
