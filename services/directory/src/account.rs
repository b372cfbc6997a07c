//! Accounts: the rows of `account` (but for the counters of mail) and their password credential.
//!
//! An account's name is its address in a domain of its own, folded to lower case. Its mailboxes
//! are made by the `mail` service in the same transaction: either through the hook of
//! [`Directory::create_account`], or by calling [`insert`] in a transaction of one's own.

use ambient::Timestamp;
use serde::Serialize;
use smtp::address::{Address, Domain};
use store::{AccountId, DomainId, Event, Reader, Row, Tx};

use crate::name::{account_id, address_at, as_text, check_text, fold_address, octets, seconds};
use crate::password::{Credential, NewPassword};
use crate::{Directory, Error, Page, alias, domain};

/// What an account may do. The numbers are those in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountState {
    /// 0: neither receives nor signs in.
    Disabled,
    /// 1: both.
    Active,
    /// 2: receives, but cannot sign in.
    ReceiveOnly,
}

impl AccountState {
    fn code(self) -> i64 {
        match self {
            Self::Disabled => 0,
            Self::Active => 1,
            Self::ReceiveOnly => 2,
        }
    }

    /// The state with this number; an unknown one allows nothing.
    pub(crate) fn from_code(code: i64) -> Self {
        match code {
            1 => Self::Active,
            2 => Self::ReceiveOnly,
            _ => Self::Disabled,
        }
    }
}

/// An account to be created.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its name, in a local domain that is no alias domain; folded to lower case.
    pub address: Address,
    /// The person's name, for people.
    pub full_name: String,
    /// What it signs in with.
    pub password: NewPassword,
    /// Octets; 0 is unlimited, `None` takes the domain's default.
    pub quota_bytes: Option<u64>,
    /// What it may do.
    pub state: AccountState,
}

impl NewAccount {
    /// An active account with its domain's quota and no full name.
    #[must_use]
    pub fn new(address: Address, password: NewPassword) -> Self {
        Self {
            address,
            full_name: String::new(),
            password,
            quota_bytes: None,
            state: AccountState::Active,
        }
    }
}

/// An account whose password is hashed: all that is left to do is the transaction.
#[derive(Debug, Clone)]
pub struct PreparedAccount {
    address: Address,
    full_name: String,
    credential: Credential,
    quota_bytes: Option<u64>,
    state: AccountState,
}

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRecord {
    /// Its key.
    #[serde(serialize_with = "account_id")]
    pub id: AccountId,
    /// Its name.
    #[serde(serialize_with = "as_text")]
    pub address: Address,
    /// The person's name.
    pub full_name: String,
    /// What it may do.
    pub state: AccountState,
    /// Octets of mail it holds.
    pub used_bytes: u64,
    /// Messages it holds.
    pub used_count: u64,
    /// Octets it may hold; 0 is unlimited.
    pub quota_bytes: u64,
    /// When it was created.
    #[serde(serialize_with = "seconds")]
    pub created_at: Timestamp,
}

/// An account as far as the resolution of an address needs it.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    pub(crate) id: AccountId,
    pub(crate) domain: DomainId,
    pub(crate) address: Address,
    pub(crate) state: AccountState,
    pub(crate) quota_bytes: i64,
    pub(crate) used_bytes: i64,
}

// Index: account.name (unique).
const RECIPIENT: &str =
    "SELECT id, name, active, quota_bytes, used_bytes, domain_id FROM account WHERE name = ?1";
// Index: account.name (unique), for the order and the page.
const LIST: &str = "SELECT id, name, full_name, active, used_bytes, used_count, quota_bytes, \
     created_at FROM account \
     WHERE name > ?1 AND domain_id = COALESCE(?2, domain_id) ORDER BY name LIMIT ?3";
// Index: account.name (unique).
const BY_NAME: &str = "SELECT id, name, full_name, active, used_bytes, used_count, quota_bytes, \
     created_at FROM account WHERE name = ?1";
const BY_ID: &str = "SELECT id, name, full_name, active, used_bytes, used_count, quota_bytes, \
     created_at FROM account WHERE id = ?1";
const INSERT: &str = "INSERT INTO account \
     (name, domain_id, full_name, active, quota_bytes, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
