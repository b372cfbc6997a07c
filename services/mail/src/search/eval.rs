//! Deciding whether a message matches, with as much evidence as there is.
//!
//! A condition is true, false, or open for lack of evidence (Kleene's logic); evidence is added
//! until the whole query is no longer open.

use std::ops::RangeInclusive;

use mime::Envelope;

use super::query::{Field, Key, NodeId, SearchQuery};
use super::text::{Needle, Text, envelope_text};
use crate::fetch::Dates;
use crate::{Entry, Snapshot};

/// What is known of a message beside its entry.
#[derive(Default, Clone, Copy)]
pub(super) struct Evidence<'e> {
    pub(super) dates: Option<Dates>,
    pub(super) envelope: Option<&'e Envelope>,
    pub(super) text: Option<&'e Text<'e>>,
}

/// A query made ready: its texts folded.
pub(super) struct Search {
    nodes: Vec<Node>,
}

struct Node {
    key: Key,
    /// Of a condition on text.
    needle: Option<Needle>,
}

/// How much has to be read to decide a condition.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Entry,
    Dates,
    Envelope,
    Message,
}

impl Search {
    pub(super) fn new(query: SearchQuery) -> Self {
        let nodes = query.nodes.into_iter().map(|key| {
            let needle = match &key {
                Key::Header { text, .. } | Key::Body(text) | Key::Text(text) => {
                    Some(Needle::new(text))
                }
                _ => None,
            };
            Node { key, needle }
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    fn costs(&self, at_least: &Cost) -> bool {
        self.nodes.iter().any(|node| node.cost() >= *at_least)
    }

    /// Whether a message's octets may be needed.
    pub(super) fn reads_messages(&self) -> bool {
        self.costs(&Cost::Message)
    }

    /// Whether a message's summary may be needed.
    pub(super) fn reads_summaries(&self) -> bool {
        self.costs(&Cost::Envelope)
    }

    /// Whether the envelope decides any condition.
    pub(super) fn wants_envelope(&self) -> bool {
        self.nodes.iter().any(|node| node.cost() == Cost::Envelope)
    }

    /// Whether the message at `position` matches; `None` while that is open.
    pub(super) fn decide(
        &self,
        snapshot: &Snapshot,
        position: usize,
        entry: &Entry,
        evidence: &Evidence<'_>,
    ) -> Option<bool> {
        let subject = Subject {
            snapshot,
            position,
            entry,
            evidence,
        };
        // Nearly every query is short.
        let mut answers = Answers::default();
        for node in &self.nodes {
            let answer = match &node.key {
                Key::Not(of) => answers.get(*of).map(|answer| !answer),
                Key::Or(a, b) => or(answers.get(*a), answers.get(*b)),
                Key::And(all) => all_of(all.iter().map(|of| answers.get(*of))),
                _ => node.decide(&subject),
            };
            answers.push(answer);
        }
        answers.last().unwrap_or(Some(true))
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn all_of(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut sum = Some(true);
    for answer in answers {
        sum = and(sum, answer);
    }
    sum
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|neither| !neither)
}

/// The answers so far, by node. The first few need no allocation.
#[derive(Default)]
struct Answers {
    first: [Option<bool>; 16],
    more: Vec<Option<bool>>,
    length: usize,
}

impl Answers {
    fn push(&mut self, answer: Option<bool>) {
        match self.first.get_mut(self.length) {
            Some(place) => *place = answer,
            None => self.more.push(answer),
        }
        self.length += 1;
    }

    fn get(&self, node: NodeId) -> Option<bool> {
        if node.0 >= self.length {
            return Some(false);
        }
        match self.first.get(node.0) {
            Some(answer) => *answer,
            None => self.more.get(node.0 - self.first.len()).copied().flatten(),
        }
    }

    fn last(&self) -> Option<Option<bool>> {
        self.length
            .checked_sub(1)
            .map(|last| self.get(NodeId(last)))
    }
}

/// The message under examination.
struct Subject<'s> {
    snapshot: &'s Snapshot,
    position: usize,
    entry: &'s Entry,
    evidence: &'s Evidence<'s>,
}

impl Node {
    fn cost(&self) -> Cost {
        match &self.key {
            Key::Larger(_) | Key::Smaller(_) | Key::ReceivedBefore(_) | Key::ReceivedSince(_) => {
                Cost::Dates
            }
            Key::SentBefore(_) | Key::SentSince(_) => Cost::Envelope,
            Key::Header {
                field: Field::Named(_),
                ..
            }
            | Key::Body(_)
            | Key::Text(_) => Cost::Message,
            Key::Header { .. } => Cost::Envelope,
            _ => Cost::Entry,
        }
    }

    fn decide(&self, subject: &Subject<'_>) -> Option<bool> {
        let Subject {
            entry, evidence, ..
        } = subject;
        let text = || evidence.text.zip(self.needle.as_ref());
        match &self.key {
            Key::Flags(flags) => Some(entry.flags.contains(*flags)),
            Key::Keyword(keyword) => Some(
                subject
                    .snapshot
                    .keywords(entry)
                    .binary_search(keyword)
                    .is_ok(),
            ),
            Key::Numbers(ranges) => {
                Some(u32::try_from(subject.position + 1).is_ok_and(|n| contains(ranges, n)))
            }
            Key::Uids(ranges) => Some(contains(ranges, entry.uid.get())),
            Key::ModSeq(since) => Some(entry.modseq >= *since),
            Key::Larger(size) => evidence.dates.map(|dates| u64::from(dates.size) > *size),
            Key::Smaller(size) => evidence.dates.map(|dates| u64::from(dates.size) < *size),
            Key::ReceivedBefore(second) => {
                evidence.dates.map(|dates| dates.received_at.0 < *second)
            }
            Key::ReceivedSince(second) => {
                evidence.dates.map(|dates| dates.received_at.0 >= *second)
            }
            Key::SentBefore(day) => evidence
                .sent_day()
                .map(|sent| sent.is_some_and(|s| s < *day)),
            Key::SentSince(day) => evidence
                .sent_day()
                .map(|sent| sent.is_some_and(|s| s >= *day)),
            Key::Header { field, .. } => self.header(field, evidence),
            Key::Body(_) => text().map(|(text, needle)| text.body_contains(needle)),
            Key::Text(_) => text().map(|(text, needle)| text.contains(needle)),
            Key::All => Some(true),
            // Decided by the caller, from other nodes.
            Key::Not(_) | Key::Or(..) | Key::And(_) => None,
        }
    }

    fn header(&self, field: &Field, evidence: &Evidence<'_>) -> Option<bool> {
        let needle = self.needle.as_ref()?;
        if let Field::Named(_) = field {
            return evidence
                .text
                .map(|text| text.field_contains(field.name(), needle));
        }
        let envelope = evidence.envelope?;
        Some(envelope_text(envelope, field).is_some_and(|text| needle.is_in(&text)))
    }
}

impl Evidence<'_> {
    /// The day of the Date field on its writer's calendar, as far as it is known.
    fn sent_day(&self) -> Option<Option<i64>> {
        let envelope = self.envelope?;
        let moment = envelope.date.as_deref().and_then(mime::date::parse_moment);
        Some(moment.map(mime::date::Moment::day))
    }
}

fn contains(ranges: &[RangeInclusive<u32>], number: u32) -> bool {
    let at = ranges.partition_point(|range| *range.end() < number);
    ranges.get(at).is_some_and(|range| range.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_conditions_decide_nothing_they_should_not() {
        for (a, b, both, one) in [
            (Some(true), Some(true), Some(true), Some(true)),
            (Some(true), Some(false), Some(false), Some(true)),
            (Some(true), None, None, Some(true)),
            (Some(false), None, Some(false), None),
            (None, None, None, None),
        ] {
            assert_eq!((and(a, b), and(b, a)), (both, both));
            assert_eq!((or(a, b), or(b, a)), (one, one));
        }
    }

    #[test]
    fn more_answers_than_there_is_room_for() {
        let mut answers = Answers::default();
        for n in 0..40 {
            answers.push(Some(n % 3 == 0));
        }
        assert!((0..40).all(|n| answers.get(NodeId(n)) == Some(n % 3 == 0)));
        assert_eq!(answers.get(NodeId(40)), Some(false));
        assert_eq!(answers.last(), Some(Some(true)));
    }

    #[test]
    fn ranges() {
        let ranges = [2..=4, 8..=8];
        let inside: Vec<u32> = (0..10).filter(|n| contains(&ranges, *n)).collect();
        assert_eq!(inside, [2, 3, 4, 8]);
    }
}
