//! Whom an account writes to, and which mail answers its own.
//!
//! Learned from mail the account sends. Addresses and message identifiers are kept as hashes.

use ambient::Timestamp;
use store::{AccountId, Db};

use crate::Error;
use crate::bounded::{Bounded, bounded};
use crate::hash::{fold, key};

/// Seconds for which a correspondent is remembered after the last mail to it.
pub const CORRESPONDENT_LIFETIME: i64 = 365 * 86_400;

/// Seconds for which an answer is recognised.
pub const SENT_LIFETIME: i64 = 90 * 86_400;

/// The most correspondents of all accounts together.
pub const MAX_CORRESPONDENTS: i64 = 2_000_000;

/// The most sent messages of all accounts together.
pub const MAX_SENT: i64 = 2_000_000;

/// Recipients of one message that are noted. A message to more is no correspondence.
pub const MAX_RECIPIENTS: usize = 100;

/// Identifiers of one message that are looked up, the last ones: References ends with the nearest.
pub const MAX_REFERENCES: usize = 16;

pub(crate) const BOUNDS: [Bounded; 2] = [
    bounded!(
        "correspondent",
        "account_id, peer",
        "last_at",
        MAX_CORRESPONDENTS,
        CORRESPONDENT_LIFETIME
    ),
    bounded!(
        "sent_message",
        "account_id, msgid_hash",
        "sent_at",
        MAX_SENT,
        SENT_LIFETIME
    ),
];

const NOTE_PEER: &str = "INSERT INTO correspondent (account_id, peer, sent, last_at)
     VALUES (?1, ?2, 1, ?3)
     ON CONFLICT (account_id, peer) DO UPDATE SET sent = correspondent.sent + 1, last_at = ?3";
const NOTE_SENT: &str = "INSERT INTO sent_message (account_id, msgid_hash, sent_at)
     VALUES (?1, ?2, ?3)
     ON CONFLICT (account_id, msgid_hash) DO NOTHING";
const FIND_PEER: &str =
    "SELECT sent, last_at FROM correspondent WHERE account_id = ?1 AND peer = ?2";
const FIND_SENT: &str = "SELECT 1 FROM sent_message WHERE account_id = ?1 AND msgid_hash = ?2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[NOTE_PEER, NOTE_SENT, FIND_PEER, FIND_SENT];

/// How an account has written to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correspondent {
    /// Messages sent to it.
    pub sent: u64,
    /// The last of them.
    pub last: Timestamp,
}

/// Whom accounts write to. A clone is another handle of the same.
#[derive(Debug, Clone)]
pub struct Correspondents {
    db: Db,
}

impl Correspondents {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Notes that `account` has sent a message. `message_id` is compared as it stands, without
    /// angle brackets. More than [`MAX_RECIPIENTS`] recipients are not noted.
    ///
    /// # Errors
    /// [`Error::NoAccount`], and those of the database.
    pub async fn note_sent(
        &self,
        account: AccountId,
        recipients: &[&str],
        message_id: Option<&str>,
    ) -> Result<(), Error> {
        let mut peers: Vec<i64> = recipients.iter().map(|address| peer(address)).collect();
        peers.sort_unstable();
        peers.dedup();
        if peers.len() > MAX_RECIPIENTS {
            peers.clear();
        }
        let message = message_id.map(identifier);
        if peers.is_empty() && message.is_none() {
            return Ok(());
        }
        self.db
            .write::<_, store::Error, _>(move |tx| {
                let now = tx.now();
                for &peer in &peers {
                    tx.exec(NOTE_PEER, &[account.into(), peer.into(), now.into()])?;
                }
                if let Some(message) = message {
                    tx.exec(NOTE_SENT, &[account.into(), message.into(), now.into()])?;
                }
                Ok(())
            })
            .await?;
        Ok(())
    }

    /// Whether and how `account` has written to `address`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn correspondent(
        &self,
        account: AccountId,
        address: &str,
    ) -> Result<Option<Correspondent>, Error> {
        let peer = peer(address);
        let found = self.db.read::<_, store::Error, _>(move |rx| {
            rx.query_one(FIND_PEER, &[account.into(), peer.into()], |row| {
                Ok(Correspondent {
                    sent: row.u64(0)?,
                    last: row.time(1)?,
                })
            })
        });
        Ok(found.await?)
    }

    /// Whether `account` has written to `address`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn is_correspondent(&self, account: AccountId, address: &str) -> Result<bool, Error> {
        Ok(self.correspondent(account, address).await?.is_some())
    }

    /// Whether one of the last [`MAX_REFERENCES`] message identifiers is of mail that `account` has
    /// sent. They come as in [`Correspondents::note_sent`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn answers(&self, account: AccountId, references: &[&str]) -> Result<bool, Error> {
        let last = references.iter().rev().take(MAX_REFERENCES);
        let identifiers: Vec<i64> = last.map(|text| identifier(text)).collect();
        if identifiers.is_empty() {
            return Ok(false);
        }
        let found = self.db.read::<_, store::Error, _>(move |rx| {
            for identifier in identifiers {
                let params = [account.into(), identifier.into()];
                if rx.query_one(FIND_SENT, &params, |_| Ok(()))?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        Ok(found.await?)
    }

    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        let mut deleted = 0;
        for bound in BOUNDS {
            deleted += bound.purge(&self.db, now).await?;
        }
        Ok(deleted)
    }
}

fn peer(address: &str) -> i64 {
    key("correspondent", &[fold(address).as_bytes()])
}

fn identifier(message_id: &str) -> i64 {
    let bare = message_id
        .trim()
        .trim_start_matches('<')
        .trim_end_matches('>');
    key("message-id", &[bare.as_bytes()])
}
