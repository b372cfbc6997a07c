//! The stored form of a [`Summary`].
//!
//! ```text
//! summary   = version sent-at size envelope references parts
//! version   = one octet, 1
//! sent-at   = 0 / varint(zigzag(seconds) + 1)
//! envelope  = flags date subject from [sender] [reply-to] to cc bcc in-reply-to message-id
//! parts     = count *part            pre-order; a child names its parent, so a tree is all that
//!                                    can be written
//! part      = [back] start header-size body-size lines kind fields [envelope]
//! text      = 0 / varint(length + 1) octets
//! ```
//!
//! Numbers are LEB128. `back` is the distance to the parent, `start` the distance from the header of
//! the part before. A length is compared with what is left before anything is allocated.

use crate::address::{EnvelopeAddress, MAX_ADDRESSES};
use crate::content::{ContentType, Params};
use crate::structure::{Kind, MAX_PARTS, Part, Structure};
use crate::summary::{Envelope, Summary};
use crate::{Error, index, narrow};

const VERSION: u8 = 1;

/// Envelope flag: `sender` is the same as `from` and not written.
const SENDER_IS_FROM: u8 = 1;
/// Envelope flag: `reply_to` is the same as `from` and not written.
const REPLY_TO_IS_FROM: u8 = 2;

const LEAF: u8 = 0;
const MULTIPART: u8 = 1;
const MESSAGE: u8 = 2;

pub(crate) fn encode(summary: &Summary) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(512));
    out.0.push(VERSION);
    // A date that varints cannot hold is no date: dates end with the year 9999.
    let sent_at = summary
        .sent_at
        .and_then(|seconds| zigzag(seconds).checked_add(1));
    out.number(sent_at.unwrap_or(0));
    out.number(u64::from(summary.size));
    out.envelope(&summary.envelope);
    out.texts(&summary.references);
    out.structure(&summary.structure);
    out.0
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Summary, Error> {
    let mut input = Reader::start(bytes)?;
    let sent_at = input.number()?.checked_sub(1).map(unzigzag);
    let size = input.small()?;
    let envelope = input.envelope()?;
    let references = input.texts()?;
    let structure = input.structure(size)?;
    if !input.bytes.is_empty() {
        return Err(Error::Corrupt("octets behind the end"));
    }
    Ok(Summary {
        envelope,
        structure,
        sent_at,
        references,
        size,
    })
}

pub(crate) fn decode_envelope(bytes: &[u8]) -> Result<Envelope, Error> {
    let mut input = Reader::start(bytes)?;
    input.number()?;
    input.number()?;
    input.envelope()
}

