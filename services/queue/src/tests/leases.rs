//! The interleavings of workers that claim, renew, die and come too late, explored by shuttle.
//!
//! A step is a transaction on a real store: those of the worker, in any order that several nodes and
//! the clock may bring about. `SCHEDULES` says how many orders are tried; a failure prints the one
//! that leads to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ambient::{FakeClock, SystemRandom, Timestamp};
use bytes::Bytes;
use shuttle::scheduler::RandomScheduler;
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};
use smtp::ReversePath;
use store::{Db, StagedBlob, StoreOptions, blob};

use crate::Error;
use crate::table::{self, Claimed, Deferred, End, Lease, NewEntry};
use crate::worker::claim_all;

const SCHEDULES: usize = 150;
const START: i64 = 1_700_000_000;
const LEASE: i64 = 900;
const RECIPIENTS: [&str; 3] = ["x@a.test", "y@a.test", "z@b.test"];

/// A store for all schedules of a scenario, with the blob of all messages.
#[derive(Debug)]
struct House {
    db: Db,
    staged: StagedBlob,
    _dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(START)));
        let random = Arc::new(SystemRandom::new());
        let db = Db::open(StoreOptions::new(dir.path(), clock, random)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let message = Bytes::from_static(b"Subject: x\r\n\r\nx\r\n");
        let staged = runtime.block_on(db.blobs().stage(message)).unwrap();
        let house = Self {
            db,
            staged: staged.clone(),
            _dir: dir,
        };
        house.write(move |tx| Ok(blob::insert(tx, &staged, 1)?));
        house
    }

    fn write<T: Send + 'static>(
        &self,
        closure: impl FnMut(&mut dyn store::Tx) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.db.write_blocking(closure).unwrap()
    }
}

/// What the test knows beside the tables. Its lock is never held over a step.
#[derive(Debug)]
struct Facts {
    now: i64,
    /// Who holds whom until when, as far as they have not given them back.
    held: BTreeMap<String, (i64, i64)>,
    delivered: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
struct World {
    house: Arc<House>,
    facts: Arc<Mutex<Facts>>,
}

/// What a worker does with what it has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivers,
    Defers,
    /// Renews its lease, then delivers.
    TakesLong,
    Dies,
}

impl World {
    /// One message, due at once.
    fn new(house: &Arc<House>) -> Self {
        let recipients = RECIPIENTS.iter().map(|&address| {
            let domain = address.split('@').nth(1).unwrap();
            (address.to_owned(), address.to_owned(), domain.to_owned())
        });
        let entry = NewEntry {
            prefix: Vec::new(),
            sender: ReversePath::Null,
            account: None,
            utf8: false,
            eightbit: false,
            report: false,
            delay_notice_at: None,
            created_at: Timestamp(START),
            expires_at: Timestamp(START + 86_400),
            recipients: recipients.collect(),
        };
        let staged = house.staged.clone();
        house.write(move |tx| {
            blob::retain(tx, &staged.id, 1)?;
            table::insert(tx, &staged, &entry).map(drop)
        });
        let facts = Facts {
            now: START,
            held: BTreeMap::new(),
            delivered: BTreeMap::new(),
        };
        Self {
            house: Arc::clone(house),
            facts: Arc::new(Mutex::new(facts)),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.facts.lock().unwrap().now)
    }

