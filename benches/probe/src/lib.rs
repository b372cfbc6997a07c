//! What a benchmark of pattern engines has in common with the small program that runs one engine
//! in a process of its own: files of haystacks, rules, Hyperscan's interface, clocks and memory.
//!
//! The program `probe` compiles and scans with one engine and says what it cost. It depends on
//! little, so that it is quickly built for another processor and runs under an emulator. Start at
//! [`stream`] for the haystacks and [`hyperscan`] for the peers.

#![deny(missing_docs)]

mod error;
pub mod hyperscan;
pub mod rules;
pub mod stream;
pub mod usage;

pub use error::{Context, Error, Result};
