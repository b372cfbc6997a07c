//! What a scan and the known signals amount to.

use std::sync::Arc;

use super::{Atom, Book, Entry, Step};
use crate::model::Prefilter;
use crate::scan::Scan;

/// Options of a hit.
const MAX_OPTIONS: usize = 5;

/// A signal that is no rule: what authentication, learning and blocklists found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known<'a> {
    /// Its symbol. Given several times, it counts so often. If a rule has it, the rule decides.
    pub symbol: &'a str,
    /// What it adds to the message's score: it counts towards the cap of its group.
    pub score: f32,
}

/// A rule that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its symbol.
    pub symbol: Arc<str>,
    /// What it adds to the score, all times it counts taken together.
    pub score: f32,
    /// How often it counts; 1 unless the rule counts each match.
    pub count: u32,
    /// What it notices, for people.
    pub description: Arc<str>,
    /// Its group.
    pub group: Option<Arc<str>>,
    /// Of conditions with several patterns the first that matched, of lists the item: at most five,
    /// of at most 64 characters.
    pub options: Vec<String>,
}

/// What the rules say about a message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conclusion {
    /// The rules that hold in the order of the book, without hidden ones.
    pub hits: Vec<Hit>,
    /// The first of them that decides at once, and its index among them.
    pub prefilter: Option<(Prefilter, usize)>,
    /// Groups whose scores add up to more than they may, by name, and what has to be added to the
    /// message's score for it.
    pub caps: Vec<(Arc<str>, f32)>,
    /// Rules that do not hold, though they might: a pattern ran out of fuel.
    pub undecided: Vec<Arc<str>>,
}

impl Book {
    /// Draws the conclusions, once every signal is known.
    #[must_use]
    pub fn conclude(&self, scan: &Scan, known: &[Known<'_>]) -> Conclusion {
        let values = self.values(scan, known);
        let mut conclusion = Conclusion::default();
        let mut sums = vec![Sum::default(); self.groups.len()];
        for (entry, &value) in self.rules.iter().zip(&values) {
            if value == 0.0 {
                if is_undecided(entry, scan) {
                    conclusion.undecided.push(Arc::clone(&entry.symbol));
                }
                continue;
            }
            if entry.rule.hidden {
                continue;
            }
            let hit = self.hit(entry, value, scan);
            if let Some(sum) = entry.group.and_then(|group| sums.get_mut(group as usize)) {
                sum.add(hit.score);
            }
            if let Some(prefilter) = entry.rule.prefilter {
                let index = conclusion.hits.len();
                conclusion.prefilter.get_or_insert((prefilter, index));
            }
            conclusion.hits.push(hit);
        }
        for signal in known.iter().filter(|known| !self.has_rule(known.symbol)) {
            let group = self.signals.get(signal.symbol);
            if let Some(sum) = group.and_then(|&group| sums.get_mut(group as usize)) {
                sum.add(signal.score);
            }
        }
        for (group, sum) in self.groups.iter().zip(&sums) {
            let correction = sum.correction(group.max, group.min);
            if correction != 0.0 {
                conclusion
                    .caps
                    .push((Arc::clone(&group.name), single(correction)));
            }
        }
        conclusion
    }

    fn has_rule(&self, symbol: &str) -> bool {
        let number = self.symbols.get(symbol);
        number.is_some_and(|&number| self.entry(number).is_some())
    }

    /// The values of all symbols, those of the rules first.
    fn values(&self, scan: &Scan, known: &[Known<'_>]) -> Vec<f64> {
        let mut values = vec![0.0; self.symbols.len()];
        for signal in known {
            if let Some(&number) = self.symbols.get(signal.symbol)
                && self.entry(number).is_none()
                && let Some(value) = values.get_mut(number as usize)
            {
                *value += 1.0;
            }
        }
        let mut stack = Vec::new();
        for &number in &self.order {
            let program = self.entry(number).map(|entry| entry.program.as_slice());
            let value = run(program.unwrap_or_default(), scan, &values, &mut stack);
            if let Some(place) = values.get_mut(number as usize) {
                *place = value;
            }
        }
        values
    }

    fn hit(&self, entry: &Entry, value: f64, scan: &Scan) -> Hit {
        let group = entry
            .group
            .and_then(|group| self.groups.get(group as usize));
        Hit {
            symbol: Arc::clone(&entry.symbol),
            score: single(f64::from(entry.rule.score) * value),
            count: whole(value),
            description: Arc::clone(&entry.description),
            group: group.map(|group| Arc::clone(&group.name)),
            options: options(entry, scan),
        }
    }

    /// The atom of a number.
    pub(crate) fn atom(&self, number: u32) -> Option<&Atom> {
        self.atoms.get(number as usize)
    }
}

/// What a program comes to.
fn run(program: &[Step], scan: &Scan, values: &[f64], stack: &mut Vec<f64>) -> f64 {
    stack.clear();
    for step in program {
        match *step {
            Step::Atom(atom) => stack.push(f64::from(scan.count(atom))),
            Step::Symbol(symbol) => {
                stack.push(values.get(symbol as usize).copied().unwrap_or_default());
            }
            Step::Number(number) => stack.push(number),
            Step::Truth => {
                let last = stack.pop().unwrap_or_default();
                stack.push(f64::from(u8::from(last != 0.0)));
            }
            Step::Operator(operator) => operator.apply(stack),
        }
    }
    stack.pop().unwrap_or_default()
}

fn is_undecided(entry: &Entry, scan: &Scan) -> bool {
    scan.has_undecided()
        && entry
            .program
            .iter()
            .any(|step| matches!(*step, Step::Atom(atom) if scan.is_undecided(atom)))
}

fn options(entry: &Entry, scan: &Scan) -> Vec<String> {
    let atoms = entry.program.iter().filter_map(|step| match *step {
        Step::Atom(atom) => scan.option(atom),
        _ => None,
    });
    let mut options: Vec<String> = Vec::new();
    for option in atoms {
        if options.len() < MAX_OPTIONS && !options.iter().any(|known| known == option) {
            options.push(option.to_owned());
        }
    }
    options
}

/// What the scores of a group add up to, good and bad ones apart, in the order of the book.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    bad: f64,
    good: f64,
}

impl Sum {
    fn add(&mut self, score: f32) {
        let score = f64::from(score);
        if score > 0.0 {
            self.bad += score;
        } else {
            self.good += score;
        }
    }

    fn correction(self, max: Option<f32>, min: Option<f32>) -> f64 {
        let over = max.map_or(0.0, |max| (f64::from(max) - self.bad).min(0.0));
        let under = min.map_or(0.0, |min| (f64::from(min) - self.good).max(0.0));
        over + under
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are told as single floats; rounding is the same everywhere"
)]
fn single(value: f64) -> f32 {
    value as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of matches, which was a u32"
)]
fn whole(value: f64) -> u32 {
    value as u32
}
