//! Spam rules as data: rule sets, one scan, one evaluation.
//!
//! A [`RuleSet`] is what a rule file says ([`RuleSet::parse`]). A [`Book`] joins several, checks
//! how they fit together and indexes them. [`Book::patterns`] gives the patterns to compile;
//! [`Book::scan`] applies all of it to a message, which is known as a [`Subject`] only;
//! [`Book::conclude`] evaluates the rules once the signals that are no rules are known too.
//!
//! ```
//! use rules::{Book, Known, RuleSet, Workspace};
//! # use rules::{Flag, Number, Scope, Subject};
//! # struct Message;
//! # impl Subject for Message {
//! #     fn haystacks<'s>(&'s self, _: &Scope, into: &mut Vec<&'s [u8]>) { into.push(b"FREE MONEY"); }
//! #     fn number(&self, _: Number) -> f64 { 0.0 }
//! #     fn holds(&self, _: Flag) -> bool { false }
//! # }
//! # let message = Message;
//! let set = RuleSet::parse(r#"
//!     [[rule]]
//!     symbol = "FREE_MONEY"
//!     score = 3.0
//!     when = { in = "body", match = '/\bfree money\b/i' }
//!
//!     [[rule]]
//!     symbol = "FREE_MONEY_FORGED"
//!     score = 2.5
//!     when = { expression = "FREE_MONEY && R_SPF_FAIL" }
//! "#)?;
//! let book = Book::new(&[&set]).map_err(|errors| errors[0].clone())?;
//! let database = patterns::Compiler::new().compile(&book.patterns()?, None).database;
//!
//! let mut workspace = Workspace::new(&database);
//! let scan = book.scan(&database, &mut workspace, &message);
//! let known = [Known { symbol: "R_SPF_FAIL", score: 1.0 }];
//! let conclusion = book.conclude(&scan, &known);
//! let symbols: Vec<&str> = conclusion.hits.iter().map(|hit| &*hit.symbol).collect();
//! assert_eq!(symbols, ["FREE_MONEY", "FREE_MONEY_FORGED"]);
//! # Ok::<(), rules::RuleError>(())
//! ```
//!
//! What it does not do: it takes no message apart, asks nobody over the network and knows no
//! thresholds. No verdict depends on the machine or on the order of a hash table.
//!
//! Where to start reading: [`model`] and [`vocabulary`] say what rules are, `read` and `write` are
//! their files, [`expression`] is the small language of composites, `book` compiles and concludes,
//! `scan` looks at a message.

#![deny(missing_docs)]

mod book;
mod builtin;
mod documentation;
mod error;
pub mod expression;
mod limits;
mod list;
pub mod model;
mod pattern;
mod read;
mod scan;
pub mod spamassassin;
#[cfg(test)]
mod tests;
pub mod vocabulary;
mod write;

pub use book::{Book, Conclusion, Hit, Known};
pub use builtin::builtin;
pub use documentation::vocabulary_table;
pub use error::{Place, Reason, RuleError};
pub use expression::{Expression, ExpressionError, ExpressionReason};
pub use limits::{
    MAX_DEPTH, MAX_ERRORS, MAX_EXPRESSION, MAX_FILE, MAX_HITS, MAX_ITEM, MAX_ITEMS, MAX_NAME,
    MAX_OPERANDS, MAX_PARENTHESES, MAX_PATTERNS, MAX_RULES, MAX_SCORE, MAX_SYMBOL,
};
pub use model::{Condition, Group, Hits, List, ListKind, PatternText, Prefilter, Rule, RuleSet};
pub use pattern::PatternError;
pub use scan::{Scan, Subject, Workspace};
pub use vocabulary::{Flag, HeaderPart, Number, Plain, Scope, Unknown};
