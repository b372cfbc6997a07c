//! One connection to one host, from the TCP handshake to the point where it takes mail.
//!
//! The state of the conversation is a value of this type: whatever goes wrong on the wire makes the
//! session unusable and comes back as a temporary [`Failure`]; a refusal by the server comes back
//! as its verdict. Start at [`Session::open`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smtp::extension::Extensions;
use smtp::{Domain, Reply, ReplyParser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::Timeouts;
use crate::failure::{Elsewhere, Failure};
use crate::route::{Login, loops_back};

/// Octets read from a host at a time.
const READ_SIZE: usize = 4_096;

/// The connection, in clear or not.
type Wire = tls::MaybeTls<TcpStream>;

/// How a connection is protected.
#[derive(Clone)]
pub(crate) enum Security {
    /// Plain text: the handshake with this host failed a moment ago.
    Clear,
    /// STARTTLS if offered; a failure of the handshake is reported as [`Trouble::Handshake`].
    Opportunistic(Arc<ClientConfig>),
    /// STARTTLS or nothing.
    Required(Arc<ClientConfig>),
    /// TLS from the first octet.
    Implicit(Arc<ClientConfig>),
}

/// Whom to connect to and how.
pub(crate) struct Target<'a> {
    /// The host as it is called in logs and reports.
    pub(crate) host: &'a str,
    /// The host as its certificate calls it; `None` where TLS cannot be used.
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) address: SocketAddr,
    pub(crate) security: &'a Security,
    pub(crate) login: Option<&'a Login>,
    /// Our name, for EHLO and for noticing that we talk to ourselves.
    pub(crate) own: &'a Domain,
}

