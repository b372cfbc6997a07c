//! HTML cut into text and tags, by the crate `html5gum`.
//!
//! The tokenizer follows the HTML standard: comments (conditional ones too), raw text of scripts
//! and styles, unquoted attributes, character references. Doctypes, comments and its errors go
//! nowhere. A tag the text ends in the midst of is no tag, as in browsers.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;

use html5gum::{Emitter, Error, State, Tokenizer};

/// Attributes of a tag that are looked at.
pub const MAX_ATTRIBUTES: usize = 100;

/// What is done with the pieces.
pub(super) trait Sink {
    /// Text with its references decoded; one run may come in several pieces.
    fn text(&mut self, text: &str);
    /// A start tag.
    fn start(&mut self, tag: &StartTag<'_>);
    /// An end tag; the name in lower case.
    fn end(&mut self, name: &[u8]);
}

/// A start tag: its name in lower case and its attributes.
pub(super) struct StartTag<'a> {
    pub(super) name: &'a [u8],
    arena: &'a [u8],
    attributes: &'a [Attribute],
}

struct Attribute {
    name: Range<usize>,
    value: Range<usize>,
}

impl<'a> StartTag<'a> {
    /// Names in lower case and values, in order. The first of equal names counts.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a [u8], Cow<'a, str>)> {
        let (arena, attributes) = (self.arena, self.attributes);
        attributes.iter().map(move |attribute| {
            let name = arena.get(attribute.name.clone()).unwrap_or_default();
            let value = arena.get(attribute.value.clone()).unwrap_or_default();
            (name, String::from_utf8_lossy(value))
        })
    }

    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes
            .iter()
            .find(|a| self.arena.get(a.name.clone()) == Some(name.as_bytes()))
            .map(|a| String::from_utf8_lossy(self.arena.get(a.value.clone()).unwrap_or_default()))
    }
}

/// Feeds all of `html` to the sink.
pub(super) fn feed<S: Sink>(html: &str, sink: &mut S) {
    let feed = Feed {
        sink,
        text: Vec::new(),
        name: Vec::new(),
        last_start: Vec::new(),
        arena: Vec::new(),
        attributes: Vec::new(),
        end_tag: false,
        excess: false,
    };
    let Ok(()) = Tokenizer::new_with_emitter(html, feed).finish();
}

struct Feed<'s, S> {
    sink: &'s mut S,
    text: Vec<u8>,
    name: Vec<u8>,
    last_start: Vec<u8>,
    arena: Vec<u8>,
    attributes: Vec<Attribute>,
    end_tag: bool,
    /// The attribute at hand is beyond [`MAX_ATTRIBUTES`].
    excess: bool,
}

impl<S: Sink> Feed<'_, S> {
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.sink.text(&String::from_utf8_lossy(&self.text));
            self.text.clear();
        }
    }

    fn open(&mut self, end_tag: bool) {
        self.flush();
        self.name.clear();
        self.arena.clear();
        self.attributes.clear();
        self.end_tag = end_tag;
        self.excess = false;
    }
}

/// What the tokenizer reads after a start tag. `noscript` is shown: mail readers run no scripts.
fn state_after(name: &[u8]) -> Option<State> {
    match name {
        b"textarea" | b"title" => Some(State::RcData),
        b"plaintext" => Some(State::PlainText),
        b"script" => Some(State::ScriptData),
        b"style" | b"iframe" | b"xmp" | b"noembed" | b"noframes" => Some(State::RawText),
        _ => None,
    }
}

impl<S: Sink> Emitter for Feed<'_, S> {
    type Token = Infallible;

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_error(&mut self, _: Error) {}

    fn pop_token(&mut self) -> Option<Infallible> {
        None
    }

    fn set_last_start_tag(&mut self, name: Option<&[u8]>) {
        self.last_start.clear();
        self.last_start.extend_from_slice(name.unwrap_or_default());
    }

    fn emit_eof(&mut self) {
        self.flush();
    }

    fn emit_string(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    fn init_start_tag(&mut self) {
        self.open(false);
    }

    fn init_end_tag(&mut self) {
        // In raw text this may still turn out to be text, which does no harm: pieces are joined.
        self.open(true);
    }

    fn push_tag_name(&mut self, name: &[u8]) {
        self.name.extend_from_slice(name);
    }

    fn init_attribute(&mut self) {
        self.excess = self.attributes.len() >= MAX_ATTRIBUTES;
        if !self.excess {
            let at = self.arena.len();
            self.attributes.push(Attribute {
                name: at..at,
                value: at..at,
            });
        }
    }

    fn push_attribute_name(&mut self, name: &[u8]) {
        if let Some(attribute) = self.attributes.last_mut().filter(|_| !self.excess) {
            self.arena.extend_from_slice(name);
            attribute.name.end = self.arena.len();
            attribute.value = self.arena.len()..self.arena.len();
        }
    }

    fn push_attribute_value(&mut self, value: &[u8]) {
        if let Some(attribute) = self.attributes.last_mut().filter(|_| !self.excess) {
            self.arena.extend_from_slice(value);
            attribute.value.end = self.arena.len();
        }
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        if self.end_tag {
            self.last_start.clear();
            self.sink.end(&self.name);
            return None;
        }
        self.last_start.clone_from(&self.name);
        self.sink.start(&StartTag {
            name: &self.name,
            arena: &self.arena,
            attributes: &self.attributes,
        });
        state_after(&self.name)
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.end_tag && !self.last_start.is_empty() && self.last_start == self.name
    }

    fn init_comment(&mut self) {}
    fn emit_current_comment(&mut self) {}
    fn emit_current_doctype(&mut self) {}
    fn set_self_closing(&mut self) {}
    fn set_force_quirks(&mut self) {}
    fn push_comment(&mut self, _: &[u8]) {}
    fn push_doctype_name(&mut self, _: &[u8]) {}
    fn init_doctype(&mut self) {}
    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}
}
