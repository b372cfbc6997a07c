//! The page of figures: what is promised, what was found, where and when.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::context::{Context, root};
use crate::figure::Figure;
use crate::runs::{self, Run};

/// A figure with all that tells what it is worth: a line of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    row: String,
    run: String,
    #[serde(flatten)]
    figure: Figure,
    good: bool,
    depth: String,
    machine: String,
    commit: String,
    date: String,
}

impl Line {
    pub(crate) fn new(run: &Run, context: &Context, figure: &Figure) -> Self {
        Self {
            row: run.row.to_owned(),
            run: run.name.to_owned(),
            good: figure.is_good(),
            figure: figure.clone(),
            depth: context.depth_name().to_owned(),
            machine: machine(),
            commit: commit(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// Processor, cores, kernel.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    format!(
        "{} {model}, {cores} cores, Linux {kernel}",
        std::env::consts::ARCH
    )
}

/// The commit that is checked out, with a `+` when files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root())
            .output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    match changed.as_deref() {
        Ok("") => head,
        _ => format!("{head}+"),
    }
}

/// Writes the page from files of lines; a later line of the same figure replaces an earlier one.
pub(crate) fn write(files: &[PathBuf], page: &Path) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)?;
        for line in text.lines() {
            lines.push(serde_json::from_str::<Line>(line)?);
        }
    }
    std::fs::write(page, text(&lines))
}

fn text(lines: &[Line]) -> String {
    let mut page = String::from(
        "# Reliability\n\n\
         What is promised, and what was found when somebody tried to break it. `torture report` makes\n\
         this page of the figures that `torture … --json` has written; `cargo run -p muskox-torture --\n\
         all` gives your own. What is beyond its target stays here, marked **red**.\n",
    );
    for run in runs::ALL {
        let mut latest: BTreeMap<&str, (usize, &Line)> = BTreeMap::new();
        // Figures of an earlier run of the same kind are out of date altogether.
        let of_run = |line: &&Line| line.run == run.name;
        let stamp = lines
            .iter()
            .rfind(of_run)
            .map(|line| (&line.commit, &line.date, &line.depth));
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| of_run(line)) {
            if Some((&line.commit, &line.date, &line.depth)) == stamp {
                let entry = latest.entry(&line.figure.what).or_insert((at, line));
                entry.1 = line;
            }
        }
        let mut figures: Vec<_> = latest.into_values().collect();
        figures.sort_by_key(|(at, _)| *at);
        let _ = write!(page, "\n## {} `{}`: {}\n\n", run.row, run.name, run.promise);
        let Some((_, first)) = figures.first() else {
            page.push_str("No figures yet.\n");
            continue;
        };
        page.push_str("| figure | found | target | |\n|---|---|---|---|\n");
        for (_, line) in &figures {
            let Figure {
                what,
                value,
                unit,
                target,
            } = &line.figure;
            let mark = if line.good { "" } else { "**red**" };
            let found = format!("{value} {unit}");
            let _ = writeln!(
                page,
                "| {what} | {} | {} | {mark} |",
                found.trim(),
                target.text()
            );
        }
        let _ = writeln!(
            page,
            "\n`{}`, {}, commit {}, {}\n",
            first.depth, first.machine, first.commit, first.date
        );
        page.truncate(page.trim_end().len());
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Target;

    fn line(what: &str, value: f64, commit: &str) -> Line {
        let figure = Figure {
            what: what.to_owned(),
            value,
            unit: String::new(),
            target: Target::Exactly(0.0),
        };
        Line {
            row: "R-01".to_owned(),
            run: "kill".to_owned(),
            good: figure.is_good(),
            figure,
            depth: "quick".to_owned(),
            machine: "a machine".to_owned(),
            commit: commit.to_owned(),
            date: "2026-01-01".to_owned(),
        }
    }

    #[test]
    fn the_latest_run_counts_and_red_stays_red() {
        let page = text(&[
            line("messages lost", 0.0, "a"),
            line("gone since", 0.0, "a"),
            line("messages lost", 3.0, "b"),
        ]);
        assert!(
            page.contains("| messages lost | 3 | 0 | **red** |"),
            "{page}"
        );
        assert!(!page.contains("gone since"), "{page}");
        assert!(page.contains("commit b"), "{page}");
        assert!(page.contains("No figures yet."), "{page}");
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = line("messages lost", 0.0, "a");
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
