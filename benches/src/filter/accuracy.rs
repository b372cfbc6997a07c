//! How well the filter tells spam from ham: by its rules alone, and after it was taught the other
//! folds of the corpus.
//!
//! In this process, one filter without memory for all messages, then a fresh one for each fold. No
//! message is judged by a filter that was taught it. What came over a network at the time (SPF,
//! DKIM, block lists) is not there.

use std::collections::BTreeMap;
use std::io::{self, Write};

use filter::Verdict;
use serde::Serialize;

use super::alone::Alone;
use super::corpus::{Class, Folds, Message};
use super::roc::{Point, Scores, share};
use crate::error::{Context as _, Result};
use crate::report::progress;

/// How many of the worst mistakes are shown.
const WORST: usize = 20;

/// A verdict as far as it is reported.
#[derive(Debug, Clone, Serialize)]
struct Outcome {
    score: f64,
    action: &'static str,
    symbols: Vec<(String, f64)>,
}

impl From<&Verdict> for Outcome {
    fn from(verdict: &Verdict) -> Self {
        let symbols = verdict.signals.iter().map(|signal| {
            let score = decimal(signal.score);
            (signal.symbol.to_string(), score)
        });
        Self {
            score: decimal(verdict.score),
            action: verdict.action.name(),
            symbols: symbols.collect(),
        }
    }
}

/// A score as it is written: to the thousandth.
fn decimal(score: f32) -> f64 {
    (f64::from(score) * 1_000.0).round() / 1_000.0
}

/// What both filters said about one message.
#[derive(Debug, Serialize)]
struct Row<'a> {
    file: &'a str,
    class: Class,
    /// Which fold it was asked in.
    fold: usize,
    rules: Outcome,
    taught: Outcome,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    Rules,
    Taught,
}

impl Knowledge {
    const BOTH: [Self; 2] = [Self::Rules, Self::Taught];

    fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules alone",
            Self::Taught => "rules, and taught the other folds",
        }
    }
}

impl Row<'_> {
    fn outcome(&self, knowledge: Knowledge) -> &Outcome {
        match knowledge {
            Knowledge::Rules => &self.rules,
            Knowledge::Taught => &self.taught,
        }
    }
}

/// A symbol over all messages.
#[derive(Debug, Default, Clone, Serialize)]
struct Tally {
    ham: usize,
    spam: usize,
    /// The sum of its scores.
    total: f64,
}

/// The points of the curve.
#[derive(Debug, Serialize)]
struct Curve {
    knowledge: &'static str,
    points: Vec<Point>,
}

/// All that is reported.
#[derive(Debug, Serialize)]
pub(super) struct Accuracy<'a> {
    curves: Vec<Curve>,
    symbols: BTreeMap<String, Tally>,
    messages: Vec<Row<'a>>,
}

/// Judges everything.
pub(super) async fn measure<'a>(messages: &'a [Message], folds: &Folds) -> Result<Accuracy<'a>> {
    progress(&format!("{} messages by rules alone", messages.len()));
    let all: Vec<&Message> = messages.iter().collect();
    let alone = Alone::open().await?;
    let by_rules = alone.judge(&all).await?;
    alone.close().await;
    let mut rows = Vec::with_capacity(messages.len());
    for (fold, (taught, asked)) in folds.splits().enumerate() {
        let count = asked.len();
        progress(&format!(
            "fold {}: {count} messages, taught the others",
            fold + 1
        ));
        let pick = |indices: &[usize]| -> Vec<&'a Message> {
            let message = |index: &usize| messages.get(*index);
            indices.iter().filter_map(message).collect()
        };
        let filter = Alone::open().await?;
        filter.teach(&pick(&taught)).await?;
        let verdicts = filter.judge(&pick(&asked)).await?;
        filter.close().await;
        for (index, taught) in asked.into_iter().zip(&verdicts) {
            if let (Some(message), Some(rules)) = (messages.get(index), by_rules.get(index)) {
                rows.push(Row {
                    file: &message.name,
                    class: message.class,
                    fold,
                    rules: rules.into(),
                    taught: taught.into(),
                });
            }
        }
    }
    rows.sort_by_key(|row| row.file);
    Ok(Accuracy {
        curves: curves(&rows),
        symbols: symbols(&rows),
        messages: rows,
    })
}

