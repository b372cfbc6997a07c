//! The course of a session: greeting, STARTTLS, the order of commands, and when it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use imap::framing::{AfterRefusal, Event, Limits as FramerLimits, Refused};
use imap::response::{Continuation, Status, StatusResponse};
use imap::{Command, CommandBody, Framer, RawCommand, Tag};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::{Entrance, Visitor};
use crate::basic::Phase;
use crate::client::{Answer, Client, Dialect, Failure, done};
use crate::io::{Ended, Io};
use crate::metrics::ByCommand;
use crate::select::Access;
use crate::selected::Selected;
use crate::updates::Manner;
use crate::user::User;
use crate::{Connection, Server, refusal};

/// RFC 9051 §3: the states, each with what only it has.
enum State {
    NotAuthenticated(Visitor),
    /// With a mailbox it is the selected state.
    Authenticated(User, Option<Selected>),
}

pub(crate) struct Session {
    client: Client,
    state: State,
    shutdown: CancellationToken,
    /// The memory that the literals of the present command occupy.
    share: Option<OwnedSemaphorePermit>,
    /// In a row.
    bad_commands: u32,
    commands: u64,
    started: Instant,
}

/// What the client has sent.
enum Received {
    Command(RawCommand),
    Refused(Refused),
}

const SESSION_ID_LENGTH: usize = 8;
/// Literals below this need no share of the memory: a command's text may be larger.
const SMALL_LITERAL: u64 = 16 * 1024;

impl Session {
    pub(crate) fn new(
        server: Arc<Server>,
        connection: Connection,
        shutdown: CancellationToken,
    ) -> Self {
        let started = Instant::now();
        let eviction = shutdown.child_token();
        let place = server.lobby.enter(eviction.clone());
        let framer = Framer::new(FramerLimits::before_login());
        let sent = server.metrics.sent.clone();
        let peer = connection.peer;
        Self {
            state: State::NotAuthenticated(Visitor::new(
                place,
                started + server.limits.login_timeout,
            )),
            client: Client {
                io: Io::new(connection.stream, framer, eviction, sent),
                dialect: Dialect::default(),
                id: server.random.token(SESSION_ID_LENGTH),
                peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
                server,
            },
            shutdown,
            share: None,
            bad_commands: 0,
            commands: 0,
            started,
        }
    }

    pub(crate) async fn run(mut self) {
        self.client.greet();
        let ended = loop {
            match self.converse().await {
                Ok(StartTls) => match self.upgrade().await {
                    Some(session) => self = session,
                    None => return,
                },
                Err(ended) => break self.explain(ended),
            }
        };
        if !matches!(ended, Ended::Logout)
            && let Some(bye) = refusal::bye(&ended)
        {
            self.client.say(&bye);
        }
        if !matches!(ended, Ended::Lost) {
            let _ = self.client.io.flush().await;
        }
        self.client.io.close().await;
        let account = match &self.state {
            State::Authenticated(user, _) => Some(user.identity().login.to_string()),
            State::NotAuthenticated(_) => None,
        };
        tracing::info!(
            session = %self.client.id, peer = %self.client.peer, account,
            tls = self.client.io.stream.is_tls(), commands = self.commands,
            milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            %ended, "imap session"
        );
    }

    /// Tells an eviction from the end of the server.
    fn explain(&self, ended: Ended) -> Ended {
        match (ended, &self.state) {
            (Ended::Shutdown, State::NotAuthenticated(_)) if !self.shutdown.is_cancelled() => {
                Ended::Evicted
            }
            (ended, _) => ended,
        }
    }

    /// RFC 9051 §6.2.1: after the handshake nothing of before is known.
    async fn upgrade(mut self) -> Option<Self> {
        let config = self.client.server.tls.clone()?;
        self.client.io.framer = Framer::new(FramerLimits::before_login());
        match self.client.io.stream.accept(config).await {
            Ok(stream) => self.client.io.stream = stream,
            Err(error) => {
                let (session, peer) = (&self.client.id, &self.client.peer);
                tracing::debug!(%session, %peer, %error, "no TLS handshake");
                return None;
            }
        }
        self.client.dialect = Dialect::default();
        Some(self)
    }

    async fn converse(&mut self) -> Result<StartTls, Ended> {
        loop {
            let received = self.receive().await?;
            let parsed = match received {
                Received::Command(raw) => {
                    Command::parse(raw, self.client.dialect.mode).map_err(|error| error.response())
                }
                Received::Refused(refused) => {
                    let response = refused.response();
                    if refused.then == AfterRefusal::Close {
                        self.client.say(&response);
                        return Err(Ended::Abuse);
                    }
                    Err(response)
                }
            };
            match parsed {
                Ok(command) => {
                    if let Some(start_tls) = self.obey(command).await? {
                        return Ok(start_tls);
                    }
                }
                Err(response) => self.answer(response)?,
            }
            self.share = None;
            self.client.io.flush_if_large().await?;
        }
    }

