//! From messages to the haystacks of each scope: the same octets for every engine.
//!
//! | scope | haystacks |
//! |---|---|
//! | `body` | one a message: the decoded subject, then the text of its text parts (HTML reduced to text), each paragraph on one line with white space collapsed |
//! | `rawbody` | one a text part: decoded, in UTF-8, HTML left in |
//! | `uri` | one for each distinct address in the text parts, links of HTML included |
//! | `full` | one a message: the message |
//! | `header:all` | one a message: all fields decoded and unfolded, one a line |
//! | `header:NAME` | one a field: its value decoded and unfolded |
//! | `header:NAME:raw` | one a field: its value as it stands |
//! | `header:NAME:addr`, `:name` | one a field: its first address or display name |
//! | `header:messageid`, `header:tocc`, `header:envelopefrom` | the fields SpamAssassin means |
//! | `mimeheader:NAME` | one a field of the parts below the message |
//!
//! `SpamAssassin` scans a body paragraph by paragraph and Rspamd part by part; here it is one
//! haystack with a paragraph a line, in which `.` stays within its paragraph all the same.

use std::collections::{BTreeMap, BTreeSet};

use mime::decode::{body_text, header_text, part_text};
use mime::header::{Field, fields, header_end, unfold};
use mime::{Part, Structure, parse_addresses};
use probe::stream::Stream;
use regex::bytes::Regex;

use super::corpus::Messages;
use crate::error::{Error, Result};

/// Addresses of one message that are scanned.
const MAX_ADDRESSES: usize = 300;
/// An address with its scheme in running text, or the value of a link in HTML.
const ADDRESS: &str = r#"(?i)\b((?:https?|ftp)://[^\s"'<>)\]]{3,400}|mailto:[^\s"'<>)\]]{3,200})|(?:href|src|action)\s*=\s*["']?([^\s"'>]{4,400})"#;

/// The haystacks of each scope that has any, by its name.
pub(crate) type Streams = BTreeMap<String, Stream>;

/// Takes from `messages` the haystacks of `scopes`.
pub(crate) fn collect<'a>(
    messages: &Messages,
    scopes: impl IntoIterator<Item = &'a str>,
) -> Result<Streams> {
    let scopes: BTreeSet<&str> = scopes.into_iter().collect();
    let address = Regex::new(ADDRESS).map_err(|error| Error::Missing(error.to_string()))?;
    let mut streams = Streams::new();
    for (number, raw) in (0..).zip(messages) {
        let message = Message::new(raw, &address);
        for scope in &scopes {
            let haystacks = message.haystacks(scope);
            if haystacks.is_empty() {
                continue;
            }
            let stream = streams.entry((*scope).to_owned()).or_default();
            for haystack in haystacks {
                stream.push(number, &haystack);
            }
        }
    }
    Ok(streams)
}

/// One message and what is known of it.
struct Message<'a> {
    raw: &'a [u8],
    structure: Structure,
    address: &'a Regex,
}

impl<'a> Message<'a> {
    fn new(raw: &'a [u8], address: &'a Regex) -> Self {
        Self {
            raw,
            structure: Structure::parse(raw),
            address,
        }
    }

    fn haystacks(&self, scope: &str) -> Vec<Vec<u8>> {
        match scope {
            "body" => vec![self.body()],
            "rawbody" => self.texts().map(String::into_bytes).collect(),
            "uri" => self.addresses(),
            "full" => vec![self.raw.to_vec()],
            "header:all" => vec![self.all()],
            "header:all:raw" => {
                let end = header_end(self.raw);
                vec![self.raw.get(..end).unwrap_or_default().to_vec()]
            }
            _ => self.header(scope),
        }
    }

    fn body(&self) -> Vec<u8> {
        let subject = mime::decode::header(self.raw, "Subject").unwrap_or_default();
        let mut out = subject.into_bytes();
        out.push(b'\n');
        paragraphs(&body_text(self.raw, &self.structure), &mut out);
        out
    }

    /// The text parts in UTF-8 with line feeds.
    fn texts(&self) -> impl Iterator<Item = String> {
        self.structure
            .leaves()
            .filter(|part| part.content_type.media == b"text")
            .map(|part| part_text(self.raw, part).replace("\r\n", "\n"))
            .filter(|text| !text.is_empty())
    }

    fn addresses(&self) -> Vec<Vec<u8>> {
        let mut found = BTreeSet::new();
        for text in self.texts() {
            for captures in self.address.captures_iter(text.as_bytes()) {
                let address = captures.get(1).or_else(|| captures.get(2));
                found.extend(address.map(|address| address.as_bytes().to_vec()));
            }
        }
        found.into_iter().take(MAX_ADDRESSES).collect()
    }

