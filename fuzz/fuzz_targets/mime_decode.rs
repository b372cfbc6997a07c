//! Decoding never panics and grows no further than its input allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::{Structure, date, decode};

fuzz_target!(|raw: &[u8]| {
    let structure = Structure::parse(raw);
    for part in &structure.parts {
        assert!(decode::part_bytes(raw, part).len() <= raw.len());
        let _ = decode::part_text(raw, part);
        if let Some(name) = decode::filename(part) {
            assert!(!name.contains(char::is_control));
        }
    }
    assert!(!decode::header_text(raw).contains(char::is_control));
    assert!(decode::text(raw).len() <= 8 * raw.len() + 64 * structure.parts.len());
    let _ = mime::malformed(raw);
    if let Some(seconds) = date::parse(raw) {
        assert_eq!(date::parse(date::format(seconds).as_bytes()), Some(seconds));
    }
    let _ = date::parse_internal(raw);
});
