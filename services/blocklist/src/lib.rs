//! Network signals: block lists by address, domain, link and mail address; the origin of addresses;
//! whether a sender's domain can take mail.
//!
//! [`Blocklist::look_up`] turns what is known of a message ([`Question`]) into questions to name
//! servers, asks them all at once through [`dns::Resolver`] and has an [`Answer`] at the latest
//! when the deadline passes; what has come until then counts. Answers are kept for a while,
//! negative ones too, and the same question asked twice at once is asked once.
//!
//! Lists are data ([`List`]); [`builtin`] knows the well-known ones. Three answers are never taken
//! for a hit: a refusal in the list's own codes, an address outside 127.0.0.0/8 (the zone is in
//! other hands), and anything from a list that also lists what RFC 5782 says it must not. A list
//! that refuses or does not answer is left alone for a while.
//!
//! Not here: forward-confirmed names of the client (`mailauth`), public suffixes (the caller gives
//! registrable domains), what a signal is worth together with others (`filter`).
//!
//! RFC 5782 (DNS lists), RFC 7505 (null MX), RFC 5321 §5.1 (where mail for a domain goes).
//! Start at [`Blocklist`].
#![deny(missing_docs)]

mod builtin;
mod cache;
mod config;
mod health;
mod list;
mod lookup;
mod names;
mod plan;
mod question;

pub use builtin::builtin;
pub use config::{Config, ConfigError, Override, Times};
pub use list::{Ask, Code, Codes, CodesError, EmailHash, List, Refusal};
pub use lookup::Blocklist;
pub use question::{Answer, Host, NetworkSignal, Question};