    fn all(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for field in fields(self.raw) {
            out.extend_from_slice(field.name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(header_text(field.value).as_bytes());
            out.push(b'\n');
        }
        out
    }

    /// The haystacks of `header:NAME`, `header:NAME:WHAT` or `mimeheader:NAME`.
    fn header(&self, scope: &str) -> Vec<Vec<u8>> {
        let mut words = scope.split(':');
        let (kind, name) = (words.next(), words.next().unwrap_or_default());
        let what = words.next().unwrap_or_default();
        let below = self.structure.parts.iter().skip(1);
        match (kind, name) {
            (Some("mimeheader"), name) => below
                .flat_map(|part| values(part_header(self.raw, part), &[name], what))
                .collect(),
            (_, "messageid") => {
                let names = ["message-id", "resent-message-id", "x-message-id"];
                values(self.raw, &names, what)
            }
            (_, "tocc") => values(self.raw, &["to", "cc"], what),
            (_, "envelopefrom") => values(self.raw, &["return-path"], "addr"),
            (_, name) => values(self.raw, &[name], what),
        }
    }
}

fn part_header<'a>(raw: &'a [u8], part: &Part) -> &'a [u8] {
    let place = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    raw.get(place(part.header.start)..place(part.header.end))
        .unwrap_or_default()
}

/// What a scope sees of the fields of `header` that have one of these names.
fn values(header: &[u8], names: &[&str], what: &str) -> Vec<Vec<u8>> {
    fields(header)
        .filter(|field| names.iter().any(|name| field.is(name)))
        .map(|field| value(&field, what))
        .collect()
}

fn value(field: &Field<'_>, what: &str) -> Vec<u8> {
    let first = || parse_addresses(&unfold(field.value)).into_iter().next();
    match what {
        "raw" => field.value.to_vec(),
        "addr" => first().map_or_else(Vec::new, |address| {
            let mut out = address.mailbox.unwrap_or_default();
            out.push(b'@');
            out.extend(address.host.unwrap_or_default());
            out
        }),
        "name" => first().map_or_else(Vec::new, |address| {
            header_text(&address.name.unwrap_or_default()).into_bytes()
        }),
        _ => header_text(field.value).into_bytes(),
    }
}

/// Appends each paragraph as a line: empty lines separate them, white space within is one space.
fn paragraphs(text: &str, out: &mut Vec<u8>) {
    let mut open = false;
    for line in text.lines() {
        let before = out.len();
        for word in line.split_whitespace() {
            if open || out.len() > before {
                out.push(b' ');
            }
            out.extend_from_slice(word.as_bytes());
            open = true;
        }
        if open && out.len() == before {
            out.push(b'\n');
            open = false;
        }
    }
    if open {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "From: \"Some One\" <a@b.example>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n \
        now\r\nReceived: one\r\nReceived: two\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\
        \r\nSee  http://plain.example/a\r\nfor more.\r\n\r\nBye\r\n--x\r\n\
        Content-Type: text/html\r\n\r\n<a href='http://html.example/'>click</a>\r\n--x--\r\n";

    fn haystacks(scope: &str) -> Vec<String> {
        let messages = vec![MESSAGE.as_bytes().to_vec()];
        let streams = collect(&messages, [scope]).unwrap();
        streams.get(scope).map_or_else(Vec::new, |stream| {
            stream
                .haystacks()
                .map(|haystack| String::from_utf8(haystack.to_vec()).unwrap())
                .collect()
        })
    }

    #[test]
    fn each_scope_sees_its_own_text() {
        let cases: &[(&str, &[&str])] = &[
            ("header:subject", &["café now"]),
            ("header:received", &["one", "two"]),
            ("header:from:addr", &["a@b.example"]),
            ("header:from:name", &["Some One"]),
            ("header:cc", &[]),
            ("mimeheader:content-type", &["text/plain", "text/html"]),
            ("uri", &["http://html.example/", "http://plain.example/a"]),
        ];
        for (scope, wanted) in cases {
            assert_eq!(haystacks(scope), *wanted, "{scope}");
        }
        assert_eq!(haystacks("full"), [MESSAGE]);
        assert!(haystacks("header:all")[0].contains("Subject: café now\n"));
        assert!(haystacks("header:all:raw")[0].ends_with("boundary=x\r\n\r\n"));
    }

    #[test]
    fn a_body_is_the_subject_and_its_paragraphs() {
        let body = &haystacks("body")[0];
        let wanted = "café now\nSee http://plain.example/a for more.\nBye";
        assert!(body.starts_with(wanted), "{body:?}");
        assert!(body.contains("click") && !body.contains("href"));
        assert_eq!(haystacks("rawbody").len(), 2);
        assert!(haystacks("rawbody")[1].contains("href"));
    }
}
