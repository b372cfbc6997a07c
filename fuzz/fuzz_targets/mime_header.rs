//! Fields lie one behind the other in the header; values unfold to one line, once and for all; a
//! date that is read prints as one that reads the same; hops are Received fields.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::{date, header};

fuzz_target!(|raw: &[u8]| {
    let end = header::header_end(raw);
    let mut last = 0;
    let mut received = 0;
    for field in header::fields(raw) {
        assert!(field.range.start >= last && field.range.end <= end);
        last = field.range.end;
        assert!(!field.name.is_empty());
        assert!(
            field
                .name
                .iter()
                .all(|octet| octet.is_ascii_graphic() && *octet != b':')
        );
        assert!(raw[field.range.clone()].starts_with(field.name));
        let value = header::unfold(field.value);
        assert!(!value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)));
        assert_eq!(header::unfold(&value), value);
        for id in header::message_ids(field.value) {
            assert!(!id.is_empty() && !id.iter().any(u8::is_ascii_whitespace));
        }
        received += usize::from(field.is("Received"));
        check_date(&value);
    }
    assert_eq!(queue::hops(raw), received.min(queue::MAX_HOPS + 1));
    check_date(raw);
});

fn check_date(value: &[u8]) {
    if let Some(seconds) = date::parse(value) {
        let printed = date::format(seconds);
        assert_eq!(
            date::parse(printed.as_bytes()).map(date::format),
            Some(printed)
        );
    }
    if let Some(seconds) = date::parse_internal(value) {
        let printed = date::format_internal(seconds);
        assert_eq!(date::parse_internal(printed.as_bytes()), Some(seconds));
    }
}
