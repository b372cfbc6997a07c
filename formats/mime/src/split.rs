//! The splitter: one pass over a message that finds parts, delimiters and header fields.
//!
//! A cursor moves forward only. Headers are read line by line, which also sees a delimiter that cuts
//! a header short; bodies are searched for line starts with two hyphens, and such a line is looked up
//! among the open boundaries by hash, so its cost does not depend on how many are open. Open parts
//! form an explicit stack of at most [`MAX_DEPTH`] containers.

use std::collections::HashMap;

use memchr::{memchr_iter, memmem};

use crate::address::MAX_ADDRESSES;
use crate::content::{self, ContentType};
use crate::header::{self, MAX_HEADER, line_end, logical_line};
use crate::structure::{Kind, MAX_BOUNDARY, MAX_DEPTH, MAX_PARTS, Part, Structure};
use crate::summary::{self, Envelope, set_text};
use crate::{addressable, index, narrow};

/// What a pass yields.
pub(crate) struct Outcome {
    pub(crate) structure: Structure,
    pub(crate) envelope: Envelope,
    pub(crate) references: Vec<Vec<u8>>,
    pub(crate) anomalies: Anomalies,
}

/// What a pass met that a well-formed message does not have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anomalies {
    pub(crate) too_deep: bool,
    pub(crate) too_many_parts: bool,
    pub(crate) unterminated: bool,
    pub(crate) missing_boundary: bool,
    pub(crate) bad_content_type: bool,
}

/// A part whose end has not been met yet.
struct Open {
    part: usize,
    /// The boundary of a multipart until its closing delimiter.
    boundary: Option<Vec<u8>>,
    /// Line feeds before the body.
    lines_before: usize,
}

/// A line that delimits the parts of an open multipart.
struct Delimiter {
    /// Place of the multipart on the stack.
    level: usize,
    closing: bool,
    /// Offset of the line.
    start: usize,
    /// Offset behind the line.
    end: usize,
}

pub(crate) struct Splitter<'a> {
    raw: &'a [u8],
    pos: usize,
    lines: LineCounter,
    parts: Vec<Part>,
    stack: Vec<Open>,
    /// Stack places of the open multiparts by boundary, innermost last.
    boundaries: HashMap<Vec<u8>, Vec<usize>>,
    addresses_left: usize,
    envelope: Envelope,
    references: Vec<Vec<u8>>,
    anomalies: Anomalies,
}

