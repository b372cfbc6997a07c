//! Every fuzz target for a while, under libFuzzer, with all that was found before.
//!
//! Stable Rust builds them: the flags are what `cargo fuzz` passes. A run starts from the seeds in
//! `fuzz/corpus/TARGET` and knows the words of a dictionary in `fuzz/dictionaries`. Inputs that lead
//! somewhere new are kept below `fuzz/target`; one that crashes, takes too long or too much memory
//! becomes a file among the seeds, to be committed with the fix, and is tried again by every run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::context::{Context, Result, Stopped, root};
use crate::figure::{Figures, Target};

/// Coverage for libFuzzer, checks on.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions \
    -Coverflow-checks -Ccodegen-units=4";
/// Memory of one target, in MiB.
const MEMORY: u32 = 2_048;
/// Octets of an input.
const LENGTH: u32 = 65_536;
/// Seconds of an input. Those that make a new site take one or two.
const TIMEOUT: u32 = 10;
/// A file system in memory: targets with a store flush it with every execution.
const MEMORY_FILES: &str = "/dev/shm";

/// Which dictionary helps the targets whose names begin so.
const DICTIONARIES: &[(&str, &str)] = &[
    ("antivirus", "policy"),
    ("attachment", "attachment"),
    ("blocklist", "url"),
    ("config", "config"),
    ("control", "control"),
    ("filter", "mime"),
    ("imap", "imap"),
    ("learn", "mime"),
    ("mailauth", "mime"),
    ("milter", "milter"),
    ("mime", "mime"),
    ("notations", "policy"),
    ("patterns", "patterns"),
    ("policy", "policy"),
    ("rspamd", "http"),
    ("rules_expression", "rules"),
    ("rules_spamassassin", "spamassassin"),
    ("rules_toml", "rules"),
    ("sasl", "sasl"),
    ("smtp", "smtp"),
    ("text_html", "html"),
    ("text_url", "url"),
];

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let fuzz = root().join("fuzz");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--bins",
            "--target",
            &target,
        ])
        .env("RUSTFLAGS", FLAGS)
        .current_dir(&fuzz)
        .status()?;
    if !built.success() {
        return Err(Stopped::Failed("the fuzz targets do not build".to_owned()));
    }
    let names = names(&fuzz)?;
    let minutes = context.options().minutes.unwrap_or(context.depth(1, 60));
    let shares: u64 = names.iter().map(|name| share(name)).sum();
    let scratch = tempfile::tempdir_in(MEMORY_FILES).or_else(|_| tempfile::tempdir())?;
    let mut families: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failed = 0_usize;
    for name in &names {
        let fuzzed = Fuzzed {
            binary: fuzz.join("target").join(&target).join("release").join(name),
            found: fuzz.join("target/corpus").join(name),
            seeds: fuzz.join("corpus").join(name),
            dictionary: dictionary(name).map(|words| fuzz.join("dictionaries").join(words)),
            scratch: scratch.path(),
        };
        let seconds = (minutes * 60 * share(name) / shares.max(1)).max(1);
        let (executions, is_good) = fuzzed.run(seconds)?;
        let failure = if is_good { "" } else { ", FAILED" };
        eprintln!("   {name}: {executions} executions in {seconds} s{failure}");
        *families.entry(family(name)).or_default() += executions;
        failed += usize::from(!is_good);
    }
    let executions: u64 = families.values().sum();
    let mut figures = Figures::default();
    figures.checked(executions);
    figures.count("targets", names.len(), Target::AtLeast(44.0));
    figures.measure("time", minutes as f64, "min", Target::Shown);
    for (family, executions) in families {
        let what = format!("executions of {family}, in thousands");
        figures.measure(&what, executions as f64 / 1e3, "", Target::Shown);
    }
    figures.measure(
        "executions, in millions",
        executions as f64 / 1e6,
        "",
        Target::Shown,
    );
    let what = "targets with a crash, a hang or too much memory";
    figures.count(what, failed, Target::Exactly(0.0));
    Ok(figures)
}

/// The targets, sorted.
fn names(fuzz: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// What part of the time a target gets: a session is worth many a format, and slower.
fn share(name: &str) -> u64 {
    if name.ends_with("_session") { 4 } else { 1 }
}

/// Under which name the executions of a target are counted.
fn family(name: &str) -> &str {
    match name.split_once('_') {
        Some((family, rest)) if rest != "session" => family,
        _ => name,
    }
}

/// The file with the words of a target.
fn dictionary(name: &str) -> Option<String> {
    let mut all = DICTIONARIES.iter();
    let (_, words) = all.find(|(prefix, _)| name.starts_with(prefix))?;
    Some(format!("{words}.dict"))
}

/// A target and what it runs with.
struct Fuzzed<'s> {
    binary: PathBuf,
    /// What this machine has found.
    found: PathBuf,
    /// What everybody has, and where failures go.
    seeds: PathBuf,
    dictionary: Option<PathBuf>,
    scratch: &'s Path,
}

impl Fuzzed<'_> {
    /// Executions, and whether all went well.
    fn run(&self, seconds: u64) -> Result<(u64, bool)> {
        for corpus in [&self.found, &self.seeds] {
            fs::create_dir_all(corpus)?;
        }
        let mut command = Command::new(&self.binary);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-rss_limit_mb={MEMORY}"))
            .arg(format!("-max_len={LENGTH}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", self.seeds.display()));
        if let Some(dictionary) = &self.dictionary {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        let output = command
            .args([&self.found, &self.seeds])
            .env("TMPDIR", self.scratch)
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let count = text.lines().find_map(|line| {
            let rest = line.strip_prefix("stat::number_of_executed_units:")?;
            rest.trim().parse().ok()
        });
        if !output.status.success() {
            let tail: Vec<&str> = text.lines().rev().take(12).collect();
            for line in tail.iter().rev() {
                eprintln!("     {line}");
            }
        }
        Ok((count.unwrap_or(0), output.status.success()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dictionary_exists_and_serves_a_target() {
        let fuzz = root().join("fuzz");
        let names = names(&fuzz).unwrap();
        for (prefix, words) in DICTIONARIES {
            assert!(
                names.iter().any(|name| name.starts_with(prefix)),
                "{prefix}"
            );
            let file = fuzz.join("dictionaries").join(format!("{words}.dict"));
            assert!(file.is_file(), "{words}");
        }
    }

    #[test]
    fn every_seed_belongs_to_a_target() {
        let fuzz = root().join("fuzz");
        let names = names(&fuzz).unwrap();
        for entry in fs::read_dir(fuzz.join("corpus")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(names.contains(&name), "{name}");
        }
    }

    #[test]
    fn executions_are_counted_by_family() {
        assert_eq!(family("smtp_session"), "smtp_session");
        assert_eq!(family("smtp_line"), "smtp");
        assert_eq!(family("notations"), "notations");
    }
}
