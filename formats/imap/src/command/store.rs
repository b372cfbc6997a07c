//! STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use crate::error::Error;
use crate::flag::Flag;
use crate::reader::Reader;
use crate::sequence::{By, SequenceSet};
use crate::writer::Writer;

/// What happens to a message's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// `FLAGS`: these and no others.
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// Whether the new flags are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announce {
    /// With FETCH responses.
    Flags,
    /// `.SILENT`: only what others changed; with CONDSTORE still the new mod-sequences.
    Silent,
}

/// Flags to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What `set` counts.
    pub by: By,
    /// The messages.
    pub set: SequenceSet,
    /// What happens.
    pub mode: StoreMode,
    /// What is answered.
    pub announce: Announce,
    /// Without repetitions; may be empty.
    pub flags: Vec<Flag>,
    /// Only messages that have not changed after this (RFC 7162 §3.1.3); 0 means that none may
    /// have the flags at all.
    pub unchanged_since: Option<u64>,
}

impl Store {
    /// `store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags`
    ///
    /// `store-modifiers = SP "(" store-modifier *(SP store-modifier) ")"` (RFC 4466),
    /// `store-modifier = "UNCHANGEDSINCE" SP mod-sequence-valzer` (RFC 7162)
    ///
    /// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`
    pub(super) fn parse(reader: &mut Reader<'_>, by: By) -> Result<Self, Error> {
        reader.sp()?;
        let set = reader.sequence_set()?;
        reader.sp()?;
        let mut unchanged_since = None;
        if reader.eat(b'(') {
            if !reader.eat_word("UNCHANGEDSINCE") {
                return Err(Error::Unknown("modifier of STORE"));
            }
            reader.sp()?;
            unchanged_since = Some(reader.number64()?);
            reader.close()?;
            reader.sp()?;
        }
        let mode = if reader.eat(b'+') {
            StoreMode::Add
        } else if reader.eat(b'-') {
            StoreMode::Remove
        } else {
            StoreMode::Replace
        };
        let announce = if reader.eat_word("FLAGS") {
            Announce::Flags
        } else if reader.eat_word("FLAGS.SILENT") {
            Announce::Silent
        } else {
            return Err(Error::Unknown("item to store"));
        };
        reader.sp()?;
        let flags = if reader.peek() == Some(b'(') {
            reader.flag_list()?
        } else {
            reader.bare_flags()?
        };
        Ok(Self {
            by,
            set,
            mode,
            announce,
            flags,
            unchanged_since,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .uid_prefix(self.by)
            .bytes(b"STORE ")
            .sequence_set(&self.set)
            .sp();
        if let Some(since) = self.unchanged_since {
            writer.bytes(b"(UNCHANGEDSINCE ").number(since).bytes(b") ");
        }
        writer.bytes(match self.mode {
            StoreMode::Replace => b"",
            StoreMode::Add => b"+",
            StoreMode::Remove => b"-",
        });
        writer.bytes(match self.announce {
            Announce::Flags => b"FLAGS ",
            Announce::Silent => b"FLAGS.SILENT ",
        });
        writer.flags(&self.flags);
    }
}
