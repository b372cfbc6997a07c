//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2): a message's parts as nested lists.
//!
//! The structure stays where it is: whoever has one implements [`BodySource`], whose parts are
//! numbered so that children come after their parents. The writer does not recurse, and a source
//! that breaks its promises costs no more than [`MAX_BODY_PARTS`] parts.

use super::envelope::{self, EnvelopeSource};
use crate::writer::Writer;

/// Parts written of one message; a filler stands for each one more.
pub const MAX_BODY_PARTS: usize = 10_000;

/// Levels written; a filler stands for what is deeper.
pub const MAX_BODY_DEPTH: usize = 100;

/// A part that cannot be shown: empty text.
const FILLER: &[u8] = b"(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)";

/// Whether extension data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extensions {
    /// `BODYSTRUCTURE`
    With,
    /// `BODY`
    Without,
}

/// Names and values of a header field's parameters.
pub type Parameters<'a> = &'a [(Vec<u8>, Vec<u8>)];

/// The Content-Disposition field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disposition<'a> {
    /// `inline`, `attachment`, …
    pub kind: &'a [u8],
    /// `filename` and others.
    pub parameters: Parameters<'a>,
}

/// What a part is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind<'a, E> {
    /// Octets.
    Leaf,
    /// A message: its envelope, and the number of the part that is its body.
    Message {
        /// Of the message inside.
        envelope: E,
        /// The part that is the message inside.
        body: u32,
    },
    /// Parts with these numbers. Without any it is written as an empty text, since the grammar
    /// wants at least one.
    Multipart(&'a [u32]),
}

/// One part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyPart<'a, E> {
    /// The media type, as in `text`.
    pub media: &'a [u8],
    /// The subtype, as in `plain`.
    pub subtype: &'a [u8],
    /// The Content-Type field's parameters.
    pub parameters: Parameters<'a>,
    /// Content-ID
    pub id: Option<&'a [u8]>,
    /// Content-Description
    pub description: Option<&'a [u8]>,
    /// Content-Transfer-Encoding; `7BIT` when there is none.
    pub encoding: Option<&'a [u8]>,
    /// Octets of the body as transferred.
    pub size: u32,
    /// Lines of the body.
    pub lines: u32,
    /// Content-MD5
    pub md5: Option<&'a [u8]>,
    /// Content-Disposition
    pub disposition: Option<Disposition<'a>>,
    /// Content-Language
    pub language: &'a [Vec<u8>],
    /// Content-Location
    pub location: Option<&'a [u8]>,
    /// What it is made of.
    pub kind: BodyKind<'a, E>,
}

/// Something that has a body structure. Part 0 is the message's own body; a part's children have
/// greater numbers than the part.
pub trait BodySource {
    /// The envelope of a message within the message.
    type Envelope<'a>: EnvelopeSource
    where
        Self: 'a;

    /// The part with this number. It is asked for twice when it has children: it must be cheap.
    fn part(&self, number: u32) -> Option<BodyPart<'_, Self::Envelope<'_>>>;
}

/// What is still to write.
enum Task {
    /// A part at this depth, below the part with a smaller number.
    Part {
        number: u32,
        parent: Option<u32>,
        depth: usize,
    },
    /// What follows the children.
    End { number: u32 },
}

/// `body = "(" (body-type-1part / body-type-mpart) ")"`
pub(super) fn encode(writer: &mut Writer<'_>, source: &impl BodySource, extensions: Extensions) {
    let mut tasks = vec![Task::Part {
        number: 0,
        parent: None,
        depth: 1,
    }];
    let mut allowance = MAX_BODY_PARTS;
    while let Some(task) = tasks.pop() {
        let (number, parent, depth) = match task {
            Task::Part {
                number,
                parent,
                depth,
            } => (number, parent, depth),
            Task::End { number } => {
                if let Some(part) = source.part(number) {
                    end_parent(writer, &part, extensions);
                }
                continue;
            }
        };
        let shown =
            allowance > 0 && depth <= MAX_BODY_DEPTH && parent.is_none_or(|parent| parent < number);
        let Some(part) = source.part(number).filter(|_| shown) else {
            writer.bytes(FILLER);
            continue;
        };
        allowance -= 1;
        let below = |child: u32| Task::Part {
            number: child,
            parent: Some(number),
            depth: depth + 1,
        };
        match &part.kind {
            BodyKind::Multipart([]) => {
                writer.bytes(FILLER);
            }
            BodyKind::Multipart(children) => {
                writer.bytes(b"(");
                tasks.push(Task::End { number });
                // Beyond the allowance one filler stands for all the rest.
                let most = allowance.saturating_add(1);
                tasks.extend(children.iter().take(most).rev().map(|child| below(*child)));
            }
            // body-type-msg = media-message SP body-fields SP envelope SP body SP body-fld-lines
            BodyKind::Message { envelope, body } => {
                writer.bytes(b"(").media(part.media, part.subtype).sp();
                writer.body_fields(&part).sp();
                envelope::encode(writer, envelope);
                writer.sp();
                tasks.extend([Task::End { number }, below(*body)]);
            }
            BodyKind::Leaf => leaf(writer, &part, extensions),
        }
    }
}

