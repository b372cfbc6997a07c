//! A mailbox name has one form on the wire, reads back from it, and is found by itself as pattern.
#![no_main]

use imap::{ListPattern, MailboxName, Utf8Mode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for mode in [Utf8Mode::ModifiedUtf7, Utf8Mode::Utf8] {
        let Ok(name) = MailboxName::from_wire(data, mode) else {
            continue;
        };
        assert!(name.as_str().len() <= MailboxName::MAX_LENGTH);
        for other in [Utf8Mode::ModifiedUtf7, Utf8Mode::Utf8] {
            let wire = name.to_wire(other);
            assert_eq!(MailboxName::from_wire(&wire, other).as_ref(), Ok(&name));
        }
        // The first level may be INBOX in another spelling; everything else is one to one.
        if mode == Utf8Mode::ModifiedUtf7 && !name.as_str().starts_with("INBOX") {
            assert_eq!(name.to_wire(mode), data);
        }
        let pattern = ListPattern::new(name.as_str()).expect("a name is a pattern");
        assert!(pattern.matches(&name));
    }
});