    /// The next command with all its literals.
    async fn receive(&mut self) -> Result<Received, Ended> {
        let limits = &self.client.server.limits;
        let (idle, whole) = (limits.idle_timeout, limits.command_timeout);
        let mut deadline = match &self.state {
            State::NotAuthenticated(visitor) => visitor.deadline(&self.client),
            State::Authenticated(..) => Instant::now() + idle,
        };
        let mut begun = false;
        loop {
            match self.client.io.framer.next_event() {
                Some(Event::Command(command)) => return Ok(Received::Command(command)),
                Some(Event::Refused(refused)) => return Ok(Received::Refused(refused)),
                Some(Event::Continue { size, .. }) => {
                    self.admit(size).await?;
                    deadline = self.literal_deadline(deadline, size);
                }
                None => {
                    if !begun && !self.client.io.framer.is_idle() {
                        begun = true;
                        deadline = deadline.min(Instant::now() + whole);
                    }
                    self.client.io.flush().await?;
                    self.client.io.fill(deadline).await?;
                }
            }
        }
    }

    /// Lets the client send a literal once there is memory for it.
    async fn admit(&mut self, size: u64) -> Result<(), Ended> {
        if size > SMALL_LITERAL {
            let share = self.client.share(size).await?.ok_or(Ended::Busy)?;
            match &mut self.share {
                Some(held) => held.merge(share),
                held => *held = Some(share),
            }
        }
        self.client.say(&Continuation::Ready);
        Ok(())
    }

    /// A literal takes the time it takes, at a pace.
    fn literal_deadline(&self, deadline: Instant, size: u64) -> Instant {
        let limits = &self.client.server.limits;
        match &self.state {
            State::NotAuthenticated(_) => deadline,
            State::Authenticated(..) => {
                let seconds = size / limits.min_bytes_per_second.max(1);
                Instant::now() + limits.command_timeout + std::time::Duration::from_secs(seconds)
            }
        }
    }

    /// Carries out a command and answers it.
    async fn obey(&mut self, command: Command) -> Result<Option<StartTls>, Ended> {
        let Command { tag, body } = command;
        self.commands += 1;
        let by_name = ByCommand {
            command: body.name(),
        };
        self.client
            .server
            .metrics
            .commands
            .get_or_create(&by_name)
            .inc();
        if let State::NotAuthenticated(visitor) = &mut self.state {
            visitor.count(&self.client)?;
        }
        match body {
            CommandBody::Logout => {
                self.client
                    .say(&StatusResponse::new(Status::Bye, "Logging out"));
                self.client.say(&done("LOGOUT").tagged(tag));
                return Err(Ended::Logout);
            }
            CommandBody::StartTls => {
                let response = self.start_tls();
                let accepted = response.status() == Status::Ok;
                self.answer(response.tagged(tag))?;
                if accepted {
                    self.client.io.flush().await?;
                    return Ok(Some(StartTls));
                }
                return Ok(None);
            }
            _ => {}
        }
        let manner = Manner::of(&body);
        let response = match self.execute(&tag, body).await {
            Ok(response) | Err(Failure::Refused(response)) => response,
            Err(Failure::Mail(error)) => refusal::mail(&self.client.id, &error),
            Err(Failure::Ended(ended)) => return Err(ended),
        };
        if let (State::Authenticated(_, Some(selected)), Some(manner)) = (&mut self.state, manner) {
            match selected.tell_news(&mut self.client, manner).await {
                Err(Failure::Ended(ended)) => return Err(ended),
                // What was done is done; the news comes with the next command.
                Err(failure) => tracing::warn!(session = %self.client.id, ?failure, "no news"),
                Ok(()) => {}
            }
        }
        self.answer(response.tagged(tag))?;
        if let State::NotAuthenticated(visitor) = &self.state {
            visitor.check(&self.client)?;
        }
        Ok(None)
    }

    /// Queues the answer to a command and counts those that made no sense.
    fn answer(&mut self, response: StatusResponse) -> Result<(), Ended> {
        let is_bad = response.status() == Status::Bad;
        self.client.say(&response);
        self.bad_commands = if is_bad { self.bad_commands + 1 } else { 0 };
        if self.bad_commands >= self.client.server.limits.bad_commands {
            return Err(Ended::Abuse);
        }
        Ok(())
    }

    fn start_tls(&self) -> StatusResponse {
        let bad = |text| StatusResponse::new(Status::Bad, text);
        match &self.state {
            State::Authenticated(..) => bad("Signed in already"),
            State::NotAuthenticated(_) if self.client.io.stream.is_tls() => bad("TLS already"),
            State::NotAuthenticated(_) if self.client.server.tls.is_none() => {
                bad("TLS is not offered")
            }
            State::NotAuthenticated(_) => StatusResponse::new(Status::Ok, "Begin TLS now"),
        }
    }

