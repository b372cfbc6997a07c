//! Addresses with a role, and what is in accounts' address books: the rows of `address_role` and
//! `known_contact`.

use std::collections::{HashMap, HashSet};

use smtp::address::Address;
use store::{AccountId, Reader, Row, Tx};

use crate::owner::{Owner, check_text, words};
use crate::revision::{Section, bump};
use crate::sender::{folded, key};
use crate::{Error, Policy};

words! {
    /// What is special about an address of ours.
    Role, "role of an address" {
        /// Only senders of our own domains may write to it.
        Internal = "internal",
        /// What arrives there is learned as ham.
        HamTrap = "ham_trap",
        /// What arrives there is learned as spam.
        SpamTrap = "spam_trap",
    }
}

impl Role {
    /// The symbol of mail for an address with this role; of an internal one, of mail from outside.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Internal => "INTERNAL_ALIAS",
            Self::HamTrap => "HAM_TRAP",
            Self::SpamTrap => "SPAM_TRAP",
        }
    }
}

/// An address with a role, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RoleRecord {
    /// The address, lower case.
    pub address: String,
    /// Its role.
    pub role: Role,
    /// For people.
    pub comment: String,
}

/// Addresses with a role.
pub const MOST_ROLES: usize = 100_000;
/// Contacts of one account.
pub const MOST_CONTACTS: usize = 20_000;

// Index: address_role's primary key.
const SET_ROLE: &str = "INSERT INTO address_role (address, role, comment, created_at) \
     VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (address) DO UPDATE SET role = excluded.role, comment = excluded.comment";
const UNSET_ROLE: &str = "DELETE FROM address_role WHERE address = ?1";
// A scan, in the order of the primary key: the whole list is wanted.
const ROLES: &str = "SELECT address, role, comment FROM address_role ORDER BY address";
// Index: known_contact's primary key.
const CLEAR_CONTACTS: &str = "DELETE FROM known_contact WHERE account_id = ?1";
const ADD_CONTACT: &str = "INSERT INTO known_contact (account_id, address) VALUES (?1, ?2) \
     ON CONFLICT (account_id, address) DO NOTHING";
const CONTACTS: &str = "SELECT address FROM known_contact WHERE account_id = ?1 ORDER BY address";
// A scan: everything is loaded.
const ALL_CONTACTS: &str = "SELECT account_id, address FROM known_contact";
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[SET_ROLE, UNSET_ROLE, CLEAR_CONTACTS, ADD_CONTACT, CONTACTS];

/// Where dots in the local part mean nothing, and which has a second name.
const GOOGLE: &str = "gmail.com";

/// The form in which contacts are compared: lower case, without a tag; at Google without dots.
#[must_use]
pub fn contact_key(address: &str) -> Option<String> {
    let key = key(address)?;
    let Some((local, domain)) = key.rsplit_once('@') else {
        return Some(key);
    };
    let local = match local.split_once('+') {
        Some((user, _)) if !user.is_empty() => user,
        _ => local,
    };
    if domain == GOOGLE || domain == "googlemail.com" {
        return Some(format!("{}@{GOOGLE}", local.replace('.', "")));
    }
    Some(format!("{local}@{domain}"))
}

fn role(row: &Row<'_>) -> Result<RoleRecord, store::Error> {
    Ok(RoleRecord {
        address: row.text(0)?.to_owned(),
        role: row.text(1)?.parse().map_err(|_| store::Error::Column {
            index: 1,
            expected: "a role",
        })?,
        comment: row.text(2)?.to_owned(),
    })
}

fn set_role(tx: &mut dyn Tx, address: &str, role: Role, comment: &str) -> Result<u64, Error> {
    let now = tx.now();
    tx.exec(
        SET_ROLE,
        &[
            address.into(),
            role.name().into(),
            comment.into(),
            now.into(),
        ],
    )?;
    bump(tx, Section::Addresses)
}

fn unset_role(tx: &mut dyn Tx, address: &str) -> Result<u64, Error> {
    if tx.exec(UNSET_ROLE, &[address.into()])? == 0 {
        return Err(Error::NotFound(format!("role of {address}")));
    }
    bump(tx, Section::Addresses)
}

fn add_contacts(tx: &mut dyn Tx, account: AccountId, contacts: &[String]) -> Result<(), Error> {
    Owner::Account(account).check(tx)?;
    for contact in contacts {
        tx.exec(ADD_CONTACT, &[account.into(), contact.into()])?;
    }
    Ok(())
}

