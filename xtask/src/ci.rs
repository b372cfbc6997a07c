//! The order of checks, quick ones first. `./test` installs what they need and calls this.

use std::io;
use std::path::Path;

use crate::{Findings, layers, pages, rfc, say};

/// A named command.
struct Step(&'static str, &'static str, &'static [&'static str]);

const STEPS: &[Step] = &[
    Step("format", "cargo", &["fmt", "--all", "--check"]),
    Step(
        "lints",
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ],
    ),
    Step(
        "release build",
        "cargo",
        &["build", "--release", "--locked"],
    ),
    Step(
        "tests",
        "cargo",
        &["nextest", "run", "--workspace", "--locked"],
    ),
    Step(
        "documentation examples",
        "cargo",
        &["test", "--workspace", "--doc", "--locked", "--quiet"],
    ),
    Step(
        "documentation",
        "cargo",
        &["doc", "--workspace", "--no-deps", "--locked", "--quiet"],
    ),
    Step(
        "torture",
        "cargo",
        &[
            "run",
            "--locked",
            "--quiet",
            "--package",
            "muskox-torture",
            "--",
            "all",
            "--quick",
        ],
    ),
    Step(
        "demo",
        "cargo",
        &[
            "run",
            "--release",
            "--locked",
            "--quiet",
            "--",
            "demo",
            "--check",
        ],
    ),
];

/// Runs every step; stops at the first that fails.
fn run_steps(root: &Path) -> io::Result<Findings> {
    for Step(name, program, arguments) in STEPS {
        say(&format!("== {name}"));
        if !crate::run(root, program, arguments)? {
            return Ok(vec![format!("{name}: failed")]);
        }
    }
    Ok(Findings::new())
}

/// The whole check.
pub(crate) fn run(root: &Path) -> io::Result<Findings> {
    say("== layers, pages, RFC references");
    let mut findings = layers::check(root)?;
    findings.extend(pages::check(root)?);
    findings.extend(rfc::check(root)?);
    if findings.is_empty() {
        run_steps(root)
    } else {
        Ok(findings)
    }
}
