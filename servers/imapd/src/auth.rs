//! LOGIN and AUTHENTICATE.

use directory::{AuthError, Exchange, Identity, Protocol, Step};
use imap::MailboxName;
use imap::command::{Authenticate, Login};
use imap::response::{Continuation, ResponseCode, Status, StatusResponse};
use lobby::Place;
use sasl::{Mechanism, Secret, decode_response};
use tokio::time::Instant;

use crate::basic::Phase;
use crate::client::Client;
use crate::io::Ended;
use crate::metrics::{ByResult, SignIn};
use crate::refusal;
use crate::user::User;

/// Somebody who has not signed in yet.
#[derive(Debug)]
pub(crate) struct Visitor {
    #[expect(dead_code, reason = "counts until it is dropped")]
    place: Place,
    /// When the session ends, whatever it does.
    deadline: Instant,
    failures: u32,
    commands: u32,
}

/// How a sign-in went.
pub(crate) enum Entrance {
    /// The visitor is now a user; the answer to say so.
    Granted(User, StatusResponse),
    Refused(StatusResponse),
}

impl Visitor {
    pub(crate) fn new(place: Place, deadline: Instant) -> Self {
        Self {
            place,
            deadline,
            failures: 0,
            commands: 0,
        }
    }

    /// When the next command must have come.
    pub(crate) fn deadline(&self, client: &Client) -> Instant {
        self.deadline
            .min(Instant::now() + client.server.limits.login_idle_timeout)
    }

    /// Counts a command; ends the session when there are too many.
    pub(crate) fn count(&mut self, client: &Client) -> Result<(), Ended> {
        self.commands += 1;
        if self.commands > client.server.limits.unauthenticated_commands {
            return Err(Ended::Abuse);
        }
        Ok(())
    }

    /// Ends the session after too many failures.
    pub(crate) fn check(&self, client: &Client) -> Result<(), Ended> {
        if self.failures >= client.server.limits.auth_failures {
            return Err(Ended::Guessing);
        }
        Ok(())
    }

    /// RFC 9051 §6.2.3.
    pub(crate) async fn login(
        &mut self,
        client: &mut Client,
        login: Login,
    ) -> Result<Entrance, Ended> {
        if let Some(refusal) = in_clear(client) {
            return Ok(Entrance::Refused(refusal));
        }
        let password = Secret::new(login.password.into_inner());
        let directory = &client.server.directory;
        match directory
            .authenticate(&login.user, &password, Protocol::Imap)
            .await
        {
            Ok(identity) => Ok(enter(client, identity, "LOGIN").await),
            Err(error) => self.refuse(client, &error, "LOGIN").await,
        }
    }

    /// RFC 9051 §6.2.2, RFC 4959: the exchange of base64 lines.
    pub(crate) async fn authenticate(
        &mut self,
        client: &mut Client,
        authenticate: Authenticate,
    ) -> Result<Entrance, Ended> {
        if let Some(refusal) = in_clear(client) {
            return Ok(Entrance::Refused(refusal));
        }
        let Some(mechanism) = Mechanism::parse(authenticate.mechanism.as_str()) else {
            let no = StatusResponse::new(Status::No, "Mechanism is not supported");
            return Ok(Entrance::Refused(no.with_code(ResponseCode::Cannot)));
        };
        let server = &client.server;
        let mut exchange = Exchange::start(
            &server.directory,
            mechanism,
            Protocol::Imap,
            &*server.random,
        );
        let mut response = authenticate
            .initial
            .map(|initial| initial.as_str().as_bytes().to_vec());
        loop {
            let decoded = match response.as_deref().map(decode_response).transpose() {
                Ok(decoded) => decoded,
                Err(sasl::Error::Cancelled) => return Ok(bad("Authentication cancelled")),
                Err(_) => return Ok(bad("Cannot decode response")),
            };
            match exchange
                .respond(decoded.as_ref().map(|octets| octets.as_slice()))
                .await
            {
                Step::Challenge(challenge) => {
                    client.say(&Continuation::Challenge(&challenge));
                    let deadline = self.deadline(client);
                    response = Some(client.io.line(deadline).await?);
                }
                Step::Done(identity) => {
                    return Ok(enter(client, identity, mechanism.as_str()).await);
                }
                Step::Refused(error) => {
                    return self.refuse(client, &error, mechanism.as_str()).await;
                }
            }
        }
    }

    /// One text and one pace for every reason, growing with each try.
    async fn refuse(
        &mut self,
        client: &mut Client,
        error: &AuthError,
        mechanism: &str,
    ) -> Result<Entrance, Ended> {
        if matches!(error, AuthError::Unavailable) {
            tracing::warn!(session = %client.id, %error, "sign-in could not be checked");
            return Ok(Entrance::Refused(refusal::sign_in(error)));
        }
        tracing::info!(
            session = %client.id, peer = %client.peer.ip(), mechanism, "imap sign-in refused"
        );
        count_sign_in(client, SignIn::Failure);
        self.failures += 1;
        client
            .io
            .pause(client.server.limits.auth_delay * self.failures)
            .await?;
        Ok(Entrance::Refused(refusal::sign_in(error)))
    }
}

fn bad(text: &'static str) -> Entrance {
    Entrance::Refused(StatusResponse::new(Status::Bad, text))
}

/// RFC 9051 §6.2.2, §6.2.3: a password never travels in clear.
fn in_clear(client: &Client) -> Option<StatusResponse> {
    let no = || StatusResponse::new(Status::No, "Start TLS first");
    (!client.io.stream.is_tls()).then(|| no().with_code(ResponseCode::PrivacyRequired))
}

/// Makes a user of who has proved to be one.
async fn enter(client: &mut Client, identity: Identity, mechanism: &str) -> Entrance {
    let account = identity.account;
    let Some(user) = client.server.users.enter(identity, client.peer.ip()) else {
        let no = StatusResponse::new(Status::No, "Too many sessions from your address");
        return Entrance::Refused(no.with_code(ResponseCode::Limit));
    };
    // RFC 9051 §5.1: the INBOX always exists.
    if let Err(error) = ensure_inbox(client, account).await {
        return Entrance::Refused(refusal::mail(&client.id, &error));
    }
    tracing::info!(
        session = %client.id, peer = %client.peer.ip(), account = %user.identity().login,
        mechanism, "imap sign-in"
    );
    count_sign_in(client, SignIn::Success);
    let capabilities = client.capabilities(Phase::Authenticated);
    let ok = StatusResponse::new(Status::Ok, "Signed in");
    Entrance::Granted(user, ok.with_code(ResponseCode::Capability(capabilities)))
}

async fn ensure_inbox(client: &Client, account: store::AccountId) -> Result<(), mail::Error> {
    match client
        .server
        .mail
        .find(account, &MailboxName::inbox())
        .await
    {
        Ok(_) => Ok(()),
        Err(mail::Error::NoMailbox) => {
            client
                .server
                .db
                .write(move |tx| mail::provision(tx, account))
                .await
        }
        Err(error) => Err(error),
    }
}

fn count_sign_in(client: &Client, result: SignIn) {
    client
        .server
        .metrics
        .authentications
        .get_or_create(&ByResult { result })
        .inc();
}
