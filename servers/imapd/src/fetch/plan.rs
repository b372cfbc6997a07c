//! The items of a FETCH as they will be answered.

use imap::command::{Fetch, FetchItem};
use imap::response::Extensions;
use imap::{By, Partial, Section, SectionText, Utf8Mode};
use mime::section::{SectionPath, Text};

/// How much of a message has to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    /// What the view has.
    Entry,
    /// What is stored beside the message.
    Row,
    /// The message.
    Octets,
}

/// What is answered of each message.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) mode: Utf8Mode,
    pub(super) uid: bool,
    pub(super) flags: bool,
    pub(super) mod_seq: bool,
    /// All other items in their order, none twice.
    pub(super) items: Vec<Item>,
    sets_seen: bool,
}

/// An item that the view does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    InternalDate,
    Size,
    Envelope,
    Structure(Extensions),
    Section(SectionItem),
}

/// Octets of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SectionItem {
    pub(super) name: Name,
    pub(super) path: SectionPath,
    pub(super) partial: Option<Partial>,
}

/// How a section is called in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Body(Section),
    Rfc822,
    Rfc822Header,
    Rfc822Text,
}

impl Plan {
    pub(super) fn new(fetch: &Fetch, mode: Utf8Mode) -> Self {
        let mut plan = Self {
            mode,
            // RFC 9051 §6.4.9: the UID is part of every answer to a UID command.
            uid: fetch.by == By::Uid,
            flags: false,
            // RFC 7162 §3.1.4.1: CHANGEDSINCE asks for MODSEQ.
            mod_seq: fetch.changed_since.is_some(),
            items: Vec::new(),
            sets_seen: fetch.items.iter().any(FetchItem::sets_seen),
        };
        for item in &fetch.items {
            match item {
                FetchItem::Uid => plan.uid = true,
                FetchItem::Flags => plan.flags = true,
                FetchItem::ModSeq => plan.mod_seq = true,
                other => {
                    if let Some(item) = item_of(other).filter(|item| !plan.items.contains(item)) {
                        plan.items.push(item);
                    }
                }
            }
        }
        plan
    }

    pub(super) fn needs(&self) -> Needs {
        self.items
            .iter()
            .map(Item::needs)
            .max()
            .unwrap_or(Needs::Entry)
    }

    pub(super) fn wants_mod_seq(&self) -> bool {
        self.mod_seq
    }

    pub(super) fn sets_seen(&self) -> bool {
        self.sets_seen
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = &SectionItem> {
        self.items.iter().filter_map(|item| match item {
            Item::Section(section) => Some(section),
            _ => None,
        })
    }

    /// Whether less than the whole of a large message may do.
    pub(super) fn is_narrow(&self) -> bool {
        self.sections()
            .all(|item| item.partial.is_some() || item.path != SectionPath::whole())
    }

    pub(super) fn wants_envelope(&self) -> bool {
        self.items.contains(&Item::Envelope)
    }

    /// Whether the tree of parts is needed.
    pub(super) fn wants_structure(&self) -> bool {
        self.items.iter().any(|item| match item {
            Item::Structure(_) => true,
            Item::Section(section) => !section.path.parts.is_empty(),
            _ => false,
        })
    }
}

impl Item {
    fn needs(&self) -> Needs {
        match self {
            Self::Section(_) => Needs::Octets,
            _ => Needs::Row,
        }
    }
}

/// `None` for what the view has.
fn item_of(item: &FetchItem) -> Option<Item> {
    let old = |name, text| SectionItem {
        name,
        path: SectionPath {
            parts: Vec::new(),
            text,
        },
        partial: None,
    };
    Some(match item {
        FetchItem::InternalDate => Item::InternalDate,
        FetchItem::Rfc822Size => Item::Size,
        FetchItem::Envelope => Item::Envelope,
        FetchItem::BodyStructure => Item::Structure(Extensions::With),
        FetchItem::Body => Item::Structure(Extensions::Without),
        FetchItem::Rfc822 => Item::Section(old(Name::Rfc822, Text::Full)),
        FetchItem::Rfc822Header => Item::Section(old(Name::Rfc822Header, Text::Header)),
        FetchItem::Rfc822Text => Item::Section(old(Name::Rfc822Text, Text::Text)),
        FetchItem::BodySection {
            section, partial, ..
        } => Item::Section(SectionItem {
            path: path_of(section),
            name: Name::Body(section.clone()),
            partial: *partial,
        }),
        FetchItem::Flags | FetchItem::Uid | FetchItem::ModSeq => return None,
    })
}

fn path_of(section: &Section) -> SectionPath {
    let fields = |names: &[String]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    SectionPath {
        parts: section.part().iter().map(|part| part.get()).collect(),
        text: match section.text() {
            SectionText::Full => Text::Full,
            SectionText::Header => Text::Header,
            SectionText::HeaderFields(names) => Text::HeaderFields(fields(names)),
            SectionText::HeaderFieldsNot(names) => Text::HeaderFieldsNot(fields(names)),
            SectionText::Text => Text::Text,
            SectionText::Mime => Text::Mime,
        },
    }
}
