//! Names as keys: which spellings of a local part mean the same mailbox, and how identifiers and
//! addresses leave the crate as JSON.
//!
//! RFC 5321 §2.4: only the receiving domain may interpret a local part; this one ignores the
//! letter case of its own. A remote local part is never touched.

use serde::{Serialize, Serializer};
use smtp::address::{Address, Domain, Localpart};
use store::{AccountId, DomainId, Row};

use crate::Error;

/// Characters of a full name, description or comment.
pub(crate) const MAX_TEXT: usize = 255;

/// The local part under which a mailbox is stored and looked up.
pub(crate) fn fold(localpart: &Localpart) -> Localpart {
    let content = localpart.as_str();
    if !content.chars().any(char::is_uppercase) {
        return localpart.clone();
    }
    let lower = content.to_lowercase();
    // A few letters grow when lowered ("İ"); such a spelling stays as it is, so that no address
    // outgrows its limit.
    if lower.len() > content.len() {
        return localpart.clone();
    }
    Localpart::from_content(&lower).unwrap_or_else(|_| localpart.clone())
}

/// The address with its local part folded.
pub(crate) fn fold_address(address: &Address) -> Address {
    Address {
        localpart: fold(&address.localpart),
        domain: address.domain.clone(),
    }
}

/// A column that holds an address this crate wrote.
pub(crate) fn address_at(row: &Row<'_>, index: usize) -> Result<Address, store::Error> {
    Address::parse(row.text(index)?).map_err(|_| store::Error::Column {
        index,
        expected: "an address",
    })
}

/// A column that holds a domain this crate wrote.
pub(crate) fn domain_at(row: &Row<'_>, index: usize) -> Result<Domain, store::Error> {
    Domain::parse(row.text(index)?).map_err(|_| store::Error::Column {
        index,
        expected: "a domain",
    })
}

/// Refuses text that would upset a terminal or a header.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(Error::Text);
    }
    Ok(())
}

/// A count of octets as the database holds it.
pub(crate) fn octets(bytes: u64) -> Result<i64, Error> {
    i64::try_from(bytes).map_err(|_| Error::Quota)
}

pub(crate) fn as_text<S: Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn as_texts<S: Serializer>(
    values: &[Address],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

pub(crate) fn as_optional_text<S: Serializer>(
    value: &Option<impl std::fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value
        .as_ref()
        .map(ToString::to_string)
        .serialize(serializer)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
pub(crate) fn account_id<S: Serializer>(id: &AccountId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(id.0)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
pub(crate) fn domain_id<S: Serializer>(id: &DomainId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(id.0)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
pub(crate) fn seconds<S: Serializer>(
    time: &ambient::Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_of_every_script_is_folded_and_nothing_else() {
        for (written, key) in [
            ("Ann", "ann"),
            ("ann", "ann"),
            ("JÜRGEN", "jürgen"),
            ("ΓΙΏΡΓΟΣ", "γιώργος"),
            ("a.b+C", "a.b+c"),
            ("漢字", "漢字"),
            ("İX", "İX"),
        ] {
            let localpart = Localpart::parse(written).unwrap();
            assert_eq!(fold(&localpart).as_str(), key);
        }
    }
}
