//! Whatever clamd says, a finding has a short name that can stand in a log and a header field.
#![no_main]

use antivirus::{MAX_NAME, Scanned};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|reply: &[u8]| {
    match Scanned::parse(reply) {
        Some(Scanned::Clean) => assert_eq!(reply, b"stream: OK"),
        Some(Scanned::Infected { name }) => {
            assert!(!name.is_empty() && name.len() <= MAX_NAME);
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b';')
            );
            let again = format!("stream: {name} FOUND");
            assert_eq!(
                Scanned::parse(again.as_bytes()),
                Some(Scanned::Infected { name })
            );
        }
        None => assert_ne!(reply, b"stream: OK"),
    }
});
