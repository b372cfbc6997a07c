//! A message as rules see it, made from a header and a text by the simplest means.

use std::collections::BTreeMap;

use patterns::Compiler;

use super::Import;
use crate::{Book, Flag, Number, Scope, Subject, Workspace};

/// A message.
pub(super) struct Message {
    haystacks: BTreeMap<String, Vec<Vec<u8>>>,
    pub(super) numbers: BTreeMap<Number, f64>,
    pub(super) flags: Vec<Flag>,
}

impl Message {
    /// A message of header lines without folds and a text of paragraphs.
    pub(super) fn new(header: &str, text: &str) -> Self {
        let mut message = Self {
            haystacks: BTreeMap::new(),
            numbers: BTreeMap::new(),
            flags: Vec::new(),
        };
        message.put("headers", header);
        message.put("headers.raw", header);
        message.put("full", &format!("{header}\n{text}"));
        for line in header.lines() {
            let (name, value) = line.split_once(':').unwrap();
            let (name, value) = (name.to_lowercase(), value.trim());
            message.put(&format!("header.{name}"), value);
            message.put(&format!("header.{name}.raw"), value);
            if let Some((shown, rest)) = value.split_once('<') {
                let address = rest.trim_end_matches('>');
                message.put(&format!("header.{name}.address"), address);
                message.put(&format!("header.{name}.name"), shown.trim());
                if name == "from" {
                    message.put("from", address);
                }
            }
            match name.as_str() {
                "subject" => message.put("body", value),
                "message-id" => message.put("message_ids", value),
                _ => {}
            }
        }
        for paragraph in text.split("\n\n") {
            message.put("body", &paragraph.replace('\n', " "));
        }
        message.put("raw_body", text);
        message.put("text", text);
        for word in text.split(['"', ' ', '\n', '<', '>']) {
            if word.starts_with("http") {
                message.put("url", word);
            }
        }
        message
    }

    /// Adds a haystack.
    pub(super) fn put(&mut self, scope: &str, haystack: &str) {
        let haystacks = self.haystacks.entry(scope.to_owned()).or_default();
        haystacks.push(haystack.as_bytes().to_vec());
    }

    /// The rules that hold, in the order of the set; hidden ones are not told.
    pub(super) fn hits(&self, import: &Import) -> Vec<String> {
        let book = Book::new(&[&import.set]).unwrap();
        let compiled = Compiler::new().compile(&book.patterns().unwrap(), None);
        let mut workspace = Workspace::new(&compiled.database);
        let scan = book.scan(&compiled.database, &mut workspace, self);
        let conclusion = book.conclude(&scan, &[]);
        assert!(conclusion.undecided.is_empty());
        conclusion
            .hits
            .iter()
            .map(|hit| hit.symbol.to_string())
            .collect()
    }
}

impl Subject for Message {
    fn haystacks<'s>(&'s self, scope: &Scope, into: &mut Vec<&'s [u8]>) {
        let found = self.haystacks.get(&scope.to_string()).into_iter().flatten();
        into.extend(found.map(Vec::as_slice));
    }

    fn number(&self, number: Number) -> f64 {
        self.numbers.get(&number).copied().unwrap_or_default()
    }

    fn holds(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }
}
