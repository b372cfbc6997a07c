//! Signing in: who is it, and may they.
//!
//! [`Directory::authenticate`] asks its [`CredentialSource`]s one after the other whether a name
//! and a password belong together, then looks at the account's state. A client learns nothing
//! from the answer or its time but whether the password was right: an unknown name costs the hash
//! of a known one, and only who knows the password is told that an account is switched off.
//!
//! What time still tells: until its first sign-in, an account with an imported hash that is slower
//! than ours takes as long as that hash.
//!
//! Not here: limits on attempts and bans, which belong to the sessions that know the client.

use std::fmt;
use std::sync::Arc;

use ambient::Timestamp;
use futures_util::future::BoxFuture;
use sasl::{ScramCredential, Secret};
use smtp::address::Address;
use store::{AccountId, Db, Reader, Row, Tx};

use crate::account::AccountState;
use crate::name::{address_at, fold_address};
use crate::password::{Credential, Hasher, MAX_PASSWORD, Match, Owner};
use crate::{AuthError, Directory, Error};

/// The most passwords an account can have.
const MAX_CREDENTIALS: usize = 16;
/// A credential's time of use is written at most once in so many seconds.
const USED_RESOLUTION: i64 = 3_600;

/// What a client signs in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Submission.
    Smtp,
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// ManageSieve.
    Sieve,
    /// The web interface.
    Web,
}

/// An account that has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// Its name, in lower case.
    pub login: Address,
    /// What it signed in with.
    pub kind: CredentialKind,
}

/// What an account signed in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// Its password, shown or proved.
    Password,
}

/// What a source says about a name and a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// They belong together; this is the account.
    Right(AccountId),
    /// The source is responsible for the name, and the password is wrong.
    Wrong,
    /// The source does not know the name: the next one may.
    Unknown,
}

/// Where passwords are known: this server's own database, and one day LDAP or OpenID Connect.
pub trait CredentialSource: Send + Sync + fmt::Debug {
    /// Checks a password of 1 to [`MAX_PASSWORD`] octets. `login` is folded to lower case.
    /// An unknown name must take as long as a wrong password.
    fn check<'a>(
        &'a self,
        login: &'a Address,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<Check, Error>>;
}

/// The credentials of this server's own database.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) db: Db,
    pub(crate) hasher: Arc<Hasher>,
}

/// A row of `credential` with a password.
struct StoredCredential {
    id: i64,
    account: AccountId,
    hash: String,
    has_scram: bool,
    used_at: Option<Timestamp>,
}

// Indexes: account.name (unique), credential_account.
const CREDENTIALS: &str = "SELECT credential.id, credential.account_id, credential.hash, \
     CASE WHEN credential.scram_stored_key IS NULL THEN 0 ELSE 1 END, credential.used_at \
     FROM account JOIN credential ON credential.account_id = account.id \
     WHERE account.name = ?1 AND credential.kind = 'password' ORDER BY credential.id LIMIT 16";
const SCRAM: &str = "SELECT credential.account_id, credential.scram_salt, \
     credential.scram_iterations, credential.scram_stored_key, credential.scram_server_key \
     FROM account JOIN credential ON credential.account_id = account.id \
     WHERE account.name = ?1 AND credential.kind = 'password' \
     AND credential.scram_stored_key IS NOT NULL ORDER BY credential.id LIMIT 1";
const IDENTITY: &str = "SELECT account.name, account.active, domain.active \
     FROM account JOIN domain ON domain.id = account.domain_id WHERE account.id = ?1";
const SET_USED: &str = "UPDATE credential SET used_at = ?2 WHERE id = ?1";
// Only if the password was not changed meanwhile.
const REPLACE_HASH: &str = "UPDATE credential SET hash = ?3, scram_salt = ?4, \
     scram_iterations = ?5, scram_stored_key = ?6, scram_server_key = ?7 \
     WHERE id = ?1 AND hash = ?2";

fn credentials(rx: &mut dyn Reader, login: &str) -> Result<Vec<StoredCredential>, Error> {
    Ok(rx.query_all(CREDENTIALS, &[login.into()], |row| {
        Ok(StoredCredential {
            id: row.int(0)?,
            account: AccountId(row.int(1)?),
            hash: row.text(2)?.to_owned(),
            has_scram: row.bool(3)?,
            used_at: row.opt_int(4)?.map(Timestamp),
        })
    })?)
}

impl CredentialSource for Local {
    fn check<'a>(
        &'a self,
        login: &'a Address,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<Check, Error>> {
        Box::pin(async move {
            let name = login.to_string();
            let stored = self.db.read(move |rx| credentials(rx, &name)).await?;
            if stored.is_empty() {
                self.hasher.waste(password).await?;
                return Ok(Check::Unknown);
            }
            for credential in stored.into_iter().take(MAX_CREDENTIALS) {
                let owner = Owner::Credential(credential.id);
                let found = self.hasher.check(owner, &credential.hash, password).await?;
                if found != Match::No {
                    let account = credential.account;
                    if let Err(error) = self.refresh(credential, found, password).await {
                        tracing::warn!(%account, %error, "could not refresh a credential");
                    }
                    return Ok(Check::Right(account));
                }
            }
            Ok(Check::Wrong)
        })
    }
}

