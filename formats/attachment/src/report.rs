//! What is told about an attachment, and how far the look goes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::content::Class;

/// How far an inspection goes. The defaults suit messages of up to 50 MiB on a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How deep containers inside containers are opened; the attachment itself is at depth 0.
    pub depth: u8,
    /// Entries of containers that are read, all containers of the attachment together.
    pub entries: usize,
    /// Names that are reported.
    pub names: usize,
    /// Characters of a reported name; of a longer one the end is kept.
    pub name_length: usize,
    /// Octets that are unpacked or copied, all containers of the attachment together.
    pub unpacked: usize,
    /// Octets that are unpacked of one entry.
    pub entry: usize,
    /// Octets of macro source that are searched for words.
    pub macro_source: usize,
    /// An entry that grows by more than this factor is a bomb, if it is large.
    pub bomb_ratio: u64,
    /// Octets from which on an entry is large.
    pub bomb_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 3,
            entries: 10_000,
            names: 1_000,
            name_length: 255,
            unpacked: 32 << 20,
            entry: 16 << 20,
            macro_source: 2 << 20,
            bomb_ratio: 200,
            bomb_size: 8 << 20,
        }
    }
}

/// What an attachment is and holds.
///
/// Unless said otherwise a fact covers the attachment and everything that was opened inside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The media type by content; `application/octet-stream` when it cannot be told.
    pub kind: Cow<'static, str>,
    /// What that type is for.
    pub class: Class,
    /// The names of files inside archives, outer ones first, without control characters; at most
    /// [`Limits::names`] of at most [`Limits::name_length`] characters. The parts of Office
    /// documents are not listed, only files embedded in them.
    pub names: Vec<String>,
    /// The attachment itself is a program or a script by its content.
    pub executable: bool,
    /// The attachment's name has an extension that systems run or mount.
    pub dangerous_name: bool,
    /// A name has two extensions the last of which is dangerous (`invoice.pdf.exe`), hides it behind
    /// blanks, or turns the direction of writing.
    pub double_extension: bool,
    /// The attachment's content is not what its name or declared type says, in a way that matters.
    pub mismatch: bool,
    /// Something cannot be opened without a password, or could not be looked through for one: a
    /// PDF counts even when its password is empty and only its use is restricted.
    pub encrypted: bool,
    /// An Office document has macros: VBA code, Excel 4 macro sheets, OpenDocument scripts.
    pub macros: bool,
    /// They run by themselves when the document is opened or closed.
    pub auto_macro: bool,
    /// A document loads something from elsewhere when it is opened: template, OLE link, DDE.
    pub remote: bool,
    /// A document has objects embedded: OLE packages, files of a PDF or of OneNote.
    pub embedded: bool,
    /// An archive holds an archive or a disk image.
    pub nested: bool,
    /// An archive is built to explode: it grows out of proportion, its entries overlap, or it nests
    /// deeper than [`Limits::depth`].
    pub bomb: bool,
    /// A container contradicts itself or ends before it should.
    pub damaged: bool,
    /// A container holds a program, a script or a shortcut, by content or by name.
    pub executable_inside: bool,
    /// A PDF has scripts, launches something or opens an address by itself.
    pub active_pdf: bool,
    /// An HTML or SVG file has scripts or event handlers.
    pub scripted: bool,
    /// A container's names cannot be listed: its directory is encrypted, packed or unknown.
    pub unlisted: bool,
    /// A limit was reached and something was not looked at.
    pub truncated: bool,
    /// Octets that were unpacked or copied out of containers; at most [`Limits::unpacked`].
    pub unpacked: usize,
    /// Names of macros that run by themselves, and words of macros and objects that matter to a
    /// judgement, as they are written in this crate's tables, each once, sorted.
    pub words: Vec<Cow<'static, str>>,
}

impl Report {
    /// The archive is damaged or built to explode.
    #[must_use]
    pub const fn is_bomb_or_damaged(&self) -> bool {
        self.bomb || self.damaged
    }
}
