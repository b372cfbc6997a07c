//! Envelopes and structures of [`mime`] as [`imap`] writes them.

use imap::response::{
    AddressField, BodyKind, BodyPart, BodySource, Disposition, EnvelopeAddress, EnvelopeSource,
};
use mime::{Envelope, Kind, Structure};

/// An envelope to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enveloped<'m>(pub(super) &'m Envelope);

impl EnvelopeSource for Enveloped<'_> {
    fn date(&self) -> Option<&[u8]> {
        self.0.date.as_deref()
    }

    fn subject(&self) -> Option<&[u8]> {
        self.0.subject.as_deref()
    }

    fn in_reply_to(&self) -> Option<&[u8]> {
        self.0.in_reply_to.as_deref()
    }

    fn message_id(&self) -> Option<&[u8]> {
        self.0.message_id.as_deref()
    }

    fn addresses(&self, field: AddressField) -> impl Iterator<Item = EnvelopeAddress<'_>> {
        let addresses = match field {
            AddressField::From => &self.0.from,
            AddressField::Sender => &self.0.sender,
            AddressField::ReplyTo => &self.0.reply_to,
            AddressField::To => &self.0.to,
            AddressField::Cc => &self.0.cc,
            AddressField::Bcc => &self.0.bcc,
        };
        addresses.iter().map(|address| EnvelopeAddress {
            name: address.name.as_deref(),
            mailbox: address.mailbox.as_deref(),
            host: address.host.as_deref(),
        })
    }
}

/// A structure to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree<'m>(pub(super) &'m Structure);

impl BodySource for Tree<'_> {
    type Envelope<'a>
        = Enveloped<'a>
    where
        Self: 'a;

    fn part(&self, number: u32) -> Option<BodyPart<'_, Enveloped<'_>>> {
        let part = self.0.get(number)?;
        Some(BodyPart {
            media: &part.content_type.media,
            subtype: &part.content_type.subtype,
            parameters: &part.content_type.params,
            id: part.id.as_deref(),
            description: part.description.as_deref(),
            encoding: Some(&part.encoding),
            size: part.size(),
            lines: part.lines,
            md5: part.md5.as_deref(),
            disposition: part
                .disposition
                .as_ref()
                .map(|(kind, parameters)| Disposition { kind, parameters }),
            language: &part.language,
            location: part.location.as_deref(),
            kind: match &part.kind {
                Kind::Leaf => BodyKind::Leaf,
                Kind::Multipart { children } => BodyKind::Multipart(children),
                Kind::Message { envelope, root } => BodyKind::Message {
                    envelope: Enveloped(envelope),
                    body: *root,
                },
            },
        })
    }
}
