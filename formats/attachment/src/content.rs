//! What contents there are.

use serde::{Deserialize, Serialize};

/// What a type of content is for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[non_exhaustive]
pub enum Class {
    /// Nothing that is known.
    #[default]
    Other,
    /// No octets at all.
    Empty,
    /// Machine code, byte code, installers.
    Executable,
    /// A script by its first line or its encoding.
    Script,
    /// A shortcut to something else, which may be a command.
    Shortcut,
    /// An archive or packed file.
    Archive,
    /// An image of a disk, which systems mount.
    DiskImage,
    /// An OOXML or OpenDocument document.
    Office,
    /// A document of an OLE2 compound file.
    OfficeLegacy,
    /// Rich text.
    Rtf,
    /// A OneNote section.
    Notebook,
    /// A PDF document.
    Pdf,
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A font.
    Font,
    /// HTML.
    Html,
    /// Other text.
    Text,
    /// A message or a mailbox format's message.
    Mail,
    /// A calendar.
    Calendar,
    /// A visiting card.
    Contact,
    /// Data that was encrypted for someone.
    Encrypted,
}

impl Class {
    /// Whether systems run it or follow it.
    pub(crate) const fn runs(self) -> bool {
        matches!(self, Self::Executable | Self::Script | Self::Shortcut)
    }

    /// Whether it holds files.
    pub(crate) const fn holds_files(self) -> bool {
        matches!(self, Self::Archive | Self::DiskImage)
    }

    /// Whether it is a document of an office suite.
    pub(crate) const fn is_document(self) -> bool {
        matches!(
            self,
            Self::Office | Self::OfficeLegacy | Self::Rtf | Self::Notebook
        )
    }

    /// Whether it is picture, sound or film.
    pub(crate) const fn is_media(self) -> bool {
        matches!(self, Self::Image | Self::Audio | Self::Video)
    }
}

/// Which reader opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// None: there is nothing inside.
    Nothing,
    /// None: there are files inside that cannot be listed here.
    Opaque,
    Zip,
    Gzip,
    Tar,
    Rar,
    SevenZip,
    Cab,
    Iso,
    Tnef,
    Compound,
    Rtf,
    Pdf,
    OneNote,
    Markup,
}

/// A type of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// Its media type.
    pub(crate) kind: &'static str,
    pub(crate) class: Class,
    pub(crate) reader: Reader,
}

impl Content {
    /// Content with nothing inside.
    pub(crate) const fn plain(kind: &'static str, class: Class) -> Self {
        Self {
            kind,
            class,
            reader: Reader::Nothing,
        }
    }

    /// Content that a reader opens.
    pub(crate) const fn opened(kind: &'static str, class: Class, reader: Reader) -> Self {
        Self {
            kind,
            class,
            reader,
        }
    }
}
