//! Reported texts and attachments, found again when they come slightly changed.
//!
//! A text is found by its [`Shingles`] when it is at least [`LEAST_LIKENESS`] alike; an attachment
//! or an image by the exact digest of its bytes. Each report adds to a weight; what is not reported
//! or renewed for [`LIFETIME`] is forgotten.

mod shingle;

use ambient::Timestamp;
use store::{Db, Reader, Tx, Value};

use crate::Error;
use crate::bounded::{Bounded, bounded};

pub use shingle::{COUNT, MAX_WORDS, MIN_WORDS, Shingles};

/// How alike texts must be: 18 of 32 numbers.
pub const LEAST_LIKENESS: f64 = 0.55;

/// From here on a report is about a text that is known, rather than about a new one.
const SAME: f64 = 0.9;

/// Seconds since the last report until it is forgotten.
pub const LIFETIME: i64 = 90 * 86_400;

/// The most texts and digests that are remembered.
pub const MAX_ROWS: i64 = 500_000;

/// Digests of one message that are looked up.
pub const MAX_DIGESTS: usize = 64;

/// Texts of one band that are compared, the newest ones.
const MOST_CANDIDATES: i64 = 32;

/// No weight grows beyond it.
const MOST_WEIGHT: u32 = 1_000_000;

pub(crate) const BOUND: Bounded = bounded!("fuzzy", "id", "seen_at", MAX_ROWS, LIFETIME);

const FIND_DIGEST: &str = "SELECT id, flag, weight FROM fuzzy WHERE digest = ?1 ORDER BY flag";
const FIND_BAND: &str =
    "SELECT fuzzy_id FROM fuzzy_band WHERE band = ?1 ORDER BY fuzzy_id DESC LIMIT ?2";
const FIND_TEXT: &str = "SELECT flag, weight, shingles FROM fuzzy WHERE id = ?1";
const ADD: &str = "INSERT INTO fuzzy (digest, flag, weight, shingles, seen_at)
     VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (digest, flag) DO UPDATE SET weight = fuzzy.weight + ?3, seen_at = ?5
     RETURNING id";
const ADD_BAND: &str = "INSERT INTO fuzzy_band (band, fuzzy_id) VALUES (?1, ?2)
     ON CONFLICT (band, fuzzy_id) DO NOTHING";
const RENEW: &str = "UPDATE fuzzy SET weight = ?2, seen_at = ?3 WHERE id = ?1";
const FORGET: &str = "DELETE FROM fuzzy WHERE id = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    FIND_DIGEST,
    FIND_BAND,
    FIND_TEXT,
    ADD,
    ADD_BAND,
    RENEW,
    FORGET,
];

/// What was said about a text or an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// Spam or worse.
    Denied,
    /// Probably spam.
    Probable,
    /// Wanted.
    White,
}

impl Flag {
    fn number(self) -> i64 {
        match self {
            Self::Denied => 1,
            Self::Probable => 2,
            Self::White => 3,
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        [Self::Denied, Self::Probable, Self::White]
            .into_iter()
            .find(|flag| flag.number() == number)
    }
}

/// What of a message is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// Its text, if it is long enough.
    pub text: Option<Shingles>,
    /// Digests (BLAKE3) of the bytes of its attachments and images. Of more than [`MAX_DIGESTS`]
    /// the first count. Those of very small or empty parts say nothing: the caller leaves them out.
    pub digests: Vec<[u8; 32]>,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The text.
    Text,
    /// The digest at this place of [`Sample::digests`].
    Digest(usize),
}

/// A text or an attachment that was reported before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FuzzyHit {
    /// Which part of the sample.
    pub what: What,
    /// What was said about it.
    pub flag: Flag,
    /// How alike it is, [`LEAST_LIKENESS`] to 1; 1 for digests.
    pub likeness: f64,
    /// How often, or how heavily, it was reported.
    pub weight: u32,
}

/// Reported texts and attachments. A clone is another handle of the same.
#[derive(Debug, Clone)]
pub struct Fuzzy {
    db: Db,
}

impl Fuzzy {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// What is known of a message: for its text the most alike of each flag, then its digests.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn check(&self, sample: &Sample) -> Result<Vec<FuzzyHit>, Error> {
        if *sample == Sample::default() {
            return Ok(Vec::new());
        }
        let sample = sample.clone();
        let found = self.db.read::<_, store::Error, _>(move |rx| {
            let found = find_all(rx, &sample)?;
            Ok(found.into_iter().map(|found| found.hit).collect())
        });
        Ok(found.await?)
    }

    /// Remembers a message's text and digests, or adds `weight` to what is remembered with the same
    /// flag. On disk before the answer.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn learn(&self, flag: Flag, sample: &Sample, weight: u32) -> Result<(), Error> {
        let sample = sample.clone();
        self.db
            .write::<_, store::Error, _>(move |tx| learn(tx, flag, &sample, weight))
            .await?;
        Ok(())
    }

    /// Takes `weight` from what is remembered with this flag of a message's text and digests, and
    /// forgets it when none is left. Answers how many were remembered.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unlearn(&self, flag: Flag, sample: &Sample, weight: u32) -> Result<usize, Error> {
        let sample = sample.clone();
        let changed = self.db.write::<_, store::Error, _>(move |tx| {
            let found = same(find_all(tx, &sample)?, flag);
            for Found { id, hit } in &found {
                match hit.weight.saturating_sub(weight) {
                    0 => tx.exec(FORGET, &[(*id).into()])?,
                    left => {
                        let now = tx.now();
                        tx.exec(RENEW, &[(*id).into(), left.into(), now.into()])?
                    }
                };
            }
            Ok(found.len())
        });
        Ok(changed.await?)
    }

    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, Error> {
        BOUND.purge(&self.db, now).await
    }
}

