//! Mail messages as bytes: header fields, part tree, envelope, decoded text, delivery reports.
//!
//! Everything here is a pure function of the message's octets. Offsets always refer to the octets
//! as they were handed in, nothing is re-encoded, and nothing fails: a broken message still has a
//! structure, and [`malformed`] names what is wrong with it. Work and memory are linear in the size
//! of the message; nothing recurses on input.
//!
//! Not here: composing messages (other than [`report`]), verifying signatures, rendering HTML.
//!
//! Start reading at [`Summary`], what a mailbox keeps of a message; [`structure`] holds the part
//! tree and [`section`] the way from an IMAP section to its octets. The crate `mail-parser` is used
//! by [`decode`] only, for character sets and HTML text.
//!
//! RFC 5322 (message format), RFC 2045, 2046, 2047, 2183, 2231 (MIME), RFC 6532 (UTF-8 headers),
//! RFC 3464 (delivery status), RFC 9051 §7.5.2 (envelope and body structure).

#![deny(missing_docs)]

mod address;
mod content;
pub mod date;
pub mod decode;
mod defect;
pub mod header;
pub mod report;
pub mod section;
mod split;
pub mod structure;
mod summary;
mod wire;

pub use address::{EnvelopeAddress, MAX_ADDRESSES, parse as parse_addresses};
pub use content::{ContentType, MAX_PARAMS, Params};
pub use defect::{Defect, malformed};
pub use structure::{Kind, Part, Structure};
pub use summary::{Envelope, MAX_REFERENCES, Summary};

/// Why stored bytes are not a [`Summary`].
///
/// A summary is a cache of what the message says: whoever meets an error parses the message again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end before the value does.
    #[error("summary is truncated")]
    Truncated,
    /// Written by a version of this crate with another layout.
    #[error("summary has unknown layout version {0}")]
    Version(u8),
    /// The bytes contradict an invariant, which is named.
    #[error("summary is corrupt: {0}")]
    Corrupt(&'static str),
}

/// An offset or size as it is stored; messages are read up to 4 GiB.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A stored offset or index as a slice index.
const fn index(n: u32) -> usize {
    n as usize
}

/// The octets a view can address: the first 4 GiB.
fn addressable(raw: &[u8]) -> &[u8] {
    raw.get(..index(u32::MAX)).unwrap_or(raw)
}
