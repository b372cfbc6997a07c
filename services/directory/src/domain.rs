//! Domains and alias domains: the rows of `domain`.
//!
//! An alias domain has no accounts, aliases or catch-all of its own: every address exists there as
//! it does in the domain it stands for. It may have DKIM keys, since its mail is signed in its own
//! name. Alias domains do not nest.

use ambient::Timestamp;
use serde::Serialize;
use smtp::address::Domain;
use store::{DomainId, Event, Reader, Row, Tx};

use crate::name::{as_optional_text, as_text, check_text, domain_at, domain_id, octets, seconds};
use crate::{Directory, Error};

/// The sub-addressing separator of a new domain: `user+detail@example.org`.
pub const DEFAULT_SEPARATOR: char = '+';

/// What a separator can be: punctuation of a dot-string, but not the dot.
const SEPARATORS: &str = "!#$%&*+-/=?^_~";

/// A domain to be created.
#[derive(Debug, Clone)]
pub struct NewDomain {
    /// Its name.
    pub name: Domain,
    /// Makes it an alias domain of an existing one that is none itself.
    pub alias_of: Option<Domain>,
    /// For people.
    pub description: String,
    /// Starts the detail of a sub-address; `None` switches sub-addressing off. An alias domain
    /// follows the domain it stands for.
    pub separator: Option<char>,
    /// The quota of new accounts in octets; 0 is unlimited.
    pub quota_bytes: u64,
}

impl NewDomain {
    /// A domain of its own: separator `+`, no quota.
    #[must_use]
    pub fn new(name: Domain) -> Self {
        Self {
            name,
            alias_of: None,
            description: String::new(),
            separator: Some(DEFAULT_SEPARATOR),
            quota_bytes: 0,
        }
    }

    /// An alias domain: every address of `of` also at `name`.
    #[must_use]
    pub fn alias(name: Domain, of: Domain) -> Self {
        Self {
            alias_of: Some(of),
            ..Self::new(name)
        }
    }
}

/// What to change of a domain; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct DomainChange {
    /// Whether it takes mail and its accounts sign in.
    pub active: Option<bool>,
    /// For people.
    pub description: Option<String>,
    /// The sub-addressing separator; `Some(None)` switches sub-addressing off.
    pub separator: Option<Option<char>>,
    /// The quota of new accounts in octets; 0 is unlimited.
    pub quota_bytes: Option<u64>,
}

/// A domain as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DomainRecord {
    /// Its key.
    #[serde(serialize_with = "domain_id")]
    pub id: DomainId,
    /// Its name in A-labels.
    #[serde(serialize_with = "as_text")]
    pub name: Domain,
    /// The domain it stands for, if it is an alias domain.
    #[serde(serialize_with = "as_optional_text")]
    pub alias_of: Option<Domain>,
    /// Whether it takes mail and its accounts sign in.
    pub active: bool,
    /// For people.
    pub description: String,
    /// The sub-addressing separator.
    pub separator: Option<char>,
    /// The quota of new accounts in octets; 0 is unlimited.
    pub quota_bytes: u64,
    /// How many accounts it has.
    pub accounts: u64,
    /// How many aliases it has, the catch-all included.
    pub aliases: u64,
    /// When it was created.
    #[serde(serialize_with = "seconds")]
    pub created_at: Timestamp,
}

/// A domain as far as the resolution of an address needs it; for an alias domain already the one
/// it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) id: DomainId,
    pub(crate) name: Domain,
    /// False as well when the alias domain is switched off.
    pub(crate) active: bool,
    pub(crate) separator: Option<char>,
}

// Index: domain.name (unique), then domain.id.
const PLACE: &str = "SELECT target.id, target.name, target.active * domain.active, \
     target.separator FROM domain JOIN domain AS target \
     ON target.id = COALESCE(domain.alias_of, domain.id) WHERE domain.name = ?1";
