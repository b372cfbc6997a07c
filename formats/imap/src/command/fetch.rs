//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4).

use crate::atom::is_atom_char;
use crate::error::Error;
use crate::number::ModSeq;
use crate::reader::Reader;
use crate::section::{Partial, Section, SectionText};
use crate::sequence::{By, SequenceSet};
use crate::writer::Writer;

/// Items in one command.
const MAX_ITEMS: usize = 256;

/// Whether fetching a section marks the message as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// `BODY[…]` sets `\Seen`.
    Set,
    /// `BODY.PEEK[…]` does not.
    Peek,
}

/// What is wanted of each message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// `BODY` without a section: the structure without extension data.
    Body,
    /// `BODY[…]`, `BODY.PEEK[…]`
    BodySection {
        /// Which octets.
        section: Section,
        /// Only a window of them.
        partial: Option<Partial>,
        /// Whether reading counts as reading.
        seen: Seen,
    },
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `ENVELOPE`
    Envelope,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `MODSEQ` (RFC 7162)
    ModSeq,
    /// `RFC822`: `BODY[]` under its old name (RFC 3501).
    Rfc822,
    /// `RFC822.HEADER`: `BODY.PEEK[HEADER]` under its old name.
    Rfc822Header,
    /// `RFC822.SIZE`
    Rfc822Size,
    /// `RFC822.TEXT`: `BODY[TEXT]` under its old name.
    Rfc822Text,
    /// `UID`
    Uid,
}

impl FetchItem {
    const NAMED: [(&'static str, Self); 11] = [
        ("FLAGS", Self::Flags),
        ("UID", Self::Uid),
        ("ENVELOPE", Self::Envelope),
        ("BODYSTRUCTURE", Self::BodyStructure),
        ("INTERNALDATE", Self::InternalDate),
        ("RFC822.SIZE", Self::Rfc822Size),
        ("RFC822", Self::Rfc822),
        ("RFC822.HEADER", Self::Rfc822Header),
        ("RFC822.TEXT", Self::Rfc822Text),
        ("MODSEQ", Self::ModSeq),
        ("BODY", Self::Body),
    ];

    /// Whether fetching it sets `\Seen`.
    #[must_use]
    pub fn sets_seen(&self) -> bool {
        match self {
            Self::BodySection { seen, .. } => *seen == Seen::Set,
            Self::Rfc822 | Self::Rfc822Text => true,
            _ => false,
        }
    }

    /// The section behind an old name.
    #[must_use]
    pub fn rfc822_section(&self) -> Option<Section> {
        let text = match self {
            Self::Rfc822 => SectionText::Full,
            Self::Rfc822Header => SectionText::Header,
            Self::Rfc822Text => SectionText::Text,
            _ => return None,
        };
        Section::new(Vec::new(), text)
    }
}

/// What is wanted of which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What `set` counts. By UID, the answer has the UID even when it is not among the items.
    pub by: By,
    /// The messages.
    pub set: SequenceSet,
    /// At least one; macros are expanded.
    pub items: Vec<FetchItem>,
    /// Only messages changed after this (RFC 7162 §3.1.4.1); the answer then has their MODSEQ.
    pub changed_since: Option<ModSeq>,
}

impl Fetch {
    /// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
    /// "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers]`
    pub(super) fn parse(reader: &mut Reader<'_>, by: By) -> Result<Self, Error> {
        reader.sp()?;
        let set = reader.sequence_set()?;
        reader.sp()?;
        let items = if reader.eat(b'(') {
            let items = reader.list_items(MAX_ITEMS, Reader::fetch_att)?;
            if items.is_empty() {
                return Err(Error::Expected("an item to fetch"));
            }
            items
        } else if let Some(items) = reader.fetch_macro() {
            items
        } else {
            vec![reader.fetch_att()?]
        };
        let mut changed_since = None;
        if reader.eat(b' ') {
            // fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")" (RFC 4466)
            // TODO RFC 7162 §3.2.6: VANISHED, with QRESYNC.
            reader.open()?;
            if !reader.eat_word("CHANGEDSINCE") {
                return Err(Error::Unknown("modifier of FETCH"));
            }
            reader.sp()?;
            changed_since = Some(reader.mod_sequence()?);
            reader.close()?;
        }
        Ok(Self {
            by,
            set,
            items,
            changed_since,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .uid_prefix(self.by)
            .bytes(b"FETCH ")
            .sequence_set(&self.set)
            .sp();
        writer.parenthesized(&self.items, |writer, item| {
            writer.fetch_att(item);
        });
        if let Some(since) = self.changed_since {
            writer.bytes(b" (CHANGEDSINCE ").number(since).bytes(b")");
        }
    }
}

impl Reader<'_> {
    /// `"ALL" / "FULL" / "FAST"` (RFC 9051 §6.4.5)
    fn fetch_macro(&mut self) -> Option<Vec<FetchItem>> {
        let fast = [
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Rfc822Size,
        ];
        let more: &[FetchItem] = if self.eat_word("FAST") {
            &[]
        } else if self.eat_word("ALL") {
            &[FetchItem::Envelope]
        } else if self.eat_word("FULL") {
            &[FetchItem::Envelope, FetchItem::Body]
        } else {
            return None;
        };
        Some(fast.iter().chain(more).cloned().collect())
    }

    /// `fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" /
    /// ".TEXT"] / "BODY" ["STRUCTURE"] / "UID" / "BODY" section [partial] / "BODY.PEEK" section
    /// [partial] / "MODSEQ"`
    fn fetch_att(&mut self) -> Result<FetchItem, Error> {
        let name = self.take_while(|b| is_atom_char(b) && b != b'[');
        if self.peek() == Some(b'[') {
            let seen = if name.eq_ignore_ascii_case(b"BODY") {
                Seen::Set
            } else if name.eq_ignore_ascii_case(b"BODY.PEEK") {
                Seen::Peek
            } else {
                return Err(Error::Unknown("item to fetch"));
            };
            let section = self.section()?;
            let partial = self.partial()?;
            return Ok(FetchItem::BodySection {
                section,
                partial,
                seen,
            });
        }
        FetchItem::NAMED
            .into_iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, item)| item)
            .ok_or(Error::Unknown("item to fetch"))
    }
}

impl Writer<'_> {
    fn fetch_att(&mut self, item: &FetchItem) -> &mut Self {
        if let FetchItem::BodySection {
            section,
            partial,
            seen,
        } = item
        {
            self.bytes(if *seen == Seen::Peek {
                b"BODY.PEEK"
            } else {
                b"BODY"
            })
            .section(section);
            if let Some(partial) = partial {
                self.bytes(b"<").number(partial.first).bytes(b".");
                self.number(partial.count.get()).bytes(b">");
            }
            return self;
        }
        let named = FetchItem::NAMED.iter().find(|(_, known)| known == item);
        self.text(named.map_or("FLAGS", |(name, _)| *name))
    }
}
