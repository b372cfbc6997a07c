//! Aliases and catch-alls: the rows of `alias` and `alias_target`.
//!
//! An alias gives a local name one or more targets, here or elsewhere. The catch-all of a domain
//! is the alias with the empty local part; it takes what nothing else does.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ambient::Timestamp;
use serde::Serialize;
use smtp::address::{Address, AddressError, Domain, Localpart};
use store::{DomainId, Event, Reader, Row, Tx};

use crate::name::{
    address_at, as_text, as_texts, check_text, domain_at, fold, fold_address, seconds,
};
use crate::{Directory, Error, Page, account, domain};

/// How many targets an alias can have. More people are reached by aliases of aliases, see
/// [`crate::MAX_EXPANSION`].
pub const MAX_TARGETS: usize = 1_000;

/// What an alias is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AliasName {
    /// One address, in any letter case.
    Address(Address),
    /// Every address of the domain that is nothing else; written `@example.org`.
    CatchAll(Domain),
}

impl AliasName {
    fn domain(&self) -> &Domain {
        match self {
            Self::Address(address) => &address.domain,
            Self::CatchAll(domain) => domain,
        }
    }

    /// The local part as it is stored.
    fn key(&self) -> String {
        match self {
            Self::Address(address) => fold(&address.localpart).as_str().to_owned(),
            Self::CatchAll(_) => String::new(),
        }
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::CatchAll(domain) => write!(f, "@{domain}"),
        }
    }
}

impl FromStr for AliasName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix('@') {
            Some(domain) if !domain.contains('@') => Domain::parse(domain).map(Self::CatchAll),
            _ => Address::parse(text).map(Self::Address),
        }
    }
}

/// An alias to be created.
#[derive(Debug, Clone)]
pub struct NewAlias {
    /// Its name, in a local domain that is no alias domain.
    pub name: AliasName,
    /// 1 to [`MAX_TARGETS`] addresses, local or remote; repeated ones count once.
    pub targets: Vec<Address>,
    /// For people.
    pub comment: String,
}

/// What to change of an alias; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct AliasChange {
    /// Replaces all targets.
    pub targets: Option<Vec<Address>>,
    /// Whether it takes mail.
    pub active: Option<bool>,
    /// For people.
    pub comment: Option<String>,
}

/// An alias as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasRecord {
    /// Its name.
    #[serde(serialize_with = "as_text")]
    pub name: AliasName,
    /// Where its mail goes, sorted.
    #[serde(serialize_with = "as_texts")]
    pub targets: Vec<Address>,
    /// Whether it takes mail.
    pub active: bool,
    /// For people.
    pub comment: String,
    /// When it was created.
    #[serde(serialize_with = "seconds")]
    pub created_at: Timestamp,
}

/// An alias as far as the resolution of an address needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) id: i64,
    pub(crate) active: bool,
}

// Index: alias (domain_id, localpart), unique.
const FIND: &str = "SELECT id, active FROM alias WHERE domain_id = ?1 AND localpart = ?2";
// Index: alias_target's primary key. One more than allowed, to notice.
const TARGETS: &str =
    "SELECT address FROM alias_target WHERE alias_id = ?1 ORDER BY address LIMIT 1001";
// Indexes: domain.name for the order, then alias (domain_id, localpart).
const LIST: &str = "SELECT alias.id, alias.localpart, domain.name, alias.active, alias.comment, \
     alias.created_at FROM domain JOIN alias ON alias.domain_id = domain.id \
     WHERE domain.id = COALESCE(?2, domain.id) AND alias.localpart || '@' || domain.name > ?1 \
     ORDER BY alias.localpart || '@' || domain.name LIMIT ?3";
const ONE: &str = "SELECT alias.id, alias.localpart, domain.name, alias.active, alias.comment, \
     alias.created_at FROM domain JOIN alias ON alias.domain_id = domain.id \
     WHERE domain.name = ?1 AND alias.localpart = ?2";
const INSERT: &str = "INSERT INTO alias (domain_id, localpart, comment, created_at) \
     VALUES (?1, ?2, ?3, ?4) RETURNING id";
