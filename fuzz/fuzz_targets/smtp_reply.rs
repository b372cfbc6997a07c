//! Replies are the same however they arrive, hold no control characters, survive being sent on, and
//! their extensions can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{Extensions, Reply, ReplyError, ReplyParser};

fn read(input: &[u8], chunk: usize) -> (Vec<Reply>, Option<ReplyError>) {
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    for piece in input.chunks(chunk) {
        let mut next = parser.feed(piece);
        loop {
            match next {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
            next = parser.feed(b"");
        }
    }
    (replies, None)
}

fuzz_target!(|input: &[u8]| {
    let (replies, error) = read(input, input.len().max(1));
    // One huge piece may be refused as a flood where small ones are not.
    if error != Some(ReplyError::Flood) {
        assert_eq!(read(input, 1), (replies.clone(), error));
    }
    for reply in replies {
        let _ = Extensions::parse(&reply);
        assert!(!reply.text().contains(char::is_control));
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        let (again, error) = read(&wire, wire.len());
        assert!(again.len() == 1 && error.is_none() || error == Some(ReplyError::TooManyLines));
        assert!(again.iter().all(|again| again.code() == reply.code()));
    }
});
