//! DKIM keys: the rows of `dkim_key`. Keys are made and used by `mailauth`; here they are kept.
//!
//! A key belongs to exactly one domain, which may be an alias domain: mail is signed in the name
//! that stands in its From field.

use std::fmt;

use ambient::Timestamp;
use serde::Serialize;
use smtp::address::Domain;
use store::{Event, Reader, Row, Tx};
use zeroize::Zeroizing;

use crate::name::{as_text, domain_at, seconds};
use crate::{Directory, Error, domain};

/// The signature algorithm a key is for (RFC 6376 §3.3, RFC 8463 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum DkimAlgorithm {
    /// RSA with SHA-256.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    /// Ed25519 with SHA-256.
    #[serde(rename = "ed25519-sha256")]
    Ed25519Sha256,
}

impl DkimAlgorithm {
    /// The value of the `a=` tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::RsaSha256, Self::Ed25519Sha256]
            .into_iter()
            .find(|known| known.as_str() == text)
    }
}

impl fmt::Display for DkimAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A PKCS#8 private key in DER. Never printed, overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<Vec<u8>>);

impl PrivateKey {
    /// Takes the DER.
    #[must_use]
    pub fn new(der: Vec<u8>) -> Self {
        Self(Zeroizing::new(der))
    }

    /// The DER, for the one place that signs.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey([redacted])")
    }
}

/// A key to be added; it signs at once.
#[derive(Debug, Clone)]
pub struct NewDkimKey {
    /// A local domain, or an alias domain.
    pub domain: Domain,
    /// One or more DNS labels, unique in the domain.
    pub selector: String,
    /// What it signs with.
    pub algorithm: DkimAlgorithm,
    /// PKCS#8.
    pub private_key_der: PrivateKey,
    /// The `p=` value of the DNS record.
    pub public_key: String,
}

/// A key as stored. Serialised without its private part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DkimKeyRecord {
    /// Whose mail it signs.
    #[serde(serialize_with = "as_text")]
    pub domain: Domain,
    /// Where its public part is in the DNS: `selector._domainkey.domain`.
    pub selector: String,
    /// What it signs with.
    pub algorithm: DkimAlgorithm,
    /// PKCS#8.
    #[serde(skip)]
    pub private_key_der: PrivateKey,
    /// The `p=` value of the DNS record.
    pub public_key: String,
    /// Whether it signs.
    pub active: bool,
    /// When it was added.
    #[serde(serialize_with = "seconds")]
    pub created_at: Timestamp,
}

// Indexes: domain.name (unique), dkim_key (domain_id, selector).
const LIST: &str = "SELECT domain.name, dkim_key.selector, dkim_key.algorithm, \
     dkim_key.private_key, dkim_key.public_key, dkim_key.active, dkim_key.created_at \
     FROM domain JOIN dkim_key ON dkim_key.domain_id = domain.id \
     WHERE domain.name = ?1 AND dkim_key.active >= ?2 ORDER BY dkim_key.selector";
const COUNT: &str = "SELECT COUNT(*) FROM dkim_key WHERE domain_id = ?1 AND selector = ?2";
const INSERT: &str = "INSERT INTO dkim_key \
     (domain_id, selector, algorithm, private_key, public_key, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const SET_ACTIVE: &str = "UPDATE dkim_key SET active = ?3 WHERE domain_id = ?1 AND selector = ?2";
const DELETE: &str = "DELETE FROM dkim_key WHERE domain_id = ?1 AND selector = ?2";

fn record(row: &Row<'_>) -> Result<DkimKeyRecord, store::Error> {
    Ok(DkimKeyRecord {
        domain: domain_at(row, 0)?,
        selector: row.text(1)?.to_owned(),
        algorithm: DkimAlgorithm::parse(row.text(2)?).ok_or(store::Error::Column {
            index: 2,
            expected: "a DKIM algorithm",
        })?,
        private_key_der: PrivateKey::new(row.bytes(3)?.to_vec()),
        public_key: row.text(4)?.to_owned(),
        active: row.bool(5)?,
        created_at: row.time(6)?,
    })
}

fn list(
    rx: &mut dyn Reader,
    domain: &Domain,
    least_active: i64,
) -> Result<Vec<DkimKeyRecord>, Error> {
    Ok(rx.query_all(LIST, &[domain.as_str().into(), least_active.into()], record)?)
}

