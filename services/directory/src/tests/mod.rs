//! Behaviour of the whole crate on a real store.

mod administration;
mod authentication;
mod exchange;
mod resolution;

use std::sync::Arc;
use std::time::Duration;

use ambient::{FakeClock, Random, SeededRandom, Timestamp};
use sasl::Secret;
use smtp::address::{Address, Domain};
use store::{AccountId, Db, StoreOptions};
use tempfile::TempDir;

use crate::{
    AccountState, AliasName, Directory, Error, Hashing, NewAccount, NewAlias, NewDomain,
    NewPassword,
};

pub(crate) const PASSWORD: &str = "correct horse";

/// A directory in a temporary store, with a clock that is moved by hand.
pub(crate) struct Fixture {
    pub(crate) directory: Directory,
    pub(crate) db: Db,
    pub(crate) clock: Arc<FakeClock>,
    _dir: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(1_000_000_000)));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let options = StoreOptions::new(dir.path(), clock.clone(), random.clone());
        let db = Db::open(options).unwrap();
        let hashing = Hashing::cheap_for_tests();
        let directory = Directory::new(db.clone(), clock.clone(), random, hashing);
        Self {
            directory,
            db,
            clock,
            _dir: dir,
        }
    }

    /// With the domain example.org.
    pub(crate) async fn with_domain() -> Self {
        let fixture = Self::new();
        fixture.domain("example.org").await;
        fixture
    }

    pub(crate) async fn domain(&self, name: &str) {
        self.directory
            .create_domain(NewDomain::new(domain(name)))
            .await
            .unwrap();
    }

    pub(crate) async fn alias_domain(&self, name: &str, of: &str) {
        let new = NewDomain::alias(domain(name), domain(of));
        self.directory.create_domain(new).await.unwrap();
    }

    /// An account whose password is [`PASSWORD`].
    pub(crate) async fn account(&self, name: &str) -> AccountId {
        self.account_with(name, NewPassword::Clear(Secret::new(PASSWORD)))
            .await
    }

    pub(crate) async fn account_with(&self, name: &str, password: NewPassword) -> AccountId {
        let new = NewAccount::new(address(name), password);
        self.directory
            .create_account(new, |_, _| Ok(()))
            .await
            .unwrap()
    }

    pub(crate) async fn alias(&self, name: &str, targets: &[&str]) {
        self.try_alias(name, targets).await.unwrap();
    }

    pub(crate) async fn try_alias(&self, name: &str, targets: &[&str]) -> Result<(), Error> {
        let name: AliasName = name.parse().unwrap();
        let targets = targets.iter().map(|target| address(target)).collect();
        self.directory
            .create_alias(NewAlias {
                name,
                targets,
                comment: String::new(),
            })
            .await
    }

    pub(crate) async fn state(&self, account: AccountId, state: AccountState) {
        self.directory.set_active(account, state).await.unwrap();
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Runs one statement past the directory, as the mail service would.
    pub(crate) async fn exec(&self, sql: &'static str, id: i64) {
        let run = move |tx: &mut dyn store::Tx| tx.exec(sql, &[id.into()]);
        let changed: Result<usize, store::Error> = self.db.write(run).await;
        assert_eq!(changed.unwrap(), 1);
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let read = move |rx: &mut dyn store::Reader| rx.query_one(sql, &[], |row| row.int(0));
        let number: Result<Option<i64>, store::Error> = self.db.read(read).await;
        number.unwrap().unwrap()
    }
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}
