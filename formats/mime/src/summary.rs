//! What a mailbox keeps of a message: envelope, structure, date, references.
//!
//! A [`Summary`] is made once when a message arrives and answers FETCH ENVELOPE and BODYSTRUCTURE,
//! sorting and threading without the message. Its stored form is in `wire.rs`; it is a cache, any
//! [`Error`] there means: parse the message again.

use crate::address::{self, EnvelopeAddress};
use crate::header::{self, MAX_VALUE, unfold};
use crate::split::Splitter;
use crate::structure::Structure;
use crate::{Error, addressable, date, narrow, wire};

/// Message identifiers kept of `References`: the latest ones.
pub const MAX_REFERENCES: usize = 128;

/// The envelope of a message (RFC 9051 §7.5.2).
///
/// Texts are the header's own octets, unfolded, encoded words left; of each at most
/// [`header::MAX_VALUE`] octets. A text is `None` without its field, empty with an empty field. Of
/// repeated fields the first counts, but `To`, `Cc` and `Bcc` collect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// `Date`.
    pub date: Option<Vec<u8>>,
    /// `Subject`.
    pub subject: Option<Vec<u8>>,
    /// `From`.
    pub from: Vec<EnvelopeAddress>,
    /// `Sender`, or `from` without one.
    pub sender: Vec<EnvelopeAddress>,
    /// `Reply-To`, or `from` without one.
    pub reply_to: Vec<EnvelopeAddress>,
    /// `To`.
    pub to: Vec<EnvelopeAddress>,
    /// `Cc`.
    pub cc: Vec<EnvelopeAddress>,
    /// `Bcc`.
    pub bcc: Vec<EnvelopeAddress>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Vec<u8>>,
    /// `Message-ID`, with its angle brackets.
    pub message_id: Option<Vec<u8>>,
}

/// All that is kept of a message beside its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Envelope of the message.
    pub envelope: Envelope,
    /// Its parts.
    pub structure: Structure,
    /// `Date` in seconds since 1970 UTC, when it can be read.
    pub sent_at: Option<i64>,
    /// Identifiers in `References` without angle brackets, oldest first, at most
    /// [`MAX_REFERENCES`].
    pub references: Vec<Vec<u8>>,
    /// Octets of the message.
    pub size: u32,
}

impl Summary {
    /// Reads a message. Never fails; octets beyond the first 4 GiB are not seen.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Summary {
        let outcome = Splitter::new(raw).run();
        let sent_at = outcome.envelope.date.as_deref().and_then(date::parse);
        Summary {
            envelope: outcome.envelope,
            structure: outcome.structure,
            sent_at,
            references: outcome.references,
            size: narrow(addressable(raw).len()),
        }
    }

    /// The stored form: compact, its first octet the layout's version.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads the stored form. Hostile bytes yield an error or a summary whose structure holds every
    /// invariant of [`crate::structure`], never a panic or a disproportionate allocation.
    ///
    /// # Errors
    /// Bytes that [`Summary::encode`] of this version does not write.
    pub fn decode(bytes: &[u8]) -> Result<Summary, Error> {
        wire::decode(bytes)
    }

    /// Reads only the envelope of the stored form, which stands first.
    ///
    /// # Errors
    /// As [`Summary::decode`], but what follows the envelope is not looked at.
    pub fn decode_envelope(bytes: &[u8]) -> Result<Envelope, Error> {
        wire::decode_envelope(bytes)
    }
}

impl Envelope {
    /// Takes in one header field; `name` is in lower case. False when it is none of the envelope's.
    pub(crate) fn read(&mut self, name: &[u8], value: &[u8], budget: &mut usize) -> bool {
        match name {
            b"date" => set_text(&mut self.date, value),
            b"subject" => set_text(&mut self.subject, value),
            b"in-reply-to" => set_text(&mut self.in_reply_to, value),
            b"message-id" => set_text(&mut self.message_id, value),
            b"from" => set_list(&mut self.from, value, budget),
            b"sender" => set_list(&mut self.sender, value, budget),
            b"reply-to" => set_list(&mut self.reply_to, value, budget),
            b"to" => address::read(value, &mut self.to, budget),
            b"cc" => address::read(value, &mut self.cc, budget),
            b"bcc" => address::read(value, &mut self.bcc, budget),
            _ => return false,
        }
        true
    }

