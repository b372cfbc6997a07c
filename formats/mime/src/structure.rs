//! The part tree of a message, with the exact place of every part in its octets.
//!
//! The tree is an arena in pre-order: `parts[0]` is the message and a child always has a greater
//! index than its parent, so walks end and cycles cannot be written down. Ranges nest: a part lies
//! within its parent's body.
//!
//! What a message says about itself is believed only as far as it can be honoured:
//!
//! - no Content-Type: plain text in US-ASCII, or a message inside `multipart/digest`
//!   (RFC 2046 §5.1.5);
//! - a multipart without a usable boundary, or whose boundary never appears: plain text;
//! - a container beyond [`MAX_DEPTH`] or [`MAX_PARTS`]: `application/octet-stream`, not looked into;
//! - a multipart without its closing delimiter runs to the end of its parent.
//!
//! A delimiter line is two hyphens, the boundary, two more when it closes, and nothing but white
//! space. It belongs, with the line break before it, to no part (RFC 2046 §5.1.1). Text before the
//! first and behind the last delimiter belongs to the multipart's body, but to none of its children.

use std::ops::Range;

use crate::content::{ContentType, Params};
use crate::split::Splitter;
use crate::summary::Envelope;
use crate::{Error, index};

/// Containers within containers that are looked into.
pub const MAX_DEPTH: usize = 100;

/// Parts of one message, the message itself included.
pub const MAX_PARTS: usize = 10_000;

/// Octets of a multipart boundary; a longer one is none (RFC 2046 §5.1.1 allows 70).
pub const MAX_BOUNDARY: usize = 2_048;

/// The part tree of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Never empty, in pre-order; `parts[0]` is the message itself.
    pub parts: Vec<Part>,
}

/// One part of a message, or the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The header with the empty line that ends it, if there is one.
    pub header: Range<u32>,
    /// The body, still transfer-encoded; starts where the header ends.
    pub body: Range<u32>,
    /// Line feeds in the body.
    pub lines: u32,
    /// What the content is, as far as it could be honoured.
    pub content_type: ContentType,
    /// `Content-ID`, unfolded.
    pub id: Option<Vec<u8>>,
    /// `Content-Description`, unfolded, encoded words left.
    pub description: Option<Vec<u8>>,
    /// `Content-Transfer-Encoding` in lower case, `7bit` by default.
    pub encoding: Vec<u8>,
    /// `Content-Disposition`: its type in lower case and its parameters.
    pub disposition: Option<(Vec<u8>, Params)>,
    /// `Content-Language`: its tags in order.
    pub language: Vec<Vec<u8>>,
    /// `Content-Location`, unfolded.
    pub location: Option<Vec<u8>>,
    /// `Content-MD5`, unfolded.
    pub md5: Option<Vec<u8>>,
    /// What it contains.
    pub kind: Kind,
}

/// What a part contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Content that is not looked into.
    Leaf,
    /// `multipart/*`: at least one child, in order.
    Multipart {
        /// Indices into [`Structure::parts`], ascending.
        children: Vec<u32>,
    },
    /// `message/rfc822` or `message/global`.
    Message {
        /// Envelope of the enclosed message.
        envelope: Box<Envelope>,
        /// Index of the part that is the enclosed message.
        root: u32,
    },
}

impl Structure {
    /// Splits a message. Never fails; octets beyond the first 4 GiB are not seen.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Structure {
        Splitter::new(raw).run().structure
    }

    /// Proves the invariants of a structure for a message of `size` octets: pre-order, one parent
    /// each, nested and disjoint ranges, no empty container, depth and count within their limits.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the first that does not hold; never for what [`Structure::parse`]
    /// yields.
    pub fn check(&self, size: u32) -> Result<(), Error> {
        let message = self.parts.first().ok_or(Error::Corrupt("no parts"))?;
        if message.header.start != 0 || message.body.end > size || self.parts.len() > MAX_PARTS {
            return Err(Error::Corrupt("message"));
        }
        let mut depths = vec![None; self.parts.len()];
        depths
            .first_mut()
            .into_iter()
            .for_each(|depth| *depth = Some(0));
        for (at, part) in self.parts.iter().enumerate() {
            let depth: usize = depths
                .get(at)
                .copied()
                .flatten()
                .ok_or(Error::Corrupt("orphan"))?;
            let (header, body) = (&part.header, &part.body);
            if header.start > header.end || header.end != body.start || body.start > body.end {
                return Err(Error::Corrupt("range"));
            }
            let mut free = body.start;
            for &child in part.children() {
                let place = depths.get_mut(index(child)).filter(|_| index(child) > at);
                let place = place.ok_or(Error::Corrupt("child index"))?;
                let range = self
                    .get(child)
                    .map_or(0..0, |child| child.header.start..child.body.end);
                if place.replace(depth + 1).is_some() || range.start < free || range.end > body.end
                {
                    return Err(Error::Corrupt("child"));
                }
                free = range.end;
            }
            let is_container = part.kind != Kind::Leaf;
            if is_container && (part.children().is_empty() || depth >= MAX_DEPTH) {
                return Err(Error::Corrupt("container"));
            }
        }
        Ok(())
    }

    /// The part at `index`.
    #[must_use]
    pub fn get(&self, at: u32) -> Option<&Part> {
        self.parts.get(index(at))
    }

    /// The parts that are no containers, in the order of the message.
    pub fn leaves(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.kind == Kind::Leaf)
    }
}

impl Part {
    /// The header's octets in the message the structure was made from.
    #[must_use]
    pub fn header_of<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        slice(raw, &self.header)
    }

    /// The body's octets in the message the structure was made from.
    #[must_use]
    pub fn body_of<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        slice(raw, &self.body)
    }

    /// Size of the body in octets, as IMAP reports it.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.body.end.saturating_sub(self.body.start)
    }

    /// Indices of the parts directly within this one.
    #[must_use]
    pub fn children(&self) -> &[u32] {
        match &self.kind {
            Kind::Leaf => &[],
            Kind::Multipart { children } => children,
            Kind::Message { root, .. } => std::slice::from_ref(root),
        }
    }

    /// Whether the part is meant to be kept apart: its disposition says `attachment`, or it is
    /// neither text nor a container and is not marked `inline`.
    #[must_use]
    pub fn is_attachment(&self) -> bool {
        match &self.disposition {
            Some((kind, _)) if kind == b"attachment" => true,
            Some((kind, _)) if kind == b"inline" => false,
            _ => self.kind == Kind::Leaf && self.content_type.media != b"text",
        }
    }
}

fn slice<'a>(raw: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    raw.get(index(range.start)..index(range.end))
        .unwrap_or_default()
}
