//! One authentication exchange, whatever the protocol: the server's half of a SASL mechanism with
//! the directory behind it.
//!
//! The session moves base64 lines; here are the decoded messages. RFC 4422, RFC 4616, RFC 5802,
//! RFC 7677. Start at [`Exchange::start`].

use ambient::Random;
use sasl::{Login, LoginStep, Mechanism, Plain, ScramServer};
use store::AccountId;

use crate::{AuthError, Directory, Identity, Protocol};

/// What the session does next.
#[derive(Debug)]
pub enum Step {
    /// Sends this challenge (base64 on the wire) and hands the client's response to
    /// [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// The client is who it says.
    Done(Identity),
    /// The client is not, or broke the mechanism's rules; the exchange is over.
    Refused(AuthError),
}

/// The state of one exchange.
#[derive(Debug)]
pub struct Exchange {
    directory: Directory,
    protocol: Protocol,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain,
    Login(Login),
    ScramFirst(ScramServer),
    ScramFinal(ScramServer, Option<AccountId>),
    /// SCRAM's last word is on its way; the client answers with an empty message.
    ScramAcknowledged(Identity),
    Over,
}

/// Octets of our part of a SCRAM nonce, as characters: 24 × 5 bits.
const NONCE_LENGTH: usize = 24;

impl Exchange {
    /// Begins an exchange. The first call of [`Exchange::respond`] takes the initial response, or
    /// `None` where the client sent none with its command.
    #[must_use]
    pub fn start(
        directory: &Directory,
        mechanism: Mechanism,
        protocol: Protocol,
        random: &(dyn Random + 'static),
    ) -> Self {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::Login(Login::new()),
            Mechanism::ScramSha256 => {
                State::ScramFirst(ScramServer::new(random.token(NONCE_LENGTH)))
            }
        };
        Self {
            directory: directory.clone(),
            protocol,
            state,
        }
    }

    /// Takes the client's message, or its absence at the very start.
    pub async fn respond(&mut self, response: Option<&[u8]>) -> Step {
        let Some(response) = response else {
            return match &self.state {
                State::Login(login) => Step::Challenge(login.challenge().into()),
                _ => Step::Challenge(Vec::new()),
            };
        };
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => match Plain::parse(response) {
                Ok(plain) => self.check(plain).await,
                Err(_) => Step::Refused(AuthError::Invalid),
            },
            State::Login(mut login) => match login.respond(response) {
                Ok(LoginStep::Challenge(challenge)) => {
                    self.state = State::Login(login);
                    Step::Challenge(challenge.into())
                }
                Ok(LoginStep::Credentials(plain)) => self.check(plain).await,
                Err(_) => Step::Refused(AuthError::Invalid),
            },
            State::ScramFirst(scram) => self.scram_first(scram, response).await,
            State::ScramFinal(scram, account) => self.scram_final(scram, account, response).await,
            State::ScramAcknowledged(identity) if response.is_empty() => Step::Done(identity),
            State::ScramAcknowledged(_) | State::Over => Step::Refused(AuthError::Invalid),
        }
    }

    async fn check(&self, plain: Plain) -> Step {
        // RFC 4616 §2: acting for somebody else is not offered.
        if plain
            .authzid
            .as_deref()
            .is_some_and(|authzid| authzid != plain.authcid)
        {
            return Step::Refused(AuthError::Invalid);
        }
        match self
            .directory
            .authenticate(&plain.authcid, &plain.password, self.protocol)
            .await
        {
            Ok(identity) => Step::Done(identity),
            Err(error) => Step::Refused(error),
        }
    }

    async fn scram_first(&mut self, mut scram: ScramServer, response: &[u8]) -> Step {
        let Ok(login) = scram.client_first(response) else {
            return Step::Refused(AuthError::Invalid);
        };
        // RFC 5802 §5.1: acting for somebody else is not offered here either.
        if scram.authzid().is_some_and(|authzid| authzid != login) {
            return Step::Refused(AuthError::Invalid);
        }
        match self.directory.scram(&login).await {
            Ok((account, credential)) => {
                let challenge = scram.server_first(&credential);
                self.state = State::ScramFinal(scram, account);
                Step::Challenge(challenge)
            }
            Err(error) => Step::Refused(error),
        }
    }

    async fn scram_final(
        &mut self,
        mut scram: ScramServer,
        account: Option<AccountId>,
        response: &[u8],
    ) -> Step {
        let (Ok(last), Some(account)) = (scram.client_final(response), account) else {
            return Step::Refused(AuthError::Invalid);
        };
        match self.directory.identity(account).await {
            Ok(identity) => {
                // RFC 5802 §5: the server's proof goes out as a last challenge.
                self.state = State::ScramAcknowledged(identity);
                Step::Challenge(last)
            }
            Err(error) => Step::Refused(error),
        }
    }
}
