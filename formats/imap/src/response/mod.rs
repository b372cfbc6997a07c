//! Responses: one file for each kind, all writing straight into the output through a [`Writer`].
//!
//! A value that implements [`Encode`] writes one or more whole lines. FETCH responses are written
//! item by item with a [`FetchWriter`], since their data is large and lives elsewhere.
//!
//! Text from messages and users is made safe here: no field of any response can break the line it
//! is in.

mod capability;
mod code;
mod continuation;
mod enabled;
mod esearch;
mod fetch;
mod flags;
mod id;
mod list;
mod mailbox_status;
mod messages;
mod namespace;
mod search;
mod status;

pub use capability::CapabilityData;
pub use code::{CopyUid, ResponseCode, UTF_8};
pub use continuation::Continuation;
pub use enabled::Enabled;
pub use esearch::ESearch;
pub use fetch::{
    AddressField, BodyKind, BodyPart, BodySource, Disposition, EnvelopeAddress, EnvelopeSource,
    Extensions, FetchWriter, MAX_BODY_DEPTH, MAX_BODY_PARTS, MAX_ENVELOPE_ADDRESSES, Parameters,
};
pub use flags::{FlagsData, PermanentFlags};
pub use id::IdData;
pub use list::{ListData, ListDelimiter, ListKind, MailboxAttribute};
pub use mailbox_status::{StatusData, StatusValue};
pub use messages::{Exists, Expunged, Recent};
pub use namespace::{NamespaceData, NamespacePrefix};
pub use search::SearchData;
pub use status::{Status, StatusResponse};

use crate::mailbox::Utf8Mode;
use crate::writer::Writer;

/// Something that can be written as whole response lines.
pub trait Encode {
    /// Appends the lines, each with its CRLF.
    fn encode(&self, writer: &mut Writer<'_>);

    /// Appends the lines to `out`.
    fn encode_to(&self, out: &mut Vec<u8>, mode: Utf8Mode) {
        self.encode(&mut Writer::new(out, mode));
    }
}

#[cfg(test)]
mod tests;
