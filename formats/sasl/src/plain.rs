//! PLAIN: name and password in one message.
//!
//! Implements RFC 4616. The name is not prepared (RFC 4013): the directory has its own rules for
//! which spellings mean the same account.

use crate::{Error, Secret};

/// Octets of each of the three fields. RFC 4616 §2 asks for 255; tokens used as passwords are longer.
pub const MAX_FIELD: usize = 1_024;

/// A name and a password to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// Who the client wants to act as; `None` means the one who authenticates. Never empty.
    pub authzid: Option<String>,
    /// Who authenticates. Never empty.
    pub authcid: String,
    /// The password. Never empty.
    pub password: Secret,
}

impl Plain {
    /// Reads the client's message, already decoded from base64.
    ///
    /// RFC 4616 §2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but two NULs with something after each,
    /// [`Error::TooLong`] for a field beyond [`MAX_FIELD`], [`Error::NotUtf8`].
    pub fn parse(message: &[u8]) -> Result<Self, Error> {
        if message.len() > 3 * MAX_FIELD + 2 {
            return Err(Error::TooLong);
        }
        let message = std::str::from_utf8(message).map_err(|_| Error::NotUtf8)?;
        let mut fields = message.split('\0');
        let (Some(authzid), Some(authcid), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Error::Malformed);
        };
        if authcid.is_empty() || password.is_empty() {
            return Err(Error::Malformed);
        }
        if [authzid, authcid, password]
            .iter()
            .any(|field| field.len() > MAX_FIELD)
        {
            return Err(Error::TooLong);
        }
        Ok(Self {
            authzid: (!authzid.is_empty()).then(|| authzid.to_owned()),
            authcid: authcid.to_owned(),
            password: Secret::new(password),
        })
    }

    /// The message a client sends, before base64. Fields with a NUL make a message that no server
    /// accepts.
    pub fn encode(&self) -> Vec<u8> {
        let authzid = self.authzid.as_deref().unwrap_or_default();
        [authzid, self.authcid.as_str(), self.password.expose()]
            .join("\0")
            .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_read() {
        for (message, authzid, authcid, password) in [
            (
                &b"\0tim\0tanstaaftanstaaf"[..],
                None,
                "tim",
                "tanstaaftanstaaf",
            ),
            (
                b"Ursel\0Kurt\0xipj3plmq",
                Some("Ursel"),
                "Kurt",
                "xipj3plmq",
            ),
            ("\0jörg\0pässword".as_bytes(), None, "jörg", "pässword"),
        ] {
            let plain = Plain::parse(message).unwrap();
            assert_eq!(plain.authzid.as_deref(), authzid);
            assert_eq!(
                (plain.authcid.as_str(), plain.password.expose()),
                (authcid, password)
            );
            assert_eq!(plain.encode(), message);
        }
    }

    #[test]
    fn other_messages_are_refused() {
        for (message, error) in [
            (&b""[..], Error::Malformed),
            (b"a", Error::Malformed),
            (b"\0a", Error::Malformed),
            (b"\0\0", Error::Malformed),
            (b"\0a\0", Error::Malformed),
            (b"\0\0p", Error::Malformed),
            (b"\0a\0p\0", Error::Malformed),
            (b"\0a\0p\0x", Error::Malformed),
            (b"\0a\xff\0p", Error::NotUtf8),
        ] {
            assert_eq!(
                Plain::parse(message),
                Err(error),
                "{}",
                message.escape_ascii()
            );
        }
        let field = |n: usize| [b"\0a\0".to_vec(), vec![b'p'; n]].concat();
        assert!(Plain::parse(&field(MAX_FIELD)).is_ok());
        assert_eq!(Plain::parse(&field(MAX_FIELD + 1)), Err(Error::TooLong));
        assert_eq!(Plain::parse(&field(1_000_000)), Err(Error::TooLong));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(message in prop::collection::vec(any::<u8>(), 0..30)) {
            if let Ok(plain) = Plain::parse(&message) {
                prop_assert_eq!(plain.encode(), message);
            }
        }
    }
}