const SET_FULL_NAME: &str = "UPDATE account SET full_name = ?2 WHERE id = ?1";
const SET_QUOTA: &str = "UPDATE account SET quota_bytes = ?2 WHERE id = ?1";
const SET_STATE: &str = "UPDATE account SET active = ?2 WHERE id = ?1";
// Removes credentials, mailboxes and messages with it (ON DELETE CASCADE).
const DELETE: &str = "DELETE FROM account WHERE id = ?1";
const INSERT_CREDENTIAL: &str = "INSERT INTO credential \
     (account_id, kind, hash, scram_salt, scram_iterations, scram_stored_key, scram_server_key, \
     created_at) VALUES (?1, 'password', ?2, ?3, ?4, ?5, ?6, ?7)";
// Index: credential_account.
const DELETE_CREDENTIAL: &str =
    "DELETE FROM credential WHERE account_id = ?1 AND kind = 'password'";

/// The account with this folded name, or `None`.
pub(crate) fn recipient(rx: &mut dyn Reader, folded: &Address) -> Result<Option<Recipient>, Error> {
    let name = folded.to_string();
    Ok(rx.query_one(RECIPIENT, &[(&name).into()], |row| {
        Ok(Recipient {
            id: AccountId(row.int(0)?),
            address: address_at(row, 1)?,
            state: AccountState::from_code(row.int(2)?),
            quota_bytes: row.int(3)?,
            used_bytes: row.int(4)?,
            domain: DomainId(row.int(5)?),
        })
    })?)
}

/// Writes the account and its credential. The caller provisions mailboxes in the same transaction.
///
/// # Errors
/// [`Error::NotLocal`], [`Error::AliasDomain`]; [`Error::Exists`] when an account or an alias has
/// the name; [`Error::Quota`].
pub fn insert(tx: &mut dyn Tx, new: &PreparedAccount) -> Result<AccountId, Error> {
    let owner = domain::owner(tx, &new.address.domain)?;
    if recipient(tx, &new.address)?.is_some() {
        return Err(Error::Exists(format!("the account {}", new.address)));
    }
    if alias::exists(tx, owner.id, new.address.localpart.as_str())? {
        return Err(Error::Exists(format!("the alias {}", new.address)));
    }
    let quota = new.quota_bytes.map_or(Ok(owner.quota_bytes), octets)?;
    let (name, now) = (new.address.to_string(), tx.now());
    let id = tx
        .query_one(
            INSERT,
            &[
                (&name).into(),
                owner.id.into(),
                (&new.full_name).into(),
                new.state.code().into(),
                quota.into(),
                now.into(),
            ],
            |row| Ok(AccountId(row.int(0)?)),
        )?
        .ok_or(Error::Internal("no key for a new row"))?;
    write_credential(tx, id, &new.credential)?;
    tx.after_commit(Event::Directory);
    Ok(id)
}

