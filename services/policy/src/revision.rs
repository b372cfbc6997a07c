//! What has changed: one counter, and for each section where it stood at its newest change.

use store::{Event, Reader, Tx};

use crate::Error;

/// What is loaded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Maps,
    Senders,
    Settings,
    Networks,
    Addresses,
    Contacts,
    RuleSets,
}

impl Section {
    const fn name(self) -> &'static str {
        match self {
            Self::Maps => "map",
            Self::Senders => "sender",
            Self::Settings => "setting",
            Self::Networks => "network",
            Self::Addresses => "address",
            Self::Contacts => "contact",
            Self::RuleSets => "rule_set",
        }
    }
}

// A scan of a handful of rows, one for each section; then policy_revision's primary key.
const BUMP: &str = "INSERT INTO policy_revision (section, revision) \
     SELECT ?1, COALESCE(MAX(revision), 0) + 1 FROM policy_revision WHERE true \
     ON CONFLICT (section) DO UPDATE SET revision = excluded.revision RETURNING revision";
const ALL: &str = "SELECT section, revision FROM policy_revision ORDER BY section LIMIT 100";
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BUMP, ALL];

/// Counts a change of the section in this transaction, and announces it after the commit.
pub(crate) fn bump(tx: &mut dyn Tx, section: Section) -> Result<u64, Error> {
    let revision = tx.query_one(BUMP, &[section.name().into()], |row| row.u64(0))?;
    tx.after_commit(Event::Policy);
    revision.ok_or(Error::Internal("no number for a new revision"))
}

/// Where the sections stand.
#[derive(Debug, Default)]
pub(crate) struct Revisions(Vec<(String, u64)>);

impl Revisions {
    pub(crate) fn read(rx: &mut dyn Reader) -> Result<Self, Error> {
        Ok(Self(rx.query_all(ALL, &[], |row| {
            Ok((row.text(0)?.to_owned(), row.u64(1)?))
        })?))
    }

    /// 0 before the first change.
    pub(crate) fn of(&self, section: Section) -> u64 {
        self.0
            .iter()
            .find(|(name, _)| name == section.name())
            .map_or(0, |(_, revision)| *revision)
    }

    /// The newest of all sections.
    pub(crate) fn newest(&self) -> u64 {
        self.0
            .iter()
            .map(|(_, revision)| *revision)
            .max()
            .unwrap_or(0)
    }
}
