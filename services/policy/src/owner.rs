//! Whose something is, and small values as the database holds them.

use store::{AccountId, DomainId, Error as StoreError, Reader, Row, Value, Violation};

use crate::Error;

/// Whom an entry or setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Everybody.
    Global,
    /// A domain's accounts.
    Domain(DomainId),
    /// One account.
    Account(AccountId),
}

// Index: the primary keys.
const ACCOUNT: &str = "SELECT 1 FROM account WHERE id = ?1";
const DOMAIN: &str = "SELECT 1 FROM domain WHERE id = ?1";
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ACCOUNT, DOMAIN];

impl Owner {
    /// The columns `account_id` and `domain_id`, NULL where they do not apply.
    pub(crate) fn columns(self) -> [Value<'static>; 2] {
        match self {
            Self::Global => [Value::Null, Value::Null],
            Self::Domain(id) => [Value::Null, id.into()],
            Self::Account(id) => [id.into(), Value::Null],
        }
    }

    /// The same with 0 for NULL, as the indexes have them.
    pub(crate) fn keys(self) -> [Value<'static>; 2] {
        self.columns().map(|value| match value {
            Value::Null => Value::Int(0),
            other => other,
        })
    }

    pub(crate) fn at(row: &Row<'_>, account: usize, domain: usize) -> Result<Self, StoreError> {
        Ok(match (row.opt_int(account)?, row.opt_int(domain)?) {
            (Some(id), _) => Self::Account(AccountId(id)),
            (None, Some(id)) => Self::Domain(DomainId(id)),
            (None, None) => Self::Global,
        })
    }

    /// Refuses accounts and domains that do not exist.
    pub(crate) fn check(self, rx: &mut dyn Reader) -> Result<(), Error> {
        let (sql, id, what) = match self {
            Self::Global => return Ok(()),
            Self::Domain(id) => (DOMAIN, id.0, "domain"),
            Self::Account(id) => (ACCOUNT, id.0, "account"),
        };
        rx.query_one(sql, &[id.into()], |_| Ok(()))?
            .ok_or_else(|| Error::NotFound(format!("{what} {id}")))
    }
}

/// Scores lie between this and its negative.
pub const LARGEST_SCORE: f32 = rules::MAX_SCORE;

/// A score as the database holds it.
pub(crate) fn thousandths(score: f32) -> Result<i64, Error> {
    if !(-LARGEST_SCORE..=LARGEST_SCORE).contains(&score) {
        return Err(Error::Score);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked, and the fraction is rounded away"
    )]
    let stored = (f64::from(score) * 1000.0).round() as i64;
    Ok(stored)
}

/// The score that [`thousandths`] has stored.
pub(crate) fn score(stored: i64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest number of 32 bits is meant"
    )]
    let score = (stored as f64 / 1000.0) as f32;
    score
}

/// Characters of a comment or description.
const MOST_TEXT: usize = 1_000;

/// Refuses text that would upset a terminal or a header.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    if text.len() > MOST_TEXT * 4
        || text.chars().count() > MOST_TEXT
        || text.chars().any(char::is_control)
    {
        return Err(Error::Text);
    }
    Ok(())
}

/// Turns a refused duplicate into a sentence.
pub(crate) fn exists(error: StoreError, what: impl FnOnce() -> String) -> Error {
    match error {
        StoreError::Constraint(Violation::Unique) => Error::Exists(what()),
        other => Error::Store(other),
    }
}

/// An enum whose variants are words in the database and in JSON.
macro_rules! words {
    ($(#[$outer:meta])* $kind:ident, $what:literal {
        $($(#[$inner:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$outer])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $kind {
            $($(#[$inner])* #[serde(rename = $word)] $variant,)+
        }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in the database, in the API and on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $kind {
            type Err = crate::Error;

            fn from_str(text: &str) -> Result<Self, crate::Error> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.name() == text)
                    .ok_or(crate::Error::Unknown($what))
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_survive_the_database() {
        for value in [
            0.0, 0.1, -0.1, 0.001, 2050.0, -2050.0, 9_999.9, 7.35, -10_000.0,
        ] {
            assert_eq!(score(thousandths(value).unwrap()), value);
        }
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 10_000.1, -1e9] {
            assert!(matches!(thousandths(wrong), Err(Error::Score)), "{wrong}");
        }
    }
}
