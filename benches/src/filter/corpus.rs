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

/// Every other message of a class, by sorted name: what one half teaches is never asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Half {
    Even,
    Odd,
}

impl Half {
    pub(super) const BOTH: [Self; 2] = [Self::Even, Self::Odd];

    pub(super) fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Odd => "odd",
        }
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
    fn halves_are_disjoint_and_classes_follow_directories() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["ham/a", "ham/b", "ham/c", "spam/a", "spam/b"] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let found = |step| {
            let messages = read(directory.path(), step).unwrap();
            let one = |m: &Message| format!("{} {} {}", m.name, m.class.name(), m.half.name());
            messages.iter().map(one).collect::<Vec<_>>()
        };
        let all = [
            "ham/a ham even",
            "ham/b ham odd",
            "ham/c ham even",
            "spam/a spam even",
            "spam/b spam odd",
        ];
        assert_eq!(found(1), all);
        assert_eq!(found(2), [all[0], "ham/c ham odd", all[3]]);
        fs::remove_dir_all(directory.path().join("spam")).unwrap();
        assert!(read(directory.path(), 1).is_err());
    }
}
