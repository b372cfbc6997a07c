//! Status responses: OK, NO, BAD, PREAUTH, BYE (RFC 9051 §7.1).

use std::borrow::Cow;

use super::{Encode, ResponseCode};
use crate::atom::Tag;
use crate::mailbox::Utf8Mode;
use crate::writer::Writer;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done, or good to know.
    Ok,
    /// Not done, or a warning.
    No,
    /// Not understood.
    Bad,
    /// Greeting of a session that needs no login; never tagged.
    PreAuth,
    /// The connection ends; never tagged.
    Bye,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::PreAuth => "PREAUTH",
            Self::Bye => "BYE",
        }
    }
}

/// A status response. Without a tag it is untagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusResponse {
    tag: Option<Tag>,
    status: Status,
    code: Option<ResponseCode>,
    text: Cow<'static, str>,
}

impl StatusResponse {
    /// An untagged response with text for people. What cannot be in the text is replaced when it
    /// is written.
    #[must_use]
    pub fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            tag: None,
            status,
            code: None,
            text: text.into(),
        }
    }

    /// The answer to the command with this tag.
    #[must_use]
    pub fn tagged(self, tag: Tag) -> Self {
        Self {
            tag: Some(tag),
            ..self
        }
    }

    /// With a code for programs.
    #[must_use]
    pub fn with_code(self, code: ResponseCode) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// The tag, when it answers a command.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// How it went.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The code for programs.
    #[must_use]
    pub fn code(&self) -> Option<&ResponseCode> {
        self.code.as_ref()
    }

    /// The text for people, as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Encode for StatusResponse {
    /// `response-tagged = tag SP resp-cond-state CRLF`, `resp-text = ["[" resp-text-code "]" SP]
    /// [text]`
    fn encode(&self, writer: &mut Writer<'_>) {
        match &self.tag {
            Some(tag) if !matches!(self.status, Status::PreAuth | Status::Bye) => {
                writer.text(tag.as_str())
            }
            _ => writer.bytes(b"*"),
        };
        writer.sp().text(self.status.as_str()).sp();
        if let Some(code) = &self.code {
            code.encode(writer);
            writer.sp();
        }
        writer.human_text(&self.text).crlf();
    }
}

impl Writer<'_> {
    /// `text = 1*TEXT-CHAR`: one line, UTF-8 only where the client takes it, never empty, never
    /// like a response code.
    fn human_text(&mut self, text: &str) -> &mut Self {
        if text.is_empty() {
            return self.bytes(b"-");
        }
        let plain = |c: char| !c.is_control() && (c.is_ascii() || self.mode() == Utf8Mode::Utf8);
        if text.chars().all(plain) && !text.starts_with('[') {
            return self.text(text);
        }
        let mut safe: String = text
            .chars()
            .map(|c| if plain(c) { c } else { '?' })
            .collect();
        if safe.starts_with('[') {
            safe.replace_range(..1, "(");
        }
        self.text(&safe)
    }
}
