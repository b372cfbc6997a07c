//! Literal windows: runs of items that spell a few strings.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::arm::{LONGEST_LITERAL, SHORTEST_LITERAL};
use super::element::{Item, Place, Tree, View};
use super::statistics::{Chain, MEGABYTE, Statistics};

/// The most strings of a window.
pub(super) const MOST_STRINGS: usize = 64;
/// A set of more bytes has more than [`MOST_STRINGS`] even without case.
const WIDEST_SET: u32 = 64 + 26;
/// How many strings are made for one pattern.
const MOST_SPELLINGS: usize = 60_000;
/// A rest of a repeat with more optional copies than this ends a window.
const MOST_OPTIONAL: u32 = 3;

/// A string that an item may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spelling {
    /// Zeros behind the string's bytes.
    bytes: [u8; LONGEST_LITERAL],
    length: usize,
    /// Whether it is the whole of what the item takes, so that the next item's bytes follow it.
    open: bool,
}

impl Spelling {
    /// The empty string, and the next item's bytes follow.
    const NOTHING: Self = Self {
        bytes: [0; LONGEST_LITERAL],
        length: 0,
        open: true,
    };
    /// Anything may follow.
    const UNKNOWN: Self = Self {
        open: false,
        ..Self::NOTHING
    };

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn then(mut self, next: &Self) -> Self {
        for &byte in next.bytes() {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
        self.open = next.open && self.length < LONGEST_LITERAL;
        self
    }
}

/// Spells items, each once.
#[derive(Debug)]
pub(super) struct Speller<'a> {
    tree: &'a Tree,
    known: BTreeMap<(Place, bool), Rc<[Spelling]>>,
    /// How many more strings are made.
    fuel: usize,
}

/// A run of items whose strings are looked for.
#[derive(Debug)]
pub(super) struct Window {
    /// The first item.
    pub(super) start: usize,
    /// Distinct, sorted, none the beginning of another.
    pub(super) strings: Vec<Vec<u8>>,
    /// How often they occur in a megabyte.
    pub(super) hits: f32,
}

