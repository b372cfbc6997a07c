//! The client's side of an exchange: for relays that sign in, and for tests.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::message::{ServerFirst, decode_key, encode_name, text};
use super::{Key, MAX_ITERATIONS, MIN_ITERATIONS, client_keys, mac, salted_password, xor};
use crate::{Error, Secret};

/// What the client says about channel binding: it does not support it. The header ends the
/// authorization identity, too, which is never sent.
const GS2_HEADER: &str = "n,,";

/// One exchange as a client leads it: [`client_first`](Self::client_first),
/// [`client_final`](Self::client_final), [`finish`](Self::finish). An error ends it.
pub struct ScramClient {
    username: String,
    password: Secret,
    nonce: String,
    state: State,
}

enum State {
    Start,
    Named,
    Proved { server_signature: Key },
    Ended,
}

impl ScramClient {
    /// A new exchange. `nonce` is fresh, random (18 octets or more before encoding) and printable
    /// ASCII without a comma; base64 will do.
    pub fn new(username: &str, password: Secret, nonce: String) -> Self {
        Self {
            username: username.to_owned(),
            password,
            nonce,
            state: State::Start,
        }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", encode_name(&self.username), self.nonce)
    }

    /// The first message, the initial response of AUTH.
    pub fn client_first(&mut self) -> Vec<u8> {
        self.state = State::Named;
        format!("{GS2_HEADER}{}", self.first_bare()).into_bytes()
    }

    /// Answers the server's first message with the proof. Takes as long as the server's iteration
    /// count says, up to [`MAX_ITERATIONS`], so it is work for a blocking thread.
    ///
    /// # Errors
    /// [`Error::WrongExchange`] if the server does not extend our nonce, [`Error::Iterations`] for
    /// a count that is too cheap to be safe or too dear to compute, or what is wrong with the
    /// syntax.
    pub fn client_final(&mut self, server_first: &[u8]) -> Result<Vec<u8>, Error> {
        if !matches!(
            std::mem::replace(&mut self.state, State::Ended),
            State::Named
        ) {
            return Err(Error::OutOfOrder);
        }
        let server_first = text(server_first)?;
        let first = ServerFirst::parse(server_first)?;
        // RFC 5802 §5.1: the nonce must begin with ours; the server must have added to it.
        if first
            .nonce
            .strip_prefix(self.nonce.as_str())
            .is_none_or(str::is_empty)
        {
            return Err(Error::WrongExchange);
        }
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&first.iterations) {
            return Err(Error::Iterations);
        }
        let without_proof = format!("c={},r={}", STANDARD.encode(GS2_HEADER), first.nonce);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let salted = salted_password(self.password.expose(), &first.salt, first.iterations);
        let (client_key, stored_key) = client_keys(&salted);
        let proof = xor(&client_key, &mac(&stored_key, &[auth_message.as_bytes()]));
        let server_key = mac(&salted[..], &[b"Server Key"]);
        let server_signature = mac(&server_key, &[auth_message.as_bytes()]);
        self.state = State::Proved { server_signature };
        Ok(format!("{without_proof},p={}", STANDARD.encode(&proof[..])).into_bytes())
    }

    /// Checks the server's last message. Until this is `Ok`, anybody may be at the other end.
    ///
    /// # Errors
    /// [`Error::WrongProof`] if the server refuses us or does not have the credential, or what is
    /// wrong with the syntax.
    pub fn finish(&mut self, server_final: &[u8]) -> Result<(), Error> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Proved { server_signature } = state else {
            return Err(Error::OutOfOrder);
        };
        // RFC 5802 §7: server-final-message = (server-error / verifier) ["," extensions]
        let verdict = text(server_final)?.split(',').next().unwrap_or_default();
        if verdict.starts_with("e=") {
            return Err(Error::WrongProof);
        }
        let verifier = decode_key(verdict.strip_prefix("v=").ok_or(Error::Malformed)?)?;
        verify_slices_are_equal(&verifier, &server_signature).map_err(|_| Error::WrongProof)
    }
}

impl std::fmt::Debug for ScramClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramClient")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
