//! Behaviour of the whole crate on a real store.

mod lists;
mod live;
mod maps;
mod others;
mod plans;

use std::sync::Arc;

use ambient::{FakeClock, SeededRandom, Timestamp};
use smtp::address::Address;
use store::{AccountId, Db, DomainId, Event, StoreOptions};
use tempfile::TempDir;

use crate::{
    EntryPage, EntryRecord, Error, NewEntry, Owner, Part, Policy, RecipientFacts, Sender, Verdict,
};

/// A policy in a temporary store with two domains, and two accounts in the first.
pub(crate) struct Fixture {
    pub(crate) policy: Policy,
    pub(crate) db: Db,
    _dir: TempDir,
}

pub(crate) const HERE: DomainId = DomainId(1);
pub(crate) const ANN: AccountId = AccountId(1);
pub(crate) const BOB: AccountId = AccountId(2);

/// The recipient with the account, in the domain `here`.
pub(crate) fn recipient(account: AccountId) -> RecipientFacts {
    RecipientFacts {
        account: Some(account),
        domain: Some(HERE),
    }
}

const DOMAINS: &str = "INSERT INTO domain (id, name, created_at) \
     VALUES (1, 'here.test', 0), (2, 'there.test', 0)";
const ACCOUNTS: &str = "INSERT INTO account (id, name, domain_id, created_at) \
     VALUES (1, 'ann@here.test', 1, 0), (2, 'bob@here.test', 1, 0)";

impl Fixture {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(1_000_000_000)));
        let options = StoreOptions::new(dir.path(), clock, Arc::new(SeededRandom::new(1)));
        let db = Db::open(options).unwrap();
        let fixture = Self {
            policy: Policy::open(db.clone()).await.unwrap(),
            db,
            _dir: dir,
        };
        fixture.exec(DOMAINS).await;
        fixture.exec(ACCOUNTS).await;
        fixture
    }

    /// Runs one statement past the crate, as the directory would.
    pub(crate) async fn exec(&self, sql: &'static str) {
        let run = move |tx: &mut dyn store::Tx| {
            tx.after_commit(Event::Directory);
            tx.exec(sql, &[])
        };
        let changed: Result<usize, store::Error> = self.db.write(run).await;
        assert!(changed.unwrap() > 0, "{sql}");
    }

    /// Adds an entry, and says which revision that made.
    pub(crate) async fn add(&self, owner: Owner, verdict: Verdict, text: &str) -> u64 {
        self.policy
            .add_entries(owner, vec![entry(verdict, text)])
            .await
            .unwrap()
    }

    pub(crate) async fn entries(&self, owner: Owner) -> Vec<EntryRecord> {
        let page = EntryPage {
            after: None,
            limit: 1_000,
        };
        self.policy.entries(owner, page).await.unwrap()
    }

    /// The symbols for mail from the sender to Ann.
    pub(crate) fn verdict(&self, sender: &Sender<'_>) -> Vec<String> {
        self.verdict_for(ANN, sender)
    }

    pub(crate) fn verdict_for(&self, account: AccountId, sender: &Sender<'_>) -> Vec<String> {
        let signals = self
            .policy
            .snapshot()
            .judge_sender(&recipient(account), sender);
        signals
            .iter()
            .map(|signal| signal.symbol.to_string())
            .collect()
    }
}

pub(crate) fn entry(verdict: Verdict, text: &str) -> NewEntry {
    NewEntry {
        pattern: text.parse().unwrap(),
        verdict,
        part: Part::Both,
        comment: String::new(),
    }
}

/// A sender whose envelope and header say the same.
pub(crate) fn from(address: &str) -> Sender<'_> {
    Sender {
        envelope_from: address,
        ..Sender::default()
    }
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// The message of an error.
pub(crate) fn message(result: Result<u64, Error>) -> String {
    result.unwrap_err().to_string()
}
