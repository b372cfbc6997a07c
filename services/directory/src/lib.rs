//! Domains, accounts, aliases and credentials: who has which address, and who is who.
//!
//! [`Directory`] answers the two questions of every session, where mail for an address goes
//! ([`Directory::resolve`]) and whether a name and a password belong together
//! ([`Directory::authenticate`]), and changes the tables behind them for the administrator. Every
//! method that changes something returns after the change is on disk and announced, so that the
//! next answer already knows it.
//!
//! Not here: mailboxes and mail (`mail`; [`Directory::create_account`] has a hook for it), keys'
//! making and use (`mailauth`), limits on attempts.
//!
//! RFC 5321 §2.4 and §4.5.1 (local parts, postmaster), RFC 5233 (sub-addressing), RFC 6531
//! (internationalised local parts). Start at [`Directory`], then the modules `resolve`,
//! `authenticate` (behind a session's [`Exchange`]) and `password`.

#![deny(missing_docs)]

pub mod account;
mod administrator;
mod alias;
mod authenticate;
mod dkim;
mod domain;
mod error;
mod exchange;
mod name;
mod password;
mod resolve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ambient::{Clock, Random};
use smtp::address::Address;
use store::Db;

pub use account::{AccountRecord, AccountState, NewAccount, PreparedAccount};
pub use administrator::Administrator;
pub use alias::{AliasChange, AliasName, AliasRecord, MAX_TARGETS, NewAlias};
pub use authenticate::{Check, CredentialKind, CredentialSource, Identity, Protocol};
pub use dkim::{DkimAlgorithm, DkimKeyRecord, DkimKeyState, NewDkimKey, PrivateKey};
pub use domain::{DEFAULT_SEPARATOR, DomainChange, DomainRecord, NewDomain};
pub use error::{AuthError, Error};
pub use exchange::{Exchange, Step};
pub use password::{Hashing, HashingMetrics, MAX_PASSWORD, MIN_PASSWORD, NewPassword};
pub use resolve::{Expansion, LocalRecipient, MAX_DEPTH, MAX_EXPANSION, Resolution};
pub use store::{AccountId, DomainId};

use authenticate::Local;
use password::Hasher;
use resolve::Kept;

/// The directory of this server. Cheap to clone; clones share their caches.
#[derive(Debug, Clone)]
pub struct Directory {
    db: Db,
    hasher: Arc<Hasher>,
    sources: Vec<Arc<dyn CredentialSource>>,
    kept: Arc<Kept>,
    postmaster: Option<Arc<Address>>,
    /// Makes the SCRAM credentials of unknown names.
    scram_seed: Arc<[u8; 32]>,
}

impl Directory {
    /// The directory in `db`, with passwords of its own only and no designated postmaster.
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>, random: Arc<dyn Random>, hashing: Hashing) -> Self {
        let mut scram_seed = [0; 32];
        random.fill(&mut scram_seed);
        let hasher = Arc::new(Hasher::new(hashing, clock, random));
        let local = Local {
            db: db.clone(),
            hasher: Arc::clone(&hasher),
        };
        Self {
            kept: Arc::new(Kept::new(db.hub().directory())),
            sources: vec![Arc::new(local)],
            scram_seed: Arc::new(scram_seed),
            postmaster: None,
            hasher,
            db,
        }
    }

    /// Designates who gets the mail for the bare `<postmaster>` and for the postmaster of every
    /// domain that has neither an account nor an alias of that name.
    #[must_use]
    pub fn with_postmaster(self, address: Address) -> Self {
        let kept = Arc::new(Kept::new(self.db.hub().directory()));
        Self {
            postmaster: Some(Arc::new(address)),
            kept,
            ..self
        }
    }

    /// Adds a place where passwords are known, asked after those that are there already.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn CredentialSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// Sets the secret from which the SCRAM credentials of unknown names are made. When it stays
    /// the same over restarts, not even a restart tells a name that exists from one that does
    /// not; without it, each process takes a random one.
    #[must_use]
    pub fn with_scram_seed(self, seed: [u8; 32]) -> Self {
        Self {
            scram_seed: Arc::new(seed),
            ..self
        }
    }

    /// How much has been hashed since the start of the process.
    #[must_use]
    pub fn hashing_metrics(&self) -> HashingMetrics {
        self.hasher.metrics()
    }
}

/// A part of a long list, in the order of its names.
#[derive(Debug, Clone)]
pub struct Page {
    /// The last name of the part before; empty for the first part.
    pub after: String,
    /// The most entries to return.
    pub limit: u32,
}

impl Default for Page {
    /// The whole list.
    fn default() -> Self {
        Self {
            after: String::new(),
            limit: u32::MAX,
        }
    }
}