    /// RFC 9051 §7.5.2: a message without Sender or Reply-To shows From in their place.
    pub(crate) fn fill_defaults(&mut self) {
        if self.sender.is_empty() {
            self.sender.clone_from(&self.from);
        }
        if self.reply_to.is_empty() {
            self.reply_to.clone_from(&self.from);
        }
    }
}

/// A field's value as text: unfolded, at most [`MAX_VALUE`] octets.
pub(crate) fn text(value: &[u8]) -> Vec<u8> {
    unfold(value.get(..MAX_VALUE).unwrap_or(value)).into_owned()
}

/// Keeps the first value.
pub(crate) fn set_text(slot: &mut Option<Vec<u8>>, value: &[u8]) {
    if slot.is_none() {
        *slot = Some(text(value));
    }
}

fn set_list(slot: &mut Vec<EnvelopeAddress>, value: &[u8], budget: &mut usize) {
    if slot.is_empty() {
        address::read(value, slot, budget);
    }
}

/// The last [`MAX_REFERENCES`] identifiers of a `References` value.
pub(crate) fn references(value: &[u8]) -> Vec<Vec<u8>> {
    let mut latest = std::collections::VecDeque::new();
    for id in header::message_ids(value) {
        if latest.len() == MAX_REFERENCES {
            latest.pop_front();
        }
        latest.push_back(id);
    }
    latest.into_iter().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(mailbox: &str) -> Vec<EnvelopeAddress> {
        address::parse(mailbox.as_bytes())
    }

    #[test]
    fn envelope_of_a_message() {
        let raw = b"Received: x\r\nSUBJECT: =?utf-8?q?a?=\r\n b\r\nFrom: a@x\r\nFrom: b@x\r\n\
            To: c@x\r\nTo: d@x\r\nCc:\r\nReply-To: r@x\r\nMessage-Id: <1@x>\r\n\
            Date: Thu, 1 Jan 1970 01:00:00 +0100\r\nIn-Reply-To:\r\n\
            References: <a@x>\r\n <b@x>\r\n\r\nSubject: body\r\n";
        let summary = Summary::parse(raw);
        let envelope = &summary.envelope;
        assert_eq!(envelope.subject.as_deref(), Some(&b"=?utf-8?q?a?= b"[..]));
        assert_eq!(envelope.from, addr("a@x"));
        assert_eq!(envelope.sender, addr("a@x"));
        assert_eq!(envelope.reply_to, addr("r@x"));
        assert_eq!(envelope.to, addr("c@x, d@x"));
        assert_eq!(envelope.cc, []);
        assert_eq!(envelope.message_id.as_deref(), Some(&b"<1@x>"[..]));
        assert_eq!(envelope.in_reply_to.as_deref(), Some(&b""[..]));
        assert_eq!(summary.sent_at, Some(0));
        assert_eq!(summary.references, [b"a@x".to_vec(), b"b@x".to_vec()]);
        assert_eq!(summary.size, u32::try_from(raw.len()).unwrap());
    }

    #[test]
    fn the_latest_references_stay() {
        let value: String = (0..1000).map(|i| format!("<{i}@x> ")).collect();
        let kept = references(value.as_bytes());
        assert_eq!(kept.len(), MAX_REFERENCES);
        assert_eq!(kept.last(), Some(&b"999@x".to_vec()));
    }

    #[test]
    fn bombs_stay_small() {
        let header = format!(
            "Subject: {}\r\nTo: {}\r\n\r\n",
            "x".repeat(1 << 20),
            "a@b,".repeat(1 << 18)
        );
        let summary = Summary::parse(header.as_bytes());
        assert_eq!(summary.envelope.subject.unwrap().len(), MAX_VALUE - 1);
        assert_eq!(summary.envelope.to, []); // starts beyond MAX_HEADER
    }
}
