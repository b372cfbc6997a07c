//! The planner: what a pattern is noticed by.
//!
//! [`plan`] relaxes the pattern to a regular tree ([`simplify`]), numbers its parts ([`element`]),
//! and looks for the cheapest places to start a confirmation from: strings ([`literal`]), runs of
//! byte classes ([`lane`]), the haystack's start, or, where nothing of these would pay, a search of
//! everything. The branches of an alternation are planned one by one where that is cheaper. How
//! often something occurs is taken from [`statistics`], for lanes by way of [`spread`].

mod arm;
mod element;
mod explain;
mod lane;
mod learn;
mod literal;
mod simplify;
mod spread;
mod statistics;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) use arm::{
    Arm, Estimate, LONGEST_LANE, LONGEST_LITERAL, Planned, Position, SHORTEST_LITERAL,
};
pub use statistics::{Statistics, Text};

use crate::syntax::{Node, Parsed};
use element::{Item, Place, Tree};
use lane::Rater;
use literal::Speller;

/// How deeply alternations inside the branches of others are planned branch by branch.
const DEEPEST_SPLIT: u32 = 4;
/// An alternation with more branches is not.
const MOST_BRANCHES: usize = 256;
/// The most arms of a pattern.
const MOST_ARMS: usize = 512;
/// An alternation with more branches than this is taken for the spellings of one character, and not
/// planned branch by branch, if none is longer than [`CHARACTER_BYTES`], or one may be a single
/// byte and none is longer than [`CHARACTER_REFERENCE`].
const CHARACTER_BRANCHES: usize = 4;
/// The longest UTF-8 sequence.
const CHARACTER_BYTES: u64 = 4;
/// A character as HTML writes it, `&#x1d4d0;`.
const CHARACTER_REFERENCE: u64 = 10;
/// An optional gap of so many bytes may be planned as an alternation of its lengths.
const WIDEST_GAP: u32 = 2;
/// How many items before and after an alternation its branches' windows may reach to.
const CONTEXT: usize = 24;
/// Lanes are looked for where nothing cheaper than one of so many positions is found.
const SHORTEST_GAIN: u16 = 4;
/// How many alternations of a sequence are planned branch by branch, at most.
const MOST_SPLITS: usize = 32;
/// How many positions of lanes are rated for one pattern, and for each of its parts.
const LANE_FUEL: u32 = 4_000;
const LANE_FUEL_PER_PART: u32 = 1;
/// The most positions that are.
const MOST_LANE_FUEL: u32 = 10_000;
/// How many sequences are searched for windows.
const SEARCHES: u32 = 2_000;

/// Plans a pattern for a kind of text.
pub(crate) fn plan(parsed: &Parsed, text: &Statistics) -> Planned {
    plan_node(&parsed.node, text)
}

fn plan_node(node: &Node, text: &Statistics) -> Planned {
    let simplified = simplify::simplify(node);
    let tree = Tree::new(&simplified.node);
    let always = simplify::always_matches(&simplified.node);
    let found = Planner::new(&tree, text, always).run();
    let marks: BTreeMap<Place, u32> = found
        .choices
        .iter()
        .filter_map(Choice::place)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .zip(0..)
        .collect();
    let exact = simplified.relaxed.then(|| node.clone());
    let ordered = (simplified.moved && exact.is_none()).then(|| node.clone());
    Planned {
        confirm: tree.with_marks(&marks),
        exact,
        ordered,
        marks: u32::try_from(marks.len()).unwrap_or(u32::MAX),
        estimate: Estimate {
            candidates: found.choices.iter().map(|choice| choice.candidates).sum(),
            microseconds: found.cost,
        },
        arms: arms(found.choices, &marks),
    }
}

/// What the parts of a plan cost, in microseconds of a 3 GHz core per megabyte of text.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Haystacks per megabyte.
    records: f32,
    /// Matches per megabyte if known, otherwise 0.
    matches: f32,
}

