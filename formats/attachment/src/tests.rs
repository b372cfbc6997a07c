//! Whole inspections of fixtures that are built here.

mod archives;
mod bounds;
mod build;
mod documents;
mod types;

use crate::{Limits, Report, inspect};

/// An inspection with the default limits.
fn look(name: &str, declared: &str, bytes: &[u8]) -> Report {
    inspect(Some(name), declared, bytes, &Limits::default())
}

/// An inspection of content alone.
fn content(bytes: &[u8]) -> Report {
    inspect(None, "application/octet-stream", bytes, &Limits::default())
}

/// The facts of a report that hold, by name; what a test expects is one line.
fn facts(report: &Report) -> Vec<&'static str> {
    [
        (report.executable, "executable"),
        (report.dangerous_name, "dangerous_name"),
        (report.double_extension, "double_extension"),
        (report.mismatch, "mismatch"),
        (report.encrypted, "encrypted"),
        (report.macros, "macros"),
        (report.auto_macro, "auto_macro"),
        (report.remote, "remote"),
        (report.embedded, "embedded"),
        (report.nested, "nested"),
        (report.bomb, "bomb"),
        (report.damaged, "damaged"),
        (report.executable_inside, "executable_inside"),
        (report.active_pdf, "active_pdf"),
        (report.scripted, "scripted"),
        (report.unlisted, "unlisted"),
        (report.truncated, "truncated"),
    ]
    .into_iter()
    .filter_map(|(holds, name)| holds.then_some(name))
    .collect()
}
