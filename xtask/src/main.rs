//! Checks and chores of this repository: `cargo xtask <what>`.

mod ci;
mod dist;
mod docs;
mod layers;
mod pages;
mod rfc;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

/// Checks and chores of the Muskox repository.
#[derive(Debug, Parser)]
#[command(name = "xtask")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Everything CI checks: format, lints, layers, RFC references, documentation, tests, the demo
    Ci,
    /// Check that no crate uses one of a layer above
    Layers,
    /// Check that nothing depends on the size of a page
    Pages,
    /// Check RFC references and write docs/rfc-map.md
    Rfc {
        /// Only check that the map is current
        #[arg(long)]
        check: bool,
    },
    /// Run every fuzz target for its share of a time, under libFuzzer
    Fuzz {
        /// Minutes for all of them together
        #[arg(long, default_value_t = 28)]
        minutes: u32,
    },
    /// Write the generated pages of docs/
    Docs,
    /// Make packages: .deb, tarball, container image, bill of materials, checksums
    Dist(dist::Options),
    /// Run a benchmark beside a real peer; its options follow
    Bench {
        /// mailflow, imap, patterns, patterns-instructions or patterns-portability, and options
        /// such as --quick or --json
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
}

/// What a chore found wrong, one line each.
type Findings = Vec<String>;

fn main() -> ExitCode {
    let root = root();
    let result = match Arguments::parse().what {
        What::Ci => ci::run(&root),
        What::Layers => layers::check(&root),
        What::Pages => pages::check(&root),
        What::Rfc { check: true } => rfc::check(&root),
        What::Rfc { check: false } => rfc::write(&root),
        What::Docs => docs::write(&root),
        What::Fuzz { minutes } => fuzz(&root, minutes),
        What::Dist(options) => dist::run(&root, &options),
        What::Bench { arguments } => bench(&root, &arguments),
    };
    match result {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in findings {
                say(&finding);
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_owned)
}

/// Runs `program` in `root` with its output on ours.
fn run(root: &Path, program: &str, arguments: &[&str]) -> std::io::Result<bool> {
    Ok(Command::new(program)
        .args(arguments)
        .current_dir(root)
        .status()?
        .success())
}

fn fuzz(root: &Path, minutes: u32) -> std::io::Result<Findings> {
    let minutes = minutes.to_string();
    let torture = [
        "run",
        "--quiet",
        "--package",
        "muskox-torture",
        "--",
        "fuzz",
        "--minutes",
        &minutes,
    ];
    Ok(if run(root, "cargo", &torture)? {
        Vec::new()
    } else {
        vec!["a target crashed".to_owned()]
    })
}

fn bench(root: &Path, arguments: &[String]) -> std::io::Result<Findings> {
    let mut all = vec![
        "run",
        "--release",
        "--quiet",
        "--package",
        "muskox-benches",
        "--",
    ];
    all.extend(arguments.iter().map(String::as_str));
    // What is measured, or runs it, is a program beside the benchmark's own.
    let engine = arguments
        .first()
        .is_some_and(|word| word.starts_with("patterns"));
    let package = if engine { "muskox-probe" } else { "muskox" };
    let build = ["build", "--release", "--quiet", "--package", package];
    if !run(root, "cargo", &build)? {
        return Ok(vec![format!("{package} does not build")]);
    }
    Ok(if run(root, "cargo", &all)? {
        Vec::new()
    } else {
        vec!["the benchmark failed".to_owned()]
    })
}

#[expect(
    clippy::disallowed_macros,
    reason = "the one place that writes to the terminal"
)]
fn say(text: &str) {
    eprintln!("{text}");
}