impl Cost {
    /// A string in the table.
    const STRING: f32 = 0.01;
    /// An occurrence of a string: lookup and confirmation.
    const LITERAL_HIT: f32 = 0.08;
    /// A position of a lane.
    const POSITION: f32 = 6.0;
    /// A lane that fires, and its confirmation.
    const LANE_HIT: f32 = 0.1;
    /// A try at a haystack's start.
    const ANCHORED: f32 = 0.05;
    /// A search of everything.
    const WHOLE: f32 = 3_000.0;
    /// Gaps are looked into when nothing cheaper than this is found.
    const GAP: f32 = 100.0;
    /// What is this cheap is not planned branch by branch.
    const SPLIT: f32 = 0.5;
    /// The start of a search.
    const SEARCH: f32 = 0.1;

    /// How many of so many hits are confirmed: a haystack's first match ends it.
    fn candidates(self, hits: f32) -> f32 {
        if self.matches <= 0.0 || hits <= 0.0 {
            return hits;
        }
        let tries = hits / self.matches;
        hits.min(self.records * if tries > 1.0 { tries } else { 1.0 })
    }

    fn literal(self, strings: usize, hits: f32) -> f32 {
        let strings = f32::from(u16::try_from(strings).unwrap_or(u16::MAX));
        strings * Self::STRING + self.candidates(hits) * Self::LITERAL_HIT
    }

    fn lane(self, positions: u16, hits: f32) -> f32 {
        f32::from(positions) * Self::POSITION + self.candidates(hits) * Self::LANE_HIT
    }

    fn anchored(self) -> f32 {
        self.records * Self::ANCHORED
    }

    fn whole(self) -> f32 {
        // The part of a haystack up to its first match.
        let part = if self.matches > self.records {
            self.records / self.matches
        } else {
            1.0
        };
        part * Self::WHOLE + self.records * Self::SEARCH
    }
}

/// An item of a sequence and where a mark before it goes.
#[derive(Clone, Copy, Debug)]
struct Step {
    item: Item,
    /// The item's own place, or that of the alternation whose branch it begins.
    mark: Place,
    /// Whether the same item came before, in the first copy of a repeat.
    again: bool,
}

impl Step {
    fn of((item, again): (Item, bool)) -> Self {
        Self {
            item,
            mark: item.place(),
            again,
        }
    }

    /// Whether a mark can stand before it.
    fn markable(self) -> bool {
        matches!(self.item, Item::Part(_))
    }
}

/// An arm before its mark has a number.
#[derive(Debug)]
struct Choice {
    kind: Kind,
    candidates: f32,
}

#[derive(Debug)]
enum Kind {
    Literal {
        strings: Vec<Vec<u8>>,
        place: Place,
    },
    Lane {
        positions: Vec<Position>,
        place: Place,
        distance: u32,
    },
    Anchored,
    Whole,
}

impl Choice {
    fn place(&self) -> Option<Place> {
        match self.kind {
            Kind::Literal { place, .. } | Kind::Lane { place, .. } => Some(place),
            Kind::Anchored | Kind::Whole => None,
        }
    }
}

/// What covers a sequence.
#[derive(Debug)]
struct Found {
    cost: f32,
    choices: Vec<Choice>,
}

struct Planner<'a> {
    tree: &'a Tree,
    text: &'a Statistics,
    speller: Speller<'a>,
    rater: Rater<'a>,
    cost: Cost,
    searches: u32,
}

impl<'a> Planner<'a> {
    fn new(tree: &'a Tree, text: &'a Statistics, always: simplify::Always) -> Self {
        let parts = tree.parts().saturating_mul(LANE_FUEL_PER_PART);
        let fuel = LANE_FUEL.saturating_add(parts).min(MOST_LANE_FUEL);
        let mut planner = Self {
            tree,
            text,
            speller: Speller::new(tree),
            rater: Rater::new(text, fuel),
            cost: Cost {
                records: text.records(),
                matches: 0.0,
            },
            searches: SEARCHES,
        };
        planner.cost.matches = match always {
            simplify::Always::Yes => statistics::MEGABYTE,
            simplify::Always::No => planner.matches(),
        };
        planner
    }