    /// A node that looks for work until it has met all of its fates, or there is none.
    fn node(&self, node: i64, fates: &'static [Fate]) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            for &fate in fates {
                for message in world.claim(node) {
                    if fate == Fate::Dies {
                        return;
                    }
                    world.work(node, &message, fate);
                }
            }
        })
    }

    /// Looks, and later claims what it saw.
    fn claim(&self, node: i64) -> Vec<Claimed> {
        let now = self.now();
        let due = self
            .house
            .db
            .read_blocking(move |reader| table::scan(reader, End::Oldest, now, 10))
            .unwrap();
        thread::yield_now();
        let mut wanted: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for due in due {
            let hops = wanted.entry(due.id).or_default();
            if !hops.contains(&due.hop) {
                hops.push(due.hop);
            }
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let until = now.plus(LEASE);
        let lease = Lease { node, until };
        let (claimed, damaged) = self
            .house
            .write(move |tx| claim_all(tx, &wanted, now, lease));
        assert!(damaged.is_empty());
        let mut facts = self.facts.lock().unwrap();
        for recipient in claimed.iter().flat_map(|message| &message.recipients) {
            let before = facts
                .held
                .insert(recipient.address.clone(), (node, until.0));
            if let Some((holder, until)) = before {
                assert!(until <= now.0, "{node} took from {holder}: {recipient:?}");
            }
        }
        drop(facts);
        thread::yield_now();
        claimed
    }

    fn work(&self, node: i64, message: &Claimed, fate: Fate) {
        let identity = message.identity();
        let addresses = message.recipients.iter().map(|one| one.address.clone());
        let addresses: Vec<String> = addresses.collect();
        if fate == Fate::TakesLong {
            let until = self.now().plus(LEASE);
            self.house
                .write(move |tx| table::renew(tx, identity, Lease { node, until }));
            let mut facts = self.facts.lock().unwrap();
            for address in &addresses {
                if let Some(held) = facts.held.get_mut(address).filter(|held| held.0 == node) {
                    held.1 = until.0;
                }
            }
            drop(facts);
            self.compare();
            thread::yield_now();
        }
        if fate == Fate::Defers {
            self.give_back(node, &addresses);
            let deferred: Vec<Deferred> = addresses
                .iter()
                .map(|address| Deferred {
                    address: address.clone(),
                    due_at: self.now(),
                    status: "later".to_owned(),
                })
                .collect();
            self.house
                .write(move |tx| table::defer(tx, identity, node, &deferred));
        } else {
            for address in &addresses {
                let mut facts = self.facts.lock().unwrap();
                *facts.delivered.entry(address.clone()).or_default() += 1;
            }
            thread::yield_now();
            let gone = addresses.clone();
            self.house
                .write(move |tx| table::remove(tx, identity, &gone));
            self.give_back(node, &addresses);
        }
        self.compare();
        thread::yield_now();
    }

    /// Whoever has a lease in the tables has it by the facts, and until the same time.
    fn compare(&self) {
        const LEASES: &str =
            "SELECT rcpt, lease_node, lease_until FROM queue_rcpt WHERE lease_until > 0";
        let leases = self.house.db.read_blocking::<_, Error, _>(|reader| {
            Ok(reader.query_all(LEASES, &[], |row| {
                Ok((row.text(0)?.to_owned(), (row.int(1)?, row.int(2)?)))
            })?)
        });
        let facts = self.facts.lock().unwrap();
        for (address, lease) in leases.unwrap() {
            assert_eq!(facts.held.get(&address), Some(&lease), "{address}");
        }
    }

    fn give_back(&self, node: i64, addresses: &[String]) {
        let mut facts = self.facts.lock().unwrap();
        for address in addresses {
            if facts.held.get(address).is_some_and(|held| held.0 == node) {
                facts.held.remove(address);
            }
        }
    }

    /// Time goes by while others work.
    fn clock(&self, steps: &'static [i64]) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            for step in steps {
                thread::yield_now();
                world.facts.lock().unwrap().now += step;
            }
        })
    }

    /// When every lease has ended a last node delivers what is left; then there is nothing.
    fn end(self) -> BTreeMap<String, usize> {
        self.facts.lock().unwrap().now += 3 * LEASE;
        self.node(9, &[Fate::Delivers, Fate::Delivers])
            .join()
            .unwrap();
        let left = self.house.db.read_blocking::<_, Error, _>(|reader| {
            Ok(reader.query_one("SELECT COUNT(*) FROM queue_rcpt", &[], |row| row.int(0))?)
        });
        assert_eq!(left.unwrap(), Some(0), "every lease comes back");
        let facts = self.facts.lock().unwrap();
        assert_eq!(facts.delivered.len(), RECIPIENTS.len());
        facts.delivered.clone()
    }
}

#[expect(clippy::disallowed_macros, reason = "the test's own output")]
fn explore(name: &str, scenario: fn(&Arc<House>)) {
    let told = std::env::var("SCHEDULES").ok();
    let count = told.map_or(SCHEDULES, |count| count.parse().unwrap());
    let mut config = Config::new();
    config.stack_size = 1024 * 1024;
    let house = Arc::new(House::new());
    let schedules = Runner::new(RandomScheduler::new(count), config).run(move || scenario(&house));
    println!("explored: {schedules} schedules, {name}");
}

/// While no lease ends, a recipient is one node's at a time and is delivered once.
#[test]
fn a_lease_is_held_by_one_node_at_a_time() {
    explore("three nodes and one message", |house| {
        let world = World::new(house);
        let nodes = [
            world.node(1, &[Fate::Delivers, Fate::Delivers]),
            world.node(2, &[Fate::Defers, Fate::TakesLong]),
            world.node(3, &[Fate::TakesLong, Fate::Delivers]),
        ];
        for node in nodes {
            node.join().unwrap();
        }
        let delivered = world.end();
        assert!(delivered.values().all(|times| *times == 1), "{delivered:?}");
    });
}

/// When leases end under those who hold them, what they write late disturbs nobody.
#[test]
fn a_lease_comes_back_from_a_node_that_died_or_is_late() {
    explore("nodes that die or are late", |house| {
        let world = World::new(house);
        let nodes = [
            world.node(1, &[Fate::Dies]),
            world.node(2, &[Fate::Defers, Fate::TakesLong]),
            world.node(3, &[Fate::Defers, Fate::Defers, Fate::Delivers]),
            world.clock(&[LEASE / 2, LEASE / 2, LEASE]),
        ];
        for node in nodes {
            node.join().unwrap();
        }
        world.end();
    });
}

/// A node that renews what another one has taken over meanwhile renews nothing.
#[test]
fn a_lease_is_renewed_by_its_holder_only() {
    explore("late renewals", |house| {
        let world = World::new(house);
        let nodes = [
            world.node(1, &[Fate::TakesLong]),
            world.node(2, &[Fate::TakesLong, Fate::TakesLong]),
            world.clock(&[LEASE, 60, 60, 60]),
        ];
        for node in nodes {
            node.join().unwrap();
        }
        world.end();
    });
}
