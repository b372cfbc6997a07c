//! LOGIN: name and password, asked for one after the other.
//!
//! Never standardised (draft-murchison-sasl-login), still what many devices speak. Clients expect
//! exactly these two prompts.

use crate::plain::MAX_FIELD;
use crate::{Error, Plain, Secret};

/// What comes next in the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginStep {
    /// Send this challenge and read another response.
    Challenge(&'static str),
    /// All there: the name and the password to check.
    Credentials(Plain),
}

/// The server's side. Starts with [`Login::challenge`], unless the client sent its name as initial
/// response: then with [`Login::respond`].
#[derive(Debug, Default)]
pub struct Login {
    username: Option<String>,
}

impl Login {
    /// An exchange in which the client has not said anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the server asks now.
    pub fn challenge(&self) -> &'static str {
        match self.username {
            None => "Username:",
            Some(_) => "Password:",
        }
    }

    /// Takes a response, already decoded from base64.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::NotUtf8`], or [`Error::Malformed`] for an empty response or one
    /// with a NUL.
    pub fn respond(&mut self, response: &[u8]) -> Result<LoginStep, Error> {
        if response.len() > MAX_FIELD {
            return Err(Error::TooLong);
        }
        let response = std::str::from_utf8(response).map_err(|_| Error::NotUtf8)?;
        if response.is_empty() || response.contains('\0') {
            return Err(Error::Malformed);
        }
        let Some(authcid) = self.username.take() else {
            self.username = Some(response.to_owned());
            return Ok(LoginStep::Challenge(self.challenge()));
        };
        let password = Secret::new(response);
        Ok(LoginStep::Credentials(Plain {
            authzid: None,
            authcid,
            password,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_then_password() {
        let mut login = Login::new();
        assert_eq!(login.challenge(), "Username:");
        assert_eq!(
            login.respond("jörg".as_bytes()),
            Ok(LoginStep::Challenge("Password:"))
        );
        let LoginStep::Credentials(plain) = login.respond(b"secret").unwrap() else {
            panic!("no credentials");
        };
        assert_eq!(plain.authzid, None);
        assert_eq!(
            (plain.authcid.as_str(), plain.password.expose()),
            ("jörg", "secret")
        );
    }

    #[test]
    fn bad_responses_are_refused() {
        for (response, error) in [
            (&b""[..], Error::Malformed),
            (b"a\0b", Error::Malformed),
            (b"\xff", Error::NotUtf8),
            (&[b'a'; MAX_FIELD + 1], Error::TooLong),
        ] {
            let mut login = Login::new();
            assert_eq!(login.respond(response), Err(error));
            login.respond(b"ann").unwrap();
            assert_eq!(login.respond(response), Err(error));
        }
    }
}
