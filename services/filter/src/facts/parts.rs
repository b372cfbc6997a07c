//! The parts of a message, decoded: what a reader of its own is for is handed out as a job.

use mime::{Kind, Part, Structure};
use parsebox::{Attachment, Job};

use super::limits::{MAX_ATTACHED, MAX_ATTACHMENTS, MAX_TEXT, MAX_TEXT_PARTS};

/// Attachments smaller than this have no digest of their own: too many are alike by chance.
const DIGEST_LEAST: usize = 512;

/// What is known of a message's parts before anybody has looked into them.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Text parts, in order.
    pub(crate) texts: Vec<TextPart>,
    /// Names of attachments.
    pub(crate) names: Vec<String>,
    /// Digests of attachments, for fuzzy hashes.
    pub(crate) digests: Vec<[u8; 32]>,
    /// Text was left out.
    pub(crate) text_truncated: bool,
    /// Attachments were left out.
    pub(crate) attachments_truncated: bool,
}

/// A text part.
#[derive(Debug)]
pub(crate) struct TextPart {
    pub(crate) decoded: String,
    pub(crate) kind: TextKind,
    /// It is in base64 though it is ASCII.
    pub(crate) base64_needlessly: bool,
}

/// What a text part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    Plain,
    Html,
    Other,
}

impl Parts {
    /// Decodes a message, and says what there is to read.
    pub(crate) fn decode(raw: &[u8], structure: &Structure) -> (Self, Job) {
        let mut parts = Self::default();
        let pages = parts.decode_texts(raw, structure);
        let attachments = parts.decode_attachments(raw, structure);
        (parts, Job { pages, attachments })
    }

    fn decode_texts(&mut self, raw: &[u8], structure: &Structure) -> Vec<String> {
        let mut pages = Vec::new();
        let mut left = MAX_TEXT;
        for part in structure.leaves().filter(|part| is_text(part)) {
            if self.texts.len() >= MAX_TEXT_PARTS || left == 0 {
                self.text_truncated = true;
                break;
            }
            let mut decoded = mime::decode::part_text(raw, part);
            if decoded.len() > left {
                decoded.truncate(decoded.floor_char_boundary(left));
                self.text_truncated = true;
            }
            left -= decoded.len();
            let kind = match part.content_type.subtype.as_slice() {
                b"html" => TextKind::Html,
                b"plain" => TextKind::Plain,
                _ => TextKind::Other,
            };
            if kind == TextKind::Html {
                pages.push(decoded.clone());
            }
            self.texts.push(TextPart {
                base64_needlessly: part.encoding == b"base64" && decoded.is_ascii(),
                decoded,
                kind,
            });
        }
        pages
    }

    fn decode_attachments(&mut self, raw: &[u8], structure: &Structure) -> Vec<Attachment> {
        let mut attachments = Vec::new();
        let mut left = MAX_ATTACHED;
        for part in structure.leaves().filter(|part| is_looked_into(part)) {
            if attachments.len() >= MAX_ATTACHMENTS {
                self.attachments_truncated = true;
                break;
            }
            let name = mime::decode::filename(part);
            let bytes = mime::decode::part_bytes(raw, part);
            let Some(rest) = left.checked_sub(bytes.len()) else {
                self.attachments_truncated = true;
                break;
            };
            left = rest;
            if bytes.len() >= DIGEST_LEAST {
                self.digests.push(*blake3::hash(&bytes).as_bytes());
            }
            self.names.extend(name.clone());
            let content = &part.content_type;
            attachments.push(Attachment {
                name,
                declared: format!(
                    "{}/{}",
                    String::from_utf8_lossy(&content.media),
                    String::from_utf8_lossy(&content.subtype)
                ),
                bytes: bytes.into(),
            });
        }
        attachments
    }
}

fn is_text(part: &Part) -> bool {
    part.content_type.media == b"text"
        && part.content_type.subtype != b"calendar"
        && !part.is_attachment()
}

/// Text that readers see is no attachment, unless it has a name.
fn is_looked_into(part: &Part) -> bool {
    part.kind == Kind::Leaf
        && (part.is_attachment()
            || part.content_type.media != b"text"
            || mime::decode::filename(part).is_some())
}
