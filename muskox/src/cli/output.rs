//! What commands print: tables for people, JSON for programs.

#![expect(
    clippy::disallowed_macros,
    reason = "the one place that writes to the terminal"
)]

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

pub(super) use crate::printable::printable;

/// How often something that runs shows that it does.
const TICK: Duration = Duration::from_millis(100);

/// Where a command's data and notes go.
#[derive(Debug)]
pub struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// Output for people, or for programs when `json`.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour }
    }

    /// Whether data is for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data for people.
    pub fn line(&self, text: impl Display) {
        // A closed pipe is the reader's decision, not an error of ours.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// A note beside the data, on standard error.
    pub fn note(&self, text: impl Display) {
        eprintln!("{text}");
    }

    /// The reason of a failure, on standard error.
    pub fn error(&self, reason: &impl Display) {
        eprintln!("muskox: {reason}");
    }

    /// Bytes as they are, such as a message.
    pub fn bytes(&self, bytes: &[u8]) {
        // As in `line`.
        let _ = std::io::stdout().write_all(bytes);
    }

    /// Data: as JSON under its `schema` name, or as people see it.
    pub fn data(&self, schema: &str, data: &Value, people: impl FnOnce(&Self, &Value)) {
        if self.json {
            self.line(serde_json::json!({ "schema": schema, "data": data }));
        } else {
            people(self, data);
        }
    }

    /// A bar over steps, each one of `units`.
    pub(super) fn progress(&self, units: &'static str) -> Progress {
        let bar = ProgressBar::new(0);
        bar.set_style(style("{bar:40} {pos}/{len} {msg}  {eta} left"));
        bar.set_message(units);
        Progress(bar)
    }

    /// Something that runs for a while, nobody knows how long.
    pub(super) fn activity(&self, what: String) -> Progress {
        let bar = ProgressBar::new_spinner();
        bar.set_style(style("{spinner} {msg}  {elapsed}"));
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    /// `text` in green on a terminal that shows colours.
    #[must_use]
    pub fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// `text` in red on a terminal that shows colours.
    #[must_use]
    pub fn bad(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A table of the objects in `rows`: one column for each `(heading, key)`.
    pub fn table(&self, rows: &Value, columns: &[(&str, &str)]) {
        let rows: Vec<Vec<String>> = rows
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| {
                columns
                    .iter()
                    .map(|(_, key)| cell_of(key, row.get(key)))
                    .collect()
            })
            .collect();
        let widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(column, (heading, _))| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| cell.chars().count())
                    .fold(heading.chars().count(), usize::max)
            })
            .collect();
        let print = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, &width)| format!("{cell:<width$}"))
                .collect();
            self.line(padded.join("  ").trim_end());
        };
        print(&mut columns.iter().map(|(heading, _)| *heading));
        for row in &rows {
            print(&mut row.iter().map(String::as_str));
        }
    }
}

/// What runs and how far it is, on standard error if that is a terminal; gone when dropped.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// One step more is done.
    pub(super) fn step(&self) {
        self.0.inc(1);
    }

    /// There will be so many steps.
    pub(super) fn expect(&self, steps: usize) {
        self.0.set_length(u64::try_from(steps).unwrap_or(u64::MAX));
    }

    /// Everything is done.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }

    /// Writes lines without the progress between them.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// A value in a column whose name says what it counts: bytes read as people write them.
fn cell_of(key: &str, value: Option<&Value>) -> String {
    match value.and_then(Value::as_u64) {
        Some(0) if key == "quota_bytes" => "unlimited".to_owned(),
        Some(bytes) if key.ends_with("bytes") || key == "size" => size(bytes),
        _ => cell(value),
    }
}

/// The style of a template that is ours and good.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A value in a table. Text may come from strangers: control characters are escaped.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| cell(Some(item)))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// A number of bytes as people write it: `512 B`, `1.5 MiB`.
#[must_use]
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, scale) in UNITS {
        if bytes >= scale {
            return format!("{}.{} {unit}", bytes / scale, bytes % scale * 10 / scale);
        }
    }
    format!("{bytes} B")
}

/// A size as an operator writes it: `500M`, `2G`, `1048576`, `unlimited`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(0);
    }
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let scale: u64 = match text
        .get(digits.len()..)
        .unwrap_or_default()
        .to_ascii_uppercase()
        .as_str()
    {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        "T" | "TB" | "TIB" => 1 << 40,
        unit => return Err(format!("unknown unit `{unit}`; use K, M, G or T")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "not a size; write 500M, 2G or unlimited")?;
    number
        .checked_mul(scale)
        .ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_operators_write_them() {
        let table = [
            ("0", Ok(0)),
            ("500M", Ok(500 << 20)),
            ("2GiB", Ok(2 << 30)),
            ("unlimited", Ok(0)),
        ];
        for (text, wanted) in table {
            assert_eq!(parse_size(text), wanted, "{text}");
        }
        for text in ["", "M", "1X", "99999999999T", "-1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(size(1536), "1.5 KiB");
    }

    #[test]
    fn strangers_text_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\nc"), "a\\u{1b}[2Jb\\r\\nc");
    }
}
