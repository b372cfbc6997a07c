//! The framer gives the same events for every way in which the same bytes arrive.
#![no_main]

use imap::{Event, Framer, Limits};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    text: 300,
    non_synchronizing: 50,
    strings: 60,
    message: 80,
};

fn drain(framer: &mut Framer, events: &mut Vec<Event>) {
    while let Some(event) = framer.next_event() {
        events.push(event);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let (sizes, input) = rest.split_at((usize::from(*count) % 16).min(rest.len()));

    let mut whole = Vec::new();
    let mut framer = Framer::new(LIMITS);
    framer.feed(input);
    drain(&mut framer, &mut whole);

    let mut chunked = Vec::new();
    let mut framer = Framer::new(LIMITS);
    let mut rest = input;
    for size in sizes.iter().chain([&0]).cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((usize::from(*size) + 1).min(rest.len()));
        framer.feed(chunk);
        drain(&mut framer, &mut chunked);
        rest = after;
    }
    assert_eq!(chunked, whole);
});
