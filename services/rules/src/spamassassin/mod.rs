//! SpamAssassin's rule files as a rule set.
//!
//! [`import`] takes the contents of `.pre` and `.cf` files in the order in which SpamAssassin would
//! read them and gives a [`RuleSet`] and a [`Report`] of what became of every line that is no rule
//! in use. It follows SpamAssassin 4.0: conditions are evaluated for that version and for the
//! plugins in [`PLUGINS`].
//!
//! What rules become:
//!
//! | there | here |
//! |---|---|
//! | `body`, `rawbody`, `full`, `uri` | a match in `body` (`text` with `nosubject`), `raw_body`, `full`, `url` |
//! | `header`, `mimeheader` | matches in fields, `exists`; `ALL` is `headers`, relays are `relays.trusted` and `relays.untrusted`, `ToCc` is both fields |
//! | `[if-unset: …]` | the pattern is tried on that text now, and on the empty text without it |
//! | `uri_detail` | matches of all URLs together: nothing ties the keys to one URL |
//! | `meta` | an expression; a rule that is refused, off or undefined counts as 0 |
//! | `eval:` | what comes near to the function, see `eval` |
//! | `score` with four values | the fourth, for Bayes and network |
//! | no `score` | 1, or 0.01 for `T_`; negative with `nice` |
//! | `tflags multiple` | each match counts, up to `maxhits` or 1,000 |
//! | `__NAME` | a hidden rule |
//! | lists of addresses and hosts | lists, and patterns for globs; rules with SpamAssassin's scores when the files define none for them |
//!
//! A rule that says what the filter says itself (SPF, DKIM, DMARC, Bayes, block lists) is hidden:
//! other rules can be made of it, and the score is not counted twice.
//!
//! What is not supported: captures of one pattern in another (`%{NAME}`), `include`, rules of
//! plugins that are not in [`PLUGINS`], `ALL-TRUSTED` and its like, questions to the DNS that the
//! filter does not ask anyway.
//!
//! Where to start reading: `collect` reads lines, `build` makes rules of them; each directive has
//! its module.

mod build;
mod collect;
mod condition;
mod entries;
mod eval;
mod header;
mod line;
mod lists;
mod meta;
mod pattern;
mod probe;
mod replace;
mod report;
mod settings;
mod signal;
#[cfg(test)]
mod tests;

pub use condition::PLUGINS;
pub use replace::MAX_EXPANSION;
pub use report::{FileReport, Kind, MAX_NOTES, Note, Outcome, Report, Tally};

use crate::model::RuleSet;

/// Octets of a file; a longer one is refused.
pub const MAX_FILE: usize = 16 << 20;
/// Octets of a line; a longer one is refused.
pub const MAX_LINE: usize = 1 << 20;
/// How deep `if` may be nested; what is deeper is left out.
pub const MAX_NESTING: usize = 64;

/// The result of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The rules. Its patterns all compile, and [`Book::new`](crate::Book::new) takes it.
    pub set: RuleSet,
    /// What became of the lines.
    pub report: Report,
}

/// Imports files, given by name and content in the order in which SpamAssassin reads them: those
/// that end in `.pre` before those that end in `.cf`, each sorted, the site's after the
/// distribution's. Contents need not be UTF-8. Nothing here is an error: what is not understood is
/// in the report.
///
/// All patterns are compiled once, so this takes about as long as compiling the set.
#[must_use]
pub fn import(files: &[(String, &[u8])]) -> Import {
    build::build(collect::collect(files))
}
