//! The tests against models in memory and the explorations of schedules, for longer than anybody
//! waits for a test: mailboxes, queue, group commit, hub and leases.
//!
//! The tests are those that every build runs; here they get more cases (`PROPTEST_CASES`,
//! `SCHEDULES`). What they print says how much they did; a test that fails is a divergence, and
//! prints the operations or the schedule that lead to it.

use std::process::{Command, Stdio};

use crate::context::{Context, Result, root};
use crate::figure::{Figures, Target};

/// Some tests of one crate.
struct Tests {
    package: &'static str,
    /// Which of its targets they are in.
    target: &'static [&'static str],
    /// The beginning of their names.
    filter: &'static str,
    /// Sequences or schedules of each, quick and full.
    cases: [u32; 2],
}

const TESTS: &[Tests] = &[
    Tests {
        package: "muskox-store",
        target: &["--lib"],
        filter: "group::explored::",
        cases: [3_000, 150_000],
    },
    Tests {
        package: "muskox-queue",
        target: &["--lib"],
        filter: "tests::leases::",
        cases: [300, 10_000],
    },
    Tests {
        package: "muskox-queue",
        target: &["--lib"],
        filter: "tests::model::",
        cases: [100, 15_000],
    },
    Tests {
        package: "muskox-mail",
        target: &["--test", "scenarios"],
        filter: "model::",
        cases: [100, 12_000],
    },
];

/// What some tests did.
#[derive(Default)]
struct Done {
    operations: u64,
    schedules: u64,
    divergences: usize,
}

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let mut sum = Done::default();
    for tests in TESTS {
        let [quick, full] = tests.cases;
        let done = one(tests, context.depth(quick, full))?;
        eprintln!(
            "   {} {}: {} operations, {} schedules, {} divergences",
            tests.package, tests.filter, done.operations, done.schedules, done.divergences
        );
        sum.operations += done.operations;
        sum.schedules += done.schedules;
        sum.divergences += done.divergences;
    }
    let mut figures = Figures::default();
    figures.checked(sum.operations + sum.schedules);
    figures.count(
        "operations on mailboxes and queue",
        sum.operations,
        Target::AtLeast(1_000.0),
    );
    figures.count(
        "schedules of group commit, hub and leases",
        sum.schedules,
        Target::AtLeast(10_000.0),
    );
    figures.count("divergences", sum.divergences, Target::Exactly(0.0));
    Ok(figures)
}

fn one(tests: &Tests, cases: u32) -> Result<Done> {
    let output = Command::new("cargo")
        .args(["test", "--locked", "--package", tests.package])
        .args(tests.target)
        .args([tests.filter, "--", "--nocapture"])
        .env("PROPTEST_CASES", cases.to_string())
        .env("SCHEDULES", cases.to_string())
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut done = Done {
        operations: said(&text, "model: "),
        schedules: said(&text, "explored: "),
        divergences: 0,
    };
    if !output.status.success() {
        eprintln!("{text}");
        let failed = text.lines().filter(|line| line.ends_with("FAILED"));
        done.divergences = failed.count().max(1);
    }
    Ok(done)
}

/// The sum of the numbers behind a word.
fn said(text: &str, word: &str) -> u64 {
    let numbers = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(word)?;
        rest.split(' ').next()?.parse::<u64>().ok()
    });
    numbers.sum()
}
