//! Lane windows: runs of positions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::arm::{LONGEST_LANE, Position};
use super::element::{Place, Tree};
use super::spread::Spread;
use super::statistics::{Class, MEGABYTE, Statistics};
use super::{Cost, Step};
use crate::byteset::ByteSet;

/// How many positions before the required items a lane may begin.
const LONGEST_START: usize = 8;
/// How many positions may follow without making a lane cheaper.
const PATIENCE: u16 = 12;

/// A position of a sequence of items.
#[derive(Clone, Debug)]
pub(super) struct Column {
    position: Position,
    /// A place that a match passes exactly so many bytes before the byte that enters here.
    mark: Option<(Place, u32)>,
    /// The number of its item.
    item: usize,
}

/// The positions of a sequence.
pub(super) fn columns(tree: &Tree, steps: &[Step]) -> Vec<Column> {
    let mut all: Vec<Column> = Vec::new();
    for (item, step) in steps.iter().enumerate() {
        let columns = tree.columns(step.item);
        let mut exact = columns.lead.is_empty() && step.markable();
        if let Some(last) = all.last_mut() {
            last.position.stay = last.position.stay.union(columns.lead);
        }
        for (distance, position) in (0_u32..).zip(columns.positions.iter().copied()) {
            all.push(Column {
                position,
                mark: exact.then_some((step.mark, distance)),
                item,
            });
            exact &= position.stay.is_empty();
        }
    }
    all
}

/// Whether a lane from here is much like one from further left: in a run of the same position,
/// only the first one is tried, and those a power of two before the end.
fn same_start(columns: &[Column], start: usize) -> bool {
    let run = columns.get(start..).unwrap_or_default();
    let (Some(first), Some(before)) = (run.first(), columns.get(start.wrapping_sub(1))) else {
        return false;
    };
    let same = |column: &&Column| column.position == first.position;
    same(&before) && !run.iter().take_while(same).count().is_power_of_two()
}

/// A lane.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) positions: Vec<Position>,
    pub(super) mark: Place,
    pub(super) distance: u32,
    /// How often it fires in a megabyte.
    pub(super) hits: f32,
    pub(super) cost: f32,
}

/// Rates lanes.
#[derive(Debug)]
pub(super) struct Rater<'a> {
    text: &'a Statistics,
    classes: BTreeMap<[u64; 4], Rc<Class>>,
    /// How many more positions are rated.
    pub(super) fuel: u32,
}

impl<'a> Rater<'a> {
    pub(super) fn new(text: &'a Statistics, fuel: u32) -> Self {
        Self {
            text,
            classes: BTreeMap::new(),
            fuel,
        }
    }

    fn class(&mut self, set: ByteSet) -> Rc<Class> {
        let text = self.text;
        let class = self.classes.entry(set.words());
        Rc::clone(class.or_insert_with(|| Rc::new(text.class(set))))
    }

    fn enter(&mut self, spread: &Spread, set: ByteSet) -> Spread {
        let class = self.class(set);
        spread.enter(&class, self.text)
    }

    fn stay(&mut self, spread: Spread, set: ByteSet) -> Spread {
        if set.is_empty() {
            return spread;
        }
        self.fuel = self.fuel.saturating_sub(3);
        let class = self.class(set);
        spread.stay(&class, self.text)
    }

    /// How often a whole sequence occurs in a megabyte.
    pub(super) fn rate(&mut self, columns: &[Column]) -> f32 {
        let mut spread = Spread::start();
        for column in columns {
            self.fuel = self.fuel.saturating_sub(1);
            spread = self.enter(&spread, column.position.enter);
            spread = self.stay(spread, column.position.stay);
        }
        spread.probability() * MEGABYTE
    }

    /// The cheapest lane that touches the required items and costs less than `bound`.
    pub(super) fn cheapest(
        &mut self,
        columns: &[Column],
        required: &Range<usize>,
        cost: &Cost,
        bound: f32,
    ) -> Option<Window> {
        let mut best: Option<Window> = None;
        let first = columns
            .iter()
            .position(|column| column.item >= required.start);
        let first = first.unwrap_or(columns.len()).saturating_sub(LONGEST_START);
        for (start, column) in columns.iter().enumerate().skip(first) {
            if column.item > required.end {
                break;
            }
            if same_start(columns, start) {
                continue;
            }
            let bound = best.as_ref().map_or(bound, |best| best.cost);
            if let Some(better) = self.cheapest_at(columns, start, required, (cost, bound)) {
                best = Some(better);
            }
            if self.fuel == 0 {
                break;
            }
        }
        best
    }

    fn cheapest_at(
        &mut self,
        columns: &[Column],
        start: usize,
        required: &Range<usize>,
        (cost, mut bound): (&Cost, f32),
    ) -> Option<Window> {
        let mut best = None;
        let mut better = 0;
        let mut spread = Spread::start();
        let run = columns.get(start..).unwrap_or_default();
        for (length, column) in (1_u16..).zip(run.iter().take(LONGEST_LANE)) {
            if cost.lane(length, 0.0) >= bound || self.fuel == 0 || length > better + PATIENCE {
                break;
            }
            self.fuel -= 1;
            spread = self.enter(&spread, column.position.enter);
            // The mark is inside the lane, so that it is never before the haystack.
            if let Some((mark, distance)) = column.mark
                && distance < u32::from(length)
            {
                if column.item + 1 < required.start {
                    better = length;
                    spread = self.stay(spread, column.position.stay);
                    continue;
                }
                let hits = spread.probability() * MEGABYTE;
                let price = cost.lane(length, hits);
                if price < bound {
                    bound = price;
                    better = length;
                    let mut positions: Vec<Position> = run
                        .iter()
                        .take(usize::from(length))
                        .map(|column| column.position)
                        .collect();
                    if let Some(last) = positions.last_mut() {
                        last.stay = ByteSet::EMPTY;
                    }
                    best = Some(Window {
                        positions,
                        mark,
                        distance,
                        hits,
                        cost: price,
                    });
                }
            }
            spread = self.stay(spread, column.position.stay);
        }
        best
    }
}