/// A hit and its row.
#[derive(Debug, Clone, Copy)]
struct Found {
    id: i64,
    hit: FuzzyHit,
}

/// Those of `flag` that are the same rather than merely alike.
fn same(found: Vec<Found>, flag: Flag) -> Vec<Found> {
    let same = |found: &Found| found.hit.flag == flag && found.hit.likeness >= SAME;
    found.into_iter().filter(same).collect()
}

fn find_all(rx: &mut dyn Reader, sample: &Sample) -> Result<Vec<Found>, store::Error> {
    let mut found = match &sample.text {
        Some(text) => find_text(rx, text)?,
        None => Vec::new(),
    };
    for (place, digest) in sample.digests.iter().take(MAX_DIGESTS).enumerate() {
        let rows = rx.query_all(FIND_DIGEST, &[digest.into()], |row| {
            let flag = Flag::from_number(row.int(1)?);
            Ok((row.int(0)?, flag, row.u32(2)?))
        })?;
        for (id, flag, weight) in rows {
            let Some(flag) = flag else { continue };
            let hit = FuzzyHit {
                what: What::Digest(place),
                flag,
                likeness: 1.0,
                weight,
            };
            found.push(Found { id, hit });
        }
    }
    Ok(found)
}

/// The most alike text of each flag.
fn find_text(rx: &mut dyn Reader, text: &Shingles) -> Result<Vec<Found>, store::Error> {
    let mut candidates = Vec::new();
    for band in text.bands() {
        let most = Value::Int(MOST_CANDIDATES);
        candidates.extend(rx.query_all(FIND_BAND, &[band.into(), most], |row| row.int(0))?);
    }
    candidates.sort_unstable();
    candidates.dedup();
    let mut best: Vec<Found> = Vec::new();
    for id in candidates {
        let row = rx.query_one(FIND_TEXT, &[id.into()], |row| {
            let shingles = row.opt_bytes(2)?.and_then(Shingles::from_bytes);
            Ok((Flag::from_number(row.int(0)?), row.u32(1)?, shingles))
        })?;
        let Some((Some(flag), weight, Some(shingles))) = row else {
            continue;
        };
        let likeness = text.likeness(&shingles);
        if likeness < LEAST_LIKENESS {
            continue;
        }
        let hit = FuzzyHit {
            what: What::Text,
            flag,
            likeness,
            weight,
        };
        let found = Found { id, hit };
        match best.iter_mut().find(|found| found.hit.flag == flag) {
            Some(old) if old.hit.likeness < likeness => *old = found,
            Some(_) => {}
            None => best.push(found),
        }
    }
    best.sort_unstable_by_key(|found| found.hit.flag);
    Ok(best)
}

fn learn(tx: &mut dyn Tx, flag: Flag, sample: &Sample, weight: u32) -> Result<(), store::Error> {
    let now = tx.now();
    let known = same(find_all(tx, sample)?, flag);
    for Found { id, hit } in &known {
        let weight = hit.weight.saturating_add(weight).min(MOST_WEIGHT);
        tx.exec(RENEW, &[(*id).into(), weight.into(), now.into()])?;
    }
    let is_known = |what| known.iter().any(|found| found.hit.what == what);
    if let Some(text) = sample.text.filter(|_| !is_known(What::Text)) {
        let id = add(tx, (&text.digest(), flag, weight), Some(&text))?;
        for band in text.bands() {
            tx.exec(ADD_BAND, &[band.into(), id.into()])?;
        }
    }
    let mut added: Vec<&[u8; 32]> = Vec::new();
    for (place, digest) in sample.digests.iter().take(MAX_DIGESTS).enumerate() {
        if !is_known(What::Digest(place)) && !added.contains(&digest) {
            add(tx, (digest, flag, weight), None)?;
            added.push(digest);
        }
    }
    Ok(())
}

fn add(
    tx: &mut dyn Tx,
    (digest, flag, weight): (&[u8; 32], Flag, u32),
    text: Option<&Shingles>,
) -> Result<i64, store::Error> {
    let now = tx.now();
    let shingles = text.map(|text| text.to_bytes());
    let weight = weight.min(MOST_WEIGHT);
    let row = [
        digest.into(),
        flag.number().into(),
        weight.into(),
        shingles.as_ref().into(),
        now.into(),
    ];
    let id = tx.query_one(ADD, &row, |row| row.int(0))?;
    Ok(id.unwrap_or_default())
}