// Index: domain.name (unique).
const FIND: &str = "SELECT id, alias_of, quota_bytes FROM domain WHERE name = ?1";
// Indexes: domain.name for the order, account_domain, alias's unique index.
const LIST: &str = "SELECT domain.id, domain.name, target.name, domain.active, \
     domain.description, domain.separator, domain.quota_bytes, domain.created_at, \
     (SELECT COUNT(*) FROM account WHERE account.domain_id = domain.id), \
     (SELECT COUNT(*) FROM alias WHERE alias.domain_id = domain.id) \
     FROM domain LEFT JOIN domain AS target ON target.id = domain.alias_of \
     WHERE domain.name = COALESCE(?1, domain.name) ORDER BY domain.name";
const INSERT: &str = "INSERT INTO domain \
     (name, alias_of, description, separator, quota_bytes, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
const UPDATE: &str = "UPDATE domain SET active = COALESCE(?2, active), \
     description = COALESCE(?3, description), separator = COALESCE(?4, separator), \
     quota_bytes = COALESCE(?5, quota_bytes) WHERE name = ?1";
// Removes the domain's aliases and DKIM keys with it (ON DELETE CASCADE).
const DELETE: &str = "DELETE FROM domain WHERE id = ?1";
// Index: account_domain.
const FIRST_ACCOUNT: &str = "SELECT name FROM account WHERE domain_id = ?1 LIMIT 1";
// A scan: there are few domains and this is rare.
const FIRST_ALIAS_DOMAIN: &str = "SELECT name FROM domain WHERE alias_of = ?1 LIMIT 1";

/// What is known of a domain by its name.
pub(crate) struct Found {
    pub(crate) id: DomainId,
    pub(crate) is_alias: bool,
    pub(crate) quota_bytes: i64,
}

/// The row of a domain, or `None`.
pub(crate) fn find(rx: &mut dyn Reader, name: &Domain) -> Result<Option<Found>, Error> {
    Ok(rx.query_one(FIND, &[name.as_str().into()], |row| {
        Ok(Found {
            id: DomainId(row.int(0)?),
            is_alias: row.opt_int(1)?.is_some(),
            quota_bytes: row.int(2)?,
        })
    })?)
}

/// The domain that new accounts and aliases of `name` belong to.
pub(crate) fn owner(rx: &mut dyn Reader, name: &Domain) -> Result<Found, Error> {
    match find(rx, name)? {
        None => Err(Error::NotLocal(name.clone())),
        Some(found) if found.is_alias => Err(Error::AliasDomain(name.clone())),
        Some(found) => Ok(found),
    }
}

/// The key of the domain a list is narrowed to.
pub(crate) fn optional_id(
    rx: &mut dyn Reader,
    name: Option<&Domain>,
) -> Result<Option<DomainId>, Error> {
    name.map(|name| Ok(find(rx, name)?.ok_or_else(|| not_found(name))?.id))
        .transpose()
}

/// Where the addresses of a domain live, or `None` when it is not ours.
pub(crate) fn place(rx: &mut dyn Reader, name: &Domain) -> Result<Option<Place>, Error> {
    Ok(rx.query_one(PLACE, &[name.as_str().into()], |row| {
        Ok(Place {
            id: DomainId(row.int(0)?),
            name: domain_at(row, 1)?,
            active: row.bool(2)?,
            separator: row.text(3)?.chars().next(),
        })
    })?)
}

fn record(row: &Row<'_>) -> Result<DomainRecord, store::Error> {
    Ok(DomainRecord {
        id: DomainId(row.int(0)?),
        name: domain_at(row, 1)?,
        alias_of: match row.opt_text(2)? {
            None => None,
            Some(_) => Some(domain_at(row, 2)?),
        },
        active: row.bool(3)?,
        description: row.text(4)?.to_owned(),
        separator: row.text(5)?.chars().next(),
        quota_bytes: row.u64(6)?,
        created_at: row.time(7)?,
        accounts: row.u64(8)?,
        aliases: row.u64(9)?,
    })
}

fn list(rx: &mut dyn Reader, name: Option<&Domain>) -> Result<Vec<DomainRecord>, Error> {
    Ok(rx.query_all(LIST, &[name.map(Domain::as_str).into()], record)?)
}

