//! clamd as a service: one verdict on one message.
//!
//! [`Antivirus`] speaks to a ClamAV daemon over a Unix socket or TCP, one connection for each scan,
//! at most [`Options::connections`] at a time. One deadline covers everything from waiting for a
//! free connection to the last octet of the answer. The daemon is a neighbour, and what it says is
//! still checked: answers are bounded, and names of signatures are reduced to harmless characters.
//!
//! Not here: what becomes of a message ([`Options::on_failure`] is kept for those who decide),
//! unpacking mail (clamd does it itself), starting or updating clamd, TLS.
//!
//! Start at [`Antivirus::scan`]. The protocol is that of clamd(8): commands in their `z` form, which
//! end in NUL, and `INSTREAM`.

#![deny(missing_docs)]

mod address;
mod client;
mod options;
mod reply;

pub use address::{Address, AddressError};
pub use client::{Antivirus, Error};
pub use options::{OnFailure, Options};
pub use reply::{MAX_NAME, Scanned};