impl<'a> Splitter<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Splitter<'a> {
        Splitter {
            raw: addressable(raw),
            pos: 0,
            lines: LineCounter::default(),
            parts: Vec::new(),
            stack: Vec::new(),
            boundaries: HashMap::new(),
            addresses_left: MAX_ADDRESSES,
            envelope: Envelope::default(),
            references: Vec::new(),
            anomalies: Anomalies::default(),
        }
    }

    pub(crate) fn run(mut self) -> Outcome {
        self.open_part();
        while let Some(delimiter) = self.next_delimiter() {
            self.close_above(delimiter.level, self.before_line_break(delimiter.start));
            self.pos = delimiter.end;
            if delimiter.closing {
                self.end_multipart(delimiter.level);
            } else if self.parts.len() < MAX_PARTS {
                self.open_part();
            } else {
                self.anomalies.too_many_parts = true;
                break;
            }
        }
        self.finish()
    }

    /// Ends every open part with the message.
    fn finish(mut self) -> Outcome {
        let end = self.raw.len();
        while let Some(open) = self.stack.pop() {
            self.close(&open, end);
        }
        Outcome {
            structure: Structure { parts: self.parts },
            envelope: self.envelope,
            references: self.references,
            anomalies: self.anomalies,
        }
    }

    /// Reads the header at the cursor and opens the part it describes, and, while that is a message,
    /// the message in its body.
    fn open_part(&mut self) {
        loop {
            let start = self.pos;
            let parent = self.stack.last().map(|open| open.part);
            let mut part = Part::empty();
            let of_message = self.is_message(parent);
            let envelope = self.read_header(&mut part, of_message);
            if part.content_type.media.is_empty() {
                part.content_type = self.default_type(parent);
            }
            if part.encoding.is_empty() {
                part.encoding = b"7bit".to_vec(); // RFC 2045 §6.1: the default
            }
            let place = self.parts.len();
            part.header = narrow(start)..narrow(self.pos);
            part.body = narrow(self.pos)..narrow(self.pos);
            let boundary = self.choose_kind(&mut part);
            let has_message = matches!(part.kind, Kind::Message { .. });
            self.parts.push(part);
            self.attach(parent, place, envelope);
            if let Some(boundary) = &boundary {
                self.boundaries
                    .entry(boundary.clone())
                    .or_default()
                    .push(self.stack.len());
            }
            let lines_before = self.lines.before(self.raw, self.pos);
            self.stack.push(Open {
                part: place,
                boundary,
                lines_before,
            });
            if !has_message {
                return;
            }
        }
    }

    /// Whether a part under `parent` is a message with an envelope of its own.
    fn is_message(&self, parent: Option<usize>) -> bool {
        match parent.and_then(|parent| self.parts.get(parent)) {
            Some(parent) => matches!(parent.kind, Kind::Message { .. }),
            None => true,
        }
    }

    /// RFC 2046 §5.1.5: the parts of a digest are messages unless they say otherwise.
    fn default_type(&self, parent: Option<usize>) -> ContentType {
        match parent.and_then(|parent| self.parts.get(parent)) {
            Some(parent) if parent.content_type.is("multipart", "digest") => {
                ContentType::bare("message", "rfc822")
            }
            _ => ContentType::default(),
        }
    }

    /// Settles what the part is treated as; for a multipart that is split, its boundary.
    fn choose_kind(&mut self, part: &mut Part) -> Option<Vec<u8>> {
        let is_multipart = part.content_type.media == b"multipart";
        if !is_multipart && !part.content_type.is_message() {
            return None;
        }
        let boundary = part
            .content_type
            .param("boundary")
            .filter(|b| usable(b))
            .map(<[u8]>::to_vec);
        if is_multipart && boundary.is_none() {
            self.anomalies.missing_boundary = true;
            part.content_type = ContentType::default();
        } else if self.stack.len() >= MAX_DEPTH || self.parts.len() + 1 >= MAX_PARTS {
            self.anomalies.too_deep |= self.stack.len() >= MAX_DEPTH;
            self.anomalies.too_many_parts |= self.parts.len() + 1 >= MAX_PARTS;
            part.content_type = ContentType::bare("application", "octet-stream");
        } else if is_multipart {
            part.kind = Kind::Multipart {
                children: Vec::new(),
            };
            return boundary;
        } else {
            part.kind = Kind::Message {
                envelope: Box::default(),
                root: 0,
            };
        }
        None
    }

    /// Tells the parent of its child, and whose envelope was read.
    fn attach(&mut self, parent: Option<usize>, child: usize, envelope: Option<Envelope>) {
        let child = narrow(child);
        match parent
            .and_then(|parent| self.parts.get_mut(parent))
            .map(|parent| &mut parent.kind)
        {
            Some(Kind::Multipart { children }) => children.push(child),
            Some(Kind::Message {
                envelope: slot,
                root,
            }) => {
                *root = child;
                **slot = envelope.unwrap_or_default();
            }
            Some(Kind::Leaf) | None => self.envelope = envelope.unwrap_or_default(),
        }
    }

    /// Reads the header fields at the cursor and moves it to the body: behind the empty line, or to
    /// the delimiter line that cuts the header short. The envelope is read of messages only.
    fn read_header(&mut self, part: &mut Part, of_message: bool) -> Option<Envelope> {
        let start = self.pos;
        let mut envelope = Envelope::default();
        while let Some(line) = logical_line(self.raw, self.pos) {
            if line.starts_with(b"--") && self.delimiter_at(self.pos).is_some() {
                break;
            }
            if self.pos - start < MAX_HEADER
                && let Some((name, value)) = header::split(line)
            {
                let limit = MAX_HEADER - (self.pos - start);
                let value = value.get(..limit).unwrap_or(value);
                self.read_field(name, value, part, of_message.then_some(&mut envelope));
            }
            self.pos += line.len();
        }
        let line = self
            .raw
            .get(self.pos..line_end(self.raw, self.pos))
            .unwrap_or_default();
        if header::is_blank(line) {
            self.pos += line.len();
        }
        envelope.fill_defaults();
        of_message.then_some(envelope)
    }

    fn read_field(
        &mut self,
        name: &[u8],
        value: &[u8],
        part: &mut Part,
        to: Option<&mut Envelope>,
    ) {
        let mut buffer = [0; LONGEST_NAME];
        let Some(lower) = buffer.get_mut(..name.len()) else {
            return;
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        if let Some(described) = lower.strip_prefix(b"content-") {
            self.anomalies.bad_content_type |= !part.read(described, value);
        } else if let Some(envelope) = to
            && !envelope.read(lower, value, &mut self.addresses_left)
            && lower == b"references"
            && self.parts.is_empty()
            && self.references.is_empty()
        {
            self.references = summary::references(value);
        }
    }

    /// Finds the next delimiter line at or behind the cursor.
    fn next_delimiter(&self) -> Option<Delimiter> {
        if self.boundaries.is_empty() {
            return None;
        }
        if let Some(found) = self.delimiter_at(self.pos) {
            return Some(found);
        }
        // The finder skips from hit to hit; hits do not overlap, so every line is looked at once.
        let rest = self.raw.get(self.pos..)?;
        memmem::find_iter(rest, b"\n--").find_map(|hit| self.delimiter_at(self.pos + hit + 1))
    }

    /// The delimiter that the line at `start` is, if it is one.
    ///
    /// RFC 2046 §5.1.1: `delimiter = CRLF "--" boundary`, `close-delimiter = delimiter "--"`, both
    /// followed by white space only. Where both readings fit, a boundary that ends in hyphens wins.
    fn delimiter_at(&self, start: usize) -> Option<Delimiter> {
        if self.boundaries.is_empty() || !self.raw.get(start..)?.starts_with(b"--") {
            return None;
        }
        let end = line_end(self.raw, start);
        let text = self.raw.get(start + 2..end)?.trim_ascii_end();
        if text.len() > MAX_BOUNDARY + 2 {
            return None;
        }
        let open = |boundary: &[u8]| {
            self.boundaries
                .get(boundary)
                .and_then(|at| at.last())
                .copied()
        };
        let (level, closing) = match open(text) {
            Some(level) => (level, false),
            None => (open(text.strip_suffix(b"--")?)?, true),
        };
        Some(Delimiter {
            level,
            closing,
            start,
            end,
        })
    }

    /// Where the part before a delimiter line ends: its line break belongs to the delimiter.
    fn before_line_break(&self, line: usize) -> usize {
        let text = self.raw.get(..line).unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text).len()
    }

    /// Closes the open parts above stack place `level`.
    fn close_above(&mut self, level: usize, end: usize) {
        let mut end = end;
        while self.stack.len() > level + 1 {
            let Some(open) = self.stack.pop() else { return };
            end = self.close(&open, end);
        }
    }

    /// Ends a part, not before its body starts; returns where. A multipart still open has no end of
    /// its own; one without any part is plain text after all.
    fn close(&mut self, open: &Open, end: usize) -> usize {
        if let Some(boundary) = &open.boundary {
            self.anomalies.unterminated = true;
            self.forget(boundary);
        }
        let Some(part) = self.parts.get_mut(open.part) else {
            return end;
        };
        let end = end.max(index(part.body.start));
        part.body.end = narrow(end);
        part.lines = narrow(self.lines.before(self.raw, end) - open.lines_before);
        if matches!(&part.kind, Kind::Multipart { children } if children.is_empty()) {
            self.anomalies.missing_boundary = true;
            part.kind = Kind::Leaf;
            part.content_type = ContentType::default();
        }
        end
    }

    /// Behind its closing delimiter a multipart stays open for its epilogue, without a boundary.
    fn end_multipart(&mut self, level: usize) {
        if let Some(boundary) = self
            .stack
            .get_mut(level)
            .and_then(|open| open.boundary.take())
        {
            self.forget(&boundary);
        }
    }

    fn forget(&mut self, boundary: &[u8]) {
        if let Some(places) = self.boundaries.get_mut(boundary) {
            places.pop();
            if places.is_empty() {
                self.boundaries.remove(boundary);
            }
        }
    }
}

