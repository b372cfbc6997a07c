//! The rows of `policy_setting`, and their changes.

use std::num::NonZeroU32;

use store::{Reader, Row, Tx, Value};

use super::{AllSettings, RateLimit, Settings, Thresholds};
use crate::owner::{Owner, score, thousandths};
use crate::revision::{Section, bump};
use crate::{Error, Policy};

/// Characters of a subject's prefix.
pub const LONGEST_PREFIX: usize = 100;

macro_rules! columns {
    () => {
        "greylist, junk, rewrite, quarantine, reject, discard, subject_prefix, tagged, spam, \
         limit_messages, limit_seconds"
    };
}

// Index: policy_setting_owner (unique).
const DELETE: &str = "DELETE FROM policy_setting \
     WHERE COALESCE(account_id, 0) = ?1 AND COALESCE(domain_id, 0) = ?2";
const INSERT: &str = concat!(
    "INSERT INTO policy_setting (",
    columns!(),
    ", account_id, domain_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
);
// Index: policy_setting_owner (unique).
const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM policy_setting WHERE COALESCE(account_id, 0) = ?1 AND COALESCE(domain_id, 0) = ?2"
);
// A scan: everything is loaded.
const LOAD: &str = concat!(
    "SELECT ",
    columns!(),
    ", account_id, domain_id FROM policy_setting"
);
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[DELETE, INSERT, FIND];

fn settings(row: &Row<'_>) -> Result<Settings, store::Error> {
    let column = |index, expected| store::Error::Column { index, expected };
    let at = |index| Ok::<_, store::Error>(row.opt_int(index)?.map(score));
    let positive = |index| match row.opt_int(index)? {
        None => Ok(None),
        Some(value) => match u32::try_from(value).ok().and_then(NonZeroU32::new) {
            None => Err(column(index, "a positive number")),
            found => Ok(found),
        },
    };
    Ok(Settings {
        thresholds: Thresholds {
            greylist: at(0)?,
            junk: at(1)?,
            rewrite: at(2)?,
            quarantine: at(3)?,
            reject: at(4)?,
            discard: at(5)?,
        },
        subject_prefix: row.opt_text(6)?.map(str::to_owned),
        tagged: match row.opt_text(7)? {
            None => None,
            Some(word) => Some(word.parse().map_err(|_| column(7, "a treatment"))?),
        },
        spam: match row.opt_text(8)? {
            None => None,
            Some(word) => Some(word.parse().map_err(|_| column(8, "a place"))?),
        },
        limit: match (positive(9)?, positive(10)?) {
            (Some(messages), Some(seconds)) => Some(RateLimit { messages, seconds }),
            _ => None,
        },
    })
}

fn set(tx: &mut dyn Tx, owner: Owner, settings: &Settings) -> Result<u64, Error> {
    owner.check(tx)?;
    tx.exec(DELETE, &owner.keys())?;
    if *settings != Settings::default() {
        let t = &settings.thresholds;
        let mut parameters = Vec::with_capacity(13);
        for threshold in [
            t.greylist,
            t.junk,
            t.rewrite,
            t.quarantine,
            t.reject,
            t.discard,
        ] {
            parameters.push(threshold.map(thousandths).transpose()?.into());
        }
        let limit = settings.limit;
        parameters.extend::<[Value<'_>; 5]>([
            settings.subject_prefix.as_deref().into(),
            settings.tagged.map(super::Tagged::name).into(),
            settings.spam.map(super::SpamPlace::name).into(),
            limit.map(|limit| limit.messages.get()).into(),
            limit.map(|limit| limit.seconds.get()).into(),
        ]);
        parameters.extend::<[Value<'_>; 2]>(owner.columns());
        tx.exec(INSERT, &parameters)?;
    }
    bump(tx, Section::Settings)
}

/// Reads everything.
pub(crate) fn load(rx: &mut dyn Reader) -> Result<AllSettings, Error> {
    let mut all = AllSettings::default();
    rx.query(LOAD, &[], &mut |row| {
        all.insert(Owner::at(row, 11, 12)?, settings(row)?);
        Ok(())
    })?;
    Ok(all)
}

impl Policy {
    /// Sets all settings of an owner; what is `None` is that of the next wider owner. Live when it
    /// returns; the answer is the new revision.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the owner, [`Error::Score`], [`Error::Name`] for the prefix.
    pub async fn set_settings(&self, owner: Owner, settings: Settings) -> Result<u64, Error> {
        if let Some(prefix) = &settings.subject_prefix
            && (prefix.chars().count() > LONGEST_PREFIX || prefix.chars().any(char::is_control))
        {
            return Err(Error::Name(
                "a subject's prefix has at most 100 characters and no control characters",
            ));
        }
        self.write(move |tx| set(tx, owner, &settings)).await
    }

    /// What an owner has set itself.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn settings(&self, owner: Owner) -> Result<Settings, Error> {
        self.db
            .read(move |rx| {
                let found = rx.query_one(FIND, &owner.keys(), settings)?;
                Ok(found.unwrap_or_default())
            })
            .await
    }
}
