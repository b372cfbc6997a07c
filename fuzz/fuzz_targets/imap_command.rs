//! Whatever a client sends, parsing ends in a command or in one line of answer; and a command
//! written back parses to the same.
#![no_main]

use imap::response::Encode as _;
use imap::{Command, CommandError, Event, Framer, Limits, Utf8Mode};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    text: 1 << 20,
    non_synchronizing: 1 << 20,
    strings: 1 << 20,
    message: 1 << 20,
};

/// The first whole command in `wire`.
fn parse(wire: &[u8], mode: Utf8Mode) -> Option<Result<Command, CommandError>> {
    let mut framer = Framer::new(LIMITS);
    framer.feed(wire);
    loop {
        match framer.next_event()? {
            Event::Continue { .. } => {}
            Event::Command(raw) => return Some(Command::parse(raw, mode)),
            Event::Refused(_) => return None,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, wire)) = data.split_first() else {
        return;
    };
    let mode = if first & 1 == 0 {
        Utf8Mode::ModifiedUtf7
    } else {
        Utf8Mode::Utf8
    };
    match parse(wire, mode) {
        Some(Ok(command)) => {
            let mut out = Vec::new();
            command.encode(&mut out, mode);
            assert_eq!(parse(&out, mode), Some(Ok(command)), "written back");
        }
        Some(Err(failure)) => {
            let mut out = Vec::new();
            failure.response().encode_to(&mut out, mode);
            assert!(out.ends_with(b"\r\n"));
            assert_eq!(
                out.iter().filter(|b| matches!(b, b'\r' | b'\n')).count(),
                2,
                "one line"
            );
        }
        None => {}
    }
});