    fn run(mut self) -> Found {
        let steps = self.steps(Tree::root());
        let whole = self.cost.whole();
        let required = 0..steps.len();
        self.search(&steps, &required, Split::Alternations(DEEPEST_SPLIT), whole)
            .unwrap_or_else(|| Found {
                cost: whole,
                choices: vec![Choice {
                    kind: Kind::Whole,
                    candidates: self.text.records(),
                }],
            })
    }

    fn steps(&self, place: Place) -> Vec<Step> {
        let mut items = Vec::new();
        self.tree.flatten(place, false, &mut items);
        items.into_iter().map(Step::of).collect()
    }

    /// How often the pattern matches in a megabyte, if that is simple to say: a careful guess.
    fn matches(&mut self) -> f32 {
        /// How many branches are looked at.
        const BRANCHES: usize = 8;
        let root = Tree::root();
        let branches = match self.tree.branches(Item::Part(root)) {
            Some(branches) => branches.to_vec(),
            None => vec![root],
        };
        let mut sum = 0.0;
        for branch in branches.into_iter().take(BRANCHES) {
            let steps = self.steps(branch);
            if steps.len() <= LONGEST_LANE {
                sum += self.branch_matches(&steps);
            }
        }
        sum
    }

    fn branch_matches(&mut self, steps: &[Step]) -> f32 {
        /// How often a word boundary or another condition holds.
        const HOLDS: f32 = 0.25;
        /// For what the statistics do not know.
        const CAUTION: f32 = 0.5;
        let mut share = CAUTION;
        for step in steps {
            if !self.tree.is_simple(step.item) {
                return 0.0;
            }
            if self.tree.is_condition(step.item) {
                if !self.tree.is_word_condition(step.item) {
                    return 0.0;
                }
                share *= HOLDS;
            }
        }
        let columns = lane::columns(self.tree, steps);
        self.rater.rate(&columns) * share
    }

    /// The cheapest arms for a sequence: windows that touch the required items, or, for an
    /// alternation among these, such for each of its branches.
    fn search(
        &mut self,
        steps: &[Step],
        required: &Range<usize>,
        split: Split,
        bound: f32,
    ) -> Option<Found> {
        self.searches = self.searches.checked_sub(1)?;
        let mut best = None;
        let mut bound = bound;
        let mut keep = |found: Option<Found>, bound: &mut f32| {
            if let Some(found) = found.filter(|found| found.cost < *bound) {
                *bound = found.cost;
                best = Some(found);
            }
        };
        keep(self.anchored(steps), &mut bound);
        keep(self.literal(steps, required, bound), &mut bound);
        keep(self.lane(steps, required, bound), &mut bound);
        if let Split::Alternations(1..) = split
            && bound > Cost::SPLIT
        {
            for place in self.longest_first(steps, required) {
                keep(self.branches(steps, place, split, bound), &mut bound);
            }
        }
        if let Split::Alternations(DEEPEST_SPLIT) | Split::Gaps(1..) = split
            && bound > Cost::GAP
        {
            for place in required.clone() {
                keep(self.gap(steps, place, split, bound), &mut bound);
            }
        }
        best
    }

    /// The alternations among the required items, the most promising first.
    fn longest_first(&self, steps: &[Step], required: &Range<usize>) -> Vec<usize> {
        let alternation = |&place: &usize| {
            let step = steps.get(place).filter(|step| !step.again);
            step.is_some_and(|step| self.tree.branches(step.item).is_some())
        };
        let mut places: Vec<usize> = required.clone().filter(alternation).collect();
        places.sort_by_cached_key(|&place| {
            let step = steps.get(place..=place).unwrap_or_default();
            std::cmp::Reverse(self.positions(step))
        });
        places.truncate(MOST_SPLITS);
        places
    }

