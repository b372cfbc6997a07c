//! Any octets are a message: the built-in rules are tried on it and it is judged by them, twice with
//! the same result, and the verdict's fields are a header.
#![no_main]

use std::sync::LazyLock;

use filter::{Filter, Input, Options, Trial, Tuning};
use fuzz::Store;
use learn::Learn;
use libfuzzer_sys::fuzz_target;
use policy::Policy;
use rules::RuleSet;

/// A filter that asks nobody, and the built-in rules once more, as one set.
struct House {
    store: Store,
    filter: Filter,
    trial: Trial,
    symbols: Vec<String>,
}

static HOUSE: LazyLock<House> = LazyLock::new(House::build);

impl House {
    fn build() -> Self {
        let store = Store::open();
        let policy = store
            .runtime
            .block_on(Policy::open(store.db.clone()))
            .expect("a policy");
        let filter = Filter::start(Options {
            hostname: smtp::Domain::parse("mx.example.org").expect("a name"),
            learn: Learn::new(&store.db, &store.clock, &learn::Options::default()),
            clock: store.clock.clone(),
            db: store.db.clone(),
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
            store,
            filter,
            trial: Trial::new(&all).expect("the built-in rules"),
            symbols,
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
        house.store.runtime.block_on(tried)
    };
    assert_eq!(matches(), matches());

    let judge = || {
        house
            .store
            .runtime
            .block_on(house.filter.judge(&input))
            .verdict
    };
    let verdict = judge();
    assert!(verdict.score.is_finite());
    assert_eq!(judge().signals, verdict.signals);
    let header = verdict.header();
    let mut lines = header.strip_suffix("\r\n").expect("an end").split("\r\n");
    assert!(lines.all(|line| {
        let is_start = line.starts_with("X-Spam-") || line.starts_with('\t');
        is_start
            && line
                .bytes()
                .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
    }));
});
