//! Addresses, networks, patterns and limits that people write: what is read prints as what reads
//! the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use blocklist::Codes;
use directory::AliasName;
use libfuzzer_sys::fuzz_target;
use policy::{Network, RateLimit, SenderPattern};

fn check<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let read = text.parse::<T>().ok()?;
    let printed = read.to_string();
    assert!(!printed.contains(char::is_control), "{printed:?}");
    assert_eq!(
        printed.parse::<T>().ok().as_ref(),
        Some(&read),
        "{printed:?}"
    );
    Some(read)
}

fuzz_target!(|text: &str| {
    check::<AliasName>(text);
    check::<RateLimit>(text);
    check::<SenderPattern>(text);
    if !text.contains(char::is_control) {
        check::<antivirus::Address>(text);
    }
    if let Some(network) = check::<Network>(text) {
        assert!(network.contains(network.address()));
    }
    check::<Codes>(text);
});