    /// RFC 9051 §6: which command is for which state.
    async fn execute(&mut self, tag: &Tag, body: CommandBody) -> Answer {
        let Self { client, state, .. } = self;
        let phase = match state {
            State::NotAuthenticated(_) => Phase::NotAuthenticated,
            State::Authenticated(..) => Phase::Authenticated,
        };
        let entrance = match (body, &mut *state) {
            (CommandBody::Capability, _) => return Ok(client.capability(phase)),
            (CommandBody::Noop, _) => return Ok(done("NOOP")),
            (CommandBody::Id(id), _) => return Ok(client.identify(&id)),
            (CommandBody::Login(login), State::NotAuthenticated(visitor)) => {
                visitor.login(client, login).await?
            }
            (CommandBody::Authenticate(authenticate), State::NotAuthenticated(visitor)) => {
                visitor.authenticate(client, authenticate).await?
            }
            (_, State::NotAuthenticated(_)) => {
                return Ok(StatusResponse::new(Status::Bad, "Sign in first"));
            }
            (body, State::Authenticated(user, selected)) => {
                return authenticated(client, user, selected, tag, body).await;
            }
        };
        match entrance {
            Entrance::Refused(response) => Ok(response),
            Entrance::Granted(user, response) => {
                *state = State::Authenticated(user, None);
                client.io.stop_at(self.shutdown.clone());
                let append_bytes = client.server.limits.append_bytes;
                client
                    .io
                    .framer
                    .set_limits(FramerLimits::after_login(append_bytes));
                Ok(response)
            }
        }
    }
}

/// The client may begin the handshake.
struct StartTls;

/// The commands of the authenticated state (RFC 9051 §6.3).
async fn authenticated(
    client: &mut Client,
    user: &User,
    selected: &mut Option<Selected>,
    tag: &Tag,
    body: CommandBody,
) -> Answer {
    match body {
        CommandBody::Enable(enable) if selected.is_none() => Ok(client.enable(&enable)),
        CommandBody::Select(select) => {
            client
                .select(user, selected, select, Access::ReadWrite)
                .await
        }
        CommandBody::Examine(select) => {
            client
                .select(user, selected, select, Access::ReadOnly)
                .await
        }
        CommandBody::Create(create) => client.create(user, create).await,
        CommandBody::Delete(mailbox) => client.delete(user, selected, &mailbox).await,
        CommandBody::Rename(rename) => client.rename(user, &rename).await,
        CommandBody::Subscribe(mailbox) => client.subscribe(user, &mailbox).await,
        CommandBody::Unsubscribe(mailbox) => client.unsubscribe(user, &mailbox).await,
        CommandBody::List(list) => client.list(user, &list).await,
        CommandBody::Lsub(lsub) => client.lsub(user, &lsub).await,
        CommandBody::Namespace => Ok(client.namespace()),
        CommandBody::Status(status) => client.status(user, &status).await,
        CommandBody::Append(append) => client.append(user, append).await,
        CommandBody::Idle => client.idle(selected.as_mut()).await,
        // RFC 9051 §6.2: nobody signs in twice. §6.3.1: ENABLE comes before SELECT.
        CommandBody::Login(_) | CommandBody::Authenticate(_) | CommandBody::Enable(_) => {
            Ok(StatusResponse::new(Status::Bad, "Not in this state"))
        }
        body => in_mailbox(client, user, selected, tag, body).await,
    }
}

/// The commands of the selected state (RFC 9051 §6.4).
async fn in_mailbox(
    client: &mut Client,
    user: &User,
    state: &mut Option<Selected>,
    tag: &Tag,
    body: CommandBody,
) -> Answer {
    let Some(selected) = state else {
        return Ok(StatusResponse::new(Status::Bad, "Select a mailbox first"));
    };
    match body {
        CommandBody::Check => Ok(done("CHECK")),
        CommandBody::Close => {
            let answer = selected.close(client).await;
            *state = None;
            answer
        }
        CommandBody::Unselect => {
            *state = None;
            Ok(done("UNSELECT"))
        }
        CommandBody::Expunge(expunge) => selected.expunge(client, &expunge).await,
        CommandBody::Search(search) => selected.search(client, tag, &search).await,
        CommandBody::Fetch(fetch) => selected.fetch(client, fetch).await,
        CommandBody::Store(store) => selected.store(client, &store).await,
        CommandBody::Copy(copy) => selected.copy(client, user, &copy).await,
        CommandBody::Move(copy) => selected.move_messages(client, user, &copy).await,
        _ => Ok(StatusResponse::new(Status::Bad, "Not in this state")),
    }
}
