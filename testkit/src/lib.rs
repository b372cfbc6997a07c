//! A whole server in a test: ephemeral ports, fake DNS, the demo's outside world, scripted clients.
//!
//! [`TestServer`] is the product's own server with the product's own demo world around it; nothing
//! is replaced but DNS, certificates and the cost of passwords. [`client`] has clients that send
//! exactly what a test says; [`transcript`] replays conversations from files; [`process`] runs the
//! binary itself, to be killed.

pub mod client;
pub mod panics;
pub mod process;
mod server;
pub mod transcript;

pub use server::{PASSWORD, TestServer};
