//! Name resolution behind a trait, and a zone server for the demo and for tests.
//!
//! [`Resolver`] is what the queue and the sessions ask; [`System`] answers over the network through
//! hickory, with a bounded cache that keeps negative answers too. [`Zone`] is a small set of
//! records in memory and [`ZoneServer`] serves it over UDP and TCP, so that the demo and the tests
//! exercise the real resolver (libraries that insist on hickory's own type included) against names
//! of their own. Failures keep apart what mail must keep apart: "there is no such record" is an
//! answer, "nobody could tell" is a reason to try again later.
//!
//! Not here: DNSSEC validation (DANE will take a validating resolver's AD bit), zone transfers,
//! recursion, DNS over TLS.
//!
//! RFC 1035, RFC 2308 (negative caching), RFC 4592 (wildcards), RFC 7505 (null MX), RFC 8020.
//! Start at [`Resolver`].
#![deny(missing_docs)]

mod resolver;
mod server;
mod system;
mod zone;

pub use resolver::{Absence, Error, Failure, Mx, Resolver};
pub use server::ZoneServer;
pub use system::System;
pub use zone::Zone;
