//! Maps: named lists of patterns, addresses, domains, networks, words or autonomous systems, each
//! with a symbol, a score and an effect. They become the rule set `maps` ([`rule_set`]).
//!
//! The maps that mailcow has are built in ([`builtin`]). The database holds those only that were
//! edited here; removing an edited built-in map brings its first contents back.

pub(crate) mod builtin;
mod line;
mod rules_of;
mod table;

pub(crate) use line::compile_check_since;
pub use line::{
    Entry, LONGEST_LINE, LONGEST_MAP, Line, LineError, MOST_LINE_ERRORS, MOST_LINES, MOST_PATTERNS,
    compile_check,
};
pub use rules_of::{CHAT, COMPOSITE, rule_set};
#[cfg(test)]
pub(crate) use table::STATEMENTS;
pub(crate) use table::load;
pub use table::{MapChange, NewMap};

use std::collections::HashSet;
use std::sync::Arc;

use rules::RuleSet;

use crate::owner::words;

words! {
    /// What the lines of a map are.
    Kind, "kind of map" {
        /// Patterns, `/expression/flags`.
        Pattern = "pattern",
        /// Whole addresses.
        Address = "address",
        /// Domains, each with all below it.
        Domain = "domain",
        /// Networks and single IP addresses.
        Network = "network",
        /// Whole values, whatever they are.
        Word = "word",
        /// Numbers of autonomous systems, `AS64496`; its scope is `asn`.
        System = "asn",
    }
}

words! {
    /// What happens when a line of a map applies.
    Effect, "effect of a map" {
        /// Its score counts.
        Score = "score",
        /// Its score counts; what is refused because of it is not kept in the quarantine.
        ScoreUnkept = "score_unkept",
        /// The message is accepted, nothing else counts.
        Accept = "accept",
        /// The message is refused, nothing else counts.
        Reject = "reject",
        /// The message stays out of logs and statistics.
        NoLog = "no_log",
    }
}

/// The scope of maps of autonomous systems.
pub const SYSTEM_SCOPE: &str = "asn";

/// A map.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct MapRecord {
    /// What it is called, such as `bad_words.map`.
    pub name: String,
    /// What its lines are.
    pub kind: Kind,
    /// What its rule is called.
    pub symbol: String,
    /// What it is compared with: a scope of the rule language, or `asn`.
    pub scope: String,
    /// By how much it makes a message worse.
    pub score: f32,
    /// What happens when a line applies.
    pub effect: Effect,
    /// Whether it counts.
    pub active: bool,
    /// For people.
    pub description: String,
    /// The text as it was written.
    pub text: String,
    /// Whether it comes with the program: it cannot be removed.
    pub builtin: bool,
    /// When it was made or edited here, in seconds since 1970; `None` as it comes.
    pub updated_at: Option<i64>,
}

/// A map of autonomous systems in memory.
#[derive(Debug)]
pub(crate) struct SystemMap {
    pub(crate) symbol: Arc<str>,
    pub(crate) score: f32,
    pub(crate) numbers: HashSet<u32>,
}

/// The maps in memory.
#[derive(Debug, Default)]
pub(crate) struct Maps {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) effects: Vec<(String, Effect)>,
    pub(crate) systems: Vec<SystemMap>,
    /// Lines that an earlier version has taken and this one does not.
    pub(crate) unusable: Vec<String>,
}

impl Maps {
    pub(crate) fn new(records: &[MapRecord]) -> Self {
        let active = || records.iter().filter(|record| record.active);
        let mut maps = Self {
            rules: Arc::new(rule_set(records)),
            effects: active()
                .map(|record| (record.symbol.clone(), record.effect))
                .collect(),
            ..Self::default()
        };
        for record in active() {
            let (lines, errors) = line::read(record.kind, &record.text);
            maps.unusable.extend(
                errors
                    .iter()
                    .map(|error| format!("{}: {error}", record.name)),
            );
            if record.kind == Kind::System {
                let numbers = lines.iter().filter_map(|line| match &line.entry {
                    Entry::Item(item) => item.parse().ok(),
                    Entry::Pattern(_) => None,
                });
                maps.systems.push(SystemMap {
                    symbol: record.symbol.as_str().into(),
                    score: record.score,
                    numbers: numbers.collect(),
                });
            }
        }
        maps
    }
}