const INSERT_TARGET: &str = "INSERT INTO alias_target (alias_id, address) VALUES (?1, ?2)";
const UPDATE: &str = "UPDATE alias SET active = COALESCE(?2, active), \
     comment = COALESCE(?3, comment) WHERE id = ?1";
const DELETE_TARGETS: &str = "DELETE FROM alias_target WHERE alias_id = ?1";
// Removes its targets with it (ON DELETE CASCADE).
const DELETE: &str = "DELETE FROM alias WHERE id = ?1";
// Indexes: alias_target_address, then alias_target's primary key.
const DELETE_ONLY_TARGET: &str = "DELETE FROM alias WHERE id IN \
     (SELECT alias_id FROM alias_target WHERE address = ?1) AND NOT EXISTS \
     (SELECT 1 FROM alias_target WHERE alias_id = alias.id AND address <> ?1)";
// Index: alias_target_address.
const DELETE_TARGET: &str = "DELETE FROM alias_target WHERE address = ?1";

/// The alias with this folded local part (empty for the catch-all), or `None`.
pub(crate) fn find(
    rx: &mut dyn Reader,
    domain: DomainId,
    localpart: &str,
) -> Result<Option<Found>, Error> {
    Ok(
        rx.query_one(FIND, &[domain.into(), localpart.into()], |row| {
            Ok(Found {
                id: row.int(0)?,
                active: row.bool(1)?,
            })
        })?,
    )
}

/// Whether an alias has this folded local part.
pub(crate) fn exists(
    rx: &mut dyn Reader,
    domain: DomainId,
    localpart: &str,
) -> Result<bool, Error> {
    Ok(find(rx, domain, localpart)?.is_some())
}

/// The targets of an alias, sorted; at most one more than [`MAX_TARGETS`].
pub(crate) fn targets(rx: &mut dyn Reader, alias: i64) -> Result<Vec<Address>, Error> {
    Ok(rx.query_all(TARGETS, &[alias.into()], |row| address_at(row, 0))?)
}