fn write_credential(
    tx: &mut dyn Tx,
    account: AccountId,
    credential: &Credential,
) -> Result<(), Error> {
    let now = tx.now();
    let scram = credential.scram.as_ref();
    tx.exec(DELETE_CREDENTIAL, &[account.into()])?;
    tx.exec(
        INSERT_CREDENTIAL,
        &[
            account.into(),
            (&credential.hash).into(),
            scram.map(|scram| &scram.salt).into(),
            scram.map(|scram| scram.iterations).into(),
            scram.map(|scram| &scram.stored_key).into(),
            scram.map(|scram| &scram.server_key).into(),
            now.into(),
        ],
    )?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<AccountRecord, store::Error> {
    Ok(AccountRecord {
        id: AccountId(row.int(0)?),
        address: address_at(row, 1)?,
        full_name: row.text(2)?.to_owned(),
        state: AccountState::from_code(row.int(3)?),
        used_bytes: row.u64(4)?,
        used_count: row.u64(5)?,
        quota_bytes: row.u64(6)?,
        created_at: row.time(7)?,
    })
}

fn by_id(rx: &mut dyn Reader, id: AccountId) -> Result<AccountRecord, Error> {
    rx.query_one(BY_ID, &[id.into()], record)?
        .ok_or_else(|| not_found(id))
}

fn not_found(id: AccountId) -> Error {
    Error::NotFound(format!("account number {id}"))
}

/// Runs an UPDATE of one account.
fn change(
    tx: &mut dyn Tx,
    sql: &'static str,
    id: AccountId,
    value: store::Value<'_>,
) -> Result<(), Error> {
    if tx.exec(sql, &[id.into(), value])? == 0 {
        return Err(not_found(id));
    }
    tx.after_commit(Event::Directory);
    Ok(())
}

impl Directory {
    /// Checks a new account and hashes its password, so that [`insert`] can run in a transaction.
    ///
    /// # Errors
    /// Those of the password (`Password…`, `Hash…`), [`Error::Text`], [`Error::Busy`].
    pub async fn prepare_account(&self, new: NewAccount) -> Result<PreparedAccount, Error> {
        check_text(&new.full_name)?;
        Ok(PreparedAccount {
            address: fold_address(&new.address),
            full_name: new.full_name,
            credential: self.hasher.prepare(new.password).await?,
            quota_bytes: new.quota_bytes,
            state: new.state,
        })
    }

    /// Creates an account, and whatever `also` adds to it in the same transaction: this is where
    /// its mailboxes are provisioned. `also` may run more than once; wrap its errors in
    /// [`Error::hook`].
    ///
    /// # Errors
    /// Those of [`Directory::prepare_account`], of [`insert`] and of `also`.
    pub async fn create_account<F>(&self, new: NewAccount, mut also: F) -> Result<AccountId, Error>
    where
        F: FnMut(&mut dyn Tx, AccountId) -> Result<(), Error> + Send + 'static,
    {
        let prepared = self.prepare_account(new).await?;
        self.db
            .write(move |tx| {
                let id = insert(tx, &prepared)?;
                also(tx, id)?;
                Ok(id)
            })
            .await
    }

    /// Accounts in the order of their names, those of one domain or all.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown domain.
    pub async fn list_accounts(
        &self,
        of: Option<&Domain>,
        page: Page,
    ) -> Result<Vec<AccountRecord>, Error> {
        let of = of.cloned();
        self.db
            .read(move |rx| {
                let of: Option<DomainId> = domain::optional_id(rx, of.as_ref())?;
                let params = [(&page.after).into(), of.into(), page.limit.into()];
                Ok(rx.query_all(LIST, &params, record)?)
            })
            .await
    }

    /// One account by its name, in any letter case.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn account(&self, address: &Address) -> Result<AccountRecord, Error> {
        let name = fold_address(address).to_string();
        self.db
            .read(move |rx| {
                rx.query_one(BY_NAME, &[(&name).into()], record)?
                    .ok_or_else(|| Error::NotFound(format!("account {name}")))
            })
            .await
    }

    /// One account by its key.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn account_by_id(&self, id: AccountId) -> Result<AccountRecord, Error> {
        self.db.read(move |rx| by_id(rx, id)).await
    }

    /// Removes an account, after `before` has released what refers to it in the same transaction:
    /// this is where its mail gives back its blobs. The rows of its mail go with it, and so do
    /// the alias targets that name it, and aliases that have no other target.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of `before`.
    pub async fn remove_account<F>(&self, id: AccountId, mut before: F) -> Result<(), Error>
    where
        F: FnMut(&mut dyn Tx, AccountId) -> Result<(), Error> + Send + 'static,
    {
        self.db
            .write(move |tx| {
                let account = by_id(tx, id)?;
                before(tx, id)?;
                alias::forget_target(tx, &account.address)?;
                tx.exec(DELETE, &[id.into()])?;
                tx.after_commit(Event::Directory);
                Ok(())
            })
            .await
    }

    /// Replaces the password; sign-ins with the old one fail from the moment this returns.
    ///
    /// # Errors
    /// [`Error::NotFound`], those of the password (`Password…`, `Hash…`), [`Error::Busy`].
    pub async fn set_password(&self, id: AccountId, password: NewPassword) -> Result<(), Error> {
        let credential = self.hasher.prepare(password).await?;
        self.db
            .write(move |tx| {
                by_id(tx, id)?;
                write_credential(tx, id, &credential)?;
                tx.after_commit(Event::Directory);
                Ok(())
            })
            .await
    }

    /// Sets the quota in octets; 0 is unlimited.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Quota`].
    pub async fn set_quota(&self, id: AccountId, quota_bytes: u64) -> Result<(), Error> {
        let quota = octets(quota_bytes)?;
        self.db
            .write(move |tx| change(tx, SET_QUOTA, id, quota.into()))
            .await
    }

    /// Sets what the account may do. Sessions that are open stay open.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_active(&self, id: AccountId, state: AccountState) -> Result<(), Error> {
        self.db
            .write(move |tx| change(tx, SET_STATE, id, state.code().into()))
            .await
    }

    /// Sets the person's name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Text`].
    pub async fn set_full_name(&self, id: AccountId, full_name: String) -> Result<(), Error> {
        check_text(&full_name)?;
        self.db
            .write(move |tx| change(tx, SET_FULL_NAME, id, (&full_name).into()))
            .await
    }
}
