//! The milter listener: what Postfix (`smtpd_milters`) and Sendmail connect to.
//!
//! A message is checked once it is complete, and the verdict's action is the answer: junk is marked
//! (`X-Spam: Yes` and the fields of the verdict), a subject rewritten, refusals are 451 4.7.1 and
//! 550 5.7.1, discarding and the quarantine are the MTA's own. While a check runs the MTA is told
//! that it does. Start at [`serve`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::milter::{Framer, Message, PACKET_MAX, Peer, Response, Session, Step, Text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::edits::{self, Agreed};
use crate::judge::{CheckError, CheckReply, CheckRequest, Judge};

/// Octets read at once.
const READ: usize = 64 * 1024;
/// How often the MTA is told that a check still runs.
const PROGRESS: Duration = Duration::from_secs(10);
/// Pause after a failed accept, so that a lasting failure does not spin.
const PAUSE: Duration = Duration::from_millis(50);

/// What happens to a message that could not be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is delivered unchecked.
    #[default]
    Deliver,
    /// It is refused for now, 451 4.7.1.
    Refuse,
}

/// How the listener behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much of a message is collected.
    pub session: ::milter::Options,
    /// How long a check may take.
    pub check_timeout: Duration,
    /// How long the MTA may be silent. Postfix keeps a connection while its client is connected.
    pub idle_timeout: Duration,
    /// How long a shutdown waits for messages under way.
    pub grace: Duration,
    /// Connections at once; more wait.
    pub connections: usize,
    /// What happens when there is no verdict.
    pub on_failure: OnFailure,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session: ::milter::Options::default(),
            check_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(600),
            grace: Duration::from_secs(10),
            connections: 500,
            on_failure: OnFailure::default(),
        }
    }
}

/// Answers on `listener` until `shutdown`; messages under way have some time to be finished.
pub async fn serve(
    listener: TcpListener,
    judge: Arc<dyn Judge>,
    options: Options,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(options.connections.max(1)));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let conversation = Conversation {
                    judge: Arc::clone(&judge),
                    options,
                    session: Session::new(options.session),
                    framer: Framer::new(PACKET_MAX),
                    shutdown: shutdown.clone(),
                };
                tasks.spawn(async move {
                    if let Err(error) = conversation.run(stream).await {
                        tracing::info!(%error, "milter connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "milter listener cannot accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let finished = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(options.grace, finished).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Protocol(#[from] ::milter::Error),
    #[error("the mail server was silent for too long")]
    Silent,
}

struct Conversation {
    judge: Arc<dyn Judge>,
    options: Options,
    session: Session,
    framer: Framer,
    shutdown: CancellationToken,
}

impl Conversation {
    async fn run(mut self, mut stream: TcpStream) -> Result<(), Ended> {
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; READ];
        let shutdown = self.shutdown.clone();
        loop {
            let read = tokio::time::timeout(self.options.idle_timeout, stream.read(&mut buffer));
            let between = self.session.is_between_messages();
            let read = tokio::select! {
                () = shutdown.cancelled(), if between => return Ok(()),
                read = read => read.map_err(|_elapsed| Ended::Silent)??,
            };
            if read == 0 {
                return Ok(());
            }
            self.framer.feed(buffer.get(..read).unwrap_or_default());
            while let Some(command) = self.framer.next_command()? {
                match self.session.take(command)? {
                    Step::Silent => {}
                    Step::Send(response) => send(&mut stream, &[response]).await?,
                    Step::Judge(message) => {
                        let responses = self.judge(&mut stream, *message).await?;
                        send(&mut stream, &responses).await?;
                    }
                    Step::Close => return Ok(()),
                }
            }
        }
    }

    async fn judge(
        &self,
        stream: &mut TcpStream,
        mut message: Message,
    ) -> Result<Vec<Response>, Ended> {
        let request = request(&mut message);
        let queue_id = request.queue_id.clone().unwrap_or_default();
        let verdict = self.verdict(stream, request).await?;
        let agreed = Agreed {
            actions: self.session.actions(),
            leading_space: self.session.leading_space(),
        };
        Ok(match &verdict {
            Ok(reply) => {
                tracing::debug!(
                    queue_id,
                    action = reply.action.name(),
                    score = reply.score,
                    symbols = reply.symbols.len(),
                    "milter message judged"
                );
                edits::responses(&message, reply, agreed)
            }
            Err(error) => {
                tracing::warn!(queue_id, %error, "milter message not judged");
                unjudged(&message, self.options.on_failure, agreed)
            }
        })
    }

    async fn verdict(
        &self,
        stream: &mut TcpStream,
        request: CheckRequest,
    ) -> Result<Result<CheckReply, CheckError>, Ended> {
        let check = tokio::time::timeout(self.options.check_timeout, self.judge.check(request));
        let mut check = std::pin::pin!(check);
        loop {
            match tokio::time::timeout(PROGRESS, check.as_mut()).await {
                Ok(done) => return Ok(done.unwrap_or(Err(CheckError::Timeout))),
                Err(_elapsed) => send(stream, &[Response::Progress]).await?,
            }
        }
    }
}

/// The one place where a failure becomes an answer. What others claim about spam is removed even
/// then.
fn unjudged(message: &Message, on_failure: OnFailure, agreed: Agreed) -> Vec<Response> {
    match on_failure {
        OnFailure::Deliver => edits::responses(message, &CheckReply::default(), agreed),
        OnFailure::Refuse => vec![Response::Reply {
            code: 451,
            text: "4.7.1 The message could not be checked, try again later".into(),
        }],
    }
}

async fn send(stream: &mut TcpStream, responses: &[Response]) -> io::Result<()> {
    let mut octets = Vec::new();
    for response in responses {
        response.encode(&mut octets);
    }
    stream.write_all(&octets).await?;
    stream.flush().await
}

/// What the filter is asked. Takes the message's octets, which are needed no longer.
fn request(message: &mut Message) -> CheckRequest {
    let octets = std::mem::take(&mut message.octets);
    let text = |text: &Text| text.to_str_lossy().into_owned();
    let value = |name: &str| message.macro_value(name).map(text);
    let connection = &message.connection;
    let client = match connection.peer {
        Peer::Inet(address, _) => Some(address.into()),
        Peer::Inet6(address, _) => Some(address.into()),
        Peer::Local { .. } | Peer::Unknown => None,
    };
    let host = text(&connection.host);
    let named = !host.is_empty() && !host.starts_with('[') && host != "unknown";
    CheckRequest {
        message: octets.into(),
        client,
        helo: connection.helo.as_ref().map(text),
        hostname: named.then_some(host),
        sender: Some(text(&message.sender.address)),
        recipients: message
            .recipients
            .iter()
            .map(|path| text(&path.address))
            .collect(),
        user: value("auth_authen").filter(|user| !user.is_empty()),
        queue_id: value("i"),
        deliver_to: None,
        pass_all: false,
        cut: message.cut,
    }
}