fn insert(tx: &mut dyn Tx, new: &NewDomain) -> Result<DomainId, Error> {
    if find(tx, &new.name)?.is_some() {
        return Err(Error::Exists(format!("the domain {}", new.name)));
    }
    let target = match &new.alias_of {
        None => None,
        Some(target) => Some(owner(tx, target)?.id),
    };
    let now = tx.now();
    let separator = separator_text(new.separator)?;
    let id = tx.query_one(
        INSERT,
        &[
            new.name.as_str().into(),
            target.into(),
            (&new.description).into(),
            (&separator).into(),
            octets(new.quota_bytes)?.into(),
            now.into(),
        ],
        |row| Ok(DomainId(row.int(0)?)),
    )?;
    tx.after_commit(Event::Directory);
    id.ok_or(Error::Internal("no key for a new row"))
}

fn update(tx: &mut dyn Tx, name: &Domain, change: &DomainChange) -> Result<(), Error> {
    let separator = change.separator.map(separator_text).transpose()?;
    let changed = tx.exec(
        UPDATE,
        &[
            name.as_str().into(),
            change.active.into(),
            change.description.as_ref().into(),
            separator.as_ref().into(),
            change.quota_bytes.map(octets).transpose()?.into(),
        ],
    )?;
    if changed == 0 {
        return Err(not_found(name));
    }
    tx.after_commit(Event::Directory);
    Ok(())
}

fn remove(tx: &mut dyn Tx, name: &Domain) -> Result<(), Error> {
    let id = find(tx, name)?.ok_or_else(|| not_found(name))?.id;
    for (sql, what) in [
        (FIRST_ACCOUNT, "the account"),
        (FIRST_ALIAS_DOMAIN, "the alias domain"),
    ] {
        if let Some(user) = tx.query_one(sql, &[id.into()], |row| Ok(row.text(0)?.to_owned()))? {
            let subject = format!("the domain {name}");
            return Err(Error::InUse {
                subject,
                user: format!("{what} {user}"),
            });
        }
    }
    tx.exec(DELETE, &[id.into()])?;
    tx.after_commit(Event::Directory);
    Ok(())
}

fn separator_text(separator: Option<char>) -> Result<String, Error> {
    match separator {
        None => Ok(String::new()),
        Some(separator) if SEPARATORS.contains(separator) => Ok(separator.to_string()),
        Some(_) => Err(Error::Separator),
    }
}

fn not_found(name: &Domain) -> Error {
    Error::NotFound(format!("domain {name}"))
}

impl Directory {
    /// Creates a domain or an alias domain.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::NotLocal`] or [`Error::AliasDomain`] for `alias_of`;
    /// [`Error::Separator`], [`Error::Text`], [`Error::Quota`].
    pub async fn create_domain(&self, new: NewDomain) -> Result<DomainId, Error> {
        check_text(&new.description)?;
        self.db.write(move |tx| insert(tx, &new)).await
    }

    /// All domains in the order of their names.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn list_domains(&self) -> Result<Vec<DomainRecord>, Error> {
        self.db.read(|rx| list(rx, None)).await
    }

    /// One domain.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn domain(&self, name: &Domain) -> Result<DomainRecord, Error> {
        let name = name.clone();
        self.db
            .read(move |rx| list(rx, Some(&name))?.pop().ok_or_else(|| not_found(&name)))
            .await
    }

    /// Changes a domain.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Separator`], [`Error::Text`], [`Error::Quota`].
    pub async fn update_domain(&self, name: &Domain, change: DomainChange) -> Result<(), Error> {
        change.description.as_deref().map_or(Ok(()), check_text)?;
        let name = name.clone();
        self.db.write(move |tx| update(tx, &name, &change)).await
    }

    /// Removes a domain with its aliases and DKIM keys.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InUse`] while it has accounts or alias domains.
    pub async fn remove_domain(&self, name: &Domain) -> Result<(), Error> {
        let name = name.clone();
        self.db.write(move |tx| remove(tx, &name)).await
    }

    /// Whether mail for the domain is ours to keep or refuse, never to relay. True for alias
    /// domains and for domains that are switched off.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn is_local_domain(&self, name: &Domain) -> Result<bool, Error> {
        let name = name.clone();
        self.db.read(move |rx| Ok(find(rx, &name)?.is_some())).await
    }
}