fn curves(rows: &[Row<'_>]) -> Vec<Curve> {
    let curve = |knowledge: Knowledge| {
        let mut scores = Scores::default();
        for row in rows {
            scores.add(row.class, row.outcome(knowledge).score);
        }
        Curve {
            knowledge: knowledge.name(),
            points: scores.points(),
        }
    };
    Knowledge::BOTH.map(curve).into()
}

fn symbols(rows: &[Row<'_>]) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for row in rows {
        for (symbol, score) in &row.taught.symbols {
            let tally = tallies.entry(symbol.clone()).or_default();
            match row.class {
                Class::Ham => tally.ham += 1,
                Class::Spam => tally.spam += 1,
            }
            tally.total += score;
        }
    }
    tallies
}

impl Accuracy<'_> {
    /// Writes it for people.
    pub(super) fn print(&self) -> Result<()> {
        self.write(&mut io::stdout().lock())
            .context("standard output")
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for curve in &self.curves {
            writeln!(out, "{}", curve.knowledge)?;
            for point in &curve.points {
                writeln!(
                    out,
                    "  {:<14} threshold {:>6.2}  ham {:>4} of {} ({:.2} %)  spam {:>4} of {} ({:.2} %)",
                    point.at,
                    point.threshold,
                    point.ham_hit,
                    point.ham,
                    point.lost() * 100.0,
                    point.spam_hit,
                    point.spam,
                    point.caught() * 100.0,
                )?;
            }
            writeln!(out)?;
        }
        self.write_symbols(out)?;
        for knowledge in Knowledge::BOTH {
            self.write_worst(out, Class::Ham, knowledge)?;
            self.write_worst(out, Class::Spam, knowledge)?;
        }
        Ok(())
    }

    /// Those in most spam first, then those in most ham.
    fn write_symbols(&self, out: &mut impl Write) -> io::Result<()> {
        let count = |class| {
            self.messages
                .iter()
                .filter(|row| row.class == class)
                .count()
        };
        let (ham, spam) = (count(Class::Ham), count(Class::Spam));
        let mut all: Vec<(&String, &Tally)> = self.symbols.iter().collect();
        all.sort_by_key(|(symbol, tally)| (std::cmp::Reverse((tally.spam, tally.ham)), *symbol));
        writeln!(
            out,
            "{:<34} {:>6} {:>7}  {:>6} {:>7}  mean score",
            "symbol (taught)", "ham", "", "spam", ""
        )?;
        for (symbol, tally) in all {
            let hits = (tally.ham + tally.spam).max(1);
            writeln!(
                out,
                "{symbol:<34} {:>6} {:>6.2}%  {:>6} {:>6.2}%  {:>10.2}",
                tally.ham,
                share(tally.ham, ham) * 100.0,
                tally.spam,
                share(tally.spam, spam) * 100.0,
                tally.total / hits as f64,
            )?;
        }
        writeln!(out)
    }

    fn write_worst(
        &self,
        out: &mut impl Write,
        class: Class,
        knowledge: Knowledge,
    ) -> io::Result<()> {
        let mut rows: Vec<&Row<'_>> = self
            .messages
            .iter()
            .filter(|row| row.class == class)
            .collect();
        rows.sort_by(|left, right| {
            let scores = [left, right].map(|row| row.outcome(knowledge).score);
            let [left, right] = scores;
            match class {
                Class::Ham => right.total_cmp(&left),
                Class::Spam => left.total_cmp(&right),
            }
        });
        let what = match class {
            Class::Ham => "ham with the highest scores",
            Class::Spam => "spam with the lowest scores",
        };
        writeln!(out, "{what}, {}", knowledge.name())?;
        for row in rows.iter().take(WORST) {
            let outcome = row.outcome(knowledge);
            let mut symbols: Vec<&(String, f64)> = outcome
                .symbols
                .iter()
                .filter(|(_, score)| *score != 0.0)
                .collect();
            symbols.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
            let symbols: Vec<String> = symbols
                .iter()
                .map(|(symbol, score)| format!("{symbol} {score:+}"))
                .collect();
            writeln!(
                out,
                "  {:>6.2} {:<9} {}  {}",
                outcome.score,
                outcome.action,
                row.file,
                symbols.join(" ")
            )?;
        }
        writeln!(out)
    }
}
