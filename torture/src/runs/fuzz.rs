//! Every fuzz target for a while, under libFuzzer, with all that was found before.
//!
//! Stable Rust builds them: the flags are what `cargo fuzz` passes. Inputs that lead somewhere new
//! are kept below `fuzz/target`; a crash becomes a file in `fuzz/corpus/TARGET`, to be committed with
//! the fix, and is tried again by every run.

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
    let mut names = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    let minutes = context.options().minutes.unwrap_or(context.depth(1, 60));
    let each = (minutes * 60 / names.len().max(1) as u64).max(1);
    let (mut executions, mut crashes) = (0_u64, 0_usize);
    for name in &names {
        let binary = fuzz.join("target").join(&target).join("release").join(name);
        let corpora = [
            fuzz.join("target/corpus").join(name),
            fuzz.join("corpus").join(name),
        ];
        for corpus in &corpora {
            fs::create_dir_all(corpus)?;
        }
        let (count, crashed) = one(&binary, &corpora, each)?;
        eprintln!(
            "   {name}: {count} executions{}",
            if crashed { ", CRASHED" } else { "" }
        );
        executions += count;
        crashes += usize::from(crashed);
    }
    let mut figures = Figures::default();
    figures.checked(executions);
    figures.count("targets", names.len(), Target::AtLeast(28.0));
    figures.measure("seconds for each", each as f64, "s", Target::Shown);
    figures.measure(
        "executions, in millions",
        executions as f64 / 1e6,
        "",
        Target::Shown,
    );
    figures.count("targets that crashed", crashes, Target::Exactly(0.0));
    Ok(figures)
}

/// Executions of one target, and whether it crashed.
fn one(binary: &Path, corpora: &[PathBuf; 2], seconds: u64) -> Result<(u64, bool)> {
    let [_, known] = corpora;
    let output = Command::new(binary)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-max_len={LENGTH}"))
        .arg("-timeout=10")
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", known.display()))
        .args(corpora)
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
    Ok((count.unwrap_or(0), !output.status.success()))
}
