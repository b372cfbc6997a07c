//! A request's fields and body never panic, and stay within their limits.
#![no_main]

use bytes::Bytes;
use filterd::request::{Encoding, check, decompress, encoding};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 65_536;

/// Lines `name: value` up to an empty one, as far as HTTP lets them through; the rest is the body.
fn split(input: &[u8]) -> (HeaderMap, &[u8]) {
    let mut fields = HeaderMap::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|&octet| octet == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let Some(colon) = line.iter().position(|&octet| octet == b':') else {
            break;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(&line[colon + 1..]);
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    (fields, rest)
}

fuzz_target!(|input: &[u8]| {
    let (fields, body) = split(input);
    let message = match encoding(&fields) {
        Ok(Encoding::Plain) => Ok(Bytes::copy_from_slice(body)),
        Ok(Encoding::Zstd) => decompress(body, LIMIT),
        Err(error) => Err(error),
    };
    let Ok(message) = message else {
        return;
    };
    let length = message.len();
    let request = check(&fields, message);
    assert!(request.message.len() == length && (length <= LIMIT || length == body.len()));
    assert!(request.recipients.len() <= 1_000);
    assert!(request.recipients.iter().all(|address| !address.is_empty()));
    assert_ne!(request.hostname.as_deref(), Some("unknown"));
});
