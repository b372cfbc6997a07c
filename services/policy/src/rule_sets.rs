//! Rule sets that were imported or written by administrators: the rows of `rule_set`.
//!
//! A set is kept as the TOML it was given as. Sets are joined in the order of their positions:
//! later ones override rules of the same symbol.

use std::sync::Arc;

use ambient::Timestamp;
use rules::RuleSet;
use store::{Reader, Row, Tx};

use crate::owner::check_text;
use crate::revision::{Section, bump};
use crate::{Error, Policy};

/// Rule sets.
pub const MOST_RULE_SETS: usize = 200;
/// How well the database's copy is compressed.
const LEVEL: i32 = 3;

/// A rule set to be stored.
#[derive(Debug, Clone)]
pub struct NewRuleSet {
    /// What it is called; one of the same name is replaced.
    pub name: String,
    /// Its rules.
    pub toml: String,
    /// Where it stands among the sets, ties in the order of names.
    pub position: u32,
    /// Whether it counts.
    pub enabled: bool,
    /// Where it comes from: a file, an address; for people.
    pub source: String,
}

/// What to change of a rule set; `None` leaves a field as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuleSetChange {
    /// Where it stands among the sets.
    pub position: Option<u32>,
    /// Whether it counts.
    pub enabled: Option<bool>,
}

/// A rule set as it is stored, without its rules.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RuleSetRecord {
    /// What it is called.
    pub name: String,
    /// Octets of its TOML.
    pub size: u64,
    /// Where it stands among the sets.
    pub position: u32,
    /// Whether it counts.
    pub enabled: bool,
    /// Where it comes from.
    pub source: String,
    /// When its rules were stored, in seconds since 1970.
    pub updated_at: i64,
}

// Index: rule_set.name (unique).
const PUT: &str = "INSERT INTO rule_set \
     (name, body, size, position, enabled, source, updated_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO UPDATE SET \
     body = excluded.body, size = excluded.size, position = excluded.position, \
     enabled = excluded.enabled, source = excluded.source, updated_at = excluded.updated_at";
const CHANGE: &str = "UPDATE rule_set SET position = COALESCE(?2, position), \
     enabled = COALESCE(?3, enabled) WHERE name = ?1";
const DELETE: &str = "DELETE FROM rule_set WHERE name = ?1";
const TOML: &str = "SELECT size, body FROM rule_set WHERE name = ?1";
// Scans: there are few sets, and all are wanted.
const COUNT: &str = "SELECT COUNT(*) FROM rule_set";
const LIST: &str = "SELECT name, size, position, enabled, source, updated_at \
     FROM rule_set ORDER BY position, name";
const LOAD: &str =
    "SELECT name, size, body FROM rule_set WHERE enabled = 1 ORDER BY position, name";
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[PUT, CHANGE, DELETE, TOML];

fn record(row: &Row<'_>) -> Result<RuleSetRecord, store::Error> {
    Ok(RuleSetRecord {
        name: row.text(0)?.to_owned(),
        size: row.u64(1)?,
        position: row.u32(2)?,
        enabled: row.bool(3)?,
        source: row.text(4)?.to_owned(),
        updated_at: row.time(5).map(|Timestamp(seconds)| seconds)?,
    })
}

fn unpacked(row: &Row<'_>, size: usize, body: usize) -> Result<String, store::Error> {
    let damaged = store::Error::Column {
        index: body,
        expected: "a compressed rule set",
    };
    let size = usize::try_from(row.u64(size)?).map_err(|_| damaged.clone())?;
    if size > rules::MAX_FILE {
        return Err(damaged);
    }
    let plain = zstd::bulk::decompress(row.bytes(body)?, size).map_err(|_| damaged.clone())?;
    String::from_utf8(plain).map_err(|_| damaged)
}

/// Compressed once, before the transaction.
struct Packed {
    new: NewRuleSet,
    size: u64,
    body: Vec<u8>,
}

fn pack(new: NewRuleSet) -> Result<Packed, Error> {
    RuleSet::parse(&new.toml)?;
    let body = zstd::bulk::compress(new.toml.as_bytes(), LEVEL)
        .map_err(|error| Error::Store(error.into()))?;
    let size = u64::try_from(new.toml.len()).unwrap_or(u64::MAX);
    Ok(Packed { new, size, body })
}

