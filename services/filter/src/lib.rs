//! The spam filter's verdict on a message and the signals that need no rules.
//!
//! A [`Filter`] looks at one message with everything that is known about how it came
//! ([`Input`]), collects [`Signal`]s (a symbol, a score, a word of explanation), and says in a
//! [`Verdict`] what should happen. It is pure: the same input has the same verdict on every
//! machine, to the last digit.
//!
//! Built in are the signals of sender authentication, of the message's form, and of the client's
//! name; symbols and scores follow what operators know from Rspamd. Everything else (rules, maps,
//! learned signals) joins as a [`Source`]: it adds signals, for the whole message or for one
//! recipient, and no caller changes.
//!
//! Two things decide without a score. Mail that fails the DMARC policy of its author's domain is
//! refused or filed as junk as that domain asks; and mail with more than one From field is refused,
//! because readers would be shown an author that nothing vouches for. See [`Action`] for the rules.
//!
//! Not here: greylisting, quarantine, content rules; what a caller does with the verdict.
//!
//! Start at [`Filter::evaluate`].
#![deny(missing_docs)]

mod builtin;
mod header;
mod input;
mod signal;
mod verdict;

pub use input::{Input, Origin};
pub use signal::{Scope, Signal, Signals, Source};
pub use verdict::{Action, Filter, Thresholds, Verdict};
