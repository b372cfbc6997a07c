//! ENVELOPE (RFC 9051 §7.5.2): the header's main fields in parsed form.
//!
//! The data stays where it is: whoever has an envelope implements [`EnvelopeSource`] on a
//! reference to it.

use crate::writer::Writer;

/// Addresses written in one envelope; more are left out.
pub const MAX_ENVELOPE_ADDRESSES: usize = 10_240;

/// One address. A group begins with a mailbox (its name) and no host, and ends with neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EnvelopeAddress<'a> {
    /// The display name, encoded words left as they are.
    pub name: Option<&'a [u8]>,
    /// Left of the `@`, or a group's name.
    pub mailbox: Option<&'a [u8]>,
    /// Right of the `@`.
    pub host: Option<&'a [u8]>,
}

/// Which list of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressField {
    /// From
    From,
    /// Sender; RFC 9051 §7.5.2: From when there is none.
    Sender,
    /// Reply-To; From when there is none.
    ReplyTo,
    /// To
    To,
    /// Cc
    Cc,
    /// Bcc
    Bcc,
}

impl AddressField {
    /// In the order in which an envelope has them.
    pub const ALL: [Self; 6] = [
        Self::From,
        Self::Sender,
        Self::ReplyTo,
        Self::To,
        Self::Cc,
        Self::Bcc,
    ];
}

/// Something that has an envelope. Fields are unfolded and otherwise raw; `None` is `NIL`.
pub trait EnvelopeSource {
    /// The Date field.
    fn date(&self) -> Option<&[u8]>;
    /// The Subject field.
    fn subject(&self) -> Option<&[u8]>;
    /// The In-Reply-To field.
    fn in_reply_to(&self) -> Option<&[u8]>;
    /// The Message-ID field.
    fn message_id(&self) -> Option<&[u8]>;
    /// The addresses of a field.
    fn addresses(&self, field: AddressField) -> impl Iterator<Item = EnvelopeAddress<'_>>;
}

/// `envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
/// env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"`
pub(super) fn encode(writer: &mut Writer<'_>, envelope: &impl EnvelopeSource) {
    let mut allowance = MAX_ENVELOPE_ADDRESSES;
    writer
        .bytes(b"(")
        .nstring(envelope.date())
        .sp()
        .nstring(envelope.subject());
    for field in AddressField::ALL {
        writer.sp();
        let written = addresses(writer, envelope.addresses(field).take(allowance));
        allowance = allowance.saturating_sub(written);
    }
    writer.sp().nstring(envelope.in_reply_to());
    writer.sp().nstring(envelope.message_id()).bytes(b")");
}

/// `env-from = "(" 1*address ")" / nil`, and says how many there were.
fn addresses<'e>(
    writer: &mut Writer<'_>,
    addresses: impl Iterator<Item = EnvelopeAddress<'e>>,
) -> usize {
    let mut count = 0;
    for address in addresses {
        if count == 0 {
            writer.bytes(b"(");
        }
        count += 1;
        // address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
        writer.bytes(b"(").nstring(address.name).bytes(b" NIL ");
        writer
            .nstring(address.mailbox)
            .sp()
            .nstring(address.host)
            .bytes(b")");
    }
    writer.bytes(if count == 0 { b"NIL" } else { b")" });
    count
}
