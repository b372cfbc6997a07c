//! Emission of alternations: common starts are factored out, and the next byte picks the branches
//! that can go on.

use std::collections::{BTreeMap, HashMap};

use super::EmitError;
use super::emitter::{Element, Emitter, Label, Meaning, Next};
use super::first::{Follow, has_mark, skippable};
use super::instruction::{NO_JUMP, Word, op};
use super::repeat::Preference;
use crate::byteset::ByteSet;

/// How deep common starts are factored out.
const DEEPEST_FACTOR: u32 = 64;
/// Fewer branches are told apart one by one.
const FEWEST_SWITCHED: usize = 3;
/// The most jumps of one switch.
const MOST_JUMPS: usize = 250;
/// A switch may have this many forks more than four for every branch.
const SPARE_FORKS: usize = 64;

/// A branch, or several with a common start.
#[derive(Debug)]
enum Item<'n> {
    Sequence(Vec<Element<'n>>),
    Factored {
        start: Vec<ByteSet>,
        rests: Vec<Vec<Element<'n>>>,
    },
}

/// An emitted branch.
#[derive(Clone, Copy, Debug)]
struct Way {
    label: Label,
    first: Follow,
}

impl Emitter<'_> {
    /// Emits branches, the preferred one first.
    pub(super) fn alternation(
        &mut self,
        branches: Vec<Vec<Element<'_>>>,
        next: Next,
        depth: u32,
    ) -> Result<Next, EmitError> {
        if self.meaning == Meaning::Existence
            && next.accepting
            && branches
                .iter()
                .any(|branch| branch.iter().all(is_skippable))
            && !branches.iter().flatten().any(is_marked)
        {
            return Ok(next);
        }
        let items = match self.meaning {
            Meaning::Existence => group_all(branches, depth),
            Meaning::Ordered => group_neighbours(branches, depth),
        };
        let end = self.here();
        let ways = self.items(items, next, depth)?;
        match ways.as_slice() {
            [] => {
                self.push(Word::default())?;
                Ok(Next::code(Follow::of(ByteSet::EMPTY)))
            }
            [way] => {
                self.go(way.label)?;
                Ok(Next {
                    first: way.first,
                    accepting: next.accepting && self.is_here(end),
                })
            }
            _ => self.dispatch(&ways),
        }
    }

    /// Emits the branches, the last one first.
    fn items(
        &mut self,
        items: Vec<Item<'_>>,
        next: Next,
        depth: u32,
    ) -> Result<Vec<Way>, EmitError> {
        let end = self.here();
        let mut ways = Vec::new();
        for item in items.into_iter().rev() {
            if matches!(&item, Item::Sequence(elements) if elements.is_empty()) {
                ways.push(Way {
                    label: end,
                    first: next.first,
                });
                continue;
            }
            if !self.is_here(end) {
                if next.accepting {
                    self.push(Word {
                        op: op::MATCH,
                        ..Word::default()
                    })?;
                } else {
                    self.jump(end)?;
                }
            }
            let start = match item {
                Item::Sequence(elements) => self.sequence(&elements, next)?,
                Item::Factored { mut start, rests } => {
                    let rest = self.alternation(rests, next, depth + 1)?;
                    start.reverse();
                    self.bytes(&mut start, rest)?
                }
            };
            ways.push(Way {
                label: self.here(),
                first: start.first,
            });
        }
        ways.reverse();
        Ok(ways)
    }

    fn go(&mut self, label: Label) -> Result<(), EmitError> {
        if self.is_here(label) {
            Ok(())
        } else {
            self.jump(label)
        }
    }

    fn dispatch(&mut self, ways: &[Way]) -> Result<Next, EmitError> {
        let first = ways
            .iter()
            .map(|way| way.first)
            .reduce(Follow::union)
            .unwrap_or(Follow::ANY);
        let switched = ways.len() >= FEWEST_SWITCHED && self.switch(ways)?;
        if !switched {
            self.chain(ways)?;
        }
        Ok(Next::code(first))
    }

    /// One branch after the other.
    fn chain(&mut self, ways: &[Way]) -> Result<(), EmitError> {
        let Some((last, others)) = ways.split_last() else {
            return Ok(());
        };
        let mut rest = *last;
        for way in others.iter().rev() {
            let first = if self.is_here(way.label) {
                self.branch(way.first, (rest.label, rest.first), Preference::Next)?
            } else {
                self.go(rest.label)?;
                self.branch(rest.first, (way.label, way.first), Preference::Target)?
            };
            rest = Way {
                label: self.here(),
                first: first.first,
            };
        }
        Ok(())
    }

    /// All at once, by the next byte. False if that would take too much code.
    fn switch(&mut self, ways: &[Way]) -> Result<bool, EmitError> {
        let mut lists: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut order: Vec<Vec<usize>> = Vec::new();
        let sides: Vec<_> = ways.iter().map(|way| way.first.side()).collect();
        let mut number = |list: Vec<usize>| {
            *lists.entry(list).or_insert_with_key(|list| {
                order.push(list.clone());
                order.len() - 1
            })
        };
        let mut numbers = Vec::with_capacity(257);
        for byte in 0..=u8::MAX {
            let viable = (0..)
                .zip(&sides)
                .filter(|(_, side)| side.bytes.contains(byte));
            numbers.push(number(viable.map(|(way, _)| way).collect()));
        }
        let viable = (0..).zip(&sides).filter(|(_, side)| side.edge);
        numbers.push(number(viable.map(|(way, _)| way).collect()));
        let forks: usize = order.iter().map(|list| list.len().saturating_sub(1)).sum();
        if order.len() > MOST_JUMPS || forks > 4 * ways.len() + SPARE_FORKS {
            return Ok(false);
        }
        let (results, labels) = self.forks(&order, ways)?;
        let results: Vec<u8> = numbers
            .iter()
            .map(|&number| results.get(number).copied().unwrap_or(NO_JUMP))
            .collect();
        for &label in labels.iter().rev() {
            self.jump(label)?;
        }
        let mut table = [[NO_JUMP; 32]; 8];
        for (slot, &result) in table.as_flattened_mut().iter_mut().zip(&results) {
            *slot = result;
        }
        let word = Word {
            op: op::SWITCH,
            a: u8::try_from(labels.len()).map_err(|_| EmitError::TooLarge)?,
            b: u16::from(results.last().copied().unwrap_or(NO_JUMP)),
            c: self.pool.table(table)?,
        };
        self.push(word)?;
        Ok(true)
    }

    /// Code that tries the branches of each list. Returns the jump of each list and their labels.
    fn forks(
        &mut self,
        order: &[Vec<usize>],
        ways: &[Way],
    ) -> Result<(Vec<u8>, Vec<Label>), EmitError> {
        let mut results = Vec::new();
        let mut labels: Vec<Label> = Vec::new();
        for list in order {
            let mut list = list.iter().filter_map(|&way| ways.get(way)).rev();
            let Some(last) = list.next() else {
                results.push(NO_JUMP);
                continue;
            };
            let mut label = last.label;
            let mut ready = false;
            for way in list {
                if !ready {
                    self.jump(label)?;
                    ready = true;
                }
                self.push(Word {
                    op: op::FORK,
                    c: Self::target(way.label),
                    ..Word::default()
                })?;
                label = self.here();
            }
            results.push(u8::try_from(labels.len()).map_err(|_| EmitError::TooLarge)?);
            labels.push(label);
        }
        Ok((results, labels))
    }
}

