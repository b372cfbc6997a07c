//! One database file, scanned by every instruction set there is: `benches patterns-portability`.
//!
//! The file is compiled here and scanned here, by an emulator of several x86-64 processors (which
//! is how each vector path is forced: the engine finds the features that the emulated processor
//! has), and by one of ARM64. The lists of matches must be the same to the octet. Compiling on ARM64
//! must give the same file.

#![expect(clippy::disallowed_methods, reason = "writes rules and compares files")]

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use probe::rules;
use tempfile::TempDir;

use super::child::{Probe, file, pair};
use super::{corpus, emulators, scopes};
use crate::error::{Context as _, Error, Result};
use crate::report::progress;

/// Octets of messages; emulators are slow.
const TEXT: usize = 4_000_000;
const QUICK_TEXT: usize = 400_000;
/// x86-64 processors: SSE2 alone, SSSE3 and SSE4.2, AVX2, and all that the emulator has.
const X86_64: [&str; 4] = ["qemu64", "Nehalem", "Haswell", "max"];
/// ARM64 processors: old and small, old and large, and all that the emulator has.
const AARCH64: [&str; 3] = ["cortex-a53", "cortex-a72", "max"];

/// What to compare with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A table of rules, or a directory of SpamAssassin's .cf files
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Messages: a directory, an mbox, or a packed tree
    #[arg(long, value_name = "PATH")]
    corpus: PathBuf,
    /// A smaller part of the corpus, and no compilation on ARM64
    #[arg(long)]
    quick: bool,
    /// Where the cross build is kept
    #[arg(long, value_name = "DIR", default_value = "target/bench-patterns")]
    cache: PathBuf,
}

/// `benches patterns-portability`.
pub(crate) fn run(options: &Options) -> Result<()> {
    emulators::ensure()?;
    let name = || options.cache.display().to_string();
    fs::create_dir_all(&options.cache).context(name())?;
    let cache = options.cache.canonicalize().context(name())?;
    let work = Work::new(
        options,
        tempfile::tempdir_in(&cache).context("a directory")?,
    )?;
    let here = Probe::beside()?;
    work.compile(&here, "here")?;
    let wanted = here.output("matches", &work.arguments)?;
    progress(&format!("here: {} matches", wanted.lines().count()));
    let arm64 = emulators::cross_build(&cache)?;
    let emulated = |probe: &Probe, emulator, cpu| {
        let name = format!("{cpu} under {emulator}");
        (name, probe.under([emulator, "-cpu", cpu]))
    };
    let x86_64 = X86_64.map(|cpu| emulated(&here, emulators::X86_64, cpu));
    let aarch64 = AARCH64.map(|cpu| emulated(&arm64, emulators::AARCH64, cpu));
    let mut different = 0;
    for (cpu, probe) in x86_64.iter().chain(&aarch64) {
        let found = probe.output("matches", &work.arguments)?;
        different += usize::from(!tell(cpu, &wanted, &found));
    }
    if let ([.., (cpu, probe)], false) = (&aarch64, options.quick) {
        let (here, there) = (work.database("here"), work.compile(probe, "there")?);
        let read = |path: PathBuf| fs::read(&path).context(path.display().to_string());
        let same = read(here)? == read(there)?;
        progress(&format!("compiled on {cpu}: {}", verdict(same)));
        different += usize::from(!same);
    }
    if different > 0 {
        return Err(Error::Wrong(different));
    }
    Ok(())
}

/// Rules and haystacks in files.
struct Work {
    directory: TempDir,
    table: PathBuf,
    /// The arguments of the probe's job `matches`.
    arguments: Vec<OsString>,
}

impl Work {
    fn new(options: &Options, directory: TempDir) -> Result<Self> {
        let rules = super::rules::read(&options.rules)?;
        let table = directory.path().join("rules.tsv");
        fs::write(&table, rules::write(&rules)).context("the table of rules")?;
        let size = if options.quick { QUICK_TEXT } else { TEXT };
        let messages = corpus::thinned(corpus::read(&options.corpus)?, size);
        let streams = scopes::collect(&messages, rules.iter().map(|rule| rule.scope.as_str()))?;
        let mut work = Self {
            directory,
            table,
            arguments: Vec::new(),
        };
        work.arguments.push(work.database("here").into());
        for (name, stream) in &streams {
            let path = file(work.directory.path(), name, "stream");
            stream.save(&path)?;
            work.arguments.push(pair(name, &path));
        }
        Ok(work)
    }

    fn database(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.database"))
    }

    fn compile(&self, probe: &Probe, name: &str) -> Result<PathBuf> {
        let out = self.database(name);
        let arguments = ["ours".as_ref(), self.table.as_os_str(), out.as_os_str()];
        probe.run("compile", arguments)?;
        Ok(out)
    }
}

fn verdict(same: bool) -> &'static str {
    if same { "the same" } else { "DIFFERENT" }
}

/// Says whether both lists are the same, and the first line that is not.
fn tell(cpu: &str, wanted: &str, found: &str) -> bool {
    let same = wanted == found;
    progress(&format!("{cpu}: {}", verdict(same)));
    if let Some((wanted, found)) = difference(wanted, found) {
        progress(&format!("  here {wanted:?}, there {found:?}"));
    }
    same
}

/// The first line that differs, on both sides.
fn difference<'a>(wanted: &'a str, found: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut left, mut right) = (wanted.lines(), found.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => return Some((a.unwrap_or("the end"), b.unwrap_or("the end"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n"), Some(("b", "c")));
        assert_eq!(difference("a\nb\n", "a\n"), Some(("b", "the end")));
        assert!(!tell("x", "a\n", "") && tell("x", "a\n", "a\n"));
    }
}
