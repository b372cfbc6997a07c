//! What was decided and why, kept for whoever asks later: `muskox message why`.
//!
//! A record is written in the transaction that accepts a message, and on its own for one that was
//! refused. It outlives neither its usefulness nor its bound: see [`KEEP`].

use ambient::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Db, Tx};

use crate::input::Input;
use crate::signal::{Scope, Signal};
use crate::verdict::{Timing, Verdict};

/// Seconds that a record is kept.
pub const KEEP: i64 = 30 * 86_400;
/// Rows that one transaction deletes.
const CHUNK: u32 = 500;
/// Recipients that one record names.
const MAX_RECIPIENTS: usize = 50;
/// Octets of a record, unpacked.
const MAX_RECORD: usize = 4 << 20;
/// How hard to pack.
const LEVEL: i32 = 3;
/// Characters kept of a text that a stranger wrote.
const MAX_TEXT: usize = 300;

const INSERT: &str = "INSERT INTO verdict (id, message_id, created_at, action, score, record) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET \
     message_id = excluded.message_id, created_at = excluded.created_at, \
     action = excluded.action, score = excluded.score, record = excluded.record";
const BY_ID: &str = "SELECT record FROM verdict WHERE id = ?1";
// Along verdict_message_id.
const BY_MESSAGE_ID: &str =
    "SELECT record FROM verdict WHERE message_id = ?1 ORDER BY created_at DESC LIMIT 10";
// Along verdict_created.
const LATEST: &str = "SELECT record FROM verdict ORDER BY created_at DESC LIMIT ?1";
// Along verdict_created.
const PURGE: &str = "DELETE FROM verdict WHERE id IN \
     (SELECT id FROM verdict WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, BY_MESSAGE_ID, LATEST, PURGE];

/// One signal of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedSignal {
    /// Its name.
    pub symbol: String,
    /// What it counted.
    #[serde(serialize_with = "points")]
    pub score: f32,
    /// What was noticed.
    pub description: String,
    /// Particulars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The one recipient for whom it counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
}

impl From<&Signal> for RecordedSignal {
    fn from(signal: &Signal) -> Self {
        Self {
            symbol: signal.symbol.to_string(),
            score: signal.score,
            description: signal.description.to_string(),
            options: signal.options.clone(),
            recipient: match &signal.scope {
                Scope::Message => None,
                Scope::Recipient(address) => Some(address.to_string()),
            },
        }
    }
}

/// What happened to the copy of one recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedShare {
    /// Who.
    pub recipient: String,
    /// The score with what counted for this recipient alone.
    #[serde(serialize_with = "points")]
    pub score: f32,
    /// What was decided.
    pub action: String,
}

/// One verdict, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the reply and the Received field named.
    pub id: String,
    /// Seconds since 1970.
    pub at: i64,
    /// The message's own identifier, without angle brackets; empty without one.
    pub message_id: String,
    /// The client.
    pub ip: String,
    /// What it called itself.
    pub helo: String,
    /// The envelope sender; empty for a report.
    pub sender: String,
    /// The subject, decoded.
    pub subject: String,
    /// Octets.
    pub size: u64,
    /// What the server did.
    pub action: String,
    /// The score that counts for everyone.
    #[serde(serialize_with = "points")]
    pub score: f32,
    /// From which score on it would have been spam.
    #[serde(serialize_with = "points")]
    pub required: f32,
    /// The revision of the rules.
    pub revision: u64,
    /// How long it took, in microseconds.
    pub timing: Timing,
    /// The recipients, at most 50.
    pub recipients: Vec<RecordedShare>,
    /// Everything that was noticed.
    pub signals: Vec<RecordedSignal>,
}

/// A score as people write it.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn points<S: serde::Serializer>(score: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((f64::from(*score) * 1_000.0).round() / 1_000.0)
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// A message's identifier, without its angle brackets.
pub(crate) fn message_id(summary: &mime::Summary) -> String {
    let id = summary.envelope.message_id.as_deref().unwrap_or_default();
    let id = String::from_utf8_lossy(id);
    short(id.trim().trim_start_matches('<').trim_end_matches('>'))
}

impl Record {
    /// The record of a verdict under the name `id`.
    #[must_use]
    pub fn new(id: &str, at: Timestamp, input: &Input, verdict: &Verdict) -> Self {
        let subject = input
            .summary
            .envelope
            .subject
            .as_deref()
            .unwrap_or_default();
        Self {
            id: id.to_owned(),
            at: at.0,
            message_id: message_id(&input.summary),
            ip: input.ip.to_canonical().to_string(),
            helo: short(&input.helo),
            sender: input.sender(),
            subject: short(&mime::decode::header_text(subject)),
            size: u64::try_from(input.raw.len()).unwrap_or(u64::MAX),
            action: verdict.action.name().to_owned(),
            score: verdict.score,
            required: verdict.thresholds.spam(),
            revision: verdict.revision,
            timing: verdict.timing,
            recipients: verdict
                .shares
                .iter()
                .take(MAX_RECIPIENTS)
                .map(|share| RecordedShare {
                    recipient: share.recipient.to_string(),
                    score: share.score,
                    action: share.action.name().to_owned(),
                })
                .collect(),
            signals: verdict.signals.iter().map(RecordedSignal::from).collect(),
        }
    }

