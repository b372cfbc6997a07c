//! How much of a message is looked at. What lies beyond is said by `budget_exceeded`.
//!
//! All are counts and lengths, never times: the same message has the same verdict on a slow machine.

/// Fields of the header.
pub(crate) const MAX_FIELDS: usize = 2_000;
/// Text parts.
pub(crate) const MAX_TEXT_PARTS: usize = 50;
/// Octets of decoded text, markup included, of all text parts.
pub(crate) const MAX_TEXT: usize = 1 << 20;
/// Octets of the message that the scope `full` shows.
pub(crate) const MAX_FULL: usize = 1 << 20;
/// Octets of a piece of the scope `raw_body`.
pub(crate) const RAW_PIECE: usize = 4_096;
/// Octets of a page's text that are one paragraph of the scope `body`.
pub(crate) const BLOCKS: usize = 2_048;
/// Attachments looked into.
pub(crate) const MAX_ATTACHMENTS: usize = 100;
/// Octets of attachments looked into, decoded.
pub(crate) const MAX_ATTACHED: usize = 32 << 20;
/// Different URLs.
pub(crate) const MAX_URLS: usize = 1_000;
/// Fields of MIME parts.
pub(crate) const MAX_PART_FIELDS: usize = 2_000;
/// Relays of the Received chain.
pub(crate) const MAX_RELAYS: usize = 50;