impl Local {
    /// Replaces an outdated hash, adds a missing SCRAM verifier and notes the time of use. The
    /// sign-in is good whether this succeeds or not.
    async fn refresh(
        &self,
        stored: StoredCredential,
        found: Match,
        password: &Secret,
    ) -> Result<(), Error> {
        let owner = Owner::Credential(stored.id);
        let is_outdated = found == Match::Outdated || !stored.has_scram;
        let new = if is_outdated {
            Some(self.hasher.hash(password).await?)
        } else {
            None
        };
        let new_hash = new.as_ref().map(|new| new.hash.clone());
        let now = self.hasher.now();
        let is_due = stored
            .used_at
            .is_none_or(|used| now.since(used).abs() >= USED_RESOLUTION);
        if new.is_none() && !is_due {
            return Ok(());
        }
        self.db
            .write(move |tx| write_refreshed(tx, &stored, new.as_ref()))
            .await?;
        if let Some(hash) = new_hash {
            self.hasher.remember_new(owner, &hash, password);
        }
        Ok(())
    }
}

fn write_refreshed(
    tx: &mut dyn Tx,
    stored: &StoredCredential,
    new: Option<&Credential>,
) -> Result<(), Error> {
    let now = tx.now();
    tx.exec(SET_USED, &[stored.id.into(), now.into()])?;
    let Some(new) = new else { return Ok(()) };
    let scram = new.scram.as_ref();
    tx.exec(
        REPLACE_HASH,
        &[
            stored.id.into(),
            (&stored.hash).into(),
            (&new.hash).into(),
            scram.map(|scram| &scram.salt).into(),
            scram.map(|scram| scram.iterations).into(),
            scram.map(|scram| &scram.stored_key).into(),
            scram.map(|scram| &scram.server_key).into(),
        ],
    )?;
    Ok(())
}

fn scram_credential(row: &Row<'_>) -> Result<(AccountId, ScramCredential), store::Error> {
    let key = |index| {
        let bytes = row.bytes(index)?;
        bytes.try_into().map_err(|_| store::Error::Column {
            index,
            expected: "32 bytes",
        })
    };
    let credential = ScramCredential {
        salt: row.bytes(1)?.to_vec(),
        iterations: row.u32(2)?,
        stored_key: key(3)?,
        server_key: key(4)?,
    };
    Ok((AccountId(row.int(0)?), credential))
}

/// A password nobody can have is wrong for everybody, without a look at the name.
pub(crate) fn check_length(password: &Secret) -> Result<(), AuthError> {
    match password.expose().len() {
        1..=MAX_PASSWORD => Ok(()),
        _ => Err(AuthError::Invalid),
    }
}

/// What the client is told when we cannot tell.
pub(crate) fn unavailable(error: Error) -> AuthError {
    tracing::warn!(%error, source = ?std::error::Error::source(&error), "sign-in failed for lack of an answer");
    AuthError::Unavailable
}

impl Directory {
    /// Signs in with a name and a password. The name is the account's own address, in any letter
    /// case; not one of its aliases.
    ///
    /// # Errors
    /// [`AuthError`]: unknown names and wrong passwords are both [`AuthError::Invalid`].
    pub async fn authenticate(
        &self,
        login: &str,
        password: &Secret,
        protocol: Protocol,
    ) -> Result<Identity, AuthError> {
        check_length(password)?;
        let check = match Address::parse(login) {
            Ok(login) => self.ask_sources(&fold_address(&login), password).await,
            Err(_) => self.hasher.waste(password).await.map(|()| Check::Unknown),
        };
        match check.map_err(unavailable)? {
            Check::Right(account) => {
                let identity = self.identity(account).await;
                tracing::debug!(?protocol, %account, ok = identity.is_ok(), "password accepted");
                identity
            }
            Check::Wrong | Check::Unknown => Err(AuthError::Invalid),
        }
    }

    async fn ask_sources(&self, login: &Address, password: &Secret) -> Result<Check, Error> {
        for source in &self.sources {
            match source.check(login, password).await? {
                Check::Unknown => {}
                known => return Ok(known),
            }
        }
        Ok(Check::Unknown)
    }

    /// The account behind a sign-in whose password has been proved, if it may sign in.
    ///
    /// # Errors
    /// [`AuthError::Disabled`]; [`AuthError::Invalid`] when the account is gone.
    pub async fn identity(&self, account: AccountId) -> Result<Identity, AuthError> {
        let row = self
            .db
            .read(move |rx| -> Result<_, Error> {
                Ok(rx.query_one(IDENTITY, &[account.into()], |row| {
                    Ok((
                        address_at(row, 0)?,
                        AccountState::from_code(row.int(1)?),
                        row.bool(2)?,
                    ))
                })?)
            })
            .await
            .map_err(unavailable)?;
        match row {
            None => Err(AuthError::Invalid),
            Some((login, AccountState::Active, true)) => Ok(Identity {
                account,
                login,
                kind: CredentialKind::Password,
            }),
            Some(_) => Err(AuthError::Disabled),
        }
    }

    /// What a SCRAM exchange needs for this name. For an unknown name, and for an account whose
    /// password we have only as an imported hash, it is a credential that no password fits and
    /// that stays the same for the same name. After the exchange has succeeded, ask
    /// [`Directory::identity`].
    ///
    /// # Errors
    /// [`AuthError::Unavailable`].
    pub async fn scram(
        &self,
        login: &str,
    ) -> Result<(Option<AccountId>, ScramCredential), AuthError> {
        let address = Address::parse(login).map(|login| fold_address(&login).to_string());
        let name = address.unwrap_or_else(|_| login.to_lowercase());
        let key = name.clone();
        let found = self
            .db
            .read(move |rx| -> Result<_, Error> {
                Ok(rx.query_one(SCRAM, &[(&key).into()], scram_credential)?)
            })
            .await
            .map_err(unavailable)?;
        Ok(match found {
            Some((account, credential)) => (Some(account), credential),
            None => (None, ScramCredential::dummy(&*self.scram_seed, &name)),
        })
    }
}