fn is_skippable(element: &Element<'_>) -> bool {
    matches!(element, Element::Node(node) if skippable(node))
}

fn is_marked(element: &Element<'_>) -> bool {
    matches!(element, Element::Node(node) if has_mark(node))
}

/// The set a branch starts with.
fn lead(branch: &[Element<'_>]) -> Option<ByteSet> {
    match branch.first() {
        Some(Element::Set(set)) => Some(*set),
        _ => None,
    }
}

/// Factors a group of branches with the same first set.
fn factor(mut group: Vec<Vec<Element<'_>>>) -> Item<'_> {
    if group.len() < 2 {
        return Item::Sequence(group.pop().unwrap_or_default());
    }
    let mut start: Vec<ByteSet> = group
        .first()
        .into_iter()
        .flatten()
        .map_while(|element| match element {
            Element::Set(set) => Some(*set),
            Element::Node(_) => None,
        })
        .collect();
    for branch in &group {
        let common = start
            .iter()
            .zip(branch)
            .take_while(|(set, element)| matches!(element, Element::Set(other) if other == *set))
            .count();
        start.truncate(common);
    }
    for branch in &mut group {
        branch.drain(..start.len().min(branch.len()));
    }
    Item::Factored {
        start,
        rests: group,
    }
}

/// Groups branches when their order does not matter.
fn group_all(branches: Vec<Vec<Element<'_>>>, depth: u32) -> Vec<Item<'_>> {
    let mut one: Option<ByteSet> = None;
    let mut empty = false;
    let mut groups: Vec<Vec<Vec<Element<'_>>>> = Vec::new();
    let mut known: HashMap<ByteSet, usize> = HashMap::new();
    for branch in branches {
        match (branch.as_slice(), lead(&branch)) {
            ([], _) => empty = true,
            ([Element::Set(set)], _) => one = Some(one.unwrap_or_default().union(*set)),
            (_, Some(set)) if depth < DEEPEST_FACTOR => {
                let index = *known.entry(set).or_insert(groups.len());
                match groups.get_mut(index) {
                    Some(group) => group.push(branch),
                    None => groups.push(vec![branch]),
                }
            }
            _ => groups.push(vec![branch]),
        }
    }
    one.map(|set| Item::Sequence(vec![Element::Set(set)]))
        .into_iter()
        .chain(groups.into_iter().map(factor))
        .chain(empty.then(|| Item::Sequence(Vec::new())))
        .collect()
}

/// Groups branches next to each other only: their order stays.
fn group_neighbours(branches: Vec<Vec<Element<'_>>>, depth: u32) -> Vec<Item<'_>> {
    let mut groups: Vec<Vec<Vec<Element<'_>>>> = Vec::new();
    for branch in branches {
        let set = lead(&branch);
        if let Some(group) = groups.last_mut()
            && set.is_some()
        {
            match (group.as_mut_slice(), branch.as_slice()) {
                ([last], [Element::Set(set)]) if last.len() == 1 => {
                    if let Some(Element::Set(other)) = last.first_mut() {
                        *other = other.union(*set);
                        continue;
                    }
                }
                ([last, ..], _) if depth < DEEPEST_FACTOR && lead(last) == set => {
                    group.push(branch);
                    continue;
                }
                _ => {}
            }
        }
        groups.push(vec![branch]);
    }
    groups.into_iter().map(factor).collect()
}
