//! Packets in a stream of octets.
//!
//! `packet = length code data`, where `length` is a number of four octets, big end first, that
//! counts code and data.

use crate::{Command, Error, Response};

/// Octets of one packet that are read: a header field may be longer than a piece of the body.
pub const PACKET_MAX: usize = 1024 * 1024;

/// Cuts a stream into packets. After an error it says nothing but that error.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Octets of the buffer that are done with.
    read: usize,
    limit: usize,
    broken: Option<Error>,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(PACKET_MAX)
    }
}

impl Framer {
    /// Reads packets of up to `limit` octets, code included.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            read: 0,
            limit,
            broken: None,
        }
    }

    /// Takes what came. Feed no more before every packet has been taken out: the buffer grows by
    /// what is fed, never by what a length says.
    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// The next command of an MTA, if a whole one came.
    ///
    /// # Errors
    /// The [`Error`] that makes the rest of the stream unreadable.
    pub fn next_command(&mut self) -> Result<Option<Command>, Error> {
        self.next(Command::decode)
    }

    /// The next response of a filter, if a whole one came.
    ///
    /// # Errors
    /// The [`Error`] that makes the rest of the stream unreadable.
    pub fn next_response(&mut self) -> Result<Option<Response>, Error> {
        self.next(Response::decode)
    }

    fn next<T>(&mut self, decode: fn(u8, &[u8]) -> Result<T, Error>) -> Result<Option<T>, Error> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let result = self
            .packet()
            .and_then(|packet| packet.map(|(code, data)| decode(code, data)).transpose());
        match result {
            Ok(Some(value)) => Ok(Some(value)),
            Ok(None) => Ok(None),
            Err(error) => {
                self.broken = Some(error);
                self.buffer = Vec::new();
                self.read = 0;
                Err(error)
            }
        }
    }

    fn packet(&mut self) -> Result<Option<(u8, &[u8])>, Error> {
        let waiting = self.buffer.get(self.read..).unwrap_or_default();
        let Some((length, rest)) = waiting.split_first_chunk() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        let octets = usize::try_from(length).unwrap_or(usize::MAX);
        if octets > self.limit {
            return Err(Error::TooLong(length));
        }
        let Some(packet) = rest.get(..octets) else {
            return Ok(None);
        };
        let (&code, data) = packet.split_first().ok_or(Error::Empty)?;
        self.read += 4 + octets;
        Ok(Some((code, data)))
    }
}

/// Appends a packet.
pub(crate) fn packet(out: &mut Vec<u8>, code: u8, data: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, code]);
    data(out);
    // A packet beyond four gigabytes does not fit into the memory of a test, let alone a message.
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_may_come_in_pieces_or_together() {
        let wire = b"\0\0\0\x01A\0\0\0\x05Hmx\0x\0\0\0\x04Hab\0";
        let mut framer = Framer::new(10);
        framer.feed(&wire[..6]);
        assert_eq!(framer.next_command(), Ok(Some(Command::Abort)));
        assert_eq!(framer.next_command(), Ok(None));
        framer.feed(&wire[6..]);
        // Octets after the end of a string are malformed, and that stays so.
        assert_eq!(framer.next_command(), Err(Error::Malformed("HELO")));
        framer.feed(b"\0\0\0\x01A");
        assert_eq!(framer.next_command(), Err(Error::Malformed("HELO")));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_at_once() {
        let mut framer = Framer::new(5);
        framer.feed(b"\0\0\0\x06");
        assert_eq!(framer.next_command(), Err(Error::TooLong(6)));
        let mut framer = Framer::new(5);
        framer.feed(b"\xff\xff\xff\xff");
        assert_eq!(framer.next_response(), Err(Error::TooLong(u32::MAX)));
        let mut framer = Framer::new(5);
        framer.feed(b"\0\0\0\0");
        assert_eq!(framer.next_command(), Err(Error::Empty));
    }
}
