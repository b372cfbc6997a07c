//! Any octets have a summary that keeps its promises and survives its stored form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::Summary;
use mime::section::{self, SectionPath, Text};

fuzz_target!(|raw: &[u8]| {
    let summary = Summary::parse(raw);
    assert_eq!(summary.size as usize, raw.len());
    assert_eq!(summary.structure.check(summary.size), Ok(()));
    let message = &summary.structure.parts[0];
    assert_eq!([message.header_of(raw), message.body_of(raw)].concat(), raw);

    let stored = summary.encode();
    assert_eq!(Summary::decode(&stored).as_ref(), Ok(&summary));
    assert_eq!(
        Summary::decode_envelope(&stored).as_ref(),
        Ok(&summary.envelope)
    );

    for part in &summary.structure.parts {
        let newlines = part
            .body_of(raw)
            .iter()
            .filter(|&&octet| octet == b'\n')
            .count();
        assert_eq!(part.lines as usize, newlines);
    }
    for parts in [vec![], vec![1], vec![2], vec![1, 1], vec![1, 2, 1], vec![0]] {
        for text in [Text::Full, Text::Header, Text::Text, Text::Mime] {
            let section = SectionPath {
                parts: parts.clone(),
                text,
            };
            if let Some(octets) = section::resolve(raw, &summary.structure, &section) {
                assert!(octets.len() <= raw.len());
            }
        }
    }
});