impl<'a> Speller<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            known: BTreeMap::new(),
            fuel: MOST_SPELLINGS,
        }
    }

    fn spell(&mut self, item: Item) -> Rc<[Spelling]> {
        let key = (item.place(), matches!(item, Item::Rest(_)));
        if let Some(known) = self.known.get(&key) {
            return Rc::clone(known);
        }
        let spellings: Rc<[Spelling]> = self.spell_new(item).into();
        self.known.insert(key, Rc::clone(&spellings));
        spellings
    }

    fn spell_new(&mut self, item: Item) -> Vec<Spelling> {
        match self.tree.view(item) {
            View::Condition => vec![Spelling::NOTHING],
            View::Byte(set) if set.len() > WIDEST_SET => vec![Spelling::UNKNOWN],
            View::Byte(set) => {
                let folded = set.iter().map(|byte| byte.to_ascii_lowercase());
                tidy(folded.map(|byte| {
                    let mut spelling = Spelling::NOTHING;
                    if let Some(first) = spelling.bytes.first_mut() {
                        *first = byte;
                        spelling.length = 1;
                    }
                    spelling
                }))
            }
            View::Concat(parts) => {
                let parts = parts.iter().map(|&part| Item::Part(part));
                self.spell_sequence(parts)
            }
            View::Repeat { copies, rest } => {
                let copies = copies.iter().map(|&part| Item::Part(part));
                self.spell_sequence(copies.chain([rest]))
            }
            View::Alternation(parts) => {
                let mut all = Vec::new();
                for &part in parts {
                    let part = self.spell(Item::Part(part));
                    if all.len() + part.len() > MOST_STRINGS * 4 {
                        return vec![Spelling::UNKNOWN];
                    }
                    all.extend_from_slice(&part);
                }
                tidy(all)
            }
            View::Rest { body, min, max } => self.spell_rest(body, min, max),
        }
    }

    fn spell_rest(&mut self, body: Place, min: u32, max: Option<u32>) -> Vec<Spelling> {
        let Some(max) = max.filter(|&max| max <= MOST_OPTIONAL) else {
            let body = (0..min.min(1)).map(|_| Item::Part(body));
            return product(&self.spell_sequence(body), &[Spelling::UNKNOWN])
                .unwrap_or_else(|| vec![Spelling::UNKNOWN]);
        };
        let mut all = Vec::new();
        for times in min..=max {
            let copies = (0..times).map(|_| Item::Part(body));
            all.extend(self.spell_sequence(copies));
        }
        tidy(all)
    }

    /// Items one after the other, as far as their strings are few.
    fn spell_sequence(&mut self, items: impl Iterator<Item = Item>) -> Vec<Spelling> {
        let mut all = vec![Spelling::NOTHING];
        for item in items {
            let next = self.spell(item);
            if let Some(longer) = product(&all, &next) {
                all = longer;
            } else {
                all.iter_mut().for_each(|spelling| spelling.open = false);
            }
            if all.iter().all(|spelling| !spelling.open) {
                break;
            }
        }
        tidy(all)
    }

    /// The first item that a window can begin at and reach `end`.
    pub(super) fn reach(&mut self, items: &[Item], end: usize) -> usize {
        let mut length = 0;
        let mut start = end;
        while let Some(&item) = start.checked_sub(1).and_then(|place| items.get(place)) {
            let shortest = self
                .spell(item)
                .iter()
                .filter(|s| s.open)
                .map(|s| s.length)
                .min();
            match shortest {
                Some(shortest) if length + shortest < LONGEST_LITERAL => length += shortest,
                _ => break,
            }
            start -= 1;
        }
        start
    }

    /// Tries every window that begins at `start`; `accept` gets the hits, the number of strings
    /// and the item behind the last one, and says whether to remember it.
    pub(super) fn windows_at(
        &mut self,
        items: &[Item],
        start: usize,
        text: &Statistics,
        mut accept: impl FnMut(f32, usize, Range<usize>) -> bool,
    ) -> Option<Window> {
        let mut best = None;
        let mut strings = vec![(Spelling::NOTHING, Chain::START)];
        for (place, &item) in items.iter().enumerate().skip(start) {
            let next = self.spell(item);
            if place == start && next.iter().any(|spelling| spelling.length == 0) {
                break;
            }
            let Some(longer) = extend(&strings, &next, text) else {
                break;
            };
            let Some(fuel) = self.fuel.checked_sub(longer.len()) else {
                break;
            };
            self.fuel = fuel;
            strings = longer;
            let shortest = strings.iter().map(|(s, _)| s.length).min();
            if shortest.is_some_and(|shortest| shortest >= SHORTEST_LITERAL) {
                let probability: f32 = strings.iter().map(|(_, chain)| chain.probability).sum();
                let hits = probability * MEGABYTE;
                if accept(hits, strings.len(), start..place + 1) {
                    best = Some(Window {
                        start,
                        strings: distinct(
                            strings.iter().map(|(s, _)| s.bytes().to_vec()).collect(),
                        ),
                        hits,
                    });
                }
            }
            if strings.iter().all(|(spelling, _)| !spelling.open) {
                break;
            }
        }
        best
    }
}

/// Sorted, each once, or [`Spelling::UNKNOWN`] when there are too many or none.
fn tidy(spellings: impl IntoIterator<Item = Spelling>) -> Vec<Spelling> {
    let mut all: Vec<Spelling> = spellings.into_iter().collect();
    // Closed before open: what the same open string leads to is covered by the closed one.
    all.sort_unstable();
    all.dedup_by(|next, kept| next.bytes() == kept.bytes());
    if all.is_empty() || all.len() > MOST_STRINGS {
        return vec![Spelling::UNKNOWN];
    }
    all
}

fn product(all: &[Spelling], next: &[Spelling]) -> Option<Vec<Spelling>> {
    let mut longer = Vec::new();
    for spelling in all {
        if spelling.open {
            longer.extend(next.iter().map(|next| spelling.then(next)));
        } else {
            longer.push(*spelling);
        }
        if longer.len() > MOST_STRINGS {
            return None;
        }
    }
    Some(longer)
}

type Rated = (Spelling, Chain);

