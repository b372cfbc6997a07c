//! Command lines are the same however they arrive, none holds a CR or LF, and the session's buffer
//! stays within the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::LineReader;
use smtp::line::{Expect, Framed, LineError, MAX_AUTH_LINE};

/// The lines, `None` for an overlong one, up to the error.
fn read(input: &[u8], chunk: usize) -> (Vec<Option<Vec<u8>>>, Option<LineError>) {
    let mut reader = LineReader::new();
    let mut buffer: Vec<u8> = Vec::new();
    let mut lines = Vec::new();
    for piece in input.chunks(chunk) {
        buffer.extend_from_slice(piece);
        loop {
            let consumed = match reader.next_line(&buffer, Expect::Command) {
                Ok(Framed::Partial { consumed }) => {
                    buffer.drain(..consumed);
                    break;
                }
                Ok(Framed::Line { line, consumed }) => {
                    assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
                    lines.push(Some(line.to_vec()));
                    consumed
                }
                Ok(Framed::TooLong { consumed }) => {
                    lines.push(None);
                    consumed
                }
                Err(error) => return (lines, Some(error)),
            };
            buffer.drain(..consumed);
        }
        assert!(buffer.len() <= MAX_AUTH_LINE);
    }
    (lines, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&chunk, input)) = input.split_first() else {
        return;
    };
    let whole = read(input, input.len().max(1));
    assert_eq!(read(input, 1), whole);
    assert_eq!(read(input, usize::from(chunk) * 37 + 1), whole);
});
