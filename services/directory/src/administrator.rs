//! Administrators: the rows of `administrator`. They are not accounts and receive no mail.

use ambient::Timestamp;
use sasl::Secret;
use serde::Serialize;
use store::{Event, Reader, Row, Tx};

use crate::name::seconds;
use crate::password::{Credential, Match, NewPassword, Owner};
use crate::{AuthError, Directory, Error};

/// Characters of an administrator's name.
const MAX_NAME: usize = 64;

/// An administrator as stored, without the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Administrator {
    /// The key.
    pub id: i64,
    /// What they sign in with, in lower case.
    pub name: String,
    /// When they were added.
    #[serde(serialize_with = "seconds")]
    pub created_at: Timestamp,
}

// Index: administrator.name (unique), for all of them.
const LIST: &str = "SELECT id, name, created_at FROM administrator ORDER BY name";
const FIND: &str = "SELECT id, name, created_at, hash FROM administrator WHERE name = ?1";
const COUNT: &str = "SELECT COUNT(*) FROM administrator";
const INSERT: &str =
    "INSERT INTO administrator (name, hash, created_at) VALUES (?1, ?2, ?3) RETURNING id";
const SET_HASH: &str = "UPDATE administrator SET hash = ?2 WHERE name = ?1";
const REPLACE_HASH: &str = "UPDATE administrator SET hash = ?3 WHERE id = ?1 AND hash = ?2";
const DELETE: &str = "DELETE FROM administrator WHERE name = ?1";

fn record(row: &Row<'_>) -> Result<Administrator, store::Error> {
    Ok(Administrator {
        id: row.int(0)?,
        name: row.text(1)?.to_owned(),
        created_at: row.time(2)?,
    })
}

fn find(rx: &mut dyn Reader, name: &str) -> Result<Option<(Administrator, String)>, Error> {
    let columns = |row: &Row<'_>| Ok((record(row)?, row.text(3)?.to_owned()));
    Ok(rx.query_one(FIND, &[name.into()], columns)?)
}

fn insert(tx: &mut dyn Tx, name: &str, credential: &Credential) -> Result<i64, Error> {
    if find(tx, name)?.is_some() {
        return Err(Error::Exists(format!("the administrator {name}")));
    }
    let now = tx.now();
    tx.query_one(
        INSERT,
        &[name.into(), (&credential.hash).into(), now.into()],
        |row| row.int(0),
    )?
    .ok_or(Error::Internal("no key for a new row"))
}

fn remove(tx: &mut dyn Tx, name: &str) -> Result<(), Error> {
    if tx.exec(DELETE, &[name.into()])? == 0 {
        return Err(not_found(name));
    }
    match tx.query_one(COUNT, &[], |row| row.int(0))? {
        Some(1..) => Ok(()),
        _ => Err(Error::LastAdministrator),
    }
}

fn not_found(name: &str) -> Error {
    Error::NotFound(format!("administrator {name}"))
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

impl Directory {
    /// Adds an administrator. Their name ignores letter case.
    ///
    /// # Errors
    /// [`Error::AdministratorName`], [`Error::Exists`], those of the password (`Password…`),
    /// [`Error::Busy`].
    pub async fn create_administrator(&self, name: &str, password: Secret) -> Result<i64, Error> {
        let name = fold(name);
        let is_printable = |c: char| !c.is_whitespace() && !c.is_control();
        if name.is_empty() || name.chars().count() > MAX_NAME || !name.chars().all(is_printable) {
            return Err(Error::AdministratorName);
        }
        let credential = self.hasher.prepare(NewPassword::Clear(password)).await?;
        self.db
            .write(move |tx| insert(tx, &name, &credential))
            .await
    }

    /// All administrators in the order of their names.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn list_administrators(&self) -> Result<Vec<Administrator>, Error> {
        self.db
            .read(|rx| Ok(rx.query_all(LIST, &[], record)?))
            .await
    }

    /// Replaces an administrator's password.
    ///
    /// # Errors
    /// [`Error::NotFound`], those of the password (`Password…`), [`Error::Busy`].
    pub async fn set_administrator_password(
        &self,
        name: &str,
        password: Secret,
    ) -> Result<(), Error> {
        let name = fold(name);
        let credential = self.hasher.prepare(NewPassword::Clear(password)).await?;
        self.db
            .write(move |tx| {
                if tx.exec(SET_HASH, &[(&name).into(), (&credential.hash).into()])? == 0 {
                    return Err(not_found(&name));
                }
                tx.after_commit(Event::Directory);
                Ok(())
            })
            .await
    }

    /// Removes an administrator.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::LastAdministrator`].
    pub async fn remove_administrator(&self, name: &str) -> Result<(), Error> {
        let name = fold(name);
        self.db
            .write(move |tx| {
                remove(tx, &name)?;
                tx.after_commit(Event::Directory);
                Ok(())
            })
            .await
    }

    /// Signs an administrator in. Takes as long for an unknown name as for a wrong password.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] or [`AuthError::Unavailable`].
    pub async fn verify_administrator(
        &self,
        name: &str,
        password: &Secret,
    ) -> Result<Administrator, AuthError> {
        crate::authenticate::check_length(password)?;
        self.check_administrator(fold(name), password)
            .await
            .map_err(crate::authenticate::unavailable)?
            .ok_or(AuthError::Invalid)
    }

    async fn check_administrator(
        &self,
        name: String,
        password: &Secret,
    ) -> Result<Option<Administrator>, Error> {
        let Some((administrator, hash)) = self.db.read(move |rx| find(rx, &name)).await? else {
            self.hasher.waste(password).await?;
            return Ok(None);
        };
        let owner = Owner::Administrator(administrator.id);
        match self.hasher.check(owner, &hash, password).await? {
            Match::No => return Ok(None),
            Match::Yes => {}
            Match::Outdated => {
                let new = self.hasher.hash(password).await?.hash;
                self.hasher.remember_new(owner, &new, password);
                let id = administrator.id;
                self.db
                    .write(move |tx| -> Result<_, Error> {
                        let params = [id.into(), (&hash).into(), (&new).into()];
                        Ok(tx.exec(REPLACE_HASH, &params)?)
                    })
                    .await?;
            }
        }
        Ok(Some(administrator))
    }
}