/// `body-type-basic = media-basic SP body-fields`
///
/// `body-type-text = media-text SP body-fields SP body-fld-lines`
fn leaf<E>(writer: &mut Writer<'_>, part: &BodyPart<'_, E>, extensions: Extensions) {
    let is = |media: &[u8]| part.media.eq_ignore_ascii_case(media);
    let (media, subtype): (&[u8], &[u8]) = if is(b"multipart") {
        // A multipart without parts: what is there is text.
        (b"TEXT", b"PLAIN")
    } else if is(b"message") && is_nested_message(part.subtype) {
        // The grammar wants an envelope after this type, and the message was not parsed.
        (b"APPLICATION", b"OCTET-STREAM")
    } else {
        (part.media, part.subtype)
    };
    writer
        .bytes(b"(")
        .media(media, subtype)
        .sp()
        .body_fields(part);
    if media.eq_ignore_ascii_case(b"text") {
        writer.sp().number(part.lines);
    }
    one_part_extensions(writer, part, extensions);
    writer.bytes(b")");
}

fn is_nested_message(subtype: &[u8]) -> bool {
    subtype.eq_ignore_ascii_case(b"rfc822") || subtype.eq_ignore_ascii_case(b"global")
}

/// What follows the children of a multipart or a message.
fn end_parent<E>(writer: &mut Writer<'_>, part: &BodyPart<'_, E>, extensions: Extensions) {
    match part.kind {
        BodyKind::Multipart(_) => {
            // body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
            writer.sp().string(part.subtype);
            if extensions == Extensions::With {
                writer.sp().parameters(part.parameters);
                writer.common_extensions(part);
            }
        }
        BodyKind::Message { .. } | BodyKind::Leaf => {
            writer.sp().number(part.lines);
            one_part_extensions(writer, part, extensions);
        }
    }
    writer.bytes(b")");
}

/// `body-ext-1part = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]`
fn one_part_extensions<E>(writer: &mut Writer<'_>, part: &BodyPart<'_, E>, extensions: Extensions) {
    if extensions == Extensions::With {
        writer.sp().nstring(part.md5);
        writer.common_extensions(part);
    }
}

impl Writer<'_> {
    /// `media-basic = string SP media-subtype`
    fn media(&mut self, media: &[u8], subtype: &[u8]) -> &mut Self {
        self.string(media).sp().string(subtype)
    }

    /// `body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP
    /// body-fld-octets`
    fn body_fields<E>(&mut self, part: &BodyPart<'_, E>) -> &mut Self {
        self.parameters(part.parameters).sp().nstring(part.id).sp();
        self.nstring(part.description).sp();
        self.string(part.encoding.unwrap_or(b"7BIT"))
            .sp()
            .number(part.size)
    }

    /// `body-fld-param = "(" string SP string *(SP string SP string) ")" / nil`
    fn parameters(&mut self, parameters: Parameters<'_>) -> &mut Self {
        if parameters.is_empty() {
            return self.bytes(b"NIL");
        }
        self.parenthesized(parameters, |writer, (name, value)| {
            writer.string(name).sp().string(value);
        })
    }

    /// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
    fn common_extensions<E>(&mut self, part: &BodyPart<'_, E>) -> &mut Self {
        match part.disposition {
            // body-fld-dsp = "(" string SP body-fld-param ")" / nil
            Some(disposition) => {
                self.bytes(b" (").string(disposition.kind).sp();
                self.parameters(disposition.parameters).bytes(b") ")
            }
            None => self.bytes(b" NIL "),
        };
        // body-fld-lang = nstring / "(" string *(SP string) ")"
        match part.language {
            [] => self.bytes(b"NIL"),
            [one] => self.string(one),
            several => self.parenthesized(several, |writer, language| {
                writer.string(language);
            }),
        };
        self.sp().nstring(part.location)
    }
}
