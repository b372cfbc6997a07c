//! The spam filter: what is known about a message, what rules and classifiers say, what follows.
//!
//! A [`Filter`] judges a message with everything that is known about how it came ([`Input`]):
//!
//! ```text
//! Input ── facts ─┬─ builtin   authentication, form, HELO          ┐
//!                 ├─ rulebook  maps and rules: one scan a scope     │
//!                 ├─ blocklist, antivirus   asked meanwhile         ├─ signals ── verdict
//!                 ├─ learn     Bayes, reputation, fuzzy hashes      │
//!                 └─ policy    lists and thresholds of recipients   ┘
//! ```
//!
//! Everything but the waiting is a pure function of the message, the rules and what was learned:
//! equal on every machine, to the last digit. Budgets are lengths and counts, never times.
//!
//! Two things decide without a score. Mail that fails the DMARC policy of its author's domain is
//! refused or filed as junk as that domain asks; and mail with more than one From field is refused,
//! because readers would be shown an author that nothing vouches for. See [`Action`] for the rules.
//!
//! | file | what |
//! |---|---|
//! | `engine.rs` | [`Filter`]: judging, step by step |
//! | `facts/` | what there is to know about one message |
//! | `builtin.rs` | signals that need no rules |
//! | `rulebook.rs` | the rules in force, compiled and replaced while mail flows |
//! | `memory.rs` | what was learned: asked and taught |
//! | `tokens.rs` | what the classifier sees of a message |
//! | `personal.rs` | what recipients and administrators say about senders |
//! | `teacher.rs` | learning from what users do |
//! | `trial.rs` | a rule set tried before it is in force |
//! | `verdict.rs`, `header.rs`, `record.rs` | the decision, as fields, as it is kept |
//!
//! Start at [`Filter::judge`].
#![deny(missing_docs)]

mod builtin;
mod engine;
mod facts;
mod header;
mod input;
mod memory;
mod personal;
pub mod record;
mod rulebook;
mod signal;
mod teacher;
mod tokens;
mod trial;
mod verdict;

pub use engine::{Filter, Judged, Options, Tuning};
pub use input::{Input, Origin, Recipient};
pub use mail::Opinion;
pub use memory::Teaching;
pub use record::Record;
pub use rulebook::{LayerStatus, RulebookError, RulesStatus};
pub use signal::{Scope, Signal, Signals};
pub use trial::Trial;
pub use verdict::{Action, Share, Thresholds, Timing, Verdict};

/// Reads the rules that come with the program, once in a process. [`Filter::start`] needs them and
/// would read them itself; whoever has other work at its start has a thread do it meanwhile.
pub fn preload() {
    let _ = rules::builtin();
}
