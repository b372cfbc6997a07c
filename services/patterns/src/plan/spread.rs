//! How probably a lane is active, position after position.

use super::statistics::{ANY, CONTEXTS, Case, Class, SYMBOLS, Statistics};

/// Beyond this many products a step forgets what came before the last symbol.
const WIDEST_STEP: usize = 320;
/// How often a byte of `stay` is followed exactly; the rest is a geometric series.
const STAY_STEPS: usize = 3;
/// The most that series may add, in bytes of text.
const LONGEST_STAY: f32 = 400.0;

/// How probably a lane is active after the last bytes, by the last two symbols.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    cells: Vec<Cell>,
    /// What the last byte is, where that is known.
    case: Option<Case>,
}

impl Spread {
    /// Before the first position: always active.
    pub(super) fn start() -> Self {
        Self {
            cells: vec![(ANY, ANY, 1.0)],
            case: None,
        }
    }

    /// The probability that it is active at a given place.
    pub(super) fn probability(&self) -> f32 {
        self.cells.iter().map(|&(.., p)| p).sum::<f32>().min(1.0)
    }

    /// After one byte of the class.
    pub(super) fn enter(&self, class: &Class, statistics: &Statistics) -> Self {
        let shares: Vec<(u8, f32)> = class
            .members
            .iter()
            .map(|member| (member.symbol, statistics.share_after(member, self.case)))
            .collect();
        let forgotten;
        let cells = if self.cells.len() * shares.len() > WIDEST_STEP {
            forgotten = self.forget();
            &forgotten
        } else {
            &self.cells
        };
        let cells = if cells.len() * shares.len() > WIDEST_STEP / 2 {
            wide_step(cells, &shares, statistics)
        } else {
            narrow_step(cells, &shares, statistics)
        };
        Self {
            cells,
            case: class.case,
        }
    }

    /// After any number of bytes of the class.
    pub(super) fn stay(&self, class: &Class, statistics: &Statistics) -> Self {
        let mut all = Cells::new();
        all.add_all(&self.cells, 1.0);
        let mut current = self.clone();
        let mut ratio = 0.0;
        for _ in 0..STAY_STEPS {
            let next = current.enter(class, statistics);
            let before: f32 = current.cells.iter().map(|&(.., p)| p).sum();
            let now: f32 = next.cells.iter().map(|&(.., p)| p).sum();
            ratio = if before > 0.0 { now / before } else { 0.0 };
            all.add_all(&next.cells, 1.0);
            current = next;
        }
        let rest = if ratio * (LONGEST_STAY + 1.0) < LONGEST_STAY {
            ratio / (1.0 - ratio)
        } else {
            LONGEST_STAY
        };
        all.add_all(&current.cells, rest);
        let mut cells = all.into_list();
        // No symbol can be more frequent among the active places than in the text.
        let mut sums = [0.0_f32; SYMBOLS];
        for &(_, symbol, probability) in &cells {
            if let Some(sum) = sums.get_mut(usize::from(symbol)) {
                *sum += probability;
            }
        }
        let text = statistics.after(ANY, ANY);
        for (_, symbol, probability) in &mut cells {
            let place = usize::from(*symbol);
            let (sum, most) = (sums.get(place), text.get(place));
            if let (Some(&sum), Some(&most)) = (sum, most)
                && sum > most
            {
                *probability *= most / sum;
            }
        }
        Self { cells, case: None }
    }

    fn forget(&self) -> Vec<Cell> {
        let mut cells = Cells::new();
        for &(_, second, probability) in &self.cells {
            cells.add(ANY, second, probability);
        }
        cells.into_list()
    }
}

type Cell = (u8, u8, f32);

/// A step to many symbols: what came before them is forgotten.
fn wide_step(cells: &[Cell], shares: &[(u8, f32)], statistics: &Statistics) -> Vec<Cell> {
    let mut sums = [0.0_f32; SYMBOLS];
    for &(first, second, probability) in cells {
        for (sum, &follows) in sums.iter_mut().zip(statistics.after(first, second)) {
            *sum += probability * follows;
        }
    }
    let cell = |&(symbol, share): &(u8, f32)| {
        let sum = sums.get(usize::from(symbol)).copied();
        (ANY, symbol, sum.unwrap_or_default() * share)
    };
    shares.iter().map(cell).collect()
}

