//! FETCH (RFC 9051 §7.5.2), written item by item.
//!
//! This is the hot path of the whole server: nothing is allocated per message but the output.

mod body;
mod envelope;

pub use body::{
    BodyKind, BodyPart, BodySource, Disposition, Extensions, MAX_BODY_DEPTH, MAX_BODY_PARTS,
    Parameters,
};
pub use envelope::{AddressField, EnvelopeAddress, EnvelopeSource, MAX_ENVELOPE_ADDRESSES};

use crate::date::DateTime;
use crate::flag::Flag;
use crate::number::{ModSeq, SeqNum, Uid};
use crate::section::Section;
use crate::writer::Writer;

/// Writes one FETCH response: [`Self::begin`], at least one item, [`Self::end`].
#[derive(Debug)]
pub struct FetchWriter<'w, 'a> {
    writer: &'w mut Writer<'a>,
    /// Comes before the next item: nothing before the first.
    separator: &'static [u8],
}

impl<'w, 'a> FetchWriter<'w, 'a> {
    /// `message-data = nz-number SP ("FETCH" SP msg-att)`, up to the opening parenthesis.
    pub fn begin(writer: &'w mut Writer<'a>, message: SeqNum) -> Self {
        writer.bytes(b"* ").number(message).bytes(b" FETCH (");
        Self {
            writer,
            separator: b"",
        }
    }

    /// Closes the response.
    pub fn end(self) {
        self.writer.bytes(b")\r\n");
    }

    fn item(&mut self, name: &[u8]) -> &mut Writer<'a> {
        let separator = std::mem::replace(&mut self.separator, b" ");
        self.writer.bytes(separator).bytes(name)
    }

    /// `"UID" SP uniqueid`
    pub fn uid(&mut self, uid: Uid) -> &mut Self {
        self.item(b"UID ").number(uid);
        self
    }

    /// `"FLAGS" SP "(" [flag-fetch *(SP flag-fetch)] ")"`
    pub fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f Flag>) -> &mut Self {
        self.item(b"FLAGS ").flags(flags);
        self
    }

    /// The same for a message that is recent in a rev1 session: `flag-fetch = flag / "\Recent"`.
    pub fn recent_flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f Flag>) -> &mut Self {
        let names = std::iter::once("\\Recent").chain(flags.into_iter().map(Flag::as_str));
        self.item(b"FLAGS ").parenthesized(names, |writer, name| {
            writer.text(name);
        });
        self
    }

    /// `"MODSEQ" SP "(" permsg-modsequence ")"` (RFC 7162 §7)
    pub fn mod_seq(&mut self, mod_seq: ModSeq) -> &mut Self {
        self.item(b"MODSEQ (").number(mod_seq).bytes(b")");
        self
    }

    /// `"INTERNALDATE" SP date-time`
    pub fn internal_date(&mut self, moment: DateTime) -> &mut Self {
        self.item(b"INTERNALDATE ").date_time(moment);
        self
    }

    /// `"RFC822.SIZE" SP number64`
    pub fn rfc822_size(&mut self, octets: u64) -> &mut Self {
        self.item(b"RFC822.SIZE ").number(octets);
        self
    }

    /// `"ENVELOPE" SP envelope`
    pub fn envelope(&mut self, envelope: &impl EnvelopeSource) -> &mut Self {
        envelope::encode(self.item(b"ENVELOPE "), envelope);
        self
    }

    /// `"BODYSTRUCTURE" SP body`, or `"BODY" SP body` without extension data.
    pub fn body_structure(
        &mut self,
        source: &impl BodySource,
        extensions: Extensions,
    ) -> &mut Self {
        let writer = match extensions {
            Extensions::With => self.item(b"BODYSTRUCTURE "),
            Extensions::Without => self.item(b"BODY "),
        };
        body::encode(writer, source, extensions);
        self
    }

    /// `"BODY" section ["<" number64 ">"] SP nstring`, the octets as a literal; `NIL` when the
    /// message has no such part. `origin` is the first octet of a partial fetch.
    pub fn body_section(
        &mut self,
        section: &Section,
        origin: Option<u64>,
        octets: Option<&[u8]>,
    ) -> &mut Self {
        let writer = self.section_name(section, origin);
        match octets {
            Some(octets) => writer.literal(octets),
            None => writer.bytes(b"NIL"),
        };
        self
    }

    /// The same up to the literal's octets, of which the caller appends exactly `size` to the
    /// output before the next item or the end.
    pub fn body_section_header(&mut self, section: &Section, origin: Option<u64>, size: u64) {
        self.section_name(section, origin).literal_header(size);
    }

    fn section_name(&mut self, section: &Section, origin: Option<u64>) -> &mut Writer<'a> {
        let writer = self.item(b"BODY").section(section);
        if let Some(origin) = origin {
            writer.bytes(b"<").number(origin).bytes(b">");
        }
        writer.sp()
    }

    /// `"RFC822" SP nstring`
    pub fn rfc822(&mut self, octets: &[u8]) -> &mut Self {
        self.item(b"RFC822 ").literal(octets);
        self
    }

    /// `"RFC822.HEADER" SP nstring`
    pub fn rfc822_header(&mut self, octets: &[u8]) -> &mut Self {
        self.item(b"RFC822.HEADER ").literal(octets);
        self
    }

    /// `"RFC822.TEXT" SP nstring`
    pub fn rfc822_text(&mut self, octets: &[u8]) -> &mut Self {
        self.item(b"RFC822.TEXT ").literal(octets);
        self
    }

    /// An item of an extension: `name` and what `value` writes after a space.
    pub fn other(&mut self, name: &str, value: impl FnOnce(&mut Writer<'a>)) -> &mut Self {
        value(self.item(name.as_bytes()).sp());
        self
    }
}
