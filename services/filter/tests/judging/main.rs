//! What the filter makes of messages, seen from outside: `house.rs` has the server and the
//! messages, every other file one subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod files;
mod flags;
mod hostile;
mod house;
mod in_force;
mod learning;
mod numbers;
mod properties;
mod recipients;
mod records;
mod scopes;
mod senders;
