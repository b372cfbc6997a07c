//! Thresholds and other settings of accounts, domains and everybody: the rows of `policy_setting`.
//!
//! What is not set for an account is that of its domain, what is not set there is everybody's.

mod limit;
mod table;

use std::collections::HashMap;

pub use limit::{RateLimit, RateLimitError};
pub use table::LONGEST_PREFIX;
#[cfg(test)]
pub(crate) use table::STATEMENTS;
pub(crate) use table::load;

use crate::owner::{Owner, words};

words! {
    /// What becomes of mail for a tagged address, `user+tag@`.
    Tagged, "treatment of tagged addresses" {
        /// Nothing.
        Plain = "plain",
        /// The subject begins with the tag.
        Subject = "subject",
        /// It goes into a folder of the tag's name.
        Subfolder = "subfolder",
    }
}

words! {
    /// Where spam that is not refused goes.
    SpamPlace, "place for spam" {
        /// The account's folder for it.
        Junk = "junk",
        /// The quarantine.
        Quarantine = "quarantine",
    }
}

/// From which score on what happens; `None` is not set.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// An unknown sender has to come again.
    pub greylist: Option<f32>,
    /// Marked in the header, and put into the folder for spam.
    pub junk: Option<f32>,
    /// The subject gets a prefix.
    pub rewrite: Option<f32>,
    /// Kept in the quarantine instead of delivered.
    pub quarantine: Option<f32>,
    /// Refused.
    pub reject: Option<f32>,
    /// Taken and thrown away.
    pub discard: Option<f32>,
}

/// What an account, a domain or everybody has set; `None` is not set.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// From which score on what happens.
    pub thresholds: Thresholds,
    /// What a rewritten subject begins with.
    pub subject_prefix: Option<String>,
    /// What becomes of mail for tagged addresses.
    pub tagged: Option<Tagged>,
    /// Where spam goes.
    pub spam: Option<SpamPlace>,
    /// How much may be submitted. That of an account is counted for it alone, that of a domain for
    /// all its accounts together.
    pub limit: Option<RateLimit>,
}

impl Thresholds {
    /// These, and `wider` where they are not set.
    #[must_use]
    pub fn or(self, wider: Self) -> Self {
        Self {
            greylist: self.greylist.or(wider.greylist),
            junk: self.junk.or(wider.junk),
            rewrite: self.rewrite.or(wider.rewrite),
            quarantine: self.quarantine.or(wider.quarantine),
            reject: self.reject.or(wider.reject),
            discard: self.discard.or(wider.discard),
        }
    }
}

/// The settings of all owners.
#[derive(Debug, Default)]
pub(crate) struct AllSettings(HashMap<Owner, Settings>);

impl AllSettings {
    pub(crate) fn insert(&mut self, owner: Owner, settings: Settings) {
        self.0.insert(owner, settings);
    }

    /// What is set, the narrowest owner's first.
    pub(crate) fn of<'a>(
        &'a self,
        owners: &'a [Owner],
    ) -> impl Iterator<Item = (Owner, &'a Settings)> {
        owners
            .iter()
            .filter_map(|owner| Some((*owner, self.0.get(owner)?)))
    }

    /// All of them together, the narrowest owner's counting most.
    pub(crate) fn effective(&self, owners: &[Owner]) -> Settings {
        self.of(owners)
            .fold(Settings::default(), |narrow, (_, wide)| Settings {
                thresholds: narrow.thresholds.or(wide.thresholds),
                subject_prefix: narrow
                    .subject_prefix
                    .or_else(|| wide.subject_prefix.clone()),
                tagged: narrow.tagged.or(wide.tagged),
                spam: narrow.spam.or(wide.spam),
                limit: narrow.limit.or(wide.limit),
            })
    }
}
