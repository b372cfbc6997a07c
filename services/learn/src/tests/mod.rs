//! Behaviour on a real database.

mod bayes;
mod memory;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Clock, FakeClock, SeededRandom, Timestamp};
use store::{AccountId, Db, StoreOptions};
use tempfile::TempDir;

use crate::{Learn, Options};

const START: Timestamp = Timestamp(1_700_000_000);
const DAY: i64 = 86_400;
const ANNA: AccountId = AccountId(1);
const BERT: AccountId = AccountId(2);

/// A database in its own directory with two accounts.
struct Rig {
    learn: Learn,
    db: Db,
    clock: Arc<FakeClock>,
    options: Options,
    dir: TempDir,
}

fn open(dir: &Path, clock: &Arc<FakeClock>) -> Db {
    Db::open(StoreOptions::new(
        dir,
        clock.clone(),
        Arc::new(SeededRandom::new(1)),
    ))
    .unwrap()
}

fn learn(db: &Db, clock: &Arc<FakeClock>, options: &Options) -> Learn {
    let clock: Arc<dyn Clock> = clock.clone();
    Learn::new(db, &clock, options)
}

impl Rig {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(START));
        let db = open(dir.path(), &clock);
        db.write::<_, store::Error, _>(|tx| {
            tx.exec(
                "INSERT INTO domain (id, name, created_at) VALUES (1, 'example.org', 1)",
                &[],
            )?;
            for (id, name) in [(1i64, "anna@example.org"), (2, "bert@example.org")] {
                tx.exec(
                    "INSERT INTO account (id, name, domain_id, created_at) VALUES (?1, ?2, 1, 1)",
                    &[id.into(), name.into()],
                )?;
            }
            Ok(())
        })
        .await
        .unwrap();
        Self {
            learn: learn(&db, &clock, &options),
            db,
            clock,
            options,
            dir,
        }
    }

    /// Closes the database and opens it again.
    async fn reopen(&mut self) {
        self.db.close().await;
        self.db = open(self.dir.path(), &self.clock);
        self.learn = learn(&self.db, &self.clock, &self.options);
    }

    fn pass(&self, seconds: i64) {
        self.clock
            .advance(Duration::from_secs(seconds.try_into().unwrap()));
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.db
            .read::<_, store::Error, _>(move |rx| {
                Ok(rx.query_one(sql, &[], |row| row.int(0))?.unwrap())
            })
            .await
            .unwrap()
    }

    async fn exec(&self, sql: &'static str) {
        self.db
            .write::<_, store::Error, _>(move |tx| tx.exec(sql, &[]))
            .await
            .unwrap();
    }
}