/// The longest field name that is read: `content-transfer-encoding`.
const LONGEST_NAME: usize = 25;

/// A boundary that can occur in a line.
///
/// RFC 2046 §5.1.1: `boundary = 0*69<bchars> bcharsnospace`.
fn usable(boundary: &[u8]) -> bool {
    !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY && boundary.trim_ascii_end() == boundary
}

impl Part {
    /// A part of which nothing is known; an empty media type stands for no Content-Type.
    fn empty() -> Part {
        Part {
            header: 0..0,
            body: 0..0,
            lines: 0,
            content_type: ContentType {
                media: vec![],
                subtype: vec![],
                params: vec![],
            },
            id: None,
            description: None,
            encoding: Vec::new(),
            disposition: None,
            language: Vec::new(),
            location: None,
            md5: None,
            kind: Kind::Leaf,
        }
    }

    /// Takes in a field `Content-<name>`, `name` in lower case; of repeated ones the first counts.
    /// False when it is a content type that cannot be read.
    fn read(&mut self, name: &[u8], value: &[u8]) -> bool {
        match name {
            b"type" if self.content_type.media.is_empty() => match ContentType::parse(value) {
                Some(content_type) => self.content_type = content_type,
                None => {
                    // RFC 2045 §5.2: a type that cannot be read counts as none, also in a digest.
                    self.content_type = ContentType::default();
                    return false;
                }
            },
            b"transfer-encoding" if self.encoding.is_empty() => {
                self.encoding = content::word(value).unwrap_or_default();
            }
            b"disposition" if self.disposition.is_none() => {
                self.disposition = content::disposition(value);
            }
            b"id" => set_text(&mut self.id, value),
            b"description" => set_text(&mut self.description, value),
            b"location" => set_text(&mut self.location, value),
            b"md5" => set_text(&mut self.md5, value),
            b"language" if self.language.is_empty() => {
                // RFC 3282 §2: `Content-Language = 1#language-tag`.
                let tags = value.split(|&b| b == b',').filter_map(content::word);
                self.language = tags.take(content::MAX_PARAMS).collect();
            }
            _ => {}
        }
        true
    }
}

/// Counts line feeds up to offsets that only ever step back over the line break just passed.
#[derive(Default)]
struct LineCounter {
    pos: usize,
    count: usize,
}

impl LineCounter {
    /// Line feeds in `raw[..end]`.
    fn before(&mut self, raw: &[u8], end: usize) -> usize {
        let newlines = |from: usize, to: usize| {
            memchr_iter(b'\n', raw.get(from..to).unwrap_or_default()).count()
        };
        if end < self.pos {
            return self.count - newlines(end, self.pos);
        }
        self.count += newlines(self.pos, end);
        self.pos = end;
        self.count
    }
}
