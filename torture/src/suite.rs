//! Runs, one after another. Each of `all` is a process group of its own, so that one that hangs
//! takes its servers with it.

use std::any::Any;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Options;
use crate::context::{Context, Stopped};
use crate::figure::{Figure, Figures};
use crate::report::Line;
use crate::runs::{self, Run};

/// What a run that this machine cannot do ends with.
const NOT_POSSIBLE: u8 = 77;

/// One run in this process.
pub(crate) fn one(run: &Run, context: &Context) -> ExitCode {
    let started = Instant::now();
    eprintln!("== {} ({}): {}", run.name, run.row, run.promise);
    let result = catch_unwind(AssertUnwindSafe(|| (run.run)(context)));
    let figures = match result {
        Ok(Ok(figures)) => figures,
        Ok(Err(stopped)) => {
            eprintln!("   {stopped}");
            return match stopped {
                Stopped::NotPossible(_) => ExitCode::from(NOT_POSSIBLE),
                Stopped::Failed(why) => red(run, context, &why),
            };
        }
        Err(panic) => return red(run, context, &message(&*panic)),
    };
    for figure in figures.list() {
        let target = match figure.target.text() {
            text if text.is_empty() => text,
            text => format!("   (target {text})"),
        };
        let mark = if figure.is_good() { "   " } else { "RED" };
        eprintln!(
            "{mark} {:>12} {:<4} {}{target}",
            figure.value, figure.unit, figure.what
        );
    }
    if figures.checks() == 0 {
        eprintln!("RED nothing was checked");
    }
    eprintln!(
        "   {} checks in {:.1} s",
        figures.checks(),
        started.elapsed().as_secs_f64()
    );
    if let Err(error) = keep(run, context, figures.list()) {
        eprintln!("RED the figures cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    if figures.are_good(context.options().full) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A run that ended without figures; the page says so.
fn red(run: &Run, context: &Context, why: &str) -> ExitCode {
    eprintln!("RED {why}");
    context.tell_worries();
    let figure = Figure {
        what: format!("ended early: {}", why.lines().next().unwrap_or_default()),
        value: 1.0,
        unit: String::new(),
        target: crate::figure::Target::Exactly(0.0),
    };
    if let Err(error) = keep(run, context, &[figure]) {
        eprintln!("RED the figures cannot be written: {error}");
    }
    ExitCode::FAILURE
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

fn keep(run: &Run, context: &Context, figures: &[Figure]) -> std::io::Result<()> {
    let Some(file) = &context.options().json else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?;
    for figure in figures {
        let line = Line::new(run, context, figure);
        writeln!(file, "{}", serde_json::to_string(&line)?)?;
    }
    Ok(())
}

/// The runs named, or all that need no other machine; fails when one of them does.
pub(crate) fn all(options: &Options, names: &[String]) -> ExitCode {
    let mut chosen = Vec::new();
    for name in names {
        match runs::find(name) {
            Some(run) => chosen.push(run),
            None => {
                eprintln!("torture: there is no run {name:?}; `torture list` shows them");
                return ExitCode::from(2);
            }
        }
    }
    if names.is_empty() {
        chosen.extend(runs::ALL.iter().filter(|run| run.in_all));
    }
    // Built once, before any clock runs.
    let context = Context::new(options.clone());
    let binary = context.binary().to_owned();
    let mut outcomes: Vec<(&str, &str, f64)> = Vec::new();
    for run in chosen {
        let started = Instant::now();
        let outcome = apart(run, options, &binary, context.directory());
        outcomes.push((run.name, outcome, started.elapsed().as_secs_f64()));
    }
    eprintln!();
    for (name, outcome, seconds) in &outcomes {
        eprintln!("{name:<14} {outcome:<13} {seconds:>7.1} s");
    }
    if outcomes
        .iter()
        .all(|(_, outcome, _)| *outcome == "good" || *outcome == "not possible")
        && outcomes.iter().any(|(_, outcome, _)| *outcome == "good")
    {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One run in a process group of its own, with a time limit.
fn apart(run: &Run, options: &Options, binary: &Path, scratch: &Path) -> &'static str {
    let this = std::env::current_exe().expect("our own path");
    let mut command = Command::new(this);
    command.arg(if options.full { "--full" } else { "--quick" });
    command
        .arg("--binary")
        .arg(binary)
        .arg("--scratch")
        .arg(scratch);
    for (name, path) in [
        ("--json", &options.json),
        ("--arm64", &options.arm64),
        ("--corpus", &options.corpus),
    ] {
        if let Some(path) = path {
            command.arg(name).arg(path);
        }
    }
    if let Some(minutes) = options.minutes {
        command.arg("--minutes").arg(minutes.to_string());
    }
    command.arg(run.name).process_group(0);
    let mut child = command.spawn().expect("we start again");
    let limit = if options.full {
        run.full_limit
    } else {
        run.quick_limit
    };
    let asked = Duration::from_secs(options.minutes.unwrap_or(0) * 60);
    let deadline = Instant::now() + limit + asked;
    let outcome = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break "good",
            Ok(Some(status)) if status.code() == Some(i32::from(NOT_POSSIBLE)) => {
                break "not possible";
            }
            Ok(Some(_)) | Err(_) => break "RED",
            Ok(None) if Instant::now() > deadline => {
                eprintln!("RED {} took longer than {} s", run.name, limit.as_secs());
                break "RED (too long)";
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    // What a run leaves behind, it leaves in its group.
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    unmount_below(scratch);
    outcome
}

/// File systems that an ended run has left mounted.
fn unmount_below(directory: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut below: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|mount| Path::new(mount).starts_with(directory))
        .collect();
    below.sort_unstable();
    for mount in below.iter().rev() {
        let _ = Command::new("umount").args(["--lazy", mount]).status();
    }
}

/// What a run is.
impl Run {
    /// The figures of a run.
    pub(crate) const fn new(
        name: &'static str,
        row: &'static str,
        promise: &'static str,
        run: fn(&Context) -> crate::context::Result<Figures>,
    ) -> Self {
        Self {
            name,
            row,
            promise,
            run,
            in_all: true,
            quick_limit: Duration::from_secs(120),
            full_limit: Duration::from_secs(4 * 3600),
        }
    }
}
