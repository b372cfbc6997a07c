//! The meaning of a [`Node`], written down as plainly as it can be: a backtracking matcher for
//! tests, against which the real ones are compared.
//!
//! It follows PCRE2: alternatives in order, greedy counts from the longest, the leftmost match. In
//! a repetition without end, an iteration that takes nothing and reaches the least count is the
//! last one (this matters only when iterations see each other through back references). It gives
//! up after a number of steps, and its recursion grows with the text: give it short ones.

use std::ops::Range;

use super::{Direction, Greed, Node, Parsed, Repeat, Sense};

/// Steps of one search.
const STEPS: usize = 50_000;
/// Calls inside each other, a few for each byte of a match.
const DEPTH: usize = 1200;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The match that Perl would report.
    Match(Range<usize>),
    /// No match.
    Nothing,
    /// Too many steps.
    GaveUp,
}

/// The first match that begins at `from` or later.
pub(crate) fn find(pattern: &Parsed, haystack: &[u8], from: usize) -> Found {
    let mut steps = STEPS;
    for start in from..=haystack.len() {
        let mut matcher = Matcher {
            haystack,
            captures: vec![None; pattern.groups as usize + 1],
            start,
            steps,
            depth: 0,
            gave_up: false,
        };
        let mut end = start;
        let matched = matcher.run(&pattern.node, start, &mut |_, at| {
            end = at;
            true
        });
        if matcher.gave_up {
            return Found::GaveUp;
        }
        if matched {
            // `\K` can put the start behind the end only inside look-arounds, where it is refused.
            return Found::Match(matcher.start..end);
        }
        steps = matcher.steps;
    }
    Found::Nothing
}

/// What has to match after a node, from a place on.
type Next<'n, 'h> = &'n mut dyn FnMut(&mut Matcher<'h>, usize) -> bool;

struct Matcher<'h> {
    haystack: &'h [u8],
    /// By number; 0 is not used.
    captures: Vec<Option<Range<usize>>>,
    /// The reported start.
    start: usize,
    steps: usize,
    depth: usize,
    /// Once set, everything says it matches, so that the search ends.
    gave_up: bool,
}

impl<'h> Matcher<'h> {
    /// Whether the node matches at `at` so that what follows matches, too. If not, the captures
    /// and the start are as before.
    fn run(&mut self, node: &Node, at: usize, next: Next<'_, 'h>) -> bool {
        if self.gave_up || self.steps == 0 || self.depth == DEPTH {
            self.gave_up = true;
            return true;
        }
        self.steps -= 1;
        self.depth += 1;
        let matched = self.step(node, at, next);
        self.depth -= 1;
        matched
    }

    fn step(&mut self, node: &Node, at: usize, next: Next<'_, 'h>) -> bool {
        match node {
            Node::Empty | Node::Mark(_) => next(self, at),
            Node::Set(set) => {
                self.haystack
                    .get(at)
                    .is_some_and(|&byte| set.contains(byte))
                    && next(self, at + 1)
            }
            Node::Concat(nodes) => self.sequence(nodes, at, next),
            Node::Alternation(nodes) => nodes.iter().any(|node| self.run(node, at, next)),
            Node::Repeat(repeat) if repeat.greed == Greed::Possessive => {
                let repeat = Repeat {
                    greed: Greed::Greedy,
                    ..(**repeat).clone()
                };
                self.atomic(at, next, &mut |matcher, next| {
                    matcher.repeat(&repeat, 0, at, next)
                })
            }
            Node::Repeat(repeat) => self.repeat(repeat, 0, at, next),
            Node::Capture { group, node } => {
                let group = *group as usize;
                self.run(node, at, &mut |matcher, end| {
                    let before = matcher.captures[group].replace(at..end);
                    let matched = next(matcher, end);
                    if !matched {
                        matcher.captures[group] = before;
                    }
                    matched
                })
            }
            Node::Assert(assertion) => assertion.holds(self.haystack, at) && next(self, at),
            Node::Look(look) => {
                let before = self.captures.clone();
                let found = match look.direction {
                    Direction::Ahead => self.run(&look.node, at, &mut |_, _| true),
                    Direction::Behind => self.behind(&look.node, at),
                };
                if self.gave_up {
                    return true;
                }
                let holds = found == (look.sense == Sense::Positive);
                if holds && next(self, at) {
                    return true;
                }
                self.captures = before;
                false
            }
            Node::Atomic(node) => {
                self.atomic(at, next, &mut |matcher, next| matcher.run(node, at, next))
            }
            Node::Backreference { group, caseless } => {
                let Some(text) = self.captures[*group as usize].clone() else {
                    return false;
                };
                let text = &self.haystack[text];
                let Some(here) = self.haystack.get(at..at + text.len()) else {
                    return false;
                };
                let equal = if *caseless {
                    here.eq_ignore_ascii_case(text)
                } else {
                    here == text
                };
                equal && next(self, at + text.len())
            }
            Node::Keep => {
                let before = std::mem::replace(&mut self.start, at);
                let matched = next(self, at);
                if !matched {
                    self.start = before;
                }
                matched
            }
        }
    }

    fn sequence(&mut self, nodes: &[Node], at: usize, next: Next<'_, 'h>) -> bool {
        match nodes {
            [] => next(self, at),
            [first, rest @ ..] => self.run(first, at, &mut |matcher, at| {
                matcher.sequence(rest, at, next)
            }),
        }
    }

    /// The repetition after `count` iterations.
    fn repeat(&mut self, repeat: &Repeat, count: u32, at: usize, next: Next<'_, 'h>) -> bool {
        if repeat.max == Some(count) {
            return next(self, at);
        }
        let may_stop = count >= repeat.min;
        if may_stop && repeat.greed == Greed::Lazy && next(self, at) {
            return true;
        }
        let matched = self.run(&repeat.node, at, &mut |matcher, end| {
            if repeat.max.is_none() && count + 1 >= repeat.min && end == at {
                next(matcher, end)
            } else {
                matcher.repeat(repeat, count + 1, end, next)
            }
        });
        matched || (may_stop && repeat.greed != Greed::Lazy && next(self, at))
    }

    /// The first way in which `inner` matches, and what follows after that or not at all.
    fn atomic(
        &mut self,
        at: usize,
        next: Next<'_, 'h>,
        inner: &mut dyn FnMut(&mut Self, Next<'_, 'h>) -> bool,
    ) -> bool {
        let before = (self.captures.clone(), self.start);
        let mut end = at;
        let matched = inner(self, &mut |_, at| {
            end = at;
            true
        });
        if self.gave_up || (matched && next(self, end)) {
            return true;
        }
        (self.captures, self.start) = before;
        false
    }

    /// Whether the node matches some text that ends at `at`; its alternatives in order.
    fn behind(&mut self, node: &Node, at: usize) -> bool {
        if let Node::Alternation(nodes) = node {
            return nodes.iter().any(|node| self.behind(node, at));
        }
        (0..=at)
            .rev()
            .any(|start| self.run(node, start, &mut |_, end| end == at))
    }
}
