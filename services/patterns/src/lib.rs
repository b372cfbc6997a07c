//! Thousands of Perl-compatible patterns compiled once into a portable, checked file, and scanned
//! for in one pass.
//!
//! A [`PatternSet`] holds patterns by scope: the part of a message they are applied to. The
//! [`Compiler`] makes a [`Database`] of it, the same bytes for the same set on every machine,
//! taking over what a previous database has compiled already. A database is saved to a file,
//! which is mapped and used as it is. [`Scope::scan`] reports which patterns match a haystack.
//!
//! ```
//! use std::ops::ControlFlow;
//! use patterns::{Compiler, Flags, Pattern, PatternSet, Scratch, Text};
//!
//! let mut set = PatternSet::new();
//! for (id, expression) in [(1, r"\bfree (?:money|pills)\b"), (2, r"^dear \w+,"), (3, r"(oops")] {
//!     let flags = Flags::parse("i")?;
//!     let expression = expression.into();
//!     set.add("body", Text::Prose, Pattern { id, expression, flags })?;
//! }
//! let compiled = Compiler::new().compile(&set, None);
//! assert_eq!(compiled.refused[0].id, 3);
//!
//! let database = compiled.database;
//! let mut scratch = Scratch::new(&database);
//! let body = database.scope("body").unwrap();
//! let mut found = Vec::new();
//! body.scan(&mut scratch, b"Dear winner, FREE MONEY inside", |id| {
//!     found.push(id);
//!     ControlFlow::Continue(())
//! });
//! found.sort();
//! assert_eq!(found, [1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Expressions mean what they mean to PCRE2; the few deliberate differences are listed in
//! `syntax`, and one more concerns [`Scope::matches`]: after an empty match at the end of an atomic
//! group it may find a longer one at the same place where Perl looks no further there.
//!
//! What it is not: a library for one expression (use `regex` or PCRE2), a streaming matcher (a
//! haystack is whole), or an authority on files from strangers: a file is checked for damage and
//! can do no harm, but what it matches is its maker's business.
//!
//! Where to start reading: [`syntax`] turns an expression into a tree, [`plan`] decides by what it
//! is noticed, [`program`] is the machine that confirms, [`mod@unit`] keeps the three together,
//! [`table`] finds strings and byte classes of all patterns at once, [`file`] lays everything out,
//! [`scan`] drives.

mod anchored;
mod byteset;
mod compile;
mod damage;
mod database;
mod error;
mod file;
pub mod live;
mod parallel;
mod plan;
mod program;
mod scan;
mod scope;
mod scratch;
mod set;
pub mod store;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod unit;

pub use compile::{Compiled, Compiler};
pub use database::{Database, Layout, Refused, Section};
pub use error::{LoadError, SetError, TsvError, TsvReason, Version};
#[cfg(any(test, feature = "test-support"))]
pub use file::seal;
pub use plan::{Statistics, Text};
pub use scan::{Match, Outcome};
pub use scope::{Cost, Explanation, PatternInfo, Plan, Scope};
pub use scratch::{Counters, DEFAULT_FUEL, Scratch};
pub use set::{
    Digest, LONGEST_EXPRESSION, LONGEST_NAME, MOST_PATTERNS, MOST_SCOPES, NotADigest, Pattern,
    PatternSet,
};
pub use syntax::{
    Construct, Flags, MAX_CLASS_SIZE, MAX_COUNT, MAX_DEPTH, MAX_EXPRESSION, MAX_GROUPS,
    MAX_LOOK_BEHIND, MAX_NAME, SyntaxError, SyntaxReason, UnknownFlag,
};
