//! Address lists: groups are closed and never nest, nothing holds a line break.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let mut in_group = false;
    for address in mime::parse_addresses(value) {
        match (&address.mailbox, &address.host) {
            (Some(_), Some(_)) => {}
            (Some(_), None) => {
                assert!(!in_group);
                in_group = true;
            }
            (None, None) => {
                assert!(in_group);
                in_group = false;
            }
            (None, Some(_)) => panic!("a host without mailbox"),
        }
        for text in [address.name, address.mailbox, address.host]
            .into_iter()
            .flatten()
        {
            assert!(!text.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)));
        }
    }
    assert!(!in_group);
});
