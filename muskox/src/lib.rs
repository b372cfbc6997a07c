//! The product: configuration, command line, listeners, supervision and wiring.
//!
//! [`cli`] is what the binary runs; [`server`] puts the services and the protocol servers
//! together and keeps them running; [`control`] is the socket between the two; [`demo`] is a
//! server that needs nothing; [`sandbox`] is what a running server may not do. Protocols are in `servers/`, rules of mail in `services/`.

pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
mod logging;
mod printable;
pub mod sandbox;
pub mod server;
mod verification;
pub mod version;