fn narrow_step(cells: &[Cell], shares: &[(u8, f32)], statistics: &Statistics) -> Vec<Cell> {
    let mut next = Cells::new();
    for &(first, second, probability) in cells {
        let step = statistics.after(first, second);
        for &(symbol, share) in shares {
            let follows = step.get(usize::from(symbol)).copied().unwrap_or_default();
            next.add(second, symbol, probability * share * follows);
        }
    }
    next.into_list()
}

/// Sums by the last two symbols.
struct Cells {
    sums: [f32; CONTEXTS * CONTEXTS],
    /// Those that are not zero, in the order they came.
    used: Vec<(u8, u8)>,
}

impl Cells {
    fn new() -> Self {
        Self {
            sums: [0.0; CONTEXTS * CONTEXTS],
            used: Vec::with_capacity(64),
        }
    }

    fn add(&mut self, first: u8, second: u8, probability: f32) {
        if probability <= 0.0 {
            return;
        }
        if let Some(sum) = self.sums.get_mut(Self::place(first, second)) {
            if *sum == 0.0 {
                self.used.push((first, second));
            }
            *sum += probability;
        }
    }

    fn add_all(&mut self, cells: &[Cell], factor: f32) {
        for &(first, second, probability) in cells {
            self.add(first, second, probability * factor);
        }
    }

    fn into_list(self) -> Vec<Cell> {
        let sum = |&(first, second): &(u8, u8)| {
            let sum = self.sums.get(Self::place(first, second));
            (first, second, sum.copied().unwrap_or_default())
        };
        self.used.iter().map(sum).collect()
    }

    fn place(first: u8, second: u8) -> usize {
        usize::from(first) * CONTEXTS + usize::from(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byteset::ByteSet;
    use crate::plan::statistics::{MEGABYTE, Text};

    fn class(statistics: &Statistics, set: &[u8]) -> Class {
        statistics.class(set.iter().copied().collect())
    }

    #[test]
    fn a_class_of_one_letter_rates_as_the_string() {
        let prose = Statistics::builtin(Text::Prose);
        let spread = [b"tT", b"hH", b"eE"]
            .iter()
            .fold(Spread::start(), |spread, set| {
                spread.enter(&class(prose, *set), prose)
            });
        let (lane, string) = (spread.probability() * MEGABYTE, prose.rate(b"the"));
        assert!((lane / string - 1.0).abs() < 0.05, "{lane} {string}");
    }

    #[test]
    fn a_gap_of_anything_costs_selectivity_and_one_of_a_rare_byte_does_not() {
        let prose = Statistics::builtin(Text::Prose);
        let after = |stay: &Class| {
            Spread::start()
                .enter(&class(prose, b"v"), prose)
                .stay(stay, prose)
                .enter(&class(prose, b"g"), prose)
                .probability()
        };
        let none = after(&class(prose, b""));
        let rare = after(&class(prose, b"|"));
        let any = after(&prose.class(ByteSet::ALL));
        assert!(none <= rare && rare < 2.0 * none, "{none} {rare}");
        assert!(any > 20.0 * rare, "{any} {rare}");
        assert!(any < 0.1);
    }

    #[test]
    fn capitals_come_in_runs() {
        let prose = Statistics::builtin(Text::Prose);
        let capitals = prose.class(ByteSet::range(b'A'..=b'Z'));
        let two = Spread::start()
            .enter(&capitals, prose)
            .enter(&capitals, prose);
        let one = Spread::start().enter(&capitals, prose);
        assert!(two.probability() > 0.2 * one.probability());
        let small = prose.class(ByteSet::range(b'a'..=b'z'));
        let inside = Spread::start().enter(&small, prose).enter(&capitals, prose);
        assert!(inside.probability() < 0.05 * one.probability());
    }
}
