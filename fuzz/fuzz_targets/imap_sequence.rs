//! Sets of messages agree with sets of numbers, however they are written or put together.
#![no_main]

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use imap::{Command, CommandBody, Event, Framer, Limits, SequenceSet, UidSet, Utf8Mode};
use libfuzzer_sys::fuzz_target;

/// The set as a FETCH has it.
fn parse(text: &str) -> Option<SequenceSet> {
    let mut framer = Framer::new(Limits::before_login());
    framer.feed(format!("t FETCH {text} UID\r\n").as_bytes());
    let Some(Event::Command(raw)) = framer.next_event() else {
        return None;
    };
    match Command::parse(raw, Utf8Mode::Utf8).ok()?.body {
        CommandBody::Fetch(fetch) => Some(fetch.set),
        _ => None,
    }
}

fuzz_target!(|input: (u8, Vec<u8>, &str)| {
    let (max, numbers, text) = input;
    let mut set = UidSet::new();
    let mut model = BTreeSet::new();
    for number in numbers
        .iter()
        .filter_map(|&number| NonZeroU32::new(number.into()))
    {
        set.insert_number(number);
        model.insert(number.get());
    }
    assert!(set.iter().eq(model.iter().copied()));
    assert_eq!(
        (set.len(), set.first()),
        (model.len() as u64, model.first().copied())
    );
    assert_eq!(set.last(), model.last().copied());
    let ranges: Vec<_> = set.ranges().collect();
    assert!(
        ranges
            .windows(2)
            .all(|pair| pair[0].end() + 1 < *pair[1].start())
    );

    let max = u32::from(max);
    let Some(set) = parse(text) else { return };
    let resolved = set.resolve(max);
    for pair in resolved.windows(2) {
        assert!(u64::from(*pair[0].end()) + 1 < u64::from(*pair[1].start()));
    }
    let ends = resolved
        .iter()
        .flat_map(|range| [*range.start(), *range.end()]);
    let around = ends.flat_map(|end| [end.saturating_sub(1), end, end.saturating_add(1)]);
    for number in around.chain(0..=max) {
        let is_in = resolved.iter().any(|range| range.contains(&number));
        assert_eq!(set.contains(number, max), is_in, "{number}");
    }
});
