//! Configuration errors that name the file, the line and the likely meaning.

use std::path::{Path, PathBuf};

use crate::printable::printable;

/// Why a configuration is refused. Its text is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not TOML, or a key or value is not ours.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there, with a suggestion where there is one.
        reason: String,
    },
    /// Two values that do not go together.
    #[error("{}: {reason}", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Which values, and what to do.
        reason: String,
    },
}

impl ConfigError {
    pub(super) fn syntax(error: &toml::de::Error, text: &str, path: &Path) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        Self::Syntax {
            path: path.to_owned(),
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            reason: printable(&explain(error.message())),
        }
    }
}

/// Says serde's message in one line of our own words.
fn explain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        return match nearest(unknown, quoted) {
            Some(known) => format!("unknown key `{unknown}`; did you mean `{known}`?"),
            None => format!("unknown key `{unknown}`"),
        };
    }
    if message.starts_with("missing field") {
        return format!("missing key `{}`", quoted.next().unwrap_or_default());
    }
    message
        .split('\n')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The known key that `unknown` most resembles, when it resembles one at all.
pub(crate) fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.7;
    known
        .map(|key| (strsim::jaro_winkler(unknown, key), key))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, key)| key)
}