/// [`product`] with rates; strings that another one is the beginning of are dropped.
fn extend(all: &[Rated], next: &[Spelling], text: &Statistics) -> Option<Vec<Rated>> {
    let mut longer: Vec<Rated> = Vec::new();
    for (spelling, chain) in all {
        if spelling.open {
            for next in next {
                let joined = spelling.then(next);
                let added = joined.bytes().iter().skip(spelling.length);
                let chain = added.fold(*chain, |chain, &byte| text.follow(chain, byte));
                longer.push((joined, chain));
            }
        } else {
            longer.push((*spelling, *chain));
        }
        if longer.len() > MOST_STRINGS {
            return None;
        }
    }
    longer.sort_unstable_by_key(|(spelling, _)| *spelling);
    longer.dedup_by(|(next, _), (kept, _)| {
        next.bytes() == kept.bytes() || (!kept.open && next.bytes().starts_with(kept.bytes()))
    });
    Some(longer)
}

/// Sorted, without those that another one is the beginning of.
pub(super) fn distinct(mut strings: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    strings.sort_unstable();
    strings.dedup_by(|next, kept| next.starts_with(kept));
    strings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byteset::ByteSet;
    use crate::plan::simplify::{concat, repeat};
    use crate::plan::statistics::Text;
    use crate::syntax::{Greed, Node};

    fn set(bytes: &[u8]) -> Node {
        Node::Set(bytes.iter().copied().collect())
    }

    fn word(word: &str) -> Node {
        concat(word.bytes().map(|byte| set(&[byte])).collect())
    }

    fn optional(node: Node) -> Node {
        repeat(node, 0, Some(1), Greed::Greedy)
    }

    /// The longest window from every item on.
    fn windows(node: &Node) -> Vec<(usize, Vec<String>)> {
        let tree = Tree::new(node);
        let mut items = Vec::new();
        tree.flatten(Tree::root(), false, &mut items);
        let items: Vec<Item> = items.into_iter().map(|(item, _)| item).collect();
        let text = Statistics::builtin(Text::Prose);
        let mut speller = Speller::new(&tree);
        (0..items.len())
            .filter_map(|start| speller.windows_at(&items, start, text, |_, _, _| true))
            .map(|window| {
                let show = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
                (window.start, window.strings.iter().map(show).collect())
            })
            .collect()
    }

    #[test]
    fn optional_letters_are_alternatives_and_case_is_folded() {
        let node = concat(vec![word("Fee"), optional(word("S")), set(b" \t")]);
        assert_eq!(
            windows(&node),
            [(
                0,
                vec![
                    "fee\t".into(),
                    "fee ".into(),
                    "fees\t".into(),
                    "fees ".into()
                ]
            )]
        );
    }

    #[test]
    fn a_window_ends_where_anything_may_follow() {
        let node = concat(vec![
            word("spam"),
            repeat(Node::Set(ByteSet::ALL), 0, None, Greed::Greedy),
            word("eggs"),
        ]);
        assert_eq!(
            windows(&node),
            [(0, vec!["spam".to_owned()]), (5, vec!["eggs".to_owned()])]
        );
    }

    #[test]
    fn an_alternative_that_goes_on_differently_keeps_its_beginning() {
        let node = concat(vec![
            word("sex"),
            Node::Alternation(vec![
                word("y"),
                concat(vec![word("ua"), Node::Set(ByteSet::ALL)]),
            ]),
            word("!"),
        ]);
        assert_eq!(windows(&node)[0], (0, vec!["sexua".into(), "sexy!".into()]));
    }

    #[test]
    fn strings_end_at_the_longest_literal() {
        let node = word("abcdefghijklmnopqrstuvwxyz");
        let all = windows(&node);
        assert_eq!(all[0], (0, vec!["abcdefghijklmnop".to_owned()]));
        assert_eq!(all.last(), Some(&(22, vec!["wxyz".to_owned()])));
    }

    #[test]
    fn the_beginning_of_another_string_stands_for_both() {
        let strings = [&b"spam"[..], b"eggs", b"spammer", b"spa"].map(<[u8]>::to_vec);
        assert_eq!(
            distinct(strings.to_vec()),
            [b"eggs".to_vec(), b"spa".to_vec()]
        );
    }
}