/// Why no session came about.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The host could not be reached or did not want to talk.
    Failed(Failure),
    /// Opportunistic TLS broke: the host may still be reached in clear.
    Handshake(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A conversation with a host that is ready to take mail.
pub(crate) struct Session {
    wire: Wire,
    parser: ReplyParser,
    pub(super) extensions: Extensions,
    host: String,
    pub(super) timeouts: Arc<Timeouts>,
    pub(super) transactions: u32,
    pub(super) usable: bool,
    encrypted: bool,
}

impl Session {
    /// Connects, reads the greeting, says EHLO, starts TLS and signs in as `target` asks.
    pub(crate) async fn open(
        target: &Target<'_>,
        timeouts: &Arc<Timeouts>,
    ) -> Result<Self, Trouble> {
        let host = target.host;
        let stream = match timeout(timeouts.connect, TcpStream::connect(target.address)).await {
            Ok(Ok(stream)) => stream,
            // RFC 3463 §3.5: X.4.1, no answer from host.
            Ok(Err(error)) => {
                let text = format!("connecting to {}: {error}", target.address);
                return Err(Failure::temporary(4, 1, text).at(host).into());
            }
            Err(_) => {
                let text = format!("connecting to {} timed out", target.address);
                return Err(Failure::temporary(4, 1, text).at(host).into());
            }
        };
        // Commands are small and each waits for its reply.
        stream.set_nodelay(true).ok();
        let mut session = Self {
            wire: Wire::Plain(stream),
            parser: ReplyParser::new(),
            extensions: Extensions::default(),
            host: host.to_owned(),
            timeouts: Arc::clone(timeouts),
            transactions: 0,
            usable: true,
            encrypted: false,
        };
        if let Security::Implicit(config) = target.security {
            session = session.handshake(target, config).await?;
        }
        session.greeting(target).await?;
        session.hello(target).await?;
        let mut session = session.secure(target).await?;
        if let Some(login) = target.login {
            session.sign_in(login).await?;
        }
        Ok(session)
    }

    /// The host as it is called in logs and reports.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether a further transaction may be tried.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Messages handed over on this connection.
    pub(crate) fn transactions(&self) -> u32 {
        self.transactions
    }

    /// Asks an idle session whether it still stands.
    pub(crate) async fn reset(&mut self) -> Result<(), Failure> {
        let reply = self.command("RSET", self.timeouts.reset).await?;
        if reply.is_positive() {
            return Ok(());
        }
        self.usable = false;
        Err(Failure::from_reply(reply, "to go on").at(&self.host))
    }

    /// Ends the conversation as RFC 5321 §4.1.1.10 asks, without insisting on an answer.
    pub(crate) async fn quit(mut self) {
        if self.usable {
            let wait = self.timeouts.quit;
            self.command("QUIT", wait).await.ok();
        }
        timeout(self.timeouts.quit, self.wire.shutdown()).await.ok();
    }

    async fn greeting(&mut self, target: &Target<'_>) -> Result<(), Failure> {
        let reply = self.reply(self.timeouts.greeting).await?;
        if reply.code() != 220 {
            return Err(self.unwelcome(reply));
        }
        self.refuse_ourselves(&reply, target)
    }

    /// RFC 5321 §4.1.1.1, §3.2: EHLO first; HELO for servers that do not know it.
    async fn hello(&mut self, target: &Target<'_>) -> Result<(), Failure> {
        let reply = self
            .command(&format!("EHLO {}", target.own), self.timeouts.hello)
            .await?;
        if reply.is_positive() {
            self.extensions = Extensions::parse(&reply);
            return self.refuse_ourselves(&reply, target);
        }
        if !reply.is_permanent() {
            return Err(self.unwelcome(reply));
        }
        let reply = self
            .command(&format!("HELO {}", target.own), self.timeouts.hello)
            .await?;
        self.extensions = Extensions::default();
        if reply.is_positive() {
            Ok(())
        } else {
            Err(self.unwelcome(reply))
        }
    }

    /// A host that does not talk to us: the next one may.
    fn unwelcome(&mut self, reply: Reply) -> Failure {
        self.usable = false;
        Failure::from_reply(reply, "to talk to us")
            .with(Elsewhere::Try)
            .at(&self.host)
    }

    /// A server that greets with our own name is this one.
    fn refuse_ourselves(&mut self, reply: &Reply, target: &Target<'_>) -> Result<(), Failure> {
        let text = reply.lines().first().map_or("", |line| line.as_ref());
        let name = text.split(' ').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(target.own.as_str()) {
            self.usable = false;
            return Err(loops_back(&self.host).at(&self.host));
        }
        Ok(())
    }

    /// STARTTLS as far as `target` wants it and the server offers it.
    async fn secure(mut self, target: &Target<'_>) -> Result<Self, Trouble> {
        let (config, required) = match target.security {
            Security::Clear | Security::Implicit(_) => return Ok(self),
            Security::Opportunistic(config) => (config, false),
            Security::Required(config) => (config, true),
        };
        if !self.extensions.starttls {
            return if required {
                Err(self.unprotected("is not offered").into())
            } else {
                Ok(self)
            };
        }
        let reply = self.command("STARTTLS", self.timeouts.hello).await?;
        if !reply.is_positive() {
            // RFC 3207 §4: the client goes on without TLS or leaves.
            return if required {
                Err(self.unprotected("was refused").into())
            } else {
                Ok(self)
            };
        }
        let secured = self.handshake(target, config).await;
        let mut session = match secured {
            Ok(session) => session,
            Err(failure) if required => return Err(failure.into()),
            Err(failure) => return Err(Trouble::Handshake(failure)),
        };
        // RFC 3207 §4.2: what was said before the handshake is forgotten on both sides.
        session.hello(target).await?;
        Ok(session)
    }

    /// RFC 5248 §2.4 registry: X.7.10, encryption needed.
    fn unprotected(&mut self, what: &str) -> Failure {
        self.usable = false;
        Failure::temporary(7, 10, format!("STARTTLS {what}")).at(&self.host)
    }

    /// Changes the connection to TLS. The parser starts anew: RFC 3207 §5 names what an attacker
    /// put behind the reply to STARTTLS, and no octet of it may be believed.
    async fn handshake(
        self,
        target: &Target<'_>,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, Failure> {
        let failed = |text: String| Failure::temporary(7, 5, format!("TLS handshake: {text}"));
        let Wire::Plain(stream) = self.wire else {
            return Err(failed("TLS is already in use".into()).at(target.host));
        };
        let Some(name) = target.server_name.clone() else {
            return Err(failed("the host has no name to verify".into()).at(target.host));
        };
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        let stream = match timeout(self.timeouts.handshake, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error.to_string()).at(target.host)),
            Err(_) => return Err(failed("timed out".into()).at(target.host)),
        };
        Ok(Self {
            wire: Wire::Client(Box::new(stream)),
            parser: ReplyParser::new(),
            extensions: Extensions::default(),
            encrypted: true,
            ..self
        })
    }

    /// RFC 4954 §4, RFC 4616: AUTH PLAIN with an initial response, over TLS only.
    async fn sign_in(&mut self, login: &Login) -> Result<(), Failure> {
        if !self.encrypted {
            return Err(self.unprotected("must protect the login and did not come about"));
        }
        if !self.extensions.offers("PLAIN") {
            self.usable = false;
            let text = "the smart host does not offer AUTH PLAIN";
            return Err(Failure::temporary(7, 4, text).at(&self.host));
        }
        let message = format!("\0{}\0{}", login.name, login.password.expose());
        let line = format!("AUTH PLAIN {}", STANDARD.encode(message));
        let reply = self.command(&line, self.timeouts.hello).await?;
        if reply.is_positive() {
            return Ok(());
        }
        // A wrong password is the operator's to mend: the mail waits for it.
        self.usable = false;
        let refusal = Failure::from_reply(reply, "the login");
        let mut failure = Failure::temporary(7, 8, refusal.text);
        failure.reply = refusal.reply;
        Err(failure.at(&self.host))
    }

    /// Sends one command and reads its reply.
    pub(super) async fn command(&mut self, line: &str, wait: Duration) -> Result<Reply, Failure> {
        self.write(format!("{line}\r\n").as_bytes(), wait).await?;
        self.reply(wait).await
    }

    /// Fails if the server has said more than it was asked: from here on its replies would be taken
    /// for answers to other commands.
    pub(super) fn expect_silence(&mut self) -> Result<(), Failure> {
        if self.parser.buffered() == 0 {
            return Ok(());
        }
        self.usable = false;
        let text = "the server sent a reply nobody asked for";
        Err(Failure::temporary(5, 0, text).at(&self.host))
    }

    /// Hands octets to the network within `wait`.
    pub(super) async fn write(&mut self, octets: &[u8], wait: Duration) -> Result<(), Failure> {
        let writing = async {
            self.wire.write_all(octets).await?;
            self.wire.flush().await
        };
        match timeout(wait, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(&format!("sending: {error}"))),
            Err(_) => Err(self.broken("sending timed out")),
        }
    }

    /// Reads the next reply within `wait`. A 421 ends the conversation whenever it comes.
    pub(super) async fn reply(&mut self, wait: Duration) -> Result<Reply, Failure> {
        let deadline = Instant::now() + wait;
        let mut buffer = [0; READ_SIZE];
        let mut length = 0;
        loop {
            let input = buffer.get(..length).unwrap_or_default();
            match self.parser.feed(input) {
                Ok(Some(reply)) => {
                    // RFC 5321 §3.8: 421, the server closes the channel.
                    self.usable &= reply.code() != 421;
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(error) => {
                    self.usable = false;
                    // RFC 3463 §3.6: X.5.0, other protocol status.
                    return Err(Failure::temporary(5, 0, error.to_string()).at(&self.host));
                }
            }
            length = match timeout_at(deadline, self.wire.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(self.broken("the server closed the connection")),
                Ok(Ok(length)) => length,
                Ok(Err(error)) => return Err(self.broken(&format!("receiving: {error}"))),
                Err(_) => return Err(self.broken("waiting for the reply timed out")),
            };
        }
    }

    /// RFC 3463 §3.5: X.4.2, bad connection.
    fn broken(&mut self, text: &str) -> Failure {
        self.usable = false;
        Failure::temporary(4, 2, text).at(&self.host)
    }
}
