//! The demo's outside world: an SMTP server that accepts everything and keeps it.
//!
//! Every `*.test` domain that is not the demo's own has its MX here. A recipient whose localpart
//! is a reply code, as in `450@example.test` or `550@example.test`, gets that reply.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use smtp::command::Command;
use smtp::data::DataDecoder;
use smtp::line::{Expect, Framed, LineReader};
use smtp::{EnhancedCode, ForwardPath, Reply};
use tls::MaybeTls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The most messages kept; the oldest go first.
const KEPT: usize = 1_000;
/// The largest message taken.
const MAX_MESSAGE: u64 = 64 << 20;
/// How long a silent client is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message that reached the outside world.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The envelope's sender as on the wire, without brackets; empty for a report.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Whether it came over TLS.
    pub encrypted: bool,
    /// The message as it arrived.
    pub message: Bytes,
}

/// The captured messages, oldest first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Captures {
    messages: Arc<Mutex<Vec<Captured>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Default for Captures {
    fn default() -> Self {
        Self {
            messages: Arc::default(),
            count: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl Captures {
    /// All that is kept.
    #[must_use]
    pub fn all(&self) -> Vec<Captured> {
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until a captured message satisfies `wanted`.
    pub async fn wait_for(&self, wanted: impl Fn(&Captured) -> bool) -> Captured {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            if let Some(found) = self.all().into_iter().find(&wanted) {
                return found;
            }
            if count.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn push(&self, captured: Captured) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() >= KEPT {
            messages.remove(0);
        }
        messages.push(captured);
        drop(messages);
        self.count.send_modify(|count| *count += 1);
    }
}

/// The server that fills [`Captures`].
#[derive(Debug)]
pub struct CaptureServer {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    captures: Captures,
}

impl CaptureServer {
    /// Binds `address`.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        captures: Captures,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            tls,
            captures,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts mail until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let session = Session {
                            stream: MaybeTls::from(stream),
                            buffer: Vec::new(),
                            lines: LineReader::new(),
                            tls: Arc::clone(&self.tls),
                            encrypted: false,
                            captures: self.captures.clone(),
                        };
                        sessions.spawn(session.run());
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                },
                Some(_) = sessions.join_next() => {}
            }
        }
    }
}

/// One sender's connection.
struct Session {
    stream: MaybeTls,
    buffer: Vec<u8>,
    lines: LineReader,
    tls: Arc<ServerConfig>,
    encrypted: bool,
    captures: Captures,
}

/// What became of a command.
enum Next {
    Continue,
    StartTls,
    Close,
}

impl Session {
    async fn run(self) {
        // A sender that breaks off has delivered nothing; there is nobody to tell.
        let _ = self.converse().await;
    }

    async fn converse(mut self) -> io::Result<()> {
        self.reply(&Reply::bare(220, "outside.test ESMTP demo capture"))
            .await?;
        let mut from = None;
        let mut to = Vec::new();
        loop {
            let line = self.line().await?;
            let next = match Command::parse(&line) {
                Ok(command) => self.obey(command, &mut from, &mut to).await?,
                Err(error) => {
                    self.reply(&error.reply()).await?;
                    Next::Continue
                }
            };
            match next {
                Next::Continue => {}
                Next::Close => return Ok(()),
                Next::StartTls => {
                    self.buffer.clear();
                    let tls = Arc::clone(&self.tls);
                    self.stream = self.stream.accept(tls).await.map_err(io::Error::other)?;
                    self.encrypted = true;
                }
            }
        }
    }

    async fn obey(
        &mut self,
        command: Command,
        from: &mut Option<String>,
        to: &mut Vec<String>,
    ) -> io::Result<Next> {
        let ok = Reply::new(250, EnhancedCode(2, 0, 0), "OK");
        match command {
            Command::Ehlo(_) => self.reply(&self.greeting()).await?,
            Command::Helo(_) => self.reply(&Reply::bare(250, "outside.test")).await?,
            Command::StartTls if !self.encrypted => {
                self.reply(&Reply::new(220, EnhancedCode(2, 0, 0), "Go ahead"))
                    .await?;
                return Ok(Next::StartTls);
            }
            Command::Mail { from: sender, .. } => {
                *from = Some(
                    sender
                        .as_address()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                );
                self.reply(&ok).await?;
            }
            Command::Rcpt {
                to: ForwardPath::Address(recipient),
                ..
            } => {
                let reply = scripted_reply(recipient.localpart.as_str()).unwrap_or(ok);
                if reply.is_positive() {
                    to.push(recipient.to_string());
                }
                self.reply(&reply).await?;
            }
            Command::Data if from.is_some() && !to.is_empty() => {
                self.reply(&Reply::bare(354, "End with CRLF.CRLF")).await?;
                let message = self.data().await?;
                self.captures.push(Captured {
                    from: from.take().unwrap_or_default(),
                    to: std::mem::take(to),
                    encrypted: self.encrypted,
                    message,
                });
                self.reply(&Reply::new(250, EnhancedCode(2, 0, 0), "captured"))
                    .await?;
            }
            Command::Rset => {
                *from = None;
                to.clear();
                self.reply(&ok).await?;
            }
            Command::Noop => self.reply(&ok).await?,
            Command::Quit => {
                self.reply(&Reply::new(221, EnhancedCode(2, 0, 0), "Bye"))
                    .await?;
                return Ok(Next::Close);
            }
            _ => {
                self.reply(&Reply::new(503, EnhancedCode(5, 5, 1), "Not now"))
                    .await?;
            }
        }
        Ok(Next::Continue)
    }

    fn greeting(&self) -> Reply {
        let reply = Reply::bare(250, "outside.test")
            .and_line("PIPELINING")
            .and_line("8BITMIME")
            .and_line("SMTPUTF8")
            .and_line("ENHANCEDSTATUSCODES");
        if self.encrypted {
            reply
        } else {
            reply.and_line("STARTTLS")
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (line, consumed) = match self.lines.next_line(&self.buffer, Expect::Command) {
                Ok(Framed::Line { line, consumed }) => (Some(line.to_vec()), consumed),
                Ok(Framed::Partial { consumed } | Framed::TooLong { consumed }) => (None, consumed),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            };
            self.buffer.drain(..consumed);
            match line {
                Some(line) => return Ok(line),
                None => self.fill().await?,
            }
        }
    }

    async fn data(&mut self) -> io::Result<Bytes> {
        let mut decoder = DataDecoder::new(MAX_MESSAGE);
        let mut message = Vec::new();
        loop {
            let progress = decoder
                .feed(&self.buffer, &mut message)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.buffer.drain(..progress.consumed);
            if progress.finished {
                return Ok(message.into());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await??;
        if read == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }

    async fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut out = Vec::new();
        reply.encode(&mut out);
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }
}

/// The reply that a localpart asks for: `451` or `550` and the like.
fn scripted_reply(localpart: &str) -> Option<Reply> {
    let code: u16 = localpart.parse().ok()?;
    match code {
        400..=499 => Some(Reply::new(
            code,
            EnhancedCode(4, 3, 0),
            "Later, as you asked",
        )),
        500..=599 => Some(Reply::new(code, EnhancedCode(5, 1, 1), "No, as you asked")),
        _ => None,
    }
}