fn put(tx: &mut dyn Tx, packed: &Packed) -> Result<u64, Error> {
    let now = tx.now();
    let size =
        i64::try_from(packed.size).map_err(|_| Error::Internal("a length beyond 63 bits"))?;
    tx.exec(
        PUT,
        &[
            (&packed.new.name).into(),
            (&packed.body).into(),
            size.into(),
            packed.new.position.into(),
            packed.new.enabled.into(),
            (&packed.new.source).into(),
            now.into(),
        ],
    )?;
    let count = tx.query_one(COUNT, &[], |row| row.u64(0))?;
    if count.and_then(|count| usize::try_from(count).ok()) > Some(MOST_RULE_SETS) {
        return Err(Error::TooMuch {
            what: "rule sets",
            most: MOST_RULE_SETS,
        });
    }
    bump(tx, Section::RuleSets)
}

/// The rule sets in memory.
#[derive(Debug, Default)]
pub(crate) struct RuleSets {
    pub(crate) sets: Vec<Arc<RuleSet>>,
    /// Sets that an earlier version has taken and this one does not.
    pub(crate) unusable: Vec<String>,
}

/// Reads and parses all enabled sets.
pub(crate) fn load(rx: &mut dyn Reader) -> Result<RuleSets, Error> {
    let mut found = RuleSets::default();
    rx.query(LOAD, &[], &mut |row| {
        let name = row.text(0)?;
        match RuleSet::parse(&unpacked(row, 1, 2)?) {
            Ok(set) => found.sets.push(Arc::new(RuleSet {
                name: name.to_owned(),
                ..set
            })),
            Err(error) => found.unusable.push(format!("{name}: {error}")),
        }
        Ok(())
    })?;
    Ok(found)
}

fn not_found(name: &str) -> Error {
    Error::NotFound(format!("rule set {name}"))
}

impl Policy {
    /// Stores a rule set, in place of any of its name. Live when it returns; the answer is the new
    /// revision.
    ///
    /// # Errors
    /// [`Error::Rules`], [`Error::Name`], [`Error::Text`], [`Error::TooMuch`].
    pub async fn put_rule_set(&self, new: NewRuleSet) -> Result<u64, Error> {
        let sound = (1..=rules::MAX_NAME).contains(&new.name.len());
        if !sound || new.name.chars().any(char::is_control) {
            return Err(Error::Name(
                "a rule set's name has 1 to 255 octets and no control characters",
            ));
        }
        check_text(&new.source)?;
        let packed = tokio::task::spawn_blocking(move || pack(new))
            .await
            .map_err(|_| Error::Internal("the check of a rule set was cut short"))??;
        self.write(move |tx| put(tx, &packed)).await
    }

    /// Changes where a rule set stands and whether it counts.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn change_rule_set(&self, name: &str, change: RuleSetChange) -> Result<u64, Error> {
        let name = name.to_owned();
        self.write(move |tx| {
            let parameters = [
                (&name).into(),
                change.position.into(),
                change.enabled.into(),
            ];
            match tx.exec(CHANGE, &parameters)? {
                0 => Err(not_found(&name)),
                _ => bump(tx, Section::RuleSets),
            }
        })
        .await
    }

    /// Removes a rule set.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_rule_set(&self, name: &str) -> Result<u64, Error> {
        let name = name.to_owned();
        self.write(move |tx| match tx.exec(DELETE, &[(&name).into()])? {
            0 => Err(not_found(&name)),
            _ => bump(tx, Section::RuleSets),
        })
        .await
    }

    /// All rule sets in the order in which they are joined.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn rule_sets(&self) -> Result<Vec<RuleSetRecord>, Error> {
        self.db
            .read(|rx| Ok(rx.query_all(LIST, &[], record)?))
            .await
    }

    /// The TOML of a rule set, as it was given.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn rule_set_toml(&self, name: &str) -> Result<String, Error> {
        let name = name.to_owned();
        self.db
            .read(move |rx| {
                rx.query_one(TOML, &[(&name).into()], |row| unpacked(row, 0, 1))?
                    .ok_or_else(|| not_found(&name))
            })
            .await
    }
}
