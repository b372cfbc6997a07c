//! A compiled database: made by the [`Compiler`](crate::Compiler) or read from a file.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::Scope;
use crate::error::{LoadError, Version};
use crate::file::layout::{ENGINE, FORMAT, IndexRecord, PatternRecord};
use crate::file::load::{self, Places, part, take_text};
use crate::file::{self, Memory, Storage};
use crate::scan::records;
use crate::set::Digest;
use crate::unit::Unit;

/// Compiled patterns, in memory or in a mapped file. A copy shares them.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    storage: Storage,
    places: Places,
}

/// A pattern that was left out of a database, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The scope it was in.
    pub scope: String,
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What is wrong with it, for people to read.
    pub reason: String,
}

/// How the file of a database is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its length in bytes.
    pub length: u64,
    /// The versions of its format and of the engine it was made for.
    pub version: Version,
    /// The digest of the set it was compiled from.
    pub digest: Digest,
    /// Its parts, in order.
    pub sections: Vec<Section>,
}

/// One part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub name: &'static str,
    /// Of which scope, if it is not that of all.
    pub scope: Option<String>,
    /// Where it begins.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Database {
    /// Maps a file and checks all of it.
    ///
    /// The file must not be changed while a database made from it exists; [`save`](Self::save)
    /// never does, it puts another file in its place.
    ///
    /// # Errors
    ///
    /// [`LoadError::Io`] when the file cannot be read; otherwise the file is no good, for the
    /// reason given, and has to be compiled again.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::checked(file::map(path)?)
    }

    /// Checks the bytes of a file and copies them.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), without [`LoadError::Io`].
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, LoadError> {
        Self::checked(Storage::Memory(Memory::copy(bytes.as_ref())))
    }

    fn checked(storage: Storage) -> Result<Self, LoadError> {
        let places = load::check(storage.bytes())?;
        Ok(Self(Arc::new(Inner { storage, places })))
    }

    /// Of bytes that this program has just put together.
    pub(crate) fn assembled(memory: Memory) -> Result<Self, LoadError> {
        let storage = Storage::Memory(memory);
        let places = load::locate(storage.bytes())?;
        Ok(Self(Arc::new(Inner { storage, places })))
    }

    /// Checks all of it once more: memory and disks fail.
    ///
    /// # Errors
    ///
    /// What [`open`](Self::open) would refuse it for.
    pub fn verify(&self) -> Result<(), LoadError> {
        load::check(self.as_bytes()).map(|_| ())
    }

    /// The bytes of its file. Equal sets have equal bytes, on every machine.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.storage.bytes()
    }

    /// Writes its file: a temporary file beside it, named `<name>.<process>-<counter>.tmp`, is
    /// flushed, renamed, and the directory flushed. What was there before is replaced whole or
    /// not at all.
    ///
    /// # Errors
    ///
    /// Whatever the operating system reports; the temporary file is removed.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        file::save(path, self.as_bytes())
    }

    /// The digest of the set it was compiled from.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.places.digest
    }

    /// Its scopes by name.
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = Scope<'_>> {
        self.0
            .places
            .scopes
            .iter()
            .map(|places| Scope::new(self, places))
    }

    /// The scope of this name.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<Scope<'_>> {
        let scopes = &self.0.places.scopes;
        let number = scopes
            .binary_search_by(|scope| scope.name.as_ref().cmp(name))
            .ok()?;
        Some(Scope::new(self, scopes.get(number)?))
    }

    /// How many patterns it has; the refused ones do not count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scopes().map(|scope| scope.len()).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The patterns that were left out, by scope and id.
    pub fn refused(&self) -> impl Iterator<Item = Refused> {
        let places = &self.0.places;
        let (records, mut texts) =
            load::refused(part(self.as_bytes(), &places.refused)).unwrap_or_default();
        records.iter().map(move |record| {
            let mut text = |length| {
                take_text(&mut texts, length, usize::MAX)
                    .unwrap_or_default()
                    .to_owned()
            };
            let scope = places.scopes.get(record.scope.get() as usize);
            Refused {
                scope: scope.map_or_else(String::new, |scope| scope.name.to_string()),
                id: record.id.get(),
                name: text(record.name),
                reason: text(record.reason),
            }
        })
    }

    /// How its file is laid out.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let places = &self.0.places;
        let sections = places.sections.iter().map(|(kind, scope, range)| Section {
            name: kind.name(),
            scope: scope
                .and_then(|scope| places.scopes.get(scope))
                .map(|scope| scope.name.to_string()),
            offset: range.start as u64,
            length: range.len() as u64,
        });
        Layout {
            length: self.as_bytes().len() as u64,
            version: Version {
                format: FORMAT,
                engine: ENGINE,
            },
            digest: places.digest,
            sections: sections.collect(),
        }
    }

    pub(crate) fn index(&self) -> &[IndexRecord] {
        records(part(self.as_bytes(), &self.0.places.index)).unwrap_or_default()
    }

    pub(crate) fn units(&self) -> &[u8] {
        part(self.as_bytes(), &self.0.places.units)
    }

    /// The unit of this digest.
    pub(crate) fn unit(&self, digest: &Digest) -> Option<&[u8]> {
        let index = self.index();
        let number = index
            .binary_search_by(|record| record.digest.cmp(&digest.0))
            .ok()?;
        self.unit_bytes(number)
    }

    /// The unit of a pattern.
    pub(crate) fn unit_of(&self, pattern: &PatternRecord) -> Option<Unit<'_>> {
        Unit::trusted(self.unit_bytes(pattern.unit.get() as usize)?)
    }

    fn unit_bytes(&self, number: usize) -> Option<&[u8]> {
        let record = self.index().get(number)?;
        let start = usize::try_from(record.offset.get()).ok()?;
        let length = usize::try_from(record.length.get()).ok()?;
        self.units().get(start..start.checked_add(length)?)
    }

    /// The name and the expression of a pattern.
    pub(crate) fn texts_of(&self, pattern: &PatternRecord) -> Option<(&str, &[u8])> {
        let texts = part(self.as_bytes(), &self.0.places.texts);
        let mut rest = texts.get(usize::try_from(pattern.texts.get()).ok()?..)?;
        let name = take_text(&mut rest, pattern.name, usize::MAX)?;
        Some((name, rest.get(..pattern.expression.get() as usize)?))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("digest", &self.digest())
            .field("bytes", &self.as_bytes().len())
            .field("scopes", &self.0.places.scopes.len())
            .finish_non_exhaustive()
    }
}
