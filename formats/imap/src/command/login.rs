//! LOGIN (RFC 9051 §6.2.3).

use std::fmt;

use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

/// A password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    #[must_use]
    pub fn new(password: String) -> Self {
        Self(password)
    }

    /// The password, for the check alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The password itself.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Sign in by name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Password,
}

impl Login {
    /// `login = "LOGIN" SP userid SP password`, both `astring`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        let user = reader.astring_utf8()?;
        reader.sp()?;
        let password = Password(reader.astring_utf8()?);
        Ok(Self { user, password })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"LOGIN ").astring(self.user.as_bytes()).sp();
        writer.astring(self.password.0.as_bytes());
    }
}
