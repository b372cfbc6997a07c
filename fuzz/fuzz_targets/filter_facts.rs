//! Any octets are a message: the built-in rules are tried on it and it is judged by them, twice with
//! the same result, and the verdict's fields are a header.
#![no_main]

use std::sync::{Arc, LazyLock};

use ambient::{Clock, FakeClock, SeededRandom, Timestamp};
use filter::{Filter, Input, Options, Trial, Tuning};
use learn::Learn;
use libfuzzer_sys::fuzz_target;
use policy::Policy;
use rules::RuleSet;
use store::{Db, StoreOptions};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A filter that asks nobody, and the built-in rules once more, as one set.
struct House {
    runtime: Runtime,
    filter: Filter,
    trial: Trial,
    symbols: Vec<String>,
    _directory: TempDir,
}

static HOUSE: LazyLock<House> = LazyLock::new(House::build);

impl House {
    fn build() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::new(Timestamp(1_767_225_600)));
        let random = Arc::new(SeededRandom::new(1));
        let db = Db::open(StoreOptions::new(directory.path(), Arc::clone(&clock), random))
            .expect("a database");
        let policy = runtime.block_on(Policy::open(db.clone())).expect("a policy");
        let filter = Filter::start(Options {
            hostname: smtp::Domain::parse("mx.example.org").expect("a name"),
            learn: Learn::new(&db, &clock, &learn::Options::default()),
            clock,
            db,
            policy,
            blocklist: None,
            antivirus: None,
            parsers: parsebox::Parsebox::in_process(),
            cache: None,
            tuning: Tuning::default(),
        })
        .expect("a filter");
        let mut all = RuleSet::default();
        for set in rules::builtin() {
            all.groups.extend(set.groups.clone());
            all.lists.extend(set.lists.clone());
            all.rules.extend(set.rules.iter().cloned());
        }
        let rules = all.rules.iter().filter(|rule| !rule.hidden);
        let symbols = rules.map(|rule| rule.symbol.clone()).collect();
        Self {
            runtime,
            filter,
            trial: Trial::new(&all).expect("the built-in rules"),
            symbols,
            _directory: directory,
        }
    }
}

fuzz_target!(|input: (u16, &[u8])| {
    let (choice, raw) = input;
    let house = &*HOUSE;
    let input = Input::stored(raw.to_vec().into());
    let symbol = &house.symbols[usize::from(choice) % house.symbols.len()];
    let matches = || {
        let tried = house.trial.matches(&house.filter, &input, symbol);
        house.runtime.block_on(tried)
    };
    assert_eq!(matches(), matches());

    let judge = || house.runtime.block_on(house.filter.judge(&input)).verdict;
    let verdict = judge();
    assert!(verdict.score.is_finite());
    assert_eq!(judge().signals, verdict.signals);
    let header = verdict.header();
    let mut lines = header.strip_suffix("\r\n").expect("an end").split("\r\n");
    assert!(lines.all(|line| {
        let is_start = line.starts_with("X-Spam-") || line.starts_with('\t');
        is_start && line.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
    }));
});
