//! The course of a session: greeting, EHLO, STARTTLS, the order of commands, and when it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use directory::Identity;
use lobby::Place;
use smtp::command::{ClientName, Command};
use smtp::line::{Expect, too_long};
use smtp::{EnhancedCode, Reply};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::io::{Ended, Input, Io};
use crate::transaction::Transaction;
use crate::{Connection, Role, Server};

/// What the client called itself, and how.
#[derive(Debug, Clone)]
pub(crate) struct Hello {
    pub(crate) name: ClientName,
    /// EHLO or LHLO rather than HELO.
    pub(crate) extended: bool,
}

pub(crate) struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) io: Io,
    pub(crate) role: Role,
    pub(crate) peer: SocketAddr,
    /// The session's name in the log.
    pub(crate) id: String,
    pub(crate) hello: Option<Hello>,
    pub(crate) identity: Option<Identity>,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) auth_failures: u32,
    /// Set when the reply just given is the last.
    pub(crate) closing: bool,
    pub(crate) accepted: u32,
    pub(crate) started: Instant,
    /// Since when the client may say hello: the start, or the end of the TLS handshake.
    hello_since: Instant,
    /// Among those that have proved nothing yet; a session in front of another server has none.
    place: Option<Place>,
    shutdown: CancellationToken,
    errors: u32,
    idle_commands: u32,
}

/// Why a conversation pauses.
enum Next {
    Close,
    StartTls,
}

const SESSION_ID_LENGTH: usize = 8;

impl Session {
    pub(crate) fn new(
        server: Arc<Server>,
        connection: Connection,
        shutdown: CancellationToken,
    ) -> Self {
        let eviction = shutdown.child_token();
        let is_stranger = connection.role != Role::Lmtp;
        Self {
            place: is_stranger.then(|| server.lobby.enter(eviction.clone())),
            io: Io::new(connection.stream, eviction),
            shutdown,
            role: connection.role,
            peer: SocketAddr::new(connection.peer.ip().to_canonical(), connection.peer.port()),
            id: server.random.token(SESSION_ID_LENGTH),
            hello: None,
            identity: None,
            transaction: None,
            auth_failures: 0,
            closing: false,
            accepted: 0,
            started: Instant::now(),
            hello_since: Instant::now(),
            errors: 0,
            idle_commands: 0,
            server,
        }
    }

    pub(crate) async fn run(mut self) {
        self.greet();
        let ended = loop {
            match self.converse().await {
                Ok(Next::Close) => break None,
                Ok(Next::StartTls) => match self.upgrade().await {
                    Some(session) => self = session,
                    None => return,
                },
                Err(ended) => break Some(ended),
            }
        };
        let ended = match ended {
            // The lobby wants the place; the server goes on.
            Some(Ended::Shutdown) if !self.shutdown.is_cancelled() => Some(Ended::Evicted),
            ended => ended,
        };
        match &ended {
            Some(Ended::Evicted) => {
                self.io.reply(&Reply::new(
                    421,
                    EnhancedCode(4, 3, 2),
                    "Too many connections, try again later",
                ));
            }
            Some(Ended::Shutdown) => {
                self.io.reply(&Reply::new(
                    421,
                    EnhancedCode(4, 3, 2),
                    "Server is going down",
                ));
            }
            Some(Ended::Timeout) => {
                self.io
                    .reply(&Reply::new(421, EnhancedCode(4, 4, 2), "Timeout"));
            }
            Some(Ended::Line(error)) => self.io.reply(&error.reply()),
            Some(Ended::Lost) | None => {}
        }
        let _ = self.io.flush().await;
        self.io.close().await;
        tracing::info!(
            session = %self.id, listener = ?self.role, peer = %self.peer,
            hello = self.hello.as_ref().map(|hello| hello.name.to_string()),
            tls = self.io.stream.is_tls(), accepted = self.accepted, errors = self.errors,
            milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            ended = ended.map(|ended| ended.to_string()), "smtp session"
        );
    }

    /// RFC 3207 §4.2: after the handshake nothing of before is known.
    async fn upgrade(mut self) -> Option<Self> {
        let config = self.server.tls.clone()?;
        self.io.discard_input();
        match self.io.stream.accept(config).await {
            Ok(stream) => self.io.stream = stream,
            Err(error) => {
                tracing::debug!(session = %self.id, peer = %self.peer, %error, "no TLS handshake");
                return None;
            }
        }
        self.hello = None;
        self.hello_since = Instant::now();
        self.transaction = None;
        Some(self)
    }

    async fn converse(&mut self) -> Result<Next, Ended> {
        while !self.closing {
            let input = self.io.line(Expect::Command, self.deadline()).await?;
            let reply = match input {
                Input::TooLong => too_long(),
                Input::Line(line) => match Command::parse(&line) {
                    Ok(Command::StartTls) => match self.starttls_refusal() {
                        Some(refusal) => refusal,
                        None => {
                            self.io
                                .reply(&Reply::new(220, EnhancedCode(2, 0, 0), "Go ahead"));
                            self.io.flush().await?;
                            return Ok(Next::StartTls);
                        }
                    },
                    Ok(command) => match self.obey(command).await? {
                        Some(reply) => reply,
                        None => continue,
                    },
                    Err(error) => {
                        self.closing = error.must_close();
                        error.reply()
                    }
                },
            };
            self.answer(&reply);
        }
        self.io.flush().await?;
        Ok(Next::Close)
    }

