//! Networks with a meaning: the rows of `policy_network`.
//!
//! Own networks are relays whose trace fields are believed; forwarding hosts bring mail that
//! somebody else has received before; an account can be limited to networks it may submit from.

use std::collections::HashSet;
use std::net::IpAddr;

use store::{AccountId, Reader, Row, Tx};

use crate::network::{Network, NetworkTable};
use crate::owner::{Owner, check_text, exists, words};
use crate::revision::{Section, bump};
use crate::{Error, Policy};

words! {
    /// What a network is for.
    Purpose, "purpose of a network" {
        /// It is ours: a relay in it is trusted.
        Own = "own",
        /// It forwards mail: no greylisting, and what its relays say of SPF does not count.
        Forwarding = "forwarding",
        /// It forwards mail, spam included: its mail is not filtered.
        ForwardingUnfiltered = "forwarding_unfiltered",
        /// An account may submit from it, and from nowhere else.
        Submission = "submission",
    }
}

/// What a forwarding host's mail is spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Greylisting and judgement by the host's address.
    Filtered,
    /// All filtering.
    Unfiltered,
}

/// A network to be added.
#[derive(Debug, Clone)]
pub struct NewNetwork {
    /// Which.
    pub network: Network,
    /// What for.
    pub purpose: Purpose,
    /// Whose submission it is about; `None` for all other purposes.
    pub account: Option<AccountId>,
    /// For people.
    pub comment: String,
}

/// A network as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRecord {
    /// Its key.
    pub id: i64,
    /// Which.
    pub network: Network,
    /// What for.
    pub purpose: Purpose,
    /// Whose submission it is about.
    pub account: Option<AccountId>,
    /// For people.
    pub comment: String,
}

/// Networks of one account, and of everybody.
pub const MOST_NETWORKS: usize = 20_000;

const INSERT: &str = "INSERT INTO policy_network \
     (account_id, purpose, network, comment, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
// Index: policy_network_value, all of an account.
const COUNT: &str = "SELECT COUNT(*) FROM policy_network WHERE COALESCE(account_id, 0) = ?1";
// Index: the primary key. Only what belongs to the account, or to everybody.
const DELETE: &str = "DELETE FROM policy_network WHERE id = ?2 AND COALESCE(account_id, 0) = ?1";
// Index: policy_network_value, in its order.
const LIST: &str = "SELECT id, network, purpose, account_id, comment FROM policy_network \
     WHERE COALESCE(account_id, 0) = ?1 ORDER BY network, purpose";
// A scan: everything is loaded.
const LOAD: &str = "SELECT id, network, purpose, account_id, comment FROM policy_network";
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, COUNT, DELETE, LIST];

fn owner(account: Option<AccountId>) -> Owner {
    account.map_or(Owner::Global, Owner::Account)
}

fn record(row: &Row<'_>) -> Result<NetworkRecord, store::Error> {
    let column = |index, expected| store::Error::Column { index, expected };
    Ok(NetworkRecord {
        id: row.int(0)?,
        network: row.text(1)?.parse().map_err(|_| column(1, "a network"))?,
        purpose: row.text(2)?.parse().map_err(|_| column(2, "a purpose"))?,
        account: row.opt_int(3)?.map(AccountId),
        comment: row.text(4)?.to_owned(),
    })
}

fn add(tx: &mut dyn Tx, new: &NewNetwork) -> Result<u64, Error> {
    let owner = owner(new.account);
    owner.check(tx)?;
    let [account, _] = owner.columns();
    let [key, _] = owner.keys();
    let network = new.network.to_string();
    let now = tx.now();
    tx.exec(
        INSERT,
        &[
            account,
            new.purpose.name().into(),
            (&network).into(),
            (&new.comment).into(),
            now.into(),
        ],
    )
    .map_err(|error| exists(error, || format!("the network {network}")))?;
    let count = tx.query_one(COUNT, &[key], |row| row.u64(0))?;
    if count.and_then(|count| usize::try_from(count).ok()) > Some(MOST_NETWORKS) {
        return Err(Error::TooMuch {
            what: "networks",
            most: MOST_NETWORKS,
        });
    }
    bump(tx, Section::Networks)
}

fn remove(tx: &mut dyn Tx, account: Option<AccountId>, id: i64) -> Result<u64, Error> {
    let [key, _] = owner(account).keys();
    if tx.exec(DELETE, &[key, id.into()])? == 0 {
        return Err(Error::NotFound(format!("network {id}")));
    }
    bump(tx, Section::Networks)
}

/// The networks in memory.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    own: NetworkTable<()>,
    forwarding: NetworkTable<Option<bool>>,
    submission: NetworkTable<HashSet<AccountId>>,
    /// Accounts that have networks to submit from.
    limited: HashSet<AccountId>,
}

impl Networks {
    fn add(&mut self, record: &NetworkRecord) {
        match (record.purpose, record.account) {
            (Purpose::Own, _) => *self.own.entry(record.network) = (),
            (Purpose::Forwarding, _) => {
                self.forwarding.entry(record.network).get_or_insert(false);
            }
            (Purpose::ForwardingUnfiltered, _) => {
                *self.forwarding.entry(record.network) = Some(true);
            }
            (Purpose::Submission, Some(account)) => {
                self.submission.entry(record.network).insert(account);
                self.limited.insert(account);
            }
            // Written by nobody, and means nothing.
            (Purpose::Submission, None) => {}
        }
    }

    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        !self.own.is_empty() && self.own.holding(address).next().is_some()
    }

    pub(crate) fn forwarding(&self, address: IpAddr) -> Option<Forwarding> {
        let unfiltered = self.forwarding.holding(address).flatten().next()?;
        Some(if *unfiltered {
            Forwarding::Unfiltered
        } else {
            Forwarding::Filtered
        })
    }

    pub(crate) fn may_submit(&self, account: AccountId, client: IpAddr) -> bool {
        !self.limited.contains(&account)
            || self
                .submission
                .holding(client)
                .any(|accounts| accounts.contains(&account))
    }
}

/// Reads everything.
pub(crate) fn load(rx: &mut dyn Reader) -> Result<Networks, Error> {
    let mut networks = Networks::default();
    rx.query(LOAD, &[], &mut |row| {
        networks.add(&record(row)?);
        Ok(())
    })?;
    Ok(networks)
}

impl Policy {
    /// Adds a network. Live when it returns; the answer is the new revision.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotFound`] for the account, [`Error::Text`],
    /// [`Error::TooMuch`]; [`Error::Name`] unless it has an account exactly when it is for
    /// submission.
    pub async fn add_network(&self, new: NewNetwork) -> Result<u64, Error> {
        check_text(&new.comment)?;
        if new.account.is_some() != (new.purpose == Purpose::Submission) {
            return Err(Error::Name(
                "submission networks have an account, no others do",
            ));
        }
        self.write(move |tx| add(tx, &new)).await
    }

    /// Removes a network of an account (for submission) or of everybody by its key.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_network(&self, account: Option<AccountId>, id: i64) -> Result<u64, Error> {
        self.write(move |tx| remove(tx, account, id)).await
    }

    /// The networks an account may submit from, or those of everybody.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn networks(&self, account: Option<AccountId>) -> Result<Vec<NetworkRecord>, Error> {
        let [key, _] = owner(account).keys();
        self.db
            .read(move |rx| Ok(rx.query_all(LIST, &[key], record)?))
            .await
    }
}