const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut n: u64) {
        while let Ok(low) = u8::try_from(n & 0x7F) {
            n >>= 7;
            self.0.push(if n == 0 { low } else { low | 0x80 });
            if n == 0 {
                return;
            }
        }
    }

    fn length(&mut self, n: usize) {
        self.number(u64::try_from(n).unwrap_or(u64::MAX));
    }

    fn text(&mut self, text: &[u8]) {
        self.length(text.len() + 1);
        self.0.extend_from_slice(text);
    }

    fn optional(&mut self, text: Option<&Vec<u8>>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.push(0),
        }
    }

    fn texts(&mut self, texts: &[Vec<u8>]) {
        self.length(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn params(&mut self, params: &Params) {
        self.length(params.len());
        for (name, value) in params {
            self.text(name);
            self.text(value);
        }
    }

    fn addresses(&mut self, list: &[EnvelopeAddress]) {
        self.length(list.len());
        for address in list {
            self.optional(address.name.as_ref());
            self.optional(address.mailbox.as_ref());
            self.optional(address.host.as_ref());
        }
    }

    fn envelope(&mut self, envelope: &Envelope) {
        let sender = if envelope.sender == envelope.from {
            SENDER_IS_FROM
        } else {
            0
        };
        let reply_to = if envelope.reply_to == envelope.from {
            REPLY_TO_IS_FROM
        } else {
            0
        };
        self.0.push(sender | reply_to);
        self.optional(envelope.date.as_ref());
        self.optional(envelope.subject.as_ref());
        self.addresses(&envelope.from);
        if sender == 0 {
            self.addresses(&envelope.sender);
        }
        if reply_to == 0 {
            self.addresses(&envelope.reply_to);
        }
        self.addresses(&envelope.to);
        self.addresses(&envelope.cc);
        self.addresses(&envelope.bcc);
        self.optional(envelope.in_reply_to.as_ref());
        self.optional(envelope.message_id.as_ref());
    }

    fn structure(&mut self, structure: &Structure) {
        let mut parents = vec![0; structure.parts.len()];
        for (at, part) in structure.parts.iter().enumerate() {
            for &child in part.children() {
                if let Some(parent) = parents.get_mut(index(child)) {
                    *parent = at;
                }
            }
        }
        self.length(structure.parts.len());
        let mut last = 0;
        for (at, (part, parent)) in structure.parts.iter().zip(parents).enumerate() {
            if at > 0 {
                self.length(at - parent);
            }
            self.part(part, last);
            last = part.header.start;
        }
    }

    fn part(&mut self, part: &Part, last: u32) {
        self.number(u64::from(part.header.start.saturating_sub(last)));
        self.number(u64::from(part.header.end.saturating_sub(part.header.start)));
        self.number(u64::from(part.size()));
        self.number(u64::from(part.lines));
        self.0.push(match part.kind {
            Kind::Leaf => LEAF,
            Kind::Multipart { .. } => MULTIPART,
            Kind::Message { .. } => MESSAGE,
        });
        self.text(&part.content_type.media);
        self.text(&part.content_type.subtype);
        self.params(&part.content_type.params);
        self.optional(part.id.as_ref());
        self.optional(part.description.as_ref());
        self.text(&part.encoding);
        self.optional(part.disposition.as_ref().map(|(kind, _)| kind));
        if let Some((_, params)) = &part.disposition {
            self.params(params);
        }
        self.texts(&part.language);
        self.optional(part.location.as_ref());
        self.optional(part.md5.as_ref());
        if let Kind::Message { envelope, .. } = &part.kind {
            self.envelope(envelope);
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    addresses_left: usize,
}

impl<'a> Reader<'a> {
    fn start(bytes: &'a [u8]) -> Result<Reader<'a>, Error> {
        match bytes.split_first() {
            Some((&VERSION, bytes)) => {
                // The last group may have been closed over budget.
                Ok(Reader {
                    bytes,
                    addresses_left: MAX_ADDRESSES + 1,
                })
            }
            Some((&version, _)) => Err(Error::Version(version)),
            None => Err(Error::Truncated),
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let (&byte, rest) = self.bytes.split_first().ok_or(Error::Truncated)?;
        self.bytes = rest;
        Ok(byte)
    }

    /// A LEB128 number of at most 64 bits in its shortest form.
    fn number(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7F);
            if (shift == 63 && low > 1) || (byte == 0 && shift > 0) {
                return Err(Error::Corrupt("number is not in its shortest form"));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::Corrupt("number is too long"))
    }

    fn small(&mut self) -> Result<u32, Error> {
        u32::try_from(self.number()?).map_err(|_| Error::Corrupt("number is too large"))
    }

    /// A count of things that take at least `least` octets each.
    fn count(&mut self, least: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.number()?).map_err(|_| Error::Truncated)?;
        if count > self.bytes.len() / least {
            return Err(Error::Truncated);
        }
        Ok(count)
    }

    fn optional(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let length = usize::try_from(self.number()?).map_err(|_| Error::Truncated)?;
        let Some(length) = length.checked_sub(1) else {
            return Ok(None);
        };
        let (text, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(Error::Truncated)?;
        self.bytes = rest;
        Ok(Some(text.to_vec()))
    }

    fn text(&mut self) -> Result<Vec<u8>, Error> {
        self.optional()?.ok_or(Error::Corrupt("text is missing"))
    }

    fn texts(&mut self) -> Result<Vec<Vec<u8>>, Error> {
        let count = self.count(1)?;
        (0..count).map(|_| self.text()).collect()
    }

    fn params(&mut self) -> Result<Params, Error> {
        let count = self.count(2)?;
        (0..count)
            .map(|_| Ok((self.text()?, self.text()?)))
            .collect()
    }

    fn addresses(&mut self) -> Result<Vec<EnvelopeAddress>, Error> {
        let count = self.count(3)?;
        self.addresses_left = self
            .addresses_left
            .checked_sub(count)
            .ok_or(Error::Corrupt("too many addresses"))?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            let name = self.optional()?;
            let mailbox = self.optional()?;
            list.push(EnvelopeAddress {
                name,
                mailbox,
                host: self.optional()?,
            });
        }
        Ok(list)
    }

    fn envelope(&mut self) -> Result<Envelope, Error> {
        let flags = self.byte()?;
        if flags & !(SENDER_IS_FROM | REPLY_TO_IS_FROM) != 0 {
            return Err(Error::Corrupt("unknown envelope flag"));
        }
        let date = self.optional()?;
        let subject = self.optional()?;
        let from = self.addresses()?;
        let mut or_from = |flag| match flags & flag {
            0 => self.addresses(),
            _ => Ok(from.clone()),
        };
        let sender = or_from(SENDER_IS_FROM)?;
        let reply_to = or_from(REPLY_TO_IS_FROM)?;
        Ok(Envelope {
            date,
            subject,
            from,
            sender,
            reply_to,
            to: self.addresses()?,
            cc: self.addresses()?,
            bcc: self.addresses()?,
            in_reply_to: self.optional()?,
            message_id: self.optional()?,
        })
    }

    /// Reads the tree and proves what [`crate::structure`] promises of it.
    fn structure(&mut self, size: u32) -> Result<Structure, Error> {
        let count = self.count(15)?;
        if count == 0 || count > MAX_PARTS {
            return Err(Error::Corrupt("number of parts"));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut last = 0;
        for at in 0..count {
            if at > 0 {
                let parent = at.checked_sub(index(self.small()?));
                let parent = parent.and_then(|parent| parts.get_mut(parent));
                adopt(parent.ok_or(Error::Corrupt("parent"))?, at)?;
            }
            let part = self.part(last)?;
            last = part.header.start;
            parts.push(part);
        }
        let structure = Structure { parts };
        structure.check(size)?;
        Ok(structure)
    }

    fn part(&mut self, last: u32) -> Result<Part, Error> {
        let beyond = Error::Corrupt("range beyond 4 GiB");
        let start = last.checked_add(self.small()?).ok_or(beyond)?;
        let middle = start.checked_add(self.small()?).ok_or(beyond)?;
        let end = middle.checked_add(self.small()?).ok_or(beyond)?;
        let lines = self.small()?;
        let kind = self.byte()?;
        let content_type = ContentType {
            media: self.text()?,
            subtype: self.text()?,
            params: self.params()?,
        };
        let id = self.optional()?;
        let description = self.optional()?;
        let encoding = self.text()?;
        let disposition = match self.optional()? {
            Some(disposition) => Some((disposition, self.params()?)),
            None => None,
        };
        let language = self.texts()?;
        let location = self.optional()?;
        let md5 = self.optional()?;
        let kind = match kind {
            LEAF => Kind::Leaf,
            MULTIPART => Kind::Multipart {
                children: Vec::new(),
            },
            MESSAGE => Kind::Message {
                envelope: Box::new(self.envelope()?),
                root: 0,
            },
            _ => return Err(Error::Corrupt("kind of part")),
        };
        Ok(Part {
            header: start..middle,
            body: middle..end,
            lines,
            content_type,
            id,
            description,
            encoding,
            disposition,
            language,
            location,
            md5,
            kind,
        })
    }
}

/// Makes the part at index `at` a child of `parent`.
fn adopt(parent: &mut Part, at: usize) -> Result<(), Error> {
    match &mut parent.kind {
        Kind::Multipart { children } => children.push(narrow(at)),
        Kind::Message { root, .. } if *root == 0 => *root = narrow(at),
        _ => return Err(Error::Corrupt("child of no container")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_one_form() {
        let read = |bytes: &[u8]| {
            Reader {
                bytes,
                addresses_left: 0,
            }
            .number()
        };
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Writer(Vec::new());
            out.number(n);
            assert_eq!(read(&out.0), Ok(n));
        }
        assert!(matches!(read(&[0x80, 0]), Err(Error::Corrupt(_))));
        assert!(matches!(read(&[0xFF; 10]), Err(Error::Corrupt(_))));
        assert_eq!(read(&[0x80]), Err(Error::Truncated));
    }

    #[test]
    fn other_versions_are_told_apart() {
        let mut bytes = Summary::parse(b"A: b\r\n\r\n").encode();
        bytes[0] = 2;
        assert_eq!(Summary::decode(&bytes), Err(Error::Version(2)));
        assert_eq!(Summary::decode_envelope(&[]), Err(Error::Truncated));
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = Summary::parse(
            b"From: a@b\r\nContent-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nTo: c\r\n\r\nd",
        )
        .encode();
        assert!(Summary::decode(&bytes).is_ok());
        for cut in 0..bytes.len() {
            assert_eq!(
                Summary::decode(&bytes[..cut]),
                Err(Error::Truncated),
                "{cut}"
            );
        }
        let longer = [&bytes[..], b"\0"].concat();
        assert!(matches!(Summary::decode(&longer), Err(Error::Corrupt(_))));
    }

    proptest! {
        #[test]
        fn zigzags(n: i64) {
            prop_assert_eq!(unzigzag(zigzag(n)), n);
        }

        #[test]
        fn hostile_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            bytes.insert(0, VERSION);
            if let Ok(summary) = Summary::decode(&bytes) {
                prop_assert_eq!(Summary::decode(&summary.encode()), Ok(summary));
            }
        }
    }
}