    /// How many positions a lane through all items has.
    fn positions(&self, steps: &[Step]) -> usize {
        let positions = |step: &Step| self.tree.columns(step.item).positions.len();
        steps.iter().map(positions).sum()
    }

    fn anchored(&self, steps: &[Step]) -> Option<Found> {
        steps
            .iter()
            .any(|step| self.tree.is_start(step.item))
            .then(|| Found {
                cost: self.cost.anchored(),
                choices: vec![Choice {
                    kind: Kind::Anchored,
                    candidates: self.cost.records,
                }],
            })
    }

    fn literal(&mut self, steps: &[Step], required: &Range<usize>, bound: f32) -> Option<Found> {
        let items: Vec<Item> = steps.iter().map(|step| step.item).collect();
        let cost = self.cost;
        let mut best = None;
        let mut bound = bound;
        let first = self.speller.reach(&items, required.start);
        for (start, step) in steps.iter().enumerate().take(required.end + 1).skip(first) {
            if !step.markable() {
                continue;
            }
            let window = self
                .speller
                .windows_at(&items, start, self.text, |hits, strings, run| {
                    let price = cost.literal(strings, hits);
                    let better = run.end >= required.start && price < bound;
                    if better {
                        bound = price;
                    }
                    better
                });
            if let Some(window) = window {
                best = Some((window, bound));
            }
        }
        let (window, cost) = best?;
        Some(Found {
            cost,
            choices: vec![Choice {
                candidates: self.cost.candidates(window.hits),
                kind: Kind::Literal {
                    place: steps.get(window.start)?.mark,
                    strings: window.strings,
                },
            }],
        })
    }

    fn lane(&mut self, steps: &[Step], required: &Range<usize>, bound: f32) -> Option<Found> {
        let cost = self.cost;
        if cost.lane(SHORTEST_GAIN, 0.0) >= bound || self.rater.fuel == 0 {
            return None;
        }
        let columns = lane::columns(self.tree, steps);
        let window = self.rater.cheapest(&columns, required, &cost, bound)?;
        Some(Found {
            cost: window.cost,
            choices: vec![Choice {
                candidates: cost.candidates(window.hits),
                kind: Kind::Lane {
                    positions: window.positions,
                    place: window.mark,
                    distance: window.distance,
                },
            }],
        })
    }

    /// Marks at a branch's beginning go before its alternation, where the branches share them.
    fn begin_at(&self, branch: &mut [Step], mark: Place) {
        for step in branch {
            if !step.markable() {
                break;
            }
            step.mark = mark;
            if !self.tree.is_condition(step.item) {
                break;
            }
        }
    }

    /// The branches of the alternation at `place`, if there is one, each in its surroundings.
    fn branches(
        &mut self,
        steps: &[Step],
        place: usize,
        split: Split,
        bound: f32,
    ) -> Option<Found> {
        let step = *steps.get(place).filter(|step| !step.again)?;
        let branches = self.tree.branches(step.item)?;
        let longest = match self.positions(&[step]) {
            0 | 1 => CHARACTER_REFERENCE,
            _ => CHARACTER_BYTES,
        };
        let character = branches.len() > CHARACTER_BRANCHES
            && self
                .tree
                .longest(step.item)
                .is_some_and(|length| length <= longest);
        if branches.len() > MOST_BRANCHES || character {
            return None;
        }
        let branches = branches.iter().map(|&branch| {
            let mut inner = self.steps(branch);
            self.begin_at(&mut inner, step.mark);
            inner
        });
        let mut variants: Vec<Variant> = branches
            .map(|branch| Variant::new(steps, place, &branch, End::Branch))
            .collect();
        // What spoils the whole comes first.
        variants.sort_by_cached_key(|variant| {
            let inner = variant.steps.get(variant.required.clone());
            self.positions(inner.unwrap_or_default())
        });
        self.cover(&variants, split.deeper(), bound)
    }

