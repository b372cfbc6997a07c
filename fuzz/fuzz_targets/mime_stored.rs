//! Hostile stored bytes are refused, or are a summary that keeps its promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::Summary;

fuzz_target!(|bytes: &[u8]| {
    let envelope = Summary::decode_envelope(bytes);
    if let Ok(summary) = Summary::decode(bytes) {
        assert_eq!(envelope.as_ref(), Ok(&summary.envelope));
        assert_eq!(summary.structure.check(summary.size), Ok(()));
        assert_eq!(Summary::decode(&summary.encode()), Ok(summary));
    }
});