    fn greet(&mut self) {
        let protocol = if self.role == Role::Lmtp {
            "LMTP"
        } else {
            "ESMTP"
        };
        self.io.reply(&Reply::bare(
            220,
            format!("{} {protocol} Muskox", self.server.hostname),
        ));
    }

    /// What the client called itself; empty before its greeting.
    pub(crate) fn helo(&self) -> String {
        let hello = self.hello.as_ref();
        hello
            .map(|hello| hello.name.to_string())
            .unwrap_or_default()
    }

    /// The client has signed in or sent mail: it may stay.
    pub(crate) fn proved(&mut self) {
        self.place = None;
    }

    /// When the next command must have come.
    fn deadline(&self) -> Instant {
        let limits = &self.server.limits;
        if self.hello.is_none() {
            return self.hello_since + limits.hello_timeout;
        }
        let command = Instant::now() + limits.command_timeout;
        if self.transaction.is_some() || self.accepted > 0 {
            command
        } else {
            command.min(self.started + limits.first_mail_timeout)
        }
    }

    /// Queues a reply and counts refusals.
    fn answer(&mut self, reply: &Reply) {
        self.io.reply(reply);
        if reply.is_positive() || reply.is_intermediate() || self.closing {
            return;
        }
        self.errors += 1;
        if self.errors >= self.server.limits.errors {
            self.io
                .reply(&Reply::new(421, EnhancedCode(4, 7, 0), "Too many errors"));
            self.closing = true;
        }
    }

    /// Carries out a command; `None` when its replies are queued already.
    async fn obey(&mut self, command: Command) -> Result<Option<Reply>, Ended> {
        let ok = || Reply::new(250, EnhancedCode(2, 0, 0), "OK");
        Ok(Some(match command {
            Command::Ehlo(name) if self.role != Role::Lmtp => self.hello(name, true),
            Command::Lhlo(name) if self.role == Role::Lmtp => self.hello(name, true),
            Command::Helo(name) if self.role != Role::Lmtp => self.hello(name, false),
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => {
                // RFC 2033 §4.1: LHLO on LMTP, EHLO and HELO elsewhere.
                Reply::new(
                    500,
                    EnhancedCode(5, 5, 1),
                    "Wrong greeting for this protocol",
                )
            }
            Command::Auth { mechanism, initial } if self.hello.is_some() => {
                self.authenticate(&mechanism, initial).await?
            }
            Command::Mail { from, params } if self.hello.is_some() => self.mail(from, params).await,
            Command::Rcpt { to, .. } if self.hello.is_some() => self.rcpt(to).await,
            Command::Data if self.hello.is_some() => {
                for reply in self.data().await? {
                    self.answer(&reply);
                }
                return Ok(None);
            }
            Command::Auth { .. } | Command::Mail { .. } | Command::Rcpt { .. } | Command::Data => {
                Reply::new(503, EnhancedCode(5, 5, 1), "Say EHLO first")
            }
            Command::Rset => {
                self.transaction = None;
                self.idle(ok())
            }
            Command::Noop => self.idle(ok()),
            Command::Help => self.idle(Reply::new(214, EnhancedCode(2, 0, 0), "See RFC 5321")),
            // RFC 5321 §3.5.3, §7.3: whether a mailbox exists is not told here.
            Command::Vrfy(_) => self.idle(Reply::new(
                252,
                EnhancedCode(2, 1, 5),
                "Send some mail, and see",
            )),
            Command::Expn(_) => Reply::new(502, EnhancedCode(5, 5, 1), "Not implemented"),
            Command::Quit => {
                self.closing = true;
                Reply::new(221, EnhancedCode(2, 0, 0), "Bye")
            }
            Command::StartTls => Reply::new(503, EnhancedCode(5, 5, 1), "Not now"),
        }))
    }

    /// Counts a command that leads nowhere.
    fn idle(&mut self, reply: Reply) -> Reply {
        self.idle_commands += 1;
        if self.idle_commands < self.server.limits.idle_commands {
            return reply;
        }
        self.closing = true;
        Reply::new(421, EnhancedCode(4, 7, 0), "Too many idle commands")
    }

    fn hello(&mut self, name: ClientName, extended: bool) -> Reply {
        // RFC 5321 §4.1.4: a new greeting ends the transaction.
        self.transaction = None;
        let first = self.hello.is_none();
        self.hello = Some(Hello { name, extended });
        let mut reply = Reply::bare(250, self.server.hostname.to_string());
        if extended {
            for extension in self.extensions() {
                reply = reply.and_line(extension);
            }
        }
        if first { reply } else { self.idle(reply) }
    }

    /// RFC 5321 §4.1.1.1: what this listener can do now.
    fn extensions(&self) -> Vec<String> {
        let mut extensions = vec![
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.server.limits.message_bytes),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
        ];
        if self.server.tls.is_some() && !self.io.stream.is_tls() {
            extensions.push("STARTTLS".to_owned());
        }
        if self.offers_auth() {
            extensions.push("AUTH SCRAM-SHA-256 PLAIN LOGIN".to_owned());
        }
        extensions
    }

    fn starttls_refusal(&self) -> Option<Reply> {
        if self.server.tls.is_none() {
            return Some(Reply::new(502, EnhancedCode(5, 5, 1), "Not implemented"));
        }
        if self.io.stream.is_tls() || self.transaction.is_some() {
            return Some(Reply::new(503, EnhancedCode(5, 5, 1), "Not now"));
        }
        None
    }
}
