//! BODYSTRUCTURE and ENVELOPE of any structure, also one with cycles: bounded output with balanced
//! parentheses, in which no header can place octets of its own outside strings.
#![no_main]

use fuzz::balanced;
use imap::response::{
    AddressField, BodyKind, BodyPart, BodySource, EnvelopeAddress, EnvelopeSource, Extensions,
    FetchWriter, Parameters,
};
use imap::{SeqNum, Utf8Mode, Writer};
use libfuzzer_sys::fuzz_target;

/// Two octets for each part: what it is, and which part is its last child.
struct Tree<'d> {
    shapes: &'d [u8],
    children: Vec<u32>,
    header: &'d [u8],
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

struct Header<'d>(&'d [u8]);

impl EnvelopeSource for Header<'_> {
    fn date(&self) -> Option<&[u8]> {
        None
    }
    fn subject(&self) -> Option<&[u8]> {
        Some(self.0)
    }
    fn in_reply_to(&self) -> Option<&[u8]> {
        Some(self.0)
    }
    fn message_id(&self) -> Option<&[u8]> {
        None
    }
    fn addresses(&self, _: AddressField) -> impl Iterator<Item = EnvelopeAddress<'_>> {
        let address = EnvelopeAddress {
            name: Some(self.0),
            mailbox: Some(self.0),
            host: None,
        };
        std::iter::repeat_n(address, self.0.len() % 3)
    }
}

impl BodySource for Tree<'_> {
    type Envelope<'a>
        = Header<'a>
    where
        Self: 'a;

    fn part(&self, number: u32) -> Option<BodyPart<'_, Header<'_>>> {
        let number = usize::try_from(number).ok()?;
        let [shape, child] = self.shapes.chunks_exact(2).nth(number)? else {
            return None;
        };
        let parameters: Parameters<'_> = &self.parameters;
        let kind = match shape % 3 {
            0 => BodyKind::Leaf,
            1 => BodyKind::Message {
                envelope: Header(self.header),
                body: u32::from(*child),
            },
            // Now and then many children, which overlap those of other parts.
            _ if shape & 0x38 == 0x38 => {
                BodyKind::Multipart(self.children.get(number..usize::from(*child))?)
            }
            _ => BodyKind::Multipart(self.children.get(usize::from(*child)..)?.get(..1)?),
        };
        Some(BodyPart {
            media: [&b"text"[..], b"message", b"multipart", self.header][usize::from(shape / 64)],
            subtype: b"rfc822",
            parameters,
            id: Some(self.header),
            description: None,
            encoding: None,
            size: 1,
            lines: 1,
            md5: None,
            disposition: None,
            language: &[],
            location: Some(self.header),
            kind,
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first() else {
        return;
    };
    let (header, shapes) = rest.split_at(usize::from(*length / 4).min(rest.len()));
    let tree = Tree {
        shapes,
        children: (0..256).map(|n| n + 1).collect(),
        header,
        parameters: vec![(b"name".to_vec(), header.to_vec())],
    };
    let mode = if length & 1 == 0 {
        Utf8Mode::ModifiedUtf7
    } else {
        Utf8Mode::Utf8
    };
    let extensions = if length & 2 == 0 {
        Extensions::With
    } else {
        Extensions::Without
    };
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, mode);
    let mut fetch = FetchWriter::begin(&mut writer, SeqNum::new(1).expect("not zero"));
    fetch
        .envelope(&Header(header))
        .body_structure(&tree, extensions);
    fetch.end();
    balanced(out.strip_suffix(b"\r\n").expect("a line"));
});