/// Removes an account's address from all aliases, and aliases it was the only target of.
pub(crate) fn forget_target(tx: &mut dyn Tx, address: &Address) -> Result<(), Error> {
    let address = address.to_string();
    tx.exec(DELETE_ONLY_TARGET, &[(&address).into()])?;
    tx.exec(DELETE_TARGET, &[(&address).into()])?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<(i64, AliasRecord), store::Error> {
    let domain = domain_at(row, 2)?;
    let name = match row.text(1)? {
        "" => AliasName::CatchAll(domain),
        localpart => {
            let localpart =
                Localpart::from_content(localpart).map_err(|_| store::Error::Column {
                    index: 1,
                    expected: "a local part",
                })?;
            AliasName::Address(Address { localpart, domain })
        }
    };
    let record = AliasRecord {
        name,
        targets: Vec::new(),
        active: row.bool(3)?,
        comment: row.text(4)?.to_owned(),
        created_at: row.time(5)?,
    };
    Ok((row.int(0)?, record))
}

fn one(rx: &mut dyn Reader, name: &AliasName) -> Result<(i64, AliasRecord), Error> {
    let key = name.key();
    let params = [name.domain().as_str().into(), (&key).into()];
    let (id, mut alias) = rx
        .query_one(ONE, &params, record)?
        .ok_or_else(|| Error::NotFound(format!("alias {name}")))?;
    alias.targets = targets(rx, id)?;
    Ok((id, alias))
}

fn insert(tx: &mut dyn Tx, new: &NewAlias) -> Result<(), Error> {
    let owner = domain::owner(tx, new.name.domain())?.id;
    let key = new.name.key();
    if exists(tx, owner, &key)? {
        return Err(Error::Exists(format!("the alias {}", new.name)));
    }
    if let AliasName::Address(address) = &new.name
        && account::recipient(tx, &fold_address(address))?.is_some()
    {
        return Err(Error::Exists(format!("the account {}", new.name)));
    }
    let now = tx.now();
    let params = [
        owner.into(),
        (&key).into(),
        (&new.comment).into(),
        now.into(),
    ];
    let id = tx
        .query_one(INSERT, &params, |row| row.int(0))?
        .ok_or(Error::Internal("no key for a new row"))?;
    write_targets(tx, id, &new.targets)?;
    tx.after_commit(Event::Directory);
    Ok(())
}

/// Local targets are folded, so that one account is one target and is found again when it goes.
fn write_targets(tx: &mut dyn Tx, alias: i64, targets: &[Address]) -> Result<(), Error> {
    let mut texts = BTreeSet::new();
    for target in targets {
        let is_local = domain::find(tx, &target.domain)?.is_some();
        let target = if is_local {
            fold_address(target)
        } else {
            target.clone()
        };
        texts.insert(target.to_string());
    }
    for text in &texts {
        tx.exec(INSERT_TARGET, &[alias.into(), text.into()])?;
    }
    Ok(())
}

fn update(tx: &mut dyn Tx, name: &AliasName, change: &AliasChange) -> Result<(), Error> {
    let (id, _) = one(tx, name)?;
    tx.exec(
        UPDATE,
        &[
            id.into(),
            change.active.into(),
            change.comment.as_ref().into(),
        ],
    )?;
    if let Some(targets) = &change.targets {
        tx.exec(DELETE_TARGETS, &[id.into()])?;
        write_targets(tx, id, targets)?;
    }
    tx.after_commit(Event::Directory);
    Ok(())
}

fn check_targets(targets: &[Address]) -> Result<(), Error> {
    match targets.len() {
        0 => Err(Error::NoTargets),
        1..=MAX_TARGETS => Ok(()),
        _ => Err(Error::TooManyTargets),
    }
}

impl Directory {
    /// Creates an alias or a catch-all.
    ///
    /// # Errors
    /// [`Error::NotLocal`], [`Error::AliasDomain`]; [`Error::Exists`] when an alias or an account
    /// has the name; [`Error::NoTargets`], [`Error::TooManyTargets`], [`Error::Text`].
    pub async fn create_alias(&self, new: NewAlias) -> Result<(), Error> {
        check_targets(&new.targets)?;
        check_text(&new.comment)?;
        self.db.write(move |tx| insert(tx, &new)).await
    }

    /// Aliases in the order of their names, catch-alls first; those of one domain or all.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown domain.
    pub async fn list_aliases(
        &self,
        of: Option<&Domain>,
        page: Page,
    ) -> Result<Vec<AliasRecord>, Error> {
        let of = of.cloned();
        // The order is that of the stored local parts, which are not quoted.
        let after = match page.after.parse::<AliasName>() {
            Ok(name) => format!("{}@{}", name.key(), name.domain()),
            Err(_) => page.after,
        };
        self.db
            .read(move |rx| {
                let of = domain::optional_id(rx, of.as_ref())?;
                let params = [(&after).into(), of.into(), page.limit.into()];
                let rows = rx.query_all(LIST, &params, record)?;
                rows.into_iter()
                    .map(|(id, alias)| {
                        Ok(AliasRecord {
                            targets: targets(rx, id)?,
                            ..alias
                        })
                    })
                    .collect()
            })
            .await
    }

    /// One alias.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn alias(&self, name: &AliasName) -> Result<AliasRecord, Error> {
        let name = name.clone();
        self.db.read(move |rx| Ok(one(rx, &name)?.1)).await
    }

    /// Changes an alias.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoTargets`], [`Error::TooManyTargets`], [`Error::Text`].
    pub async fn update_alias(&self, name: &AliasName, change: AliasChange) -> Result<(), Error> {
        change.targets.as_deref().map_or(Ok(()), check_targets)?;
        change.comment.as_deref().map_or(Ok(()), check_text)?;
        let name = name.clone();
        self.db.write(move |tx| update(tx, &name, &change)).await
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_alias(&self, name: &AliasName) -> Result<(), Error> {
        let name = name.clone();
        self.db
            .write(move |tx| {
                let (id, _) = one(tx, &name)?;
                tx.exec(DELETE, &[id.into()])?;
                tx.after_commit(Event::Directory);
                Ok(())
            })
            .await
    }
}