/// The roles in memory.
#[derive(Debug, Default)]
pub(crate) struct Roles(HashMap<String, Role>);

impl Roles {
    pub(crate) fn of(&self, address: &str) -> Option<Role> {
        self.0.get(&key(address)?).copied()
    }
}

/// Reads all roles.
pub(crate) fn load_roles(rx: &mut dyn Reader) -> Result<Roles, Error> {
    let mut roles = Roles::default();
    rx.query(ROLES, &[], &mut |row| {
        let RoleRecord { address, role, .. } = role(row)?;
        roles.0.insert(address, role);
        Ok(())
    })?;
    Ok(roles)
}

/// The contacts in memory.
#[derive(Debug, Default)]
pub(crate) struct Contacts(HashMap<AccountId, HashSet<Box<str>>>);

impl Contacts {
    pub(crate) fn knows(&self, account: AccountId, address: &str) -> bool {
        self.0.get(&account).is_some_and(|contacts| {
            contact_key(address).is_some_and(|key| contacts.contains(key.as_str()))
        })
    }
}

/// Reads all contacts.
pub(crate) fn load_contacts(rx: &mut dyn Reader) -> Result<Contacts, Error> {
    let mut contacts = Contacts::default();
    rx.query(ALL_CONTACTS, &[], &mut |row| {
        let account = AccountId(row.int(0)?);
        contacts
            .0
            .entry(account)
            .or_default()
            .insert(row.text(1)?.into());
        Ok(())
    })?;
    Ok(contacts)
}

impl Policy {
    /// Gives an address a role, in place of any it has. Live when it returns; the answer is the
    /// new revision.
    ///
    /// # Errors
    /// [`Error::Text`] for the comment; [`Error::TooMuch`].
    pub async fn set_role(
        &self,
        address: &Address,
        role: Role,
        comment: &str,
    ) -> Result<u64, Error> {
        check_text(comment)?;
        if self.snapshot().roles() >= MOST_ROLES {
            return Err(Error::TooMuch {
                what: "addresses with a role",
                most: MOST_ROLES,
            });
        }
        let (address, comment) = (folded(address), comment.to_owned());
        self.write(move |tx| set_role(tx, &address, role, &comment))
            .await
    }

    /// Takes an address's role away.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn unset_role(&self, address: &Address) -> Result<u64, Error> {
        let address = folded(address);
        self.write(move |tx| unset_role(tx, &address)).await
    }

    /// All addresses with a role, in their order.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn all_roles(&self) -> Result<Vec<RoleRecord>, Error> {
        self.db.read(|rx| Ok(rx.query_all(ROLES, &[], role)?)).await
    }

    /// Sets what is in an account's address books, in place of what was known of them.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the account, [`Error::TooMuch`].
    pub async fn set_contacts(
        &self,
        account: AccountId,
        addresses: &[Address],
    ) -> Result<u64, Error> {
        if addresses.len() > MOST_CONTACTS {
            return Err(Error::TooMuch {
                what: "contacts of an account",
                most: MOST_CONTACTS,
            });
        }
        let keys: Vec<String> = addresses
            .iter()
            .filter_map(|address| contact_key(&folded(address)))
            .collect();
        self.write(move |tx| {
            tx.exec(CLEAR_CONTACTS, &[account.into()])?;
            add_contacts(tx, account, &keys)?;
            bump(tx, Section::Contacts)
        })
        .await
    }

    /// The contacts known of an account, in the form in which they are compared.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn contacts(&self, account: AccountId) -> Result<Vec<String>, Error> {
        self.db
            .read(move |rx| {
                Ok(rx.query_all(CONTACTS, &[account.into()], |row| {
                    Ok(row.text(0)?.to_owned())
                })?)
            })
            .await
    }
}

impl Roles {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_compared_without_tags_and_googles_dots() {
        for (address, wanted) in [
            ("Ann+shop@Example.test", Some("ann@example.test")),
            ("a.n.n@example.test", Some("a.n.n@example.test")),
            ("A.n.n+x@GoogleMail.com", Some("ann@gmail.com")),
            ("ann@gmail.com", Some("ann@gmail.com")),
            ("+x@example.test", Some("+x@example.test")),
            ("", None),
        ] {
            assert_eq!(contact_key(address).as_deref(), wanted, "{address}");
        }
    }
}
