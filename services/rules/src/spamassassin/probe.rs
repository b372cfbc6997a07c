//! Compiles all patterns once: which of them the engine refuses, and which match the text that
//! stands for an absent field.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use patterns::{Compiler, Pattern, PatternSet, Scratch, Text};

use crate::model::PatternText;

/// The most different texts that stand for absent fields.
const MOST_TEXTS: usize = 200;

/// Patterns to be tried.
#[derive(Debug, Default)]
pub(super) struct Probe {
    set: PatternSet,
    next: u32,
    texts: Vec<Vec<u8>>,
}

/// What became of them.
#[derive(Debug, Default)]
pub(super) struct Answers {
    refused: BTreeMap<u32, String>,
    matched: BTreeSet<u32>,
}

impl Probe {
    /// Adds a pattern, with the text it is tried on if there is one. The answer has this number.
    ///
    /// # Errors
    ///
    /// When there are too many patterns or texts, or it is too long.
    pub(super) fn add(
        &mut self,
        pattern: &PatternText,
        text: Option<&[u8]>,
    ) -> Result<u32, String> {
        let scope = match text {
            None => "untried".to_owned(),
            Some(text) => self.scope(text)?,
        };
        let id = self.next;
        let pattern = Pattern {
            id,
            expression: pattern.expression.clone(),
            flags: pattern.flags,
        };
        self.set
            .add(&scope, Text::Header, pattern)
            .map_err(|error| error.to_string())?;
        self.next = id.saturating_add(1);
        Ok(id)
    }

    fn scope(&mut self, text: &[u8]) -> Result<String, String> {
        let known = self.texts.iter().position(|known| known == text);
        let index = match known {
            Some(index) => index,
            None if self.texts.len() >= MOST_TEXTS => {
                return Err("there are too many different texts for absent fields".to_owned());
            }
            None => {
                self.texts.push(text.to_vec());
                self.texts.len() - 1
            }
        };
        Ok(format!("text {index}"))
    }

    /// Tries all of them.
    pub(super) fn run(self) -> Answers {
        let compiled = Compiler::new().compile(&self.set, None);
        let refused = compiled.refused.iter();
        let mut answers = Answers {
            refused: refused
                .map(|refused| (refused.id, refused.reason.to_string()))
                .collect(),
            matched: BTreeSet::new(),
        };
        let mut scratch = Scratch::new(&compiled.database);
        for (index, text) in self.texts.iter().enumerate() {
            if let Some(scope) = compiled.database.scope(&format!("text {index}")) {
                scope.scan(&mut scratch, text, |id| {
                    answers.matched.insert(id);
                    ControlFlow::Continue(())
                });
            }
        }
        answers
    }
}

impl Answers {
    /// Why the engine does not take the pattern.
    pub(super) fn refused(&self, id: u32) -> Option<&str> {
        self.refused.get(&id).map(String::as_str)
    }

    /// Whether it matches the text that it was tried on.
    pub(super) fn matched(&self, id: u32) -> bool {
        self.matched.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_tried() {
        let mut probe = Probe::default();
        let cases = [
            ("/^$/", Some(&b""[..]), true, false),
            ("/x/", Some(b""), false, false),
            ("/^UNSET$/", Some(b"UNSET"), true, false),
            ("/(oops/", Some(b""), false, true),
            ("/^$/", None, false, false),
        ];
        let ids = cases.map(|(pattern, text, ..)| {
            let pattern = PatternText::parse(pattern).unwrap();
            probe.add(&pattern, text).unwrap()
        });
        let answers = probe.run();
        for (id, (pattern, _, matches, refused)) in ids.into_iter().zip(cases) {
            assert_eq!(answers.matched(id), matches, "{pattern}");
            assert_eq!(answers.refused(id).is_some(), refused, "{pattern}");
        }
    }

    #[test]
    fn there_are_only_so_many_texts() {
        let mut probe = Probe::default();
        let pattern = PatternText::parse("/x/").unwrap();
        for text in 0..MOST_TEXTS {
            probe
                .add(&pattern, Some(text.to_string().as_bytes()))
                .unwrap();
        }
        assert!(probe.add(&pattern, Some(b"more")).is_err());
        assert!(probe.add(&pattern, Some(b"0")).is_ok());
    }
}
