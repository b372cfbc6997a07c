//! The program `probe`, which runs one engine in a process of its own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::stage::run_with;

/// How to run it: maybe through an emulator.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    words: Vec<OsString>,
    environment: Vec<(String, String)>,
}

/// What it said: a value for each name.
#[derive(Debug)]
pub(crate) struct Answer(BTreeMap<String, String>);

impl Probe {
    /// The one beside this program.
    pub(crate) fn beside() -> Result<Self> {
        let path = std::env::current_exe()
            .map(|own| own.with_file_name("probe"))
            .unwrap_or_default();
        if path.is_file() {
            return Ok(Self::at(&path));
        }
        Err(Error::Missing(format!(
            "no program at {}: build it with cargo build --release -p muskox-probe",
            path.display()
        )))
    }

    /// The one at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            words: vec![path.as_os_str().to_owned()],
            environment: Vec::new(),
        }
    }

    /// This probe run by `emulator` and its options.
    pub(crate) fn under<S: AsRef<OsStr>>(&self, emulator: impl IntoIterator<Item = S>) -> Self {
        let mut words: Vec<OsString> = emulator
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        words.extend(self.words.iter().cloned());
        Self {
            words,
            environment: self.environment.clone(),
        }
    }

    /// Runs one job and gives all that it printed.
    pub(crate) fn output<S: AsRef<OsStr>>(
        &self,
        job: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String> {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words).arg(job).args(arguments);
        command.envs(self.environment.iter().cloned());
        run_with(&mut command, "")
    }

    /// Runs one job and reads its figures.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        job: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Answer> {
        Ok(Answer::parse(&self.output(job, arguments)?))
    }
}

impl Answer {
    /// Reads `name value` lines; of a name that comes twice the last value counts.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Self(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The text with this name.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| Error::Missing(format!("the probe says no {name}")))
    }

    /// The number with this name.
    pub(crate) fn number(&self, name: &str) -> Result<f64> {
        self.text(name)?
            .parse()
            .map_err(|_| Error::Missing(format!("the probe's {name} is no number")))
    }
}

/// `left=right` as one argument.
pub(crate) fn pair(left: impl AsRef<OsStr>, right: &Path) -> OsString {
    let mut out = left.as_ref().to_owned();
    out.push("=");
    out.push(right);
    out
}

/// The path of `name` in `directory`, with nothing in the name that a file system dislikes.
pub(crate) fn file(directory: &Path, name: &str, extension: &str) -> PathBuf {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    directory.join(format!("{plain}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_names() {
        let answer = Answer::parse("peak 1024\nmodes npr\nrefused body 3 too large\n");
        assert_eq!(answer.number("peak").unwrap(), 1024.0);
        assert_eq!(answer.text("modes").unwrap(), "npr");
        assert!(answer.number("modes").is_err() && answer.text("hits").is_err());
    }

    #[test]
    fn an_emulator_goes_in_front() {
        let probe = Probe::at(Path::new("/bin/probe")).under(["qemu", "-cpu"]);
        assert_eq!(probe.words, ["qemu", "-cpu", "/bin/probe"]);
    }

    #[test]
    fn arguments_and_files() {
        assert_eq!(pair("body", Path::new("/a")), "body=/a");
        let path = file(Path::new("/x"), "header:from:addr", "stream");
        assert_eq!(path, Path::new("/x/header_from_addr.stream"));
    }
}
