//! Mail that people have sorted: `ham/` and `spam/`, one message a file.

#![expect(clippy::disallowed_methods, reason = "reads the corpus")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use serde::Serialize;

use crate::error::{Context as _, Error, Result};
use crate::patterns::corpus::{files, unpacked};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    Ham,
    Spam,
}

impl Class {
    pub(super) const BOTH: [Self; 2] = [Self::Ham, Self::Spam];

    /// The name of its directory.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ham => "ham",
            Self::Spam => "spam",
        }
    }
}

/// Every other message of a class, by sorted name: one half is taught, the other asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Half {
    Even,
    Odd,
}

impl Half {
    pub(super) const BOTH: [Self; 2] = [Self::Even, Self::Odd];
}

/// A division of a corpus into as many folds as are wanted: each class is shuffled and dealt out, so
/// that all folds have the same share of both. The same seed deals the same corpus the same way.
#[derive(Debug)]
pub(super) struct Folds {
    /// All messages, shuffled: the order in which they are taught, so that no class comes first.
    order: Vec<usize>,
    /// By message.
    fold: Vec<usize>,
    count: usize,
}

impl Folds {
    pub(super) fn deal(messages: &[Message], count: usize, seed: u64) -> Self {
        let count = count.max(1);
        let mut order: Vec<usize> = (0..messages.len()).collect();
        order.sort_by_cached_key(|&index| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes());
            hasher.update(messages.get(index).map_or("", |m| &m.name).as_bytes());
            *hasher.finalize().as_bytes()
        });
        let mut fold = vec![0; messages.len()];
        for class in Class::BOTH {
            let is = |index: &&usize| messages.get(**index).is_some_and(|m| m.class == class);
            for (place, &index) in order.iter().filter(is).enumerate() {
                if let Some(fold) = fold.get_mut(index) {
                    *fold = place % count;
                }
            }
        }
        Self { order, fold, count }
    }

    /// For each fold, which messages are taught and which are asked.
    pub(super) fn splits(&self) -> impl Iterator<Item = (Vec<usize>, Vec<usize>)> {
        (0..self.count).map(|fold| {
            let asked = |index: &usize| self.fold.get(*index) == Some(&fold);
            let (asked, taught) = self.order.iter().partition(|index| asked(index));
            (taught, asked)
        })
    }
}

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) half: Half,
    pub(super) raw: Bytes,
}

/// Reads `path`, which is a directory with `ham/` and `spam/` or a packed one; every `step`-th
/// message of each, in the order of their names.
pub(super) fn read(path: &Path, step: usize) -> Result<Vec<Message>> {
    let unpacked = unpacked(path)?;
    let root = unpacked.as_ref().map_or(path, |directory| directory.path());
    let mut messages = Vec::new();
    for class in Class::BOTH {
        let directory = root.join(class.name());
        if !directory.is_dir() {
            let text = format!("{} has no directory {}", path.display(), class.name());
            return Err(Error::Missing(text));
        }
        let files = files(&directory)?;
        for (half, file) in Half::BOTH
            .into_iter()
            .cycle()
            .zip(files.iter().step_by(step.max(1)))
        {
            let name = file
                .strip_prefix(root)
                .unwrap_or(file)
                .display()
                .to_string();
            let raw = fs::read(file).context(name.as_str())?.into();
            messages.push(Message {
                name,
                class,
                half,
                raw,
            });
        }
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_share_out_both_classes_and_teach_nothing_that_they_ask() {
        let message = |number: usize| Message {
            name: number.to_string(),
            class: if number < 40 { Class::Ham } else { Class::Spam },
            half: Half::Even,
            raw: Bytes::new(),
        };
        let messages: Vec<Message> = (0..60).map(message).collect();
        let splits: Vec<_> = Folds::deal(&messages, 5, 1).splits().collect();
        let mut all: Vec<usize> = Vec::new();
        for (taught, asked) in &splits {
            let ham = asked.iter().filter(|index| **index < 40).count();
            assert_eq!((ham, asked.len(), taught.len()), (8, 12, 48));
            assert!(asked.iter().all(|index| !taught.contains(index)));
            all.extend(asked);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..60));
        let again = |seed| Folds::deal(&messages, 5, seed).splits().collect::<Vec<_>>();
        assert_eq!(again(1), splits);
        assert_ne!(again(2), splits);
    }

    #[test]
    fn halves_are_disjoint_and_classes_follow_directories() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["ham/a", "ham/b", "ham/c", "spam/a", "spam/b"] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let found = |step| {
            let messages = read(directory.path(), step).unwrap();
            let one = |m: &Message| format!("{} {} {:?}", m.name, m.class.name(), m.half);
            messages.iter().map(one).collect::<Vec<_>>()
        };
        let all = [
            "ham/a ham Even",
            "ham/b ham Odd",
            "ham/c ham Even",
            "spam/a spam Even",
            "spam/b spam Odd",
        ];
        assert_eq!(found(1), all);
        assert_eq!(found(2), [all[0], "ham/c ham Odd", all[3]]);
        fs::remove_dir_all(directory.path().join("spam")).unwrap();
        assert!(read(directory.path(), 1).is_err());
    }
}