    /// An optional gap of a few bytes at `place`, if there is one, as none, one, two bytes: to a
    /// lane it is no end of them.
    fn gap(&mut self, steps: &[Step], place: usize, split: Split, bound: f32) -> Option<Found> {
        let (body, most) = self.tree.gap(steps.get(place)?.item)?;
        if most > WIDEST_GAP {
            return None;
        }
        let copy = Step::of((body, false));
        let variants: Vec<Variant> = (0..=usize::try_from(most).ok()?)
            .map(|times| Variant::new(steps, place, &vec![copy; times], End::Sequence))
            .collect();
        let split = match split {
            // The windows are between the gaps.
            Split::Alternations(_) => Split::Gaps(DEEPEST_SPLIT - 1),
            split => split.deeper(),
        };
        self.cover(&variants, split, bound)
    }

    /// The cheapest arms for all variants together.
    fn cover(&mut self, variants: &[Variant], split: Split, bound: f32) -> Option<Found> {
        let mut found = Found {
            cost: 0.0,
            choices: Vec::new(),
        };
        for variant in variants {
            let rest = bound - found.cost;
            let part = self.search(&variant.steps, &variant.required, split, rest)?;
            found.cost += part.cost;
            found.choices.extend(part.choices);
            if found.cost >= bound || found.choices.len() > MOST_ARMS {
                return None;
            }
        }
        Some(found)
    }
}

/// What may be taken apart, and how often.
#[derive(Clone, Copy, Debug)]
enum Split {
    /// Alternations into their branches.
    Alternations(u32),
    /// Optional gaps into their lengths.
    Gaps(u32),
}

impl Split {
    fn deeper(self) -> Self {
        match self {
            Self::Alternations(depth) => Self::Alternations(depth.saturating_sub(1)),
            Self::Gaps(depth) => Self::Gaps(depth.saturating_sub(1)),
        }
    }
}

/// A sequence in which one item is replaced by one of the sequences it stands for.
struct Variant {
    steps: Vec<Step>,
    required: Range<usize>,
}

/// Where the required items of a [`Variant`] end.
#[derive(Clone, Copy)]
enum End {
    /// With what the item is replaced by.
    Branch,
    /// At the end: what is behind may be taken apart, too.
    Sequence,
}

impl Variant {
    fn new(steps: &[Step], place: usize, branch: &[Step], end: End) -> Self {
        let start = place.saturating_sub(CONTEXT);
        let before = steps.iter().take(place).skip(start);
        let after = steps.iter().skip(place + 1).take(CONTEXT);
        let steps: Vec<Step> = before.chain(branch).chain(after).copied().collect();
        let first = place - start;
        let end = match end {
            End::Branch => first + branch.len(),
            End::Sequence => steps.len(),
        };
        Self {
            steps,
            required: first..end,
        }
    }
}

/// Arms with numbered marks: strings with the same mark together, nothing twice.
fn arms(choices: Vec<Choice>, marks: &BTreeMap<Place, u32>) -> Vec<Arm> {
    let number = |place: &Place| marks.get(place).copied().unwrap_or_default();
    let mut strings: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    let mut rest = Vec::new();
    for choice in choices {
        let arm = match choice.kind {
            Kind::Literal {
                strings: new,
                place,
            } => {
                strings.entry(number(&place)).or_default().extend(new);
                continue;
            }
            Kind::Lane {
                positions,
                place,
                distance,
            } => Arm::Lane {
                positions,
                mark: number(&place),
                distance,
            },
            Kind::Anchored => Arm::Anchored,
            Kind::Whole => Arm::Whole,
        };
        if !rest.contains(&arm) {
            rest.push(arm);
        }
    }
    let mut arms = Vec::new();
    for (mark, strings) in strings {
        for strings in literal::distinct(strings).chunks(literal::MOST_STRINGS) {
            arms.push(Arm::Literal {
                strings: strings.to_vec(),
                mark,
                distance: 0,
            });
        }
    }
    arms.append(&mut rest);
    arms
}
