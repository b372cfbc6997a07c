//! The server's side of an exchange.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::message::{ClientFinal, ClientFirst};
use super::{Key, ScramCredential, hash, mac, xor};
use crate::Error;

/// One exchange as a server leads it: [`client_first`](Self::client_first), then
/// [`server_first`](Self::server_first) with the credential of the user it named, then
/// [`client_final`](Self::client_final). An error ends it.
///
/// For a user who does not exist go on with [`ScramCredential::dummy`], so that the exchange fails
/// where a wrong password does.
pub struct ScramServer {
    server_nonce: String,
    authzid: Option<String>,
    state: State,
}

enum State {
    Start,
    /// The client's first message was read.
    Named {
        gs2_header: String,
        client_first_bare: String,
        nonce: String,
    },
    /// Our first message was made.
    Challenged {
        gs2_header: String,
        nonce: String,
        /// The signed text so far: both first messages, each with a comma behind it.
        auth_message: String,
        stored_key: Key,
        server_key: Key,
    },
    Ended,
}

impl ScramServer {
    /// A new exchange. `server_nonce` is fresh, random (18 octets or more before encoding) and
    /// printable ASCII without a comma; base64 will do.
    pub fn new(server_nonce: String) -> Self {
        Self {
            server_nonce,
            authzid: None,
            state: State::Start,
        }
    }

    /// Reads the client's first message and returns the name it wants to authenticate as.
    ///
    /// # Errors
    /// [`Error::ChannelBinding`], [`Error::UnsupportedExtension`] or what is wrong with the syntax.
    pub fn client_first(&mut self, message: &[u8]) -> Result<String, Error> {
        if !matches!(
            std::mem::replace(&mut self.state, State::Ended),
            State::Start
        ) {
            return Err(Error::OutOfOrder);
        }
        let first = ClientFirst::parse(message)?;
        self.authzid = first.authzid;
        self.state = State::Named {
            gs2_header: first.gs2_header.to_owned(),
            client_first_bare: first.bare.to_owned(),
            nonce: format!("{}{}", first.nonce, self.server_nonce),
        };
        Ok(first.username)
    }

    /// Who the client wants to act as, if it said so in its first message.
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// Makes our first message. Called at the wrong time it is empty and the exchange is over.
    ///
    /// RFC 5802 §7: `server-first-message = nonce "," salt "," iteration-count`
    pub fn server_first(&mut self, credential: &ScramCredential) -> Vec<u8> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Named {
            gs2_header,
            client_first_bare,
            nonce,
        } = state
        else {
            return Vec::new();
        };
        let salt = STANDARD.encode(&credential.salt);
        let message = format!("r={nonce},s={salt},i={}", credential.iterations);
        self.state = State::Challenged {
            gs2_header,
            nonce,
            auth_message: format!("{client_first_bare},{message},"),
            stored_key: credential.stored_key,
            server_key: credential.server_key,
        };
        message.into_bytes()
    }

    /// Checks the client's proof and makes our last message, which proves that we have the
    /// credential. `Ok` means that the client is who it says.
    ///
    /// # Errors
    /// [`Error::WrongProof`] for a wrong password, [`Error::WrongExchange`] for a message that
    /// does not continue this exchange, or what is wrong with the syntax.
    pub fn client_final(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Challenged {
            gs2_header,
            nonce,
            auth_message,
            stored_key,
            server_key,
        } = state
        else {
            return Err(Error::OutOfOrder);
        };
        let last = ClientFinal::parse(message)?;
        // RFC 5802 §5.1: "c" repeats the gs2 header and "r" the whole nonce, or the exchange fails.
        if last.binding != gs2_header.as_bytes() || last.nonce != nonce {
            return Err(Error::WrongExchange);
        }
        let auth_message = auth_message + last.without_proof;
        // RFC 5802 §3: the proof undone by the signature must hash to the stored key.
        let signature = mac(&stored_key, &[auth_message.as_bytes()]);
        let client_key = xor(&last.proof, &signature);
        verify_slices_are_equal(&hash(&client_key), &stored_key).map_err(|_| Error::WrongProof)?;
        let verifier = mac(&server_key, &[auth_message.as_bytes()]);
        Ok(format!("v={}", STANDARD.encode(verifier)).into_bytes())
    }
}

impl std::fmt::Debug for ScramServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramServer").finish_non_exhaustive()
    }
}
