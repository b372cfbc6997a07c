//! AUTH: the exchange of RFC 4954 on the session's lines.

use directory::{AuthError, Exchange, Identity, Protocol, Step};
use sasl::{Mechanism, decode_response, encode_challenge};
use smtp::line::Expect;
use smtp::{EnhancedCode, Reply};
use tokio::time::Instant;

use crate::Role;
use crate::io::{Ended, Input};
use crate::metrics::{ByResult, SignIn};
use crate::session::Session;

impl Session {
    /// Whether this session may authenticate now.
    pub(crate) fn offers_auth(&self) -> bool {
        // RFC 4954 §4: a password never travels in clear.
        self.role == Role::Submission && self.io.stream.is_tls() && self.identity.is_none()
    }

    /// Carries out AUTH and returns the reply that ends it.
    pub(crate) async fn authenticate(
        &mut self,
        mechanism: &str,
        initial: Option<String>,
    ) -> Result<Reply, Ended> {
        if let Some(refusal) = self.auth_refusal() {
            return Ok(refusal);
        }
        let Some(mechanism) = Mechanism::parse(mechanism) else {
            return Ok(Reply::new(
                504,
                EnhancedCode(5, 5, 4),
                "Unrecognized authentication type",
            ));
        };
        let random = &*self.server.random;
        let mut exchange =
            Exchange::start(&self.server.directory, mechanism, Protocol::Smtp, random);
        let mut response = initial.map(String::into_bytes);
        loop {
            let decoded = match response.as_deref().map(decode_response).transpose() {
                Ok(decoded) => decoded,
                Err(sasl::Error::Cancelled) => {
                    return Ok(Reply::new(
                        501,
                        EnhancedCode(5, 7, 0),
                        "Authentication cancelled",
                    ));
                }
                Err(_) => {
                    return Ok(Reply::new(
                        501,
                        EnhancedCode(5, 5, 2),
                        "Cannot decode response",
                    ));
                }
            };
            match exchange
                .respond(decoded.as_ref().map(|octets| octets.as_slice()))
                .await
            {
                Step::Challenge(challenge) => {
                    self.io
                        .reply(&Reply::bare(334, encode_challenge(&challenge)));
                    response = Some(self.response().await?);
                }
                Step::Done(identity) => return Ok(self.signed_in(mechanism, identity)),
                Step::Refused(error) => return self.refused(mechanism, &error).await,
            }
        }
    }

    fn auth_refusal(&self) -> Option<Reply> {
        if self.role != Role::Submission {
            return Some(Reply::new(
                503,
                EnhancedCode(5, 5, 1),
                "Authentication not offered here",
            ));
        }
        if self.identity.is_some() || self.transaction.is_some() {
            return Some(Reply::new(503, EnhancedCode(5, 5, 1), "Not now"));
        }
        if !self.io.stream.is_tls() {
            return Some(Reply::new(538, EnhancedCode(5, 7, 11), "Start TLS first"));
        }
        None
    }

    async fn response(&mut self) -> Result<Vec<u8>, Ended> {
        let deadline = Instant::now() + self.server.limits.command_timeout;
        match self.io.line(Expect::AuthResponse, deadline).await? {
            Input::Line(line) => Ok(line),
            // Too long to be a response: as good as a broken one.
            Input::TooLong => Ok(b"!".to_vec()),
        }
    }

    fn signed_in(&mut self, mechanism: Mechanism, identity: Identity) -> Reply {
        tracing::info!(
            session = %self.id, peer = %self.peer.ip(), account = %identity.login,
            mechanism = %mechanism, "smtp sign-in"
        );
        self.count_sign_in(SignIn::Success);
        self.identity = Some(identity);
        self.proved();
        Reply::new(235, EnhancedCode(2, 7, 0), "Authentication successful")
    }

    async fn refused(&mut self, mechanism: Mechanism, error: &AuthError) -> Result<Reply, Ended> {
        if matches!(error, AuthError::Unavailable) {
            tracing::warn!(session = %self.id, %error, "sign-in could not be checked");
            return Ok(Reply::new(
                454,
                EnhancedCode(4, 7, 0),
                "Temporary authentication failure",
            ));
        }
        tracing::info!(
            session = %self.id, peer = %self.peer.ip(), mechanism = %mechanism,
            "smtp sign-in refused"
        );
        self.count_sign_in(SignIn::Failure);
        self.auth_failures += 1;
        // One text and one pace for every reason, growing with each try.
        tokio::time::sleep(self.server.limits.auth_delay * self.auth_failures.min(5)).await;
        if self.auth_failures >= self.server.limits.auth_failures {
            self.closing = true;
            return Ok(Reply::new(
                421,
                EnhancedCode(4, 7, 0),
                "Too many failed authentications",
            ));
        }
        Ok(Reply::new(
            535,
            EnhancedCode(5, 7, 8),
            "Authentication credentials invalid",
        ))
    }

    fn count_sign_in(&self, result: SignIn) {
        self.server
            .metrics
            .authentications
            .get_or_create(&ByResult { result })
            .inc();
    }
}
