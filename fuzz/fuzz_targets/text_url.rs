//! URLs and addresses found lie in the text, one behind the other; the normalised form of a URL is
//! its own normalised form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text::url::{self, Url};

fuzz_target!(|text: &str| {
    let mut end = 0;
    for found in url::find(text) {
        assert_eq!(&text[found.range.clone()], found.written);
        assert!(found.range.start >= end && !found.range.is_empty());
        end = found.range.end;
        check(&found.url);
    }
    let mut end = 0;
    for mailbox in url::addresses(text) {
        assert!(mailbox.range.start >= end);
        end = mailbox.range.end;
        assert!(text[mailbox.range.clone()].contains('@'));
        assert!(url::is_known_suffix(mailbox.domain()));
    }
    if let Some(url) = Url::parse(text) {
        check(&url);
    }
});

fn check(url: &Url) {
    let normalised = url.normalised();
    assert!(!normalised.contains(char::is_control));
    if normalised.len() <= url::MAX_URL_LENGTH {
        let again = Url::parse(&normalised).expect("a normalised URL");
        assert_eq!(again.normalised(), normalised);
        assert_eq!((again.host, again.port), (url.host.clone(), url.port));
    }
    let nested = url.nested();
    assert_eq!(url.flags.nested, !nested.is_empty());
    assert!(nested.len() <= url::MAX_NESTED);
}
