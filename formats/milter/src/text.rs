//! Strings on the wire: octets that end with NUL.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use crate::Error;

/// Octets without NUL, in no particular character set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Vec<u8>);

impl Text {
    /// The octets, NULs left out: the protocol cannot carry them.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        let mut octets = octets.into();
        octets.retain(|&octet| octet != 0);
        Self(octets)
    }

    /// As text, what is not UTF-8 replaced.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        out.push(0);
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Vec<u8>> for Text {
    fn from(octets: Vec<u8>) -> Self {
        Self::new(octets)
    }
}

impl From<&[u8]> for Text {
    fn from(octets: &[u8]) -> Self {
        Self::new(octets)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Reads the data of one packet from front to back.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn octet(&mut self, what: &'static str) -> Result<u8, Error> {
        let (&octet, rest) = self.0.split_first().ok_or(Error::Malformed(what))?;
        self.0 = rest;
        Ok(octet)
    }

    pub(crate) fn number(&mut self, what: &'static str) -> Result<u32, Error> {
        let (octets, rest) = self.0.split_first_chunk().ok_or(Error::Malformed(what))?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*octets))
    }

    pub(crate) fn short(&mut self, what: &'static str) -> Result<u16, Error> {
        let (octets, rest) = self.0.split_first_chunk().ok_or(Error::Malformed(what))?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*octets))
    }

    /// `*OCTET NUL`
    pub(crate) fn text(&mut self, what: &'static str) -> Result<Text, Error> {
        let end = self.0.iter().position(|&octet| octet == 0);
        let (text, rest) = end
            .and_then(|end| Some((self.0.get(..end)?, self.0.get(end + 1..)?)))
            .ok_or(Error::Malformed(what))?;
        self.0 = rest;
        Ok(Text(text.to_vec()))
    }

    /// Strings until the end of the packet, `limit` of them at most.
    pub(crate) fn texts(&mut self, what: &'static str, limit: usize) -> Result<Vec<Text>, Error> {
        let mut texts = Vec::new();
        while !self.is_empty() {
            if texts.len() >= limit {
                return Err(Error::TooMany(what));
            }
            texts.push(self.text(what)?);
        }
        Ok(texts)
    }

    /// Nothing may follow.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Error::Malformed(what))
        }
    }
}
