//! Figures of both sides, as JSON lines or as a table.
//!
//! A ratio above 1 always means that Muskox is better: ours/peer where more is better, peer/ours
//! where less is.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::{Context as _, Result};
use crate::statistics::{median, range};

/// A value for each side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair<T> {
    pub(crate) ours: T,
    pub(crate) peer: T,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
}

impl Side {
    /// Both, in the order in which they take turns.
    pub(crate) const BOTH: [Self; 2] = [Self::Ours, Self::Peer];
}

impl<T> Pair<T> {
    pub(crate) fn of(&self, side: Side) -> &T {
        match side {
            Side::Ours => &self.ours,
            Side::Peer => &self.peer,
        }
    }

    pub(crate) fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Ours => &mut self.ours,
            Side::Peer => &mut self.peer,
        }
    }
}

/// The samples of one metric.
pub(crate) type Samples = Pair<Vec<f64>>;

/// What makes a figure good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// One line of the result. The names of its fields are what other programs read.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Line {
    metric: String,
    ours: Option<f64>,
    peer: Option<f64>,
    ratio: Option<f64>,
    unit: &'static str,
    #[serde(skip)]
    ranges: [Option<(f64, f64)>; 2],
}

impl Line {
    fn new(metric: &str, unit: &'static str, better: Better, samples: &Samples) -> Self {
        let (ours, peer) = (median(&samples.ours), median(&samples.peer));
        let ratio = ours
            .zip(peer)
            .and_then(|(ours, peer)| ratio(better, ours, peer));
        Self {
            metric: metric.to_owned(),
            ours: ours.map(rounded),
            peer: peer.map(rounded),
            ratio: ratio.map(rounded),
            unit,
            ranges: [range(&samples.ours), range(&samples.peer)],
        }
    }
}

/// Above 1: ours is better. `None` where one side is too small to compare.
fn ratio(better: Better, ours: f64, peer: f64) -> Option<f64> {
    let (above, below) = match better {
        Better::More => (ours, peer),
        Better::Less => (peer, ours),
    };
    (above > 0.0 && below > 0.0).then(|| above / below)
}

/// Four decimals are more than any of these measurements is worth.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// All lines of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        metric: &str,
        unit: &'static str,
        better: Better,
        samples: &Samples,
    ) {
        self.lines.push(Line::new(metric, unit, better, samples));
    }

    /// Writes one JSON object a line.
    pub(crate) fn json(&self) -> Result<()> {
        self.write_json(&mut io::stdout().lock())
    }

    /// Writes one JSON object a line to `out`.
    pub(crate) fn write_json(&self, out: &mut impl Write) -> Result<()> {
        for line in &self.lines {
            let text = serde_json::to_string(line)
                .map_err(io::Error::from)
                .context("the report")?;
            writeln!(out, "{text}").context("the report")?;
        }
        Ok(())
    }

    /// Writes a table for people; `peer` is the other side's name.
    pub(crate) fn table(&self, peer: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        let head = [
            "metric",
            "unit",
            "muskox",
            peer,
            "ratio",
            "(muskox min–max; peer min–max)",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.lines.iter().map(row));
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                rows.iter()
                    .filter_map(move |row| row.get(column))
                    .map(|cell| cell.chars().count())
            })
            .map(|widths| widths.max().unwrap_or(0))
            .collect();
        for row in &rows {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 | 1 => write!(out, "{cell:width$}  "),
                    5 => write!(out, "{cell}"),
                    _ => write!(out, "{cell:>width$}  "),
                }
                .context("standard output")?;
            }
            writeln!(out).context("standard output")?;
        }
        Ok(())
    }
}

fn row(line: &Line) -> [String; 6] {
    let [ours, peer] = line.ranges.map(|range| {
        range.map_or_else(
            || "-".to_owned(),
            |(least, most)| format!("{}–{}", short(least), short(most)),
        )
    });
    [
        line.metric.clone(),
        line.unit.to_owned(),
        line.ours.map_or_else(|| "-".to_owned(), short),
        line.peer.map_or_else(|| "-".to_owned(), short),
        line.ratio
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        format!("({ours}; {peer})"),
    ]
}

/// Three digits or so.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Tells the person who waits what is going on.
pub(crate) fn progress(text: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_one_is_better_for_us() {
        assert_eq!(ratio(Better::More, 300.0, 100.0), Some(3.0));
        assert_eq!(ratio(Better::Less, 2.0, 8.0), Some(4.0));
        assert_eq!(ratio(Better::Less, 0.0, 8.0), None);
        assert_eq!(ratio(Better::More, 1.0, 0.0), None);
    }

    #[test]
    fn a_line_has_the_agreed_fields() {
        let samples = Samples {
            ours: vec![1.0, 3.0, 2.0],
            peer: vec![8.0],
        };
        let line = Line::new("select", "ms", Better::Less, &samples);
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"metric":"select","ours":2.0,"peer":8.0,"ratio":4.0,"unit":"ms"}"#
        );
    }

    #[test]
    fn without_samples_there_is_no_figure() {
        let line = Line::new("select", "ms", Better::Less, &Samples::default());
        assert_eq!((line.ours, line.ratio), (None, None));
        assert_eq!(row(&line)[5], "(-; -)");
    }

    #[test]
    fn sides_find_their_values() {
        let mut pair = Pair { ours: 1, peer: 2 };
        *pair.of_mut(Side::Peer) += 1;
        assert_eq!(Side::BOTH.map(|side| *pair.of(side)), [1, 3]);
    }
}