fn domain_row(rx: &mut dyn Reader, name: &Domain) -> Result<store::DomainId, Error> {
    Ok(domain::find(rx, name)?
        .ok_or_else(|| Error::NotLocal(name.clone()))?
        .id)
}

fn insert(tx: &mut dyn Tx, new: &NewDkimKey, selector: &str) -> Result<(), Error> {
    let domain = domain_row(tx, &new.domain)?;
    let count = tx.query_one(COUNT, &[domain.into(), selector.into()], |row| row.int(0))?;
    if count.is_some_and(|count| count > 0) {
        return Err(Error::Exists(format!(
            "the DKIM key {selector} of {}",
            new.domain
        )));
    }
    let now = tx.now();
    tx.exec(
        INSERT,
        &[
            domain.into(),
            selector.into(),
            new.algorithm.as_str().into(),
            new.private_key_der.expose().into(),
            (&new.public_key).into(),
            now.into(),
        ],
    )?;
    tx.after_commit(Event::Directory);
    Ok(())
}

/// RFC 6376 §3.1: selector = sub-domain *( "." sub-domain )
fn parse_selector(selector: &str) -> Result<String, Error> {
    let name = Domain::parse(selector).map_err(|_| Error::Selector)?;
    if name.as_str().eq_ignore_ascii_case(selector) {
        Ok(name.as_str().to_owned())
    } else {
        Err(Error::Selector)
    }
}

impl Directory {
    /// Adds a key, which signs at once.
    ///
    /// # Errors
    /// [`Error::NotLocal`], [`Error::Exists`], [`Error::Selector`].
    pub async fn add_dkim_key(&self, new: NewDkimKey) -> Result<(), Error> {
        let selector = parse_selector(&new.selector)?;
        self.db.write(move |tx| insert(tx, &new, &selector)).await
    }

    /// All keys of a domain in the order of their selectors; none for an unknown domain.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn list_dkim_keys(&self, domain: &Domain) -> Result<Vec<DkimKeyRecord>, Error> {
        let domain = domain.clone();
        self.db.read(move |rx| list(rx, &domain, 0)).await
    }

    /// The keys that sign mail of a domain.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn active_dkim_keys(&self, domain: &Domain) -> Result<Vec<DkimKeyRecord>, Error> {
        let domain = domain.clone();
        self.db.read(move |rx| list(rx, &domain, 1)).await
    }

    /// Makes a key sign or stop signing; a stopped one stays for a rotation that is under way.
    ///
    /// # Errors
    /// [`Error::NotLocal`], [`Error::NotFound`].
    pub async fn set_dkim_key_state(
        &self,
        domain: &Domain,
        selector: &str,
        state: DkimKeyState,
    ) -> Result<(), Error> {
        let active = state == DkimKeyState::Signing;
        self.change_dkim_key(domain, selector, Change::SetActive(active))
            .await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// [`Error::NotLocal`], [`Error::NotFound`].
    pub async fn remove_dkim_key(&self, domain: &Domain, selector: &str) -> Result<(), Error> {
        self.change_dkim_key(domain, selector, Change::Delete).await
    }

    async fn change_dkim_key(
        &self,
        name: &Domain,
        selector: &str,
        change: Change,
    ) -> Result<(), Error> {
        let (name, selector) = (name.clone(), selector.to_ascii_lowercase());
        self.db
            .write(move |tx| {
                let domain = domain_row(tx, &name)?;
                let changed = match change {
                    Change::SetActive(active) => {
                        let params = [domain.into(), (&selector).into(), active.into()];
                        tx.exec(SET_ACTIVE, &params)?
                    }
                    Change::Delete => tx.exec(DELETE, &[domain.into(), (&selector).into()])?,
                };
                if changed == 0 {
                    return Err(Error::NotFound(format!("DKIM key {selector} of {name}")));
                }
                tx.after_commit(Event::Directory);
                Ok(())
            })
            .await
    }
}

/// Whether a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DkimKeyState {
    /// It signs.
    Signing,
    /// It is kept, but does not sign.
    Stopped,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    SetActive(bool),
    Delete,
}
