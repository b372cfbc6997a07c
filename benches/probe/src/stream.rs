//! Haystacks of one scope, as every engine reads them, in one flat file.
//!
//! Each record is the number of the message it comes from and the length of the haystack, both
//! 32 bits little-endian, then the haystack.

#![expect(clippy::disallowed_methods, reason = "reads and writes haystacks")]

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::Path;

use crate::error::{Context as _, Error, Result};

/// Octets in front of each haystack.
const HEAD: usize = 8;

/// All haystacks of one scope, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    bytes: Vec<u8>,
    /// For each haystack its message and where it is; ranges ascend and stay within `bytes`.
    records: Vec<(u32, Range<usize>)>,
}

impl Stream {
    /// Adds a haystack of the message with this number.
    pub fn push(&mut self, message: u32, haystack: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(haystack);
        self.records.push((message, start..self.bytes.len()));
    }

    /// Octets of all haystacks.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many haystacks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no haystack.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The haystacks in order.
    pub fn haystacks(&self) -> impl Iterator<Item = &[u8]> {
        self.messages().map(|(_, haystack)| haystack)
    }

    /// The haystacks in order, each with the number of its message.
    pub fn messages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.records.iter().map(|(message, range)| {
            let haystack = self.bytes.get(range.clone()).unwrap_or_default();
            (*message, haystack)
        })
    }

    /// The octets of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.records.len() * HEAD);
        for (message, haystack) in self.messages() {
            // A haystack is part of a message, and those are smaller than 4 GiB.
            let length = u32::try_from(haystack.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&message.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(haystack);
        }
        out
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.to_bytes()).context(path.display().to_string())
    }

    /// Reads a file into memory.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Form`] for a file that ends within a record.
    pub fn load(path: &Path) -> Result<Self> {
        let mut stream = Self::default();
        each(path, |message, haystack| {
            stream.push(message, haystack);
            Ok(())
        })?;
        Ok(stream)
    }
}

/// Hands over one haystack of a file after the other, with one of them in memory at a time.
///
/// # Errors
/// Those of [`Stream::load`] and of `take`.
pub fn each(path: &Path, mut take: impl FnMut(u32, &[u8]) -> Result<()>) -> Result<()> {
    let name = || path.display().to_string();
    let mut file = BufReader::new(File::open(path).context(name())?);
    let mut haystack = Vec::new();
    loop {
        let mut message = [0; 4];
        if file.by_ref().read(&mut message[..1]).context(name())? == 0 {
            return Ok(());
        }
        file.read_exact(&mut message[1..]).context(name())?;
        let mut length = [0; 4];
        file.read_exact(&mut length).context(name())?;
        let length = u32::from_le_bytes(length);
        haystack.clear();
        let read = file.by_ref().take(u64::from(length));
        let read = { read }.read_to_end(&mut haystack).context(name())?;
        if u32::try_from(read).ok() != Some(length) {
            return Err(Error::Form(format!("{} ends within a record", name())));
        }
        take(u32::from_le_bytes(message), &haystack)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Stream {
        let mut stream = Stream::default();
        stream.push(0, b"first");
        stream.push(0, b"");
        stream.push(7, b"second\nline");
        stream
    }

    fn file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("probe-stream-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let path = file("whole");
        sample().save(&path).unwrap();
        let loaded = Stream::load(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(loaded, sample());
        assert_eq!((loaded.len(), loaded.size()), (3, 16));
    }

    #[test]
    fn a_record_that_is_cut_is_an_error() {
        let path = file("cut");
        let bytes = sample().to_bytes();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let whole = [0, 13, 21].contains(&length);
            assert_eq!(Stream::load(&path).is_ok(), whole, "{length}");
        }
        fs::remove_file(&path).unwrap();
    }
}
