//! Behaviour of a whole store in a temporary directory.
#![expect(
    clippy::disallowed_methods,
    reason = "tests damage, copy and count files"
)]

mod blobs;
mod faults;
mod opening;
mod reads;
mod speed;
mod sweep;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambient::{Clock, FakeClock, SeededRandom, SystemClock};
use bytes::Bytes;
use tempfile::TempDir;

use crate::{
    AccountId, BlobId, Db, Error, Event, Fault, Faults, Operation, Reader, StagedBlob,
    StoreOptions, Tx, blob,
};

/// A store in its own directory, with a clock that starts at the real time: files get real times.
struct Fixture {
    db: Db,
    clock: Arc<FakeClock>,
    dir: TempDir,
}

fn options(dir: &Path, clock: &Arc<FakeClock>) -> StoreOptions {
    let random = SeededRandom::new(dir.as_os_str().len() as u64);
    let mut options = StoreOptions::new(dir, clock.clone(), Arc::new(random));
    options.readers = 2;
    options
}

impl Fixture {
    fn new() -> Self {
        Self::with_faults(None)
    }

    fn with_faults(faults: Option<Arc<dyn Faults>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(SystemClock.now()));
        let mut options = options(dir.path(), &clock);
        options.faults = faults;
        Self {
            db: Db::open(options).unwrap(),
            clock,
            dir,
        }
    }

    /// Closes the store and opens it again, without faults.
    async fn reopened(self) -> Self {
        self.db.close().await;
        let db = Db::open(options(self.dir.path(), &self.clock)).unwrap();
        Self { db, ..self }
    }

    /// What a power cut right now would leave, as another store.
    fn crashed(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        let db = Db::open(options(dir.path(), &self.clock)).unwrap();
        Self {
            db,
            clock: self.clock.clone(),
            dir,
        }
    }

    fn advance_hours(&self, hours: u64) {
        self.clock.advance(Duration::from_secs(hours * 3600));
    }

    fn blob_files(&self) -> Vec<PathBuf> {
        blob_files(self.dir.path())
    }
}

/// Every file under `blobs/` of a data directory.
fn blob_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.join("blobs")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else if !entry.file_name().to_str().unwrap().ends_with("-shm") {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Fails the `at`-th operation of a kind it is told, counted from 1; 0 is never.
#[derive(Debug)]
pub(crate) struct FailAt {
    at: AtomicU64,
    seen: AtomicU64,
    only: Option<Operation>,
    fault: Fault,
}

impl FailAt {
    pub(crate) fn never(only: Option<Operation>, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            at: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            only,
            fault,
        })
    }

    /// Fails the `count`-th operation from now on.
    pub(crate) fn arm(&self, count: u64) {
        self.seen.store(0, Ordering::SeqCst);
        self.at.store(count, Ordering::SeqCst);
    }

    pub(crate) fn has_fired(&self) -> bool {
        let at = self.at.load(Ordering::SeqCst);
        at > 0 && self.seen.load(Ordering::SeqCst) >= at
    }
}

impl Faults for FailAt {
    fn before(&self, operation: Operation) -> Option<Fault> {
        if self.only.is_some_and(|only| only != operation) {
            return None;
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        (seen == self.at.load(Ordering::SeqCst)).then_some(self.fault)
    }
}

/// Bytes that do not compress, different for every seed.
fn noise(length: usize, seed: u64) -> Bytes {
    let random: &dyn ambient::Random = &SeededRandom::new(seed);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes.into()
}

const ADD_NAME: &str = "INSERT INTO administrator (name, hash, created_at) VALUES (?1, '', 0)";
const NAMES: &str = "SELECT name FROM administrator ORDER BY name";

fn add_name(tx: &mut dyn Tx, name: &str) -> Result<(), Error> {
    tx.exec(ADD_NAME, &[name.into()]).map(drop)
}

fn names(reader: &mut dyn Reader) -> Result<Vec<String>, Error> {
    reader.query_all(NAMES, &[], |row| Ok(row.text(0)?.to_owned()))
}

const ADD_DOMAIN: &str = "INSERT INTO domain (name, created_at) VALUES ('example.org', 0)
     ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id";
const ADD_ACCOUNT: &str = "INSERT INTO account (name, domain_id, created_at) VALUES (?1, ?2, 0)
     ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id";
const NEXT: &str = "UPDATE account SET next_id = next_id + 1, modseq = modseq + 1,
     used_bytes = used_bytes + ?2, used_count = used_count + 1
     WHERE id = ?1 RETURNING next_id - 1, modseq";
const ADD_MESSAGE: &str = "INSERT INTO message
     (id, account_id, blob_id, size, received_at, thread_id, created, prefix, envelope)
     VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?7)";
const MESSAGES: &str = "SELECT blob_id FROM message ORDER BY id";

/// An account to deliver to.
fn add_account(tx: &mut dyn Tx, name: &str) -> Result<AccountId, Error> {
    let domain = tx.query_one(ADD_DOMAIN, &[], |row| row.int(0))?.unwrap();
    let account = tx.query_one(ADD_ACCOUNT, &[name.into(), domain.into()], |row| row.int(0))?;
    Ok(AccountId(account.unwrap()))
}

/// What a delivery does, in small: a blob, a number, a message, an event.
fn deliver(tx: &mut dyn Tx, account: AccountId, staged: &StagedBlob) -> Result<u64, Error> {
    let size = i64::try_from(staged.size).unwrap();
    blob::insert(tx, staged, 1)?;
    let (number, modseq) = tx
        .query_one(NEXT, &[account.into(), size.into()], |row| {
            Ok((row.int(0)?, row.u64(1)?))
        })?
        .unwrap();
    let id = (account.0 << 32) | number;
    let now = tx.now();
    tx.exec(
        ADD_MESSAGE,
        &[
            id.into(),
            account.into(),
            (&staged.id).into(),
            size.into(),
            now.into(),
            i64::try_from(modseq).unwrap().into(),
            b"Received: here\r\n".into(),
        ],
    )?;
    tx.after_commit(Event::Mail { account, modseq });
    Ok(modseq)
}

fn messages(reader: &mut dyn Reader) -> Result<Vec<BlobId>, Error> {
    reader.query_all(MESSAGES, &[], |row| row.blob_id(0))
}