    /// Ready to be written, more than once if need be.
    #[must_use]
    pub fn packed(&self) -> PackedRecord {
        let text = serde_json::to_vec(self).unwrap_or_default();
        PackedRecord {
            id: self.id.clone(),
            message_id: self.message_id.clone(),
            at: self.at,
            action: self.action.clone(),
            score: thousandths(self.score),
            // Packing into memory fails only when memory does; an empty record says nothing then.
            record: zstd::bulk::compress(&text, LEVEL).unwrap_or_default(),
        }
    }
}

/// A score as the database keeps it.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are bounded far below the range"
)]
pub fn thousandths(score: f32) -> i64 {
    (f64::from(score) * 1_000.0).round() as i64
}

/// A record in its stored form.
#[derive(Debug, Clone)]
pub struct PackedRecord {
    id: String,
    message_id: String,
    at: i64,
    action: String,
    score: i64,
    record: Vec<u8>,
}

impl PackedRecord {
    /// Writes it in the caller's transaction, in place of one of the same name: mail servers that
    /// ask this filter use their short names again.
    ///
    /// # Errors
    /// Those of the store.
    pub fn write(&self, tx: &mut dyn Tx) -> Result<(), store::Error> {
        tx.exec(
            INSERT,
            &[
                (&self.id).into(),
                (&self.message_id).into(),
                self.at.into(),
                (&self.action).into(),
                self.score.into(),
                (&self.record).into(),
            ],
        )?;
        Ok(())
    }
}

/// A stored record; none when it cannot be read any more.
fn unpacked(stored: &[u8]) -> Option<Record> {
    let text = zstd::bulk::decompress(stored, MAX_RECORD).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The records named `name`: by the identifier that the reply and the Received field gave, or by
/// the message's own Message-ID, with or without angle brackets; the latest first.
///
/// # Errors
/// Those of the store.
pub async fn find(db: &Db, name: &str) -> Result<Vec<Record>, store::Error> {
    let name = name.trim().trim_start_matches('<').trim_end_matches('>');
    let name = short(name);
    if name.is_empty() {
        return Ok(Vec::new());
    }
    db.read(move |rx| -> Result<Vec<Record>, store::Error> {
        let read = |row: &store::Row<'_>| row.bytes(0).map(unpacked);
        let mut found = rx.query_all(BY_ID, &[(&name).into()], read)?;
        if found.is_empty() {
            found = rx.query_all(BY_MESSAGE_ID, &[(&name).into()], read)?;
        }
        Ok(found.into_iter().flatten().collect())
    })
    .await
}

/// The latest records, at most `limit` and at most 1,000.
///
/// # Errors
/// Those of the store.
pub async fn latest(db: &Db, limit: u32) -> Result<Vec<Record>, store::Error> {
    db.read(move |rx| -> Result<Vec<Record>, store::Error> {
        let found = rx.query_all(LATEST, &[limit.min(1_000).into()], |row| {
            row.bytes(0).map(unpacked)
        })?;
        Ok(found.into_iter().flatten().collect())
    })
    .await
}

/// Deletes records from before `before`; says how many.
///
/// # Errors
/// Those of the store.
pub async fn purge(db: &Db, before: Timestamp) -> Result<usize, store::Error> {
    let mut deleted = 0;
    loop {
        let params = move |tx: &mut dyn Tx| tx.exec(PURGE, &[before.0.into(), CHUNK.into()]);
        match db.write(params).await? {
            0 => return Ok(deleted),
            more => deleted += more,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ambient::{FakeClock, SeededRandom};
    use store::{Reader, StoreOptions, Value};

    use super::*;

    #[tokio::test]
    async fn every_statement_uses_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(0)));
        let random = Arc::new(SeededRandom::new(1));
        let db = Db::open(StoreOptions::new(directory.path(), clock, random)).unwrap();
        let read = |rx: &mut dyn Reader| -> Result<(), store::Error> {
            for sql in STATEMENTS {
                let explain = format!("EXPLAIN QUERY PLAN {sql}");
                let explain: &'static str = Box::leak(explain.into_boxed_str());
                let places = (1..=20).take_while(|n| sql.contains(&format!("?{n}")));
                let params = vec![Value::Null; places.count()];
                let steps = rx.query_all(explain, &params, |row| row.text(3).map(str::to_owned))?;
                let bad = |step: &&String| {
                    let walks = step.starts_with("SCAN") && !step.contains("USING INDEX");
                    walks || step.contains("TEMP B-TREE")
                };
                assert_eq!(steps.iter().find(bad), None, "{sql}");
            }
            Ok(())
        };
        db.read(read).await.unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for stored in [&b""[..], b"\x28\xb5\x2f\xfd", b"rubbish"] {
            assert_eq!(unpacked(stored), None);
        }
    }
}
