//! An address is read or refused; one that is read prints in one form, and its domain is the same
//! whether written with A-labels or with U-labels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{Address, Domain, Localpart};
use unicode_normalization::UnicodeNormalization as _;

fuzz_target!(|text: &str| {
    if let Ok(address) = Address::parse(text) {
        let printed = address.to_string();
        assert_eq!(Address::parse(&printed).as_ref(), Ok(&address));
        assert!(!printed.contains(char::is_control));
        assert!(address.domain.as_str().is_ascii());
    }
    if let Ok(domain) = Domain::parse(text) {
        assert_eq!(Domain::parse(domain.as_str()).as_ref(), Ok(&domain));
        assert_eq!(Domain::parse(&domain.to_unicode()), Ok(domain));
    }
    if let Ok(localpart) = Localpart::from_content(text) {
        assert_eq!(
            Localpart::parse(&localpart.to_string()).as_ref(),
            Ok(&localpart)
        );
        // One spelling of what looks the same: composed.
        assert!(text.nfc().eq(localpart.as_str().chars()));
    }
});
