//! Requests and replies of the control socket: what is read is written as what reads the same, on
//! one line.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use muskox::control::{Reply, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(octets: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(octets) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("what was JSON is JSON");
    assert!(!written.contains(&b'\n'));
    assert_eq!(serde_json::from_slice::<T>(&written).ok(), Some(read));
}

fuzz_target!(|octets: &[u8]| {
    check::<Request>(octets);
    check::<Reply>(octets);
});
